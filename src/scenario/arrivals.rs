//! When things arrive: steady or random at a rate that changes, or recorded.

use super::convert::{choice, duration, per_sec};
use super::csv;
use super::diagnostic::Diagnostic;
use super::model::{Arrivals, Rate, RateStep};
use super::node::Value;
use super::read::{At, Cx, Table, single};
use crate::engine::Span;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Spacing {
    Poisson,
    Constant,
}

/// The keys `arrivals`, `rate` and `trace` of a table.
pub(crate) fn arrivals(table: &mut Table<'_>, cx: &mut Cx) -> Option<Arrivals> {
    let named = table.entry("arrivals");
    let recorded = table.entry("trace");
    let rate_key = table.entry("rate");
    let inner = named.filter(|entry| matches!(entry.node.value, Value::Map(_)));
    if let Some(trace) = inner.or(recorded) {
        if let Some(other) = rate_key.or(recorded.and(named)) {
            cx.push(
                Diagnostic::new(
                    "conflicting-keys",
                    format!("`{}` and a trace exclude each other", other.key),
                )
                .at(&other.key_span)
                .label("the trace says when things arrive")
                .help("remove one of them"),
            );
        }
        let at = match inner {
            Some(entry) => At::from(single(entry.into(), &["trace"], cx)?),
            None => At::from(trace),
        };
        return csv::trace(at, cx).map(Arrivals::Trace);
    }
    let known = [
        ("poisson", Spacing::Poisson),
        ("constant", Spacing::Constant),
    ];
    let spacing = table.opt(cx, "arrivals", choice(&known));
    let rate = table.req(cx, "rate", "[ { at = \"0s\", rps = 200 } ]", rate)?;
    match spacing.or(named.is_none().then_some(Spacing::Poisson))? {
        Spacing::Poisson => Some(Arrivals::Poisson(rate)),
        Spacing::Constant => Some(Arrivals::Constant(rate)),
    }
}

/// A number, or a list of steps.
fn rate(at: At<'_>, cx: &mut Cx) -> Option<Rate> {
    let Value::List(nodes) = &at.node.value else {
        let per_sec = per_sec(at, cx)?;
        return Some(Rate {
            steps: vec![RateStep {
                at: Span::ZERO,
                per_sec,
                over: Span::ZERO,
            }],
        });
    };
    if nodes.is_empty() {
        cx.push(
            Diagnostic::new("empty-list", format!("`{}` has no steps", at.key))
                .at(&at.node.span)
                .label("empty")
                .help("write a number for a rate that never changes"),
        );
        return None;
    }
    let mut steps: Vec<RateStep> = Vec::new();
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
    complete.then_some(Rate { steps })
}

fn step(at: At<'_>, cx: &mut Cx) -> Option<RateStep> {
    let mut table = Table::open(at, "a step of a rate", cx)?;
    let start = table.req(cx, "at", "\"0s\"", duration);
    let per_sec = table.req(cx, "rps", "200", per_sec);
    let over = table.opt(cx, "over", duration);
    let over_is_bad = over.is_none() && table.entry("over").is_some();
    table.finish(cx);
    if over_is_bad {
        return None;
    }
    Some(RateStep {
        at: start?,
        per_sec: per_sec?,
        over: over.unwrap_or(Span::ZERO),
    })
}

fn follows(
    before: Option<&RateStep>,
    step: RateStep,
    node: &super::node::Node,
    cx: &mut Cx,
) -> bool {
    let Some(before) = before else {
        return true;
    };
    if step.at <= before.at {
        cx.push(
            Diagnostic::new(
                "rate-steps-unordered",
                "the steps of a rate must be in order",
            )
            .at(&node.span)
            .label(format!("at {}, after a step at {}", step.at, before.at))
            .help("sort the steps by `at`, each later than the one before"),
        );
        return false;
    }
    let end = before.at + before.over;
    if end > step.at {
        cx.push(
            Diagnostic::new("rate-steps-overlap", "a ramp reaches past the next step")
                .at(&node.span)
                .label(format!(
                    "begins at {}, and the ramp before ends at {end}",
                    step.at
                ))
                .allowed(format!(
                    "an `over` of at most {} in the step before",
                    step.at - before.at
                )),
        );
        return false;
    }
    true
}
