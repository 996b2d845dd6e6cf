//! The keep-alive theorem, on random traces.

use proptest::prelude::*;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use tidegate::engine::lambda::{
    AccountLimits, Fate, FunctionId, FunctionLimits, Lambda, Lease, Reuse, Start,
};
use tidegate::engine::{Growth, Refill, Span, Time};

/// One request of a random trace: nanoseconds since the previous one, and how long it runs.
fn requests() -> impl Strategy<Value = Vec<(u64, u64)>> {
    let gap = prop_oneof![Just(0), 1..50u64, 1..2_000u64];
    let run = prop_oneof![1..20u64, 1..500u64, 1..5_000u64];
    prop::collection::vec((gap, run), 1..200)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// With most-recently-used reuse and keep-alive T, for any arrivals and durations and with or without a limit:
    /// environments alive at t are the maximum of the running count over (t − T, t], and an arrival is cold
    /// exactly when the running count it makes exceeds that maximum.
    #[test]
    fn keep_alive_theorem(requests in requests(), keep_alive in 1..1_000u64, limit in prop::option::of(1..20u32)) {
        let account = AccountLimits { concurrency: 1_000_000, caller_requests_per_sec: None };
        let function = FunctionLimits {
            reserved_concurrency: limit,
            keep_alive: Span::from_nanos(keep_alive),
            reuse: Reuse::MostRecent,
        };
        let growth = Growth { burst: 1_000_000, refill: 1, interval: Span::from_secs(1), shape: Refill::Continuous, regional: false };
        let mut lambda = Lambda::new(account, vec![function], growth, 0).expect("limits are sound");
        let f = FunctionId(0);
        let mut ends: BinaryHeap<Reverse<(Time, usize)>> = BinaryHeap::new();
        let mut leases: Vec<Option<Lease>> = Vec::new();
        // The running count as a step function: (from, value), in order of time.
        let mut steps: Vec<(Time, u32)> = vec![(Time::ZERO, 0)];
        let mut now = Time::from_nanos(1);
        for (index, (gap, run)) in requests.into_iter().enumerate() {
            now += Span::from_nanos(gap);
            while let Some(&Reverse((end, which))) = ends.peek() {
                if end > now {
                    break;
                }
                ends.pop();
                lambda.finish(end, leases[which].take().expect("ends once"), Fate::Keep);
                steps.push((end, lambda.running(f)));
            }
            // The largest running count over (now − T, now]: the step in force just after now − T, and all later ones.
            let horizon = now.as_nanos().saturating_sub(keep_alive);
            let in_force = steps.iter().rev().find(|(at, _)| at.as_nanos() <= horizon).map_or(0, |(_, value)| *value);
            let warm = steps.iter().filter(|(at, _)| at.as_nanos() > horizon).map(|(_, value)| *value).max().unwrap_or(0).max(in_force);
            prop_assert_eq!(lambda.environments(now, f), warm);
            leases.push(None);
            let Ok(lease) = lambda.admit(now, f) else { continue };
            let running = lambda.running(f);
            prop_assert_eq!(lease.start == Start::Cold, running > warm);
            steps.push((now, running));
            leases[index] = Some(lease);
            ends.push(Reverse((now + Span::from_nanos(run), index)));
        }
    }
}
