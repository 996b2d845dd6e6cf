//! Which tenant a call is for.

use super::services::keys::{KeyDraw, KeySpace};
use crate::engine::Rng;
use crate::scenario::Scenario;

/// The tenants of one caller.
#[derive(Debug)]
pub(super) struct TenantDraw {
    draw: KeyDraw,
    picks: Rng,
}

impl TenantDraw {
    /// One for each caller of the scenario that has tenants.
    pub(super) fn all(scenario: &Scenario, seed: u64) -> Vec<Option<Self>> {
        let callers = scenario.traffic.iter().enumerate();
        callers
            .map(|(index, caller)| {
                caller.tenants.map(|tenants| Self {
                    draw: KeySpace::new(tenants).whole(),
                    picks: Rng::stream(seed, &format!("traffic/{index}/tenants")),
                })
            })
            .collect()
    }

    /// The tenant of the next call.
    pub(super) fn next(&mut self) -> u64 {
        self.draw.group(self.picks.next_u64())
    }
}
