//! One shard: its reader, its lane of batches, and its checkpoint.

use super::super::Core;
use super::Verdict;
use crate::engine::retry;
use crate::engine::{
    BatchId, Condition, Delivery, Delta, Fact, FailureClass, Outcome, Page, Position, Record,
    ShardId, Span, Time, Token, WakeReason, limits,
};
use std::collections::VecDeque;

pub(super) const TIMERS_PER_SHARD: u32 = 3;

/// The deadlines of a shard, as offsets of its timer keys.
#[derive(Clone, Copy, Debug)]
pub(super) enum Timer {
    Read = 0,
    Lane = 1,
    Store = 2,
}

/// A shard of a stream.
///
/// ```text
///            parents finished        shard_end page            all records done
///  Waiting ────────────────▶ Open ────────────────▶ Closing ─────────────────▶ Finished
/// ```
/// There is no way back, and no way from Waiting past Open: a shard is read before it can end.
#[derive(Debug)]
pub(super) struct Shard<P> {
    id: ShardId,
    phase: Phase,
    parents: Vec<ShardId>,
    reader: Reader,
    buffer: VecDeque<Record<P>>,
    /// Encoded bytes of the buffered records, a comma each.
    buffered: u64,
    lane: Lane,
    /// When the previous invocation completed: the batching window counts from here.
    window_from: Time,
    checkpoint: Checkpoint,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Waiting,
    Open,
    Closing,
    Finished,
}

#[derive(Debug)]
struct Reader {
    cursor: Position,
    in_flight: bool,
    started: Time,
    due: Time,
    failures: u32,
}

/// The lane holds at most one batch: order within a shard needs no more than that (rule `stream-one-batch-per-shard`).
#[derive(Clone, Copy, Debug)]
enum Lane {
    Idle,
    /// A batch that is to be invoked at `due`, or is being invoked.
    Busy {
        batch: BatchId,
        running: bool,
        due: Time,
        /// Failed deliveries that reached the function.
        tries: u32,
        /// Refusals in a row, which spend no try.
        refusals: u32,
    },
}

#[derive(Debug)]
struct Checkpoint {
    stored: Position,
    wanted: Position,
    in_flight: Option<Position>,
    failures: u32,
    blocked: bool,
}

impl<P> Shard<P> {
    pub(super) fn new(listed: &crate::engine::Shard, now: Time) -> Self {
        let finished = listed.from == Position::End;
        Self {
            id: listed.id,
            phase: if finished {
                Phase::Finished
            } else {
                Phase::Waiting
            },
            parents: listed.parents.clone(),
            reader: Reader {
                cursor: listed.from,
                in_flight: false,
                started: now,
                due: now,
                failures: 0,
            },
            buffer: VecDeque::new(),
            buffered: 0,
            lane: Lane::Idle,
            window_from: now,
            checkpoint: Checkpoint {
                stored: listed.from,
                wanted: listed.from,
                in_flight: None,
                failures: 0,
                blocked: false,
            },
        }
    }

    pub(super) fn buffered(&self) -> u64 {
        self.buffer.len() as u64
    }

    pub(super) fn parents(&self) -> &[ShardId] {
        &self.parents
    }

    pub(super) fn is_started(&self) -> bool {
        self.phase != Phase::Waiting
    }

    pub(super) fn is_finished(&self) -> bool {
        self.phase == Phase::Finished
    }

    pub(super) fn start(&mut self, core: &mut Core<P>) {
        assert!(self.phase == Phase::Waiting, "a shard starts once");
        self.phase = Phase::Open;
        self.window_from = core.now;
        self.reader.due = core.now;
        if self.reader.cursor == Position::Latest {
            // Rule `stream-latest-is-resolved`: a restart before the first record must not skip what
            // arrived in between, so "latest" is remembered as the moment at which it was meant.
            self.checkpoint.wanted = Position::At(core.now);
        }
        core.fact(Fact::ShardStarted { shard: self.id });
    }

    // ---- reading ----

    pub(super) fn next_read(&mut self, core: &mut Core<P>) -> Option<(Position, u32)> {
        // Reading ahead stops once the next batch is complete: memory is bounded by a batch and a page.
        let complete = self.batch_is_complete(core);
        if self.phase != Phase::Open || self.reader.in_flight || !core.is_taking() || complete {
            return None;
        }
        if self.reader.due > core.now {
            self.set_timer(core, Timer::Read, self.reader.due, WakeReason::ReadDue);
            return None;
        }
        self.reader.in_flight = true;
        self.reader.started = core.now;
        Some((self.reader.cursor, core.tuning.page_records_max))
    }

    pub(super) fn page(&mut self, core: &mut Core<P>, mut page: Page<P>) {
        self.reader.in_flight = false;
        self.reader.failures = 0;
        self.reader.due = self.reader.started + pause_after(core, &page);
        core.fact(Fact::Polled {
            shard: Some(self.id),
            records: page.records.len() as u32 + page.filtered,
            filtered: page.filtered,
            behind: page.behind,
        });
        let last = page.records.last().map(|record| record.meta.seq);
        for record in page.records.drain(..) {
            self.buffered += u64::from(record.meta.wire_len) + 1;
            self.buffer.push_back(record);
        }
        core.recycle(page.records);
        if let Some(end) = page.end.or(last) {
            self.reader.cursor = Position::After(end);
        }
        if page.shard_end {
            self.phase = Phase::Closing;
        }
        self.follow_page();
    }

    pub(super) fn read_failed(&mut self, core: &mut Core<P>, class: FailureClass) {
        self.reader.in_flight = false;
        self.reader.failures += 1;
        let pause = match class {
            FailureClass::Throttled | FailureClass::Transient => {
                retry::after_failures(&core.tuning, self.reader.failures)
            }
            FailureClass::Denied => core.tuning.backoff_max,
        };
        self.reader.due = core.now + pause;
    }

    // ---- the lane ----

    /// The batch to invoke now and which attempt it is, if there is one.
    pub(super) fn next_invoke(&mut self, core: &mut Core<P>) -> Option<(BatchId, u32)> {
        loop {
            if matches!(self.lane, Lane::Idle) && !self.form_batch(core) {
                return None;
            }
            let Lane::Busy { running, due, .. } = self.lane else {
                return None;
            };
            if running || !core.is_taking() {
                return None;
            }
            if due > core.now {
                self.set_timer(core, Timer::Lane, due, WakeReason::BackoffEnd);
                return None;
            }
            self.cut_expired(core);
            if let Lane::Busy {
                batch,
                running,
                tries,
                ..
            } = &mut self.lane
            {
                *running = true;
                return Some((*batch, *tries + 1));
            }
        }
    }

    pub(super) fn report_invoke(&self, core: &mut Core<P>, token: Token) {
        let Lane::Busy { batch, tries, .. } = self.lane else {
            return;
        };
        let records = core.batch_list(batch);
        let (first, last) = ends(records);
        let fact = Fact::InvokeSent {
            token,
            records: records.len() as u32,
            attempt: tries + 1,
            first_arrival: first.arrival,
            last_arrival: last.arrival,
        };
        core.fact(fact);
    }

    /// Takes the outcome of the running invocation and returns how many records it had.
    pub(super) fn invoked(&mut self, core: &mut Core<P>, outcome: Outcome) -> u32 {
        let Lane::Busy {
            batch,
            running,
            due,
            tries,
            refusals,
        } = &mut self.lane
        else {
            panic!("an idle lane was told of an invocation");
        };
        assert!(*running, "a waiting lane was told of an invocation");
        *running = false;
        let batch = *batch;
        let records = core.batch_list(batch).len() as u32;
        self.window_from = core.now;
        match Verdict::from(outcome) {
            Verdict::Succeeded => self.batch_done(core, batch),
            Verdict::Failed => {
                *tries += 1;
                *refusals = 0;
                let tries = *tries;
                // Rule `stream-retry-budget`: N retries are N + 1 deliveries.
                if core
                    .config
                    .maximum_retry_attempts
                    .is_some_and(|max| tries > max)
                {
                    let condition = Condition::RetryAttemptsExhausted;
                    self.report_discard(core, batch, records as usize, condition, tries);
                    self.batch_done(core, batch);
                } else {
                    *due = core.now + retry::after_failures(&core.tuning, tries);
                }
            }
            Verdict::Refused => {
                // Rule `stream-throttle-spends-no-retry`.
                *refusals += 1;
                let at_least = match outcome {
                    Outcome::Throttled { retry_after } => retry_after,
                    _ => Span::ZERO,
                };
                let pause = retry::after_failures(&core.tuning, *refusals);
                *due = core.now + pause.max(at_least);
            }
        }
        records
    }

    /// Moves records from the buffer into a batch if one of the three triggers of batching holds.
    fn form_batch(&mut self, core: &mut Core<P>) -> bool {
        if self.buffer.is_empty() || !core.is_taking() {
            return false;
        }
        let window_end = self.window_from + core.config.window;
        let elapsed = window_end <= core.now; // rule `batch-window-from-previous-invocation`
        if !(self.batch_is_complete(core) || elapsed || self.phase == Phase::Closing) {
            self.set_timer(core, Timer::Lane, window_end, WakeReason::WindowEnd);
            return false;
        }
        let (count, bytes) = self.fitting(core);
        self.buffered -= bytes;
        let mut list = core.spare.pop().unwrap_or_default();
        list.extend(self.buffer.drain(..count));
        self.lane = Lane::Busy {
            batch: BatchId(core.batches.insert(list)),
            running: false,
            due: core.now,
            tries: 0,
            refusals: 0,
        };
        true
    }

    /// Whether size or payload alone would send the next batch (rules `batch-size`, `batch-payload-limit`).
    fn batch_is_complete(&self, core: &Core<P>) -> bool {
        self.buffer.len() >= core.config.batch_size as usize
            || u64::from(core.tuning.envelope_len) + self.buffered > limits::EVENT_BYTES_MAX
    }

    /// How many buffered records the next batch takes, and their bytes with a comma each.
    ///
    /// One record always goes, however large: the target refuses it, and the retry rules take over.
    fn fitting(&self, core: &Core<P>) -> (usize, u64) {
        let limit = limits::EVENT_BYTES_MAX - u64::from(core.tuning.envelope_len);
        let mut bytes = 0;
        let mut count = 0;
        for record in self.buffer.iter().take(core.config.batch_size as usize) {
            let with = bytes + u64::from(record.meta.wire_len);
            if count > 0 && with > limit {
                break;
            }
            bytes = with + 1;
            count += 1;
        }
        (count, bytes)
    }

    /// Rule `stream-record-age`: before each delivery the expired head is cut off and given up, the rest
    /// is a new batch with its own tries.
    fn cut_expired(&mut self, core: &mut Core<P>) {
        let Some(age_max) = core.config.maximum_record_age else {
            return;
        };
        let Lane::Busy { batch, tries, .. } = self.lane else {
            return;
        };
        let now = core.now;
        let list = core.batch_list(batch);
        let expired = list
            .iter()
            .take_while(|record| now.since(record.meta.arrival) > age_max)
            .count();
        if expired == 0 {
            return;
        }
        self.report_discard(
            core,
            batch,
            expired,
            Condition::RecordAgeExceeded,
            tries + 1,
        );
        if expired == core.batch_list(batch).len() {
            self.batch_done(core, batch);
            return;
        }
        let list = core.batch_list(batch);
        let last = list[expired - 1].meta.seq;
        list.drain(..expired);
        self.checkpoint.wanted = Position::After(last);
        self.lane = Lane::Busy {
            batch,
            running: false,
            due: now,
            tries: 0,
            refusals: 0,
        };
    }

    fn report_discard(
        &self,
        core: &mut Core<P>,
        batch: BatchId,
        count: usize,
        condition: Condition,
        invoke_count: u32,
    ) {
        let (first, last) = ends(&core.batch_list(batch)[..count]);
        core.fact(Fact::Discarded {
            shard: self.id,
            records: count as u32,
            condition,
            invoke_count,
            first,
            last,
            destination: Delivery::NoDestination,
        });
    }

    fn batch_done(&mut self, core: &mut Core<P>, batch: BatchId) {
        let (_, last) = ends(core.batch_list(batch));
        self.checkpoint.wanted = Position::After(last.seq);
        core.end_batch(batch);
        self.lane = Lane::Idle;
        self.follow_page();
    }

    // ---- the checkpoint ----

    /// Rule `checkpoint-follows-page`: once nothing read is unfinished, progress is the page's end, not the
    /// last record that happened to be kept.
    fn follow_page(&mut self) {
        if !self.buffer.is_empty() || !matches!(self.lane, Lane::Idle) {
            return;
        }
        if self.phase == Phase::Closing {
            self.checkpoint.wanted = Position::End;
        } else if let Position::After(_) = self.reader.cursor {
            self.checkpoint.wanted = self.reader.cursor;
        }
    }

    pub(super) fn next_checkpoint(&mut self) -> Option<Delta> {
        let checkpoint = &mut self.checkpoint;
        if checkpoint.in_flight.is_some()
            || checkpoint.blocked
            || checkpoint.stored == checkpoint.wanted
        {
            return None;
        }
        checkpoint.in_flight = Some(checkpoint.wanted);
        Some(Delta {
            from: checkpoint.stored,
            to: checkpoint.wanted,
        })
    }

    /// The store confirmed; returns whether that was the shard's end.
    pub(super) fn stored(&mut self, core: &mut Core<P>) -> bool {
        let Some(to) = self.checkpoint.in_flight.take() else {
            panic!("a checkpoint was confirmed that nobody asked for");
        };
        self.checkpoint.stored = to;
        self.checkpoint.failures = 0;
        core.fact(Fact::Checkpointed { shard: self.id, to });
        let ended = to == Position::End;
        if ended {
            self.phase = Phase::Finished;
        }
        ended
    }

    /// Rule `stream-checkpoint-is-retried`: a store that fails holds nothing up but itself.
    pub(super) fn store_failed(&mut self, core: &mut Core<P>) {
        self.checkpoint.in_flight = None;
        self.checkpoint.failures += 1;
        self.checkpoint.blocked = true;
        let pause = retry::after_failures(&core.tuning, self.checkpoint.failures);
        self.set_timer(core, Timer::Store, core.now + pause, WakeReason::BackoffEnd);
    }

    pub(super) fn store_retry_due(&mut self) {
        self.checkpoint.blocked = false;
    }

    fn set_timer(&self, core: &mut Core<P>, timer: Timer, at: Time, reason: WakeReason) {
        core.timers
            .set(self.id.0 * TIMERS_PER_SHARD + timer as u32, at, reason);
    }
}

/// How long after the start of a read the next one may start (rule `kinesis-read-rate`): the base interval at the
/// tip, and while behind as fast as calls and bytes per second and shard allow.
fn pause_after<P>(core: &Core<P>, page: &Page<P>) -> Span {
    let tuning = &core.tuning;
    let behind = page.behind > Span::ZERO || page.records.len() >= tuning.page_records_max as usize;
    if !behind {
        return tuning.poll_interval;
    }
    let by_calls = Span::from_nanos(1_000_000_000 / u64::from(tuning.reads_per_sec_max.max(1)));
    let nanos =
        u128::from(page.bytes) * 1_000_000_000 / u128::from(tuning.read_bytes_per_sec_max.max(1));
    by_calls.max(Span::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)))
}

/// First and last of a list that is never empty.
fn ends<P>(records: &[Record<P>]) -> (crate::engine::Meta, crate::engine::Meta) {
    match (records.first(), records.last()) {
        (Some(first), Some(last)) => (first.meta, last.meta),
        _ => unreachable!("a batch has at least one record"),
    }
}
