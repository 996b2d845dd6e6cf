//! Facts become figures: what the drivers observe, folded into summaries and series.

mod series;
mod summary;

pub use series::{FunctionRow, FunctionSeries, MappingRow, MappingSeries, Series};
pub use summary::{
    Backlog, EngineSummary, Figure, FunctionSummary, GateResult, MappingSummary, MeanMax,
    Percentiles, Summary, ThrottleReasons,
};
