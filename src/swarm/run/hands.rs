//! What a mapping wants done.

use super::{Calendar, Due, Fate, Happened, Mine, Receive, Shared, State};
use crate::engine::lambda::FunctionId;
use crate::engine::{
    Action, BatchId, Delta, Effects, Event, Fact, Failure as Parting, FailureClass, Mapping,
    Outcome, Position, Seq, ShardId, Span, Time, Token, WindowCall,
};
use crate::swarm::dice::hashed;
use crate::swarm::services::function::{Answer, CallName, course, struck};
use crate::swarm::services::kafka::Owner;
use crate::swarm::services::{Source, Tag};
use crate::swarm::tally::Checker;
use crate::swarm::world::Trouble;

pub(super) struct Hands<'r, 'w> {
    pub(super) index: usize,
    pub(super) state: &'r mut State<'w>,
    pub(super) shared: &'r mut Shared<'w>,
    pub(super) calendar: &'r mut Calendar,
}

/// What can strike a read: the flag says whether it has its effect all the same.
const READS: [(Trouble, bool); 3] = [
    (Trouble::ReadThrottled, false),
    (Trouble::ReadFails, false),
    (Trouble::ReadAnswerLost, true),
];

impl Effects<Tag> for Hands<'_, '_> {
    fn start(&mut self, _: Time, machine: &mut Mapping<Tag>, action: Action) -> Option<Event<Tag>> {
        let index = self.index;
        let action = match &mut self.state.tenant {
            Some(tenant) => tenant.translated(action),
            None => action,
        };
        self.shared
            .say(|| format!("part {index} {}", shown(machine, &action)));
        match action {
            Action::Read {
                token,
                shard,
                from,
                records_max,
            } => self.read(token, shard, from, records_max),
            Action::Receive {
                token,
                poller,
                records_max,
                wait,
                held,
            } => self.receive(token, poller, records_max, wait, held),
            Action::Invoke {
                token,
                batch,
                attempt,
                window,
            } => self.invoke(machine, token, batch, attempt, window),
            Action::Divert {
                token,
                batch,
                failure,
            } => self.divert(tags(machine, batch), token, failure),
            Action::Acknowledge { token, batch } => {
                let tags = tags(machine, batch);
                self.state.watch.deletes(&tags);
                let fate = self.fate(&[
                    (Trouble::DeleteFails, false),
                    (Trouble::DeleteAnswerLost, true),
                ]);
                self.after_latency(Mine::Deleted { token, tags, fate });
            }
            Action::Release { token, batch } => {
                let tags = tags(machine, batch);
                self.state.watch.releases(&tags);
                self.after_latency(Mine::Released { token, tags });
            }
            Action::Checkpoint {
                token,
                shard,
                delta,
                window,
            } => self.checkpoint(token, shard, delta, window),
            Action::Yield { token, .. } if self.state.tenant.is_some() => {
                return Some(Event::Done { token });
            }
            Action::Yield {
                token,
                poller,
                shards,
            } => {
                if let Source::Kafka(kafka) = &self.state.source {
                    let leaves = |it: &ShardId| {
                        kafka.partitions[it.0 as usize].owner == Owner::Leaves(poller)
                    };
                    let holds = shards.iter().all(leaves);
                    self.state.watch.check(Checker::Group, holds, || {
                        format!("consumer {poller} yields {shards:?}, which nobody asked for")
                    });
                }
                self.after_latency(Mine::Yielded {
                    token,
                    poller,
                    shards,
                });
            }
            Action::Leave { token, poller } => self.after_latency(Mine::Left { token, poller }),
            Action::Measure { token } => return Some(self.measure(token)),
        }
        None
    }

    fn observe(&mut self, _: Time, fact: Fact) {
        let watch = &mut self.state.watch;
        match fact {
            Fact::Discarded {
                shard,
                records,
                condition,
                invoke_count,
                first,
                destination,
                ..
            } => {
                let index = self.index;
                let shard = match &self.state.tenant {
                    Some(tenant) => tenant.world(shard),
                    None => shard,
                };
                self.shared.say(|| {
                    format!(
                        "part {index} gives up {records} records: {condition:?}, {destination:?}"
                    )
                });
                watch.discarded(shard, records, condition, invoke_count, &first, destination);
            }
            Fact::WindowClosed { shard, .. } => {
                let state = watch.shards[shard.0 as usize].state;
                watch.check(Checker::Tumbling, state.is_none(), || {
                    format!(
                        "the window of shard {} closed with the state {state:?}",
                        shard.0
                    )
                });
            }
            _ => {}
        }
    }
}

/// The records that an action means.
fn tags(machine: &Mapping<Tag>, batch: BatchId) -> Vec<Tag> {
    machine.batch(batch).iter().map(|it| it.payload).collect()
}

/// An action for the trace.
fn shown(machine: &Mapping<Tag>, action: &Action) -> String {
    let of = |batch: BatchId| -> Vec<u32> {
        let records = machine.batch(batch).iter();
        records.map(|it| it.payload.record).collect()
    };
    match action {
        Action::Invoke {
            batch,
            attempt,
            window,
            ..
        } => {
            let window = window.map_or(String::new(), |window| format!(", {window:?}"));
            format!("invokes with {:?}, attempt {attempt}{window}", of(*batch))
        }
        Action::Divert { batch, failure, .. } => {
            format!("diverts {:?}: {:?}", of(*batch), failure.condition)
        }
        Action::Acknowledge { batch, .. } => format!("deletes {:?}", of(*batch)),
        Action::Release { batch, .. } => format!("gives back {:?}", of(*batch)),
        other => format!("{other:?}"),
    }
}

impl Hands<'_, '_> {
    fn mine(&mut self, at: Time, mine: Mine) {
        let due = Due::Mine(self.index, self.state.life, mine);
        self.calendar.plan(at, due);
    }

    /// How long the next call takes.
    fn latency(&mut self) -> Span {
        self.state.calls += 1;
        let most = self.state.part.service.latency.as_millis();
        let seed = self.shared.world.seed;
        let drawn = hashed(seed, self.index as u64, self.state.calls, 1);
        Span::from_millis(drawn % (most + 1))
    }

    pub(super) fn after_latency(&mut self, mine: Mine) {
        let at = self.shared.now + self.latency();
        self.mine(at, mine);
    }

    fn strikes(&mut self, what: Trouble) -> bool {
        self.state.calls += 1;
        let name = [self.index as u64, self.state.calls, 2];
        let (world, now) = (self.shared.world, self.shared.now);
        let strikes = struck(world, self.state.part, what, now, name);
        self.shared.tally.troubles[what as usize] += u64::from(strikes);
        strikes
    }

    /// What becomes of a call that any of these troubles may strike; the flag says whether it works all the same.
    pub(super) fn fate(&mut self, troubles: &[(Trouble, bool)]) -> Fate {
        for &(what, works) in troubles {
            if !self.state.part.is_troubled_by(what) || !self.strikes(what) {
                continue;
            }
            let class = match what {
                Trouble::DestinationDenies => FailureClass::Denied,
                Trouble::ReadThrottled => FailureClass::Throttled,
                _ => FailureClass::Transient,
            };
            let fails = Some(class);
            return Fate { works, fails };
        }
        Fate {
            works: true,
            fails: None,
        }
    }

    fn read(&mut self, token: Token, shard: ShardId, from: Position, max: u32) {
        let index = shard.0 as usize;
        let watch = &mut self.state.watch;
        let starts = !watch.is_disabled;
        watch.check(Checker::Disabled, starts, || {
            "a read while disabled".to_owned()
        });
        if let Some(tenant) = &self.state.tenant {
            let works = tenant.works_on(index);
            watch.check(Checker::Leases, works, || {
                format!("a read of shard {index}, which is not this worker's to go on with")
            });
        }
        if let Source::Stream(stream) = &self.state.source {
            for &parent in &self.state.part.shards[index].parents {
                let parent = parent as usize;
                let stored = match &self.shared.table {
                    Some(table) => table.position(parent),
                    None => stream.stored(parent).map(|mark| mark.to),
                };
                let is_over = stored == Some(Position::End);
                watch.check(Checker::Parents, is_over, || {
                    format!("shard {index} is read before the end of {parent} is stored")
                });
            }
        }
        let what = match self.fate(&READS).fails {
            Some(class) => Mine::Answer(Event::Failed { token, class }),
            None => Mine::Read {
                token,
                shard,
                from,
                max,
            },
        };
        self.after_latency(what);
    }

    fn receive(&mut self, token: Token, poller: u32, max: u32, wait: Span, held: Vec<ShardId>) {
        let watch = &mut self.state.watch;
        let starts = !watch.is_disabled;
        watch.check(Checker::Disabled, starts, || {
            "a receive while disabled".to_owned()
        });
        watch.check(Checker::BatchSize, max > 0, || {
            "a receive of nothing".to_owned()
        });
        if let Source::Kafka(kafka) = &mut self.state.source
            && kafka.joins(poller)
            && !self.state.balancing
        {
            self.state.balancing = true;
            let at = self.shared.now + Span::from_millis(50);
            self.calendar.plan(at, Due::Balance(self.index));
        }
        let fate = self.fate(&READS);
        if let Some(class) = fate.fails.filter(|_| !fate.works) {
            if let Source::Broker(broker) = &mut self.state.source {
                broker.disconnect(Some(poller));
            }
            return self.after_latency(Mine::Answer(Event::Failed { token, class }));
        }
        let receive = Receive {
            token,
            poller,
            max,
            deadline: self.shared.now + wait,
            held,
            answer_is_lost: fate.fails.is_some(),
            connection: match &self.state.source {
                Source::Broker(broker) => broker.connection(poller),
                _ => 0,
            },
        };
        self.after_latency(Mine::Receive(receive));
    }

    fn checkpoint(&mut self, token: Token, shard: ShardId, delta: Delta, window: Option<Time>) {
        let index = shard.0 as usize;
        let watch = &mut self.state.watch;
        watch.stores(index, delta, window);
        if self.state.tenant.is_some() {
            return self.lease_progress(token, index, delta);
        }
        let mut assignment = 0;
        if let Source::Kafka(kafka) = &self.state.source {
            let partition = kafka.partitions[index];
            assignment = partition.assignment;
            let is_owned = partition.owner != Owner::Nobody;
            watch.check(Checker::Group, is_owned, || {
                format!("a commit of partition {index}, which is not assigned")
            });
        }
        let state = watch.shards[index].state;
        let fate = self.fate(&[
            (Trouble::StoreFails, false),
            (Trouble::StoreAnswerLost, true),
        ]);
        self.after_latency(Mine::Stored {
            token,
            shard: index,
            to: delta.to,
            window: window.and(state),
            assignment,
            fate,
        });
    }

    fn measure(&mut self, token: Token) -> Event<Tag> {
        let now = self.shared.now;
        let Source::Kafka(kafka) = &self.state.source else {
            unreachable!("only Kafka is measured")
        };
        let ends = (0..kafka.partitions.len()).map(|index| {
            let end = kafka.end(self.state.part, index, now);
            (ShardId(index as u32), Seq::from(end))
        });
        let ends = ends.collect();
        Event::Measured { token, ends }
    }

    fn divert(&mut self, tags: Vec<Tag>, token: Token, failure: Parting) {
        self.state.watch.diverting(&tags, &failure);
        let fate = self.fate(&[
            (Trouble::DestinationRefuses, false),
            (Trouble::DestinationDenies, false),
            (Trouble::DestinationAnswerLost, true),
        ]);
        self.after_latency(Mine::Diverted {
            token,
            tags,
            failure,
            fate,
        });
    }

    fn invoke(
        &mut self,
        machine: &Mapping<Tag>,
        token: Token,
        batch: BatchId,
        attempt: u32,
        window: Option<WindowCall>,
    ) {
        let tags = tags(machine, batch);
        if let (Some(tenant), Some(first)) = (&self.state.tenant, tags.first()) {
            let shard = self.state.part.records[first.record as usize].shard as usize;
            let works = tenant.works_on(shard);
            self.state.watch.check(Checker::Leases, works, || {
                format!(
                    "records of shard {shard} are sent, which is not this worker's to go on with"
                )
            });
        }
        self.state.watch.sent(&tags, attempt, window);
        self.shared.tally.invocations += 1;
        let function = self.state.part.function;
        let lease = match self.admit(function) {
            Ok(lease) => lease,
            Err(outcome) => {
                let answer = Answer::All(outcome);
                return self.after_latency(Mine::Refused {
                    token,
                    tags,
                    window,
                    answer,
                });
            }
        };
        self.admitted(function);
        let (now, part) = (self.shared.now, self.state.part);
        let records: Vec<u32> = tags.iter().map(|tag| tag.record).collect();
        let name = match records.first() {
            Some(&first) => CallName {
                part: self.index as u64,
                first: u64::from(first),
                call: u64::from(self.state.watch.entries[first as usize].calls),
            },
            None => CallName {
                part: self.index as u64,
                first: 1 << 30,
                call: self.state.calls,
            },
        };
        let in_window = window.is_some_and(|window| !window.is_final);
        let world = self.shared.world;
        let config = machine.config();
        let mut course = course(world, part, config, &records, in_window, now, name);
        self.shared.tally.troubles[Trouble::Slow as usize] += u64::from(course.is_slowed);
        course.is_lost = part.is_troubled_by(Trouble::InvokeAnswerLost)
            && self.strikes(Trouble::InvokeAnswerLost);
        let log = &mut self.state.watch.log;
        log.push(Happened::Called, now, records.iter().copied());
        let at = now + course.takes;
        self.mine(
            at,
            Mine::Ends {
                token,
                tags,
                window,
                course,
                lease,
            },
        );
    }

    /// Whether the call arrives, and whether Lambda admits it.
    fn admit(&mut self, function: usize) -> Result<crate::engine::lambda::Lease, Outcome> {
        if self.state.part.is_troubled_by(Trouble::InvokeThrottled)
            && self.strikes(Trouble::InvokeThrottled)
        {
            let retry_after = Span::from_millis(self.state.calls % 3 * 700);
            return Err(Outcome::Throttled { retry_after });
        }
        if self.state.part.is_troubled_by(Trouble::InvokeFails)
            && self.strikes(Trouble::InvokeFails)
        {
            return Err(Outcome::ServiceError);
        }
        let id = FunctionId(function as u32);
        self.shared.lambda.admit(self.shared.now, id).map_err(|_| {
            self.shared.tally.throttles += 1;
            Outcome::Throttled {
                retry_after: Span::ZERO,
            }
        })
    }

    /// A request runs: the function and the account have not more than they may.
    fn admitted(&mut self, function: usize) {
        self.shared.running[function] += 1;
        let running = self.shared.running[function];
        let world = self.shared.world;
        let reserved = world.functions[function].reserved;
        let fits = reserved.is_none_or(|most| running <= most);
        self.shared.check(Checker::Admission, fits, || {
            format!("function {function} runs {running} times, of {reserved:?} reserved")
        });
        let all: u32 = self.shared.running.iter().sum();
        let fits = all <= world.account;
        self.shared.check(Checker::Admission, fits, || {
            format!("the account runs {all} invocations, of {}", world.account)
        });
    }
}
