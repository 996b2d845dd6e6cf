//! Limits per second that a shard's users share, in exact integer arithmetic.

use crate::engine::Time;

const NANOS_PER_SEC: u128 = 1_000_000_000;

/// An amount per second, of which a second's worth may be taken at once.
///
/// What is remembered is the instant at which everything taken so far would be paid for at the limit's pace. Instants
/// are counted in units of 1 / rate nanoseconds, so that nothing is ever rounded away.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limiter {
    rate: u128,
    paid_at: u128,
}

impl Limiter {
    pub(super) fn new(per_sec: u64) -> Self {
        Self {
            rate: u128::from(per_sec.max(1)),
            paid_at: 0,
        }
    }

    fn instant(&self, at: Time) -> u128 {
        u128::from(at.as_nanos()) * self.rate
    }

    /// The earliest instant from `at` on at which `amount` fits; one that is larger than a second's worth fits once
    /// everything before it is paid for.
    #[inline]
    pub(super) fn fits_from(&self, at: Time, amount: u64) -> Time {
        let burst = NANOS_PER_SEC * self.rate.saturating_sub(u128::from(amount));
        let earliest = self.paid_at.saturating_sub(burst);
        if earliest <= self.instant(at) {
            return at;
        }
        Time::from_nanos(u64::try_from(earliest.div_ceil(self.rate)).unwrap_or(u64::MAX))
    }

    /// Whether less than a second's worth was taken within the last second.
    #[inline]
    pub(super) fn has_room(&self, at: Time) -> bool {
        self.paid_at < self.instant(at) + NANOS_PER_SEC * self.rate
    }

    /// Takes `amount` at `at`, whether it fits or not.
    #[inline]
    pub(super) fn take(&mut self, at: Time, amount: u64) {
        self.paid_at = self.paid_at.max(self.instant(at)) + u128::from(amount) * NANOS_PER_SEC;
    }

    /// When everything that was taken is paid for.
    pub(super) fn paid_from(&self, at: Time) -> Time {
        let paid = self.paid_at.div_ceil(self.rate);
        at.max(Time::from_nanos(u64::try_from(paid).unwrap_or(u64::MAX)))
    }
}

/// The reads of a shard that all of its polling readers share (rule `kinesis-read-limits-shared`).
#[derive(Clone, Copy, Debug)]
pub(super) struct ReadQuota {
    calls: Limiter,
    bytes: Limiter,
}

impl ReadQuota {
    pub(super) fn new(calls_per_sec: u32, bytes_per_sec: u64) -> Self {
        Self {
            calls: Limiter::new(u64::from(calls_per_sec)),
            bytes: Limiter::new(bytes_per_sec),
        }
    }

    /// Whether a read is answered at `now`; then it counts.
    pub(super) fn admits(&mut self, now: Time) -> bool {
        let admitted = self.calls.fits_from(now, 1) <= now && self.bytes.has_room(now);
        if admitted {
            self.calls.take(now, 1);
        }
        admitted
    }

    /// Counts the bytes that an admitted read returned.
    pub(super) fn returned(&mut self, now: Time, bytes: u64) {
        self.bytes.take(now, bytes);
    }
}

/// What a shard accepts from its producers (rule `kinesis-write-limits`).
#[derive(Clone, Copy, Debug)]
pub(super) struct WriteLimits {
    records: Limiter,
    bytes: Limiter,
    /// The last write: producers that wait do not overtake each other.
    last: Time,
}

impl WriteLimits {
    /// The limits of a shard that opens at `opens`.
    pub(super) fn new(records_per_sec: u32, bytes_per_sec: u64, opens: Time) -> Self {
        Self {
            records: Limiter::new(u64::from(records_per_sec)),
            bytes: Limiter::new(bytes_per_sec),
            last: opens,
        }
    }

    /// When a record of `bytes` bytes that is offered at `at` can be written, after all that were written before.
    #[inline]
    pub(super) fn accepts_from(&self, at: Time, bytes: u64) -> Time {
        let at = at.max(self.last);
        let at = self.records.fits_from(at, 1);
        self.bytes.fits_from(at, bytes)
    }

    #[inline]
    pub(super) fn write(&mut self, at: Time, bytes: u64) {
        self.records.take(at, 1);
        self.bytes.take(at, bytes);
        self.last = at;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_worth_comes_at_once_and_then_the_rate() {
        let mut limiter = Limiter::new(3);
        let now = Time::from_secs(10);
        for _ in 0..3 {
            assert_eq!(limiter.fits_from(now, 1), now);
            limiter.take(now, 1);
        }
        // A third of a second is no whole number of nanoseconds: never early, and never a drift.
        assert_eq!(limiter.fits_from(now, 1), Time::from_nanos(10_333_333_334));
        assert!(!limiter.has_room(now));
        for n in 1..=300 {
            limiter.take(limiter.fits_from(now, 1), 1);
            assert_eq!(
                limiter.paid_from(now).as_nanos(),
                11_000_000_000 + n * 1_000_000_000 / 3 + u64::from(n % 3 != 0)
            );
        }
    }

    #[test]
    fn what_is_larger_than_the_limit_waits_until_all_is_paid_for() {
        let mut limiter = Limiter::new(1_000);
        limiter.take(Time::from_secs(1), 1_000);
        assert_eq!(
            limiter.fits_from(Time::from_secs(1), 5_000),
            Time::from_secs(2)
        );
        limiter.take(Time::from_secs(2), 5_000);
        assert_eq!(limiter.paid_from(Time::ZERO), Time::from_secs(7));
        assert!(!limiter.has_room(Time::from_secs(6)));
        assert!(limiter.has_room(Time::from_nanos(6_000_000_001)));
    }

    #[test]
    fn reads_count_whether_they_return_something_or_not() {
        let mut quota = ReadQuota::new(5, 2_000);
        let now = Time::from_secs(1);
        let admitted = (0..8).filter(|_| quota.admits(now)).count();
        assert_eq!(admitted, 5);
        assert!(!quota.admits(Time::from_millis(1_199)));
        assert!(quota.admits(Time::from_millis(1_200)));
        quota.returned(Time::from_millis(1_200), 6_000);
        assert!(!quota.admits(Time::from_millis(3_200)));
        assert!(quota.admits(Time::from_millis(3_201)));
    }
}
