//! Faults planted in the engine, one at a time: the swarm finds every one of them, and nothing where there is none.

use std::num::NonZeroU32;
use tidegate::engine::mutation::Mutant;
use tidegate::swarm::{Manner, Size, campaign, expect_panics};

/// Worlds that are run before a fault counts as not found.
const SEEDS_MAX: u64 = 20_000;

#[test]
#[expect(
    clippy::print_stdout,
    reason = "reports/reliability.md lists what was found"
)]
fn every_planted_fault_is_found() {
    expect_panics();
    let two = NonZeroU32::new(2).expect("not zero");
    let mut missed = Vec::new();
    for mutant in Mutant::ALL {
        let manner = Manner {
            mutant: Some(mutant),
            ..Manner::default()
        };
        let outcome = campaign(&(0..SEEDS_MAX), Size::Small, manner, two, |_| {});
        match outcome.failures.first() {
            Some((seed, failure)) => {
                let (needed, checker) = (seed + 1, failure.checker.name());
                println!("{mutant:?}: seed {seed}, {needed} worlds, {checker}");
            }
            None => missed.push(mutant),
        }
    }
    assert_eq!(missed, [], "not found in {SEEDS_MAX} worlds");
}
