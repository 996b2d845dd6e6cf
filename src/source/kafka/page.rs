//! From librdkafka's messages to the engine's pages.

use super::super::{Keep, PageBuffer, Payload, Records};
use super::context::Context;
use crate::engine::{Meta, Page, PartitionEnd, Record, Seq, ShardId, Time};
use crate::poll::encode::{KafkaRecord, KafkaShape, TimestampType};
use rdkafka::consumer::base_consumer::PartitionQueue;
use rdkafka::message::{BorrowedMessage, Headers, Message, Timestamp};
use std::collections::BTreeMap;
use std::time::Duration;

/// Encoded bytes after which a page is handed over though more is there: a batch holds no more than 6 MiB.
const PAGE_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// Takes what the queues hold, at most `records_max` records with those that the filters leave out. Starts with the
/// first partition behind `turn`, which it moves on, so that none has to wait for ever.
pub(super) fn take(
    queues: &BTreeMap<u32, PartitionQueue<Context>>,
    held: &[ShardId],
    turn: &mut u32,
    records_max: u32,
    records: Records,
    (shape, keep): (&KafkaShape, &Keep),
) -> Page<Payload> {
    let mut pages = Pages {
        shape,
        keep,
        buffer: PageBuffer::default(),
        records,
        encoded: 0,
        bytes: 0,
        left: records_max,
        ends: Vec::new(),
        filtered: 0,
    };
    let after = *turn;
    let in_turn = queues.range(after..).chain(queues.range(..after));
    for (&partition, queue) in in_turn {
        if pages.is_full() {
            break;
        }
        if held.contains(&ShardId(partition)) {
            continue;
        }
        pages.take(partition, queue);
        *turn = partition.saturating_add(1);
    }
    pages.finish()
}

struct Pages<'a> {
    shape: &'a KafkaShape,
    keep: &'a Keep,
    buffer: PageBuffer,
    records: Records,
    encoded: u64,
    bytes: u64,
    left: u32,
    ends: Vec<PartitionEnd>,
    filtered: u32,
}

impl Pages<'_> {
    const fn is_full(&self) -> bool {
        self.left == 0 || self.encoded >= PAGE_BYTES_MAX
    }

    fn take(&mut self, partition: u32, queue: &PartitionQueue<Context>) {
        let mut filtered = 0;
        let mut next = None;
        while !self.is_full() {
            // What is wrong with a partition is in the context's list as well.
            let Some(Ok(message)) = queue.poll(Duration::ZERO) else {
                break;
            };
            let offset = u64::try_from(message.offset()).unwrap_or(0);
            next = Some(offset + 1);
            self.left -= 1;
            if !self.push(partition, offset, &message) {
                filtered += 1;
            }
        }
        if let Some(next) = next {
            self.filtered += filtered;
            self.ends.push(PartitionEnd {
                shard: ShardId(partition),
                next: Seq::from(next),
                filtered,
            });
        }
    }

    /// Whether the filters let it in.
    fn push(&mut self, partition: u32, offset: u64, message: &BorrowedMessage<'_>) -> bool {
        let (key, value) = (message.key(), message.payload());
        self.bytes += (key.map_or(0, <[u8]>::len) + value.map_or(0, <[u8]>::len)) as u64;
        let (timestamp, timestamp_type) = match message.timestamp() {
            Timestamp::LogAppendTime(millis) => (millis, TimestampType::LogAppendTime),
            Timestamp::CreateTime(millis) => (millis, TimestampType::CreateTime),
            Timestamp::NotAvailable => (0, TimestampType::CreateTime),
        };
        let timestamp_ms = u64::try_from(timestamp).unwrap_or(0);
        let headers = message.headers();
        let view = KafkaRecord {
            partition,
            offset,
            timestamp_ms,
            timestamp_type,
            key,
            value,
            headers: headers
                .into_iter()
                .flat_map(Headers::iter)
                .map(|header| (header.key, header.value)),
        };
        let shape = self.shape;
        let encode = |out: &mut Vec<u8>| shape.encode(out, view);
        let Some(wire_len) = self.keep.push(&mut self.buffer, value, encode) else {
            return false;
        };
        self.encoded += u64::from(wire_len);
        let meta = Meta {
            seq: Seq::from(offset),
            group: u64::from(partition),
            arrival: Time::from_millis(timestamp_ms),
            wire_len,
        };
        let payload = Payload {
            json: bytes::Bytes::new(),
            receipt: String::new(),
        };
        self.records.push(Record { meta, payload });
        true
    }

    fn finish(mut self) -> Page<Payload> {
        self.buffer.hand_out(&mut self.records);
        Page {
            records: self.records,
            filtered: self.filtered,
            bytes: self.bytes,
            ends: self.ends,
            ..Page::default()
        }
    }
}
