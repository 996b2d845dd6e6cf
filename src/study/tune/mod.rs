//! Searches settings for the cheapest that meet goals: by racing under common random numbers, coarse first, then around the best.

mod answer;
mod axis;
mod contender;
mod known;
mod race;
mod search;

pub use answer::{Answer, Candidate, Measured, Step};
pub use axis::{Axis, axes};

use super::{Goal, Measure};
use crate::engine::lambda::LimitError;
use crate::scenario::{Loaded, Report, Scenario, SourceText, nearest, parse};
use crate::sim::{self, Progress};
use contender::Contender;
use std::num::NonZeroU32;

/// What is searched, and how much that may cost.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What has to hold.
    pub goals: Vec<Goal>,
    /// What decides between those for which it does.
    pub objective: Objective,
    /// What may change.
    pub axes: Vec<Axis>,
    /// Replications after which somebody may be out, at least 2.
    pub replications_min: usize,
    /// Replications of the best, at least as many.
    pub replications_max: usize,
    /// Runs that the whole search may take.
    pub budget: usize,
    /// Seed of the first replication; every contender has the same seeds.
    pub seed: u64,
    /// Threads. The answer does not depend on it.
    pub jobs: NonZeroU32,
}

/// What is to be small or large.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Objective {
    /// The figure.
    pub measure: Measure,
    /// Whether more is better.
    pub is_maximised: bool,
}

impl Objective {
    /// Reads `cost`, which is that of a month, or a measure whose subject may be left out as in a goal.
    ///
    /// # Errors
    /// What is wrong and what to try.
    pub fn parse(text: &str, is_maximised: bool, scenario: &Scenario) -> Result<Self, String> {
        let name = if text == "cost" {
            "cost.total_usd_per_month"
        } else {
            text
        };
        let measure = super::goal::resolve(name, scenario).map_err(|(what, help)| {
            if nearest(text, ["cost"]).is_some() {
                return format!("{what}: did you mean `cost`?");
            }
            format!("{what}: {help}")
        })?;
        Ok(Self {
            measure,
            is_maximised,
        })
    }
}

/// Runs that are left of the budget.
#[derive(Debug)]
struct RunsLeft {
    budget: usize,
    used: usize,
}

impl RunsLeft {
    fn runs(&self) -> usize {
        self.budget - self.used
    }

    /// Takes so many, or none if there are not enough.
    fn take(&mut self, runs: usize) -> bool {
        let enough = runs <= self.runs();
        if enough {
            self.used += runs;
        }
        enough
    }
}

/// The largest concurrency of each function in one run of the scenario as it is: where a search for concurrency begins.
///
/// # Errors
/// As [`sim::run`].
pub fn busiest(scenario: &Scenario, seed: u64) -> Result<Vec<u32>, LimitError> {
    let outcome = sim::run(scenario, seed, &mut ())?;
    let functions = outcome.summary.functions.iter();
    Ok(functions
        .map(|(_, one)| one.concurrent_executions.max.value as u32)
        .collect())
}

/// Searches. The scenario as it is takes part.
///
/// # Errors
/// When the scenario itself has mistakes.
pub fn tune<P: Progress>(
    source: &SourceText,
    plan: &Plan,
    progress: impl Fn() -> P + Sync,
) -> Result<Answer, Report> {
    let Loaded { scenario, .. } = parse(source.clone())?;
    let about = (scenario.title.clone(), scenario.hash.clone());
    let mut contenders = vec![Contender::as_it_is(scenario)];
    let mut left = RunsLeft {
        budget: plan.budget,
        used: 0,
    };
    let lasted = search::search(plan, source, &mut contenders, &mut left, &progress);
    Ok(answer::answer(
        plan,
        about,
        &contenders,
        (left.used, lasted),
    ))
}
