//! What can be wrong.

use crate::engine::{Ratio, Span};

/// A fault and when it is on.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// First instant.
    pub at: Span,
    /// How long.
    pub lasts: Span,
    /// What is wrong.
    pub what: FaultKind,
}

/// What can be wrong.
#[derive(Clone, Debug, PartialEq)]
pub enum FaultKind {
    /// Invocations of a function fail with this chance.
    FunctionErrors {
        /// Index into [`Scenario::functions`](super::Scenario::functions).
        function: usize,
        /// Chance per invocation.
        rate: Ratio,
    },
    /// Invocations of a function take this many times as long.
    FunctionSlow {
        /// Index into [`Scenario::functions`](super::Scenario::functions).
        function: usize,
        /// Factor, above 0.
        factor: f64,
    },
    /// Reads of a source fail as throttled with this chance.
    SourceThrottled {
        /// Index into [`Scenario::sources`](super::Scenario::sources).
        source: usize,
        /// Chance per read.
        rate: Ratio,
    },
    /// Deletions from a queue fail with this chance.
    DeletionsFail {
        /// Index into [`Scenario::sources`](super::Scenario::sources).
        source: usize,
        /// Chance per batch.
        rate: Ratio,
    },
    /// Commits of offsets to Kafka fail with this chance.
    CommitsFail {
        /// Index into [`Scenario::sources`](super::Scenario::sources).
        source: usize,
        /// Chance per commit.
        rate: Ratio,
    },
    /// Nobody is connected to a broker or a cluster of Kafka.
    ConnectionsLost {
        /// Index into [`Scenario::sources`](super::Scenario::sources).
        source: usize,
    },
    /// The on-failure destination of a mapping refuses invocation records with this chance.
    DestinationRefuses {
        /// Index into [`Scenario::mappings`](super::Scenario::mappings).
        mapping: usize,
        /// Chance per call.
        rate: Ratio,
    },
    /// The destinations and the dead-letter queue of a function's asynchronous events refuse with this chance.
    EventDestinationRefuses {
        /// Index into [`Scenario::functions`](super::Scenario::functions).
        function: usize,
        /// Chance per call.
        rate: Ratio,
    },
}
