//! A comparison for programs.

use super::matter::{self, Unit};
use super::{Compare, FORMAT, Side, tables};
use crate::metrics::{Compared, GateResult, Pairing};
use serde::Serialize;

#[derive(Serialize)]
struct Document<'a> {
    tidegate_comparison: u64,
    tidegate: &'static str,
    a: About<'a>,
    b: About<'a>,
    pairing: &'static str,
    /// Pairs of runs under the same seed.
    pairs: usize,
    verdict: String,
    /// How many figures differ.
    detected: usize,
    notes: Vec<String>,
    figures: Vec<Figure<'a>>,
    only_in_a: Vec<String>,
    only_in_b: Vec<String>,
    zero_in_both: usize,
    gates: &'a [GateResult],
}

#[derive(Serialize)]
struct About<'a> {
    from: &'a str,
    scenario: &'a str,
    scenario_hash: &'a str,
    profile: &'a str,
    tidegate: &'a str,
    seeds: Vec<u64>,
    measured_s: f64,
}

#[derive(Serialize)]
struct Figure<'a> {
    name: String,
    section: &'static str,
    subject: &'a str,
    metric: &'a str,
    statistic: &'static str,
    unit: &'static str,
    a: f64,
    b: f64,
    difference: f64,
    low: Option<f64>,
    high: Option<f64>,
    relative: Option<f64>,
    verdict: &'static str,
}

fn about(side: &Side) -> About<'_> {
    let summary = &side.result.summary;
    About {
        from: &side.from,
        scenario: &summary.scenario,
        scenario_hash: &summary.scenario_hash,
        profile: &summary.profile,
        tidegate: &summary.tidegate,
        seeds: side
            .result
            .replications
            .iter()
            .map(|one| one.seed)
            .collect(),
        measured_s: summary.measured_s,
    }
}

pub(super) fn render(compare: &Compare) -> String {
    let (pairing, pairs) = match compare.comparison.pairing {
        Pairing::Paired(pairs) => ("paired", pairs),
        Pairing::Unpaired => ("unpaired", 0),
        Pairing::Single => ("single", 0),
    };
    let figures = matter::sorted(&compare.comparison.differences).into_iter();
    let figures = figures.map(|one| Figure {
        name: one.of.name(),
        section: one.of.section,
        subject: &one.of.subject,
        metric: &one.of.metric,
        statistic: one.of.statistic,
        unit: Unit::of(&one.of).name(),
        a: one.a,
        b: one.b,
        difference: one.difference,
        low: one.interval.map(|(low, _)| low),
        high: one.interval.map(|(_, high)| high),
        relative: one.relative(),
        verdict: tables::verdict(one),
    });
    let [only_in_a, only_in_b] = [0, 1].map(|side: usize| {
        let only = compare.comparison.only[side].iter();
        only.map(Compared::name).collect()
    });
    let document = Document {
        tidegate_comparison: FORMAT,
        tidegate: env!("CARGO_PKG_VERSION"),
        a: about(&compare.sides[0]),
        b: about(&compare.sides[1]),
        pairing,
        pairs,
        verdict: compare.verdict(),
        detected: compare.detected(),
        notes: compare.notes(),
        figures: figures.collect(),
        only_in_a,
        only_in_b,
        zero_in_both: compare.comparison.zeros.len(),
        gates: &compare.gates,
    };
    // Keys are strings and numbers print `null` at worst, so there is nothing that could fail.
    let mut text = serde_json::to_string_pretty(&document).unwrap_or_default();
    text.push('\n');
    text
}
