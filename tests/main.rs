//! Every test that needs no server, in one binary.

mod asynchronous;
mod brokers;
mod cli;
mod diagnostics;
mod kafka;
mod mappings;
#[cfg(feature = "poller")]
mod parity;
mod queues;
mod scenarios;
mod semantics;
mod streams;
mod support;
mod tidy;
mod validation;
