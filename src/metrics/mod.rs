//! Facts become figures: what the drivers observe, folded into summaries and series.

mod combine;
mod figures;
mod gates;
mod series;
mod summary;

pub use combine::combine;
pub use figures::{Metric, for_each_figure};
pub use gates::{Statistic, Threshold, UnknownStatistic, evaluate, lookup, metric_names};
pub use series::{FunctionRow, FunctionSeries, MappingRow, MappingSeries, Series};
pub use summary::{
    Backlog, EngineSummary, Figure, FunctionSummary, GateResult, MappingSummary, MeanMax,
    Percentiles, Summary, ThrottleReasons,
};

#[cfg(test)]
pub(crate) mod fixture;
