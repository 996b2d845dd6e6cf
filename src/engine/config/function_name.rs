//! The forms in which AWS takes a function's name.

use std::fmt;

/// A function name taken apart: the bare name, and the version or alias if there is one.
///
/// ```
/// use tidegate::engine::FunctionName;
///
/// let live = FunctionName::parse("arn:aws:lambda:eu-west-1:123456789012:function:checkout:live")?;
/// assert_eq!((live.name, live.qualifier), ("checkout", Some("live")));
/// assert!(FunctionName::parse("check out").is_err());
/// # Ok::<(), tidegate::engine::FunctionNameError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FunctionName<'a> {
    /// 1 to 64 letters, digits, hyphens and underscores.
    pub name: &'a str,
    /// Version, alias or `$LATEST`.
    pub qualifier: Option<&'a str>,
}

/// The text is none of the forms of a function name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a function name is `name`, `name:alias`, `account:function:name` or an ARN")]
pub struct FunctionNameError;

const NAME_CHARS_MAX: usize = 64;
const QUALIFIER_CHARS_MAX: usize = 128;

impl<'a> FunctionName<'a> {
    /// Takes `text` apart: `name`, `name:qualifier`, `account:function:name[:qualifier]`, or the ARN.
    ///
    /// # Errors
    /// When it is none of these.
    pub fn parse(text: &'a str) -> Result<Self, FunctionNameError> {
        let parts: Vec<&str> = text.split(':').collect();
        let account = |text: &str| text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit());
        let (name, qualifier) = match parts[..] {
            [name] => (name, None),
            ["arn", _, "lambda", _, id, "function", name] if account(id) => (name, None),
            ["arn", _, "lambda", _, id, "function", name, q] if account(id) => (name, Some(q)),
            [id, "function", name] if account(id) => (name, None),
            [id, "function", name, q] if account(id) => (name, Some(q)),
            [name, q] => (name, Some(q)),
            _ => return Err(FunctionNameError),
        };
        let word = |text: &str, max: usize| {
            let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
            !text.is_empty() && text.len() <= max && text.bytes().all(allowed)
        };
        let qualified = qualifier.is_none_or(|q| q == "$LATEST" || word(q, QUALIFIER_CHARS_MAX));
        if !qualified || !word(name, NAME_CHARS_MAX) {
            return Err(FunctionNameError);
        }
        Ok(Self { name, qualifier })
    }
}

impl fmt::Display for FunctionName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.qualifier {
            None => f.write_str(self.name),
            Some(qualifier) => write!(f, "{}:{qualifier}", self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_understood() {
        let arn = "arn:aws:lambda:us-east-1:123456789012:function:f";
        for (text, shown) in [
            ("f", "f"),
            ("f:$LATEST", "f:$LATEST"),
            ("123456789012:function:f:7", "f:7"),
            (arn, "f"),
        ] {
            assert_eq!(FunctionName::parse(text).expect(text).to_string(), shown);
        }
        let long = "x".repeat(65);
        for text in ["", "a b", "a:", ":a", "a:b:c", long.as_str(), "f:$latest"] {
            assert_eq!(FunctionName::parse(text), Err(FunctionNameError), "{text}");
        }
    }
}
