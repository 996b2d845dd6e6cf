//! Erlang B: a synchronous function with a limit, and no retries.

use super::rows::{Row, replicate};
use crate::support::{function, lognormal, pareto, poisson, scenario};
use tidegate::engine::{Profile, Span};
use tidegate::scenario::Dist;

/// The blocking probability of `c` servers under an offered load of `a`.
pub fn formula(a: f64, c: u32) -> f64 {
    (1..=c).fold(1.0, |b, k| a * b / (f64::from(k) + a * b))
}

const MEAN: f64 = 1e9;

/// Long enough that the interval is a few percent of the value wherever the load is close to the limit.
pub fn erlang_b() -> Vec<Row> {
    let exponential = || Dist::Exponential { mean: MEAN };
    let cases = [
        ("exponential", exponential(), 90.0, 100, 60_000.0),
        ("exponential", exponential(), 100.0, 100, 60_000.0),
        ("exponential", exponential(), 1000.0, 1000, 200_000.0),
        ("exponential", exponential(), 2016.0, 1000, 100_000.0),
        ("constant", Dist::Constant(MEAN), 100.0, 100, 60_000.0),
        (
            "lognormal, σ = 1",
            lognormal(MEAN, 1.0),
            100.0,
            100,
            60_000.0,
        ),
        ("Pareto, α = 2.5", pareto(MEAN, 2.5), 100.0, 100, 60_000.0),
    ];
    let rows = cases.into_iter().flat_map(|(law, service, a, c, calls)| {
        let [blocked, carried] = simulated(a, c, service, calls);
        let exact = formula(a, c);
        let what = |figure| format!("a = {a}, c = {c}, {law}: {figure}");
        [
            Row::new(what("share refused"), exact, blocked),
            Row::new(what("running"), a * (1.0 - exact), carried),
        ]
    });
    rows.collect()
}

fn simulated(a: f64, c: u32, service: Dist, calls: f64) -> [super::rows::Estimate; 2] {
    let mut function = function(service);
    function.reserved_concurrency = Some(c);
    let warm_up = Span::from_secs(20);
    let length = warm_up + Span::from_secs((calls / a) as u64);
    let mut scenario = scenario(length, function);
    scenario.warm_up = warm_up;
    scenario.traffic = vec![poisson(a)];
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
    [estimates[0], estimates[1]]
}
