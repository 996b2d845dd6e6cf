//! How a function's latencies are distributed: a histogram, and the tail by percentile.

use crate::metrics::Histogram;
use crate::report::axis;
use crate::report::detail::Detail;
use crate::report::view::{Across, Axis, Chart, Colour, Line};

/// Bars of the histogram.
const BARS: usize = 60;
/// The histogram spans at least this factor, so that equal latencies are a bar and not a wall.
const SPAN_MIN: f64 = 10.0;
/// Points of the curve of percentiles for every nine.
const POINTS_PER_NINE: i32 = 40;
/// The curve ends at p99.999.
const NINES: i32 = 5;

/// Both charts of the measured part; none when nothing was measured.
pub(super) fn charts(latencies: &Histogram) -> Vec<Chart> {
    if latencies.count() == 0 {
        return Vec::new();
    }
    let (low, high) = bounds(latencies);
    vec![histogram(latencies, low, high), percentiles(latencies)]
}

/// The histograms of two runs over the same bars; none unless both have one.
pub(in crate::report) fn beside(one: &Histogram, other: &Histogram) -> Option<[Chart; 2]> {
    if one.count() == 0 || other.count() == 0 {
        return None;
    }
    let ((low, high), (other_low, other_high)) = (bounds(one), bounds(other));
    let (low, high) = (low.min(other_low), high.max(other_high));
    Some([one, other].map(|latencies| histogram(latencies, low, high)))
}

/// Where the bars of a histogram begin and end, milliseconds.
fn bounds(latencies: &Histogram) -> (f64, f64) {
    let low = axis::round_down(least(latencies));
    (low, (millis(latencies.max()) * 1.02).max(low * SPAN_MIN))
}

fn least(latencies: &Histogram) -> f64 {
    latencies.quantile(0.0).map_or(0.0, millis).max(1e-3)
}

fn millis(nanos: u64) -> f64 {
    nanos as f64 / 1e6
}

/// Invocations by latency, in bars that are equally wide on a logarithmic axis.
fn histogram(latencies: &Histogram, low: f64, high: f64) -> Chart {
    let least = least(latencies);
    let width = libm::log(high / low) / BARS as f64;
    let mut bars = [0.0; BARS];
    for (nanos, count) in latencies.counts() {
        let bar = (libm::log(millis(nanos).max(least) / low) / width) as usize;
        bars[bar.min(BARS - 1)] += count as f64;
    }
    let edge = |bar: usize| low * libm::exp(width * bar as f64);
    let points = bars
        .iter()
        .enumerate()
        .flat_map(|(bar, count)| [(edge(bar), *count), (edge(bar + 1), *count)]);
    let line = Line {
        label: "invocations".into(),
        colour: Colour::Blue,
        filled: true,
        points: points.collect(),
        means: Vec::new(),
        detail: Detail::default(),
    };
    chart(
        "Distribution of latency",
        Axis::Count("invocations"),
        Across::Millis(low),
        high,
        line,
    )
}

/// Latency by percentile; it ends where a percentile would be a single invocation.
fn percentiles(latencies: &Histogram) -> Chart {
    let count = latencies.count() as f64;
    let places = (0..=POINTS_PER_NINE * NINES)
        .map(|point| libm::exp10(f64::from(point) / f64::from(POINTS_PER_NINE)))
        .take_while(|at| *at <= count);
    let points: Vec<(f64, f64)> = places
        .filter_map(|at| Some((at, millis(latencies.quantile(1.0 - 1.0 / at)?))))
        .collect();
    // A single invocation has one percentile, and an axis needs a length.
    let end = points.last().map_or(1.0, |(at, _)| *at).max(10.0);
    let line = Line {
        label: "latency".into(),
        colour: Colour::Purple,
        filled: false,
        points,
        means: Vec::new(),
        detail: Detail::default(),
    };
    chart(
        "Latency by percentile",
        Axis::Time,
        Across::Percentile,
        end,
        line,
    )
    .log_if_wide()
}

fn chart(title: &'static str, axis: Axis, across: Across, end: f64, line: Line) -> Chart {
    Chart {
        title,
        axis,
        across,
        step_s: 0.0,
        log: false,
        lines: vec![line],
        bands: Vec::new(),
        limit: None,
        end_s: end,
        mean_of_s: None,
        empty: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: impl IntoIterator<Item = u64>) -> Vec<Chart> {
        let mut latencies = Histogram::default();
        values.into_iter().for_each(|value| latencies.record(value));
        charts(&latencies)
    }

    #[test]
    fn every_invocation_is_in_a_bar() {
        let charts = of((1..=5_000).map(|i| i * i * 1_000));
        let bars = &charts[0].lines[0].points;
        let sum: f64 = bars.iter().step_by(2).map(|(_, count)| count).sum();
        assert_eq!((bars.len(), sum), (2 * BARS, 5_000.0));
        assert!(bars.is_sorted_by_key(|(at, _)| *at));
    }

    #[test]
    fn the_tail_ends_where_single_invocations_begin() {
        let charts = of((1..=1_000).map(|i| i * 1_000_000));
        let curve = &charts[1].lines[0].points;
        let (last, value) = *curve.last().expect("a curve");
        assert!((999.0..=1_000.1).contains(&last), "{last}");
        assert!((995.0..=1_001.0).contains(&value), "{value}");
        assert!(curve.is_sorted_by_key(|(_, value)| *value));
        let many = of((0..300_000).map(|i| 1_000_000 + i));
        assert!((many[1].end_s - 1e5).abs() < 1e-6);
    }

    #[test]
    fn one_invocation_and_none_are_drawn_too() {
        assert!(of([]).is_empty());
        let charts = of([0]);
        assert_eq!(charts[1].lines[0].points, [(1.0, 0.0)]);
        let same = of([80_000_000; 9]);
        let bars = &same[0].lines[0].points;
        assert_eq!(bars.iter().filter(|(_, count)| *count > 0.0).count(), 2);
    }

    #[test]
    fn two_runs_are_counted_in_the_same_bars() {
        let (mut one, mut other) = (Histogram::default(), Histogram::default());
        (1..=300).for_each(|i| one.record(i * 1_000_000));
        assert!(beside(&one, &other).is_none());
        (1..=50).for_each(|i| other.record(i * 40_000_000));
        let [a, b] = beside(&one, &other).expect("both have some");
        let edges = |chart: &Chart| -> Vec<f64> {
            chart.lines[0].points.iter().map(|(at, _)| *at).collect()
        };
        let sum = |chart: &Chart| -> f64 {
            let bars = chart.lines[0].points.iter().step_by(2);
            bars.map(|(_, count)| count).sum()
        };
        assert_eq!(
            (edges(&a), a.across, a.end_s),
            (edges(&b), b.across, b.end_s)
        );
        assert_eq!((sum(&a), sum(&b)), (300.0, 50.0));
    }
}
