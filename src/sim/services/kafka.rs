//! A Kafka topic: partitions, each a feed of its own, and the groups that read it.
//!
//! As with streams, each partition draws its own arrivals at its share of the rate. Which partition a record goes to is
//! decided by the hash of its key; the keys themselves are not drawn, because nothing else asks for them. A topic has the
//! partitions that it begins with, and is not compacted.

mod balance;
mod group;
mod place;

pub use group::{Group, GroupCounts, Step, Wait};

use super::feed::Feed;
use super::keys::KeySpace;
use super::stream::Counted;
use crate::engine::{Seq, ShardId, Span, Time, wire};
use crate::scenario::{self, Producer, Stream};

/// The modelled topic.
#[derive(Debug)]
pub struct Topic {
    partitions: Vec<Partition>,
    retention: Span,
    /// Since when nobody reaches the cluster.
    lost_since: Option<Time>,
}

#[derive(Debug)]
struct Partition {
    /// Stands before the first record.
    feed: Feed,
    /// Counts ahead of every reader.
    tail: Feed,
}

impl Topic {
    /// The topic `name`, filled by `producers`.
    pub fn new(name: &str, topic: &scenario::Topic, producers: &[Producer], seed: u64) -> Self {
        let spaces: Vec<KeySpace> = producers
            .iter()
            .map(|producer| KeySpace::new(producer.keys))
            .collect();
        let parts = Stream::kinesis(topic.partitions).shards;
        let partitions = parts.iter().enumerate().map(|(index, part)| {
            let label = format!("source/{name}/partition/{index}");
            let feed = Feed::of_partition(producers, &spaces, part, seed, &label);
            Partition {
                tail: feed.clone(),
                feed,
            }
        });
        Self {
            partitions: partitions.collect(),
            retention: topic.retention,
            lost_since: None,
        }
    }

    /// Takes the cluster's connections away, or gives them back. Returns whether that changes anything.
    pub fn connect(&mut self, is_connected: bool, now: Time) -> bool {
        let changes = is_connected == self.lost_since.is_some();
        if changes {
            self.lost_since = (!is_connected).then_some(now);
        }
        changes
    }

    /// Whether the cluster can be reached.
    pub const fn is_connected(&self) -> bool {
        self.lost_since.is_none()
    }

    /// The high watermark of every partition at `now`.
    pub fn ends(&mut self, now: Time) -> Vec<(ShardId, Seq)> {
        (0..)
            .zip(&mut self.partitions)
            .map(|(index, partition)| (ShardId(index), Seq::from(partition.end(now))))
            .collect()
    }

    /// Counts everything that arrived by `now`, since the beginning.
    pub fn arrived(&mut self, now: Time) -> Counted {
        let partitions = self.partitions.iter_mut();
        Counted {
            records: partitions.map(|partition| partition.end(now)).sum(),
            ..Counted::default()
        }
    }
}

impl Partition {
    fn end(&mut self, now: Time) -> u64 {
        self.tail.count(now);
        self.tail.passed()
    }
}

/// Bytes that a record of `size` bytes takes in an event.
fn wire_len(size: u32) -> u32 {
    (wire::KAFKA_RECORD_AROUND_LEN + wire::base64_len(u64::from(size))) as u32
}
