//! What a run costs: quantities that the simulator counted, times the prices of a table.
//!
//! All arithmetic is in whole numbers: prices are picodollars, quantities are counts, MB-milliseconds or nanoseconds.
//! Rounding happens once, where an amount becomes a figure.

mod bill;
mod line;
mod prices;

pub use bill::{Used, bill};
pub use line::{LINES, Line, LineKind};
pub use prices::{ITEMS, Item, Price, Prices, Tier};

/// The price table that scenarios have unless they name another: `src/cost/prices.toml`.
pub const PRICES_TOML: &str = include_str!("prices.toml");
