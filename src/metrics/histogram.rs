//! A log-linear histogram: mergeable counts with a bounded relative error.

/// Sub-buckets per power of two, as a power of two: values are known to within 1/256.
const PRECISION_BITS: u32 = 7;
const SUB_BUCKETS: usize = 1 << PRECISION_BITS;
const BUCKETS: usize = (64 - PRECISION_BITS as usize + 1) * SUB_BUCKETS;
const WORDS: usize = BUCKETS / 64;

/// Counts of non-negative whole values; quantiles are within 0.4 % of the true ones.
///
/// ```
/// use tidegate::metrics::Histogram;
///
/// let mut histogram = Histogram::default();
/// for value in 1..=1_000 {
///     histogram.record(value);
/// }
/// let p99 = histogram.quantile(0.99).expect("there are values");
/// assert!((985..=995).contains(&p99));
/// assert_eq!(histogram.max(), 1_000);
/// assert_eq!(Histogram::default().quantile(0.5), None);
/// ```
#[derive(Clone, Debug)]
pub struct Histogram {
    /// Counts of the buckets from `first` on, as far as there was ever a value: a run may have tens of thousands of
    /// histograms, most of which see a few powers of two.
    counts: Vec<u64>,
    /// The bucket of `counts[0]`, a multiple of 64.
    first: usize,
    total: u64,
    sum: u128,
    max: u64,
    /// A bit per bucket that holds something: bins of few values are merged, read and cleared at their price.
    occupied: [u64; WORDS],
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            counts: Vec::new(),
            first: 0,
            total: 0,
            sum: 0,
            max: 0,
            occupied: [0; WORDS],
        }
    }
}

impl Histogram {
    /// Counts `value` once.
    #[inline]
    pub fn record(&mut self, value: u64) {
        self.record_many(value, 1);
    }

    /// Counts `value` `times` times.
    #[inline]
    pub fn record_many(&mut self, value: u64, times: u64) {
        let bucket = bucket_of(value);
        *self.count_of(bucket) += times;
        self.total += times;
        self.sum += u128::from(value) * u128::from(times);
        self.max = self.max.max(value);
        self.occupied[bucket / 64] |= 1 << (bucket % 64);
    }

    #[inline]
    fn count_of(&mut self, bucket: usize) -> &mut u64 {
        if bucket.wrapping_sub(self.first) >= self.counts.len() {
            self.reach(bucket);
        }
        &mut self.counts[bucket - self.first]
    }

    /// Makes room for the counts of a bucket and of its neighbours.
    #[cold]
    fn reach(&mut self, bucket: usize) {
        let from = bucket / 64 * 64;
        if self.counts.is_empty() {
            self.first = from;
        }
        if from < self.first {
            let more = self.first - from;
            self.counts.splice(0..0, std::iter::repeat_n(0, more));
            self.first = from;
        }
        let end = (from + 64 - self.first).max(self.counts.len());
        self.counts.resize(end, 0);
    }

    /// Adds everything that `other` counted.
    pub fn merge(&mut self, other: &Self) {
        if other.total == 0 {
            return;
        }
        for (word, &bits) in other.occupied.iter().enumerate() {
            for bucket in buckets(word, bits) {
                *self.count_of(bucket) += other.counts[bucket - other.first];
            }
            self.occupied[word] |= bits;
        }
        self.total += other.total;
        self.sum += other.sum;
        self.max = self.max.max(other.max);
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        if self.total > 0 {
            for (word, bits) in self.occupied.iter_mut().enumerate() {
                for bucket in buckets(word, std::mem::take(bits)) {
                    self.counts[bucket - self.first] = 0;
                }
            }
        }
        self.total = 0;
        self.sum = 0;
        self.max = 0;
    }

    fn counted(&self, bucket: usize) -> u64 {
        let index = bucket.checked_sub(self.first);
        index
            .and_then(|index| self.counts.get(index))
            .copied()
            .unwrap_or(0)
    }

    /// How many values were counted.
    pub const fn count(&self) -> u64 {
        self.total
    }

    /// The largest value, exactly; 0 when there is none.
    pub const fn max(&self) -> u64 {
        self.max
    }

    /// The sum of all values, exactly.
    pub const fn sum(&self) -> u128 {
        self.sum
    }

    /// The mean, exactly; 0 when there are no values.
    pub fn mean(&self) -> f64 {
        if self.total == 0 {
            return 0.0;
        }
        self.sum as f64 / self.total as f64
    }

    /// The value below or at which the share `q` (0 to 1) of all values lies.
    pub fn quantile(&self, q: f64) -> Option<u64> {
        quantiles_of(&[self], [q]).map(|[value]| value)
    }
}

/// Quantiles of several histograms taken together, without merging them; `qs` must not decrease.
pub(super) fn quantiles_of<const N: usize>(parts: &[&Histogram], qs: [f64; N]) -> Option<[u64; N]> {
    let total: u64 = parts.iter().map(|part| part.total).sum();
    if total == 0 {
        return None;
    }
    let ranks = qs.map(|q| ((q * total as f64).ceil() as u64).clamp(1, total));
    let max = parts.iter().map(|part| part.max).max().unwrap_or(0);
    let mut values = [max; N];
    let mut found = 0;
    let mut seen = 0;
    for word in 0..WORDS {
        let bits = parts
            .iter()
            .fold(0, |bits, part| bits | part.occupied[word]);
        for bucket in buckets(word, bits) {
            let counts = parts.iter().map(|part| part.counted(bucket));
            seen += counts.sum::<u64>();
            while found < N && seen >= ranks[found] {
                values[found] = middle_of(bucket).min(max);
                found += 1;
            }
            if found == N {
                return Some(values);
            }
        }
    }
    Some(values)
}

/// The buckets that the set bits of the `word`-th word stand for, in order.
#[inline]
fn buckets(word: usize, mut bits: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let bit = (bits != 0).then(|| bits.trailing_zeros() as usize)?;
        bits &= bits - 1;
        Some(word * 64 + bit)
    })
}

#[inline]
const fn bucket_of(value: u64) -> usize {
    let shift = (63 - PRECISION_BITS).saturating_sub((value | 1).leading_zeros());
    (shift as usize * SUB_BUCKETS) + (value >> shift) as usize
}

/// The middle of the values that fall into `bucket`.
const fn middle_of(bucket: usize) -> u64 {
    if bucket < 2 * SUB_BUCKETS {
        return bucket as u64;
    }
    let shift = (bucket / SUB_BUCKETS - 1) as u32;
    let first = (((bucket % SUB_BUCKETS) + SUB_BUCKETS) as u64) << shift;
    first + ((1u64 << shift) - 1) / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_contiguous_and_close_to_their_values() {
        let mut last = 0;
        for value in (0..100_000).chain((17..64).flat_map(|bit| {
            let base = 1u64 << bit;
            [base - 1, base, base + base / 3, base + base / 2]
        })) {
            let bucket = bucket_of(value);
            assert!(bucket < BUCKETS);
            assert!(bucket >= last);
            last = bucket;
            let middle = middle_of(bucket);
            assert_eq!(bucket_of(middle), bucket, "{value}");
            assert!(
                middle.abs_diff(value) <= value / 250,
                "{value} became {middle}"
            );
        }
        assert_eq!(bucket_of(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn memory_is_that_of_the_values_seen() {
        let mut histogram = Histogram::default();
        assert!(histogram.counts.is_empty());
        for value in [5_000_000, 4_000, 900_000_000, 4_000, 0] {
            histogram.record(value);
        }
        let found = [0.0, 0.5, 0.6, 0.8, 1.0].map(|q| histogram.quantile(q).expect("values"));
        for (found, value) in found
            .into_iter()
            .zip([0u64, 4_000, 4_000, 5_000_000, 900_000_000])
        {
            assert!(found.abs_diff(value) <= value / 250, "{found} for {value}");
        }
        let mut narrow = Histogram::default();
        narrow.record(80_000_000);
        assert_eq!(narrow.counts.len(), 64);
        narrow.merge(&histogram);
        assert_eq!(narrow.count(), 6);
        assert_eq!(narrow.max(), 900_000_000);
        narrow.clear();
        assert!(narrow.counts.iter().all(|&count| count == 0));
    }

    #[test]
    fn parts_give_the_quantiles_of_the_whole() {
        let mut whole = Histogram::default();
        let mut parts = [Histogram::default(), Histogram::default()];
        for value in 0..10_000u64 {
            whole.record(value * value);
            parts[(value % 3 == 0) as usize].record(value * value);
        }
        for q in [0.0, 0.5, 0.9, 0.999, 1.0] {
            let of_parts = quantiles_of(&[&parts[0], &parts[1]], [q]);
            assert_eq!(whole.quantile(q).map(|value| [value]), of_parts);
        }
        let at_once = quantiles_of(&[&parts[0], &parts[1]], [0.5, 0.5, 0.999]);
        let alone = [0.5, 0.5, 0.999].map(|q| whole.quantile(q).expect("there are values"));
        assert_eq!(at_once, Some(alone));
        let [mut merged, second] = parts;
        merged.merge(&second);
        assert_eq!((merged.count(), merged.sum()), (whole.count(), whole.sum()));
        merged.clear();
        assert_eq!(merged.quantile(0.5), None);
        assert!(merged.counts.iter().all(|&count| count == 0));
    }
}
