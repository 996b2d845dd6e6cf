//! Many runs of one scenario: replications, and what is asked of them.
//!
//! The command line, sweeps and searches all run scenarios through here, so that the same seeds give the same figures
//! however many threads there are.

mod explain;
mod findings;
mod goal;
mod measure;
mod pool;
mod replicate;
pub mod tune;
mod unit;

pub use explain::explain;
use explain::first_mistake;
pub use findings::findings;
pub use goal::{Goal, GoalError};
pub use measure::{Measure, MeasureError};
pub use pool::{cores, ordered};
pub use replicate::{replicate, summarise};
pub(crate) use unit::Unit;
