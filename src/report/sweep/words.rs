//! What tables and pages say alike.

use crate::metrics::{SweepFigure, SweepPoint, SweepSummary, SweepUnit};
use crate::report::numbers;

/// Rows that people look at; files for programs have all of them.
pub(super) const ROWS_MAX: usize = 200;

/// A figure as people read it.
pub(super) fn value(unit: SweepUnit, value: f64) -> String {
    match unit {
        SweepUnit::Ms => numbers::millis(value),
        SweepUnit::S => numbers::seconds(value),
        SweepUnit::Share => numbers::percent(value),
        SweepUnit::Usd => dollars(value, value),
        SweepUnit::Count => numbers::trimmed(value, 1),
    }
}

/// With cents, or with parts of them where `beside` is less than a dollar.
fn dollars(value: f64, beside: f64) -> String {
    let decimals = match beside.abs() {
        0.0 | 1.0.. => 2,
        _ => 4,
    };
    match value.is_finite() {
        true => format!("${}", numbers::grouped(value, decimals)),
        false => numbers::grouped(value, 0),
    }
}

/// Half of an interval, if there is one that is not nothing.
pub(super) fn spread(unit: SweepUnit, figure: SweepFigure) -> Option<String> {
    let half = figure.half().filter(|half| *half > 0.0)?;
    Some(match unit {
        SweepUnit::Usd => dollars(half, figure.mean),
        _ => value(unit, half),
    })
}

/// `1.23 s ± 0.04 s`.
pub(super) fn figure(unit: SweepUnit, figure: SweepFigure) -> String {
    let mean = value(unit, figure.mean);
    match spread(unit, figure) {
        Some(spread) => format!("{mean} ± {spread}"),
        None => mean,
    }
}

/// The last words of the axes' names where these tell them apart, and the whole names otherwise.
pub(super) fn axes(sweep: &SweepSummary) -> Vec<String> {
    let short = |name: &str| {
        let mut parts: Vec<&str> = name
            .split('+')
            .map(|path| path.rsplit_once('.').map_or(path, |(_, last)| last))
            .collect();
        parts.dedup();
        parts.join("+")
    };
    let names: Vec<String> = sweep.axes.iter().map(|axis| short(&axis.name)).collect();
    let each = sweep.axes.iter().enumerate().map(|(index, axis)| {
        let name = &names[index];
        let alike = names.iter().filter(|other| *other == name).count();
        if alike > 1 {
            axis.name.clone()
        } else {
            name.clone()
        }
    });
    each.collect()
}

/// The subject of a figure, and the rest: `checkout` and `Latency.p99`.
pub(super) fn halves(measure: &str) -> (&str, &str) {
    // `p99.9` has a dot of its own, and so have the reasons of throttles.
    let shortened = measure.strip_suffix(".9").unwrap_or(measure);
    let metric = shortened
        .rsplit_once('.')
        .map_or(0, |(metric, _)| metric.len());
    let before = &measure[..metric];
    let at = ["ThrottleReasons", "DeadLetterReasons"]
        .into_iter()
        .find_map(|group| before.find(&format!(".{group}.")))
        .or_else(|| before.rfind('.'));
    match at {
        Some(at) => (&measure[..at], &measure[at + 1..]),
        None => ("", measure),
    }
}

/// `3 of 5`: how many runs of a variant passed all gates; nothing for a scenario without gates.
pub(super) fn gates(point: &SweepPoint) -> Option<String> {
    let passed = point.gates_passed?;
    Some(format!("{passed} of {}", point.replications))
}

/// Whether there are gates at all.
pub(super) fn has_gates(sweep: &SweepSummary) -> bool {
    sweep
        .variants
        .iter()
        .any(|point| point.gates_passed.is_some())
}

/// What identifies the sweep: label and value.
pub(super) fn facts(sweep: &SweepSummary) -> Vec<(&'static str, String)> {
    let short = |hash: &str| hash.chars().take(12).collect::<String>();
    let seeds: std::collections::BTreeSet<u64> =
        sweep.variants.iter().map(|point| point.seed).collect();
    let seed = match seeds.iter().collect::<Vec<_>>().as_slice() {
        [one] => format!("from {one} on"),
        _ => "as the variants have it".to_owned(),
    };
    vec![
        ("scenario", short(&sweep.scenario_hash)),
        ("profile", sweep.profile.clone()),
        (
            "variants",
            format!("{} ({})", sweep.variants.len(), sweep.sample),
        ),
        ("replications", sweep.replications.clone()),
        ("seeds", seed),
        ("plan", short(&sweep.plan)),
        ("tidegate", sweep.tidegate.clone()),
    ]
}

/// Sentences that a reader needs in order not to misread the figures.
pub(super) fn notes(sweep: &SweepSummary) -> Vec<String> {
    let mut notes = Vec::new();
    if sweep.variants.iter().any(|point| point.replications > 1) {
        notes.push(
            "Figures are means of replications, ± half of their 95% intervals. All variants have the same seeds."
                .to_owned(),
        );
    } else {
        notes.push(
            "Every variant ran once: figures have no intervals, so small differences may be chance. All variants have the same seed."
                .to_owned(),
        );
    }
    if has_gates(sweep) {
        notes.push(
            "Gates are judged in every run by itself; a run passes when it passes all of them."
                .to_owned(),
        );
    }
    if let Some([one, other]) = sweep.pareto {
        notes.push(format!(
            "* marks the front of {} and {}: no other variant is better in one of them and as good in the other.",
            sweep.measures[one].name, sweep.measures[other].name
        ));
    }
    notes
}

/// That rows are left out, if there are more than `shown`.
pub(super) fn left_out(sweep: &SweepSummary, shown: usize) -> Option<String> {
    let all = sweep.variants.len();
    (all > shown).then(|| {
        format!(
            "{} of {} variants are shown, the front first; all are in sweep.csv.",
            numbers::grouped(shown as f64, 0),
            numbers::grouped(all as f64, 0)
        )
    })
}

/// The variants that fit into so many rows: those on the front, then the first ones; in order.
pub(super) fn rows(sweep: &SweepSummary, max: usize) -> Vec<&SweepPoint> {
    let mut order: Vec<&SweepPoint> = sweep.variants.iter().collect();
    if order.len() > max {
        order.sort_by_key(|point| !point.on_front);
        order.truncate(max);
        order.sort_by_key(|point| point.variant);
    }
    order
}
