//! The price table.

/// Something that has a price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "ITEMS has a name for each")]
pub enum Item {
    Requests,
    DurationX86,
    DurationArm,
    ProvisionedHeldX86,
    ProvisionedHeldArm,
    ProvisionedDurationX86,
    ProvisionedDurationArm,
    SqsPollerHours,
    KafkaPollerHours,
    SqsRequests,
    SqsFifoRequests,
    KinesisShardHours,
    KinesisPutUnits,
    KinesisFanOutHours,
}

/// Every item with its name in a price table.
pub const ITEMS: [(&str, Item); 14] = [
    ("lambda-requests", Item::Requests),
    ("lambda-duration-x86_64", Item::DurationX86),
    ("lambda-duration-arm64", Item::DurationArm),
    ("lambda-provisioned-held-x86_64", Item::ProvisionedHeldX86),
    ("lambda-provisioned-held-arm64", Item::ProvisionedHeldArm),
    (
        "lambda-provisioned-duration-x86_64",
        Item::ProvisionedDurationX86,
    ),
    (
        "lambda-provisioned-duration-arm64",
        Item::ProvisionedDurationArm,
    ),
    ("lambda-sqs-poller-hours", Item::SqsPollerHours),
    ("lambda-kafka-poller-hours", Item::KafkaPollerHours),
    ("sqs-requests", Item::SqsRequests),
    ("sqs-fifo-requests", Item::SqsFifoRequests),
    ("kinesis-shard-hours", Item::KinesisShardHours),
    ("kinesis-put-units", Item::KinesisPutUnits),
    ("kinesis-fan-out-hours", Item::KinesisFanOutHours),
];

impl Item {
    /// The item whose free units this one shares: a month has 400,000 GB-seconds of either architecture.
    pub(super) const fn shares_free_of(self) -> Self {
        match self {
            Self::DurationArm => Self::DurationX86,
            other => other,
        }
    }
}

/// The price of an item.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Price {
    /// Picodollars for one unit, up to the first tier.
    pub picodollars: u64,
    /// What a unit costs above so many units in a month, in order.
    pub tiers: Vec<Tier>,
    /// Units that a month begins with for nothing, where the free tier is asked for.
    pub free: u64,
}

/// A price for what is above a quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tier {
    /// Units in a month.
    pub above: u64,
    /// Picodollars for one unit.
    pub picodollars: u64,
}

impl Price {
    /// The price of `quantity` in a month, of which `per` are one unit; in picodollars, rounded down.
    pub(super) fn of(&self, quantity: u128, per: u128) -> u128 {
        let mut sum = 0;
        let mut from = 0;
        let mut price = self.picodollars;
        for tier in &self.tiers {
            let to = u128::from(tier.above) * per;
            sum += quantity.min(to).saturating_sub(from) * u128::from(price);
            (from, price) = (to, tier.picodollars);
        }
        (sum + quantity.saturating_sub(from) * u128::from(price)) / per
    }
}

/// A dated price table of one Region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prices {
    /// Such as `us-east-1`.
    pub region: String,
    /// Day on which the prices were looked up, `2026-02-01`.
    pub date: String,
    /// One price for each of [`ITEMS`].
    pub list: [Price; ITEMS.len()],
}

impl Prices {
    /// The price of an item.
    pub fn of(&self, item: Item) -> &Price {
        &self.list[item as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_listed_in_their_order() {
        for (index, (_, item)) in ITEMS.iter().enumerate() {
            assert_eq!(*item as usize, index);
        }
    }

    #[test]
    fn duration_tiers() {
        let price = Price {
            picodollars: 10,
            tiers: vec![
                Tier {
                    above: 6,
                    picodollars: 7,
                },
                Tier {
                    above: 15,
                    picodollars: 3,
                },
            ],
            free: 0,
        };
        // Units are tens here: 6 at 10, 9 at 7, and the rest at 3.
        for (quantity, expected) in [
            (0, 0),
            (10, 10),
            (60, 60),
            (65, 63),
            (150, 60 + 63),
            (200, 60 + 63 + 15),
        ] {
            assert_eq!(price.of(quantity, 10), expected, "{quantity}");
        }
    }
}
