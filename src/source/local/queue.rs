//! A queue inside the process.

use super::content::{Content, ContentError};
use super::{ACCOUNT, REGION};
use crate::engine::{Meta, Page, Record, Seq, Span, Time};
use crate::poll::encode::{SqsMessage, SqsShape, SystemAttribute};
use crate::scenario::LocalSource;
use crate::source::{Keep, PageBuffer, Payload, Records, md5};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;
use std::sync::Mutex;

/// An SQS-like queue: visibility timeout, receive counts, deletion by the last receipt handle, redrive.
#[derive(Debug)]
pub struct Queue {
    content: Content,
    arn: String,
    visibility_timeout: Span,
    max_receive_count: Option<u32>,
    origin: Time,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The number of the next message that nobody has received.
    next: u64,
    /// Messages that became visible again.
    returned: VecDeque<u64>,
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
        Ok(Self {
            content: Content::open(&source.content)?,
            arn: format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{}", source.name),
            visibility_timeout: source.visibility_timeout,
            max_receive_count: source.max_receive_count,
            origin: now,
            state: Mutex::new(State::default()),
        })
    }

    /// The shape of its messages for a mapping with or without a batching window.
    pub fn shape(&self, has_window: bool) -> SqsShape {
        SqsShape::new(has_window, REGION, &self.arn)
    }

    /// Whether there will never be a message again.
    pub fn is_exhausted(&self) -> bool {
        let state = self.lock();
        state.next >= self.content.count() && state.received.is_empty()
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
        state.reveal(now);
        let arrived = self.content.available(now.since(self.origin));
        let mut buffer = PageBuffer::default();
        let mut rejected = Records::new();
        while records.len() + rejected.len() < records_max as usize {
            let number = match state.returned.pop_front() {
                Some(number) => number,
                None if state.next < arrived => {
                    state.next += 1;
                    state.next - 1
                }
                None => break,
            };
            let count = state.received.get(&number).map_or(0, |seen| seen.count) + 1;
            if self.max_receive_count.is_some_and(|max| count > max) {
                state.received.remove(&number);
                state.dead += 1;
                continue;
            }
            let received = state.hide(number, count, now, self.visibility_timeout);
            state.receives += 1;
            let (receipt, encoded) = self.encode(shape, &mut buffer, number, received, keep);
            let meta = Meta {
                seq: Seq::from(state.receives),
                group: 0,
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
        let arrival = (state.next < self.content.count()).then(|| self.arrival(state.next));
        let returns = state.hidden.first().map(|(at, _)| *at);
        arrival.into_iter().chain(returns).min()
    }

    /// Deletes the message of a receipt handle. An outdated handle deletes nothing, as with the service's
    /// standard queues once the message was received again.
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
            state.received.remove(&number);
            if !state.hidden.remove(&(received.hidden_until, number)) {
                state.returned.retain(|&returned| returned != number);
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

impl State {
    fn reveal(&mut self, now: Time) {
        while let Some(&(at, number)) = self.hidden.first()
            && at <= now
        {
            self.hidden.pop_first();
            self.returned.push_back(number);
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
mod tests {
    use super::*;
    use crate::engine::SourceKind;
    use crate::scenario::{Dist, Generated, Keys, LocalContent};

    fn queue(count: u64, max_receive_count: Option<u32>) -> Queue {
        let generated = Generated {
            per_sec: 1e9,
            size: Dist::Constant(50.0),
            keys: Keys::Unique,
            count: Some(count),
            seed: 3,
        };
        let source = LocalSource {
            name: "orders".to_owned(),
            kind: SourceKind::Sqs,
            shards: 1,
            visibility_timeout: Span::from_secs(30),
            max_receive_count,
            content: LocalContent::Generated(generated),
        };
        Queue::open(&source, Time::from_secs(1)).expect("a queue")
    }

    fn received(queue: &Queue, shape: &SqsShape, now: Time) -> Records {
        let page = queue.receive(shape, now, 10, Vec::new(), &Keep::default());
        assert!(page.rejected.is_empty());
        page.records
    }

    fn body(record: &Record<Payload>) -> serde_json::Value {
        assert_eq!(record.payload.json.len(), record.meta.wire_len as usize);
        serde_json::from_slice(&record.payload.json).expect("JSON")
    }

    #[test]
    fn messages_come_back_after_the_visibility_timeout_until_they_are_deleted() {
        let queue = queue(3, None);
        let shape = queue.shape(false);
        let now = Time::from_secs(10);
        let first = received(&queue, &shape, now);
        assert_eq!(first.len(), 3);
        queue.delete(&first[0].payload.receipt);
        assert!(received(&queue, &shape, now).is_empty());
        assert_eq!(queue.next_visible(), Some(Time::from_secs(40)));
        let again = received(&queue, &shape, Time::from_secs(40));
        assert_eq!(again.len(), 2);
        let shown = body(&again[0]);
        assert_eq!(shown["attributes"]["ApproximateReceiveCount"], "2");
        assert_eq!(
            shown["attributes"]["ApproximateFirstReceiveTimestamp"],
            "10000"
        );
        // A handle of the first receive no longer counts.
        queue.delete(&first[1].payload.receipt);
        assert!(!queue.is_exhausted());
        for record in &again {
            queue.delete(&record.payload.receipt);
        }
        assert!(queue.is_exhausted());
    }

    #[test]
    fn the_redrive_policy_ends_a_message() {
        let queue = queue(1, Some(2));
        let shape = queue.shape(false);
        for (at, count) in [(10, 1), (40, 1), (70, 0)] {
            let page = received(&queue, &shape, Time::from_secs(at));
            assert_eq!(page.len(), count);
        }
        assert_eq!(queue.dead_letters(), 1);
        assert!(queue.is_exhausted());
    }
}
