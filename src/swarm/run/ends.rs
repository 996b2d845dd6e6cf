//! When a world is over, and whether it should be.

use super::{BOUND, Due, Run, Source, State};
use crate::engine::{Control, Event, Mapping, Position, Seq, Span};
use crate::swarm::model;
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
            let machines = self.parts.iter().map(|state| state.machine.as_ref());
            if machines.flatten().all(Mapping::is_drained) {
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
            let open = self.parts.iter_mut().find_map(|state| {
                state.watch.now = now;
                let what = open(state)?;
                Some(format!(
                    "part {} ({}): {what}",
                    state.watch.number, state.part.kind
                ))
            });
            if let Some(what) = open {
                let in_time = now.since(calm) < BOUND;
                self.shared.check(Checker::Liveness, in_time, || what);
            } else {
                self.shared.drains = Some(now);
                for index in 0..self.parts.len() {
                    self.feed(index, Event::Control(Control::Drain));
                }
            }
        }
        self.calendar.plan(now + ROUND, Due::Check);
        false
    }

    /// Asks the second model what must have become of every record.
    fn judge(&mut self) {
        for (index, state) in self.parts.iter().enumerate() {
            let mut given = vec![0; state.part.records.len()];
            for (record, given) in given.iter_mut().enumerate() {
                *given = match &state.source {
                    Source::Queue(queue) => queue.receives(record),
                    Source::Broker(queue) => queue.deliveries(record),
                    _ => 0,
                };
            }
            let found = model::judge(self.world, index, &state.watch.log, &given);
            self.shared.tally.checks[Checker::Model as usize] += given.len() as u64;
            if let (Some(what), None) = (found, &self.shared.failure) {
                self.shared.failure = Some(Failure {
                    checker: Checker::Model,
                    what: format!("part {index} ({}): {what}", state.part.kind),
                });
            }
        }
    }
}

/// What a part has not come to an end with.
fn open(state: &mut State<'_>) -> Option<String> {
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
            return (0..state.part.shards.len()).find_map(|shard| open_shard(watch, stream, shard));
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

fn open_shard(watch: &mut Watch<'_>, stream: &Stream, shard: usize) -> Option<String> {
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
    if wanted.is_some() && to != wanted {
        return Some(format!("shard {shard}: {mark:?} is stored, not {wanted:?}"));
    }
    let kept = watched.state;
    kept.map(|kept| format!("the window of shard {shard} stays open: {kept:?}"))
}
