//! Many runs of one scenario: replications, sweeps over variants, and what is asked of them.
//!
//! The command line, sweeps and searches all run scenarios through here, so that the same seeds give the same figures
//! however many threads there are.
//!
//! A sweep goes through `asked` (the words of the command line), `plan` (axes, design, figures and replications that make
//! sense together), `sheet` (every variant as a scenario, looked at before anything runs), `sweep` (the runs, which
//! `journal` keeps on disk), `part` (finished shards, and joining them) and `points` (figures for reports).

mod asked;
mod axis;
mod design;
mod explain;
mod findings;
mod goal;
mod journal;
mod measure;
mod pareto;
mod part;
mod plan;
mod points;
mod pool;
mod precision;
mod range;
mod replicate;
mod theory;
pub mod tune;
mod unit;
mod values;

pub use explain::explain;
pub use findings::findings;
pub use goal::{Goal, GoalError};
mod shard;
mod sheet;
mod spread;
mod sweep;
#[cfg(test)]
mod sweep_tests;

pub use asked::{Asked, PlanError};
pub use axis::{Axis, AxisError};
pub use design::{Design, DesignError};
pub use journal::{Journal, JournalError};
pub use measure::{Measure, MeasureError};
pub(crate) use part::FORMAT as SHARD_FORMAT;
pub use part::{MergeError, Part, PartError, merge};
pub use plan::Plan;
pub use pool::{cores, ordered};
pub use precision::{PrecisionError, Replications, parse_precision};
pub use replicate::{replicate, summarise};
pub use shard::{Shard, ShardError};
pub use sheet::{Checked, Facts, Finding, Found, Sheet};
pub use sweep::{Done, Heard, Results, Run, SweepError, run_one, sweep};
pub use theory::{erlang_b, erlang_c};
pub(crate) use unit::Unit;
