//! What a bench found, as one document.

use super::live::Side;
use super::predict::Prediction;
use crate::metrics::Percentiles;
use crate::scenario::{BenchLoad, BenchPoint};
use serde::{Serialize, Serializer};

/// Everything that a bench found. Times are in milliseconds.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Findings {
    /// The program's version.
    pub tidegate: &'static str,
    /// The name of the file.
    pub title: String,
    /// Its digest.
    pub hash: String,
    /// What a reader has to know in order not to misread the figures.
    pub notes: Vec<&'static str>,
    /// In the order in which they ran.
    pub points: Vec<PointFindings>,
}

/// One point.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct PointFindings {
    /// The mapping's name.
    pub mapping: String,
    /// Kind of its source.
    pub source_type: &'static str,
    /// The swept keys, in file order.
    #[serde(serialize_with = "as_map")]
    pub settings: Vec<(&'static str, String)>,
    /// What was written.
    pub load: LoadFindings,
    /// The poller.
    pub poller: SideFindings,
    /// The bare client loop.
    pub bare: Option<SideFindings>,
    /// The poller beside the bare loop.
    pub ratios: Option<Ratios>,
    /// What the simulator says of the poller's run.
    pub prediction: Option<Prediction>,
    /// Why it was not asked.
    pub not_predicted: Option<String>,
}

/// A load.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct LoadFindings {
    /// Records per second; nothing for a backlog.
    pub rate: Option<f64>,
    /// Records of a backlog.
    pub records: Option<u64>,
    /// Seconds that were measured, and before them.
    pub measured_s: Option<f64>,
    /// Seconds before them.
    pub warm_up_s: Option<f64>,
}

/// What came of a run.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct SideFindings {
    /// Records per second that the function answered for, in the measured time.
    pub records_per_s: f64,
    /// The same in megabytes (10⁶ bytes) of payload.
    pub megabytes_per_s: f64,
    /// Records that the function answered for, warm-up included.
    pub records: u64,
    /// Records that it never answered for.
    pub missing: u64,
    /// Records that were sent to it again.
    pub repeated: u64,
    /// Invocations of the measured time that failed.
    pub errors: u64,
    /// Those that were refused.
    pub throttles: u64,
    /// From when a record was due until it was sent to the function; nothing for a backlog.
    pub hop_sent_ms: Option<Percentiles>,
    /// Until the function had answered.
    pub hop_answered_ms: Option<Percentiles>,
    /// Age of the newest record of each batch when it was sent.
    pub age_ms: Option<Percentiles>,
    /// From when a record was due until its write was acknowledged: the part of the hop that no poller has a hand in.
    pub write_ms: Option<Percentiles>,
    /// Records of each batch.
    pub batch_records: Percentiles,
    /// Time of an invocation.
    pub duration_ms: Percentiles,
    /// Invocations at once: mean over the measured time.
    pub concurrency: f64,
    /// And most.
    pub concurrency_max: u64,
    /// Processor time for each record, microseconds; of this process, without the load and without the function's own
    /// processes.
    pub cpu_us_per_record: Option<f64>,
    /// By how much the resident memory of this process grew at most, bytes for each record that was answered for.
    pub memory_bytes_per_record: Option<f64>,
    /// Reads, receives and deletions for each record; for Kafka receives and commits of the client, which fetches by itself.
    pub requests_per_record: f64,
    /// Of these, reads that returned nothing.
    pub empty_reads_per_record: f64,
}

/// The poller's figure divided by that of the bare loop.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Ratios {
    /// Throughput.
    pub records_per_s: Option<f64>,
    /// Median of the hop until the function had answered.
    pub hop_p50: Option<f64>,
    /// Its 99th percentile.
    pub hop_p99: Option<f64>,
    /// Processor time for each record.
    pub cpu: Option<f64>,
    /// Requests for each record.
    pub requests: Option<f64>,
}

const OMISSION: &str = "Latencies count from when a record was due, not from when it was written: a stall shows in every record that was due meanwhile (no coordinated omission).";
const CPU: &str = "Processor time is that of this process without the load generator; processes of the function are not in it. Memory is the growth of the whole process.";
const BARE: &str = "The bare loop receives, invokes and deletes, reads and invokes, or polls, invokes and commits, and does nothing else: no windows, no scaling, no retries.";
const PREDICTED: &str = "Predictions use the function as the poller's run measured it, and the source as a bare loop saw it that ran beside the poller, on a source of its own under the same load; nothing of the poller's own latencies goes in.";

impl Findings {
    pub(super) fn new(title: &str, hash: &str, predict: bool, points: Vec<PointFindings>) -> Self {
        let mut notes = vec![OMISSION, CPU];
        if points.iter().any(|point| point.bare.is_some()) {
            notes.push(BARE);
        }
        if predict {
            notes.push(PREDICTED);
        }
        Self {
            tidegate: env!("CARGO_PKG_VERSION"),
            title: title.to_owned(),
            hash: hash.to_owned(),
            notes,
            points,
        }
    }

    /// The document: `bench.json`.
    pub fn json(&self) -> String {
        // Keys are strings and figures print `null` at worst, so there is nothing that could fail.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }
}

impl PointFindings {
    pub(super) fn of(point: &BenchPoint, poller: &Side, bare: Option<&Side>) -> Self {
        let (poller, bare) = (SideFindings::of(poller), bare.map(SideFindings::of));
        Self {
            mapping: point.mapping().config.name.clone(),
            source_type: point.mapping().config.source.name(),
            settings: point.settings.clone(),
            load: LoadFindings::of(point.bench.load),
            ratios: bare.as_ref().map(|bare| Ratios::of(&poller, bare)),
            poller,
            bare,
            prediction: None,
            not_predicted: None,
        }
    }
}

impl LoadFindings {
    fn of(load: BenchLoad) -> Self {
        match load {
            BenchLoad::Rate {
                per_sec,
                warm_up,
                duration,
                ..
            } => Self {
                rate: Some(per_sec),
                records: None,
                measured_s: Some(duration.as_secs_f64()),
                warm_up_s: Some(warm_up.as_secs_f64()),
            },
            BenchLoad::Backlog { records } => Self {
                rate: None,
                records: Some(records),
                measured_s: None,
                warm_up_s: None,
            },
        }
    }
}

impl SideFindings {
    fn of(side: &Side) -> Self {
        let hops = &side.hops;
        let times = |histogram: &crate::metrics::Histogram| {
            (histogram.count() > 0).then(|| Percentiles::of_nanos(histogram))
        };
        let mut durations = crate::metrics::Histogram::default();
        hops.durations
            .iter()
            .for_each(|(took, _)| durations.record(*took));
        let per_record = |value: f64| value / side.answered.max(1) as f64;
        let requests = side.requests;
        let all = requests.reads + requests.empty + requests.deletions;
        Self {
            records_per_s: hops.per_sec,
            megabytes_per_s: hops.bytes_per_sec / 1e6,
            records: side.answered,
            missing: hops.missing,
            repeated: hops.repeated,
            errors: hops.failed,
            throttles: hops.refused,
            hop_sent_ms: times(&hops.sent),
            hop_answered_ms: times(&hops.answered),
            age_ms: times(&hops.age),
            write_ms: times(&hops.sent).and(times(&side.written)),
            batch_records: Percentiles::of_counts(&hops.batch),
            duration_ms: Percentiles::of_nanos(&durations),
            concurrency: hops.concurrency,
            concurrency_max: hops.concurrency_max,
            cpu_us_per_record: side.usage.map(|usage| per_record(usage.cpu_secs * 1e6)),
            memory_bytes_per_record: side.usage.map(|usage| per_record(usage.grown as f64)),
            requests_per_record: per_record(all as f64),
            empty_reads_per_record: per_record(requests.empty as f64),
        }
    }
}

impl Ratios {
    fn of(poller: &SideFindings, bare: &SideFindings) -> Self {
        let ratio = |one: f64, other: f64| Some(one / other).filter(|ratio| ratio.is_finite());
        let hop = |of: fn(&Percentiles) -> f64| {
            let (one, other) = (poller.hop_answered_ms?, bare.hop_answered_ms?);
            ratio(of(&one), of(&other))
        };
        Self {
            records_per_s: ratio(poller.records_per_s, bare.records_per_s),
            hop_p50: hop(|times| times.p50.value),
            hop_p99: hop(|times| times.p99.value),
            cpu: poller
                .cpu_us_per_record
                .zip(bare.cpu_us_per_record)
                .and_then(|(one, other)| ratio(one, other)),
            requests: ratio(poller.requests_per_record, bare.requests_per_record),
        }
    }
}

fn as_map<S: Serializer>(pairs: &[(&'static str, String)], to: S) -> Result<S::Ok, S::Error> {
    to.collect_map(pairs.iter().map(|(key, value)| (key, value)))
}
