//! Reads, checkpoints, deletions, and what is left at the end.

use super::Watch;
use crate::engine::{Delta, Position, Seq, Time};
use crate::swarm::log::What;
use crate::swarm::services::Tag;
use crate::swarm::tally::Checker;

impl Watch<'_> {
    /// A shard is read from `place` on; `is_first` when this mapping had not read it before.
    pub(in crate::swarm) fn reads(&mut self, shard: usize, place: usize, is_first: bool) {
        if is_first {
            let state = &mut self.shards[shard];
            state.start = place;
            state.cursor = place;
            return;
        }
        let cursor = self.shards[shard].cursor;
        self.check(Checker::Reading, place == cursor, || {
            format!("shard {shard} is read from its record {place} on, after {cursor}")
        });
    }

    /// The mapping began a shard behind the records before `place`, because its starting position says so.
    pub(in crate::swarm) fn skipped(&mut self, shard: usize, place: usize) {
        let skipped = self.lists.of[shard][..place].iter().copied();
        self.log.push(What::Skipped, self.now, skipped);
    }

    /// What the mapping was told to be stored when a shard was listed.
    pub(in crate::swarm) fn listed(
        &mut self,
        shard: usize,
        from: Position,
        state: Option<(Time, u32)>,
    ) {
        self.shards[shard].stored = Some(from);
        self.shards[shard].state = state;
        if let Position::After(seq) = from {
            let number = |record: &u32| Seq::from(self.lists.number[*record as usize]);
            let place = self.lists.of[shard].partition_point(|record| number(record) <= seq);
            self.shards[shard].start = place;
            self.shards[shard].cursor = place;
        }
        if from == Position::End {
            let end = self.lists.of[shard].len();
            self.shards[shard].start = end;
            self.shards[shard].cursor = end;
            self.shards[shard].is_closed = true;
        }
    }

    /// A partition is assigned from an offset on: answers that are still to come say nothing of it.
    pub(in crate::swarm) fn assigned(&mut self, shard: usize, from: usize) {
        for place in from..self.lists.of[shard].len() {
            self.forget(self.lists.of[shard][place]);
        }
        let now = self.now;
        let state = &mut self.shards[shard];
        state.start = from;
        state.cursor = from;
        state.lowest = from;
        state.ended = now;
        state.leaving = false;
        state.stored = Some(Position::at_offset(from as u64));
    }

    /// Progress of a shard or partition is about to be stored.
    pub(in crate::swarm) fn stores(&mut self, shard: usize, delta: Delta, window: Option<Time>) {
        let stored = self.shards[shard].stored;
        self.check(Checker::Checkpoints, stored == Some(delta.from), || {
            format!(
                "shard {shard}: a checkpoint from {:?}, where {stored:?} is stored",
                delta.from
            )
        });
        let moves = delta.from.is_behind(delta.to)
            || window.is_some()
            || delta.from == delta.to
            || matches!(delta.to, Position::At(_));
        self.check(Checker::Checkpoints, moves, || {
            format!(
                "shard {shard}: a checkpoint goes back from {:?} to {:?}",
                delta.from, delta.to
            )
        });
        if self.part.kind.is_stream() && delta.to != Position::End {
            let state = self.shards[shard].state.map(|(start, _)| start);
            self.check(Checker::Tumbling, state == window, || {
                format!("shard {shard}: the window {window:?} is stored, and {state:?} has a state")
            });
        }
        let list = &self.lists.of[shard];
        let number = |record: &u32| Seq::from(self.lists.number[*record as usize]);
        let to = match delta.to {
            Position::After(seq) => list.partition_point(|record| number(record) <= seq),
            Position::End => list.len(),
            _ => 0,
        };
        let is_closed = self.shards[shard].is_closed;
        self.check(
            Checker::Progress,
            delta.to != Position::End || is_closed,
            || format!("shard {shard} is said to be over before it was read to its end"),
        );
        let cursor = self.shards[shard].cursor;
        self.check(Checker::Progress, to <= cursor, || {
            format!("shard {shard}: a checkpoint behind record {to}, where {cursor} were read")
        });
        let lowest = self.lowest(shard);
        for place in lowest..to {
            let record = self.lists.of[shard][place];
            let is_over = self.is_over(record);
            self.check(Checker::Progress, is_over, || {
                format!("shard {shard}: a checkpoint ({:?}) passes record {record}, which is not finished", delta.to)
            });
        }
    }

    /// The mapping was told that a position is stored.
    pub(in crate::swarm) fn stored(&mut self, shard: usize, to: Position) {
        self.shards[shard].stored = Some(to);
    }

    /// Messages are about to be deleted or acknowledged.
    pub(in crate::swarm) fn deletes(&mut self, tags: &[Tag]) {
        for &tag in tags {
            let bytes = self.part.records[tag.record as usize].bytes;
            let is_oversized = self.part.kind.is_broker()
                && u64::from(bytes) + 1_000 > crate::engine::limits::EVENT_BYTES_MAX;
            let told = self.entries[tag.record as usize].told;
            let is_over =
                is_oversized || told.contains(&Some(tag.era)) || told.contains(&Some(u32::MAX));
            self.check(Checker::Progress, is_over, || {
                format!(
                    "record {} was deleted though it is not finished",
                    tag.record
                )
            });
        }
    }

    /// Messages go back to the broker.
    pub(in crate::swarm) fn releases(&mut self, tags: &[Tag]) {
        for &tag in tags {
            let is_settled = self.entries[tag.record as usize].settled && self.is_current(tag);
            self.check(Checker::Progress, !is_settled, || {
                format!("record {} was given back though it is finished", tag.record)
            });
            self.let_go(tag);
        }
    }
}
