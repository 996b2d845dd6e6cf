use super::*;
use crate::cost::{ITEMS, Price, Tier};

/// The prices of us-east-1 that the tests need, written down again.
fn prices() -> Prices {
    let mut prices = Prices {
        region: "r".to_owned(),
        date: "d".to_owned(),
        list: [(); ITEMS.len()].map(|()| Price::default()),
    };
    let mut set = |item: Item, picodollars, tiers: &[(u64, u64)], free| {
        let tiers = tiers
            .iter()
            .map(|&(above, picodollars)| Tier { above, picodollars });
        prices.list[item as usize] = Price {
            picodollars,
            tiers: tiers.collect(),
            free,
        };
    };
    set(Item::Requests, 200_000_000_000, &[], 1);
    set(
        Item::DurationX86,
        16_666_700,
        &[(6_000_000_000, 15_000_000), (15_000_000_000, 13_333_400)],
        400_000,
    );
    set(Item::DurationArm, 13_333_400, &[], 0);
    prices
}

fn used(kind: LineKind, quantity: u128) -> Used {
    Used {
        subject: "f".to_owned(),
        kind,
        quantity,
    }
}

const HOUR: Span = Span::from_secs(3_600);

fn amounts(used: &[Used], measured: Span, free_tier: bool) -> Vec<(f64, f64)> {
    let cost = bill(&prices(), used, measured, free_tier);
    let lines = cost.lines.iter();
    let lines = lines.map(|line| (line.amount.value, line.per_month.value));
    lines
        .chain([(cost.total_usd.value, cost.total_usd_per_month.value)])
        .collect()
}

/// An hour of 3.6 million calls of 100 ms with 512 MB: 180,000 GB-seconds.
const BUSY: [(LineKind, u128); 2] = [
    (LineKind::Requests, 3_600_000),
    (LineKind::DurationX86, 3_600_000 * 100 * 512),
];

#[test]
fn an_hour_and_a_month_without_tiers() {
    let used = BUSY.map(|(kind, quantity)| used(kind, quantity));
    // 3.6 × 0.20; 180,000 × 0.0000166667 = 3.000006; times 730 hours.
    assert_eq!(
        amounts(&used, HOUR, false),
        [
            (0.72, 525.6),
            (3.000_006, 2_190.004_38),
            (3.720_006, 2_715.604_38)
        ]
    );
}

#[test]
fn the_free_tier_is_taken_from_months_only_and_once() {
    let mut used = BUSY.map(|(kind, quantity)| used(kind, quantity)).to_vec();
    // A month has 2,628 million requests, of which one is free, and 131.4 million GB-s less 400,000.
    assert_eq!(
        amounts(&used, HOUR, true)[..2],
        [(0.72, 525.4), (3.000_006, 2_183.337_7)]
    );
    // 200 GB-s an hour, 146,000 in a month, are all free; arm64 gets what is left, 254,000 of 146,000,000.
    used[1].quantity = 200 * 1_024_000;
    used.push(self::used(LineKind::DurationArm, 200_000 * 1_024_000));
    let found = amounts(&used, HOUR, true);
    assert_eq!(found[1], (0.003_333, 0.0));
    assert_eq!(found[2], (2.666_68, 1_943.289_716));
}

#[test]
fn tiers_are_those_of_all_functions_together() {
    // Two functions with 10 G and 20 G GB-s in the month that is measured.
    let month = Span::from_secs(730 * 3_600);
    let giga = 1_000_000_000 * 1_024_000;
    let used = [10, 20].map(|count| used(LineKind::DurationX86, count * giga));
    let found = amounts(&used, month, false);
    // 6 G at 0.0000166667, 9 G at 0.000015, 15 G at 0.0000133334.
    assert_eq!(found[2].1, 100_000.2 + 135_000.0 + 200_001.0);
    assert_eq!(found[0].1, 145_000.4);
    // The amounts are those of the first tier.
    assert_eq!(found[1].0, 333_334.0);
}

#[test]
fn prices_are_shown_with_all_digits() {
    assert_eq!(dollars(16_666_700), "0.0000166667");
    assert_eq!(dollars(200_000_000_000), "0.20");
    assert_eq!(dollars(1_000_000_000_000), "1.00");
    assert_eq!(dollars(9_250_000_000), "0.00925");
}

#[test]
fn a_part_of_a_large_amount_is_exact() {
    let month = Month {
        quantity: 3 << 70,
        amount: (3 << 70) * 16_666_700 / 1_024_000,
    };
    let third = month.share(1 << 70);
    assert!(third.abs_diff(month.amount / 3) <= 1 << 12, "{third}");
    assert_eq!(Month::default().share(5), 0);
}
