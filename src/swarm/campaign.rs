//! Many worlds on all cores.

use super::tally::{Failure, Tally};
use super::world::{Size, World};
use super::{Manner, examine};
use crate::study;
use std::num::NonZeroU32;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

/// Worlds that one thread runs before it looks up.
const ROUND: u64 = 250;
/// Failures that are kept; more say nothing new.
const FAILURES_MAX: usize = 10;

/// What many worlds came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Figures of all worlds that ran.
    pub tally: Tally,
    /// Seeds whose worlds failed, in their order, with what was found.
    pub failures: Vec<(u64, Failure)>,
}

/// Runs the worlds of `seeds` on up to `jobs` threads. After a failure no further worlds are begun; those of lower seeds
/// are all over then. `advance` hears how many more are over.
pub fn campaign(
    seeds: &Range<u64>,
    size: Size,
    manner: Manner,
    jobs: NonZeroU32,
    advance: impl Fn(u64) + Sync,
) -> Outcome {
    let rounds = seeds.end.saturating_sub(seeds.start).div_ceil(ROUND);
    let has_failed = AtomicBool::new(false);
    let round = |index: usize| {
        let mut outcome = Outcome::default();
        if has_failed.load(Ordering::Relaxed) {
            return outcome;
        }
        let from = seeds.start + index as u64 * ROUND;
        let to = seeds.end.min(from + ROUND);
        for seed in from..to {
            let verdict = examine(&World::draw(seed, size), manner);
            outcome.tally.add(&verdict.tally);
            if let Some(failure) = verdict.failure {
                outcome.failures.push((seed, failure));
                has_failed.store(true, Ordering::Relaxed);
                break;
            }
        }
        advance(to - from);
        outcome
    };
    let mut all = Outcome::default();
    for outcome in study::ordered(rounds as usize, jobs, round) {
        all.tally.add(&outcome.tally);
        all.failures.extend(outcome.failures);
    }
    all.failures.truncate(FAILURES_MAX);
    all
}
