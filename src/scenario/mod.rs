//! Scenario and poller files: spanned parsing, validation, diagnostics.

mod model;

pub use model::*;
