//! Facts for whoever wants to see all of them.

use crate::engine::{Fact, Time};
use tokio::sync::mpsc;

/// A fact with when and in which mapping it happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// The mapping's name.
    pub mapping: std::sync::Arc<str>,
    /// When the run began.
    pub started: Time,
    /// When it happened.
    pub at: Time,
    /// What happened.
    pub fact: Fact,
}

/// Passes on every fact of a run. The queue behind it has no bound: whoever asks for facts reads them.
#[derive(Clone, Debug)]
pub struct Observer {
    facts: mpsc::UnboundedSender<Observed>,
}

impl Observer {
    /// An observer for [`RunOptions`](super::RunOptions), and where its facts arrive.
    pub fn new() -> (Self, mpsc::UnboundedReceiver<Observed>) {
        let (facts, arrivals) = mpsc::unbounded_channel();
        (Self { facts }, arrivals)
    }

    pub(super) fn see(&self, observed: Observed) {
        // Nobody listens any more: that is theirs to decide.
        let _ = self.facts.send(observed);
    }
}
