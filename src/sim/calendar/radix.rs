//! A monotone radix heap: entries wait in buckets by the highest bit in which they differ from a common pivot,
//! and only move towards lower buckets. No tuning, and memory is read in streams.

use super::{Entry, EventSet};

const BUCKETS: usize = 129;
/// A bucket of at most this many entries is sorted at once instead of being spread over lower buckets: the last
/// spreads, of a few entries each, would cost more than the sort.
const SORTED_MAX: usize = 64;

/// A radix heap over the whole 128-bit entry, with its least entries in order.
#[derive(Debug)]
pub struct RadixHeap {
    /// The least entries, greatest first. They are not above the pivot, those in the buckets not below.
    front: Vec<Entry>,
    buckets: Vec<Vec<Entry>>,
    /// Bit `b` tells whether bucket `b + 1` has entries; an entry equal to the pivot is never in a bucket.
    occupied: u128,
    pivot: u128,
    popped: u128,
    in_buckets: usize,
    moving: Vec<Entry>,
    /// Nobody looked at the front since it was filled.
    is_fresh: bool,
}

impl Default for RadixHeap {
    fn default() -> Self {
        Self {
            front: Vec::new(),
            buckets: vec![Vec::new(); BUCKETS],
            occupied: 0,
            pivot: 0,
            popped: 0,
            in_buckets: 0,
            moving: Vec::new(),
            is_fresh: false,
        }
    }
}

impl RadixHeap {
    /// Whether the front was filled since the last call.
    #[inline]
    pub(super) const fn take_fresh(&mut self) -> bool {
        std::mem::replace(&mut self.is_fresh, false)
    }

    /// The least entries, as far as they are in order.
    #[inline]
    pub(super) fn front(&self) -> &[Entry] {
        &self.front
    }

    #[inline]
    fn put(&mut self, entry: Entry) {
        let bucket = (128 - (entry.0 ^ self.pivot).leading_zeros()) as usize;
        assert!(bucket > 0, "an entry was pushed twice");
        self.buckets[bucket].push(entry);
        self.occupied |= 1 << (bucket - 1);
    }

    /// Moves the least entries into the empty front.
    fn refill(&mut self) {
        if self.occupied == 0 {
            return;
        }
        let least = self.occupied.trailing_zeros() as usize + 1;
        self.occupied &= self.occupied - 1;
        let mut moving = std::mem::take(&mut self.moving);
        std::mem::swap(&mut moving, &mut self.buckets[least]);
        // Any pivot out of the least bucket leaves the others as they are: above the bit by which that bucket is
        // defined, all its entries have the old pivot's bits.
        if moving.len() <= SORTED_MAX {
            moving.sort_unstable_by(|a, b| b.cmp(a));
            self.pivot = moving.first().map_or(self.pivot, |entry| entry.0);
            self.in_buckets -= moving.len();
            self.moving = std::mem::replace(&mut self.front, moving);
            self.is_fresh = true;
            return;
        }
        let first = moving.iter().min().copied();
        self.pivot = first.map_or(self.pivot, |entry| entry.0);
        for entry in moving.drain(..) {
            if Some(entry) != first {
                self.put(entry);
            }
        }
        self.moving = moving;
        self.in_buckets -= 1;
        self.front.extend(first);
    }
}

impl EventSet for RadixHeap {
    #[inline]
    fn push(&mut self, entry: Entry) {
        assert!(entry.0 >= self.popped, "an event was scheduled in the past");
        if entry.0 > self.pivot {
            self.put(entry);
            self.in_buckets += 1;
            return;
        }
        let place = self.front.partition_point(|other| *other > entry);
        self.front.insert(place, entry);
    }

    #[inline]
    fn peek(&mut self) -> Option<Entry> {
        if self.front.is_empty() {
            self.refill();
        }
        self.front.last().copied()
    }

    #[inline]
    fn pop(&mut self) -> Option<Entry> {
        if self.front.is_empty() {
            self.refill();
        }
        let least = self.front.pop()?;
        self.popped = least.0;
        Some(least)
    }

    fn len(&self) -> usize {
        self.front.len() + self.in_buckets
    }
}
