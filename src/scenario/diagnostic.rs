//! What is wrong with a file: collected, sorted, and shown all at once.

use super::text::SourceText;
use crate::engine::config;
use crate::engine::filter;
use std::ops::Range;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The file cannot be used.
    Error,
    /// The file can be used, and something in it has no effect.
    Warning,
}

/// One finding, small enough to be the error of a result. Texts are lowercase and end without a full stop, save for words quoted from AWS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// Stable kebab-case name.
    pub code: &'static str,
    /// What is wrong.
    pub message: Box<str>,
    /// Index of the file among those of the report.
    pub file: usize,
    /// Bytes of the file; `None` for the file as a whole.
    pub span: Option<Range<usize>>,
    /// What was found there.
    pub label: Box<str>,
    /// What is allowed.
    pub allowed: Option<Box<str>>,
    /// What to try.
    pub help: Option<Box<str>>,
}

/// Codes that do not come from a rule of mappings, in alphabetical order. The rules' ids are codes too.
pub const CODES: [&str; 57] = [
    "alias-weights",
    "bad-arn",
    "bad-csv",
    "bad-distribution",
    "bad-name",
    "bad-schedule",
    "bad-unit",
    "conflicting-keys",
    "deployment-impossible",
    "deployments-overlap",
    "duplicate-key",
    "duplicate-name",
    "empty-file",
    "empty-list",
    "event-after-end",
    "fault-after-end",
    "fault-impossible",
    "file-too-large",
    "file-unreadable",
    "managed-instances-alone",
    "mapping-disabled",
    "min-above-max",
    "missing-key",
    "missing-unit",
    "not-available-yet",
    "not-text",
    "nothing-happens",
    "one-of",
    "out-of-range",
    "path-escapes",
    "prepared-init-too-long",
    "provisioned-above-account",
    "provisioned-above-reserved",
    "provisioned-needs-alias",
    "provisioned-needs-version",
    "provisioned-twice",
    "rate-steps-overlap",
    "rate-steps-unordered",
    "remote-listener",
    "reserved-above-account",
    "reshard-after-end",
    "reshard-unordered",
    "shard-closed",
    "shards-apart",
    "snap-start-needs-version",
    "snap-start-or-provisioned",
    "sqs-visibility-advice",
    "syntax",
    "tenant-isolation",
    "timeout-above-visibility",
    "too-deep",
    "too-many-readers",
    "unknown-key",
    "unknown-metric",
    "unknown-name",
    "warm-up-too-long",
    "wrong-type",
];

impl Diagnostic {
    pub(crate) fn new(code: &'static str, message: impl Into<Box<str>>) -> Self {
        debug_assert!(
            CODES.contains(&code)
                || config::RULES
                    .iter()
                    .chain(&config::EVENT_INVOKE_RULES)
                    .chain(filter::RULES)
                    .any(|rule| rule.id == code),
            "{code} is in no list of codes"
        );
        Self {
            severity: Severity::Error,
            code,
            message: message.into(),
            file: 0,
            span: None,
            label: Box::default(),
            allowed: None,
            help: None,
        }
    }

    /// Sets the place; the empty one at the start stands for the file as a whole.
    pub(crate) fn at(mut self, span: &Range<usize>) -> Self {
        self.span = (*span != (0..0)).then(|| span.clone());
        self
    }

    pub(crate) fn label(mut self, label: impl Into<Box<str>>) -> Self {
        self.label = label.into();
        self
    }

    pub(crate) fn allowed(mut self, allowed: impl Into<Box<str>>) -> Self {
        self.allowed = Some(allowed.into());
        self
    }

    pub(crate) fn help(mut self, help: impl Into<Box<str>>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(crate) const fn warning(mut self) -> Self {
        self.severity = Severity::Warning;
        self
    }
}

/// Findings beyond this are only counted: nobody reads them, and hostile files have millions.
const KEPT_MAX: usize = 1_000;

/// The findings on a file and on the files that it names.
#[derive(Clone, Debug)]
pub(crate) struct Diagnostics {
    files: Vec<SourceText>,
    items: Vec<Diagnostic>,
    dropped: usize,
}

impl Diagnostics {
    pub(crate) fn new(file: SourceText) -> Self {
        Self {
            files: vec![file],
            items: Vec::new(),
            dropped: 0,
        }
    }

    /// The text of the main file.
    pub(crate) fn main_text(&self) -> &str {
        &self.files[0].text
    }

    /// Overwrites a part of the main file with asterisks, so that no finding shows it.
    pub(crate) fn conceal(&mut self, span: &Range<usize>) {
        let text = &mut self.files[0].text;
        let boundary = |at: usize| text.floor_char_boundary(at.min(text.len()));
        let span = boundary(span.start)..boundary(span.end).max(boundary(span.start));
        let hidden: String = text[span.clone()]
            .bytes()
            .map(|byte| if byte == b'\n' { '\n' } else { '*' })
            .collect();
        text.replace_range(span, &hidden);
    }

    pub(crate) fn push(&mut self, diagnostic: Diagnostic) {
        // An error must never be lost behind warnings: it decides what becomes of the file.
        if self.items.len() < KEPT_MAX || !self.has_errors() {
            self.items.push(diagnostic);
        } else {
            self.dropped += 1;
        }
    }

    /// Whether further findings would only be counted.
    pub(crate) fn is_full(&self) -> bool {
        self.items.len() >= KEPT_MAX && self.has_errors()
    }

    /// Adds a finding on another file than the main one.
    pub(crate) fn push_in(&mut self, file: &SourceText, mut diagnostic: Diagnostic) {
        let known = self.files.iter().position(|other| other.path == file.path);
        diagnostic.file = known.unwrap_or_else(|| {
            self.files.push(file.clone());
            self.files.len() - 1
        });
        self.push(diagnostic);
    }

    pub(crate) fn has_errors(&self) -> bool {
        self.items
            .iter()
            .any(|item| item.severity == Severity::Error)
    }

    pub(crate) fn into_report(mut self) -> Report {
        let place = |item: &Diagnostic| (item.file, item.span.as_ref().map(|span| span.start));
        self.items.sort_by_key(place);
        Report {
            files: self.files,
            items: self.items,
            dropped: self.dropped,
        }
    }
}

/// Everything that was found, in the order of the file.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}", self.render(false))]
pub struct Report {
    pub(super) files: Vec<SourceText>,
    pub(super) items: Vec<Diagnostic>,
    pub(super) dropped: usize,
}

impl Report {
    /// The findings, in the order of the file.
    pub fn items(&self) -> &[Diagnostic] {
        &self.items
    }

    /// Each finding as a report of its own.
    pub fn each(&self) -> impl Iterator<Item = Self> {
        self.items.iter().map(|item| Self {
            files: self.files.clone(),
            items: vec![item.clone()],
            dropped: 0,
        })
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }
}
