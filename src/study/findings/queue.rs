//! Messages of queues that reached the dead-letter queue, and messages that were worked on twice.

use super::scene::Route;
use super::words::{advised, count, finding, set};
use crate::metrics::numbers::{percent, seconds};
use crate::metrics::{Finding, Setting, Severity};
use crate::scenario::SourceModel;

/// AWS's advice: six times the function's timeout, and the batching window besides.
const VISIBILITY: f64 = 6.0;
/// AWS's advice for maxReceiveCount.
const RECEIVES: u32 = 5;

pub(super) fn of(route: Route<'_>) -> Vec<Finding> {
    let mut list: Vec<Finding> = dead_letters(route).into_iter().collect();
    list.extend(duplicates(route));
    list
}

fn dead_letters(route: Route<'_>) -> Option<Finding> {
    let figures = route.figures;
    let all = figures.dead_lettered.value;
    if all < 1.0 {
        return None;
    }
    let by = &figures.dead_letter_reasons;
    let reasons = [
        (by.function_error.value, "because the function failed"),
        (by.reported.value, "because the function reported them"),
        (by.throttled.value, "because the function refused them"),
        (by.service_error.value, "because Lambda had an error"),
        (by.delete_failed.value, "because they could not be deleted"),
        (
            by.visibility_too_short.value,
            "because their visibility timeout ended while they were worked on",
        ),
        (by.connection_lost.value, "because the connection was lost"),
    ];
    let mut told: Vec<(f64, &str)> = reasons
        .into_iter()
        .filter(|(count, _)| *count > 0.0)
        .collect();
    told.sort_by(|one, other| other.0.total_cmp(&one.0));
    let (_, most) = *told.first()?;
    let parts: Vec<String> = told
        .iter()
        .map(|(of, why)| format!("{} {why}", count(*of)))
        .collect();
    let after = match &route.source.kind {
        SourceModel::Sqs {
            max_receive_count: Some(times),
            ..
        } => format!(" after {times} receives"),
        _ => String::new(),
    };
    let sentence = format!(
        "{} of {} messages ({}) went to the dead-letter queue{after}: {}.",
        count(all),
        count(figures.incoming_records.value),
        percent(all / figures.incoming_records.value),
        parts.join(", ")
    );
    let found = finding(
        Severity::Problem,
        "dead-letters",
        route.name(),
        route.measure("DeadLettered.Sum"),
        sentence,
    );
    let (text, changes) = if most.contains("visibility") {
        visibility(route)
    } else if most.contains("refused") {
        capped(route)
    } else if most.contains("failed") || most.contains("reported") {
        failed(route)
    } else {
        receives(route)
    };
    Some(advised(found, text, changes))
}

fn duplicates(route: Route<'_>) -> Option<Finding> {
    let early = route.figures.visible_too_early.value;
    let SourceModel::Sqs {
        visibility_timeout, ..
    } = &route.source.kind
    else {
        return None;
    };
    if early < 1.0 {
        return None;
    }
    let sentence = format!(
        "{} messages became visible again while they were gathered or worked on, so others received them as well: {} were done for {} that came in, behind a visibility timeout of {}.",
        count(early),
        count(route.figures.succeeded_event_count.value),
        count(route.figures.incoming_records.value),
        seconds(visibility_timeout.as_secs_f64())
    );
    let found = finding(
        Severity::Warning,
        "done-twice",
        route.name(),
        route.measure("VisibleTooEarly.Sum"),
        sentence,
    );
    let (text, changes) = visibility(route);
    Some(advised(found, text, changes))
}

fn visibility(route: Route<'_>) -> (String, Vec<Setting>) {
    let timeout = route.worker.config.longest_timeout().as_secs_f64();
    let window = route.mapping.config.window.as_secs_f64();
    let advised = (VISIBILITY * timeout + window).ceil().min(43_200.0);
    let path = route.source_path("visibility_timeout");
    let text = format!(
        "Set the queue's visibility timeout to {} ({path}): six times the function's timeout of {}, plus the batching window of {}.",
        seconds(advised),
        seconds(timeout),
        seconds(window)
    );
    (text, vec![set(path, format!("\"{advised}s\""))])
}

fn capped(route: Route<'_>) -> (String, Vec<Setting>) {
    let limit = route.worker.limit.clamp(2, 1_000);
    let has = route.mapping.config.maximum_concurrency;
    if has.is_none_or(|cap| cap > route.worker.limit) && route.worker.limit >= 2 {
        let change = set(
            route.path("ScalingConfig"),
            format!("{{ MaximumConcurrency = {limit} }}"),
        );
        let text = format!(
            "Set ScalingConfig.MaximumConcurrency to {limit} ({}), the concurrency that the function may have: what has to wait then waits in the queue, and is not received in vain.",
            route.path("ScalingConfig.MaximumConcurrency")
        );
        return (text, vec![change]);
    }
    receives(route)
}

fn failed(route: Route<'_>) -> (String, Vec<Setting>) {
    let config = &route.mapping.config;
    if config.report_batch_item_failures || config.batch_size <= 1 {
        return receives(route);
    }
    let path = route.path("FunctionResponseTypes");
    let text = format!(
        "Let the function report which messages failed (ReportBatchItemFailures, {path}): a failure takes the whole batch of up to {} with it now.",
        config.batch_size
    );
    (text, vec![set(path, "[\"ReportBatchItemFailures\"]")])
}

fn receives(route: Route<'_>) -> (String, Vec<Setting>) {
    match &route.source.kind {
        SourceModel::Sqs {
            max_receive_count: Some(times),
            ..
        } if *times < RECEIVES => {
            let path = route.source_path("max_receive_count");
            let text = format!(
                "Allow at least {RECEIVES} receives (maxReceiveCount, {path}), as AWS advises for queues of Lambda."
            );
            (text, vec![set(path, RECEIVES)])
        }
        _ => (
            "Look at these messages and mend the function: no setting makes them succeed."
                .to_owned(),
            Vec::new(),
        ),
    }
}
