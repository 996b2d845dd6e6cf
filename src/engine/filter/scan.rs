//! A reader of a record's JSON that checks its form, hands out slices of it and builds nothing.
//!
//! Nothing here owns memory: positions are integers, results are slices of the record, and the kinds of the open
//! containers of a skipped value are the bits of one integer.

use super::text::Text;

/// Deepest nesting of lists and objects in a record (rule `filter-record-depth`).
pub(in crate::engine) const RECORD_DEPTH_MAX: u32 = 128;

/// The text is not JSON, or nested too deeply (rule `filter-record-malformed`).
#[derive(Clone, Copy, Debug)]
pub(in crate::engine) struct Malformed;

/// A value that is neither a list nor an object.
#[derive(Clone, Copy, Debug)]
pub(in crate::engine) enum Scalar<'r> {
    Text(Text<'r>),
    /// The number as the record writes it.
    Number(&'r str),
    Bool(bool),
    Null,
}

#[derive(Debug)]
pub(in crate::engine) struct Scan<'r> {
    text: &'r str,
    pos: usize,
    depth: u32,
}

impl<'r> Scan<'r> {
    pub(in crate::engine) const fn new(text: &'r str) -> Self {
        Self {
            text,
            pos: 0,
            depth: 0,
        }
    }

    /// How many bytes are behind it.
    pub(in crate::engine) const fn position(&self) -> usize {
        self.pos
    }

    #[inline]
    pub(in crate::engine) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.pos).copied()
    }

    #[inline]
    fn step(&mut self) -> Result<u8, Malformed> {
        let byte = self.peek().ok_or(Malformed)?;
        self.pos += 1;
        Ok(byte)
    }

    #[inline]
    pub(in crate::engine) fn blanks(&mut self) {
        while let Some(byte) = self.peek()
            && byte <= b' ' // the usual case costs one comparison
            && matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
        {
            self.pos += 1;
        }
    }

    /// Nothing but blanks is left.
    pub(in crate::engine) fn end(&mut self) -> Result<(), Malformed> {
        self.blanks();
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(Malformed),
        }
    }

    /// Steps over the bracket or brace that opens a container. `false`: it is empty, and already closed.
    #[inline]
    pub(in crate::engine) fn open(&mut self, close: u8) -> Result<bool, Malformed> {
        if self.depth == RECORD_DEPTH_MAX {
            return Err(Malformed);
        }
        self.pos += 1;
        self.blanks();
        if self.peek() == Some(close) {
            self.pos += 1;
            return Ok(false);
        }
        self.depth += 1;
        Ok(true)
    }

    /// After a value: whether another one follows in the container that ends with `close`.
    #[inline]
    pub(in crate::engine) fn more(&mut self, close: u8) -> Result<bool, Malformed> {
        self.blanks();
        match self.step()? {
            b',' => {
                self.blanks();
                Ok(true)
            }
            byte if byte == close => {
                self.depth -= 1;
                Ok(false)
            }
            _ => Err(Malformed),
        }
    }

    /// A key, and the colon after it.
    #[inline]
    pub(in crate::engine) fn key(&mut self) -> Result<Text<'r>, Malformed> {
        if self.peek() != Some(b'"') {
            return Err(Malformed);
        }
        let key = self.string()?;
        self.colon()?;
        Ok(key)
    }

    #[inline]
    fn skip_key(&mut self) -> Result<(), Malformed> {
        if self.peek() != Some(b'"') {
            return Err(Malformed);
        }
        self.skip_string()?;
        self.colon()
    }

    #[inline]
    fn colon(&mut self) -> Result<(), Malformed> {
        self.blanks();
        if self.step()? != b':' {
            return Err(Malformed);
        }
        self.blanks();
        Ok(())
    }

    #[inline]
    pub(in crate::engine) fn scalar(&mut self) -> Result<Scalar<'r>, Malformed> {
        match self.peek().ok_or(Malformed)? {
            b'"' => self.string().map(Scalar::Text),
            b't' => self.word("true", Scalar::Bool(true)),
            b'f' => self.word("false", Scalar::Bool(false)),
            b'n' => self.word("null", Scalar::Null),
            _ => self.number().map(Scalar::Number),
        }
    }

    /// Steps over a value of any kind, checking its form.
    pub(in crate::engine) fn skip(&mut self) -> Result<(), Malformed> {
        let outside = self.depth;
        // Lowest bit: whether the innermost container is an object. RECORD_DEPTH_MAX levels fit.
        let mut objects: u128 = 0;
        loop {
            match self.peek().ok_or(Malformed)? {
                b'{' => {
                    if self.open(b'}')? {
                        objects = objects << 1 | 1;
                        self.skip_key()?;
                        continue;
                    }
                }
                b'[' => {
                    if self.open(b']')? {
                        objects <<= 1;
                        continue;
                    }
                }
                b'"' => {
                    self.skip_string()?;
                }
                _ => {
                    self.scalar()?;
                }
            }
            loop {
                if self.depth == outside {
                    return Ok(());
                }
                let in_object = objects & 1 == 1;
                if self.more(if in_object { b'}' } else { b']' })? {
                    if in_object {
                        self.skip_key()?;
                    }
                    break;
                }
                objects >>= 1;
            }
        }
    }

    #[inline]
    fn word(&mut self, word: &str, scalar: Scalar<'r>) -> Result<Scalar<'r>, Malformed> {
        if !self.text.as_bytes()[self.pos..].starts_with(word.as_bytes()) {
            return Err(Malformed);
        }
        self.pos += word.len();
        Ok(scalar)
    }

    /// At least one digit.
    #[inline]
    fn digits(&mut self) -> Result<(), Malformed> {
        let start = self.pos;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.pos += 1;
        }
        if self.pos == start {
            return Err(Malformed);
        }
        Ok(())
    }

    #[inline]
    fn number(&mut self) -> Result<&'r str, Malformed> {
        let start = self.pos;
        if self.peek() == Some(b'-') {
            self.pos += 1;
        }
        if self.peek() == Some(b'0') {
            self.pos += 1; // a digit after it is no comma, bracket or brace, and refused there
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.pos += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.pos += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.pos += 1;
            }
            self.digits()?;
        }
        Ok(&self.text[start..self.pos])
    }

    /// The string whose opening quote is next.
    #[inline]
    fn string(&mut self) -> Result<Text<'r>, Malformed> {
        let start = self.pos + 1;
        let escaped = self.skip_string()?;
        Ok(Text::new(&self.text[start..self.pos - 1], escaped))
    }

    /// Steps over a string, without the cost of cutting it out. Whether it has escapes.
    #[inline]
    fn skip_string(&mut self) -> Result<bool, Malformed> {
        self.pos += 1;
        let mut escaped = false;
        loop {
            self.pos = special(self.text.as_bytes(), self.pos);
            match self.step()? {
                b'"' => return Ok(escaped),
                b'\\' => {
                    escaped = true;
                    self.escape()?;
                }
                _ => return Err(Malformed), // a control character must be escaped
            }
        }
    }

    fn escape(&mut self) -> Result<(), Malformed> {
        match self.step()? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Ok(()),
            b'u' => {
                for _ in 0..4 {
                    if !self.step()?.is_ascii_hexdigit() {
                        return Err(Malformed);
                    }
                }
                Ok(())
            }
            _ => Err(Malformed),
        }
    }
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
