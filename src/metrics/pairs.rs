//! Two results side by side: differences, with 95 % intervals where there are replications.
//!
//! Replications under one seed see the same arrivals, failures and durations, so their differences vary much less than
//! the runs themselves: the interval is Student's over the differences. Without seeds in common it is Welch's over two
//! independent samples, and with single runs there is none.

use super::combine::student_975;
use super::{Metric, Summary};
use std::collections::BTreeMap;

/// How replications of the two sides belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pairing {
    /// By seed: the interval is that of the mean of so many differences.
    Paired(usize),
    /// Not at all: the seeds differ, and the interval is that of two independent means (Welch).
    Unpaired,
    /// There is one run on a side: no interval.
    Single,
}

/// Whether two sides differ in a measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every replication gives the same value on both sides.
    Same,
    /// The interval of the difference holds zero.
    NotDetectable,
    /// The interval of the difference does not hold zero.
    Differs,
    /// The values differ, and without replications nothing says by how much they would by chance.
    Unknown,
}

/// What is compared: one number of one subject.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Compared {
    /// `functions`, `versions`, `mappings`, `account` or `cost`.
    pub section: &'static str,
    /// Name of the function, version or mapping; for lines of a bill, whose cost it is.
    pub subject: String,
    /// Metric as in files; for lines of a bill, the item.
    pub metric: String,
    /// Statistic as in files; `Sum` for amounts.
    pub statistic: &'static str,
}

impl Compared {
    /// `checkout.Latency.p99`, as people write it.
    pub fn name(&self) -> String {
        let Self {
            subject,
            metric,
            statistic,
            ..
        } = self;
        match self.section {
            "cost" if subject != "cost" => format!("cost.{subject}.{metric}"),
            _ => format!("{subject}.{metric}.{statistic}"),
        }
    }
}

/// A number on both sides.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// What it is.
    pub of: Compared,
    /// Mean over the replications of the first side.
    pub a: f64,
    /// Mean over the replications of the second side.
    pub b: f64,
    /// The second less the first; over pairs where there are some.
    pub difference: f64,
    /// Its 95 % interval.
    pub interval: Option<(f64, f64)>,
    /// Whether it is one.
    pub verdict: Verdict,
}

impl Difference {
    /// As a share of the first side: 0.05 for 5 % more. `None` where that is zero.
    pub fn relative(&self) -> Option<f64> {
        (self.a != 0.0).then(|| self.difference / self.a.abs())
    }
}

/// Everything that two results say about each other.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// How replications belong together.
    pub pairing: Pairing,
    /// Numbers that both sides have, in the order of the summary, without those that are zero everywhere.
    pub differences: Vec<Difference>,
    /// Numbers with a value on one side only: on the first, on the second.
    pub only: [Vec<Compared>; 2],
    /// Numbers that are zero in every run of both sides.
    pub zeros: Vec<Compared>,
}

/// Compares two results, each given by its replications.
///
/// # Panics
/// When a side has none.
pub fn compare(a: &[Summary], b: &[Summary]) -> Comparison {
    assert!(!a.is_empty() && !b.is_empty(), "nothing to compare");
    let seeds = |side: &[Summary]| -> Vec<u64> { side.iter().map(|one| one.seed).collect() };
    let (seeds_a, seeds_b) = (seeds(a), seeds(b));
    // Positions of the replications that share a seed.
    let pairs: Vec<(usize, usize)> = seeds_a
        .iter()
        .enumerate()
        .filter_map(|(at, seed)| Some((at, seeds_b.iter().position(|other| other == seed)?)))
        .collect();
    let pairing = match (pairs.len(), a.len(), b.len()) {
        (2.., ..) => Pairing::Paired(pairs.len()),
        (_, 2.., 2..) => Pairing::Unpaired,
        _ => Pairing::Single,
    };
    let (table_a, table_b) = (Table::of(a), Table::of(b));
    let mut comparison = Comparison {
        pairing,
        differences: Vec::new(),
        only: [Vec::new(), Vec::new()],
        zeros: Vec::new(),
    };
    for (of, values) in &table_a.rows {
        let other = table_b.find(of);
        let (here, there) = (exists(values), other.is_some_and(|other| exists(other)));
        match (here, there, other) {
            (true, true, Some(other)) => {
                if values.iter().chain(other).all(|value| *value == 0.0) {
                    comparison.zeros.push(of.clone());
                    continue;
                }
                let difference = difference(of, values, other, pairing, &pairs);
                comparison.differences.push(difference);
            }
            (true, false, _) => comparison.only[0].push(of.clone()),
            (false, true, _) => comparison.only[1].push(of.clone()),
            _ => {}
        }
    }
    let missing = table_b
        .rows
        .iter()
        .filter(|(of, values)| exists(values) && table_a.find(of).is_none());
    comparison.only[1].extend(missing.map(|(of, _)| of.clone()));
    // What never happened is not worth naming for being absent on the other side.
    for (side, table) in comparison.only.iter_mut().zip([&table_a, &table_b]) {
        side.retain(|of| {
            let values = table.find(of);
            values.is_some_and(|values| values.iter().any(|value| *value != 0.0))
        });
    }
    comparison
}

/// Whether there is a value in any replication.
fn exists(values: &[f64]) -> bool {
    values.iter().any(|value| value.is_finite())
}

/// The numbers of a side, in the order of the summary, with a value for each replication.
struct Table {
    rows: Vec<(Compared, Vec<f64>)>,
    places: BTreeMap<Compared, usize>,
}

impl Table {
    fn of(side: &[Summary]) -> Self {
        let mut table = Self {
            rows: Vec::new(),
            places: BTreeMap::new(),
        };
        for (replication, summary) in side.iter().enumerate() {
            for (of, value) in numbers(summary) {
                let at = *table.places.entry(of.clone()).or_insert_with(|| {
                    table.rows.push((of, Vec::new()));
                    table.rows.len() - 1
                });
                let values = &mut table.rows[at].1;
                // Lines of a bill with one name are one amount.
                match values.get_mut(replication) {
                    Some(sum) => *sum += value,
                    None => {
                        values.resize(replication, f64::NAN);
                        values.push(value);
                    }
                }
            }
        }
        for (_, values) in &mut table.rows {
            values.resize(side.len(), f64::NAN);
        }
        table
    }

    fn find(&self, of: &Compared) -> Option<&Vec<f64>> {
        self.places.get(of).map(|at| &self.rows[*at].1)
    }
}

fn numbers(summary: &Summary) -> Vec<(Compared, f64)> {
    let mut summary = summary.clone();
    let mut found = Vec::new();
    let mut add = |section, subject: &str, metrics: Vec<(&'static str, Metric<'_>)>| {
        for (metric, shape) in metrics {
            let bare = match shape {
                Metric::Level(_) => "Average",
                Metric::Largest(_) => "Maximum",
                _ => "Sum",
            };
            shape.visit(&mut |key, figure| {
                let statistic = match key {
                    "" => bare,
                    "mean" => "Average",
                    "max" => "Maximum",
                    "end" => "End",
                    "p50" => "p50",
                    "p90" => "p90",
                    "p95" => "p95",
                    "p99" => "p99",
                    _ => "p99.9",
                };
                let of = Compared {
                    section,
                    subject: subject.to_owned(),
                    metric: metric.to_owned(),
                    statistic,
                };
                found.push((of, figure.value));
            });
        }
    };
    for (name, function) in &mut summary.functions {
        add("functions", name, function.metrics());
    }
    for (name, version) in &mut summary.versions {
        add("versions", name, version.metrics().into());
    }
    for (name, mapping) in &mut summary.mappings {
        add("mappings", name, mapping.metrics());
    }
    add("account", "account", summary.account.metrics().into());
    add("cost", "cost", summary.cost.metrics().into());
    for line in &summary.cost.lines {
        let of = Compared {
            section: "cost",
            subject: line.subject.clone(),
            metric: line.item.clone(),
            statistic: "Sum",
        };
        found.push((of, line.per_month.value));
    }
    found
}

fn difference(
    of: &Compared,
    a: &[f64],
    b: &[f64],
    pairing: Pairing,
    pairs: &[(usize, usize)],
) -> Difference {
    let finite = |values: &[f64]| -> Vec<f64> {
        values
            .iter()
            .copied()
            .filter(|value| value.is_finite())
            .collect()
    };
    let of = of.clone();
    let (difference, interval, a, b, same) = match pairing {
        Pairing::Paired(_) => {
            let both = pairs.iter().map(|(at, other)| (a[*at], b[*other]));
            let both: Vec<(f64, f64)> = both
                .filter(|(one, other)| one.is_finite() && other.is_finite())
                .collect();
            let differences: Vec<f64> = both.iter().map(|(one, other)| other - one).collect();
            let (mean, half) = mean_and_half(&differences);
            let of_a = both.iter().map(|(one, _)| *one).collect::<Vec<_>>();
            let of_b = both.iter().map(|(_, other)| *other).collect::<Vec<_>>();
            let same = differences.iter().all(|difference| *difference == 0.0);
            (mean, half, average(&of_a), average(&of_b), same)
        }
        Pairing::Unpaired | Pairing::Single => {
            let (a, b) = (finite(a), finite(b));
            let same = a.iter().chain(&b).all(|value| *value == a[0]);
            let half = match pairing {
                Pairing::Unpaired => welch(&a, &b),
                _ => None,
            };
            (
                average(&b) - average(&a),
                half,
                average(&a),
                average(&b),
                same,
            )
        }
    };
    let interval = interval.map(|half| (difference - half, difference + half));
    let verdict = match interval {
        _ if same => Verdict::Same,
        Some((low, high)) if low > 0.0 || high < 0.0 => Verdict::Differs,
        Some(_) => Verdict::NotDetectable,
        None => Verdict::Unknown,
    };
    Difference {
        of,
        a,
        b,
        difference,
        interval,
        verdict,
    }
}

fn average(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The squared error of the mean of a sample, and its degrees of freedom.
fn squared_error(values: &[f64]) -> (f64, f64) {
    let (n, mean) = (values.len() as f64, average(values));
    let squares: f64 = values
        .iter()
        .map(|value| (value - mean) * (value - mean))
        .sum();
    (squares / (n - 1.0) / n, n - 1.0)
}

fn mean_and_half(values: &[f64]) -> (f64, Option<f64>) {
    let half = (values.len() > 1).then(|| {
        let (squared, _) = squared_error(values);
        student_975(values.len() - 1) * squared.sqrt()
    });
    (average(values), half)
}

/// Half of the interval of the difference of two independent means; degrees of freedom after Welch and Satterthwaite,
/// rounded down, which is on the safe side.
fn welch(a: &[f64], b: &[f64]) -> Option<f64> {
    if a.len() < 2 || b.len() < 2 {
        return None;
    }
    let ((error_a, free_a), (error_b, free_b)) = (squared_error(a), squared_error(b));
    let error = error_a + error_b;
    if error == 0.0 {
        return Some(0.0);
    }
    let degrees = error * error / (error_a * error_a / free_a + error_b * error_b / free_b);
    Some(student_975((degrees as usize).max(1)) * error.sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::fixture;

    fn of() -> Compared {
        Compared {
            section: "functions",
            subject: "f".to_owned(),
            metric: "Latency".to_owned(),
            statistic: "p99",
        }
    }

    /// The textbook's paired example: differences 1, 2, 3, 4, 5.
    #[test]
    fn pairs_have_the_interval_of_a_textbook() {
        let a = [100.0, 7.0, 55.0, 3.0, 80.0];
        let b = [101.0, 9.0, 58.0, 7.0, 85.0];
        let pairs: Vec<(usize, usize)> = (0..5).map(|at| (at, at)).collect();
        let found = difference(&of(), &a, &b, Pairing::Paired(5), &pairs);
        let (low, high) = found.interval.expect("an interval");
        assert!((low - 1.036_757).abs() < 1e-5 && (high - 4.963_243).abs() < 1e-5);
        assert_eq!((found.difference, found.verdict), (3.0, Verdict::Differs));
        // The same samples without pairs: they vary far too much.
        let found = difference(&of(), &a, &b, Pairing::Unpaired, &[]);
        assert_eq!(found.verdict, Verdict::NotDetectable);
        assert!((found.difference - 3.0).abs() < 1e-9);
    }

    /// Computed by hand: standard error 0.993 12, 27.9 degrees of freedom, t(27) = 2.0518.
    #[test]
    fn independent_samples_have_welchs_interval() {
        let a = [
            27.5, 21.0, 19.0, 23.6, 17.0, 17.9, 16.9, 20.1, 21.9, 22.6, 23.1, 19.6, 19.0, 21.7,
            21.4,
        ];
        let b = [
            27.1, 22.0, 20.8, 23.4, 23.4, 23.5, 25.8, 22.0, 24.8, 20.2, 21.9, 22.1, 22.9, 30.5,
            24.4,
        ];
        let half = welch(&a, &b).expect("an interval");
        let found = average(&b) - average(&a);
        assert!((found - 2.833).abs() < 0.001, "{found}");
        assert!((half - 2.037_7).abs() < 1e-3, "{half}");
        assert_eq!(welch(&[1.0, 1.0], &[2.0, 2.0]), Some(0.0));
        assert_eq!(welch(&[1.0], &[2.0, 2.0]), None);
    }

    #[test]
    fn sides_are_paired_by_seed() {
        let one = fixture::flash_sale().0;
        let seeded = |seed: u64, latency: f64| {
            let mut summary = one.clone();
            summary.seed = seed;
            summary.functions[0].1.latency.p99.value = latency;
            summary
        };
        let a = [seeded(1, 100.0), seeded(2, 200.0), seeded(3, 300.0)];
        let b = [seeded(3, 301.0), seeded(2, 202.0), seeded(9, 7.0)];
        let comparison = compare(&a, &b);
        assert_eq!(comparison.pairing, Pairing::Paired(2));
        let differing: Vec<&Difference> = comparison
            .differences
            .iter()
            .filter(|one| one.verdict != Verdict::Same)
            .collect();
        assert_eq!(differing.len(), 1);
        assert_eq!(differing[0].of.name(), "checkout.Latency.p99");
        assert_eq!((differing[0].a, differing[0].difference), (250.0, 1.5));
        assert_eq!(compare(&a, &b[2..]).pairing, Pairing::Single);
        let c = [seeded(5, 1.0), seeded(6, 2.0)];
        assert_eq!(compare(&a, &c).pairing, Pairing::Unpaired);
    }

    #[test]
    fn what_one_side_lacks_is_named() {
        let a = fixture::flash_sale().0;
        let mut b = a.clone();
        b.functions[0].0 = "other".to_owned();
        b.mappings[0].1.iterator_age.p99.value = f64::NAN;
        let comparison = compare(std::slice::from_ref(&a), &[b]);
        let names = |side: usize| -> Vec<String> {
            comparison.only[side].iter().map(Compared::name).collect()
        };
        assert!(names(0).contains(&"checkout.Latency.p99".to_owned()));
        let age = format!("{}.IteratorAge.p99", a.mappings[0].0);
        assert!(names(0).contains(&age));
        assert!(names(1).contains(&"other.Latency.p99".to_owned()));
        assert!(!names(1).contains(&age));
    }
}
