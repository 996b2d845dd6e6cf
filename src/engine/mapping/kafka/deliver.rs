//! Invocations of a consumer's batches, and what their outcomes mean.

use super::super::Core;
use super::super::work::Stage;
use super::consumer::{Timer, Work};
use super::gather::is_provisioned;
use super::{Kafka, Pending};
use crate::engine::{
    Action, Condition, Fact, FailedAnswer, Outcome, Record, ShardId, Span, Time, Token, WakeReason,
    limits, retry,
};

impl<P> Kafka<P> {
    pub(super) fn advance_lanes(&mut self, core: &mut Core<P>, id: u32) {
        for lane in 0..self.consumers[id as usize].lanes.len() as u32 {
            self.advance_lane(core, id, lane);
        }
    }

    /// Does what is due of the piece in work.
    pub(super) fn advance_lane(&mut self, core: &mut Core<P>, id: u32, lane: u32) {
        while let Some(work) = self.work(id, lane) {
            let now = core.now;
            match work.stage {
                Stage::Running | Stage::Diverting(_) => return,
                Stage::Due(due) | Stage::Parting(_, due) if due > now => {
                    let key = Timer::Lane(id, lane).key();
                    core.timers.set(key, due, WakeReason::BackoffEnd);
                    return;
                }
                Stage::Parting(parting, _) => return self.divert(core, id, lane, parting),
                Stage::Due(_) => {
                    if !self.cut_expired(core, id, lane) {
                        return self.invoke(core, id, lane);
                    }
                }
            }
        }
    }

    fn invoke(&mut self, core: &mut Core<P>, id: u32, lane: u32) {
        let Some(work) = &mut self.consumers[id as usize].lanes[lane as usize].work else {
            return;
        };
        work.stage = Stage::Running;
        work.sent = core.now;
        let (batch, attempt) = (work.batch, work.tries + 1);
        core.batches.narrow(batch, 0, work.end);
        let records = &core.batches.all(batch)[..work.end as usize];
        let arrivals = records.iter().map(|record| record.meta.arrival);
        let (first_arrival, last_arrival) =
            arrivals.fold((Time::MAX, Time::ZERO), |(a, b), at| (a.min(at), b.max(at)));
        let records = records.len() as u32;
        let what = Pending::Invoke { consumer: id, lane };
        let token = self.pend(what);
        self.working += 1;
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
    }

    pub(super) fn invoked(&mut self, core: &mut Core<P>, token: Token, outcome: Outcome) {
        let (id, lane, records) = self.returned(core, token);
        core.fact(Fact::InvokeEnded {
            token,
            records,
            succeeded: outcome.succeeded(records),
            outcome,
        });
        match outcome {
            Outcome::Success | Outcome::StateTooLarge => {
                self.ran(core, id, lane);
                self.finish_head(core, id, lane, records);
                // Pieces that wait behind this one may have lost their partition meanwhile.
                self.drop_departing(core, id, lane);
            }
            Outcome::Partial { .. } => panic!("Kafka's partial result is Event::InvokedPartly"),
            Outcome::Rejected => self.failed(core, id, lane, FailedAnswer::Reported),
            Outcome::FunctionError => self.failed(core, id, lane, FailedAnswer::Unhandled),
            Outcome::TooLarge => self.too_large(core, id, lane),
            Outcome::Throttled { retry_after } => self.refused(core, id, lane, retry_after),
            Outcome::ServiceError => self.refused(core, id, lane, Span::ZERO),
        }
        self.step(core, id);
    }

    /// Rule `kafka-partial-lowest-per-partition`: of every partition, what comes before the lowest failed record is done,
    /// and the rest of all of them is the new batch.
    pub(super) fn invoked_partly(&mut self, core: &mut Core<P>, token: Token, failed: &[u32]) {
        let (id, lane, records) = self.returned(core, token);
        let (Some(&first_failed), Some(&last)) = (failed.first(), failed.last()) else {
            panic!("a partial result without failed records");
        };
        assert!(last < records, "a failed item outside of its batch");
        let Some(work) = self.work(id, lane) else {
            return;
        };
        let list = &core.batches.all(work.batch)[..records as usize];
        let done = before_lowest_failed(list, failed);
        core.fact(Fact::InvokeEnded {
            token,
            records,
            succeeded: done.len() as u32,
            outcome: Outcome::Partial { first_failed },
        });
        if done.is_empty() {
            self.failed(core, id, lane, FailedAnswer::Reported);
        } else {
            // Rule `kafka-partial-progress-fresh-budget`.
            self.ran(core, id, lane);
            self.finish_some(core, id, lane, &done);
            if self.drop_departing(core, id, lane) {
                self.wait(id, lane, core.now + core.tuning.backoff_first);
            }
        }
        self.step(core, id);
    }

    /// An invocation came back; from now on, its piece is due at once unless something else is decided.
    fn returned(&mut self, core: &mut Core<P>, token: Token) -> (u32, u32, u32) {
        let Pending::Invoke { consumer: id, lane } = self.take(token) else {
            panic!("{token:?} was not given for an invocation");
        };
        let consumer = &mut self.consumers[id as usize];
        if !is_provisioned(core) {
            consumer.window_from = core.now; // rule `kafka-window-clock`
        }
        let Some(work) = &mut consumer.lanes[lane as usize].work else {
            panic!("an idle lane was told of an invocation");
        };
        work.stage = Stage::Due(core.now);
        (id, lane, work.end)
    }

    /// The function worked on a piece.
    fn ran(&mut self, core: &Core<P>, id: u32, lane: u32) {
        if let Some(work) = self.work(id, lane) {
            self.scaling.ran(core.now.since(work.sent));
        }
    }

    /// A delivery failed: bisect, try again, or give up. Partitions that went meanwhile are not tried again.
    fn failed(&mut self, core: &mut Core<P>, id: u32, lane: u32, answer: FailedAnswer) {
        self.scaling.failed();
        let sent = self.work(id, lane).map_or(0, |work| work.end);
        if !self.drop_departing(core, id, lane) {
            return;
        }
        let Some(work) = self.work_mut(id, lane) else {
            return;
        };
        work.refusals = 0;
        // Rule `kafka-bisect`: halved at the first failure, the floor half first, and no try spent.
        if core.config.bisect_batch_on_function_error && sent > 1 {
            return self.halve(id, lane, core.now + core.tuning.backoff_first);
        }
        work.tries += 1;
        let (tries, count) = (work.tries, work.end);
        if retries_max(core).is_some_and(|max| tries > max) {
            let condition = Condition::RetryAttemptsExhausted;
            self.give_up(core, id, lane, count, condition, tries, Some(answer));
        } else {
            self.wait(
                id,
                lane,
                core.now + retry::after_failures(&core.tuning, tries),
            );
        }
    }

    /// Rule `kafka-too-large-is-split`: a target that takes less than Lambda gets halves, down to single records.
    fn too_large(&mut self, core: &mut Core<P>, id: u32, lane: u32) {
        let sent = self.work(id, lane).map_or(0, |work| work.end);
        if !self.drop_departing(core, id, lane) {
            return;
        }
        match self.work(id, lane) {
            Some(_) if sent > 1 => self.halve(id, lane, core.now),
            Some(work) => {
                let condition = Condition::MaximumPayloadSizeExceeded;
                self.give_up(core, id, lane, 1, condition, work.tries + 1, None);
            }
            None => {}
        }
    }

    /// The first half of the piece next, what is behind it later; both with all their tries. A record that is left alone
    /// because the others went with their partitions has not failed alone yet.
    fn halve(&mut self, id: u32, lane: u32, due: Time) {
        let lane = &mut self.consumers[id as usize].lanes[lane as usize];
        if let Some(work) = &mut lane.work {
            if work.end > 1 {
                lane.later.push(work.end);
                work.end /= 2;
            }
            work.tries = 0;
            work.stage = Stage::Due(due);
        }
    }

    /// Rule `kafka-throttle-spends-no-retry`.
    fn refused(&mut self, core: &mut Core<P>, id: u32, lane: u32, at_least: Span) {
        self.scaling.failed();
        if !self.drop_departing(core, id, lane) {
            return;
        }
        if let Some(work) = self.work_mut(id, lane) {
            work.refusals += 1;
            let pause = retry::after_failures(&core.tuning, work.refusals);
            work.stage = Stage::Due(core.now + pause.max(at_least));
        }
    }

    fn wait(&mut self, id: u32, lane: u32, until: Time) {
        if let Some(work) = self.work_mut(id, lane) {
            work.stage = Stage::Due(until);
        }
    }

    // ---- what leaves a batch ----

    pub(super) fn work(&self, id: u32, lane: u32) -> Option<Work> {
        let lane = self.consumers[id as usize].lanes.get(lane as usize)?;
        lane.work
    }

    pub(super) fn work_mut(&mut self, id: u32, lane: u32) -> Option<&mut Work> {
        let lanes = &mut self.consumers[id as usize].lanes;
        lanes.get_mut(lane as usize)?.work.as_mut()
    }

    /// The first `count` records of the piece are finished, one way or the other.
    pub(super) fn finish_head(&mut self, core: &mut Core<P>, id: u32, lane: u32, count: u32) {
        let Some(work) = self.work(id, lane) else {
            return;
        };
        if (count as usize) < core.batches.all(work.batch).len() {
            let head: Vec<u32> = (0..count).collect();
            return self.finish_some(core, id, lane, &head);
        }
        let mut runs = std::mem::take(&mut self.runs);
        runs_of(core.batches.all(work.batch).iter(), &mut runs);
        self.end_batch(core, id, lane, work);
        for (shard, records) in runs.drain(..) {
            self.finished(core, shard, records, None);
        }
        self.runs = runs;
    }

    /// The records at `indices` (ascending) are finished; the rest of the batch goes on with all its tries.
    fn finish_some(&mut self, core: &mut Core<P>, id: u32, lane: u32, indices: &[u32]) {
        let Some(work) = self.work(id, lane) else {
            return;
        };
        if indices.len() == core.batches.all(work.batch).len() {
            return self.finish_head(core, id, lane, work.end);
        }
        let mut runs = std::mem::take(&mut self.runs);
        let list = core.batches.all(work.batch);
        runs_of(indices.iter().map(|at| &list[*at as usize]), &mut runs);
        self.take_out(core, id, lane, work, indices);
        if let Some(work) = self.work_mut(id, lane) {
            work.tries = 0;
            work.refusals = 0;
            work.stage = Stage::Due(core.now);
        }
        for (shard, records) in runs.drain(..) {
            let list = core.batches.all(work.batch).iter();
            let mut left = list.filter(|it| shard_of(it) == shard);
            let first_left = left.next().map(|it| it.meta.seq.low_u64());
            let first_left = first_left.filter(|_| !mutant!(core, KafkaCommitsPastFailed));
            self.finished(core, shard, records, first_left);
        }
        self.runs = runs;
    }

    fn finished(&mut self, core: &mut Core<P>, shard: ShardId, records: u32, left: Option<u64>) {
        self.scaling.finished(records);
        self.partitions[shard.0 as usize].finished(records, left);
        self.commit(core, shard);
        self.released(shard);
    }

    /// Drops what is not to be sent again: everything of a consumer that leaves, and partitions that are revoked or lost.
    /// Returns whether anything of the piece is left.
    pub(super) fn drop_departing(&mut self, core: &mut Core<P>, id: u32, lane: u32) -> bool {
        let Some(work) = self.work(id, lane) else {
            return false;
        };
        let is_leaving = self.consumers[id as usize].is_leaving();
        let list = core.batches.all(work.batch);
        let departs = |record: &Record<P>| {
            is_leaving || self.partitions[shard_of(record).0 as usize].is_departing()
        };
        let indices: Vec<u32> = (0..list.len() as u32)
            .filter(|at| departs(&list[*at as usize]))
            .collect();
        if indices.is_empty() {
            return true;
        }
        let mut shards = Vec::new();
        for record in indices.iter().map(|at| &list[*at as usize]) {
            let shard = shard_of(record);
            self.partitions[shard.0 as usize].dropped(1, record.meta.seq.low_u64());
            if shards.last() != Some(&shard) {
                shards.push(shard);
            }
        }
        let mut in_piece = indices.iter().filter(|at| **at < work.end);
        let survives = in_piece.by_ref().count() < work.end as usize;
        self.return_uncommitted(core, indices.len() as u32);
        if indices.len() == list_len(core, work) {
            self.end_batch(core, id, lane, work);
        } else {
            self.take_out(core, id, lane, work, &indices);
        }
        for shard in shards {
            self.released(shard);
        }
        survives
    }

    /// Takes the records at `indices` (ascending, not all of them) out of the batch; goes on with the next piece if nothing
    /// is left of this one.
    fn take_out(&mut self, core: &mut Core<P>, id: u32, lane: u32, was: Work, indices: &[u32]) {
        core.batches.remove(was.batch, indices);
        let lane = &mut self.consumers[id as usize].lanes[lane as usize];
        let Some(work) = &mut lane.work else {
            return;
        };
        let before = |end: u32| indices.partition_point(|at| *at < end) as u32;
        if let Stage::Parting(parting, _) = &mut work.stage {
            parting.count -= before(parting.count);
            if parting.count == 0 {
                work.stage = Stage::Due(core.now);
            }
        }
        work.end -= before(work.end);
        for end in &mut lane.later {
            *end -= before(*end);
        }
        while work.end == 0 {
            let Some(end) = lane.later.pop() else {
                unreachable!("the pieces of a batch cover all of it");
            };
            work.end = end;
            work.tries = 0;
            work.refusals = 0;
            work.stage = Stage::Due(core.now);
        }
    }

    fn end_batch(&mut self, core: &mut Core<P>, id: u32, lane: u32, work: Work) {
        core.batches.end(work.batch);
        let provisioned = is_provisioned(core);
        let consumer = &mut self.consumers[id as usize];
        let lane = &mut consumer.lanes[lane as usize];
        lane.work = None;
        lane.later.clear();
        if provisioned {
            consumer.window_from = core.now; // rule `kafka-window-clock`
        }
        consumer.fit(provisioned);
    }
}

fn list_len<P>(core: &Core<P>, work: Work) -> usize {
    core.batches.all(work.batch).len()
}

/// The partition of a record.
pub(super) fn shard_of<P>(record: &Record<P>) -> ShardId {
    ShardId(record.meta.group as u32)
}

/// How many records there are of each partition, in the order in which they stand.
fn runs_of<'r, P: 'r>(
    records: impl Iterator<Item = &'r Record<P>>,
    runs: &mut Vec<(ShardId, u32)>,
) {
    for record in records {
        let shard = shard_of(record);
        match runs.last_mut() {
            Some((last, count)) if *last == shard => *count += 1,
            _ => runs.push((shard, 1)),
        }
    }
}

/// Indices of the records that no failed one of the same partition comes before.
fn before_lowest_failed<P>(list: &[Record<P>], failed: &[u32]) -> Vec<u32> {
    let mut failed = failed.iter().copied().peekable();
    let mut done = Vec::new();
    let mut failing = None;
    for (index, record) in (0..).zip(list) {
        let shard = shard_of(record);
        if failed.next_if_eq(&index).is_some() {
            failing = Some(shard);
        }
        if failing != Some(shard) {
            done.push(index);
        }
    }
    done
}

/// Rules `kafka-retries-for-ever` and `kafka-destination-caps-retries`.
fn retries_max<P>(core: &Core<P>) -> Option<u32> {
    let with_destination = core.config.on_failure.is_some();
    let cap = with_destination.then_some(limits::KAFKA_DESTINATION_RETRIES);
    core.config.maximum_retry_attempts.or(cap)
}
