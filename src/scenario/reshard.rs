//! `[[source.reshard]]`: splits, merges and new shard counts of a modelled Kinesis stream.

use super::convert::{duration, integer, list, out_of_range, text};
use super::diagnostic::Diagnostic;
use super::lineage::{LIFETIMES_MAX, Lineage, LineageError};
use super::node::Value;
use super::read::{At, Cx, Table, shown};
use super::suggest::listed;
use crate::engine::{Span, limits};
use std::ops::Range;

const KINDS: [&str; 3] = ["split", "merge", "shards"];

/// One change, as written.
struct Change {
    at: Span,
    what: What,
    /// Where the numbers of shards stand.
    span: Range<usize>,
}

enum What {
    Split(Option<Vec<u32>>),
    Merge(Vec<(u32, u32)>),
    Shards(u32),
}

/// Applies the changes to a stream that begins with `shards` shards. `duration` is that of the scenario, if known.
pub(crate) fn reshards(
    source: &mut Table<'_>,
    cx: &mut Cx,
    shards: u32,
    duration: Option<Span>,
) -> Lineage {
    let mut lineage = Lineage::new(shards);
    let mut last = None;
    let mut refused = false;
    for table in source.tables(cx, "reshard", "[[source.reshard]]") {
        let Some(change) = change(table, cx, &mut last, duration) else {
            refused = true;
            continue;
        };
        if refused {
            // The numbers of shards are not known any more: what else could be found would mislead.
            continue;
        }
        let applied = match &change.what {
            What::Split(chosen) => lineage.split(change.at, chosen.as_deref()),
            What::Merge(pairs) => lineage.merge(change.at, pairs),
            What::Shards(count) => lineage.rescale(change.at, *count),
        };
        for problem in applied.err().into_iter().flatten() {
            cx.push(refusal(&problem, &change.span));
            refused = true;
        }
        if lineage.shards.len() > LIFETIMES_MAX {
            cx.push(
                Diagnostic::new("out-of-range", "a stream has too many shards over time")
                    .at(&change.span)
                    .label(format!("{} with this change", lineage.shards.len()))
                    .allowed(format!("up to {LIFETIMES_MAX}, closed ones included")),
            );
            break;
        }
    }
    lineage
}

fn change(
    mut table: Table<'_>,
    cx: &mut Cx,
    last: &mut Option<Span>,
    length: Option<Span>,
) -> Option<Change> {
    let at = table.req(cx, "at", "\"10m\"", |at, cx| {
        let instant = duration(at, cx)?;
        if instant > Span::ZERO {
            return Some(instant);
        }
        out_of_range(at, cx, instant.to_string(), "more than 0s".to_owned());
        None
    });
    let place = table.entry("at").map(|entry| entry.node.span.clone());
    if let (Some(at), Some(place)) = (at, &place) {
        order(at, last, length, place, cx);
    }
    let split = table.opt(cx, "split", split);
    let merge = table.opt(cx, "merge", |at, cx| {
        let pairs = list(pair)(at, cx)?;
        not_empty(at, cx, pairs.len()).then_some(pairs)
    });
    let count = table.opt(
        cx,
        "shards",
        integer(1..=i64::from(limits::KINESIS_SHARDS_MAX)),
    );
    let given: Vec<_> = KINDS.iter().filter_map(|key| table.peek(key)).collect();
    let span = match given.as_slice() {
        [one] => one.node.span.clone(),
        other => {
            cx.push(
                Diagnostic::new("one-of", "[[source.reshard]] must say one thing")
                    .at(&table.span)
                    .label(format!("says {}", other.len()))
                    .allowed(listed(KINDS.iter().copied()))
                    .help("add `split = \"all\"`, or give each change a table of its own"),
            );
            table.finish(cx);
            return None;
        }
    };
    table.finish(cx);
    let what = match (split, merge, count) {
        (Some(chosen), _, _) => What::Split(chosen),
        (_, Some(pairs), _) => What::Merge(pairs),
        (_, _, Some(count)) => What::Shards(count),
        (None, None, None) => return None,
    };
    Some(Change {
        at: at?,
        what,
        span,
    })
}

/// Changes come in order: the numbers of shards follow from it.
fn order(
    at: Span,
    last: &mut Option<Span>,
    length: Option<Span>,
    place: &Range<usize>,
    cx: &mut Cx,
) {
    match *last {
        Some(before) if at <= before => cx.push(
            Diagnostic::new("reshard-unordered", "changes of shards must be in order")
                .at(place)
                .label(format!("not after {before}"))
                .help("sort the tables by `at`: shards are numbered in that order"),
        ),
        _ => *last = Some(at),
    }
    if let Some(length) = length.filter(|length| at >= *length) {
        cx.push(
            Diagnostic::new("reshard-after-end", "shards are changed after the end")
                .at(place)
                .label(format!("the scenario lasts {length}"))
                .warning(),
        );
    }
}

/// `"all"`, or the numbers of shards.
fn split(at: At<'_>, cx: &mut Cx) -> Option<Option<Vec<u32>>> {
    if let Value::String(_) = &at.node.value {
        let found = text(at, cx)?;
        if found == "all" {
            return Some(None);
        }
        cx.push(
            Diagnostic::new(
                "unknown-name",
                format!("`{}` names no shards", shown(found)),
            )
            .at(&at.node.span)
            .label("not understood")
            .allowed("\"all\", or a list of numbers such as [0, 3]"),
        );
        return None;
    }
    let shards = list(number)(at, cx)?;
    not_empty(at, cx, shards.len()).then_some(Some(shards))
}

fn pair(at: At<'_>, cx: &mut Cx) -> Option<(u32, u32)> {
    match list(number)(at, cx)?.as_slice() {
        &[left, right] => Some((left, right)),
        other => {
            cx.push(
                Diagnostic::new("wrong-type", "`merge` takes pairs of shards")
                    .at(&at.node.span)
                    .label(format!("has {}", other.len()))
                    .allowed("a list of pairs such as [[0, 1], [4, 5]]"),
            );
            None
        }
    }
}

fn number(at: At<'_>, cx: &mut Cx) -> Option<u32> {
    integer(0..=LIFETIMES_MAX as i64)(at, cx)
}

fn not_empty(at: At<'_>, cx: &mut Cx, count: usize) -> bool {
    if count == 0 {
        cx.push(
            Diagnostic::new("empty-list", format!("`{}` names no shard", at.key))
                .at(&at.node.span)
                .label("an empty list"),
        );
    }
    count > 0
}

fn refusal(problem: &LineageError, span: &Range<usize>) -> Diagnostic {
    match problem {
        LineageError::Unknown { shard, next } => {
            Diagnostic::new("unknown-name", format!("there is no shard {shard} by then"))
                .at(span)
                .label("names a shard that does not exist")
                .allowed(format!("0 to {}", next - 1))
                .help("new shards are numbered in the order in which changes make them, lower hashes first")
        }
        LineageError::Closed { shard, at } => {
            Diagnostic::new("shard-closed", format!("shard {shard} is closed by then"))
                .at(span)
                .label(format!("it was closed at {at}"))
                .help("name one of the shards that followed it")
        }
        LineageError::Twice { shard } => {
            Diagnostic::new("duplicate-name", format!("shard {shard} is named twice"))
                .at(span)
                .label("one change takes a shard once")
        }
        LineageError::Apart { left, right } => Diagnostic::new(
            "shards-apart",
            format!("shards {left} and {right} cannot be merged"),
        )
        .at(span)
        .label("their hash ranges do not touch")
        .help("merge neighbours: the two halves of a split, or shards that follow each other from the start"),
        LineageError::TooNarrow { shard } => {
            Diagnostic::new("out-of-range", format!("shard {shard} cannot be split further"))
                .at(span)
                .label("it takes a single hash")
        }
        LineageError::TooMany { open } => {
            Diagnostic::new("out-of-range", "a stream has too many open shards")
                .at(span)
                .label(format!("{open} after this change"))
                .allowed(format!("up to {}", limits::KINESIS_SHARDS_MAX))
        }
        LineageError::TooFar { open } => {
            Diagnostic::new("out-of-range", "UpdateShardCount goes no further at once")
                .at(span)
                .label(format!("{open} shards are open by then"))
                .allowed(format!("{} to {}", open.div_ceil(2), open * 2))
                .help("make several steps")
        }
    }
}
