//! TOML into the tree.

use super::diagnostic::Diagnostic;
use super::node::{DEPTH_MAX, Entry, Node, Value};
use std::ops::Range;
use toml_edit::{Document, Item, TableLike, Value as Toml};

/// Reads a document.
///
/// # Errors
/// With the first error of syntax, duplicate keys among them.
pub(super) fn parse(text: &str) -> Result<Node, Diagnostic> {
    let document = Document::parse(text).map_err(|error| {
        let span = error.span().unwrap_or(0..0);
        let message = error
            .message()
            .lines()
            .next()
            .unwrap_or("cannot be read")
            .to_owned();
        let code = match message.contains("duplicate key") {
            true => "duplicate-key",
            false => "syntax",
        };
        Diagnostic::new(code, format!("not valid TOML: {message}"))
            .at(&span)
            .label("here")
    })?;
    table(document.as_table(), 0..0, 0)
}

fn table(table: &dyn TableLike, span: Range<usize>, depth: usize) -> Result<Node, Diagnostic> {
    shallow(depth, &span)?;
    let mut entries = Vec::new();
    for (name, value) in table.iter() {
        let key_span = table
            .key(name)
            .and_then(toml_edit::Key::span)
            .unwrap_or(span.clone());
        let node = item(value, &key_span, depth + 1)?;
        entries.push(Entry {
            key: name.to_owned(),
            key_span,
            node,
        });
    }
    Ok(Node {
        span,
        value: Value::Map(entries),
    })
}

fn item(item: &Item, key_span: &Range<usize>, depth: usize) -> Result<Node, Diagnostic> {
    let span = item.span().unwrap_or(key_span.clone());
    match item {
        Item::None => Ok(Node {
            span,
            value: Value::Null,
        }),
        Item::Value(inner) => value_of(inner, span, depth),
        Item::Table(inner) => table(inner, span, depth),
        Item::ArrayOfTables(tables) => {
            shallow(depth, &span)?;
            let nodes = tables
                .iter()
                .map(|inner| table(inner, inner.span().unwrap_or(span.clone()), depth + 1))
                .collect::<Result<_, _>>()?;
            Ok(Node {
                span,
                value: Value::List(nodes),
            })
        }
    }
}

fn value_of(toml: &Toml, span: Range<usize>, depth: usize) -> Result<Node, Diagnostic> {
    let value = match toml {
        Toml::String(text) => Value::String(text.value().clone()),
        Toml::Integer(number) => Value::Integer(*number.value()),
        Toml::Float(number) => Value::Float(*number.value()),
        Toml::Boolean(truth) => Value::Bool(*truth.value()),
        Toml::Datetime(instant) => Value::Datetime(instant.value().to_string()),
        Toml::Array(array) => {
            shallow(depth, &span)?;
            let nodes = array
                .iter()
                .map(|inner| value_of(inner, inner.span().unwrap_or(span.clone()), depth + 1))
                .collect::<Result<_, _>>()?;
            Value::List(nodes)
        }
        Toml::InlineTable(inner) => return table(inner, span, depth),
    };
    Ok(Node { span, value })
}

/// Refuses nesting that no file of ours needs.
pub(super) fn shallow(depth: usize, span: &Range<usize>) -> Result<(), Diagnostic> {
    if depth <= DEPTH_MAX {
        return Ok(());
    }
    Err(Diagnostic::new("too-deep", "the file is nested too deeply")
        .at(span)
        .label(format!("level {depth}"))
        .allowed(format!("up to {DEPTH_MAX} levels")))
}
