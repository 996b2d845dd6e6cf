//! What a run is judged by, from its ledger.

use super::ledger::Ledger;
use crate::engine::{Outcome, Span, Time};
use crate::metrics::Histogram;

/// What was meant to happen, on the clock of the ledger.
#[derive(Clone, Debug)]
pub(crate) struct Plan<'a> {
    /// When the load began.
    pub(crate) start: Time,
    /// When each record was due, from there on.
    pub(crate) due: &'a [Span],
    /// What is measured, from there on; `None` for a backlog, which is measured as a whole.
    pub(crate) window: Option<(Span, Span)>,
    /// Mean size of a payload, bytes.
    pub(crate) bytes: f64,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hops {
    /// Records per second that the function answered for.
    pub(crate) per_sec: f64,
    /// The same in bytes of payload.
    pub(crate) bytes_per_sec: f64,
    /// From when a record was due until it was sent to the function, nanoseconds; nothing for a backlog.
    pub(crate) sent: Histogram,
    /// Until the function had answered.
    pub(crate) answered: Histogram,
    /// Age of the newest record of each batch when it was sent: what CloudWatch calls IteratorAge.
    pub(crate) age: Histogram,
    /// Records of each batch.
    pub(crate) batch: Histogram,
    /// Invocations at once: mean over the measured time, and most.
    pub(crate) concurrency: f64,
    pub(crate) concurrency_max: u64,
    /// Duration and records of each invocation that succeeded.
    pub(crate) durations: Vec<(u64, u32)>,
    /// Invocations that failed.
    pub(crate) failed: u64,
    /// Invocations that were refused.
    pub(crate) refused: u64,
    /// Records that were sent again.
    pub(crate) repeated: u64,
    /// Records that the function never answered for.
    pub(crate) missing: u64,
}

impl Hops {
    /// Throughput and concurrency are those of the measured time; latencies those of the records that were due in it,
    /// however much later they came.
    pub(crate) fn of(plan: &Plan<'_>, ledger: &Ledger) -> Self {
        let (from, to) = plan.bounds(ledger);
        let within = |at: Time| from <= at && at < to;
        let secs = to.since(from).as_secs_f64().max(1e-9);
        let mut hops = Self {
            repeated: ledger.repeated,
            ..Self::default()
        };
        let mut answered = 0_u64;
        for (number, due) in plan.due.iter().enumerate() {
            let due = plan.start + *due;
            let end = ledger.answered[number];
            hops.missing += u64::from(end.is_none());
            let counts = match plan.window {
                Some(_) => end.is_some_and(within),
                // The last answer is the end of the measured time and belongs to it.
                None => end.is_some(),
            };
            answered += u64::from(counts);
            if plan.window.is_none() || !within(due) {
                continue;
            }
            if let Some(sent) = ledger.sent[number] {
                hops.sent.record(sent.since(due).as_nanos());
            }
            if let Some(end) = end {
                hops.answered.record(end.since(due).as_nanos());
            }
        }
        let mut edges = Vec::new();
        let mut busy = 0;
        for batch in &ledger.batches {
            let (begin, end) = (batch.sent.max(from), batch.answered.min(to));
            if end > begin {
                busy += end.since(begin).as_nanos();
                edges.extend([(begin, 1), (end, -1)]);
            }
            if !within(batch.sent) {
                continue;
            }
            hops.batch.record(u64::from(batch.records));
            let took = batch.answered.since(batch.sent).as_nanos();
            match batch.outcome {
                Outcome::Success => hops.durations.push((took, batch.records)),
                Outcome::Throttled { .. } => hops.refused += 1,
                _ => hops.failed += 1,
            }
            if plan.window.is_some()
                && let Some(newest) = batch.newest
            {
                let due = plan.start + plan.due[newest];
                hops.age.record(batch.sent.since(due).as_nanos());
            }
        }
        hops.per_sec = answered as f64 / secs;
        hops.bytes_per_sec = hops.per_sec * plan.bytes;
        hops.concurrency = busy as f64 / 1e9 / secs;
        hops.concurrency_max = most(edges);
        hops
    }
}

impl Plan<'_> {
    /// The measured time. A backlog's is from the first sending to the last answer.
    fn bounds(&self, ledger: &Ledger) -> (Time, Time) {
        if let Some((from, to)) = self.window {
            return (self.start + from, self.start + to);
        }
        let sent = ledger.batches.iter().map(|batch| batch.sent).min();
        let answered = ledger.batches.iter().map(|batch| batch.answered).max();
        (sent.unwrap_or(self.start), answered.unwrap_or(self.start))
    }
}

/// The largest sum of steps up to any moment; what ends at a moment makes room for what begins at it.
fn most(mut edges: Vec<(Time, i64)>) -> u64 {
    edges.sort_unstable();
    let mut level = 0;
    let mut most = 0;
    for (_, step) in edges {
        level += step;
        most = most.max(level);
    }
    u64::try_from(most).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::super::ledger::Batch;
    use super::*;
    use proptest::prelude::*;

    /// A consumer that takes one record at a time, `service` each, and stands still between two moments.
    fn consumed(due: &[Span], service: Span, stall: (Span, Span)) -> Ledger {
        let mut ledger = Ledger::new(due.len());
        let mut free = Time::ZERO;
        for (number, due) in due.iter().enumerate() {
            let mut sent = free.max(Time::ZERO + *due);
            if sent >= Time::ZERO + stall.0 && sent < Time::ZERO + stall.1 {
                sent = Time::ZERO + stall.1;
            }
            free = sent + service;
            ledger.sent[number] = Some(sent);
            ledger.answered[number] = Some(free);
            ledger.batches.push(Batch {
                sent,
                answered: free,
                outcome: Outcome::Success,
                records: 1,
                newest: Some(number),
            });
        }
        ledger
    }

    fn even(per_sec: u64, secs: u64) -> Vec<Span> {
        (0..per_sec * secs)
            .map(|number| Span::from_nanos(number * 1_000_000_000 / per_sec))
            .collect()
    }

    fn plan(due: &[Span], secs: u64) -> Plan<'_> {
        Plan {
            start: Time::ZERO,
            due,
            window: Some((Span::ZERO, Span::from_secs(secs))),
            bytes: 100.0,
        }
    }

    #[test]
    fn a_steady_consumer_has_steady_figures() {
        let due = even(100, 10);
        let ledger = consumed(&due, Span::from_millis(5), (Span::ZERO, Span::ZERO));
        let hops = Hops::of(&plan(&due, 10), &ledger);
        assert_eq!((hops.per_sec, hops.bytes_per_sec), (100.0, 10_000.0));
        assert!((hops.concurrency - 0.5).abs() < 1e-9);
        assert_eq!((hops.concurrency_max, hops.missing), (1, 0));
        assert_eq!(hops.sent.max(), 0);
        assert_eq!(hops.answered.max(), 5_000_000);
        assert_eq!(hops.durations, vec![(5_000_000, 1); 1_000]);
    }

    #[test]
    fn what_never_came_is_missing_and_no_latency() {
        let due = even(10, 1);
        let mut ledger = consumed(&due, Span::from_millis(1), (Span::ZERO, Span::ZERO));
        ledger.sent[3] = None;
        ledger.answered[3] = None;
        let hops = Hops::of(&plan(&due, 1), &ledger);
        assert_eq!((hops.missing, hops.answered.count()), (1, 9));
        assert_eq!(hops.per_sec, 9.0);
    }

    #[test]
    fn a_backlog_is_measured_from_its_first_sending_to_its_last_answer() {
        let due = vec![Span::ZERO; 50];
        let ledger = consumed(&due, Span::from_millis(20), (Span::ZERO, Span::ZERO));
        let hops = Hops::of(
            &Plan {
                window: None,
                ..plan(&due, 1)
            },
            &ledger,
        );
        assert!((hops.per_sec - 50.0).abs() < 1e-6, "{}", hops.per_sec);
        // From when a backlog was meant to be sent says nothing about the poller.
        assert_eq!(hops.answered.count(), 0);
    }

    proptest! {
        /// No coordinated omission: every record that was due during a stall shows what was left of it.
        #[test]
        fn a_stalled_consumer_shows_the_stall_in_latency(
            per_sec in 50_u64..500,
            begin_ms in 1_000_u64..3_000,
            length_ms in 200_u64..2_000,
        ) {
            let due = even(per_sec, 8);
            let stall = (Span::from_millis(begin_ms), Span::from_millis(begin_ms + length_ms));
            let ledger = consumed(&due, Span::from_micros(100), stall);
            let hops = Hops::of(&plan(&due, 8), &ledger);
            let meanwhile = due.iter().filter(|due| stall.0 <= **due && **due < stall.1);
            let (count, length) = (meanwhile.count(), length_ms as f64 * 1e6);
            // Half of those that were due waited for at least half of the stall: their share of all is above this quantile.
            let share = 1.0 - 0.45 * count as f64 / due.len() as f64;
            let found = hops.sent.quantile(share).expect("records") as f64;
            prop_assert!(found >= 0.45 * length, "{found} of {length}");
            let longest = hops.sent.max() as f64;
            let gap = 1e9 / per_sec as f64;
            prop_assert!(longest >= length - 2.0 * gap && longest <= length + 1e6, "{longest} of {length}");
        }
    }
}
