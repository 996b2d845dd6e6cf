//! One lane of a shard: records in order, one batch of them in work.

mod shed;

use super::super::Core;
use super::super::batch::Batches;
use super::super::work::{Parting, Stage, Todo, Work};
use super::window::OpenWindow;
use crate::engine::retry;
use crate::engine::{
    Condition, Delivery, Fact, FailedAnswer, Failure, FailureClass, Meta, Outcome, Record, Seq,
    ShardId, Span, Time, Token, WakeReason, WindowCall, limits,
};
pub(super) use shed::Orphan;
use std::collections::VecDeque;

/// Records of some keys of a shard; without parallelization, all of them (rule `stream-one-batch-per-shard`).
///
/// A batch is worked on in pieces, one after the other: the whole batch at first, halves of it after a bisection, what
/// is left of it after partial progress.
///
/// ```text
///            success, or given up                       failure, throttle: wait
///  no work ◀───────────────────── Running ◀──────────────────────────────────▶ Due
///     │ batch complete               │ tries or age exhausted                   ▲
///     └──────────────────────────────┼──────────────────────────────────────────┘
///                                    ▼        refused: wait
///                      Parting ◀──────────▶ Diverting ──▶ next piece
/// ```
#[derive(Debug)]
pub(super) struct Lane<P> {
    shard: ShardId,
    /// Key of the lane's deadline.
    timer: u32,
    buffer: VecDeque<Record<P>>,
    /// Encoded bytes of the buffered records, a comma each.
    buffered: u64,
    /// When the previous invocation completed: the batching window counts from here.
    window_from: Time,
    work: Option<Work>,
    /// Ends of the pieces that wait behind the one in work, the innermost last (rule `stream-bisect-order`).
    later: Vec<u32>,
    window: Option<OpenWindow>,
    /// The last read found the end of what there is: only then does silence mean that no record comes.
    at_tip: bool,
    /// The last finished record that no unfinished one shares its number with.
    done: Option<Seq>,
    /// The lowest number that was let go because the shard leaves.
    let_go: Option<Seq>,
}

impl<P> Lane<P> {
    pub(super) fn new(shard: ShardId, timer: u32, now: Time, window: Option<OpenWindow>) -> Self {
        Self {
            shard,
            timer,
            buffer: VecDeque::new(),
            buffered: 0,
            window_from: now,
            work: None,
            later: Vec::new(),
            window,
            at_tip: false,
            done: None,
            let_go: None,
        }
    }

    /// Counts the batching window from now on.
    pub(super) fn start(&mut self, now: Time) {
        self.window_from = now;
    }

    pub(super) fn push(&mut self, record: Record<P>) {
        self.buffered += u64::from(record.meta.wire_len) + 1;
        self.buffer.push_back(record);
    }

    /// Says whether the shard is read up to its tip.
    pub(super) fn set_at_tip(&mut self, at_tip: bool) {
        self.at_tip = at_tip;
    }

    /// Whether no record of the lane is unfinished.
    pub(super) fn is_empty(&self) -> bool {
        self.work.is_none() && self.buffer.is_empty()
    }

    /// Whether a window waits for its final call.
    pub(super) const fn is_in_window(&self) -> bool {
        self.window.is_some()
    }

    /// Start of the open window, if a state belongs to it.
    pub(super) fn stored_window(&self) -> Option<Time> {
        self.window.as_ref().and_then(OpenWindow::stored)
    }

    /// Records that are not finished: those that wait for a batch, and what is left of the batch in work.
    pub(super) fn in_hand(&self, batches: &Batches<P>) -> u64 {
        let in_work = self.work.map_or(0, |work| {
            batches.all(work.batch).len() - work.start as usize
        });
        (self.buffer.len() + in_work) as u64
    }

    /// Records that wait for a batch.
    pub(super) fn waiting(&self) -> usize {
        self.buffer.len()
    }

    /// Encoded bytes of the records that wait for a batch.
    pub(super) const fn waiting_bytes(&self) -> u64 {
        self.buffered
    }

    /// The number of the lowest unfinished record.
    pub(super) fn unfinished(&self, core: &Core<P>) -> Option<Seq> {
        let in_work = self
            .work
            .and_then(|work| core.batches.all(work.batch).get(work.start as usize));
        let first = in_work.or_else(|| self.buffer.front());
        first.map(|record| record.meta.seq)
    }

    /// The number up to which the lane is finished, if it moved since the last call.
    pub(super) fn take_done(&mut self) -> Option<Seq> {
        self.done.take()
    }

    // ---- forming batches ----

    /// Whether size, payload or a later window alone would send the next batch (rules `batch-size`,
    /// `batch-payload-limit`, `window-by-arrival`).
    pub(super) fn is_complete(&self, core: &Core<P>) -> bool {
        self.buffer.len() >= core.config.batch_size as usize
            || self.buffered > self.payload_max(core)
            || self.window.is_some_and(|open| {
                let last = self.buffer.back();
                open.is_too_large() || last.is_some_and(|last| last.meta.arrival >= open.end())
            })
    }

    /// What to do now, if anything. `alone` says that the shard has no other lane, `closing` says that the shard has no more records than the buffered ones.
    pub(super) fn next(&mut self, core: &mut Core<P>, closing: bool, alone: bool) -> Option<Todo> {
        loop {
            if !core.is_taking() || (self.work.is_none() && !self.begin(core, closing, alone)) {
                return None;
            }
            let work = self.work.as_mut()?;
            match work.stage {
                Stage::Running | Stage::Diverting(_) => return None,
                Stage::Due(due) | Stage::Parting(_, due) if due > core.now => {
                    core.timers.set(self.timer, due, WakeReason::BackoffEnd);
                    return None;
                }
                Stage::Parting(parting, _) => {
                    work.stage = Stage::Diverting(parting);
                    let (batch, is_final) = (work.batch, work.is_final);
                    let end = work.start + parting.count;
                    core.batches.narrow(batch, work.start, end);
                    let failure = Failure {
                        shard: self.shard,
                        condition: parting.condition,
                        invoke_count: parting.invoke_count,
                        answer: parting.answer,
                        window: self.call(is_final),
                    };
                    return Some(Todo::Divert { batch, failure });
                }
                Stage::Due(_) => {
                    if self.cut_expired(core) {
                        continue;
                    }
                    let work = self.work.as_mut()?;
                    work.stage = Stage::Running;
                    let (batch, attempt) = (work.batch, work.tries + 1);
                    let is_final = work.is_final;
                    core.batches.narrow(batch, work.start, work.end);
                    let window = self.call(is_final);
                    return Some(Todo::Invoke {
                        batch,
                        attempt,
                        window,
                    });
                }
            }
        }
    }

    fn call(&self, is_final: bool) -> Option<WindowCall> {
        let open = self.window.as_ref()?;
        Some(open.call(self.shard, is_final))
    }

    /// Takes the next piece of work: the final call of a window that is over, or a batch if one of the triggers of
    /// batching holds.
    fn begin(&mut self, core: &mut Core<P>, closing: bool, alone: bool) -> bool {
        let idle = self.at_tip && self.window.is_some_and(|open| open.idle_end() <= core.now);
        if let Some(open) = self.window {
            let later = match self.buffer.front() {
                Some(first) => first.meta.arrival >= open.end(),
                None => closing || idle,
            };
            if later || open.is_too_large() {
                if mutant!(core, TumblingWithoutFinalCall) {
                    self.window = None;
                    return self.begin(core, closing, alone);
                }
                let list = core.batches.spare();
                self.take_on(core, list, true);
                return true;
            }
        }
        let Some(first) = self.buffer.front() else {
            if let Some(open) = self.window.filter(|_| self.at_tip) {
                let at = open.idle_end();
                core.timers.set(self.timer, at, WakeReason::TumblingEnd);
            }
            return false;
        };
        // An update may ask for windows while there are several lanes still, which are not kept.
        if self.window.is_none()
            && alone
            && let Some(length) = core.config.tumbling_window
        {
            self.window = Some(OpenWindow::around(first.meta.arrival, length));
        }
        let window_end = self.window_from + core.config.window;
        let window_end = if mutant!(core, WindowClosesLate) {
            window_end + core.config.window
        } else {
            window_end
        };
        let elapsed = window_end <= core.now || idle || mutant!(core, WindowClosesEarly); // rule `batch-window-from-previous-invocation`
        if !(elapsed || closing || self.is_complete(core)) {
            let at = match self.window.filter(|_| self.at_tip) {
                Some(open) => window_end.min(open.idle_end()),
                None => window_end,
            };
            core.timers.set(self.timer, at, WakeReason::WindowEnd);
            return false;
        }
        let (count, bytes) = self.fitting(core);
        self.buffered -= bytes;
        let mut list = core.batches.spare();
        list.extend(self.buffer.drain(..count));
        self.take_on(core, list, false);
        true
    }

    /// Bytes of records, with a comma each, that fit into one event.
    ///
    /// Rule `window-payload-reserves-state`: the state travels in the same event, so a lane with windows leaves room for
    /// the largest one; so does one whose window outlives an update that took windows away.
    fn payload_max(&self, core: &Core<P>) -> u64 {
        let around = u64::from(core.tuning.envelope_len);
        let state = if self.window.is_some() || core.config.tumbling_window.is_some() {
            limits::WINDOW_STATE_BYTES_MAX + limits::WINDOW_ENVELOPE_BYTES_MAX
        } else {
            0
        };
        limits::EVENT_BYTES_MAX - around - state
    }

    fn take_on(&mut self, core: &mut Core<P>, list: Vec<Record<P>>, is_final: bool) {
        let end = list.len() as u32;
        self.work = Some(Work {
            batch: core.batches.begin(list),
            start: 0,
            end,
            is_final,
            stage: Stage::Due(core.now),
            tries: 0,
            refusals: 0,
        });
    }

    /// How many buffered records the next batch takes, and their bytes with a comma each.
    ///
    /// One record always goes, however large: the target refuses it, and the retry rules take over.
    fn fitting(&self, core: &Core<P>) -> (usize, u64) {
        let limit = self.payload_max(core);
        let end = self.window.map_or(Time::MAX, |open| open.end());
        let mut bytes = 0;
        let mut count = 0;
        let most = core.config.batch_size as usize + usize::from(mutant!(core, BatchOneTooLarge));
        for record in self.buffer.iter().take(most) {
            let with = bytes + u64::from(record.meta.wire_len);
            let is_full = with > limit && !mutant!(core, EventBytesIgnored);
            if count > 0 && (is_full || record.meta.arrival >= end) {
                break;
            }
            bytes = with + 1;
            count += 1;
        }
        (count, bytes)
    }

    // ---- invocations ----

    pub(super) fn report_invoke(&self, core: &mut Core<P>, token: Token, attempt: u32) {
        let Some(work) = self.work else {
            return;
        };
        let records = &core.batches.all(work.batch)[work.start as usize..work.end as usize];
        let (first, last) = self.ends(records);
        let fact = Fact::InvokeSent {
            token,
            shard: Some(self.shard),
            records: records.len() as u32,
            attempt,
            first_arrival: first.arrival,
            last_arrival: last.arrival,
        };
        core.fact(fact);
    }

    /// Takes the outcome of the running invocation and returns how many records it had.
    pub(super) fn invoked(&mut self, core: &mut Core<P>, outcome: Outcome) -> u32 {
        let Some(work) = &mut self.work else {
            panic!("an idle lane was told of an invocation");
        };
        assert!(
            matches!(work.stage, Stage::Running),
            "a waiting lane was told of an invocation"
        );
        let records = work.end - work.start;
        let was_final = work.is_final;
        self.window_from = core.now;
        // Until another stage is decided on, the piece is due at once.
        work.stage = Stage::Due(core.now);
        match outcome {
            Outcome::Success | Outcome::StateTooLarge => {
                let carries = !was_final && !mutant!(core, TumblingStateLost);
                if let Some(open) = self.window.as_mut().filter(|_| carries) {
                    open.carried(outcome == Outcome::StateTooLarge);
                }
                self.finish(core, records);
                if outcome == Outcome::StateTooLarge && !was_final {
                    self.put_back(core);
                }
            }
            Outcome::Partial { first_failed } => {
                assert!(first_failed < records, "a failed item outside of its batch");
                if let Some(open) = &mut self.window {
                    open.carried(false);
                }
                if first_failed == 0 {
                    self.failed(core, Some(FailedAnswer::Reported));
                } else {
                    // Rule `stream-partial-progress-fresh-budget`: what is left is a new batch with all its tries.
                    self.finish(
                        core,
                        first_failed + u32::from(mutant!(core, PartialOffByOne)),
                    );
                    self.wait(core.now + core.tuning.backoff_first);
                }
            }
            Outcome::Rejected => self.failed(core, Some(FailedAnswer::Reported)),
            Outcome::FunctionError => self.failed(core, Some(FailedAnswer::Unhandled)),
            // Rule `stream-oversize-spends-tries`: recorded, although the handler never runs.
            Outcome::TooLarge => self.failed(core, None),
            Outcome::Throttled { retry_after } => self.refused(core, retry_after),
            Outcome::ServiceError => self.refused(core, Span::ZERO),
        }
        records
    }

    /// A delivery failed: bisect, try again, or give up.
    fn failed(&mut self, core: &mut Core<P>, answer: Option<FailedAnswer>) {
        let Some(work) = &mut self.work else {
            return;
        };
        work.refusals = 0;
        let count = work.end - work.start;
        if core.config.bisect_batch_on_function_error && count > 1 {
            // Rules `stream-bisect-order`, `stream-bisect-spends-no-retry`: at the first failure, the floor half
            // first; what then fails alone has all its tries.
            self.later.push(work.end);
            work.end = work.start + (count + u32::from(mutant!(core, BisectSecondHalfSmaller))) / 2;
            work.tries = 0;
            work.stage = Stage::Due(core.now + core.tuning.backoff_first);
            return;
        }
        work.tries += 1;
        let tries = work.tries;
        // Rule `stream-retry-budget`: N retries are N + 1 deliveries.
        let is_exhausted = |max: u32| {
            let spent = tries + u32::from(mutant!(core, OneTryTooFew));
            spent > max + u32::from(mutant!(core, OneTryTooMany))
        };
        if core.config.maximum_retry_attempts.is_some_and(is_exhausted) {
            let condition = Condition::RetryAttemptsExhausted;
            self.part_with(core, count, condition, tries, answer);
        } else {
            if mutant!(core, TriesForgotten) {
                work.tries = 0;
            }
            self.wait(core.now + retry::after_failures(&core.tuning, tries));
        }
    }

    /// Rule `stream-throttle-spends-no-retry`.
    fn refused(&mut self, core: &mut Core<P>, at_least: Span) {
        let Some(work) = &mut self.work else {
            return;
        };
        work.refusals += 1;
        work.tries += u32::from(mutant!(core, ThrottleSpendsTry));
        let pause = retry::after_failures(&core.tuning, work.refusals);
        self.wait(core.now + pause.max(at_least));
    }

    fn wait(&mut self, until: Time) {
        if let Some(work) = &mut self.work {
            work.stage = Stage::Due(until);
        }
    }

    /// Rule `stream-record-age`: before each delivery the expired head is cut off and given up, the rest is a new
    /// batch with its own tries. A window's final call is as old as its window.
    fn cut_expired(&mut self, core: &mut Core<P>) -> bool {
        let (Some(age_max), Some(work)) = (core.config.maximum_record_age, self.work) else {
            return false;
        };
        let is_old = |at: Time| (core.now.since(at) > age_max) ^ mutant!(core, AgeReversed);
        let list = &core.batches.all(work.batch)[work.start as usize..work.end as usize];
        let expired = list
            .iter()
            .take_while(|record| is_old(record.meta.arrival))
            .count() as u32;
        let over = work.is_final && self.window.is_some_and(|open| is_old(open.end()));
        if expired > 0 || over {
            let condition = Condition::RecordAgeExceeded;
            self.part_with(core, expired, condition, work.tries + 1, None);
        }
        expired > 0 || over
    }

    // ---- giving up ----

    /// Gives up the first `count` records of the piece, once the destination knows of them.
    fn part_with(
        &mut self,
        core: &mut Core<P>,
        count: u32,
        condition: Condition,
        invoke_count: u32,
        answer: Option<FailedAnswer>,
    ) {
        let parting = Parting {
            count,
            condition,
            invoke_count,
            answer,
            refusals: 0,
        };
        if core.config.on_failure.is_none() || mutant!(core, DestinationSkipped) {
            self.parted(core, parting, Delivery::NoDestination);
        } else if let Some(work) = &mut self.work {
            work.stage = Stage::Parting(parting, core.now);
        }
    }

    pub(super) fn diverted(&mut self, core: &mut Core<P>) {
        let parting = self.diverting();
        self.parted(core, parting, Delivery::Delivered);
    }

    /// Rule `destination-refusal-is-bounded`: a destination that may recover is asked five times, one that denies
    /// access once; then the records are dropped and the shard goes on.
    pub(super) fn divert_failed(&mut self, core: &mut Core<P>, class: FailureClass) {
        let mut parting = self.diverting();
        parting.refusals += 1;
        let denied = class == FailureClass::Denied;
        if denied || parting.refusals >= limits::DESTINATION_TRIES_MAX {
            self.parted(core, parting, Delivery::Refused);
        } else if let Some(work) = &mut self.work {
            let pause = retry::after_failures(&core.tuning, parting.refusals);
            work.stage = Stage::Parting(parting, core.now + pause);
        }
    }

    fn diverting(&self) -> Parting {
        match self.work {
            Some(Work {
                stage: Stage::Diverting(parting),
                ..
            }) => parting,
            _ => panic!("a lane was told of a diversion that it did not ask for"),
        }
    }

    fn parted(&mut self, core: &mut Core<P>, parting: Parting, destination: Delivery) {
        let Some(work) = self.work else {
            return;
        };
        let end = work.start + parting.count;
        let records = &core.batches.all(work.batch)[work.start as usize..end as usize];
        let (first, last) = self.ends(records);
        core.fact(Fact::Discarded {
            shard: self.shard,
            records: parting.count,
            condition: parting.condition,
            invoke_count: parting.invoke_count,
            first,
            last,
            destination,
        });
        self.finish(core, parting.count);
    }

    /// First and last record; a final call has none and stands at the end of its window.
    fn ends(&self, records: &[Record<P>]) -> (Meta, Meta) {
        match (records.first(), records.last()) {
            (Some(first), Some(last)) => (first.meta, last.meta),
            _ => {
                let nothing = Meta {
                    seq: Seq::default(),
                    group: 0,
                    arrival: self.window.map_or(Time::ZERO, |open| open.end()),
                    wire_len: 0,
                };
                (nothing, nothing)
            }
        }
    }

    // ---- progress ----

    /// The first `count` records of the piece are finished, one way or the other; goes on with the next piece.
    fn finish(&mut self, core: &mut Core<P>, count: u32) {
        let Some(work) = &mut self.work else {
            return;
        };
        let list = core.batches.all(work.batch);
        let end = (work.start + count) as usize;
        let next = list.get(end).or_else(|| self.buffer.front());
        let next = next.map(|record| record.meta.seq).or(self.let_go);
        // Rule `checkpoint-whole-sequence-number`: records taken out of one aggregate share a number, and only the
        // last of them moves the checkpoint.
        let finished = list[work.start as usize..end].iter().rev();
        let done = finished
            .map(|record| record.meta.seq)
            .find(|seq| Some(*seq) != next);
        self.done = done.or(self.done);
        work.start += count;
        if work.start == work.end {
            let Some(end) = self.later.pop() else {
                core.batches.end(work.batch);
                let was_final = work.is_final;
                self.work = None;
                if was_final {
                    self.close_window(core);
                }
                return;
            };
            work.end = end;
            if mutant!(core, BisectDropsMiddle) && work.start + 1 < end {
                work.start += 1;
            }
        }
        work.tries = 0;
        work.refusals = 0;
        work.stage = Stage::Due(core.now);
    }

    /// Lets what is left of the batch wait for the next one: the window's final call comes first
    /// (rule `window-state-limit`).
    fn put_back(&mut self, core: &mut Core<P>) {
        let Some(work) = self.work.take() else {
            return;
        };
        self.later.clear();
        for record in core.batches.take_from(work.batch, work.start).rev() {
            self.buffered += u64::from(record.meta.wire_len) + 1;
            self.buffer.push_front(record);
        }
        core.batches.end(work.batch);
    }

    fn close_window(&mut self, core: &mut Core<P>) {
        if let Some(open) = self.window.take() {
            core.fact(Fact::WindowClosed {
                shard: self.shard,
                start: open.start(),
                early: open.is_too_large(),
            });
        }
    }
}
