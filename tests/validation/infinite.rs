//! M/G/∞: concurrency without a limit.

use super::rows::{Estimate, Row};
use crate::support::{function, lognormal, pareto, poisson, scenario};
use std::f64::consts::TAU;
use tidegate::engine::{Profile, Span};
use tidegate::scenario::{Arrivals, Dist, Rate, RateStep, Scenario, Traffic};
use tidegate::sim;

/// A function that nothing limits, not even growth.
fn unlimited(length: Span, dist: Dist, traffic: Traffic) -> Scenario {
    let mut function = function(dist);
    // Environments that expire at once are busy ones: their number at a bin's end is N.
    function.keep_alive = Span::ZERO;
    let mut scenario = scenario(length, function);
    scenario.profile = Profile::Guide2021;
    scenario.region.burst_concurrency = 100_000_000;
    scenario.traffic = vec![traffic];
    scenario
}

/// The mean number running in each second of every run.
fn seconds(scenario: &Scenario, runs: u64) -> Vec<Vec<f64>> {
    let run = |seed| {
        let outcome = sim::run(scenario, seed, &mut ()).expect("the limits are sound");
        let rows = &outcome.series.functions[0].rows;
        rows.iter().map(|row| row.concurrency_mean).collect()
    };
    (1..=runs).map(run).collect()
}

/// The exact mean at time t is λ·∫₀ᵗ P(S > u) du; a bin shows its average over a second.
pub fn from_empty() -> Vec<Row> {
    let (rate, service) = (100.0, 2.0);
    /// ∫₀ᵗ P(S > u) du / S, of t and S.
    type Integral = fn(f64, f64) -> f64;
    let laws: [(&str, Dist, Integral); 2] = [
        ("exponential", Dist::Exponential { mean: 2e9 }, |t, s| {
            t + s * (-t / s).exp()
        }),
        ("constant", Dist::Constant(2e9), |t, s| {
            if t < s {
                t * t / (2.0 * s)
            } else {
                t - s / 2.0
            }
        }),
    ];
    let mut rows = Vec::new();
    for (law, dist, integral) in laws {
        let mut scenario = unlimited(Span::from_secs(12), dist, poisson(rate));
        scenario.functions[0].keep_alive = Span::from_secs(600);
        let runs = seconds(&scenario, 200);
        for second in [1usize, 2, 5, 10] {
            let means: Vec<f64> = runs.iter().map(|run| run[second - 1]).collect();
            let to = second as f64;
            let exact = rate * service * (integral(to, service) - integral(to - 1.0, service));
            let what = format!("{law} durations: running in second {second}");
            rows.push(Row::new(what, exact, Estimate::over(&means)));
        }
    }
    rows
}

/// The number running at the ends of seconds, from ten runs of two hours.
pub fn stationary() -> Vec<Row> {
    let cases = [
        (
            "exponential",
            Dist::Exponential { mean: 1e9 },
            50.0,
            [50, 62, 67, 73],
        ),
        ("constant", Dist::Constant(1e9), 50.0, [50, 62, 67, 73]),
        (
            "lognormal, σ = 1",
            lognormal(1e9, 1.0),
            1000.0,
            [1000, 1052, 1074, 1099],
        ),
        ("Pareto, α = 2.5", pareto(1e9, 2.5), 50.0, [50, 62, 67, 73]),
    ];
    let mut rows = Vec::new();
    for (law, dist, load, exact) in cases {
        let scenario = unlimited(Span::from_secs(7_200), dist, poisson(load));
        let run = |seed| {
            let outcome = sim::run(&scenario, seed, &mut ()).expect("the limits are sound");
            let series = &outcome.series.functions[0].rows;
            // The heavy tail of Pareto durations fills up slowly.
            let counts = series.iter().skip(600).map(|row| row.environments);
            counts.collect::<Vec<_>>()
        };
        let mut counts: Vec<u32> = (1..=10).flat_map(run).collect();
        counts.sort_unstable();
        for (q, exact) in [0.5, 0.95, 0.99, 0.999].into_iter().zip(exact) {
            let found = counts[(q * counts.len() as f64) as usize];
            let what = format!("a = {load}, {law}: quantile {q} of the number running");
            let found = Estimate::certain(f64::from(found));
            // A neighbouring whole number is as good: samples of seconds are not independent.
            let slack = 1.0 + f64::from(exact / 300);
            rows.push(Row::new(what, f64::from(exact), found).within(slack));
        }
    }
    rows
}

/// Amplitude a·b/√(1 + (wS)²) around a, and phase lag atan(wS).
pub fn sinusoidal() -> Vec<Row> {
    let (load, service, depth, period) = (100.0, 10.0, 0.5, 60usize);
    let w = TAU / period as f64;
    let periods = 12;
    let rate = |second: usize| load / service * (1.0 + depth * (w * second as f64).sin());
    let ramp = |second: usize| RateStep {
        at: Span::from_secs(second as u64),
        per_sec: rate(second + 1),
        over: Span::from_secs(1),
    };
    let mut steps: Vec<RateStep> = (0..period * periods).map(ramp).collect();
    // The first ramp begins at the rate itself, not at nothing.
    steps[0].over = Span::ZERO;
    let traffic = Traffic {
        arrivals: Arrivals::Poisson(Rate { steps }),
        ..poisson(1.0)
    };
    let length = Span::from_secs((period * periods) as u64);
    let dist = Dist::Exponential {
        mean: service * 1e9,
    };
    let scenario = unlimited(length, dist, traffic);
    let runs = seconds(&scenario, 40);
    let (mut amplitudes, mut lags) = (Vec::new(), Vec::new());
    for run in &runs {
        // Two periods to fill up; then the first harmonic of the bins, whose middles are half a second in.
        let (mut sine, mut cosine) = (0.0, 0.0);
        let bins = run.iter().enumerate().skip(2 * period);
        for (second, value) in bins {
            let angle = w * (second as f64 + 0.5);
            sine += value * angle.sin();
            cosine += value * angle.cos();
        }
        let n = (period * (periods - 2)) as f64 / 2.0;
        amplitudes.push((sine / n).hypot(cosine / n));
        lags.push(-cosine.atan2(sine));
    }
    // Bins and ramps of a second both flatten the wave a little.
    let sinc = |x: f64| x.sin() / x;
    let flattened = sinc(w / 2.0).powi(3);
    let exact = load * depth / (1.0 + (w * service).powi(2)).sqrt() * flattened;
    // The noise of one run lifts its amplitude: the mean of the square is larger by that noise's variance.
    let noise = 2.0 * variance(&amplitudes);
    let lifted = noise / (4.0 * exact);
    vec![
        Row::new(
            "amplitude of the number running",
            exact + lifted,
            Estimate::over(&amplitudes),
        ),
        Row::new(
            "phase lag, radians",
            (w * service).atan(),
            Estimate::over(&lags),
        ),
    ]
}

fn variance(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    values
        .iter()
        .map(|value| (value - mean).powi(2))
        .sum::<f64>()
        / (n - 1.0)
}
