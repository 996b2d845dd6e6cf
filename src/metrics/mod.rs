//! Facts become figures: what the drivers observe, folded into summaries and series.

mod function;
mod histogram;
mod mapping;
mod series;
mod summary;

pub use function::{FunctionRecorder, Started};
pub use histogram::Histogram;
pub use mapping::MappingRecorder;
pub use series::{FunctionRow, FunctionSeries, MappingRow, MappingSeries, Series};
pub use summary::{
    Backlog, EngineSummary, Figure, FunctionSummary, GateResult, MappingSummary, MeanMax,
    Percentiles, Summary, ThrottleReasons,
};
