//! Many runs of one scenario: replications, and what is asked of them.
//!
//! The command line, sweeps and searches all run scenarios through here, so that the same seeds give the same figures
//! however many threads there are.

mod measure;
mod pool;
mod replicate;
mod theory;

pub use measure::{Measure, MeasureError};
pub use pool::{cores, ordered};
pub use replicate::{replicate, summarise};
pub use theory::{erlang_b, erlang_c};
