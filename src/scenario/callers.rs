//! How callers behave: closed loops of clients, and retries with their waits.

use super::convert::{choice, duration, integer, text};
use super::diagnostic::Diagnostic;
use super::dist;
use super::model::{ClientStep, Clients, Dist, Jitter, Retry};
use super::node::{Node, Value};
use super::read::{At, Cx, Table};
use super::units;
use crate::engine::Span;
use std::ops::RangeInclusive;

const CLIENTS: RangeInclusive<i64> = 0..=1_000_000;

/// The keys `clients` and `think`; a closed loop has no arrivals of its own.
pub(super) fn clients(table: &mut Table<'_>, cx: &mut Cx) -> Option<Clients> {
    let steps = table.opt(cx, "clients", steps);
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

/// A number, or a list of steps.
fn steps(at: At<'_>, cx: &mut Cx) -> Option<Vec<ClientStep>> {
    let Value::List(nodes) = &at.node.value else {
        let count = integer(CLIENTS)(at, cx)?;
        let from_the_beginning = ClientStep {
            at: Span::ZERO,
            count,
            over: Span::ZERO,
        };
        return Some(vec![from_the_beginning]);
    };
    if nodes.is_empty() {
        cx.push(
            Diagnostic::new("empty-list", format!("`{}` has no steps", at.key))
                .at(&at.node.span)
                .label("empty")
                .help("write a number for clients who are always there"),
        );
        return None;
    }
    let mut steps: Vec<ClientStep> = Vec::new();
    let mut complete = true;
    for node in nodes {
        match step(At { key: at.key, node }, cx) {
            Some(step) => {
                complete &= follows(steps.last(), step, node, cx);
                steps.push(step);
            }
            None => complete = false,
        }
    }
    complete.then_some(steps)
}

fn step(at: At<'_>, cx: &mut Cx) -> Option<ClientStep> {
    let mut table = Table::open(at, "a step of clients", cx)?;
    let start = table.req(cx, "at", "\"0s\"", duration);
    let count = table.req(cx, "count", "50", integer(CLIENTS));
    let over = table.opt(cx, "over", |at, cx| Some(duration(at, cx)));
    table.finish(cx);
    Some(ClientStep {
        at: start?,
        count: count?,
        over: over.unwrap_or(Some(Span::ZERO))?,
    })
}

fn follows(before: Option<&ClientStep>, step: ClientStep, node: &Node, cx: &mut Cx) -> bool {
    let Some(before) = before else {
        return true;
    };
    let end = before.at + before.over;
    let (code, message, label) = if step.at <= before.at {
        (
            "rate-steps-unordered",
            "the steps of clients must be in order",
            format!("at {}, after a step at {}", step.at, before.at),
        )
    } else if end > step.at {
        (
            "rate-steps-overlap",
            "a ramp reaches past the next step",
            format!("begins at {}, and the ramp before ends at {end}", step.at),
        )
    } else {
        return true;
    };
    cx.push(
        Diagnostic::new(code, message)
            .at(&node.span)
            .label(label)
            .help("sort the steps by `at`, and let each ramp end before the next step"),
    );
    false
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
