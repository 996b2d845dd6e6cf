//! Which charts a run gets, and the lines in them.

mod callers;
mod draft;
mod kafka;
mod latency;

use super::view::{Axis, Chart, Colour, Line, Subject};
use super::{asynchronous, numbers, versions};
use crate::engine::lambda::ThrottleReason;
use crate::metrics::{
    DeadLetterReason, FunctionRow, FunctionSeries, FunctionSummary, MappingRow, MappingSeries,
    Series, ShardSeries,
};

pub(super) use draft::{At, Draft};
pub(super) use latency::beside;

/// `m:ss`, or `h:mm` from two hours on, for axes and notes.
pub(super) fn clock(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    if whole < 7_200 {
        format!("{}:{:02}", whole / 60, whole % 60)
    } else {
        format!("{}:{:02} h", whole / 3_600, whole / 60 % 60)
    }
}

/// The charts of every function and mapping, in file order.
pub(super) fn subjects(series: &Series, shown: &[(String, FunctionSummary)]) -> Vec<Subject> {
    // Both lists are in file order, so that one walk finds the series of those that are shown.
    let mut names = shown.iter().map(|(name, _)| name).peekable();
    let functions = series
        .functions
        .iter()
        .filter(|one| names.next_if(|name| **name == one.name).is_some());
    let functions = functions.map(|one| function(series, one));
    let mappings = series.mappings.iter().map(|one| mapping(series, one));
    functions
        .chain(callers::account(series))
        .chain(mappings)
        .filter(|subject| subject.charts.iter().any(|chart| chart.end_s > 0.0))
        .collect()
}

fn function(series: &Series, function: &FunctionSeries) -> Subject {
    let draft = Draft {
        series,
        rows: &function.rows,
    };
    let mut charts = vec![
        requests(&draft),
        latency(&draft),
        concurrency(&draft, function.concurrency_limit),
        throttles(&draft),
        cold_starts(&draft),
    ];
    if function.rows.iter().any(|row| row.allocated_mean > 0.0) {
        charts.insert(3, provisioned(&draft));
    }
    if function.rows.iter().any(|row| row.client_retries > 0) {
        charts.insert(1, callers::calls(&draft));
    }
    charts.extend(latency::charts(&function.latencies));
    charts.extend(asynchronous::charts(series, &function.asynchronous));
    charts.extend(versions::charts(series, &function.name));
    Subject {
        name: function.name.clone(),
        kind: "function",
        charts,
    }
}

/// Provisioned against used, and what ran beside it: the picture by which the developer guide explains scaling.
fn provisioned(draft: &Draft<'_, FunctionRow>) -> Chart {
    let lines = vec![
        draft.line("function instances", Colour::Sky, At::End, |row| {
            f64::from(row.environments)
        }),
        draft.line(
            "provisioned concurrency",
            Colour::Green,
            At::Middle,
            |row| row.allocated_mean,
        ),
        draft.noisy("open requests", Colour::Blue, |row| row.concurrency_mean),
        draft.noisy("of these on provisioned", Colour::Purple, |row| {
            row.provisioned_mean
        }),
        draft.noisy("of these on standard", Colour::Orange, |row| {
            (row.concurrency_mean - row.provisioned_mean).max(0.0)
        }),
    ];
    draft.chart(
        "Provisioned concurrency",
        Axis::Count("environments"),
        lines,
    )
}

fn requests(draft: &Draft<'_, FunctionRow>) -> Chart {
    let lines = vec![
        draft.noisy_rate("invocations", Colour::Blue, |row| row.invocations),
        draft.noisy_rate("errors", Colour::Vermilion, |row| row.errors),
    ];
    draft
        .chart("Invocations and errors", Axis::Rate("requests"), lines)
        .or_empty("No invocations in this run")
}

fn latency(draft: &Draft<'_, FunctionRow>) -> Chart {
    let lines = vec![
        draft.noisy("p50", Colour::Blue, |row| row.latency_p50),
        draft.noisy("p95", Colour::Orange, |row| row.latency_p95),
        draft.noisy("p99", Colour::Purple, |row| row.latency_p99),
    ];
    draft
        .chart("Latency", Axis::Time, lines)
        .or_empty("No invocations in this run")
        .log_if_wide()
}

fn concurrency(draft: &Draft<'_, FunctionRow>, limit: u32) -> Chart {
    let lines = vec![
        draft.line("environments", Colour::Green, At::End, |row| {
            f64::from(row.environments)
        }),
        draft.line("busy, largest", Colour::Sky, At::Middle, |row| {
            f64::from(row.concurrency_max)
        }),
        draft.noisy("busy, mean", Colour::Blue, |row| row.concurrency_mean),
    ];
    draft
        .chart("Concurrency", Axis::Count("environments"), lines)
        .or_empty("No invocations in this run")
        .limited("limit", limit)
}

fn throttles(draft: &Draft<'_, FunctionRow>) -> Chart {
    const REASONS: [(ThrottleReason, &str, Colour); 5] = [
        (
            ThrottleReason::ConcurrentInvocationLimitExceeded,
            "account's concurrency or growth",
            Colour::Vermilion,
        ),
        (
            ThrottleReason::ReservedFunctionConcurrentInvocationLimitExceeded,
            "reserved concurrency",
            Colour::Orange,
        ),
        (
            ThrottleReason::FunctionInvocationRateLimitExceeded,
            "invocation rate",
            Colour::Purple,
        ),
        (
            ThrottleReason::ReservedFunctionInvocationRateLimitExceeded,
            "reserved invocation rate",
            Colour::Blue,
        ),
        (
            ThrottleReason::CallerRateLimitExceeded,
            "caller's rate",
            Colour::Green,
        ),
    ];
    let lines = REASONS.map(|(reason, label, colour)| {
        draft.rate(label, colour, move |row| row.throttles[reason as usize])
    });
    draft
        .chart("Throttles by reason", Axis::Rate("requests"), lines.into())
        .or_empty("No throttles in this run")
        .filled()
}

fn cold_starts(draft: &Draft<'_, FunctionRow>) -> Chart {
    let line = draft.rate("cold starts", Colour::Blue, |row| row.cold_starts);
    draft
        .chart("Cold starts", Axis::Rate("cold starts"), vec![line])
        .or_empty("No cold starts in this run")
        .filled()
}

fn mapping(series: &Series, mapping: &MappingSeries) -> Subject {
    let draft = Draft {
        series,
        rows: &mapping.rows,
    };
    let mut charts = vec![
        backlog(&draft),
        age(&draft, mapping.stream),
        throughput(&draft),
        losses(&draft),
    ];
    if mapping.shards.len() > 1 {
        let by_shard = match mapping.kafka {
            false => ages_by_shard(&draft, mapping),
            true => kafka::lag_by_partition(&draft, mapping),
        };
        charts.insert(2, by_shard);
    }
    // Most streams are within their limits, and a chart of nothing says little.
    let refuses = |row: &MappingRow| {
        row.writes_throttled + row.writes_lost + row.reads_throttled + row.trimmed > 0
    };
    if mapping.rows.iter().any(refuses) {
        charts.push(refusals(&draft));
    }
    if mapping.kafka {
        kafka::replace(&draft, mapping, &mut charts);
    } else if !mapping.stream {
        // Only queue mappings decide how many batches they work on; a stream's shards decide for it.
        charts.insert(3, pollers(&draft));
        charts.insert(4, in_flight(&draft, mapping.in_flight_limit));
    }
    if mapping.rows.iter().any(|row| row.dead_letters.all() > 0) {
        charts.push(dead_letters(&draft));
    }
    Subject {
        name: mapping.name.clone(),
        kind: match (mapping.stream, mapping.kafka) {
            (true, _) => "stream mapping",
            (_, true) => "Kafka mapping",
            _ => "queue mapping",
        },
        charts,
    }
}

fn backlog(draft: &Draft<'_, MappingRow>) -> Chart {
    let line = draft.line("waiting", Colour::Blue, At::End, |row| row.backlog as f64);
    draft
        .chart("Backlog", Axis::Count("records"), vec![line])
        .or_empty("Nothing ever waited in this run")
        .filled()
}

fn age(draft: &Draft<'_, MappingRow>, stream: bool) -> Chart {
    if !stream {
        let line = draft.line("oldest", Colour::Purple, At::End, |row| row.oldest_age);
        return draft
            .chart("Age of the oldest message", Axis::Time, vec![line])
            .or_empty("No message was ever in the queue in this run")
            .log_if_wide();
    }
    let line = draft.line("largest", Colour::Purple, At::Middle, |row| row.age_max);
    draft
        .chart("Iterator age", Axis::Time, vec![line])
        .or_empty("Nothing was sent in this run")
        .log_if_wide()
}

fn in_flight(draft: &Draft<'_, MappingRow>, limit: u32) -> Chart {
    let line = draft.line("in flight", Colour::Sky, At::End, |row| {
        row.in_flight as f64
    });
    draft
        .chart("Messages in flight", Axis::Count("messages"), vec![line])
        .or_empty("No message was in flight at the end of a bin")
        .filled()
        .limited("the queue's limit", limit)
}

/// By what last brought each message back.
fn dead_letters(draft: &Draft<'_, MappingRow>) -> Chart {
    const LINES: [(&str, Colour); 6] = [
        ("the function failed", Colour::Vermilion),
        ("reported by the function", Colour::Orange),
        ("throttled", Colour::Purple),
        ("the target was out of reach", Colour::Sky),
        ("not deleted in time", Colour::Green),
        ("visibility timeout too short", Colour::Blue),
    ];
    let lines = DeadLetterReason::ALL.into_iter().zip(LINES);
    let lines = lines.map(|(reason, (label, colour))| {
        draft.rate(label, colour, move |row| row.dead_letters.of(reason))
    });
    draft
        .chart(
            "Dead-lettered by reason",
            Axis::Rate("messages"),
            lines.collect(),
        )
        .or_empty("Nothing was dead-lettered in this run")
}

fn ages_by_shard(draft: &Draft<'_, MappingRow>, mapping: &MappingSeries) -> Chart {
    let lines = by_shard(draft, mapping, "shard", At::Middle);
    draft
        .chart("Iterator age by shard", Axis::Time, lines)
        .or_empty("Nothing was sent in this run")
        .log_if_wide()
}

/// The shards that were furthest behind each have a line; the largest level of all others is one more.
fn by_shard(
    draft: &Draft<'_, MappingRow>,
    mapping: &MappingSeries,
    name: &str,
    at: At,
) -> Vec<Line> {
    const APART: [Colour; 5] = [
        Colour::Vermilion,
        Colour::Blue,
        Colour::Orange,
        Colour::Green,
        Colour::Purple,
    ];
    let largest = |ages: &[f32]| ages.iter().copied().fold(0.0, f32::max);
    let mut shards: Vec<&ShardSeries> = mapping.shards.iter().collect();
    shards.sort_by(|a, b| largest(&b.levels).total_cmp(&largest(&a.levels)));
    let (apart, rest) = shards.split_at(APART.len().min(shards.len()));
    let line = |label: String, colour, ages: &[f32]| {
        let values = ages.iter().map(|age| f64::from(*age)).collect();
        draft.values(label.into(), colour, at, values)
    };
    let mut lines: Vec<Line> = apart
        .iter()
        .zip(APART)
        .map(|(shard, colour)| {
            let share = numbers::percent(shard.share);
            line(
                format!("{name} {}, {share} of records", shard.number),
                colour,
                &shard.levels,
            )
        })
        .collect();
    let others = rest.iter().map(|shard| shard.levels.as_slice());
    let others: Vec<&[f32]> = others.chain(mapping.other_shards.as_deref()).collect();
    if !others.is_empty() {
        let bins = others.iter().map(|ages| ages.len()).max().unwrap_or(0);
        let ages: Vec<f32> = (0..bins)
            .map(|bin| {
                let of_bin = others.iter().filter_map(|ages| ages.get(bin).copied());
                // A missing value gives way to any other.
                of_bin.fold(f32::NAN, f32::max)
            })
            .collect();
        lines.push(line("all others, largest".to_owned(), Colour::Sky, &ages));
    }
    lines
}

fn throughput(draft: &Draft<'_, MappingRow>) -> Chart {
    let lines = vec![
        draft.noisy_rate("incoming", Colour::Orange, |row| row.incoming),
        draft.noisy_rate("delivered", Colour::Blue, |row| row.invoked),
        draft.noisy_rate("failed", Colour::Vermilion, |row| row.failed),
    ];
    draft
        .chart("Incoming and delivered", Axis::Rate("records"), lines)
        .or_empty("No records in this run")
}

fn pollers(draft: &Draft<'_, MappingRow>) -> Chart {
    let line = draft.line("batches at once", Colour::Green, At::End, |row| {
        f64::from(row.concurrency_limit)
    });
    draft
        .chart(
            "Concurrency allowed to the mapping",
            Axis::Count("batches"),
            vec![line],
        )
        .or_empty("No poller worked in this run")
        .filled()
}

fn losses(draft: &Draft<'_, MappingRow>) -> Chart {
    let lines = vec![
        draft.rate("invocations refused", Colour::Orange, |row| row.throttled),
        draft.rate("records discarded", Colour::Vermilion, |row| row.dropped),
        draft.rate("diverted to the destination", Colour::Blue, |row| {
            row.diverted
        }),
        draft.rate("dead-lettered", Colour::Purple, |row| {
            row.dead_letters.all()
        }),
    ];
    draft
        .chart(
            "Refused, discarded, dead-lettered",
            Axis::Rate("events"),
            lines,
        )
        .or_empty("Nothing refused, discarded or dead-lettered in this run")
}

/// What the limits of a stream kept out of it, or from being read.
fn refusals(draft: &Draft<'_, MappingRow>) -> Chart {
    let lines = vec![
        draft.rate("records refused", Colour::Orange, |row| {
            row.writes_throttled
        }),
        draft.rate("records lost", Colour::Vermilion, |row| row.writes_lost),
        draft.rate("reads refused", Colour::Blue, |row| row.reads_throttled),
        draft.rate("trimmed before they were read", Colour::Purple, |row| {
            row.trimmed
        }),
    ];
    draft
        .chart(
            "Refused and lost at the source",
            Axis::Rate("events"),
            lines,
        )
        .or_empty("The source refused nothing in this run")
}
