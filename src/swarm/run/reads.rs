//! Reads and receives: what the sources hand over.

use super::{Due, Happened, Mine, Receive, Run, Source};
use crate::engine::{
    Event, FailureClass, Meta, Page, PartitionEnd, Position, Record, Seq, ShardId, Span, Token,
};
use crate::swarm::dice::{happens, hashed};
use crate::swarm::services::Tag;
use crate::swarm::services::kafka::Kafka;
use crate::swarm::watch::Watch;
use crate::swarm::world::Part;

/// How often a receive looks for what others gave back.
const LOOK_AGAIN: Span = Span::from_millis(200);

impl Run<'_> {
    pub(super) fn read(
        &mut self,
        index: usize,
        token: Token,
        shard: ShardId,
        from: Position,
        max: u32,
    ) {
        let (now, seed) = (self.shared.now, self.world.seed);
        let state = &mut self.parts[index];
        let Source::Stream(stream) = &mut state.source else {
            unreachable!("only streams are read")
        };
        let at = shard.0 as usize;
        let is_first = !stream.is_begun(at);
        let place = stream.place(state.part, at, from, now);
        state.watch.reads(at, place, is_first);
        if is_first && !matches!(from, Position::After(_)) {
            state.watch.skipped(at, place);
        }
        // A page may be empty although there is more behind it.
        let is_empty_handed = happens(4, seed, index as u64, now.as_nanos(), u64::from(shard.0));
        let found = stream.read(state.part, at, from, max as usize, now, is_empty_handed);
        if found.from > place {
            self.shared.tally.expired += (found.from - place) as u64;
            state.watch.expired(at, place..found.from);
        }
        let watched = &mut state.watch.shards[at];
        watched.cursor = found.to;
        watched.is_closed |= found.shard_end;
        let range = found.from..found.to;
        let list = &stream.lists.of[at];
        let number = |place: usize| Seq::from(stream.lists.number[list[place] as usize]);
        let mut page = Page {
            behind: found.behind,
            shard_end: found.shard_end,
            end: range.clone().next_back().map(number),
            ..Page::default()
        };
        for place in range {
            let meta = (number(place), state.part.records[list[place] as usize].key);
            if !hand(state.part, &mut state.watch, &mut page, list[place], meta) {
                page.filtered += 1;
            }
        }
        self.shared
            .say(|| format!("part {index} reads {shard:?}: {}", shown(&page)));
        self.feed(index, Event::Fetched { token, page });
        if found.shard_end {
            self.list(index);
        }
    }

    pub(super) fn try_receive(&mut self, index: usize, receive: Receive) {
        let now = self.shared.now;
        let max = receive.max as usize;
        let state = &mut self.parts[index];
        if let Source::Broker(broker) = &state.source
            && broker.connection(receive.poller) != receive.connection
        {
            let (token, class) = (receive.token, FailureClass::Transient);
            return self.feed(index, Event::Failed { token, class });
        }
        let (part, watch) = (state.part, &mut state.watch);
        let mut page = Page::default();
        let soon = now + LOOK_AGAIN;
        let next = match &mut state.source {
            Source::Queue(queue) => {
                let taken = queue.receive(part, now, max, |record| watch.hand(record));
                give(part, watch, &mut page, &taken);
                bury(watch, &mut queue.died);
                queue.next(part, now)
            }
            Source::Broker(broker) => {
                let poller = receive.poller;
                let taken = broker.receive(part, now, poller, max, |record| watch.hand(record));
                give(part, watch, &mut page, &taken);
                bury(watch, &mut broker.died);
                Some(broker.next(part, now).map_or(soon, |at| at.min(soon)))
            }
            Source::Kafka(kafka) => {
                fetch(part, watch, kafka, &receive, &mut page, now);
                Some(kafka.next(part, now).map_or(soon, |at| at.min(soon)))
            }
            Source::Stream(_) => unreachable!("streams are not received"),
        };
        let is_empty = page.records.is_empty() && page.rejected.is_empty() && page.ends.is_empty();
        if is_empty && now < receive.deadline {
            let at = next.map_or(receive.deadline, |at| at.min(receive.deadline));
            let due = Due::Mine(index, state.life, Mine::Receive(receive));
            return self.calendar.plan(at, due);
        }
        let token = receive.token;
        self.shared
            .say(|| format!("part {index} receives {}", shown(&page)));
        let mut event = Event::Fetched { token, page };
        if receive.answer_is_lost {
            let class = FailureClass::Transient;
            match &mut state.source {
                Source::Broker(broker) => {
                    broker.disconnect(Some(receive.poller));
                    event = Event::Failed { token, class };
                }
                Source::Queue(_) => event = Event::Failed { token, class },
                // A failed receive of Kafka loses nothing, so that there is no answer to lose.
                _ => {}
            }
        }
        if !part.kind.is_queue() {
            return self.feed(index, event);
        }
        // What was received is hidden from now on, and known a little later.
        let most = part.service.latency.as_millis();
        let drawn = hashed(self.world.seed, index as u64, now.as_nanos(), 3);
        let at = now + Span::from_millis(drawn % (most + 1));
        let due = Due::Mine(index, state.life, Mine::Answer(event));
        self.calendar.plan(at, due);
    }
}

/// Puts a record into a page; not if the filters leave it out.
fn hand(
    part: &Part,
    watch: &mut Watch<'_>,
    page: &mut Page<Tag>,
    record: u32,
    (seq, group): (Seq, u64),
) -> bool {
    let script = &part.records[record as usize];
    page.bytes += u64::from(script.bytes);
    if script.filtered {
        return false;
    }
    let era = watch.hand(record);
    page.records.push(Record {
        meta: Meta {
            seq,
            group,
            arrival: script.at,
            wire_len: script.bytes,
        },
        payload: Tag { record, era },
    });
    true
}

/// Puts messages into a page; those that the filters leave out are apart.
fn give(part: &Part, watch: &mut Watch<'_>, page: &mut Page<Tag>, taken: &[Tag]) {
    for &tag in taken {
        let script = &part.records[tag.record as usize];
        page.bytes += u64::from(script.bytes);
        let record = Record {
            meta: Meta {
                seq: Seq::from(u64::from(tag.era)),
                group: script.key,
                arrival: script.at,
                wire_len: script.bytes,
            },
            payload: tag,
        };
        if script.filtered {
            watch.left_out(tag);
            page.rejected.push(record);
        } else {
            page.records.push(record);
        }
    }
}

pub(super) fn bury(watch: &mut Watch<'_>, died: &mut Vec<u32>) {
    for record in died.drain(..) {
        watch.gone(record, Happened::Dead);
    }
}

/// Puts what a consumer may have into a page.
fn fetch(
    part: &Part,
    watch: &mut Watch<'_>,
    kafka: &mut Kafka,
    receive: &Receive,
    page: &mut Page<Tag>,
    now: crate::engine::Time,
) {
    let max = receive.max as usize;
    for (shard, places) in kafka.fetch(part, receive.poller, &receive.held, max, now) {
        let mut filtered = 0;
        watch.shards[shard as usize].cursor = places.end;
        let next = Seq::from(places.end as u64);
        for place in places {
            let record = kafka.lists.of[shard as usize][place];
            let meta = (Seq::from(place as u64), u64::from(shard));
            if !hand(part, watch, page, record, meta) {
                filtered += 1;
            }
        }
        page.filtered += filtered;
        let shard = ShardId(shard);
        page.ends.push(PartitionEnd {
            shard,
            next,
            filtered,
        });
    }
}

/// A page for the trace.
fn shown(page: &Page<Tag>) -> String {
    let records: Vec<u32> = page.records.iter().map(|it| it.payload.record).collect();
    let left_out = page.filtered as usize + page.rejected.len();
    let (behind, end) = (page.behind, page.shard_end);
    format!("{records:?}, {left_out} left out, behind {behind:?}, end of shard: {end}")
}
