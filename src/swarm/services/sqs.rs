//! An SQS queue, standard or FIFO.

use super::super::world::Part;
use super::Tag;
use crate::engine::{SourceKind, Time};

#[derive(Debug)]
pub(in super::super) struct Sqs {
    messages: Vec<Message>,
    /// What went to the dead-letter queue since somebody asked.
    pub(in super::super) died: Vec<u32>,
    is_fifo: bool,
    /// Everything before it is gone.
    first: usize,
}

#[derive(Clone, Copy, Debug)]
struct Message {
    /// Hidden until then.
    hidden: Time,
    /// The era of the last receive: what its receipt handle says.
    receipt: Option<u32>,
    receives: u32,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    There,
    Deleted,
    /// In the dead-letter queue.
    Dead,
}

impl Sqs {
    pub(super) fn new(part: &Part) -> Self {
        let message = Message {
            hidden: Time::ZERO,
            receipt: None,
            receives: 0,
            state: State::There,
        };
        Self {
            messages: vec![message; part.records.len()],
            is_fifo: part.kind == SourceKind::SqsFifo,
            first: 0,
            died: Vec::new(),
        }
    }

    fn state(&self, record: usize) -> State {
        self.messages[record].state
    }

    pub(in super::super) fn is_there(&self, record: usize) -> bool {
        self.state(record) == State::There
    }

    pub(in super::super) fn receives(&self, record: usize) -> u32 {
        self.messages[record].receives
    }

    /// Receives up to `max` messages; `era` gives each receipt its number.
    pub(in super::super) fn receive(
        &mut self,
        part: &Part,
        now: Time,
        max: usize,
        mut era: impl FnMut(u32) -> u32,
    ) -> Vec<Tag> {
        let mut taken = Vec::new();
        let mut blocked: Vec<u64> = Vec::new();
        while self
            .messages
            .get(self.first)
            .is_some_and(|it| it.state != State::There)
        {
            self.first += 1;
        }
        let messages = self.messages.iter_mut().enumerate().skip(self.first);
        for (index, message) in messages {
            let script = &part.records[index];
            if script.at > now || taken.len() == max {
                break;
            }
            if message.state != State::There {
                continue;
            }
            let is_hidden = message.receipt.is_some() && message.hidden > now;
            if self.is_fifo && blocked.contains(&script.key) {
                continue;
            }
            if is_hidden {
                blocked.push(script.key);
                continue;
            }
            if part
                .service
                .receives_max
                .is_some_and(|max| message.receives >= max)
            {
                message.state = State::Dead;
                self.died.push(index as u32);
                continue;
            }
            message.receives += 1;
            message.hidden = now + part.service.visibility;
            let record = index as u32;
            let era = era(record);
            message.receipt = Some(era);
            taken.push(Tag { record, era });
        }
        taken
    }

    /// When something may become visible, after `now`.
    pub(in super::super) fn next(&self, part: &Part, now: Time) -> Option<Time> {
        let there = self.messages.iter().zip(&part.records).skip(self.first);
        let mut next = None;
        for (message, script) in there {
            if message.state != State::There {
                continue;
            }
            let at = script.at.max(message.hidden);
            if at > now && next.is_none_or(|next| at < next) {
                next = Some(at);
            }
            if script.at > now {
                break;
            }
        }
        next
    }

    /// Deletes a message; whether the service says that it did. An old receipt of a standard queue deletes nothing.
    pub(in super::super) fn delete(&mut self, tag: Tag, now: Time) -> bool {
        let message = &mut self.messages[tag.record as usize];
        if message.state != State::There {
            return true;
        }
        if message.receipt == Some(tag.era) && (!self.is_fifo || now < message.hidden) {
            message.state = State::Deleted;
            return true;
        }
        !self.is_fifo
    }
}
