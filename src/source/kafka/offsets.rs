//! Questions to the cluster that block: where partitions start, and how far they reach.

use super::context::Context;
use crate::engine::{Position, Seq, ShardId};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How long one question may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Where a partition starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Start {
    pub(super) partition: u32,
    /// Offset of the first record to read.
    pub(super) offset: u64,
    /// What LATEST has come to mean, and nobody has stored yet.
    pub(super) is_new: bool,
}

/// What LATEST meant when each partition was first asked for.
pub(super) type Latest = Mutex<BTreeMap<u32, u64>>;

/// The number in librdkafka's terms.
pub(super) fn raw(partition: u32) -> i32 {
    i32::try_from(partition).unwrap_or(i32::MAX)
}

/// Where `partitions` start.
///
/// Rule `kafka-committed-offset-wins`: at the group's committed offset, if there is one. Rule `kafka-starting-position`:
/// otherwise TRIM_HORIZON is the oldest record, AT_TIMESTAMP the first one that is not older (the end if there is
/// none), LATEST the end of the partition when this process first saw it.
pub(super) fn starts(
    consumer: &BaseConsumer<Context>,
    topic: &str,
    partitions: &[u32],
    position: Position,
    latest: &Latest,
) -> KafkaResult<Vec<Start>> {
    let mut asked = TopicPartitionList::new();
    for &partition in partitions {
        asked.add_partition(topic, raw(partition));
    }
    let committed = numbers(&consumer.committed_offsets(asked, TIMEOUT)?)?;
    let mut found = Vec::with_capacity(partitions.len());
    let mut open = Vec::new();
    for &partition in partitions {
        match committed.get(&partition).copied().flatten() {
            Some(offset) => found.push(Start {
                partition,
                offset,
                is_new: false,
            }),
            None => open.push(partition),
        }
    }
    if open.is_empty() {
        return Ok(found);
    }
    let resolved = match position {
        Position::At(time) => {
            let millis = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
            let mut at = look_up(consumer, topic, &open, Offset::Offset(millis))?;
            let beyond: Vec<u32> = open
                .iter()
                .copied()
                .filter(|partition| !at.contains_key(partition))
                .collect();
            if !beyond.is_empty() {
                at.extend(look_up(consumer, topic, &beyond, Offset::End)?);
            }
            at
        }
        Position::Latest => {
            let mut at = look_up(consumer, topic, &open, Offset::End)?;
            let mut latest = latest.lock().unwrap_or_else(PoisonError::into_inner);
            for (partition, offset) in &mut at {
                *offset = *latest.entry(*partition).or_insert(*offset);
            }
            at
        }
        Position::Horizon | Position::After(_) | Position::End => {
            look_up(consumer, topic, &open, Offset::Beginning)?
        }
    };
    for partition in open {
        let offset = resolved.get(&partition).copied();
        found.push(Start {
            partition,
            offset: offset.ok_or(KafkaError::OffsetFetch(RDKafkaErrorCode::NoOffset))?,
            is_new: position == Position::Latest,
        });
    }
    Ok(found)
}

/// The end of every partition of the topic: behind the last record that a reader of committed transactions may see.
pub(super) fn ends(
    consumer: &BaseConsumer<Context>,
    topic: &str,
) -> KafkaResult<Vec<(ShardId, Seq)>> {
    let metadata = consumer.fetch_metadata(Some(topic), TIMEOUT)?;
    let listed = metadata
        .topics()
        .iter()
        .find(|found| found.name() == topic)
        .map_or(&[][..], |found| found.partitions());
    let mut partitions: Vec<u32> = listed
        .iter()
        .filter_map(|partition| u32::try_from(partition.id()).ok())
        .collect();
    partitions.sort_unstable();
    let ends = look_up(consumer, topic, &partitions, Offset::End)?;
    Ok(ends
        .into_iter()
        .map(|(partition, end)| (ShardId(partition), Seq::from(end)))
        .collect())
}

/// Stores offsets for the group and waits until the cluster has them. The client tells the result of all partitions
/// together; what a group may be refused concerns all of them.
pub(super) fn commit(
    consumer: &BaseConsumer<Context>,
    topic: &str,
    offsets: &BTreeMap<u32, u64>,
) -> KafkaResult<()> {
    let mut list = TopicPartitionList::new();
    for (&partition, &offset) in offsets {
        let offset = i64::try_from(offset).unwrap_or(i64::MAX);
        list.add_partition_offset(topic, raw(partition), Offset::Offset(offset))?;
    }
    consumer.commit(&list, CommitMode::Sync)
}

/// One question for all partitions: the offset of a time, or one of the two ends, which have numbers like times.
fn look_up(
    consumer: &BaseConsumer<Context>,
    topic: &str,
    partitions: &[u32],
    what: Offset,
) -> KafkaResult<BTreeMap<u32, u64>> {
    if partitions.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut asked = TopicPartitionList::new();
    for &partition in partitions {
        asked.add_partition_offset(topic, raw(partition), what)?;
    }
    let found = numbers(&consumer.offsets_for_times(asked, TIMEOUT)?)?;
    let known = found
        .into_iter()
        .filter_map(|(partition, offset)| Some((partition, offset?)));
    Ok(known.collect())
}

/// The offsets of a list, `None` where there is none.
fn numbers(list: &TopicPartitionList) -> KafkaResult<BTreeMap<u32, Option<u64>>> {
    let mut found = BTreeMap::new();
    for element in list.elements() {
        element.error()?;
        let offset = match element.offset() {
            Offset::Offset(offset) => u64::try_from(offset).ok(),
            _ => None,
        };
        let partition = u32::try_from(element.partition());
        found.extend(partition.map(|partition| (partition, offset)));
    }
    Ok(found)
}
