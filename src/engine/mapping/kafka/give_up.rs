//! Records that are given up: by age, after too many tries, or because no event can hold them.

use super::super::Core;
use super::super::work::{Parting, Stage};
use super::deliver::shard_of;
use super::{Kafka, Pending};
use crate::engine::{
    Action, Condition, Delivery, Fact, FailedAnswer, Failure, FailureClass, limits, retry,
};

impl<P> Kafka<P> {
    /// Rule `kafka-record-age`: before each delivery the expired head of every partition is cut off and given up, the rest
    /// is a new batch with its own tries.
    pub(super) fn cut_expired(&mut self, core: &mut Core<P>, id: u32, lane: u32) -> bool {
        let (Some(age_max), Some(work)) = (core.config.maximum_record_age, self.work(id, lane))
        else {
            return false;
        };
        let list = &core.batches.all(work.batch)[..work.end as usize];
        let mut fresh = None;
        let expired: Vec<u32> = (0..)
            .zip(list)
            .filter(|(_, record)| {
                let shard = shard_of(record);
                let is_old = (core.now.since(record.meta.arrival) > age_max)
                    ^ mutant!(core, KafkaAgeReversed);
                if fresh != Some(shard) && !is_old {
                    fresh = Some(shard);
                }
                fresh != Some(shard)
            })
            .map(|(index, _)| index)
            .collect();
        if expired.is_empty() {
            return false;
        }
        core.batches.bring_forward(work.batch, &expired);
        let (count, condition) = (expired.len() as u32, Condition::RecordAgeExceeded);
        self.give_up(core, id, lane, count, condition, work.tries + 1, None);
        true
    }

    /// Gives up the first `count` records of the piece, once the destination knows of them.
    #[expect(clippy::too_many_arguments, reason = "what an invocation record says")]
    pub(super) fn give_up(
        &mut self,
        core: &mut Core<P>,
        id: u32,
        lane: u32,
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
        self.part_with(core, id, lane, parting);
    }

    pub(super) fn part_with(&mut self, core: &mut Core<P>, id: u32, lane: u32, parting: Parting) {
        if core.config.on_failure.is_none() {
            self.parted(core, id, lane, parting, Delivery::NoDestination);
        } else if let Some(work) = self.work_mut(id, lane) {
            work.stage = Stage::Parting(parting, core.now);
        }
    }

    pub(super) fn divert(&mut self, core: &mut Core<P>, id: u32, lane: u32, parting: Parting) {
        let Some(work) = self.work_mut(id, lane) else {
            return;
        };
        work.stage = Stage::Diverting(parting);
        let batch = work.batch;
        core.batches.narrow(batch, 0, parting.count);
        let failure = Failure {
            shard: shard_of(&core.batches.all(batch)[0]),
            condition: parting.condition,
            invoke_count: parting.invoke_count,
            answer: parting.answer,
            window: None,
        };
        let what = Pending::Divert { consumer: id, lane };
        self.work_on(core, what, |token| Action::Divert {
            token,
            batch,
            failure,
        });
    }

    pub(super) fn diverted(&mut self, core: &mut Core<P>, id: u32, lane: u32) {
        let parting = self.diverting(id, lane);
        self.parted(core, id, lane, parting, Delivery::Delivered);
        self.after_parting(core, id, lane);
    }

    /// Rule `destination-refusal-is-bounded` holds here as it does for streams.
    pub(super) fn divert_failed(
        &mut self,
        core: &mut Core<P>,
        id: u32,
        lane: u32,
        class: FailureClass,
    ) {
        let mut parting = self.diverting(id, lane);
        parting.refusals += 1;
        let denied = class == FailureClass::Denied;
        if denied || parting.refusals >= limits::DESTINATION_TRIES_MAX {
            self.parted(core, id, lane, parting, Delivery::Refused);
        } else if let Some(work) = self.work_mut(id, lane) {
            let pause = retry::after_failures(&core.tuning, parting.refusals);
            work.stage = Stage::Parting(parting, core.now + pause);
        }
        self.after_parting(core, id, lane);
    }

    fn after_parting(&mut self, core: &mut Core<P>, id: u32, lane: u32) {
        self.drop_departing(core, id, lane);
        self.step(core, id);
    }

    fn diverting(&self, id: u32, lane: u32) -> Parting {
        match self.work(id, lane).map(|work| work.stage) {
            Some(Stage::Diverting(parting)) => parting,
            _ => panic!("a lane was told of a diversion that it did not ask for"),
        }
    }

    fn parted(
        &mut self,
        core: &mut Core<P>,
        id: u32,
        lane: u32,
        parting: Parting,
        destination: Delivery,
    ) {
        let Some(work) = self.work(id, lane) else {
            return;
        };
        let records = &core.batches.all(work.batch)[..parting.count as usize];
        let (first, last) = (records[0].meta, records[records.len() - 1].meta);
        core.fact(Fact::Discarded {
            shard: shard_of(&records[0]),
            records: parting.count,
            condition: parting.condition,
            invoke_count: parting.invoke_count,
            first,
            last,
            destination,
        });
        self.finish_head(core, id, lane, parting.count);
    }
}
