//! One membership of a group, from subscription to leaving.

use super::super::CallError;
use super::access::Access;
use super::context::{Context, partitions_of};
use super::offsets::{Start, raw};
use super::trouble::call_error;
use rdkafka::consumer::base_consumer::PartitionQueue;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaResult;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// A client of librdkafka's, and what it has in hand.
///
/// Every partition has a queue of its own, so that rebalances and errors are heard of, and librdkafka sees that it is
/// polled, while no records are wanted: what is not taken is the credit that librdkafka fetches by.
pub(super) struct Session {
    topic: Arc<str>,
    wake: Arc<Notify>,
    pub(super) queues: BTreeMap<u32, PartitionQueue<Context>>,
    /// Taken away by the group, and not given up yet: librdkafka waits.
    pub(super) leaving: Vec<u32>,
    /// Given by the group, and not taken yet: librdkafka waits.
    pub(super) assigning: Option<Vec<u32>>,
    pub(super) consumer: Arc<BaseConsumer<Context>>,
}

impl Session {
    pub(super) fn open(
        access: Access,
        mapping: &Arc<str>,
        topic: &Arc<str>,
        wake: &Arc<Notify>,
    ) -> Result<Self, CallError> {
        let failed = |error| call_error("Subscribe", &error);
        let context = Context::new(mapping.clone(), access.tokens);
        let mut consumer: BaseConsumer<Context> =
            access.config.create_with_context(context).map_err(failed)?;
        let waker = wake.clone();
        consumer.set_nonempty_callback(move || waker.notify_one());
        consumer.subscribe(&[topic]).map_err(failed)?;
        Ok(Self {
            topic: topic.clone(),
            wake: wake.clone(),
            queues: BTreeMap::new(),
            leaving: Vec::new(),
            assigning: None,
            consumer: Arc::new(consumer),
        })
    }

    pub(super) fn context(&self) -> &Arc<Context> {
        self.consumer.context()
    }

    /// Whether the partition is this member's, be it only for a little while longer.
    pub(super) fn has(&self, partition: u32) -> bool {
        self.queues.contains_key(&partition) || self.leaving.contains(&partition)
    }

    /// Runs librdkafka's callbacks. Returns whether a record came, which then has bypassed its queue.
    pub(super) fn poll(&self) -> bool {
        matches!(self.consumer.poll(Duration::ZERO), Some(Ok(_)))
    }

    /// Takes what the group has given.
    pub(super) fn assign(&mut self, starts: &[Start]) -> KafkaResult<()> {
        self.assigning = None;
        let mut list = TopicPartitionList::new();
        for start in starts {
            let offset = i64::try_from(start.offset).unwrap_or(i64::MAX);
            list.add_partition_offset(&self.topic, raw(start.partition), Offset::Offset(offset))?;
            // Before the first record is fetched, or it would come by the common queue.
            let queue = self
                .consumer
                .split_partition_queue(&self.topic, raw(start.partition));
            if let Some(mut queue) = queue {
                let waker = self.wake.clone();
                queue.set_nonempty_callback(move || waker.notify_one());
                self.queues.insert(start.partition, queue);
            }
        }
        let result = self.consumer.incremental_assign(&list);
        if result.is_err() {
            for start in starts {
                self.queues.remove(&start.partition);
            }
        }
        result
    }

    /// Gives `partitions` up.
    pub(super) fn unassign(&mut self, partitions: &[u32]) -> KafkaResult<()> {
        for partition in partitions {
            self.queues.remove(partition);
        }
        self.consumer.incremental_unassign(&self.list(partitions))
    }

    fn list(&self, partitions: &[u32]) -> TopicPartitionList {
        let mut list = TopicPartitionList::new();
        for &partition in partitions {
            list.add_partition(&self.topic, raw(partition));
        }
        list
    }

    /// Whether somebody else may have the partitions already.
    pub(super) fn is_lost(&self) -> bool {
        self.consumer.assignment_lost()
    }

    /// What librdkafka believes to be assigned, where it is in doubt.
    pub(super) fn assigned(&self) -> Vec<u32> {
        let list = self.consumer.assignment();
        list.map(|list| partitions_of(&list)).unwrap_or_default()
    }
}

impl Drop for Session {
    /// Leaves the group, which takes up to some seconds. A rebalance that librdkafka waits for is answered first, or it
    /// would wait for ever.
    fn drop(&mut self) {
        self.context().close();
        self.queues.clear();
        let leaving = std::mem::take(&mut self.leaving);
        if !leaving.is_empty() {
            drop(self.unassign(&leaving));
        }
        if self.assigning.take().is_some() {
            drop(self.consumer.incremental_assign(&TopicPartitionList::new()));
        }
    }
}
