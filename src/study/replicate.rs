//! The replications of one scenario, and their figures together.

use super::findings::findings;
use super::pool::ordered;
use crate::engine::lambda::LimitError;
use crate::metrics::{GateResult, Setting, Summary, Threshold, combine, evaluate};
use crate::scenario::{Change, Diagnostic, Report, Scenario, Severity, SourceText, parse_changed};
use crate::sim::{self, Outcome, Progress};
use std::num::NonZeroU32;

/// Runs `scenario` `count` times under the seeds `first`, `first + 1` and so on, on up to `jobs` threads. Outcomes are in
/// the order of their seeds.
///
/// # Errors
/// As [`sim::run`].
pub fn replicate<P: Progress>(
    scenario: &Scenario,
    first: u64,
    count: NonZeroU32,
    jobs: NonZeroU32,
    progress: impl Fn() -> P + Sync,
) -> Result<Vec<Outcome>, LimitError> {
    let run = |index: usize| {
        let seed = first.wrapping_add(index as u64);
        sim::run(scenario, seed, &mut progress())
    };
    ordered(count.get() as usize, jobs, run)
        .into_iter()
        .collect()
}

/// The figures of all replications together, what became of the scenario's gates, and what there is to say about it. Wall time is left out: it is
/// nobody's business here.
///
/// # Panics
/// When there are no runs.
pub fn summarise(scenario: &Scenario, runs: &[Outcome]) -> Summary {
    let mut summary = combine(runs.iter().map(|run| run.summary.clone()).collect());
    summary.gates = judged(scenario, &summary);
    summary.findings = findings(scenario, &summary, &runs[0].series);
    summary.theory = super::theory::theory(scenario, &summary);
    summary
}

/// What becomes of the scenario's gates with these figures.
pub(super) fn judged(scenario: &Scenario, summary: &Summary) -> Vec<GateResult> {
    let judged = scenario.gates.iter().flat_map(|gate| {
        let threshold = Threshold {
            metric: gate.metric.clone(),
            statistic: gate.statistic.clone(),
            max: gate.max,
            min: gate.min,
        };
        evaluate(summary, &threshold)
    });
    judged.collect()
}

/// The scenario with other settings.
///
/// # Errors
/// Everything that is wrong with it.
pub(super) fn changed(source: &SourceText, settings: &[Setting]) -> Result<Scenario, Report> {
    let changes = settings.iter().map(|one| Change {
        path: one.path.clone(),
        value: one.value.clone(),
    });
    let changes: Vec<Change> = changes.collect();
    parse_changed(source.clone(), &changes).map(|loaded| loaded.scenario)
}

/// The first of a report that is no mere warning.
pub(super) fn first_mistake(report: &Report) -> Option<&Diagnostic> {
    let mut items = report.items().iter();
    items.find(|item| item.severity == Severity::Error)
}

/// The first mistake of a report, in one line.
pub(super) fn refusal(report: &Report) -> String {
    first_mistake(report).map_or_else(String::new, |item| {
        item.message.trim_end_matches('.').to_owned()
    })
}
