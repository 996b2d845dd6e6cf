//! Values of one bin, kept in order until there are many.

use super::histogram::{Histogram, bucket_of, middle_of, quantiles_of};

/// How many values of a bin wait before they are counted.
const PENDING: usize = 64;
/// How many values of earlier bins wait beside them.
const KEPT: usize = 512;

/// Counts values like a [`Histogram`], some dozen or some hundred at a time.
///
/// With a thousand functions, the bucket of a value is seldom in the processor's caches. Counting one value alone waits for
/// memory; counting many in a row waits once. A bin of few values needs no buckets at all.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Samples {
    /// Values of earlier bins, and behind them those of this one.
    pending: Vec<u64>,
    /// [`PENDING`] behind the first of this bin: the number of pending values at which those of this bin are counted.
    limit: usize,
    counted: Histogram,
}

impl Default for Samples {
    fn default() -> Self {
        Self {
            pending: Vec::new(),
            limit: PENDING,
            counted: Histogram::default(),
        }
    }
}

impl Samples {
    #[inline]
    pub(super) fn record(&mut self, value: u64) {
        self.pending.push(value);
        if self.pending.len() == self.limit {
            self.count();
        }
    }

    /// How many values are not counted yet.
    #[inline]
    pub(super) const fn pending(&self) -> usize {
        self.pending.len()
    }

    /// Closes the bin: its values go to `to`, now or with those of later bins.
    pub(super) fn close_bin(&mut self, to: &mut Histogram) {
        if self.counted.count() > 0 {
            to.merge(&self.counted);
            self.counted.clear();
        }
        if self.pending.len() > KEPT {
            self.drain_into(to);
        }
        self.limit = self.pending.len() + PENDING;
    }

    /// Moves all values of closed bins to `to`. Nothing came since the last one was closed.
    pub(super) fn drain_into(&mut self, to: &mut Histogram) {
        for value in self.pending.drain(..) {
            to.record(value);
        }
        self.limit = PENDING;
    }

    /// Quantiles of these values together with those of `other`; `qs` must not decrease.
    pub(super) fn quantiles<const N: usize>(
        &mut self,
        other: &Histogram,
        qs: [f64; N],
    ) -> Option<[u64; N]> {
        if self.counted.count() > 0 || other.count() > 0 {
            self.count();
            return quantiles_of(&[&self.counted, other], qs);
        }
        let begin = self.limit - PENDING;
        let values = &mut self.pending[begin..];
        values.sort_unstable();
        let max = *values.last()?;
        let n = values.len();
        // As a histogram would say it.
        Some(qs.map(|q| {
            let rank = ((q * n as f64).ceil() as usize).clamp(1, n);
            middle_of(bucket_of(values[rank - 1])).min(max)
        }))
    }

    fn count(&mut self) {
        for value in self.pending.drain(self.limit - PENDING..) {
            self.counted.record(value);
        }
    }
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
        for bin in 0..40 {
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
            whole.merge(&own);
        }
        assert!(!samples.pending.is_empty() && later.count() > 0);
        samples.drain_into(&mut later);
        assert_eq!((later.count(), later.sum()), (whole.count(), whole.sum()));
    }
}
