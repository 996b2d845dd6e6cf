//! `series.csv`: one row per subject and bin, subjects in file order, functions first, then versions. After a stream's mapping come the
//! iterator ages of its shards, those that were furthest behind one by one.
//!
//! Columns that a kind of subject does not have are empty, and so are values that do not exist (a
//! percentile of nothing). `time_s` is the start of the bin; sums cover the bin; `environments`,
//! `backlog`, `in_hand`, `in_flight`, `oldest_message_age_ms` and a mapping's `concurrency_limit` are read at its end. Latencies and ages are in milliseconds.

use std::fmt::Write as _;

use crate::engine::Span;
use crate::metrics::{DeadLetterReason, FunctionRow, MappingRow, Series, VersionRow};

const COMMON: &str = "time_s,subject_kind,subject,concurrency_limit";
const FUNCTION: &str = "invocations,errors,throttles_concurrent,throttles_reserved_concurrent,throttles_rate,\
    throttles_reserved_rate,throttles_caller,cold_starts,concurrency_mean,concurrency_max,environments,\
    provisioned_invocations,spillover_invocations,provisioned_mean,provisioned_max,allocated_mean,\
    latency_p50_ms,latency_p95_ms,latency_p99_ms";
const VERSION: &str = "duration_p50_ms,duration_p99_ms";
const MAPPING: &str = "incoming,polled,filtered,invoked,failed,succeeded,dropped,diverted,destination_failures,deleted,dead_lettered,\
    throttled,windows_closed,windows_terminated_early,backlog,in_hand,age_max_ms,\
    writes_throttled,writes_lost,trimmed,reads_throttled,\
    reads,empty_reads,delete_calls,receives_over_limit,in_flight,oldest_message_age_ms,visible_too_early,redelivered,oversized,\
    dead_lettered_function_error,dead_lettered_reported,dead_lettered_throttled,dead_lettered_service_error,\
    dead_lettered_delete_failed,dead_lettered_visibility_too_short,dead_lettered_connection_lost";
/// Columns of [`MAPPING`] before and after the age, the only one that shards have.
const AROUND_AGE: (usize, usize) = (16, 20);

/// The whole file.
pub(super) fn render(series: &Series) -> String {
    let blank = |columns: &str| ",".repeat(columns.split(',').count());
    let mut text = format!("{COMMON},{FUNCTION},{MAPPING},{VERSION}\n");
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
            mapping_row(&mut text, row);
            text.push_str(&blank(VERSION));
            text.push('\n');
        }
        for shard in &mapping.shards {
            let subject = format!("{}/shard-{}", mapping.name, shard.number);
            ages(&mut text, series.bin, &subject, &shard.ages);
        }
        if let Some(others) = &mapping.other_shards {
            let subject = format!("{}/others", mapping.name);
            ages(&mut text, series.bin, &subject, others);
        }
    }
    text
}

/// One row for every bin in which something was sent.
fn ages(text: &mut String, bin: Span, subject: &str, ages: &[f32]) {
    let functions = FUNCTION.split(',').count();
    for (index, age) in ages.iter().enumerate().filter(|(_, age)| !age.is_nan()) {
        start(text, bin, index, "shard", subject);
        // The limit on the concurrency is the mapping's.
        text.push(',');
        text.push_str(&",".repeat(functions + AROUND_AGE.0));
        number(text, f64::from(*age));
        text.push_str(&",".repeat(AROUND_AGE.1 + VERSION.split(',').count()));
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
}

/// What a version has of a function's columns, and its own.
fn version_row(text: &mut String, row: &VersionRow) {
    // The limit on the concurrency is the function's, and so are refusals.
    let _ = write!(text, ",,{},{}", row.invocations, row.errors);
    let _ = write!(text, "{},{}", ",".repeat(5), row.cold_starts);
    let after = FUNCTION
        .split(',')
        .skip_while(|column| *column != "cold_starts");
    text.push_str(&",".repeat(after.count() - 1 + MAPPING.split(',').count()));
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
