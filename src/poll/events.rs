//! Totals of asynchronous events, as CloudWatch names them.

use crate::engine::Span;
use crate::engine::lambda::AsyncCondition;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Totals over all queues of asynchronous events since the run began. Updated by their reader.
#[derive(Debug, Default)]
pub struct EventCounters {
    received: AtomicU64,
    dropped: AtomicU64,
    delivered: AtomicU64,
    delivery_failures: AtomicU64,
    dead_lettered: AtomicU64,
    dead_letter_errors: AtomicU64,
    unfinished: AtomicU64,
    ages: AtomicU64,
    age_sum_micros: AtomicU64,
    age_max_nanos: AtomicU64,
}

/// What [`EventCounters`] have come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventTotals {
    /// Events that were queued (AsyncEventsReceived).
    pub received: u64,
    /// Events that ended without success, whoever was told of them (AsyncEventsDropped).
    pub dropped: u64,
    /// Invocation records that a destination took.
    pub delivered: u64,
    /// Invocation records that a destination did not take (DestinationDeliveryFailures).
    pub delivery_failures: u64,
    /// Events that the dead-letter queue took.
    pub dead_lettered: u64,
    /// Events that the dead-letter queue did not take (DeadLetterErrors).
    pub dead_letter_errors: u64,
    /// Events that were queued and are not over, or whose destination is not told yet. At the end of a run these are lost.
    pub unfinished: u64,
    /// The mean AsyncEventAge: time from being queued until the function was invoked, each try counted.
    pub age_mean: Span,
    /// The largest AsyncEventAge.
    pub age_max: Span,
}

impl EventCounters {
    /// An event was queued.
    pub(crate) fn received(&self) {
        self.received.fetch_add(1, Relaxed);
        self.unfinished.fetch_add(1, Relaxed);
    }

    /// The function was invoked with an event of this age.
    pub(crate) fn invoked(&self, age: Span) {
        self.ages.fetch_add(1, Relaxed);
        let micros = age.as_nanos() / 1_000;
        self.age_sum_micros.fetch_add(micros, Relaxed);
        self.age_max_nanos.fetch_max(age.as_nanos(), Relaxed);
    }

    /// An event, or a copy of one, is over.
    pub(crate) fn ended(&self, condition: AsyncCondition) {
        if condition != AsyncCondition::Success {
            self.dropped.fetch_add(1, Relaxed);
        }
    }

    /// A destination was told, or would not hear it.
    pub(crate) fn told(&self, took: bool) {
        let counter = if took {
            &self.delivered
        } else {
            &self.delivery_failures
        };
        counter.fetch_add(1, Relaxed);
    }

    /// A dead-letter queue took an event, or refused it.
    pub(crate) fn buried(&self, took: bool) {
        let counter = if took {
            &self.dead_lettered
        } else {
            &self.dead_letter_errors
        };
        counter.fetch_add(1, Relaxed);
    }

    /// Nothing more is to be done for an event.
    pub(crate) fn finished(&self) {
        self.unfinished.fetch_sub(1, Relaxed);
    }

    /// The totals so far.
    pub fn totals(&self) -> EventTotals {
        let get = |counter: &AtomicU64| counter.load(Relaxed);
        let mean = get(&self.age_sum_micros) / get(&self.ages).max(1);
        EventTotals {
            received: get(&self.received),
            dropped: get(&self.dropped),
            delivered: get(&self.delivered),
            delivery_failures: get(&self.delivery_failures),
            dead_lettered: get(&self.dead_lettered),
            dead_letter_errors: get(&self.dead_letter_errors),
            unfinished: get(&self.unfinished),
            age_mean: Span::from_nanos(mean.saturating_mul(1_000)),
            age_max: Span::from_nanos(get(&self.age_max_nanos)),
        }
    }

    /// What a line of totals says of events: nothing if there were none.
    pub(super) fn append_to(&self, line: &mut String) {
        let totals = self.totals();
        if totals.received == 0 {
            return;
        }
        for (name, count) in [
            ("events received", totals.received),
            ("unfinished", totals.unfinished),
            ("dropped", totals.dropped),
            ("delivery failures", totals.delivery_failures),
            ("dead-letter errors", totals.dead_letter_errors),
        ] {
            let _ = write!(line, " {name} {count}");
        }
    }
}
