//! One poller of a queue: receives until a batch is complete, then sees it through its invocation.

use super::super::Core;
use super::credit;
use super::groups::Overdue;
use crate::engine::{
    BatchId, FailureClass, Record, ReturnCause, Span, Time, WakeReason, limits, retry,
};

/// A poller.
///
/// ```text
///  Resting ◀──▶ Free ──▶ Receiving ──▶ Free (nothing, or more wanted: Gathering is Free with records)
///                │  ▲
///                ▼  └────────── Pausing (a receive failed, or came back empty without long polling)
///   (Waiting) ▶ Invoking ──▶ Holding (refused; retried within the lease) ──▶ Invoking
///                │  └────▶ Free (deleted beside it, or left to visibility)
///                └───────▶ Settling (too many deletions pending) ──▶ Free
/// ```
#[derive(Debug)]
pub(super) struct Poller<P> {
    pub(super) state: State,
    key: u32,
    /// Messages received and not yet in an invocation, with the ends of their leases.
    gathered: Vec<Record<P>>,
    bytes: u64,
    /// When the first gathered message was received: the window counts from here (rule `batch-window-from-first-message`).
    gathering_since: Time,
    /// When the last messages were received.
    received_at: Time,
    /// When the oldest gathered message becomes visible again.
    lease_end: Time,
    /// Before this it cannot become visible: the service may have given it out any time since it was asked.
    lease_ends_from: Time,
    failures: u32,
}

/// How long a poller without long polling rests after a receive that returned nothing (ours).
const EMPTY_RECEIVE_PAUSE: Span = Span::from_millis(100);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Not needed at the present concurrency.
    Resting,
    /// May start whatever is next.
    Free,
    /// Waiting for a receive.
    Receiving,
    /// Waiting out a failed receive, or an empty one without long polling.
    Pausing,
    /// Has a batch of a FIFO queue that must not overtake what is still worked on.
    Waiting,
    /// Waiting for an invocation.
    Invoking(Work),
    /// Refused; holds the messages for another try within the lease.
    Holding(Work, ReturnCause),
    /// Waiting for a deletion because too many are pending.
    Settling,
}

/// A batch on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Work {
    pub(super) batch: BatchId,
    lease_end: Time,
    pub(super) lease_ends_from: Time,
    /// FIFO queues: its groups are kept from being sent by others.
    pub(super) is_overdue: bool,
    refusals: u32,
    /// Whether the wait of a held batch is over and it is to be offered again.
    again: bool,
}

impl<P> Poller<P> {
    pub(super) const fn new(key: u32) -> Self {
        Self {
            state: State::Resting,
            key,
            gathered: Vec::new(),
            bytes: 0,
            gathering_since: Time::ZERO,
            received_at: Time::ZERO,
            lease_end: Time::MAX,
            lease_ends_from: Time::MAX,
            failures: 0,
        }
    }

    pub(super) fn is_resting(&self) -> bool {
        self.state == State::Resting
    }

    /// Whether it could rest without giving anything up.
    pub(super) fn is_empty(&self) -> bool {
        self.state == State::Free && self.gathered.is_empty()
    }

    /// The running batch and the end of its lease.
    pub(super) fn running(&self) -> (BatchId, Time) {
        match self.state {
            State::Invoking(work) => (work.batch, work.lease_end),
            _ => panic!("a poller that invokes nothing was told of an invocation"),
        }
    }

    pub(super) fn gathered(&self) -> u64 {
        self.gathered.len() as u64
    }

    /// Takes what a receive brought. Without any records it may still have found some that the filters left out,
    /// unless `is_empty`.
    pub(super) fn received(
        &mut self,
        core: &mut Core<P>,
        mut records: Vec<Record<P>>,
        is_empty: bool,
        lease_ends_from: Time,
    ) {
        assert!(
            self.state == State::Receiving,
            "a page for a poller that did not receive"
        );
        self.state = State::Free;
        self.failures = 0;
        if records.is_empty() {
            core.batches.recycle(records);
            if is_empty && core.tuning.long_poll == Span::ZERO {
                self.pause(core);
            }
            return;
        }
        self.received_at = core.now;
        if self.gathered.is_empty() {
            self.gathering_since = core.now;
            self.lease_end = core.now + core.tuning.visibility_timeout;
            self.lease_ends_from = lease_ends_from;
            self.bytes = u64::from(core.tuning.envelope_len);
        }
        for record in &records {
            self.bytes += u64::from(record.meta.wire_len) + 1;
        }
        if self.gathered.is_empty() {
            // The common case, a batch of one receive, moves the list instead of its records.
            let old = std::mem::replace(&mut self.gathered, records);
            core.batches.recycle(old);
        } else {
            self.gathered.append(&mut records);
            core.batches.recycle(records);
        }
    }

    /// Rule `sqs-short-poll-pause`: a service that may not wait answers at once, and would be asked without end.
    fn pause(&mut self, core: &mut Core<P>) {
        let mut until = core.now + EMPTY_RECEIVE_PAUSE;
        if !self.gathered.is_empty() {
            until = until.min(self.gathering_since + core.config.window);
        }
        if until > core.now {
            self.state = State::Pausing;
            core.timers.set(self.key, until, WakeReason::ReadDue);
        }
    }

    /// Waits for its turn to receive, if that is what it would do next.
    pub(super) fn rest_until(&mut self, core: &mut Core<P>, at: Time) {
        if self.state == State::Free && core.is_taking() {
            self.state = State::Pausing;
            core.timers.set(self.key, at, WakeReason::ReadDue);
        }
    }

    pub(super) fn receive_failed(&mut self, core: &mut Core<P>, class: FailureClass) {
        self.failures += 1;
        let pause = match class {
            FailureClass::Throttled | FailureClass::Transient => {
                retry::after_failures(&core.tuning, self.failures)
            }
            FailureClass::Denied => core.tuning.backoff_max,
        };
        self.state = State::Pausing;
        core.timers
            .set(self.key, core.now + pause, WakeReason::BackoffEnd);
    }

    /// A refused batch stays leased and is offered again, until its messages become visible
    /// (rule `sqs-throttle-in-lease`).
    pub(super) fn refused(&mut self, core: &mut Core<P>, cause: ReturnCause, at_least: Span) {
        let State::Invoking(mut work) = self.state else {
            panic!("a poller that invokes nothing was refused");
        };
        work.refusals += 1;
        work.again = false;
        let pause = retry::throttled_lease(work.refusals).max(at_least);
        let retry_at = (core.now + pause).min(work.lease_end);
        self.state = State::Holding(work, cause);
        core.timers.set(self.key, retry_at, WakeReason::BackoffEnd);
    }

    /// A deadline came: the window ended, a pause is over, or a held batch is due. Returns the messages
    /// that were given up because their lease ended.
    pub(super) fn deadline(&mut self, core: &mut Core<P>) -> Option<(u32, ReturnCause)> {
        match &mut self.state {
            State::Pausing => self.state = State::Free,
            State::Waiting => {
                self.state = State::Free;
                return Some((self.forsake(core), ReturnCause::LeaseEnded));
            }
            State::Holding(work, cause) => {
                if core.now < work.lease_end {
                    work.again = true;
                    return None;
                }
                let (batch, cause) = (work.batch, *cause);
                let records = core.batches.all(batch).len() as u32;
                core.batches.end(batch);
                self.state = State::Free;
                return Some((records, cause));
            }
            State::Resting
            | State::Free
            | State::Receiving
            | State::Invoking(_)
            | State::Settling => {}
        }
        None
    }

    /// Whether a held batch is due and has to be given up.
    pub(super) fn is_abandoned(&self, now: Time) -> bool {
        matches!(self.state, State::Holding(work, _) if work.lease_end <= now)
    }

    /// Whether what was gathered is visible again.
    pub(super) fn has_expired(&self, now: Time) -> bool {
        !self.gathered.is_empty() && self.lease_end <= now
    }

    /// Whether what was gathered waits for other work from now on, until its lease ends.
    pub(super) fn must_wait(&mut self, core: &mut Core<P>, overdue: &Overdue) -> bool {
        let waits = self.state == State::Free && overdue.delays(&self.gathered);
        if waits {
            self.state = State::Waiting;
            core.timers
                .set(self.key, self.lease_end, WakeReason::LeaseEnd);
        }
        waits
    }

    /// There is nothing to wait for any more, or something else.
    pub(super) fn go_on(&mut self, core: &mut Core<P>) {
        core.timers.clear(self.key);
        self.state = State::Free;
    }

    /// The batch to invoke now and which attempt it is.
    pub(super) fn next_invoke(&mut self, core: &mut Core<P>) -> Option<(BatchId, u32)> {
        if let State::Holding(work, _) = self.state {
            if !work.again {
                return None;
            }
            self.state = State::Invoking(work);
            return Some((work.batch, 1));
        }
        if self.state != State::Free || self.gathered.is_empty() {
            return None;
        }
        let full = self.gathered.len() >= core.config.batch_size as usize
            || self.bytes > limits::EVENT_BYTES_MAX;
        let window_end = self.gathering_since + core.config.window;
        if !(full || window_end <= core.now || !core.is_taking()) {
            return None;
        }
        let (lease_end, lease_ends_from) = (self.lease_end, self.lease_ends_from);
        let list = self.take_batch(core);
        let work = Work {
            batch: core.batches.begin(list),
            lease_end,
            lease_ends_from,
            is_overdue: false,
            refusals: 0,
            again: false,
        };
        self.state = State::Invoking(work);
        Some((work.batch, 1))
    }

    /// What to receive now: how many messages, and how long the service may wait for the first. Without a window
    /// a batch is what one receive returns (rules `sqs-batch-is-one-receive`, `fifo-batch-mixes-groups`).
    pub(super) fn next_receive(&mut self, core: &mut Core<P>) -> Option<(u32, Span)> {
        if self.state != State::Free || !core.is_taking() {
            return None;
        }
        let wait = if self.gathered.is_empty() {
            core.tuning.long_poll
        } else {
            // Whole seconds, as the service counts them: the batch may leave a little late, never early.
            let left = (self.gathering_since + core.config.window).since(core.now);
            let secs = left.as_nanos().div_ceil(1_000_000_000);
            Span::from_secs(secs).min(core.tuning.long_poll)
        };
        self.state = State::Receiving;
        Some((credit(core.config.batch_size, self.gathered.len()), wait))
    }

    /// Gives up what was gathered, and says how many messages that were.
    pub(super) fn forsake(&mut self, core: &mut Core<P>) -> u32 {
        let list = std::mem::replace(&mut self.gathered, core.batches.spare());
        let records = list.len() as u32;
        core.batches.recycle(list);
        records
    }

    /// The head of what was gathered, within batch size and payload; the rest begins the next batch.
    fn take_batch(&mut self, core: &mut Core<P>) -> Vec<Record<P>> {
        let fitting = self.fitting(core);
        if fitting == self.gathered.len() {
            let spare = core.batches.spare();
            return std::mem::replace(&mut self.gathered, spare);
        }
        let rest = self.gathered.split_off(fitting);
        let rest_bytes: u64 = rest
            .iter()
            .map(|record| u64::from(record.meta.wire_len) + 1)
            .sum();
        self.bytes = u64::from(core.tuning.envelope_len) + rest_bytes;
        // The batch was not full before the last receive, so that is where all of the rest came from.
        self.gathering_since = self.received_at;
        self.lease_end = self.received_at + core.tuning.visibility_timeout;
        std::mem::replace(&mut self.gathered, rest)
    }

    fn fitting(&self, core: &Core<P>) -> usize {
        let mut bytes = u64::from(core.tuning.envelope_len);
        let mut count = 0;
        for record in &self.gathered {
            let with = bytes + u64::from(record.meta.wire_len) + u64::from(count > 0);
            let too_many = count == core.config.batch_size as usize;
            if count > 0 && (too_many || with > limits::EVENT_BYTES_MAX) {
                break;
            }
            bytes = with;
            count += 1;
        }
        count
    }
}
