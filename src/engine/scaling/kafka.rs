//! How many consumers a Kafka mapping wants.

use crate::engine::{MappingConfig, Profile, Rng, Span, Time, limits};

/// A backlog is to be worked off within this time (ours).
const CATCH_UP: Span = Span::from_secs(60);

/// The number of consumers of one mapping (rules `kafka-consumers-on-demand`, `kafka-provisioned-pollers`).
///
/// It compares what came in since the last evaluation, and what is behind, with the time that the function takes for a
/// record: as many consumers are wanted as work that off in a minute. Partitions bound them. A function that failed or was
/// throttled since then halves them instead.
#[derive(Clone, Debug)]
pub(in crate::engine) struct KafkaScaling {
    /// Minimum and maximum.
    provisioned: Option<(u32, u32)>,
    consumers: u32,
    /// 0 until they were counted.
    partitions: u32,
    next_evaluation: Time,
    /// The number that takes effect then.
    change: Option<(Time, u32)>,
    seen: Seen,
}

/// What happened since the last evaluation.
#[derive(Clone, Copy, Debug)]
struct Seen {
    since: Time,
    incoming: u64,
    finished: u64,
    /// Time that invocations took which finished records, one after the other.
    busy: Span,
    read_records: u64,
    read_bytes: u64,
    failed: bool,
}

impl Seen {
    const fn nothing(since: Time) -> Self {
        Self {
            since,
            incoming: 0,
            finished: 0,
            busy: Span::ZERO,
            read_records: 0,
            read_bytes: 0,
            failed: false,
        }
    }
}

impl KafkaScaling {
    pub(in crate::engine) fn new(config: &MappingConfig, profile: Profile, now: Time) -> Self {
        Self {
            provisioned: config.provisioned_pollers,
            consumers: 1,
            partitions: 0,
            next_evaluation: now + profile.kafka_evaluation(),
            change: None,
            seen: Seen::nothing(now),
        }
    }

    /// Begins anew, with what is known of the partitions.
    pub(in crate::engine) fn restart(
        &mut self,
        config: &MappingConfig,
        profile: Profile,
        now: Time,
    ) {
        let partitions = self.partitions;
        *self = Self::new(config, profile, now);
        self.knows(partitions);
    }

    /// Takes on the limits of a mapping.
    pub(in crate::engine) fn configure(&mut self, config: &MappingConfig) {
        self.provisioned = config.provisioned_pollers;
        self.change = None;
        self.consumers = self.within(self.consumers);
    }

    /// Consumers wanted now.
    pub(in crate::engine) const fn consumers(&self) -> u32 {
        self.consumers
    }

    /// The topic has so many partitions.
    pub(in crate::engine) fn knows(&mut self, partitions: u32) {
        self.partitions = partitions;
        self.consumers = self.within(self.consumers);
    }

    /// Rule `kafka-partitions-bound-consumers`: more would have nothing to read.
    fn within(&self, consumers: u32) -> u32 {
        let partitions = self.partitions.max(1);
        match self.provisioned {
            // How many can be used is not known yet.
            Some(_) if self.partitions == 0 => 1,
            Some((min, max)) => consumers.clamp(min.min(max), max).min(partitions),
            None => consumers.clamp(1, partitions),
        }
    }

    /// A page of so many records and bytes was read.
    pub(in crate::engine) fn read(&mut self, records: u32, bytes: u64) {
        self.seen.read_records += u64::from(records);
        self.seen.read_bytes += bytes;
    }

    pub(in crate::engine) fn finished(&mut self, records: u32) {
        self.seen.finished += u64::from(records);
    }

    /// An invocation that finished records took so long.
    pub(in crate::engine) fn ran(&mut self, took: Span) {
        self.seen.busy =
            Span::from_nanos(self.seen.busy.as_nanos().saturating_add(took.as_nanos()));
    }

    /// An invocation failed or was refused.
    pub(in crate::engine) fn failed(&mut self) {
        self.seen.failed = true;
    }

    /// The lag was measured, and how much came in since the last time: evaluates them if that is due.
    pub(in crate::engine) fn measured(
        &mut self,
        now: Time,
        lag: u64,
        incoming: u64,
        profile: Profile,
        rng: &mut Rng,
    ) {
        self.seen.incoming += incoming;
        if now < self.next_evaluation || self.change.is_some() {
            return;
        }
        let wanted = self.within(self.wanted(now, lag));
        self.seen = Seen::nothing(now);
        self.next_evaluation = now + profile.kafka_evaluation();
        if wanted != self.consumers {
            let delay_max = match self.provisioned {
                Some(_) => Span::ZERO,
                None => profile.kafka_effect(),
            };
            let delay = Span::from_nanos(rng.below(delay_max.as_nanos() + 1));
            self.change = Some((now + delay, wanted));
        }
    }

    fn wanted(&self, now: Time, lag: u64) -> u32 {
        let seen = &self.seen;
        // Rule `kafka-fewer-consumers-on-errors`.
        if seen.failed {
            return self.consumers / 2;
        }
        let passed = now.since(seen.since).as_secs_f64();
        // Nothing finished: nothing is known of what a consumer can do.
        if seen.finished == 0 || passed <= 0.0 {
            return if lag == 0 { 1 } else { self.consumers };
        }
        let per_sec = seen.incoming as f64 / passed + lag as f64 / CATCH_UP.as_secs_f64();
        let at_once = per_sec * seen.busy.as_secs_f64() / seen.finished as f64;
        let wanted = match self.provisioned {
            None => at_once,
            // Rule `kafka-provisioned-pollers`: each is good for five invocations at once or 5 MB/s.
            Some(_) => {
                let by_calls = at_once / f64::from(limits::KAFKA_POLLER_CONCURRENCY);
                let bytes = seen.read_bytes as f64 / seen.read_records.max(1) as f64;
                let most = limits::KAFKA_POLLER_BYTES_PER_SEC_MAX as f64;
                by_calls.max(per_sec * bytes / most)
            }
        };
        // The cast saturates, and what is too much is cut off at once.
        wanted.ceil() as u32
    }

    /// When [`take_effect`](Self::take_effect) is due, if a change is on its way.
    pub(in crate::engine) fn next_change(&self) -> Option<Time> {
        self.change.map(|(at, _)| at)
    }

    /// Rule `kafka-scaling-takes-time`: a change is carried out once it is due; no other is decided on before.
    pub(in crate::engine) fn take_effect(&mut self, now: Time) {
        if let Some((_, wanted)) = self.change.take_if(|(at, _)| *at <= now) {
            self.consumers = self.within(wanted);
        }
    }
}
