//! Folds what all functions of the account use together into its series and its summary.

use super::{Figure, Metric};
use crate::engine::lambda::AccountUse;
use serde::Serialize;

/// The largest use of the account's concurrency, by bin and over the measured part. Only increases need be told.
#[derive(Debug, Default)]
pub struct AccountRecorder {
    bin: AccountRow,
    total: AccountRow,
    rows: Vec<AccountRow>,
}

/// One bin of the account: the largest values in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AccountRow {
    /// Busy environments of all functions.
    pub concurrent_max: u32,
    /// Those of functions without a reservation.
    pub unreserved_max: u32,
    /// What the account's concurrency is spoken for.
    pub claimed_max: u32,
}

/// Figures of the account, over all functions: largest values.
#[derive(Clone, Debug, Serialize, Default)]
#[serde(rename_all = "PascalCase")]
pub struct AccountSummary {
    /// Busy environments.
    pub concurrent_executions: Figure,
    /// Busy environments of functions without a reservation.
    pub unreserved_concurrent_executions: Figure,
    /// What runs without a reservation, all reservations, and provisioned concurrency outside of them.
    pub claimed_account_concurrency: Figure,
}

impl AccountRow {
    #[inline]
    fn raise(&mut self, used: AccountUse) {
        self.concurrent_max = self.concurrent_max.max(used.concurrent);
        self.unreserved_max = self.unreserved_max.max(used.unreserved);
        self.claimed_max = self.claimed_max.max(used.claimed);
    }

    fn merge(&mut self, other: Self) {
        self.concurrent_max = self.concurrent_max.max(other.concurrent_max);
        self.unreserved_max = self.unreserved_max.max(other.unreserved_max);
        self.claimed_max = self.claimed_max.max(other.claimed_max);
    }

    /// The larger of each value of two rows.
    pub fn or(mut self, other: Self) -> Self {
        self.merge(other);
        self
    }
}

impl AccountRecorder {
    /// The account's use may have grown to `used`.
    #[inline]
    pub fn raised(&mut self, used: AccountUse) {
        self.bin.raise(used);
    }

    /// Closes a bin, at whose end the account uses `used`.
    pub fn roll(&mut self, used: AccountUse) {
        self.bin.raise(used);
        self.rows.push(self.bin);
        self.total.merge(self.bin);
        self.bin = AccountRow::default();
        self.bin.raise(used);
    }

    /// Forgets the largest values at the end of the warm-up; rows stay. Call it right after a roll.
    pub fn end_warm_up(&mut self) {
        self.total = self.bin;
    }

    /// The series so far.
    pub fn take_rows(&mut self) -> Vec<AccountRow> {
        std::mem::take(&mut self.rows)
    }

    /// The figures since the warm-up.
    pub fn summary(&self) -> AccountSummary {
        let figure = |value: u32| Figure::count(u64::from(value));
        AccountSummary {
            concurrent_executions: figure(self.total.concurrent_max),
            unreserved_concurrent_executions: figure(self.total.unreserved_max),
            claimed_account_concurrency: figure(self.total.claimed_max),
        }
    }
}

impl AccountSummary {
    /// Every metric with its name, in the order of the JSON document.
    pub fn metrics(&mut self) -> [(&'static str, Metric<'_>); 3] {
        [
            (
                "ConcurrentExecutions",
                Metric::Largest(&mut self.concurrent_executions),
            ),
            (
                "UnreservedConcurrentExecutions",
                Metric::Largest(&mut self.unreserved_concurrent_executions),
            ),
            (
                "ClaimedAccountConcurrency",
                Metric::Largest(&mut self.claimed_account_concurrency),
            ),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(concurrent: u32) -> AccountUse {
        AccountUse {
            concurrent,
            unreserved: concurrent / 2,
            claimed: concurrent + 100,
        }
    }

    #[test]
    fn a_bin_begins_with_what_the_one_before_left() {
        let mut account = AccountRecorder::default();
        account.raised(used(10));
        account.raised(used(40));
        account.roll(used(30));
        account.end_warm_up();
        account.roll(used(4));
        account.roll(used(6));
        let rows = account.take_rows();
        let largest: Vec<u32> = rows.iter().map(|row| row.concurrent_max).collect();
        assert_eq!(largest, [40, 30, 6]);
        assert_eq!(rows[1].claimed_max, 130);
        // What the warm-up left counts, what happened in it does not.
        assert_eq!(account.summary().concurrent_executions.value, 30.0);
        assert_eq!(rows[0].or(rows[1]), rows[0]);
    }
}
