//! One consumer: a member of the group, what it has, and its lanes.

use super::super::work::Stage;
use crate::engine::{BatchId, ShardId, Time, limits};
use std::collections::VecDeque;

/// A consumer, which AWS calls an event poller where it is provisioned.
///
/// ```text
///          wanted                not wanted, disabled, draining          all ended: Leave          left
///  Absent ────────▶ Member ─────────────────────────────────▶ Retiring ──────────────────▶ Left ──────▶ Absent
/// ```
/// There is no way back from Retiring: what it had gathered is dropped already.
#[derive(Debug)]
pub(super) struct Consumer {
    pub(super) stage: Membership,
    /// Partitions that it has, those on their way out included.
    pub(super) shards: Vec<ShardId>,
    /// Of these, those with waiting records and none in a batch, longest waiting first.
    pub(super) ready: VecDeque<ShardId>,
    /// Waiting records of the ready partitions, and their bytes with a comma each.
    pub(super) ready_records: u64,
    pub(super) ready_bytes: u64,
    /// Waiting records of all its partitions, and their bytes with a comma each.
    pub(super) gathered: u64,
    pub(super) gathered_bytes: u64,
    pub(super) is_receiving: bool,
    pub(super) receive_due: Time,
    /// Failed receives in a row.
    pub(super) failures: u32,
    /// The batching window counts from here (rule `kafka-window-clock`).
    pub(super) window_from: Time,
    pub(super) lanes: Vec<Lane>,
    /// Revocations whose partitions still have something in flight.
    pub(super) revocations: Vec<Vec<ShardId>>,
    /// Unanswered yields.
    pub(super) yielding: u32,
}

/// See [`Consumer`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Membership {
    Absent,
    Member,
    Retiring,
    Left,
}

/// One batch at a time.
#[derive(Debug, Default)]
pub(super) struct Lane {
    pub(super) work: Option<Work>,
    /// Ends of the pieces that wait behind the one in work, the innermost last.
    pub(super) later: Vec<u32>,
}

/// The piece in work: the first `end` records of a batch. What is finished leaves the batch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Work {
    pub(super) batch: BatchId,
    pub(super) end: u32,
    pub(super) stage: Stage,
    /// Failed deliveries of this piece that reached the function.
    pub(super) tries: u32,
    /// Refusals in a row, which spend no try.
    pub(super) refusals: u32,
    /// When the running invocation was sent.
    pub(super) sent: Time,
}

impl Consumer {
    /// One that has not joined, with the lanes of a mapping that has provisioned pollers or has not.
    pub(super) fn new(is_provisioned: bool, now: Time) -> Self {
        let mut consumer = Self {
            stage: Membership::Absent,
            shards: Vec::new(),
            ready: VecDeque::new(),
            ready_records: 0,
            ready_bytes: 0,
            gathered: 0,
            gathered_bytes: 0,
            is_receiving: false,
            receive_due: now,
            failures: 0,
            window_from: Time::ZERO,
            lanes: Vec::new(),
            revocations: Vec::new(),
            yielding: 0,
        };
        consumer.fit(is_provisioned);
        consumer
    }

    /// Rules `kafka-one-batch-per-consumer` and `kafka-provisioned-concurrency`. Lanes that are too many go once they
    /// are empty, from the last one on.
    pub(super) fn fit(&mut self, is_provisioned: bool) {
        let wanted = if is_provisioned {
            limits::KAFKA_POLLER_CONCURRENCY as usize
        } else {
            1
        };
        while self.lanes.len() > wanted && self.lanes.last().is_some_and(|it| it.work.is_none()) {
            self.lanes.pop();
        }
        while self.lanes.len() < wanted {
            self.lanes.push(Lane::default());
        }
    }

    /// Whether it is on its way out of the group, or out.
    pub(super) fn is_leaving(&self) -> bool {
        self.stage != Membership::Member
    }

    /// Whether no lane has work.
    pub(super) fn is_idle(&self) -> bool {
        self.lanes.iter().all(|lane| lane.work.is_none())
    }

    /// A partition with `records` waiting records of `bytes` bytes may go into the next batch.
    pub(super) fn offer(&mut self, shard: ShardId, records: usize, bytes: u64) {
        self.ready.push_back(shard);
        self.ready_records += records as u64;
        self.ready_bytes += bytes;
    }

    /// A partition with so many waiting records may not go into the next batch; nothing happens if it could not before.
    pub(super) fn withdraw(&mut self, shard: ShardId, records: usize, bytes: u64) {
        if let Some(index) = self.ready.iter().position(|it| *it == shard) {
            self.ready.remove(index);
            self.ready_records -= records as u64;
            self.ready_bytes -= bytes;
        }
    }
}

/// What a deadline is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    /// The next measurement.
    Tick,
    /// Another number of consumers takes effect.
    Scale,
    Commit(ShardId),
    Receive(u32),
    Window(u32),
    Lane(u32, u32),
}

/// Deadlines of a consumer: its receive, its window, its lanes.
const SLOTS: u32 = 2 + limits::KAFKA_POLLER_CONCURRENCY;

impl Timer {
    /// Even keys are those of partitions, odd ones all others.
    pub(super) const fn key(self) -> u32 {
        match self {
            Self::Tick => 1,
            Self::Scale => 3,
            Self::Commit(shard) => shard.0 * 2,
            Self::Receive(consumer) => 5 + consumer * SLOTS * 2,
            Self::Window(consumer) => 5 + (consumer * SLOTS + 1) * 2,
            Self::Lane(consumer, lane) => 5 + (consumer * SLOTS + 2 + lane) * 2,
        }
    }

    pub(super) const fn of_key(key: u32) -> Self {
        if key.is_multiple_of(2) {
            return Self::Commit(ShardId(key / 2));
        }
        match key {
            1 => Self::Tick,
            3 => Self::Scale,
            _ => {
                let (consumer, slot) = ((key - 5) / 2 / SLOTS, (key - 5) / 2 % SLOTS);
                match slot {
                    0 => Self::Receive(consumer),
                    1 => Self::Window(consumer),
                    lane => Self::Lane(consumer, lane - 2),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_deadline_has_a_key_of_its_own() {
        let mut all = vec![Timer::Tick, Timer::Scale];
        for number in 0..9 {
            all.push(Timer::Commit(ShardId(number)));
            all.push(Timer::Receive(number));
            all.push(Timer::Window(number));
            all.extend((0..limits::KAFKA_POLLER_CONCURRENCY).map(|lane| Timer::Lane(number, lane)));
        }
        let keys: std::collections::BTreeSet<u32> = all.iter().map(|it| it.key()).collect();
        assert_eq!(keys.len(), all.len());
        for timer in all {
            assert_eq!(Timer::of_key(timer.key()), timer);
        }
    }
}
