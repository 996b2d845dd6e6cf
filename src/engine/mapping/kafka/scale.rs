//! How far the partitions reach, and how many consumers that calls for.

use super::super::Core;
use super::consumer::Timer;
use super::gather::is_provisioned;
use super::partition::Tenure;
use super::{Kafka, Pending};
use crate::engine::{Action, Fact, Seq, ShardId, Span, WakeReason};

/// How often the lag is measured, for the metrics of a minute and for scaling.
const MEASURE_INTERVAL: Span = Span::from_secs(60);

impl<P> Kafka<P> {
    pub(super) fn measure(&mut self, core: &mut Core<P>) {
        if !core.is_taking() {
            return;
        }
        let next = core.now + MEASURE_INTERVAL;
        core.timers
            .set(Timer::Tick.key(), next, WakeReason::ScalingTick);
        if !self.measuring {
            self.measuring = true;
            let token = self.pend(Pending::Measure);
            core.act(Action::Measure { token });
        }
    }

    /// Rule `kafka-lag-from-committed`. Rule `kafka-moving-partitions-count`: what is on its way from one consumer to the next
    /// belongs to nobody, but is behind all the same.
    pub(super) fn measured(&mut self, core: &mut Core<P>, ends: &[(ShardId, Seq)]) {
        self.measuring = false;
        let (mut max, mut sum, mut incoming) = (0, 0, 0);
        let mut moving = 0;
        for &(shard, end) in ends {
            let end = end.low_u64();
            let partition = self.partition(shard);
            let before = partition.end.replace(end);
            let left_at = partition.left_at.take();
            let arrived = before.map_or(0, |before| end.saturating_sub(before));
            if partition.tenure == Tenure::Gone {
                if let Some(left_at) = left_at {
                    incoming += arrived;
                    moving += end.saturating_sub(left_at);
                }
                continue;
            }
            incoming += arrived;
            let offsets = end.saturating_sub(partition.offsets.stored());
            max = max.max(offsets);
            sum += offsets;
            core.fact(Fact::PartitionLag { shard, offsets });
        }
        core.fact(Fact::Lag { max, sum });
        let (now, partitions) = (core.now, ends.len() as u32);
        let before = self.scaling.consumers();
        self.scaling.knows(partitions);
        self.scaling.measured(
            now,
            sum + moving,
            incoming,
            core.tuning.profile,
            &mut core.rng,
        );
        self.take_effect(core, before);
    }

    pub(super) fn scale(&mut self, core: &mut Core<P>) {
        let before = self.scaling.consumers();
        self.take_effect(core, before);
    }

    /// Carries out a change that is due.
    fn take_effect(&mut self, core: &mut Core<P>, before: u32) {
        if !core.is_taking() {
            return;
        }
        self.scaling.take_effect(core.now);
        if let Some(at) = self.scaling.next_change() {
            core.timers
                .set(Timer::Scale.key(), at, WakeReason::ScalingTick);
        }
        let consumers = self.scaling.consumers();
        if consumers != before {
            core.fact(Fact::ConsumersChanged { consumers });
            self.dismiss(core);
            self.recruit(core);
        }
    }

    pub(super) fn stop_scaling(&mut self, core: &mut Core<P>) {
        core.timers.clear(Timer::Tick.key());
        core.timers.clear(Timer::Scale.key());
    }

    /// A mapping that was disabled begins as a new one does.
    pub(super) fn restart_scaling(&mut self, core: &mut Core<P>) {
        let before = self.scaling.consumers();
        self.scaling
            .restart(&core.config, core.tuning.profile, core.now);
        self.measure(core);
        self.take_effect(core, before);
        self.recruit(core);
    }

    /// The parameters changed.
    pub(super) fn reconfigure(&mut self, core: &mut Core<P>) {
        let before = self.scaling.consumers();
        self.scaling.configure(&core.config);
        for consumer in &mut self.consumers {
            consumer.fit(is_provisioned(core));
        }
        self.take_effect(core, before);
        self.step_all(core);
    }
}
