//! Asynchronous events that ended without success.

use super::scene::{Scene, Worker};
use super::words::{advised, count, finding, set};
use crate::metrics::numbers::{millis, percent};
use crate::metrics::{Finding, Severity};

pub(super) fn of(scene: Scene<'_>, worker: Worker<'_>) -> Vec<Finding> {
    let figures = &worker.figures.asynchronous;
    let dropped = figures.async_events_dropped.value;
    if dropped < 1.0 {
        return Vec::new();
    }
    let received = figures.async_events_received.value;
    let by = &figures.async_conditions;
    let lost = figures.async_events_lost.value;
    let config = &worker.config.event_invoke.config;
    let told = if lost >= dropped {
        "nobody was told of them".to_owned()
    } else if lost > 0.0 {
        format!("nobody was told of {} of them", count(lost))
    } else {
        "a destination or a dead-letter queue was told of each".to_owned()
    };
    let severity = if lost > 0.0 {
        Severity::Problem
    } else {
        Severity::Warning
    };
    let found = |code, sentence| {
        finding(
            severity,
            code,
            worker.name(),
            worker.measure("AsyncEventsDropped.Sum"),
            sentence,
        )
    };
    let path = |key: &str| worker.path(&format!("event_invoke.{key}"));
    let keep = if lost > 0.0 {
        format!(
            " What ends without success is kept by an OnFailure destination ({}).",
            path("DestinationConfig")
        )
    } else {
        String::new()
    };
    let mut list = Vec::new();
    if by.retries_exhausted.value >= 1.0 {
        let sentence = format!(
            "{} of {} events ({}) ended without success because the function failed {} times on each (RetriesExhausted); {told}.",
            count(by.retries_exhausted.value),
            count(received),
            percent(by.retries_exhausted.value / received),
            config.maximum_retry_attempts + 1
        );
        let text = format!(
            "Mend the function: {} of its {} invocations failed.{keep}",
            count(worker.figures.errors.value),
            count(worker.figures.invocations.value)
        );
        let more = config.maximum_retry_attempts < 2;
        let changes = if more {
            vec![set(path("MaximumRetryAttempts"), 2)]
        } else {
            Vec::new()
        };
        let text = if more {
            format!(
                "Allow both retries ({}). {text}",
                path("MaximumRetryAttempts")
            )
        } else {
            text
        };
        // A table that the file does not have cannot take a key.
        let changes = if *config == Default::default() {
            Vec::new()
        } else {
            changes
        };
        list.push(advised(
            found("events-retries-exhausted", sentence),
            text,
            changes,
        ));
    }
    if by.event_age_exceeded.value >= 1.0 {
        let sentence = format!(
            "{} of {} events ({}) ended because they were older than MaximumEventAgeInSeconds (EventAgeExceeded), with up to {} in the queue and an age of {} at p99; {told}.",
            count(by.event_age_exceeded.value),
            count(received),
            percent(by.event_age_exceeded.value / received),
            count(figures.async_backlog.max.value),
            millis(figures.async_event_age.p99.value)
        );
        let needed = scene.demand(worker).map(super::scene::Demand::enough);
        let reserved = worker.config.reserved_concurrency.zip(needed);
        let (room, changes) = match reserved {
            Some((has, needed)) if needed > has => {
                let path = worker.path("reserved_concurrency");
                (
                    format!(
                        "Raise its reserved concurrency to {needed} ({path}), or let events wait longer"
                    ),
                    vec![set(path, needed)],
                )
            }
            _ => ("Let events wait longer".to_owned(), Vec::new()),
        };
        let text = format!("{room} ({}).{keep}", path("MaximumEventAgeInSeconds"));
        list.push(advised(found("events-too-old", sentence), text, changes));
    }
    if by.zero_reserved_concurrency.value >= 1.0 {
        let sentence = format!(
            "{} of {} events ended because the function's reserved concurrency is 0 (ZeroReservedConcurrency); {told}.",
            count(by.zero_reserved_concurrency.value),
            count(received)
        );
        let setting = worker.path("reserved_concurrency");
        let text = format!("Raise its reserved concurrency ({setting}).{keep}");
        list.push(advised(
            found("events-to-a-stopped-function", sentence),
            text,
            Vec::new(),
        ));
    }
    list
}
