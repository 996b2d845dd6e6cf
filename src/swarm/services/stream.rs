//! A stream: shards that are read from places, and a store of checkpoints.

use super::super::world::Part;
use super::Lists;
use crate::engine::{Position, Seq, Shard, ShardId, Span, Time};

#[derive(Debug)]
pub(in super::super) struct Stream {
    pub(in super::super) lists: Lists,
    /// Live iterators: the place that each belongs to, and the first record that was not read from it.
    live: Vec<Option<(Position, usize)>>,
    store: Vec<Option<Mark>>,
    /// Shards that this mapping was told of.
    listed: usize,
    /// When the first mapping began: later shards are read from their beginning.
    began: Time,
}

/// What is stored of a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Mark {
    pub(in super::super) to: Position,
    /// The open window's start, and how many records its state knows of.
    pub(in super::super) window: Option<(Time, u32)>,
}

/// What a read found: records by their places in the shard's list.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Found {
    pub(in super::super) from: usize,
    pub(in super::super) to: usize,
    pub(in super::super) behind: Span,
    pub(in super::super) shard_end: bool,
}

impl Stream {
    pub(super) fn new(part: &Part) -> Self {
        Self {
            lists: Lists::new(part),
            live: vec![None; part.shards.len()],
            store: vec![None; part.shards.len()],
            listed: 0,
            began: super::super::world::START,
        }
    }

    /// A mapping begins: iterators and what was listed are gone with the one before.
    pub(in super::super) fn restart(&mut self) {
        self.live.fill(None);
        self.listed = 0;
    }

    pub(in super::super) fn stored(&self, shard: usize) -> Option<Mark> {
        self.store[shard]
    }

    /// Whether this mapping has read a shard.
    pub(in super::super) fn is_begun(&self, shard: usize) -> bool {
        self.live[shard].is_some()
    }

    pub(in super::super) fn keep(&mut self, shard: usize, mark: Mark) {
        self.store[shard] = Some(mark);
    }

    /// Shards that are there by now and were not listed yet.
    pub(in super::super) fn list(&mut self, part: &Part, start: Position, now: Time) -> Vec<Shard> {
        let there = part.shards.partition_point(|shard| shard.opens <= now);
        let new = self.listed..there;
        self.listed = self.listed.max(there);
        new.map(|index| {
            let shard = &part.shards[index];
            let mark = self.store[index];
            let begins = if shard.opens > self.began {
                Position::Horizon
            } else {
                start
            };
            Shard {
                id: ShardId(index as u32),
                from: mark.map_or(begins, |mark| mark.to),
                parents: shard.parents.iter().copied().map(ShardId).collect(),
                window: mark.and_then(|mark| mark.window).map(|(start, _)| start),
            }
        })
        .collect()
    }

    /// A worker has the lease of a shard again: nothing is known of an earlier tenure.
    pub(in super::super) fn forget(&mut self, shard: usize) {
        self.live[shard] = None;
    }

    /// How many records of a shard are gone by now.
    pub(in super::super) fn expired(&self, part: &Part, shard: usize, now: Time) -> usize {
        let Some(retention) = part.service.retention else {
            return 0;
        };
        let is_gone = |record: &u32| part.records[*record as usize].at + retention <= now;
        self.lists.of[shard].partition_point(is_gone)
    }

    /// The place in the shard's list that a position means now.
    pub(in super::super) fn place(
        &self,
        part: &Part,
        shard: usize,
        from: Position,
        now: Time,
    ) -> usize {
        if let Some((at, place)) = self.live[shard]
            && at == from
        {
            return place;
        }
        let list = &self.lists.of[shard];
        let arrival = |record: &u32| part.records[*record as usize].at;
        match from {
            Position::Horizon => 0,
            Position::Latest => list.partition_point(|record| arrival(record) <= now),
            Position::At(at) => list.partition_point(|record| arrival(record) < at),
            Position::After(seq) => {
                list.partition_point(|record| Seq::from(self.lists.number[*record as usize]) <= seq)
            }
            Position::End => list.len(),
        }
    }

    /// Reads up to `max` records; `is_empty_handed` finds nothing although there may be something.
    pub(in super::super) fn read(
        &mut self,
        part: &Part,
        shard: usize,
        from: Position,
        max: usize,
        now: Time,
        is_empty_handed: bool,
    ) -> Found {
        let place = self.place(part, shard, from, now);
        let start = place.max(self.expired(part, shard, now));
        let list = &self.lists.of[shard];
        let arrival = |place: usize| part.records[list[place] as usize].at;
        let there = list.partition_point(|record| part.records[*record as usize].at <= now);
        let mut to = if is_empty_handed {
            start
        } else {
            there.min(start + max).max(start)
        };
        // Records that were taken out of one aggregate come together.
        let number = |place: usize| self.lists.number[list[place] as usize];
        while to > start && to < there && number(to) == number(to - 1) {
            to += 1;
        }
        let behind = if to < there {
            now.since(arrival(to)).max(Span::from_millis(1))
        } else {
            Span::ZERO
        };
        let is_closed = part.shards[shard].closes.is_some_and(|at| at <= now);
        let end = (to > start).then(|| Position::After(Seq::from(number(to - 1))));
        self.live[shard] = Some((end.unwrap_or(from), to));
        Found {
            from: start,
            to,
            behind,
            shard_end: is_closed && to == list.len() && !is_empty_handed,
        }
    }
}
