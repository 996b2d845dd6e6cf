//! Distributions of times and sizes.

use super::convert::{self, number};
use super::diagnostic::Diagnostic;
use super::model::Dist;
use super::node::Value;
use super::read::{At, Cx, Table, single};
use super::{csv, units};

/// What a distribution is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quantity {
    /// Durations, counted in nanoseconds.
    Time,
    /// Sizes, counted in bytes.
    Size,
}

const KINDS: [&str; 7] = [
    "constant",
    "exponential",
    "uniform",
    "lognormal",
    "gamma",
    "pareto",
    "empirical",
];
/// The 99th percentile of the standard normal distribution.
const NORMAL_P99: f64 = 2.326_347_874_040_840_8;

impl Quantity {
    fn value(self, at: At<'_>, cx: &mut Cx) -> Option<f64> {
        match self {
            Self::Time => convert::duration(at, cx).map(|span| span.as_nanos() as f64),
            Self::Size => convert::size(at, cx).map(|bytes| bytes as f64),
        }
    }

    fn positive(self, at: At<'_>, cx: &mut Cx) -> Option<f64> {
        let value = self.value(at, cx)?;
        if value > 0.0 {
            return Some(value);
        }
        convert::out_of_range(at, cx, "0".to_owned(), "more than 0".to_owned());
        None
    }
}

pub(crate) fn time(at: At<'_>, cx: &mut Cx) -> Option<Dist> {
    read(at, cx, Quantity::Time)
}

pub(crate) fn size(at: At<'_>, cx: &mut Cx) -> Option<Dist> {
    read(at, cx, Quantity::Size)
}

/// A plain value, or a table with the name of a distribution.
fn read(at: At<'_>, cx: &mut Cx, quantity: Quantity) -> Option<Dist> {
    if !matches!(at.node.value, Value::Map(_)) {
        return quantity.value(at, cx).map(Dist::Constant);
    }
    let entry = single(at, &KINDS, cx)?;
    let inner = At::from(entry);
    match entry.key.as_str() {
        "constant" => return quantity.value(inner, cx).map(Dist::Constant),
        "empirical" => return empirical(inner, cx, quantity).map(Dist::Empirical),
        _ => {}
    }
    let mut table = Table::open(inner, "this distribution", cx)?;
    let dist = match entry.key.as_str() {
        "exponential" => exponential(&mut table, cx, quantity),
        "uniform" => uniform(&mut table, cx, quantity),
        "lognormal" => lognormal(&mut table, cx, quantity),
        "gamma" => gamma(&mut table, cx, quantity),
        _ => pareto(&mut table, cx, quantity),
    };
    table.finish(cx);
    dist
}

fn empirical(at: At<'_>, cx: &mut Cx, quantity: Quantity) -> Option<std::sync::Arc<[f64]>> {
    match quantity {
        Quantity::Time => csv::values(at, cx, units::DURATION_FORMS, |text| {
            units::duration(text)
                .ok()
                .map(|span| span.as_nanos() as f64)
        }),
        Quantity::Size => csv::values(at, cx, units::SIZE_FORMS, |text| {
            units::size(text).ok().map(|bytes| bytes as f64)
        }),
    }
}

const SOME: &str = "a value with its unit";

fn exponential(table: &mut Table<'_>, cx: &mut Cx, quantity: Quantity) -> Option<Dist> {
    let mean = table.req(cx, "mean", SOME, |at, cx| quantity.positive(at, cx))?;
    Some(Dist::Exponential { mean })
}

fn uniform(table: &mut Table<'_>, cx: &mut Cx, quantity: Quantity) -> Option<Dist> {
    let min = table.req(cx, "min", SOME, |at, cx| quantity.value(at, cx));
    let max = table.req(cx, "max", SOME, |at, cx| quantity.value(at, cx));
    let (min, max) = (min?, max?);
    ordered(table, cx, ("min", min), ("max", max))?;
    Some(Dist::Uniform { min, max })
}

fn lognormal(table: &mut Table<'_>, cx: &mut Cx, quantity: Quantity) -> Option<Dist> {
    let median = table.req(cx, "median", SOME, |at, cx| quantity.positive(at, cx));
    let p99 = table.opt(cx, "p99", |at, cx| quantity.positive(at, cx));
    let mean = table.opt(cx, "mean", |at, cx| quantity.positive(at, cx));
    let given = [table.entry("p99"), table.entry("mean")];
    let count = given.iter().flatten().count();
    if count != 1 {
        cx.push(
            Diagnostic::new(
                "bad-distribution",
                "a lognormal distribution needs one measure of its width",
            )
            .at(&table.span)
            .label(if count == 0 {
                "has a median only"
            } else {
                "has two"
            })
            .allowed("{ median, p99 } or { median, mean }"),
        );
        return None;
    }
    // The logarithms come from a library of our own choice: the platform's may differ in the last digit.
    let (median, mu) = (median?, libm::log(median?));
    let sigma = match (p99, mean) {
        (Some(p99), _) => {
            ordered(table, cx, ("median", median), ("p99", p99))?;
            libm::log(p99 / median) / NORMAL_P99
        }
        (None, Some(mean)) => {
            ordered(table, cx, ("median", median), ("mean", mean))?;
            (2.0 * libm::log(mean / median)).sqrt()
        }
        (None, None) => return None,
    };
    Some(Dist::Lognormal { mu, sigma })
}

fn gamma(table: &mut Table<'_>, cx: &mut Cx, quantity: Quantity) -> Option<Dist> {
    let shape = table.req(cx, "shape", "2.0", number(0.001..=1e6));
    let mean = table.req(cx, "mean", SOME, |at, cx| quantity.positive(at, cx));
    let (shape, mean) = (shape?, mean?);
    Some(Dist::Gamma {
        shape,
        scale: mean / shape,
    })
}

fn pareto(table: &mut Table<'_>, cx: &mut Cx, quantity: Quantity) -> Option<Dist> {
    let min = table.req(cx, "min", SOME, |at, cx| quantity.positive(at, cx));
    let alpha = table.req(cx, "alpha", "1.5", number(0.01..=1e3));
    Some(Dist::Pareto {
        min: min?,
        alpha: alpha?,
    })
}

/// Tests that the first bound lies below the second.
fn ordered(table: &Table<'_>, cx: &mut Cx, low: (&str, f64), high: (&str, f64)) -> Option<()> {
    if low.1 < high.1 {
        return Some(());
    }
    cx.push(
        Diagnostic::new(
            "bad-distribution",
            format!("`{}` must be above `{}`", high.0, low.0),
        )
        .at(&table.span)
        .label("no distribution is like this")
        .help("write a plain value for a quantity that never changes"),
    );
    None
}
