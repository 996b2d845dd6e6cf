//! One partition as one group sees it: how far it is committed and read, and what is owed.

use super::wire_len;
use crate::engine::{
    BatchId, Meta, Page, PartitionEnd, Position, Record, Seq, ShardId, Span, Time,
};
use crate::sim::services::feed::Feed;

/// Most of one partition in one page: librdkafka's `max.partition.fetch.bytes`.
const FETCH_BYTES_MAX: u64 = 1_048_576;
/// A place is kept every so many records, so that coming back to the committed offset never costs much more.
const STRIDE: u64 = 4_096;

/// A partition's offsets and cursors in one group. Records are not stored, so that going back means reading again what
/// lies between a place that was kept and the committed offset.
#[derive(Debug, Default)]
pub(super) struct Place {
    /// The committed offset; `None` while nobody knows where the group begins.
    committed: Option<u64>,
    /// Where the member that has the partition reads on.
    cursor: Option<Box<Feed>>,
    /// Stands at the committed offset or before.
    kept: Option<Box<Feed>>,
    /// Stands after it, until it is committed.
    later: Option<Box<Feed>>,
    /// What was sent to the function and is neither done nor given up.
    owed: Option<Owed>,
    /// The end when it was last looked at.
    end: u64,
}

/// Offsets from the first to the last one, both included. A partition has records in one batch at a time.
#[derive(Clone, Debug)]
struct Owed {
    batch: BatchId,
    first: u64,
    last: u64,
    /// All of them, where filters left some out between.
    sparse: Vec<u64>,
}

/// What a page is cut by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut {
    /// The partition.
    pub(super) shard: u32,
    pub(super) records_max: usize,
    /// Records that arrived later are not in the page.
    pub(super) sent: Time,
    pub(super) now: Time,
    pub(super) retention: Span,
}

impl Place {
    /// Somebody gets the partition: returns the offset at which the group goes on.
    ///
    /// As `kafka-latest-is-stored` has it, what the starting position means for a partition is decided once.
    pub(super) fn begin(&mut self, feed: &Feed, from: Position, now: Time) -> u64 {
        let kept = self.kept.get_or_insert_with(|| {
            let mut feed = Box::new(feed.clone());
            match from {
                Position::Latest => {
                    feed.skip_to(now);
                }
                Position::At(at) => {
                    feed.skip_to(at);
                }
                Position::Horizon | Position::After(_) | Position::End => {}
            }
            feed
        });
        let committed = *self.committed.get_or_insert(kept.passed());
        kept.pass_to(committed);
        let stands = self.cursor.take_if(|it| it.passed() == committed);
        self.cursor = Some(stands.unwrap_or_else(|| kept.clone()));
        self.owed = None;
        committed
    }

    /// Nobody has the partition any more.
    pub(super) fn end(&mut self) {
        self.owed = None;
        self.cursor
            .take_if(|it| Some(it.passed()) != self.committed);
    }

    /// Offset of the first record that the group has not read.
    pub(super) fn position(&self) -> u64 {
        let cursor = self.cursor.as_ref().map(|it| it.passed());
        cursor.or(self.committed).unwrap_or(0)
    }

    /// The partition ends at `end` now: returns how much it has grown.
    pub(super) const fn seen(&mut self, end: u64) -> u64 {
        let grown = end - self.end;
        self.end = end;
        grown
    }

    pub(super) const fn committed(&self) -> Option<u64> {
        self.committed
    }

    /// When the next record arrives, for a partition that somebody has.
    #[inline]
    pub(super) fn next_arrival(&mut self) -> Option<Time> {
        self.cursor.as_mut()?.next_arrival()
    }

    /// Puts the next records into the page; returns how many were trimmed before their turn came.
    ///
    /// Rule `kafka-retention-trims`.
    #[inline]
    pub(super) fn read(&mut self, cut: Cut, page: &mut Page<()>) -> u64 {
        let Some(cursor) = &mut self.cursor else {
            return 0;
        };
        let before = cursor.passed();
        let key = cursor.key();
        let (mut bytes, mut trimmed) = (0, 0);
        while page.records.len() < cut.records_max && bytes < FETCH_BYTES_MAX {
            let Some(written) = cursor.read(cut.sent) else {
                break;
            };
            if cut.now.since(written.arrival) > cut.retention {
                trimmed += 1;
                continue;
            }
            bytes += u64::from(written.size);
            page.records.push(Record {
                meta: Meta {
                    // Offsets count from 0. The name of the partition makes records of two partitions differ.
                    seq: Seq::within(key, written.ordinal - 1),
                    group: u64::from(cut.shard),
                    arrival: written.arrival,
                    wire_len: wire_len(written.size),
                },
                payload: (),
            });
        }
        let next = cursor.passed();
        if next == before {
            return 0;
        }
        page.bytes += bytes;
        page.ends.push(PartitionEnd {
            shard: ShardId(cut.shard),
            next: Seq::from(next),
            filtered: 0,
        });
        let kept = self.kept.as_ref().map_or(0, |it| it.passed());
        if self.later.is_none() && next >= kept + STRIDE {
            self.later = Some(cursor.clone());
        }
        trimmed
    }

    // ---- what is owed ----

    /// These records are sent as part of a batch.
    pub(super) fn sent(&mut self, batch: BatchId, records: &[Record<()>]) {
        let offset = |record: &Record<()>| record.meta.seq.low_u64();
        let (Some(first), Some(last)) = (records.first(), records.last()) else {
            return;
        };
        let (first, last) = (offset(first), offset(last));
        let before = self.owed.take();
        let mut owed = match before {
            // Tried again, as a whole or in pieces.
            Some(known) if known.first <= first && last <= known.last => known,
            before => {
                let is_sparse = last - first + 1 > records.len() as u64;
                let mut sparse = Vec::new();
                if is_sparse || before.is_some() {
                    sparse.extend(records.iter().map(offset));
                }
                let mut first = first;
                if let Some(known) = before {
                    first = first.min(known.first);
                    match known.sparse.is_empty() {
                        true => sparse.extend(known.first..=known.last),
                        false => sparse.extend(known.sparse),
                    }
                    sparse.sort_unstable();
                    sparse.dedup();
                }
                Owed {
                    batch,
                    first,
                    last: sparse.last().map_or(last, |it| last.max(*it)),
                    sparse,
                }
            }
        };
        owed.batch = batch;
        self.owed = Some(owed);
    }

    /// Everything of the batch up to `last` is done or given up.
    pub(super) fn settled(&mut self, last: u64) {
        if let Some(owed) = &mut self.owed {
            let left = owed.sparse.partition_point(|offset| *offset <= last);
            let next = owed.sparse.get(left).copied().unwrap_or(last + 1);
            owed.first = owed.first.max(next);
            if owed.first > owed.last {
                self.owed = None;
            }
        }
    }

    /// The batch that something is owed of.
    pub(super) fn owing(&self) -> Option<BatchId> {
        self.owed.as_ref().map(|owed| owed.batch)
    }

    /// Nothing more is known of what is owed of this batch.
    pub(super) fn forgive(&mut self, batch: BatchId) {
        self.owed.take_if(|owed| owed.batch == batch);
    }

    /// # Panics
    /// When the offset is ahead of what succeeded or was given up, or goes back. Rule `kafka-commit-is-a-prefix`.
    pub(super) fn commit(&mut self, to: u64) {
        let from = self.committed.unwrap_or(0);
        let position = self.position();
        assert!(
            (from..=position).contains(&to),
            "offset {to} was committed after {from}, and {position} is read next"
        );
        assert!(
            self.owed.as_ref().is_none_or(|owed| to <= owed.first),
            "offset {to} was committed, but what was sent is not done: {:?}",
            self.owed
        );
        self.committed = Some(to);
        if let Some(later) = self.later.take_if(|it| it.passed() <= to) {
            self.kept = Some(later);
        }
    }
}
