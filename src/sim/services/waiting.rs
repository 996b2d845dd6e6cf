//! Receives that wait at a queue.

use super::queue::Waiter;
use crate::engine::Time;
use std::collections::VecDeque;

/// Ends of answered receives are cleared away once there are as many as waiting ones, and this many more.
const GONE_MAX: usize = 64;

/// Receives that wait for a message.
///
/// Rule `queue-longest-wait-first`: what arrives goes to the one that has waited longest, so that pollers that gather take
/// turns with the others. Each is given up at its own time.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// In the order in which they began to wait; the first one waits still.
    turns: VecDeque<Option<Waiter>>,
    /// Number of the first turn.
    first: u64,
    /// How many wait.
    count: usize,
    /// When they are given up, and whose turn that is. The first one waits still.
    ends: VecDeque<(Time, u64)>,
}

impl Waiting {
    /// One more waits.
    pub(super) fn add(&mut self, waiter: Waiter) {
        let turn = self.first + self.turns.len() as u64;
        self.turns.push_back(Some(waiter));
        self.count += 1;
        // Most wait for the same time, and come in order.
        let place = self.ends.iter().rposition(|end| end.0 <= waiter.until);
        let place = place.map_or(0, |index| index + 1);
        self.ends.insert(place, (waiter.until, turn));
    }

    /// Who is answered next.
    pub(super) fn first(&self) -> Option<Waiter> {
        self.turns.front().copied().flatten()
    }

    /// The first is answered.
    pub(super) fn answered(&mut self) {
        self.take(self.first);
    }

    /// Takes one whose time is over by `now`.
    pub(super) fn ended(&mut self, now: Time) -> Option<Waiter> {
        let (_, turn) = self.ends.front().filter(|end| end.0 <= now)?;
        self.take(*turn)
    }

    /// When the next one is given up.
    pub(super) fn next_end(&self) -> Option<Time> {
        self.ends.front().map(|end| end.0)
    }

    /// Whether nobody waits.
    pub(super) const fn is_empty(&self) -> bool {
        self.count == 0
    }

    fn take(&mut self, turn: u64) -> Option<Waiter> {
        let waiter = self.turns.get_mut((turn - self.first) as usize)?.take();
        self.count -= usize::from(waiter.is_some());
        while let Some(None) = self.turns.front() {
            self.turns.pop_front();
            self.first += 1;
        }
        while let Some(end) = self.ends.front()
            && !self.waits(end.1)
        {
            self.ends.pop_front();
        }
        if self.ends.len() > 2 * self.count + GONE_MAX {
            let mut ends = std::mem::take(&mut self.ends);
            ends.retain(|end| self.waits(end.1));
            self.ends = ends;
        }
        waiter
    }

    fn waits(&self, turn: u64) -> bool {
        let index = turn.checked_sub(self.first);
        let place = index.and_then(|index| self.turns.get(index as usize));
        matches!(place, Some(Some(_)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Rng, Token};

    fn waiter(token: u32, until: u64) -> Waiter {
        Waiter {
            mapping: 0,
            token: Token(u64::from(token)),
            records_max: 10,
            until: Time::from_millis(until),
        }
    }

    #[test]
    fn queue_longest_wait_first() {
        let mut waiting = Waiting::default();
        waiting.add(waiter(1, 20_000));
        waiting.add(waiter(2, 1_000));
        waiting.add(waiter(3, 20_500));
        assert_eq!(waiting.next_end(), Some(Time::from_millis(1_000)));
        assert_eq!(waiting.first(), Some(waiter(1, 20_000)));
        waiting.answered();
        assert_eq!(waiting.ended(Time::from_millis(999)), None);
        assert_eq!(
            waiting.ended(Time::from_millis(1_000)),
            Some(waiter(2, 1_000))
        );
        assert_eq!(waiting.first(), Some(waiter(3, 20_500)));
        assert_eq!(waiting.next_end(), Some(Time::from_millis(20_500)));
        waiting.answered();
        assert!(waiting.is_empty());
        assert_eq!((waiting.first(), waiting.next_end()), (None, None));
    }

    /// Against a plain list, in which everything is looked for.
    #[test]
    fn turns_and_ends_are_those_of_a_list() {
        let mut rng = Rng::stream(7, "waiting");
        let (mut waiting, mut list) = (Waiting::default(), Vec::new());
        for step in 0..20_000_u32 {
            let now = u64::from(step);
            match rng.below(4) {
                0 => {
                    assert_eq!(waiting.first(), list.first().copied());
                    if !list.is_empty() {
                        waiting.answered();
                        list.remove(0);
                    }
                }
                1 => {
                    let soonest = list.iter().map(|it: &Waiter| it.until).min();
                    assert_eq!(waiting.next_end(), soonest);
                    let over = soonest.filter(|at| *at <= Time::from_millis(now));
                    let at = over.and_then(|at| list.iter().position(|it| it.until == at));
                    let ended = waiting.ended(Time::from_millis(now));
                    assert_eq!(ended, at.map(|at| list.remove(at)));
                }
                _ => {
                    let wait = [20, 100, 700][rng.below(3) as usize];
                    let one = waiter(step, now + wait);
                    waiting.add(one);
                    list.push(one);
                }
            }
            assert_eq!(waiting.is_empty(), list.is_empty());
            assert!(waiting.ends.len() <= 2 * list.len() + GONE_MAX + 1);
        }
    }
}
