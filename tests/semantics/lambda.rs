//! Rules of the function service: who may run, and on which environment.

use crate::support;
use tidegate::engine::lambda::{
    AccountLimits, Fate, FunctionId, FunctionLimits, Lambda, Lease, LimitError, Reuse, Start,
    ThrottleReason,
};
use tidegate::engine::{Profile, Span, Time};
use tidegate::scenario::{Arrivals, Dist, Fault, FaultKind};
use tidegate::sim;

const F: FunctionId = FunctionId(0);
const G: FunctionId = FunctionId(1);

fn limits(reserved_concurrency: Option<u32>) -> FunctionLimits {
    FunctionLimits {
        reserved_concurrency,
        keep_alive: Span::from_secs(600),
        reuse: Reuse::MostRecent,
    }
}

fn account(concurrency: u32) -> AccountLimits {
    AccountLimits {
        concurrency,
        caller_requests_per_sec: None,
    }
}

fn service(concurrency: u32, functions: &[FunctionLimits], profile: Profile) -> Lambda {
    let growth = profile.growth(3_000);
    Lambda::new(account(concurrency), functions.to_vec(), growth, 1).expect("sound limits")
}

/// Requests until the first refusal: how many ran, and why no more.
fn fill(lambda: &mut Lambda, now: Time, function: FunctionId) -> (u32, ThrottleReason) {
    for count in 0.. {
        if let Err(reason) = lambda.admit(now, function) {
            return (count, reason);
        }
    }
    unreachable!("some limit holds")
}

#[test]
fn reserved_concurrency() {
    let mut lambda = service(1_000, &[limits(Some(3)), limits(None)], Profile::Current);
    let refusal = ThrottleReason::ReservedFunctionConcurrentInvocationLimitExceeded;
    assert_eq!(fill(&mut lambda, Time::ZERO, F), (3, refusal));
    // The others have what is left, whether F uses its part or not.
    let refusal = ThrottleReason::ConcurrentInvocationLimitExceeded;
    assert_eq!(fill(&mut lambda, Time::ZERO, G), (997, refusal));
}

#[test]
fn reserved_concurrency_of_zero_stops_a_function() {
    let mut lambda = service(1_000, &[limits(Some(0))], Profile::Current);
    let refusal = ThrottleReason::ReservedFunctionConcurrentInvocationLimitExceeded;
    assert_eq!(lambda.admit(Time::ZERO, F), Err(refusal));
}

#[test]
fn account_concurrency() {
    let mut lambda = service(150, &[limits(None), limits(None)], Profile::Current);
    let refusal = ThrottleReason::ConcurrentInvocationLimitExceeded;
    for _ in 0..100 {
        assert!(lambda.admit(Time::ZERO, G).is_ok());
    }
    assert_eq!(fill(&mut lambda, Time::ZERO, F), (50, refusal));
}

#[test]
fn reserved_leaves_100_unreserved() {
    let build = |reserved| {
        let functions = vec![limits(Some(reserved))];
        Lambda::new(account(1_000), functions, Profile::Current.growth(0), 1).err()
    };
    assert_eq!(build(900), None);
    let refusal = LimitError::UnreservedBelowMinimum { unreserved: 99 };
    assert_eq!(
        refusal.to_string(),
        "Specified ReservedConcurrentExecutions for function decreases account's \
         UnreservedConcurrentExecution below its minimum value of [100]."
    );
    assert_eq!(build(901), Some(refusal));
}

/// Runs requests that take no time until one is refused.
fn burst(lambda: &mut Lambda, now: Time, function: FunctionId) -> (u32, ThrottleReason) {
    for count in 0.. {
        match lambda.admit(now, function) {
            Ok(lease) => lambda.finish(now, lease, Fate::Keep),
            Err(reason) => return (count, reason),
        }
    }
    unreachable!("some limit holds")
}

#[test]
fn requests_per_second() {
    let mut lambda = service(200, &[limits(Some(50)), limits(None)], Profile::Current);
    let reserved = ThrottleReason::ReservedFunctionInvocationRateLimitExceeded;
    let shared = ThrottleReason::FunctionInvocationRateLimitExceeded;
    // Ten for each unit of reserved concurrency, and ten for each unit of the account's.
    assert_eq!(burst(&mut lambda, Time::ZERO, F), (500, reserved));
    assert_eq!(burst(&mut lambda, Time::ZERO, G), (1_500, shared));
    let later = Time::from_millis(100);
    assert_eq!(burst(&mut lambda, later, F), (50, reserved));
}

#[test]
fn growth_regional_2021() {
    let mut lambda = service(20_000, &[limits(None), limits(None)], Profile::Guide2021);
    let refusal = ThrottleReason::ConcurrentInvocationLimitExceeded;
    for _ in 0..1_000 {
        assert!(lambda.admit(Time::ZERO, G).is_ok());
    }
    // One bucket for every function of the Region, refilled by 500 a minute.
    assert_eq!(fill(&mut lambda, Time::ZERO, F), (2_000, refusal));
    assert_eq!(fill(&mut lambda, Time::from_secs(60), F), (500, refusal));
}

#[test]
fn growth_function_current() {
    let mut lambda = service(20_000, &[limits(None), limits(None)], Profile::Current);
    let refusal = ThrottleReason::ConcurrentInvocationLimitExceeded;
    // Each function has a bucket of its own, refilled by 1,000 per 10 s.
    assert_eq!(fill(&mut lambda, Time::ZERO, F), (1_000, refusal));
    assert_eq!(fill(&mut lambda, Time::ZERO, G), (1_000, refusal));
    assert_eq!(fill(&mut lambda, Time::from_secs(1), F), (100, refusal));
    assert_eq!(fill(&mut lambda, Time::from_secs(11), F), (1_000, refusal));
}

#[test]
fn growth_is_spent_by_new_environments_only() {
    let mut lambda = service(20_000, &[limits(None)], Profile::Current);
    let first = lambda.admit(Time::ZERO, F).expect("nothing runs yet");
    lambda.finish(Time::ZERO, first, Fate::Keep);
    let (more, _) = fill(&mut lambda, Time::ZERO, F);
    // The thousandth environment is the last; the first was used again for nothing.
    assert_eq!(more, 1_000);
}

fn lease(lambda: &mut Lambda, secs: u64) -> Lease {
    lambda.admit(Time::from_secs(secs), F).expect("it may run")
}

#[test]
fn environment_reuse() {
    for (reuse, expected) in [(Reuse::MostRecent, 1), (Reuse::LeastRecent, 0)] {
        let function = FunctionLimits {
            reuse,
            ..limits(None)
        };
        let mut lambda = service(1_000, &[function], Profile::Current);
        let leases = [lease(&mut lambda, 0), lease(&mut lambda, 0)];
        for (lease, secs) in leases.into_iter().zip(1..) {
            lambda.finish(Time::from_secs(secs), lease, Fate::Keep);
        }
        let next = lease(&mut lambda, 5);
        assert_eq!(next.environment.0, expected, "{reuse:?}");
    }
}

#[test]
fn environment_keep_alive() {
    let mut lambda = service(1_000, &[limits(None)], Profile::Current);
    let first = lease(&mut lambda, 0);
    lambda.finish(Time::from_secs(1), first, Fate::Keep);
    let nearly = lease(&mut lambda, 600);
    assert_eq!(nearly.start, Start::Warm);
    lambda.finish(Time::from_secs(600), nearly, Fate::Keep);
    assert_eq!(lease(&mut lambda, 1_200).start, Start::Cold);
}

#[test]
fn a_reset_environment_initialises_again() {
    let mut lambda = service(1_000, &[limits(None)], Profile::Current);
    for (fate, next) in [
        (Fate::Keep, Start::Warm),
        (Fate::Reset, Start::Reset),
        (Fate::Destroy, Start::Cold),
    ] {
        let running = lease(&mut lambda, 0);
        lambda.finish(Time::ZERO, running, fate);
        let again = lease(&mut lambda, 0);
        assert_eq!(again.start, next);
        lambda.finish(Time::ZERO, again, Fate::Keep);
    }
}

#[test]
fn timeout_resets_environment() {
    let function = tidegate::scenario::Function {
        timeout: Span::from_millis(100),
        init: Dist::Constant(50e6),
        ..support::function(Dist::Constant(80e6))
    };
    let mut scenario = support::scenario(Span::from_secs(20), function);
    let arrivals = Arrivals::Constant(support::constant_rate(1.0));
    scenario.traffic = vec![support::calls(arrivals)];
    scenario.faults = vec![Fault {
        at: Span::from_millis(4_500),
        lasts: Span::from_secs(1),
        what: FaultKind::FunctionSlow {
            function: 0,
            factor: 2.0,
        },
    }];
    let summary = sim::run(&scenario, 1, &mut ())
        .expect("sound limits")
        .summary;
    let (_, f) = &summary.functions[0];
    // One call is slowed down and cut off. The environment initialises again inside the next one, which takes it
    // over the timeout as well, and so on: 4 calls are fine, and none after them.
    assert_eq!(f.cold_starts.value, 1.0);
    assert_eq!(f.invocations.value - f.timeouts.value, 4.0);
}
