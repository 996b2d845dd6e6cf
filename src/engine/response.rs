//! What a function's answer means to a mapping: which records failed, and the state of a window.
//!
//! ```
//! use tidegate::engine::Outcome;
//! use tidegate::engine::response::{Expected, read};
//!
//! let expected = Expected { reports_failures: true, needs_state: true, is_queue: false };
//! let body = br#"{"state": {"sum": 12}, "batchItemFailures": [{"itemIdentifier": "4959"}]}"#;
//! let answer = read(body, expected, |identifier| (identifier == "4959").then_some(2));
//! assert_eq!(answer.outcome, Outcome::Partial { first_failed: 2 });
//! assert_eq!(&body[answer.state.expect("a state")], br#"{"sum": 12}"#);
//! ```

mod kafka;

pub use kafka::read_kafka;

use crate::engine::filter::scan::{Malformed, Scalar, Scan};
use crate::engine::filter::text::Text;
use crate::engine::{Outcome, Record, Seq, limits};
use std::borrow::Cow;
use std::ops::Range;

/// What a mapping looks for in an answer. With neither report nor state, an answer is not read at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// FunctionResponseTypes has ReportBatchItemFailures.
    pub reports_failures: bool,
    /// A tumbling window whose state is carried on. Rule `window-final-needs-no-state`: not so for its final call.
    pub needs_state: bool,
    /// The source is a queue. Rule `sqs-partial-empty-entry`: an entry `{}` then names nothing, instead of failing the
    /// batch.
    pub is_queue: bool,
}

/// What an answer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Success, Partial, Rejected or StateTooLarge.
    pub outcome: Outcome,
    /// Where the text of the state is in the body, if it is to be carried on.
    pub state: Option<Range<usize>>,
}

/// What the answer of a queue's function says of its messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueueAnswer {
    /// Success or Rejected, for all of them.
    All(Outcome),
    /// Indices of the failed ones, ascending; at least one. The others are done.
    Failed(Vec<u32>),
}

/// The failed records that an answer names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Report {
    None,
    /// The lowest index.
    From(u32),
    Nonsense,
}

/// The parts of an answer that somebody looks for.
#[derive(Debug)]
struct Parts {
    report: Report,
    state: Option<Range<usize>>,
}

impl Parts {
    const NONE: Self = Self {
        report: Report::None,
        state: None,
    };
    const NONSENSE: Self = Self {
        report: Report::Nonsense,
        state: None,
    };
}

/// Reads the body of an answer that is no error.
///
/// `index_of` gives the index in the batch of the first record with an identifier, its sequence number.
/// The work is linear in the body's length, and nesting beyond 128 levels is no JSON (rule `response-depth`).
pub fn read(
    body: &[u8],
    expected: Expected,
    mut index_of: impl FnMut(&str) -> Option<u32>,
) -> Answer {
    let named = |scan: &mut Scan<'_>| text_named(scan, &mut index_of);
    read_by(body, expected, named, &mut Vec::new())
}

/// Steps over an identifier that is a string, and says which record of the batch it names.
fn text_named(
    scan: &mut Scan<'_>,
    index_of: &mut impl FnMut(&str) -> Option<u32>,
) -> Result<Option<u32>, Malformed> {
    if scan.peek() != Some(b'"') {
        scan.skip()?;
        return Ok(None);
    }
    let identifier = match scan.scalar()? {
        Scalar::Text(text) => resolved(&text),
        _ => None,
    };
    Ok(identifier.and_then(|identifier| index_of(&identifier)))
}

/// [`read`], where `named` steps over an identifier and says which record of the batch it names. `failed` has all of them
/// afterwards, if the outcome is partial.
fn read_by(
    body: &[u8],
    expected: Expected,
    named: impl FnMut(&mut Scan<'_>) -> Result<Option<u32>, Malformed>,
    failed: &mut Vec<u32>,
) -> Answer {
    // Rule `stream-partial-ignored-when-off`.
    if expected.reports_failures || expected.needs_state {
        let text = std::str::from_utf8(body).map_err(|_| Malformed);
        // Rule `stream-partial-not-json`.
        let parts = text.and_then(|text| parts(text, expected.is_queue, named, failed));
        judge(expected, parts.unwrap_or(Parts::NONSENSE))
    } else {
        Answer {
            outcome: Outcome::Success,
            state: None,
        }
    }
}

/// The index of the first record whose sequence number is `identifier`.
///
/// Rule `stream-partial-number-by-value`: digits are compared as a number, since a [`Seq`] keeps no leading zeros;
/// anything else is no identifier. Rule `stream-partial-shared-number`: of records that share a number, the first counts.
pub fn index_of<P>(records: &[Record<P>], identifier: &str) -> Option<u32> {
    let seq: Seq = identifier.parse().ok()?;
    let is_it = |index: &usize| {
        let record = records.get(*index);
        record.is_some_and(|record| record.meta.seq == seq)
    };
    // A shard is in order; should a source not keep to that, the slow way finds the record all the same.
    let index = Some(records.partition_point(|record| record.meta.seq < seq))
        .filter(is_it)
        .or_else(|| records.iter().position(|record| record.meta.seq == seq))?;
    u32::try_from(index).ok()
}

fn judge(expected: Expected, parts: Parts) -> Answer {
    let state = parts.state.filter(|_| expected.needs_state);
    let report = if expected.reports_failures {
        parts.report
    } else {
        Report::None
    };
    let len = state.as_ref().map_or(0, |state| state.len() as u64);
    let outcome = match report {
        // Rule `window-state-required`.
        _ if expected.needs_state && state.is_none() => Outcome::Rejected,
        Report::Nonsense => Outcome::Rejected,
        // Rule `window-state-size-after-failures`: records that failed come before a state that is too large.
        Report::From(first_failed) => Outcome::Partial { first_failed },
        // Rule `window-state-size`.
        Report::None if len > limits::WINDOW_STATE_BYTES_MAX => Outcome::StateTooLarge,
        Report::None => Outcome::Success,
    };
    Answer {
        state: state.filter(|_| outcome != Outcome::Rejected),
        outcome,
    }
}

/// Reads the body of an answer of a queue's function that is no error.
///
/// Rule `sqs-partial-answers`: the shapes are those of streams; each identifier is a message id.
pub fn read_queue(
    body: &[u8],
    reports_failures: bool,
    mut index_of: impl FnMut(&str) -> Option<u32>,
) -> QueueAnswer {
    let mut failed = Vec::new();
    let expected = Expected {
        reports_failures,
        needs_state: false,
        is_queue: true,
    };
    let named = |scan: &mut Scan<'_>| text_named(scan, &mut index_of);
    let answer = read_by(body, expected, named, &mut failed);
    match answer.outcome {
        Outcome::Partial { .. } => {
            failed.sort_unstable();
            failed.dedup();
            QueueAnswer::Failed(failed)
        }
        outcome => QueueAnswer::All(outcome),
    }
}

fn parts(
    text: &str,
    is_queue: bool,
    named: impl FnMut(&mut Scan<'_>) -> Result<Option<u32>, Malformed>,
    failed: &mut Vec<u32>,
) -> Result<Parts, Malformed> {
    let mut scan = Scan::new(text);
    scan.blanks();
    // Rule `stream-partial-empty-is-success`: nothing, `null`, `""`, `[]` and `{}` name no failures.
    let parts = match scan.peek() {
        None => Parts::NONE,
        Some(b'{') => object(&mut scan, is_queue, named, failed)?,
        Some(b'[') => {
            if scan.open(b']')? {
                return Ok(Parts::NONSENSE);
            }
            Parts::NONE
        }
        Some(_) if is_nothing(scan.scalar()?) => Parts::NONE,
        Some(_) => Parts::NONSENSE,
    };
    scan.end()?;
    Ok(parts)
}

fn is_nothing(scalar: Scalar<'_>) -> bool {
    match scalar {
        Scalar::Null => true,
        Scalar::Text(text) => text.is(""),
        Scalar::Number(_) | Scalar::Bool(_) => false,
    }
}

/// Of a key that is given twice, the last one counts.
fn object(
    scan: &mut Scan<'_>,
    is_queue: bool,
    mut named: impl FnMut(&mut Scan<'_>) -> Result<Option<u32>, Malformed>,
    failed: &mut Vec<u32>,
) -> Result<Parts, Malformed> {
    let mut parts = Parts::NONE;
    let mut more = scan.open(b'}')?;
    while more {
        let key = scan.key()?;
        if key.is("batchItemFailures") {
            failed.clear();
            parts.report = failures(scan, is_queue, &mut named, failed)?;
        } else if key.is("state") {
            let start = scan.position();
            // Rule `window-state-is-object`.
            let is_object = scan.peek() == Some(b'{');
            scan.skip()?;
            parts.state = is_object.then(|| start..scan.position());
        } else {
            scan.skip()?;
        }
        more = scan.more(b'}')?;
    }
    Ok(parts)
}

fn failures(
    scan: &mut Scan<'_>,
    is_queue: bool,
    named: &mut impl FnMut(&mut Scan<'_>) -> Result<Option<u32>, Malformed>,
    failed: &mut Vec<u32>,
) -> Result<Report, Malformed> {
    match scan.peek() {
        Some(b'[') => {}
        Some(b'{') => {
            scan.skip()?;
            return Ok(Report::Nonsense);
        }
        _ => {
            let nothing = is_nothing(scan.scalar()?);
            return Ok(if nothing {
                Report::None
            } else {
                Report::Nonsense
            });
        }
    }
    let mut report = Report::None;
    let mut more = scan.open(b']')?;
    while more {
        report = match report {
            // Rule `stream-partial-one-bad-entry`: the rest is not looked up any more.
            Report::Nonsense => {
                scan.skip()?;
                Report::Nonsense
            }
            Report::None | Report::From(_) => match (failure(scan, named)?, report) {
                (Entry::Record(index), report) => {
                    failed.push(index);
                    match report {
                        // Rule `stream-partial-lowest-failed`.
                        Report::From(lowest) => Report::From(lowest.min(index)),
                        _ => Report::From(index),
                    }
                }
                (Entry::Empty, report) if is_queue => report,
                // Rule `stream-partial-invalid-fails-batch`.
                (Entry::Empty | Entry::Nonsense, _) => Report::Nonsense,
            },
        };
        more = scan.more(b']')?;
    }
    Ok(report)
}

/// One entry of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entry {
    /// It names the record of the batch with this index.
    Record(u32),
    /// `{}`.
    Empty,
    Nonsense,
}

/// What one entry names.
fn failure(
    scan: &mut Scan<'_>,
    named: &mut impl FnMut(&mut Scan<'_>) -> Result<Option<u32>, Malformed>,
) -> Result<Entry, Malformed> {
    if scan.peek() != Some(b'{') {
        scan.skip()?;
        return Ok(Entry::Nonsense);
    }
    let mut index = None;
    let mut more = scan.open(b'}')?;
    if !more {
        return Ok(Entry::Empty);
    }
    while more {
        let key = scan.key()?;
        if key.is("itemIdentifier") {
            index = named(scan)?;
        } else {
            scan.skip()?;
        }
        more = scan.more(b'}')?;
    }
    Ok(index.map_or(Entry::Nonsense, Entry::Record))
}

/// The string with its escapes resolved; `None` when half of a surrogate pair makes it no text.
fn resolved<'r>(text: &Text<'r>) -> Option<Cow<'r, str>> {
    if let Some(plain) = text.unescaped() {
        return Some(Cow::Borrowed(plain));
    }
    let resolved: Option<String> = text.points().map(char::from_u32).collect();
    resolved.map(Cow::Owned)
}

#[cfg(test)]
mod tests;
