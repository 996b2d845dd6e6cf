//! A shard's checkpoint: what is stored, what should be, and where the lowest unfinished record stands.

use crate::engine::{Delta, Position, Seq, Time};
use std::collections::VecDeque;

/// A position and the tumbling window that is open there.
type Mark = (Position, Option<Time>);

/// Stores follow each other, one at a time; what comes in between is stored with the next.
#[derive(Debug)]
pub(super) struct Progress {
    stored: Mark,
    wanted: Mark,
    in_flight: Option<Mark>,
    failures: u32,
    blocked: bool,
    /// Several lanes: the numbers of all records read and not checkpointed, in order. One lane needs none.
    read: VecDeque<Seq>,
}

impl Progress {
    pub(super) const fn new(from: Position, window: Option<Time>) -> Self {
        Self {
            stored: (from, window),
            wanted: (from, window),
            in_flight: None,
            failures: 0,
            blocked: false,
            read: VecDeque::new(),
        }
    }

    /// Several lanes: notes a record that was read.
    pub(super) fn read(&mut self, seq: Seq) {
        self.read.push_back(seq);
    }

    /// Several lanes: everything before `unfinished` is done (all that was read, when nothing is unfinished).
    ///
    /// Rule `checkpoint-lowest-unfinished`: lanes finish in any order, the checkpoint moves up to the lowest record
    /// that is not finished in any of them.
    pub(super) fn done_before(&mut self, unfinished: Option<Seq>) {
        let mut done = None;
        while let Some(&seq) = self.read.front() {
            if unfinished.is_some_and(|unfinished| seq >= unfinished) {
                break;
            }
            done = Some(seq);
            self.read.pop_front();
        }
        if let Some(seq) = done {
            self.reach(Position::After(seq));
        }
    }

    /// Nothing read is unfinished: numbers that no lane is left to answer for must not move the checkpoint later.
    pub(super) fn all_done(&mut self) {
        self.read.clear();
    }

    /// The position that should be stored.
    pub(super) fn reach(&mut self, position: Position) {
        self.wanted.0 = position;
    }

    /// The window that is open there and has a state.
    pub(super) fn within(&mut self, window: Option<Time>) {
        self.wanted.1 = window;
    }

    /// What to store now, if anything.
    pub(super) fn next(&mut self) -> Option<(Delta, Option<Time>)> {
        if self.in_flight.is_some() || self.blocked || self.stored == self.wanted {
            return None;
        }
        self.in_flight = Some(self.wanted);
        let delta = Delta {
            from: self.stored.0,
            to: self.wanted.0,
        };
        Some((delta, self.wanted.1))
    }

    /// Whether everything is stored that should be.
    pub(super) fn is_stored(&self) -> bool {
        self.in_flight.is_none() && self.stored == self.wanted
    }

    /// The store confirmed; returns the stored position.
    pub(super) fn confirmed(&mut self) -> Position {
        let Some(mark) = self.in_flight.take() else {
            panic!("a checkpoint was confirmed that nobody asked for");
        };
        self.stored = mark;
        self.failures = 0;
        mark.0
    }

    /// Rule `stream-checkpoint-is-retried`: a store that fails holds nothing up but itself. Returns how many failures
    /// there were in a row.
    pub(super) fn failed(&mut self) -> u32 {
        self.in_flight = None;
        self.failures += 1;
        self.blocked = true;
        self.failures
    }

    pub(super) fn retry_due(&mut self) {
        self.blocked = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checkpoint_lowest_unfinished() {
        let mut progress = Progress::new(Position::Horizon, None);
        for seq in [3, 5, 5, 8] {
            progress.read(Seq::from(seq));
        }
        let stored = |progress: &mut Progress| {
            let next = progress.next().map(|(delta, _)| delta.to);
            if next.is_some() {
                progress.confirmed();
            }
            next
        };
        progress.done_before(Some(Seq::from(3)));
        assert_eq!(stored(&mut progress), None);
        // Two records share the number 5; one of them is unfinished.
        progress.done_before(Some(Seq::from(5)));
        assert_eq!(stored(&mut progress), Some(Position::After(Seq::from(3))));
        progress.done_before(None);
        assert_eq!(stored(&mut progress), Some(Position::After(Seq::from(8))));
    }
}
