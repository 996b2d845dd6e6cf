//! Modelled event sources. They hold cursors, never records: what a shard or queue contains is computed when it is read.

pub mod broker;
mod feed;
pub mod fifo;
pub mod kafka;
pub(super) mod keys;
mod legacy;
mod limiter;
pub mod queue;
pub mod reader;
pub mod sqs;
pub mod stream;
mod waiting;

use crate::engine::{Meta, mix};

/// A hash that belongs to one record, whenever and with whatever others it is delivered. A stream's record is known by
/// its shard and number; a message gets a new number with every receive, and keeps its group, which is its own; a message
/// of a FIFO queue is named in its number, because it shares its group with others.
#[inline]
pub(super) const fn identity(meta: &Meta) -> u64 {
    match (meta.seq.message_part(), meta.seq.shard_part()) {
        (0, 0) => meta.group,
        (0, shard) => mix(shard ^ meta.seq.low_u64()),
        (message, _) => message,
    }
}
