//! What a read or receive brings.

use crate::engine::{Record, Seq, ShardId, Span};

/// The answer to a read or receive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<P> {
    /// In the service's order. Fewer than the service holds when filtered or limited.
    pub records: Vec<Record<P>>,
    /// Streams: how many records the filters left out; the page's end covers them.
    pub filtered: u32,
    /// Queues and brokers: messages that the filters left out; they are deleted without an invocation.
    pub rejected: Vec<Record<P>>,
    /// Bytes read, as the service counts them against its read limits.
    pub bytes: u64,
    /// Streams: the position after everything this page covers, records that are not in it included.
    /// `None` when the read moved nothing (or for queues).
    pub end: Option<Seq>,
    /// Streams: how far the page's end is behind the tip of the shard (MillisBehindLatest).
    pub behind: Span,
    /// Streams: the shard is closed and this page reaches its end.
    pub shard_end: bool,
    /// Kafka: how far the page covers each partition that it touches. [`end`](Self::end) is `None` there, and
    /// [`filtered`](Self::filtered) the sum over the partitions.
    pub ends: Vec<PartitionEnd>,
}

/// How far a page covers one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionEnd {
    /// The partition.
    pub shard: ShardId,
    /// Offset of the first record that the page does not cover; filtered and control records before it are covered.
    pub next: Seq,
    /// How many records of this partition the filters left out.
    pub filtered: u32,
}

impl<P> Default for Page<P> {
    /// A read that found nothing at the tip.
    fn default() -> Self {
        Self {
            records: Vec::new(),
            filtered: 0,
            rejected: Vec::new(),
            bytes: 0,
            end: None,
            behind: Span::ZERO,
            shard_end: false,
            ends: Vec::new(),
        }
    }
}
