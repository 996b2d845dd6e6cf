//! A reader of a record's JSON that checks its form, hands out slices of it and builds nothing.
//!
//! Nothing here owns memory: positions are integers, results are slices of the record, and the kinds of the open
//! containers of a skipped value are the bits of one integer.

use super::lexis;
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

    /// [`skip`](Self::skip) for a record that is known to be JSON.
    pub(super) fn pass(&mut self) -> Result<(), Malformed> {
        match self.peek().ok_or(Malformed)? {
            b'{' | b'[' => {
                self.pos += 1;
                self.depth += 1;
                self.leave()
            }
            b'"' => self.skip_string().map(drop),
            _ => self.scalar().map(drop),
        }
    }

    /// Steps over the rest of the innermost container, in a record that is known to be JSON.
    pub(super) fn leave(&mut self) -> Result<(), Malformed> {
        let bytes = self.text.as_bytes();
        let mut pos = self.pos;
        let mut open = 1u32;
        while open > 0 {
            pos = match *bytes.get(pos).ok_or(Malformed)? {
                b'"' => lexis::string(bytes, pos).map_err(|_| Malformed)?.0,
                b'{' | b'[' => {
                    open += 1;
                    pos + 1
                }
                b'}' | b']' => {
                    open -= 1;
                    pos + 1
                }
                _ => pos + 1,
            };
        }
        self.pos = pos;
        self.depth -= 1;
        Ok(())
    }

    #[inline]
    fn word(&mut self, word: &str, scalar: Scalar<'r>) -> Result<Scalar<'r>, Malformed> {
        if !self.text.as_bytes()[self.pos..].starts_with(word.as_bytes()) {
            return Err(Malformed);
        }
        self.pos += word.len();
        Ok(scalar)
    }

    #[inline]
    fn number(&mut self) -> Result<&'r str, Malformed> {
        let start = self.pos;
        self.pos = lexis::number(self.text.as_bytes(), start).map_err(|_| Malformed)?;
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
        let (end, escaped) =
            lexis::string(self.text.as_bytes(), self.pos).map_err(|_| Malformed)?;
        self.pos = end;
        Ok(escaped)
    }
}
