//! Replications become means with 95 % Student intervals.

use super::{EngineSummary, Figure, Summary, for_each_figure};

/// Joins the summaries of replications, in their order: every figure becomes a mean with an interval, the
/// simulator's own work is added up, and the rest is the first replication's.
///
/// Thresholds are judged on joined figures, so the result has none: call [`evaluate`](super::evaluate) next.
/// A single summary keeps its figures as they are.
///
/// # Panics
///
/// When there is no summary, or the summaries are not of one scenario.
pub fn combine(summaries: Vec<Summary>) -> Summary {
    assert!(!summaries.is_empty(), "no replication to combine");
    let replications = summaries.iter().map(|one| one.replications).sum();
    let engine = add_up(summaries.iter().map(|one| one.engine));
    let mut columns: Vec<Vec<(String, f64)>> = Vec::with_capacity(summaries.len());
    let mut summaries = summaries;
    for summary in &mut summaries {
        let mut column = Vec::new();
        for_each_figure(summary, &mut |path, figure| {
            column.push((path.to_owned(), figure.value));
        });
        columns.push(column);
    }
    let mut joined = summaries.swap_remove(0);
    joined.replications = replications;
    joined.engine = engine;
    joined.gates.clear();
    if columns.len() == 1 {
        return joined;
    }
    let mut index = 0;
    for_each_figure(&mut joined, &mut |path, figure| {
        let values = columns.iter().map(|column| {
            let (other, value) = &column[index];
            assert_eq!(other, path, "replications of different scenarios");
            *value
        });
        *figure = mean_with_interval(&values.collect::<Vec<_>>(), figure.decimals);
        index += 1;
    });
    assert!(columns.iter().all(|column| column.len() == index));
    joined
}

/// The mean of the values that exist, with a 95 % Student interval when there are at least two.
pub fn mean_with_interval(values: &[f64], decimals: u8) -> Figure {
    let values: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    // The mean of whole numbers is not a whole number.
    let decimals = decimals.max(1);
    let interval = (values.len() > 1).then(|| {
        let squares: f64 = values.iter().map(|v| (v - mean) * (v - mean)).sum();
        let error = (squares / (n - 1.0) / n).sqrt();
        let half = student_975(values.len() - 1) * error;
        (mean - half, mean + half)
    });
    Figure {
        value: mean,
        decimals,
        interval,
    }
}

fn add_up(engines: impl Iterator<Item = EngineSummary>) -> EngineSummary {
    let mut sum = EngineSummary::default();
    let (mut invocations, mut records) = (0.0, 0.0);
    for engine in engines {
        sum.events += engine.events;
        sum.simulated_s += engine.simulated_s;
        sum.wall_s += engine.wall_s;
        invocations += engine.invocations_per_s * engine.wall_s;
        records += engine.records_per_s * engine.wall_s;
    }
    if sum.wall_s > 0.0 {
        sum.invocations_per_s = invocations / sum.wall_s;
        sum.records_per_s = records / sum.wall_s;
    }
    sum
}

/// The 97.5 % quantile of Student's distribution: a table for few degrees of freedom, and the
/// expansion around the normal quantile (Abramowitz and Stegun 26.7.5) beyond it. Only arithmetic, so
/// that every machine prints the same digits.
pub(crate) fn student_975(degrees: usize) -> f64 {
    const TABLE: [f64; 30] = [
        12.706_205, 4.302_653, 3.182_446, 2.776_445, 2.570_582, 2.446_912, 2.364_624, 2.306_004,
        2.262_157, 2.228_139, 2.200_985, 2.178_813, 2.160_369, 2.144_787, 2.131_450, 2.119_905,
        2.109_816, 2.100_922, 2.093_024, 2.085_963, 2.079_614, 2.073_873, 2.068_658, 2.063_899,
        2.059_539, 2.055_529, 2.051_831, 2.048_407, 2.045_230, 2.042_272,
    ];
    assert!(degrees > 0, "one value has no spread");
    if let Some(quantile) = TABLE.get(degrees - 1) {
        return *quantile;
    }
    let (z, v) = (1.959_963_985_f64, degrees as f64);
    let (z3, z5) = (z * z * z, z * z * z * z * z);
    let z7 = z5 * z * z;
    z + (z3 + z) / (4.0 * v)
        + (5.0 * z5 + 16.0 * z3 + 3.0 * z) / (96.0 * v * v)
        + (3.0 * z7 + 19.0 * z5 + 17.0 * z3 - 15.0 * z) / (384.0 * v * v * v)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::fixture;

    #[test]
    fn quantiles_agree_with_published_tables() {
        for (degrees, published) in [
            (1, 12.706),
            (4, 2.776),
            (30, 2.042),
            (31, 2.0395),
            (40, 2.0211),
            (120, 1.9799),
        ] {
            assert!((student_975(degrees) - published).abs() < 6e-4, "{degrees}");
        }
        assert!((student_975(1_000_000) - 1.959_966).abs() < 1e-6);
    }

    #[test]
    fn a_mean_has_the_interval_of_a_textbook() {
        let figure = mean_with_interval(&[1.0, 2.0, 3.0, 4.0, 5.0], 0);
        assert_eq!((figure.value, figure.decimals), (3.0, 1));
        let (low, high) = figure.interval.expect("five values have a spread");
        // s = 1.5811, error = 0.7071, t(4) = 2.7764.
        assert!((high - 4.963_243).abs() < 1e-5);
        assert!((low - 1.036_757).abs() < 1e-5);
    }

    #[test]
    fn values_that_do_not_exist_are_left_out() {
        assert_eq!(
            mean_with_interval(&[f64::NAN, 2.0, 4.0], 1).value,
            3.0,
            "a percentile of nothing is no zero"
        );
        assert_eq!(mean_with_interval(&[f64::NAN, 2.0], 1).interval, None);
        assert!(mean_with_interval(&[f64::NAN; 2], 1).value.is_nan());
    }

    #[test]
    fn replications_join_and_their_work_adds_up() {
        let one = fixture::flash_sale().0;
        let mut two = one.clone();
        two.functions[0].1.invocations.value += 2.0;
        two.engine.wall_s *= 3.0;
        let joined = combine(vec![one.clone(), two]);
        assert_eq!(joined.replications, 2);
        assert_eq!(joined.seed, one.seed);
        assert!(joined.gates.is_empty());
        let invocations = joined.functions[0].1.invocations;
        assert_eq!(
            invocations.value,
            one.functions[0].1.invocations.value + 1.0
        );
        assert!(invocations.interval.is_some());
        assert_eq!(joined.engine.events, 2 * one.engine.events);
        assert_eq!(joined.engine.wall_s, 4.0 * one.engine.wall_s);
        assert_eq!(
            joined.engine.invocations_per_s,
            one.engine.invocations_per_s
        );
    }

    #[test]
    fn one_replication_keeps_its_figures() {
        let one = fixture::flash_sale().0;
        let joined = combine(vec![one.clone()]);
        assert_eq!(joined.functions[0].1.latency, one.functions[0].1.latency);
    }
}
