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
mod kpl;
pub mod local;
mod md5;
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

/// Cuts finished records out of one buffer: a page is encoded in one piece, and its records share it.
#[derive(Debug, Default)]
pub(crate) struct PageBuffer {
    json: Vec<u8>,
    ends: Vec<usize>,
}

impl PageBuffer {
    /// A buffer for about this many bytes of JSON.
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self {
            json: Vec::with_capacity(bytes),
            ends: Vec::new(),
        }
    }

    /// Lets `encode` append one record and returns its length.
    pub(crate) fn push(&mut self, encode: impl FnOnce(&mut Vec<u8>)) -> u32 {
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

    /// Gives every record of `records` its part of the buffer, in order.
    pub(crate) fn hand_out(self, records: &mut Records) {
        assert!(
            self.ends.len() == records.len(),
            "a page has one text per record"
        );
        let json = Bytes::from(self.json);
        let mut start = 0;
        for (record, end) in records.iter_mut().zip(self.ends) {
            record.payload.json = json.slice(start..end);
            start = end;
        }
    }
}
