//! The replications of one scenario, and their figures together.

use super::findings::findings;
use super::pool::ordered;
use crate::engine::lambda::LimitError;
use crate::metrics::{Summary, Threshold, combine, evaluate};
use crate::scenario::Scenario;
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
    let judged = scenario.gates.iter().flat_map(|gate| {
        let threshold = Threshold {
            metric: gate.metric.clone(),
            statistic: gate.statistic.clone(),
            max: gate.max,
            min: gate.min,
        };
        evaluate(&summary, &threshold)
    });
    summary.gates = judged.collect();
    summary.findings = findings(scenario, &summary, &runs[0].series);
    summary.theory = super::theory::theory(scenario, &summary);
    summary
}
