//! From the service's records to the engine's pages.

use super::super::{CallError, Keep, PageBuffer, Payload, Records, kpl};
use super::Reader;
use crate::engine::{FailureClass, Meta, Record, Seq, Time, stream_key};
use crate::poll::encode::{KinesisRecord, KinesisShape};
use aws_sdk_kinesis::primitives::DateTime;
use aws_sdk_kinesis::types;

/// A record's JSON beside its data, in bytes; only a guess for the first allocation.
const OVERHEAD_GUESS: usize = 700;

/// Encodes the records of one page.
pub(super) struct Pages<'a> {
    shape: &'a KinesisShape,
    keep: &'a Keep,
    call: &'static str,
    buffer: PageBuffer,
    records: Records,
    bytes: u64,
    filtered: u32,
}

/// What a page has apart from its place.
pub(super) struct Content {
    pub(super) records: Records,
    /// Records that the filters left out.
    pub(super) filtered: u32,
    /// Bytes that the service counts for all of them.
    pub(super) bytes: u64,
}

impl<'a> Pages<'a> {
    /// A page of what `call` returned; `records` is an empty list.
    pub(super) fn new(
        reader: &'a Reader,
        call: &'static str,
        expected: &[types::Record],
        records: Records,
    ) -> Self {
        let lengths = expected.iter().map(|record| record.data.as_ref().len());
        // What filters leave out needs no room, and nobody knows how much that is.
        let guess = match reader.keep.is_everything() {
            true => lengths.map(|len| len * 4 / 3 + OVERHEAD_GUESS).sum(),
            false => 0,
        };
        Self {
            shape: &reader.shape,
            keep: &reader.keep,
            call,
            buffer: PageBuffer::with_capacity(guess),
            records,
            bytes: 0,
            filtered: 0,
        }
    }

    /// How many records the function will see.
    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    /// Adds a record as it is.
    ///
    /// Rule `kinesis-shared-keeps-aggregates`: that goes for aggregates of the KPL too, which functions that are
    /// polled for have to take apart themselves.
    pub(super) fn push(&mut self, record: &types::Record) -> Result<Seq, CallError> {
        let outer = self.outer(record)?;
        let key = record.partition_key().unwrap_or_default();
        self.add(record, outer, key, record.data.as_ref());
        Ok(outer.0)
    }

    /// Adds a record, or the user records in it (rule `kinesis-fan-out-deaggregates`).
    ///
    /// Rule `kpl-inner-records-share-sequence`: they keep number, id and arrival of the record around them, and have
    /// the partition keys of their own. Rule `kpl-lane-deviation`: all of them are handed on, whichever lane their
    /// keys belong to.
    pub(super) fn push_deaggregated(&mut self, record: &types::Record) -> Result<Seq, CallError> {
        let Some(inner) = kpl::deaggregate(record.data.as_ref()) else {
            return self.push(record);
        };
        let outer = self.outer(record)?;
        for user in inner {
            self.add(record, outer, user.partition_key, user.data);
        }
        Ok(outer.0)
    }

    /// Number and arrival of a record, which is counted as read.
    fn outer(&mut self, record: &types::Record) -> Result<(Seq, Time), CallError> {
        let number = &record.sequence_number;
        let seq = sequence(self.call, number)?;
        let key = record.partition_key().unwrap_or_default();
        self.bytes += (record.data.as_ref().len() + key.len()) as u64;
        let arrival = record.approximate_arrival_timestamp.as_ref();
        Ok((seq, arrival.map_or(Time::ZERO, time)))
    }

    fn add(&mut self, record: &types::Record, outer: (Seq, Time), key: &str, data: &[u8]) {
        let (seq, arrival) = outer;
        let view = KinesisRecord {
            partition_key: key,
            sequence: &record.sequence_number,
            data,
            arrival_ms: arrival.as_millis(),
        };
        // Rule `stream-filtered-moves-checkpoint`: the page covers what its filters leave out.
        let encode = |out: &mut Vec<u8>| self.shape.encode(out, &view);
        let Some(wire_len) = self.keep.push(&mut self.buffer, Some(data), encode) else {
            self.filtered += 1;
            return;
        };
        let meta = Meta {
            seq,
            group: stream_key(0, key),
            arrival,
            wire_len,
        };
        let payload = Payload {
            json: bytes::Bytes::new(),
            receipt: String::new(),
        };
        self.records.push(Record { meta, payload });
    }

    /// What the page has become.
    pub(super) fn finish(mut self) -> Content {
        self.buffer.hand_out(&mut self.records);
        Content {
            records: self.records,
            filtered: self.filtered,
            bytes: self.bytes,
        }
    }
}

/// A sequence number that `call` returned.
pub(super) fn sequence(call: &'static str, number: &str) -> Result<Seq, CallError> {
    number.parse().map_err(|error| CallError {
        class: FailureClass::Denied,
        call,
        text: format!("`{number}`: {error}"),
    })
}

/// The service sends seconds with three decimals, which arrive as a binary fraction: a little below the
/// millisecond as often as above it.
fn time(date: &DateTime) -> Time {
    let millis = (date.as_nanos() + 500_000) / 1_000_000;
    Time::from_millis(u64::try_from(millis).unwrap_or(0))
}
