//! Brokers in virtual time: messages that are given back, and connections that are lost.

use super::esm::SimEffects;
use super::world::{Inner, World};
use crate::engine::{BatchId, Event, FailureClass, Mapping, Token};

impl World<'_> {
    /// Receives that waited when their connections were lost come to nothing.
    pub(super) fn cut_receives(&mut self, source: u32) {
        while let Some(queue) = self.inner.sources[source as usize].queue()
            && let Some(waiter) = queue.take_cut()
        {
            let token = waiter.token;
            let class = FailureClass::Transient;
            self.feed(waiter.mapping, Event::Failed { token, class });
        }
    }
}

impl Inner<'_> {
    /// Takes the connections of brokers away, and gives them back, as the faults in force say.
    pub(super) fn apply_connections(&mut self, lost: &[usize]) {
        for index in 0..self.sources.len() {
            if let Some(queue) = self.sources[index].queue() {
                queue.connect(!lost.contains(&index));
                self.schedule_queue_wake(index as u32);
            }
        }
        self.connect_clusters(lost);
    }
}

impl SimEffects<'_, '_> {
    /// Messages go back to the head of their queue, unless they are there already because their connection was lost.
    pub(super) fn give_back(
        &mut self,
        machine: &Mapping<()>,
        token: Token,
        batch: BatchId,
    ) -> Event<()> {
        let index = self.inner.scenario.mappings[self.mapping as usize].source;
        let Some(queue) = self.inner.sources[index].queue() else {
            unreachable!("a stream was given messages back");
        };
        let records = machine.batch(batch);
        let is_lost = queue.has_lost(records);
        queue.release(records);
        self.inner.schedule_queue_wake(index as u32);
        if is_lost {
            let class = FailureClass::Transient;
            return Event::Failed { token, class };
        }
        Event::Done { token }
    }
}
