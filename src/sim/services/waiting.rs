//! Receives that wait at a queue.

use super::queue::Waiter;
use crate::engine::{Record, Rng, Time};
use std::collections::VecDeque;

/// Ends of answered receives are cleared away once there are as many as waiting ones, and this many more.
const GONE_MAX: usize = 64;

/// Whose turn it is when something arrives.
#[derive(Debug)]
pub(super) enum Turn {
    /// Rule `broker-longest-wait-first`: the consumer that has waited longest, so that consumers take turns.
    Longest,
    /// Rule `sqs-any-waiting-receive`: any of them, each with the same chance.
    Any(Rng),
}

/// Receives that wait for a message. Each is given up at its own time.
#[derive(Debug)]
pub(super) struct Waiting {
    turn: Turn,
    slots: Vec<Slot>,
    free: Vec<u32>,
    /// Slots in the order of their turns; the first one waits still.
    order: VecDeque<Option<u32>>,
    /// Place in the order that was the first one's, counted from the beginning.
    first: u64,
    /// When they are given up: slot, and which of its receives that was. The first one waits still.
    ends: VecDeque<(Time, u32, u32)>,
}

#[derive(Debug)]
struct Slot {
    waiter: Waiter,
    /// Where it is in the order, counted like `first`.
    place: u64,
    /// How many receives have left it.
    left: u32,
}

impl Waiting {
    pub(super) const fn new(turn: Turn) -> Self {
        Self {
            turn,
            slots: Vec::new(),
            free: Vec::new(),
            order: VecDeque::new(),
            first: 0,
            ends: VecDeque::new(),
        }
    }

    /// One more waits.
    pub(super) fn add(&mut self, waiter: Waiter) {
        let place = self.first + self.order.len() as u64;
        let slot = match self.free.pop() {
            Some(slot) => {
                let held = &mut self.slots[slot as usize];
                (held.waiter, held.place) = (waiter, place);
                slot
            }
            None => {
                let left = 0;
                self.slots.push(Slot {
                    waiter,
                    place,
                    left,
                });
                self.slots.len() as u32 - 1
            }
        };
        self.order.push_back(Some(slot));
        self.draw();
        // Most wait for the same time, and come in order.
        let at = self.ends.iter().rposition(|end| end.0 <= waiter.until);
        let at = at.map_or(0, |index| index + 1);
        let left = self.slots[slot as usize].left;
        self.ends.insert(at, (waiter.until, slot, left));
    }

    /// Who is answered next.
    pub(super) fn first(&self) -> Option<Waiter> {
        let slot = self.order.front().copied().flatten()?;
        Some(self.slots[slot as usize].waiter)
    }

    /// Gives what was found to the first; when nothing was, ends one whose time is over by `now`.
    pub(super) fn answer(
        &mut self,
        now: Time,
        found: Vec<Record<()>>,
    ) -> Option<(Waiter, Vec<Record<()>>)> {
        let slot = if found.is_empty() {
            self.ends.front().filter(|end| end.0 <= now)?.1
        } else {
            self.order.front().copied().flatten()?
        };
        Some((self.take(slot), found))
    }

    /// Takes all, in their turn.
    pub(super) fn cut(&mut self) -> Vec<Waiter> {
        let mut cut = Vec::new();
        while let Some(slot) = self.order.front().copied().flatten() {
            cut.push(self.take(slot));
        }
        cut
    }

    /// When the next one is given up.
    pub(super) fn next_end(&self) -> Option<Time> {
        self.ends.front().map(|end| end.0)
    }

    /// Whether nobody waits.
    pub(super) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    fn take(&mut self, slot: u32) -> Waiter {
        let held = &mut self.slots[slot as usize];
        held.left = held.left.wrapping_add(1);
        let (waiter, index) = (held.waiter, (held.place - self.first) as usize);
        self.free.push(slot);
        match self.turn {
            Turn::Longest => {
                self.order[index] = None;
                while let Some(None) = self.order.front() {
                    self.order.pop_front();
                    self.first += 1;
                }
            }
            Turn::Any(_) => {
                self.order.swap_remove_back(index);
                self.settle(index);
                self.draw();
            }
        }
        while let Some(end) = self.ends.front()
            && !self.waits(*end)
        {
            self.ends.pop_front();
        }
        let waiting = self.slots.len() - self.free.len();
        if self.ends.len() > 2 * waiting + GONE_MAX {
            let mut ends = std::mem::take(&mut self.ends);
            ends.retain(|end| self.waits(*end));
            self.ends = ends;
        }
        waiter
    }

    fn waits(&self, (_, slot, left): (Time, u32, u32)) -> bool {
        self.slots[slot as usize].left == left
    }

    /// Puts one of those that wait first, if any of them may be next.
    fn draw(&mut self) {
        if let Turn::Any(rng) = &mut self.turn
            && self.order.len() > 1
        {
            let index = rng.below(self.order.len() as u64) as usize;
            self.order.swap(0, index);
            self.settle(0);
            self.settle(index);
        }
    }

    /// Tells the slot at this index where it is.
    fn settle(&mut self, index: usize) {
        if let Some(Some(slot)) = self.order.get(index) {
            self.slots[*slot as usize].place = self.first + index as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Meta, Seq, Token};

    fn waiter(token: u32, until: u64) -> Waiter {
        Waiter {
            mapping: 0,
            token: Token(u64::from(token)),
            records_max: 10,
            until: Time::from_millis(until),
        }
    }

    fn message() -> Vec<Record<()>> {
        let meta = Meta {
            seq: Seq::received(1, 1),
            group: 0,
            arrival: Time::ZERO,
            wire_len: 100,
        };
        vec![Record { meta, payload: () }]
    }

    #[test]
    fn broker_longest_wait_first() {
        let at = Time::from_millis;
        let mut waiting = Waiting::new(Turn::Longest);
        waiting.add(waiter(1, 20_000));
        waiting.add(waiter(2, 1_000));
        waiting.add(waiter(3, 20_500));
        assert_eq!(waiting.next_end(), Some(at(1_000)));
        assert_eq!(waiting.first(), Some(waiter(1, 20_000)));
        let answer = waiting.answer(at(500), message());
        assert_eq!(answer, Some((waiter(1, 20_000), message())));
        assert_eq!(waiting.answer(at(999), Vec::new()), None);
        let answer = waiting.answer(at(1_000), Vec::new());
        assert_eq!(answer, Some((waiter(2, 1_000), Vec::new())));
        assert_eq!(waiting.first(), Some(waiter(3, 20_500)));
        assert_eq!(waiting.next_end(), Some(at(20_500)));
        let answer = waiting.answer(at(1_000), message());
        assert_eq!(answer, Some((waiter(3, 20_500), message())));
        assert!(waiting.is_empty());
        assert_eq!((waiting.first(), waiting.next_end()), (None, None));
    }

    #[test]
    fn sqs_any_waiting_receive() {
        let mut times = [0_u32; 5];
        for seed in 0..10_000 {
            let mut waiting = Waiting::new(Turn::Any(Rng::stream(seed, "waiting")));
            for token in 0..5 {
                waiting.add(waiter(token, 20_000 + u64::from(token)));
            }
            // One that is given up meanwhile changes nothing for the others.
            waiting.add(waiter(9, 1));
            let ended = waiting.answer(Time::from_millis(1), Vec::new());
            assert_eq!(ended, Some((waiter(9, 1), Vec::new())));
            let (first, _) = waiting.answer(Time::ZERO, message()).expect("five wait");
            times[first.token.0 as usize] += 1;
        }
        // Four standard errors of a fifth of 10,000.
        assert!(
            times.iter().all(|times| times.abs_diff(2_000) < 160),
            "{times:?}"
        );
    }

    /// Against a plain list, in which everything is looked for.
    #[test]
    fn turns_and_ends_are_those_of_a_list() {
        for turn in [Turn::Longest, Turn::Any(Rng::stream(8, "turns"))] {
            let takes_turns = matches!(turn, Turn::Longest);
            let mut rng = Rng::stream(7, "waiting");
            let (mut waiting, mut list) = (Waiting::new(turn), Vec::new());
            for step in 0..20_000_u32 {
                let now = Time::from_millis(u64::from(step));
                match rng.below(4) {
                    0 => {
                        let first = waiting.first();
                        let place = list.iter().position(|one| Some(*one) == first);
                        assert_eq!(place.is_none(), list.is_empty());
                        if let Some(place) = place {
                            assert!(place == 0 || !takes_turns);
                            let one = list.remove(place);
                            assert_eq!(waiting.answer(now, message()), Some((one, message())));
                        }
                    }
                    1 => {
                        let soonest = list.iter().map(|it: &Waiter| it.until).min();
                        assert_eq!(waiting.next_end(), soonest);
                        let over = soonest.filter(|at| *at <= now);
                        let at = over.and_then(|at| list.iter().position(|it| it.until == at));
                        let ended = at.map(|at| (list.remove(at), Vec::new()));
                        assert_eq!(waiting.answer(now, Vec::new()), ended);
                    }
                    _ => {
                        let wait = [20, 100, 700][rng.below(3) as usize];
                        let one = waiter(step, u64::from(step) + wait);
                        waiting.add(one);
                        list.push(one);
                    }
                }
                assert_eq!(waiting.is_empty(), list.is_empty());
                assert!(waiting.ends.len() <= 2 * list.len() + GONE_MAX + 1);
            }
            let cut = waiting.cut();
            assert_eq!(cut.len(), list.len());
            assert!(!takes_turns || cut == list);
            assert!(waiting.is_empty() && waiting.next_end().is_none());
        }
    }
}
