//! Filter criteria: which records of a source a function gets.
//!
//! [`Filters::compile`] reads the patterns of a mapping once, and says of each mistake where it is. What comes out is a
//! trie of sorted keys (`table`) in which all patterns are merged. [`Filters::matches`] then reads a record's JSON
//! once, follows only the keys that some pattern names, and allocates nothing (`walk`).
//!
//! ```
//! use tidegate::engine::SourceKind;
//! use tidegate::engine::filter::{Filters, Verdict, View};
//!
//! let filters = Filters::compile(
//!     SourceKind::Kinesis,
//!     &[r#"{"data": {"kind": ["order"], "total": [{"numeric": [">", 100]}]}}"#],
//! )
//! .expect("a good pattern");
//! let metadata = br#"{"eventName":"aws:kinesis:record","kinesis":{"partitionKey":"7"}}"#;
//! let verdict = |data: &[u8]| filters.matches(&View { metadata, data: Some(data) });
//! assert_eq!(verdict(br#"{"kind":"order","total":120.5}"#), Verdict::Match);
//! assert_eq!(verdict(br#"{"kind":"order","total":99}"#), Verdict::NoMatch);
//! assert_eq!(verdict(b"order 120.5"), Verdict::OtherFormat);
//!
//! // Kinesis data is JSON, so it cannot be compared as a whole.
//! let errors = Filters::compile(SourceKind::Kinesis, &[r#"{"data": ["order"]}"#]).expect_err("plain");
//! assert_eq!(errors[0].code, "filter-data-plain");
//! assert_eq!(errors[0].message, "Invalid filter pattern definition.");
//! assert!(errors[0].allowed.starts_with("an object that names keys of the JSON data"));
//! ```
//!
//! The rules are listed in [`RULES`] and, with their sources, in `docs/semantics.md`.

mod bits;
mod build;
mod error;
mod json;
mod lexis;
mod numeric;
mod operator;
mod pattern;
mod rule;
pub(super) mod scan;
mod source;
mod table;
#[cfg(test)]
mod tests;
pub(super) mod text;
mod verdict;
mod walk;

pub use error::{AWS_TEXT, PatternError};
pub use rule::RULES;
pub use verdict::Verdict;

use crate::engine::SourceKind;
use error::Fault;
use pattern::Shape;

/// Patterns that a mapping may have.
pub const FILTERS_MAX: usize = 5;
/// Patterns that a mapping may have after a quota increase.
pub const FILTERS_RAISED_MAX: usize = 10;
/// Characters of a pattern.
pub const PATTERN_CHARS_MAX: usize = 4_096;

/// A record, as slices of texts that the driver has anyway.
#[derive(Clone, Copy, Debug)]
pub struct View<'r> {
    /// The record as one JSON object, as it is in the function's event. Of sources whose data is given apart, the
    /// data may be left out of it. Looked at only if a pattern names a key other than the data key,
    /// and only as far as something can still be found: it must be JSON in which no object names a key twice, as the
    /// driver's own encoder writes it.
    pub metadata: &'r [u8],
    /// The data, decoded from base64 where the event has it so, for the sources that have a data key:
    /// `data` for Kinesis, ActiveMQ and RabbitMQ, `body` for SQS, `value` for Kafka. `None` if the record has none,
    /// such as a Kafka tombstone. Not looked at for DynamoDB, whose `dynamodb` is in `metadata`.
    pub data: Option<&'r [u8]>,
}

/// The patterns of one mapping, compiled.
#[derive(Debug)]
pub struct Filters {
    table: table::Table,
    /// Nothing to ask: every record matches.
    is_empty: bool,
}

impl Filters {
    /// Compiles up to [`FILTERS_MAX`] patterns. All mistakes are reported, at most one per pattern that is not JSON.
    pub fn compile(source: SourceKind, patterns: &[&str]) -> Result<Self, Vec<PatternError>> {
        Self::compile_up_to(FILTERS_MAX, source, patterns)
    }

    /// [`compile`](Self::compile) for accounts whose quota is `filters_max`, at most [`FILTERS_RAISED_MAX`].
    pub fn compile_up_to(
        filters_max: usize,
        source: SourceKind,
        patterns: &[&str],
    ) -> Result<Self, Vec<PatternError>> {
        assert!(filters_max <= FILTERS_RAISED_MAX);
        let mut errors = Vec::new();
        if let Some((pattern, fault)) = refused(filters_max, source, patterns) {
            errors.push(fault.within(pattern));
        }
        let mut shapes = Vec::new();
        for (i, pattern) in patterns.iter().enumerate() {
            let mut faults = Vec::new();
            shapes.extend(read(source, pattern, &mut faults));
            errors.extend(faults.into_iter().map(|fault| fault.within(i)));
        }
        if !errors.is_empty() {
            errors.sort_by_key(|error| (error.pattern, error.span.start));
            return Err(errors);
        }
        Ok(Self {
            table: build::table(&shapes, source::data_key(source), source::mismatch(source)),
            is_empty: patterns.is_empty(),
        })
    }

    /// Whether any pattern names a key other than the data key, so that [`View::metadata`] is looked at.
    pub const fn reads_metadata(&self) -> bool {
        self.table.metadata.is_used()
    }

    /// What the patterns say about a record. Reads the record once (rarely twice) and allocates nothing.
    pub fn matches(&self, record: &View<'_>) -> Verdict {
        if self.is_empty {
            return Verdict::Match;
        }
        verdict::of(&self.table, record)
    }
}

/// What is wrong with the list of patterns as a whole.
fn refused(filters_max: usize, source: SourceKind, patterns: &[&str]) -> Option<(usize, Fault)> {
    // Rule `filter-source`.
    if source == SourceKind::DocumentDb && !patterns.is_empty() {
        let fault = Fault::new(
            0..patterns[0].len(),
            "filter-source",
            "a filter on DocumentDB",
            "filters on every other source",
        );
        return Some((0, fault.ours("DocumentDB has no filters")));
    }
    // Rule `filter-count`.
    let extra = patterns.get(filters_max)?;
    let fault = Fault::new(
        0..extra.len(),
        "filter-count",
        format!("{} filters", patterns.len()),
        format!("up to {filters_max} filters"),
    );
    Some((filters_max, fault.ours("too many filters")))
}

fn read(source: SourceKind, pattern: &str, faults: &mut Vec<Fault>) -> Option<Shape> {
    // Rule `filter-length`.
    let chars = pattern.chars().count();
    if let Some((end, _)) = pattern.char_indices().nth(PATTERN_CHARS_MAX) {
        let fault = Fault::new(
            end..pattern.len(),
            "filter-length",
            format!("{chars} characters"),
            "up to 4,096 characters",
        );
        faults.push(fault.ours("the filter pattern is too long"));
        return None;
    }
    let node = match json::read(pattern, faults) {
        Ok(node) => node,
        Err(fault) => {
            faults.push(fault);
            return None;
        }
    };
    let mut shape = pattern::shape_of(&node, faults);
    source::refuse_plain(source, &shape, faults);
    source::complete(source, &mut shape);
    Some(shape)
}
