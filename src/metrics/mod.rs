//! Facts become figures: what the drivers observe, folded into summaries and series.

mod account;
mod asynchronous;
mod billed;
mod combine;
mod cost;
mod dead_letters;
mod figures;
mod finding;
mod function;
mod gates;
mod gauge;
mod histogram;
mod kafka;
mod last_result;
mod mapping;
pub(crate) mod numbers;
mod pairs;
mod samples;
mod series;
mod shards;
mod summary;
mod sweep;
mod theory;
mod version;

pub use account::{AccountRecorder, AccountRow, AccountSummary};
pub use asynchronous::{
    AsyncConditions, AsyncRecorder, AsyncRow, AsyncSummary, DestinationDeliveries, Told,
};
pub use billed::Billed;
pub(crate) use combine::student_975;
pub use combine::{combine, mean_with_interval};
pub use cost::{CostLine, CostSummary};
pub use dead_letters::{DeadLetterReason, DeadLetters};
pub use figures::{Metric, for_each_figure};
pub use finding::{Effect, Finding, Setting, Severity};
pub use function::{Extraordinary, FunctionRecorder, Provisioned, Started};
pub use gates::{Statistic, Threshold, UnknownStatistic, evaluate, lookup, metric_names};
pub use histogram::Histogram;
pub use kafka::{GroupEnd, KafkaFigures, KafkaRow};
pub use last_result::LastResult;
pub use mapping::{BinEnd, MappingRecorder};
pub use pairs::{Compared, Comparison, Difference, Pairing, Verdict, compare};
pub use series::{
    DurationMinute, FunctionRow, FunctionSeries, MappingRow, MappingSeries, Series, ShardSeries,
};
pub use summary::{
    Backlog, DeadLetterReasons, EngineSummary, Figure, FunctionSummary, GateResult, MappingSummary,
    MeanMax, Percentiles, Summary, ThrottleReasons,
};
pub use sweep::{SweepAxis, SweepFigure, SweepMeasure, SweepPoint, SweepSummary, SweepUnit};
pub use theory::Theory;
pub use version::{VersionRecorder, VersionRow, VersionSeries, VersionSummary};

#[cfg(test)]
mod facts;
#[cfg(test)]
pub(crate) mod fixture;
