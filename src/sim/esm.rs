//! Event source mappings in virtual time: the engine's actions become calls of modelled services.

use super::control::begins_disabled;
use super::dist::Sampler;
use super::function::End;
use super::services::reader::StreamReader;
use super::services::sqs::{Received, SqsModel, Waiter};
use super::services::stream::{Counted, StreamModel};
use super::world::{Inner, Pending, Traced, World};
use crate::engine::lambda::FunctionId;
use crate::engine::{
    Action, BatchId, Effects, Event, Fact, FailureClass, Mapping, Outcome, Page, Position, Ratio,
    Record, Rng, ShardId, Span, Time, Token, pump,
};
use crate::metrics::{BinEnd, Started};
use crate::scenario::{Scenario, SourceModel};

/// A modelled source and its readers.
pub(super) struct SourceState {
    model: Model,
    latency: Sampler,
    latencies: Rng,
    throttles: Rng,
    /// Chance that a read is throttled by a fault in force.
    pub(super) fault_throttle_rate: Ratio,
    /// What arrived by the end of this bin, once somebody asked, and by the end of the one before.
    arrived: Option<Counted>,
    arrived_before: Counted,
    dead_lettered_before: u64,
}

enum Model {
    Stream {
        stream: Box<StreamModel>,
        /// One per mapping of the scenario; `None` for those that read another source.
        readers: Vec<Option<StreamReader>>,
    },
    Sqs(Box<SqsModel>),
}

impl SourceState {
    pub(super) fn all(scenario: &Scenario, seed: u64) -> Vec<Self> {
        let build = |(index, source): (usize, &crate::scenario::Source)| {
            let rng = |what| Rng::stream(seed, &format!("source/{}/{what}", source.name));
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
                SourceModel::Sqs {
                    visibility_timeout,
                    max_receive_count,
                } => Model::Sqs(Box::new(SqsModel::new(
                    &source.name,
                    *visibility_timeout,
                    *max_receive_count,
                    &source.producers,
                    seed,
                ))),
            };
            Self {
                model,
                latency: Sampler::new(&source.latency),
                latencies: rng("latency"),
                throttles: rng("throttles"),
                fault_throttle_rate: Ratio::ZERO,
                arrived: None,
                arrived_before: Counted::default(),
                dead_lettered_before: 0,
            }
        };
        scenario.sources.iter().enumerate().map(build).collect()
    }

    /// The stream and the place of `mapping` in it; `None` for a queue.
    pub(super) fn stream(
        &mut self,
        mapping: usize,
    ) -> Option<(&mut StreamModel, &mut StreamReader)> {
        match &mut self.model {
            Model::Stream { stream, readers } => Some((stream, readers[mapping].as_mut()?)),
            Model::Sqs(_) => None,
        }
    }

    /// What the bin that ends now brought, as seen by `mapping`. All mappings of a source see the same arrivals.
    pub(super) fn roll(&mut self, mapping: usize, now: Time) -> BinEnd {
        let arrived = match (self.arrived, &mut self.model) {
            (Some(counted), _) => counted,
            (None, Model::Stream { stream, .. }) => stream.arrived(now),
            (None, Model::Sqs(queue)) => Counted {
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
            Model::Sqs(queue) => {
                bin.backlog = queue.backlog(now);
                bin.dead_lettered = queue.dead_lettered() - self.dead_lettered_before;
            }
        }
        bin
    }

    /// Every mapping has seen the bin.
    pub(super) fn bin_over(&mut self) {
        if let Some(arrived) = self.arrived.take() {
            self.arrived_before = arrived;
        }
        if let Model::Sqs(queue) = &self.model {
            self.dead_lettered_before = queue.dead_lettered();
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
        if let Outcome::Partial { .. } = outcome
            && self.mappings[mapping as usize].config().source.is_queue()
        {
            return self.queue_batch_ended(mapping, token, batch);
        }
        let records = self.mappings[mapping as usize].batch(batch);
        // What comes before the lowest failed record is not delivered again.
        let done = outcome.succeeded(records.len() as u32) as usize;
        let recorder = &mut self.inner.mapping_recorders[mapping as usize];
        for record in &records[..done] {
            recorder.succeeded(self.inner.now.since(record.meta.arrival).as_nanos());
        }
        self.feed(mapping, Event::Invoked { token, outcome });
    }

    /// A queue's function reported its poison messages.
    fn queue_batch_ended(&mut self, mapping: u32, token: Token, batch: BatchId) {
        let function = self.inner.scenario.mappings[mapping as usize].function;
        let recorder = &mut self.inner.mapping_recorders[mapping as usize];
        let mut failed = Vec::new();
        for (message, index) in self.mappings[mapping as usize].batch(batch).iter().zip(0..) {
            if self.inner.functions[function].is_poison(message) {
                failed.push(index);
            } else {
                recorder.succeeded(self.inner.now.since(message.meta.arrival).as_nanos());
            }
        }
        self.feed(mapping, Event::InvokedPartly { token, failed });
    }

    pub(super) fn queue_due(&mut self, source: u32) {
        let now = self.inner.now;
        loop {
            let Model::Sqs(queue) = &mut self.inner.sources[source as usize].model else {
                return;
            };
            if queue.wake_at == Some(now) {
                queue.wake_at = None;
            }
            let Some((waiter, records)) = queue.wake(now) else {
                break;
            };
            self.inner.records += records.len() as u64;
            let page = self.inner.queue_page(waiter.mapping, records);
            let token = waiter.token;
            self.feed(waiter.mapping, Event::Fetched { token, page });
        }
        self.inner.schedule_queue_wake(source);
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
    /// What `mapping` sees of a receive.
    fn queue_page(&self, mapping: u32, records: Vec<Record<()>>) -> Page<()> {
        let page = Page {
            records,
            ..Page::default()
        };
        match &self.matching[mapping as usize] {
            Some(matching) => matching.of_queue(page),
            None => page,
        }
    }

    /// What `mapping` sees of a page.
    pub(super) fn stream_page(&self, mapping: u32, page: Page<()>) -> Page<()> {
        match &self.matching[mapping as usize] {
            Some(matching) => matching.of_stream(page),
            None => page,
        }
    }

    fn schedule_queue_wake(&mut self, source: u32) {
        let Model::Sqs(queue) = &mut self.sources[source as usize].model else {
            return;
        };
        let Some(at) = queue.next_wake() else {
            return;
        };
        if queue.wake_at.is_none_or(|planned| at < planned) {
            queue.wake_at = Some(at);
            self.schedule(at.max(self.now), Pending::QueueWake(source));
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
                records_max,
                wait,
                ..
            } => self.receive(machine, token, records_max, wait),
            Action::Invoke { token, batch, .. } => self.invoke(machine, token, batch),
            Action::Acknowledge { token, batch } => {
                let source = self.source();
                if let Model::Sqs(queue) = &mut source.model {
                    for record in machine.batch(batch) {
                        queue.delete(&record.meta);
                    }
                }
                Some(Event::Done { token })
            }
            Action::Release { token, .. } => panic!("{token:?}: nothing takes messages back"),
            Action::Yield { token, .. }
            | Action::Leave { token, .. }
            | Action::Measure { token } => {
                panic!("{token:?}: this source has no consumer groups")
            }
            // The modelled store is instant and never fails.
            Action::Checkpoint { token, .. } => Some(Event::Done { token }),
            Action::Divert { token, .. } => {
                self.inner.divert(self.mapping, token);
                None
            }
        }
    }

    fn observe(&mut self, now: Time, fact: Fact) {
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
    fn source(&mut self) -> &mut SourceState {
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
        match stream.poll(reader, shard.0, from, now, records_max, list) {
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

    fn receive(
        &mut self,
        machine: &mut Mapping<()>,
        token: Token,
        records_max: u32,
        wait: Span,
    ) -> Option<Event<()>> {
        let mapping = self.mapping;
        let now = self.inner.now;
        let source = self.source();
        if source.throttles.chance(source.fault_throttle_rate) {
            let class = FailureClass::Throttled;
            return Some(Event::Failed { token, class });
        }
        let Model::Sqs(queue) = &mut source.model else {
            unreachable!("a stream was received from like a queue");
        };
        let waiter = Waiter {
            mapping,
            token,
            records_max,
            until: now + wait,
        };
        match queue.receive(now, waiter, machine.spare_list()) {
            Received::Messages(records) => {
                self.inner.records += records.len() as u64;
                let page = self.inner.queue_page(mapping, records);
                self.answer(token, page)
            }
            Received::Waits => {
                let source = self.inner.scenario.mappings[mapping as usize].source;
                self.inner.schedule_queue_wake(source as u32);
                None
            }
            Received::OverLimit => {
                let class = FailureClass::Throttled;
                Some(Event::Failed { token, class })
            }
        }
    }

    /// Gives a page back after the source's latency.
    fn answer(&mut self, token: Token, page: Page<()>) -> Option<Event<()>> {
        let source = self.source();
        let latency = Span::from_nanos(source.latency.draw(&mut source.latencies));
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
        let function = inner.scenario.mappings[self.mapping as usize].function;
        let recorder = &mut inner.recorders[function];
        let lease = match inner.lambda.admit(inner.now, FunctionId(function as u32)) {
            Ok(lease) => lease,
            Err(reason) => {
                recorder.throttled(reason);
                let outcome = Outcome::Throttled {
                    retry_after: Span::ZERO,
                };
                return Some(Event::Invoked { token, outcome });
            }
        };
        let records: &[Record<()>] = machine.batch(batch);
        let reported = machine.config().report_batch_item_failures;
        let course = inner.functions[function].course(lease.start, records, reported);
        recorder.started(&Started {
            duration: course.duration,
            init: course.init,
            waited: Span::ZERO,
            failed: course.end.is_error(),
            timed_out: course.end == End::Timeout,
        });
        recorder.running(inner.now, inner.lambda.running(lease.function));
        inner.invocations += 1;
        let pending = Pending::BatchEnds {
            lease,
            fate: course.fate(),
            mapping: self.mapping,
            token,
            batch,
            outcome: course.end.outcome(),
        };
        inner.schedule(inner.now + course.busy(), pending);
        None
    }
}
