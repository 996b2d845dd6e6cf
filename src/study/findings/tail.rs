//! What the slowest calls wait for, when it is neither the handler nor a cold start.

use super::scene::Worker;
use super::words::{advised, count, finding};
use crate::metrics::numbers::{millis, percent, trimmed};
use crate::metrics::{Finding, Severity};

/// Latency at p99 this much above the handler's has another cause.
const LONGER: f64 = 1.5;

pub(super) fn of(worker: Worker<'_>) -> Option<Finding> {
    let figures = worker.figures;
    let (latency, handler) = (figures.latency.p99.value, figures.duration.p99.value);
    let retried = figures.client_retries.value / figures.calls.value;
    // Cold starts of a hundredth of the invocations have a finding of their own.
    let cold = figures.cold_start_share.value >= 0.01;
    if !(latency >= LONGER * handler && retried >= 0.01) || cold {
        return None;
    }
    let sentence = format!(
        "At p99 callers waited {} for a handler that takes {}: {} retries for {} calls ({}; {} attempts each on average), with the waits between them.",
        millis(latency),
        millis(handler),
        count(figures.client_retries.value),
        count(figures.calls.value),
        percent(retried),
        trimmed(figures.attempts_per_call.value, 2)
    );
    let cause = if figures.throttles.value > figures.errors.value {
        format!("{} requests were refused", count(figures.throttles.value))
    } else {
        format!("{} invocations failed", count(figures.errors.value))
    };
    let found = finding(
        Severity::Note,
        "tail-of-retries",
        worker.name(),
        worker.measure("Latency.p99"),
        sentence,
    );
    let text = format!("Look at what they retry first: {cause}.");
    Some(advised(found, text, Vec::new()))
}
