//! Queues in virtual time: receives that wait, deletions, and why messages come back.

use super::esm::SimEffects;
use super::services::queue::{Received, Standing, Waiter};
use super::world::{Inner, Pending, World};
use crate::engine::{
    BatchId, Event, FailureClass, Mapping, Outcome, Page, Record, ReturnCause, SourceKind, Span,
    Time, Token,
};
use crate::metrics::{BinEnd, DeadLetterReason};

impl World<'_> {
    /// A queue's function reported its poison messages.
    pub(super) fn queue_batch_ended(&mut self, mapping: u32, token: Token, batch: BatchId) {
        let scenario = self.inner.scenario;
        let function = scenario.mappings[mapping as usize].function;
        let recorder = &mut self.inner.mapping_recorders[mapping as usize];
        let source = &mut self.inner.sources[scenario.mappings[mapping as usize].source];
        let is_fifo = scenario.mappings[mapping as usize].config.source == SourceKind::SqsFifo;
        let mut failed = Vec::new();
        for (message, index) in self.mappings[mapping as usize].batch(batch).iter().zip(0..) {
            // Rule `fifo-function-stops-at-failure`: it reports everything from its first failure on.
            let follows = is_fifo && !failed.is_empty();
            if follows || self.inner.functions[function].is_poison(message) {
                failed.push(index);
                if let Some(queue) = source.queue() {
                    let reason = DeadLetterReason::Reported;
                    queue.leave(self.inner.now, std::slice::from_ref(message), reason);
                }
            } else {
                recorder.succeeded(self.inner.now.since(message.meta.arrival).as_nanos());
            }
        }
        self.feed(mapping, Event::InvokedPartly { token, failed });
    }

    /// Notes at the queue why the messages of a batch will come back, if they will.
    pub(super) fn note_return(&mut self, mapping: u32, batch: BatchId, outcome: Outcome) {
        let index = self.inner.scenario.mappings[mapping as usize].source;
        if let Some(cause) = outcome.return_cause()
            && let Some(queue) = self.inner.sources[index].queue()
        {
            let records = self.mappings[mapping as usize].batch(batch);
            queue.leave(self.inner.now, records, cause.into());
        }
    }

    pub(super) fn queue_due(&mut self, source: u32) {
        let now = self.inner.now;
        let state = &mut self.inner.sources[source as usize];
        if state.wake_at == Some(now) {
            state.wake_at = None;
        }
        self.cut_receives(source);
        while !self.inner.is_on_its_way(source)
            && let Some(queue) = self.inner.sources[source as usize].queue()
            && let Some((waiter, records)) = queue.wake(now)
        {
            self.inner.records += records.len() as u64;
            let page = self.inner.queue_page(waiter.mapping, records);
            let token = waiter.token;
            self.feed(waiter.mapping, Event::Fetched { token, page });
        }
        self.inner.schedule_queue_wake(source);
    }
}

impl Inner<'_> {
    /// Whether the receive that waits for what is there now is answered later. What arrives until then goes with it.
    fn is_on_its_way(&mut self, source: u32) -> bool {
        let (now, state) = (self.now, &mut self.sources[source as usize]);
        if !state.has_delivery() {
            return false;
        }
        if let Some(due) = state.delivery_due {
            if due > now {
                return true;
            }
            // This is the moment.
            state.delivery_due = None;
            return false;
        }
        let is_there = state
            .queue()
            .and_then(|queue| queue.next_wake())
            .is_some_and(|at| at <= now);
        if is_there && let Some(way) = state.draw_delivery() {
            state.delivery_due = Some(now + way).filter(|due| *due > now);
        }
        state.delivery_due.is_some()
    }

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

    pub(super) fn schedule_queue_wake(&mut self, source: u32) {
        let state = &mut self.sources[source as usize];
        let due = state.delivery_due;
        let Some(at) = due.or_else(|| state.queue()?.next_wake()) else {
            return;
        };
        let at = at.max(self.now);
        if state.wake_at.is_none_or(|planned| at < planned) {
            state.wake_at = Some(at);
            self.schedule(at, Pending::QueueWake(source));
        }
    }
}

impl SimEffects<'_, '_> {
    pub(super) fn receive(
        &mut self,
        machine: &mut Mapping<()>,
        token: Token,
        records_max: u32,
        wait: Span,
    ) -> Option<Event<()>> {
        let mapping = self.mapping;
        let now = self.inner.now;
        let index = self.inner.scenario.mappings[mapping as usize].source;
        let source = &mut self.inner.sources[index];
        let recorder = &mut self.inner.mapping_recorders[mapping as usize];
        if source.throttles.chance(source.fault_throttle_rate) {
            recorder.receive_refused();
            let class = FailureClass::Throttled;
            return Some(Event::Failed { token, class });
        }
        let Some(queue) = source.queue() else {
            unreachable!("a stream was received from like a queue");
        };
        if !queue.is_connected() {
            let class = FailureClass::Transient;
            return Some(Event::Failed { token, class });
        }
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
                if queue.is_full() {
                    recorder.over_limit();
                }
                self.inner.schedule_queue_wake(index as u32);
                None
            }
            Received::OverLimit => {
                recorder.over_limit();
                recorder.receive_refused();
                let class = FailureClass::Throttled;
                Some(Event::Failed { token, class })
            }
        }
    }

    pub(super) fn delete(
        &mut self,
        machine: &Mapping<()>,
        token: Token,
        batch: BatchId,
    ) -> Option<Event<()>> {
        let index = self.inner.scenario.mappings[self.mapping as usize].source;
        let now = self.inner.now;
        let source = &mut self.inner.sources[index];
        let is_refused = source.deletions.chance(source.fault_deletion_rate);
        let Some(queue) = source.queue() else {
            unreachable!("a stream was told to delete");
        };
        let records = machine.batch(batch);
        if is_refused {
            queue.leave(now, records, ReturnCause::DeleteFailed.into());
            let class = FailureClass::Transient;
            return Some(Event::Failed { token, class });
        }
        let is_lost = queue.has_lost(records);
        if queue.delete(records) {
            self.inner.schedule_queue_wake(index as u32);
        }
        if is_lost {
            let class = FailureClass::Transient;
            return Some(Event::Failed { token, class });
        }
        Some(Event::Done { token })
    }

    /// An invocation was refused: its messages stay where they are for now.
    pub(super) fn refused(&mut self, records: &[Record<()>]) {
        let now = self.inner.now;
        if let Some(queue) = self.source().queue() {
            queue.leave(now, records, ReturnCause::Throttled.into());
        }
    }
}

impl BinEnd {
    /// Takes in what a queue tells of itself.
    pub(super) fn of_queue(&mut self, now: Time, standing: Standing, before: Standing) {
        self.backlog = standing.visible;
        self.in_flight = standing.in_flight;
        self.oldest_age = Some(standing.oldest.map_or(Span::ZERO, |at| now.since(at)));
        self.redelivered = standing.redelivered - before.redelivered;
        self.visible_too_early = standing.visible_too_early - before.visible_too_early;
        self.dead_letters = standing.dead_letters - before.dead_letters;
    }
}
