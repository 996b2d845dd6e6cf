//! The queue itself, without any notion of how time passes.

use super::{LOAD, SERVERS, SERVICE};
use std::collections::VecDeque;
use tidegate::engine::Rng;
use tidegate::scenario::Dist;
use tidegate::sim::dist::Sampler;

/// Servers, waiting customers, and the draws that both engines share.
pub(crate) struct Station {
    gaps: Sampler,
    gap_draws: Rng,
    services: Sampler,
    service_draws: Rng,
    arrivals_left: u64,
    idle: u32,
    waiting: VecDeque<u64>,
    waits: Waits,
}

/// Who waited, and how long all of them together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Waits {
    pub(crate) customers: u64,
    pub(crate) nanos: u128,
}

impl Station {
    pub(crate) fn new(seed: u64, arrivals: u64) -> Self {
        let mean = SERVICE / (f64::from(SERVERS) * LOAD);
        Self {
            gaps: Sampler::new(&Dist::Exponential { mean }),
            gap_draws: Rng::stream(seed, "gaps"),
            services: Sampler::new(&Dist::Exponential { mean: SERVICE }),
            service_draws: Rng::stream(seed, "services"),
            arrivals_left: arrivals,
            idle: SERVERS,
            waiting: VecDeque::new(),
            waits: Waits::default(),
        }
    }

    /// Nanoseconds to the next arrival, if there is one.
    #[inline]
    pub(crate) fn gap(&mut self) -> Option<u64> {
        self.arrivals_left = self.arrivals_left.checked_sub(1)?;
        Some(self.gaps.draw(&mut self.gap_draws).max(1))
    }

    /// A customer comes: the time of its service, if that begins at once.
    #[inline]
    pub(crate) fn arrive(&mut self, now: u64) -> Option<u64> {
        if self.idle == 0 {
            self.waiting.push_back(now);
            return None;
        }
        self.idle -= 1;
        Some(self.service())
    }

    /// A service ends: the time of the next one, if somebody waits.
    #[inline]
    pub(crate) fn depart(&mut self, now: u64) -> Option<u64> {
        let Some(since) = self.waiting.pop_front() else {
            self.idle += 1;
            return None;
        };
        let waited = now - since;
        // Events of one instant may come in either order; who waited for no time did not wait.
        self.waits.customers += u64::from(waited > 0);
        self.waits.nanos += u128::from(waited);
        Some(self.service())
    }

    pub(crate) fn waits(&self) -> Waits {
        self.waits
    }

    /// Whether everybody came and left.
    #[inline]
    pub(crate) fn is_over(&self) -> bool {
        self.arrivals_left == 0 && self.idle == SERVERS
    }

    fn service(&mut self) -> u64 {
        self.services.draw(&mut self.service_draws).max(1)
    }
}
