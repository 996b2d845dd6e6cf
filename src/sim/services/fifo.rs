//! An SQS FIFO queue: a feed, the first messages of the queue by group, and leases in the order in which they end.

mod groups;
#[cfg(test)]
mod tests;

use super::feed::Feed;
use super::keys::KeySpace;
use super::sqs::{Received, Waiter};
use super::waiters::Waiters;
use crate::engine::{Meta, Record, Seq, Span, Time, limits, wire};
use crate::scenario::Producer;
use groups::Groups;
use std::collections::VecDeque;

const LEASE_MESSAGES_MAX: usize = limits::SQS_CALL_MESSAGES_MAX as usize;
const SLOT_BITS: u32 = 4;

/// The modelled queue.
///
/// It looks at its first messages only (rule `fifo-look-ahead`), so what it keeps in memory is bounded by that; the rest
/// is a cursor. All messages of a group that are in flight are of one receive, because a group with a message in flight
/// is not received from.
#[derive(Debug)]
pub struct FifoModel {
    fresh: Feed,
    /// Counts what arrived, ahead of the receivers.
    tail: Feed,
    settings: FifoSettings,
    groups: Groups,
    leases: VecDeque<Lease>,
    /// Number of the lease at the front of the ring.
    first_lease: u64,
    dead_lettered: u64,
    waiters: Waiters,
}

/// How a FIFO queue is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FifoSettings {
    /// How long a received message stays hidden.
    pub visibility: Span,
    /// Receives after which a message goes to the dead-letter queue.
    pub receives_max: Option<u32>,
    /// How many of its messages the queue looks at, oldest first.
    pub look_ahead: u32,
}

#[derive(Clone, Debug)]
struct Lease {
    ends: Time,
    /// Bit `i` is set while message `i` is neither deleted nor visible again.
    held: u16,
    places: [u32; LEASE_MESSAGES_MAX],
}

impl Lease {
    /// The messages that are still held, in the order in which they were received.
    fn held(&self) -> impl DoubleEndedIterator<Item = u32> + Clone + '_ {
        let is_held = |index: &usize| self.held & (1 << index) != 0;
        (0..LEASE_MESSAGES_MAX)
            .filter(is_held)
            .map(|index| self.places[index])
    }
}

impl FifoModel {
    /// The queue `name`, filled by `producers`; the keys of their messages are the message groups.
    pub fn new(name: &str, settings: FifoSettings, producers: &[Producer], seed: u64) -> Self {
        let keys = producers
            .iter()
            .map(|producer| KeySpace::new(producer.keys));
        let draws = keys.map(|keys| keys.whole()).collect();
        let fresh = Feed::of_fifo(producers, draws, seed, &format!("source/{name}"));
        Self {
            tail: fresh.clone(),
            fresh,
            settings,
            groups: Groups::default(),
            leases: VecDeque::new(),
            first_lease: 0,
            dead_lettered: 0,
            waiters: Waiters::default(),
        }
    }

    /// ReceiveMessage at `now`; `list` is filled and given back. A queue with too many messages in flight answers like an
    /// empty one (rule `fifo-look-ahead`).
    pub fn receive(&mut self, now: Time, waiter: Waiter, list: Vec<Record<()>>) -> Received {
        self.end_leases(now);
        let list = self.lease(now, waiter.records_max, list);
        if !list.is_empty() || waiter.until <= now {
            return Received::Messages(list);
        }
        self.waiters.insert(waiter);
        Received::Waits
    }

    /// Answers one waiting receive if a message is there or its time is over. Call it until it returns `None`.
    pub fn wake(&mut self, now: Time) -> Option<(Waiter, Vec<Record<()>>)> {
        let waiter = self.waiters.first()?;
        self.end_leases(now);
        let list = self.lease(now, waiter.records_max, Vec::new());
        if list.is_empty() && waiter.until > now {
            return None;
        }
        self.waiters.take_first();
        Some((waiter, list))
    }

    /// When [`wake`](Self::wake) has something to do, which may be before now; `None` while nobody waits. Ask again after
    /// [`delete`](Self::delete), which may have set a group free.
    pub fn next_wake(&mut self) -> Option<Time> {
        let until = self.waiters.until()?;
        if self.groups.has_ready() {
            return Some(Time::ZERO);
        }
        let lease_end = self.leases.front().map(|lease| lease.ends);
        let arrival = (self.groups.len() < self.settings.look_ahead)
            .then(|| self.fresh.next_arrival())
            .flatten();
        let causes = [arrival, lease_end].into_iter().flatten();
        causes.chain([until]).min()
    }

    /// DeleteMessageBatch for messages as they were received. Late deletes of messages that are visible again do nothing.
    /// Returns whether a receive that waits can be answered now, because a group is free again.
    pub fn delete(&mut self, records: &[Record<()>]) -> bool {
        for record in records {
            self.delete_one(&record.meta);
        }
        self.groups.has_ready() && self.waiters.first().is_some()
    }

    #[inline]
    fn delete_one(&mut self, meta: &Meta) {
        let handle = meta.seq.low_u64();
        let Some(index) = (handle >> SLOT_BITS).checked_sub(self.first_lease) else {
            return;
        };
        if let Some(lease) = self.leases.get_mut(index as usize) {
            let slot = handle & ((1 << SLOT_BITS) - 1);
            let bit = 1u16 << slot;
            if lease.held & bit != 0 {
                lease.held &= !bit;
                self.groups.delete(lease.places[slot as usize]);
            }
        }
        while self.leases.front().is_some_and(|lease| lease.held == 0) {
            self.leases.pop_front();
            self.first_lease += 1;
        }
    }

    /// Counts the messages that arrived since the last call.
    pub fn arrived(&mut self, now: Time) -> u64 {
        self.tail.count(now)
    }

    /// Visible messages, those of groups that wait for their turn included; call [`arrived`](Self::arrived) first.
    pub fn backlog(&mut self, now: Time) -> u64 {
        self.end_leases(now);
        self.tail.passed() - self.fresh.passed() + u64::from(self.groups.waiting())
    }

    /// Messages moved to the dead-letter queue so far.
    pub const fn dead_lettered(&self) -> u64 {
        self.dead_lettered
    }

    /// Rule `fifo-look-ahead`: groups are found among the first messages that are not deleted, in flight or not.
    fn look_ahead(&mut self, now: Time) {
        while self.groups.len() < self.settings.look_ahead
            && let Some(written) = self.fresh.read(now)
        {
            self.groups.append(&written);
        }
    }

    /// Rule `fifo-same-group-first`: a receive takes as much as it may from the group whose turn it is before it goes on to
    /// the next.
    fn lease(&mut self, now: Time, records_max: u32, mut list: Vec<Record<()>>) -> Vec<Record<()>> {
        self.look_ahead(now);
        let number = self.first_lease + self.leases.len() as u64;
        let wanted = LEASE_MESSAGES_MAX.min(records_max as usize);
        let mut places = [0; LEASE_MESSAGES_MAX];
        let mut count = 0;
        while count < wanted
            && let Some(group) = self.groups.next_group()
        {
            while count < wanted
                && let Some(place) = self.groups.take(group)
            {
                // Rule `sqs-redrive-on-receive`, for the oldest message of a group: those behind it keep their order.
                let receives = self.groups.message(place).receives;
                if self.settings.receives_max.is_some_and(|max| receives > max) {
                    self.groups.divert(place);
                    self.dead_lettered += 1;
                    continue;
                }
                places[count] = place;
                list.push(self.record(place, number << SLOT_BITS | count as u64));
                count += 1;
            }
            self.groups.locked(group);
        }
        if count > 0 {
            self.leases.push_back(Lease {
                ends: now + self.settings.visibility,
                held: ((1u32 << count) - 1) as u16,
                places,
            });
        }
        list
    }

    fn record(&self, place: u32, handle: u64) -> Record<()> {
        let message = self.groups.message(place);
        let wire_len = wire::SQS_FIFO_MESSAGE_AROUND_LEN + u64::from(message.size);
        Record {
            meta: Meta {
                seq: Seq::received(message.hash, handle),
                group: self.groups.key(place),
                arrival: message.arrival,
                wire_len: wire_len as u32,
            },
            payload: (),
        }
    }

    fn end_leases(&mut self, now: Time) {
        while let Some(lease) = self.leases.front() {
            if lease.held != 0 && lease.ends > now {
                return;
            }
            self.groups.put_back(lease.held());
            self.leases.pop_front();
            self.first_lease += 1;
        }
    }
}
