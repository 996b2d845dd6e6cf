//! The first messages of a FIFO queue, by group.
//!
//! Every group keeps its messages in a list of its own, and groups that can be received from wait in one queue: no
//! operation looks at a group or message that it is not about, however many there are.

use super::super::feed::Written;
use crate::engine::Time;
use crate::metrics::DeadLetterReason;
use crate::sim::services::queue::AGED_RECEIVES_MAX;
use std::collections::{HashMap, VecDeque, hash_map::Entry};
use std::hash::{BuildHasherDefault, Hasher};

/// Ends a list.
const NONE: u32 = u32::MAX;

/// Messages that the queue has looked at and nobody has deleted.
#[derive(Debug)]
pub(super) struct Groups {
    /// Freed places are a list through `next`.
    messages: Vec<Message>,
    free_message: u32,
    groups: Vec<Group>,
    free_groups: Vec<u32>,
    /// Groups that have messages, by their keys.
    by_key: HashMap<u64, u32, BuildHasherDefault<Hashed>>,
    /// Groups with waiting messages and none in flight, in the order in which they became so.
    ready: VecDeque<u32>,
    waiting: u32,
    in_flight: u32,
    /// The oldest message when it was last looked for: older ones cannot come into being.
    oldest: u32,
}

/// A message of a FIFO queue.
#[derive(Clone, Copy, Debug)]
pub(super) struct Message {
    pub(super) arrival: Time,
    /// Which message it is.
    pub(super) hash: u64,
    pub(super) size: u32,
    pub(super) receives: u16,
    /// Why it comes back if it is not deleted.
    pub(super) reason: DeadLetterReason,
    is_held: bool,
    group: u32,
    next: u32,
}

/// A message group with at least one message.
#[derive(Clone, Copy, Debug)]
struct Group {
    key: u64,
    /// Waiting messages, oldest first.
    head: u32,
    tail: u32,
    in_flight: u32,
}

/// Keys of groups are hashes already.
#[derive(Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("a key of a group is one word")
    }
}

impl Default for Groups {
    fn default() -> Self {
        Self {
            messages: Vec::new(),
            free_message: NONE,
            groups: Vec::new(),
            free_groups: Vec::new(),
            by_key: HashMap::default(),
            ready: VecDeque::new(),
            waiting: 0,
            in_flight: 0,
            oldest: NONE,
        }
    }
}

impl Groups {
    /// Messages held, in flight or not.
    pub(super) const fn len(&self) -> u32 {
        self.waiting + self.in_flight
    }

    /// Messages that were received and are neither deleted nor visible again.
    pub(super) const fn in_flight(&self) -> u32 {
        self.in_flight
    }

    /// Messages that are not in flight.
    pub(super) const fn waiting(&self) -> u32 {
        self.waiting
    }

    /// Places for messages that were made, and groups that are known.
    #[cfg(test)]
    pub(super) fn places(&self) -> (usize, usize) {
        (self.messages.len(), self.by_key.len())
    }

    pub(super) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    pub(super) fn message(&self, place: u32) -> &Message {
        &self.messages[place as usize]
    }

    pub(super) fn message_mut(&mut self, place: u32) -> &mut Message {
        &mut self.messages[place as usize]
    }

    /// When the oldest message arrived, as far as ApproximateAgeOfOldestMessage looks at it. All messages are looked through
    /// when the one that was found before is gone.
    pub(super) fn oldest(&mut self) -> Option<Time> {
        let counts = |message: &Message| message.is_held && message.receives <= AGED_RECEIVES_MAX;
        let known = self.messages.get(self.oldest as usize);
        if let Some(message) = known.filter(|message| counts(message)) {
            return Some(message.arrival);
        }
        let held = (0..).zip(&self.messages).filter(|(_, it)| counts(it));
        let (place, oldest) = held.min_by_key(|(_, message)| message.arrival)?;
        self.oldest = place;
        Some(oldest.arrival)
    }

    /// The key of a message's group.
    pub(super) fn key(&self, place: u32) -> u64 {
        self.groups[self.messages[place as usize].group as usize].key
    }

    /// Takes in the newest message of the queue.
    #[inline]
    pub(super) fn append(&mut self, written: &Written) {
        let index = match self.by_key.entry(written.group) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(new) => {
                let group = Group {
                    key: written.group,
                    head: NONE,
                    tail: NONE,
                    in_flight: 0,
                };
                let index = match self.free_groups.pop() {
                    Some(index) => {
                        self.groups[index as usize] = group;
                        index
                    }
                    None => {
                        self.groups.push(group);
                        (self.groups.len() - 1) as u32
                    }
                };
                *new.insert(index)
            }
        };
        let place = self.store(Message {
            arrival: written.arrival,
            hash: written.hash,
            size: written.size,
            receives: 0,
            reason: DeadLetterReason::VisibilityTooShort,
            is_held: true,
            group: index,
            next: NONE,
        });
        let group = &mut self.groups[index as usize];
        if group.head == NONE {
            group.head = place;
            if group.in_flight == 0 {
                self.ready.push_back(index);
            }
        } else {
            self.messages[group.tail as usize].next = place;
        }
        group.tail = place;
        self.waiting += 1;
    }

    /// The group whose turn it is (rule `fifo-groups-take-turns`). Take messages from it with [`take`](Self::take), then call [`locked`](Self::locked).
    #[inline]
    pub(super) fn next_group(&mut self) -> Option<u32> {
        self.ready.pop_front()
    }

    /// Takes the oldest waiting message of a group; it counts as received once more.
    #[inline]
    pub(super) fn take(&mut self, group: u32) -> Option<u32> {
        let entry = &mut self.groups[group as usize];
        let place = entry.head;
        if place == NONE {
            return None;
        }
        let message = &mut self.messages[place as usize];
        message.receives = message.receives.saturating_add(1);
        entry.head = message.next;
        entry.in_flight += 1;
        self.waiting -= 1;
        self.in_flight += 1;
        Some(place)
    }

    /// A group whose turn it was is done with. Rule `fifo-group-waits`: nothing of it is handed out while any message of it is
    /// in flight.
    #[inline]
    pub(super) fn locked(&mut self, group: u32) {
        if self.groups[group as usize].in_flight == 0 {
            self.unlocked(group);
        }
    }

    /// Drops a message that was taken.
    #[inline]
    pub(super) fn delete(&mut self, place: u32) {
        let group = self.drop_taken(place);
        if self.groups[group as usize].in_flight == 0 {
            self.unlocked(group);
        }
    }

    /// Drops a message that was just taken from the group whose turn it is.
    pub(super) fn divert(&mut self, place: u32) {
        self.drop_taken(place);
    }

    /// Puts messages that were taken together, given in their order, back to the heads of their groups.
    pub(super) fn put_back<I: DoubleEndedIterator<Item = u32> + Clone>(&mut self, places: I) {
        for place in places.clone().rev() {
            let message = &mut self.messages[place as usize];
            let group = &mut self.groups[message.group as usize];
            message.next = group.head;
            if group.head == NONE {
                group.tail = place;
            }
            group.head = place;
            self.waiting += 1;
            self.in_flight -= 1;
        }
        for place in places {
            let index = self.messages[place as usize].group;
            let group = &mut self.groups[index as usize];
            group.in_flight -= 1;
            if group.in_flight == 0 {
                self.unlocked(index);
            }
        }
    }

    fn drop_taken(&mut self, place: u32) -> u32 {
        let message = &mut self.messages[place as usize];
        message.is_held = false;
        message.next = self.free_message;
        self.free_message = place;
        if place == self.oldest {
            self.oldest = NONE;
        }
        let group = message.group;
        self.groups[group as usize].in_flight -= 1;
        self.in_flight -= 1;
        group
    }

    /// The last message of a group that was in flight is not any more.
    #[inline]
    fn unlocked(&mut self, index: u32) {
        let group = &self.groups[index as usize];
        if group.head == NONE {
            self.by_key.remove(&group.key);
            self.free_groups.push(index);
        } else {
            self.ready.push_back(index);
        }
    }

    #[inline]
    fn store(&mut self, message: Message) -> u32 {
        let place = self.free_message;
        if place == NONE {
            self.messages.push(message);
            return (self.messages.len() - 1) as u32;
        }
        let slot = &mut self.messages[place as usize];
        self.free_message = slot.next;
        *slot = message;
        place
    }
}
