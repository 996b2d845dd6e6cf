//! A checked scenario: plain data in which bad values cannot exist.

use crate::engine::{MappingConfig, Profile, Ratio, SourceKind, Span, Tuning};
use std::path::PathBuf;
use std::sync::Arc;

/// A scenario that passed every check, ready to run.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Shown in reports.
    pub title: String,
    /// Hex digest of the parsed tree: equal for files that mean the same.
    pub hash: String,
    /// Simulated time, warm-up included.
    pub duration: Span,
    /// Left out of statistics; shorter than `duration`.
    pub warm_up: Span,
    /// Root of every random stream.
    pub seed: u64,
    /// Which generation of scaling rules applies.
    pub profile: Profile,
    /// Account-wide limits.
    pub region: Region,
    /// In file order; other tables refer to them by index.
    pub functions: Vec<Function>,
    /// Direct callers.
    pub traffic: Vec<Traffic>,
    /// Streams and queues.
    pub sources: Vec<Source>,
    /// Event source mappings.
    pub mappings: Vec<Mapping>,
    /// Faults, by start.
    pub faults: Vec<Fault>,
    /// What is done to mappings while they run, by time.
    pub events: Vec<MappingEvent>,
    /// Thresholds that decide the exit code.
    pub gates: Vec<Gate>,
}

/// Account-wide limits of the Region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// Concurrent executions of the account, 1 to 1,000,000.
    pub account_concurrency: u32,
    /// Size of the Region's burst pool under `2021-09`: 500, 1,000 or 3,000, or any other number.
    pub burst_concurrency: u32,
    /// API calls per second that one caller may make; `None` for no limit.
    pub caller_requests_per_sec: Option<u32>,
}

/// A function as the simulator knows it.
#[derive(Clone, Debug)]
pub struct Function {
    /// Unique in the scenario.
    pub name: String,
    /// 128 to 10,240.
    pub memory_mb: u32,
    /// 1 ms to 900 s.
    pub timeout: Span,
    /// Time of the handler for an invocation on a warm environment.
    pub duration: Dist,
    /// Time of the handler on a cold start, where it differs from `duration`.
    pub cold_duration: Option<Dist>,
    /// Added to the duration for each record of a batch.
    pub per_record: Span,
    /// Time of a cold start's initialisation, before the handler runs.
    pub init: Dist,
    /// Chance that an invocation fails at its end.
    pub error_rate: Ratio,
    /// Share of records that fail every invocation they are part of.
    pub poison: Ratio,
    /// How long an environment lives without work.
    pub keep_alive: Span,
    /// Which idle environment serves next.
    pub reuse: Reuse,
    /// Reserved concurrency; 0 stops the function.
    pub reserved_concurrency: Option<u32>,
    /// Its aliases, in file order.
    pub aliases: Vec<Alias>,
}

/// An alias of a function.
#[derive(Clone, Debug, PartialEq)]
pub struct Alias {
    /// Unique among the aliases of its function.
    pub name: String,
    /// Provisioned concurrency at time zero, ready; 0 for none.
    pub provisioned_concurrency: u32,
    /// What moves the provisioned concurrency.
    pub autoscaling: Option<ScalableTarget>,
}

/// The provisioned concurrency of an alias as a scalable target of Application Auto Scaling.
#[derive(Clone, Debug, PartialEq)]
pub struct ScalableTarget {
    /// MinCapacity.
    pub min: u32,
    /// MaxCapacity, at least `min`.
    pub max: u32,
    /// Target tracking on utilisation.
    pub tracking: Option<TargetTracking>,
    /// Scheduled actions, by time.
    pub schedule: Vec<ScheduledAction>,
}

/// A change of the bounds at one moment; at least one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScheduledAction {
    /// When.
    pub at: Span,
    /// The new MinCapacity.
    pub min: Option<u32>,
    /// The new MaxCapacity.
    pub max: Option<u32>,
}

pub use crate::engine::lambda::{Reuse, TargetTracking};

/// A distribution. Time distributions are in nanoseconds, size distributions in bytes.
#[derive(Clone, Debug, PartialEq)]
pub enum Dist {
    /// Always the same.
    Constant(f64),
    /// Memoryless with this mean.
    Exponential {
        /// Positive.
        mean: f64,
    },
    /// Flat between two bounds.
    Uniform {
        /// Lower bound, at least 0.
        min: f64,
        /// Upper bound, above `min`.
        max: f64,
    },
    /// exp of a normal variable.
    Lognormal {
        /// Mean of the logarithm.
        mu: f64,
        /// Deviation of the logarithm, at least 0.
        sigma: f64,
    },
    /// Sum of exponential phases, generalised.
    Gamma {
        /// Shape, positive.
        shape: f64,
        /// Scale, positive.
        scale: f64,
    },
    /// Heavy tail: P(X > x) = (min / x)^alpha.
    Pareto {
        /// Smallest value, positive.
        min: f64,
        /// Tail exponent, positive.
        alpha: f64,
    },
    /// Values measured elsewhere, drawn with equal chance.
    Empirical(Arc<[f64]>),
}

/// A caller that invokes a function directly.
#[derive(Clone, Debug)]
pub struct Traffic {
    /// Index into [`Scenario::functions`].
    pub function: usize,
    /// Index into the function's aliases; `None` for the function itself.
    pub alias: Option<usize>,
    /// When calls arrive.
    pub arrivals: Arrivals,
    /// Retries after a throttle or a function error.
    pub retry: Option<Retry>,
}

/// Client retries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Further attempts after the first, 1 to 100.
    pub attempts: u32,
    /// First wait; doubles up to `backoff_max`. The actual wait is drawn evenly from the upper half.
    pub backoff_first: Span,
    /// Longest wait.
    pub backoff_max: Span,
}

/// When things arrive.
#[derive(Clone, Debug)]
pub enum Arrivals {
    /// Evenly spaced at the momentary rate.
    Constant(Rate),
    /// A Poisson process with the momentary rate.
    Poisson(Rate),
    /// Instants read from a file.
    Trace(Arc<Trace>),
}

/// A rate over time: steps and linear ramps.
#[derive(Clone, Debug, PartialEq)]
pub struct Rate {
    /// In order of `at`, without overlap; the rate before the first is zero.
    pub steps: Vec<RateStep>,
}

/// From `at` the rate moves linearly to `per_sec` within `over`, and stays there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RateStep {
    /// When the change begins.
    pub at: Span,
    /// The new rate, at least 0.
    pub per_sec: f64,
    /// How long the ramp takes; zero for a step.
    pub over: Span,
}

/// Recorded arrivals: instants with how many arrive at each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// The file, for messages.
    pub path: PathBuf,
    /// In order of time since the scenario's start.
    pub points: Vec<(Span, u32)>,
}

/// A modelled event source.
#[derive(Clone, Debug)]
pub struct Source {
    /// Unique in the scenario.
    pub name: String,
    /// What it is and its own settings.
    pub kind: SourceModel,
    /// Who fills it.
    pub producers: Vec<Producer>,
    /// Time of a read or receive call that has something to return.
    pub latency: Dist,
}

/// The modelled services.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceModel {
    /// A Kinesis stream or a DynamoDB stream.
    Stream(Stream),
    /// An SQS queue.
    Sqs {
        /// A FIFO queue: the keys of its messages are their message groups.
        is_fifo: bool,
        /// The queue's visibility timeout, 0 s to 12 h.
        visibility_timeout: Span,
        /// Receives after which a message goes to the dead-letter queue; `None` for no redrive policy.
        max_receive_count: Option<u32>,
    },
    /// A queue of RabbitMQ or ActiveMQ.
    Broker(BrokerQueue),
}

/// A modelled queue of a broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BrokerQueue {
    /// RabbitMQ or ActiveMQ.
    pub kind: SourceKind,
    /// Redeliveries of a message before it goes to the dead-letter queue instead; `None` for no limit.
    pub redeliveries_max: Option<u32>,
}

/// A modelled stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// Kinesis or DynamoDB.
    pub service: StreamService,
    /// Every shard that there will be, in the order in which they open.
    pub shards: Vec<Lifetime>,
    /// How long records stay readable.
    pub retention: Span,
    /// Kinesis: whether a shard refuses what is above its write limits.
    pub write_limits: bool,
    /// Whether a shard refuses reads above the limits that its readers share.
    pub read_limits: bool,
}

/// Whose stream it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamService {
    /// Amazon Kinesis Data Streams.
    Kinesis,
    /// Amazon DynamoDB Streams.
    DynamoDb,
}

/// A shard: which keys it takes, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lifetime {
    /// Smallest hash of its keys. Hashes have 64 bits here.
    pub first: u64,
    /// Largest hash of its keys.
    pub last: u64,
    /// When it begins to take records.
    pub opens: Span,
    /// When it takes no more; it stays readable.
    pub closes: Option<Span>,
    /// Indices of the shards that it follows.
    pub parents: Vec<u32>,
}

/// A producer of records or messages.
#[derive(Clone, Debug)]
pub struct Producer {
    /// When records arrive.
    pub arrivals: Arrivals,
    /// Payload size in bytes.
    pub size: Dist,
    /// Partition keys.
    pub keys: Keys,
    /// What it does with records that a shard refuses.
    pub on_throttle: OnThrottle,
}

/// What a producer does with records that are refused as above a shard's write limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum OnThrottle {
    /// Keeps them in order and writes each as soon as the shard takes it; gives up after
    /// [`KINESIS_PRODUCER_TTL`](crate::engine::limits::KINESIS_PRODUCER_TTL).
    #[default]
    Retry,
    /// Gives them up.
    Drop,
}

/// How partition keys are chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Keys {
    /// Every record has its own key.
    Unique,
    /// Key of rank k with chance proportional to k^-s.
    Zipf {
        /// Number of keys, 1 to 10,000,000.
        n: u32,
        /// Skew, at least 0 (0 is even).
        s: f64,
    },
    /// A share of the records goes to a few keys alike, every other record has its own key.
    Hot {
        /// Chance that a record has one of the hot keys.
        share: Ratio,
        /// Number of hot keys, 1 to 10,000.
        keys: u32,
    },
}

/// An event source mapping of the scenario.
#[derive(Clone, Debug)]
pub struct Mapping {
    /// AWS's parameters.
    pub config: MappingConfig,
    /// What AWS has no parameter for.
    pub tuning: Tuning,
    /// Kinesis: a consumer with enhanced fan-out.
    pub fan_out: bool,
    /// The share of records that pass the filters; `None` where there are none.
    pub matching: Option<Ratio>,
    /// Index into [`Scenario::sources`].
    pub source: usize,
    /// Index into [`Scenario::functions`].
    pub function: usize,
    /// Index into the function's aliases; `None` for the function itself.
    pub alias: Option<usize>,
}

/// A fault and when it is on.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// First instant.
    pub at: Span,
    /// How long.
    pub lasts: Span,
    /// What is wrong.
    pub what: FaultKind,
}

/// What can be wrong.
#[derive(Clone, Debug, PartialEq)]
pub enum FaultKind {
    /// Invocations of a function fail with this chance.
    FunctionErrors {
        /// Index into [`Scenario::functions`].
        function: usize,
        /// Chance per invocation.
        rate: Ratio,
    },
    /// Invocations of a function take this many times as long.
    FunctionSlow {
        /// Index into [`Scenario::functions`].
        function: usize,
        /// Factor, above 0.
        factor: f64,
    },
    /// Reads of a source fail as throttled with this chance.
    SourceThrottled {
        /// Index into [`Scenario::sources`].
        source: usize,
        /// Chance per read.
        rate: Ratio,
    },
    /// Deletions from a queue fail with this chance.
    DeletionsFail {
        /// Index into [`Scenario::sources`].
        source: usize,
        /// Chance per batch.
        rate: Ratio,
    },
    /// Nobody is connected to a broker.
    ConnectionsLost {
        /// Index into [`Scenario::sources`].
        source: usize,
    },
    /// The on-failure destination of a mapping refuses invocation records with this chance.
    DestinationRefuses {
        /// Index into [`Scenario::mappings`].
        mapping: usize,
        /// Chance per call.
        rate: Ratio,
    },
}

/// What somebody does to a running mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MappingEvent {
    /// When.
    pub at: Span,
    /// Index into [`Scenario::mappings`].
    pub mapping: usize,
    /// What.
    pub what: MappingChange,
}

/// How UpdateEventSourceMapping changes a mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MappingChange {
    /// `Enabled = false`.
    Disable,
    /// `Enabled = true`.
    Enable,
    /// Other parameters: all of them from then on, and those that change, in words.
    Update(Box<MappingConfig>, String),
}

/// A threshold on a figure of the summary.
#[derive(Clone, Debug, PartialEq)]
pub struct Gate {
    /// `subject.Metric`, as written.
    pub metric: String,
    /// `Sum`, `Average`, `Maximum`, `p50` … `p99.9`, as written.
    pub statistic: String,
    /// Fails when the value is above this.
    pub max: Option<f64>,
    /// Fails when the value is below this.
    pub min: Option<f64>,
}
