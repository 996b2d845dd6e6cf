//! What befalls a part once: crashes, switches, updates, and what its group or connections do.

use super::reads::bury;
use super::{Due, Happened, Incident, Run, Source};
use crate::engine::{Control, Event, Position, Shard, ShardId, Span};
use crate::swarm::services::kafka::{Decision, Owner};

impl Run<'_> {
    pub(super) fn incident(&mut self, index: usize, number: usize) {
        let now = self.shared.now;
        let state = &mut self.parts[index];
        state.watch.now = now;
        let what = &state.part.events[number].what;
        self.shared.say(|| match what {
            Incident::Update(_) => format!("part {index}: Update"),
            other => format!("part {index}: {other:?}"),
        });
        let tally = &mut self.shared.tally;
        match what {
            Incident::Crash { down } => {
                if state.is_down {
                    return;
                }
                tally.crashes += 1;
                state.machine = None;
                state.tenant = None;
                state.frozen = None;
                state.life += 1;
                state.is_down = true;
                match &mut state.source {
                    Source::Stream(stream) => stream.restart(),
                    Source::Broker(broker) => broker.disconnect(None),
                    Source::Kafka(kafka) => kafka.restart(),
                    Source::Queue(_) => {}
                }
                self.calendar.plan(now + *down, Due::Begin(index));
            }
            Incident::Disable => {
                tally.disables += 1;
                state.is_enabled = false;
                state.watch.is_disabled = state.machine.is_some();
                self.feed(index, Event::Control(Control::Disable));
            }
            Incident::Enable => self.enable(index),
            Incident::Update(parameters) => {
                tally.updates += 1;
                let config = state.part.checked(parameters);
                if state.machine.is_some() {
                    state.watch.updated(config.clone());
                    let update = Control::Update(Box::new(config));
                    self.feed(index, Event::Control(update));
                } else {
                    state.watch.config = config;
                }
            }
            Incident::Disconnect => {
                tally.disconnects += 1;
                if let Source::Broker(broker) = &mut state.source {
                    broker.disconnect(None);
                }
            }
            Incident::Revoke(bits) => self.take_away(index, *bits, false),
            Incident::Lose(bits) => self.take_away(index, *bits, true),
            Incident::Freeze {
                length,
                holds_calls,
            } => {
                if state.machine.is_some() {
                    self.freeze(index, *length, *holds_calls);
                }
            }
            Incident::Leave => {
                state.is_leaving = true;
                self.drain(index);
                self.go_on_leaving(index);
            }
            Incident::Foreign { messages, deletes } => self.foreign(index, *messages, *deletes),
        }
    }

    pub(super) fn enable(&mut self, index: usize) {
        let state = &mut self.parts[index];
        state.watch.now = self.shared.now;
        if state.is_enabled {
            return;
        }
        state.is_enabled = true;
        state.watch.is_disabled = false;
        state.watch.something_changed();
        if state.machine.is_some() {
            self.feed(index, Event::Control(Control::Enable));
        } else if !state.is_down {
            self.build(index);
        }
    }

    /// Another consumer of the queue takes what is there: it deletes it at once, or lets its time go by.
    fn foreign(&mut self, index: usize, messages: u32, deletes: bool) {
        let now = self.shared.now;
        let state = &mut self.parts[index];
        let (part, watch) = (state.part, &mut state.watch);
        let max = messages as usize;
        let taken = match &mut state.source {
            Source::Queue(queue) => {
                let taken = queue.receive(part, now, max, |record| watch.elsewhere(record));
                if deletes {
                    for &tag in &taken {
                        queue.delete(tag, now);
                    }
                }
                bury(watch, &mut queue.died);
                taken
            }
            Source::Broker(broker) => {
                let other = u32::MAX;
                let era = |record| watch.elsewhere(record);
                let taken = broker.receive(part, now, other, max, era);
                for &tag in &taken {
                    if deletes {
                        broker.acknowledge(tag);
                    } else {
                        broker.release(tag);
                    }
                }
                bury(watch, &mut broker.died);
                taken
            }
            Source::Stream(_) | Source::Kafka(_) => return,
        };
        self.shared.tally.foreign += taken.len() as u64;
        if deletes {
            for tag in taken {
                watch.gone(tag.record, Happened::Foreign);
            }
        }
    }

    /// The group takes partitions of one consumer, by the bits of a number.
    fn take_away(&mut self, index: usize, bits: u64, is_lost: bool) {
        let state = &mut self.parts[index];
        let Source::Kafka(kafka) = &mut state.source else {
            return;
        };
        let count = kafka.members.len();
        if count == 0 {
            return;
        }
        let poller = kafka.members[(bits >> 32) as usize % count];
        let chosen: Vec<u32> = (0..kafka.partitions.len() as u32)
            .filter(|it| bits >> (it % 32) & 1 == 1)
            .filter(|it| {
                let owner = kafka.partitions[*it as usize].owner;
                owner == Owner::Holds(poller) || (is_lost && owner == Owner::Leaves(poller))
            })
            .collect();
        if chosen.is_empty() {
            return;
        }
        self.shared.tally.rebalances += 1;
        for partition in &chosen {
            kafka.partitions[*partition as usize].owner = if is_lost {
                Owner::Nobody
            } else {
                Owner::Leaves(poller)
            };
        }
        for partition in &chosen {
            state.watch.leaves(*partition as usize);
        }
        state.watch.rebalanced();
        let shards = chosen.into_iter().map(ShardId).collect();
        let control = if is_lost {
            Control::Lost { poller, shards }
        } else {
            Control::Revoked { poller, shards }
        };
        self.shared.say(|| format!("part {index}: {control:?}"));
        self.feed(index, Event::Control(control));
        self.plan_balance(index);
    }

    pub(super) fn plan_balance(&mut self, index: usize) {
        let state = &mut self.parts[index];
        if !state.balancing {
            state.balancing = true;
            let at = self.shared.now + Span::from_millis(30);
            self.calendar.plan(at, Due::Balance(index));
        }
    }

    /// The group takes one step to an even distribution.
    pub(super) fn balance(&mut self, index: usize) {
        let now = self.shared.now;
        let state = &mut self.parts[index];
        state.balancing = false;
        state.watch.now = now;
        let Source::Kafka(kafka) = &mut state.source else {
            return;
        };
        let Some(decision) = kafka.balance() else {
            return;
        };
        let control = match decision {
            Decision::Assign(poller, partition) => {
                let at = partition as usize;
                let is_first = kafka.partitions[at].committed.is_none();
                let start = state.watch.config.starting_position;
                let from = kafka.assign(state.part, at, poller, start, now);
                state.watch.assigned(at, from as usize);
                if is_first {
                    state.watch.skipped(at, from as usize);
                }
                let shard = Shard {
                    id: ShardId(partition),
                    from: Position::at_offset(from),
                    parents: Vec::new(),
                    window: None,
                };
                let shards = vec![shard];
                Control::Assigned { poller, shards }
            }
            Decision::Revoke(poller, partition) => {
                kafka.partitions[partition as usize].owner = Owner::Leaves(poller);
                state.watch.leaves(partition as usize);
                state.watch.rebalanced();
                let shards = vec![ShardId(partition)];
                Control::Revoked { poller, shards }
            }
        };
        self.shared.say(|| format!("part {index}: {control:?}"));
        self.feed(index, Event::Control(control));
        self.plan_balance(index);
    }
}
