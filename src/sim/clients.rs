//! Callers of one traffic: which function each call goes to, and clients that wait for their answers.

use super::dist::Sampler;
use crate::engine::{Rng, Span};
use crate::scenario::{Scenario, Traffic};

/// A client takes at least this long between an answer and its next call, so that a closed loop of refusals moves on.
const PAUSE_MIN: Span = Span::from_millis(1);

/// The state of one traffic's callers.
#[derive(Debug)]
pub(super) struct Caller {
    /// Clients of a closed loop that are there.
    present: u32,
    think: Option<Sampler>,
    thinks: Rng,
    picks: Rng,
}

impl Caller {
    pub(super) fn all(scenario: &Scenario, seed: u64) -> Vec<Self> {
        let new = |(index, traffic): (usize, &Traffic)| Self {
            present: 0,
            think: traffic
                .clients
                .as_ref()
                .map(|clients| Sampler::new(&clients.think)),
            thinks: Rng::stream(seed, &format!("traffic/{index}/think")),
            picks: Rng::stream(seed, &format!("traffic/{index}/spread")),
        };
        scenario.traffic.iter().enumerate().map(new).collect()
    }

    /// One of `several` functions, evenly (rule `template-spreads-evenly`).
    pub(super) fn pick(&mut self, several: u32) -> u32 {
        self.picks.below(u64::from(several)) as u32
    }

    /// A client comes, unless one that was to leave is still there: `wanted` is how many there should be.
    pub(super) fn join(&mut self, wanted: u32) -> bool {
        let comes = self.present < wanted;
        self.present += u32::from(comes);
        comes
    }

    /// How long the client that was just answered thinks; `None` when it leaves, being one too many.
    ///
    /// Rule `closed-loop-waits-for-answers`.
    pub(super) fn think(&mut self, wanted: u32) -> Option<Span> {
        if self.present > wanted {
            self.present -= 1;
            return None;
        }
        let think = self.think.as_ref()?;
        let span = Span::from_nanos(think.draw(&mut self.thinks));
        Some(span.max(PAUSE_MIN))
    }
}
