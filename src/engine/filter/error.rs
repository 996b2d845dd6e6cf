//! What is wrong with a pattern, and where.

use std::fmt;
use std::ops::Range;

/// What AWS answers to a pattern that it does not take, whatever is wrong with it.
pub const AWS_TEXT: &str = "Invalid filter pattern definition.";

/// A mistake in one pattern.
///
/// ```
/// use tidegate::engine::SourceKind;
/// use tidegate::engine::filter::Filters;
///
/// let pattern = r#"{"body": {"kind": "order"}}"#;
/// let errors = Filters::compile(SourceKind::Sqs, &[pattern]).expect_err("a leaf must be a list");
/// assert_eq!(&pattern[errors[0].span.clone()], r#""order""#);
/// assert_eq!(
///     errors[0].to_string(),
///     "Invalid filter pattern definition. pattern 1, byte 18: `kind` is a string; \
///      allowed: a list of alternatives, such as [\"order\"]"
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct PatternError {
    /// Which pattern, counted from 0.
    pub pattern: usize,
    /// The bytes of the pattern's text to point at.
    pub span: Range<usize>,
    /// Id of the rule.
    pub code: &'static str,
    /// AWS's own text where it is known, else ours.
    pub message: &'static str,
    /// Whether `message` is AWS's own text.
    pub aws_text: bool,
    /// What was found, for a label.
    pub found: String,
    /// What is allowed.
    pub allowed: String,
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}{} pattern {}, byte {}: {}; allowed: {}",
            self.message,
            if self.aws_text { "" } else { ":" }, // AWS's text ends with a full stop
            self.pattern + 1,
            self.span.start,
            self.found,
            self.allowed
        )
    }
}

/// A mistake before it is known in which pattern it is.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    pub(super) span: Range<usize>,
    pub(super) code: &'static str,
    /// Ours, where AWS's text for this mistake has not been seen.
    pub(super) message: Option<&'static str>,
    pub(super) found: String,
    pub(super) allowed: String,
}

impl Fault {
    pub(super) fn new(
        span: Range<usize>,
        code: &'static str,
        found: impl Into<String>,
        allowed: impl Into<String>,
    ) -> Self {
        debug_assert!(
            super::RULES.iter().any(|rule| rule.id == code),
            "{code} is not in the table of rules"
        );
        Self {
            span,
            code,
            message: None,
            found: found.into(),
            allowed: allowed.into(),
        }
    }

    /// Replaces AWS's text by one of ours.
    pub(super) fn ours(mut self, message: &'static str) -> Self {
        self.message = Some(message);
        self
    }

    pub(super) fn within(self, pattern: usize) -> PatternError {
        PatternError {
            pattern,
            span: self.span,
            code: self.code,
            message: self.message.unwrap_or(AWS_TEXT),
            aws_text: self.message.is_none(),
            found: self.found,
            allowed: self.allowed,
        }
    }
}
