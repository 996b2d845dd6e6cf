//! Tables of figures. A column that is zero for every subject says nothing and is left out.

use super::numbers;
use super::view::{Cell, Column, Table, Tone};
use crate::metrics::{
    AccountSummary, Figure, FunctionSummary, GateResult, KafkaFigures, MappingSummary,
};

/// A column and how to fill it; `optional` columns go when all their cells are faint.
pub(super) struct Spec<T> {
    column: Column,
    optional: bool,
    cell: fn(&T) -> Cell,
}

pub(super) const fn must<T>(
    group: &'static str,
    title: &'static str,
    rank: u8,
    cell: fn(&T) -> Cell,
) -> Spec<T> {
    let numeric = true;
    Spec {
        column: Column {
            group,
            title,
            numeric,
            rank,
        },
        optional: false,
        cell,
    }
}

pub(super) const fn may<T>(
    group: &'static str,
    title: &'static str,
    rank: u8,
    cell: fn(&T) -> Cell,
) -> Spec<T> {
    Spec {
        optional: true,
        ..must(group, title, rank, cell)
    }
}

/// Every function with everything about its requests, times and environments.
pub(super) fn functions(functions: &[(String, FunctionSummary)]) -> Option<Table> {
    const REQUESTS: &str = "Requests";
    const CALLS: &str = "Calls";
    const LATENCY: &str = "Latency";
    const HANDLER: &str = "Handler";
    const INIT: &str = "Initialisation";
    const RESTORE: &str = "Restore";
    const EXTENSIONS: &str = "Extensions";
    const CONCURRENCY: &str = "Concurrency";
    const ENVIRONMENTS: &str = "Environments";
    const PROVISIONED: &str = "Provisioned concurrency";
    let specs: [Spec<FunctionSummary>; 49] = [
        must(REQUESTS, "invoked", 0, |f| count(f.invocations)),
        may(REQUESTS, "errors", 1, |f| bad(f.errors)),
        may(REQUESTS, "error %", 9, |f| {
            share(f.errors.value, f.invocations.value)
        }),
        may(REQUESTS, "timeouts", 8, |f| bad(f.timeouts)),
        may(REQUESTS, "crashes", 8, |f| bad(f.crashes)),
        may(REQUESTS, "init errors", 8, |f| bad(f.init_errors)),
        may(REQUESTS, "throttled", 0, |f| bad(f.throttles)),
        may(REQUESTS, "for slots", 9, |f| bad(f.concurrency_throttles)),
        may(REQUESTS, "for CPU", 9, |f| bad(f.cpu_throttles)),
        may(REQUESTS, "throttled %", 9, |f| {
            share(f.throttles.value, f.invocations.value + f.throttles.value)
        }),
        may(REQUESTS, "cold", 4, |f| count(f.cold_starts)),
        may(REQUESTS, "cold %", 3, |f| percent(f.cold_start_share)),
        may(REQUESTS, "retries", 8, |f| count(f.client_retries)),
        may(CALLS, "answered", 5, |f| told(f, count(f.calls_answered))),
        may(CALLS, "answered %", 3, |f| {
            told(f, percent(f.calls_answered_share))
        }),
        may(CALLS, "given up", 2, |f| told(f, bad(f.calls_abandoned))),
        may(CALLS, "too slow", 6, |f| bad(f.client_timeouts)),
        may(CALLS, "attempts each", 6, |f| {
            told(
                f,
                figure(f.attempts_per_call, |each| numbers::trimmed(each, 2)),
            )
        }),
        must(LATENCY, "p50", 1, |f| millis(f.latency.p50)),
        must(LATENCY, "p90", 7, |f| millis(f.latency.p90)),
        must(LATENCY, "p95", 3, |f| millis(f.latency.p95)),
        must(LATENCY, "p99", 0, |f| millis(f.latency.p99)),
        must(LATENCY, "p99.9", 5, |f| millis(f.latency.p999)),
        must(LATENCY, "max", 4, |f| millis(f.latency.max)),
        must(LATENCY, "mean", 10, |f| millis(f.latency.mean)),
        may(HANDLER, "p50", 11, |f| millis(f.duration.p50)),
        may(HANDLER, "p99", 11, |f| millis(f.duration.p99)),
        may(HANDLER, "max", 12, |f| millis(f.duration.max)),
        may(HANDLER, "mean", 12, |f| millis(f.duration.mean)),
        may(INIT, "p50", 13, |f| millis(f.init_duration.p50)),
        may(INIT, "p99", 13, |f| millis(f.init_duration.p99)),
        may(RESTORE, "invoked", 12, |f| count(f.snap_start_invocations)),
        may(RESTORE, "count", 12, |f| count(f.restores)),
        may(RESTORE, "p50", 13, |f| millis(f.restore_duration.p50)),
        may(RESTORE, "p99", 13, |f| millis(f.restore_duration.p99)),
        may(EXTENSIONS, "p50", 13, |f| {
            millis(f.post_runtime_extensions_duration.p50)
        }),
        may(EXTENSIONS, "p99", 13, |f| {
            millis(f.post_runtime_extensions_duration.p99)
        }),
        must(CONCURRENCY, "mean", 6, |f| {
            level(f.concurrent_executions.mean)
        }),
        must(CONCURRENCY, "max", 2, |f| {
            count(f.concurrent_executions.max)
        }),
        may(PROVISIONED, "invoked", 5, |f| {
            count(f.provisioned_concurrency_invocations)
        }),
        may(PROVISIONED, "spilled over", 4, |f| {
            count(f.provisioned_concurrency_spillover_invocations)
        }),
        may(PROVISIONED, "allocated, mean", 6, |f| {
            level(f.allocated_provisioned_concurrent_executions.mean)
        }),
        may(PROVISIONED, "max", 8, |f| {
            count(f.allocated_provisioned_concurrent_executions.max)
        }),
        may(PROVISIONED, "used %", 6, |f| {
            percent(f.provisioned_concurrency_utilization.mean)
        }),
        may(PROVISIONED, "recycled", 9, |f| {
            count(f.provisioned_recycled)
        }),
        may(PROVISIONED, "refused", 7, |f| bad(f.scalings_refused)),
        may(ENVIRONMENTS, "mean", 14, |f| level(f.environments.mean)),
        may(ENVIRONMENTS, "max", 14, |f| count(f.environments.max)),
        may(ENVIRONMENTS, "lifespan", 15, |f| {
            millis(scaled(f.environment_lifespan_s, 1e3))
        }),
    ];
    table("Functions", "function", &specs, functions)
}

/// Where callers neither wait in vain nor try again, their calls are the requests, and nothing more is to be told.
fn told(function: &FunctionSummary, cell: Cell) -> Cell {
    if function.client_retries.value + function.client_timeouts.value > 0.0 {
        cell
    } else {
        Cell::default().toned(Tone::Faint)
    }
}

/// All functions together, where there are several.
pub(super) fn account(account: &AccountSummary) -> Option<Table> {
    const LARGEST: &str = "Concurrency, largest";
    let specs: [Spec<AccountSummary>; 3] = [
        must(LARGEST, "busy", 0, |a| count(a.concurrent_executions)),
        must(LARGEST, "unreserved", 1, |a| {
            count(a.unreserved_concurrent_executions)
        }),
        must(LARGEST, "claimed", 1, |a| {
            count(a.claimed_account_concurrency)
        }),
    ];
    table(
        "Account",
        "account",
        &specs,
        &[("all functions".to_owned(), account.clone())],
    )
}

/// Every mapping: what went in, what came out, what was given up, and how late.
pub(super) fn mappings(mappings: &[(String, MappingSummary)]) -> Option<Table> {
    const RECORDS: &str = "Records";
    const LOST: &str = "Failed records";
    const WRITES: &str = "Writes";
    const BATCHES: &str = "Batches";
    const READS: &str = "Reads";
    const AGE: &str = "Age when sent";
    const LATENCY: &str = "Age when done";
    const BACKLOG: &str = "Backlog";
    const WINDOWS: &str = "Windows";
    const DELETES: &str = "Deletes";
    const IN_FLIGHT: &str = "In flight";
    const KAFKA: &str = "Kafka";
    const LAG: &str = "Offset lag";
    const OLDEST: &str = "Age of the oldest";
    let specs: [Spec<MappingSummary>; 56] = [
        Spec {
            column: Column {
                group: RECORDS,
                title: "source",
                numeric: false,
                rank: 5,
            },
            optional: false,
            cell: |m| Cell::new(m.source_type.clone()),
        },
        Spec {
            column: Column {
                group: RECORDS,
                title: "last result",
                numeric: false,
                rank: 6,
            },
            // A mapping whose last word was good needs none here.
            optional: true,
            cell: last_result,
        },
        must(RECORDS, "incoming", 1, |m| count(m.incoming_records)),
        must(RECORDS, "polled", 7, |m| count(m.polled_event_count)),
        must(RECORDS, "invoked", 0, |m| count(m.invoked_event_count)),
        may(RECORDS, "filtered", 5, |m| {
            count(m.filtered_out_event_count)
        }),
        may(RECORDS, "deleted", 6, |m| count(m.deleted_event_count)),
        may(LOST, "failed", 2, |m| bad(m.failed_invoke_event_count)),
        may(LOST, "dropped", 1, |m| bad(m.dropped_event_count)),
        may(LOST, "diverted", 3, |m| {
            bad(m.on_failure_destination_delivered_event_count)
        }),
        may(LOST, "dead-lettered", 3, |m| bad(m.dead_lettered)),
        may(LOST, "visible too early", 4, |m| bad(m.visible_too_early)),
        may(LOST, "redelivered", 4, |m| bad(m.redelivered)),
        may(LOST, "oversized", 4, |m| bad(m.oversized_record_count)),
        may(LOST, "refused by destination", 4, |m| {
            bad(m.destination_delivery_failures)
        }),
        may(LOST, "trimmed", 3, |m| bad(m.trimmed_records)),
        may(WRITES, "throttled", 3, |m| bad(m.write_throttles)),
        may(WRITES, "lost", 3, |m| bad(m.writes_lost)),
        must(BATCHES, "sent", 8, |m| count(m.batches)),
        may(BATCHES, "throttled", 6, |m| bad(m.throttled_batches)),
        may(BATCHES, "records p50", 9, |m| plain(m.batch_records.p50)),
        may(BATCHES, "records mean", 9, |m| level(m.batch_records.mean)),
        may(WINDOWS, "closed", 6, |m| count(m.windows_closed)),
        may(WINDOWS, "ended early", 6, |m| {
            bad(m.windows_terminated_early)
        }),
        may(READS, "all", 10, |m| count(m.reads)),
        may(READS, "empty", 11, |m| count(m.empty_reads)),
        may(READS, "throttled", 5, |m| bad(m.read_throttles)),
        may(READS, "over limit", 5, |m| bad(m.over_limit_receives)),
        may(DELETES, "calls", 12, |m| count(m.delete_calls)),
        may(IN_FLIGHT, "max", 12, |m| {
            count(m.approximate_number_of_messages_not_visible.max)
        }),
        may(IN_FLIGHT, "end", 13, |m| {
            count(m.approximate_number_of_messages_not_visible.end)
        }),
        may(OLDEST, "max", 8, |m| {
            millis(m.approximate_age_of_oldest_message.max)
        }),
        may(OLDEST, "mean", 13, |m| {
            millis(m.approximate_age_of_oldest_message.mean)
        }),
        must(AGE, "p50", 4, |m| millis(m.iterator_age.p50)),
        must(AGE, "p95", 9, |m| millis(m.iterator_age.p95)),
        must(AGE, "p99", 1, |m| millis(m.iterator_age.p99)),
        must(AGE, "max", 0, |m| millis(m.iterator_age.max)),
        may(LATENCY, "p50", 12, |m| millis(m.record_latency.p50)),
        may(LATENCY, "p95", 12, |m| millis(m.record_latency.p95)),
        may(LATENCY, "p99", 12, |m| millis(m.record_latency.p99)),
        may(LATENCY, "max", 12, |m| millis(m.record_latency.max)),
        must(BACKLOG, "max", 1, |m| count(m.backlog.max)),
        must(BACKLOG, "end", 0, |m| count(m.backlog.end)),
        may(BACKLOG, "in hand at the end", 13, |m| count(m.in_hand.end)),
        may(KAFKA, "committed", 10, |m| {
            of_kafka(m, |it| count(it.committed_event_count))
        }),
        may(KAFKA, "consumers, mean", 6, |m| {
            of_kafka(m, |it| level(it.consumers.mean))
        }),
        may(KAFKA, "max", 3, |m| {
            of_kafka(m, |it| count(it.consumers.max))
        }),
        may(KAFKA, "rebalances", 7, |m| {
            of_kafka(m, |it| count(it.rebalances))
        }),
        may(KAFKA, "partitions moved", 8, |m| {
            of_kafka(m, |it| count(it.partitions_moved))
        }),
        may(KAFKA, "read in vain", 8, |m| {
            of_kafka(m, |it| bad(it.returned_event_count))
        }),
        may(KAFKA, "polling errors", 5, |m| {
            of_kafka(m, |it| bad(it.polling_error_count))
        }),
        may(KAFKA, "invoke errors", 5, |m| {
            of_kafka(m, |it| bad(it.invoke_error_count))
        }),
        may(KAFKA, "commit errors", 5, |m| {
            of_kafka(m, |it| bad(it.commit_error_count))
        }),
        may(LAG, "of a partition, mean", 11, |m| {
            of_kafka(m, |it| level(it.offset_lag.mean))
        }),
        may(LAG, "max", 4, |m| {
            of_kafka(m, |it| count(it.max_offset_lag.max))
        }),
        may(LAG, "sum, max", 6, |m| {
            of_kafka(m, |it| count(it.sum_offset_lag.max))
        }),
    ];
    table("Mappings", "mapping", &specs, mappings)
}

/// Nothing for other sources.
fn of_kafka(mapping: &MappingSummary, show: fn(&KafkaFigures) -> Cell) -> Cell {
    let cell = mapping.kafka.as_ref().map(show);
    cell.unwrap_or_else(|| Cell::new("").toned(Tone::Faint))
}

fn last_result(mapping: &MappingSummary) -> Cell {
    let text = mapping.last_processing_result.as_deref().unwrap_or("");
    let tone = match text {
        "" | "OK" => Tone::Faint,
        problem if problem.starts_with("PROBLEM") => Tone::Bad,
        _ => Tone::Plain,
    };
    Cell::new(text).toned(tone)
}

/// Refusals by AWS's reasons: only reasons and functions that have some.
pub(super) fn throttles(functions: &[(String, FunctionSummary)]) -> Option<Table> {
    let subjects = functions.iter();
    let parts = subjects.map(|(name, one)| (name, one.throttles, reasons(one)));
    by_reason("Throttles by reason", ["function", "requests"], parts)
}

/// Messages in dead-letter queues by what last brought each back: only reasons and mappings that have some.
pub(super) fn dead_letters(mappings: &[(String, MappingSummary)]) -> Option<Table> {
    let subjects = mappings.iter();
    let parts = subjects.map(|(name, one)| (name, one.dead_lettered, returns(one)));
    by_reason("Dead-lettered by reason", ["mapping", "messages"], parts)
}

/// The parts of a sum: a row for each that is not zero.
fn by_reason<'a, const N: usize>(
    caption: &'static str,
    [subject, counted]: [&'static str; 2],
    parts: impl Iterator<Item = (&'a String, Figure, [(&'static str, Figure); N])>,
) -> Option<Table> {
    let column = |title, numeric, rank| Column {
        group: "",
        title,
        numeric,
        rank,
    };
    let mut rows = Vec::new();
    for (name, all, reasons) in parts {
        let given = reasons.into_iter().filter(|(_, part)| part.value > 0.0);
        rows.extend(given.map(|(reason, part)| {
            vec![
                Cell::new(name.clone()),
                Cell::new(reason),
                count(part),
                share(part.value, all.value),
            ]
        }));
    }
    (!rows.is_empty()).then(|| Table {
        caption,
        columns: vec![
            column(subject, false, 0),
            column("reason", false, 0),
            column(counted, true, 0),
            column("share", true, 1),
        ],
        rows,
    })
}

fn returns(mapping: &MappingSummary) -> [(&'static str, Figure); 7] {
    let by = &mapping.dead_letter_reasons;
    [
        ("the function failed", by.function_error),
        ("reported by the function", by.reported),
        ("throttled", by.throttled),
        ("the target was out of reach", by.service_error),
        ("not deleted in time", by.delete_failed),
        ("visibility timeout too short", by.visibility_too_short),
        ("connection lost", by.connection_lost),
    ]
}

fn reasons(function: &FunctionSummary) -> [(&'static str, Figure); 5] {
    let by = &function.throttle_reasons;
    [
        (
            "ConcurrentInvocationLimitExceeded",
            by.concurrent_invocation_limit_exceeded,
        ),
        (
            "ReservedFunctionConcurrentInvocationLimitExceeded",
            by.reserved_function_concurrent_invocation_limit_exceeded,
        ),
        (
            "FunctionInvocationRateLimitExceeded",
            by.function_invocation_rate_limit_exceeded,
        ),
        (
            "ReservedFunctionInvocationRateLimitExceeded",
            by.reserved_function_invocation_rate_limit_exceeded,
        ),
        ("CallerRateLimitExceeded", by.caller_rate_limit_exceeded),
    ]
}

/// Thresholds with what was measured.
pub(super) fn gates(gates: &[GateResult]) -> Option<Table> {
    let column = |title, numeric, rank| Column {
        group: "",
        title,
        numeric,
        rank,
    };
    let rows = gates.iter().map(|gate| {
        let (word, tone) = if gate.pass {
            ("pass", Tone::Good)
        } else {
            ("FAIL", Tone::Bad)
        };
        vec![
            Cell::new(word).toned(tone),
            Cell::new(gate.metric.clone()),
            Cell::new(gate.statistic.clone()),
            Cell::new(gate.bound.clone()),
            Cell::new(numbers::trimmed(gate.value, 4)),
        ]
    });
    (!gates.is_empty()).then(|| Table {
        caption: "Gates",
        columns: vec![
            column("result", false, 0),
            column("metric", false, 0),
            column("statistic", false, 0),
            column("bound", true, 0),
            column("value", true, 0),
        ],
        rows: rows.collect(),
    })
}

pub(super) fn table<T>(
    caption: &'static str,
    subject: &'static str,
    specs: &[Spec<T>],
    entries: &[(String, T)],
) -> Option<Table> {
    let kept: Vec<&Spec<T>> = specs
        .iter()
        .filter(|spec| {
            let silent = |entry: &(String, T)| (spec.cell)(&entry.1).tone == Tone::Faint;
            !spec.optional || !entries.iter().all(silent)
        })
        .collect();
    let name = Column {
        group: "",
        title: subject,
        numeric: false,
        rank: 0,
    };
    let columns = std::iter::once(name).chain(kept.iter().map(|spec| spec.column));
    let rows = entries.iter().map(|(name, entry)| {
        let cells = kept.iter().map(|spec| (spec.cell)(entry));
        std::iter::once(Cell::new(name.clone()))
            .chain(cells)
            .collect()
    });
    (!entries.is_empty()).then(|| Table {
        caption,
        columns: columns.collect(),
        rows: rows.collect(),
    })
}

/// A figure with its spread, both formatted alike.
pub(super) fn figure(figure: Figure, show: impl Fn(f64) -> String) -> Cell {
    let silent = !figure.value.is_finite() || figure.value == 0.0;
    Cell {
        text: show(figure.value),
        spread: figure.interval.map(|(low, high)| show((high - low) / 2.0)),
        tone: if silent { Tone::Faint } else { Tone::Plain },
    }
}

/// Means of counts have a fraction, which only matters where they are small.
pub(super) fn count(value: Figure) -> Cell {
    let decimals = if value.value.abs() < 1_000.0 {
        value.decimals.min(1)
    } else {
        0
    };
    figure(value, |number| numbers::trimmed(number, decimals))
}

pub(super) fn bad(value: Figure) -> Cell {
    let cell = count(value);
    let tone = if value.value > 0.0 {
        Tone::Bad
    } else {
        cell.tone
    };
    cell.toned(tone)
}

fn level(value: Figure) -> Cell {
    figure(value, |number| numbers::grouped(number, 1))
}

fn plain(value: Figure) -> Cell {
    figure(value, |number| numbers::trimmed(number, 1))
}

pub(super) fn millis(value: Figure) -> Cell {
    figure(value, numbers::millis)
}

pub(super) fn percent(value: Figure) -> Cell {
    figure(value, numbers::percent)
}

fn share(part: f64, whole: f64) -> Cell {
    percent(Figure::new(if whole > 0.0 { part / whole } else { 0.0 }, 6))
}

fn scaled(figure: Figure, factor: f64) -> Figure {
    Figure {
        value: figure.value * factor,
        interval: figure
            .interval
            .map(|(low, high)| (low * factor, high * factor)),
        ..figure
    }
}
