//! Thresholds: which metrics and statistics exist, and whether a bound holds.

use std::fmt;
use std::str::FromStr;

use super::{
    Figure, FunctionSummary, GateResult, KafkaFigures, MappingSummary, Metric, Percentiles, Summary,
};

/// A way of turning a metric into one number, with CloudWatch's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the variants are the statistics themselves")]
pub enum Statistic {
    Sum,
    Average,
    Maximum,
    P50,
    P90,
    P95,
    P99,
    P999,
    /// The value at the end of the run: CloudWatch has no name for it, and a drained backlog needs one.
    End,
}

/// The text is not a statistic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a statistic is `Sum`, `Average`, `Maximum`, `p50`, `p90`, `p95`, `p99`, `p99.9` or `End`")]
pub struct UnknownStatistic;

impl Statistic {
    /// Every statistic with its name in files.
    pub const ALL: [(&'static str, Self); 9] = [
        ("Sum", Self::Sum),
        ("Average", Self::Average),
        ("Maximum", Self::Maximum),
        ("p50", Self::P50),
        ("p90", Self::P90),
        ("p95", Self::P95),
        ("p99", Self::P99),
        ("p99.9", Self::P999),
        ("End", Self::End),
    ];
}

impl FromStr for Statistic {
    type Err = UnknownStatistic;

    fn from_str(text: &str) -> Result<Self, UnknownStatistic> {
        Self::ALL
            .iter()
            .find(|(name, _)| *name == text)
            .map(|(_, statistic)| *statistic)
            .ok_or(UnknownStatistic)
    }
}

impl Metric<'_> {
    /// The statistics that a metric of this shape has.
    pub fn statistics(&self) -> &'static [Statistic] {
        use Statistic::{Average, End, Maximum, P50, P90, P95, P99, P999, Sum};
        match self {
            Self::Total(_) => &[Sum],
            Self::Level(_) => &[Average],
            Self::Largest(_) => &[Maximum],
            Self::Distribution(_) => &[Average, Maximum, P50, P90, P95, P99, P999],
            Self::MeanMax(_) => &[Average, Maximum],
            Self::Backlog(_) => &[Maximum, End],
        }
    }

    fn figure(&self, statistic: Statistic) -> Option<Figure> {
        match (self, statistic) {
            (Self::Total(figure), Statistic::Sum) | (Self::Level(figure), Statistic::Average) => {
                Some(**figure)
            }
            (Self::Largest(figure), Statistic::Maximum) => Some(**figure),
            (Self::Distribution(parts), statistic) => percentile(parts, statistic),
            (Self::MeanMax(parts), Statistic::Average) => Some(parts.mean),
            (Self::MeanMax(parts), Statistic::Maximum) => Some(parts.max),
            (Self::Backlog(parts), Statistic::Maximum) => Some(parts.max),
            (Self::Backlog(parts), Statistic::End) => Some(parts.end),
            _ => None,
        }
    }
}

fn percentile(parts: &Percentiles, statistic: Statistic) -> Option<Figure> {
    match statistic {
        Statistic::Average => Some(parts.mean),
        Statistic::Maximum => Some(parts.max),
        Statistic::P50 => Some(parts.p50),
        Statistic::P90 => Some(parts.p90),
        Statistic::P95 => Some(parts.p95),
        Statistic::P99 => Some(parts.p99),
        Statistic::P999 => Some(parts.p999),
        Statistic::Sum | Statistic::End => None,
    }
}

/// A bound on one statistic of one metric; several bounds may hold at once.
#[derive(Clone, Debug, PartialEq)]
pub struct Threshold {
    /// `subject.Metric`.
    pub metric: String,
    /// Statistic, as written.
    pub statistic: String,
    /// Fails when the value is above this.
    pub max: Option<f64>,
    /// Fails when the value is below this.
    pub min: Option<f64>,
}

/// The value of `subject.Metric` under a statistic, `None` when one of the three does not exist or fits.
///
/// A subject's name may contain dots. When a function and a mapping share a name, the one that has the
/// metric is meant.
pub fn lookup(summary: &Summary, metric: &str, statistic: &str) -> Option<f64> {
    let statistic = statistic.parse().ok()?;
    let of = |subject: &str| metric.strip_prefix(subject)?.strip_prefix('.');
    let functions = summary
        .functions
        .iter()
        .find_map(|(name, function)| pick(&function.clone().metrics(), of(name)?, statistic));
    let versions = || {
        let mut versions = summary.versions.iter();
        versions.find_map(|(name, one)| pick(&one.clone().metrics(), of(name)?, statistic))
    };
    let subjects = functions.or_else(versions).or_else(|| {
        summary.mappings.iter().find_map(|(name, mapping)| {
            let mut mapping = mapping.clone();
            mapping.kafka.get_or_insert_with(KafkaFigures::unknown);
            pick(&mapping.metrics(), of(name)?, statistic)
        })
    });
    let subjects = subjects.or_else(|| {
        let mut account = summary.account.clone();
        pick(&account.metrics(), of("account")?, statistic)
    });
    subjects.or_else(|| {
        let mut cost = summary.cost.clone();
        pick(&cost.metrics(), of("cost")?, statistic)
    })
}

fn pick(metrics: &[(&str, Metric<'_>)], wanted: &str, statistic: Statistic) -> Option<f64> {
    let (_, metric) = metrics.iter().find(|(name, _)| *name == wanted)?;
    metric.figure(statistic).map(|figure| figure.value)
}

/// Every `subject.Metric` of a scenario with these functions and mappings, with the statistics it has.
pub fn metric_names<'a>(
    functions: impl IntoIterator<Item = &'a str>,
    mappings: impl IntoIterator<Item = &'a str>,
) -> Vec<(String, &'static [Statistic])> {
    let mut function = FunctionSummary::default();
    let mut mapping = MappingSummary {
        kafka: Some(KafkaFigures::default()),
        ..MappingSummary::default()
    };
    let of_functions = function.metrics();
    let of_mappings = mapping.metrics();
    let mut names = Vec::new();
    for subject in functions {
        for (metric, shape) in &of_functions {
            names.push((format!("{subject}.{metric}"), shape.statistics()));
        }
    }
    for subject in mappings {
        for (metric, shape) in &of_mappings {
            names.push((format!("{subject}.{metric}"), shape.statistics()));
        }
    }
    names
}

/// Judges a threshold: one result per bound, none when [`lookup`] finds no value.
///
/// A value that was never measured (a percentile of nothing) holds no bound: a gate that could not be
/// checked must not look passed.
pub fn evaluate(summary: &Summary, threshold: &Threshold) -> Vec<GateResult> {
    let Some(value) = lookup(summary, &threshold.metric, &threshold.statistic) else {
        return Vec::new();
    };
    let result = |bound: String, pass: bool| GateResult {
        metric: threshold.metric.clone(),
        statistic: threshold.statistic.clone(),
        bound,
        value,
        pass,
    };
    let max = threshold
        .max
        .map(|max| result(format!("<= {max}"), value <= max));
    let min = threshold
        .min
        .map(|min| result(format!(">= {min}"), value >= min));
    max.into_iter().chain(min).collect()
}

impl fmt::Display for Statistic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = Self::ALL.iter().find(|(_, statistic)| statistic == self);
        f.write_str(named.map_or("", |(name, _)| name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::fixture;

    #[test]
    fn every_listed_metric_and_statistic_has_a_value() {
        let summary = fixture::flash_sale().0;
        let names = metric_names(
            summary.functions.iter().map(|(name, _)| name.as_str()),
            summary.mappings.iter().map(|(name, _)| name.as_str()),
        );
        assert_eq!(names.len(), 2 * 55 + 2 * 52);
        for (metric, statistics) in names {
            for (written, statistic) in Statistic::ALL {
                assert_eq!(
                    lookup(&summary, &metric, written).is_some(),
                    statistics.contains(&statistic),
                    "{metric} {statistic}"
                );
            }
        }
    }

    #[test]
    fn names_with_dots_and_shared_names_resolve() {
        let mut summary = fixture::flash_sale().0;
        summary.functions[0].0 = "shop.v1.checkout".to_owned();
        summary.mappings[0].0 = "shop.v1.checkout".to_owned();
        let value = |metric| lookup(&summary, metric, "Sum");
        assert_eq!(
            value("shop.v1.checkout.Invocations"),
            Some(summary.functions[0].1.invocations.value)
        );
        assert_eq!(
            value("shop.v1.checkout.Batches"),
            Some(summary.mappings[0].1.batches.value)
        );
        assert_eq!(value("shop.Invocations"), None);
        assert_eq!(lookup(&summary, "shop.v1.checkout.Errors", "p42"), None);
    }

    #[test]
    fn both_bounds_are_judged_and_an_unmeasured_value_fails() {
        let mut summary = fixture::flash_sale().0;
        let mut threshold = Threshold {
            metric: "checkout.Latency".to_owned(),
            statistic: "p99".to_owned(),
            max: Some(10.0),
            min: Some(1.0),
        };
        let results = evaluate(&summary, &threshold);
        let shown: Vec<_> = results.iter().map(|r| (r.bound.as_str(), r.pass)).collect();
        assert_eq!(shown, [("<= 10", false), (">= 1", true)]);
        summary.functions[0].1.latency.p99.value = f64::NAN;
        assert!(evaluate(&summary, &threshold).iter().all(|r| !r.pass));
        // No mapping of Kafka: it has no such number.
        let lag = Threshold {
            metric: "clicks-to-checkout.MaxOffsetLag".to_owned(),
            statistic: "End".to_owned(),
            ..threshold.clone()
        };
        assert_eq!(evaluate(&summary, &lag).len(), 2);
        assert!(evaluate(&summary, &lag).iter().all(|r| !r.pass));
        threshold.metric = "nobody.Latency".to_owned();
        assert!(evaluate(&summary, &threshold).is_empty());
    }
}
