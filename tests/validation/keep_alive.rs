//! Environments that are kept for a while.

use super::rows::{Row, replicate};
use crate::support::{function, pareto, poisson, scenario};
use tidegate::engine::Span;
use tidegate::scenario::Dist;

pub fn table() -> Vec<Row> {
    let mut rows = Vec::new();
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
            let creations = f.cold_starts.value / horizon as f64;
            let alive = f.environments.mean.value;
            vec![
                alive,
                f.cold_starts.value / f.invocations.value,
                f.environment_lifespan_s.value,
                alive / (creations * f.environment_lifespan_s.value),
            ]
        });
        let what = |figure| format!("λ = {rate}, S = {service} s, T = {keep_alive} s: {figure}");
        rows.push(Row::new(what("environments"), alive, estimates[0]));
        rows.push(Row::new(what("share of cold starts"), cold, estimates[1]));
        rows.push(Row::new(what("lifespan, s"), lifespan, estimates[2]));
        // Expiries against creations: those of one run are not those of the same environments.
        let little = Row::new(what("Little's law for environments"), 1.0, estimates[3]);
        rows.push(little.within(0.05));
    }
    rows
}

/// With one environment and any service law, P(cold | accepted) = exp(−λT).
pub fn single() -> Vec<Row> {
    let (rate, keep_alive) = (0.01, 100);
    let laws = [
        ("constant", Dist::Constant(1e9)),
        ("exponential", Dist::Exponential { mean: 1e9 }),
        ("Pareto, α = 2.5", pareto(1e9, 2.5)),
    ];
    let rows = laws.into_iter().map(|(law, dist)| {
        let mut function = function(dist);
        function.keep_alive = Span::from_secs(keep_alive);
        function.reserved_concurrency = Some(1);
        let mut scenario = scenario(Span::from_secs(2_000_000), function);
        scenario.traffic = vec![poisson(rate)];
        let estimates = replicate(&scenario, |f| {
            vec![f.cold_starts.value / f.invocations.value]
        });
        let exact = (-rate * keep_alive as f64).exp();
        Row::new(
            format!("{law} durations: share of cold starts"),
            exact,
            estimates[0],
        )
    });
    rows.collect()
}

pub fn simfaas() -> Vec<Row> {
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
    vec![
        Row::near("share of cold starts", 0.001_331, 0.000_006, estimates[0]),
        Row::new("throttles", 0.0, estimates[1]),
        Row::near("lifespan, s", 6_424.0, 29.0, estimates[2]),
        Row::near("environments", 7.696_1, 0.01, estimates[3]),
        Row::near("running", 1.792_36, 0.001, estimates[4]),
    ]
}
