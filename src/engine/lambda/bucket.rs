//! A token bucket in integer arithmetic, refilled when it is looked at.

use crate::engine::{Growth, Refill, Span, Time};

/// `capacity` tokens, of which `refill` come back per `interval`.
///
/// Levels are counted in parts of a token (`interval` nanoseconds of refill time each), so nothing is ever
/// rounded away and no tick is needed. A bucket that fills in steps counts the full intervals of the axis of time, not
/// those since it was used.
#[derive(Clone, Debug)]
pub(super) struct Bucket {
    level: u64,
    full: u64,
    token: u64,
    refill: u64,
    stepped: bool,
    last: Time,
}

impl Bucket {
    pub(super) fn new(capacity: u32, refill: u32, interval: Span) -> Self {
        let token = interval.as_nanos();
        assert!(token > 0, "a bucket refills over some time");
        let full = u64::from(capacity).saturating_mul(token);
        Self {
            level: full,
            full,
            token,
            refill: u64::from(refill),
            stepped: false,
            last: Time::ZERO,
        }
    }

    /// The new environments that a rule of growth allows.
    pub(super) fn of_growth(growth: Growth) -> Self {
        Self {
            stepped: growth.shape == Refill::Stepped,
            ..Self::new(growth.burst, growth.refill, growth.interval)
        }
    }

    /// Whether a token is there at `now`.
    #[inline]
    pub(super) fn has_token(&mut self, now: Time) -> bool {
        let elapsed = if self.stepped {
            let ends = |time: Time| time.as_nanos() / self.token;
            (ends(now) - ends(self.last)).saturating_mul(self.token)
        } else {
            now.since(self.last).as_nanos()
        };
        self.last = now;
        let gained = elapsed.saturating_mul(self.refill);
        self.level = self.level.saturating_add(gained).min(self.full);
        self.level >= self.token
    }

    /// Takes the token that [`has_token`](Self::has_token) saw.
    #[inline]
    pub(super) fn take(&mut self) {
        assert!(self.level >= self.token, "a token was taken unseen");
        self.level -= self.token;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Profile;

    fn drain(bucket: &mut Bucket, now: Time) -> u32 {
        let mut taken = 0;
        while bucket.has_token(now) {
            bucket.take();
            taken += 1;
        }
        taken
    }

    #[test]
    fn a_bucket_gives_its_burst_and_then_its_rate() {
        let mut bucket = Bucket::new(3_000, 500, Span::from_secs(60));
        assert_eq!(drain(&mut bucket, Time::ZERO), 3_000);
        assert_eq!(drain(&mut bucket, Time::from_millis(119)), 0);
        assert_eq!(drain(&mut bucket, Time::from_millis(120)), 1);
        assert_eq!(drain(&mut bucket, Time::from_secs(60)), 499);
        assert_eq!(drain(&mut bucket, Time::from_secs(100_000)), 3_000);
    }

    #[test]
    fn growth_refill_stepped() {
        let mut growth = Profile::Current.growth(0);
        growth.shape = Refill::Stepped;
        let mut bucket = Bucket::of_growth(growth);
        // Nothing comes between the full tens of seconds, and all of it at them, whenever the burst was spent.
        for (millis, expected) in [
            (3_000, 1_000),
            (9_999, 0),
            (10_000, 1_000),
            (19_999, 0),
            (20_000, 1_000),
            (1_000_000, 1_000),
        ] {
            assert_eq!(
                drain(&mut bucket, Time::from_millis(millis)),
                expected,
                "at {millis} ms"
            );
        }
        let mut growth = Profile::Guide2021.growth(500);
        growth.shape = Refill::Stepped;
        let mut bucket = Bucket::of_growth(growth);
        let taken = [0, 59, 60, 119, 120].map(|secs| drain(&mut bucket, Time::from_secs(secs)));
        assert_eq!(taken, [500, 0, 500, 0, 500]);
    }

    #[test]
    fn looking_often_loses_nothing() {
        let mut bucket = Bucket::new(1_000, 1_000, Span::from_secs(10));
        drain(&mut bucket, Time::ZERO);
        let mut taken = 0;
        for nanos in (0..=10_000_000_000u64).step_by(7_777_777) {
            taken += drain(&mut bucket, Time::from_nanos(nanos));
        }
        taken += drain(&mut bucket, Time::from_secs(10));
        assert_eq!(taken, 1_000);
    }
}
