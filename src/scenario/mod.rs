//! Scenario and poller files: spanned parsing, validation, diagnostics.

mod arn;
mod model;
mod poller_model;

pub use arn::{Arn, ArnError};
pub use model::*;
pub use poller_model::*;
