//! From quantities to amounts.

use super::{Item, LINES, LineKind, Prices};
use crate::engine::Span;
use crate::metrics::{CostLine, CostSummary, Figure};

/// So much of something was used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Used {
    /// By whom: a function, mapping or source.
    pub subject: String,
    /// What.
    pub kind: LineKind,
    /// In what its line counts: things, MB-milliseconds or nanoseconds.
    pub quantity: u128,
}

/// AWS's month for estimates, in nanoseconds.
const MONTH: u128 = 730 * 3_600 * 1_000_000_000;
/// Picodollars in a microdollar, to which figures are rounded.
const MICRO: u128 = 1_000_000;

/// The bill of what was used within `measured`. The amounts are those of the first tier; a month has all of its tiers, of
/// the whole account, and begins with the free units if that is asked for.
pub fn bill(prices: &Prices, used: &[Used], measured: Span, free_tier: bool) -> CostSummary {
    let measured = u128::from(measured.as_nanos().max(1));
    let monthly = |quantity: u128| quantity * MONTH / measured;
    let months = months(prices, used, monthly, free_tier);
    let mut lines = Vec::with_capacity(used.len());
    let (mut total, mut total_month) = (0, 0);
    for one in used {
        let line = one.kind.line();
        let price = prices.of(line.item);
        let amount = one.quantity * u128::from(price.picodollars) / line.per;
        let month = months[line.item as usize].share(monthly(one.quantity));
        total += amount;
        total_month += month;
        lines.push(CostLine {
            subject: one.subject.clone(),
            item: line.title.to_owned(),
            unit: line.unit.to_owned(),
            unit_price: dollars(price.picodollars),
            quantity: Figure::new(one.quantity as f64 / line.per as f64, 6),
            amount: usd(amount),
            per_month: usd(month),
            explanation: line.explanation.to_owned(),
        });
    }
    CostSummary {
        region: prices.region.clone(),
        prices_of: prices.date.clone(),
        lines,
        total_usd: usd(total),
        total_usd_per_month: usd(total_month),
    }
}

/// What the whole account uses of an item in a month, in units' parts, and what that costs.
#[derive(Clone, Copy, Debug, Default)]
struct Month {
    quantity: u128,
    amount: u128,
}

impl Month {
    /// The part of the amount that belongs to a part of the quantity.
    fn share(self, quantity: u128) -> u128 {
        if self.quantity == 0 {
            return 0;
        }
        let (whole, rest) = (self.amount / self.quantity, self.amount % self.quantity);
        // The rest is below the quantity, and the product of two numbers of 64 bits fits.
        let excess = (128 - self.quantity.leading_zeros()).saturating_sub(64);
        let part = (rest >> excess) * (quantity >> excess) / (self.quantity >> excess);
        whole * quantity + (part << excess)
    }
}

fn months(
    prices: &Prices,
    used: &[Used],
    monthly: impl Fn(u128) -> u128,
    free_tier: bool,
) -> Vec<Month> {
    let mut months = vec![Month::default(); prices.list.len()];
    for one in used {
        months[one.kind.line().item as usize].quantity += monthly(one.quantity);
    }
    let mut free: Vec<u128> = prices
        .list
        .iter()
        .map(|price| u128::from(price.free))
        .collect();
    let mut done: Vec<Item> = Vec::new();
    for line in &LINES {
        if done.contains(&line.item) {
            continue;
        }
        done.push(line.item);
        let month = &mut months[line.item as usize];
        let left = &mut free[line.item.shares_free_of() as usize];
        let units_free = if free_tier { *left } else { 0 };
        let given = (units_free * line.per).min(month.quantity);
        *left -= given / line.per;
        month.amount = prices.of(line.item).of(month.quantity - given, line.per);
    }
    months
}

fn usd(picodollars: u128) -> Figure {
    let micros = (picodollars + MICRO / 2) / MICRO;
    Figure::new(micros as f64 / 1e6, 6)
}

/// A price with all of its digits: `0.0000166667`.
fn dollars(picodollars: u64) -> String {
    let (whole, rest) = (
        picodollars / 1_000_000_000_000,
        picodollars % 1_000_000_000_000,
    );
    let digits = format!("{rest:012}");
    let digits = digits.trim_end_matches('0');
    format!("{whole}.{digits:0<2}")
}

#[cfg(test)]
mod tests;
