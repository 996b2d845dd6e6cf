//! Asynchronous events of functions: a table and charts, for those that are called that way.

use super::charts::{At, Draft};
use super::tables::{self, Spec, bad, count, may, millis, must};
use super::view::{Axis, Chart, Colour, Table};
use crate::metrics::{AsyncRow, FunctionSummary, Series};

/// Functions that received events, with what became of them.
pub(super) fn table(functions: &[(String, FunctionSummary)]) -> Option<Table> {
    const EVENTS: &str = "Events";
    const ENDS: &str = "Ends";
    const TOLD: &str = "Told";
    const AGE: &str = "Age when invoked";
    const BACKLOG: &str = "Backlog";
    let specs: [Spec<FunctionSummary>; 19] = [
        must(EVENTS, "received", 0, |f| {
            count(f.asynchronous.async_events_received)
        }),
        may(EVENTS, "duplicates", 6, |f| {
            count(f.asynchronous.async_duplicates)
        }),
        may(EVENTS, "retries", 3, |f| {
            count(f.asynchronous.async_retries)
        }),
        must(ENDS, "success", 1, |f| {
            count(f.asynchronous.async_conditions.success)
        }),
        may(ENDS, "retries exhausted", 1, |f| {
            bad(f.asynchronous.async_conditions.retries_exhausted)
        }),
        may(ENDS, "too old", 1, |f| {
            bad(f.asynchronous.async_conditions.event_age_exceeded)
        }),
        may(ENDS, "zero reserved", 1, |f| {
            bad(f.asynchronous.async_conditions.zero_reserved_concurrency)
        }),
        may(ENDS, "nobody told", 2, |f| {
            bad(f.asynchronous.async_events_lost)
        }),
        may(TOLD, "on success", 5, |f| {
            count(f.asynchronous.destination_deliveries.on_success)
        }),
        may(TOLD, "on failure", 4, |f| {
            count(f.asynchronous.destination_deliveries.on_failure)
        }),
        may(TOLD, "refused", 4, |f| {
            bad(f.asynchronous.destination_delivery_failures)
        }),
        may(TOLD, "dead-lettered", 4, |f| {
            count(f.asynchronous.dead_letters_delivered)
        }),
        may(TOLD, "not dead-lettered", 5, |f| {
            bad(f.asynchronous.dead_letter_errors)
        }),
        must(AGE, "p50", 3, |f| {
            millis(f.asynchronous.async_event_age.p50)
        }),
        must(AGE, "p99", 2, |f| {
            millis(f.asynchronous.async_event_age.p99)
        }),
        must(AGE, "max", 1, |f| {
            millis(f.asynchronous.async_event_age.max)
        }),
        may(AGE, "mean", 7, |f| {
            millis(f.asynchronous.async_event_age.mean)
        }),
        must(BACKLOG, "max", 1, |f| {
            count(f.asynchronous.async_backlog.max)
        }),
        must(BACKLOG, "end", 0, |f| {
            count(f.asynchronous.async_backlog.end)
        }),
    ];
    let called: Vec<(String, FunctionSummary)> = functions
        .iter()
        .filter(|(_, one)| {
            let it = &one.asynchronous;
            it.async_events_received.value > 0.0 || it.async_backlog.max.value > 0.0
        })
        .cloned()
        .collect();
    tables::table("Asynchronous events", "function", &specs, &called)
}

/// What waits and how old it is, and what becomes of it.
pub(super) fn charts(series: &Series, rows: &[AsyncRow]) -> Vec<Chart> {
    if rows.is_empty() {
        return Vec::new();
    }
    let draft = Draft { series, rows };
    let backlog = draft.line("in the queue", Colour::Blue, At::End, |row| {
        row.backlog as f64
    });
    let ages = vec![
        draft.line("largest", Colour::Sky, At::Middle, |row| row.age_max),
        draft.noisy("mean", Colour::Blue, |row| row.age_mean),
    ];
    let ends = vec![
        draft.noisy_rate("received", Colour::Sky, |row| row.received),
        draft.noisy_rate("success", Colour::Green, |row| row.succeeded),
        draft.noisy_rate("retries", Colour::Orange, |row| row.retries),
        draft.noisy_rate("dropped", Colour::Vermilion, |row| row.dropped),
        draft.noisy_rate("dropped, nobody told", Colour::Purple, |row| row.lost),
    ];
    const NONE: &str = "No asynchronous events in this run";
    vec![
        draft
            .chart("Asynchronous backlog", Axis::Count("events"), vec![backlog])
            .or_empty("No event ever waited for long")
            .filled(),
        draft
            .chart("Age of events when invoked", Axis::Time, ages)
            .or_empty("No event ever waited"),
        draft
            .chart("Asynchronous events", Axis::Rate("events"), ends)
            .or_empty(NONE),
    ]
}
