//! Charts that only mappings of Kafka have.

use super::{At, Draft, by_shard};
use crate::metrics::{MappingRow, MappingSeries};
use crate::report::view::{Axis, Chart, Colour};

/// Puts the lag where other mappings have the age of what waits, and adds who reads.
pub(super) fn replace(
    draft: &Draft<'_, MappingRow>,
    mapping: &MappingSeries,
    charts: &mut Vec<Chart>,
) {
    charts[1] = lag(draft);
    let after_lags = if mapping.shards.len() > 1 { 3 } else { 2 };
    charts.insert(after_lags, consumers(draft));
    let changes = |row: &MappingRow| row.kafka.group.rebalances + row.kafka.returned > 0;
    if mapping.rows.iter().any(changes) {
        charts.insert(after_lags + 1, rebalances(draft));
    }
    let fails = |row: &MappingRow| {
        let of = &row.kafka;
        of.polling_errors + of.invoke_errors + of.delivery_errors + of.commit_errors > 0
    };
    if mapping.rows.iter().any(fails) {
        charts.push(errors(draft));
    }
}

pub(super) fn lag_by_partition(draft: &Draft<'_, MappingRow>, mapping: &MappingSeries) -> Chart {
    let lines = by_shard(draft, mapping, "partition", At::End);
    draft
        .chart("Offset lag by partition", Axis::Count("offsets"), lines)
        .or_empty("No partition was ever behind in this run")
}

/// As measured every minute.
fn lag(draft: &Draft<'_, MappingRow>) -> Chart {
    let lines = vec![
        draft.line("all partitions", Colour::Blue, At::End, |row| {
            row.kafka.sum_lag as f64
        }),
        draft.line("largest of a partition", Colour::Purple, At::End, |row| {
            row.kafka.max_lag as f64
        }),
    ];
    draft
        .chart("Offset lag as measured", Axis::Count("offsets"), lines)
        .or_empty("No lag was ever measured in this run")
}

fn consumers(draft: &Draft<'_, MappingRow>) -> Chart {
    let lines = vec![
        draft.line("wanted", Colour::Green, At::End, |row| {
            f64::from(row.kafka.consumers)
        }),
        draft.line("in the group", Colour::Sky, At::End, |row| {
            f64::from(row.kafka.group.members)
        }),
    ];
    draft
        .chart("Consumers", Axis::Count("consumers"), lines)
        .or_empty("Nobody read in this run")
}

fn rebalances(draft: &Draft<'_, MappingRow>) -> Chart {
    let lines = vec![
        draft.rate("partitions moved", Colour::Orange, |row| {
            row.kafka.group.moved
        }),
        draft.rate("records read in vain", Colour::Vermilion, |row| {
            row.kafka.returned
        }),
        draft.rate("rebalances", Colour::Blue, |row| row.kafka.group.rebalances),
    ];
    draft.chart("Rebalances", Axis::Rate("events"), lines)
}

fn errors(draft: &Draft<'_, MappingRow>) -> Chart {
    let lines = vec![
        draft.rate("invocations", Colour::Vermilion, |row| {
            row.kafka.invoke_errors
        }),
        draft.rate("fetches", Colour::Blue, |row| row.kafka.polling_errors),
        draft.rate("commits", Colour::Orange, |row| row.kafka.commit_errors),
        draft.rate("invocation records", Colour::Purple, |row| {
            row.kafka.delivery_errors
        }),
    ];
    draft
        .chart("Errors by what failed", Axis::Rate("errors"), lines)
        .or_empty("Nothing failed in this run")
}
