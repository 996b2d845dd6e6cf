//! What happens, one thing after the other.

use super::{Due, Fate, Hands, Happened, Mine, Run, Source};
use crate::engine::lambda::Fate as EnvironmentFate;
use crate::engine::{Control, Event, FailureClass, Outcome, Position, Time, Token};
use crate::swarm::services::Tag;
use crate::swarm::services::function::Answer;
use crate::swarm::services::kafka::Owner;
use crate::swarm::services::stream::Mark;

impl Run<'_> {
    /// Lets one thing happen; whether the world is over.
    pub(super) fn happen(&mut self, due: Due) -> bool {
        let due = match self.world.fleet {
            Some(_) => match self.put_off(due) {
                Some(due) => due,
                None => return false,
            },
            None => due,
        };
        match due {
            Due::Begin(index) => {
                if self.parts[index].is_leaving {
                    return false;
                }
                self.parts[index].is_down = false;
                if self.parts[index].is_enabled {
                    self.build(index);
                }
            }
            Due::Wake(index) => self.wake(index),
            Due::List(index) => self.list(index),
            Due::Balance(index) => self.balance(index),
            Due::Lease(index) => self.lease_wake(index),
            Due::Leave(index) => self.go_on_leaving(index),
            Due::Incident(index, number) => self.incident(index, number),
            Due::Mine(index, life, mine) => {
                self.parts[index].watch.now = self.shared.now;
                let is_current = self.parts[index].life == life;
                self.mine(index, is_current, mine);
            }
            Due::Check => return self.is_over(),
        }
        false
    }

    fn wake(&mut self, index: usize) {
        let now = self.shared.now;
        let state = &mut self.parts[index];
        if state.wake != Some(now) {
            return; // an earlier one took its place
        }
        state.wake = None;
        if let Some(machine) = &mut state.machine {
            machine.handle_timeout(now);
            self.pump(index);
            self.follow(index);
        }
    }

    /// Tells the mapping of shards that it does not know.
    pub(super) fn list(&mut self, index: usize) {
        let now = self.shared.now;
        if self.world.fleet.is_some() {
            return self.lease_list(index);
        }
        let state = &mut self.parts[index];
        let (Source::Stream(stream), true) = (&mut state.source, state.machine.is_some()) else {
            return;
        };
        state.watch.now = now;
        let tumbles = state.watch.config.tumbling_window.is_some();
        let shards = stream.list(state.part, state.watch.config.starting_position, now);
        for shard in &shards {
            let at = shard.id.0 as usize;
            let kept = stream.stored(at).and_then(|mark| mark.window);
            state.watch.listed(at, shard.from, kept.filter(|_| tumbles));
        }
        if shards.is_empty() {
            self.pump(index);
        } else {
            self.feed(index, Event::Control(Control::Shards(shards)));
        }
    }

    fn mine(&mut self, index: usize, is_current: bool, mine: Mine) {
        match mine {
            Mine::Ends {
                token,
                tags,
                window,
                course,
                lease,
            } => {
                let now = self.shared.now;
                let has_failed = course.answer == Answer::All(Outcome::FunctionError);
                let fate = if has_failed {
                    EnvironmentFate::Reset
                } else {
                    EnvironmentFate::Keep
                };
                self.shared.lambda.finish(now, lease, fate);
                self.shared.running[self.parts[index].part.function] -= 1;
                let watch = &mut self.parts[index].watch;
                let done = course.done.iter().map(|place| tags[*place as usize].record);
                watch.log.push(Happened::Finished, now, done);
                let answer = if course.is_lost {
                    Answer::All(Outcome::ServiceError)
                } else {
                    course.answer
                };
                if is_current {
                    self.answer(index, token, &tags, window, answer);
                }
            }
            Mine::LeaseCall(worker, action, from, fate) => {
                let answer = self.lease_call(index, &worker, &action, from, fate);
                if is_current {
                    self.after_latency(index, Mine::LeaseAnswer(answer));
                }
            }
            Mine::Progress(worker, progress) => {
                let stored = self.progress(&worker, progress);
                if is_current {
                    self.after_latency(index, Mine::Progressed(progress, stored));
                }
            }
            _ if !is_current => self.too_late(index, mine),
            Mine::LeaseAnswer(answer) => self.lease_answered(index, answer),
            Mine::Progressed(progress, stored) => self.progressed(index, progress, stored),
            Mine::Answer(event) => self.feed(index, event),
            Mine::Refused {
                token,
                tags,
                window,
                answer,
            } => self.answer(index, token, &tags, window, answer),
            Mine::Read {
                token,
                shard,
                from,
                max,
            } => self.read(index, token, shard, from, max),
            Mine::Receive(receive) => self.try_receive(index, receive),
            Mine::Stored {
                token,
                shard,
                to,
                window,
                assignment,
                fate,
            } => {
                let fate = self.store(index, shard, to, window, assignment, fate);
                if fate.fails.is_none() {
                    self.parts[index].watch.stored(shard, to);
                }
                self.done(index, token, fate);
            }
            Mine::Deleted { token, tags, fate } => {
                let fate = self.delete(index, &tags, fate);
                self.done(index, token, fate);
            }
            Mine::Released { token, tags } => {
                let mut fails = None;
                if let Source::Broker(broker) = &mut self.parts[index].source {
                    if !tags.iter().all(|tag| broker.holds(*tag)) {
                        fails = Some(FailureClass::Transient);
                    }
                    tags.iter().for_each(|tag| broker.release(*tag));
                }
                let works = true;
                self.done(index, token, Fate { works, fails });
            }
            Mine::Diverted {
                token,
                tags,
                failure,
                fate,
            } => {
                let watch = &mut self.parts[index].watch;
                if fate.works {
                    let what = Happened::Diverted(failure.condition.into());
                    let records = tags.iter().map(|tag| tag.record);
                    watch.log.push(what, self.shared.now, records);
                }
                watch.parting = Some((tags, fate.fails.is_none()));
                self.done(index, token, fate);
                self.parts[index].watch.parting = None;
            }
            Mine::Yielded {
                token,
                poller,
                shards,
            } => {
                if let Source::Kafka(kafka) = &mut self.parts[index].source {
                    for shard in shards {
                        let partition = &mut kafka.partitions[shard.0 as usize];
                        if partition.owner == Owner::Leaves(poller) {
                            partition.owner = Owner::Nobody;
                        }
                    }
                }
                self.plan_balance(index);
                self.feed(index, Event::Done { token });
            }
            Mine::Left { token, poller } => {
                if let Source::Kafka(kafka) = &mut self.parts[index].source {
                    kafka.leaves(poller);
                }
                self.parts[index].watch.rebalanced();
                self.plan_balance(index);
                self.feed(index, Event::Done { token });
            }
        }
    }

    fn after_latency(&mut self, index: usize, mine: Mine) {
        let mut hands = Hands {
            index,
            state: &mut self.parts[index],
            shared: &mut self.shared,
            calendar: &mut self.calendar,
        };
        hands.after_latency(mine);
    }

    /// What the calls of a mapping that is gone still bring about.
    fn too_late(&mut self, index: usize, mine: Mine) {
        match mine {
            Mine::Deleted { tags, fate, .. } => {
                self.delete(index, &tags, fate);
            }
            Mine::Diverted {
                tags,
                failure,
                fate,
                ..
            } if fate.works => {
                let what = Happened::Diverted(failure.condition.into());
                let records = tags.iter().map(|tag| tag.record);
                let log = &mut self.parts[index].watch.log;
                log.push(what, self.shared.now, records);
            }
            _ => {}
        }
    }

    fn done(&mut self, index: usize, token: Token, fate: Fate) {
        let event = match fate.fails {
            None => Event::Done { token },
            Some(class) => Event::Failed { token, class },
        };
        self.feed(index, event);
    }

    /// The mapping hears how an invocation ended.
    fn answer(
        &mut self,
        index: usize,
        token: Token,
        tags: &[Tag],
        window: Option<crate::engine::WindowCall>,
        answer: Answer,
    ) {
        self.shared.say(|| format!("part {index}: {answer:?}"));
        let state = &mut self.parts[index];
        state.watch.answered(tags, window, &answer);
        let event = match answer {
            Answer::All(outcome) => Event::Invoked { token, outcome },
            Answer::Reports(failed) if state.part.kind.is_stream() => {
                let first_failed = failed.first().copied().unwrap_or(0);
                let outcome = Outcome::Partial { first_failed };
                Event::Invoked { token, outcome }
            }
            Answer::Reports(failed) => Event::InvokedPartly { token, failed },
        };
        self.feed(index, event);
    }

    fn store(
        &mut self,
        index: usize,
        shard: usize,
        to: Position,
        window: Option<(Time, u32)>,
        assignment: u32,
        mut fate: Fate,
    ) -> Fate {
        match &mut self.parts[index].source {
            Source::Stream(stream) if fate.works => stream.keep(shard, Mark { to, window }),
            Source::Kafka(kafka) => {
                let partition = &mut kafka.partitions[shard];
                let is_mine =
                    partition.owner != Owner::Nobody && partition.assignment == assignment;
                if !is_mine {
                    fate.fails = Some(FailureClass::Transient);
                } else if fate.works {
                    partition.committed = to.offset();
                }
            }
            _ => {}
        }
        fate
    }

    fn delete(&mut self, index: usize, tags: &[Tag], mut fate: Fate) -> Fate {
        let now = self.shared.now;
        let state = &mut self.parts[index];
        match &mut state.source {
            Source::Queue(queue) if fate.works => {
                for &tag in tags {
                    let was_there = queue.is_there(tag.record as usize);
                    if !queue.delete(tag, now) {
                        fate.fails = Some(FailureClass::Transient);
                    } else if was_there && !queue.is_there(tag.record as usize) {
                        state.watch.gone(tag.record, Happened::Gone);
                    }
                }
            }
            Source::Broker(broker) => {
                // The messages of a batch came over one connection; if that is lost, nothing is acknowledged, and a call
                // that fails loses it.
                let holds = tags.iter().all(|tag| broker.holds(*tag));
                let poller = tags.iter().find_map(|tag| broker.consumer(*tag));
                if !holds {
                    fate.fails = Some(FailureClass::Transient);
                } else if fate.works {
                    for &tag in tags {
                        broker.acknowledge(tag);
                        state.watch.gone(tag.record, Happened::Gone);
                    }
                }
                if fate.fails.is_some()
                    && let Some(poller) = poller
                {
                    broker.disconnect(Some(poller));
                }
            }
            _ => {}
        }
        fate
    }
}
