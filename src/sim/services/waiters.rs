//! Receives that wait for a message.

use super::sqs::Waiter;
use crate::engine::Time;
use std::collections::VecDeque;

/// Receives of one queue that wait, the one that is answered first at the front.
#[derive(Debug, Default)]
pub(super) struct Waiters(VecDeque<Waiter>);

impl Waiters {
    /// Receives that wait for the same time come in order; a shorter one goes before those it undercuts.
    pub(super) fn insert(&mut self, waiter: Waiter) {
        let before = self.0.iter().rposition(|other| other.until <= waiter.until);
        self.0.insert(before.map_or(0, |index| index + 1), waiter);
    }

    pub(super) fn first(&self) -> Option<Waiter> {
        self.0.front().copied()
    }

    pub(super) fn take_first(&mut self) -> Option<Waiter> {
        self.0.pop_front()
    }

    /// When the first is answered with nothing.
    pub(super) fn until(&self) -> Option<Time> {
        self.0.front().map(|waiter| waiter.until)
    }
}
