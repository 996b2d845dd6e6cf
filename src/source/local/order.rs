//! Which message of a local queue is received next.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Rule `local-fifo-looks-ahead`: messages of a FIFO queue that are looked through for groups that are free. Those behind
/// them wait, whatever their group.
pub(super) const LOOK_AHEAD_MAX: u64 = 20_000;

/// The messages that are not hidden.
#[derive(Debug)]
pub(super) enum Order {
    /// Returned ones first, then new ones as they arrived.
    Standard {
        /// The number of the next message that nobody has received.
        next: u64,
        /// Messages that became visible again.
        returned: VecDeque<u64>,
    },
    /// By group.
    Fifo(Groups),
}

/// The groups of a FIFO queue that have messages. Receiving costs the logarithm of their number: groups that wait for
/// their own messages are not looked at.
#[derive(Debug, Default)]
pub(super) struct Groups {
    /// The number of the next message that is not in any group yet.
    next: u64,
    groups: BTreeMap<u64, Group>,
    /// Groups without a hidden message, by the number of their first one.
    free: BTreeSet<(u64, u64)>,
    /// Messages in groups, hidden ones included.
    held: u64,
}

#[derive(Debug, Default)]
struct Group {
    waiting: BTreeSet<u64>,
    hidden: u32,
}

impl Order {
    pub(super) fn new(is_fifo: bool) -> Self {
        if is_fifo {
            Self::Fifo(Groups::default())
        } else {
            Self::Standard {
                next: 0,
                returned: VecDeque::new(),
            }
        }
    }

    /// The next message of one receive, of which `arrived` are in the queue. `turn` is the group that this receive has
    /// begun with, `None` at first; `group` tells the group of a message.
    pub(super) fn take(
        &mut self,
        arrived: u64,
        turn: &mut Option<u64>,
        group: impl Fn(u64) -> u64,
    ) -> Option<u64> {
        match self {
            Self::Standard { next, returned } => returned.pop_front().or_else(|| {
                let number = *next;
                (number < arrived).then(|| {
                    *next += 1;
                    number
                })
            }),
            Self::Fifo(groups) => {
                groups.admit(arrived, group);
                groups.take(turn)
            }
        }
    }

    /// A hidden message is visible again.
    pub(super) fn give_back(&mut self, number: u64, group: impl Fn(u64) -> u64) {
        match self {
            Self::Standard { returned, .. } => returned.push_back(number),
            Self::Fifo(groups) => groups.give_back(number, group(number)),
        }
    }

    /// A hidden message is gone. Returns whether that sets others free.
    pub(super) fn forget(&mut self, number: u64, group: impl Fn(u64) -> u64) -> bool {
        match self {
            Self::Standard { .. } => false,
            Self::Fifo(groups) => groups.forget(group(number)),
        }
    }

    /// Takes a message out that was received once and is visible again. Messages of FIFO queues stay: their receipt
    /// handle has expired.
    pub(super) fn withdraw(&mut self, number: u64) -> bool {
        match self {
            Self::Standard { returned, .. } => {
                returned.retain(|&returned| returned != number);
                true
            }
            Self::Fifo(_) => false,
        }
    }

    /// Whether something can be received at once.
    pub(super) fn is_ready(&self) -> bool {
        match self {
            Self::Standard { returned, .. } => !returned.is_empty(),
            Self::Fifo(groups) => !groups.free.is_empty(),
        }
    }

    /// The next message whose arrival can make a difference.
    pub(super) const fn awaited(&self) -> Option<u64> {
        match self {
            Self::Standard { next, .. } => Some(*next),
            Self::Fifo(groups) if groups.held < LOOK_AHEAD_MAX => Some(groups.next),
            Self::Fifo(_) => None,
        }
    }

    /// Whether all `count` messages are received, and those that came back, too.
    pub(super) fn is_used_up(&self, count: u64) -> bool {
        match self {
            Self::Standard { next, returned } => *next >= count && returned.is_empty(),
            Self::Fifo(groups) => groups.next >= count && groups.groups.is_empty(),
        }
    }
}

impl Groups {
    fn admit(&mut self, arrived: u64, group: impl Fn(u64) -> u64) {
        while self.next < arrived && self.held < LOOK_AHEAD_MAX {
            let number = self.next;
            let key = group(number);
            let entry = self.groups.entry(key).or_default();
            // New messages are the last of their group.
            if entry.waiting.is_empty() && entry.hidden == 0 {
                self.free.insert((number, key));
            }
            entry.waiting.insert(number);
            self.held += 1;
            self.next += 1;
        }
    }

    /// Rule `local-fifo-group-is-locked`: of a group that has a hidden message, nothing is received; one receive takes
    /// what it can of one group, in order, before it goes on to the next.
    fn take(&mut self, turn: &mut Option<u64>) -> Option<u64> {
        let begun = turn.filter(|key| {
            let group = self.groups.get(key);
            group.is_some_and(|group| !group.waiting.is_empty())
        });
        let key = begun.or_else(|| self.free.first().map(|&(_, key)| key))?;
        let group = self.groups.get_mut(&key)?;
        let number = group.waiting.pop_first()?;
        group.hidden += 1;
        self.free.remove(&(number, key));
        *turn = Some(key);
        Some(number)
    }

    fn give_back(&mut self, number: u64, key: u64) {
        let group = self.groups.entry(key).or_default();
        group.hidden -= 1;
        group.waiting.insert(number);
        self.unlock(key);
    }

    fn forget(&mut self, key: u64) -> bool {
        let group = self.groups.entry(key).or_default();
        group.hidden -= 1;
        self.held -= 1;
        self.unlock(key)
    }

    /// Sets a group free that has no hidden messages any more, and returns whether it has others.
    fn unlock(&mut self, key: u64) -> bool {
        let Some(group) = self.groups.get(&key) else {
            return false;
        };
        match (group.hidden, group.waiting.first()) {
            (0, Some(&first)) => {
                self.free.insert((first, key));
                true
            }
            (0, None) => {
                self.groups.remove(&key);
                false
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What one receive takes.
    fn receive(order: &mut Order, arrived: u64, max: usize, group: fn(u64) -> u64) -> Vec<u64> {
        let mut turn = None;
        let taken = std::iter::from_fn(|| order.take(arrived, &mut turn, group));
        taken.take(max).collect()
    }

    #[test]
    fn local_fifo_group_is_locked() {
        let group = |number: u64| number % 3;
        let mut order = Order::new(true);
        // As much as possible of one group, then the next one.
        assert_eq!(receive(&mut order, 9, 4, group), [0, 3, 6, 1]);
        assert_eq!(receive(&mut order, 9, 10, group), [2, 5, 8]);
        assert!(receive(&mut order, 9, 10, group).is_empty());
        // Group 1 has its first message out: the others wait for it.
        assert!(order.forget(1, group));
        assert_eq!(receive(&mut order, 12, 10, group), [4, 7, 10]);
        // Group 0 came back whole, and in order, when the last of its messages did.
        for number in [3, 0] {
            order.give_back(number, group);
            assert!(receive(&mut order, 12, 10, group).is_empty());
        }
        order.give_back(6, group);
        assert_eq!(receive(&mut order, 12, 10, group), [0, 3, 6, 9]);
    }

    #[test]
    fn local_fifo_looks_ahead() {
        // One group has everything but the message right behind the look-ahead.
        let group = |number: u64| u64::from(number == LOOK_AHEAD_MAX);
        let mut order = Order::new(true);
        let arrived = 2 * LOOK_AHEAD_MAX;
        assert_eq!(receive(&mut order, arrived, 2, group), [0, 1]);
        assert!(receive(&mut order, arrived, 10, group).is_empty());
        assert_eq!(order.awaited(), None);
        assert!(!order.forget(0, group));
        assert_eq!(receive(&mut order, arrived, 10, group), [LOOK_AHEAD_MAX]);
    }

    #[test]
    fn groups_that_are_finished_leave_nothing_behind() {
        let mut order = Order::new(true);
        let group = |number: u64| number;
        let taken = receive(&mut order, 50, 50, group);
        assert_eq!(taken.len(), 50);
        assert!(!order.is_used_up(50));
        for number in taken {
            assert!(!order.forget(number, group));
        }
        assert!(order.is_used_up(50));
        let Order::Fifo(groups) = order else {
            panic!("a FIFO queue");
        };
        assert!(groups.groups.is_empty() && groups.free.is_empty() && groups.held == 0);
    }
}
