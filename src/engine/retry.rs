//! How long to wait before trying again.

use crate::engine::{Rng, Span, Tuning};

/// The wait before the next try after `failures` failures in a row: `first × 2^(failures − 1)`, at most `max`.
///
/// Rule `stream-backoff`. AWS says "exponential" and publishes no curve; 0.5 s doubling reproduces the recorded
/// eight deliveries within a record age of 60 s.
pub(super) fn backoff(first: Span, max: Span, failures: u32) -> Span {
    assert!(failures > 0, "a back-off needs a failure");
    let doublings = (failures - 1).min(63);
    first.times(1u64 << doublings).min(max)
}

/// [`backoff`] on a mapping's curve.
pub(super) fn after_failures(tuning: &Tuning, failures: u32) -> Span {
    backoff(tuning.backoff_first, tuning.backoff_max, failures)
}

/// Rule `stream-throttled-read`: the wait before a throttled read is made again. Like [`backoff`], but 5 s at most, and
/// half of it drawn: readers that share a shard must not meet again and again.
pub(super) fn throttled_read(tuning: &Tuning, failures: u32, rng: &mut Rng) -> Span {
    let max = THROTTLED_READ_MAX.min(tuning.backoff_max);
    let nanos = backoff(tuning.backoff_first, max, failures).as_nanos();
    Span::from_nanos(nanos / 2 + rng.below(nanos / 2 + 1))
}

/// Longest wait after a throttled read (ours).
const THROTTLED_READ_MAX: Span = Span::from_secs(5);

/// Rule `sqs-throttle-in-lease`: a throttled batch is offered again after 1 s, 2 s, 4 s … while its lease lasts.
pub(super) fn throttled_lease(refusals: u32) -> Span {
    backoff(Span::from_secs(1), Span::from_secs(300), refusals)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Profile;

    #[test]
    fn stream_backoff_doubles_from_half_a_second_to_a_minute() {
        let tuning = Tuning::new(Profile::Current);
        let waits: Vec<u64> = (1..=9)
            .map(|n| after_failures(&tuning, n).as_millis())
            .collect();
        assert_eq!(
            waits,
            [
                500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000
            ]
        );
        assert_eq!(after_failures(&tuning, u32::MAX).as_millis(), 60_000);
    }
}
