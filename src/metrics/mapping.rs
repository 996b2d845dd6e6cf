//! Folds the facts of one mapping into its series and its summary.

use super::histogram::Histogram;
use super::shards::ShardAges;
use super::{Backlog, Figure, MappingRow, MappingSeries, MappingSummary, Percentiles};
use crate::engine::{Delivery, Fact, Outcome, Time};

/// Counts and ages of one mapping. Bins are rolled by whoever owns the clock.
#[derive(Debug, Default)]
pub struct MappingRecorder {
    bin: MappingRow,
    age_max: Option<u64>,
    limit: u32,
    total: Totals,
    rows: Vec<MappingRow>,
    shards: ShardAges,
}

/// What happened at the source of a mapping during a bin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SourceBin {
    /// Records that were written.
    pub incoming: u64,
    /// Messages that left for the dead-letter queue.
    pub dead_lettered: u64,
    /// Records that wait at its end.
    pub backlog: u64,
    /// Records that producers could not write at once.
    pub writes_throttled: u64,
    /// Of these, records that were given up.
    pub writes_lost: u64,
    /// Records that were older than the stream's retention.
    pub trimmed: u64,
    /// Reads that were refused.
    pub reads_throttled: u64,
}

#[derive(Debug, Default)]
struct Totals {
    row: MappingRow,
    batches: u64,
    reads: u64,
    empty_reads: u64,
    age: Histogram,
    latency: Histogram,
    batch: Histogram,
    backlog_max: u64,
}

impl MappingRecorder {
    /// Counts a fact.
    #[inline]
    pub fn observe(&mut self, now: Time, fact: Fact) {
        let bin = &mut self.bin;
        match fact {
            Fact::Polled {
                records, filtered, ..
            } => {
                bin.polled += u64::from(records);
                bin.filtered += u64::from(filtered);
                self.total.reads += 1;
                self.total.empty_reads += u64::from(records == 0);
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
                // Rule `iterator-age-at-send`.
                let age = now.since(last_arrival).as_nanos();
                self.total.age.record(age);
                self.age_max = self.age_max.max(Some(age));
                if let Some(shard) = shard {
                    let first = if attempt == 1 { records } else { 0 };
                    self.shards.sent(shard, age, first);
                }
            }
            Fact::InvokeEnded {
                records, outcome, ..
            } => match outcome {
                Outcome::Success | Outcome::StateTooLarge => {}
                Outcome::Throttled { .. } => {
                    bin.throttled += 1;
                    bin.failed += u64::from(records);
                }
                // Rule `failed-invoke-counts-whole-batches`: a partial failure counts all of its records.
                Outcome::FunctionError
                | Outcome::ServiceError
                | Outcome::TooLarge
                | Outcome::Rejected
                | Outcome::Partial { .. } => {
                    bin.failed += u64::from(records);
                }
            },
            Fact::Deleted { records } => bin.deleted += u64::from(records),
            Fact::Discarded {
                records,
                destination,
                ..
            } => match destination {
                Delivery::NoDestination => bin.dropped += u64::from(records),
                Delivery::Delivered => bin.diverted += u64::from(records),
                Delivery::Refused => {
                    bin.dropped += u64::from(records);
                    bin.destination_failures += 1;
                }
            },
            Fact::ConcurrencyChanged { limit } => self.limit = limit,
            Fact::Returned { .. }
            | Fact::WindowClosed { .. }
            | Fact::Checkpointed { .. }
            | Fact::CallFailed { .. }
            | Fact::ShardStarted { .. }
            | Fact::ShardEnded { .. } => {}
        }
    }

    /// A record's batch ended in success, `latency` nanoseconds after the record arrived.
    #[inline]
    pub fn succeeded(&mut self, latency: u64) {
        self.total.latency.record(latency);
    }

    /// Closes a bin, in which `source` happened.
    pub fn roll(&mut self, source: SourceBin) {
        self.shards.roll();
        let row = MappingRow {
            incoming: source.incoming,
            dead_lettered: source.dead_lettered,
            backlog: source.backlog,
            writes_throttled: source.writes_throttled,
            writes_lost: source.writes_lost,
            trimmed: source.trimmed,
            reads_throttled: source.reads_throttled,
            age_max: self.age_max.map_or(f64::NAN, |age| age as f64 / 1e6),
            concurrency_limit: self.limit,
            ..self.bin
        };
        self.rows.push(row);
        let total = &mut self.total.row;
        total.incoming += row.incoming;
        total.polled += row.polled;
        total.invoked += row.invoked;
        total.failed += row.failed;
        total.filtered += row.filtered;
        total.dropped += row.dropped;
        total.diverted += row.diverted;
        total.destination_failures += row.destination_failures;
        total.deleted += row.deleted;
        total.dead_lettered += row.dead_lettered;
        total.throttled += row.throttled;
        total.writes_throttled += row.writes_throttled;
        total.writes_lost += row.writes_lost;
        total.trimmed += row.trimmed;
        total.reads_throttled += row.reads_throttled;
        total.backlog = row.backlog;
        self.total.backlog_max = self.total.backlog_max.max(row.backlog);
        self.bin = MappingRow::default();
        self.age_max = None;
    }

    /// Forgets the totals at the end of the warm-up; rows stay. Call it right after a roll.
    pub fn end_warm_up(&mut self) {
        let backlog = self.total.row.backlog;
        self.total = Totals::default();
        self.total.row.backlog = backlog;
        self.total.backlog_max = backlog;
    }

    /// The series so far of the mapping `name`.
    pub fn take_series(&mut self, name: &str, stream: bool) -> MappingSeries {
        let (shards, other_shards) = std::mem::take(&mut self.shards).into_series();
        MappingSeries {
            name: name.to_owned(),
            stream,
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
    pub fn summary(&self, source_type: &str) -> MappingSummary {
        let total = &self.total;
        MappingSummary {
            source_type: source_type.to_owned(),
            incoming_records: Figure::count(total.row.incoming),
            polled_event_count: Figure::count(total.row.polled),
            invoked_event_count: Figure::count(total.row.invoked),
            filtered_out_event_count: Figure::count(total.row.filtered),
            failed_invoke_event_count: Figure::count(total.row.failed),
            dropped_event_count: Figure::count(total.row.dropped),
            on_failure_destination_delivered_event_count: Figure::count(total.row.diverted),
            deleted_event_count: Figure::count(total.row.deleted),
            dead_lettered: Figure::count(total.row.dead_lettered),
            batches: Figure::count(total.batches),
            throttled_batches: Figure::count(total.row.throttled),
            reads: Figure::count(total.reads),
            empty_reads: Figure::count(total.empty_reads),
            iterator_age: Percentiles::of_nanos(&total.age),
            record_latency: Percentiles::of_nanos(&total.latency),
            batch_records: Percentiles::of_counts(&total.batch),
            backlog: Backlog {
                max: Figure::count(total.backlog_max),
                end: Figure::count(total.row.backlog),
            },
            write_throttles: Figure::count(total.row.writes_throttled),
            writes_lost: Figure::count(total.row.writes_lost),
            trimmed_records: Figure::count(total.row.trimmed),
            read_throttles: Figure::count(total.row.reads_throttled),
        }
    }
}
