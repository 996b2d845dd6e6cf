//! Event-source poller and scaling simulator for AWS Lambda.

pub mod cli;
pub mod engine;
pub mod metrics;
#[cfg(feature = "poller")]
pub mod poll;
pub mod report;
pub mod scenario;
pub mod sim;
#[cfg(feature = "poller")]
pub mod source;
#[cfg(feature = "poller")]
pub mod target;
