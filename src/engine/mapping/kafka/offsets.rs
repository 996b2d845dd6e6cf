//! The offsets of one assignment of a partition: what is committed, and what should be.

use crate::engine::{Delta, Position};
use std::collections::VecDeque;

/// Commits follow each other, one at a time; what comes in between is committed with the next.
///
/// All offsets are those of the next record, as Kafka commits them.
#[derive(Debug, Default)]
pub(super) struct Offsets {
    stored: u64,
    wanted: u64,
    in_flight: Option<Commit>,
    failures: u32,
    blocked: bool,
    /// Records below `wanted` that no commit has counted yet.
    uncounted: u64,
    /// Where pages with filtered records end, and how many those are.
    filtered: VecDeque<(u64, u32)>,
}

#[derive(Clone, Copy, Debug)]
struct Commit {
    to: u64,
    records: u64,
}

impl Offsets {
    pub(super) fn new(from: u64) -> Self {
        Self {
            stored: from,
            wanted: from,
            ..Self::default()
        }
    }

    /// The committed offset, as far as this consumer knows.
    pub(super) const fn stored(&self) -> u64 {
        self.stored
    }

    /// Records before `next` were left out by filters: they count as committed once that is.
    pub(super) fn left_out(&mut self, next: u64, records: u32) {
        self.filtered.push_back((next, records));
    }

    /// Records were finished, one way or the other.
    pub(super) fn finished(&mut self, records: u32) {
        self.uncounted += u64::from(records);
    }

    /// Everything before `next` is finished. Rule `kafka-commit-is-a-prefix`: offsets never go back.
    pub(super) fn reach(&mut self, next: u64) {
        self.wanted = self.wanted.max(next);
        while let Some((_, records)) = self.filtered.pop_front_if(|(end, _)| *end <= next) {
            self.uncounted += u64::from(records);
        }
    }

    /// What to commit now, if anything.
    pub(super) fn next(&mut self) -> Option<Delta> {
        if self.in_flight.is_some() || self.blocked || self.wanted <= self.stored {
            return None;
        }
        self.in_flight = Some(Commit {
            to: self.wanted,
            records: std::mem::take(&mut self.uncounted),
        });
        Some(Delta {
            from: Position::at_offset(self.stored),
            to: Position::at_offset(self.wanted),
        })
    }

    /// The commit succeeded; returns the position and how many records it covers.
    pub(super) fn confirmed(&mut self) -> (Position, u64) {
        let Some(Commit { to, records }) = self.in_flight.take() else {
            panic!("a commit was confirmed that nobody asked for");
        };
        self.stored = to;
        self.failures = 0;
        (Position::at_offset(to), records)
    }

    /// Rule `kafka-commit-is-retried`. Returns how many failures there were in a row.
    pub(super) fn failed(&mut self) -> u32 {
        if let Some(commit) = self.in_flight.take() {
            self.uncounted += commit.records;
        }
        self.failures += 1;
        self.blocked = true;
        self.failures
    }

    pub(super) fn retry_due(&mut self) {
        self.blocked = false;
    }

    /// Whether nothing can be committed any more that would be waited for: a commit that fails is not repeated when the
    /// partition goes.
    pub(super) const fn is_quiet(&self) -> bool {
        self.in_flight.is_none() && (self.blocked || self.wanted <= self.stored)
    }
}
