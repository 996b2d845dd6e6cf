//! A scripted Kafka around one mapping: partitions of one topic, consumers that tests give partitions to, a function, a log.

mod seen;

use std::collections::{BTreeMap, BTreeSet};
use tidegate::engine::{
    Action, Control, Delta, Effects, Event, Fact, Failure, FailureClass, Mapping, MappingConfig,
    Meta, Outcome, Page, PartitionEnd, Position, Profile, Record, Rng, Seq, Shard, ShardId,
    SourceKind, Span, Time, Token, Tuning, WakeReason, pump,
};

/// Partition and offset.
pub(crate) type Place = (u32, u64);

/// What the mapping did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Did {
    Receive {
        poller: u32,
        records_max: u32,
        held: Vec<u32>,
    },
    /// The batch in words, such as `0:4 0:5 1:7`.
    Invoke(String, u32),
    Divert(String, Failure),
    Commit(u32, u64),
    Yield(u32, Vec<u32>),
    Leave(u32),
    Measure,
}

/// How the function answers: as a whole, or naming failed records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Whole(Outcome),
    Failed(Vec<Place>),
}

pub(crate) const FINE: Answer = Answer::Whole(Outcome::Success);
pub(crate) const THROWS: Answer = Answer::Whole(Outcome::FunctionError);
pub(crate) const THROTTLES: Answer = Answer::Whole(Outcome::Throttled {
    retry_after: Span::ZERO,
});

impl Answer {
    /// What of a batch is done: of each partition what comes before the lowest failed record.
    fn succeeded(&self, places: &[Place]) -> Vec<Place> {
        let fails = |place: &Place| match self {
            Self::Whole(outcome) => *outcome != Outcome::Success,
            Self::Failed(failed) => failed
                .iter()
                .any(|(shard, offset)| *shard == place.0 && *offset <= place.1),
        };
        places.iter().copied().filter(|it| !fails(it)).collect()
    }
}

/// Sees the time in ms and the records of an invocation.
pub(crate) type Function = Box<dyn FnMut(u64, &[Place]) -> Answer>;

/// Says whether and how an action fails.
pub(crate) type Refuse = Box<dyn FnMut(&Did) -> Option<FailureClass>>;

/// A record of the topic.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Written {
    pub(crate) at_ms: u64,
    pub(crate) wire_len: u32,
}

struct Asked {
    token: Token,
    poller: u32,
    records_max: u32,
    held: Vec<ShardId>,
    until: Time,
}

/// The topic, its readers, and what happened.
pub(crate) struct Cluster {
    /// Records by partition; the index is the offset.
    pub(crate) topic: Vec<Vec<Written>>,
    /// Records that the filters leave out.
    pub(crate) left_out: BTreeSet<Place>,
    pub(crate) function: Function,
    pub(crate) takes: Span,
    /// How the next commits, yields, leaves, diversions and measurements fail, the last entry first; none succeeds.
    pub(crate) refuse: Refuse,
    pub(crate) commits_take: Span,
    pub(crate) receives_fail: Vec<FailureClass>,
    /// Committed offsets, as the broker knows them.
    pub(crate) committed: BTreeMap<u32, u64>,
    /// Where each consumer reads on, by partition.
    pub(crate) reading: BTreeMap<(u32, u32), u64>,
    /// Batches in flight, and what of each succeeds.
    pub(crate) running: BTreeMap<u64, (Vec<Place>, Vec<Place>)>,
    pub(crate) succeeded: BTreeSet<Place>,
    pub(crate) given_up: BTreeSet<Place>,
    /// Partitions that a test revoked and that are not yielded.
    pub(crate) revoking: BTreeSet<u32>,
    /// Every commit: partition, offset, and whether the broker took it.
    pub(crate) commit_log: Vec<(u32, u64, bool)>,
    /// Consumers that joined and have not left.
    pub(crate) members: BTreeSet<u32>,
    asked: Vec<Asked>,
    due: Vec<(Time, Event<Place>)>,
    did: Vec<(u64, Did)>,
    facts: Vec<(u64, Fact)>,
}

/// A mapping in its cluster.
pub(crate) struct Rig {
    pub(crate) mapping: Mapping<Place>,
    pub(crate) world: Cluster,
    pub(crate) now: Time,
    wake: Option<(Time, WakeReason)>,
    pub(crate) wakes: Vec<(u64, WakeReason)>,
}

pub(crate) fn kafka() -> MappingConfig {
    MappingConfig::new("orders", SourceKind::SelfManagedKafka)
}

pub(crate) fn provisioned(minimum: u32, maximum: u32) -> MappingConfig {
    MappingConfig {
        provisioned_pollers: Some((minimum, maximum)),
        ..kafka()
    }
}

/// `count` records of 100 bytes that were there at the start.
pub(crate) fn written(count: usize) -> Vec<Written> {
    vec![
        Written {
            at_ms: 0,
            wire_len: 100,
        };
        count
    ]
}

pub(crate) fn words(places: &[Place]) -> String {
    let words: Vec<String> = places
        .iter()
        .map(|(shard, offset)| format!("{shard}:{offset}"))
        .collect();
    words.join(" ")
}

impl Rig {
    pub(crate) fn new(config: MappingConfig, topic: Vec<Vec<Written>>) -> Self {
        Self::tuned(config, Tuning::new(Profile::Current), topic)
    }

    pub(crate) fn tuned(config: MappingConfig, tuning: Tuning, topic: Vec<Vec<Written>>) -> Self {
        let now = Time::ZERO;
        let mapping = Mapping::new(config, tuning, Rng::stream(1, "test"), now);
        Self {
            mapping: mapping.expect("a supported configuration"),
            world: Cluster {
                topic,
                left_out: BTreeSet::new(),
                function: Box::new(|_, _| FINE),
                takes: Span::ZERO,
                refuse: Box::new(|_| None),
                commits_take: Span::ZERO,
                receives_fail: Vec::new(),
                committed: BTreeMap::new(),
                reading: BTreeMap::new(),
                running: BTreeMap::new(),
                succeeded: BTreeSet::new(),
                given_up: BTreeSet::new(),
                revoking: BTreeSet::new(),
                commit_log: Vec::new(),
                members: BTreeSet::new(),
                asked: Vec::new(),
                due: Vec::new(),
                did: Vec::new(),
                facts: Vec::new(),
            },
            now,
            wake: None,
            wakes: Vec::new(),
        }
    }

    pub(crate) fn function(
        mut self,
        function: impl FnMut(u64, &[Place]) -> Answer + 'static,
    ) -> Self {
        self.world.function = Box::new(function);
        self
    }

    /// With other random waits.
    pub(crate) fn seeded(mut self, seed: u64) -> Self {
        let config = self.mapping.config().clone();
        let tuning = Tuning::new(Profile::Current);
        let mapping = Mapping::new(config, tuning, Rng::stream(seed, "test"), self.now);
        self.mapping = mapping.expect("a supported configuration");
        self
    }

    pub(crate) fn takes(mut self, millis: u64) -> Self {
        self.world.takes = Span::from_millis(millis);
        self
    }

    /// The consumer gets partitions, each at its committed offset or at 0.
    pub(crate) fn assign(&mut self, poller: u32, shards: &[u32]) {
        let mut listed = Vec::new();
        for &shard in shards {
            let from = self.world.committed.get(&shard).copied().unwrap_or(0);
            self.world.reading.insert((poller, shard), from);
            listed.push(Shard {
                id: ShardId(shard),
                from: Position::at_offset(from),
                parents: vec![],
                window: None,
            });
        }
        self.control(Control::Assigned {
            poller,
            shards: listed,
        });
    }

    pub(crate) fn revoke(&mut self, poller: u32, shards: &[u32]) {
        let shards = shards.iter().copied().map(ShardId).collect();
        self.control(Control::Revoked { poller, shards });
    }

    pub(crate) fn lose(&mut self, poller: u32, shards: &[u32]) {
        for shard in shards {
            self.world.reading.remove(&(poller, *shard));
        }
        let shards = shards.iter().copied().map(ShardId).collect();
        self.control(Control::Lost { poller, shards });
    }

    pub(crate) fn control(&mut self, control: Control) {
        self.drain();
        self.mapping.handle(self.now, Event::Control(control));
        self.drain();
    }

    /// Gives the first consumer all partitions and lets time pass until `millis` ms after the start.
    pub(crate) fn run(mut self, millis: u64) -> Self {
        self.drain();
        let all: Vec<u32> = (0..self.world.topic.len() as u32).collect();
        self.assign(0, &all);
        self.until(millis);
        self
    }

    /// Lets time pass until `millis` ms after the start, everything due then included.
    pub(crate) fn until(&mut self, millis: u64) {
        let until = Time::from_millis(millis);
        self.drain();
        while self.one_step(until) {}
        self.now = until;
    }

    /// Goes to the next moment at which something happens, unless that is after `until`.
    pub(crate) fn one_step(&mut self, until: Time) -> bool {
        self.world.due.sort_by_key(|(at, _)| *at);
        let answer = self.world.due.first().map(|(at, _)| *at);
        let asked = self.world.next_page(self.now);
        let wake = self.wake.map(|(at, _)| at);
        let next = [answer, asked, wake].into_iter().flatten().min();
        let Some(next) = next.filter(|at| *at <= until) else {
            return false;
        };
        self.now = next;
        if answer == Some(next) {
            let (_, event) = self.world.due.remove(0);
            self.world.ended(&event);
            self.mapping.handle(next, event);
        } else if asked == Some(next) {
            let event = self.world.page(next);
            self.mapping.handle(next, event);
        } else {
            self.wakes
                .extend(self.wake.map(|(at, why)| (at.as_millis(), why)));
            self.mapping.handle_timeout(next);
        }
        self.drain();
        true
    }

    pub(crate) fn drain(&mut self) {
        self.wake = pump(&mut self.mapping, self.now, &mut self.world);
        assert!(
            self.wake.is_none_or(|(at, _)| at > self.now),
            "a wake-up in the past"
        );
    }
}

impl Cluster {
    /// Partitions that a receive may be answered from, and where each is read on.
    fn readable(&self, asked: &Asked) -> Vec<Place> {
        let mine = self.reading.iter().filter(|((poller, shard), _)| {
            *poller == asked.poller && !asked.held.contains(&ShardId(*shard))
        });
        mine.map(|((_, shard), from)| (*shard, *from)).collect()
    }

    /// When the first record of a receive is there, or it has waited long enough.
    fn answers_at(&self, asked: &Asked, now: Time) -> Time {
        let next = self
            .readable(asked)
            .into_iter()
            .filter_map(|(shard, from)| self.topic[shard as usize].get(from as usize))
            .map(|record| Time::from_millis(record.at_ms).max(now))
            .min();
        next.map_or(asked.until, |at| at.min(asked.until))
    }

    fn next_page(&self, now: Time) -> Option<Time> {
        let times = self.asked.iter();
        times.map(|asked| self.answers_at(asked, now)).min()
    }

    /// Answers a receive that is due.
    fn page(&mut self, now: Time) -> Event<Place> {
        let due = self
            .asked
            .iter()
            .position(|asked| self.answers_at(asked, now) <= now);
        let asked = self.asked.remove(due.expect("a receive that is due"));
        let token = asked.token;
        if let Some(class) = self.receives_fail.pop() {
            return Event::Failed { token, class };
        }
        let mut page = Page::default();
        for (shard, from) in self.readable(&asked) {
            let records = &self.topic[shard as usize];
            let (mut next, mut filtered) = (from, 0);
            while let Some(record) = records.get(next as usize)
                && record.at_ms <= now.as_millis()
                && (page.records.len() as u32) < asked.records_max
            {
                let place = (shard, next);
                next += 1;
                if self.left_out.contains(&place) {
                    filtered += 1;
                    continue;
                }
                let meta = Meta {
                    seq: Seq::from(place.1),
                    group: u64::from(shard),
                    arrival: Time::from_millis(record.at_ms),
                    wire_len: record.wire_len,
                };
                page.bytes += u64::from(record.wire_len);
                page.records.push(Record {
                    meta,
                    payload: place,
                });
            }
            if next > from {
                self.reading.insert((asked.poller, shard), next);
                page.filtered += filtered;
                page.ends.push(PartitionEnd {
                    shard: ShardId(shard),
                    next: Seq::from(next),
                    filtered,
                });
            }
        }
        Event::Fetched { token, page }
    }

    /// Takes note of an invocation that came to its end.
    fn ended(&mut self, event: &Event<Place>) {
        if let Event::Invoked { token, .. } | Event::InvokedPartly { token, .. } = event {
            let (_, succeeded) = self.running.remove(&token.0).expect("a running batch");
            self.succeeded.extend(succeeded);
        }
    }

    fn settle(&mut self, now: Time, token: Token, did: Did) -> Option<Event<Place>> {
        let refused = (self.refuse)(&did);
        if let Did::Commit(shard, to) = did {
            self.commit_log.push((shard, to, refused.is_none()));
            if refused.is_none() {
                self.committed.insert(shard, to);
            }
        }
        let takes = match did {
            Did::Commit(..) => self.commits_take,
            _ => Span::ZERO,
        };
        self.did.push((now.as_millis(), did));
        let event = match refused {
            None => Event::Done { token },
            Some(class) => Event::Failed { token, class },
        };
        if takes == Span::ZERO {
            return Some(event);
        }
        self.due.push((now + takes, event));
        None
    }
}

fn ids(shards: &[ShardId]) -> Vec<u32> {
    shards.iter().map(|shard| shard.0).collect()
}

impl Effects<Place> for Cluster {
    fn start(
        &mut self,
        now: Time,
        mapping: &mut Mapping<Place>,
        action: Action,
    ) -> Option<Event<Place>> {
        let at_ms = now.as_millis();
        let places = |batch| -> Vec<Place> {
            let records: &[Record<Place>] = mapping.batch(batch);
            records.iter().map(|record| record.payload).collect()
        };
        match action {
            Action::Receive {
                token,
                poller,
                records_max,
                wait,
                held,
            } => {
                self.did.push((
                    at_ms,
                    Did::Receive {
                        poller,
                        records_max,
                        held: ids(&held),
                    },
                ));
                self.members.insert(poller);
                self.asked.push(Asked {
                    token,
                    poller,
                    records_max,
                    held,
                    until: now + wait,
                });
                None
            }
            Action::Invoke {
                token,
                batch,
                attempt,
                ..
            } => {
                let places = places(batch);
                let answer = (self.function)(at_ms, &places);
                let succeeded = answer.succeeded(&places);
                self.running.insert(token.0, (places.clone(), succeeded));
                self.did.push((at_ms, Did::Invoke(words(&places), attempt)));
                let event = match answer {
                    Answer::Whole(outcome) => Event::Invoked { token, outcome },
                    Answer::Failed(failed) => {
                        let index = |place: &Place| places.iter().position(|it| it == place);
                        let mut failed: Vec<u32> = failed
                            .iter()
                            .map(|place| index(place).expect("a record of the batch") as u32)
                            .collect();
                        failed.sort_unstable();
                        Event::InvokedPartly { token, failed }
                    }
                };
                if self.takes == Span::ZERO {
                    self.ended(&event);
                    return Some(event);
                }
                self.due.push((now + self.takes, event));
                None
            }
            Action::Divert {
                token,
                batch,
                failure,
            } => {
                let places = places(batch);
                let did = Did::Divert(words(&places), failure);
                self.given_up.extend(places);
                self.settle(now, token, did)
            }
            Action::Checkpoint {
                token,
                shard,
                delta: Delta { to, .. },
                ..
            } => {
                let to = to.offset().expect("an offset");
                self.settle(now, token, Did::Commit(shard.0, to))
            }
            Action::Yield {
                token,
                poller,
                shards,
            } => {
                for shard in &shards {
                    self.reading.remove(&(poller, shard.0));
                    self.revoking.remove(&shard.0);
                }
                self.settle(now, token, Did::Yield(poller, ids(&shards)))
            }
            Action::Leave { token, poller } => {
                self.members.remove(&poller);
                let revoking = &mut self.revoking;
                self.reading.retain(|(it, shard), _| {
                    let goes = *it == poller;
                    if goes {
                        revoking.remove(shard);
                    }
                    !goes
                });
                if let Some(at) = self.asked.iter().position(|it| it.poller == poller) {
                    let token = self.asked.remove(at).token;
                    let page = Page::default();
                    self.due.push((now, Event::Fetched { token, page }));
                }
                self.settle(now, token, Did::Leave(poller))
            }
            Action::Measure { token } => {
                self.did.push((at_ms, Did::Measure));
                if let Some(class) = (self.refuse)(&Did::Measure) {
                    return Some(Event::Failed { token, class });
                }
                let arrived = |records: &Vec<Written>| {
                    Seq::from(records.partition_point(|it| it.at_ms <= at_ms) as u64)
                };
                let ends = (0..)
                    .zip(&self.topic)
                    .map(|(shard, records)| (ShardId(shard), arrived(records)))
                    .collect();
                Some(Event::Measured { token, ends })
            }
            other => panic!("Kafka was asked to {other:?}"),
        }
    }

    fn observe(&mut self, now: Time, fact: Fact) {
        self.facts.push((now.as_millis(), fact));
    }
}
