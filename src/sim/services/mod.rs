//! Modelled event sources. They hold cursors, never records: what a shard or queue contains is computed when it is read.

mod feed;
pub mod kinesis;
pub mod sqs;
