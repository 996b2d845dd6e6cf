//! When things arrive: steady or random at a rate that changes, or recorded.

use super::convert::{choice, per_sec};
use super::csv;
use super::diagnostic::Diagnostic;
use super::model::{Arrivals, Rate, RateStep};
use super::node::Value;
use super::read::{At, Cx, Table, single};
use super::steps::{Kind, Step, steps};

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

const RATES: Kind<f64> = Kind {
    one: "a step of a rate",
    all: "the steps of a rate",
    key: "rps",
    example: "200",
    constant: "a rate that never changes",
    value: per_sec,
};

fn rate(at: At<'_>, cx: &mut Cx) -> Option<Rate> {
    let steps = steps(at, cx, &RATES)?.into_iter();
    let steps = steps.map(|Step { at, value, over }| RateStep {
        at,
        per_sec: value,
        over,
    });
    Some(Rate {
        steps: steps.collect(),
    })
}
