//! One shard: its reader, its lanes, and its checkpoint.

mod tenure;

use super::super::Core;
use super::super::batch::Batches;
use super::super::work::Todo;
use super::lane::Lane;
use super::progress::Progress;
use super::window::OpenWindow;
use crate::engine::retry;
use crate::engine::{
    Delta, Fact, FailureClass, Outcome, Page, Position, Seq, ShardId, Span, Time, Token,
    WakeReason, limits,
};

/// Lanes of a shard: ParallelizationFactor is at most 10.
const LANES_MAX: u32 = 10;
/// Deadlines of a shard: one per lane, and those of [`Timer`].
pub(super) const TIMERS_PER_SHARD: u32 = LANES_MAX + 2;

/// What a deadline of a shard is for, by the offset of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    Read,
    Store,
    Lane(u32),
}

impl Timer {
    const fn key(self, shard: ShardId) -> u32 {
        let offset = match self {
            Self::Read => 0,
            Self::Store => 1,
            Self::Lane(lane) => 2 + lane,
        };
        shard.0 * TIMERS_PER_SHARD + offset
    }

    pub(super) const fn of_key(key: u32) -> (ShardId, Self) {
        let timer = match key % TIMERS_PER_SHARD {
            0 => Self::Read,
            1 => Self::Store,
            offset => Self::Lane(offset - 2),
        };
        (ShardId(key / TIMERS_PER_SHARD), timer)
    }
}

/// A shard of a stream.
///
/// ```text
///            parents finished        shard_end page            all records done
///  Waiting ────────────────▶ Open ────────────────▶ Closing ─────────────────▶ Finished
/// ```
/// There is no way back, and no way from Waiting past Open: a shard is read before it can end. A shard whose lease goes is
/// Absent, by way of Leaving if there is time; should it come back, it begins anew.
#[derive(Debug)]
pub(super) struct Shard<P> {
    id: ShardId,
    phase: Phase,
    parents: Vec<ShardId>,
    reader: Reader,
    /// ParallelizationFactor of them (rule `lanes-by-key-hash`); an update takes effect once all are empty.
    lanes: Vec<Lane<P>>,
    progress: Progress,
    /// Leaving: the lowest record that was let go; progress ends before it.
    shed_from: Option<Seq>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Waiting,
    Open,
    Closing,
    Finished,
    /// Revoked: what is under way comes to its end.
    Leaving,
    /// Somebody else's.
    Absent,
}

#[derive(Debug)]
struct Reader {
    cursor: Position,
    in_flight: bool,
    started: Time,
    due: Time,
    failures: u32,
}

impl<P> Shard<P> {
    pub(super) fn new(listed: &crate::engine::Shard, core: &Core<P>) -> Self {
        let finished = listed.from == Position::End;
        let tumbling = core.config.tumbling_window;
        let window = listed.window.zip(tumbling);
        let window = window.map(|(start, length)| OpenWindow::resumed(start, length));
        let lane = |lane| {
            let timer = Timer::Lane(lane).key(listed.id);
            Lane::new(listed.id, timer, core.now, window)
        };
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
                started: core.now,
                due: core.now,
                failures: 0,
            },
            lanes: (0..core.config.parallelization_factor).map(lane).collect(),
            progress: Progress::new(listed.from, listed.window),
            shed_from: None,
        }
    }

    pub(super) fn in_hand(&self, batches: &Batches<P>) -> u64 {
        self.lanes.iter().map(|lane| lane.in_hand(batches)).sum()
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
        for lane in &mut self.lanes {
            lane.start(core.now);
        }
        self.reader.due = core.now;
        if self.reader.cursor == Position::Latest {
            // Rule `stream-latest-is-resolved`: a restart before the first record must not skip what
            // arrived in between, so "latest" is remembered as the moment at which it was meant.
            self.progress.reach(Position::At(core.now));
        }
        core.fact(Fact::ShardStarted { shard: self.id });
    }

    // ---- reading ----

    pub(super) fn next_read(&mut self, core: &mut Core<P>) -> Option<(Position, u32)> {
        if self.phase != Phase::Open || self.reader.in_flight {
            return None;
        }
        if !core.is_taking() && !mutant!(core, DisabledReadsOn) {
            return None;
        }
        if !self.fits_lanes(core) || !self.has_room(core) {
            return None;
        }
        if self.reader.due > core.now {
            let key = Timer::Read.key(self.id);
            core.timers.set(key, self.reader.due, WakeReason::ReadDue);
            return None;
        }
        self.reader.in_flight = true;
        self.reader.started = core.now;
        Some((self.reader.cursor, core.tuning.page_records_max))
    }

    /// Rule `stream-reads-ahead`: reading stops once the next batch of every lane is complete, and at the latest when as
    /// many records or bytes wait as all lanes together take in one batch each. Memory is bounded by that and one page.
    fn has_room(&self, core: &Core<P>) -> bool {
        match self.lanes.as_slice() {
            [only] => !only.is_complete(core),
            lanes => {
                let waiting: usize = lanes.iter().map(Lane::waiting).sum();
                let bytes: u64 = lanes.iter().map(Lane::waiting_bytes).sum();
                waiting < lanes.len() * core.config.batch_size as usize
                    && bytes <= lanes.len() as u64 * limits::EVENT_BYTES_MAX
                    && lanes.iter().any(|lane| !lane.is_complete(core))
            }
        }
    }

    /// Whether the lanes are as many as configured. Another factor waits until nothing is unfinished: a key that
    /// changes its lane must not overtake itself.
    fn fits_lanes(&mut self, core: &Core<P>) -> bool {
        let wanted = core.config.parallelization_factor;
        if self.lanes.len() == wanted as usize {
            return true;
        }
        if !self.lanes.iter().all(Lane::is_empty) {
            return false;
        }
        // What was read before is finished, and an end that a dropped lane had still to tell is the page's.
        self.progress.all_done();
        self.lanes.truncate(wanted as usize);
        for lane in self.lanes.len() as u32..wanted {
            let timer = Timer::Lane(lane).key(self.id);
            self.lanes.push(Lane::new(self.id, timer, core.now, None));
        }
        true
    }

    pub(super) fn page(&mut self, core: &mut Core<P>, mut page: Page<P>) {
        self.reader.in_flight = false;
        if self.is_leaving() || core.is_ending() {
            // Nobody will work on it, and what it says of the shard's end is not stored.
            return core.batches.recycle(page.records);
        }
        self.reader.failures = 0;
        self.reader.due = self.reader.started + pause_after(core, &page);
        core.fact(Fact::Polled {
            shard: Some(self.id),
            records: page.records.len() as u32 + page.filtered,
            filtered: page.filtered,
            behind: page.behind,
        });
        let at_tip = page.behind == Span::ZERO;
        for lane in &mut self.lanes {
            lane.set_at_tip(at_tip);
        }
        if mutant!(core, PageReversed) {
            page.records.reverse();
        }
        let last = page.records.last().map(|record| record.meta.seq);
        match self.lanes.as_mut_slice() {
            [only] => page.records.drain(..).for_each(|record| only.push(record)),
            lanes => {
                for record in page.records.drain(..) {
                    self.progress.read(record.meta.seq);
                    let lane = lane_of(record.meta.group, lanes.len());
                    lanes[lane].push(record);
                }
            }
        }
        core.batches.recycle(page.records);
        if let Some(end) = page.end.or(last) {
            self.reader.cursor = Position::After(end);
        }
        if page.shard_end {
            self.phase = Phase::Closing;
        }
    }

    pub(super) fn read_failed(&mut self, core: &mut Core<P>, class: FailureClass) {
        self.reader.in_flight = false;
        self.reader.failures += 1;
        for lane in &mut self.lanes {
            lane.set_at_tip(false);
        }
        let pause = match class {
            FailureClass::Throttled => {
                retry::throttled_read(&core.tuning, self.reader.failures, &mut core.rng)
            }
            FailureClass::Transient => retry::after_failures(&core.tuning, self.reader.failures),
            FailureClass::Denied => core.tuning.backoff_max,
        };
        self.reader.due = core.now + pause;
    }

    // ---- the lanes ----

    pub(super) const fn lane_count(&self) -> u32 {
        self.lanes.len() as u32
    }

    /// What the lane wants done now, if anything. A factor that shrank leaves deadlines of lanes behind that are gone.
    pub(super) fn next_todo(&mut self, core: &mut Core<P>, lane: u32) -> Option<Todo> {
        let closing = self.phase == Phase::Closing;
        let alone = self.lanes.len() == 1;
        let lane = self.lanes.get_mut(lane as usize)?;
        lane.next(core, closing, alone)
    }

    pub(super) fn report_invoke(&self, core: &mut Core<P>, lane: u32, token: Token, attempt: u32) {
        self.lanes[lane as usize].report_invoke(core, token, attempt);
    }

    pub(super) fn invoked(&mut self, core: &mut Core<P>, lane: u32, outcome: Outcome) -> u32 {
        self.lanes[lane as usize].invoked(core, outcome)
    }

    pub(super) fn diverted(&mut self, core: &mut Core<P>, lane: u32) {
        self.lanes[lane as usize].diverted(core);
    }

    pub(super) fn divert_failed(&mut self, core: &mut Core<P>, lane: u32, class: FailureClass) {
        self.lanes[lane as usize].divert_failed(core, class);
    }

    // ---- the checkpoint ----

    /// What to store now, if anything.
    pub(super) fn next_checkpoint(&mut self, core: &Core<P>) -> Option<(Delta, Option<Time>)> {
        self.settle(core);
        self.progress.next()
    }

    /// Finds out how far the shard is finished.
    fn settle(&mut self, core: &Core<P>) {
        if !self.is_started() || self.is_finished() {
            return;
        }
        match self.lanes.as_mut_slice() {
            [only] => {
                if let Some(seq) = only.take_done() {
                    self.progress.reach(Position::After(seq));
                }
                self.progress.within(only.stored_window());
            }
            lanes => {
                // Between two completions nothing can have moved.
                let moved = lanes.iter_mut().filter_map(Lane::take_done).count() > 0;
                if moved {
                    let unfinished = lanes.iter().filter_map(|lane| lane.unfinished(core));
                    let unfinished = unfinished.chain(self.shed_from).min();
                    let unfinished =
                        unfinished.filter(|_| !mutant!(core, LanesCheckpointPastUnfinished));
                    self.progress.done_before(unfinished);
                }
                // Windows have one lane; one that is open while there are several belongs to options that were changed.
                let open = lanes.iter().find_map(Lane::stored_window);
                self.progress.within(open);
            }
        }
        let is_empty = !self.is_leaving() && self.lanes.iter().all(Lane::is_empty);
        if is_empty || mutant!(core, CheckpointFollowsReads) {
            self.follow_page();
        }
    }

    /// Rule `checkpoint-follows-page`: once nothing read is unfinished, progress is the page's end, not the
    /// last record that happened to be kept.
    fn follow_page(&mut self) {
        if let Position::After(_) = self.reader.cursor {
            self.progress.reach(self.reader.cursor);
        }
        if self.phase == Phase::Closing && !self.lanes.iter().any(Lane::is_in_window) {
            self.progress.reach(Position::End);
        }
    }

    /// The store confirmed; returns whether that was the shard's end.
    pub(super) fn stored(&mut self, core: &mut Core<P>) -> bool {
        let to = self.progress.confirmed();
        core.fact(Fact::Checkpointed { shard: self.id, to });
        let ended = to == Position::End;
        if ended {
            self.phase = Phase::Finished;
        }
        ended
    }

    pub(super) fn store_failed(&mut self, core: &mut Core<P>) {
        if mutant!(core, FailedStoreForgotten) {
            self.progress.confirmed();
            return;
        }
        let failures = self.progress.failed();
        let at = core.now + retry::after_failures(&core.tuning, failures);
        let key = Timer::Store.key(self.id);
        core.timers.set(key, at, WakeReason::BackoffEnd);
    }

    pub(super) fn store_retry_due(&mut self) {
        self.progress.retry_due();
    }
}

/// Rule `lanes-by-key-hash`: AWS keeps the order of a key and says no more; a multiplication spreads the hash's upper
/// bits evenly over any number of lanes.
fn lane_of(group: u64, lanes: usize) -> usize {
    ((u128::from(group) * lanes as u128) >> 64) as usize
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
