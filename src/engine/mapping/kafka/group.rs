//! Membership: who is in the group, what it was given and what is taken away, and the commits behind that.

use super::super::Core;
use super::consumer::{Consumer, Membership, Timer};
use super::gather::is_provisioned;
use super::partition::Tenure;
use super::{Kafka, Pending};
use crate::engine::{Action, Fact, ReturnCause, Shard, ShardId, WakeReason, retry};

impl<P> Kafka<P> {
    // ---- coming and going ----

    /// Lets as many consumers join as are wanted.
    pub(super) fn recruit(&mut self, core: &mut Core<P>) {
        if !core.is_taking() {
            return;
        }
        for id in 0..self.scaling.consumers() {
            if id as usize == self.consumers.len() {
                let consumer = Consumer::new(is_provisioned(core), core.now);
                self.consumers.push(consumer);
            }
            let consumer = &mut self.consumers[id as usize];
            if consumer.stage == Membership::Absent {
                consumer.stage = Membership::Member;
                consumer.window_from = core.now;
                consumer.receive_due = core.now;
                consumer.failures = 0;
                self.step(core, id);
            }
        }
    }

    /// Lets the consumers go that are not wanted: all of them when nothing is taken any more. What they gathered is
    /// dropped, what is in flight comes to its end and is committed, and then they leave.
    pub(super) fn dismiss(&mut self, core: &mut Core<P>) {
        let wanted = if core.is_taking() {
            self.scaling.consumers()
        } else {
            0
        };
        for id in wanted..self.consumers.len() as u32 {
            let consumer = &mut self.consumers[id as usize];
            if consumer.stage != Membership::Member {
                continue;
            }
            consumer.stage = Membership::Retiring;
            for shard in consumer.shards.clone() {
                self.forget(core, shard);
            }
            self.drop_waiting(core, id);
            self.step(core, id);
        }
    }

    /// Yields revoked partitions and leaves the group, each once nothing of them is in flight.
    pub(super) fn part_from_group(&mut self, core: &mut Core<P>, id: u32) {
        let mut revocations = std::mem::take(&mut self.consumers[id as usize].revocations);
        revocations.retain(|shards| {
            let is_over = shards.iter().all(|shard| self.is_quiet(*shard, id));
            if is_over {
                self.give_back(core, id, shards);
            }
            !is_over
        });
        self.consumers[id as usize].revocations = revocations;
        let consumer = &self.consumers[id as usize];
        let is_free = consumer.stage == Membership::Retiring
            && consumer.is_idle()
            && consumer.revocations.is_empty()
            && consumer.yielding == 0;
        let mut shards = consumer.shards.iter();
        if is_free && shards.all(|shard| self.is_quiet(*shard, id)) {
            let consumer = &mut self.consumers[id as usize];
            consumer.stage = Membership::Left;
            for shard in std::mem::take(&mut consumer.shards) {
                self.partitions[shard.0 as usize].forfeit();
            }
            self.work_on(core, Pending::Leave { consumer: id }, |token| {
                Action::Leave { token, poller: id }
            });
        }
    }

    /// Whether nothing of a partition that the consumer has will be committed any more.
    fn is_quiet(&self, shard: ShardId, id: u32) -> bool {
        let Some(partition) = self.partitions.get(shard.0 as usize) else {
            return true;
        };
        let is_mine = [Tenure::Held(id), Tenure::Leaving(id)].contains(&partition.tenure);
        let in_flight = partition.in_work.is_some_and(|it| !it.is_orphan);
        !is_mine || (!in_flight && partition.offsets.is_quiet())
    }

    fn give_back(&mut self, core: &mut Core<P>, id: u32, shards: &[ShardId]) {
        let consumer = &mut self.consumers[id as usize];
        consumer.yielding += 1;
        consumer.shards.retain(|it| !shards.contains(it));
        for shard in shards {
            let partition = self.partitions.get_mut(shard.0 as usize);
            if let Some(partition) = partition.filter(|it| it.tenure == Tenure::Leaving(id)) {
                partition.forfeit();
            }
        }
        let shards = shards.to_vec();
        self.work_on(core, Pending::Yield { consumer: id }, |token| {
            Action::Yield {
                token,
                poller: id,
                shards,
            }
        });
    }

    pub(super) fn yielded(&mut self, core: &mut Core<P>, id: u32) {
        self.consumers[id as usize].yielding -= 1;
        self.step(core, id);
    }

    pub(super) fn left(&mut self, core: &mut Core<P>, id: u32) {
        self.consumers[id as usize].stage = Membership::Absent;
        self.recruit(core);
    }

    // ---- what the group says ----

    /// Rule `kafka-committed-offset-wins`: a partition starts where the driver says, which is its committed offset if
    /// there is one. Consumers that are on their way out get nothing.
    pub(super) fn assigned(&mut self, core: &mut Core<P>, id: u32, shards: &[Shard]) {
        let stage = self.consumers.get(id as usize).map(|it| it.stage);
        let is_member = stage == Some(Membership::Member);
        for shard in shards {
            let Some(from) = shard.from.offset() else {
                panic!("partition {:?} starts at {:?}", shard.id, shard.from);
            };
            let tenure = self.partition(shard.id).tenure;
            if is_member {
                // A group gives out anew only what it has taken away; a consumer that it does not reach hears of that later.
                if let Tenure::Held(other) | Tenure::Leaving(other) = tenure
                    && other != id
                {
                    self.lost(core, other, &[shard.id]);
                }
                self.partition(shard.id).assign(id, from);
                self.consumers[id as usize].shards.push(shard.id);
                core.fact(Fact::ShardStarted { shard: shard.id });
            }
        }
        if is_member {
            self.step(core, id);
        }
    }

    /// Rule `kafka-revoked-batch-ends`. What is on its way out already is yielded by the revocation that said so.
    pub(super) fn revoked(&mut self, core: &mut Core<P>, id: u32, mut shards: Vec<ShardId>) {
        let stage = self.consumers.get(id as usize).map(|it| it.stage);
        if !matches!(stage, Some(Membership::Member | Membership::Retiring)) {
            return;
        }
        shards.retain(|&shard| self.partition(shard).tenure != Tenure::Leaving(id));
        for &shard in &shards {
            if self.partition(shard).is_held_by(id) {
                self.forget(core, shard);
                self.partition(shard).tenure = Tenure::Leaving(id);
            }
        }
        if !shards.is_empty() {
            self.consumers[id as usize].revocations.push(shards);
        }
        self.drop_waiting(core, id);
        self.step(core, id);
    }

    /// Rule `kafka-lost-is-not-committed`.
    pub(super) fn lost(&mut self, core: &mut Core<P>, id: u32, shards: &[ShardId]) {
        if self.consumers.len() <= id as usize {
            return;
        }
        for &shard in shards {
            let tenure = self.partition(shard).tenure;
            if [Tenure::Held(id), Tenure::Leaving(id)].contains(&tenure) {
                self.forget(core, shard);
                self.partition(shard).forfeit();
            }
        }
        let consumer = &mut self.consumers[id as usize];
        consumer.shards.retain(|it| !shards.contains(it));
        for revocation in &mut consumer.revocations {
            revocation.retain(|it| !shards.contains(it));
        }
        consumer.revocations.retain(|it| !it.is_empty());
        self.drop_waiting(core, id);
        self.step(core, id);
    }

    /// Drops what of a partition waits for a batch.
    fn forget(&mut self, core: &mut Core<P>, shard: ShardId) {
        let partition = &mut self.partitions[shard.0 as usize];
        let (Tenure::Held(id) | Tenure::Leaving(id)) = partition.tenure else {
            return;
        };
        let (records, bytes) = (partition.waiting(), partition.waiting_bytes());
        let consumer = &mut self.consumers[id as usize];
        consumer.withdraw(shard, records, bytes);
        consumer.gathered -= records as u64;
        consumer.gathered_bytes -= bytes;
        let records = partition.forget();
        self.return_uncommitted(core, records);
    }

    /// Drops what departs from all batches that nothing is in flight of.
    fn drop_waiting(&mut self, core: &mut Core<P>, id: u32) {
        use super::super::work::Stage;
        for lane in 0..self.consumers[id as usize].lanes.len() as u32 {
            let stage = self.work(id, lane).map(|work| work.stage);
            if let Some(Stage::Due(_) | Stage::Parting(..)) = stage {
                self.drop_departing(core, id, lane);
            }
        }
    }

    pub(super) fn return_uncommitted(&self, core: &mut Core<P>, records: u32) {
        if records > 0 {
            let cause = ReturnCause::Rebalanced;
            core.fact(Fact::Returned { records, cause });
        }
    }

    // ---- commits ----

    pub(super) fn commit(&mut self, core: &mut Core<P>, shard: ShardId) {
        let partition = &mut self.partitions[shard.0 as usize];
        if partition.tenure == Tenure::Gone {
            return;
        }
        let Some(delta) = partition.offsets.next() else {
            return;
        };
        let assignment = partition.assignment;
        let what = Pending::Commit { shard, assignment };
        self.work_on(core, what, |token| Action::Checkpoint {
            token,
            shard,
            delta,
            window: None,
        });
    }

    pub(super) fn committed(&mut self, core: &mut Core<P>, shard: ShardId, assignment: u32) {
        let partition = &mut self.partitions[shard.0 as usize];
        if partition.assignment != assignment {
            return;
        }
        let (to, records) = partition.offsets.confirmed();
        core.fact(Fact::Checkpointed { shard, to });
        core.fact(Fact::Committed { shard, records });
        self.commit(core, shard);
        self.commit_ended(core, shard);
    }

    /// Rule `kafka-commit-is-retried`: it holds nothing up, and nobody waits for it when the partition goes.
    pub(super) fn commit_failed(&mut self, core: &mut Core<P>, shard: ShardId, assignment: u32) {
        core.fact(Fact::CommitFailed { shard });
        let partition = &mut self.partitions[shard.0 as usize];
        if partition.assignment != assignment {
            return;
        }
        let failures = partition.offsets.failed();
        let at = core.now + retry::after_failures(&core.tuning, failures);
        let key = Timer::Commit(shard).key();
        core.timers.set(key, at, WakeReason::BackoffEnd);
        self.commit_ended(core, shard);
    }

    /// Whoever waits for a commit goes on.
    fn commit_ended(&mut self, core: &mut Core<P>, shard: ShardId) {
        match self.partitions[shard.0 as usize].tenure {
            Tenure::Leaving(id) => self.step(core, id),
            Tenure::Held(id) if self.consumers[id as usize].is_leaving() => self.step(core, id),
            Tenure::Held(_) | Tenure::Gone => {}
        }
    }
}
