//! Which leases a worker goes for: its fair share, free ones first, and then one of the busiest worker's.

use super::table::{Seen, Table};
use crate::engine::{Rng, Span, Time};
use std::collections::BTreeMap;

/// What a worker may do about the leases of others.
#[derive(Clone, Copy, Debug)]
pub(super) struct Appetite {
    pub(super) failover: Span,
    /// Leases taken from one that renews them, per scan.
    pub(super) steal_max: usize,
    /// Leases that this worker holds at most.
    pub(super) leases_max: usize,
    /// A planted fault: parents are not waited for.
    #[cfg(feature = "mutations")]
    pub(super) mutant: Option<crate::engine::mutation::Mutant>,
}

/// The leases to take now, in the order in which to try.
///
/// Rules `lease-fair-share` and `lease-steal-from-the-busiest`: the target is the number of leases over the number of
/// workers, rounded up, where a worker counts while one of its leases is alive. Free leases come first. Where there is
/// none, the busiest worker loses what it has above the target, and one at it if two or more are missing here.
pub(super) fn wanted(
    table: &Table,
    me: &str,
    has: impl Fn(&str) -> bool,
    now: Time,
    appetite: Appetite,
    rng: &mut Rng,
) -> Vec<String> {
    let mut free = Vec::new();
    let mut loads: BTreeMap<&str, Vec<&Seen>> = BTreeMap::new();
    let (mut leases, mut held) = (0, 0);
    let ready: Vec<&Seen> = if mutant!(leases appetite, LeaseOfChildBeforeParent) {
        table.unfinished().collect()
    } else {
        table.ready().collect()
    };
    for seen in ready {
        leases += 1;
        match &seen.row.owner {
            _ if has(&seen.row.key) => held += 1,
            // What another life of this worker left behind, or this one lost, is free to it at once.
            Some(owner) if **owner != *me && !seen.is_free(now, appetite.failover) => {
                loads.entry(owner).or_default().push(seen);
            }
            _ => free.push(seen.row.key.clone()),
        }
    }
    let workers = loads.len() + 1;
    let target = usize::div_ceil(leases, workers).min(appetite.leases_max);
    let missing = target.saturating_sub(held);
    if missing == 0 {
        return Vec::new();
    }
    if !free.is_empty() {
        // In an order of its own, so that workers that scan at once do not all ask for the same ones.
        shuffle(&mut free, rng);
        free.truncate(missing);
        return free;
    }
    // Of equally busy ones the first by name: `max_by_key` would take the last.
    let busiest = loads.values().rev().max_by_key(|leases| leases.len());
    let Some(victim) = busiest else {
        return Vec::new();
    };
    let spare = match victim.len().saturating_sub(target) {
        0 if missing > 1 => 1,
        spare => spare,
    };
    // One that changes hands already is left alone.
    let settled = victim.iter().filter(|seen| seen.row.handing_over.is_none());
    let mut taken: Vec<String> = settled.map(|seen| seen.row.key.clone()).collect();
    shuffle(&mut taken, rng);
    taken.truncate(spare.min(missing).min(appetite.steal_max));
    taken
}

fn shuffle(keys: &mut [String], rng: &mut Rng) {
    for last in (1..keys.len()).rev() {
        let other = rng.below(last as u64 + 1) as usize;
        keys.swap(last, other);
    }
}
