//! `series.csv`: one row per subject and bin, subjects in file order, functions first, then versions. After a stream's mapping come the
//! iterator ages of its shards, those that were furthest behind one by one.
//!
//! Columns that a kind of subject does not have are empty, and so are values that do not exist (a
//! percentile of nothing). `time_s` is the start of the bin; sums cover the bin; `environments`, `async_backlog`,
//! `backlog`, `in_hand`, `in_flight`, `oldest_message_age_ms` and a mapping's `concurrency_limit` are read at its end. Latencies and ages are in milliseconds.

use std::fmt::Write as _;

use crate::engine::Span;
use crate::metrics::{
    AccountRow, AsyncRow, DeadLetterReason, FunctionRow, KafkaRow, MappingRow, Series, VersionRow,
};

const COMMON: &str = "time_s,subject_kind,subject,concurrency_limit";
const FUNCTION: &str = "invocations,errors,throttles_concurrent,throttles_reserved_concurrent,throttles_rate,\
    throttles_reserved_rate,throttles_caller,cold_starts,concurrency_mean,concurrency_max,environments,\
    provisioned_invocations,spillover_invocations,provisioned_mean,provisioned_max,allocated_mean,\
    latency_p50_ms,latency_p95_ms,latency_p99_ms,provisioned_utilization_max,calls,answered,abandoned,client_retries,\
    unreserved_max,claimed_max";
const ASYNC: &str = "async_received,async_invoked,async_succeeded,async_dropped,async_lost,async_retries,\
    async_duplicates,async_delivered,async_delivery_failures,async_dead_lettered,async_dead_letter_errors,\
    async_backlog,async_age_mean_ms,async_age_max_ms";
const VERSION: &str = "duration_p50_ms,duration_p99_ms";
const MAPPING: &str = "incoming,polled,filtered,invoked,failed,succeeded,dropped,diverted,destination_failures,deleted,dead_lettered,\
    throttled,windows_closed,windows_terminated_early,backlog,in_hand,age_max_ms,\
    writes_throttled,writes_lost,trimmed,reads_throttled,\
    reads,empty_reads,delete_calls,receives_over_limit,in_flight,oldest_message_age_ms,visible_too_early,redelivered,oversized,\
    dead_lettered_function_error,dead_lettered_reported,dead_lettered_throttled,dead_lettered_service_error,\
    dead_lettered_delete_failed,dead_lettered_visibility_too_short,dead_lettered_connection_lost,\
    committed,polling_errors,invoke_errors,destination_delivery_errors,commit_errors,max_offset_lag,sum_offset_lag,consumers,\
    members,rebalances,partitions_moved,returned";
/// The only column of [`MAPPING`] that shards of streams have, and that of partitions.
const AGE: &str = "age_max_ms";
const LAG: &str = "max_offset_lag";

/// The whole file.
pub(super) fn render(series: &Series) -> String {
    let blank = |columns: &str| ",".repeat(columns.split(',').count());
    let mut text = format!("{COMMON},{FUNCTION},{ASYNC},{MAPPING},{VERSION}\n");
    for function in &series.functions {
        let limit = function.concurrency_limit;
        for (index, row) in function.rows.iter().enumerate() {
            common(
                &mut text,
                series.bin,
                index,
                "function",
                &function.name,
                limit,
            );
            function_row(&mut text, row);
            match function.asynchronous.get(index) {
                Some(row) => async_row(&mut text, row),
                None => text.push_str(&blank(ASYNC)),
            }
            text.push_str(&blank(MAPPING));
            text.push_str(&blank(VERSION));
            text.push('\n');
        }
    }
    for version in &series.versions {
        for (index, row) in version.rows.iter().enumerate() {
            start(&mut text, series.bin, index, "version", &version.name);
            version_row(&mut text, row);
            text.push('\n');
        }
    }
    // One function by itself is the account.
    let account = series.account.iter().enumerate();
    for (index, row) in account.filter(|_| series.functions.len() > 1) {
        let limit = series.account_limit;
        common(&mut text, series.bin, index, "account", "account", limit);
        account_row(&mut text, *row);
        text.push_str(&blank(ASYNC));
        text.push_str(&blank(MAPPING));
        text.push_str(&blank(VERSION));
        text.push('\n');
    }
    for mapping in &series.mappings {
        for (index, row) in mapping.rows.iter().enumerate() {
            let limit = row.concurrency_limit;
            common(
                &mut text,
                series.bin,
                index,
                "mapping",
                &mapping.name,
                limit,
            );
            text.push_str(&blank(FUNCTION));
            text.push_str(&blank(ASYNC));
            mapping_row(&mut text, row);
            kafka_row(&mut text, mapping.kafka.then_some(&row.kafka));
            text.push_str(&blank(VERSION));
            text.push('\n');
        }
        let (kind, column) = match mapping.kafka {
            false => ("shard", AGE),
            true => ("partition", LAG),
        };
        for shard in &mapping.shards {
            let subject = format!("{}/{kind}-{}", mapping.name, shard.number);
            levels(
                &mut text,
                series.bin,
                (kind, column),
                &subject,
                &shard.levels,
            );
        }
        if let Some(others) = &mapping.other_shards {
            let subject = format!("{}/others", mapping.name);
            levels(&mut text, series.bin, (kind, column), &subject, others);
        }
    }
    text
}

/// One row for every bin that something is known of.
fn levels(
    text: &mut String,
    bin: Span,
    (kind, column): (&str, &str),
    subject: &str,
    levels: &[f32],
) {
    let functions = FUNCTION.split(',').count() + ASYNC.split(',').count();
    let columns = MAPPING.split(',').count();
    let before = MAPPING.split(',').take_while(|it| *it != column).count();
    let known = levels.iter().enumerate();
    for (index, level) in known.filter(|(_, level)| !level.is_nan()) {
        start(text, bin, index, kind, subject);
        // The limit on the concurrency is the mapping's.
        text.push(',');
        text.push_str(&",".repeat(functions + before));
        number(text, f64::from(*level));
        text.push_str(&",".repeat(columns - before - 1 + VERSION.split(',').count()));
        text.push('\n');
    }
}

fn common(text: &mut String, bin: Span, index: usize, kind: &str, subject: &str, limit: u32) {
    start(text, bin, index, kind, subject);
    let _ = write!(text, ",{limit}");
}

fn start(text: &mut String, bin: Span, index: usize, kind: &str, subject: &str) {
    let start = bin.times(index as u64).as_nanos();
    let (seconds, millis) = (start / 1_000_000_000, start / 1_000_000 % 1_000);
    let _ = write!(text, "{seconds}");
    // Bins of whole seconds print whole numbers.
    if !bin.as_millis().is_multiple_of(1_000) {
        let _ = write!(text, ".{millis:03}");
    }
    let _ = write!(text, ",{kind},{}", quoted(subject));
}

fn function_row(text: &mut String, row: &FunctionRow) {
    let counts = [row.invocations, row.errors].into_iter();
    for count in counts.chain(row.throttles).chain([row.cold_starts]) {
        let _ = write!(text, ",{count}");
    }
    number(text, row.concurrency_mean);
    let _ = write!(text, ",{},{}", row.concurrency_max, row.environments);
    let _ = write!(
        text,
        ",{},{}",
        row.provisioned_invocations, row.spillover_invocations
    );
    number(text, row.provisioned_mean);
    let _ = write!(text, ",{}", row.provisioned_max);
    number(text, row.allocated_mean);
    for latency in [row.latency_p50, row.latency_p95, row.latency_p99] {
        number(text, latency);
    }
    number(text, row.utilization_max);
    for count in [row.calls, row.answered, row.abandoned, row.client_retries] {
        let _ = write!(text, ",{count}");
    }
    // Only the account has these.
    text.push_str(",,");
}

/// The account has a function's `concurrency_max`, and two columns of its own.
fn account_row(text: &mut String, row: AccountRow) {
    let before = FUNCTION
        .split(',')
        .take_while(|name| *name != "concurrency_max")
        .count();
    let all = FUNCTION.split(',').count();
    text.push_str(&",".repeat(before));
    let _ = write!(text, ",{}", row.concurrent_max);
    text.push_str(&",".repeat(all - before - 3));
    let _ = write!(text, ",{},{}", row.unreserved_max, row.claimed_max);
}

fn async_row(text: &mut String, row: &AsyncRow) {
    let counts = [
        row.received,
        row.invoked,
        row.succeeded,
        row.dropped,
        row.lost,
        row.retries,
        row.duplicates,
        row.delivered,
        row.delivery_failures,
        row.dead_lettered,
        row.dead_letter_errors,
        row.backlog,
    ];
    for count in counts {
        let _ = write!(text, ",{count}");
    }
    number(text, row.age_mean);
    number(text, row.age_max);
}

/// What a version has of a function's columns, and its own.
fn version_row(text: &mut String, row: &VersionRow) {
    // The limit on the concurrency is the function's, and so are refusals.
    let _ = write!(text, ",,{},{}", row.invocations, row.errors);
    let _ = write!(text, "{},{}", ",".repeat(5), row.cold_starts);
    let after = FUNCTION
        .split(',')
        .skip_while(|column| *column != "cold_starts");
    let others = [ASYNC, MAPPING].map(|columns| columns.split(',').count());
    text.push_str(&",".repeat(after.count() - 1 + others[0] + others[1]));
    number(text, row.duration_p50);
    number(text, row.duration_p99);
}

fn mapping_row(text: &mut String, row: &MappingRow) {
    let counts = [
        row.incoming,
        row.polled,
        row.filtered,
        row.invoked,
        row.failed,
        row.succeeded,
        row.dropped,
        row.diverted,
        row.destination_failures,
        row.deleted,
        row.dead_letters.all(),
        row.throttled,
        row.windows_closed,
        row.windows_early,
        row.backlog,
        row.in_hand,
    ];
    for count in counts {
        let _ = write!(text, ",{count}");
    }
    number(text, row.age_max);
    let counts = [
        row.writes_throttled,
        row.writes_lost,
        row.trimmed,
        row.reads_throttled,
        row.reads,
        row.empty_reads,
        row.delete_calls,
        row.over_limit,
        row.in_flight,
    ];
    for count in counts {
        let _ = write!(text, ",{count}");
    }
    number(text, row.oldest_age);
    for count in [row.visible_too_early, row.redelivered, row.oversized] {
        let _ = write!(text, ",{count}");
    }
    for reason in DeadLetterReason::ALL {
        let _ = write!(text, ",{}", row.dead_letters.of(reason));
    }
}

/// Empty for other sources.
fn kafka_row(text: &mut String, row: Option<&KafkaRow>) {
    let Some(row) = row else {
        text.push_str(",,,,,,,,,,,,");
        return;
    };
    let counts = [
        row.committed,
        row.polling_errors,
        row.invoke_errors,
        row.delivery_errors,
        row.commit_errors,
        row.max_lag,
        row.sum_lag,
        u64::from(row.consumers),
        u64::from(row.group.members),
        row.group.rebalances,
        row.group.moved,
        row.returned,
    ];
    for count in counts {
        let _ = write!(text, ",{count}");
    }
}

fn number(text: &mut String, value: f64) {
    text.push(',');
    if value.is_finite() {
        let _ = write!(text, "{value:.3}");
    }
}

fn quoted(field: &str) -> String {
    if field.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}
