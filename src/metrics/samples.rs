//! Values of one bin, kept in order until there are many.

use super::histogram::{Histogram, bucket_of, middle_of, quantiles_of};

/// How many values wait where the recorder itself is: with their number, they fill a cache line.
const FRESH: usize = 7;
/// How many values of a bin wait before they are counted: a multiple of those.
const PENDING: usize = 63;
/// How many values of earlier bins wait beside them.
const KEPT: usize = 1_024;

/// Counts values like a [`Histogram`], some dozen or some hundred at a time.
///
/// With a thousand functions, the bucket of a value is seldom in the processor's caches. Counting one value alone waits for
/// memory; counting many in a row waits once. A bin of few values needs no buckets at all, and neither does a minute.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Samples {
    /// The latest values.
    fresh: [u64; FRESH],
    fresh_len: usize,
    /// Values of earlier bins, and behind them those of this one.
    pending: Vec<u64>,
    /// [`PENDING`] behind the first of this bin: the number of pending values at which those of this bin are counted.
    limit: usize,
    counted: Histogram,
}

impl Default for Samples {
    fn default() -> Self {
        Self {
            fresh: [0; FRESH],
            fresh_len: 0,
            pending: Vec::new(),
            limit: PENDING,
            counted: Histogram::default(),
        }
    }
}

impl Samples {
    #[inline]
    pub(super) fn record(&mut self, value: u64) {
        self.fresh[self.fresh_len] = value;
        self.fresh_len += 1;
        if self.fresh_len == FRESH {
            self.gather();
        }
    }

    /// Something of the latest values.
    #[inline]
    pub(super) const fn glance(&self) -> usize {
        self.fresh_len
    }

    fn gather(&mut self) {
        self.pending
            .extend_from_slice(&self.fresh[..self.fresh_len]);
        self.fresh_len = 0;
        if self.pending.len() >= self.limit {
            self.count();
        }
    }

    /// Closes the bin: its values go to `to`, now or with those of later bins.
    pub(super) fn close_bin(&mut self, to: &mut Histogram) {
        self.gather();
        if self.counted.count() > 0 {
            to.merge(&self.counted);
            self.counted.clear();
        }
        self.limit = self.pending.len() + PENDING;
        if self.pending.len() > KEPT {
            self.drain_into(to);
        }
    }

    /// Moves all values of closed bins to `to`. Nothing came since the last one was closed.
    pub(super) fn drain_into(&mut self, to: &mut Histogram) {
        for value in self.pending.drain(..) {
            to.record(value);
        }
        self.limit = PENDING;
    }

    /// The values of closed bins that were not moved yet, in order. Nothing came since the last one was closed.
    pub(super) fn kept(&mut self) -> &[u64] {
        self.pending.sort_unstable();
        &self.pending
    }

    /// Quantiles of these values together with those of `other`; `qs` must not decrease.
    pub(super) fn quantiles<const N: usize>(
        &mut self,
        other: &Histogram,
        qs: [f64; N],
    ) -> Option<[u64; N]> {
        self.gather();
        if self.counted.count() > 0 || other.count() > 0 {
            self.count();
            return quantiles_of(&[&self.counted, other], qs);
        }
        let values = &mut self.pending[self.limit - PENDING..];
        values.sort_unstable();
        quantiles_of_ordered(values, qs)
    }

    fn count(&mut self) {
        for value in self.pending.drain(self.limit - PENDING..) {
            self.counted.record(value);
        }
    }
}

/// Quantiles of values in order, as a histogram would say them.
pub(super) fn quantiles_of_ordered<const N: usize>(
    values: &[u64],
    qs: [f64; N],
) -> Option<[u64; N]> {
    let max = *values.last()?;
    let n = values.len();
    Some(qs.map(|q| {
        let rank = ((q * n as f64).ceil() as usize).clamp(1, n);
        middle_of(bucket_of(values[rank - 1])).min(max)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Rng;

    #[test]
    fn few_and_many_values_are_counted_alike() {
        let mut rng = Rng::stream(1, "samples");
        let none = Histogram::default();
        for n in [0, 1, 2, 9, 63, 64, 65, 1_000] {
            let mut samples = Samples::default();
            let mut whole = Histogram::default();
            for _ in 0..n {
                let bits = rng.below(40);
                let value = rng.below(1 << bits);
                samples.record(value);
                whole.record(value);
            }
            let qs = [0.0, 0.5, 0.95, 0.99, 1.0];
            let expected = quantiles_of(&[&whole], qs);
            assert_eq!(samples.quantiles(&none, qs), expected, "{n}");
            let mut later = Histogram::default();
            later.record(5);
            let both = quantiles_of(&[&whole, &later], qs);
            assert_eq!(samples.quantiles(&later, qs), both);
            let mut drained = Histogram::default();
            samples.close_bin(&mut drained);
            assert_eq!(samples.quantiles(&none, qs), None);
            samples.drain_into(&mut drained);
            assert_eq!(drained.count(), n);
            assert_eq!(drained.sum(), whole.sum());
            assert_eq!(quantiles_of(&[&drained], qs), expected);
            assert_eq!(samples.quantiles(&none, qs), None);
        }
    }

    #[test]
    fn bins_wait_for_each_other() {
        let none = Histogram::default();
        let (mut samples, mut whole, mut later) = <(Samples, Histogram, Histogram)>::default();
        for bin in 0..80 {
            let mut own = Histogram::default();
            // Some bins are counted, most are not, and what waits is moved on once in a while.
            for n in 0..if bin % 7 == 3 { 200 } else { 30 } {
                let value = 1_000 * bin + n;
                samples.record(value);
                own.record(value);
            }
            let qs = [0.0, 0.5, 1.0];
            assert_eq!(samples.quantiles(&none, qs), quantiles_of(&[&own], qs));
            samples.close_bin(&mut later);
            assert!(samples.pending.len() <= KEPT);
            assert!(samples.kept().is_sorted());
            whole.merge(&own);
        }
        assert!(!samples.pending.is_empty() && later.count() > 0);
        samples.drain_into(&mut later);
        assert_eq!((later.count(), later.sum()), (whole.count(), whole.sum()));
    }
}
