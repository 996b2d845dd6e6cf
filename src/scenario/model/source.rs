//! Event sources and who fills them.

use super::{Arrivals, Dist};
use crate::engine::{Ratio, SourceKind, Span};

/// A modelled event source.
#[derive(Clone, Debug)]
pub struct Source {
    /// Unique in the scenario.
    pub name: String,
    /// What it is and its own settings.
    pub kind: SourceModel,
    /// Who fills it.
    pub producers: Vec<Producer>,
    /// Time of a read or receive call that has something to return.
    pub latency: Dist,
    /// SQS: from a message's arrival until a receive that waits for it returns, with what has arrived by then. Kafka: from
    /// a record's arrival until a consumer has fetched it, which it does ahead of being asked; `latency` then has no part.
    /// Streams: from a record's arrival until a read can return it; drawn for each read. Pushes have their own propagation.
    /// `None` for sources without either.
    pub delivery: Option<Dist>,
}

/// The modelled services.
#[derive(Clone, Debug, PartialEq)]
pub enum SourceModel {
    /// A Kinesis stream or a DynamoDB stream.
    Stream(Stream),
    /// An SQS queue.
    Sqs {
        /// A FIFO queue: the keys of its messages are their message groups.
        is_fifo: bool,
        /// The queue's visibility timeout, 0 s to 12 h.
        visibility_timeout: Span,
        /// Receives after which a message goes to the dead-letter queue; `None` for no redrive policy.
        max_receive_count: Option<u32>,
    },
    /// A queue of RabbitMQ or ActiveMQ.
    Broker(BrokerQueue),
    /// A topic of Kafka.
    Kafka(Topic),
}

/// A modelled topic of Kafka.
#[derive(Clone, Debug, PartialEq)]
pub struct Topic {
    /// MSK or a self-managed cluster.
    pub kind: SourceKind,
    /// 1 or more.
    pub partitions: u32,
    /// How long records stay readable.
    pub retention: Span,
    /// How long partitions that move from one consumer to another are read by nobody.
    pub rebalance: Dist,
}

/// A modelled queue of a broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BrokerQueue {
    /// RabbitMQ or ActiveMQ.
    pub kind: SourceKind,
    /// Redeliveries of a message before it goes to the dead-letter queue instead; `None` for no limit.
    pub redeliveries_max: Option<u32>,
}

/// A modelled stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// Kinesis or DynamoDB.
    pub service: StreamService,
    /// Every shard that there will be, in the order in which they open.
    pub shards: Vec<Lifetime>,
    /// How long records stay readable.
    pub retention: Span,
    /// Kinesis: whether a shard refuses what is above its write limits.
    pub write_limits: bool,
    /// Whether a shard refuses reads above the limits that its readers share.
    pub read_limits: bool,
}

/// Whose stream it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamService {
    /// Amazon Kinesis Data Streams.
    Kinesis,
    /// Amazon DynamoDB Streams.
    DynamoDb,
}

/// A shard: which keys it takes, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lifetime {
    /// Smallest hash of its keys. Hashes have 64 bits here.
    pub first: u64,
    /// Largest hash of its keys.
    pub last: u64,
    /// When it begins to take records.
    pub opens: Span,
    /// When it takes no more; it stays readable.
    pub closes: Option<Span>,
    /// Indices of the shards that it follows.
    pub parents: Vec<u32>,
}

/// A producer of records or messages.
#[derive(Clone, Debug)]
pub struct Producer {
    /// When records arrive.
    pub arrivals: Arrivals,
    /// Payload size in bytes.
    pub size: Dist,
    /// Partition keys.
    pub keys: Keys,
    /// What it does with records that a shard refuses.
    pub on_throttle: OnThrottle,
}

/// What a producer does with records that are refused as above a shard's write limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum OnThrottle {
    /// Keeps them in order and writes each as soon as the shard takes it; gives up after
    /// [`KINESIS_PRODUCER_TTL`](crate::engine::limits::KINESIS_PRODUCER_TTL).
    #[default]
    Retry,
    /// Gives them up.
    Drop,
}

/// How partition keys are chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Keys {
    /// Every record has its own key.
    Unique,
    /// Key of rank k with chance proportional to k^-s.
    Zipf {
        /// Number of keys, 1 to 10,000,000.
        n: u32,
        /// Skew, at least 0 (0 is even).
        s: f64,
    },
    /// A share of the records goes to a few keys alike, every other record has its own key.
    Hot {
        /// Chance that a record has one of the hot keys.
        share: Ratio,
        /// Number of hot keys, 1 to 10,000.
        keys: u32,
    },
}
