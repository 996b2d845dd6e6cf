//! The queue family: pollers that receive, invoke and delete, as many at once as the ramp allows.

mod groups;
mod pace;
mod poller;

use super::slab::Slab;
use super::{Core, Mode};
use crate::engine::scaling::SqsScaling;
use crate::engine::{
    Action, BatchId, Control, Event, Fact, FailureClass, Outcome, Record, ReturnCause, SourceKind,
    Span, Time, Token, WakeReason, limits, retry,
};
use groups::Overdue;
use pace::Pace;
use poller::{Poller, State};

/// All pollers of one queue mapping.
///
/// A poller works on one batch at a time; deleting the messages of a finished batch goes on beside it.
#[derive(Debug)]
pub(super) struct Queue<P> {
    scaling: SqsScaling,
    /// Provisioned pollers only.
    pace: Option<Pace>,
    pollers: Vec<Poller<P>>,
    /// Pollers that rest, to be woken when the limit rises.
    resting: Vec<u32>,
    pending: Slab<Pending>,
    deleting: Slab<Deletion>,
    /// FIFO queues only.
    overdue: Overdue,
}

/// What an unanswered token belongs to.
#[derive(Clone, Copy, Debug)]
enum Pending {
    Receive {
        poller: u32,
        started: Time,
        asked: u32,
    },
    Invoke {
        poller: u32,
    },
    Delete {
        deletion: u32,
    },
}

/// A finished batch whose messages are still to be deleted.
#[derive(Clone, Copy, Debug)]
struct Deletion {
    batch: BatchId,
    lease_end: Time,
    failures: u32,
    /// The poller that rests until this is done, if there are too many deletions at once.
    waiting: Option<u32>,
}

/// The scaling tick has timer key 0; pollers and deletions share the rest, even and odd.
const TICK: u32 = 0;

const fn poller_key(poller: u32) -> u32 {
    2 + poller * 2
}

const fn deletion_key(deletion: u32) -> u32 {
    1 + deletion * 2
}

impl<P> Queue<P> {
    pub(super) fn new(core: &mut Core<P>) -> Self {
        let scaling = SqsScaling::new(&core.config, core.tuning.profile, core.now);
        core.timers
            .set(TICK, scaling.next_tick(), WakeReason::ScalingTick);
        let mut queue = Self {
            scaling,
            pace: pace(core),
            pollers: Vec::new(),
            resting: Vec::new(),
            pending: Slab::default(),
            deleting: Slab::default(),
            overdue: Overdue::default(),
        };
        core.fact(Fact::ConcurrencyChanged {
            limit: queue.scaling.limit(),
        });
        queue.wake_pollers(core);
        queue
    }

    pub(super) fn gathered(&self) -> u64 {
        self.pollers.iter().map(Poller::gathered).sum()
    }

    pub(super) fn is_drained(&self) -> bool {
        self.pending.len() == 0
            && self.deleting.len() == 0
            && self.pollers.iter().all(Poller::is_resting)
    }

    pub(super) fn handle(&mut self, core: &mut Core<P>, event: Event<P>) {
        match event {
            Event::Fetched { token, page } => {
                let Pending::Receive {
                    poller,
                    started,
                    asked,
                } = self.take(token)
                else {
                    panic!("{token:?} was not given for a receive");
                };
                let received = page.records.len() + page.rejected.len();
                core.fact(Fact::Polled {
                    shard: None,
                    records: received as u32,
                    filtered: page.rejected.len() as u32,
                    behind: Span::ZERO,
                });
                let before = self.scaling.limit();
                self.scaling.received(received, asked, started, core.now);
                self.report_limit(core, before);
                let pollers = self.provisioned();
                if let Some(pace) = &mut self.pace {
                    let messages = page.records.iter().chain(&page.rejected);
                    let bytes = messages.map(|it| u64::from(it.meta.wire_len)).sum();
                    pace.received(core.now, bytes, pollers);
                }
                let lease_end = core.now + core.tuning.visibility_timeout;
                self.reject(core, page.rejected, lease_end);
                let lease_ends_from = started + core.tuning.visibility_timeout;
                let slot = &mut self.pollers[poller as usize];
                slot.received(core, page.records, received == 0, lease_ends_from);
                if core.config.source == SourceKind::SqsFifo {
                    self.find_overdue(core);
                }
                self.step(core, poller);
            }
            Event::Invoked { token, outcome } => {
                let Pending::Invoke { poller } = self.take(token) else {
                    panic!("{token:?} was not given for an invocation");
                };
                self.invoked(core, token, poller, outcome);
            }
            Event::InvokedPartly { token, failed } => {
                let Pending::Invoke { poller } = self.take(token) else {
                    panic!("{token:?} was not given for an invocation");
                };
                self.invoked_partly(core, token, poller, &failed);
            }
            Event::Done { token } => {
                let Pending::Delete { deletion } = self.take(token) else {
                    panic!("{token:?} was not given for a deletion");
                };
                if let Some(done) = self.deleting.remove(deletion) {
                    let records = core.batches.all(done.batch).len() as u32;
                    core.fact(Fact::Deleted { records });
                    self.deletion_over(core, done);
                }
            }
            Event::Failed { token, class } => {
                core.fact(Fact::CallFailed { class });
                self.call_failed(core, token, class);
            }
            Event::Measured { .. }
            | Event::Control(
                Control::Shards(_)
                | Control::Assigned { .. }
                | Control::Revoked { .. }
                | Control::Lost { .. },
            ) => panic!("a queue has no shards"),
            Event::Control(Control::Drain) => {
                core.switch(Mode::Draining);
                core.timers.clear(TICK);
                self.step_all(core);
            }
            // Rule `disable-keeps-position`: what was received is finished, nothing more is received.
            Event::Control(Control::Disable) => {
                if core.switch(Mode::Disabled) {
                    self.step_all(core);
                }
            }
            Event::Control(Control::Enable) => {
                if core.switch(Mode::Enabled) {
                    self.wake_pollers(core);
                }
            }
            Event::Control(Control::Update(config)) => {
                let before = self.scaling.limit();
                core.update(*config);
                self.scaling.configure(&core.config, core.tuning.profile);
                self.pace = pace(core).and(self.pace.or(pace(core)));
                self.report_limit(core, before);
                self.wake_pollers(core);
            }
        }
    }

    fn step_all(&mut self, core: &mut Core<P>) {
        for poller in 0..self.pollers.len() as u32 {
            self.step(core, poller);
        }
    }

    /// Rule `sqs-filtered-is-deleted`: what the filters left out is deleted without an invocation.
    fn reject(&mut self, core: &mut Core<P>, rejected: Vec<Record<P>>, lease_end: Time) {
        if rejected.is_empty() || mutant!(core, FilteredIsNotDeleted) {
            return;
        }
        let deletion = self.deleting.insert(Deletion {
            batch: core.batches.begin(rejected),
            lease_end,
            failures: 0,
            waiting: None,
        });
        self.delete(core, deletion);
    }

    pub(super) fn handle_timer(&mut self, core: &mut Core<P>, key: u32) {
        if key == TICK {
            let before = self.scaling.limit();
            self.scaling.tick();
            self.report_limit(core, before);
            core.timers
                .set(TICK, self.scaling.next_tick(), WakeReason::ScalingTick);
            self.wake_pollers(core);
        } else if key % 2 == 1 {
            self.delete(core, (key - 1) / 2);
        } else {
            let poller = (key - 2) / 2;
            if self.pollers[poller as usize].is_abandoned(core.now) {
                self.work_ends(core, poller);
            }
            let abandoned = self.pollers[poller as usize].deadline(core);
            if let Some((records, cause)) = abandoned {
                core.fact(Fact::Returned { records, cause });
                self.forsake_followers(core, poller, cause);
            }
            self.step(core, poller);
            self.work_over(core);
        }
    }

    fn invoked(&mut self, core: &mut Core<P>, token: Token, poller: u32, outcome: Outcome) {
        let goes_on = matches!(outcome, Outcome::Throttled { .. } | Outcome::ServiceError);
        if !goes_on {
            self.work_ends(core, poller);
        }
        let slot = &mut self.pollers[poller as usize];
        let (batch, lease_end) = slot.running();
        let records = core.batches.all(batch).len() as u32;
        core.fact(Fact::InvokeEnded {
            token,
            records,
            succeeded: outcome.succeeded(records),
            outcome,
        });
        let cause = outcome
            .return_cause()
            .filter(|_| goes_on || !mutant!(core, FailedIsDeleted));
        match (outcome, cause) {
            (Outcome::Partial { .. }, _) => {
                panic!("a queue's partial result is Event::InvokedPartly")
            }
            (_, None) => {
                self.settle(core, poller, batch, lease_end);
                self.forsake_expired(core, poller);
            }
            (Outcome::Throttled { retry_after }, Some(cause)) => {
                self.scaling.failed();
                slot.refused(core, cause, retry_after);
            }
            (Outcome::ServiceError, Some(cause)) => slot.refused(core, cause, Span::ZERO),
            (_, Some(cause)) => {
                // Rule `sqs-function-error-waits-for-visibility`.
                self.scaling.failed();
                core.batches.end(batch);
                core.fact(Fact::Returned { records, cause });
                slot.state = State::Free;
                self.forsake_followers(core, poller, cause);
            }
        }
        self.step(core, poller);
        if !goes_on {
            self.work_over(core);
        }
    }

    /// Rule `sqs-partial-deletes-the-others`: reported messages wait for their visibility timeout, the others are deleted,
    /// and concurrency stays as it is. Rule `fifo-partial-as-reported`: so it is with FIFO queues.
    fn invoked_partly(&mut self, core: &mut Core<P>, token: Token, poller: u32, failed: &[u32]) {
        self.work_ends(core, poller);
        let (batch, lease_end) = self.pollers[poller as usize].running();
        let records = core.batches.all(batch).len() as u32;
        let (Some(&first_failed), Some(&last)) = (failed.first(), failed.last()) else {
            panic!("a partial result without failed messages");
        };
        assert!(last < records, "a failed item outside of its batch");
        core.fact(Fact::InvokeEnded {
            token,
            records,
            succeeded: records - failed.len() as u32,
            outcome: Outcome::Partial { first_failed },
        });
        let kept = usize::from(mutant!(core, QueuePartialOffByOne));
        core.batches.remove(batch, &failed[kept..]);
        let cause = ReturnCause::Reported;
        core.fact(Fact::Returned {
            records: failed.len() as u32,
            cause,
        });
        if core.batches.all(batch).is_empty() {
            core.batches.end(batch);
            self.pollers[poller as usize].state = State::Free;
        } else {
            self.settle(core, poller, batch, lease_end);
        }
        self.forsake_followers(core, poller, cause);
        self.step(core, poller);
        self.work_over(core);
    }

    /// Deletes a finished batch beside whatever the poller does next, unless too many deletions are pending.
    fn settle(&mut self, core: &mut Core<P>, poller: u32, batch: BatchId, lease_end: Time) {
        let crowded = self.deleting.len() >= self.scaling.limit() as usize;
        let deletion = self.deleting.insert(Deletion {
            batch,
            lease_end,
            failures: 0,
            waiting: crowded.then_some(poller),
        });
        self.pollers[poller as usize].state = if crowded {
            State::Settling
        } else {
            State::Free
        };
        self.delete(core, deletion);
    }

    /// Lets a poller do what it can do now, or rest.
    fn step(&mut self, core: &mut Core<P>, id: u32) {
        let poller = &mut self.pollers[id as usize];
        if !mutant!(core, FifoGroupReleasedEarly) && poller.must_wait(core, &self.overdue) {
            self.overdue.is_awaited_by(id);
            return;
        }
        if let Some((batch, attempt)) = poller.next_invoke(core) {
            self.work_begins(core, id);
            let token = Self::pend(&mut self.pending, Pending::Invoke { poller: id });
            let records = core.batches.all(batch);
            let arrivals = records.iter().map(|record| record.meta.arrival);
            let first_arrival = arrivals.clone().min().unwrap_or(Time::ZERO);
            let last_arrival = arrivals.max().unwrap_or(Time::ZERO);
            let records = records.len() as u32;
            core.fact(Fact::InvokeSent {
                token,
                shard: None,
                records,
                attempt,
                first_arrival,
                last_arrival,
            });
            core.act(Action::Invoke {
                token,
                batch,
                attempt,
                window: None,
            });
            return;
        }
        let busy = self.pollers.len() - self.resting.len();
        let is_spare = busy > self.working_max(core);
        let poller = &mut self.pollers[id as usize];
        if poller.is_empty() && (!core.is_taking() || is_spare) {
            poller.state = State::Resting;
            self.resting.push(id);
            return;
        }
        if let Some(pace) = &self.pace
            && let Some(at) = pace.next(core.now)
        {
            poller.rest_until(core, at);
            return;
        }
        if let Some((records_max, wait)) = poller.next_receive(core) {
            let started = core.now;
            let pollers = self
                .scaling
                .limit()
                .div_ceil(limits::SQS_POLLER_CONCURRENCY);
            if let Some(pace) = &mut self.pace {
                pace.called(started, pollers);
            }
            let token = Self::pend(
                &mut self.pending,
                Pending::Receive {
                    poller: id,
                    started,
                    asked: records_max,
                },
            );
            core.act(Action::Receive {
                token,
                poller: id,
                records_max,
                wait,
                held: Vec::new(),
            });
        }
    }

    /// Wakes as many pollers as the limit allows. While nothing is taken they would only lie down again.
    fn wake_pollers(&mut self, core: &mut Core<P>) {
        while core.is_taking() && self.pollers.len() - self.resting.len() < self.working_max(core) {
            let id = self.resting.pop().unwrap_or_else(|| {
                let id = self.pollers.len() as u32;
                self.pollers.push(Poller::new(poller_key(id)));
                id
            });
            self.pollers[id as usize].state = State::Free;
            self.step(core, id);
        }
    }

    /// How many pollers work at once.
    #[cfg_attr(
        not(feature = "mutations"),
        expect(unused_variables, reason = "for planted faults")
    )]
    fn working_max(&self, core: &Core<P>) -> usize {
        self.scaling.limit() as usize + usize::from(mutant!(core, ConcurrencyPlusOne))
    }

    fn delete(&mut self, core: &mut Core<P>, deletion: u32) {
        let Some(entry) = self.deleting.get(deletion) else {
            return;
        };
        let batch = entry.batch;
        let token = Self::pend(&mut self.pending, Pending::Delete { deletion });
        core.act(Action::Acknowledge { token, batch });
    }

    fn call_failed(&mut self, core: &mut Core<P>, token: Token, class: FailureClass) {
        match self.take(token) {
            Pending::Receive { poller, .. } => {
                self.pollers[poller as usize].receive_failed(core, class);
                self.step(core, poller);
            }
            Pending::Delete { deletion } => {
                let Some(entry) = self.deleting.get_mut(deletion) else {
                    return;
                };
                entry.failures += 1;
                // Rule `sqs-delete-within-lease`.
                let retry_at = core.now + retry::after_failures(&core.tuning, entry.failures);
                if retry_at < entry.lease_end {
                    let key = deletion_key(deletion);
                    core.timers.set(key, retry_at, WakeReason::BackoffEnd);
                } else if let Some(lost) = self.deleting.remove(deletion) {
                    // Later deletes would use receipt handles that no longer count: the messages come back.
                    let records = core.batches.all(lost.batch).len() as u32;
                    core.fact(Fact::Returned {
                        records,
                        cause: ReturnCause::DeleteFailed,
                    });
                    self.deletion_over(core, lost);
                }
            }
            Pending::Invoke { .. } => {
                panic!("an invocation is answered by Event::Invoked, not Event::Failed")
            }
        }
    }

    fn deletion_over(&mut self, core: &mut Core<P>, deletion: Deletion) {
        core.batches.end(deletion.batch);
        if let Some(poller) = deletion.waiting {
            self.pollers[poller as usize].state = State::Free;
            self.step(core, poller);
        }
    }

    /// Provisioned pollers at work.
    const fn provisioned(&self) -> u32 {
        self.scaling
            .limit()
            .div_ceil(limits::SQS_POLLER_CONCURRENCY)
    }

    fn report_limit(&self, core: &mut Core<P>, before: u32) {
        let limit = self.scaling.limit();
        if limit != before {
            core.fact(Fact::ConcurrencyChanged { limit });
        }
    }

    fn pend(pending: &mut Slab<Pending>, what: Pending) -> Token {
        let index = pending.insert(what);
        pending.token(index)
    }

    fn take(&mut self, token: Token) -> Pending {
        match self.pending.take(token) {
            Some(pending) => pending,
            None => panic!("{token:?} is not pending: answered twice, or never given"),
        }
    }
}

/// The pace of a mapping that has provisioned pollers.
fn pace<P>(core: &Core<P>) -> Option<Pace> {
    let is_provisioned = core.config.provisioned_pollers.is_some();
    is_provisioned.then(|| Pace::new(core.now))
}

/// Messages to ask for: what the batch still lacks, within what one call returns.
fn credit(batch_size: u32, gathered: usize) -> u32 {
    let missing = batch_size.saturating_sub(u32::try_from(gathered).unwrap_or(u32::MAX));
    missing.min(limits::SQS_CALL_MESSAGES_MAX)
}
