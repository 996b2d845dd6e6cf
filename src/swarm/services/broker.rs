//! A broker's queue: deliveries belong to connections, and come again when those are lost.

use super::super::world::Part;
use super::Tag;
use crate::engine::Time;

#[derive(Debug)]
pub(in super::super) struct Broker {
    messages: Vec<Message>,
    /// What went to the dead-letter queue since somebody asked.
    pub(in super::super) died: Vec<u32>,
    first: usize,
    /// Connections that each consumer has had.
    connections: Vec<u32>,
}

#[derive(Clone, Copy, Debug)]
struct Message {
    deliveries: u32,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Ready,
    /// Delivered to a consumer, with this era.
    Unacknowledged {
        consumer: u32,
        era: u32,
    },
    Acknowledged,
    /// In the dead-letter queue.
    Dead,
}

impl Broker {
    pub(super) fn new(part: &Part) -> Self {
        let message = Message {
            deliveries: 0,
            state: State::Ready,
        };
        Self {
            messages: vec![message; part.records.len()],
            first: 0,
            connections: vec![0; part.service.consumers as usize],
            died: Vec::new(),
        }
    }

    fn state(&self, record: usize) -> State {
        self.messages[record].state
    }

    pub(in super::super) fn deliveries(&self, record: usize) -> u32 {
        self.messages[record].deliveries
    }

    pub(in super::super) fn receive(
        &mut self,
        part: &Part,
        now: Time,
        consumer: u32,
        max: usize,
        mut era: impl FnMut(u32) -> u32,
    ) -> Vec<Tag> {
        let mut taken = Vec::new();
        let is_gone = |it: &Message| matches!(it.state, State::Acknowledged | State::Dead);
        while self.messages.get(self.first).is_some_and(is_gone) {
            self.first += 1;
        }
        for (index, message) in self.messages.iter_mut().enumerate().skip(self.first) {
            if part.records[index].at > now || taken.len() == max {
                break;
            }
            if message.state != State::Ready {
                continue;
            }
            if part
                .service
                .receives_max
                .is_some_and(|max| message.deliveries >= max)
            {
                message.state = State::Dead;
                self.died.push(index as u32);
                continue;
            }
            message.deliveries += 1;
            let record = index as u32;
            let era = era(record);
            message.state = State::Unacknowledged { consumer, era };
            taken.push(Tag { record, era });
        }
        taken
    }

    /// When the next message arrives, after `now`. What comes back is seen by whoever tries again.
    pub(in super::super) fn next(&self, part: &Part, now: Time) -> Option<Time> {
        let at = part.records.partition_point(|record| record.at <= now);
        part.records.get(at).map(|record| record.at)
    }

    /// Which connection of a consumer this is.
    pub(in super::super) fn connection(&self, consumer: u32) -> u32 {
        self.connections[consumer as usize]
    }

    pub(in super::super) fn is_over(&self, record: usize) -> bool {
        matches!(self.state(record), State::Acknowledged | State::Dead)
    }

    /// The consumer that a delivery still belongs to.
    pub(in super::super) fn consumer(&self, tag: Tag) -> Option<u32> {
        match self.state(tag.record as usize) {
            State::Unacknowledged { consumer, era } if era == tag.era => Some(consumer),
            _ => None,
        }
    }

    /// Whether a delivery still belongs to its connection.
    pub(in super::super) fn holds(&self, tag: Tag) -> bool {
        self.consumer(tag).is_some()
    }

    pub(in super::super) fn acknowledge(&mut self, tag: Tag) {
        if self.holds(tag) {
            self.messages[tag.record as usize].state = State::Acknowledged;
        }
    }

    pub(in super::super) fn release(&mut self, tag: Tag) {
        if self.holds(tag) {
            self.messages[tag.record as usize].state = State::Ready;
        }
    }

    /// The connection of one consumer is lost, or of all.
    pub(in super::super) fn disconnect(&mut self, lost: Option<u32>) {
        for (consumer, connections) in (0..).zip(&mut self.connections) {
            *connections += u32::from(lost.is_none_or(|lost| lost == consumer));
        }
        for message in &mut self.messages {
            if let State::Unacknowledged { consumer, .. } = message.state
                && lost.is_none_or(|lost| lost == consumer)
            {
                message.state = State::Ready;
            }
        }
    }
}
