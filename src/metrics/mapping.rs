//! Folds the facts of one mapping into its series and its summary.

use super::histogram::Histogram;
use super::{Backlog, Figure, MappingRow, MappingSummary, Percentiles};
use crate::engine::{Delivery, Fact, Outcome, Time};

/// Counts and ages of one mapping. Bins are rolled by whoever owns the clock.
#[derive(Debug, Default)]
pub struct MappingRecorder {
    bin: MappingRow,
    age_max: Option<u64>,
    limit: u32,
    total: Totals,
    rows: Vec<MappingRow>,
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
                // Rule `filtered-counts`: what the filters left out was polled all the same.
                bin.polled += u64::from(records);
                bin.filtered += u64::from(filtered);
                self.total.reads += 1;
                self.total.empty_reads += u64::from(records == 0);
            }
            Fact::InvokeSent {
                records,
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

    /// Closes a bin. `incoming` records arrived and `dead_lettered` messages left for the dead-letter
    /// queue during it; `backlog` records wait at its end.
    pub fn roll(&mut self, incoming: u64, dead_lettered: u64, backlog: u64) {
        let row = MappingRow {
            incoming,
            dead_lettered,
            backlog,
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
        total.backlog = backlog;
        self.total.backlog_max = self.total.backlog_max.max(backlog);
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

    /// The series so far.
    pub fn take_rows(&mut self) -> Vec<MappingRow> {
        std::mem::take(&mut self.rows)
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
        }
    }
}
