//! Batches: records that an action mentions, and the part of them that is in hand.

use crate::engine::{BatchId, Record};

/// Emptied record lists kept for reuse; more than a few would only hold memory.
const SPARE_LISTS_MAX: usize = 64;

/// A list of records and the range of it that unanswered actions mean.
#[derive(Debug)]
struct Batch<P> {
    list: Vec<Record<P>>,
    start: u32,
    end: u32,
}

/// All batches of a mapping, and lists for further ones.
#[derive(Debug)]
pub(super) struct Batches<P> {
    entries: Vec<Option<Batch<P>>>,
    free: Vec<u32>,
    spare: Vec<Vec<Record<P>>>,
}

impl<P> Default for Batches<P> {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            free: Vec::new(),
            spare: Vec::new(),
        }
    }
}

impl<P> Batches<P> {
    /// Takes in a list; all of it is in hand.
    pub(super) fn begin(&mut self, list: Vec<Record<P>>) -> BatchId {
        let end = list.len() as u32;
        let start = 0;
        let batch = Some(Batch { list, start, end });
        match self.free.pop() {
            Some(index) => {
                self.entries[index as usize] = batch;
                BatchId(index)
            }
            None => {
                let index = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
                assert!(index < u32::MAX, "more than 2^32 batches");
                self.entries.push(batch);
                BatchId(index)
            }
        }
    }

    /// The part in hand, or `None` when there is no such batch.
    pub(super) fn view(&self, id: BatchId) -> Option<&[Record<P>]> {
        let batch = self.entries.get(id.0 as usize)?.as_ref()?;
        Some(&batch.list[batch.start as usize..batch.end as usize])
    }

    /// All records, whichever part is in hand.
    pub(super) fn all(&self, id: BatchId) -> &[Record<P>] {
        match self.entries.get(id.0 as usize) {
            Some(Some(batch)) => &batch.list,
            _ => unreachable!("batch {id:?} is not in flight"),
        }
    }

    /// Records of all batches together.
    pub(super) fn records(&self) -> u64 {
        let batches = self.entries.iter().flatten();
        batches.map(|batch| batch.list.len() as u64).sum()
    }

    /// Puts the records `start..end` in hand.
    pub(super) fn narrow(&mut self, id: BatchId, start: u32, end: u32) {
        let Some(Some(batch)) = self.entries.get_mut(id.0 as usize) else {
            unreachable!("batch {id:?} is not in flight");
        };
        assert!(
            start <= end && end as usize <= batch.list.len(),
            "a part outside of its batch"
        );
        batch.start = start;
        batch.end = end;
    }

    /// Drops the records at `indices` (ascending); the rest is in hand.
    pub(super) fn remove(&mut self, id: BatchId, indices: &[u32]) {
        let Some(Some(batch)) = self.entries.get_mut(id.0 as usize) else {
            unreachable!("batch {id:?} is not in flight");
        };
        let (mut index, mut next) = (0, indices.iter().copied().peekable());
        batch.list.retain(|_| {
            let goes = next.next_if_eq(&index).is_some();
            index += 1;
            !goes
        });
        batch.start = 0;
        batch.end = batch.list.len() as u32;
    }

    /// Moves the records at `indices` (ascending) to the front; both parts keep their order.
    pub(super) fn bring_forward(&mut self, id: BatchId, indices: &[u32]) {
        let Some(Some(batch)) = self.entries.get_mut(id.0 as usize) else {
            unreachable!("batch {id:?} is not in flight");
        };
        for (to, &from) in indices.iter().enumerate() {
            batch.list[to..=from as usize].rotate_right(1);
        }
    }

    /// Takes the records from `start` on out of a batch.
    pub(super) fn take_from(
        &mut self,
        id: BatchId,
        start: u32,
    ) -> impl DoubleEndedIterator<Item = Record<P>> + '_ {
        let Some(Some(batch)) = self.entries.get_mut(id.0 as usize) else {
            unreachable!("batch {id:?} is not in flight");
        };
        (batch.start, batch.end) = (0, start);
        batch.list.drain(start as usize..)
    }

    /// Drops the records and keeps the list.
    pub(super) fn end(&mut self, id: BatchId) {
        let batch = self.entries.get_mut(id.0 as usize).and_then(Option::take);
        assert!(batch.is_some(), "batch {id:?} ended twice");
        self.free.push(id.0);
        if let Some(batch) = batch {
            self.recycle(batch.list);
        }
    }

    /// An empty list, with the capacity of an earlier one.
    pub(super) fn spare(&mut self) -> Vec<Record<P>> {
        self.spare.pop().unwrap_or_default()
    }

    pub(super) fn recycle(&mut self, mut list: Vec<Record<P>>) {
        list.clear();
        if self.spare.len() < SPARE_LISTS_MAX {
            self.spare.push(list);
        }
    }
}
