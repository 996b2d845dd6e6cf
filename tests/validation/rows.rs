//! A figure with its exact value, and how it is estimated.

use tidegate::metrics::FunctionSummary;
use tidegate::scenario::Scenario;
use tidegate::sim;

const SEEDS: std::ops::RangeInclusive<u64> = 1..=20;
/// How many standard errors a figure may be off.
pub const ERRORS_MAX: f64 = 4.0;

/// Mean and standard error of a figure over independent runs.
#[derive(Clone, Copy, Debug)]
pub struct Estimate {
    pub mean: f64,
    pub error: f64,
}

impl Estimate {
    pub fn over(values: &[f64]) -> Self {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let squares = values.iter().map(|value| (value - mean).powi(2));
        let variance = squares.sum::<f64>() / (n - 1.0);
        Self {
            mean,
            error: (variance / n).sqrt(),
        }
    }

    pub const fn certain(mean: f64) -> Self {
        Self { mean, error: 0.0 }
    }
}

/// A row of the report.
#[derive(Clone, Debug)]
pub struct Row {
    pub what: String,
    /// The exact value, or a reference with its own standard error.
    pub exact: Estimate,
    pub found: Estimate,
    /// A deviation that is none: half a unit of figures that are whole numbers, or the resolution of a clock.
    pub resolution: f64,
}

impl Row {
    pub fn new(what: impl Into<String>, exact: f64, found: Estimate) -> Self {
        Self {
            what: what.into(),
            exact: Estimate::certain(exact),
            found,
            resolution: 0.0,
        }
    }

    /// Against a reference that has a standard error of its own.
    pub fn near(what: &str, exact: f64, error: f64, found: Estimate) -> Self {
        Self {
            exact: Estimate { mean: exact, error },
            ..Self::new(what, exact, found)
        }
    }

    pub fn within(self, resolution: f64) -> Self {
        Self { resolution, ..self }
    }

    /// The largest deviation that is taken for chance.
    pub fn tolerance(&self) -> f64 {
        ERRORS_MAX * self.found.error.hypot(self.exact.error) + self.resolution
    }

    pub fn holds(&self) -> bool {
        (self.found.mean - self.exact.mean).abs() <= self.tolerance()
    }
}

/// All rows, or a panic that shows those which do not hold.
#[track_caller]
pub fn hold(rows: &[Row]) {
    assert!(!rows.is_empty());
    let off: Vec<&Row> = rows.iter().filter(|row| !row.holds()).collect();
    assert!(off.is_empty(), "{off:#?}");
}

/// Figures of the first function over the seeds. Little's law is checked in every run.
pub fn replicate(
    scenario: &Scenario,
    figures: impl Fn(&FunctionSummary) -> Vec<f64>,
) -> Vec<Estimate> {
    let runs: Vec<Vec<f64>> = SEEDS
        .map(|seed| {
            let outcome = sim::run(scenario, seed, &mut ()).expect("the limits are sound");
            let summary = &outcome.summary;
            little_holds(&summary.functions[0].1, summary.measured_s);
            figures(&summary.functions[0].1)
        })
        .collect();
    let column = |figure: usize| runs.iter().map(|run| run[figure]).collect::<Vec<_>>();
    (0..runs[0].len())
        .map(|figure| Estimate::over(&column(figure)))
        .collect()
}

/// Little's law: running = accepted rate × mean time, up to what is cut off at both ends of the run.
fn little_holds(summary: &FunctionSummary, measured_s: f64) {
    let mean = summary.duration.mean.value;
    let busy = summary.invocations.value * mean / 1e3;
    let cut_off = 4.0 * summary.concurrent_executions.max.value * mean / 1e3;
    let area = summary.concurrent_executions.mean.value * measured_s;
    assert!((area - busy).abs() <= cut_off.max(1.0), "{area} ≠ {busy}");
}
