//! Erlang C: callers that wait for a free server, as asynchronous events do for a function's reserved concurrency.

use super::rows::{Estimate, Row};
use crate::support::{function, poisson, scenario};
use tidegate::engine::{Profile, Span};
use tidegate::scenario::{Dist, Invocation, Traffic};
use tidegate::sim;

/// Load, limit, and the exact mean wait, number waiting, and 95th and 99th percentile of the wait, in units of the mean
/// duration of 1 s.
const CASES: [(f64, u32, [f64; 4]); 2] = [
    (90.0, 100, [0.021_694_05, 1.952_464, 0.146_760, 0.307_704]),
    (95.0, 100, [0.101_291_37, 9.622_680, 0.463_083, 0.784_971]),
];
const NAMES: [&str; 4] = [
    "mean wait",
    "events waiting",
    "p95 of the wait",
    "p99 of the wait",
];

pub fn erlang_c() -> Vec<Row> {
    let rows = CASES.into_iter().flat_map(|(a, c, exact)| {
        let found = simulated(a, c);
        (0..4).map(move |figure| {
            let what = format!("a = {a}, c = {c}: {}", NAMES[figure]);
            Row::new(what, exact[figure], found[figure])
        })
    });
    rows.collect()
}

/// A reader that hands over at once, so that the queue and the limit are M/M/c.
fn simulated(a: f64, c: u32) -> [Estimate; 4] {
    const WARM_UP: u64 = 200;
    let mut f = function(Dist::Exponential { mean: 1e9 });
    f.reserved_concurrency = Some(c);
    let mut scenario = scenario(Span::from_secs(2_000 + WARM_UP), f);
    scenario.warm_up = Span::from_secs(WARM_UP);
    // The growth limit must not keep anybody waiting.
    scenario.profile = Profile::Guide2021;
    scenario.region.burst_concurrency = 100_000;
    scenario.traffic = vec![Traffic {
        invocation: Invocation::Event,
        ..poisson(a)
    }];
    let runs: Vec<[f64; 4]> = (1..=20)
        .map(|seed| {
            let outcome = sim::run(&scenario, seed, &mut ()).expect("the limits are sound");
            let summary = &outcome.summary.functions[0].1;
            assert_eq!(summary.throttles.value, 0.0, "the reader knows the limit");
            assert_eq!(summary.concurrent_executions.max.value, f64::from(c));
            let age = &summary.asynchronous.async_event_age;
            let rows = &outcome.series.functions[0].asynchronous[WARM_UP as usize..];
            let waiting = rows.iter().map(|row| row.backlog as f64).sum::<f64>();
            [
                age.mean.value / 1e3,
                waiting / rows.len() as f64,
                age.p95.value / 1e3,
                age.p99.value / 1e3,
            ]
        })
        .collect();
    [0, 1, 2, 3].map(|figure| {
        let values: Vec<f64> = runs.iter().map(|run| run[figure]).collect();
        Estimate::over(&values)
    })
}
