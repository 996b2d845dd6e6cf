//! The broker family: consumers that gather messages, invoke, and then acknowledge them or give them back.

mod consumer;

use super::slab::Slab;
use super::{Core, Mode};
use crate::engine::{
    Action, BatchId, Control, Event, Fact, Outcome, Record, ReturnCause, Span, Time, Token, limits,
};
use consumer::{Consumer, Next};

/// All consumers of one mapping.
///
/// A consumer does one thing at a time: it receives, invokes, or waits until the broker took what became of the batch. Only
/// what is dropped without an invocation is acknowledged beside that.
#[derive(Debug)]
pub(super) struct Broker<P> {
    /// By number of the poller; its timer has the same key.
    consumers: Vec<Consumer<P>>,
    pending: Slab<Pending>,
}

/// What an unanswered token belongs to.
#[derive(Clone, Copy, Debug)]
enum Pending {
    Receive { consumer: u32 },
    Invoke { consumer: u32 },
    Settle(Settlement),
}

/// A batch whose end the broker is told.
#[derive(Clone, Copy, Debug)]
struct Settlement {
    batch: BatchId,
    verdict: Verdict,
    /// The consumer that received it.
    consumer: u32,
    /// Whether that one waits until this is answered.
    is_awaited: bool,
}

#[derive(Clone, Copy, Debug)]
enum Verdict {
    Acknowledge,
    Release(ReturnCause),
}

impl<P> Broker<P> {
    /// Rule `broker-consumers`.
    pub(super) fn new(core: &mut Core<P>) -> Self {
        let limit = core.tuning.consumers.max(1);
        let mut broker = Self {
            consumers: (0..limit).map(Consumer::new).collect(),
            pending: Slab::default(),
        };
        core.fact(Fact::ConcurrencyChanged { limit });
        broker.wake(core);
        broker
    }

    pub(super) fn gathered(&self) -> u64 {
        self.consumers.iter().map(Consumer::gathered).sum()
    }

    pub(super) fn is_drained(&self) -> bool {
        self.pending.len() == 0 && self.consumers.iter().all(Consumer::is_resting)
    }

    pub(super) fn handle(&mut self, core: &mut Core<P>, event: Event<P>) {
        match event {
            Event::Fetched { token, page } => {
                let Pending::Receive { consumer } = self.take(token) else {
                    panic!("{token:?} was not given for a receive");
                };
                core.fact(Fact::Polled {
                    shard: None,
                    records: (page.records.len() + page.rejected.len()) as u32,
                    filtered: page.rejected.len() as u32,
                    behind: Span::ZERO,
                });
                let mut records = page.records;
                self.drop_unsent(core, consumer, &mut records, page.rejected);
                self.consumers[consumer as usize].received(core, records);
                self.step(core, consumer);
            }
            Event::Invoked { token, outcome } => {
                let Pending::Invoke { consumer } = self.take(token) else {
                    panic!("{token:?} was not given for an invocation");
                };
                self.invoked(core, token, consumer, outcome);
            }
            Event::InvokedPartly { .. } => panic!("brokers take no partial results"),
            Event::Done { token } => {
                let Pending::Settle(settlement) = self.take(token) else {
                    panic!("{token:?} was not given for an acknowledgement or release");
                };
                self.settled(core, settlement, true);
            }
            Event::Failed { token, class } => {
                core.fact(Fact::CallFailed { class });
                match self.take(token) {
                    Pending::Receive { consumer } => {
                        self.consumers[consumer as usize].receive_failed(core, class);
                        self.step(core, consumer);
                    }
                    Pending::Settle(settlement) => self.settled(core, settlement, false),
                    Pending::Invoke { .. } => {
                        panic!("an invocation is answered by Event::Invoked, not Event::Failed")
                    }
                }
            }
            Event::Measured { .. }
            | Event::Control(
                Control::Shards(_)
                | Control::Assigned { .. }
                | Control::Revoked { .. }
                | Control::Lost { .. },
            ) => panic!("a broker has no shards"),
            Event::Control(Control::Drain) => {
                core.switch(Mode::Draining);
                self.stop(core);
            }
            Event::Control(Control::Disable) => {
                if core.switch(Mode::Disabled) {
                    self.stop(core);
                }
            }
            Event::Control(Control::Enable) => {
                if core.switch(Mode::Enabled) {
                    self.wake(core);
                }
            }
            Event::Control(Control::Update(config)) => {
                core.update(*config);
            }
        }
    }

    pub(super) fn handle_timer(&mut self, core: &mut Core<P>, key: u32) {
        self.consumers[key as usize].deadline();
        self.step(core, key);
    }

    fn wake(&mut self, core: &mut Core<P>) {
        for consumer in 0..self.consumers.len() as u32 {
            self.consumers[consumer as usize].wake();
            self.step(core, consumer);
        }
    }

    /// Rule `broker-stop-gives-back`: what is not on its way to the function goes back at once; what is comes to its end.
    fn stop(&mut self, core: &mut Core<P>) {
        for consumer in 0..self.consumers.len() as u32 {
            core.timers.clear(consumer);
            self.consumers[consumer as usize].stop();
            self.step(core, consumer);
        }
    }

    /// Acknowledges what never reaches the function: what the filters left out (rule `broker-filtered-is-acknowledged`) and
    /// messages that no event can hold (rule `broker-oversized-is-dropped`).
    fn drop_unsent(
        &mut self,
        core: &mut Core<P>,
        consumer: u32,
        records: &mut Vec<Record<P>>,
        rejected: Vec<Record<P>>,
    ) {
        let envelope = u64::from(core.tuning.envelope_len);
        let is_oversized = |record: &mut Record<P>| {
            envelope + u64::from(record.meta.wire_len) > limits::EVENT_BYTES_MAX
        };
        let mut dropped = rejected;
        let filtered = dropped.len();
        dropped.extend(records.extract_if(.., is_oversized));
        if dropped.is_empty() {
            return;
        }
        if dropped.len() > filtered {
            let records = (dropped.len() - filtered) as u32;
            core.fact(Fact::Oversized { records });
        }
        let batch = core.batches.begin(dropped);
        self.settle(core, batch, Verdict::Acknowledge, consumer, false);
    }

    fn invoked(&mut self, core: &mut Core<P>, token: Token, consumer: u32, outcome: Outcome) {
        let slot = &mut self.consumers[consumer as usize];
        let records = core.batches.all(slot.running()).len() as u32;
        core.fact(Fact::InvokeEnded {
            token,
            records,
            succeeded: outcome.succeeded(records),
            outcome,
        });
        match outcome {
            Outcome::Success | Outcome::StateTooLarge => slot.succeeded(),
            Outcome::Partial { .. } => panic!("brokers take no partial results"),
            Outcome::Rejected => slot.failed(core, ReturnCause::Reported),
            Outcome::FunctionError if mutant!(core, BrokerAcknowledgesFailed) => slot.succeeded(),
            Outcome::FunctionError | Outcome::TooLarge => {
                slot.failed(core, ReturnCause::FunctionError);
            }
            Outcome::Throttled { retry_after } => {
                slot.refused(core, ReturnCause::Throttled, retry_after);
            }
            Outcome::ServiceError => slot.refused(core, ReturnCause::ServiceError, Span::ZERO),
        }
        self.step(core, consumer);
    }

    /// Lets a consumer do what it can do now, or rest.
    fn step(&mut self, core: &mut Core<P>, id: u32) {
        match self.consumers[id as usize].next(core) {
            Next::Nothing => {}
            Next::Receive { records_max, wait } => {
                let token = self.pend(Pending::Receive { consumer: id });
                core.act(Action::Receive {
                    token,
                    poller: id,
                    records_max,
                    wait,
                    held: Vec::new(),
                });
            }
            Next::Invoke { batch, attempt } => {
                let token = self.pend(Pending::Invoke { consumer: id });
                let records = core.batches.all(batch);
                let arrivals = records.iter().map(|record| record.meta.arrival);
                core.fact(Fact::InvokeSent {
                    token,
                    shard: None,
                    records: records.len() as u32,
                    attempt,
                    first_arrival: arrivals.clone().min().unwrap_or(Time::ZERO),
                    last_arrival: arrivals.max().unwrap_or(Time::ZERO),
                });
                core.act(Action::Invoke {
                    token,
                    batch,
                    attempt,
                    window: None,
                });
            }
            Next::Acknowledge(batch) => {
                self.settle(core, batch, Verdict::Acknowledge, id, true);
            }
            Next::Release(batch, cause) => {
                self.settle(core, batch, Verdict::Release(cause), id, true);
            }
        }
    }

    fn settle(
        &mut self,
        core: &mut Core<P>,
        batch: BatchId,
        verdict: Verdict,
        consumer: u32,
        is_awaited: bool,
    ) {
        let token = self.pend(Pending::Settle(Settlement {
            batch,
            verdict,
            consumer,
            is_awaited,
        }));
        core.act(match verdict {
            Verdict::Acknowledge => Action::Acknowledge { token, batch },
            Verdict::Release(_) => Action::Release { token, batch },
        });
    }

    /// The broker took a verdict, or its connection is gone: then it was not taken, and what was delivered on that
    /// connection comes again after a wait (rule `broker-connection-lost`). It is not told twice: a delivery is known to
    /// its connection only.
    fn settled(&mut self, core: &mut Core<P>, settlement: Settlement, taken: bool) {
        let Settlement {
            batch,
            verdict,
            consumer: id,
            is_awaited,
        } = settlement;
        let records = core.batches.all(batch).len() as u32;
        core.batches.end(batch);
        core.fact(match verdict {
            Verdict::Acknowledge if taken => Fact::Deleted { records },
            Verdict::Acknowledge => Fact::Returned {
                records,
                cause: ReturnCause::DeleteFailed,
            },
            Verdict::Release(cause) => Fact::Returned { records, cause },
        });
        let consumer = &mut self.consumers[id as usize];
        consumer.told(taken);
        if !is_awaited {
            return;
        }
        if !taken {
            // What it gathered came with the batch, on the same connection.
            consumer.forget(core);
        }
        consumer.settled();
        self.step(core, id);
    }

    fn pend(&mut self, what: Pending) -> Token {
        let index = self.pending.insert(what);
        self.pending.token(index)
    }

    fn take(&mut self, token: Token) -> Pending {
        match self.pending.take(token) {
            Some(pending) => pending,
            None => panic!("{token:?} is not pending: answered twice, or never given"),
        }
    }
}
