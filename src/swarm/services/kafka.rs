//! A topic and the one group that reads it: members, partitions, committed offsets.

use super::super::world::Part;
use super::Lists;
use crate::engine::{Position, ShardId, Time};

#[derive(Debug)]
pub(in super::super) struct Kafka {
    pub(in super::super) lists: Lists,
    pub(in super::super) partitions: Vec<Partition>,
    /// Consumers of this mapping that have joined, by number.
    pub(in super::super) members: Vec<u32>,
}

#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Partition {
    pub(in super::super) owner: Owner,
    /// Counts assignments.
    pub(in super::super) assignment: u32,
    /// The committed offset; the resolved starting position counts as one.
    pub(in super::super) committed: Option<u64>,
    /// Where it began when it was first assigned.
    pub(in super::super) begins: u64,
    /// Place of the next record to hand over.
    cursor: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Owner {
    Nobody,
    Holds(u32),
    /// It was told to give the partition up.
    Leaves(u32),
}

/// What the group decides next: a consumer and a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Decision {
    Assign(u32, u32),
    Revoke(u32, u32),
}

impl Kafka {
    pub(super) fn new(part: &Part) -> Self {
        let partition = Partition {
            owner: Owner::Nobody,
            assignment: 0,
            committed: None,
            begins: 0,
            cursor: 0,
        };
        Self {
            lists: Lists::new(part),
            partitions: vec![partition; part.shards.len()],
            members: Vec::new(),
        }
    }

    /// The mapping is gone; whoever follows is a new member.
    pub(in super::super) fn restart(&mut self) {
        self.members.clear();
        for partition in &mut self.partitions {
            partition.owner = Owner::Nobody;
        }
    }

    /// A consumer receives; whether that makes it a member.
    pub(in super::super) fn joins(&mut self, consumer: u32) -> bool {
        let is_new = !self.members.contains(&consumer);
        if is_new {
            self.members.push(consumer);
        }
        is_new
    }

    pub(in super::super) fn leaves(&mut self, consumer: u32) {
        self.members.retain(|member| *member != consumer);
        for partition in &mut self.partitions {
            if [Owner::Holds(consumer), Owner::Leaves(consumer)].contains(&partition.owner) {
                partition.owner = Owner::Nobody;
            }
        }
    }

    /// The next step to an even distribution, if there is one.
    pub(in super::super) fn balance(&self) -> Option<Decision> {
        let load = |member: u32| {
            let mine = |it: &&Partition| it.owner == Owner::Holds(member);
            self.partitions.iter().filter(mine).count()
        };
        let least = self.members.iter().copied().min_by_key(|it| load(*it))?;
        let free = self
            .partitions
            .iter()
            .position(|it| it.owner == Owner::Nobody);
        if let Some(free) = free {
            return Some(Decision::Assign(least, free as u32));
        }
        let most = self.members.iter().copied().max_by_key(|it| load(*it))?;
        if load(most) < load(least) + 2 {
            return None;
        }
        let theirs = self
            .partitions
            .iter()
            .position(|it| it.owner == Owner::Holds(most))?;
        Some(Decision::Revoke(most, theirs as u32))
    }

    /// Gives a partition to a consumer and says at which offset it starts.
    pub(in super::super) fn assign(
        &mut self,
        part: &Part,
        index: usize,
        consumer: u32,
        start: Position,
        now: Time,
    ) -> u64 {
        let list = &self.lists.of[index];
        let arrival = |record: &u32| part.records[*record as usize].at;
        let partition = &mut self.partitions[index];
        let from = partition.committed.unwrap_or_else(|| {
            let place = match start {
                Position::Latest => list.partition_point(|record| arrival(record) <= now),
                Position::At(at) => list.partition_point(|record| arrival(record) < at),
                _ => 0,
            };
            partition.begins = place as u64;
            place as u64
        });
        partition.committed = Some(from);
        partition.owner = Owner::Holds(consumer);
        partition.assignment += 1;
        // Offsets have no gaps, so they are places.
        partition.cursor = from as usize;
        from
    }

    /// Hands over up to `max` records of what the consumer holds: runs of places by partition.
    pub(in super::super) fn fetch(
        &mut self,
        part: &Part,
        consumer: u32,
        held: &[ShardId],
        max: usize,
        now: Time,
    ) -> Vec<(u32, std::ops::Range<usize>)> {
        let mut left = max;
        let mut runs = Vec::new();
        for (index, partition) in self.partitions.iter_mut().enumerate() {
            let shard = ShardId(index as u32);
            if partition.owner != Owner::Holds(consumer) || held.contains(&shard) || left == 0 {
                continue;
            }
            let list = &self.lists.of[index];
            let there = list.partition_point(|it| part.records[*it as usize].at <= now);
            let to = there.min(partition.cursor + left);
            if to > partition.cursor {
                runs.push((shard.0, partition.cursor..to));
                left -= to - partition.cursor;
                partition.cursor = to;
            }
        }
        runs
    }

    /// When a record of the topic arrives, after `now`.
    pub(in super::super) fn next(&self, part: &Part, now: Time) -> Option<Time> {
        let at = part.records.partition_point(|record| record.at <= now);
        part.records.get(at).map(|record| record.at)
    }

    /// Offset of the next record to be written.
    pub(in super::super) fn end(&self, part: &Part, index: usize, now: Time) -> u64 {
        let list = &self.lists.of[index];
        list.partition_point(|it| part.records[*it as usize].at <= now) as u64
    }
}
