//! What mappings of streams do besides polling: finding new shards, and being pushed records.

use super::esm::SimEffects;
use super::world::{Inner, Pending, World};
use crate::engine::{Control, Event, Position, ShardId, Time, Token};

impl World<'_> {
    /// The mapping lists the shards of its stream, at its beginning, after the end of a shard, and every now and then.
    pub(super) fn list_shards(&mut self, mapping: u32) {
        let now = self.inner.now;
        let index = mapping as usize;
        let source = self.inner.scenario.mappings[index].source;
        let Some((stream, reader)) = self.inner.sources[source].stream(index) else {
            unreachable!("the shards of a queue were listed");
        };
        let new = reader.list(stream, now);
        let next = reader.next_listing(stream, now);
        self.inner.schedule_listing(mapping, next);
        if !new.is_empty() {
            self.feed(mapping, Event::Control(Control::Shards(new)));
        }
    }

    pub(super) fn listing_due(&mut self, mapping: u32) {
        if self.inner.listings[mapping as usize] == Some(self.inner.now) {
            self.inner.listings[mapping as usize] = None;
            self.list_shards(mapping);
        }
    }

    /// A push arrives: it brings what was written since the one before.
    pub(super) fn pushed(&mut self, mapping: u32, token: Token, shard: ShardId, from: Position) {
        let now = self.inner.now;
        let index = mapping as usize;
        let records_max = self.inner.scenario.mappings[index].tuning.page_records_max;
        let list = self.mappings[index].spare_list();
        let source = self.inner.scenario.mappings[index].source;
        let Some((stream, reader)) = self.inner.sources[source].stream(index) else {
            unreachable!("a queue pushed records");
        };
        let page = stream.push(reader, shard.0, from, now, records_max, list);
        self.inner.records += page.records.len() as u64;
        let page = self.inner.stream_page(mapping, page);
        self.inner.shard_ended = page.shard_end;
        self.feed(mapping, Event::Fetched { token, page });
    }
}

impl Inner<'_> {
    /// Plans a listing where new shards can be found that no end of a shard leads to: a stream that never changes costs
    /// nothing.
    fn schedule_listing(&mut self, mapping: u32, at: Option<Time>) {
        let planned = &mut self.listings[mapping as usize];
        if let Some(at) = at
            && *planned != Some(at)
        {
            *planned = Some(at);
            self.schedule(at, Pending::Listing(mapping));
        }
    }
}

impl SimEffects<'_, '_> {
    /// A read with enhanced fan-out is answered by the next push. Where nothing will ever come, it stays unanswered.
    pub(super) fn subscribe(
        &mut self,
        token: Token,
        shard: ShardId,
        from: Position,
    ) -> Option<Event<()>> {
        let now = self.inner.now;
        let index = self.mapping as usize;
        let source = self.inner.scenario.mappings[index].source;
        let (stream, reader) = self.inner.sources[source].stream(index)?;
        if let Some(at) = stream.next_push(reader, shard.0, from, now) {
            let pending = Pending::Pushed {
                mapping: self.mapping,
                token,
                shard,
                from,
            };
            self.inner.schedule(at, pending);
        }
        None
    }
}
