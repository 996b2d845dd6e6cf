//! What a worker knows of the lease table: rows as they were last seen, and since when they have not changed.

use crate::engine::{Span, Time};
use std::collections::BTreeMap;

/// A row of the lease table, as far as it decides who works on what. Names of the columns are those of the Kinesis Client
/// Library: `leaseKey`, `leaseOwner`, `leaseCounter`, `checkpoint`, `parentShardId`, `checkpointOwner`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The shard.
    pub key: String,
    /// The worker that has it; nobody after it was released.
    pub owner: Option<String>,
    /// Goes up with every renewal and every change of the owner.
    pub counter: u64,
    /// The earlier owner, while it has not finished what it had in work (`checkpointOwner`).
    pub handing_over: Option<String>,
    /// Whether the shard was worked on to its end (`SHARD_END`).
    pub is_finished: bool,
    /// Shards that must be finished first.
    pub parents: Vec<String>,
}

impl Row {
    /// The row of a shard that nobody had yet.
    pub fn new(key: impl Into<String>, parents: Vec<String>) -> Self {
        Self {
            key: key.into(),
            owner: None,
            counter: 0,
            handing_over: None,
            is_finished: false,
            parents,
        }
    }
}

/// A row and when it was seen to change.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) row: Row,
    /// When this worker saw this owner and counter for the first time.
    pub(super) since: Time,
}

/// All rows of the last scan.
#[derive(Debug, Default)]
pub(super) struct Table {
    rows: BTreeMap<String, Seen>,
}

impl Table {
    /// Takes in a scan: rows that did not change keep their age, those that are gone are forgotten.
    ///
    /// Rule `lease-expires-by-own-clock`: no clocks are compared. A lease is as old as its counter has stood still under
    /// this worker's eyes.
    pub(super) fn scanned(&mut self, now: Time, rows: Vec<Row>) {
        let mut earlier = std::mem::take(&mut self.rows);
        for row in rows {
            let since = match earlier.remove(&row.key) {
                Some(seen) if seen.row.owner == row.owner && seen.row.counter == row.counter => {
                    seen.since
                }
                _ => now,
            };
            self.rows.insert(row.key.clone(), Seen { row, since });
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<&Seen> {
        self.rows.get(key)
    }

    /// A row that this worker wrote itself.
    pub(super) fn wrote(&mut self, now: Time, row: Row) {
        self.rows.insert(row.key.clone(), Seen { row, since: now });
    }

    pub(super) fn finished(&mut self, key: &str) {
        if let Some(seen) = self.rows.get_mut(key) {
            seen.row.is_finished = true;
        }
    }

    /// Rows that can be worked on now: not finished, and their parents are.
    ///
    /// Rule `lease-children-after-parents`: a parent without a row has been finished and forgotten, or was never wanted.
    pub(super) fn ready(&self) -> impl Iterator<Item = &Seen> {
        self.unfinished().filter(|seen| {
            let mut parents = seen.row.parents.iter();
            parents.all(|parent| self.get(parent).is_none_or(|parent| parent.row.is_finished))
        })
    }

    /// Rows that are not finished.
    pub(super) fn unfinished(&self) -> impl Iterator<Item = &Seen> {
        self.rows.values().filter(|seen| !seen.row.is_finished)
    }
}

impl Seen {
    /// Whether anybody may take it: nobody has it, or its owner has not renewed it for `failover`.
    pub(super) fn is_free(&self, now: Time, failover: Span) -> bool {
        self.row.owner.is_none() || now.since(self.since) >= failover
    }
}
