//! Records that were given up, and records that the source forgot.

use super::scene::Route;
use super::words::{advised, count, finding, set};
use crate::metrics::numbers::{millis, percent, seconds};
use crate::metrics::{Finding, Severity};
use crate::scenario::SourceModel;

/// A record this near to the end of its retention is as good as lost.
const NEAR: f64 = 0.5;

pub(super) fn of(route: Route<'_>) -> Vec<Finding> {
    let list = [given_up(route), trimmed(route), lost_writes(route)];
    list.into_iter().flatten().collect()
}

fn given_up(route: Route<'_>) -> Option<Finding> {
    let figures = route.figures;
    let dropped = figures.dropped_event_count.value;
    let told = figures.on_failure_destination_delivered_event_count.value;
    if dropped + told < 1.0 {
        return None;
    }
    let config = &route.mapping.config;
    let limits: Vec<String> = [
        config
            .maximum_retry_attempts
            .map(|times| format!("MaximumRetryAttempts = {times}")),
        config
            .maximum_record_age
            .map(|age| format!("MaximumRecordAgeInSeconds = {}", age.as_millis() / 1_000)),
    ]
    .into_iter()
    .flatten()
    .collect();
    let why = if limits.is_empty() {
        String::new()
    } else {
        format!(" under {}", limits.join(" and "))
    };
    let who = if told < 1.0 {
        "nobody was told".to_owned()
    } else if dropped < 1.0 {
        "the on-failure destination was told of each".to_owned()
    } else {
        format!(
            "the on-failure destination was told of {}, nobody of {}",
            count(told),
            count(dropped)
        )
    };
    let sentence = format!(
        "{} of {} records ({}) were given up{why}; {who}.",
        count(dropped + told),
        count(figures.polled_event_count.value),
        percent((dropped + told) / figures.polled_event_count.value)
    );
    let (severity, code, metric) = if dropped > 0.0 {
        (
            Severity::Problem,
            "records-dropped",
            "DroppedEventCount.Sum",
        )
    } else {
        (
            Severity::Warning,
            "records-diverted",
            "OnFailureDestinationDeliveredEventCount.Sum",
        )
    };
    let found = finding(
        severity,
        code,
        route.name(),
        route.measure(metric),
        sentence,
    );
    let several = config.batch_size > 1;
    if several && !config.report_batch_item_failures {
        let path = route.path("FunctionResponseTypes");
        let text = format!(
            "Let the function report the record that failed (ReportBatchItemFailures, {path}): the batch of up to {} is given up as a whole now.",
            config.batch_size
        );
        return Some(advised(
            found,
            text,
            vec![set(path, "[\"ReportBatchItemFailures\"]")],
        ));
    }
    if several && !config.bisect_batch_on_function_error {
        let path = route.path("BisectBatchOnFunctionError");
        let text = format!(
            "Halve batches that fail (BisectBatchOnFunctionError, {path}), so that only the bad records are given up."
        );
        return Some(advised(found, text, vec![set(path, true)]));
    }
    let text = if dropped > 0.0 && config.on_failure.is_none() {
        format!(
            "Name an on-failure destination ({}), which is told of what is given up.",
            route.path("DestinationConfig")
        )
    } else {
        "These records fail whatever is set: look at them at the destination.".to_owned()
    };
    Some(advised(found, text, Vec::new()))
}

fn trimmed(route: Route<'_>) -> Option<Finding> {
    let retention = match &route.source.kind {
        SourceModel::Stream(stream) => stream.retention,
        SourceModel::Kafka(topic) => topic.retention,
        SourceModel::Sqs { .. } | SourceModel::Broker(_) => return None,
    };
    let figures = route.figures;
    let gone = figures.trimmed_records.value;
    let oldest = figures.iterator_age.max.value;
    let kept = seconds(retention.as_secs_f64());
    let (severity, code, sentence) = if gone >= 1.0 {
        let sentence = format!(
            "{} of {} records ({}) were lost: the source keeps them for {kept}, and the mapping came later.",
            count(gone),
            count(figures.incoming_records.value),
            percent(gone / figures.incoming_records.value)
        );
        (Severity::Problem, "records-trimmed", sentence)
    } else if oldest >= NEAR * retention.as_millis_f64() {
        let sentence = format!(
            "Records were up to {} old when they were sent, of the {kept} for which the source keeps them.",
            millis(oldest)
        );
        (Severity::Problem, "near-retention", sentence)
    } else {
        return None;
    };
    let path = route.source_path("retention");
    let text = format!("Keep records longer ({path}), and see below what makes the mapping slow.",);
    let found = finding(
        severity,
        code,
        route.name(),
        route.measure("TrimmedRecords.Sum"),
        sentence,
    );
    Some(advised(found, text, Vec::new()))
}

fn lost_writes(route: Route<'_>) -> Option<Finding> {
    let figures = route.figures;
    let late = figures.write_throttles.value;
    let SourceModel::Stream(stream) = &route.source.kind else {
        return None;
    };
    if !(late >= 1.0 && late / figures.incoming_records.value >= 0.001) {
        return None;
    }
    let gone = figures.writes_lost.value;
    let sentence = format!(
        "{} of {} records ({}) could not be written at once, and {} not at all: a shard takes 1,000 records and 1 MiB a second.",
        count(late),
        count(figures.incoming_records.value),
        percent(late / figures.incoming_records.value),
        count(gone)
    );
    let severity = if gone > 0.0 {
        Severity::Problem
    } else {
        Severity::Warning
    };
    let found = finding(
        severity,
        "writes-throttled",
        route.name(),
        route.measure("WriteThrottles.Sum"),
        sentence,
    );
    let path = route.source_path("shards");
    let shards = stream
        .shards
        .iter()
        .filter(|shard| shard.opens.as_nanos() == 0)
        .count();
    let text = format!(
        "Add shards ({path}), or spread the partition keys if one shard has more than its share."
    );
    Some(advised(found, text, vec![set(path, 2 * shards)]))
}
