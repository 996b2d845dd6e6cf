//! The simulator against the real thing: what a run measured of the function and the source becomes a scenario, and what
//! the simulator makes of it is held against the same run.
//!
//! What is taken from the poller's run is the function: how long it takes, by batch size, how often it fails, how long it
//! takes to start. What is taken from the bare loop's run is the source: how long a record takes to a read that waits for
//! it, and how long a read takes. The load is the bench's own, record by record.
//! Nothing of the poller's own latencies goes in.

use super::live::{Read, Side};
use super::load;
use crate::engine::{MappingConfig, SourceKind, Span, Tuning};
use crate::metrics::{Histogram, MappingSummary, Summary, combine};
use crate::scenario::{
    Arrivals, BenchLoad, BenchPoint, Dist, Keys, Scenario, SourceText, TargetKind, Trace, parse,
};
use crate::sim;
use serde::Serialize;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

/// Values of a distribution that are kept.
const SAMPLES_MAX: usize = 4_000;
/// Simulated runs, of which means are taken: a simulated minute costs milliseconds.
const SEEDS: u64 = 5;
/// A load of more records is described by its rate, not by the moment of each record.
const LOAD_MAX: usize = 200_000;
/// The account of a target that has none: high enough never to matter.
const ACCOUNT: u32 = 1_000_000;

/// What was measured of a function.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct FunctionFit {
    /// Duration of each invocation without its records, nanoseconds, in order.
    pub(crate) base: Vec<u64>,
    /// Added for each record, nanoseconds.
    pub(crate) per_record: u64,
    /// How much longer the first invocation of all took than the middle one, nanoseconds.
    pub(crate) init: u64,
    /// Invocations that failed, of all.
    pub(crate) failed: (u64, u64),
}

/// What was measured of a source.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct SourceFit {
    /// From when the oldest record of a batch was due until the read that waited for it returned, nanoseconds, in order. For a
    /// stream, until its write was acknowledged.
    pub(crate) waited: Vec<u64>,
    /// Time of a read that found something, nanoseconds, in order.
    pub(crate) found: Vec<u64>,
}

/// A scenario, and the values that it names.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    pub(crate) text: String,
    pub(crate) files: Vec<Values>,
    pub(crate) scenario: Scenario,
}

/// A file with a value in each line.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Values {
    pub(crate) name: String,
    /// Moments of a load, not values of a distribution.
    is_load: bool,
    nanos: Vec<u64>,
}

impl Values {
    pub(crate) fn text(&self) -> String {
        let (head, unit) = if self.is_load {
            ("due", "ns")
        } else {
            ("ns", "")
        };
        let lines = self.nanos.iter().map(|value| format!("{value}{unit}\n"));
        std::iter::once(format!("{head}\n")).chain(lines).collect()
    }

    /// As it stands in a scenario.
    fn named(&self) -> String {
        let kind = if self.is_load { "trace" } else { "empirical" };
        format!("{{ {kind} = \"{}\" }}", self.name)
    }
}

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

impl FunctionFit {
    pub(crate) fn of(side: &Side, starts_cold: bool) -> Self {
        let durations = &side.hops.durations;
        let per_record = slope(durations);
        let without = |(took, records): &(u64, u32)| {
            took.saturating_sub((per_record * f64::from(*records)) as u64)
        };
        let mut base: Vec<u64> = durations.iter().map(without).collect();
        base.sort_unstable();
        let mut whole: Vec<u64> = durations.iter().map(|(took, _)| *took).collect();
        whole.sort_unstable();
        let middle = whole.get(whole.len() / 2).copied().unwrap_or(0);
        let first = side.first.map_or(0, Span::as_nanos);
        let failed = side.hops.failed;
        Self {
            base: thinned(&base),
            per_record: per_record as u64,
            init: match starts_cold {
                true => first.saturating_sub(middle),
                false => 0,
            },
            failed: (failed, failed + durations.len() as u64),
        }
    }
}

/// Time that a record adds, by least squares; zero where batches are too alike to tell, or the slope could be chance.
fn slope(durations: &[(u64, u32)]) -> f64 {
    const CERTAIN: f64 = 4.0;
    let n = durations.len() as f64;
    if n < 10.0 {
        return 0.0;
    }
    let xs = durations.iter().map(|(_, records)| f64::from(*records));
    let ys = durations.iter().map(|(took, _)| *took as f64);
    let (x_mean, y_mean) = (xs.clone().sum::<f64>() / n, ys.clone().sum::<f64>() / n);
    let pairs = || xs.clone().zip(ys.clone());
    let xx: f64 = xs.clone().map(|x| (x - x_mean) * (x - x_mean)).sum();
    if xx <= 0.0 {
        return 0.0;
    }
    let xy: f64 = pairs().map(|(x, y)| (x - x_mean) * (y - y_mean)).sum();
    let slope = xy / xx;
    let left = |(x, y): (f64, f64)| (y - y_mean - slope * (x - x_mean)).powi(2);
    let deviation = (pairs().map(left).sum::<f64>() / (n - 2.0) / xx).sqrt();
    if slope > CERTAIN * deviation {
        slope
    } else {
        0.0
    }
}

impl SourceFit {
    /// Of the reads of a bare loop under the same load, and of how long its writes took: no read waits for a record of a
    /// stream, which is there once it is written.
    pub(crate) fn of(reads: &[Read], is_stream: bool, written: &Histogram) -> Self {
        let mut fit = Self::default();
        if is_stream {
            for (value, times) in written.counts() {
                fit.waited
                    .extend(std::iter::repeat_n(value, times as usize));
            }
        }
        for read in reads {
            let Some(due) = read.due else {
                continue;
            };
            if due >= read.begun && !is_stream {
                fit.waited.push(read.ended.since(due).as_nanos());
            } else {
                fit.found.push(read.ended.since(read.begun).as_nanos());
            }
        }
        for list in [&mut fit.waited, &mut fit.found] {
            list.sort_unstable();
            *list = thinned(list);
        }
        fit
    }
}

/// Evenly picked values of a sorted list, first and last among them.
fn thinned(sorted: &[u64]) -> Vec<u64> {
    if sorted.len() <= SAMPLES_MAX {
        return sorted.to_vec();
    }
    let last = sorted.len() - 1;
    let pick = |index: usize| sorted[index * last / (SAMPLES_MAX - 1)];
    (0..SAMPLES_MAX).map(pick).collect()
}

impl Model {
    /// The scenario of a point. `name` begins the names of its files.
    ///
    /// # Errors
    /// What keeps the point from being simulated.
    pub(crate) fn of(
        point: &BenchPoint,
        function: &FunctionFit,
        source: &SourceFit,
        bytes: f64,
        name: &str,
    ) -> Result<Self, String> {
        let config = &point.mapping().config;
        if !config.filters.is_empty() || config.tumbling_window.is_some() {
            return Err("mappings with filters or tumbling windows are not predicted".to_owned());
        }
        let BenchLoad::Rate { .. } = point.bench.load else {
            return Err("a backlog that is worked off is not predicted: it has no rate".to_owned());
        };
        let duration = Values {
            name: format!("{name}-function.csv"),
            is_load: false,
            nanos: function.base.clone(),
        };
        // What is empty on one side is as quick as the other side says.
        let (waited, found) = match (source.waited.as_slice(), source.found.as_slice()) {
            (waited, []) => (waited, waited),
            ([], found) => (found, found),
            both => both,
        };
        let values = |what: &str, nanos: &[u64]| Values {
            name: format!("{name}-{what}.csv"),
            is_load: false,
            nanos: nanos.to_vec(),
        };
        // A consumer of Kafka fetches ahead, so that nothing takes time that waits for it already.
        let latency = (!config.source.is_kafka()).then(|| values("latency", found));
        let delivery = values("delivery", waited);
        let due = due_times(point);
        let load = Values {
            name: format!("{name}-load.csv"),
            is_load: true,
            nanos: due,
        };
        let load = (load.nanos.len() <= LOAD_MAX).then_some(load);
        let files = [Some(duration), latency, Some(delivery), load];
        let files: [Option<Values>; 4] = files.map(|file| file.filter(|it| !it.nanos.is_empty()));
        let named = |file: &Option<Values>, without: &str| {
            file.as_ref()
                .map_or_else(|| without.to_owned(), Values::named)
        };
        let [duration, latency, delivery, load] = &files;
        let mut lines = String::new();
        if !config.source.is_kafka() {
            let _ = writeln!(lines, "latency = {}", named(latency, "\"0s\""));
        }
        let _ = writeln!(lines, "delivery = {}", named(delivery, "\"0s\""));
        let text = text(
            point,
            function,
            (&named(duration, "\"0s\""), &lines),
            load.as_ref().map(Values::named),
            bytes,
        );
        // The values are put in afterwards, so that nothing needs to be written in order to be simulated.
        let plain = files.iter().flatten().fold(text.clone(), |text, file| {
            let (named, stands) = match file.is_load {
                true => (format!("arrivals = {}", file.named()), "rate = 1"),
                false => (file.named(), "\"1ns\""),
            };
            text.replace(&named, stands)
        });
        let loaded = parse(SourceText::new("prediction.toml", plain));
        let mut scenario = loaded.map_err(|report| report.to_string())?.scenario;
        let dist = |file: &Option<Values>| {
            let values = file.as_ref()?.nanos.iter().map(|it| *it as f64);
            Some(Dist::Empirical(values.collect::<Arc<[f64]>>()))
        };
        if let Some(dist) = dist(duration) {
            scenario.functions[0].duration = dist;
        }
        if let Some(dist) = dist(latency) {
            scenario.sources[0].latency = dist;
        }
        if let Some(dist) = dist(delivery) {
            scenario.sources[0].delivery = Some(dist);
        }
        if let Some(load) = load {
            let points = load.nanos.iter().map(|at| (Span::from_nanos(*at), 1));
            scenario.sources[0].producers[0].arrivals = Arrivals::Trace(Arc::new(Trace {
                path: PathBuf::from(&load.name),
                points: points.collect(),
            }));
        }
        let files = files.into_iter().flatten().collect();
        Ok(Self {
            text,
            files,
            scenario,
        })
    }

    /// What the simulator makes of it: means over a few seeds.
    pub(crate) fn simulate(&self) -> Result<Summary, String> {
        let run = |seed| sim::run(&self.scenario, seed, &mut ()).map(|outcome| outcome.summary);
        let runs: Result<Vec<Summary>, _> = (1..=SEEDS).map(run).collect();
        runs.map(combine).map_err(|error| error.to_string())
    }
}

/// When each record is due, in a scenario whose warm-up lasts for whole seconds.
fn due_times(point: &BenchPoint) -> Vec<u64> {
    let BenchLoad::Rate { warm_up, .. } = point.bench.load else {
        unreachable!("a backlog is not predicted");
    };
    let later = whole_secs(warm_up) - warm_up;
    let due = load::due_times(point.bench.load, point.bench.seed);
    due.into_iter().map(|at| (at + later).as_nanos()).collect()
}

const fn whole_secs(span: Span) -> Span {
    Span::from_secs(span.as_nanos().div_ceil(1_000_000_000))
}

fn text(
    point: &BenchPoint,
    function: &FunctionFit,
    (duration, latencies): (&str, &str),
    load: Option<String>,
    bytes: f64,
) -> String {
    let mapping = point.mapping();
    let target = &point.file.targets[mapping.target];
    let BenchLoad::Rate {
        per_sec,
        poisson,
        warm_up,
        duration: measured,
    } = point.bench.load
    else {
        unreachable!("a backlog is not predicted");
    };
    let warm_up = whole_secs(warm_up);
    let region = point.file.region;
    let account = region.map_or(ACCOUNT, |region| region.account_concurrency);
    let mut text = format!(
        "# Made by `tidegate bench --predict` from what it measured.\n\
         title    = \"{}\"\nduration = \"{}\"\nwarm_up  = \"{warm_up}\"\nseed     = 1\nprofile  = \"{}\"\n\n\
         [region]\naccount_concurrency = {account}\n\n\
         [[function]]\nname       = \"{}\"\nduration   = {duration}\nper_record = \"{}ns\"\ninit       = \"{}ns\"\n\
         timeout    = \"{}\"\nmemory_mb  = {}\n",
        mapping.config.name,
        warm_up + measured,
        point.file.profile.name(),
        target.function,
        function.per_record,
        function.init,
        target.timeout,
        target.memory_mb,
    );
    let (failed, all) = function.failed;
    if failed > 0 {
        let _ = writeln!(text, "error_rate = \"{failed}/{all}\"");
    }
    let limit = match target.kind {
        TargetKind::Mock { .. } => target.concurrency,
        TargetKind::Process { .. } => target.limits.reserved_concurrency.or(target.concurrency),
        TargetKind::Lambda { .. } | TargetKind::Http { .. } => None,
    };
    if let Some(limit) = limit {
        let _ = writeln!(text, "reserved_concurrency = {limit}");
    }
    let kind = mapping.config.source;
    let _ = write!(
        text,
        "\n[[source]]\nname    = \"source\"\ntype    = \"{}\"\n{latencies}",
        kind.name()
    );
    if matches!(kind, SourceKind::Sqs | SourceKind::SqsFifo) {
        let visibility = super::place::visibility(point);
        let _ = writeln!(text, "visibility_timeout = \"{visibility}s\"");
    }
    if kind == SourceKind::Kinesis {
        // A local server has no quotas of its own.
        let _ = writeln!(
            text,
            "shards  = {}\nwrite_limits = false\nread_limits = false",
            point.bench.shards
        );
    }
    if kind.is_kafka() {
        // The load begins when the group is there.
        let _ = writeln!(
            text,
            "partitions = {}\nrebalance = \"0s\"",
            point.bench.shards
        );
    }
    let process = if poisson { "poisson" } else { "constant" };
    let arrivals = match load {
        Some(load) => format!("arrivals = {load}"),
        None => format!("arrivals = \"{process}\"\nrate     = {per_sec:?}"),
    };
    let keys = match point.bench.keys {
        Keys::Unique => "\"unique\"".to_owned(),
        Keys::Zipf { n, s } => format!("{{ zipf = {{ n = {n}, s = {s:?} }} }}"),
        Keys::Hot { share, keys } => {
            format!("{{ hot = {{ share = \"{share}\", keys = {keys} }} }}")
        }
    };
    let _ = write!(
        text,
        "\n[[source.producer]]\n{arrivals}\n\
         record   = {{ size = \"{}B\", keys = {keys} }}\n\n\
         [[mapping]]\nname         = \"{}\"\nEventSource  = \"source\"\nFunctionName = \"{}\"\n",
        bytes.round().max(1.0),
        mapping.config.name,
        target.function,
    );
    parameters(&mapping.config, &mapping.tuning, point, &mut text);
    text
}

/// The parameters that are not AWS's defaults, under AWS's names.
fn parameters(config: &MappingConfig, tuning: &Tuning, point: &BenchPoint, text: &mut String) {
    let usual = MappingConfig::new(&config.name, config.source);
    let mut line = |key: &str, value: &str| {
        let _ = writeln!(text, "{key} = {value}");
    };
    if config.source.is_stream() || config.source.is_kafka() {
        line("StartingPosition", "\"TRIM_HORIZON\"");
    }
    if config.batch_size != usual.batch_size {
        line("BatchSize", &config.batch_size.to_string());
    }
    if config.window != usual.window {
        let secs = config.window.as_nanos() / 1_000_000_000;
        line("MaximumBatchingWindowInSeconds", &secs.to_string());
    }
    if config.parallelization_factor != 1 {
        line(
            "ParallelizationFactor",
            &config.parallelization_factor.to_string(),
        );
    }
    if let Some(attempts) = config.maximum_retry_attempts {
        line("MaximumRetryAttempts", &attempts.to_string());
    }
    if let Some(age) = config.maximum_record_age {
        let secs = age.as_nanos() / 1_000_000_000;
        line("MaximumRecordAgeInSeconds", &secs.to_string());
    }
    if config.bisect_batch_on_function_error {
        line("BisectBatchOnFunctionError", "true");
    }
    if config.report_batch_item_failures {
        line("FunctionResponseTypes", "[\"ReportBatchItemFailures\"]");
    }
    if let Some(most) = config.maximum_concurrency {
        line(
            "ScalingConfig",
            &format!("{{ MaximumConcurrency = {most} }}"),
        );
    }
    if let Some((least, most)) = config.provisioned_pollers {
        let value = format!("{{ MinimumPollers = {least}, MaximumPollers = {most} }}");
        line("ProvisionedPollerConfig", &value);
    }
    let plain = Tuning::for_source(point.file.profile, config.source);
    for (key, value, usual) in [
        ("poll_interval", tuning.poll_interval, plain.poll_interval),
        ("backoff_first", tuning.backoff_first, plain.backoff_first),
        ("backoff_max", tuning.backoff_max, plain.backoff_max),
        ("long_poll", tuning.long_poll, plain.long_poll),
    ] {
        if value != usual {
            line(key, &format!("\"{value}\""));
        }
    }
    if tuning.reads_per_sec_max != plain.reads_per_sec_max {
        line(
            "shard_reads_per_second",
            &tuning.reads_per_sec_max.to_string(),
        );
    }
    if tuning.read_bytes_per_sec_max != plain.read_bytes_per_sec_max {
        let bytes = tuning.read_bytes_per_sec_max;
        line("shard_read_bytes_per_second", &format!("\"{bytes}B\""));
    }
    if tuning.page_records_max != plain.page_records_max {
        line("page_records", &tuning.page_records_max.to_string());
    }
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
    /// Figures of a run beside those of a simulation of the same time.
    pub(crate) fn of(side: &Side, summary: &Summary) -> Self {
        let (hops, mapping) = (&side.hops, &summary.mappings[0].1);
        let concurrency = summary.functions[0].1.concurrent_executions.mean.value;
        let MappingSummary {
            record_latency,
            iterator_age,
            ..
        } = mapping;
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
