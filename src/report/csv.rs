//! `series.csv`: one row per subject and bin, subjects in file order, functions first.
//!
//! Columns that a kind of subject does not have are empty, and so are values that do not exist (a
//! percentile of nothing). `time_s` is the start of the bin; sums cover the bin; `environments`,
//! `backlog` and a mapping's `concurrency_limit` are read at its end. Latencies and ages are in milliseconds.

use std::fmt::Write as _;

use crate::engine::Span;
use crate::metrics::{FunctionRow, MappingRow, Series};

const COMMON: &str = "time_s,subject_kind,subject,concurrency_limit";
const FUNCTION: &str = "invocations,errors,throttles_concurrent,throttles_reserved_concurrent,throttles_rate,\
    throttles_reserved_rate,throttles_caller,cold_starts,concurrency_mean,concurrency_max,environments,\
    latency_p50_ms,latency_p95_ms,latency_p99_ms";
const MAPPING: &str = "incoming,polled,filtered,invoked,failed,dropped,deleted,dead_lettered,throttled,backlog,age_max_ms";

/// The whole file.
pub(super) fn render(series: &Series) -> String {
    let blank = |columns: &str| ",".repeat(columns.split(',').count());
    let mut text = format!("{COMMON},{FUNCTION},{MAPPING}\n");
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
            text.push('\n');
        }
    }
    text
}

fn common(text: &mut String, bin: Span, index: usize, kind: &str, subject: &str, limit: u32) {
    let start = bin.times(index as u64).as_nanos();
    let (seconds, millis) = (start / 1_000_000_000, start / 1_000_000 % 1_000);
    let _ = write!(text, "{seconds}");
    // Bins of whole seconds print whole numbers.
    if !bin.as_millis().is_multiple_of(1_000) {
        let _ = write!(text, ".{millis:03}");
    }
    let _ = write!(text, ",{kind},{},{limit}", quoted(subject));
}

fn function_row(text: &mut String, row: &FunctionRow) {
    let counts = [row.invocations, row.errors].into_iter();
    for count in counts.chain(row.throttles).chain([row.cold_starts]) {
        let _ = write!(text, ",{count}");
    }
    number(text, row.concurrency_mean);
    let _ = write!(text, ",{},{}", row.concurrency_max, row.environments);
    for latency in [row.latency_p50, row.latency_p95, row.latency_p99] {
        number(text, latency);
    }
}

fn mapping_row(text: &mut String, row: &MappingRow) {
    let counts = [
        row.incoming,
        row.polled,
        row.filtered,
        row.invoked,
        row.failed,
        row.dropped,
        row.deleted,
        row.dead_lettered,
        row.throttled,
        row.backlog,
    ];
    for count in counts {
        let _ = write!(text, ",{count}");
    }
    number(text, row.age_max);
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
