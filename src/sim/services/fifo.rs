//! An SQS FIFO queue: a feed, the first messages of the queue by group, and leases in the order in which they end.

mod groups;
#[cfg(test)]
mod tests;

use super::feed::Feed;
use super::keys::KeySpace;
use super::queue::{Queue, Received, Standing, Waiter};
use super::waiting::{Turn, Waiting};
use crate::engine::{Meta, Record, Rng, Seq, Span, Time, limits, wire};
use crate::metrics::{DeadLetterReason, DeadLetters};
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
    visible_too_early: u64,
    dead_letters: DeadLetters,
    waiting: Waiting,
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
            visible_too_early: 0,
            dead_letters: DeadLetters::default(),
            waiting: Waiting::new(Turn::Any(Rng::stream(
                seed,
                &format!("source/{name}/receives"),
            ))),
        }
    }

    #[inline]
    fn delete_one(&mut self, meta: &Meta) {
        let Some((index, slot)) = self.place_of(meta) else {
            return;
        };
        let lease = &mut self.leases[index];
        lease.held &= !(1 << slot);
        self.groups.delete(lease.places[slot]);
        while self.leases.front().is_some_and(|lease| lease.held == 0) {
            self.leases.pop_front();
            self.first_lease += 1;
        }
    }

    /// Which lease holds a message as it was received, and where; `None` once it is deleted or visible again.
    #[inline]
    fn place_of(&self, meta: &Meta) -> Option<(usize, usize)> {
        let receipt = meta.seq.low_u64();
        let index = (receipt >> SLOT_BITS).checked_sub(self.first_lease)? as usize;
        let slot = (receipt & ((1 << SLOT_BITS) - 1)) as usize;
        let held = self.leases.get(index)?.held;
        (held & (1 << slot) != 0).then_some((index, slot))
    }

    fn note(&mut self, records: &[Record<()>], reason: DeadLetterReason) {
        for record in records {
            if let Some((index, slot)) = self.place_of(&record.meta) {
                let place = self.leases[index].places[slot];
                self.groups.message_mut(place).reason = reason;
            }
        }
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
                let message = self.groups.message_mut(place);
                let max = self.settings.receives_max;
                if max.is_some_and(|max| u32::from(message.receives) > max) {
                    self.dead_letters.add(message.reason);
                    self.groups.divert(place);
                    continue;
                }
                message.reason = DeadLetterReason::VisibilityTooShort;
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
            let too_early = |place: &u32| {
                self.groups.message(*place).reason == DeadLetterReason::VisibilityTooShort
            };
            self.visible_too_early += lease.held().filter(too_early).count() as u64;
            self.groups.put_back(lease.held());
            self.leases.pop_front();
            self.first_lease += 1;
        }
    }
}

impl Queue for FifoModel {
    /// A queue with too many messages in flight answers like an empty one (rule `fifo-look-ahead`).
    fn receive(&mut self, now: Time, waiter: Waiter, list: Vec<Record<()>>) -> Received {
        self.end_leases(now);
        let list = self.lease(now, waiter.records_max, list);
        if !list.is_empty() || waiter.until <= now {
            return Received::Messages(list);
        }
        self.waiting.add(waiter);
        Received::Waits
    }

    fn wake(&mut self, now: Time) -> Option<(Waiter, Vec<Record<()>>)> {
        let waiter = self.waiting.first()?;
        self.end_leases(now);
        let list = self.lease(now, waiter.records_max, Vec::new());
        self.waiting.answer(now, list)
    }

    fn next_wake(&mut self) -> Option<Time> {
        let until = self.waiting.next_end()?;
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

    /// Rule `fifo-late-delete`: a message that is visible again is not deleted by the receipt of before.
    fn delete(&mut self, records: &[Record<()>]) -> bool {
        for record in records {
            self.delete_one(&record.meta);
        }
        // A group that is free again has something for a receive that waits.
        self.groups.has_ready() && !self.waiting.is_empty()
    }

    fn leave(&mut self, now: Time, records: &[Record<()>], reason: DeadLetterReason) {
        self.end_leases(now);
        self.note(records, reason);
    }

    fn work(&mut self, now: Time, records: &[Record<()>]) {
        self.end_leases(now);
        self.note(records, DeadLetterReason::VisibilityTooShort);
    }

    fn arrived(&mut self, now: Time) -> u64 {
        self.tail.count(now)
    }

    fn standing(&mut self, now: Time) -> Standing {
        self.end_leases(now);
        let oldest = self.groups.oldest();
        let unread = self.tail.passed() - self.fresh.passed();
        Standing {
            visible: unread + u64::from(self.groups.waiting()),
            in_flight: u64::from(self.groups.in_flight()),
            oldest: oldest.or_else(|| self.fresh.next_arrival().filter(|at| *at <= now)),
            redelivered: 0,
            visible_too_early: self.visible_too_early,
            dead_letters: self.dead_letters,
        }
    }

    fn is_full(&self) -> bool {
        self.groups.in_flight() >= self.settings.look_ahead
    }
}
