//! The scenario of a point: the poller file's mapping, the bench's load, and what was measured.

use super::fit::{FunctionFit, SourceFit};
use crate::bench::load;
use crate::engine::{MappingConfig, SourceKind, Span, Tuning};
use crate::metrics::{Summary, combine};
use crate::scenario::{
    Arrivals, BenchLoad, BenchPoint, Dist, Keys, Scenario, SourceText, TargetKind, Trace, parse,
};
use crate::sim;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

/// Simulated runs, of which means are taken: a simulated minute costs milliseconds.
const SEEDS: u64 = 5;
/// A load of more records is described by its rate, not by the moment of each record.
const LOAD_MAX: usize = 200_000;
/// The account of a target that has none: high enough never to matter.
const ACCOUNT: u32 = 1_000_000;

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
        let duration = values("function", &function.base);
        // A consumer of Kafka fetches ahead, so that nothing takes time that waits for it already.
        let latency = (!config.source.is_kafka()).then(|| values("latency", found));
        let delivery = values("delivery", waited);
        let load = Values {
            name: format!("{name}-load.csv"),
            is_load: true,
            nanos: due_times(point),
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

    /// What the simulator makes of it: means over a few seeds, of the measured time, and of a run that goes on until what was
    /// due in it is delivered. The last batch of a load waits out its window, and counts.
    pub(crate) fn simulate(&self) -> Result<(Summary, Summary), String> {
        let function = &self.scenario.functions[0];
        let window = self.scenario.mappings[0].config.window;
        let mut longer = self.scenario.clone();
        longer.duration += window.times(2) + function.timeout;
        Ok((simulated(&self.scenario)?, simulated(&longer)?))
    }
}

fn simulated(scenario: &Scenario) -> Result<Summary, String> {
    let run = |seed| sim::run(scenario, seed, &mut ()).map(|outcome| outcome.summary);
    let runs: Result<Vec<Summary>, _> = (1..=SEEDS).map(run).collect();
    runs.map(combine).map_err(|error| error.to_string())
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
        let visibility = crate::bench::place::visibility(point);
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
