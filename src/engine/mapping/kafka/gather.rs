//! From pages to batches: what is asked for, what waits, and when it is sent.

use super::super::Core;
use super::super::work::{Parting, Stage};
use super::consumer::{Consumer, Membership, Timer, Work};
use super::{Kafka, Pending};
use crate::engine::{
    Action, Condition, Fact, FailureClass, Page, ShardId, Span, Time, WakeReason, limits, retry,
};

/// How long a receive may wait while some partitions are held back: what becomes welcome meanwhile must not wait longer.
const HELD_WAIT: Span = Span::from_millis(250);
/// Pause after a page that was empty at once: a driver that may not wait would be asked without end.
const EMPTY_PAUSE: Span = Span::from_millis(100);

impl<P> Kafka<P> {
    // ---- receiving ----

    /// Asks for more records, as long as the consumer may have them.
    ///
    /// Rule `kafka-reads-ahead`: one batch for each that can be in flight waits at most, and one page. Partitions that are
    /// in a batch already must not fill all the room, so they are held back when they do.
    pub(super) fn receive(&mut self, core: &mut Core<P>, id: u32) {
        let consumer = &mut self.consumers[id as usize];
        if consumer.stage != Membership::Member || consumer.is_receiving || !core.is_taking() {
            return;
        }
        let lanes = consumer.lanes.len() as u64;
        let (records_max, bytes_max) = (
            lanes * u64::from(core.config.batch_size),
            lanes * payload_max(core),
        );
        let mut held = Vec::new();
        let (records, bytes) = if lanes == 1 {
            (consumer.gathered, consumer.gathered_bytes)
        } else {
            let busy = consumer.gathered - consumer.ready_records;
            let busy_bytes = consumer.gathered_bytes - consumer.ready_bytes;
            if busy >= records_max || busy_bytes > bytes_max {
                let is_busy = |it: &&ShardId| self.partitions[it.0 as usize].in_work.is_some();
                held.extend(consumer.shards.iter().filter(is_busy));
            }
            (consumer.ready_records, consumer.ready_bytes)
        };
        let full = records >= records_max || bytes > bytes_max;
        if full || (!held.is_empty() && held.len() == consumer.shards.len()) {
            return;
        }
        if consumer.receive_due > core.now {
            let key = Timer::Receive(id).key();
            core.timers
                .set(key, consumer.receive_due, WakeReason::ReadDue);
            return;
        }
        consumer.is_receiving = true;
        let records_max = u32::try_from(records_max - records).unwrap_or(u32::MAX);
        let wait = if held.is_empty() {
            core.tuning.long_poll
        } else {
            core.tuning.long_poll.min(HELD_WAIT)
        };
        let token = self.pend(Pending::Receive {
            consumer: id,
            started: core.now,
        });
        core.act(Action::Receive {
            token,
            poller: id,
            records_max,
            wait,
            held,
        });
    }

    pub(super) fn page(&mut self, core: &mut Core<P>, id: u32, started: Time, mut page: Page<P>) {
        let consumer = &mut self.consumers[id as usize];
        consumer.is_receiving = false;
        consumer.failures = 0;
        let is_empty = page.records.is_empty() && page.ends.is_empty();
        consumer.receive_due = if is_empty {
            started + EMPTY_PAUSE
        } else {
            started + pace(core, page.bytes)
        };
        // What a consumer that leaves still hands over comes again elsewhere.
        let is_member = consumer.stage == Membership::Member;
        let (mut records, mut filtered) = (0, 0);
        for record in page.records.drain(..) {
            let shard = ShardId(u32::try_from(record.meta.group).unwrap_or(u32::MAX));
            let Some(partition) = self.partitions.get_mut(shard.0 as usize) else {
                continue;
            };
            // Rule `kafka-order-per-partition`: what was read already is not read again.
            let skips = u64::from(mutant!(core, KafkaDropsFirstOfPage));
            let is_new = record.meta.seq.low_u64() >= partition.next + skips;
            if !is_member || !partition.is_held_by(id) || !is_new {
                continue;
            }
            let bytes = u64::from(record.meta.wire_len) + 1;
            records += 1;
            consumer.gathered += 1;
            consumer.gathered_bytes += bytes;
            partition.push(record);
            if partition.in_work.is_none() {
                if partition.waiting() == 1 {
                    consumer.ready.push_back(shard);
                }
                consumer.ready_records += 1;
                consumer.ready_bytes += bytes;
            }
        }
        core.batches.recycle(page.records);
        for end in page.ends {
            let Some(partition) = self.partitions.get_mut(end.shard.0 as usize) else {
                continue;
            };
            if is_member && partition.is_held_by(id) {
                filtered += end.filtered;
                partition.covered(end.next.low_u64(), end.filtered);
                self.commit(core, end.shard);
            }
        }
        self.scaling.read(records + filtered, page.bytes);
        core.fact(Fact::Polled {
            shard: None,
            records: records + filtered,
            filtered,
            behind: Span::ZERO,
        });
    }

    pub(super) fn receive_failed(&mut self, core: &mut Core<P>, id: u32, class: FailureClass) {
        core.fact(Fact::PollFailed);
        let consumer = &mut self.consumers[id as usize];
        consumer.is_receiving = false;
        consumer.failures += 1;
        let pause = match class {
            FailureClass::Throttled | FailureClass::Transient => {
                retry::after_failures(&core.tuning, consumer.failures)
            }
            FailureClass::Denied => core.tuning.backoff_max,
        };
        consumer.receive_due = core.now + pause;
    }

    // ---- forming batches ----

    pub(super) fn form_batches(&mut self, core: &mut Core<P>, id: u32) {
        for lane in 0..self.consumers[id as usize].lanes.len() as u32 {
            while self.begin(core, id, lane) {
                self.advance_lane(core, id, lane);
            }
        }
    }

    /// Gives an empty lane its next batch, if there is one. Rules `kafka-batch-triggers`, `kafka-window-clock`.
    fn begin(&mut self, core: &mut Core<P>, id: u32, lane: u32) -> bool {
        let consumer = &mut self.consumers[id as usize];
        let lane_now = consumer.lanes.get(lane as usize);
        let is_free = lane_now.is_some_and(|lane| lane.work.is_none());
        if !is_free || consumer.stage != Membership::Member || consumer.ready.is_empty() {
            return false;
        }
        let names = consumer.ready.len() as u64 * u64::from(core.tuning.partition_len);
        let is_complete = consumer.ready_records >= u64::from(core.config.batch_size)
            || consumer.ready_bytes + names > payload_max(core);
        let window_end = consumer.window_from + core.config.window;
        if !is_complete && window_end > core.now {
            let key = Timer::Window(id).key();
            core.timers.set(key, window_end, WakeReason::WindowEnd);
            return false;
        }
        self.form(core, id, lane);
        true
    }

    /// Fills a batch from the ready partitions, longest waiting first.
    ///
    /// Rule `kafka-batch-over-partitions`: it holds a run of each, in the order of offsets, and ends before the first record
    /// that would not fit (rule `kafka-payload-limit`). A record that fits no event goes alone, to be given up
    /// (rule `kafka-oversize-is-given-up`).
    fn form(&mut self, core: &mut Core<P>, id: u32, lane: u32) {
        let consumer = &mut self.consumers[id as usize];
        let mut list = core.batches.spare();
        let mut left = payload_max(core);
        let mut parting = None;
        while let Some(&shard) = consumer.ready.front() {
            let partition = &mut self.partitions[shard.0 as usize];
            let room = core.config.batch_size as usize - list.len();
            let name = u64::from(core.tuning.partition_len);
            let (mut count, bytes) = partition.fitting(room, left.saturating_sub(name));
            if count == 0 && list.is_empty() {
                count = 1;
                parting = Some(Parting {
                    count: 1,
                    condition: Condition::MaximumPayloadSizeExceeded,
                    invoke_count: 1,
                    answer: None,
                    refusals: 0,
                });
            }
            if count == 0 {
                break;
            }
            let (waiting, waiting_bytes) = (partition.waiting(), partition.waiting_bytes());
            partition.send(count, &mut list);
            consumer.ready.pop_front();
            consumer.ready_records -= waiting as u64;
            consumer.ready_bytes -= waiting_bytes;
            consumer.gathered -= count as u64;
            consumer.gathered_bytes -= waiting_bytes - partition.waiting_bytes();
            if partition.waiting() > 0 || parting.is_some() {
                break; // the batch is full, or its one record is to be given up
            }
            left = left.saturating_sub(name + bytes);
        }
        if is_provisioned(core) {
            consumer.window_from = core.now;
        }
        let end = list.len() as u32;
        consumer.lanes[lane as usize].work = Some(Work {
            batch: core.batches.begin(list),
            end,
            stage: Stage::Due(core.now),
            tries: 0,
            refusals: 0,
            sent: core.now,
        });
        if let Some(parting) = parting {
            self.part_with(core, id, lane, parting);
        }
    }

    /// Nothing of a partition is in a batch any more: what waits may go into the next one of whoever has it.
    pub(super) fn released(&mut self, shard: ShardId) {
        let partition = &self.partitions[shard.0 as usize];
        if let super::partition::Tenure::Held(id) = partition.tenure
            && partition.in_work.is_none()
            && partition.waiting() > 0
        {
            let consumer: &mut Consumer = &mut self.consumers[id as usize];
            consumer.offer(shard, partition.waiting(), partition.waiting_bytes());
            self.woken.push(id);
        }
    }
}

/// Bytes of partitions and records that fit into one event.
fn payload_max<P>(core: &Core<P>) -> u64 {
    limits::EVENT_BYTES_MAX - u64::from(core.tuning.envelope_len)
}

pub(super) const fn is_provisioned<P>(core: &Core<P>) -> bool {
    core.config.provisioned_pollers.is_some()
}

/// Rule `kafka-provisioned-throughput`: how long a provisioned poller takes for so many bytes.
fn pace<P>(core: &Core<P>, bytes: u64) -> Span {
    if !is_provisioned(core) {
        return Span::ZERO;
    }
    let nanos =
        u128::from(bytes) * 1_000_000_000 / u128::from(limits::KAFKA_POLLER_BYTES_PER_SEC_MAX);
    Span::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}
