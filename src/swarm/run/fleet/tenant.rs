//! What a worker has of its leases: which shards, since when, and where they were last seen to stand.

use crate::engine::lease::Leases;
use crate::engine::{Action, Position, ShardId, Time};

/// What a worker has of its leases.
#[derive(Debug)]
pub(in super::super) struct Tenant {
    pub(super) leases: Leases,
    /// The world's number of each shard that the mapping knows, by the mapping's number.
    pub(super) book: Vec<u32>,
    /// By the world's number.
    pub(super) tenures: Vec<Tenure>,
    pub(super) positions: Vec<Option<Position>>,
    pub(super) has_scanned: bool,
    pub(super) wake: Option<Time>,
    /// Shards that the mapping has left.
    pub(super) left: Vec<usize>,
}

/// What a worker has to do with a shard, and which time it has.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tenure {
    pub(super) stage: Stage,
    pub(super) number: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Stage {
    #[default]
    Absent,
    Working,
    Leaving,
}

impl Tenant {
    pub(super) fn new(leases: Leases, shards: usize) -> Self {
        Self {
            leases,
            book: Vec::new(),
            tenures: vec![Tenure::default(); shards],
            positions: vec![None; shards],
            has_scanned: false,
            wake: None,
            left: Vec::new(),
        }
    }

    /// The world's number of a shard.
    pub(in super::super) fn world(&self, shard: ShardId) -> ShardId {
        ShardId(self.book[shard.0 as usize])
    }

    /// An action with the world's numbers of shards.
    pub(in super::super) fn translated(&mut self, action: Action) -> Action {
        match action {
            Action::Read {
                token,
                shard,
                from,
                records_max,
            } => Action::Read {
                token,
                shard: self.world(shard),
                from,
                records_max,
            },
            Action::Checkpoint {
                token,
                shard,
                delta,
                window,
            } => Action::Checkpoint {
                token,
                shard: self.world(shard),
                delta,
                window,
            },
            Action::Yield {
                token,
                poller,
                shards,
            } => {
                let shards: Vec<ShardId> = shards.iter().map(|id| self.world(*id)).collect();
                self.left.extend(shards.iter().map(|id| id.0 as usize));
                Action::Yield {
                    token,
                    poller,
                    shards,
                }
            }
            other => other,
        }
    }

    pub(super) fn stage(&self, shard: usize) -> Stage {
        self.tenures[shard].stage
    }

    /// Whether a worker may begin something new on a shard.
    pub(in super::super) fn works_on(&self, shard: usize) -> bool {
        self.stage(shard) == Stage::Working
    }

    pub(super) fn local(&mut self, shard: usize) -> ShardId {
        let known = self.book.iter().position(|one| *one as usize == shard);
        let local = known.unwrap_or_else(|| {
            self.book.push(shard as u32);
            self.book.len() - 1
        });
        ShardId(local as u32)
    }

    pub(super) fn enters(&mut self, shard: usize, stage: Stage) {
        let tenure = &mut self.tenures[shard];
        if stage == Stage::Working {
            tenure.number += 1;
        }
        tenure.stage = stage;
    }
}
