//! One partition of the topic, whoever reads it at the moment.

use super::offsets::Offsets;
use crate::engine::{Record, ShardId};
use std::collections::VecDeque;

/// A partition: what was read of it and waits, and how far it is committed.
///
/// ```text
///         Assigned             Revoked             Yield
///  Gone ────────────▶ Held ──────────────▶ Leaving ──────▶ Gone
///                      └───── Lost, Leave ─────┴─────────────▲
/// ```
#[derive(Debug)]
pub(super) struct Partition<P> {
    pub(super) id: ShardId,
    pub(super) tenure: Tenure,
    /// Counts assignments: answers that belong to an earlier one say nothing of this one.
    pub(super) assignment: u32,
    pub(super) offsets: Offsets,
    /// The first offset that no page has covered.
    pub(super) next: u64,
    /// The high watermark when it was last measured.
    pub(super) end: Option<u64>,
    /// The committed offset when it went to somebody else, until that was taken into account once.
    pub(super) left_at: Option<u64>,
    pub(super) in_work: Option<InWork>,
    buffer: VecDeque<Record<P>>,
    /// Encoded bytes of the buffered records, a comma each.
    bytes: u64,
}

/// Who has a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tenure {
    /// No consumer of this mapping.
    Gone,
    /// This consumer.
    Held(u32),
    /// This consumer, until what is in flight has ended.
    Leaving(u32),
}

/// Records of a partition that are in a batch.
#[derive(Clone, Copy, Debug)]
pub(super) struct InWork {
    pub(super) records: u32,
    /// They were read under an assignment that is lost: nothing of them is committed.
    pub(super) is_orphan: bool,
}

impl<P> Partition<P> {
    pub(super) fn new(id: ShardId) -> Self {
        Self {
            id,
            tenure: Tenure::Gone,
            assignment: 0,
            offsets: Offsets::default(),
            next: 0,
            end: None,
            left_at: None,
            in_work: None,
            buffer: VecDeque::new(),
            bytes: 0,
        }
    }

    pub(super) fn is_held_by(&self, consumer: u32) -> bool {
        self.tenure == Tenure::Held(consumer)
    }

    /// A consumer gets it, at the offset `from`.
    pub(super) fn assign(&mut self, consumer: u32, from: u64) {
        assert!(
            self.tenure == Tenure::Gone,
            "partition {:?} was assigned twice",
            self.id
        );
        self.tenure = Tenure::Held(consumer);
        self.assignment += 1;
        self.offsets = Offsets::new(from);
        self.next = from;
    }

    /// Nothing may be committed any more.
    pub(super) fn forfeit(&mut self) {
        if self.tenure != Tenure::Gone {
            self.left_at = Some(self.offsets.stored());
        }
        self.tenure = Tenure::Gone;
        self.assignment += 1;
        self.offsets = Offsets::default();
        if let Some(in_work) = &mut self.in_work {
            in_work.is_orphan = true;
        }
    }

    /// Whether records in a batch are not to be sent again.
    pub(super) fn is_departing(&self) -> bool {
        !matches!(self.tenure, Tenure::Held(_)) || self.in_work.is_some_and(|it| it.is_orphan)
    }

    // ---- what waits ----

    pub(super) fn waiting(&self) -> usize {
        self.buffer.len()
    }

    pub(super) const fn waiting_bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn push(&mut self, record: Record<P>) {
        self.bytes += u64::from(record.meta.wire_len) + 1;
        self.next = record.meta.seq.low_u64() + 1;
        self.buffer.push_back(record);
    }

    /// Forgets what waits and returns how many records that were. They count as not read.
    pub(super) fn forget(&mut self) -> u32 {
        let records = self.buffer.len() as u32;
        if let Some(first) = self.buffer.front() {
            self.next = first.meta.seq.low_u64();
        }
        self.buffer.clear();
        self.bytes = 0;
        records
    }

    /// How many of the first `records_max` waiting records take no more than `bytes_max` with a comma between them, and
    /// their bytes with a comma each.
    pub(super) fn fitting(&self, records_max: usize, bytes_max: u64) -> (usize, u64) {
        let (mut count, mut bytes) = (0, 0);
        for record in self.buffer.iter().take(records_max) {
            let with = bytes + u64::from(record.meta.wire_len);
            if with > bytes_max {
                break;
            }
            count += 1;
            bytes = with + 1;
        }
        (count, bytes)
    }

    /// Moves the first `count` waiting records into a batch.
    pub(super) fn send(&mut self, count: usize, list: &mut Vec<Record<P>>) {
        let from = list.len();
        list.extend(self.buffer.drain(..count));
        let sent = list[from..].iter();
        self.bytes -= sent
            .map(|record| u64::from(record.meta.wire_len) + 1)
            .sum::<u64>();
        self.in_work = Some(InWork {
            records: count as u32,
            is_orphan: false,
        });
    }

    // ---- what is done ----

    /// `records` of those in work are finished; `first_left` is the offset of the first one in work that is not.
    ///
    /// Rule `kafka-filtered-with-their-batch`: whatever lies before the next unfinished record is committed with them.
    pub(super) fn finished(&mut self, records: u32, first_left: Option<u64>) {
        let is_orphan = self.in_work.is_some_and(|it| it.is_orphan);
        self.leave_work(records);
        if is_orphan || self.tenure == Tenure::Gone {
            return;
        }
        self.offsets.finished(records);
        let front = self.buffer.front().map(|record| record.meta.seq.low_u64());
        let next = first_left.or(front).unwrap_or(self.next);
        self.offsets.reach(next);
    }

    /// `records` of those in work, from the offset `first` on, are dropped unfinished. They count as not read.
    pub(super) fn dropped(&mut self, records: u32, first: u64) {
        let is_orphan = self.in_work.is_some_and(|it| it.is_orphan);
        self.leave_work(records);
        if !is_orphan {
            self.next = self.next.min(first);
        }
    }

    fn leave_work(&mut self, records: u32) {
        let Some(in_work) = &mut self.in_work else {
            panic!("records ended that were in no batch");
        };
        in_work.records -= records;
        if in_work.records == 0 {
            self.in_work = None;
        }
    }

    /// A page covers the partition up to `next`. Rule `kafka-filtered-page-is-committed`.
    pub(super) fn covered(&mut self, next: u64, filtered: u32) {
        self.next = self.next.max(next);
        if filtered > 0 {
            self.offsets.left_out(next, filtered);
        }
        // A page that the filters left nothing of ends no batch.
        if self.buffer.is_empty() && self.in_work.is_none() {
            self.offsets.reach(self.next);
        }
    }
}
