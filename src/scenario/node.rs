//! The one tree that every file format is read into: values with the bytes that they come from.

use std::ops::Range;

/// Deepest nesting of lists and tables.
pub(crate) const DEPTH_MAX: usize = 64;

/// A value and where it stands in its file.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// Bytes of the file. A table's are those of its header, if it has one.
    pub(crate) span: Range<usize>,
    pub(crate) value: Value,
}

/// What a file can say.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Map(Vec<Entry>),
    List(Vec<Node>),
    String(String),
    Integer(i64),
    Float(f64),
    Bool(bool),
    /// RFC 3339, as written.
    Datetime(String),
    Null,
}

/// A key with its value.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_span: Range<usize>,
    pub(crate) node: Node,
}

impl Node {
    /// What it is, in words.
    pub(crate) const fn kind(&self) -> &'static str {
        match self.value {
            Value::Map(_) => "a table",
            Value::List(_) => "a list",
            Value::String(_) => "a string",
            Value::Integer(_) => "an integer",
            Value::Float(_) => "a number",
            Value::Bool(_) => "a boolean",
            Value::Datetime(_) => "a date and time",
            Value::Null => "nothing",
        }
    }

    /// The value under `key`, if this is a table that has it.
    pub(crate) fn get(&self, key: &str) -> Option<&Entry> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|entry| entry.key == key),
            _ => None,
        }
    }
}
