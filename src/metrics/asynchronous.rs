//! Figures of asynchronous invocation, which are part of a function's.

use super::histogram::Histogram;
use super::{Backlog, Figure, Metric, Percentiles};
use crate::engine::Span;
use crate::engine::lambda::{AsyncCondition, Ended};
use serde::Serialize;

/// Figures of a function's asynchronous events, over all of its queues. Names are CloudWatch's where it has one.
#[derive(Clone, Debug, Serialize, Default)]
#[serde(rename_all = "PascalCase")]
pub struct AsyncSummary {
    /// Events that callers were told are queued.
    pub async_events_received: Figure,
    /// Age of events when they were invoked, each try counted, ms.
    pub async_event_age: Percentiles,
    /// Events that ended without success, whoever was told of them.
    pub async_events_dropped: Figure,
    /// Of these, events of which neither a destination nor a dead-letter queue was told.
    pub async_events_lost: Figure,
    /// Ends by condition, AWS's names.
    pub async_conditions: AsyncConditions,
    /// Tries that were scheduled because the function failed.
    pub async_retries: Figure,
    /// Events that the queue delivered a second time by itself.
    pub async_duplicates: Figure,
    /// Invocation records that destinations took.
    pub destination_deliveries: DestinationDeliveries,
    /// Invocation records that a destination refused.
    pub destination_delivery_failures: Figure,
    /// Events that the dead-letter queue took.
    pub dead_letters_delivered: Figure,
    /// Events that the dead-letter queue refused.
    pub dead_letter_errors: Figure,
    /// Events in the queue, those that wait for a retry included, at the end of bins.
    pub async_backlog: Backlog,
}

/// Ends of events by condition.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Default)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the field names are AWS's conditions")]
pub struct AsyncConditions {
    pub success: Figure,
    pub retries_exhausted: Figure,
    pub event_age_exceeded: Figure,
    pub zero_reserved_concurrency: Figure,
}

/// Invocation records by destination.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Default)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the field names are AWS's parameters")]
pub struct DestinationDeliveries {
    pub on_success: Figure,
    pub on_failure: Figure,
}

impl AsyncSummary {
    /// Every metric with its name, in the order of the JSON document.
    pub(super) fn metrics(&mut self) -> [(&'static str, Metric<'_>); 16] {
        use Metric::{Distribution, Total};
        let by = &mut self.async_conditions;
        [
            (
                "AsyncEventsReceived",
                Total(&mut self.async_events_received),
            ),
            ("AsyncEventAge", Distribution(&mut self.async_event_age)),
            ("AsyncEventsDropped", Total(&mut self.async_events_dropped)),
            ("AsyncEventsLost", Total(&mut self.async_events_lost)),
            ("AsyncConditions.Success", Total(&mut by.success)),
            (
                "AsyncConditions.RetriesExhausted",
                Total(&mut by.retries_exhausted),
            ),
            (
                "AsyncConditions.EventAgeExceeded",
                Total(&mut by.event_age_exceeded),
            ),
            (
                "AsyncConditions.ZeroReservedConcurrency",
                Total(&mut by.zero_reserved_concurrency),
            ),
            ("AsyncRetries", Total(&mut self.async_retries)),
            ("AsyncDuplicates", Total(&mut self.async_duplicates)),
            (
                "DestinationDeliveries.OnSuccess",
                Total(&mut self.destination_deliveries.on_success),
            ),
            (
                "DestinationDeliveries.OnFailure",
                Total(&mut self.destination_deliveries.on_failure),
            ),
            (
                "DestinationDeliveryFailures",
                Total(&mut self.destination_delivery_failures),
            ),
            (
                "DeadLettersDelivered",
                Total(&mut self.dead_letters_delivered),
            ),
            ("DeadLetterErrors", Total(&mut self.dead_letter_errors)),
            ("AsyncBacklog", Metric::Backlog(&mut self.async_backlog)),
        ]
    }
}

/// One bin of a function's asynchronous events.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct AsyncRow {
    /// Events that were queued.
    pub received: u64,
    /// Tries that began.
    pub invoked: u64,
    /// Events that ended in success.
    pub succeeded: u64,
    /// Events that ended without.
    pub dropped: u64,
    /// Of these, events of which nobody was told.
    pub lost: u64,
    /// Tries that were scheduled because the function failed.
    pub retries: u64,
    /// Events that the queue delivered a second time by itself.
    pub duplicates: u64,
    /// Invocation records that destinations took.
    pub delivered: u64,
    /// Invocation records that they refused.
    pub delivery_failures: u64,
    /// Events that the dead-letter queue took.
    pub dead_lettered: u64,
    /// Events that it refused.
    pub dead_letter_errors: u64,
    /// Events in the queue at the end of the bin.
    pub backlog: u64,
    /// Mean age of events when they were invoked, ms; `NaN` when none was.
    pub age_mean: f64,
    /// Largest such age, ms.
    pub age_max: f64,
}

/// What became of the messages about an event that is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// The destination took its record, or refused it; `None` when there is none.
    pub destination: Option<bool>,
    /// The same for the dead-letter queue.
    pub dead_letter: Option<bool>,
}

/// Folds the events of one function into rows and a summary.
#[derive(Debug, Default)]
pub struct AsyncRecorder {
    bin: AsyncRow,
    ages: u128,
    age_max: Span,
    rows: Vec<AsyncRow>,
    total: Totals,
}

#[derive(Debug, Default)]
struct Totals {
    sum: AsyncRow,
    conditions: [u64; 4],
    on_success: u64,
    on_failure: u64,
    age: Histogram,
    backlog_max: u64,
}

impl AsyncRecorder {
    /// An event was queued.
    pub fn received(&mut self) {
        self.bin.received += 1;
    }

    /// The queue made a copy of an event.
    pub fn duplicated(&mut self) {
        self.bin.duplicates += 1;
    }

    /// A try begins, so long after the event was accepted.
    pub fn invoked(&mut self, age: Span) {
        self.bin.invoked += 1;
        self.ages += u128::from(age.as_nanos());
        self.age_max = self.age_max.max(age);
        self.total.age.record(age.as_nanos());
    }

    /// The function failed, and the event will be tried again.
    pub fn retry(&mut self) {
        self.bin.retries += 1;
    }

    /// An event is over.
    pub fn ended<E>(&mut self, end: &Ended<E>, told: Told) {
        self.total.conditions[end.condition as usize] += 1;
        let succeeded = end.condition == AsyncCondition::Success;
        if succeeded {
            self.bin.succeeded += 1;
        } else {
            self.bin.dropped += 1;
            let somebody = [told.destination, told.dead_letter].contains(&Some(true));
            self.bin.lost += u64::from(!somebody);
        }
        match told.destination {
            Some(true) if succeeded => self.total.on_success += 1,
            Some(true) => self.total.on_failure += 1,
            Some(false) => self.bin.delivery_failures += 1,
            None => {}
        }
        self.bin.delivered += u64::from(told.destination == Some(true));
        match told.dead_letter {
            Some(true) => self.bin.dead_lettered += 1,
            Some(false) => self.bin.dead_letter_errors += 1,
            None => {}
        }
    }

    /// Closes the bin, at whose end so many events are in the queue.
    pub fn roll(&mut self, backlog: u64) {
        let row = AsyncRow {
            backlog,
            age_mean: self.ages as f64 / self.bin.invoked as f64 / 1e6,
            age_max: if self.bin.invoked > 0 {
                self.age_max.as_millis_f64()
            } else {
                f64::NAN
            },
            ..self.bin
        };
        self.rows.push(row);
        let sum = &mut self.total.sum;
        for (sum, count) in [
            (&mut sum.received, row.received),
            (&mut sum.dropped, row.dropped),
            (&mut sum.lost, row.lost),
            (&mut sum.retries, row.retries),
            (&mut sum.duplicates, row.duplicates),
            (&mut sum.delivery_failures, row.delivery_failures),
            (&mut sum.dead_lettered, row.dead_lettered),
            (&mut sum.dead_letter_errors, row.dead_letter_errors),
        ] {
            *sum += count;
        }
        self.total.backlog_max = self.total.backlog_max.max(backlog);
        self.bin = AsyncRow::default();
        self.ages = 0;
        self.age_max = Span::ZERO;
    }

    /// Forgets the totals at the end of the warm-up; rows stay. Call it right after a roll.
    pub fn end_warm_up(&mut self) {
        self.total = Totals::default();
    }

    /// The series so far.
    pub fn take_rows(&mut self) -> Vec<AsyncRow> {
        std::mem::take(&mut self.rows)
    }

    /// The figures since the warm-up, with the backlog at the end.
    pub fn summary(&self, backlog: u64) -> AsyncSummary {
        let sum = &self.total.sum;
        let [
            success,
            retries_exhausted,
            event_age_exceeded,
            zero_reserved_concurrency,
        ] = self.total.conditions.map(Figure::count);
        AsyncSummary {
            async_events_received: Figure::count(sum.received),
            async_event_age: Percentiles::of_nanos(&self.total.age),
            async_events_dropped: Figure::count(sum.dropped),
            async_events_lost: Figure::count(sum.lost),
            async_conditions: AsyncConditions {
                success,
                retries_exhausted,
                event_age_exceeded,
                zero_reserved_concurrency,
            },
            async_retries: Figure::count(sum.retries),
            async_duplicates: Figure::count(sum.duplicates),
            destination_deliveries: DestinationDeliveries {
                on_success: Figure::count(self.total.on_success),
                on_failure: Figure::count(self.total.on_failure),
            },
            destination_delivery_failures: Figure::count(sum.delivery_failures),
            dead_letters_delivered: Figure::count(sum.dead_lettered),
            dead_letter_errors: Figure::count(sum.dead_letter_errors),
            async_backlog: Backlog {
                max: Figure::count(self.total.backlog_max),
                end: Figure::count(backlog),
            },
        }
    }
}
