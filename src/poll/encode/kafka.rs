//! Kafka records as functions see them.
//!
//! An event has one list for each partition, and its head names the source instead of every record.

use super::{push_base64, push_decimal, push_text, template};
use crate::engine::wire::{base64_len, decimal_len, json_text_len};
use crate::engine::{Record, ShardId};
use crate::source::Payload;
use bytes::Bytes;

/// What a record's timestamp says (`timestampType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimestampType {
    /// When the producer made the record.
    CreateTime,
    /// When the broker took it.
    LogAppendTime,
}

/// What of a record differs from record to record.
#[derive(Clone, Copy, Debug)]
pub struct KafkaRecord<'a, H> {
    /// Partition, from 0 on.
    pub partition: u32,
    /// Offset in the partition.
    pub offset: u64,
    /// Milliseconds since the Unix epoch.
    pub timestamp_ms: u64,
    /// What the timestamp says.
    pub timestamp_type: TimestampType,
    /// Key; `None` for a null key.
    pub key: Option<&'a [u8]>,
    /// Value; `None` for a tombstone.
    pub value: Option<&'a [u8]>,
    /// Names and values of the headers, in order; iterated twice at most. A value may be null.
    pub headers: H,
}

/// What all records of a mapping have in common, escaped once.
#[derive(Clone, Debug)]
pub struct KafkaShape {
    /// From the start of the event to its first partition.
    head: Box<[u8]>,
    /// The topic, escaped.
    topic: Box<[u8]>,
}

const TOPIC: &[u8] = b"{\"topic\":\"";
const PARTITION: &[u8] = b"\",\"partition\":";
const OFFSET: &[u8] = b",\"offset\":";
const TIMESTAMP: &[u8] = b",\"timestamp\":";
const TIMESTAMP_TYPE: &[u8] = b",\"timestampType\":\"";
const KEY: &[u8] = b"\"key\":\"";
const VALUE: &[u8] = b"\"value\":\"";
const HEADERS: &[u8] = b"\"headers\":[";
const TAIL: &[u8] = b"]}";
/// Behind the last partition.
const END: &[u8] = b"}}";
/// Around a partition's records, its topic and number aside: `"-":[]`.
const AROUND_PARTITION_LEN: usize = 6;
/// Digits of the largest partition number.
const PARTITION_DIGITS_MAX: usize = 10;

impl TimestampType {
    const fn name(self) -> &'static str {
        match self {
            Self::CreateTime => "CREATE_TIME",
            Self::LogAppendTime => "LOG_APPEND_TIME",
        }
    }
}

impl KafkaShape {
    /// The shape of the records of `topic`. A cluster of MSK is named by its ARN; self-managed ones have none.
    /// `bootstrap` is the comma-joined list that the mapping names.
    ///
    /// Rule `kafka-event-shape`.
    pub fn new(cluster_arn: Option<&str>, bootstrap: &str, topic: &str) -> Self {
        let records = "\",\"records\":{";
        let head = match cluster_arn {
            Some(arn) => template(
                &[
                    "{\"eventSource\":\"aws:kafka\",\"eventSourceArn\":\"",
                    "\",\"bootstrapServers\":\"",
                    records,
                ],
                &[arn, bootstrap],
            ),
            None => template(
                &[
                    "{\"eventSource\":\"SelfManagedKafka\",\"bootstrapServers\":\"",
                    records,
                ],
                &[bootstrap],
            ),
        };
        Self {
            head,
            topic: template(&["", ""], &[topic]),
        }
    }

    /// Bytes of an event around its partitions.
    pub fn envelope_len(&self) -> u32 {
        let len = self.head.len() + END.len();
        u32::try_from(len).expect("ten servers and an ARN are a few thousand bytes")
    }

    /// Bytes that a partition's name and list take at most, with the comma before the next one.
    pub fn partition_len_max(&self) -> u32 {
        let len = self.topic.len() + AROUND_PARTITION_LEN + PARTITION_DIGITS_MAX + 1;
        u32::try_from(len).expect("a topic has at most 249 characters")
    }

    /// Appends a record.
    ///
    /// Rules `kafka-null-key` and `kafka-tombstone`: what is null has no member in the record.
    /// Rule `kafka-headers`: each header is an object of its own with one list of signed bytes.
    pub fn encode<'a, H>(&self, out: &mut Vec<u8>, record: KafkaRecord<'a, H>)
    where
        H: Iterator<Item = (&'a str, Option<&'a [u8]>)>,
    {
        out.extend_from_slice(TOPIC);
        out.extend_from_slice(&self.topic);
        out.extend_from_slice(PARTITION);
        push_decimal(out, u64::from(record.partition));
        out.extend_from_slice(OFFSET);
        push_decimal(out, record.offset);
        out.extend_from_slice(TIMESTAMP);
        push_decimal(out, record.timestamp_ms);
        out.extend_from_slice(TIMESTAMP_TYPE);
        out.extend_from_slice(record.timestamp_type.name().as_bytes());
        out.extend_from_slice(b"\",");
        for (name, bytes) in [(KEY, record.key), (VALUE, record.value)] {
            if let Some(bytes) = bytes {
                out.extend_from_slice(name);
                push_base64(out, bytes);
                out.extend_from_slice(b"\",");
            }
        }
        out.extend_from_slice(HEADERS);
        for (index, (name, value)) in record.headers.enumerate() {
            out.extend_from_slice(if index == 0 { b"{\"" } else { b",{\"" });
            push_text(out, name);
            out.extend_from_slice(b"\":");
            push_signed_bytes(out, value);
            out.push(b'}');
        }
        out.extend_from_slice(TAIL);
    }

    /// The length that [`encode`](Self::encode) will append, in bytes.
    pub fn encoded_len<'a, H>(&self, record: KafkaRecord<'a, H>) -> u64
    where
        H: Iterator<Item = (&'a str, Option<&'a [u8]>)>,
    {
        let fixed = TOPIC.len()
            + self.topic.len()
            + PARTITION.len()
            + OFFSET.len()
            + TIMESTAMP.len()
            + TIMESTAMP_TYPE.len()
            + record.timestamp_type.name().len()
            + b"\",".len()
            + HEADERS.len()
            + TAIL.len();
        let member = |name: &[u8], bytes: Option<&[u8]>| {
            bytes.map_or(0, |bytes| {
                (name.len() + b"\",".len()) as u64 + base64_len(bytes.len() as u64)
            })
        };
        let numbers = decimal_len(u64::from(record.partition))
            + decimal_len(record.offset)
            + decimal_len(record.timestamp_ms);
        let mut headers = 0;
        for (index, (name, value)) in record.headers.enumerate() {
            let around = b"{\"\":}".len() as u64 + u64::from(index > 0);
            headers += around + json_text_len(name) + signed_bytes_len(value);
        }
        fixed as u64 + numbers + member(KEY, record.key) + member(VALUE, record.value) + headers
    }

    /// The event for a batch. Records of one partition, which `meta.group` names, stand side by side.
    ///
    /// # Panics
    /// When a record's `wire_len` is not the length of its JSON: the payload limit would then be guarded by
    /// wrong figures.
    pub fn event(&self, records: &[Record<Payload>]) -> Bytes {
        let partitions = || records.chunk_by(|a, b| a.meta.group == b.meta.group);
        let of_records: usize = records.iter().map(|it| it.meta.wire_len as usize).sum();
        let of_partitions: usize = partitions()
            .map(|run| {
                self.topic.len() + AROUND_PARTITION_LEN + decimal_len(run[0].meta.group) as usize
            })
            .sum();
        // One between two records, be it inside of a partition or between two of them.
        let commas = records.len().saturating_sub(1);
        let predicted = self.head.len() + of_records + of_partitions + commas + END.len();
        let mut out = Vec::with_capacity(predicted);
        out.extend_from_slice(&self.head);
        for (index, run) in partitions().enumerate() {
            out.extend_from_slice(if index == 0 { b"\"" } else { b",\"" });
            self.push_partition(&mut out, run[0].meta.group);
            out.extend_from_slice(b"\":[");
            for (index, record) in run.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                out.extend_from_slice(&record.payload.json);
            }
            out.push(b']');
        }
        out.extend_from_slice(END);
        assert_eq!(
            out.len(),
            predicted,
            "the predicted length of an event is wrong"
        );
        Bytes::from(out)
    }

    /// Appends `topic-partition`.
    fn push_partition(&self, out: &mut Vec<u8>, partition: u64) {
        out.extend_from_slice(&self.topic);
        out.push(b'-');
        push_decimal(out, partition);
    }
}

/// The name that events give a partition, as function answers and logs repeat it.
pub fn partition_name(topic: &str, partition: ShardId) -> String {
    format!("{topic}-{}", partition.0)
}

/// Appends a list of bytes as Java shows them, −128 to 127.
fn push_signed_bytes(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    let Some(bytes) = bytes else {
        out.extend_from_slice(b"null");
        return;
    };
    out.push(b'[');
    for (index, &byte) in bytes.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        let signed = byte.cast_signed();
        if signed < 0 {
            out.push(b'-');
        }
        push_decimal(out, u64::from(signed.unsigned_abs()));
    }
    out.push(b']');
}

fn signed_bytes_len(bytes: Option<&[u8]>) -> u64 {
    let Some(bytes) = bytes else {
        return b"null".len() as u64;
    };
    let digits: u64 = bytes
        .iter()
        .map(|&byte| {
            let signed = byte.cast_signed();
            u64::from(signed < 0) + decimal_len(u64::from(signed.unsigned_abs()))
        })
        .sum();
    b"[]".len() as u64 + digits + (bytes.len() as u64).saturating_sub(1)
}

#[cfg(test)]
#[path = "kafka_tests.rs"]
mod tests;
