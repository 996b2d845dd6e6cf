//! Counting what the engine says.

use crate::engine::{Delivery, Fact, Outcome, Time};
use crate::poll::counters::add;
use crate::poll::effects::Io;
use crate::poll::feed::Feed;
use crate::poll::leases::News;
use crate::poll::observer::Observed;

/// What the mapping has in hand.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    /// Records that were read and are not finished or returned.
    pub(crate) outstanding: u64,
    /// When records last came.
    pub(crate) last_records: Time,
    /// Unanswered listings of shards.
    pub(crate) listings: u32,
    /// Kafka: this mapping's part of the lag of all.
    pub(crate) lag: u64,
}

impl Io {
    /// Counts what happened, and logs what people want to know.
    pub(crate) fn count(&mut self, now: Time, fact: Fact) {
        if let Some(observer) = &self.observer {
            observer.see(Observed {
                mapping: self.name.clone(),
                started: self.clock.started(),
                at: now,
                fact,
            });
        }
        self.count_kafka(&fact);
        let counters = &self.counters;
        match fact {
            Fact::Polled {
                shard,
                records,
                filtered,
                ..
            } if records > 0 => {
                add(&counters.polled, u64::from(records));
                add(&counters.filtered, u64::from(filtered));
                self.tally.outstanding += u64::from(records);
                self.tally.last_records = now;
                // A stream is done with what its filters left out; a queue when that is deleted.
                if shard.is_some() || matches!(self.feed, Feed::Kafka(_)) {
                    self.finished(filtered);
                }
            }
            Fact::InvokeSent {
                token,
                shard,
                records,
                ..
            } => {
                self.sending.extend(shard.map(|shard| (token, shard)));
                add(&counters.invoked, u64::from(records));
                add(&counters.invocations, 1);
            }
            Fact::InvokeEnded {
                records,
                succeeded,
                outcome,
                ..
            } => {
                match outcome {
                    Outcome::Success | Outcome::StateTooLarge | Outcome::ServiceError => {}
                    // The function returned: it reported failures, and had none itself.
                    Outcome::Partial { .. } | Outcome::Rejected => {
                        add(&counters.failed, u64::from(records));
                    }
                    Outcome::FunctionError | Outcome::TooLarge => {
                        add(&counters.errors, 1);
                        add(&counters.failed, u64::from(records));
                    }
                    Outcome::Throttled { .. } => add(&counters.throttles, 1),
                }
                // A queue's messages are finished when they are deleted or returned.
                if self.feed.has_shards() || matches!(self.feed, Feed::Kafka(_)) {
                    self.finished(succeeded);
                }
            }
            Fact::Deleted { records } => {
                add(&counters.deleted, u64::from(records));
                self.finished(records);
            }
            Fact::Returned { records, cause } => {
                add(&counters.returned, u64::from(records));
                self.tally.outstanding -= u64::from(records);
                tracing::debug!(mapping = %self.name, records, ?cause, "messages are left to their visibility timeout");
            }
            Fact::Discarded {
                shard,
                records,
                condition,
                invoke_count,
                first,
                last,
                destination,
            } => {
                tracing::warn!(
                    mapping = %self.name, shard = %self.book.name(shard), records, invoke_count, ?destination,
                    condition = condition.name(), first = %first.seq, last = %last.seq, "records were given up"
                );
                add(&counters.discarded, u64::from(records));
                match destination {
                    Delivery::NoDestination => {}
                    Delivery::Delivered => add(&counters.diverted, u64::from(records)),
                    Delivery::Refused => add(&counters.destination_failures, 1),
                }
                self.finished(records);
            }
            Fact::Oversized { records } => {
                add(&counters.discarded, u64::from(records));
                self.finished(records);
                tracing::warn!(mapping = %self.name, records, "messages that no event can hold were dropped");
            }
            Fact::CallFailed { .. } => add(&counters.call_failures, 1),
            Fact::ConcurrencyChanged { limit } => {
                tracing::debug!(mapping = %self.name, limit, "concurrency changed");
            }
            Fact::ShardStarted { shard } => {
                tracing::debug!(mapping = %self.name, shard = %self.book.name(shard), "shard started");
            }
            Fact::ShardEnded { shard } => {
                tracing::info!(mapping = %self.name, shard = %self.book.name(shard), "shard ended");
                if self.leases.is_some() {
                    let name = self.book.name(shard).clone();
                    self.lease_news.push(News::Ended(name));
                }
            }
            Fact::ConsumersChanged { consumers } => {
                tracing::debug!(mapping = %self.name, consumers, "consumers wanted");
            }
            Fact::Polled { .. }
            | Fact::Checkpointed { .. }
            | Fact::Committed { .. }
            | Fact::PollFailed
            | Fact::CommitFailed { .. }
            | Fact::PartitionLag { .. }
            | Fact::Lag { .. }
            | Fact::WindowClosed { .. } => {}
        }
    }

    fn finished(&mut self, records: u32) {
        self.tally.outstanding -= u64::from(records);
        add(&self.counters.finished, u64::from(records));
    }
}
