//! How fast provisioned pollers may receive.

use crate::engine::{Span, Time, limits};

const SECOND: u128 = 1_000_000_000;
/// A second's worth may come at once.
const BURST: Span = Span::from_secs(1);

/// Receives and bytes per second of a number of pollers (rule `sqs-provisioned-pollers`).
///
/// Each of the two keeps the moment up to which its allowance is spent; a receive may start while that is less than a
/// second away.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    calls: Time,
    bytes: Time,
}

impl Pace {
    pub(super) const fn new(now: Time) -> Self {
        Self {
            calls: now,
            bytes: now,
        }
    }

    /// When the next receive may start, if not now.
    pub(super) fn next(&self, now: Time) -> Option<Time> {
        let at = self.calls.max(self.bytes);
        (at > now + BURST).then(|| now + at.since(now + BURST))
    }

    /// A receive starts.
    pub(super) fn called(&mut self, now: Time, pollers: u32) {
        let per_sec = limits::SQS_POLLER_RECEIVES_PER_SEC_MAX * pollers;
        let cost = SECOND / u128::from(per_sec.max(1));
        self.calls = self.calls.max(now) + Span::from_nanos(cost as u64);
    }

    /// A receive brought this many bytes.
    pub(super) fn received(&mut self, now: Time, bytes: u64, pollers: u32) {
        let per_sec = u128::from(limits::SQS_POLLER_BYTES_PER_SEC_MAX) * u128::from(pollers.max(1));
        let cost = u128::from(bytes) * SECOND / per_sec;
        let cost = Span::from_nanos(u64::try_from(cost).unwrap_or(u64::MAX));
        self.bytes = self.bytes.max(now) + cost;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Receives that start within `secs`, each bringing `bytes`.
    fn receives(secs: u64, bytes: u64, pollers: u32) -> u32 {
        let mut pace = Pace::new(Time::ZERO);
        let (mut now, mut count) = (Time::ZERO, 0);
        loop {
            if let Some(at) = pace.next(now) {
                now = at;
            }
            if now > Time::from_secs(secs) {
                return count;
            }
            pace.called(now, pollers);
            pace.received(now, bytes, pollers);
            count += 1;
        }
    }

    #[test]
    fn a_poller_receives_ten_times_and_a_megabyte_a_second() {
        // A second's worth at once, then 10 a second.
        assert_eq!(receives(10, 0, 1), 111);
        assert_eq!(receives(10, 0, 3), 331);
        // Receives of 500 kB: two a second.
        assert!((22..=24).contains(&receives(10, 500_000, 1)));
    }
}
