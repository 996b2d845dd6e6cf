//! From a place inside of a text to its place in the file that holds the text.

use std::ops::Range;

/// The bytes of `file` that stand for the bytes `part` of `value`, a string that is written at `written`.
///
/// Found where the string stands in the file as it is, and where its only escapes are those of quotes, slashes and
/// backslashes. `None` for everything else: other escapes, folded lines, and values that were not in the file.
pub(crate) fn place(
    file: &str,
    written: &Range<usize>,
    value: &str,
    part: &Range<usize>,
) -> Option<Range<usize>> {
    let raw = file.get(written.clone())?;
    if let Some(at) = raw.find(value).filter(|_| !value.is_empty()) {
        let start = written.start + at;
        return Some(start + part.start..start + part.end);
    }
    let inner = raw.strip_prefix('"')?.strip_suffix('"')?;
    let start = escaped(inner, value, part.start)?;
    let end = escaped(inner, value, part.end)?;
    let base = written.start + 1;
    Some(base + start..base + end)
}

/// Where byte `at` of `value` is in `raw`, its form with escapes.
fn escaped(raw: &str, value: &str, at: usize) -> Option<usize> {
    let mut bytes = raw.bytes().enumerate();
    let mut found = None;
    for index in 0..value.len() {
        let (mut place, mut byte) = bytes.next()?;
        if index == at {
            found = Some(place);
        }
        if byte == b'\\' {
            (place, byte) = bytes.next()?;
            if !matches!(byte, b'"' | b'\\' | b'/') {
                return None;
            }
        }
        if value.as_bytes()[index] != byte {
            return None;
        }
        if index + 1 == at {
            found = Some(place + 1);
        }
    }
    // All of it must be accounted for, or something was decoded that is not known here.
    found
        .or((at == 0).then_some(0))
        .filter(|_| bytes.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text that is underlined for `part` of `value`, written as `raw`.
    fn shown<'a>(file: &'a str, raw: &str, value: &str, part: &str) -> Option<&'a str> {
        let at = file.find(raw).expect("the value in the file");
        let start = value.find(part).expect("the part of the value");
        let place = place(
            file,
            &(at..at + raw.len()),
            value,
            &(start..start + part.len()),
        );
        place.map(|place| &file[place])
    }

    #[test]
    fn texts_without_escapes_are_pointed_into() {
        let value = r#"{"body":{"kind":"x"}}"#;
        for raw in [
            format!("'{value}'"),
            format!("'''\n{value}'''"),
            value.to_owned(),
        ] {
            let file = format!("Pattern = {raw} # \"x\"\n");
            assert_eq!(shown(&file, &raw, value, "\"x\""), Some("\"x\""));
            assert_eq!(shown(&file, &raw, value, value), Some(value));
        }
    }

    #[test]
    fn escaped_quotes_and_backslashes_are_followed() {
        let value = r#"{"a\d":"é"}"#;
        let raw = r#""{\"a\\d\":\"é\"}""#;
        let file = format!("{{\"Pattern\": {raw}}}");
        assert_eq!(shown(&file, raw, value, "\"é\""), Some(r#"\"é\""#));
        assert_eq!(shown(&file, raw, value, "{"), Some("{"));
        assert_eq!(shown(&file, raw, value, "}"), Some("}"));
        assert_eq!(shown(&file, raw, value, "\\"), Some(r"\\"));
        let end = value.len()..value.len();
        let at = file.find(raw).expect("it is there");
        let place = place(&file, &(at..at + raw.len()), value, &end);
        assert_eq!(place, Some(at + raw.len() - 1..at + raw.len() - 1));
    }

    #[test]
    fn other_escapes_are_left_to_the_whole_value() {
        for (raw, value) in [
            (r#""a\u0062c""#, "abc"),
            (r#""a\tc""#, "a\tc"),
            ("\"a\n  c\"", "a c"),
            ("5", "abc"),
        ] {
            assert_eq!(shown(raw, raw, value, "a"), None, "{raw}");
        }
        assert_eq!(place("é", &(1..2), "a", &(0..1)), None);
        assert_eq!(place("''", &(0..2), "", &(0..0)), None);
    }
}
