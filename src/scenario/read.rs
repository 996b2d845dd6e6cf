//! Reading tables of the tree: typed keys, and at the end the keys that nobody asked for.

use super::diagnostic::{Diagnostic, Diagnostics};
use super::digest::Digest;
use super::node::{Entry, Node, Value};
use super::suggest::{listed, nearest};
use std::ops::Range;
use std::path::{Component, Path, PathBuf};

/// Most tables of one kind: names are resolved by looking at all of them.
const TABLES_MAX: usize = 10_000;

/// What readers share: the findings, and the folder that relative paths start from.
#[derive(Debug)]
pub(crate) struct Cx {
    pub(crate) diagnostics: Diagnostics,
    pub(crate) base: PathBuf,
    /// Digest of the files that the main file names, in reading order.
    pub(crate) attached: Digest,
}

impl Cx {
    pub(crate) fn push(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// A value of the wrong kind.
    pub(crate) fn wrong_type(&mut self, at: At<'_>, wanted: &str) {
        self.push(
            Diagnostic::new("wrong-type", format!("`{}` must be {wanted}", at.key))
                .at(&at.node.span)
                .label(format!("this is {}", at.node.kind())),
        );
    }

    /// A file named inside the file. Absolute paths are taken as they are; relative ones start from the folder of
    /// the file and stay below it.
    pub(crate) fn path(&mut self, at: At<'_>, text: &str) -> Option<PathBuf> {
        let path = Path::new(text);
        let climbs = path.components().any(|part| part == Component::ParentDir);
        if text.is_empty() || (climbs && path.is_relative()) {
            self.push(
                Diagnostic::new(
                    "path-escapes",
                    format!("`{}` must stay in the folder of this file", at.key),
                )
                .at(&at.node.span)
                .label("leads upwards, or nowhere")
                .allowed("a path below the folder of this file, or an absolute path"),
            );
            return None;
        }
        Some(self.base.join(path))
    }
}

/// A value under its key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct At<'n> {
    pub(crate) key: &'n str,
    pub(crate) node: &'n Node,
}

impl<'n> From<&'n Entry> for At<'n> {
    fn from(entry: &'n Entry) -> Self {
        Self {
            key: &entry.key,
            node: &entry.node,
        }
    }
}

/// A table being read.
#[derive(Debug)]
pub(crate) struct Table<'n> {
    /// How the table is called in messages, such as `[[function]]`.
    pub(crate) what: &'static str,
    /// Where a missing key is reported.
    pub(crate) span: Range<usize>,
    entries: &'n [Entry],
    asked: Vec<&'static str>,
}

impl<'n> Table<'n> {
    pub(crate) fn open(at: At<'n>, what: &'static str, cx: &mut Cx) -> Option<Self> {
        match &at.node.value {
            Value::Map(entries) => Some(Self {
                what,
                span: at.node.span.clone(),
                entries,
                asked: Vec::new(),
            }),
            _ => {
                cx.wrong_type(at, "a table");
                None
            }
        }
    }

    /// The entry of a key, which then counts as known.
    pub(crate) fn entry(&mut self, key: &'static str) -> Option<&'n Entry> {
        if !self.asked.contains(&key) {
            self.asked.push(key);
        }
        self.entries.iter().find(|entry| entry.key == key)
    }

    /// The entry of a key, without taking the key for known.
    pub(crate) fn peek(&self, key: &str) -> Option<&'n Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    /// The value of a key that may be absent; `None` also when it is wrong, which is then reported.
    pub(crate) fn opt<T>(
        &mut self,
        cx: &mut Cx,
        key: &'static str,
        convert: impl FnOnce(At<'n>, &mut Cx) -> Option<T>,
    ) -> Option<T> {
        let entry = self.entry(key)?;
        convert(entry.into(), cx)
    }

    /// The value of a key that must be there; `example` shows how to write it.
    pub(crate) fn req<T>(
        &mut self,
        cx: &mut Cx,
        key: &'static str,
        example: &str,
        convert: impl FnOnce(At<'n>, &mut Cx) -> Option<T>,
    ) -> Option<T> {
        if self.entry(key).is_none() {
            self.missing(cx, key, example);
            return None;
        }
        self.opt(cx, key, convert)
    }

    pub(crate) fn missing(&self, cx: &mut Cx, key: &str, example: &str) {
        cx.push(
            Diagnostic::new("missing-key", format!("{} needs `{key}`", self.what))
                .at(&self.span)
                .label(format!("has no `{key}`"))
                .help(format!("add `{key} = {example}`")),
        );
    }

    /// The tables of a list, as `[[name]]` writes them.
    pub(crate) fn tables(
        &mut self,
        cx: &mut Cx,
        key: &'static str,
        what: &'static str,
    ) -> Vec<Self> {
        let Some(entry) = self.entry(key) else {
            return Vec::new();
        };
        match &entry.node.value {
            Value::List(nodes) if nodes.len() > TABLES_MAX => {
                cx.push(
                    Diagnostic::new("out-of-range", format!("`{key}` has too many tables"))
                        .at(&entry.key_span)
                        .label(format!("found {}", nodes.len()))
                        .allowed(format!("up to {TABLES_MAX}")),
                );
                Vec::new()
            }
            Value::List(nodes) => {
                let open = |node| Self::open(At { key, node }, what, cx);
                nodes.iter().filter_map(open).collect()
            }
            Value::Map(_) => {
                cx.push(
                    Diagnostic::new("wrong-type", format!("`{key}` must be a list of tables"))
                        .at(&entry.node.span)
                        .label("this is a single table")
                        .help(format!(
                            "write `[[{key}]]` in TOML, or a list in YAML and JSON"
                        )),
                );
                Vec::new()
            }
            _ => {
                cx.wrong_type(entry.into(), "a list of tables");
                Vec::new()
            }
        }
    }

    /// Reports keys that were not asked for.
    pub(crate) fn finish(self, cx: &mut Cx) {
        for entry in self.entries {
            if self.asked.contains(&entry.key.as_str()) {
                continue;
            }
            if cx.diagnostics.is_full() {
                break;
            }
            let known = || self.asked.iter().copied();
            let diagnostic = Diagnostic::new(
                "unknown-key",
                format!("unknown key `{}`", shown(&entry.key)),
            )
            .at(&entry.key_span)
            .label(format!("not a key of {}", self.what));
            cx.push(match nearest(&entry.key, known()) {
                Some(name) => diagnostic.help(format!("did you mean `{name}`?")),
                None => diagnostic.allowed(listed(known())),
            });
        }
    }
}

/// A table with exactly one key out of `known`, as `{ lognormal = … }`.
pub(crate) fn single<'n>(at: At<'n>, known: &[&str], cx: &mut Cx) -> Option<&'n Entry> {
    let Value::Map(entries) = &at.node.value else {
        cx.wrong_type(
            at,
            &format!("a table with one of {}", listed(known.iter().copied())),
        );
        return None;
    };
    let one = match entries.as_slice() {
        [entry] => entry,
        other => {
            cx.push(
                Diagnostic::new("one-of", format!("`{}` must have exactly one key", at.key))
                    .at(&at.node.span)
                    .label(format!("has {}", other.len()))
                    .allowed(listed(known.iter().copied())),
            );
            return None;
        }
    };
    if known.contains(&one.key.as_str()) {
        return Some(one);
    }
    let diagnostic = Diagnostic::new("unknown-key", format!("unknown key `{}`", shown(&one.key)))
        .at(&one.key_span)
        .label(format!("not a kind of `{}`", at.key))
        .allowed(listed(known.iter().copied()));
    cx.push(match nearest(&one.key, known.iter().copied()) {
        Some(name) => diagnostic.help(format!("did you mean `{name}`?")),
        None => diagnostic,
    });
    None
}

/// A word of a file as messages show it: printable, and not too long.
pub(crate) fn shown(text: &str) -> String {
    const CHARS_MAX: usize = 60;
    let clean: String = text
        .chars()
        .take(CHARS_MAX)
        .map(|c| if c.is_control() { '?' } else { c })
        .collect();
    if clean.len() < text.len() {
        format!("{clean}…")
    } else {
        clean
    }
}
