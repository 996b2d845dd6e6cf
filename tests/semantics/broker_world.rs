//! A scripted broker around one mapping: a queue of numbered messages, connections that can be lost, a function that answers
//! from a script, and a log.

use std::collections::VecDeque;
use tidegate::engine::{
    Action, Control, Effects, Event, Fact, FailureClass, Mapping, MappingConfig, Meta, Outcome,
    Page, Profile, Record, ReturnCause, Rng, Seq, SourceKind, Span, Time, Token, Tuning, pump,
};

/// A message by its number; it arrives in the order of numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message {
    pub(crate) at_ms: u64,
    pub(crate) wire_len: u32,
    /// The filters leave it out.
    pub(crate) left_out: bool,
}

impl Message {
    pub(crate) fn at(at_ms: u64) -> Self {
        Self {
            at_ms,
            wire_len: 100,
            left_out: false,
        }
    }
}

/// What the mapping did, with the numbers of the messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Did {
    Receive(u32, u32, u64),
    Invoke(Vec<u32>),
    Acknowledge(Vec<u32>),
    Release(Vec<u32>),
}

/// What became of one delivery of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Unacknowledged,
    Acknowledged,
    Released,
    /// Its connection is gone.
    Lost,
}

#[derive(Clone, Copy, Debug)]
struct Delivery {
    message: u32,
    poller: u32,
    fate: Fate,
    /// How the function answered a batch that it was part of, last.
    answer: Option<Outcome>,
}

/// Answers a batch, by the time in ms and its messages.
type Function = Box<dyn FnMut(u64, &[u32]) -> Outcome>;

pub(crate) struct BrokerWorld {
    messages: Vec<Message>,
    /// Messages that were not handed out yet begin here.
    fresh: usize,
    /// Messages that came back.
    back: VecDeque<u32>,
    deliveries: Vec<Delivery>,
    /// Messages that were acknowledged.
    pub(crate) gone: Vec<u32>,
    /// Pollers whose connection was lost and that were not told.
    broken: Vec<bool>,
    /// So many verdicts find that their connection has just gone.
    pub(crate) verdicts_lost: u32,
    waiting: Vec<(Time, u32, Token, u32)>,
    pub(crate) function: Function,
    pub(crate) invoke_takes: Span,
    due: Vec<(Time, Event<u32>)>,
    stopped: bool,
    batch_size_max: u32,
    pub(crate) did: Vec<(u64, Did)>,
    pub(crate) facts: Vec<(u64, Fact)>,
}

pub(crate) struct BrokerRig {
    pub(crate) mapping: Mapping<u32>,
    pub(crate) world: BrokerWorld,
    pub(crate) now: Time,
    wake: Option<Time>,
}

pub(crate) fn rabbitmq() -> MappingConfig {
    MappingConfig::new("broker", SourceKind::RabbitMq)
}

impl BrokerRig {
    pub(crate) fn new(config: MappingConfig, consumers: u32, messages: Vec<Message>) -> Self {
        let tuning = Tuning {
            consumers,
            ..Tuning::for_source(Profile::Current, config.source)
        };
        let batch_size_max = config.batch_size;
        let mapping = Mapping::new(config, tuning, Rng::stream(1, "test"), Time::ZERO);
        let world = BrokerWorld {
            messages,
            fresh: 0,
            back: VecDeque::new(),
            deliveries: vec![],
            gone: vec![],
            broken: vec![false; consumers as usize],
            verdicts_lost: 0,
            waiting: vec![],
            function: Box::new(|_, _| Outcome::Success),
            invoke_takes: Span::ZERO,
            due: vec![],
            stopped: false,
            batch_size_max,
            did: vec![],
            facts: vec![],
        };
        Self {
            mapping: mapping.expect("a supported configuration"),
            world,
            now: Time::ZERO,
            wake: None,
        }
    }

    pub(crate) fn function(mut self, of: impl FnMut(u64, &[u32]) -> Outcome + 'static) -> Self {
        self.world.function = Box::new(of);
        self
    }

    pub(crate) fn run_ms(mut self, until_ms: u64) -> Self {
        self.advance(Time::from_millis(until_ms));
        self
    }

    pub(crate) fn control(&mut self, control: Control) {
        self.drain();
        match control {
            Control::Disable | Control::Drain => self.world.stopped = true,
            Control::Enable => self.world.stopped = false,
            _ => {}
        }
        self.mapping.handle(self.now, Event::Control(control));
        self.drain();
    }

    /// The connection of a poller is lost now: what it had unacknowledged goes back to the head of the queue.
    pub(crate) fn lose_connection(&mut self, poller: u32) {
        let world = &mut self.world;
        world.lose(poller);
        world.broken[poller as usize] = true;
        let waiting = world.waiting.iter().position(|(_, of, ..)| *of == poller);
        if let Some(index) = waiting {
            let (_, _, token, _) = world.waiting.remove(index);
            world.broken[poller as usize] = false;
            let class = FailureClass::Transient;
            self.mapping
                .handle(self.now, Event::Failed { token, class });
            self.drain();
        }
    }

    pub(crate) fn advance(&mut self, until: Time) {
        self.drain();
        loop {
            let answer = self.world.next(self.now);
            let next = [answer, self.wake].into_iter().flatten().min();
            let Some(next) = next.filter(|at| *at <= until) else {
                self.now = until;
                return;
            };
            self.now = next;
            if let Some(event) = self.world.answer(next) {
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
        // Whatever was polled is deleted, came back, or is in hand.
        let (mut polled, mut ended) = (0, 0);
        for (_, fact) in &self.world.facts {
            match *fact {
                Fact::Polled { records, .. } => polled += u64::from(records),
                Fact::Deleted { records } | Fact::Returned { records, .. } => {
                    ended += u64::from(records);
                }
                _ => {}
            }
        }
        assert_eq!(polled - ended, self.mapping.in_hand(), "at {:?}", self.now);
    }

    /// Invocations: when (ms), and the messages of the batch.
    pub(crate) fn invokes(&self) -> Vec<(u64, &[u32])> {
        self.pick(|did| match did {
            Did::Invoke(messages) => Some(&messages[..]),
            _ => None,
        })
    }

    pub(crate) fn acknowledged(&self) -> Vec<(u64, &[u32])> {
        self.pick(|did| match did {
            Did::Acknowledge(messages) => Some(&messages[..]),
            _ => None,
        })
    }

    pub(crate) fn released(&self) -> Vec<(u64, &[u32])> {
        self.pick(|did| match did {
            Did::Release(messages) => Some(&messages[..]),
            _ => None,
        })
    }

    /// Receives: when (ms), of which poller, for how many messages, and how long (ms).
    pub(crate) fn receives(&self) -> Vec<(u64, (u32, u32, u64))> {
        self.pick(|did| match did {
            Did::Receive(poller, credit, wait) => Some((*poller, *credit, *wait)),
            _ => None,
        })
    }

    pub(crate) fn returned(&self) -> Vec<(u64, u32, ReturnCause)> {
        let returned = |(at, fact): &(u64, Fact)| match *fact {
            Fact::Returned { records, cause } => Some((*at, records, cause)),
            _ => None,
        };
        self.world.facts.iter().filter_map(returned).collect()
    }

    fn pick<'a, T>(&'a self, of: impl Fn(&'a Did) -> Option<T>) -> Vec<(u64, T)> {
        let did = self.world.did.iter();
        did.filter_map(|(at, did)| Some((*at, of(did)?))).collect()
    }
}

impl BrokerWorld {
    fn is_there(&self, now: Time) -> bool {
        let fresh = self.messages.get(self.fresh);
        !self.back.is_empty() || fresh.is_some_and(|it| Time::from_millis(it.at_ms) <= now)
    }

    /// When the next answer is due.
    fn next(&self, now: Time) -> Option<Time> {
        let answer = self.due.iter().map(|(at, _)| *at).min();
        let receive = self.waiting.iter().map(|(until, ..)| {
            let fresh = self.messages.get(self.fresh);
            let arrival = match (self.back.is_empty(), fresh) {
                (false, _) => now,
                (true, Some(fresh)) => Time::from_millis(fresh.at_ms).max(now),
                (true, None) => *until,
            };
            arrival.min(*until)
        });
        answer.into_iter().chain(receive).min()
    }

    fn answer(&mut self, now: Time) -> Option<Event<u32>> {
        if let Some(index) = self.due.iter().position(|(at, _)| *at <= now) {
            return Some(self.due.remove(index).1);
        }
        let there = self.is_there(now);
        let index = self
            .waiting
            .iter()
            .position(|(until, ..)| there || *until <= now)?;
        let (_, poller, token, records_max) = self.waiting.remove(index);
        let mut page = Page::default();
        while page.records.len() + page.rejected.len() < records_max as usize && self.is_there(now)
        {
            let message = self.back.pop_front().unwrap_or_else(|| {
                self.fresh += 1;
                self.fresh as u32 - 1
            });
            let held = self.messages[message as usize];
            let record = Record {
                meta: Meta {
                    seq: Seq::from(self.deliveries.len() as u64),
                    group: 0,
                    arrival: Time::from_millis(held.at_ms),
                    wire_len: held.wire_len,
                },
                payload: self.deliveries.len() as u32,
            };
            self.deliveries.push(Delivery {
                message,
                poller,
                fate: Fate::Unacknowledged,
                answer: None,
            });
            if held.left_out {
                page.rejected.push(record);
            } else {
                page.records.push(record);
            }
        }
        Some(Event::Fetched { token, page })
    }

    fn numbers(&self, records: &[Record<u32>]) -> Vec<u32> {
        let delivery = |record: &Record<u32>| self.deliveries[record.payload as usize].message;
        records.iter().map(delivery).collect()
    }

    /// Whether a delivery may be acknowledged: after a success, or because the function never gets it.
    fn assert_may_go(&self, delivery: &Delivery, envelope: u64) {
        let message = self.messages[delivery.message as usize];
        let is_oversized = u64::from(message.wire_len) + envelope > 6 * 1024 * 1024;
        if message.left_out || is_oversized {
            assert_eq!(delivery.answer, None, "was sent and should not have been");
        } else {
            let success = Some(Outcome::Success);
            assert_eq!(delivery.answer, success, "acknowledged without success");
        }
    }

    fn lose(&mut self, poller: u32) {
        let lost = self.deliveries.iter_mut().rev();
        for delivery in lost.filter(|it| it.poller == poller && it.fate == Fate::Unacknowledged) {
            delivery.fate = Fate::Lost;
            self.back.push_front(delivery.message);
        }
    }

    fn settle(&mut self, token: Token, records: &[Record<u32>], to: Fate) -> Event<u32> {
        let poller = self.deliveries[records[0].payload as usize].poller;
        if self.verdicts_lost > 0 {
            self.verdicts_lost -= 1;
            self.lose(poller);
        }
        let mut lost = 0;
        for record in records {
            let delivery = self.deliveries[record.payload as usize];
            match to {
                Fate::Acknowledged => self.assert_may_go(&delivery, 169),
                _ => assert!(
                    self.stopped || delivery.answer.is_some_and(|it| it != Outcome::Success),
                    "released without a failure"
                ),
            }
            match delivery.fate {
                Fate::Unacknowledged => {
                    self.deliveries[record.payload as usize].fate = to;
                    if to == Fate::Acknowledged {
                        self.gone.push(delivery.message);
                    }
                }
                Fate::Lost => lost += 1,
                Fate::Acknowledged | Fate::Released => panic!("settled twice: {delivery:?}"),
            }
        }
        if to == Fate::Released && lost == 0 {
            for message in self.numbers(records).into_iter().rev() {
                self.back.push_front(message);
            }
        }
        if lost == 0 {
            return Event::Done { token };
        }
        assert_eq!(lost, records.len(), "a batch of two connections");
        self.broken[poller as usize] = false;
        let class = FailureClass::Transient;
        Event::Failed { token, class }
    }
}

impl Effects<u32> for BrokerWorld {
    fn start(
        &mut self,
        now: Time,
        mapping: &mut Mapping<u32>,
        action: Action,
    ) -> Option<Event<u32>> {
        let at_ms = now.as_millis();
        match action {
            Action::Receive {
                token,
                poller,
                records_max,
                wait,
                ..
            } => {
                let did = Did::Receive(poller, records_max, wait.as_millis());
                self.did.push((at_ms, did));
                if std::mem::take(&mut self.broken[poller as usize]) {
                    let class = FailureClass::Transient;
                    return Some(Event::Failed { token, class });
                }
                self.waiting.push((now + wait, poller, token, records_max));
                None
            }
            Action::Invoke { token, batch, .. } => {
                let records: &[Record<u32>] = mapping.batch(batch);
                let length: u64 = records
                    .iter()
                    .map(|it| u64::from(it.meta.wire_len) + 1)
                    .sum();
                assert!(length - 1 + 169 <= 6 * 1024 * 1024, "an event is too large");
                // Batches that were formed before an update keep their size.
                assert!(records.len() <= self.batch_size_max as usize);
                let numbers = self.numbers(records);
                let outcome = (self.function)(at_ms, &numbers);
                for record in records {
                    self.deliveries[record.payload as usize].answer = Some(outcome);
                }
                self.did.push((at_ms, Did::Invoke(numbers)));
                let event = Event::Invoked { token, outcome };
                self.due.push((now + self.invoke_takes, event));
                None
            }
            Action::Acknowledge { token, batch } => {
                let records = mapping.batch(batch);
                let numbers = self.numbers(records);
                self.did.push((at_ms, Did::Acknowledge(numbers)));
                Some(self.settle(token, records, Fate::Acknowledged))
            }
            Action::Release { token, batch } => {
                let records = mapping.batch(batch);
                let numbers = self.numbers(records);
                self.did.push((at_ms, Did::Release(numbers)));
                Some(self.settle(token, records, Fate::Released))
            }
            other => panic!("a broker was asked for {other:?}"),
        }
    }

    fn observe(&mut self, now: Time, fact: Fact) {
        self.facts.push((now.as_millis(), fact));
    }
}
