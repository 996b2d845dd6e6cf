//! How many batches a queue mapping works on at once.

use crate::engine::{Profile, Span, Time, limits};

/// A receive that waited longer than this found an idle queue: more pollers would not help.
const PROMPT_RECEIVE_MAX: Span = Span::from_secs(1);
/// How often the rule looks back.
const INTERVAL: Span = Span::from_secs(60);
/// Failing functions lower the concurrency no further than this.
const CONCURRENCY_MIN: u32 = 2;

/// The ramp of an SQS mapping (rules `sqs-ramp`, `sqs-scale-down-on-errors`, `sqs-idle-pollers`).
///
/// It starts with five concurrent batches. Each full minute in which messages kept every poller supplied adds
/// the profile's step; a minute with function errors or throttles halves the limit instead; every
/// empty receive gives one poller back until five are left.
#[derive(Clone, Debug)]
pub(super) struct SqsScaling {
    limit: u32,
    floor: u32,
    ceiling: u32,
    step: u32,
    next_tick: Time,
    receives: u64,
    starved: bool,
    failed: bool,
}

impl SqsScaling {
    pub(super) fn new(profile: Profile, maximum_concurrency: Option<u32>, now: Time) -> Self {
        let ramp = profile.sqs_ramp();
        let ceiling = maximum_concurrency.unwrap_or(ramp.concurrency_max);
        let floor = limits::SQS_CONCURRENCY_START.min(ceiling);
        Self {
            limit: floor,
            floor,
            ceiling,
            step: ramp.step,
            next_tick: now + INTERVAL,
            receives: 0,
            starved: false,
            failed: false,
        }
    }

    /// Concurrent batches allowed now.
    pub(super) const fn limit(&self) -> u32 {
        self.limit
    }

    /// When [`tick`](Self::tick) is due.
    pub(super) const fn next_tick(&self) -> Time {
        self.next_tick
    }

    /// A receive returned `messages` after waiting for `waited`.
    pub(super) fn received(&mut self, messages: usize, waited: Span) {
        if messages == 0 {
            self.starved = true;
            self.limit = self.limit.saturating_sub(1).max(self.floor.min(self.limit));
        } else {
            self.receives += 1;
            self.starved |= waited > PROMPT_RECEIVE_MAX;
        }
    }

    /// An invocation failed or was refused.
    pub(super) fn failed(&mut self) {
        self.failed = true;
    }

    /// Looks at the minute that ends now and sets the limit for the next one.
    pub(super) fn tick(&mut self) {
        if self.failed {
            self.limit = (self.limit / 2).max(CONCURRENCY_MIN.min(self.ceiling));
        } else if !self.starved && self.receives >= u64::from(self.limit) {
            self.limit = self.limit.saturating_add(self.step).min(self.ceiling);
        } else {
            self.limit = self.limit.max(self.floor);
        }
        self.receives = 0;
        self.starved = false;
        self.failed = false;
        self.next_tick += INTERVAL;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn busy_minute(scaling: &mut SqsScaling) {
        for _ in 0..scaling.limit() {
            scaling.received(10, Span::ZERO);
        }
        scaling.tick();
    }

    #[test]
    fn sqs_ramp() {
        let mut guide = SqsScaling::new(Profile::Guide2021, None, Time::ZERO);
        let mut current = SqsScaling::new(Profile::Current, None, Time::ZERO);
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
        let mut scaling = SqsScaling::new(Profile::Guide2021, None, Time::ZERO);
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
        let mut scaling = SqsScaling::new(Profile::Current, None, Time::ZERO);
        busy_minute(&mut scaling);
        for _ in 0..1_000 {
            scaling.received(0, Span::from_secs(20));
        }
        assert_eq!(scaling.limit(), 5);
        scaling.tick();
        assert_eq!(scaling.limit(), 5);
    }

    #[test]
    fn maximum_concurrency_is_a_ceiling() {
        let mut scaling = SqsScaling::new(Profile::Current, Some(2), Time::ZERO);
        busy_minute(&mut scaling);
        assert_eq!(scaling.limit(), 2);
    }
}
