//! What all functions of the account use together.

use super::Lambda;

/// The account's concurrency at one moment, in CloudWatch's terms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AccountUse {
    /// ConcurrentExecutions of the Region: busy environments of all functions.
    pub concurrent: u32,
    /// UnreservedConcurrentExecutions: those of functions without a reservation.
    pub unreserved: u32,
    /// ClaimedAccountConcurrency: what the account's concurrency is spoken for. At the account's limit, requests without
    /// concurrency of their own are refused.
    pub claimed: u32,
}

/// Counts beside those that decide, so that nobody has to add up all functions.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    /// Busy environments of all functions.
    pub(super) running: u32,
    /// Of these, provisioned ones of functions without a reservation.
    pub(super) unreserved_provisioned: u32,
    /// Reserved concurrency of all functions.
    pub(super) reserved: u32,
}

impl Lambda {
    /// What all functions use together (rule `claimed-account-concurrency`).
    #[inline]
    pub const fn account(&self) -> AccountUse {
        AccountUse {
            concurrent: self.tally.running,
            unreserved: self.unreserved_running + self.tally.unreserved_provisioned,
            claimed: self.tally.reserved + self.unreserved_claimed + self.unreserved_running,
        }
    }

    /// ClaimedAccountConcurrency alone.
    pub const fn claimed_account_concurrency(&self) -> u32 {
        self.account().claimed
    }
}
