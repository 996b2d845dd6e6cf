//! The JSON text of a pattern, read into a tree that remembers where everything stands.
//!
//! A reader of our own, because two keys of the same name must be noticed, numbers must keep their text, and every
//! message points at its place. Records are never read this way: see [`scan`](super::scan).

use super::error::Fault;
use super::lexis::{self, Broken};
use super::text::Text;
use std::ops::Range;

/// Deepest nesting of lists and objects in a pattern (rule `filter-depth`).
pub(super) const PATTERN_DEPTH_MAX: usize = 64;

/// A value and the bytes that it takes.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) span: Range<usize>,
    pub(super) value: Value,
}

#[derive(Debug)]
pub(super) enum Value {
    Null,
    Bool(bool),
    /// The number as it is written.
    Number(String),
    Text(String),
    List(Vec<Node>),
    Object(Vec<Member>),
}

/// A key with its value.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) key: String,
    pub(super) key_span: Range<usize>,
    pub(super) node: Node,
}

impl Value {
    /// For messages.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) => "a string",
            Self::List(_) => "a list",
            Self::Object(_) => "an object",
        }
    }
}

/// Reads `text`, which must be one JSON value. Mistakes that leave the rest readable go to `faults`.
pub(super) fn read(text: &str, faults: &mut Vec<Fault>) -> Result<Node, Fault> {
    let mut reader = Reader {
        text,
        pos: 0,
        depth: 0,
        faults,
    };
    reader.blanks();
    let node = reader.value()?;
    reader.blanks();
    if reader.pos < text.len() {
        return Err(reader.fault("text after the end of the pattern", "one JSON object"));
    }
    Ok(node)
}

struct Reader<'t, 'f> {
    text: &'t str,
    pos: usize,
    depth: usize,
    faults: &'f mut Vec<Fault>,
}

impl Reader<'_, '_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.pos).copied()
    }

    fn blanks(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.pos += 1;
        }
    }

    /// A fault at the next character (rule `filter-json`).
    fn fault(&self, found: impl Into<String>, allowed: &str) -> Fault {
        let next = self.text.get(self.pos..).and_then(|s| s.chars().next());
        let len = next.map_or(0, char::len_utf8);
        Fault::new(self.pos..self.pos + len, "filter-json", found, allowed)
    }

    fn unexpected(&self, allowed: &str) -> Fault {
        match self.text.get(self.pos..).and_then(|s| s.chars().next()) {
            Some(found) => self.fault(format!("`{}`", found.escape_debug()), allowed),
            None => self.fault("the end of the text", allowed),
        }
    }

    fn value(&mut self) -> Result<Node, Fault> {
        let start = self.pos;
        let value = match self.peek() {
            Some(b'"') => Value::Text(self.string()?),
            Some(b'{') => self.nested(Self::object)?,
            Some(b'[') => self.nested(Self::list)?,
            Some(b't') => self.word("true", Value::Bool(true))?,
            Some(b'f') => self.word("false", Value::Bool(false))?,
            Some(b'n') => self.word("null", Value::Null)?,
            Some(b'-' | b'0'..=b'9') => Value::Number(self.number()?),
            _ => return Err(self.unexpected("a JSON value")),
        };
        Ok(Node {
            span: start..self.pos,
            value,
        })
    }

    fn nested(&mut self, read: fn(&mut Self) -> Result<Value, Fault>) -> Result<Value, Fault> {
        if self.depth == PATTERN_DEPTH_MAX {
            return Err(Fault::new(
                self.pos..self.pos + 1,
                "filter-depth",
                "nested too deeply",
                format!("up to {PATTERN_DEPTH_MAX} levels"),
            ));
        }
        self.depth += 1;
        self.pos += 1;
        let value = read(self)?;
        self.depth -= 1;
        Ok(value)
    }

    fn object(&mut self) -> Result<Value, Fault> {
        let mut members: Vec<Member> = Vec::new();
        self.blanks();
        if self.peek() == Some(b'}') {
            self.pos += 1;
            return Ok(Value::Object(members));
        }
        loop {
            let start = self.pos;
            if self.peek() != Some(b'"') {
                return Err(self.unexpected("a key in double quotes"));
            }
            let key = self.string()?;
            let key_span = start..self.pos;
            // Rule `filter-duplicate-key`.
            if members.iter().any(|member| member.key == key) {
                self.faults.push(Fault::new(
                    key_span.clone(),
                    "filter-duplicate-key",
                    format!("the key `{key}` is given twice"),
                    "each key once; alternatives share one list, and keys of one object must all match",
                ));
            }
            self.blanks();
            if self.peek() != Some(b':') {
                return Err(self.unexpected("`:` after the key"));
            }
            self.pos += 1;
            self.blanks();
            let node = self.value()?;
            members.push(Member {
                key,
                key_span,
                node,
            });
            if self.ends(b'}', "`,` or `}`", "a further key after `,`")? {
                return Ok(Value::Object(members));
            }
        }
    }

    fn list(&mut self) -> Result<Value, Fault> {
        let mut nodes = Vec::new();
        self.blanks();
        if self.peek() == Some(b']') {
            self.pos += 1;
            return Ok(Value::List(nodes));
        }
        loop {
            nodes.push(self.value()?);
            if self.ends(b']', "`,` or `]`", "a further value after `,`")? {
                return Ok(Value::List(nodes));
            }
        }
    }

    /// After a value: whether the list or object ends. Else the next value or key follows.
    fn ends(&mut self, close: u8, allowed: &str, more: &str) -> Result<bool, Fault> {
        self.blanks();
        match self.peek() {
            Some(byte) if byte == close => {
                self.pos += 1;
                Ok(true)
            }
            Some(b',') => {
                self.pos += 1;
                self.blanks();
                if self.peek() == Some(close) {
                    return Err(self.unexpected(more));
                }
                Ok(false)
            }
            _ => Err(self.unexpected(allowed)),
        }
    }

    fn word(&mut self, word: &str, value: Value) -> Result<Value, Fault> {
        if !self.text[self.pos..].starts_with(word) {
            return Err(self.unexpected("a JSON value (strings take double quotes)"));
        }
        self.pos += word.len();
        Ok(value)
    }

    fn broken(&mut self, broken: Broken) -> Fault {
        self.pos = broken.at;
        self.unexpected(broken.allowed)
    }

    fn number(&mut self) -> Result<String, Fault> {
        let start = self.pos;
        let end = lexis::number(self.text.as_bytes(), start);
        self.pos = end.map_err(|broken| self.broken(broken))?;
        Ok(self.text[start..self.pos].to_owned())
    }

    fn string(&mut self) -> Result<String, Fault> {
        let inside = self.pos + 1;
        let found = lexis::string(self.text.as_bytes(), self.pos);
        let (end, escaped) = found.map_err(|broken| self.broken(broken))?;
        self.pos = end;
        let mut points = Text::new(&self.text[inside..end - 1], escaped).points();
        let mut characters = String::new();
        loop {
            let start = end - 1 - points.rest_len();
            let Some(point) = points.next() else {
                return Ok(characters);
            };
            characters.push(char::from_u32(point).ok_or_else(|| {
                Fault::new(
                    start..end - 1 - points.rest_len(),
                    "filter-json",
                    "half a surrogate pair",
                    "both halves, or the character itself",
                )
            })?);
        }
    }
}
