//! Replications for those that may still win: successive elimination by paired differences under common random numbers.

use super::contender::{Contender, better};
use super::{Plan, RunsLeft};
use crate::sim::{self, Progress};
use crate::study::ordered;

/// Runs contenders under the same seeds, replication by replication, until `replications` each, and takes those out whose paired
/// difference to the leader of the moment is surely against them. `field` are the indices of those that take part.
///
/// Returns whether the budget lasted.
pub(super) fn race<P: Progress>(
    plan: &Plan,
    contenders: &mut [Contender],
    field: &[usize],
    replications: usize,
    left: &mut RunsLeft,
    progress: &(impl Fn() -> P + Sync),
) -> bool {
    for replication in 0..replications {
        let alive = |one: &Contender| !one.is_out && one.scenario.is_ok();
        let due: Vec<usize> = field
            .iter()
            .copied()
            .filter(|index| {
                alive(&contenders[*index]) && contenders[*index].rows.len() <= replication
            })
            .collect();
        if !left.take(due.len()) {
            return false;
        }
        run(plan, contenders, &due, replication, progress);
        // Two runs have an interval, which is too wide to be of use: three begin to tell.
        if replication + 1 >= plan.replications_min {
            eliminate(plan, contenders, field);
        }
    }
    true
}

/// One more replication of each contender that is named.
fn run<P: Progress>(
    plan: &Plan,
    contenders: &mut [Contender],
    due: &[usize],
    replication: usize,
    progress: &(impl Fn() -> P + Sync),
) {
    let seed = plan.seed.wrapping_add(replication as u64);
    let shared: &[Contender] = contenders;
    let results = ordered(due.len(), plan.jobs, |task| {
        let scenario = shared[due[task]].scenario.as_ref().map_err(Clone::clone)?;
        let outcome =
            sim::run(scenario, seed, &mut progress()).map_err(|error| error.to_string())?;
        let goals = plan.goals.iter().map(|goal| goal.of(&outcome.summary));
        Ok(goals
            .chain([plan.objective.measure.of(&outcome.summary)])
            .collect())
    });
    for (index, result) in due.iter().zip(results) {
        let contender = &mut contenders[*index];
        match result {
            Ok(row) => contender.rows.push(row),
            Err(why) => {
                contender.scenario = Err(why);
                contender.is_out = true;
            }
        }
    }
}

/// The best of those that have run.
pub(super) fn leader(plan: &Plan, contenders: &[Contender]) -> Option<usize> {
    best_of(plan, contenders, |_| true)
}

/// The best of those that have run and are wanted; of equals the first.
pub(super) fn best_of(
    plan: &Plan,
    contenders: &[Contender],
    wanted: impl Fn(&Contender) -> bool,
) -> Option<usize> {
    let run = (0..contenders.len()).filter(|index| {
        let one = &contenders[*index];
        one.has_run() && one.scenario.is_ok() && wanted(one)
    });
    run.min_by(|one, other| better(&contenders[*one], &contenders[*other], plan))
}

fn eliminate(plan: &Plan, contenders: &mut [Contender], field: &[usize]) {
    let Some(leader) = leader(plan, contenders) else {
        return;
    };
    let beaten: Vec<usize> = field
        .iter()
        .copied()
        .filter(|index| *index != leader && contenders[*index].has_run())
        .filter(|index| contenders[*index].is_beaten_by(&contenders[leader], plan))
        .collect();
    for index in beaten {
        contenders[index].is_out = true;
    }
}
