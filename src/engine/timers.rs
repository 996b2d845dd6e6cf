//! Deadlines by key, with the earliest at hand.

use crate::engine::{Time, WakeReason};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// One deadline per small integer key. Setting a key again replaces its deadline; stale heap entries are
/// dropped when they come to the top, so no cancellation is needed.
#[derive(Debug, Default)]
pub(super) struct Timers {
    heap: BinaryHeap<Reverse<(Time, u64, u32)>>,
    due: Vec<Option<Deadline>>,
    order: u64,
}

#[derive(Clone, Copy, Debug)]
struct Deadline {
    at: Time,
    order: u64,
    reason: WakeReason,
}

impl Timers {
    /// Sets or moves the deadline of `key`. Setting it to where it stands costs nothing.
    pub(super) fn set(&mut self, key: u32, at: Time, reason: WakeReason) {
        let index = key as usize;
        if index >= self.due.len() {
            self.due.resize(index + 1, None);
        }
        if self.due[index].is_some_and(|due| due.at == at && due.reason == reason) {
            return;
        }
        self.order += 1;
        let order = self.order;
        self.due[index] = Some(Deadline { at, order, reason });
        self.heap.push(Reverse((at, order, key)));
        self.prune();
    }

    /// Removes the deadline of `key`, if there is one.
    pub(super) fn clear(&mut self, key: u32) {
        if let Some(due) = self.due.get_mut(key as usize)
            && due.take().is_some()
        {
            self.prune();
        }
    }

    /// The earliest deadline.
    pub(super) fn next(&self) -> Option<(Time, WakeReason)> {
        let Reverse((at, _, key)) = self.heap.peek()?;
        self.due[*key as usize].map(|due| (*at, due.reason))
    }

    /// Takes the earliest deadline that is not after `now`.
    pub(super) fn pop_due(&mut self, now: Time) -> Option<u32> {
        let Reverse((at, _, key)) = *self.heap.peek()?;
        if at > now {
            return None;
        }
        self.due[key as usize] = None;
        self.prune();
        Some(key)
    }

    fn prune(&mut self) {
        while let Some(Reverse((_, order, key))) = self.heap.peek() {
            if self.due[*key as usize].is_some_and(|due| due.order == *order) {
                return;
            }
            self.heap.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moved_deadline_fires_once_and_ties_keep_their_order() {
        let mut timers = Timers::default();
        timers.set(3, Time::from_secs(1), WakeReason::ReadDue);
        timers.set(1, Time::from_secs(5), WakeReason::WindowEnd);
        timers.set(3, Time::from_secs(5), WakeReason::BackoffEnd);
        assert_eq!(
            timers.next(),
            Some((Time::from_secs(5), WakeReason::WindowEnd))
        );
        assert_eq!(timers.pop_due(Time::from_secs(4)), None);
        assert_eq!(timers.pop_due(Time::from_secs(5)), Some(1));
        assert_eq!(timers.pop_due(Time::from_secs(5)), Some(3));
        assert_eq!(timers.pop_due(Time::MAX), None);
        timers.set(2, Time::from_secs(9), WakeReason::ReadDue);
        timers.clear(2);
        assert_eq!(timers.next(), None);
    }
}
