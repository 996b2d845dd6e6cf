//! The set of pending events, ordered by time and, within an instant, by insertion.
//!
//! An entry is one 128-bit word: time above, then the insertion number, then a slot that the caller chose. Two
//! structures hold it: a 4-ary heap, fastest while there are few, and a radix heap, which moves an entry a few times
//! however many there are. [`Calendar`] moves between them by size.

mod heap;
mod radix;

use crate::engine::Time;
pub use heap::FourAryHeap;
pub use radix::RadixHeap;

/// A pending event: its time, its insertion number and its slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry(u128);

const SLOT_BITS: u32 = 24;
/// Slots are below this: the most events that can be pending at once.
pub const SLOTS_MAX: u32 = 1 << SLOT_BITS;
const INSERTIONS_MAX: u64 = (1 << (64 - SLOT_BITS)) - 1;

impl Entry {
    /// The entry for `slot` at `time`, as the `insertion`-th of all entries.
    #[inline]
    pub fn new(time: Time, insertion: u64, slot: u32) -> Self {
        assert!(slot < SLOTS_MAX, "more than {SLOTS_MAX} events are pending");
        assert!(
            insertion < INSERTIONS_MAX,
            "more than {INSERTIONS_MAX} events"
        );
        // Counting from one keeps the all-zero word free, which the radix heap starts from.
        let tag = (insertion + 1) << SLOT_BITS | u64::from(slot);
        Self(u128::from(time.as_nanos()) << 64 | u128::from(tag))
    }

    /// When the event happens.
    #[inline]
    pub const fn time(self) -> Time {
        Time::from_nanos((self.0 >> 64) as u64)
    }

    /// The slot that the caller chose.
    #[inline]
    pub const fn slot(self) -> u32 {
        (self.0 as u32) & (SLOTS_MAX - 1)
    }
}

/// A set of entries from which the least is taken first.
///
/// Entries must not be pushed before the last one popped; a discrete-event simulation never does.
pub trait EventSet {
    /// Adds an entry.
    fn push(&mut self, entry: Entry);
    /// The least entry.
    fn peek(&mut self) -> Option<Entry>;
    /// Takes the least entry.
    fn pop(&mut self) -> Option<Entry>;
    /// How many there are.
    fn len(&self) -> usize;
    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Above this many pending events the radix heap is faster.
const TO_RADIX: usize = 256;
/// Below this many the 4-ary heap is; far enough from the other bound not to swing.
const TO_HEAP: usize = 64;

/// The simulator's event set.
#[derive(Debug, Default)]
pub struct Calendar {
    heap: FourAryHeap,
    radix: RadixHeap,
    uses_radix: bool,
    inserted: u64,
}

impl Calendar {
    /// Schedules `slot` at `time`.
    #[inline]
    pub fn schedule(&mut self, time: Time, slot: u32) {
        let entry = Entry::new(time, self.inserted, slot);
        self.inserted += 1;
        self.push(entry);
    }

    /// Whether events came to the front since the last call.
    #[inline]
    pub const fn take_fresh(&mut self) -> bool {
        self.radix.take_fresh()
    }

    /// Events that are next, as far as they are known; none while there are few.
    #[inline]
    pub fn front(&self) -> &[Entry] {
        self.radix.front()
    }

    /// How many events were ever scheduled.
    pub const fn scheduled(&self) -> u64 {
        self.inserted
    }

    #[cold]
    fn switch_to_radix(&mut self) {
        let mut radix = RadixHeap::default();
        for entry in self.heap.drain() {
            radix.push(entry);
        }
        self.radix = radix;
        self.uses_radix = true;
    }

    #[cold]
    fn switch_to_heap(&mut self) {
        while let Some(entry) = self.radix.pop() {
            self.heap.push(entry);
        }
        self.uses_radix = false;
    }
}

impl EventSet for Calendar {
    #[inline]
    fn push(&mut self, entry: Entry) {
        if self.uses_radix {
            self.radix.push(entry);
            return;
        }
        self.heap.push(entry);
        if self.heap.len() > TO_RADIX {
            self.switch_to_radix();
        }
    }

    #[inline]
    fn peek(&mut self) -> Option<Entry> {
        if self.uses_radix {
            self.radix.peek()
        } else {
            self.heap.peek()
        }
    }

    #[inline]
    fn pop(&mut self) -> Option<Entry> {
        if !self.uses_radix {
            return self.heap.pop();
        }
        let entry = self.radix.pop();
        if self.radix.len() < TO_HEAP {
            self.switch_to_heap();
        }
        entry
    }

    fn len(&self) -> usize {
        self.heap.len() + self.radix.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Rng;

    /// Every structure must give the same entries in the same order for the same pushes.
    fn differential(population: usize, rounds: usize, spread: u64) {
        let mut sets: Vec<Box<dyn EventSet>> = vec![
            Box::<FourAryHeap>::default(),
            Box::<RadixHeap>::default(),
            Box::<Calendar>::default(),
        ];
        let mut model = std::collections::BTreeSet::new();
        let mut rng = Rng::stream(11, "calendar");
        let mut now = Time::ZERO;
        let mut inserted = 0;
        for round in 0..rounds {
            let growing = model.len() < population && round < rounds * 2 / 3;
            if growing || (model.len() > 1 && rng.below(2) == 0 && round < rounds * 2 / 3) {
                let at = Time::from_nanos(now.as_nanos() + rng.below(spread));
                let entry = Entry::new(at, inserted, rng.below(1_000) as u32);
                inserted += 1;
                model.insert(entry);
                for set in &mut sets {
                    set.push(entry);
                }
            } else {
                let expected = model.pop_first();
                for set in &mut sets {
                    if rng.below(2) == 0 {
                        assert_eq!(set.peek(), expected);
                    }
                    assert_eq!(set.pop(), expected);
                    assert_eq!(set.len(), model.len());
                }
                now = expected.map_or(now, Entry::time);
            }
        }
    }

    #[test]
    fn all_event_sets_agree() {
        differential(10, 20_000, 5); // many ties
        differential(1_000, 50_000, 1_000_000);
        differential(60_000, 300_000, u64::MAX / 1_000_000); // crosses both switching bounds
    }
}
