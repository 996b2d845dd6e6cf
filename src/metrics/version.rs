//! Folds what happens to one published version: the figures that CloudWatch keeps by ExecutedVersion.

use super::figures::Metric;
use super::histogram::{Histogram, quantiles_of};
use super::{Figure, Percentiles, Started};
use serde::Serialize;

/// Counts and times of one version.
#[derive(Debug, Default)]
pub struct VersionRecorder {
    bin: VersionRow,
    durations: Histogram,
    total: Totals,
    rows: Vec<VersionRow>,
}

#[derive(Debug, Default)]
struct Totals {
    invocations: u64,
    errors: u64,
    timeouts: u64,
    cold_starts: u64,
    provisioned: u64,
    duration: Histogram,
    init: Histogram,
}

/// Figures of one version. Names are CloudWatch's; times are in milliseconds.
#[derive(Clone, Debug, Serialize, Default)]
#[serde(rename_all = "PascalCase")]
pub struct VersionSummary {
    /// Requests that ran on the version, function errors included.
    pub invocations: Figure,
    /// Invocations that ended in a function error, timeouts included.
    pub errors: Figure,
    /// Errors as a share of the invocations, 0 to 1.
    pub error_share: Figure,
    /// Invocations cut off by the timeout.
    pub timeouts: Figure,
    /// Invocations that created an environment.
    pub cold_starts: Figure,
    /// Invocations on provisioned concurrency.
    pub provisioned_concurrency_invocations: Figure,
    /// Handler time, ms.
    pub duration: Percentiles,
    /// Initialisation or restore of cold starts, ms.
    pub init_duration: Percentiles,
}

/// One bin of a version.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct VersionRow {
    /// Requests that began to run.
    pub invocations: u64,
    /// Of these, how many failed.
    pub errors: u64,
    /// Cold starts.
    pub cold_starts: u64,
    /// Median of the handler's time, ms; `NaN` when nothing ran.
    pub duration_p50: f64,
    /// See `duration_p50`.
    pub duration_p99: f64,
}

/// A version over time.
#[derive(Clone, Debug, Default)]
pub struct VersionSeries {
    /// Name of the function, a colon and the number of the version.
    pub name: String,
    /// Row `i` covers `[i × bin, (i + 1) × bin)`.
    pub rows: Vec<VersionRow>,
}

impl VersionRecorder {
    /// An invocation of the version begins.
    pub fn started(&mut self, started: &Started) {
        self.bin.invocations += 1;
        self.bin.errors += u64::from(started.failed);
        self.total.timeouts += u64::from(started.timed_out);
        self.total.provisioned += u64::from(started.is_provisioned);
        self.durations.record(started.duration.as_nanos());
        if let Some(init) = started.init {
            self.bin.cold_starts += 1;
            self.total.init.record(init.as_nanos());
        }
    }

    /// Closes a bin.
    pub fn roll(&mut self) {
        let millis = quantiles_of(&[&self.durations], [0.5, 0.99])
            .map_or([f64::NAN; 2], |values| {
                values.map(|nanos| nanos as f64 / 1e6)
            });
        let [duration_p50, duration_p99] = millis;
        let row = VersionRow {
            duration_p50,
            duration_p99,
            ..self.bin
        };
        let total = &mut self.total;
        total.invocations += row.invocations;
        total.errors += row.errors;
        total.cold_starts += row.cold_starts;
        total.duration.merge(&self.durations);
        self.durations.clear();
        self.rows.push(row);
        self.bin = VersionRow::default();
    }

    /// Forgets the totals at the end of the warm-up; rows stay. Call it right after a roll.
    pub fn end_warm_up(&mut self) {
        self.total = Totals::default();
    }

    /// The series so far.
    pub fn take_series(&mut self, name: &str) -> VersionSeries {
        VersionSeries {
            name: name.to_owned(),
            rows: std::mem::take(&mut self.rows),
        }
    }

    /// The figures since the end of the warm-up.
    pub fn summary(&self) -> VersionSummary {
        let total = &self.total;
        let share = total.errors as f64 / total.invocations.max(1) as f64;
        VersionSummary {
            invocations: Figure::count(total.invocations),
            errors: Figure::count(total.errors),
            error_share: Figure::new(share, 6),
            timeouts: Figure::count(total.timeouts),
            cold_starts: Figure::count(total.cold_starts),
            provisioned_concurrency_invocations: Figure::count(total.provisioned),
            duration: Percentiles::of_nanos(&total.duration),
            init_duration: Percentiles::of_nanos(&total.init),
        }
    }
}

impl VersionSummary {
    /// Every metric with its name, in the order of the JSON document.
    pub fn metrics(&mut self) -> [(&'static str, Metric<'_>); 8] {
        use Metric::{Distribution, Level, Total};
        [
            ("Invocations", Total(&mut self.invocations)),
            ("Errors", Total(&mut self.errors)),
            ("ErrorShare", Level(&mut self.error_share)),
            ("Timeouts", Total(&mut self.timeouts)),
            ("ColdStarts", Total(&mut self.cold_starts)),
            (
                "ProvisionedConcurrencyInvocations",
                Total(&mut self.provisioned_concurrency_invocations),
            ),
            ("Duration", Distribution(&mut self.duration)),
            ("InitDuration", Distribution(&mut self.init_duration)),
        ]
    }
}
