//! Every test that needs no server, in one binary.

mod account;
mod asynchronous;
mod brokers;
mod callers;
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
mod swarm;
mod tidy;
mod validation;
