//! Kafka: what its mappings ask of their consumers, and what comes back.

use crate::engine::response::{QueueAnswer, read_kafka};
use crate::engine::{
    Action, BatchId, Control, Delivery, Event, Fact, Mapping, Outcome, ShardId, Time,
};
use crate::poll::Witness;
use crate::poll::counters::add;
use crate::poll::effects::{Input, Io};
use crate::poll::feed::Feed;
use crate::source::Payload;
use crate::source::kafka::Events;
use crate::target::Reply;
use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;
use tokio::task::JoinError;

/// The next thing that the consumers have to say; never ends for other sources.
pub(crate) async fn next(events: &mut Option<Events>) -> Event<Payload> {
    match events {
        // The feed keeps a sender for as long as the mapping runs.
        Some(events) => match events.recv().await {
            Some(event) => event,
            None => std::future::pending().await,
        },
        None => std::future::pending().await,
    }
}

/// Which consumer has which partition. One that goes from consumer to consumer may be given before it is taken away.
#[derive(Debug, Default)]
pub(crate) struct Partitions {
    owners: BTreeMap<ShardId, u32>,
}

impl Partitions {
    fn assigned(&mut self, poller: u32, shard: ShardId) {
        self.owners.insert(shard, poller);
    }

    /// Those of `shards` that nobody has once this consumer has not.
    fn left(&mut self, poller: u32, shards: &[ShardId]) -> impl Iterator<Item = ShardId> {
        shards.iter().copied().filter(move |shard| {
            let is_its = self.owners.get(shard) == Some(&poller);
            is_its && self.owners.remove(shard).is_some()
        })
    }

    /// Those that nobody has once this consumer has left the group.
    fn all_left(&mut self, poller: u32) -> Vec<ShardId> {
        let left = self.owners.extract_if(.., |_, owner| *owner == poller);
        left.map(|(shard, _)| shard).collect()
    }
}

impl Io {
    /// Something that has come already.
    pub(crate) fn next_input(&mut self) -> Option<Result<Input, JoinError>> {
        let input = self.tasks.try_join_next();
        input.or_else(|| {
            let event = self.events.as_mut()?.try_recv().ok()?;
            Some(Ok(Input::Event(event)))
        })
    }

    /// Gives partitions that are heard of for the first time their names, and shows those that the mapping has.
    pub(crate) fn hear_of_partitions(&mut self, now: Time, event: &Event<Payload>) {
        let Feed::Kafka(kafka) = &self.feed else {
            return;
        };
        let last = match event {
            Event::Control(Control::Assigned { shards, .. }) => {
                // A group that has just come about is no sign of an idle source.
                self.tally.last_records = now;
                shards.iter().map(|shard| shard.id.0).max()
            }
            Event::Measured { ends, .. } => ends.iter().map(|(shard, _)| shard.0).max(),
            _ => None,
        };
        if let Some(last) = last {
            self.book
                .name_partitions(kafka.topic(), last.saturating_add(1));
        }
        match event {
            Event::Control(Control::Assigned { poller, shards }) => {
                for shard in shards {
                    self.partitions.assigned(*poller, shard.id);
                    let name = self.book.name(shard.id);
                    self.panel.begins(shard.id, name, shard.from);
                }
            }
            Event::Control(Control::Lost { poller, shards }) => {
                let left = self.partitions.left(*poller, shards);
                left.for_each(|shard| self.panel.leaves(shard));
            }
            _ => {}
        }
    }

    /// Counts what only Kafka has. Rule `kafka-error-counts`.
    pub(crate) fn count_kafka(&mut self, fact: &Fact) {
        if !matches!(self.feed, Feed::Kafka(_)) {
            return;
        }
        let counters = &self.counters;
        match *fact {
            Fact::InvokeEnded { outcome, .. } if outcome.is_invoke_error() => {
                add(&counters.invoke_errors, 1);
            }
            Fact::Discarded {
                destination: Delivery::Refused,
                ..
            } => add(&counters.delivery_errors, 1),
            Fact::Committed { records, .. } => add(&counters.committed, records),
            Fact::PollFailed => add(&counters.polling_errors, 1),
            Fact::CommitFailed { .. } => add(&counters.commit_errors, 1),
            Fact::Lag { max, sum } => {
                counters.offset_lag_max.fetch_max(max, Relaxed);
                let before = std::mem::replace(&mut self.tally.lag, sum);
                // In this order the total never goes below zero.
                counters.offset_lag_sum.fetch_add(sum, Relaxed);
                counters.offset_lag_sum.fetch_sub(before, Relaxed);
                tracing::debug!(
                    mapping = %self.name, MaxOffsetLag = max, SumOffsetLag = sum, "lag was measured"
                );
            }
            _ => {}
        }
    }

    /// Rule `kafka-function-config-error`: a function that is not there, or may not be called, makes the mapping unable to
    /// work until it answers; it is called again all the while, with the back-off of a failed call.
    pub(crate) fn note_function(&self, reply: &Reply) {
        const REASON: &str = "FUNCTION_CONFIG_NOT_VALID";
        let (states, mapping) = (&self.counters.states, &self.name);
        if reply.is_misconfigured {
            if states.enter(mapping, Witness::Function, REASON) {
                add(&self.counters.error_states, 1);
                tracing::error!(
                    mapping = %mapping, function = %self.function_name, StateTransitionReason = REASON,
                    "the function cannot be invoked"
                );
            }
        } else if reply.outcome != Outcome::ServiceError && states.leave(mapping, Witness::Function)
        {
            tracing::info!(mapping = %mapping, was = REASON, "the function can be invoked again");
        }
    }

    /// Passes on what is meant for consumers; the rest comes back.
    ///
    /// Rule `kafka-commit-is-the-checkpoint`: the group's committed offset is all that is stored.
    pub(crate) fn tell_kafka(
        &mut self,
        mapping: &mut Mapping<Payload>,
        action: Action,
    ) -> Option<Action> {
        let Feed::Kafka(kafka) = &self.feed else {
            return Some(action);
        };
        match action {
            Action::Receive {
                token,
                poller,
                records_max,
                wait,
                held,
            } => {
                let records = mapping.spare_list();
                let draining = self.draining.subscribe();
                kafka.receive(poller, token, (records_max, wait), held, records, draining);
            }
            Action::Yield {
                token,
                poller,
                shards,
            } => {
                let left = self.partitions.left(poller, &shards);
                left.for_each(|shard| self.panel.leaves(shard));
                kafka.yield_partitions(poller, token);
            }
            Action::Leave { token, poller } => {
                for shard in self.partitions.all_left(poller) {
                    self.panel.leaves(shard);
                }
                kafka.leave(poller, token);
            }
            Action::Measure { token } => kafka.measure(token),
            Action::Checkpoint {
                token,
                shard,
                delta,
                ..
            } => {
                let offset = delta.to.offset();
                let offset = offset.unwrap_or_else(|| panic!("{:?} is no offset", delta.to));
                kafka.commit(token, shard, offset);
            }
            other => return Some(other),
        }
        None
    }

    /// What the answer to an invocation of a Kafka mapping means.
    pub(crate) fn judge_kafka(
        &self,
        mapping: &Mapping<Payload>,
        batch: BatchId,
        reply: &Reply,
    ) -> QueueAnswer {
        if reply.outcome != Outcome::Success {
            return QueueAnswer::All(reply.outcome);
        }
        let reports = mapping.config().report_batch_item_failures;
        let records = mapping.batch(batch);
        // Most answers name nothing: records are looked through only when one does.
        let mut numbers: Option<BTreeMap<(&str, u64), u32>> = None;
        read_kafka(&reply.body, reports, |partition, offset| {
            let numbers = numbers.get_or_insert_with(|| {
                let named = records.iter().zip(0..).map(|(record, number)| {
                    let shard = ShardId(u32::try_from(record.meta.group).unwrap_or(u32::MAX));
                    let name: &str = self.book.name(shard);
                    ((name, record.meta.seq.low_u64()), number)
                });
                named.collect()
            });
            numbers.get(&(partition, offset)).copied()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_that_another_consumer_was_given_first_is_still_there() {
        let mut partitions = Partitions::default();
        for shard in 0..3 {
            partitions.assigned(0, ShardId(shard));
        }
        partitions.assigned(1, ShardId(2));
        let lost: Vec<ShardId> = partitions.left(0, &[ShardId(1), ShardId(2)]).collect();
        assert_eq!(lost, [ShardId(1)]);
        assert_eq!(partitions.left(0, &[ShardId(1)]).count(), 0, "once only");
        assert_eq!(partitions.all_left(1), [ShardId(2)]);
        assert_eq!(partitions.all_left(0), [ShardId(0)]);
    }
}
