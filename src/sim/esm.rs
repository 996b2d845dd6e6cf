//! Event source mappings in virtual time: the engine's actions become calls of modelled services.

use super::control::begins_disabled;
use super::dist::Sampler;
use super::services::broker::BrokerModel;
use super::services::fifo::{FifoModel, FifoSettings};
use super::services::kafka::{Group, Topic, Wait};
use super::services::queue::{Queue, Standing};
use super::services::reader::StreamReader;
use super::services::sqs::SqsModel;
use super::services::stream::{Counted, StreamModel};
use super::world::{Inner, Pending, Traced, World};
use crate::engine::{
    Action, BatchId, Effects, Event, Fact, FailureClass, Mapping, MappingConfig, Outcome, Page,
    Position, Ratio, Record, Rng, ShardId, Span, Time, Token, pump,
};
use crate::metrics::BinEnd;
use crate::scenario::{Scenario, SourceModel};

/// A modelled source and its readers.
pub(super) struct SourceState {
    model: Model,
    latency: Sampler,
    latencies: Rng,
    delivery: Option<Sampler>,
    deliveries: Rng,
    /// When a receive that waits is given what is there by then.
    pub(super) delivery_due: Option<Time>,
    pub(super) throttles: Rng,
    /// Chance that a read is throttled by a fault in force.
    pub(super) fault_throttle_rate: Ratio,
    pub(super) deletions: Rng,
    /// Chance that a deletion or commit fails by a fault in force.
    pub(super) fault_deletion_rate: Ratio,
    /// What arrived by the end of this bin, once somebody asked, and by the end of the one before.
    arrived: Option<Counted>,
    arrived_before: Counted,
    /// A queue as it was at the end of the bin before.
    standing_before: Standing,
    /// A queue's wake-up that is in the calendar.
    pub(super) wake_at: Option<Time>,
}

enum Model {
    Stream {
        stream: Box<StreamModel>,
        /// One per mapping of the scenario; `None` for those that read another source.
        readers: Vec<Option<StreamReader>>,
    },
    Queue(Box<dyn Queue>),
    Kafka {
        topic: Box<Topic>,
        /// One per mapping of the scenario; `None` for those that read another source.
        groups: Vec<Option<Box<Group>>>,
    },
}

impl SourceState {
    pub(super) fn all(scenario: &Scenario, seed: u64) -> Vec<Self> {
        let build = |(index, source): (usize, &crate::scenario::Source)| {
            let rng = |what: &str| Rng::stream(seed, &format!("source/{}/{what}", source.name));
            let model = match &source.kind {
                SourceModel::Stream(stream) => {
                    let stream = StreamModel::new(&source.name, stream, &source.producers, seed);
                    let readers = scenario
                        .mappings
                        .iter()
                        .map(|mapping| {
                            let from = mapping.config.starting_position;
                            (mapping.source == index).then(|| StreamReader::new(from))
                        })
                        .collect();
                    Model::Stream {
                        stream: Box::new(stream),
                        readers,
                    }
                }
                SourceModel::Kafka(settings) => {
                    let topic = Topic::new(&source.name, settings, &source.producers, seed);
                    let groups = scenario.mappings.iter().map(|mapping| {
                        let MappingConfig {
                            name,
                            starting_position,
                            ..
                        } = &mapping.config;
                        let group = || {
                            let pauses = rng(&format!("rebalance/{name}"));
                            let pause = &settings.rebalance;
                            Box::new(Group::new(&topic, *starting_position, pause, pauses))
                        };
                        (mapping.source == index).then(group)
                    });
                    Model::Kafka {
                        groups: groups.collect(),
                        topic: Box::new(topic),
                    }
                }
                SourceModel::Sqs {
                    is_fifo: true,
                    visibility_timeout,
                    max_receive_count,
                } => {
                    let settings = FifoSettings {
                        visibility: *visibility_timeout,
                        receives_max: *max_receive_count,
                        look_ahead: scenario.profile.fifo_look_ahead(),
                    };
                    let queue = FifoModel::new(&source.name, settings, &source.producers, seed);
                    Model::Queue(Box::new(queue))
                }
                SourceModel::Sqs {
                    is_fifo: false,
                    visibility_timeout,
                    max_receive_count,
                } => Model::Queue(Box::new(SqsModel::new(
                    &source.name,
                    *visibility_timeout,
                    *max_receive_count,
                    &source.producers,
                    seed,
                ))),
                SourceModel::Broker(queue) => Model::Queue(Box::new(BrokerModel::new(
                    &source.name,
                    *queue,
                    &source.producers,
                    seed,
                ))),
            };
            Self {
                model,
                latency: Sampler::new(&source.latency),
                latencies: rng("latency"),
                delivery: source.delivery.as_ref().map(Sampler::new),
                deliveries: rng("delivery"),
                delivery_due: None,
                throttles: rng("throttles"),
                fault_throttle_rate: Ratio::ZERO,
                deletions: rng("deletions"),
                fault_deletion_rate: Ratio::ZERO,
                arrived: None,
                arrived_before: Counted::default(),
                standing_before: Standing::default(),
                wake_at: None,
            }
        };
        scenario.sources.iter().enumerate().map(build).collect()
    }

    /// The stream and the place of `mapping` in it; `None` for other sources.
    pub(super) fn stream(
        &mut self,
        mapping: usize,
    ) -> Option<(&mut StreamModel, &mut StreamReader)> {
        match &mut self.model {
            Model::Stream { stream, readers } => Some((stream, readers[mapping].as_mut()?)),
            Model::Queue(_) | Model::Kafka { .. } => None,
        }
    }

    #[inline]
    pub(super) const fn is_kafka(&self) -> bool {
        matches!(self.model, Model::Kafka { .. })
    }

    /// The topic and the group of `mapping`; `None` for other sources.
    #[inline]
    pub(super) fn kafka(&mut self, mapping: usize) -> Option<(&mut Topic, &mut Group)> {
        match &mut self.model {
            Model::Kafka { topic, groups } => Some((topic, groups[mapping].as_mut()?)),
            Model::Stream { .. } | Model::Queue(_) => None,
        }
    }

    /// Takes the connections of a Kafka cluster away, or gives them back. Returns whether that changes anything.
    pub(super) fn connect_cluster(&mut self, is_connected: bool, now: Time) -> bool {
        match &mut self.model {
            Model::Kafka { topic, .. } => topic.connect(is_connected, now),
            Model::Stream { .. } | Model::Queue(_) => false,
        }
    }

    /// `None` for a stream and for Kafka.
    #[inline]
    pub(super) fn queue(&mut self) -> Option<&mut dyn Queue> {
        match &mut self.model {
            Model::Stream { .. } | Model::Kafka { .. } => None,
            Model::Queue(queue) => Some(queue.as_mut()),
        }
    }

    /// How long a record takes to somebody who waits for it; `None` where that is not modelled.
    pub(super) fn draw_delivery(&mut self) -> Option<Span> {
        let delivery = self.delivery.as_ref()?;
        Some(Span::from_nanos(delivery.draw(&mut self.deliveries)))
    }

    pub(super) const fn has_delivery(&self) -> bool {
        self.delivery.is_some()
    }

    /// Kafka: up to when a fetch takes what arrived, and when it is answered. The first record arrived at `first`.
    pub(super) fn fetch_times(&mut self, first: Time, now: Time) -> (Time, Time) {
        match self.draw_delivery() {
            // Fetched ahead: what arrived long enough ago is there already.
            Some(way) => {
                let due = now.max(first + way);
                (Time::ZERO + (due.since(Time::ZERO) - way), due)
            }
            None => (now, now + self.draw_latency()),
        }
    }

    /// How long the next read or receive takes.
    pub(super) fn draw_latency(&mut self) -> Span {
        Span::from_nanos(self.latency.draw(&mut self.latencies))
    }

    /// What the bin that ends now brought, as seen by `mapping`. All mappings of a source see the same arrivals.
    pub(super) fn roll(&mut self, mapping: usize, now: Time) -> BinEnd {
        let arrived = match (self.arrived, &mut self.model) {
            (Some(counted), _) => counted,
            (None, Model::Stream { stream, .. }) => stream.arrived(now),
            (None, Model::Kafka { topic, .. }) => topic.arrived(now),
            (None, Model::Queue(queue)) => Counted {
                records: self.arrived_before.records + queue.arrived(now),
                ..Counted::default()
            },
        };
        self.arrived = Some(arrived);
        let refusals = arrived.refusals.since(self.arrived_before.refusals);
        let mut bin = BinEnd {
            incoming: arrived.records - self.arrived_before.records,
            writes_throttled: refusals.throttled,
            writes_lost: refusals.lost,
            ..BinEnd::default()
        };
        match &mut self.model {
            Model::Stream { readers, .. } => {
                if let Some(reader) = &mut readers[mapping] {
                    bin.backlog = arrived.records.saturating_sub(reader.passed());
                    bin.trimmed = reader.take_trimmed();
                    bin.reads_throttled = reader.take_throttled();
                }
            }
            Model::Kafka { groups, .. } => {
                if let Some(group) = &mut groups[mapping] {
                    bin.of_group(group, arrived.records);
                }
            }
            Model::Queue(queue) => {
                let standing = queue.standing(now);
                bin.of_queue(now, standing, self.standing_before);
            }
        }
        bin
    }

    /// Every mapping has seen the bin.
    pub(super) fn bin_over(&mut self, now: Time) {
        if let Some(arrived) = self.arrived.take() {
            self.arrived_before = arrived;
        }
        if let Some(queue) = self.queue() {
            self.standing_before = queue.standing(now);
        }
    }
}

impl World<'_> {
    pub(super) fn start_mappings(&mut self) {
        let scenario = self.inner.scenario;
        for (index, mapping) in scenario.mappings.iter().enumerate() {
            let machine = self.new_mapping(index, &mapping.config);
            self.mappings.push(machine);
            self.started.push(false);
            if !begins_disabled(scenario, index) {
                self.start_mapping(index);
            }
        }
    }

    pub(super) fn start_mapping(&mut self, index: usize) {
        self.started[index] = true;
        let mapping = &self.inner.scenario.mappings[index];
        if mapping.config.source.is_stream() {
            self.list_shards(index as u32);
        } else {
            self.drain(index as u32);
        }
    }

    pub(super) fn feed(&mut self, mapping: u32, event: Event<()>) {
        self.mappings[mapping as usize].handle(self.inner.now, event);
        self.drain(mapping);
    }

    pub(super) fn mapping_due(&mut self, mapping: u32) {
        let now = self.inner.now;
        if self.inner.mapping_wakes[mapping as usize] != Some(now) {
            return; // an earlier wake-up took this one's place
        }
        self.inner.mapping_wakes[mapping as usize] = None;
        self.mappings[mapping as usize].handle_timeout(now);
        self.drain(mapping);
    }

    pub(super) fn batch_ended(
        &mut self,
        mapping: u32,
        token: Token,
        batch: BatchId,
        outcome: Outcome,
    ) {
        if self.mappings[mapping as usize].config().source.is_kafka() {
            return self.kafka_batch_ended(mapping, token, batch, outcome);
        }
        if let Outcome::Partial { .. } = outcome
            && self.mappings[mapping as usize].config().source.is_queue()
        {
            return self.queue_batch_ended(mapping, token, batch);
        }
        self.note_return(mapping, batch, outcome);
        let records = self.mappings[mapping as usize].batch(batch);
        // What comes before the lowest failed record is not delivered again.
        let done = outcome.succeeded(records.len() as u32) as usize;
        let recorder = &mut self.inner.mapping_recorders[mapping as usize];
        for record in &records[..done] {
            recorder.succeeded(self.inner.now.since(record.meta.arrival).as_nanos());
        }
        self.feed(mapping, Event::Invoked { token, outcome });
    }

    pub(super) fn drain(&mut self, mapping: u32) {
        let now = self.inner.now;
        let machine = &mut self.mappings[mapping as usize];
        let mut effects = SimEffects {
            inner: &mut self.inner,
            mapping,
        };
        let wake = pump(machine, now, &mut effects);
        let scheduled = &mut self.inner.mapping_wakes[mapping as usize];
        if let Some((at, _)) = wake
            && scheduled.is_none_or(|planned| at < planned)
        {
            *scheduled = Some(at);
            self.inner.schedule(at, Pending::MappingWake(mapping));
        }
        if std::mem::take(&mut self.inner.shard_ended) {
            self.list_shards(mapping);
        }
    }
}

impl Inner<'_> {
    /// What `mapping` sees of a page.
    pub(super) fn stream_page(&self, mapping: u32, page: Page<()>) -> Page<()> {
        match &self.matching[mapping as usize] {
            Some(matching) => matching.of_stream(page),
            None => page,
        }
    }
}

/// Carries out the actions of one mapping.
pub(super) struct SimEffects<'w, 's> {
    pub(super) inner: &'w mut Inner<'s>,
    pub(super) mapping: u32,
}

impl Effects<()> for SimEffects<'_, '_> {
    fn start(&mut self, _: Time, machine: &mut Mapping<()>, action: Action) -> Option<Event<()>> {
        match action {
            Action::Read {
                token,
                shard,
                from,
                records_max,
            } => self.read(machine, token, shard, from, records_max),
            Action::Receive {
                token,
                poller,
                records_max,
                wait,
                held,
            } if self.source().is_kafka() => {
                let wait = Wait::new(token, (records_max, held), self.inner.now, wait);
                self.receive_kafka(machine, poller, wait)
            }
            Action::Receive {
                token,
                records_max,
                wait,
                ..
            } => self.receive(machine, token, records_max, wait),
            Action::Invoke { token, batch, .. } => self.invoke(machine, token, batch),
            Action::Acknowledge { token, batch } => self.delete(machine, token, batch),
            Action::Release { token, batch } => Some(self.give_back(machine, token, batch)),
            Action::Yield { token, shards, .. } => Some(self.give_up(token, &shards)),
            Action::Leave { token, poller } => Some(self.leave(token, poller)),
            Action::Measure { token } => Some(self.measure(token)),
            Action::Checkpoint {
                token,
                shard,
                delta,
                ..
            } if self.source().is_kafka() => Some(self.commit(token, shard, delta)),
            // The modelled store is instant and never fails.
            Action::Checkpoint { token, .. } => Some(Event::Done { token }),
            Action::Divert { token, .. } => {
                self.inner.divert(self.mapping, token);
                None
            }
        }
    }

    fn observe(&mut self, now: Time, fact: Fact) {
        if let Fact::Discarded { first, last, .. } = &fact
            && let Some((_, group)) = self.inner.group(self.mapping)
        {
            group.given_up(first, last);
        }
        self.inner.mapping_recorders[self.mapping as usize].observe(now, fact);
        if let Some(trace) = &mut self.inner.trace {
            trace.push(Traced {
                mapping: self.mapping,
                at: now,
                fact,
            });
        }
    }
}

impl SimEffects<'_, '_> {
    pub(super) fn source(&mut self) -> &mut SourceState {
        let index = self.inner.scenario.mappings[self.mapping as usize].source;
        &mut self.inner.sources[index]
    }

    fn read(
        &mut self,
        machine: &mut Mapping<()>,
        token: Token,
        shard: ShardId,
        from: Position,
        records_max: u32,
    ) -> Option<Event<()>> {
        let mapping = self.mapping as usize;
        let now = self.inner.now;
        let index = self.inner.scenario.mappings[mapping].source;
        let source = &mut self.inner.sources[index];
        let is_refused = source.throttles.chance(source.fault_throttle_rate);
        let delivery = source.draw_delivery().unwrap_or(Span::ZERO);
        let sent = Time::ZERO + now.since(Time::ZERO + delivery);
        let Some((stream, reader)) = source.stream(mapping) else {
            unreachable!("a queue was read like a stream");
        };
        if is_refused {
            reader.was_refused();
            let class = FailureClass::Throttled;
            return Some(Event::Failed { token, class });
        }
        if self.inner.scenario.mappings[mapping].fan_out {
            return self.subscribe(token, shard, from);
        }
        let list = machine.spare_list();
        match stream.poll(reader, shard.0, from, (sent, now), records_max, list) {
            Ok(page) => {
                self.inner.records += page.records.len() as u64;
                let page = self.inner.stream_page(self.mapping, page);
                self.answer(token, page)
            }
            Err(_) => {
                reader.was_refused();
                let class = FailureClass::Throttled;
                Some(Event::Failed { token, class })
            }
        }
    }

    /// Gives a page back after the source's latency.
    pub(super) fn answer(&mut self, token: Token, page: Page<()>) -> Option<Event<()>> {
        let latency = self.source().draw_latency();
        if latency == Span::ZERO {
            self.inner.shard_ended |= page.shard_end;
            return Some(Event::Fetched { token, page });
        }
        let pending = Pending::Fetched {
            mapping: self.mapping,
            token,
            page: Box::new(page),
        };
        self.inner.schedule(self.inner.now + latency, pending);
        None
    }

    fn invoke(&mut self, machine: &Mapping<()>, token: Token, batch: BatchId) -> Option<Event<()>> {
        let inner = &mut *self.inner;
        if let Some((_, group)) = inner.group(self.mapping) {
            group.sent(batch, machine.batch(batch));
        }
        let called = &inner.scenario.mappings[self.mapping as usize];
        let function = called.function;
        let lease = match inner.admit(function, called.alias) {
            Ok(lease) => lease,
            Err(reason) => {
                inner.recorders[function].throttled(reason);
                let outcome = Outcome::Throttled {
                    retry_after: Span::ZERO,
                };
                self.refused(machine.batch(batch));
                return Some(Event::Invoked { token, outcome });
            }
        };
        let records: &[Record<()>] = machine.batch(batch);
        let reported = machine.config().report_batch_item_failures;
        let source = &mut inner.sources[inner.scenario.mappings[self.mapping as usize].source];
        if let Some(queue) = source.queue() {
            queue.work(inner.now, records);
        }
        let course = inner.begin(&lease, Span::ZERO, None, records, reported);
        let (ends, lingers) = (inner.now + course.busy(), course.lingers());
        if lingers > Span::ZERO {
            let fate = course.fate();
            let pending = Pending::BatchAnswered {
                mapping: self.mapping,
                token,
                batch,
                outcome: course.end.outcome(),
            };
            inner.schedule(ends, pending);
            inner.schedule(ends + lingers, Pending::CallEnds { lease, fate });
            return None;
        }
        let pending = Pending::BatchEnds {
            lease,
            fate: course.fate(),
            mapping: self.mapping,
            token,
            batch,
            outcome: course.end.outcome(),
        };
        inner.schedule(ends, pending);
        None
    }
}
