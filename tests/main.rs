//! Every test that needs no server, in one binary.

mod account;
mod asynchronous;
mod brokers;
mod callers;
mod cli;
mod clusters;
mod compare;
mod corpora;
mod dependencies;
mod diagnostics;
mod findings;
mod gates_formats;
mod kafka;
mod mappings;
mod nesting;
#[cfg(feature = "poller")]
mod operations;
#[cfg(feature = "poller")]
mod parity;
mod queues;
mod reports;
mod scenarios;
mod schemas;
mod semantics;
mod stored;
mod streams;
mod support;
mod swarm;
mod sweep;
mod tidy;
mod tune;
mod validation;
