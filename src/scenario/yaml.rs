//! YAML, and with it JSON, into the tree. Anchors, aliases and tags are refused: no file of ours needs them.

use super::diagnostic::Diagnostic;
use super::node::{Entry, Node, Value};
use super::toml::shallow;
use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span, StrInput};
use std::ops::Range;

/// Reads one document.
///
/// # Errors
/// With the first error of syntax, or the first thing that is refused.
pub(super) fn parse(text: &str, language: &'static str) -> Result<Node, Diagnostic> {
    let mut reader = Reader {
        language,
        parser: Parser::new_from_str(text),
        offsets: Offsets::new(text),
    };
    let mut root = None;
    while let Some((event, span)) = reader.next()? {
        match event {
            Event::StreamEnd => break,
            Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd | Event::Nothing => {}
            _ if root.is_some() => {
                return Err(Diagnostic::new("syntax", "a file holds one document")
                    .at(&span)
                    .label("a second document begins here")
                    .help("keep one document per file"));
            }
            other => root = Some(reader.node(other, span, 0)?),
        }
    }
    Ok(root.unwrap_or(Node {
        span: 0..0,
        value: Value::Null,
    }))
}

struct Reader<'t> {
    /// The name of what the file is supposed to be.
    language: &'static str,
    parser: Parser<'t, StrInput<'t>>,
    offsets: Offsets,
}

impl<'t> Reader<'t> {
    fn next(&mut self) -> Result<Option<(Event<'t>, Range<usize>)>, Diagnostic> {
        match self.parser.next_event() {
            None => Ok(None),
            Some(Ok((event, span))) => Ok(Some((event, self.offsets.range(span)))),
            Some(Err(error)) => {
                let at = self.offsets.byte(*error.marker());
                Err(Diagnostic::new(
                    "syntax",
                    format!("not valid {}: {}", self.language, error.info()),
                )
                .at(&(at..at + 1))
                .label("here"))
            }
        }
    }

    /// The next event inside a list or table.
    fn inner(&mut self, outer: &Range<usize>) -> Result<(Event<'t>, Range<usize>), Diagnostic> {
        let language = self.language;
        self.next()?.ok_or_else(|| {
            Diagnostic::new(
                "syntax",
                format!("not valid {}: the file ends too early", language),
            )
            .at(outer)
            .label("never closed")
        })
    }

    // Recursion is bounded: `shallow` refuses depths above 64.
    fn node(
        &mut self,
        event: Event<'t>,
        span: Range<usize>,
        depth: usize,
    ) -> Result<Node, Diagnostic> {
        shallow(depth, &span)?;
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                plain_only(anchor, tag.is_some(), &span)?;
                let value = match style {
                    ScalarStyle::Plain => scalar(&text, &span)?,
                    ScalarStyle::SingleQuoted
                    | ScalarStyle::DoubleQuoted
                    | ScalarStyle::Literal
                    | ScalarStyle::Folded => Value::String(text.into_owned()),
                };
                Ok(Node { span, value })
            }
            Event::SequenceStart(anchor, tag) => {
                plain_only(anchor, tag.is_some(), &span)?;
                let mut nodes = Vec::new();
                loop {
                    let (event, inner) = self.inner(&span)?;
                    if event == Event::SequenceEnd {
                        return Ok(Node {
                            span,
                            value: Value::List(nodes),
                        });
                    }
                    nodes.push(self.node(event, inner, depth + 1)?);
                }
            }
            Event::MappingStart(anchor, tag) => {
                plain_only(anchor, tag.is_some(), &span)?;
                self.map(span, depth)
            }
            Event::Alias(_) => Err(refused("an alias", &span)),
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd
            | Event::SequenceEnd
            | Event::MappingEnd => Err(Diagnostic::new(
                "syntax",
                format!("not valid {}: a value is missing", self.language),
            )
            .at(&span)
            .label("here")),
        }
    }

    fn map(&mut self, span: Range<usize>, depth: usize) -> Result<Node, Diagnostic> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut known = std::collections::BTreeSet::new();
        loop {
            let (event, key_span) = self.inner(&span)?;
            let key = match event {
                Event::MappingEnd => {
                    // A block has no opening brace: point at its first key.
                    let span = entries.first().map_or(span, |entry| entry.key_span.clone());
                    return Ok(Node {
                        span,
                        value: Value::Map(entries),
                    });
                }
                Event::Scalar(text, _, anchor, tag) => {
                    plain_only(anchor, tag.is_some(), &key_span)?;
                    text.into_owned()
                }
                _ => {
                    return Err(Diagnostic::new("wrong-type", "a key must be a string")
                        .at(&key_span)
                        .label("not a string"));
                }
            };
            if !known.insert(key.clone()) {
                return Err(
                    Diagnostic::new("duplicate-key", format!("`{key}` is given twice"))
                        .at(&key_span)
                        .label("given before")
                        .help("keep one of them"),
                );
            }
            let (event, inner) = self.inner(&span)?;
            let node = self.node(event, inner, depth + 1)?;
            entries.push(Entry {
                key,
                key_span,
                node,
            });
        }
    }
}

fn plain_only(anchor: usize, tagged: bool, span: &Range<usize>) -> Result<(), Diagnostic> {
    match (anchor, tagged) {
        (0, false) => Ok(()),
        (_, true) => Err(refused("a tag", span)),
        (_, false) => Err(refused("an anchor", span)),
    }
}

fn refused(what: &str, span: &Range<usize>) -> Diagnostic {
    Diagnostic::new("syntax", format!("{what} is not supported"))
        .at(span)
        .label("here")
        .allowed("plain YAML or JSON without anchors, aliases and tags")
        .help("write the value out")
}

/// The core schema of YAML 1.2, which JSON shares: `yes` and `0777` have no special meaning.
fn scalar(text: &str, span: &Range<usize>) -> Result<Value, Diagnostic> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Value::Null),
        "true" | "True" | "TRUE" => return Ok(Value::Bool(true)),
        "false" | "False" | "FALSE" => return Ok(Value::Bool(false)),
        _ => {}
    }
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().map(Value::Integer).map_err(|_| {
            Diagnostic::new("out-of-range", "an integer is too large")
                .at(span)
                .label("does not fit in 64 bits")
                .allowed("-9223372036854775808 to 9223372036854775807")
        });
    }
    let numeric = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && digits
            .bytes()
            .all(|b| b.is_ascii_digit() || b".eE+-".contains(&b));
    match text.parse::<f64>() {
        Ok(number) if numeric => Ok(Value::Float(number)),
        _ => Ok(Value::String(text.to_owned())),
    }
}

/// From the parser's positions in characters to bytes.
struct Offsets {
    /// Start of every character; empty when characters are bytes.
    starts: Vec<usize>,
    len: usize,
}

impl Offsets {
    fn new(text: &str) -> Self {
        let starts = match text.is_ascii() {
            true => Vec::new(),
            false => text.char_indices().map(|(at, _)| at).collect(),
        };
        Self {
            starts,
            len: text.len(),
        }
    }

    fn byte(&self, marker: Marker) -> usize {
        if self.starts.is_empty() {
            return marker.index().min(self.len);
        }
        self.starts.get(marker.index()).copied().unwrap_or(self.len)
    }

    fn range(&self, span: Span) -> Range<usize> {
        let start = self.byte(span.start);
        start..self.byte(span.end).max(start)
    }
}
