//! What is charged for.

use crate::cost::Prices;
use std::sync::Arc;

/// Prices, and how they apply.
#[derive(Clone, Debug)]
pub struct Costs {
    /// The price table.
    pub prices: Arc<Prices>,
    /// Whether a month begins with what AWS gives for free.
    pub free_tier: bool,
}

impl Default for Costs {
    fn default() -> Self {
        Self {
            prices: crate::scenario::builtin_prices(),
            free_tier: false,
        }
    }
}
