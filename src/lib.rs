//! Event-source poller and scaling simulator for AWS Lambda.

pub mod cli;
pub mod engine;
pub mod metrics;
pub mod poll;
pub mod report;
pub mod scenario;
pub mod sim;
pub mod source;
pub mod target;
