//! An SQS standard queue: a feed, a ring of leases in the order in which they end, and receivers that wait.

use super::feed::{Feed, Written};
use super::queue::{AGED_RECEIVES_MAX, Queue, Received, Standing, Waiter};
use super::waiting::{Turn, Waiting};
use crate::engine::{Meta, Record, Rng, Seq, Span, Time, limits, mix, wire};
use crate::metrics::{DeadLetterReason, DeadLetters};
use crate::scenario::Producer;
use std::collections::VecDeque;

const LEASE_MESSAGES_MAX: usize = limits::SQS_CALL_MESSAGES_MAX as usize;
const SLOT_BITS: u32 = 4;

/// The modelled queue.
///
/// Visibility is constant per queue, so leases end in the order in which they began: a ring serves, and the messages
/// of one receive share an entry. An entry stays in the ring until all its messages are deleted or received again, so
/// the messages that came back are the ones that the entries before the first lease in force still hold, in order.
#[derive(Debug)]
pub struct SqsModel {
    fresh: Feed,
    /// Counts what arrived, ahead of the receivers.
    tail: Feed,
    visibility: Span,
    receives_max: Option<u32>,
    leases: VecDeque<Lease>,
    /// Number of the lease at the front of the ring.
    first_lease: u64,
    /// Number of the first lease that has not ended, at least as far as anybody looked.
    first_in_force: u64,
    /// The messages of leases, and the places that are free.
    blocks: Vec<[Message; LEASE_MESSAGES_MAX]>,
    free: Vec<u32>,
    in_flight: u32,
    in_flight_max: u32,
    /// Messages whose visibility ended and that nobody received since.
    returned: u64,
    visible_too_early: u64,
    dead_letters: DeadLetters,
    waiting: Waiting,
    /// Where the oldest message was when it was last looked for: older ones cannot come into being.
    oldest: Option<u64>,
}

/// A message that was received. Its hash follows from its ordinal, and its key is its own.
#[derive(Clone, Copy, Debug)]
struct Message {
    ordinal: u64,
    arrival: Time,
    size: u32,
    receives: u16,
    /// Why it comes back if it is not deleted.
    reason: DeadLetterReason,
}

#[derive(Clone, Copy, Debug)]
struct Lease {
    ends: Time,
    /// Where its messages are, while it holds any.
    block: u32,
    /// Bit `i` is set while message `i` is neither deleted nor received again.
    held: u16,
}

impl SqsModel {
    /// The queue `name`, filled by `producers`.
    pub fn new(
        name: &str,
        visibility: Span,
        receives_max: Option<u32>,
        producers: &[Producer],
        seed: u64,
    ) -> Self {
        let fresh = Feed::of_queue(producers, seed, &format!("source/{name}"));
        Self {
            tail: fresh.clone(),
            fresh,
            visibility,
            receives_max,
            leases: VecDeque::new(),
            first_lease: 0,
            first_in_force: 0,
            blocks: Vec::new(),
            free: Vec::new(),
            in_flight: 0,
            in_flight_max: limits::SQS_IN_FLIGHT_MAX,
            returned: 0,
            visible_too_early: 0,
            dead_letters: DeadLetters::default(),
            waiting: Waiting::new(Turn::Any(Rng::stream(
                seed,
                &format!("source/{name}/receives"),
            ))),
            oldest: None,
        }
    }

    fn lease(&mut self, now: Time, records_max: u32, mut list: Vec<Record<()>>) -> Vec<Record<()>> {
        const NOTHING: Message = Message {
            ordinal: 0,
            arrival: Time::ZERO,
            size: 0,
            receives: 0,
            reason: DeadLetterReason::VisibilityTooShort,
        };
        let room = self.in_flight_max.saturating_sub(self.in_flight);
        let most = LEASE_MESSAGES_MAX.min(records_max.min(room) as usize);
        let number = self.first_lease + self.leases.len() as u64;
        let block = self.free.pop().unwrap_or_else(|| {
            self.blocks.push([NOTHING; LEASE_MESSAGES_MAX]);
            (self.blocks.len() - 1) as u32
        });
        let mut count = 0;
        while count < most {
            let Some(message) = self.next_visible(now) else {
                break;
            };
            self.blocks[block as usize][count] = message;
            let wire_len = wire::SQS_MESSAGE_AROUND_LEN + u64::from(message.size);
            list.push(Record {
                meta: Meta {
                    seq: Seq::from(number << SLOT_BITS | count as u64),
                    group: mix(self.fresh.key() ^ message.ordinal),
                    arrival: message.arrival,
                    wire_len: wire_len as u32,
                },
                payload: (),
            });
            count += 1;
        }
        if count == 0 {
            self.free.push(block);
            return list;
        }
        self.in_flight += count as u32;
        self.leases.push_back(Lease {
            ends: now + self.visibility,
            block,
            held: ((1u32 << count) - 1) as u16,
        });
        list
    }

    /// The next message to hand out. Those received too often go to the dead-letter queue instead, which the
    /// service does when somebody would receive them once more (rule `sqs-redrive-on-receive`).
    fn next_visible(&mut self, now: Time) -> Option<Message> {
        while let Some(message) = self.take_returned() {
            let max = self.receives_max;
            if max.is_some_and(|max| u32::from(message.receives) >= max) {
                self.dead_letters.add(message.reason);
                continue;
            }
            return Some(Message {
                receives: message.receives.saturating_add(1),
                reason: DeadLetterReason::VisibilityTooShort,
                ..message
            });
        }
        let Written {
            ordinal,
            arrival,
            size,
            ..
        } = self.fresh.read(now)?;
        Some(Message {
            ordinal,
            arrival,
            size,
            receives: 1,
            reason: DeadLetterReason::VisibilityTooShort,
        })
    }

    /// Takes the message that came back first.
    fn take_returned(&mut self) -> Option<Message> {
        if self.returned == 0 {
            return None;
        }
        self.drop_empty_leases();
        let lease = self.leases.front_mut()?;
        let slot = lease.held.trailing_zeros();
        lease.held &= lease.held - 1;
        let Lease { block, held, .. } = *lease;
        self.returned -= 1;
        if held == 0 {
            self.free.push(block);
        }
        Some(self.blocks[block as usize][slot as usize])
    }

    fn drop_empty_leases(&mut self) {
        while self.leases.front().is_some_and(|lease| lease.held == 0) {
            self.leases.pop_front();
            self.first_lease += 1;
        }
        self.first_in_force = self.first_in_force.max(self.first_lease);
    }

    /// Makes messages visible whose time is over.
    fn end_leases(&mut self, now: Time) {
        let mut index = (self.first_in_force - self.first_lease) as usize;
        while let Some(lease) = self.leases.get(index) {
            if lease.held != 0 {
                if lease.ends > now {
                    break;
                }
                let count = lease.held.count_ones();
                self.in_flight -= count;
                self.returned += u64::from(count);
                let messages = &self.blocks[lease.block as usize];
                self.visible_too_early += slots(lease.held)
                    .filter(|slot| messages[*slot].reason == DeadLetterReason::VisibilityTooShort)
                    .count() as u64;
            }
            index += 1;
        }
        self.first_in_force = self.first_lease + index as u64;
    }

    /// The message of this receipt, and whether it is in flight; `None` once it is deleted or was received again.
    fn held(&self, receipt: u64) -> Option<(&Lease, usize, bool)> {
        let number = receipt >> SLOT_BITS;
        let index = number.checked_sub(self.first_lease)?;
        let slot = (receipt & ((1 << SLOT_BITS) - 1)) as usize;
        let lease = self.leases.get(index as usize)?;
        (lease.held & 1 << slot != 0).then_some((lease, slot, number >= self.first_in_force))
    }

    /// When the oldest message arrived that was received and not deleted.
    fn oldest_received(&mut self) -> Option<Time> {
        let known = self.oldest.and_then(|receipt| self.held(receipt));
        if let Some((lease, slot, _)) = known {
            return Some(self.blocks[lease.block as usize][slot].arrival);
        }
        let mut oldest: Option<(Time, u64)> = None;
        for (lease, number) in self.leases.iter().zip(self.first_lease..) {
            for slot in slots(lease.held) {
                let message = &self.blocks[lease.block as usize][slot];
                if message.receives <= AGED_RECEIVES_MAX
                    && oldest.is_none_or(|(arrival, _)| message.arrival < arrival)
                {
                    oldest = Some((message.arrival, number << SLOT_BITS | slot as u64));
                }
            }
        }
        self.oldest = oldest.map(|(_, receipt)| receipt);
        oldest.map(|(arrival, _)| arrival)
    }
}

/// The bits that are set.
fn slots(mut held: u16) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let slot = (held != 0).then(|| held.trailing_zeros() as usize)?;
        held &= held - 1;
        Some(slot)
    })
}

impl Queue for SqsModel {
    fn receive(&mut self, now: Time, waiter: Waiter, list: Vec<Record<()>>) -> Received {
        self.end_leases(now);
        let list = self.lease(now, waiter.records_max, list);
        if !list.is_empty() {
            return Received::Messages(list);
        }
        if waiter.until > now {
            // Rule `sqs-in-flight-limit`: a receive that may wait is not told of the limit.
            self.waiting.add(waiter);
            Received::Waits
        } else if self.is_full() {
            Received::OverLimit
        } else {
            Received::Messages(list)
        }
    }

    fn wake(&mut self, now: Time) -> Option<(Waiter, Vec<Record<()>>)> {
        let waiter = self.waiting.first()?;
        self.end_leases(now);
        let list = self.lease(now, waiter.records_max, Vec::new());
        self.waiting.answer(now, list)
    }

    fn next_wake(&mut self) -> Option<Time> {
        let end = self.waiting.next_end()?;
        // Leases of which nothing is left end unnoticed.
        let mut index = (self.first_in_force - self.first_lease) as usize;
        while self.leases.get(index).is_some_and(|lease| lease.held == 0) {
            index += 1;
        }
        self.first_in_force = self.first_lease + index as u64;
        let lease_end = self.leases.get(index).map(|lease| lease.ends);
        let arrival = match self.is_full() {
            true => None,
            false if self.returned > 0 => Some(Time::ZERO),
            false => self.fresh.next_arrival(),
        };
        let sources = [arrival, lease_end, Some(end)];
        sources.into_iter().flatten().min()
    }

    /// Rule `sqs-late-delete`: the latest receipt of a message deletes it, also when it is visible again; an earlier
    /// one does nothing.
    fn delete(&mut self, records: &[Record<()>]) -> bool {
        let was_full = self.is_full();
        for record in records {
            let receipt = record.meta.seq.low_u64();
            let number = receipt >> SLOT_BITS;
            let Some(index) = number.checked_sub(self.first_lease) else {
                continue;
            };
            let Some(lease) = self.leases.get_mut(index as usize) else {
                continue;
            };
            let bit = 1u16 << (receipt & ((1 << SLOT_BITS) - 1));
            if lease.held & bit == 0 {
                continue;
            }
            lease.held &= !bit;
            if lease.held == 0 {
                self.free.push(lease.block);
            }
            if number >= self.first_in_force {
                self.in_flight -= 1;
            } else {
                self.returned -= 1;
            }
        }
        self.drop_empty_leases();
        was_full && !self.is_full() && !self.waiting.is_empty()
    }

    /// Rule `sqs-dead-letter-reason`.
    fn leave(&mut self, now: Time, records: &[Record<()>], reason: DeadLetterReason) {
        self.end_leases(now);
        for record in records {
            if let Some((lease, slot, true)) = self.held(record.meta.seq.low_u64()) {
                let block = lease.block as usize;
                self.blocks[block][slot].reason = reason;
            }
        }
    }

    fn work(&mut self, now: Time, records: &[Record<()>]) {
        let first = records.first().map(|record| record.meta.seq.low_u64());
        let Some((lease, slot, true)) = first.and_then(|receipt| self.held(receipt)) else {
            return;
        };
        // Messages of one batch are refused together.
        let unnoted = DeadLetterReason::VisibilityTooShort;
        if self.blocks[lease.block as usize][slot].reason != unnoted {
            self.leave(now, records, unnoted);
        }
    }

    fn arrived(&mut self, now: Time) -> u64 {
        self.tail.count(now)
    }

    fn standing(&mut self, now: Time) -> Standing {
        self.end_leases(now);
        let waiting = self.fresh.next_arrival().filter(|arrival| *arrival <= now);
        let oldest = [self.oldest_received(), waiting];
        Standing {
            visible: self.tail.passed() - self.fresh.passed() + self.returned,
            in_flight: u64::from(self.in_flight),
            oldest: oldest.into_iter().flatten().min(),
            redelivered: 0,
            visible_too_early: self.visible_too_early,
            dead_letters: self.dead_letters,
        }
    }

    fn is_full(&self) -> bool {
        self.in_flight >= self.in_flight_max
    }
}

#[cfg(test)]
#[path = "sqs_tests.rs"]
mod tests;
