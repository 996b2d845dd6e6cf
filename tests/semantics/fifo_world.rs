//! A FIFO queue as plainly as it can be written, a scripted function, and a mapping between them.

use std::collections::BTreeSet;
use tidegate::engine::{
    Action, Effects, Event, Fact, FailureClass, Mapping, MappingConfig, Meta, Outcome, Page,
    Profile, Record, Rng, Seq, Span, Time, Token, Tuning, pump,
};

/// A message of the queue, known by its index.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message {
    pub(crate) group: u64,
    pub(crate) arrival: Time,
    pub(crate) wire_len: u32,
    visible_at: Time,
    receipt: u64,
    is_deleted: bool,
    /// The function has done it at least once.
    is_done: bool,
}

impl Message {
    pub(crate) fn new(group: u64, arrival: Time, wire_len: u32) -> Self {
        Self {
            group,
            arrival,
            wire_len,
            visible_at: Time::ZERO,
            receipt: 0,
            is_deleted: false,
            is_done: false,
        }
    }
}

/// How one invocation goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    pub(crate) takes: Span,
    pub(crate) end: End,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum End {
    Whole(Outcome),
    /// It stops at this message, modulo the length of the batch, and reports it and all later ones.
    StopsAt(usize),
    /// It leaves out the rest of this message's group, and reports that.
    SkipsGroupOf(usize),
}

impl Call {
    pub(crate) const fn success(takes: Span) -> Self {
        let end = End::Whole(Outcome::Success);
        Self { takes, end }
    }
}

pub(crate) struct World {
    pub(crate) messages: Vec<Message>,
    visibility: Span,
    /// Every answer of the queue is this long on its way.
    answer_takes: Span,
    /// Whether a receive prefers messages of one group, or takes them as they come.
    by_group: bool,
    /// Ends of invocations in order; later ones are `usual`.
    calls: Vec<Call>,
    usual: Call,
    deletions_fail: Vec<bool>,
    receipts: u64,
    running: Vec<Vec<usize>>,
    /// Receives that wait: token, how many, and until when.
    waiting: Vec<(Token, u32, Time)>,
    due: Vec<(Time, Answer)>,
    pub(crate) running_max: usize,
    /// Batches in the order in which they were sent, with when.
    pub(crate) sent: Vec<(Time, Vec<usize>)>,
    pub(crate) facts: Vec<Fact>,
}

enum Answer {
    Event(Event<usize>),
    /// An invocation ends with this.
    Ends(Vec<usize>, Event<usize>),
}

pub(crate) struct Setting {
    pub(crate) config: MappingConfig,
    pub(crate) messages: Vec<Message>,
    pub(crate) visibility: Span,
    pub(crate) answer_takes: Span,
    pub(crate) by_group: bool,
    pub(crate) calls: Vec<Call>,
    pub(crate) usual: Call,
    pub(crate) deletions_fail: Vec<bool>,
}

/// Lets a mapping work until everything is deleted, but not beyond `until`.
pub(crate) fn run(setting: Setting, until: Time) -> World {
    let tuning = Tuning {
        visibility_timeout: setting.visibility,
        ..Tuning::new(Profile::Current)
    };
    let mut mapping = Mapping::new(setting.config, tuning, Rng::stream(1, "fifo"), Time::ZERO)
        .expect("a supported configuration");
    let mut world = World {
        messages: setting.messages,
        visibility: setting.visibility,
        answer_takes: setting.answer_takes,
        by_group: setting.by_group,
        calls: setting.calls.into_iter().rev().collect(),
        usual: setting.usual,
        deletions_fail: setting.deletions_fail.into_iter().rev().collect(),
        receipts: 0,
        running: vec![],
        waiting: vec![],
        due: vec![],
        running_max: 0,
        sent: vec![],
        facts: vec![],
    };
    let mut now = Time::ZERO;
    loop {
        let mut wake = pump(&mut mapping, now, &mut world);
        while world.answer_waiting(now) {
            wake = pump(&mut mapping, now, &mut world);
        }
        let times = [
            world.due.iter().map(|(at, _)| *at).min(),
            wake.map(|(at, _)| at),
            world.next_change(now),
        ];
        let Some(next) = times.into_iter().flatten().min() else {
            return world;
        };
        let is_over = world.left() == 0 && world.running.is_empty();
        if next > until || is_over {
            return world;
        }
        now = next;
        let answer = world.due.iter().position(|(at, _)| *at <= now);
        match answer.map(|index| world.due.remove(index).1) {
            Some(Answer::Event(event)) => mapping.handle(now, event),
            Some(Answer::Ends(batch, event)) => {
                let place = world.running.iter().position(|other| *other == batch);
                world.running.remove(place.expect("it runs"));
                mapping.handle(now, event);
            }
            None if wake.is_some_and(|(at, _)| at <= now) => mapping.handle_timeout(now),
            None => {}
        }
    }
}

impl World {
    pub(crate) fn left(&self) -> usize {
        let left = |message: &&Message| !(message.is_deleted && message.is_done);
        self.messages.iter().filter(left).count()
    }

    /// What a receive gets: messages in their order, none of groups that have one in flight.
    fn receive(&mut self, now: Time, records_max: u32) -> Vec<Record<usize>> {
        let there = |message: &Message| !message.is_deleted && message.arrival <= now;
        let locked: BTreeSet<u64> = self
            .messages
            .iter()
            .filter(|message| there(message) && message.visible_at > now)
            .map(|message| message.group)
            .collect();
        let mut free: Vec<usize> = (0..self.messages.len())
            .filter(|&index| {
                let message = &self.messages[index];
                there(message) && !locked.contains(&message.group)
            })
            .collect();
        if self.by_group {
            let first = |group| free.iter().position(|&it| self.messages[it].group == group);
            let mut keyed: Vec<_> = free
                .iter()
                .map(|&index| (first(self.messages[index].group), index))
                .collect();
            keyed.sort_unstable();
            free = keyed.into_iter().map(|(_, index)| index).collect();
        }
        free.truncate(records_max as usize);
        let records = free.into_iter().map(|index| {
            self.receipts += 1;
            let message = &mut self.messages[index];
            message.visible_at = now + self.visibility;
            message.receipt = self.receipts;
            Record {
                meta: Meta {
                    seq: Seq::from(self.receipts),
                    group: message.group,
                    arrival: message.arrival,
                    wire_len: message.wire_len,
                },
                payload: index,
            }
        });
        records.collect()
    }

    fn fetched(&mut self, now: Time, token: Token, records: Vec<Record<usize>>) {
        let page = Page {
            records,
            ..Page::default()
        };
        let event = Event::Fetched { token, page };
        self.due
            .push((now + self.answer_takes, Answer::Event(event)));
    }

    /// Answers the first waiting receive that can be answered.
    fn answer_waiting(&mut self, now: Time) -> bool {
        let Some(&(token, records_max, until)) = self.waiting.first() else {
            return false;
        };
        let records = self.receive(now, records_max);
        if records.is_empty() && until > now {
            return false;
        }
        self.waiting.remove(0);
        self.fetched(now, token, records);
        true
    }

    /// When the queue may have something new for a waiting receive.
    fn next_change(&self, now: Time) -> Option<Time> {
        let (_, _, until) = self.waiting.first()?;
        let left = self.messages.iter().filter(|message| !message.is_deleted);
        let times = left.flat_map(|message| [message.arrival, message.visible_at]);
        times.filter(|at| *at > now).chain([*until]).min()
    }

    /// What must hold of every batch that is sent.
    fn check(&self, batch: &[usize]) {
        let groups: BTreeSet<u64> = batch.iter().map(|&it| self.messages[it].group).collect();
        for other in self.running.iter().flatten() {
            let group = self.messages[*other].group;
            assert!(
                !groups.contains(&group),
                "{batch:?} is sent while {other} of group {group} is worked on"
            );
        }
        for (place, &index) in batch.iter().enumerate() {
            let group = self.messages[index].group;
            for earlier in (0..index).filter(|&it| self.messages[it].group == group) {
                assert!(
                    self.messages[earlier].is_done || batch[..place].contains(&earlier),
                    "{index} of group {group} overtakes {earlier} in {batch:?}"
                );
            }
        }
    }

    fn invoke(&mut self, now: Time, token: Token, batch: Vec<usize>) {
        self.check(&batch);
        let call = self.calls.pop().unwrap_or(self.usual);
        let reports = |failed: Vec<u32>| Event::InvokedPartly { token, failed };
        let (event, failed) = match call.end {
            End::Whole(outcome) => {
                let is_success = outcome == Outcome::Success;
                let failed = if is_success { vec![] } else { batch.clone() };
                (Event::Invoked { token, outcome }, failed)
            }
            End::StopsAt(at) => {
                let at = at % batch.len();
                let failed = (at as u32..batch.len() as u32).collect();
                (reports(failed), batch[at..].to_vec())
            }
            End::SkipsGroupOf(at) => {
                let at = at % batch.len();
                let group = self.messages[batch[at]].group;
                let of_group = |&it: &usize| self.messages[batch[it]].group == group;
                let failed: Vec<usize> = (at..batch.len()).filter(of_group).collect();
                let indices = failed.iter().map(|&it| it as u32).collect();
                (
                    reports(indices),
                    failed.iter().map(|&it| batch[it]).collect(),
                )
            }
        };
        self.sent.push((now, batch.clone()));
        self.running.push(batch.clone());
        self.running_max = self.running_max.max(self.running.len());
        // What is done is done by the time that the next batch of the group may be sent.
        for &index in batch.iter().filter(|index| !failed.contains(index)) {
            self.messages[index].is_done = true;
        }
        self.due
            .push((now + call.takes, Answer::Ends(batch, event)));
    }

    fn delete(&mut self, records: &[Record<usize>]) -> Option<FailureClass> {
        if self.deletions_fail.pop() == Some(true) {
            return Some(FailureClass::Transient);
        }
        for record in records {
            let message = &mut self.messages[record.payload];
            message.is_deleted |= Seq::from(message.receipt) == record.meta.seq;
        }
        None
    }
}

impl Effects<usize> for World {
    fn start(
        &mut self,
        now: Time,
        mapping: &mut Mapping<usize>,
        action: Action,
    ) -> Option<Event<usize>> {
        match action {
            Action::Receive {
                token,
                records_max,
                wait,
                ..
            } => {
                let records = self.receive(now, records_max);
                if records.is_empty() && wait > Span::ZERO {
                    self.waiting.push((token, records_max, now + wait));
                } else {
                    self.fetched(now, token, records);
                }
                None
            }
            Action::Invoke { token, batch, .. } => {
                let records: &[Record<usize>] = mapping.batch(batch);
                let batch = records.iter().map(|record| record.payload).collect();
                self.invoke(now, token, batch);
                None
            }
            Action::Acknowledge { token, batch } => Some(match self.delete(mapping.batch(batch)) {
                None => Event::Done { token },
                Some(class) => Event::Failed { token, class },
            }),
            other => panic!("a queue has no use for {other:?}"),
        }
    }

    fn observe(&mut self, _: Time, fact: Fact) {
        self.facts.push(fact);
    }
}
