//! Scripted sources: small, obvious, and as kind or unkind as the world says.

pub(super) mod broker;
pub(super) mod function;
pub(super) mod kafka;
pub(super) mod leases;
pub(super) mod sqs;
pub(super) mod stream;

use super::world::Part;

/// A record in the hands of a mapping: which one, and which time it was handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tag {
    pub(super) record: u32,
    pub(super) era: u32,
}

/// What reads ask.
#[derive(Debug)]
pub(super) enum Source {
    Stream(stream::Stream),
    Queue(sqs::Sqs),
    Broker(broker::Broker),
    Kafka(kafka::Kafka),
}

impl Source {
    pub(super) fn new(part: &Part) -> Self {
        let kind = part.kind;
        if kind.is_stream() {
            Self::Stream(stream::Stream::new(part))
        } else if kind.is_kafka() {
            Self::Kafka(kafka::Kafka::new(part))
        } else if kind.is_broker() {
            Self::Broker(broker::Broker::new(part))
        } else {
            Self::Queue(sqs::Sqs::new(part))
        }
    }
}

/// Records by shard, in order, and the numbers that they have there.
#[derive(Debug)]
pub(super) struct Lists {
    pub(super) of: Vec<Vec<u32>>,
    /// Sequence number or offset of every record.
    pub(super) number: Vec<u64>,
    /// Place of every record in its shard's list.
    pub(super) place: Vec<usize>,
}

impl Lists {
    pub(super) fn new(part: &Part) -> Self {
        let is_kafka = part.kind.is_kafka();
        let mut lists = Self {
            of: vec![Vec::new(); part.shards.len()],
            number: Vec::with_capacity(part.records.len()),
            place: Vec::with_capacity(part.records.len()),
        };
        for (index, record) in part.records.iter().enumerate() {
            let list = &mut lists.of[record.shard as usize];
            let last = list.last().map(|last| *last as usize);
            let last = last.map(|last| (part.records[last].at, lists.number[last]));
            let number = match last {
                // What one aggregate holds arrives at once.
                Some((at, last)) if record.glued && !is_kafka && at == record.at => last,
                Some((_, last)) => last + 1,
                None => u64::from(!is_kafka),
            };
            lists.place.push(list.len());
            lists.number.push(number);
            list.push(index as u32);
        }
        lists
    }
}
