//! Where the strings and numbers of JSON end: shared by the readers of patterns ([`json`](super::json)) and of records
//! ([`scan`](super::scan)). Nothing is built, and what is wrong is said with its place.

/// A string or number that is not well formed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Broken {
    /// The first byte that does not belong there, or the end of the text.
    pub(super) at: usize,
    /// What could stand there.
    pub(super) allowed: &'static str,
}

const fn broken<T>(at: usize, allowed: &'static str) -> Result<T, Broken> {
    Err(Broken { at, allowed })
}

/// The end of the string whose opening quote is at `quote`, behind its closing one, and whether it has escapes.
#[inline]
pub(super) fn string(bytes: &[u8], quote: usize) -> Result<(usize, bool), Broken> {
    let mut pos = quote + 1;
    let mut escaped = false;
    loop {
        pos = special(bytes, pos);
        match bytes.get(pos) {
            Some(b'"') => return Ok((pos + 1, escaped)),
            Some(b'\\') => {
                escaped = true;
                pos = escape(bytes, pos)?;
            }
            Some(_) => return broken(pos, "an escape such as \\n or \\u0009"),
            None => return broken(pos, "a closing quote"),
        }
    }
}

/// The end of the escape whose backslash is at `backslash`.
fn escape(bytes: &[u8], backslash: usize) -> Result<usize, Broken> {
    let letter = backslash + 1;
    match bytes.get(letter) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(letter + 1),
        Some(b'u') => {
            for digit in letter + 1..letter + 5 {
                if !bytes.get(digit).is_some_and(u8::is_ascii_hexdigit) {
                    return broken(digit, "four hexadecimal digits");
                }
            }
            Ok(letter + 5)
        }
        _ => broken(
            letter,
            "one of the escapes \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX",
        ),
    }
}

/// The end of the number that begins at `pos`.
#[inline]
pub(super) fn number(bytes: &[u8], mut pos: usize) -> Result<usize, Broken> {
    if bytes.get(pos) == Some(&b'-') {
        pos += 1;
    }
    if bytes.get(pos) == Some(&b'0') {
        pos += 1;
        if bytes.get(pos).is_some_and(u8::is_ascii_digit) {
            return broken(pos, "a number without leading zeros");
        }
    } else {
        pos = digits(bytes, pos)?;
    }
    if bytes.get(pos) == Some(&b'.') {
        pos = digits(bytes, pos + 1)?;
    }
    if let Some(b'e' | b'E') = bytes.get(pos) {
        pos += 1;
        if let Some(b'+' | b'-') = bytes.get(pos) {
            pos += 1;
        }
        pos = digits(bytes, pos)?;
    }
    Ok(pos)
}

/// At least one digit.
#[inline]
fn digits(bytes: &[u8], start: usize) -> Result<usize, Broken> {
    let mut pos = start;
    while bytes.get(pos).is_some_and(u8::is_ascii_digit) {
        pos += 1;
    }
    if pos == start {
        return broken(pos, "a digit");
    }
    Ok(pos)
}

/// Where the next quote, backslash or control character is, eight bytes at a time.
#[inline]
fn special(bytes: &[u8], mut pos: usize) -> usize {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const TOPS: u64 = u64::from_ne_bytes([0x80; 8]);
    while let Some(chunk) = bytes.get(pos..).and_then(<[u8]>::first_chunk::<8>) {
        let word = u64::from_le_bytes(*chunk);
        let quote = word ^ (ONES * b'"' as u64);
        let backslash = word ^ (ONES * b'\\' as u64);
        // The lowest top bit set here belongs to the first special byte; higher ones may be carries.
        let found = ((quote.wrapping_sub(ONES) & !quote)
            | (backslash.wrapping_sub(ONES) & !backslash)
            | (word.wrapping_sub(ONES * 0x20) & !word))
            & TOPS;
        if found != 0 {
            return pos + (found.trailing_zeros() / 8) as usize;
        }
        pos += 8;
    }
    while let Some(&byte) = bytes.get(pos) {
        if byte == b'"' || byte == b'\\' || byte < 0x20 {
            break;
        }
        pos += 1;
    }
    pos
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_end_at_their_quote_wherever_it_is() {
        for length in 0..40 {
            let plain = format!("\"{}\" and \"more\"", "x".repeat(length));
            assert_eq!(string(plain.as_bytes(), 0), Ok((length + 2, false)));
            let escaped = format!("\"{}\\\"\\u00e9é\"", "x".repeat(length));
            assert_eq!(string(escaped.as_bytes(), 0), Ok((escaped.len(), true)));
            let control = format!("\"{}\u{1}\"", "x".repeat(length));
            let at = string(control.as_bytes(), 0).map_err(|broken| broken.at);
            assert_eq!(at, Err(length + 1));
        }
    }

    #[test]
    fn what_is_broken_is_said_with_its_place() {
        let string = |text: &str| string(text.as_bytes(), 0).map_err(|broken| broken.at);
        assert_eq!(string("\"abc"), Err(4));
        assert_eq!(string(r#""a\x""#), Err(3));
        assert_eq!(string(r#""a\u12g4""#), Err(6));
        assert_eq!(string("\"a\\"), Err(3));
        let number = |text: &str| number(text.as_bytes(), 0).map_err(|broken| broken.at);
        assert_eq!(number("-0.5e+10,"), Ok(8));
        assert_eq!(number("120]"), Ok(3));
        assert_eq!(number("01"), Err(1));
        assert_eq!(number("-x"), Err(1));
        assert_eq!(number("1.,"), Err(2));
        assert_eq!(number("1e-"), Err(3));
    }
}
