//! A monotone radix heap: entries wait in buckets by the highest bit in which they differ from the last popped
//! one, and only move towards lower buckets. No tuning, and memory is read in streams.

use super::{Entry, EventSet};

const BUCKETS: usize = 129;

/// A radix heap over the whole 128-bit entry.
#[derive(Debug)]
pub struct RadixHeap {
    buckets: Vec<Vec<Entry>>,
    /// Bit `b - 1` tells whether bucket `b` has entries; bucket 0 can only hold the last popped entry.
    occupied: u128,
    last: u128,
    least: Option<Entry>,
    len: usize,
    moving: Vec<Entry>,
}

impl Default for RadixHeap {
    fn default() -> Self {
        Self {
            buckets: vec![Vec::new(); BUCKETS],
            occupied: 0,
            last: 0,
            least: None,
            len: 0,
            moving: Vec::new(),
        }
    }
}

impl RadixHeap {
    #[inline]
    fn bucket_of(&self, entry: Entry) -> usize {
        (128 - (entry.0 ^ self.last).leading_zeros()) as usize
    }

    #[inline]
    fn put(&mut self, entry: Entry) {
        let bucket = self.bucket_of(entry);
        assert!(bucket > 0, "an entry was pushed twice");
        self.buckets[bucket].push(entry);
        self.occupied |= 1 << (bucket - 1);
    }

    fn first_bucket(&self) -> usize {
        self.occupied.trailing_zeros() as usize + 1
    }
}

impl EventSet for RadixHeap {
    #[inline]
    fn push(&mut self, entry: Entry) {
        assert!(entry.0 >= self.last, "an event was scheduled in the past");
        self.put(entry);
        self.len += 1;
        // `None` means "not looked for yet" unless the heap was empty.
        if self.len == 1 || self.least.is_some_and(|least| entry < least) {
            self.least = Some(entry);
        }
    }

    #[inline]
    fn peek(&mut self) -> Option<Entry> {
        if self.least.is_none() && self.len > 0 {
            self.least = self.buckets[self.first_bucket()].iter().min().copied();
        }
        self.least
    }

    #[inline]
    fn pop(&mut self) -> Option<Entry> {
        let least = self.peek()?;
        let bucket = self.bucket_of(least);
        self.last = least.0;
        self.least = None;
        self.len -= 1;
        if self.buckets[bucket].len() == 1 {
            self.buckets[bucket].clear();
            self.occupied &= !(1 << (bucket - 1));
            return Some(least);
        }
        let mut moving = std::mem::take(&mut self.moving);
        std::mem::swap(&mut moving, &mut self.buckets[bucket]);
        self.occupied &= !(1 << (bucket - 1));
        for entry in moving.drain(..) {
            if entry != least {
                self.put(entry);
            }
        }
        self.moving = moving;
        Some(least)
    }

    fn len(&self) -> usize {
        self.len
    }
}
