//! Several functions of one account at once: who gets what, moment by moment, computed by hand.

use crate::support::{calls, constant_rate, function, scenario};
use tidegate::engine::lambda::{
    AccountLimits, AccountUse, AliasId, AliasLimits, Fate, FunctionId, FunctionLimits, Lambda,
    Lease, Reuse, Routing, Start, ThrottleReason,
};
use tidegate::engine::{Growth, Profile, Refill, Span, Time};
use tidegate::scenario::{Arrivals, Dist};
use tidegate::sim;

const F: FunctionId = FunctionId(0);
const G: FunctionId = FunctionId(1);
const H: FunctionId = FunctionId(2);

use ThrottleReason::ConcurrentInvocationLimitExceeded as NO_CONCURRENCY;
use ThrottleReason::ReservedFunctionConcurrentInvocationLimitExceeded as NO_RESERVE;

/// An account with one function for each reservation given.
fn account(concurrency: u32, reserved: &[Option<u32>], growth: Growth) -> Lambda {
    let functions = reserved.iter().map(|reserved| FunctionLimits {
        reserved_concurrency: *reserved,
        keep_alive: Span::from_secs(600),
        reuse: Reuse::MostRecent,
    });
    let limits = AccountLimits {
        concurrency,
        caller_requests_per_sec: None,
    };
    Lambda::new(limits, functions.collect(), growth, 1).expect("sound limits")
}

fn shaped(profile: Profile, burst: u32, shape: Refill) -> Growth {
    Growth {
        shape,
        ..profile.growth(burst)
    }
}

fn at(secs: u64) -> Time {
    Time::from_secs(secs)
}

/// Requests until the first refusal: the leases, and why no more.
fn fill(lambda: &mut Lambda, now: Time, function: FunctionId) -> (Vec<Lease>, ThrottleReason) {
    let mut leases = Vec::new();
    loop {
        match lambda.admit(now, function) {
            Ok(lease) => leases.push(lease),
            Err(reason) => return (leases, reason),
        }
    }
}

/// [`fill`], of which only the number counts.
fn filled(lambda: &mut Lambda, now: Time, function: FunctionId) -> (usize, ThrottleReason) {
    let (leases, reason) = fill(lambda, now, function);
    (leases.len(), reason)
}

fn take(lambda: &mut Lambda, now: Time, function: FunctionId, count: usize) -> Vec<Lease> {
    (0..count)
        .map(|_| lambda.admit(now, function).expect("it may run"))
        .collect()
}

fn give_back(lambda: &mut Lambda, now: Time, leases: &[Lease]) {
    for lease in leases {
        lambda.finish(now, *lease, Fate::Keep);
    }
}

#[test]
fn a_reservation_is_kept_free_and_never_exceeded() {
    let mut lambda = account(1_000, &[Some(300), None, None], Profile::Current.growth(0));
    // 0 s: the other two share 700, whatever F uses.
    let g = take(&mut lambda, at(0), G, 450);
    assert_eq!(filled(&mut lambda, at(0), H), (250, NO_CONCURRENCY));
    let used = AccountUse {
        concurrent: 700,
        unreserved: 700,
        claimed: 1_000,
    };
    assert_eq!(lambda.account(), used);
    // 1 s: all of F's 300 are there, and no more of them.
    let (f, reason) = fill(&mut lambda, at(1), F);
    assert_eq!((f.len(), reason), (300, NO_RESERVE));
    assert_eq!(lambda.account().concurrent, 1_000);
    assert_eq!(lambda.account().claimed, 1_000);
    // 2 s: what G gives back is for H, not for F.
    give_back(&mut lambda, at(2), &g[..200]);
    assert_eq!(filled(&mut lambda, at(2), F), (0, NO_RESERVE));
    assert_eq!(filled(&mut lambda, at(2), H), (200, NO_CONCURRENCY));
    // 3 s: what F gives back is for F alone.
    give_back(&mut lambda, at(3), &f);
    assert_eq!(filled(&mut lambda, at(3), H), (0, NO_CONCURRENCY));
    let used = AccountUse {
        concurrent: 700,
        unreserved: 700,
        claimed: 1_000,
    };
    assert_eq!(lambda.account(), used);
    assert_eq!(filled(&mut lambda, at(3), F), (300, NO_RESERVE));
}

#[test]
fn the_burst_of_2021_is_shared_by_the_region() {
    let continuous = shaped(Profile::Guide2021, 500, Refill::Continuous);
    let mut lambda = account(10_000, &[None, Some(2_000), None], continuous);
    // 0 s: 500 for all; a reservation does not bring new environments of its own.
    take(&mut lambda, at(0), F, 300);
    assert_eq!(filled(&mut lambda, at(0), G), (200, NO_CONCURRENCY));
    assert_eq!(filled(&mut lambda, at(0), H), (0, NO_CONCURRENCY));
    // 30 s: half of 500, to whoever asks first. 60 s: the other half.
    assert_eq!(filled(&mut lambda, at(30), H), (250, NO_CONCURRENCY));
    assert_eq!(filled(&mut lambda, at(30), G), (0, NO_CONCURRENCY));
    assert_eq!(filled(&mut lambda, at(60), G), (250, NO_CONCURRENCY));
    // 300 s: four minutes would be 2,000, but no more than the burst gathers.
    assert_eq!(filled(&mut lambda, at(300), F), (500, NO_CONCURRENCY));

    let stepped = shaped(Profile::Guide2021, 500, Refill::Stepped);
    let mut lambda = account(10_000, &[None, None, None], stepped);
    take(&mut lambda, at(10), F, 300);
    assert_eq!(filled(&mut lambda, at(10), G), (200, NO_CONCURRENCY));
    for (secs, expected) in [(30, 0), (59, 0), (60, 500), (61, 0), (119, 0), (120, 500)] {
        let found = filled(&mut lambda, at(secs), H);
        assert_eq!(found, (expected, NO_CONCURRENCY), "at {secs} s");
    }
}

#[test]
fn functions_grow_side_by_side_until_the_account_is_full() {
    let growth = shaped(Profile::Current, 0, Refill::Continuous);
    let mut lambda = account(3_500, &[None, None, None], growth);
    // 0 s: each has a burst of its own.
    for function in [F, G, H] {
        assert_eq!(
            filled(&mut lambda, at(0), function),
            (1_000, NO_CONCURRENCY)
        );
    }
    // 4 s: F has 400 more; the account has 100 left for G, whose own 400 are more than that.
    let f = take(&mut lambda, at(4), F, 400);
    assert_eq!(filled(&mut lambda, at(4), F), (0, NO_CONCURRENCY));
    assert_eq!(filled(&mut lambda, at(4), G), (100, NO_CONCURRENCY));
    assert_eq!(lambda.account().claimed, 3_500);
    // 6 s: 400 of F are idle. They keep environments but no concurrency, so G goes on with the 300 it did not use and
    // the 200 of two more seconds, of which 400 find room.
    give_back(&mut lambda, at(6), &f);
    assert_eq!(filled(&mut lambda, at(6), G), (400, NO_CONCURRENCY));
    // 8 s: F has 400 tokens, and warm environments that cost none; but no room.
    assert_eq!(filled(&mut lambda, at(8), F), (0, NO_CONCURRENCY));
}

#[test]
fn provisioned_concurrency_of_one_function_is_missing_for_the_others() {
    let growth = Profile::Current.growth(0);
    let limits = AliasLimits {
        function: F,
        provisioned_concurrency: 400,
        routing: Routing::default(),
        stream: 1,
    };
    let mut lambda = account(1_000, &[None, None], growth)
        .with_aliases(&[limits], Profile::Current.allocation(0))
        .expect("sound limits");
    assert_eq!(lambda.account().claimed, 400);
    assert_eq!(filled(&mut lambda, at(0), G), (600, NO_CONCURRENCY));
    let live = AliasId(0);
    for _ in 0..400 {
        let lease = lambda.admit_alias(at(0), live).expect("they are kept");
        assert!(lease.is_provisioned);
    }
    assert_eq!(lambda.admit_alias(at(0), live), Err(NO_CONCURRENCY));
    let used = AccountUse {
        concurrent: 1_000,
        unreserved: 1_000,
        claimed: 1_000,
    };
    assert_eq!(lambda.account(), used);
}

#[test]
fn claimed_account_concurrency() {
    let growth = Profile::Current.growth(0);
    let aliases = [(F, 50), (G, 30)].map(|(function, provisioned_concurrency)| AliasLimits {
        function,
        provisioned_concurrency,
        routing: Routing::default(),
        stream: 1,
    });
    let mut lambda = account(1_000, &[Some(200), None, None], growth)
        .with_aliases(&aliases, Profile::Current.allocation(0))
        .expect("sound limits");
    // F's 200, whose provisioned part is inside of them, and G's 30, busy or not.
    assert_eq!(lambda.account().claimed, 230);
    let f = take(&mut lambda, at(0), F, 10);
    let provisioned = lambda.admit_alias(at(0), AliasId(1)).expect("it is ready");
    take(&mut lambda, at(0), H, 5);
    let used = AccountUse {
        concurrent: 16,
        unreserved: 6,
        claimed: 235,
    };
    assert_eq!(lambda.account(), used);
    give_back(&mut lambda, at(1), &f);
    lambda.finish(at(1), provisioned, Fate::Keep);
    let used = AccountUse {
        concurrent: 5,
        unreserved: 5,
        claimed: 235,
    };
    assert_eq!(lambda.account(), used);
}

#[test]
fn growth_spent_by_new_environments() {
    // Three new environments, and none comes back within the test.
    let growth = Growth {
        burst: 3,
        refill: 1,
        interval: Span::from_secs(3_600),
        shape: Refill::Continuous,
        regional: false,
    };
    let limits = AliasLimits {
        function: F,
        provisioned_concurrency: 1,
        routing: Routing::default(),
        stream: 1,
    };
    let mut lambda = account(1_000, &[None], growth)
        .with_aliases(&[limits], Profile::Current.allocation(0))
        .expect("sound limits");
    let live = AliasId(0);
    // Provisioned concurrency was made without the function's growth, and serves without it.
    let provisioned = lambda.admit_alias(at(0), live).expect("it is ready");
    // A spillover needs a new environment: the first token.
    let spilled = lambda.admit_alias(at(0), live).expect("there are three");
    assert_eq!(spilled.start, Start::Cold);
    // A warm start and one that initialises again after a crash cost nothing.
    for (fate, start) in [(Fate::Keep, Start::Warm), (Fate::Reset, Start::Reset)] {
        let lease = if fate == Fate::Keep {
            spilled
        } else {
            take(&mut lambda, at(0), F, 1)[0]
        };
        lambda.finish(at(0), lease, fate);
        let again = lambda.admit(at(0), F).expect("it is there already");
        assert_eq!(again.start, start);
        lambda.finish(at(0), again, Fate::Keep);
    }
    // One that is gone does not give its token back: its successor is the second, and then there is one more.
    let last = take(&mut lambda, at(0), F, 1);
    lambda.finish(at(0), last[0], Fate::Destroy);
    assert_eq!(filled(&mut lambda, at(0), F), (2, NO_CONCURRENCY));
    lambda.finish(at(0), provisioned, Fate::Keep);
    // A refused request spends nothing: an hour later there is exactly one more.
    assert_eq!(filled(&mut lambda, at(3_600), F), (1, NO_CONCURRENCY));
}

#[test]
fn growth_refusal_reason() {
    let mut lambda = account(5_000, &[Some(2_000)], Profile::Current.growth(0));
    // 1,000 of the 2,000 reserved, and then growth refuses, with the account's reason and not the reservation's.
    assert_eq!(filled(&mut lambda, at(0), F), (1_000, NO_CONCURRENCY));
}

#[test]
fn both_refills_reach_ten_thousand_when_the_rules_say() {
    let minutes_to = |profile, burst, refill| {
        let mut f = function(Dist::Constant(4_000e9));
        // Calls long enough not to end, and more of them than may run.
        f.timeout = Span::from_secs(4_000);
        let mut scenario = scenario(Span::from_secs(1_500), f);
        scenario.profile = profile;
        scenario.region.burst_concurrency = burst;
        scenario.region.growth_refill = refill;
        scenario.traffic = vec![calls(Arrivals::Constant(constant_rate(5_000.0)))];
        let outcome = sim::run(&scenario, 1, &mut ()).expect("sound limits");
        let rows = &outcome.series.functions[0].rows;
        let reached = rows.iter().position(|row| row.concurrency_max >= 10_000);
        reached.expect("it grows that far") as f64 / 60.0
    };
    // Both refills reach a multiple of the step at the same moment.
    for refill in [Refill::Continuous, Refill::Stepped] {
        for (profile, burst, minutes) in [
            (Profile::Guide2021, 500, 19.0),
            (Profile::Guide2021, 1_000, 18.0),
            (Profile::Guide2021, 3_000, 14.0),
            (Profile::Current, 0, 1.5),
        ] {
            let found = minutes_to(profile, burst, refill);
            assert!(
                (found - minutes).abs() < 0.05,
                "{burst}, {refill:?}: {found}"
            );
        }
    }
}
