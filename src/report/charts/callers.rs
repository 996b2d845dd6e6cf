//! Charts of what callers ask for together: calls with their attempts, and the account's concurrency.

use super::{At, Draft};
use crate::metrics::{FunctionRow, Series};
use crate::report::view::{Axis, Chart, Colour, Subject};

/// What all functions use together, where that is more than one function's curve.
pub(super) fn account(series: &Series) -> Option<Subject> {
    let draft = Draft {
        series,
        rows: &series.account,
    };
    let lines = vec![
        draft.line("claimed, largest", Colour::Orange, At::Middle, |row| {
            f64::from(row.claimed_max)
        }),
        draft.line("busy, largest", Colour::Blue, At::Middle, |row| {
            f64::from(row.concurrent_max)
        }),
        draft.line("unreserved, largest", Colour::Sky, At::Middle, |row| {
            f64::from(row.unreserved_max)
        }),
    ];
    let chart = draft
        .chart("Concurrency", Axis::Count("environments"), lines)
        .or_empty("No invocations in this run")
        .limited("limit", series.account_limit);
    (series.functions.len() > 1).then(|| Subject {
        name: "all functions".to_owned(),
        kind: "account",
        charts: vec![chart],
    })
}

/// What callers want, what they send for it, and what they get.
pub(super) fn calls(draft: &Draft<'_, FunctionRow>) -> Chart {
    let lines = vec![
        draft.noisy_rate("calls", Colour::Green, |row| row.calls),
        draft.noisy_rate("attempts", Colour::Orange, |row| {
            row.calls + row.client_retries
        }),
        draft.noisy_rate("answered in time", Colour::Blue, |row| row.answered),
    ];
    draft.chart("Calls and their attempts", Axis::Rate("calls"), lines)
}
