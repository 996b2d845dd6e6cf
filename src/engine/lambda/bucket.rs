//! A token bucket in integer arithmetic, refilled when it is looked at.

use crate::engine::{Span, Time};

/// `capacity` tokens, of which `refill` come back per `interval`, continuously.
///
/// Levels are counted in parts of a token (`interval` nanoseconds of refill time each), so nothing is ever
/// rounded away and no tick is needed.
#[derive(Clone, Debug)]
pub(super) struct Bucket {
    level: u64,
    full: u64,
    token: u64,
    refill: u64,
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
            last: Time::ZERO,
        }
    }

    /// Whether a token is there at `now`.
    #[inline]
    pub(super) fn has_token(&mut self, now: Time) -> bool {
        let elapsed = now.since(self.last).as_nanos();
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
