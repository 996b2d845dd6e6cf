//! A queue inside the process.

use super::content::{Content, ContentError};
use super::order::Order;
use super::{ACCOUNT, REGION};
use crate::engine::{Meta, Page, Record, Seq, SourceKind, Span, Time, stream_key};
use crate::poll::encode::{SqsMessage, SqsShape, SystemAttribute};
use crate::scenario::LocalSource;
use crate::source::{Keep, PageBuffer, Payload, Records, md5};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Mutex;
use tokio::sync::Notify;

/// An SQS-like queue: visibility timeout, receive counts, deletion by the last receipt handle, redrive. A FIFO queue makes
/// its message groups from the keys of its content.
#[derive(Debug)]
pub struct Queue {
    content: Content,
    arn: String,
    is_fifo: bool,
    visibility_timeout: Span,
    max_receive_count: Option<u32>,
    origin: Time,
    state: Mutex<State>,
    /// A deletion set messages free.
    freed: Notify,
}

#[derive(Debug)]
struct State {
    order: Order,
    hidden: BTreeSet<(Time, u64)>,
    /// Messages that were received and not deleted.
    received: BTreeMap<u64, Received>,
    receives: u64,
    dead: u64,
}

#[derive(Clone, Copy, Debug)]
struct Received {
    count: u32,
    first: Time,
    hidden_until: Time,
}

impl Queue {
    /// A queue whose generated messages begin to arrive at `now`.
    ///
    /// # Errors
    /// A file of lines that cannot be read.
    pub fn open(source: &LocalSource, now: Time) -> Result<Self, ContentError> {
        let is_fifo = source.kind == SourceKind::SqsFifo;
        let ending = if is_fifo { ".fifo" } else { "" };
        Ok(Self {
            content: Content::open(&source.content)?,
            arn: format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{}{ending}", source.name),
            is_fifo,
            visibility_timeout: source.visibility_timeout,
            max_receive_count: source.max_receive_count,
            origin: now,
            state: Mutex::new(State {
                order: Order::new(is_fifo),
                hidden: BTreeSet::new(),
                received: BTreeMap::new(),
                receives: 0,
                dead: 0,
            }),
            freed: Notify::new(),
        })
    }

    /// The shape of its messages for a mapping with or without a batching window.
    pub fn shape(&self, has_window: bool) -> SqsShape {
        SqsShape::new(has_window, REGION, &self.arn)
    }

    /// Whether there will never be a message again.
    pub fn is_exhausted(&self) -> bool {
        let state = self.lock();
        state.order.is_used_up(self.content.count()) && state.received.is_empty()
    }

    /// How many messages went to the dead-letter queue.
    pub fn dead_letters(&self) -> u64 {
        self.lock().dead
    }

    /// Receives at most `records_max` messages that are visible at `now`: those that `keep` admits in the list
    /// `records`, the others as rejected ones.
    pub fn receive(
        &self,
        shape: &SqsShape,
        now: Time,
        records_max: u32,
        mut records: Records,
        keep: &Keep,
    ) -> Page<Payload> {
        let mut state = self.lock();
        let group = |number| self.content.key(number).0;
        state.reveal(now, group);
        let arrived = self.content.available(now.since(self.origin));
        let mut buffer = PageBuffer::default();
        let mut rejected = Records::new();
        let mut turn = None;
        while records.len() + rejected.len() < records_max as usize {
            let Some(number) = state.order.take(arrived, &mut turn, group) else {
                break;
            };
            let count = state.received.get(&number).map_or(0, |seen| seen.count) + 1;
            if self.max_receive_count.is_some_and(|max| count > max) {
                state.received.remove(&number);
                state.order.forget(number, group);
                state.dead += 1;
                continue;
            }
            let received = state.hide(number, count, now, self.visibility_timeout);
            state.receives += 1;
            let (receipt, encoded) = self.encode(shape, &mut buffer, number, received, keep);
            let meta = Meta {
                seq: Seq::from(state.receives),
                group: match self.is_fifo {
                    true => stream_key(0, &group_id(group(number))),
                    false => 0,
                },
                arrival: self.arrival(number),
                wire_len: encoded.unwrap_or(0),
            };
            let payload = Payload {
                json: bytes::Bytes::new(),
                receipt,
            };
            let list = match encoded {
                Some(_) => &mut records,
                None => &mut rejected,
            };
            list.push(Record { meta, payload });
        }
        if self.is_fifo && state.order.is_ready() {
            self.freed.notify_one();
        }
        drop(state);
        buffer.hand_out(&mut records);
        Page {
            records,
            rejected,
            ..Page::default()
        }
    }

    /// When a receive may find something, if it finds nothing now.
    pub fn next_visible(&self) -> Option<Time> {
        let state = self.lock();
        if state.order.is_ready() {
            return Some(Time::ZERO);
        }
        let awaited = state.order.awaited();
        let awaited = awaited.filter(|&number| number < self.content.count());
        let arrival = awaited.map(|number| self.arrival(number));
        let returns = state.hidden.first().map(|(at, _)| *at);
        arrival.into_iter().chain(returns).min()
    }

    /// Waits until a deletion sets messages of its group free; FIFO queues only.
    pub async fn freed(&self) {
        self.freed.notified().await;
    }

    /// Deletes the message of a receipt handle. An outdated handle deletes nothing, as with the service's
    /// standard queues once the message was received again, and with FIFO queues once it is visible again.
    pub fn delete(&self, receipt: &str) {
        let parsed = receipt.split_once('-').and_then(|(number, count)| {
            Some((number.parse::<u64>().ok()?, count.parse::<u32>().ok()?))
        });
        let Some((number, count)) = parsed else {
            return;
        };
        let mut state = self.lock();
        if let Some(received) = state.received.get(&number).copied()
            && received.count == count
        {
            if state.hidden.remove(&(received.hidden_until, number)) {
                state.received.remove(&number);
                if state
                    .order
                    .forget(number, |number| self.content.key(number).0)
                {
                    self.freed.notify_one();
                }
            } else if state.order.withdraw(number) {
                state.received.remove(&number);
            }
        }
    }

    fn encode(
        &self,
        shape: &SqsShape,
        buffer: &mut PageBuffer,
        number: u64,
        received: Received,
        keep: &Keep,
    ) -> (String, Option<u32>) {
        let mut body = Vec::new();
        self.content.payload(number, &mut body);
        let digest = md5::hex(&body);
        // Lines were checked to be UTF-8 and generated payloads are ASCII.
        let body = String::from_utf8(body).unwrap_or_default();
        let mark = self.content.mark(number);
        let mut id = String::with_capacity(36);
        let _ = write!(
            id,
            "{:08x}-{:04x}-4{:03x}-8{:03x}-{number:012x}",
            mark as u32,
            mark >> 32 & 0xffff,
            mark >> 48 & 0xfff,
            mark >> 52,
        );
        let receipt = format!("{number}-{}", received.count);
        let count = received.count.to_string();
        let sent = self.arrival(number).as_millis().to_string();
        let first = received.first.as_millis().to_string();
        let mut message = SqsMessage {
            message_id: &id,
            receipt_handle: &receipt,
            body: &body,
            md5_of_body: &digest,
            ..SqsMessage::default()
        };
        message.set(SystemAttribute::ApproximateReceiveCount, &count);
        message.set(SystemAttribute::SentTimestamp, &sent);
        message.set(SystemAttribute::SenderId, "tidegate");
        message.set(SystemAttribute::ApproximateFirstReceiveTimestamp, &first);
        let fifo = self
            .is_fifo
            .then(|| FifoTexts::of(number, mark, self.content.key(number).0));
        if let Some(texts) = &fifo {
            message.set(SystemAttribute::SequenceNumber, &texts.sequence_number);
            message.set(SystemAttribute::MessageGroupId, &texts.group_id);
            message.set(
                SystemAttribute::MessageDeduplicationId,
                &texts.deduplication_id,
            );
        }
        let data = Some(message.body.as_bytes());
        let encoded = keep.push(buffer, data, |out| shape.encode(out, &message));
        (receipt, encoded)
    }

    fn arrival(&self, number: u64) -> Time {
        self.origin + self.content.arrival(number)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        // Nothing in a critical section can fail halfway, so a poisoned state is still whole.
        self.state
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// What only messages of FIFO queues have.
struct FifoTexts {
    sequence_number: String,
    group_id: String,
    deduplication_id: String,
}

impl FifoTexts {
    /// Sequence numbers have twenty digits and grow in steps of 256, as those of the service do.
    fn of(number: u64, mark: u64, key: u64) -> Self {
        const FIRST: u128 = 18_849_496_460_467_696_128;
        Self {
            sequence_number: (FIRST + 256 * u128::from(number)).to_string(),
            group_id: group_id(key),
            deduplication_id: format!("{mark:016x}{number:016x}"),
        }
    }
}

fn group_id(key: u64) -> String {
    format!("group-{key}")
}

impl State {
    fn reveal(&mut self, now: Time, group: impl Fn(u64) -> u64) {
        while let Some(&(at, number)) = self.hidden.first()
            && at <= now
        {
            self.hidden.pop_first();
            self.order.give_back(number, &group);
        }
    }

    fn hide(&mut self, number: u64, count: u32, now: Time, timeout: Span) -> Received {
        let first = self.received.get(&number).map_or(now, |seen| seen.first);
        let received = Received {
            count,
            first,
            hidden_until: now + timeout,
        };
        self.received.insert(number, received);
        self.hidden.insert((received.hidden_until, number));
        received
    }
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
