//! An SQS standard queue: a feed, a ring of leases in the order in which they end, and receivers that wait.

use super::feed::{Feed, Written};
use crate::engine::{Meta, Record, Seq, Span, Time, limits, wire};
use crate::scenario::Producer;
use std::collections::VecDeque;

const LEASE_MESSAGES_MAX: usize = limits::SQS_CALL_MESSAGES_MAX as usize;
const SLOT_BITS: u32 = 4;

/// The modelled queue.
///
/// Visibility is constant per queue, so leases end in the order in which they began: a ring serves, and the messages
/// of one receive share an entry.
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
    in_flight: u32,
    /// Messages whose visibility ended, oldest first.
    returned: VecDeque<Message>,
    dead_lettered: u64,
    waiting: VecDeque<Waiter>,
    /// The wake-up that is in the calendar.
    pub wake_at: Option<Time>,
}

#[derive(Clone, Copy, Debug)]
struct Message {
    written: Written,
    receives: u32,
}

#[derive(Clone, Debug)]
struct Lease {
    ends: Time,
    /// Bit `i` is set while message `i` is neither deleted nor visible again.
    held: u16,
    messages: [Message; LEASE_MESSAGES_MAX],
}

/// A receive that waits for a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiter {
    /// Whose receive it is.
    pub mapping: u32,
    /// The action to answer.
    pub token: crate::engine::Token,
    /// At most this many messages.
    pub records_max: u32,
    /// When it is answered with nothing.
    pub until: Time,
}

/// The answer to a receive.
#[derive(Debug, PartialEq, Eq)]
pub enum Received {
    /// Messages, or none when the caller would not wait.
    Messages(Vec<Record<()>>),
    /// Nothing yet: the receive waits, and [`SqsModel::wake`] answers it.
    Waits,
    /// Too many messages are in flight (OverLimit).
    OverLimit,
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
            in_flight: 0,
            returned: VecDeque::new(),
            dead_lettered: 0,
            waiting: VecDeque::new(),
            wake_at: None,
        }
    }

    /// ReceiveMessage at `now`; `list` is filled and given back.
    pub fn receive(&mut self, now: Time, waiter: Waiter, list: Vec<Record<()>>) -> Received {
        if self.in_flight >= limits::SQS_IN_FLIGHT_MAX {
            return Received::OverLimit;
        }
        self.end_leases(now);
        let list = self.lease(now, waiter.records_max, list);
        if !list.is_empty() || waiter.until <= now {
            return Received::Messages(list);
        }
        // Receives that wait for the same time come in order; a shorter one goes before those it undercuts.
        let place = self
            .waiting
            .iter()
            .rposition(|other| other.until <= waiter.until)
            .map_or(0, |index| index + 1);
        self.waiting.insert(place, waiter);
        Received::Waits
    }

    /// Answers one waiting receive if a message is there or its time is over. Call it until it returns `None`.
    pub fn wake(&mut self, now: Time) -> Option<(Waiter, Vec<Record<()>>)> {
        let waiter = *self.waiting.front()?;
        self.end_leases(now);
        let list = self.lease(now, waiter.records_max, Vec::new());
        if list.is_empty() && waiter.until > now {
            return None;
        }
        self.waiting.pop_front();
        Some((waiter, list))
    }

    /// When [`wake`](Self::wake) has something to do; `None` while nobody waits.
    pub fn next_wake(&mut self) -> Option<Time> {
        let first = self.waiting.front()?;
        let lease_end = self
            .leases
            .iter()
            .find(|lease| lease.held != 0)
            .map(|lease| lease.ends);
        let sources = [self.fresh.next_arrival(), lease_end];
        sources.into_iter().flatten().chain([first.until]).min()
    }

    /// DeleteMessage for a message as it was received. Late deletes of messages that are visible again do nothing.
    #[inline]
    pub fn delete(&mut self, meta: &Meta) {
        let handle = meta.seq.low_u64();
        let Some(index) = (handle >> SLOT_BITS).checked_sub(self.first_lease) else {
            return;
        };
        if let Some(lease) = self.leases.get_mut(index as usize) {
            let bit = 1u16 << (handle & ((1 << SLOT_BITS) - 1));
            if lease.held & bit != 0 {
                lease.held &= !bit;
                self.in_flight -= 1;
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

    /// Visible messages; call [`arrived`](Self::arrived) first.
    pub fn backlog(&mut self, now: Time) -> u64 {
        self.end_leases(now);
        self.tail.passed() - self.fresh.passed() + self.returned.len() as u64
    }

    /// Messages moved to the dead-letter queue so far.
    pub const fn dead_lettered(&self) -> u64 {
        self.dead_lettered
    }

    fn lease(&mut self, now: Time, records_max: u32, mut list: Vec<Record<()>>) -> Vec<Record<()>> {
        const NOTHING: Message = Message {
            written: Written {
                ordinal: 0,
                arrival: Time::ZERO,
                size: 0,
                hash: 0,
                group: 0,
            },
            receives: 0,
        };
        let number = self.first_lease + self.leases.len() as u64;
        let mut messages = [NOTHING; LEASE_MESSAGES_MAX];
        let mut count = 0;
        while count < LEASE_MESSAGES_MAX.min(records_max as usize) {
            let Some(message) = self.next_visible(now) else {
                break;
            };
            messages[count] = message;
            let written = message.written;
            let wire_len = wire::SQS_MESSAGE_AROUND_LEN + u64::from(written.size);
            list.push(Record {
                meta: Meta {
                    seq: Seq::from(number << SLOT_BITS | count as u64),
                    group: written.hash,
                    arrival: written.arrival,
                    wire_len: wire_len as u32,
                },
                payload: (),
            });
            count += 1;
        }
        if count > 0 {
            self.in_flight += count as u32;
            self.leases.push_back(Lease {
                ends: now + self.visibility,
                held: ((1u32 << count) - 1) as u16,
                messages,
            });
        }
        list
    }

    /// The next message to hand out. Those received too often go to the dead-letter queue instead, which the
    /// service does when somebody would receive them once more (rule `sqs-redrive-on-receive`).
    fn next_visible(&mut self, now: Time) -> Option<Message> {
        while let Some(mut message) = self.returned.pop_front() {
            if self.receives_max.is_some_and(|max| message.receives >= max) {
                self.dead_lettered += 1;
                continue;
            }
            message.receives += 1;
            return Some(message);
        }
        let written = self.fresh.read(now)?;
        Some(Message {
            written,
            receives: 1,
        })
    }

    fn end_leases(&mut self, now: Time) {
        while let Some(lease) = self.leases.front() {
            if lease.held != 0 && lease.ends > now {
                return;
            }
            for (index, message) in lease.messages.iter().enumerate() {
                if lease.held & (1 << index) != 0 {
                    self.returned.push_back(*message);
                    self.in_flight -= 1;
                }
            }
            self.leases.pop_front();
            self.first_lease += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Token;
    use crate::scenario::{Arrivals, Dist, Keys, OnThrottle, Rate, RateStep};

    fn queue(per_sec: f64, receives_max: Option<u32>) -> SqsModel {
        let step = RateStep {
            at: Span::ZERO,
            per_sec,
            over: Span::ZERO,
        };
        let producer = Producer {
            arrivals: Arrivals::Constant(Rate { steps: vec![step] }),
            size: Dist::Constant(100.0),
            keys: Keys::Unique,
            on_throttle: OnThrottle::Retry,
        };
        SqsModel::new("q", Span::from_secs(30), receives_max, &[producer], 1)
    }

    fn waiter(until: Time) -> Waiter {
        Waiter {
            mapping: 0,
            token: Token(1),
            records_max: 10,
            until,
        }
    }

    fn receive(queue: &mut SqsModel, now: Time) -> Vec<Record<()>> {
        match queue.receive(now, waiter(now), Vec::new()) {
            Received::Messages(list) => list,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_message_comes_back_until_it_is_deleted() {
        let mut queue = queue(1.0, None);
        let first = receive(&mut queue, Time::from_secs(2));
        assert_eq!(first.len(), 2);
        queue.delete(&first[0].meta);
        assert_eq!(receive(&mut queue, Time::from_secs(2)), []);
        // 30 s later 30 fresh messages wait behind the returned one.
        let again = receive(&mut queue, Time::from_secs(32));
        assert_eq!(again.len(), 10);
        assert_eq!(again[0].meta.group, first[1].meta.group);
        assert_eq!(again[0].meta.arrival, first[1].meta.arrival);
        // The old handle no longer deletes.
        queue.delete(&first[1].meta);
        queue.arrived(Time::from_secs(62));
        assert_eq!(queue.backlog(Time::from_secs(62)), 61);
    }

    #[test]
    fn sqs_redrive_on_receive() {
        let mut queue = queue(0.001, Some(2));
        let at = |secs: u64| Time::from_secs(1_000 + secs);
        assert_eq!(receive(&mut queue, at(0)).len(), 1);
        assert_eq!(receive(&mut queue, at(30)).len(), 1);
        assert_eq!(queue.dead_lettered(), 0);
        assert_eq!(receive(&mut queue, at(60)).len(), 0);
        assert_eq!(queue.dead_lettered(), 1);
    }

    #[test]
    fn a_waiting_receive_is_answered_by_the_next_message_or_by_nothing() {
        let mut queue = queue(0.1, None);
        assert_eq!(queue.next_wake(), None);
        let soon = waiter(Time::from_secs(3));
        let long = waiter(Time::from_secs(20));
        assert_eq!(queue.receive(Time::ZERO, long, Vec::new()), Received::Waits);
        assert_eq!(queue.receive(Time::ZERO, soon, Vec::new()), Received::Waits);
        assert_eq!(queue.next_wake(), Some(Time::from_secs(3)));
        assert_eq!(queue.wake(Time::from_secs(2)), None);
        assert_eq!(queue.wake(Time::from_secs(3)), Some((soon, Vec::new())));
        assert_eq!(queue.next_wake(), Some(Time::from_secs(10)));
        let (answered, list) = queue.wake(Time::from_secs(10)).expect("a message arrived");
        assert_eq!((answered, list.len()), (long, 1));
        assert_eq!(queue.next_wake(), None);
    }
}
