//! A queue of RabbitMQ or ActiveMQ: a feed, unacknowledged deliveries, and messages that are delivered again at once.

use super::feed::{Feed, Written};
use super::queue::{Queue, Received, Standing, Waiter};
use super::waiting::{Turn, Waiting};
use crate::engine::{Meta, Record, Seq, SourceKind, Time, mix, wire};
use crate::metrics::{DeadLetterReason, DeadLetters};
use crate::scenario::{BrokerQueue, Producer};
use std::collections::VecDeque;

/// The modelled queue.
///
/// Who is given messages holds them until it acknowledges them, gives them back, or loses its connection. There is no
/// timeout. What comes back goes to the head of the queue, in its old order.
#[derive(Debug)]
pub struct BrokerModel {
    fresh: Feed,
    /// Counts what arrived, ahead of the consumers.
    tail: Feed,
    queue: BrokerQueue,
    /// Unacknowledged deliveries, by the lower half of their receipt.
    held: Vec<Slot>,
    free: Vec<u32>,
    /// Messages that came back, next one first.
    back: VecDeque<Message>,
    redelivered: u64,
    dead_letters: DeadLetters,
    waiting: Waiting,
    /// Receives that waited when the connections were lost.
    cut: VecDeque<Waiter>,
    is_connected: bool,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    /// Upper half of the receipt: a delivery is settled once.
    generation: u32,
    message: Option<Message>,
}

/// A message that was delivered. Its hash follows from its ordinal, and its key is its own.
#[derive(Clone, Copy, Debug)]
struct Message {
    ordinal: u64,
    arrival: Time,
    size: u32,
    redeliveries: u32,
    /// Why it comes back if it is not acknowledged.
    reason: DeadLetterReason,
}

impl BrokerModel {
    /// The queue `name`, filled by `producers`.
    pub fn new(name: &str, queue: BrokerQueue, producers: &[Producer], seed: u64) -> Self {
        let fresh = Feed::of_queue(producers, seed, &format!("source/{name}"));
        Self {
            tail: fresh.clone(),
            fresh,
            queue,
            held: Vec::new(),
            free: Vec::new(),
            back: VecDeque::new(),
            redelivered: 0,
            dead_letters: DeadLetters::default(),
            waiting: Waiting::new(Turn::Longest),
            cut: VecDeque::new(),
            is_connected: true,
        }
    }

    fn deliver(&mut self, now: Time, most: u32, mut list: Vec<Record<()>>) -> Vec<Record<()>> {
        while list.len() < most as usize
            && let Some(message) = self.next(now)
        {
            let receipt = self.hold(message);
            list.push(Record {
                meta: Meta {
                    seq: Seq::from(receipt),
                    group: mix(self.fresh.key() ^ message.ordinal),
                    arrival: message.arrival,
                    wire_len: self.wire_len(message.size),
                },
                payload: (),
            });
        }
        list
    }

    fn next(&mut self, now: Time) -> Option<Message> {
        if let Some(message) = self.back.pop_front() {
            self.redelivered += 1;
            let reason = DeadLetterReason::ConnectionLost;
            return Some(Message { reason, ..message });
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
            redeliveries: 0,
            reason: DeadLetterReason::ConnectionLost,
        })
    }

    fn hold(&mut self, message: Message) -> u64 {
        let index = self.free.pop().unwrap_or_else(|| {
            self.held.push(Slot {
                generation: 0,
                message: None,
            });
            (self.held.len() - 1) as u32
        });
        let slot = &mut self.held[index as usize];
        slot.message = Some(message);
        u64::from(slot.generation) << 32 | u64::from(index)
    }

    fn slot(&mut self, record: &Record<()>) -> Option<&mut Slot> {
        let receipt = record.meta.seq.low_u64();
        let slot = self.held.get_mut(receipt as u32 as usize)?;
        (u64::from(slot.generation) == receipt >> 32 && slot.message.is_some()).then_some(slot)
    }

    /// Takes the message of a delivery, unless it was settled or its connection was lost.
    fn take(&mut self, record: &Record<()>) -> Option<Message> {
        let message = self.slot(record)?.empty();
        self.free.push(record.meta.seq.low_u64() as u32);
        message
    }

    /// Rule `broker-head-of-queue`, and rule `broker-redelivery-limit`: a message that comes back once more than it may goes to the dead-letter queue.
    fn come_back(&mut self, messages: Vec<Message>) {
        for mut message in messages.into_iter().rev() {
            message.redeliveries = message.redeliveries.saturating_add(1);
            let max = self.queue.redeliveries_max;
            if max.is_some_and(|max| message.redeliveries > max) {
                self.dead_letters.add(message.reason);
            } else {
                self.back.push_front(message);
            }
        }
    }

    fn wire_len(&self, size: u32) -> u32 {
        let around = match self.queue.kind {
            SourceKind::RabbitMq => wire::RABBITMQ_MESSAGE_AROUND_LEN,
            _ => wire::ACTIVEMQ_MESSAGE_AROUND_LEN,
        };
        let length = around + wire::base64_len(u64::from(size));
        u32::try_from(length).unwrap_or(u32::MAX)
    }
}

impl Slot {
    fn empty(&mut self) -> Option<Message> {
        self.generation = self.generation.wrapping_add(1);
        self.message.take()
    }
}

impl Queue for BrokerModel {
    fn receive(&mut self, now: Time, waiter: Waiter, list: Vec<Record<()>>) -> Received {
        let list = self.deliver(now, waiter.records_max, list);
        if !list.is_empty() || waiter.until <= now {
            return Received::Messages(list);
        }
        self.waiting.add(waiter);
        Received::Waits
    }

    fn wake(&mut self, now: Time) -> Option<(Waiter, Vec<Record<()>>)> {
        let waiter = self.waiting.first()?;
        let list = self.deliver(now, waiter.records_max, Vec::new());
        self.waiting.answer(now, list)
    }

    fn next_wake(&mut self) -> Option<Time> {
        if !self.cut.is_empty() {
            return Some(Time::ZERO);
        }
        let end = self.waiting.next_end()?;
        if !self.back.is_empty() {
            return Some(Time::ZERO);
        }
        let arrival = self.fresh.next_arrival();
        arrival.into_iter().chain([end]).min()
    }

    /// Acknowledges. Nobody waits for room: a consumer's credit is all that bounds it.
    fn delete(&mut self, records: &[Record<()>]) -> bool {
        for record in records {
            self.take(record);
        }
        false
    }

    fn leave(&mut self, _: Time, records: &[Record<()>], reason: DeadLetterReason) {
        for record in records {
            if let Some(slot) = self.slot(record)
                && let Some(message) = &mut slot.message
            {
                message.reason = reason;
            }
        }
    }

    fn work(&mut self, now: Time, records: &[Record<()>]) {
        self.leave(now, records, DeadLetterReason::ConnectionLost);
    }

    fn release(&mut self, records: &[Record<()>]) {
        let messages = records.iter().filter_map(|record| self.take(record));
        let messages = messages.collect();
        self.come_back(messages);
    }

    fn has_lost(&mut self, records: &[Record<()>]) -> bool {
        records.iter().any(|record| self.slot(record).is_none())
    }

    fn connect(&mut self, is_connected: bool) {
        if self.is_connected && !is_connected {
            let mut messages = Vec::new();
            for (slot, index) in self.held.iter_mut().zip(0..) {
                if slot.message.is_some() {
                    messages.extend(slot.empty());
                    self.free.push(index);
                }
            }
            messages.sort_unstable_by_key(|message| message.ordinal);
            self.come_back(messages);
            self.cut.extend(self.waiting.cut());
        }
        self.is_connected = is_connected;
    }

    fn is_connected(&self) -> bool {
        self.is_connected
    }

    fn take_cut(&mut self) -> Option<Waiter> {
        self.cut.pop_front()
    }

    fn arrived(&mut self, now: Time) -> u64 {
        self.tail.count(now)
    }

    fn standing(&mut self, now: Time) -> Standing {
        let held = self.held.iter().filter_map(|slot| slot.message);
        let fresh = self.fresh.next_arrival().filter(|at| *at <= now);
        let known = held.chain(self.back.iter().copied());
        let oldest = known.map(|message| message.arrival).chain(fresh).min();
        Standing {
            visible: self.tail.passed() - self.fresh.passed() + self.back.len() as u64,
            in_flight: (self.held.len() - self.free.len()) as u64,
            oldest,
            redelivered: self.redelivered,
            dead_letters: self.dead_letters,
            ..Standing::default()
        }
    }

    fn is_full(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Span, Token};
    use crate::scenario::{Arrivals, Dist, Keys, OnThrottle, Rate, RateStep};

    /// A message a second.
    fn queue(redeliveries_max: Option<u32>) -> BrokerModel {
        let step = RateStep {
            at: Span::ZERO,
            per_sec: 1.0,
            over: Span::ZERO,
        };
        let producer = Producer {
            arrivals: Arrivals::Constant(Rate { steps: vec![step] }),
            size: Dist::Constant(100.0),
            keys: Keys::Unique,
            on_throttle: OnThrottle::Retry,
        };
        let queue = BrokerQueue {
            kind: SourceKind::RabbitMq,
            redeliveries_max,
        };
        BrokerModel::new("q", queue, &[producer], 1)
    }

    fn waiter(records_max: u32, until: Time) -> Waiter {
        Waiter {
            mapping: 0,
            token: Token(1),
            records_max,
            until,
        }
    }

    fn receive(queue: &mut BrokerModel, secs: u64, most: u32) -> Vec<Record<()>> {
        let now = Time::from_secs(secs);
        match queue.receive(now, waiter(most, now), Vec::new()) {
            Received::Messages(list) => list,
            other => panic!("{other:?}"),
        }
    }

    /// Arrivals in seconds, rounded.
    fn arrivals(list: &[Record<()>]) -> Vec<u64> {
        let arrivals = list.iter().map(|record| record.meta.arrival);
        arrivals.map(|at| (at.as_millis() + 500) / 1_000).collect()
    }

    fn standing(queue: &mut BrokerModel, secs: u64) -> Standing {
        queue.arrived(Time::from_secs(secs));
        queue.standing(Time::from_secs(secs))
    }

    #[test]
    fn broker_head_of_queue() {
        let mut queue = queue(None);
        let first = receive(&mut queue, 10, 3);
        let second = receive(&mut queue, 10, 3);
        assert_eq!(arrivals(&first), [1, 2, 3]);
        queue.release(&second);
        queue.release(&first);
        // Both are back before what was never delivered, in their old order.
        let again = receive(&mut queue, 10, 8);
        assert_eq!(arrivals(&again), [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(again[0].meta.group, first[0].meta.group);
        assert_eq!(standing(&mut queue, 10).redelivered, 6);
        // A delivery is settled once: the old receipts say nothing any more.
        queue.delete(&first);
        queue.release(&second);
        assert!(queue.has_lost(&first) && !queue.has_lost(&again));
        let now = standing(&mut queue, 10);
        assert_eq!((now.in_flight, now.visible), (8, 2));
        assert_eq!(now.oldest, Some(first[0].meta.arrival));
        queue.delete(&again);
        let now = standing(&mut queue, 10);
        assert_eq!((now.in_flight, now.visible), (0, 2));
        let rest = receive(&mut queue, 10, 1);
        assert_eq!(now.oldest, Some(rest[0].meta.arrival));
    }

    #[test]
    fn broker_redelivery_limit() {
        let mut queue = queue(Some(2));
        for reason in [
            DeadLetterReason::FunctionError,
            DeadLetterReason::Throttled,
            DeadLetterReason::FunctionError,
        ] {
            let list = receive(&mut queue, 1, 1);
            assert_eq!(arrivals(&list), [1]);
            queue.leave(Time::from_secs(1), &list, reason);
            queue.release(&list);
        }
        // Three deliveries: the first and two more.
        assert_eq!(receive(&mut queue, 1, 9), []);
        let now = standing(&mut queue, 1);
        assert_eq!((now.redelivered, now.dead_letters.all()), (2, 1));
        assert_eq!(now.dead_letters.of(DeadLetterReason::FunctionError), 1);
    }

    #[test]
    fn lost_connections_bring_everything_back_once() {
        let mut queue = queue(None);
        let held = receive(&mut queue, 4, 3);
        let until = Time::from_secs(20);
        receive(&mut queue, 4, 1);
        let waits = queue.receive(Time::from_secs(4), waiter(1, until), Vec::new());
        assert_eq!(waits, Received::Waits);
        queue.connect(false);
        queue.connect(false);
        assert_eq!(queue.next_wake(), Some(Time::ZERO));
        assert_eq!(queue.take_cut(), Some(waiter(1, until)));
        assert_eq!(queue.take_cut(), None);
        assert!(queue.has_lost(&held) && !queue.is_connected());
        queue.delete(&held);
        queue.connect(true);
        assert_eq!(arrivals(&receive(&mut queue, 4, 9)), [1, 2, 3, 4]);
    }
}
