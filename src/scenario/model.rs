//! A checked scenario: plain data in which bad values cannot exist.

mod costs;
mod dist;
mod fault;
mod function;
mod source;
mod traffic;

pub use costs::Costs;
pub use dist::Dist;
pub use fault::{Fault, FaultKind};
pub use function::{
    Alias, Architecture, Deployment, EventInvoke, Function, Lifecycle, ScalableTarget,
    ScheduledAction, Version,
};
pub use source::{
    BrokerQueue, Keys, Lifetime, OnThrottle, Producer, Source, SourceModel, Stream, StreamService,
    Topic,
};
pub use traffic::{
    Arrivals, ClientStep, Clients, Invocation, Jitter, Rate, RateStep, Retry, Trace, Traffic,
};

use crate::engine::{MappingConfig, Profile, Ratio, Refill, Span, Time, Tuning};

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
    /// Length of the bins of the series: a second or a minute. `None` leaves it to the length of the scenario.
    pub bin: Option<Span>,
    /// When it begins on the calendar, since 1970.
    pub start: Time,
    /// Root of every random stream.
    pub seed: u64,
    /// Which generation of scaling rules applies.
    pub profile: Profile,
    /// Account-wide limits.
    pub region: Region,
    /// In file order; other tables refer to them by index.
    pub functions: Vec<Function>,
    /// Prices, and how they apply.
    pub costs: Costs,
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
    /// Versions that take over while everything runs, by time.
    pub deployments: Vec<Deployment>,
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
    /// How what the growth limit gives back comes.
    pub growth_refill: Refill,
    /// API calls per second that one caller may make; `None` for no limit.
    pub caller_requests_per_sec: Option<u32>,
}

pub use crate::engine::lambda::{Reuse, Routing, TargetTracking};

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
