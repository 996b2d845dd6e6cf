//! How many batches a queue mapping works on at once, and how many consumers a Kafka mapping wants.

mod kafka;

pub(super) use kafka::KafkaScaling;

use crate::engine::{MappingConfig, Profile, SourceKind, Span, Time, limits};

/// A receive that waited longer than this found no backlog: more pollers would not help.
const PROMPT_RECEIVE_MAX: Span = Span::from_millis(250);
/// Pollers of a FIFO queue that wait longer than this in a minute, all together, are more than there are active groups.
const IDLE_MAX: Span = Span::from_secs(30);
/// How often the rule looks back.
const INTERVAL: Span = Span::from_secs(60);
/// Failing functions lower the concurrency no further than this.
const CONCURRENCY_MIN: u32 = 2;

/// The ramp of an SQS mapping (rules `sqs-ramp`, `sqs-scale-down-on-errors`, `sqs-idle-pollers`).
///
/// It starts with five concurrent batches. A minute in which at least half of the receives came back at once with all
/// they asked for shows that messages are waiting, and adds the profile's step; a minute with function errors or throttles halves the limit instead; every
/// empty receive gives one poller back until five are left.
#[derive(Clone, Debug)]
pub(super) struct SqsScaling {
    limit: u32,
    floor: u32,
    /// Failing functions lower the limit no further than this.
    floor_on_errors: u32,
    ceiling: u32,
    step: u32,
    next_tick: Time,
    /// Receives of this minute that returned something or returned at once, and those that found enough at once.
    receives: u64,
    satisfied: u64,
    failed: bool,
    is_fifo: bool,
    /// FIFO queues: how long receives of this minute have waited for a group, all together.
    idle: Span,
    /// FIFO queues: when a receive last came back empty.
    last_empty: Option<Time>,
}

impl SqsScaling {
    pub(super) fn new(config: &MappingConfig, profile: Profile, now: Time) -> Self {
        let mut scaling = Self {
            limit: 0,
            floor: 0,
            ceiling: 0,
            step: 0,
            next_tick: now + INTERVAL,
            receives: 0,
            satisfied: 0,
            failed: false,
            is_fifo: config.source == SourceKind::SqsFifo,
            idle: Span::ZERO,
            last_empty: None,
            floor_on_errors: 0,
        };
        scaling.configure(config, profile);
        scaling
    }

    /// Takes on the limits of a mapping; what is above them goes as batches end.
    ///
    /// Rule `sqs-provisioned-pollers`: their number moves between minimum and maximum, and each is good for ten
    /// invocations at once.
    pub(super) fn configure(&mut self, config: &MappingConfig, profile: Profile) {
        let ramp = profile.sqs_ramp();
        (self.floor, self.ceiling, self.step) = match config.provisioned_pollers {
            Some((minimum, maximum)) => (
                minimum * limits::SQS_POLLER_CONCURRENCY,
                maximum * limits::SQS_POLLER_CONCURRENCY,
                limits::SQS_PROVISIONED_STEP,
            ),
            None => {
                let ceiling = config.maximum_concurrency.unwrap_or(ramp.concurrency_max);
                let floor = limits::SQS_CONCURRENCY_START.min(ceiling);
                (floor, ceiling, ramp.step)
            }
        };
        self.floor_on_errors = match config.provisioned_pollers {
            Some(_) => self.floor,
            None => CONCURRENCY_MIN.min(self.ceiling),
        };
        self.limit = self.limit.clamp(self.floor, self.ceiling);
    }

    /// Concurrent batches allowed now.
    pub(super) const fn limit(&self) -> u32 {
        self.limit
    }

    /// When [`tick`](Self::tick) is due.
    pub(super) const fn next_tick(&self) -> Time {
        self.next_tick
    }

    /// A receive of `started` that asked for `asked` messages returned `messages` now.
    ///
    /// One that came back at once with nothing (short polling) is a receive like any other, which found no backlog; one
    /// that waited in vain says so by giving a poller back.
    ///
    /// Rule `fifo-concurrency-is-groups`: active groups are not counted, they are found by receives.
    ///
    /// Rule `fifo-ramp`: a FIFO queue gives out no more than its free groups have, so a receive seldom gets all it asked for.
    /// Every one that comes back at once with something found one more active group. Where receives have waited for half
    /// of the minute in all, a poller was to spare: one is kept to find the next group. The others, whose receives
    /// come back empty while another does so, are given back.
    pub(super) fn received(&mut self, messages: usize, asked: u32, started: Time, now: Time) {
        let waited = now.since(started);
        let is_prompt = waited <= PROMPT_RECEIVE_MAX;
        let is_empty = messages == 0;
        let enough = if self.is_fifo { 1 } else { asked as usize };
        self.receives += u64::from(is_prompt || !is_empty);
        self.satisfied += u64::from(is_prompt && !is_empty && messages >= enough);
        if self.is_fifo && !is_prompt {
            self.idle += waited;
        }
        if is_empty {
            let is_to_spare = !self.is_fifo || self.last_empty.is_some_and(|at| at > started);
            self.last_empty = Some(now);
            if is_to_spare {
                self.give_back();
            }
        }
    }

    fn give_back(&mut self) {
        self.limit = self.limit.saturating_sub(1).max(self.floor.min(self.limit));
    }

    /// An invocation failed or was refused.
    pub(super) fn failed(&mut self) {
        self.failed = true;
    }

    /// Looks at the minute that ends now and sets the limit for the next one.
    pub(super) fn tick(&mut self) {
        if self.failed {
            self.limit = (self.limit / 2).max(self.floor_on_errors);
        } else if self.satisfied > 0 && self.satisfied * 2 >= self.receives && self.idle <= IDLE_MAX
        {
            self.limit = self.limit.saturating_add(self.step).min(self.ceiling);
        } else {
            self.limit = self.limit.max(self.floor);
        }
        self.receives = 0;
        self.satisfied = 0;
        self.failed = false;
        self.idle = Span::ZERO;
        self.next_tick += INTERVAL;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on_demand(profile: Profile, maximum_concurrency: Option<u32>) -> SqsScaling {
        let config = MappingConfig {
            maximum_concurrency,
            ..MappingConfig::new("queue", SourceKind::Sqs)
        };
        SqsScaling::new(&config, profile, Time::ZERO)
    }

    #[test]
    fn sqs_provisioned_pollers() {
        let config = MappingConfig {
            provisioned_pollers: Some((3, 250)),
            ..MappingConfig::new("queue", SourceKind::Sqs)
        };
        let mut scaling = SqsScaling::new(&config, Profile::Current, Time::ZERO);
        let mut seen = Vec::new();
        for _ in 0..4 {
            seen.push(scaling.limit());
            busy_minute(&mut scaling);
        }
        assert_eq!(seen, [30, 1_030, 2_030, 2_500]);
        for _ in 0..10 {
            scaling.failed();
            scaling.tick();
        }
        assert_eq!(scaling.limit(), 30, "the minimum stays");
    }

    fn busy_minute(scaling: &mut SqsScaling) {
        for _ in 0..scaling.limit() {
            scaling.received(10, 10, Time::ZERO, Time::ZERO);
        }
        scaling.tick();
    }

    #[test]
    fn sqs_ramp() {
        let mut guide = on_demand(Profile::Guide2021, None);
        let mut current = on_demand(Profile::Current, None);
        let mut seen = Vec::new();
        for _ in 0..20 {
            seen.push((guide.limit(), current.limit()));
            busy_minute(&mut guide);
            busy_minute(&mut current);
        }
        assert_eq!(
            seen[..6],
            [
                (5, 5),
                (65, 305),
                (125, 605),
                (185, 905),
                (245, 1_205),
                (305, 1_250)
            ]
        );
        assert_eq!(seen[17], (1_000, 1_250));
    }

    #[test]
    fn sqs_scale_down_on_errors() {
        let mut scaling = on_demand(Profile::Guide2021, None);
        busy_minute(&mut scaling);
        for expected in [32, 16, 8, 4, 2, 2] {
            scaling.failed();
            busy_minute(&mut scaling);
            assert_eq!(scaling.limit(), expected);
        }
        busy_minute(&mut scaling);
        assert_eq!(scaling.limit(), 62);
    }

    #[test]
    fn sqs_idle_pollers() {
        let mut scaling = on_demand(Profile::Current, None);
        busy_minute(&mut scaling);
        for _ in 0..1_000 {
            scaling.received(0, 10, Time::ZERO, Time::from_secs(20));
        }
        assert_eq!(scaling.limit(), 5);
        scaling.tick();
        assert_eq!(scaling.limit(), 5);
    }

    #[test]
    fn partial_or_slow_receives_do_not_raise_the_ramp() {
        let mut scaling = on_demand(Profile::Current, None);
        for _ in 0..100 {
            scaling.received(3, 10, Time::ZERO, Time::ZERO);
            scaling.received(10, 10, Time::ZERO, Time::from_secs(2));
        }
        scaling.tick();
        assert_eq!(scaling.limit(), 5);
    }

    #[test]
    fn a_message_now_and_then_among_prompt_empty_receives_adds_no_pollers() {
        for source in [SourceKind::Sqs, SourceKind::SqsFifo] {
            let config = MappingConfig::new("queue", source);
            let mut scaling = SqsScaling::new(&config, Profile::Current, Time::ZERO);
            for minute in 0..10 {
                let at = |millis| Time::from_secs(minute * 60) + Span::from_millis(millis);
                for receive in 0..100 {
                    let messages = if receive == 0 { 10 } else { 0 };
                    scaling.received(messages, 10, at(receive * 500), at(receive * 500 + 10));
                }
                scaling.tick();
                assert_eq!(scaling.limit(), 5, "{source:?} after minute {minute}");
            }
        }
    }

    #[test]
    fn maximum_concurrency_is_a_ceiling() {
        let mut scaling = on_demand(Profile::Current, Some(2));
        busy_minute(&mut scaling);
        assert_eq!(scaling.limit(), 2);
    }
}
