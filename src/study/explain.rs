//! What the simulator says about the settings that findings name.

use super::measure::Measure;
use super::replicate::{changed, refusal, replicate};
use super::unit::Unit;
use crate::metrics::numbers::grouped;
use crate::metrics::{Effect, Finding, Setting, Summary, combine, lookup};
use crate::scenario::{Scenario, SourceText};
use crate::sim::Progress;
use std::num::NonZeroU32;

/// Runs the scenario with the changes of each finding, under the seeds of `summary`, and writes down what became of the finding's
/// measure and of the bill. Findings without changes stay as they are; what cannot run says why.
pub fn explain<P: Progress>(
    source: &SourceText,
    scenario: &Scenario,
    summary: &mut Summary,
    jobs: NonZeroU32,
    progress: impl Fn() -> P + Sync,
) {
    let seeds = (
        summary.seed,
        NonZeroU32::new(summary.replications).unwrap_or(NonZeroU32::MIN),
    );
    // Two findings may ask for the same.
    let mut known: Vec<(Vec<Setting>, Result<Summary, String>)> = Vec::new();
    let mut findings = std::mem::take(&mut summary.findings);
    for finding in findings.iter_mut().filter(|one| !one.changes.is_empty()) {
        if !known.iter().any(|(changes, _)| *changes == finding.changes) {
            let after = figures(source, &finding.changes, seeds, jobs, &progress);
            known.push((finding.changes.clone(), after));
        }
        let after = known
            .iter()
            .find(|(changes, _)| *changes == finding.changes);
        finding.effect = after.map(|(_, after)| effect(finding, scenario, summary, after));
    }
    summary.findings = findings;
}

/// The figures with other settings, or why there are none.
fn figures<P: Progress>(
    source: &SourceText,
    settings: &[Setting],
    (first, count): (u64, NonZeroU32),
    jobs: NonZeroU32,
    progress: &(impl Fn() -> P + Sync),
) -> Result<Summary, String> {
    let scenario = changed(source, settings).map_err(|report| refusal(&report))?;
    let runs = replicate(&scenario, first, count, jobs, progress);
    let runs = runs.map_err(|error| error.to_string())?;
    Ok(combine(runs.into_iter().map(|run| run.summary).collect()))
}

fn effect(
    finding: &Finding,
    scenario: &Scenario,
    before: &Summary,
    after: &Result<Summary, String>,
) -> Effect {
    let bill =
        |summary: &Summary| lookup(summary, "cost.total_usd_per_month", "Sum").unwrap_or(f64::NAN);
    let after = match after {
        Ok(after) => after,
        Err(why) => {
            return Effect {
                before: f64::NAN,
                after: f64::NAN,
                usd_per_month_before: f64::NAN,
                usd_per_month_after: f64::NAN,
                refused: Some(why.clone()),
                sentence: format!("it cannot be set to that: {why}."),
            };
        }
    };
    let measure = Measure::parse(&finding.measure, scenario).ok();
    let of = |summary: &Summary| measure.as_ref().map_or(f64::NAN, |one| one.of(summary));
    let (was, is) = (of(before), of(after));
    let (paid, pays) = (bill(before), bill(after));
    let unit = Unit::of(measure.as_ref().map_or("", Measure::metric));
    let sentence = format!(
        "{} {}, and the bill {}.",
        finding.measure,
        moved(was, is, |value| unit.shown(value)),
        moved(paid, pays, |value| format!(
            "{} USD a month",
            grouped(value, 2)
        ))
    );
    Effect {
        before: was,
        after: is,
        usd_per_month_before: paid,
        usd_per_month_after: pays,
        refused: None,
        sentence,
    }
}

/// `falls from 5 to 1`, judged by what is shown.
fn moved(was: f64, is: f64, shown: impl Fn(f64) -> String) -> String {
    let (from, to) = (shown(was), shown(is));
    match was.partial_cmp(&is) {
        _ if from == to => format!("stays at {to}"),
        Some(std::cmp::Ordering::Greater) => format!("falls from {from} to {to}"),
        Some(std::cmp::Ordering::Less) => format!("rises from {from} to {to}"),
        _ => format!("was {from} and is {to}"),
    }
}
