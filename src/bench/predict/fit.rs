//! What a run measured of its function and its source, in the shape of a scenario.

use crate::bench::live::{Read, Side};
use crate::engine::Span;
use crate::metrics::Histogram;

/// Values of a distribution that are kept.
pub(super) const SAMPLES_MAX: usize = 4_000;

/// What was measured of a function.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct FunctionFit {
    /// Duration of each invocation without its records, nanoseconds, in order.
    pub(crate) base: Vec<u64>,
    /// Added for each record, nanoseconds.
    pub(crate) per_record: u64,
    /// How much longer the first invocation of all took than the middle one, nanoseconds.
    pub(crate) init: u64,
    /// Invocations that failed, of all.
    pub(crate) failed: (u64, u64),
}

/// What was measured of a source.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct SourceFit {
    /// From when a record is due until a read that waits for it returns, nanoseconds, in order. For a stream, until its write
    /// is acknowledged.
    pub(crate) waited: Vec<u64>,
    /// Time of a read that found something, nanoseconds, in order.
    pub(crate) found: Vec<u64>,
}

impl FunctionFit {
    pub(crate) fn of(side: &Side, starts_cold: bool) -> Self {
        let durations = &side.hops.durations;
        let per_record = slope(durations);
        let without = |(took, records): &(u64, u32)| {
            took.saturating_sub((per_record * f64::from(*records)) as u64)
        };
        let mut base: Vec<u64> = durations.iter().map(without).collect();
        base.sort_unstable();
        let mut whole: Vec<u64> = durations.iter().map(|(took, _)| *took).collect();
        whole.sort_unstable();
        let middle = whole.get(whole.len() / 2).copied().unwrap_or(0);
        let first = side.first.map_or(0, Span::as_nanos);
        let failed = side.hops.failed;
        Self {
            base: thinned(&base),
            per_record: per_record as u64,
            init: match starts_cold {
                true => first.saturating_sub(middle),
                false => 0,
            },
            failed: (failed, failed + durations.len() as u64),
        }
    }
}

/// Time that a record adds, by least squares; zero where batches are too alike to tell, or the slope could be chance.
fn slope(durations: &[(u64, u32)]) -> f64 {
    const CERTAIN: f64 = 4.0;
    let n = durations.len() as f64;
    if n < 10.0 {
        return 0.0;
    }
    let xs = durations.iter().map(|(_, records)| f64::from(*records));
    let ys = durations.iter().map(|(took, _)| *took as f64);
    let (x_mean, y_mean) = (xs.clone().sum::<f64>() / n, ys.clone().sum::<f64>() / n);
    let pairs = || xs.clone().zip(ys.clone());
    let xx: f64 = xs.clone().map(|x| (x - x_mean) * (x - x_mean)).sum();
    if xx <= 0.0 {
        return 0.0;
    }
    let xy: f64 = pairs().map(|(x, y)| (x - x_mean) * (y - y_mean)).sum();
    let slope = xy / xx;
    let left = |(x, y): (f64, f64)| (y - y_mean - slope * (x - x_mean)).powi(2);
    let deviation = (pairs().map(left).sum::<f64>() / (n - 2.0) / xx).sqrt();
    if slope > CERTAIN * deviation {
        slope
    } else {
        0.0
    }
}

impl SourceFit {
    /// Of the reads of a bare loop under the same load, and of how long writes took: no read waits for a record of a stream,
    /// which is there once it is written.
    pub(crate) fn of(reads: &[Read], is_stream: bool, written: &Histogram) -> Self {
        let mut fit = Self::default();
        if is_stream {
            for (value, times) in written.counts() {
                fit.waited
                    .extend(std::iter::repeat_n(value, times as usize));
            }
        }
        for read in reads {
            let Some(due) = read.due else {
                continue;
            };
            if due >= read.begun && !is_stream {
                fit.waited.push(read.ended.since(due).as_nanos());
            } else {
                fit.found.push(read.ended.since(read.begun).as_nanos());
            }
        }
        for list in [&mut fit.waited, &mut fit.found] {
            list.sort_unstable();
            *list = thinned(list);
        }
        fit
    }
}

/// Evenly picked values of a sorted list, first and last among them.
pub(super) fn thinned(sorted: &[u64]) -> Vec<u64> {
    if sorted.len() <= SAMPLES_MAX {
        return sorted.to_vec();
    }
    let last = sorted.len() - 1;
    let pick = |index: usize| sorted[index * last / (SAMPLES_MAX - 1)];
    (0..SAMPLES_MAX).map(pick).collect()
}
