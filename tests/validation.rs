//! Closed forms and published figures that a simulation must reproduce.
//!
//! Each figure is the mean of 20 fixed, independent seeds and must lie within four standard errors of the exact value;
//! the error is that of the replications' mean, because blocking is clustered and a binomial error
//! would be far too small.

use crate::support::{constant_rate, function, lognormal, minutes, poisson, scenario};
use proptest::prelude::*;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use tidegate::engine::lambda::{
    AccountLimits, Fate, FunctionId, FunctionLimits, Lambda, Lease, Reuse, Start,
};
use tidegate::engine::{Growth, Profile, Span, Time};
use tidegate::metrics::{FunctionSummary, Series};
use tidegate::scenario::{Arrivals, Dist, Scenario, Traffic};
use tidegate::sim;

const SEEDS: std::ops::RangeInclusive<u64> = 1..=20;

/// Mean and standard error of a figure over the seeds.
#[derive(Clone, Copy, Debug)]
struct Estimate {
    mean: f64,
    error: f64,
}

impl Estimate {
    fn over(values: &[f64]) -> Self {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let variance = values
            .iter()
            .map(|value| (value - mean).powi(2))
            .sum::<f64>()
            / (n - 1.0);
        Self {
            mean,
            error: (variance / n).sqrt(),
        }
    }

    #[track_caller]
    fn must_be(self, exact: f64) {
        self.must_be_near(exact, 0.0);
    }

    /// Against a reference that has a standard error of its own.
    #[track_caller]
    fn must_be_near(self, reference: f64, reference_error: f64) {
        let error = self.error.hypot(reference_error);
        assert!(
            (self.mean - reference).abs() < 4.0 * error,
            "{} ± {} is not {reference} ± {reference_error}",
            self.mean,
            self.error
        );
    }
}

fn replicate(scenario: &Scenario, figures: impl Fn(&FunctionSummary) -> Vec<f64>) -> Vec<Estimate> {
    let runs: Vec<Vec<f64>> = SEEDS
        .map(|seed| {
            let outcome = sim::run(scenario, seed, &mut ()).expect("the limits are sound");
            little_holds(&outcome.summary.functions[0].1, outcome.summary.measured_s);
            figures(&outcome.summary.functions[0].1)
        })
        .collect();
    (0..runs[0].len())
        .map(|figure| Estimate::over(&runs.iter().map(|run| run[figure]).collect::<Vec<_>>()))
        .collect()
}

/// Little's law: running = accepted rate × mean time, up to what is cut off at both ends of the run.
fn little_holds(summary: &FunctionSummary, measured_s: f64) {
    let busy = summary.invocations.value * summary.duration.mean.value / 1e3;
    let cut_off = 4.0 * summary.concurrent_executions.max.value * summary.duration.mean.value / 1e3;
    let area = summary.concurrent_executions.mean.value * measured_s;
    assert!((area - busy).abs() <= cut_off.max(1.0), "{area} ≠ {busy}");
}

/// The blocking probability of `c` servers under an offered load of `a`.
fn erlang_b(a: f64, c: u32) -> f64 {
    (1..=c).fold(1.0, |b, k| a * b / (f64::from(k) + a * b))
}

fn blocking(a: f64, c: u32, service: Dist, arrivals: f64) {
    let mean_s = 1.0;
    let mut function = function(service);
    function.reserved_concurrency = Some(c);
    let rate = a / mean_s;
    let warm_up = 20.0 * mean_s;
    let mut scenario = scenario(
        Span::from_secs((warm_up + arrivals / rate) as u64),
        function,
    );
    scenario.warm_up = Span::from_secs(warm_up as u64);
    scenario.traffic = vec![poisson(rate)];
    // The growth limit must not block: only the reserved concurrency is under test.
    scenario.profile = Profile::Guide2021;
    scenario.region.burst_concurrency = 100_000;
    let estimates = replicate(&scenario, |f| {
        let offered = f.invocations.value + f.throttles.value;
        vec![
            f.throttles.value / offered,
            f.concurrent_executions.mean.value,
        ]
    });
    let exact = erlang_b(a, c);
    estimates[0].must_be(exact);
    estimates[1].must_be(a * (1.0 - exact));
}

#[test]
fn erlang_b_matches_its_table() {
    for (a, c, b) in [
        (90.0, 100, 0.026_957_38),
        (100.0, 100, 0.075_700_45),
        (1000.0, 1000, 0.024_811_92),
        (2016.0, 1000, 0.504_454_58),
    ] {
        assert!((erlang_b(a, c) - b).abs() < 1e-8);
    }
}

#[test]
fn erlang_b_exponential_service() {
    blocking(90.0, 100, Dist::Exponential { mean: 1e9 }, 60_000.0);
    blocking(2016.0, 1000, Dist::Exponential { mean: 1e9 }, 100_000.0);
}

#[test]
fn erlang_b_constant_service() {
    blocking(100.0, 100, Dist::Constant(1e9), 60_000.0);
}

#[test]
fn erlang_b_lognormal_service() {
    blocking(100.0, 100, lognormal(1e9, 1.0), 60_000.0);
}

#[test]
fn m_g_infinity_fills_from_empty() {
    let (rate, service) = (100.0, 2.0);
    for (dist, exponential) in [
        (Dist::Exponential { mean: 2e9 }, true),
        (Dist::Constant(2e9), false),
    ] {
        let mut scenario = scenario(Span::from_secs(12), function(dist));
        scenario.traffic = vec![poisson(rate)];
        let runs: Vec<Series> = (1..=200)
            .map(|seed| sim::run(&scenario, seed, &mut ()).expect("runs").series)
            .collect();
        for second in [0usize, 1, 4, 9] {
            let means: Vec<f64> = runs
                .iter()
                .map(|run| run.functions[0].rows[second].concurrency_mean)
                .collect();
            // The exact mean at time t is λ·∫₀ᵗ P(S > u) du; a bin shows its average over a second.
            let (from, to) = (second as f64, second as f64 + 1.0);
            let exact = if exponential {
                let integral = |t: f64| t + service * (-t / service).exp();
                rate * service * (integral(to) - integral(from))
            } else {
                let integral = |t: f64| {
                    if t < service {
                        t * t / 2.0
                    } else {
                        service * t - service * service / 2.0
                    }
                };
                rate * (integral(to) - integral(from))
            };
            Estimate::over(&means).must_be(exact);
        }
    }
}

#[test]
fn m_g_infinity_is_poisson() {
    for (dist, load, quantiles) in [
        (Dist::Exponential { mean: 1e9 }, 50.0, [50, 62, 67, 73]),
        (Dist::Constant(1e9), 50.0, [50, 62, 67, 73]),
        (lognormal(1e9, 1.0), 1000.0, [1000, 1052, 1074, 1099]),
    ] {
        let mut function = function(dist);
        // Environments that expire at once are busy ones: their number at a bin's end is N.
        function.keep_alive = Span::ZERO;
        let mut scenario = scenario(Span::from_secs(7_200), function);
        scenario.profile = Profile::Guide2021;
        scenario.region.burst_concurrency = 100_000_000;
        scenario.traffic = vec![poisson(load)];
        let mut samples: Vec<u32> = (1..=10)
            .flat_map(|seed| {
                let outcome = sim::run(&scenario, seed, &mut ()).expect("runs");
                let rows = outcome.series.functions[0].rows.clone();
                rows.into_iter().skip(60).map(|row| row.environments)
            })
            .collect();
        samples.sort_unstable();
        for (q, expected) in [0.5, 0.95, 0.99, 0.999].into_iter().zip(quantiles) {
            let found = samples[(q * samples.len() as f64) as usize];
            let slack = 1 + expected / 300;
            assert!(
                found.abs_diff(expected) <= slack,
                "q{q} of {load}: {found}, not {expected}"
            );
        }
    }
}

#[test]
fn keep_alive_table() {
    for (rate, service, keep_alive, alive, cold, lifespan, horizon) in [
        (0.9, 2.0, 600, 7.708_034, 0.001_331_35, 6_432.93, 1_000_000),
        (10.0, 1.0, 60, 20.286_375, 0.002_586_54, 784.30, 100_000),
        (5.0, 0.2, 300, 6.545_087, 0.000_353_64, 3_701.58, 400_000),
    ] {
        let mut function = function(Dist::Exponential {
            mean: service * 1e9,
        });
        function.keep_alive = Span::from_secs(keep_alive);
        let warm_up = 3_000 + 20 * keep_alive;
        let mut scenario = scenario(Span::from_secs(horizon + warm_up), function);
        scenario.warm_up = Span::from_secs(warm_up);
        scenario.traffic = vec![poisson(rate)];
        let estimates = replicate(&scenario, |f| {
            vec![
                f.environments.mean.value,
                f.cold_starts.value / f.invocations.value,
                f.environment_lifespan_s.value,
                f.environments.mean.value
                    / (f.cold_starts.value / horizon as f64 * f.environment_lifespan_s.value),
            ]
        });
        estimates[0].must_be(alive);
        estimates[1].must_be(cold);
        estimates[2].must_be(lifespan);
        // Little's law for environments, within the noise of expiries against creations.
        assert!((estimates[3].mean - 1.0).abs() < 0.05, "{estimates:?}");
    }
}

#[test]
fn keep_alive_of_a_single_environment() {
    // With one environment and any service law, P(cold | accepted) = exp(−λT).
    let (rate, keep_alive) = (0.01, 100);
    let mut function = function(Dist::Constant(1e9));
    function.keep_alive = Span::from_secs(keep_alive);
    function.reserved_concurrency = Some(1);
    let mut scenario = scenario(Span::from_secs(2_000_000), function);
    scenario.traffic = vec![poisson(rate)];
    let estimates = replicate(&scenario, |f| {
        vec![f.cold_starts.value / f.invocations.value]
    });
    estimates[0].must_be((-rate * keep_alive as f64).exp());
}

#[test]
fn simfaas_steady_state_example() {
    let mut function = function(Dist::Exponential { mean: 1.991e9 });
    function.cold_duration = Some(Dist::Exponential { mean: 2.244e9 });
    let mut scenario = scenario(Span::from_secs(1_000_000), function);
    scenario.traffic = vec![poisson(0.9)];
    let estimates = replicate(&scenario, |f| {
        vec![
            f.cold_starts.value / f.invocations.value,
            f.throttles.value,
            f.environment_lifespan_s.value,
            f.environments.mean.value,
            f.concurrent_executions.mean.value,
        ]
    });
    estimates[0].must_be_near(0.001_331, 0.000_006);
    assert_eq!(estimates[1].mean, 0.0);
    estimates[2].must_be_near(6_424.0, 29.0);
    estimates[3].must_be_near(7.696_1, 0.01);
    estimates[4].must_be_near(1.792_36, 0.001);
}

/// Runs the operator guide's minutes and returns new environments and throttles of each.
fn operator_guide(counts: &[u32]) -> Vec<(u64, u64)> {
    let mut function = function(Dist::Constant(1e9));
    function.keep_alive = Span::from_secs(3_600);
    let mut scenario = scenario(Span::from_secs(60 * counts.len() as u64), function);
    scenario.profile = Profile::Guide2021;
    scenario.region.account_concurrency = 10_000;
    scenario.traffic = vec![minutes(counts)];
    let outcome = sim::run(&scenario, 1, &mut ()).expect("runs");
    let rows = &outcome.series.functions[0].rows;
    rows.chunks(60)
        .map(|minute| {
            let throttles = minute.iter().flat_map(|row| row.throttles).sum();
            (minute.iter().map(|row| row.cold_starts).sum(), throttles)
        })
        .collect()
}

#[test]
fn operator_guide_burst_cases() {
    assert_eq!(operator_guide(&[10_000]), [(3_000, 7_000)]);
    assert_eq!(
        operator_guide(&[5_000, 5_000]),
        [(3_000, 2_000), (500, 1_500)]
    );
    assert_eq!(
        operator_guide(&[3_333, 3_333, 3_333]),
        [(3_000, 333), (333, 0), (0, 0)]
    );
    assert_eq!(
        operator_guide(&[2_500; 4]),
        [(2_500, 0), (0, 0), (0, 0), (0, 0)]
    );
}

#[test]
fn growth_reaches_ten_thousand_when_the_rules_say() {
    let minutes_to = |profile, burst| {
        let mut function = function(Dist::Constant(4_000e9));
        // Calls long enough not to end, and more of them than may run.
        function.timeout = Span::from_secs(4_000);
        let mut scenario = scenario(Span::from_secs(1_500), function);
        scenario.profile = profile;
        scenario.region.burst_concurrency = burst;
        scenario.traffic = vec![Traffic {
            function: 0,
            alias: None,
            tenants: None,
            arrivals: Arrivals::Constant(constant_rate(5_000.0)),
            retry: None,
        }];
        let outcome = sim::run(&scenario, 1, &mut ()).expect("runs");
        let rows = &outcome.series.functions[0].rows;
        let reached = rows.iter().position(|row| row.concurrency_max >= 10_000);
        reached.expect("it grows that far") as f64 / 60.0
    };
    for (burst, minutes) in [(500, 19.0), (1_000, 18.0), (3_000, 14.0)] {
        let found = minutes_to(Profile::Guide2021, burst);
        assert!((found - minutes).abs() < 0.05, "{burst}: {found}");
    }
    let found = minutes_to(Profile::Current, 0);
    assert!((found - 1.5).abs() < 0.05, "{found}");
}

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
        let growth = Growth { burst: 1_000_000, refill: 1, interval: Span::from_secs(1), regional: false };
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
