//! Event sources: Kinesis streams, DynamoDB streams, SQS queues, brokers and Kafka topics, real ones and ones inside the
//! process.

pub mod activemq;
mod aws;
pub mod broker;
mod draw;
pub mod dynamodb;
mod filtering;
pub mod kafka;
pub mod kinesis;
pub(crate) mod kpl;
pub mod local;
pub(crate) mod md5;
pub(crate) mod patience;
#[cfg(test)]
pub(crate) mod plain;
mod rabbitmq;
#[cfg(test)]
pub(crate) mod scripted;
pub mod secret;
pub(crate) mod signed;
pub mod sqs;

pub use aws::{AwsError, Connection};
pub(crate) use aws::{call_error, classify, is_loopback};
pub use draw::Draw;
pub use filtering::Keep;

use crate::engine::{FailureClass, Record};
use bytes::Bytes;
use std::sync::Arc;

/// What a record carries through the engine: its finished JSON, and what acknowledging it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    /// The record as it stands in the event's `Records`.
    pub json: Bytes,
    /// Queues: the receipt handle. Brokers: which delivery it is, of which connection. Empty for streams.
    pub receipt: String,
}

/// A list of received records.
pub type Records = Vec<Record<Payload>>;

/// A shard as its stream lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedShard {
    /// The shard's own name.
    pub name: Arc<str>,
    /// Names of the shards that it was split or merged from, whether they are still listed or not.
    pub parents: Vec<Arc<str>>,
    /// Whether it takes no more records.
    pub closed: bool,
}

/// A call to a source that failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{call}: {text}")]
pub struct CallError {
    /// What the engine is told.
    pub class: FailureClass,
    /// The service's name of the call.
    pub call: &'static str,
    /// The service's explanation; never holds record data.
    pub text: String,
}

/// Cuts finished records out of few buffers: records that are small share one.
///
/// A record that is held keeps its whole buffer in memory, so buffers are small: a function that is stuck on one key holds
/// few records of every page, and must not hold the pages.
#[derive(Debug, Default)]
pub(crate) struct PageBuffer {
    /// Buffers that are full, and where their records end.
    full: Vec<(Vec<u8>, Vec<usize>)>,
    json: Vec<u8>,
    ends: Vec<usize>,
}

/// No record is added to a buffer of so many bytes.
pub(crate) const SHARED_BYTES_MAX: usize = 16 * 1024;

impl PageBuffer {
    /// A buffer for about this many bytes of JSON.
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self {
            json: Vec::with_capacity(bytes.min(SHARED_BYTES_MAX)),
            ..Self::default()
        }
    }

    /// Lets `encode` append one record and returns its length.
    pub(crate) fn push(&mut self, encode: impl FnOnce(&mut Vec<u8>)) -> u32 {
        if self.json.len() >= SHARED_BYTES_MAX {
            let next = Vec::with_capacity(SHARED_BYTES_MAX);
            let ends = Vec::with_capacity(self.ends.len());
            self.full.push((
                std::mem::replace(&mut self.json, next),
                std::mem::replace(&mut self.ends, ends),
            ));
        }
        let before = self.json.len();
        encode(&mut self.json);
        self.ends.push(self.json.len());
        // One record is at most 10 MiB of data: its length is far below 4 GiB.
        u32::try_from(self.json.len() - before).unwrap_or(u32::MAX)
    }

    /// The record that was pushed last.
    pub(crate) fn last(&self) -> &[u8] {
        match self.ends.as_slice() {
            [] => &[],
            [end] => &self.json[..*end],
            [.., start, end] => &self.json[*start..*end],
        }
    }

    /// Takes the record back that was pushed last.
    pub(crate) fn undo(&mut self) {
        self.ends.pop();
        self.json.truncate(self.ends.last().copied().unwrap_or(0));
    }

    /// Gives every record of `records` its part of a buffer, in order.
    pub(crate) fn hand_out(mut self, records: &mut Records) {
        self.full.push((self.json, self.ends));
        let count: usize = self.full.iter().map(|(_, ends)| ends.len()).sum();
        assert!(count == records.len(), "a page has one text per record");
        let mut records = records.iter_mut();
        for (json, ends) in self.full {
            let json = Bytes::from(json);
            let mut start = 0;
            for (end, record) in ends.into_iter().zip(records.by_ref()) {
                record.payload.json = json.slice(start..end);
                start = end;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Meta, Seq, Time};

    fn record(number: usize, length: usize) -> Record<Payload> {
        Record {
            meta: Meta {
                seq: Seq::from(number as u64),
                group: 0,
                arrival: Time::ZERO,
                wire_len: length as u32,
            },
            payload: Payload {
                json: Bytes::new(),
                receipt: String::new(),
            },
        }
    }

    #[test]
    fn a_record_that_is_held_keeps_no_page_in_memory() {
        let mut buffer = PageBuffer::with_capacity(1 << 20);
        let mut records = Records::new();
        let lengths: Vec<usize> = (0..2_000)
            .map(|number| {
                if number % 97 == 0 {
                    40_000
                } else {
                    500 + number % 7
                }
            })
            .collect();
        for (number, length) in lengths.iter().enumerate() {
            let push = |buffer: &mut PageBuffer| {
                buffer.push(|json| json.extend(vec![b'a' + (number % 26) as u8; *length]))
            };
            push(&mut buffer);
            // What filters leave out is taken back, wherever a buffer ends.
            buffer.undo();
            assert_eq!(push(&mut buffer) as usize, *length);
            assert_eq!(buffer.last().len(), *length);
            records.push(record(number, *length));
        }
        buffer.hand_out(&mut records);
        for (number, record) in records.iter().enumerate() {
            let expected = vec![b'a' + (number % 26) as u8; lengths[number]];
            assert_eq!(record.payload.json, expected, "record {number}");
        }
        // What shares a buffer lies side by side; the first byte of each says where buffers begin.
        let held = records.swap_remove(1_000);
        let place = |record: &Record<Payload>| record.payload.json.as_ptr() as usize;
        let at = place(&held);
        records.retain(|record| place(record).abs_diff(at) <= 2 * SHARED_BYTES_MAX);
        assert!(!held.payload.json.is_unique(), "buffers are shared");
        assert!(records.len() < 100, "{} neighbours", records.len());
        records.clear();
        assert!(held.payload.json.is_unique());
    }
}
