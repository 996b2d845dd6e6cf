//! A scripted world around one mapping: a shard or queue of texts, a function that answers from a script, and a log.

use tidegate::engine::{
    Action, Condition, Control, Delivery, Delta, Effects, Event, Fact, FailedAnswer, Failure,
    FailureClass, Mapping, MappingConfig, Meta, Outcome, Page, Position, Profile, Record, Rng, Seq,
    Shard, ShardId, SourceKind, Span, Time, Tuning, WindowCall, pump,
};

/// What the mapping did, with the milliseconds since the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Did {
    Read {
        shard: u32,
        from: Position,
    },
    Receive {
        records_max: u32,
        wait_ms: u64,
    },
    Invoke {
        records: String,
        attempt: u32,
        window: Option<WindowCall>,
    },
    Delete {
        records: String,
    },
    Release {
        records: String,
    },
    Divert {
        records: String,
        failure: Failure,
    },
    Store {
        shard: u32,
        delta: Delta,
        window: Option<Time>,
    },
}

/// An invocation, as the scripted function sees it.
pub(crate) struct Call<'a> {
    pub(crate) at_ms: u64,
    pub(crate) records: &'a [&'static str],
    /// Tumbling windows only.
    pub(crate) window: Option<WindowCall>,
}

impl Call<'_> {
    pub(crate) fn has(&self, record: &str) -> bool {
        self.records.contains(&record)
    }
}

/// Says which messages of a call failed.
pub(crate) type Reports = Box<dyn FnMut(&Call<'_>) -> Vec<u32>>;

/// The world that answers. Everything takes no time unless told otherwise.
pub(crate) struct World {
    /// What each shard holds (or, for a queue, the first entry), oldest first.
    pub(crate) shards: Vec<Vec<Record<&'static str>>>,
    /// Shards that are closed.
    pub(crate) closed: Vec<u32>,
    /// Records that the filters leave out.
    pub(crate) left_out: Vec<&'static str>,
    pub(crate) function: Box<dyn FnMut(&Call<'_>) -> Outcome>,
    pub(crate) invoke_takes: Span,
    /// Queues: messages that the function reports as failed, by index.
    pub(crate) reports: Reports,
    /// Answers to stores and deletions by their number; `None` means done.
    pub(crate) confirm: Box<dyn FnMut(u32) -> Option<FailureClass>>,
    /// How the next reads and receives fail, the last entry first.
    pub(crate) calls_fail: Vec<FailureClass>,
    /// Bytes that every record counts with against the read limits.
    pub(crate) read_bytes: u64,
    confirmations: u32,
    received: usize,
    due: Vec<(Time, Event<&'static str>)>,
    did: Vec<(u64, Did)>,
    facts: Vec<(u64, Fact)>,
}

/// A mapping in its world.
pub(crate) struct Rig {
    pub(crate) mapping: Mapping<&'static str>,
    pub(crate) world: World,
    now: Time,
    wake: Option<Time>,
    /// The shards to begin with; listed when time first passes, so that the world can be scripted before.
    listed: Option<Vec<Shard>>,
}

pub(crate) fn kinesis() -> MappingConfig {
    MappingConfig::new("stream", SourceKind::Kinesis)
}

pub(crate) fn sqs() -> MappingConfig {
    MappingConfig::new("queue", SourceKind::Sqs)
}

/// Record number `seq` with the payload `payload`, arrived at `at_ms`, of 100 bytes.
pub(crate) fn record(seq: u64, payload: &'static str, at_ms: u64) -> Record<&'static str> {
    let meta = Meta {
        seq: Seq::from(seq),
        group: 0,
        arrival: Time::from_millis(at_ms),
        wire_len: 100,
    };
    Record { meta, payload }
}

/// Records `1..` that were there at the start.
pub(crate) fn records<const N: usize>(payloads: [&'static str; N]) -> Vec<Record<&'static str>> {
    (1..)
        .zip(payloads)
        .map(|(seq, payload)| record(seq, payload, 0))
        .collect()
}

pub(crate) fn after(seq: u64) -> Position {
    Position::After(Seq::from(seq))
}

pub(crate) const THROTTLED: Outcome = Outcome::Throttled {
    retry_after: Span::ZERO,
};

impl Rig {
    /// A stream mapping over shards without parents, read from their oldest record.
    pub(crate) fn stream(config: MappingConfig, shards: Vec<Vec<Record<&'static str>>>) -> Self {
        let listed = (0..shards.len() as u32)
            .map(|id| Shard {
                id: ShardId(id),
                from: Position::Horizon,
                parents: vec![],
                window: None,
            })
            .collect();
        let mut rig = Self::idle(config, Tuning::new(Profile::Current), shards);
        rig.listed = Some(listed);
        rig
    }

    /// Lists the one shard of an idle stream, read from its oldest record.
    pub(crate) fn list_from_horizon(&mut self) {
        self.list(vec![Shard {
            id: ShardId(0),
            from: Position::Horizon,
            parents: vec![],
            window: None,
        }]);
    }

    /// A queue mapping whose messages stay hidden for 60 s once received.
    pub(crate) fn queue(config: MappingConfig, messages: Vec<Record<&'static str>>) -> Self {
        let tuning = Tuning {
            visibility_timeout: Span::from_secs(60),
            ..Tuning::new(Profile::Current)
        };
        Self::idle(config, tuning, vec![messages])
    }

    /// A mapping that nothing is fed to by itself.
    pub(crate) fn idle(
        config: MappingConfig,
        tuning: Tuning,
        shards: Vec<Vec<Record<&'static str>>>,
    ) -> Self {
        let now = Time::ZERO;
        let mapping = Mapping::new(config, tuning, Rng::stream(1, "test"), now);
        let world = World {
            shards,
            closed: vec![],
            left_out: vec![],
            function: Box::new(|_| Outcome::Success),
            invoke_takes: Span::ZERO,
            reports: Box::new(|_| vec![]),
            confirm: Box::new(|_| None),
            calls_fail: vec![],
            read_bytes: 0,
            confirmations: 0,
            received: 0,
            due: vec![],
            did: vec![],
            facts: vec![],
        };
        Self {
            mapping: mapping.expect("a supported configuration"),
            world,
            now,
            wake: None,
            listed: None,
        }
    }

    pub(crate) fn tuned(mut self, tune: impl FnOnce(&mut Tuning)) -> Self {
        let mut tuning = Tuning::new(Profile::Current);
        tune(&mut tuning);
        let config = self.mapping.config().clone();
        let mapping = Mapping::new(config, tuning, Rng::stream(1, "test"), self.now);
        self.mapping = mapping.expect("a supported configuration");
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

    pub(crate) fn function(mut self, function: impl FnMut(&Call<'_>) -> Outcome + 'static) -> Self {
        self.world.function = Box::new(function);
        self
    }

    pub(crate) fn invocations_take(mut self, span: Span) -> Self {
        self.world.invoke_takes = span;
        self
    }

    pub(crate) fn list(&mut self, shards: Vec<Shard>) {
        self.feed(Event::Control(Control::Shards(shards)));
    }

    pub(crate) fn feed(&mut self, event: Event<&'static str>) {
        self.mapping.handle(self.now, event);
        self.drain();
    }

    /// Lets time pass until `secs` seconds after the start, everything due then included.
    pub(crate) fn run_secs(mut self, secs: u64) -> Self {
        self.advance(Time::from_secs(secs));
        self
    }

    pub(crate) fn advance(&mut self, until: Time) {
        match self.listed.take() {
            Some(listed) => self.list(listed),
            None => self.drain(),
        }
        loop {
            self.world.due.sort_by_key(|(at, _)| *at);
            let answer = self.world.due.first().map(|(at, _)| *at);
            let next = [answer, self.wake].into_iter().flatten().min();
            let Some(next) = next.filter(|at| *at <= until) else {
                self.now = until;
                return;
            };
            self.now = next;
            if answer == Some(next) {
                let (_, event) = self.world.due.remove(0);
                self.mapping.handle(next, event);
            } else {
                self.mapping.handle_timeout(next);
            }
            self.drain();
        }
    }

    fn drain(&mut self) {
        let wake = pump(&mut self.mapping, self.now, &mut self.world);
        assert!(
            wake.is_none_or(|(at, _)| at > self.now),
            "a wake-up in the past"
        );
        self.wake = wake.map(|(at, _)| at);
    }

    /// Everything that was done, in order.
    pub(crate) fn did(&self) -> &[(u64, Did)] {
        &self.world.did
    }

    /// Invocations: when (ms), and the payloads of the batch.
    pub(crate) fn invokes(&self) -> Vec<(u64, &str)> {
        let invoke = |(at, did): &'_ (u64, Did)| matches!(did, Did::Invoke { .. }).then_some(*at);
        let times = self.world.did.iter().filter_map(invoke);
        times.zip(self.batches()).collect()
    }

    /// The payloads of each invocation.
    pub(crate) fn batches(&self) -> Vec<&str> {
        self.pick(|did| match did {
            Did::Invoke { records, .. } => Some(records.as_str()),
            _ => None,
        })
    }

    /// The attempt number of each invocation.
    pub(crate) fn attempts(&self) -> Vec<u32> {
        self.pick(|did| match did {
            Did::Invoke { attempt, .. } => Some(*attempt),
            _ => None,
        })
    }

    /// When each invocation was sent, ms.
    pub(crate) fn invoke_times(&self) -> Vec<u64> {
        self.invokes().into_iter().map(|(at, _)| at).collect()
    }

    /// When each read was made, ms.
    pub(crate) fn read_times(&self) -> Vec<u64> {
        let is_read = |(at, did): &(u64, Did)| matches!(did, Did::Read { .. }).then_some(*at);
        self.world.did.iter().filter_map(is_read).collect()
    }

    /// The checkpoints that were stored or tried to be.
    pub(crate) fn stores(&self) -> Vec<Delta> {
        self.pick(|did| match did {
            Did::Store { delta, .. } => Some(*delta),
            _ => None,
        })
    }

    /// Windows of the checkpoints: when each that has a state began, ms.
    pub(crate) fn stored_windows(&self) -> Vec<Option<u64>> {
        self.pick(|did| match did {
            Did::Store { window, .. } => Some(window.map(Time::as_millis)),
            _ => None,
        })
    }

    /// Calls of windows: payloads, start in seconds, and `fresh`, `final` and `early` as far as they hold.
    pub(crate) fn window_calls(&self) -> Vec<String> {
        self.pick(|did| match did {
            Did::Invoke {
                records,
                window: Some(call),
                ..
            } => {
                let mut text = format!("{records}@{}", call.start.as_millis() / 1_000);
                for (holds, word) in [
                    (call.is_fresh, " fresh"),
                    (call.is_final, " final"),
                    (call.is_terminated_early, " early"),
                ] {
                    text += if holds { word } else { "" };
                }
                Some(text)
            }
            _ => None,
        })
    }

    /// What was told to the destination: payloads, condition, count and how the function answered.
    pub(crate) fn diverts(&self) -> Vec<(&str, Condition, u32, Option<FailedAnswer>)> {
        self.pick(|did| match did {
            Did::Divert { records, failure } => Some((
                records.as_str(),
                failure.condition,
                failure.invoke_count,
                failure.answer,
            )),
            _ => None,
        })
    }

    /// What became of records that were given up.
    pub(crate) fn deliveries(&self) -> Vec<(u32, Delivery)> {
        let delivery = |(_, fact): &(u64, Fact)| match *fact {
            Fact::Discarded {
                records,
                destination,
                ..
            } => Some((records, destination)),
            _ => None,
        };
        self.world.facts.iter().filter_map(delivery).collect()
    }

    pub(crate) fn facts(&self) -> &[(u64, Fact)] {
        &self.world.facts
    }

    /// Records given up: when (ms), how many, why, and the count that their invocation record would carry.
    pub(crate) fn discards(&self) -> Vec<(u64, u32, Condition, u32)> {
        let discard = |(at, fact): &(u64, Fact)| match *fact {
            Fact::Discarded {
                records,
                condition,
                invoke_count,
                ..
            } => Some((*at, records, condition, invoke_count)),
            _ => None,
        };
        self.world.facts.iter().filter_map(discard).collect()
    }

    fn pick<'a, T>(&'a self, of: impl FnMut(&'a Did) -> Option<T>) -> Vec<T> {
        self.world
            .did
            .iter()
            .map(|(_, did)| did)
            .filter_map(of)
            .collect()
    }
}

impl World {
    fn page(
        &self,
        shard: ShardId,
        from: Position,
        now: Time,
        records_max: u32,
    ) -> Page<&'static str> {
        let held = &self.shards[shard.0 as usize];
        let begin = match from {
            Position::Horizon => 0,
            Position::After(seq) => held.partition_point(|record| record.meta.seq <= seq),
            Position::At(time) => held.partition_point(|record| record.meta.arrival < time),
            Position::Latest => held.partition_point(|record| record.meta.arrival <= now),
            Position::End => panic!("a finished shard was read again"),
        };
        let arrived = held
            .partition_point(|record| record.meta.arrival <= now)
            .max(begin);
        let end = arrived.min(begin + records_max as usize);
        let covered = &held[begin..end];
        let (records, left_out) = self.split(covered);
        Page {
            records,
            filtered: left_out.len() as u32,
            bytes: covered.len() as u64 * self.read_bytes,
            end: covered.last().map(|record| record.meta.seq),
            behind: Span::from_millis(u64::from(end < arrived)),
            shard_end: end == held.len() && self.closed.contains(&shard.0),
            ..Page::default()
        }
    }

    /// What the filters let through, and what they leave out.
    fn split(
        &self,
        records: &[Record<&'static str>],
    ) -> (Vec<Record<&'static str>>, Vec<Record<&'static str>>) {
        let mut records = records.to_vec();
        let left_out = |record: &mut Record<_>| self.left_out.contains(&record.payload);
        let rejected = records.extract_if(.., left_out).collect();
        (records, rejected)
    }

    fn confirmed(&mut self, token: tidegate::engine::Token) -> Option<Event<&'static str>> {
        self.confirmations += 1;
        Some(match (self.confirm)(self.confirmations) {
            None => Event::Done { token },
            Some(class) => Event::Failed { token, class },
        })
    }
}

impl Effects<&'static str> for World {
    fn start(
        &mut self,
        now: Time,
        mapping: &mut Mapping<&'static str>,
        action: Action,
    ) -> Option<Event<&'static str>> {
        let at_ms = now.as_millis();
        let payloads = |batch| -> Vec<&'static str> {
            let records: &[Record<_>] = mapping.batch(batch);
            records.iter().map(|record| record.payload).collect()
        };
        match action {
            Action::Read {
                token,
                shard,
                from,
                records_max,
            } => {
                let did = Did::Read {
                    shard: shard.0,
                    from,
                };
                self.did.push((at_ms, did));
                if let Some(class) = self.calls_fail.pop() {
                    return Some(Event::Failed { token, class });
                }
                let page = self.page(shard, from, now, records_max);
                Some(Event::Fetched { token, page })
            }
            Action::Receive {
                token,
                records_max,
                wait,
                ..
            } => {
                let wait_ms = wait.as_millis();
                let did = Did::Receive {
                    records_max,
                    wait_ms,
                };
                self.did.push((at_ms, did));
                if let Some(class) = self.calls_fail.pop() {
                    return Some(Event::Failed { token, class });
                }
                let queue = &self.shards[0][self.received..];
                let first = queue.first().map_or(Time::MAX, |first| first.meta.arrival);
                let answered = first.max(now).min(now + wait);
                let visible = queue.partition_point(|message| message.meta.arrival <= answered);
                let count = visible.min(records_max as usize);
                let (records, rejected) = self.split(&queue[..count]);
                self.received += count;
                let page = Page {
                    records,
                    rejected,
                    ..Page::default()
                };
                let event = Event::Fetched { token, page };
                self.due.push((answered, event));
                None
            }
            Action::Invoke {
                token,
                batch,
                attempt,
                window,
            } => {
                let records = payloads(batch);
                let call = Call {
                    at_ms,
                    records: &records,
                    window,
                };
                let outcome = (self.function)(&call);
                let failed = (self.reports)(&call);
                let records = records.join(" ");
                let did = Did::Invoke {
                    records,
                    attempt,
                    window,
                };
                self.did.push((at_ms, did));
                let event = if failed.is_empty() {
                    Event::Invoked { token, outcome }
                } else {
                    Event::InvokedPartly { token, failed }
                };
                if self.invoke_takes == Span::ZERO {
                    return Some(event);
                }
                self.due.push((now + self.invoke_takes, event));
                None
            }
            Action::Divert {
                token,
                batch,
                failure,
            } => {
                let records = payloads(batch).join(" ");
                self.did.push((at_ms, Did::Divert { records, failure }));
                self.confirmed(token)
            }
            Action::Acknowledge { token, batch } => {
                let records = payloads(batch).join(" ");
                self.did.push((at_ms, Did::Delete { records }));
                self.confirmed(token)
            }
            Action::Release { token, batch } => {
                let records = payloads(batch).join(" ");
                self.did.push((at_ms, Did::Release { records }));
                self.confirmed(token)
            }
            Action::Checkpoint {
                token,
                shard,
                delta,
                window,
            } => {
                let shard = shard.0;
                self.did.push((
                    at_ms,
                    Did::Store {
                        shard,
                        delta,
                        window,
                    },
                ));
                self.confirmed(token)
            }
            other => panic!("no consumer groups here: {other:?}"),
        }
    }

    fn observe(&mut self, now: Time, fact: Fact) {
        self.facts.push((now.as_millis(), fact));
    }
}
