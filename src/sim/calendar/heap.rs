//! A heap with four children per node: shallower than a binary one, and four entries share a cache line.

use super::{Entry, EventSet};

/// An implicit 4-ary min-heap.
#[derive(Debug, Default)]
pub struct FourAryHeap {
    entries: Vec<Entry>,
}

impl FourAryHeap {
    /// Takes all entries, in no particular order.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Entry> + '_ {
        self.entries.drain(..)
    }
}

impl EventSet for FourAryHeap {
    #[inline]
    fn push(&mut self, entry: Entry) {
        let mut hole = self.entries.len();
        self.entries.push(entry);
        let entries = self.entries.as_mut_slice();
        while hole > 0 {
            let parent = (hole - 1) / 4;
            if entries[parent] <= entry {
                break;
            }
            entries[hole] = entries[parent];
            hole = parent;
        }
        entries[hole] = entry;
    }

    #[inline]
    fn peek(&mut self) -> Option<Entry> {
        self.entries.first().copied()
    }

    #[inline]
    fn pop(&mut self) -> Option<Entry> {
        let last = self.entries.pop()?;
        let Some(&least) = self.entries.first() else {
            return Some(last);
        };
        let entries = self.entries.as_mut_slice();
        let mut hole = 0;
        loop {
            let first = hole * 4 + 1;
            let Some(children) = entries.get(first..entries.len().min(first + 4)) else {
                break;
            };
            let Some((&smallest, index)) = least_child(children) else {
                break;
            };
            if last <= smallest {
                break;
            }
            entries[hole] = smallest;
            hole = first + index;
        }
        entries[hole] = last;
        Some(least)
    }

    fn len(&self) -> usize {
        self.entries.len()
    }
}

#[inline]
fn least_child(children: &[Entry]) -> Option<(&Entry, usize)> {
    if let [a, b, c, d] = children {
        // A two-round tournament: the comparisons of a round do not wait for each other.
        let (left, at_left) = if b < a { (b, 1) } else { (a, 0) };
        let (right, at_right) = if d < c { (d, 3) } else { (c, 2) };
        return Some(if right < left {
            (right, at_right)
        } else {
            (left, at_left)
        });
    }
    let mut best: Option<(&Entry, usize)> = None;
    for (index, child) in children.iter().enumerate() {
        if best.is_none_or(|(least, _)| child < least) {
            best = Some((child, index));
        }
    }
    best
}
