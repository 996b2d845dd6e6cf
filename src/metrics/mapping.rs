//! Folds the facts of one mapping into its series and its summary.

use super::histogram::Histogram;
use super::kafka::KafkaRecorder;
use super::shards::ShardLevels;
use super::{
    Backlog, DeadLetterReasons, DeadLetters, Figure, GroupEnd, LastResult, MappingRow,
    MappingSeries, MappingSummary, MeanMax, Percentiles,
};
use crate::engine::{Delivery, Fact, Outcome, ShardId, SourceKind, Span, Time, limits};

/// Counts and ages of one mapping. Bins are rolled by whoever owns the clock.
#[derive(Debug, Default)]
pub struct MappingRecorder {
    bin: MappingRow,
    age_max: Option<u64>,
    limit: u32,
    last_result: LastResult,
    total: Totals,
    rows: Vec<MappingRow>,
    shards: ShardLevels,
    kafka: KafkaRecorder,
}

#[derive(Debug, Default)]
struct Totals {
    row: MappingRow,
    batches: u64,
    age: Histogram,
    latency: Histogram,
    batch: Histogram,
    backlog_max: u64,
    in_hand_max: u64,
    in_flight_max: u64,
    oldest: Oldest,
}

/// Ages of a queue's oldest message, one at the end of each bin, ms.
#[derive(Clone, Copy, Debug, Default)]
struct Oldest {
    sum: f64,
    max: f64,
    bins: u64,
}

impl Oldest {
    fn add(&mut self, age: f64) {
        if age.is_finite() {
            self.sum += age;
            self.max = self.max.max(age);
            self.bins += 1;
        }
    }

    /// No number for a stream.
    fn figures(self) -> MeanMax {
        let max = if self.bins > 0 { self.max } else { f64::NAN };
        MeanMax {
            mean: Figure::new(self.sum / self.bins as f64, 3),
            max: Figure::new(max, 3),
        }
    }
}

/// What the facts of a bin do not tell.
#[derive(Clone, Copy, Debug, Default)]
pub struct BinEnd {
    /// Records that arrived during the bin.
    pub incoming: u64,
    /// Messages that left for the dead-letter queue during the bin.
    pub dead_letters: DeadLetters,
    /// Messages that became visible again during the bin while they were gathered or worked on.
    pub visible_too_early: u64,
    /// Brokers: deliveries during the bin of messages that had been delivered before.
    pub redelivered: u64,
    /// Messages of the queue that are in flight at its end.
    pub in_flight: u64,
    /// Queues: age of the oldest message at its end, zero without any.
    pub oldest_age: Option<Span>,
    /// Records waiting at the source at its end.
    pub backlog: u64,
    /// Records read and not finished at its end.
    pub in_hand: u64,
    /// Records that producers could not write at once.
    pub writes_throttled: u64,
    /// Of these, records that were given up.
    pub writes_lost: u64,
    /// Records that were older than the stream's retention when their turn came.
    pub trimmed: u64,
    /// Reads that the source refused.
    pub reads_throttled: u64,
    /// Kafka: what the group did.
    pub group: GroupEnd,
}

impl MappingRecorder {
    /// Counts a fact.
    #[inline]
    pub fn observe(&mut self, now: Time, fact: Fact) {
        self.last_result.observe(&fact);
        self.kafka.observe(&fact);
        let bin = &mut self.bin;
        match fact {
            Fact::Polled {
                records, filtered, ..
            } => {
                // Rule `filtered-counts`: what the filters left out was polled all the same.
                bin.polled += u64::from(records);
                bin.filtered += u64::from(filtered);
                bin.reads += 1;
                bin.empty_reads += u64::from(records == 0);
            }
            Fact::InvokeSent {
                shard,
                records,
                attempt,
                last_arrival,
                ..
            } => {
                bin.invoked += u64::from(records);
                self.total.batches += 1;
                self.total.batch.record(u64::from(records));
                // Rule `iterator-age-at-send`. The final call of a window may have no record.
                if records > 0 {
                    let age = now.since(last_arrival).as_nanos();
                    self.total.age.record(age);
                    self.age_max = self.age_max.max(Some(age));
                    if let Some(shard) = shard {
                        let first = if attempt == 1 { records } else { 0 };
                        self.shards.show(shard, age, u64::from(first));
                    }
                }
            }
            Fact::InvokeEnded {
                records,
                succeeded,
                outcome,
                ..
            } => {
                // Rule `event-count-conservation`: whatever was read ends once, here or as discarded.
                bin.succeeded += u64::from(succeeded);
                bin.throttled += u64::from(matches!(outcome, Outcome::Throttled { .. }));
                // Rule `failed-invoke-counts-whole-batches`: a partial failure counts all of its records.
                if succeeded < records || matches!(outcome, Outcome::Partial { .. }) {
                    bin.failed += u64::from(records);
                }
            }
            Fact::Deleted { records } => {
                bin.deleted += u64::from(records);
                let calls = records.div_ceil(limits::SQS_CALL_MESSAGES_MAX);
                bin.delete_calls += u64::from(calls);
            }
            Fact::Discarded {
                records,
                destination,
                ..
            } => match destination {
                // Rule `dropped-or-delivered`.
                Delivery::NoDestination => bin.dropped += u64::from(records),
                Delivery::Delivered => bin.diverted += u64::from(records),
                Delivery::Refused => {
                    bin.dropped += u64::from(records);
                    bin.destination_failures += 1;
                }
            },
            Fact::Oversized { records } => bin.oversized += u64::from(records),
            Fact::ConcurrencyChanged { limit } => self.limit = limit,
            Fact::WindowClosed { early, .. } => {
                bin.windows_closed += 1;
                bin.windows_early += u64::from(early);
            }
            Fact::Returned { .. }
            | Fact::Checkpointed { .. }
            | Fact::Committed { .. }
            | Fact::PollFailed
            | Fact::CommitFailed { .. }
            | Fact::PartitionLag { .. }
            | Fact::Lag { .. }
            | Fact::ConsumersChanged { .. }
            | Fact::CallFailed { .. }
            | Fact::ShardStarted { .. }
            | Fact::ShardEnded { .. } => {}
        }
    }

    /// The source refused a receive.
    pub fn receive_refused(&mut self) {
        self.bin.reads_throttled += 1;
    }

    /// How far a partition's committed offset is behind its end when the bin ends, and how many records the bin brought it.
    #[inline]
    pub fn lag(&mut self, shard: ShardId, lag: u64, records: u64) {
        self.shards
            .show(shard, lag.saturating_mul(1_000_000), records);
    }

    /// A receive found as many messages in flight as the queue allows.
    pub fn over_limit(&mut self) {
        self.bin.over_limit += 1;
    }

    /// A record is done, `latency` nanoseconds after the record arrived.
    #[inline]
    pub fn succeeded(&mut self, latency: u64) {
        self.total.latency.record(latency);
    }

    /// Closes a bin.
    pub fn roll(&mut self, end: BinEnd) {
        self.shards.roll();
        let row = MappingRow {
            incoming: end.incoming,
            dead_letters: end.dead_letters,
            visible_too_early: end.visible_too_early,
            redelivered: end.redelivered,
            in_flight: end.in_flight,
            oldest_age: end.oldest_age.map_or(f64::NAN, Span::as_millis_f64),
            backlog: end.backlog,
            in_hand: end.in_hand,
            writes_throttled: end.writes_throttled,
            writes_lost: end.writes_lost,
            trimmed: end.trimmed,
            reads_throttled: self.bin.reads_throttled + end.reads_throttled,
            age_max: self.age_max.map_or(f64::NAN, |age| age as f64 / 1e6),
            concurrency_limit: self.limit,
            kafka: self.kafka.roll(end.group),
            ..self.bin
        };
        self.rows.push(row);
        let total = &mut self.total.row;
        total.incoming += row.incoming;
        total.polled += row.polled;
        total.invoked += row.invoked;
        total.failed += row.failed;
        total.filtered += row.filtered;
        total.succeeded += row.succeeded;
        total.dropped += row.dropped;
        total.diverted += row.diverted;
        total.destination_failures += row.destination_failures;
        total.windows_closed += row.windows_closed;
        total.windows_early += row.windows_early;
        total.deleted += row.deleted;
        total.delete_calls += row.delete_calls;
        total.dead_letters += row.dead_letters;
        total.visible_too_early += row.visible_too_early;
        total.redelivered += row.redelivered;
        total.oversized += row.oversized;
        total.reads += row.reads;
        total.empty_reads += row.empty_reads;
        total.over_limit += row.over_limit;
        total.throttled += row.throttled;
        total.writes_throttled += row.writes_throttled;
        total.writes_lost += row.writes_lost;
        total.trimmed += row.trimmed;
        total.reads_throttled += row.reads_throttled;
        total.backlog = row.backlog;
        total.in_hand = row.in_hand;
        total.in_flight = row.in_flight;
        self.total.oldest.add(row.oldest_age);
        self.total.in_flight_max = self.total.in_flight_max.max(row.in_flight);
        self.total.backlog_max = self.total.backlog_max.max(row.backlog);
        self.total.in_hand_max = self.total.in_hand_max.max(row.in_hand);
        self.bin = MappingRow::default();
        self.age_max = None;
    }

    /// Forgets the totals at the end of the warm-up; rows stay. Call it right after a roll.
    pub fn end_warm_up(&mut self) {
        let MappingRow {
            backlog,
            in_hand,
            in_flight,
            ..
        } = self.total.row;
        self.total = Totals {
            backlog_max: backlog,
            in_hand_max: in_hand,
            in_flight_max: in_flight,
            ..Totals::default()
        };
        self.total.row.backlog = backlog;
        self.total.row.in_hand = in_hand;
        self.total.row.in_flight = in_flight;
        self.kafka.end_warm_up();
    }

    /// The series so far of the mapping `name`.
    pub fn take_series(&mut self, name: &str, source: SourceKind) -> MappingSeries {
        let (shards, other_shards) = std::mem::take(&mut self.shards).into_series();
        MappingSeries {
            name: name.to_owned(),
            function: String::new(),
            stream: source.is_stream(),
            kafka: source.is_kafka(),
            in_flight_limit: match source {
                SourceKind::Sqs => limits::SQS_IN_FLIGHT_MAX,
                _ => 0,
            },
            rows: std::mem::take(&mut self.rows),
            shards,
            other_shards,
        }
    }

    /// Records delivered in the measured part, each delivery counted.
    pub const fn invoked(&self) -> u64 {
        self.total.row.invoked
    }

    /// The figures of the measured part.
    pub fn summary(&self, source: SourceKind) -> MappingSummary {
        let total = &self.total;
        MappingSummary {
            source_type: source.name().to_owned(),
            last_processing_result: (!source.is_queue())
                .then(|| self.last_result.text().to_owned()),
            incoming_records: Figure::count(total.row.incoming),
            polled_event_count: Figure::count(total.row.polled),
            invoked_event_count: Figure::count(total.row.invoked),
            filtered_out_event_count: Figure::count(total.row.filtered),
            failed_invoke_event_count: Figure::count(total.row.failed),
            succeeded_event_count: Figure::count(total.row.succeeded),
            dropped_event_count: Figure::count(total.row.dropped),
            on_failure_destination_delivered_event_count: Figure::count(total.row.diverted),
            destination_delivery_failures: Figure::count(total.row.destination_failures),
            deleted_event_count: Figure::count(total.row.deleted),
            // Messages of a broker are acknowledged one by one, or all up to one.
            delete_calls: Figure::count(match source.is_broker() {
                true => 0,
                false => total.row.delete_calls,
            }),
            dead_lettered: Figure::count(total.row.dead_letters.all()),
            dead_letter_reasons: DeadLetterReasons::of(&total.row.dead_letters),
            visible_too_early: Figure::count(total.row.visible_too_early),
            redelivered: Figure::count(total.row.redelivered),
            oversized_record_count: Figure::count(total.row.oversized),
            batches: Figure::count(total.batches),
            throttled_batches: Figure::count(total.row.throttled),
            windows_closed: Figure::count(total.row.windows_closed),
            windows_terminated_early: Figure::count(total.row.windows_early),
            reads: Figure::count(total.row.reads),
            empty_reads: Figure::count(total.row.empty_reads),
            iterator_age: Percentiles::of_nanos(&total.age),
            record_latency: Percentiles::of_nanos(&total.latency),
            batch_records: Percentiles::of_counts(&total.batch),
            backlog: Backlog {
                max: Figure::count(total.backlog_max),
                end: Figure::count(total.row.backlog),
            },
            in_hand: Backlog {
                max: Figure::count(total.in_hand_max),
                end: Figure::count(total.row.in_hand),
            },
            approximate_number_of_messages_not_visible: Backlog {
                max: Figure::count(total.in_flight_max),
                end: Figure::count(total.row.in_flight),
            },
            approximate_age_of_oldest_message: total.oldest.figures(),
            write_throttles: Figure::count(total.row.writes_throttled),
            writes_lost: Figure::count(total.row.writes_lost),
            trimmed_records: Figure::count(total.row.trimmed),
            read_throttles: Figure::count(total.row.reads_throttled),
            over_limit_receives: Figure::count(total.row.over_limit),
            kafka: source.is_kafka().then(|| self.kafka.figures()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Condition, Span, Token};
    use crate::metrics::facts::{discarded, ended};

    fn row(facts: &[Fact]) -> MappingRow {
        let mut recorder = MappingRecorder::default();
        for fact in facts {
            recorder.observe(Time::from_secs(1), *fact);
        }
        recorder.roll(BinEnd::default());
        recorder.take_series("m", SourceKind::Kinesis).rows[0]
    }

    #[test]
    fn failed_invoke_counts_whole_batches() {
        let failures = [
            (Outcome::FunctionError, 0),
            (Outcome::Partial { first_failed: 4 }, 4),
            (Outcome::Rejected, 0),
            (Outcome::TooLarge, 0),
            (Outcome::ServiceError, 0),
            (
                Outcome::Throttled {
                    retry_after: Span::ZERO,
                },
                0,
            ),
        ];
        for (outcome, succeeded) in failures {
            let row = row(&[ended(10, outcome)]);
            assert_eq!((row.failed, row.succeeded), (10, succeeded), "{outcome:?}");
        }
        for outcome in [Outcome::Success, Outcome::StateTooLarge] {
            let row = row(&[ended(10, outcome)]);
            assert_eq!((row.failed, row.succeeded), (0, 10), "{outcome:?}");
        }
    }

    #[test]
    fn dropped_or_delivered() {
        let counts = |destination| {
            let row = row(&[discarded(3, Condition::RetryAttemptsExhausted, destination)]);
            (row.dropped, row.diverted, row.destination_failures)
        };
        assert_eq!(counts(Delivery::NoDestination), (3, 0, 0));
        assert_eq!(counts(Delivery::Delivered), (0, 3, 0));
        assert_eq!(counts(Delivery::Refused), (3, 0, 1));
    }

    #[test]
    fn a_final_call_without_records_has_no_age() {
        let mut recorder = MappingRecorder::default();
        let sent = |records| Fact::InvokeSent {
            shard: None,
            token: Token(0),
            records,
            attempt: 1,
            first_arrival: Time::ZERO,
            last_arrival: Time::from_secs(1),
        };
        recorder.observe(Time::from_secs(60), sent(0));
        recorder.observe(Time::from_secs(3), sent(2));
        recorder.roll(BinEnd::default());
        let summary = recorder.summary(SourceKind::Kinesis);
        assert_eq!(summary.iterator_age.max.value, 2_000.0);
        assert_eq!(summary.batches.value, 2.0);
    }
}
