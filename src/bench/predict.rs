//! The simulator against the real thing: what a run measured of the function and the source becomes a scenario, and what
//! the simulator makes of it is held against the same run.
//!
//! What is taken from the poller's run is the function: how long it takes, by batch size, how often it fails, how long it
//! takes to start. What is taken from a bare loop that runs beside it, on a source of its own under the same load, is the source:
//! how long a record takes to a read that waits for it, and how long a read takes. The load is the bench's own, record by
//! record.
//! Nothing of the poller's own latencies goes in.

mod fit;
mod model;

use super::live::Side;
use crate::metrics::{Histogram, MappingSummary, Summary};
pub(crate) use fit::{FunctionFit, SourceFit};
pub(crate) use model::Model;
use serde::Serialize;

/// A figure of a run beside what the simulator says of it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Compared {
    /// As it was.
    pub measured: f64,
    /// As the simulator has it.
    pub predicted: f64,
    /// `predicted / measured - 1`; nothing where there is nothing to divide by.
    pub error: Option<f64>,
}

/// The figures that are compared.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the names are those of the figures")]
pub struct Prediction {
    pub records_per_s: Compared,
    pub concurrency: Compared,
    pub hop_p50_ms: Compared,
    pub hop_p99_ms: Compared,
    pub age_p50_ms: Compared,
    pub age_p99_ms: Compared,
}

impl Compared {
    fn of(measured: f64, predicted: f64) -> Self {
        let error = predicted / measured - 1.0;
        Self {
            measured,
            predicted,
            error: error.is_finite().then_some(error),
        }
    }
}

impl Prediction {
    /// Figures of a run beside those of a simulation of the same time, and latencies beside those of one that lasts until all
    /// are told.
    pub(crate) fn of(side: &Side, summary: &Summary, to_the_end: &Summary) -> Self {
        let (hops, mapping) = (&side.hops, &summary.mappings[0].1);
        let concurrency = summary.functions[0].1.concurrent_executions.mean.value;
        let MappingSummary {
            record_latency,
            iterator_age,
            ..
        } = &to_the_end.mappings[0].1;
        let millis = |histogram: &Histogram, q| histogram.quantile(q).unwrap_or(0) as f64 / 1e6;
        let per_sec = mapping.succeeded_event_count.value / summary.measured_s;
        Self {
            records_per_s: Compared::of(hops.per_sec, per_sec),
            concurrency: Compared::of(hops.concurrency, concurrency),
            hop_p50_ms: Compared::of(millis(&hops.answered, 0.5), record_latency.p50.value),
            hop_p99_ms: Compared::of(millis(&hops.answered, 0.99), record_latency.p99.value),
            age_p50_ms: Compared::of(millis(&hops.age, 0.5), iterator_age.p50.value),
            age_p99_ms: Compared::of(millis(&hops.age, 0.99), iterator_age.p99.value),
        }
    }

    /// Name, figure, and how far off it may be, as shares of what was measured.
    pub fn figures(&self) -> [(&'static str, Compared, Option<f64>); 6] {
        [
            ("records/s", self.records_per_s, Some(0.05)),
            ("concurrency", self.concurrency, Some(0.05)),
            ("hop p50, ms", self.hop_p50_ms, None),
            ("hop p99, ms", self.hop_p99_ms, Some(0.15)),
            ("age p50, ms", self.age_p50_ms, None),
            ("age p99, ms", self.age_p99_ms, None),
        ]
    }
}

#[cfg(test)]
#[path = "predict_tests.rs"]
mod tests;
