//! Modelled on-failure destinations: a fixed latency, and refusals only by a fault.

use super::world::{Inner, Pending, World};
use crate::engine::{Event, FailureClass, Ratio, Rng, Span, Token};
use crate::scenario::Scenario;

/// Time of a call to a destination. Ours: about what SendMessage, Publish and PutObject take within a Region.
const LATENCY: Span = Span::from_millis(20);

/// The destination of one mapping.
#[derive(Debug)]
pub(super) struct Destination {
    refusals: Rng,
    /// Chance that an invocation record is refused by a fault in force.
    pub(super) fault_refuse_rate: Ratio,
}

impl Destination {
    /// One for each mapping, whether it is used or not.
    pub(super) fn all(scenario: &Scenario, seed: u64) -> Vec<Self> {
        let names = scenario.mappings.iter().map(|mapping| &mapping.config.name);
        let build = |name| Self {
            refusals: Rng::stream(seed, &format!("mapping/{name}/destination")),
            fault_refuse_rate: Ratio::ZERO,
        };
        names.map(build).collect()
    }
}

impl Inner<'_> {
    /// Sends an invocation record; the answer comes later.
    pub(super) fn divert(&mut self, mapping: u32, token: Token) {
        let destination = &mut self.destinations[mapping as usize];
        let refused = destination.refusals.chance(destination.fault_refuse_rate);
        let pending = Pending::Diverted {
            mapping,
            token,
            refused,
        };
        self.schedule(self.now + LATENCY, pending);
    }
}

impl World<'_> {
    pub(super) fn diverted(&mut self, mapping: u32, token: Token, refused: bool) {
        let event = if refused {
            // What a destination that lacks a permission answers.
            let class = FailureClass::Denied;
            Event::Failed { token, class }
        } else {
            Event::Done { token }
        };
        self.feed(mapping, event);
    }
}
