//! Runs the variants of a plan, and keeps what their runs gave.

use super::plan::Plan;
use super::replicate::judged;
use super::shard::Shard;
use super::sheet::Sheet;
use super::spread::spread;
use crate::engine::lambda::LimitError;
use crate::scenario::{Report, Scenario};
use crate::sim::{self, Progress};
use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::ops::ControlFlow;

/// What one run of a variant gave.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// Which variant, counted from zero.
    pub variant: u32,
    /// Which replication, counted from zero.
    pub replication: u32,
    /// What it gave.
    pub done: Done,
}

/// What is kept of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Done {
    /// One figure for each measure of the plan; `NaN` where there is nothing to measure.
    pub figures: Vec<f64>,
    /// Whether it passed all gates of its scenario; nothing where there are none.
    pub passed: Option<bool>,
}

/// The runs of a sweep that are done.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Results {
    /// By variant, then by replication.
    runs: BTreeMap<u32, Vec<Option<Done>>>,
}

/// What somebody who watches a sweep is told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Heard<'a> {
    /// So many runs are wanted now; with a precision, more may follow when they are done.
    Wanted(usize),
    /// A run has ended.
    Done(&'a Run),
}

/// Why a sweep ended early.
#[derive(Debug, thiserror::Error)]
pub enum SweepError<E: std::error::Error + 'static> {
    /// A variant cannot be read any more: its file, or one that it names, has changed meanwhile.
    #[error("variant {variant} cannot be read any more:\n{report}")]
    Changed {
        /// Its number, from one.
        variant: u32,
        /// What is wrong now.
        report: Box<Report>,
    },
    /// A variant's limits cannot be.
    #[error("variant {variant}: {source}")]
    Limits {
        /// Its number, from one.
        variant: u32,
        /// What is wrong with them.
        source: LimitError,
    },
    /// Whoever is told of results wants no more.
    #[error(transparent)]
    Stopped(E),
}

impl Results {
    /// Keeps what a run gave.
    pub fn add(&mut self, run: Run) {
        let runs = self.runs.entry(run.variant).or_default();
        let at = run.replication as usize;
        if runs.len() <= at {
            runs.resize(at + 1, None);
        }
        runs[at] = Some(run.done);
    }

    /// How many runs are done.
    pub fn count(&self) -> usize {
        let runs = self.runs.values().flatten();
        runs.flatten().count()
    }

    /// The first `count` replications of a variant, if all of them are done.
    fn first(&self, variant: u32, count: u32) -> Option<Vec<&Done>> {
        let runs = self.runs.get(&variant)?;
        let runs = runs.get(..count as usize)?;
        runs.iter().map(Option::as_ref).collect()
    }

    /// How many replications a variant should have, as far as those that are done tell. It depends only on figures and
    /// their order: not on when they came, nor on what else is done.
    pub(super) fn wanted(&self, plan: &Plan, variant: u32) -> u32 {
        let rule = plan.replications();
        let mut count = rule.wanted(0, &[]);
        while let Some(runs) = self.first(variant, count) {
            let columns: Vec<Vec<f64>> = (0..plan.figures().len())
                .map(|at| runs.iter().map(|run| run.figures[at]).collect())
                .collect();
            let wanted = rule.wanted(count, &columns);
            if wanted == count {
                break;
            }
            count = wanted;
        }
        count
    }

    /// Everything that a variant has to show, if it is finished.
    pub(super) fn finished(&self, plan: &Plan, variant: u32) -> Option<Vec<Done>> {
        let runs = self.first(variant, self.wanted(plan, variant))?;
        Some(runs.into_iter().cloned().collect())
    }

    /// Runs of these variants that are wanted and not done.
    fn missing(&self, plan: &Plan, variants: &[u32]) -> Vec<(u32, u32)> {
        let mut missing = Vec::new();
        for &variant in variants {
            let done = self.runs.get(&variant);
            for replication in 0..self.wanted(plan, variant) {
                let run = done.and_then(|runs| runs.get(replication as usize));
                if run.is_none_or(Option::is_none) {
                    missing.push((variant, replication));
                }
            }
        }
        missing
    }

    /// How many runs a shard still has to do, as far as it is known.
    pub fn left(&self, plan: &Plan, shard: Shard) -> usize {
        self.missing(plan, &shard.variants(plan)).len()
    }
}

impl Shard {
    /// Its variants, counted from zero.
    pub fn variants(self, plan: &Plan) -> Vec<u32> {
        (0..plan.variants()).filter(|it| self.has(*it)).collect()
    }
}

/// Runs one replication, counted from zero.
///
/// # Errors
/// When the variant's limits cannot be.
pub fn run_one<P: Progress>(
    sheet: &Sheet<'_>,
    scenario: &Scenario,
    replication: u32,
    progress: &mut P,
) -> Result<sim::Outcome, LimitError> {
    // Every variant has the same seeds, so that they differ by what is varied and not by chance.
    let seed = sheet
        .plan
        .first_seed(scenario)
        .wrapping_add(u64::from(replication));
    sim::run(scenario, seed, progress)
}

/// Runs what is missing of the shard's variants on up to `jobs` threads and adds it to `results`. `told` hears of every
/// run once, in the order in which they end; what comes out does not depend on that order.
///
/// # Errors
/// When a variant cannot run, or `told` fails. Results until then are kept.
pub fn sweep<P: Progress, E: std::error::Error + Send + 'static>(
    sheet: &Sheet<'_>,
    shard: Shard,
    jobs: NonZeroU32,
    results: &mut Results,
    progress: impl Fn() -> P + Sync,
    mut told: impl FnMut(Heard<'_>) -> Result<(), E> + Send,
) -> Result<(), SweepError<E>> {
    let variants = shard.variants(sheet.plan);
    loop {
        let missing = results.missing(sheet.plan, &variants);
        if missing.is_empty() {
            return Ok(());
        }
        told(Heard::Wanted(missing.len())).map_err(SweepError::Stopped)?;
        let mut failure = None;
        spread(
            missing.len(),
            jobs,
            || None,
            |kept, task| done(sheet, missing[task], kept, &mut progress()),
            |task, ended| {
                let (variant, replication) = missing[task];
                let kept = ended.and_then(|done| {
                    let run = Run {
                        variant,
                        replication,
                        done,
                    };
                    told(Heard::Done(&run)).map_err(SweepError::Stopped)?;
                    results.add(run);
                    Ok(())
                });
                match kept {
                    Ok(()) => ControlFlow::Continue(()),
                    Err(error) => {
                        failure.get_or_insert(error);
                        ControlFlow::Break(())
                    }
                }
            },
        );
        if let Some(failure) = failure {
            return Err(failure);
        }
    }
}

/// What one run gives. A thread keeps the last scenario that it read: the replications of a variant are neighbours.
fn done<P: Progress, E: std::error::Error + 'static>(
    sheet: &Sheet<'_>,
    (variant, replication): (u32, u32),
    kept: &mut Option<(u32, Scenario)>,
    progress: &mut P,
) -> Result<Done, SweepError<E>> {
    let scenario = match kept {
        Some((of, scenario)) if *of == variant => scenario,
        _ => {
            let read = sheet.scenario(variant);
            let scenario = read.map_err(|report| SweepError::Changed {
                variant: variant + 1,
                report: report.into(),
            })?;
            &mut kept.insert((variant, scenario)).1
        }
    };
    let outcome = run_one(sheet, scenario, replication, progress);
    let outcome = outcome.map_err(|source| SweepError::Limits {
        variant: variant + 1,
        source,
    })?;
    let measures = sheet.measures.iter();
    let gates = judged(scenario, &outcome.summary);
    Ok(Done {
        figures: measures.map(|one| one.of(&outcome.summary)).collect(),
        passed: (!gates.is_empty()).then(|| gates.iter().all(|gate| gate.pass)),
    })
}
