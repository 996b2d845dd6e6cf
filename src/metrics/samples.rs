//! Values of one bin, kept in order until there are many.

use super::histogram::{Histogram, bucket_of, middle_of, quantiles_of};

/// How many values wait before they are counted.
const PENDING: usize = 64;

/// Counts values like a [`Histogram`], some dozen at a time.
///
/// With a thousand functions, the bucket of a value is seldom in the processor's caches. Counting one value alone waits for
/// memory; counting many in a row waits once. A bin of few values needs no buckets at all.
#[derive(Debug, Default)]
pub(super) struct Samples {
    pending: Vec<u64>,
    counted: Histogram,
}

impl Samples {
    #[inline]
    pub(super) fn record(&mut self, value: u64) {
        self.pending.push(value);
        if self.pending.len() == PENDING {
            self.count();
        }
    }

    /// Moves the values to `to`.
    pub(super) fn drain_into(&mut self, to: &mut Histogram) {
        if self.counted.count() > 0 {
            to.merge(&self.counted);
            self.counted.clear();
        }
        for value in self.pending.drain(..) {
            to.record(value);
        }
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
        let values = &mut self.pending;
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
        for value in self.pending.drain(..) {
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
            samples.drain_into(&mut drained);
            assert_eq!(drained.count(), n);
            assert_eq!(drained.sum(), whole.sum());
            assert_eq!(quantiles_of(&[&drained], qs), expected);
            assert_eq!(samples.quantiles(&none, qs), None);
        }
    }
}
