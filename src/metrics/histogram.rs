//! A log-linear histogram: mergeable counts with a bounded relative error.

/// Sub-buckets per power of two, as a power of two: values are known to within 1/256.
const PRECISION_BITS: u32 = 7;
const SUB_BUCKETS: usize = 1 << PRECISION_BITS;
/// Buckets per word of `occupied`.
const WORD: usize = 64;

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
#[derive(Clone, Debug, Default)]
pub struct Histogram {
    /// The word that `occupied` begins with. Values of one kind lie within a few powers of two, and only those take
    /// memory: a scenario may have ten thousand functions with several histograms each.
    first: usize,
    /// A bit per bucket that holds something: bins of few values are merged, read and cleared at their price.
    occupied: Vec<u64>,
    /// The buckets of these words.
    counts: Vec<u64>,
    total: u64,
    sum: u128,
    max: u64,
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
        let word = bucket / WORD;
        let mut index = word.wrapping_sub(self.first);
        if index >= self.occupied.len() {
            self.cover(word, word);
            index = word - self.first;
        }
        self.counts[index * WORD + bucket % WORD] += times;
        self.occupied[index] |= 1 << (bucket % WORD);
        self.total += times;
        self.sum += u128::from(value) * u128::from(times);
        self.max = self.max.max(value);
    }

    /// Makes room for the words from `from` to `to`, both included.
    #[cold]
    fn cover(&mut self, from: usize, to: usize) {
        if self.occupied.is_empty() {
            self.first = from;
        }
        if from < self.first {
            let more = self.first - from;
            self.occupied.splice(..0, std::iter::repeat_n(0, more));
            let more = more * WORD;
            self.counts.splice(..0, std::iter::repeat_n(0, more));
            self.first = from;
        }
        let words = self.occupied.len().max(to + 1 - self.first);
        self.occupied.resize(words, 0);
        self.counts.resize(words * WORD, 0);
    }

    /// Adds everything that `other` counted.
    pub fn merge(&mut self, other: &Self) {
        if other.total == 0 {
            return;
        }
        let (from, to) = (other.first, other.first + other.occupied.len() - 1);
        if from < self.first || to >= self.first + self.occupied.len() {
            self.cover(from, to);
        }
        let shift = from - self.first;
        for (word, &bits) in other.occupied.iter().enumerate() {
            for bit in ones(bits) {
                self.counts[(word + shift) * WORD + bit] += other.counts[word * WORD + bit];
            }
            self.occupied[word + shift] |= bits;
        }
        self.total += other.total;
        self.sum += other.sum;
        self.max = self.max.max(other.max);
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        if self.total > 0 {
            for (word, bits) in self.occupied.iter_mut().enumerate() {
                for bit in ones(std::mem::take(bits)) {
                    self.counts[word * WORD + bit] = 0;
                }
            }
        }
        self.total = 0;
        self.sum = 0;
        self.max = 0;
    }

    /// The bits of a word, wherever it is.
    fn word(&self, word: usize) -> u64 {
        let index = word.wrapping_sub(self.first);
        self.occupied.get(index).copied().unwrap_or(0)
    }

    /// The values in a bucket of a word that is covered or not.
    fn count_in(&self, word: usize, bit: usize) -> u64 {
        let index = word.wrapping_sub(self.first);
        if index >= self.occupied.len() {
            return 0;
        }
        self.counts[index * WORD + bit]
    }

    /// How many values were counted.
    pub const fn count(&self) -> u64 {
        self.total
    }

    /// The largest value, exactly; 0 when there is none.
    pub const fn max(&self) -> u64 {
        self.max
    }

    /// The middles of the buckets that hold something, in order, with how many values each holds.
    pub fn counts(&self) -> impl Iterator<Item = (u64, u64)> {
        let words = self.occupied.iter().enumerate();
        words.flat_map(move |(word, &bits)| {
            ones(bits).map(move |bit| {
                let middle = middle_of((self.first + word) * WORD + bit);
                (middle.min(self.max), self.counts[word * WORD + bit])
            })
        })
    }

    /// A histogram that shows what [`counts`](Self::counts) and [`max`](Self::max) of another one said; its mean is only as exact
    /// as the middles.
    pub fn restored(counts: impl IntoIterator<Item = (u64, u64)>, max: u64) -> Self {
        let mut histogram = Self::default();
        for (value, times) in counts {
            histogram.record_many(value, times);
        }
        histogram.max = histogram.max.max(max);
        histogram
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
    let used = || parts.iter().filter(|part| part.total > 0);
    let from = used().map(|part| part.first).min().unwrap_or(0);
    let to = used().map(|part| part.first + part.occupied.len()).max();
    for word in from..to.unwrap_or(from) {
        let bits = parts.iter().fold(0, |bits, part| bits | part.word(word));
        for bit in ones(bits) {
            let here = parts.iter().map(|part| part.count_in(word, bit));
            seen += here.sum::<u64>();
            while found < N && seen >= ranks[found] {
                values[found] = middle_of(word * WORD + bit).min(max);
                found += 1;
            }
            if found == N {
                return Some(values);
            }
        }
    }
    Some(values)
}

/// The places of the set bits, in order.
#[inline]
fn ones(mut bits: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let bit = (bits != 0).then(|| bits.trailing_zeros() as usize)?;
        bits &= bits - 1;
        Some(bit)
    })
}

#[inline]
pub(super) const fn bucket_of(value: u64) -> usize {
    let shift = (63 - PRECISION_BITS).saturating_sub((value | 1).leading_zeros());
    (shift as usize * SUB_BUCKETS) + (value >> shift) as usize
}

/// The middle of the values that fall into `bucket`.
pub(super) const fn middle_of(bucket: usize) -> u64 {
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
            assert!(bucket >= last);
            last = bucket;
            let middle = middle_of(bucket);
            assert_eq!(bucket_of(middle), bucket, "{value}");
            assert!(
                middle.abs_diff(value) <= value / 250,
                "{value} became {middle}"
            );
        }
        assert_eq!(
            bucket_of(u64::MAX),
            (64 - PRECISION_BITS as usize + 1) * SUB_BUCKETS - 1
        );
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

    #[test]
    fn counts_are_all_there_in_order() {
        let mut histogram = Histogram::default();
        for value in [5, 900, 5, 1 << 40, 77_000, 900, 5] {
            histogram.record(value);
        }
        let counts: Vec<(u64, u64)> = histogram.counts().collect();
        let numbers: Vec<u64> = counts.iter().map(|(_, count)| *count).collect();
        assert_eq!(numbers, [3, 2, 1, 1]);
        for ((middle, _), value) in counts.iter().zip([5, 900, 77_000, 1 << 40]) {
            assert!(
                middle.abs_diff(value) <= value / 250,
                "{middle} for {value}"
            );
        }
    }

    #[test]
    fn values_that_are_close_take_little_memory() {
        let mut histogram = Histogram::default();
        assert!(histogram.counts.is_empty());
        for value in 50_000_000..50_001_000 {
            histogram.record(value);
        }
        assert_eq!(histogram.counts.len(), WORD);
        // Smaller and larger ones come in later, and nothing moves.
        for value in [u64::MAX, 3, 900_000] {
            histogram.record(value);
        }
        assert_eq!(histogram.count(), 1_003);
        assert_eq!(histogram.quantile(0.0), Some(3));
        assert_eq!(histogram.max(), u64::MAX);
        let middle = histogram.quantile(0.5).expect("there are values");
        assert!(middle.abs_diff(50_000_500) < 200_000);
    }
}
