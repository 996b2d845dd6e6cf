//! When a world is over, and whether it should be.

use super::{Due, Run, Source, State};
use crate::engine::{Control, Event, Mapping, Position, Seq, Span, Time};
use crate::swarm::log::Log;
use crate::swarm::model;
use crate::swarm::services::leases::LeaseTable;
use crate::swarm::services::stream::Stream;
use crate::swarm::tally::{Checker, Failure};
use crate::swarm::watch::Watch;

/// How often the world is asked whether it is over.
const ROUND: Span = Span::from_secs(5);
/// A drain takes no longer than the longest receive, the slowest call and the longest back-off.
const DRAIN: Span = Span::from_secs(900);

impl Run<'_> {
    /// Nothing fails any more. Once everything has come to its end, the mappings are drained and the model is asked.
    pub(super) fn is_over(&mut self) -> bool {
        let (now, calm) = (self.shared.now, self.world.calm);
        if let Some(since) = self.shared.drains {
            let is_fleet = self.world.fleet.is_some();
            let all = 0..self.parts.len();
            let left = is_fleet && all.filter(|index| !self.leave(*index)).count() == 0;
            let machines = self.parts.iter().map(|state| state.machine.as_ref());
            let rest = !is_fleet && machines.flatten().all(Mapping::is_drained);
            if left || rest {
                self.judge();
                return true;
            }
            let in_time = now.since(since) < DRAIN;
            self.shared.check(Checker::Drain, in_time, || {
                "a mapping does not come to rest".to_owned()
            });
        } else {
            for index in 0..self.parts.len() {
                self.enable(index);
            }
            let table = self.shared.table.as_ref();
            let open = self.parts.iter_mut().find_map(|state| {
                state.watch.now = now;
                let what = open(state, table, now)?;
                Some(format!(
                    "part {} ({}): {what}",
                    state.watch.number, state.part.kind
                ))
            });
            if let Some(what) = open {
                let in_time = now.since(calm) < self.world.bound();
                self.shared.check(Checker::Liveness, in_time, || what);
            } else {
                self.shared.drains = Some(now);
                for index in 0..self.parts.len() {
                    if self.world.fleet.is_some() {
                        self.drain(index);
                    } else {
                        self.feed(index, Event::Control(Control::Drain));
                    }
                }
            }
        }
        self.calendar.plan(now + ROUND, Due::Check);
        false
    }

    /// Asks the second model what must have become of every record.
    fn judge(&mut self) {
        if let (Some(_), Some(first)) = (self.world.fleet, self.parts.first()) {
            let logs: Vec<&Log> = self.parts.iter().map(|state| &state.watch.log).collect();
            let found = model::judge(self.world, 0, &logs, &vec![0; first.part.records.len()]);
            return self.judged(0, first.part.records.len(), found);
        }
        for index in 0..self.parts.len() {
            let state = &self.parts[index];
            let mut given = vec![0; state.part.records.len()];
            for (record, given) in given.iter_mut().enumerate() {
                *given = match &state.source {
                    Source::Queue(queue) => queue.receives(record),
                    Source::Broker(queue) => queue.deliveries(record),
                    _ => 0,
                };
            }
            let found = model::judge(self.world, index, &[&state.watch.log], &given);
            self.judged(index, given.len(), found);
        }
    }

    fn judged(&mut self, index: usize, records: usize, found: Option<String>) {
        self.shared.tally.checks[Checker::Model as usize] += records as u64;
        if let (Some(what), None) = (found, &self.shared.failure) {
            let kind = self.parts[index].part.kind;
            self.shared.failure = Some(Failure {
                checker: Checker::Model,
                what: format!("part {index} ({kind}): {what}"),
            });
        }
    }
}

/// What a part has not come to an end with.
fn open(state: &mut State<'_>, table: Option<&LeaseTable>, now: Time) -> Option<String> {
    if state.is_leaving && state.machine.is_none() {
        return None;
    }
    if state.is_leaving || state.frozen.is_some() {
        return Some("a worker stands still or is about to leave".to_owned());
    }
    let Some(machine) = &state.machine else {
        return Some("the mapping is down".to_owned());
    };
    let in_hand = machine.in_hand();
    if in_hand > 0 {
        return Some(format!("{in_hand} records are in hand"));
    }
    let records = state.part.records.len();
    let left = match &state.source {
        Source::Stream(stream) => {
            let watch = &mut state.watch;
            if let Some(table) = table {
                let mut shards = 0..state.part.shards.len();
                return shards.find_map(|shard| open_lease(watch, stream, table, shard));
            }
            return (0..state.part.shards.len()).find_map(|shard| {
                let expired = stream.expired(state.part, shard, now);
                open_shard(watch, stream, shard, expired)
            });
        }
        Source::Kafka(kafka) => {
            let mut partitions = kafka.partitions.iter().zip(&kafka.lists.of);
            return partitions.find_map(|(partition, list)| {
                let (committed, end) = (partition.committed, list.len());
                let is_over = committed == Some(end as u64);
                (!is_over).then(|| format!("a partition is committed to {committed:?} of {end}"))
            });
        }
        Source::Queue(queue) => (0..records).find(|it| queue.is_there(*it)),
        Source::Broker(queue) => (0..records).find(|it| !queue.is_over(*it)),
    };
    left.map(|record| format!("message {record} is still in the queue"))
}

/// What the workers of a stream have not come to an end with.
fn open_lease(
    watch: &Watch<'_>,
    stream: &Stream,
    table: &LeaseTable,
    shard: usize,
) -> Option<String> {
    let list = &stream.lists.of[shard];
    let to = table.position(shard);
    let is_wanted = |last: &&u32| match watch.config.starting_position {
        Position::At(at) => watch.part.records[**last as usize].at >= at,
        _ => true,
    };
    let wanted = if watch.part.shards[shard].closes.is_some() {
        Some(Position::End)
    } else {
        let last = list.last().filter(is_wanted);
        last.map(|last| Position::After(Seq::from(stream.lists.number[*last as usize])))
    };
    let is_open = wanted.is_some() && to != wanted;
    is_open.then(|| format!("shard {shard}: {to:?} is stored, not {wanted:?}"))
}

fn open_shard(
    watch: &mut Watch<'_>,
    stream: &Stream,
    shard: usize,
    expired: usize,
) -> Option<String> {
    let list = &stream.lists.of[shard];
    let lowest = watch.lowest(shard);
    if let Some(record) = list.get(lowest) {
        return Some(format!("record {record} of shard {shard} is not finished"));
    }
    let mark = stream.stored(shard);
    let to = mark.map(|mark| mark.to);
    let is_closed = watch.part.shards[shard].closes.is_some();
    let watched = &watch.shards[shard];
    let last = list.last().filter(|_| watched.start < list.len());
    let wanted = if is_closed {
        Some(Position::End)
    } else {
        last.map(|last| Position::After(Seq::from(stream.lists.number[*last as usize])))
    };
    // Nobody has read past what was gone at the end of a shard that is still open.
    let is_gone = !is_closed && expired == list.len();
    if wanted.is_some() && to != wanted && !is_gone {
        return Some(format!("shard {shard}: {mark:?} is stored, not {wanted:?}"));
    }
    let kept = watched.state;
    kept.map(|kept| format!("the window of shard {shard} stays open: {kept:?}"))
}
