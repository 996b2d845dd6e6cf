//! Figures that only mappings of Kafka have: commits, errors by what failed, lag and consumers.

use super::{Backlog, Figure, MeanMax, Metric};
use crate::engine::{Delivery, Fact};
use serde::Serialize;

/// Figures of a mapping of Kafka, in CloudWatch's groups EventCount, ErrorCount and KafkaMetrics.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Default)]
#[serde(rename_all = "PascalCase")]
pub struct KafkaFigures {
    /// Records that stored offsets are beyond, those that the filters left out with them.
    pub committed_event_count: Figure,
    /// Times that records could not be fetched.
    pub polling_error_count: Figure,
    /// Batches that the function could not be given, or failed on.
    pub invoke_error_count: Figure,
    /// Invocation records that the on-failure destination refused for good.
    pub on_failure_destination_delivery_error_count: Figure,
    /// Times that an offset could not be stored.
    pub commit_error_count: Figure,
    /// Offsets between the committed one and the end of a partition, over partitions and measurements.
    pub offset_lag: MeanMax,
    /// The largest lag of the mapping's partitions, measurement by measurement.
    pub max_offset_lag: Backlog,
    /// The lag of all the mapping's partitions together, measurement by measurement.
    pub sum_offset_lag: Backlog,
    /// Consumers that the mapping wants (ProvisionedPollers of one with provisioned pollers), at the end of bins.
    pub consumers: MeanMax,
    /// Times that the group shared its partitions out.
    pub rebalances: Figure,
    /// Partitions that it took from one consumer for another.
    pub partitions_moved: Figure,
    /// Records that were read and left uncommitted, because their partition went to another consumer or theirs left.
    pub returned_event_count: Figure,
}

impl KafkaFigures {
    /// What a mapping has that does not read Kafka: no number holds a threshold.
    pub(super) fn unknown() -> Self {
        let nothing = Figure::new(f64::NAN, 0);
        let mut figures = Self::default();
        for (_, metric) in figures.metrics() {
            metric.visit(&mut |_, figure| *figure = nothing);
        }
        figures
    }

    /// Every metric with its name, in the order of the JSON document.
    pub fn metrics(&mut self) -> [(&'static str, Metric<'_>); 12] {
        use Metric::{Backlog, MeanMax, Total};
        [
            (
                "CommittedEventCount",
                Total(&mut self.committed_event_count),
            ),
            ("PollingErrorCount", Total(&mut self.polling_error_count)),
            ("InvokeErrorCount", Total(&mut self.invoke_error_count)),
            (
                "OnFailureDestinationDeliveryErrorCount",
                Total(&mut self.on_failure_destination_delivery_error_count),
            ),
            ("CommitErrorCount", Total(&mut self.commit_error_count)),
            ("OffsetLag", MeanMax(&mut self.offset_lag)),
            ("MaxOffsetLag", Backlog(&mut self.max_offset_lag)),
            ("SumOffsetLag", Backlog(&mut self.sum_offset_lag)),
            ("Consumers", MeanMax(&mut self.consumers)),
            ("Rebalances", Total(&mut self.rebalances)),
            ("PartitionsMoved", Total(&mut self.partitions_moved)),
            ("ReturnedEventCount", Total(&mut self.returned_event_count)),
        ]
    }
}

/// One bin of a mapping of Kafka.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct KafkaRow {
    /// Records that stored offsets came to be beyond.
    pub committed: u64,
    /// Failed fetches.
    pub polling_errors: u64,
    /// Invocations that failed or were refused.
    pub invoke_errors: u64,
    /// Invocation records that the destination refused for good.
    pub delivery_errors: u64,
    /// Failed commits.
    pub commit_errors: u64,
    /// The largest lag of a partition as last measured.
    pub max_lag: u64,
    /// The lag of all partitions as last measured.
    pub sum_lag: u64,
    /// Consumers wanted at the end of the bin.
    pub consumers: u32,
    /// Records that were read and left uncommitted.
    pub returned: u64,
    /// What the group did.
    pub group: GroupEnd,
}

/// What a consumer group knows of a bin, and its mapping does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct GroupEnd {
    /// Consumers in the group at the end of the bin.
    pub members: u32,
    /// Times that partitions were shared out.
    pub rebalances: u64,
    /// Partitions that were taken from one consumer for another.
    pub moved: u64,
}

/// Folds facts into rows and totals.
#[derive(Debug)]
pub(super) struct KafkaRecorder {
    row: KafkaRow,
    total: Totals,
}

#[derive(Debug, Default)]
struct Totals {
    row: KafkaRow,
    /// Lags of partitions, and how many.
    lags: (f64, u64),
    lag_max: u64,
    sum_lag_max: u64,
    consumers: (f64, u64),
    consumers_max: u32,
}

impl Default for KafkaRecorder {
    fn default() -> Self {
        // Rule `kafka-consumers-on-demand`: one at first, of which no fact tells.
        let row = KafkaRow {
            consumers: 1,
            ..KafkaRow::default()
        };
        Self {
            row,
            total: Totals::default(),
        }
    }
}

impl KafkaRecorder {
    /// Rule `kafka-error-counts`.
    #[inline]
    pub(super) fn observe(&mut self, fact: &Fact) {
        let row = &mut self.row;
        match *fact {
            Fact::InvokeEnded { outcome, .. } => {
                row.invoke_errors += u64::from(outcome.is_invoke_error());
            }
            Fact::Discarded {
                destination: Delivery::Refused,
                ..
            } => row.delivery_errors += 1,
            Fact::Committed { records, .. } => row.committed += records,
            Fact::PollFailed => row.polling_errors += 1,
            Fact::CommitFailed { .. } => row.commit_errors += 1,
            Fact::Returned { records, .. } => row.returned += u64::from(records),
            Fact::PartitionLag { offsets, .. } => {
                self.total.lags.0 += offsets as f64;
                self.total.lags.1 += 1;
                self.total.lag_max = self.total.lag_max.max(offsets);
            }
            Fact::Lag { max, sum } => {
                row.max_lag = max;
                row.sum_lag = sum;
                self.total.sum_lag_max = self.total.sum_lag_max.max(sum);
            }
            Fact::ConsumersChanged { consumers } => row.consumers = consumers,
            _ => {}
        }
    }

    /// Closes a bin.
    pub(super) fn roll(&mut self, group: GroupEnd) -> KafkaRow {
        let row = KafkaRow { group, ..self.row };
        let total = &mut self.total;
        total.row.committed += row.committed;
        total.row.polling_errors += row.polling_errors;
        total.row.invoke_errors += row.invoke_errors;
        total.row.delivery_errors += row.delivery_errors;
        total.row.commit_errors += row.commit_errors;
        total.row.returned += row.returned;
        total.row.group.rebalances += group.rebalances;
        total.row.group.moved += group.moved;
        total.consumers.0 += f64::from(row.consumers);
        total.consumers.1 += 1;
        total.consumers_max = total.consumers_max.max(row.consumers);
        self.row = KafkaRow {
            max_lag: row.max_lag,
            sum_lag: row.sum_lag,
            consumers: row.consumers,
            ..KafkaRow::default()
        };
        row
    }

    /// Forgets the totals at the end of the warm-up.
    pub(super) fn end_warm_up(&mut self) {
        self.total = Totals {
            lag_max: self.row.max_lag,
            sum_lag_max: self.row.sum_lag,
            ..Totals::default()
        };
    }

    pub(super) fn figures(&self) -> KafkaFigures {
        let Totals {
            row,
            lags,
            lag_max,
            sum_lag_max,
            consumers,
            consumers_max,
        } = &self.total;
        let mean = |(sum, count): (f64, u64)| Figure::new(sum / count as f64, 3);
        let backlog = |max, end| Backlog {
            max: Figure::count(max),
            end: Figure::count(end),
        };
        KafkaFigures {
            committed_event_count: Figure::count(row.committed),
            polling_error_count: Figure::count(row.polling_errors),
            invoke_error_count: Figure::count(row.invoke_errors),
            on_failure_destination_delivery_error_count: Figure::count(row.delivery_errors),
            commit_error_count: Figure::count(row.commit_errors),
            offset_lag: MeanMax {
                mean: mean(*lags),
                max: Figure::count(*lag_max),
            },
            max_offset_lag: backlog(*lag_max, self.row.max_lag),
            sum_offset_lag: backlog(*sum_lag_max, self.row.sum_lag),
            consumers: MeanMax {
                mean: mean(*consumers),
                max: Figure::count(u64::from(*consumers_max)),
            },
            rebalances: Figure::count(row.group.rebalances),
            partitions_moved: Figure::count(row.group.moved),
            returned_event_count: Figure::count(row.returned),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Condition, Outcome, ShardId, Span};
    use crate::metrics::facts::{discarded, ended};

    #[test]
    fn kafka_error_counts() {
        let mut recorder = KafkaRecorder::default();
        let throttled = Outcome::Throttled {
            retry_after: Span::ZERO,
        };
        for fact in [
            ended(3, Outcome::Success),
            ended(3, Outcome::Partial { first_failed: 1 }),
            ended(3, Outcome::FunctionError),
            ended(3, throttled),
            discarded(3, Condition::RetryAttemptsExhausted, Delivery::Delivered),
            discarded(3, Condition::RetryAttemptsExhausted, Delivery::Refused),
            Fact::PollFailed,
            Fact::PollFailed,
            Fact::CommitFailed { shard: ShardId(1) },
            Fact::Committed {
                shard: ShardId(1),
                records: 7,
            },
        ] {
            recorder.observe(&fact);
        }
        let row = recorder.roll(GroupEnd::default());
        assert_eq!((row.invoke_errors, row.delivery_errors), (2, 1));
        assert_eq!((row.polling_errors, row.commit_errors), (2, 1));
        let figures = recorder.figures();
        assert_eq!(figures.committed_event_count.value, 7.0);
        assert_eq!(figures.invoke_error_count.value, 2.0);
        assert_eq!(recorder.roll(GroupEnd::default()).committed, 0);
    }

    #[test]
    fn lag_is_kept_until_it_is_measured_again() {
        let mut recorder = KafkaRecorder::default();
        let lag = |shard, offsets| Fact::PartitionLag {
            shard: ShardId(shard),
            offsets,
        };
        for fact in [lag(0, 10), lag(1, 2), Fact::Lag { max: 10, sum: 12 }] {
            recorder.observe(&fact);
        }
        recorder.observe(&Fact::ConsumersChanged { consumers: 2 });
        assert_eq!(
            (
                recorder.roll(GroupEnd::default()).max_lag,
                recorder.roll(GroupEnd::default()).sum_lag
            ),
            (10, 12)
        );
        for fact in [lag(0, 0), lag(1, 4), Fact::Lag { max: 4, sum: 4 }] {
            recorder.observe(&fact);
        }
        recorder.roll(GroupEnd::default());
        let figures = recorder.figures();
        assert_eq!(
            (figures.offset_lag.mean.value, figures.offset_lag.max.value),
            (4.0, 10.0)
        );
        assert_eq!(figures.max_offset_lag.end.value, 4.0);
        assert_eq!(figures.sum_offset_lag.max.value, 12.0);
        assert_eq!(figures.consumers.mean.value, 2.0);
        recorder.end_warm_up();
        assert_eq!(recorder.figures().max_offset_lag.max.value, 4.0);
    }
}
