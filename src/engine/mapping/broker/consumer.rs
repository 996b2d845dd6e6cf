//! One consumer of a broker: gathers a batch, sees it through its invocation, and has it acknowledged or given back.

use super::super::Core;
use crate::engine::{
    BatchId, Fact, FailureClass, Record, ReturnCause, Span, Time, WakeReason, limits, retry,
};

/// A consumer.
///
/// ```text
///  Resting ◀──▶ Free ──▶ Receiving ──▶ Free (nothing, or more wanted)
///                │  ▲         └──▶ Pausing (the connection was lost) ──▶ Free
///                ▼  └──────────────────────────────────────────┐
///             Invoking ──▶ Succeeded ──────────────▶ Settling ──┘
///              ▲  │ └────▶ Cooling (failed) ──▶ Spent ─▶ Settling
///              │  └──────▶ Holding (refused)
///              └── Again ◀────┘
/// ```
#[derive(Debug)]
pub(super) struct Consumer<P> {
    state: State,
    /// Its number, and the key of its timer.
    id: u32,
    /// Messages received and not yet in an invocation, in the order in which they came.
    gathered: Vec<Record<P>>,
    /// Length of the event that all of `gathered` would make.
    bytes: u64,
    /// When the first gathered message was received.
    gathering_since: Time,
    /// When the last gathered message was received.
    received_at: Time,
    /// Receives that failed in a row.
    receive_failures: u32,
    /// Verdicts in a row that the broker did not take.
    settle_failures: u32,
    /// Has to wait for the last of them before it receives again.
    owes_pause: bool,
    /// Batches that the function failed in a row.
    function_failures: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The mapping takes nothing.
    Resting,
    /// May start whatever is next.
    Free,
    /// Waiting for a receive.
    Receiving,
    /// Waiting out a lost connection, or a verdict that was not taken.
    Pausing,
    /// Waiting for an invocation that was refused so many times before.
    Invoking(BatchId, u32),
    /// Refused; waits to offer the batch again.
    Holding(BatchId, u32, ReturnCause),
    /// Refused, and the wait is over.
    Again(BatchId, u32),
    /// The function took the batch.
    Succeeded(BatchId),
    /// The function failed; waits before the batch goes back to the broker, which delivers it at once.
    Cooling(BatchId, ReturnCause),
    /// To be given back.
    Spent(BatchId, ReturnCause),
    /// Waiting for the broker to take what became of the batch.
    Settling,
}

/// What a consumer starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Nothing,
    Receive { records_max: u32, wait: Span },
    Invoke { batch: BatchId, attempt: u32 },
    Acknowledge(BatchId),
    Release(BatchId, ReturnCause),
}

/// A receive waits for at least this long (ours): without it an empty queue would be asked without end.
const RECEIVE_WAIT_MIN: Span = Span::from_millis(100);

impl<P> Consumer<P> {
    pub(super) const fn new(id: u32) -> Self {
        Self {
            state: State::Resting,
            id,
            gathered: Vec::new(),
            bytes: 0,
            gathering_since: Time::ZERO,
            received_at: Time::ZERO,
            receive_failures: 0,
            settle_failures: 0,
            owes_pause: false,
            function_failures: 0,
        }
    }

    pub(super) fn is_resting(&self) -> bool {
        self.state == State::Resting
    }

    pub(super) fn gathered(&self) -> u64 {
        self.gathered.len() as u64
    }

    /// The batch that the function has.
    pub(super) fn running(&self) -> BatchId {
        match self.state {
            State::Invoking(batch, _) => batch,
            _ => panic!("a consumer that invokes nothing was told of an invocation"),
        }
    }

    pub(super) fn wake(&mut self) {
        if self.state == State::Resting {
            self.state = State::Free;
        }
    }

    /// Takes what a receive brought.
    pub(super) fn received(&mut self, core: &mut Core<P>, mut records: Vec<Record<P>>) {
        assert!(
            self.state == State::Receiving,
            "a page for a consumer that did not receive"
        );
        self.state = State::Free;
        self.receive_failures = 0;
        if records.is_empty() {
            core.batches.recycle(records);
            return;
        }
        // Rule `broker-window-from-first-message`.
        self.received_at = core.now;
        if self.gathered.is_empty() {
            self.gathering_since = core.now;
            self.bytes = u64::from(core.tuning.envelope_len) + length(&records);
            // The common case, a batch of one receive, moves the list instead of its records.
            let old = std::mem::replace(&mut self.gathered, records);
            core.batches.recycle(old);
        } else {
            self.bytes += 1 + length(&records);
            self.gathered.append(&mut records);
            core.batches.recycle(records);
        }
    }

    /// Rule `broker-connection-lost`: what was delivered comes again on another connection, so it is forgotten here.
    pub(super) fn receive_failed(&mut self, core: &mut Core<P>, class: FailureClass) {
        self.forget(core);
        if !core.is_taking() {
            self.state = State::Free;
            return;
        }
        self.receive_failures += 1;
        let pause = match class {
            FailureClass::Throttled | FailureClass::Transient => {
                retry::after_failures(&core.tuning, self.receive_failures)
            }
            FailureClass::Denied => core.tuning.backoff_max,
        };
        self.state = State::Pausing;
        self.wake_after(core, pause);
    }

    /// Gives up what was gathered on a connection that is gone.
    pub(super) fn forget(&mut self, core: &mut Core<P>) {
        let list = std::mem::replace(&mut self.gathered, core.batches.spare());
        let records = list.len() as u32;
        core.batches.recycle(list);
        if records > 0 {
            core.fact(Fact::Returned {
                records,
                cause: ReturnCause::ConnectionLost,
            });
        }
    }

    /// Rule `broker-acknowledge-after-success`.
    pub(super) fn succeeded(&mut self) {
        self.function_failures = 0;
        self.state = State::Succeeded(self.running());
    }

    /// Rule `broker-error-gives-back`: the broker delivers a batch that is given back at once, so the wait comes before.
    pub(super) fn failed(&mut self, core: &mut Core<P>, cause: ReturnCause) {
        let batch = self.running();
        if !core.is_taking() {
            self.state = State::Spent(batch, cause);
            return;
        }
        self.function_failures += 1;
        self.state = State::Cooling(batch, cause);
        let pause = retry::after_failures(&core.tuning, self.function_failures);
        self.wake_after(core, pause);
    }

    /// Rule `broker-throttle-keeps-batch`: the messages stay unacknowledged and the same batch is offered again, without
    /// end.
    pub(super) fn refused(&mut self, core: &mut Core<P>, cause: ReturnCause, at_least: Span) {
        let State::Invoking(batch, refusals) = self.state else {
            panic!("a consumer that invokes nothing was refused");
        };
        if !core.is_taking() {
            self.state = State::Spent(batch, cause);
            return;
        }
        let refusals = refusals.saturating_add(1);
        self.state = State::Holding(batch, refusals, cause);
        let pause = retry::after_failures(&core.tuning, refusals).max(at_least);
        self.wake_after(core, pause);
    }

    /// The broker answered a verdict on the batch.
    pub(super) fn settled(&mut self) {
        assert!(
            self.state == State::Settling,
            "an answer for a consumer that awaits none"
        );
        self.state = State::Free;
    }

    /// The broker took a verdict on this consumer's messages, or not. What it did not take comes again at once, so the next
    /// receive waits (rule `broker-connection-lost`).
    pub(super) const fn told(&mut self, taken: bool) {
        self.owes_pause = !taken;
        self.settle_failures = if taken {
            0
        } else {
            self.settle_failures.saturating_add(1)
        };
    }

    /// A wait is over.
    pub(super) fn deadline(&mut self) {
        self.state = match self.state {
            State::Pausing => State::Free,
            State::Holding(batch, refusals, _) => State::Again(batch, refusals),
            State::Cooling(batch, cause) => State::Spent(batch, cause),
            other => other,
        };
    }

    /// No wait is worth it any more, and a refused batch is not offered again.
    pub(super) fn stop(&mut self) {
        if let State::Holding(batch, _, cause) = self.state {
            self.state = State::Spent(batch, cause);
        } else {
            self.deadline();
        }
    }

    /// What to start now, if anything; the state follows.
    pub(super) fn next(&mut self, core: &mut Core<P>) -> Next {
        match self.state {
            State::Succeeded(batch) => {
                self.state = State::Settling;
                Next::Acknowledge(batch)
            }
            State::Spent(batch, cause) => {
                self.state = State::Settling;
                Next::Release(batch, cause)
            }
            State::Again(batch, refusals) => {
                self.state = State::Invoking(batch, refusals);
                Next::Invoke { batch, attempt: 1 }
            }
            State::Free => self.next_when_free(core),
            State::Resting
            | State::Receiving
            | State::Pausing
            | State::Invoking(..)
            | State::Holding(..)
            | State::Cooling(..)
            | State::Settling => Next::Nothing,
        }
    }

    fn next_when_free(&mut self, core: &mut Core<P>) -> Next {
        if !core.is_taking() {
            // Rule `broker-stop-gives-back`.
            if self.gathered.is_empty() {
                self.state = State::Resting;
                return Next::Nothing;
            }
            let list = std::mem::replace(&mut self.gathered, core.batches.spare());
            self.state = State::Settling;
            return Next::Release(core.batches.begin(list), ReturnCause::Stopped);
        }
        let window_left = (self.gathering_since + core.config.window).since(core.now);
        let is_full = self.gathered.len() >= core.config.batch_size as usize
            || self.bytes > limits::EVENT_BYTES_MAX;
        if !self.gathered.is_empty() && (is_full || window_left == Span::ZERO) {
            let list = self.take_batch(core);
            let batch = core.batches.begin(list);
            self.state = State::Invoking(batch, 0);
            return Next::Invoke { batch, attempt: 1 };
        }
        if std::mem::take(&mut self.owes_pause) {
            let pause = retry::after_failures(&core.tuning, self.settle_failures);
            let is_gathering = !self.gathered.is_empty();
            self.state = State::Pausing;
            self.wake_after(
                core,
                if is_gathering {
                    pause.min(window_left)
                } else {
                    pause
                },
            );
            return Next::Nothing;
        }
        self.state = State::Receiving;
        let gathered = u32::try_from(self.gathered.len()).unwrap_or(u32::MAX);
        Next::Receive {
            records_max: core.config.batch_size.saturating_sub(gathered),
            wait: if self.gathered.is_empty() {
                core.tuning.long_poll.max(RECEIVE_WAIT_MIN)
            } else {
                window_left
            },
        }
    }

    /// Rule `broker-arrival-order`: the head of what was gathered, within batch size and payload; the rest begins the next
    /// batch.
    fn take_batch(&mut self, core: &mut Core<P>) -> Vec<Record<P>> {
        let fitting = self.fitting(core);
        if fitting == self.gathered.len() {
            let spare = core.batches.spare();
            return std::mem::replace(&mut self.gathered, spare);
        }
        let rest = self.gathered.split_off(fitting);
        self.bytes = u64::from(core.tuning.envelope_len) + length(&rest);
        // Only the last receive can have made it too much.
        self.gathering_since = self.received_at;
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

    fn wake_after(&self, core: &mut Core<P>, pause: Span) {
        let at = core.now + pause;
        core.timers.set(self.id, at, WakeReason::BackoffEnd);
    }
}

/// Bytes of the records in an event, with the commas between them.
fn length<P>(records: &[Record<P>]) -> u64 {
    let bytes: u64 = records
        .iter()
        .map(|record| u64::from(record.meta.wire_len))
        .sum();
    bytes + (records.len() as u64).saturating_sub(1)
}
