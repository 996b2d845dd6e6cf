//! Figures in Prometheus's text format (version 0.0.4).
//!
//! Names are CloudWatch's in Prometheus's manner: `tidegate_`, the words of the name in lower case with underscores, and
//! the unit or `total` behind. PolledEventCount is `tidegate_polled_event_count_total`. What CloudWatch has no name for is
//! named the same way. Help texts begin with CloudWatch's name where there is one.

use super::View;
use crate::poll::board::{Count, DURATION_BOUNDS, Face, State};
use crate::poll::counters::get;
use std::fmt::Write as _;
use std::sync::Arc;

/// What is counted for each mapping: CloudWatch's name, or one of ours in its manner, and what it means.
pub(crate) const COUNTERS: [(&str, Count, &str); 18] = [
    (
        "PolledEventCount",
        Count::Polled,
        "records read or received",
    ),
    (
        "FilteredOutEventCount",
        Count::FilteredOut,
        "records that the filters left out",
    ),
    (
        "InvokedEventCount",
        Count::Invoked,
        "records sent to the function, once for each delivery",
    ),
    (
        "FailedInvokeEventCount",
        Count::FailedInvoke,
        "records of invocations that failed",
    ),
    (
        "DeletedEventCount",
        Count::Deleted,
        "messages deleted from the queue",
    ),
    (
        "DroppedEventCount",
        Count::Dropped,
        "records given up of which no destination was told",
    ),
    (
        "OnFailureDestinationDeliveredEventCount",
        Count::Diverted,
        "records given up of which the on-failure destination was told",
    ),
    (
        "DestinationDeliveryFailures",
        Count::Refused,
        "invocation records that the destination did not take",
    ),
    (
        "CommittedEventCount",
        Count::Committed,
        "records of Kafka that stored offsets are beyond",
    ),
    ("Invocations", Count::Invocations, "invocations started"),
    (
        "Errors",
        Count::Errors,
        "invocations that ended with the function's error",
    ),
    (
        "Throttles",
        Count::Throttles,
        "invocations that were refused for lack of concurrency or rate",
    ),
    (
        "InvokeErrorCount",
        Count::InvokeErrors,
        "invocations for Kafka that failed or were refused",
    ),
    (
        "PollingErrorCount",
        Count::PollingErrors,
        "failed fetches from Kafka",
    ),
    (
        "CommitErrorCount",
        Count::CommitErrors,
        "offsets that could not be stored in Kafka",
    ),
    (
        "OversizedRecordCount",
        Count::Oversized,
        "messages of a broker that no event can hold",
    ),
    (
        "ReturnedEventCount",
        Count::Returned,
        "messages left to their visibility timeout or given back",
    ),
    (
        "CallFailureCount",
        Count::CallFailures,
        "failed calls to the source, the store or the destination",
    ),
];

/// `PolledEventCount` as `tidegate_polled_event_count`.
pub(crate) fn name(cloudwatch: &str) -> String {
    let mut name = "tidegate".to_owned();
    for letter in cloudwatch.chars() {
        if letter.is_ascii_uppercase() {
            name.push('_');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}

pub(super) fn text(view: &View) -> String {
    let faces = view.board.faces();
    let mut out = Text(String::with_capacity(4_096 + 4_096 * faces.len()));
    for (metric, count, help) in COUNTERS {
        let total = format!("{}_total", name(metric));
        out.family(&total, "counter", &format!("{metric}: {help}."));
        for (mapping, face) in &faces {
            out.sample(&total, &[("mapping", mapping)], face.count(count));
        }
    }
    durations(&mut out, &faces);
    gauges(&mut out, &faces);
    run(&mut out, view);
    out.0
}

fn durations(out: &mut Text, faces: &[(Arc<str>, Face)]) {
    let metric = "tidegate_duration_seconds";
    let help = "Duration: time from sending an event to its answer.";
    out.family(metric, "histogram", help);
    let bucket = format!("{metric}_bucket");
    for (mapping, face) in faces {
        let mut count = 0;
        for (bound, in_it) in DURATION_BOUNDS.iter().zip(face.durations.buckets) {
            count += in_it;
            let bound = bound.to_string();
            out.sample(&bucket, &[("mapping", mapping), ("le", &bound)], count);
        }
        let all = face.durations.count();
        out.sample(&bucket, &[("mapping", mapping), ("le", "+Inf")], all);
        let sum = face.durations.sum.as_secs_f64();
        out.sample(&format!("{metric}_sum"), &[("mapping", mapping)], sum);
        out.sample(&format!("{metric}_count"), &[("mapping", mapping)], all);
    }
}

fn gauges(out: &mut Text, faces: &[(Arc<str>, Face)]) {
    type Value = fn(&Face) -> Option<f64>;
    let gauges: [(&str, &str, Value); 7] = [
        (
            "tidegate_iterator_age_seconds",
            "IteratorAge: age of the last record of the last batch when it was sent.",
            |face| Some(face.iterator_age?.as_secs_f64()),
        ),
        (
            "tidegate_max_offset_lag",
            "MaxOffsetLag: the largest lag of a partition of Kafka, in offsets.",
            |face| Some(face.lag?.0 as f64),
        ),
        (
            "tidegate_sum_offset_lag",
            "SumOffsetLag: the lag of all partitions together, in offsets.",
            |face| Some(face.lag?.1 as f64),
        ),
        (
            "tidegate_concurrent_executions",
            "ConcurrentExecutions: invocations that are not answered yet.",
            |face| Some(face.in_flight.len() as f64),
        ),
        (
            "tidegate_records_in_hand",
            "Records that were read and are not finished or returned.",
            |face| Some(face.in_hand as f64),
        ),
        (
            "tidegate_concurrency_limit",
            "Batches at once of a queue, or consumers of Kafka, that the scaling rule allows now.",
            |face| face.concurrency.map(f64::from),
        ),
        (
            "tidegate_mapping_ready",
            "Whether the source has answered since the mapping was opened.",
            |face| Some(f64::from(u8::from(face.reached))),
        ),
    ];
    for (metric, help, value) in gauges {
        out.family(metric, "gauge", help);
        for (mapping, face) in faces {
            if let Some(value) = value(face) {
                out.sample(metric, &[("mapping", mapping)], value);
            }
        }
    }
    let metric = "tidegate_mapping_state";
    out.family(
        metric,
        "gauge",
        "State: 1 for the state that the mapping is in.",
    );
    for (mapping, face) in faces {
        for state in State::ALL {
            let value = u8::from(state == face.state);
            out.sample(
                metric,
                &[("mapping", mapping), ("state", state.name())],
                value,
            );
        }
    }
}

/// What belongs to no mapping.
fn run(out: &mut Text, view: &View) {
    let counters = &view.counters;
    let events = counters.events.totals();
    let totals = [
        (
            "AsyncEventsReceived",
            "events of the Invoke API that were queued",
            events.received,
        ),
        (
            "AsyncEventsDropped",
            "events that ended without success",
            events.dropped,
        ),
        (
            "DeadLetterErrors",
            "events that a dead-letter queue did not take",
            events.dead_letter_errors,
        ),
    ];
    for (metric, help, value) in totals {
        let total = format!("{}_total", name(metric));
        out.family(&total, "counter", &format!("{metric}: {help}."));
        out.sample(&total, &[], value);
    }
    let metric = "tidegate_sqs_requests_total";
    out.family(metric, "counter", "Calls to SQS, which are paid for.");
    for (call, counter) in [
        ("ReceiveMessage", &counters.receives),
        ("DeleteMessageBatch", &counters.delete_calls),
    ] {
        out.sample(metric, &[("call", call)], get(counter));
    }
    let metric = "tidegate_reloads_total";
    out.family(
        metric,
        "counter",
        "Times that the poller file was read again, by what came of it.",
    );
    let reloads = &view.board.reloads;
    for (result, counter) in [
        ("applied", &reloads.applied),
        ("refused", &reloads.refused),
        ("invalid", &reloads.invalid),
    ] {
        out.sample(metric, &[("result", result)], get(counter));
    }
    let metric = "tidegate_draining";
    out.family(metric, "gauge", "Whether the run is coming to its end.");
    out.sample(metric, &[], u8::from(view.board.is_draining()));
    let metric = "tidegate_start_time_seconds";
    out.family(
        metric,
        "gauge",
        "When the run began, in seconds since the Unix epoch.",
    );
    out.sample(metric, &[], view.clock.started().as_nanos() as f64 / 1e9);
    let metric = "tidegate_build_info";
    out.family(metric, "gauge", "Which tidegate this is.");
    out.sample(metric, &[("version", env!("CARGO_PKG_VERSION"))], 1);
}

/// A text that grows by families of samples.
struct Text(String);

impl Text {
    fn family(&mut self, metric: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {metric} {help}\n# TYPE {metric} {kind}");
    }

    fn sample(&mut self, metric: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        self.0.push_str(metric);
        for (at, (label, text)) in labels.iter().enumerate() {
            self.0.push(if at == 0 { '{' } else { ',' });
            let _ = write!(self.0, "{label}=\"");
            for letter in text.chars() {
                match letter {
                    '\\' => self.0.push_str("\\\\"),
                    '"' => self.0.push_str("\\\""),
                    '\n' => self.0.push_str("\\n"),
                    letter => self.0.push(letter),
                }
            }
            self.0.push('"');
        }
        if !labels.is_empty() {
            self.0.push('}');
        }
        let _ = writeln!(self.0, " {value}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cloudwatch_names_stay_recognisable() {
        assert_eq!(name("PolledEventCount"), "tidegate_polled_event_count");
        assert_eq!(name("Errors"), "tidegate_errors");
        let mut text = Text(String::new());
        text.sample("m", &[("a", "x\"y\\z\n"), ("b", "")], 3);
        assert_eq!(text.0, "m{a=\"x\\\"y\\\\z\\n\",b=\"\"} 3\n");
    }
}
