//! What goes into a worker's leases and what comes out.

use super::table::Row;
use crate::engine::{Span, Token};
use std::ops::RangeInclusive;

/// How a worker treats its leases and those of others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseConfig {
    /// This worker's name, different from all others'.
    pub worker: String,
    /// A lease that is not renewed for this long may be taken (KCL's `failoverTimeMillis`, 10 s). All workers of a table
    /// must have the same.
    pub failover: Span,
    /// Leases stolen from one worker at a time (KCL's `maxLeasesToStealAtOneTime`, 1).
    pub steal_max: u32,
    /// Leases held at most (KCL's `maxLeasesForWorker`, no limit).
    pub leases_max: u32,
    /// A planted fault.
    #[cfg(feature = "mutations")]
    pub mutant: Option<crate::engine::mutation::Mutant>,
}

impl LeaseConfig {
    /// KCL's defaults for a worker.
    pub fn new(worker: impl Into<String>) -> Self {
        Self {
            worker: worker.into(),
            failover: Span::from_secs(10),
            steal_max: 1,
            leases_max: u32::MAX,
            #[cfg(feature = "mutations")]
            mutant: None,
        }
    }

    /// Renewals are this far apart: two may fail before a lease is lost.
    pub(super) fn renewal(&self) -> Span {
        Span::from_nanos(self.failover.as_nanos() / 3)
    }

    /// Scans are this far apart.
    pub(super) fn scan(&self) -> Span {
        Span::from_nanos(self.failover.as_nanos() / 2)
    }

    /// After trouble with the table, the same call is made again after this.
    pub(super) fn retry(&self) -> Span {
        Span::from_nanos(self.failover.as_nanos() / 20)
    }
}

/// What the driver is to do. Each is answered once by its token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeaseAction {
    /// Read the whole table. Answer: [`LeaseEvent::Scanned`] or [`LeaseEvent::Failed`].
    Scan {
        /// Answer with this.
        token: Token,
    },
    /// Put a row without an owner, unless the key has one. Answer: `Done` or `Refused` (it has one), or `Failed`.
    Create {
        /// Answer with this.
        token: Token,
        /// The shard.
        key: String,
        /// Its parents.
        parents: Vec<String>,
    },
    /// Raise the counter by one if this worker is still the owner and the counter is one of `counters`. Answer:
    /// [`LeaseEvent::Renewed`], `Refused` or `Failed`.
    Renew {
        /// Answer with this.
        token: Token,
        /// The shard.
        key: String,
        /// The counters that the table may have: several after renewals of which nobody knows whether they were made.
        counters: RangeInclusive<u64>,
        /// End the handover too (remove `checkpointOwner`): the earlier owner has had its time.
        claim: bool,
    },
    /// Make this worker the owner and raise the counter to `counter + 1`, if owner and counter are still the given ones.
    /// Answer: `Done`, `Refused` or `Failed`.
    Take {
        /// Answer with this.
        token: Token,
        /// The shard.
        key: String,
        /// The counter that the table must have.
        counter: u64,
        /// The owner that the table must have.
        owner: Option<String>,
        /// What `checkpointOwner` becomes: the worker that is to finish first what it has in work. `None` removes it.
        after: Option<String>,
    },
    /// Remove `checkpointOwner`, if it is this worker: what it had in work is stored. Answer: `Done`, `Refused` or `Failed`.
    HandOver {
        /// Answer with this.
        token: Token,
        /// The shard.
        key: String,
    },
    /// Leave the row without an owner, if this worker is still the owner, and raise the counter. Answer: `Done`, `Refused` or `Failed`.
    Release {
        /// Answer with this.
        token: Token,
        /// The shard.
        key: String,
    },
}

impl LeaseAction {
    /// What its answer carries.
    pub const fn token(&self) -> Token {
        match self {
            Self::Scan { token }
            | Self::Create { token, .. }
            | Self::Renew { token, .. }
            | Self::Take { token, .. }
            | Self::HandOver { token, .. }
            | Self::Release { token, .. } => *token,
        }
    }
}

/// What the driver tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeaseEvent {
    /// Shards that the source has, with their parents. Those without a row get one.
    Listed(Vec<(String, Vec<String>)>),
    /// The whole table.
    Scanned {
        /// The action it answers.
        token: Token,
        /// Its rows.
        rows: Vec<Row>,
    },
    /// The write was made.
    Done {
        /// The action it answers.
        token: Token,
    },
    /// The lease was renewed.
    Renewed {
        /// The action it answers.
        token: Token,
        /// What the counter is now.
        counter: u64,
        /// Whether an earlier owner still has it in work (there is a `checkpointOwner`).
        is_handing_over: bool,
    },
    /// The condition did not hold: nothing was written.
    Refused {
        /// The action it answers.
        token: Token,
        /// Whether the row has this worker as its `checkpointOwner`: somebody stole the lease, and waits.
        is_handing_over: bool,
    },
    /// Trouble: it may have been written or not.
    Failed {
        /// The action it answers.
        token: Token,
    },
    /// The end of the shard is stored: it needs no owner any more.
    Finished {
        /// The shard.
        key: String,
    },
    /// The store of this worker's progress was refused for want of the lease.
    Disowned {
        /// The shard.
        key: String,
    },
    /// Take no more; every lease goes back once [`Released`](Self::Released) says that its work is stored.
    Drain,
    /// Nothing of the shard is in work any more, and its progress is stored: the lease may go to somebody else.
    Released {
        /// The shard.
        key: String,
    },
}

/// What changed for this worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeaseChange {
    /// Work on this shard, from the checkpoint that the last answer about it had.
    Gained(String),
    /// Begin nothing new on this shard; say [`LeaseEvent::Released`] when what is in work is over and stored.
    Revoked(String),
    /// Stop at once and store nothing more: somebody else may have them. All that are lost together are told together, so
    /// that a mapping does not go on with the second when it hears of the first.
    Lost(Vec<String>),
}
