//! `[cost]`, and the price table that it names.

use super::convert::{boolean, integer, list, number, string};
use super::csv;
use super::diagnostic::{Diagnostic, Diagnostics};
use super::digest::Digest;
use super::load::tree;
use super::model::Costs;
use super::node::Node;
use super::read::{At, Cx, Table};
use super::text::SourceText;
use crate::cost::{ITEMS, PRICES_TOML, Price, Prices, Tier};
use std::path::PathBuf;
use std::sync::Arc;

/// Prices in dollars for one unit.
const DOLLARS: std::ops::RangeInclusive<f64> = 0.0..=1e6;
const UNITS: std::ops::RangeInclusive<i64> = 0..=1_000_000_000_000;

/// The table `[cost]`.
pub(crate) fn costs(root: &mut Table<'_>, cx: &mut Cx) -> Costs {
    let mut costs = Costs::default();
    let Some(mut table) = root.opt(cx, "cost", |at, cx| Table::open(at, "[cost]", cx)) else {
        return costs;
    };
    if let Some(prices) = table.opt(cx, "prices", named) {
        costs.prices = Arc::new(prices);
    }
    costs.free_tier = table.opt(cx, "free_tier", boolean).unwrap_or(false);
    table.finish(cx);
    costs
}

/// The price table that comes with the program.
///
/// # Panics
/// When it cannot be read, which a test rules out.
pub fn builtin_prices() -> Arc<Prices> {
    let empty = Prices {
        region: String::new(),
        date: String::new(),
        list: std::array::from_fn(|_| Price::default()),
    };
    let file = SourceText::new("prices.toml", PRICES_TOML);
    match read(&file, &empty) {
        Ok(prices) => Arc::new(prices),
        Err(found) => panic!("the price table is not sound: {:?}", found.first()),
    }
}

/// The price table in a file that a scenario names.
fn named(at: At<'_>, cx: &mut Cx) -> Option<Prices> {
    let file = csv::open(at, cx)?;
    match read(&file, &builtin_prices()) {
        Ok(prices) => Some(prices),
        Err(found) => {
            for finding in found {
                cx.diagnostics.push_in(&file, finding);
            }
            None
        }
    }
}

/// A price table; what it does not name has the price of `usual`.
fn read(file: &SourceText, usual: &Prices) -> Result<Prices, Vec<Diagnostic>> {
    let root = tree(file).map_err(|problem| vec![problem])?;
    let mut cx = Cx {
        diagnostics: Diagnostics::new(file.clone()),
        base: PathBuf::new(),
        attached: Digest::new(),
    };
    let prices = prices(&root, &mut cx, usual);
    match prices {
        Some(prices) if !cx.diagnostics.has_errors() => Ok(prices),
        _ => Err(cx.diagnostics.into_report().items),
    }
}

fn prices(root: &Node, cx: &mut Cx, usual: &Prices) -> Option<Prices> {
    // What the table as a whole lacks is told without a place.
    let node = Node {
        span: 0..0,
        ..root.clone()
    };
    let at = At {
        key: "the price table",
        node: &node,
    };
    let mut table = Table::open(at, "the price table", cx)?;
    let region = table.req(cx, "region", "\"us-east-1\"", string);
    let date = table.req(cx, "date", "\"2026-02-01\"", string);
    let mut list = usual.list.clone();
    for (name, item) in ITEMS {
        if let Some(price) = table.opt(cx, name, price) {
            list[item as usize] = price;
        }
    }
    table.finish(cx);
    Some(Prices {
        region: region?,
        date: date?,
        list,
    })
}

fn price(at: At<'_>, cx: &mut Cx) -> Option<Price> {
    let mut table = Table::open(at, "a price", cx)?;
    let usd = table.req(cx, "usd", "0.20", number(DOLLARS));
    let tiers = table.opt(cx, "tiers", list(tier));
    let free = table.opt(cx, "free", integer(UNITS));
    table.finish(cx);
    let tiers = tiers.unwrap_or_default();
    if !tiers.is_sorted_by(|one, next| one.above < next.above)
        && let Some(tiers_node) = at.node.get("tiers")
    {
        cx.push(
            Diagnostic::new(
                "rate-steps-unordered",
                "the tiers of a price must be in order",
            )
            .at(&tiers_node.node.span)
            .label("not in order")
            .help("sort them by `above`, each larger than the one before"),
        );
    }
    Some(Price {
        picodollars: picodollars(usd?),
        tiers,
        free: free.unwrap_or(0),
    })
}

fn tier(at: At<'_>, cx: &mut Cx) -> Option<Tier> {
    let mut table = Table::open(at, "a tier", cx)?;
    let above = table.req(cx, "above", "1_000_000", integer(UNITS));
    let usd = table.req(cx, "usd", "0.10", number(DOLLARS));
    table.finish(cx);
    Some(Tier {
        above: above?,
        picodollars: picodollars(usd?),
    })
}

/// Twelve digits after the point are more than any price has, so the nearest whole number is the price itself.
fn picodollars(usd: f64) -> u64 {
    (usd * 1e12).round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cost::Item;

    #[test]
    fn the_price_table_is_sound_and_complete() {
        let prices = builtin_prices();
        assert_eq!(prices.region, "us-east-1");
        for ((name, item), price) in ITEMS.iter().zip(&prices.list) {
            assert!(price.picodollars > 0, "{name} has no price");
            assert_eq!(prices.of(*item), price);
        }
        let duration = prices.of(Item::DurationX86);
        assert_eq!(duration.picodollars, 16_666_700);
        assert_eq!(duration.tiers.len(), 2);
        assert_eq!(duration.tiers[1].above, 15_000_000_000);
    }

    #[test]
    fn a_table_of_ones_own_replaces_what_it_names() {
        let text = "region = 'eu-west-1'\ndate = '2026-03-01'\n[lambda-requests]\nusd = 0.25";
        let usual = builtin_prices();
        let own = read(&SourceText::new("own.toml", text), &usual).expect("a sound table");
        assert_eq!(own.of(Item::Requests).picodollars, 250_000_000_000);
        assert_eq!(own.of(Item::Requests).free, 0);
        assert_eq!(own.of(Item::DurationX86), usual.of(Item::DurationX86));
    }
}
