//! How callers behave: closed loops of clients, and retries with their waits.

use super::convert::{choice, integer, text};
use super::diagnostic::Diagnostic;
use super::dist;
use super::model::{ClientStep, Clients, Dist, Jitter, Retry};
use super::read::{At, Cx, Table};
use super::steps::{Kind, Step, steps};
use super::units;
use crate::engine::Span;

const CLIENTS: Kind<u32> = Kind {
    one: "a step of clients",
    all: "the steps of clients",
    key: "count",
    example: "50",
    constant: "clients who are always there",
    value: |at, cx| integer(0..=1_000_000)(at, cx),
};

/// The keys `clients` and `think`; a closed loop has no arrivals of its own.
pub(super) fn clients(table: &mut Table<'_>, cx: &mut Cx) -> Option<Clients> {
    let steps = table.opt(cx, "clients", client_steps);
    let think = table.opt(cx, "think", dist::time);
    if table.entry("clients").is_none() {
        if let Some(think) = table.entry("think") {
            let message = "`think` is for clients of a closed loop";
            cx.push(
                Diagnostic::new("conflicting-keys", message)
                    .at(&think.key_span)
                    .label("nobody waits for an answer here")
                    .help("add `clients = 50` in place of `rate`, or remove `think`"),
            );
        }
        return None;
    }
    for key in ["rate", "arrivals", "trace"] {
        if let Some(other) = table.entry(key) {
            let message = format!("`{key}` and `clients` exclude each other");
            cx.push(
                Diagnostic::new("conflicting-keys", message)
                    .at(&other.key_span)
                    .label("clients call when they were answered")
                    .help(format!("remove `{key}`, or `clients`")),
            );
        }
    }
    Some(Clients {
        think: think.unwrap_or(Dist::Constant(0.0)),
        steps: steps?,
    })
}

fn client_steps(at: At<'_>, cx: &mut Cx) -> Option<Vec<ClientStep>> {
    let steps = steps(at, cx, &CLIENTS)?.into_iter();
    let steps = steps.map(|Step { at, value, over }| ClientStep {
        at,
        count: value,
        over,
    });
    Some(steps.collect())
}

pub(super) fn retry(at: At<'_>, cx: &mut Cx) -> Option<Retry> {
    let jitters = [
        ("full", Jitter::Full),
        ("equal", Jitter::Equal),
        ("none", Jitter::None),
        ("decorrelated", Jitter::Decorrelated),
    ];
    let mut table = Table::open(at, "`retry`", cx)?;
    let attempts = table.req(cx, "attempts", "3", integer(1..=100));
    let usual = (Span::from_millis(100), Span::from_secs(20));
    let waits = table.opt(cx, "backoff", backoff).unwrap_or(usual);
    let jitter = table.opt(cx, "jitter", choice(&jitters));
    table.finish(cx);
    Some(Retry {
        attempts: attempts?,
        backoff_first: waits.0,
        backoff_max: waits.1,
        jitter: jitter.unwrap_or_default(),
    })
}

/// `first..longest`, or one duration for waits that do not grow.
pub(super) fn backoff(at: At<'_>, cx: &mut Cx) -> Option<(Span, Span)> {
    let found = text(at, cx)?;
    let (first, last) = found.split_once("..").unwrap_or((found, found));
    match (units::duration(first), units::duration(last)) {
        (Ok(first), Ok(last)) if Span::ZERO < first && first <= last => Some((first, last)),
        _ => {
            cx.push(
                Diagnostic::new(
                    "bad-unit",
                    format!("`{}` must be a range of durations", at.key),
                )
                .at(&at.node.span)
                .label("cannot be understood")
                .allowed("\"100ms..2s\": the first wait above zero, and the longest"),
            );
            None
        }
    }
}
