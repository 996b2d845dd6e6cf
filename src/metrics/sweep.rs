//! The figures of many variants of a scenario, as plain data.

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

/// What a sweep found: written as `sweep.json` and drawn by reports. Figures keep all their digits.
#[derive(Clone, Debug, Serialize, Default)]
pub struct SweepSummary {
    /// Version of the program.
    pub tidegate: String,
    /// Title of the scenario.
    pub scenario: String,
    /// Digest of the scenario without changes.
    pub scenario_hash: String,
    /// Name of the profile.
    pub profile: String,
    /// Digest of everything that was asked for.
    pub plan: String,
    /// `grid` or `lhs:N`.
    pub sample: String,
    /// How often variants ran: `5`, or `5 to 100 for ±2%`.
    pub replications: String,
    /// What was varied.
    pub axes: Vec<SweepAxis>,
    /// What was measured, in the order of `runs`.
    pub measures: Vec<SweepMeasure>,
    /// Indices of the two measures whose front is marked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pareto: Option<[usize; 2]>,
    /// Every variant, in order.
    pub variants: Vec<SweepPoint>,
}

/// One axis.
#[derive(Clone, Debug, PartialEq, Serialize, Default)]
pub struct SweepAxis {
    /// Its paths, with `+` between them.
    pub name: String,
    /// Its values in order; none where a sample takes any value of a range.
    pub values: Vec<String>,
}

/// One figure of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Default)]
pub struct SweepMeasure {
    /// `subject.Metric.statistic`.
    pub name: String,
    /// What it is counted in.
    pub unit: SweepUnit,
}

/// What a figure is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum SweepUnit {
    /// Whole things, or their mean.
    #[default]
    Count,
    /// Milliseconds.
    Ms,
    /// Seconds.
    S,
    /// A part of a whole, 0 to 1.
    Share,
    /// US dollars.
    Usd,
}

/// One variant.
#[derive(Clone, Debug, Serialize, Default)]
pub struct SweepPoint {
    /// Its number, from one.
    pub variant: u32,
    /// The value of each axis.
    pub values: Vec<String>,
    /// Where each value is on its axis, in a unit of the axis' own; `NaN` for what is no number.
    #[serde(skip)]
    pub places: Vec<f64>,
    /// Digest of the changed scenario.
    pub scenario_hash: String,
    /// Seed of the first replication; the others have those that follow it.
    pub seed: u64,
    /// How often it ran.
    pub replications: u32,
    /// How many replications passed all gates of the scenario; nothing where it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gates_passed: Option<u32>,
    /// Which of them did, in the order of `runs`; empty where there are no gates.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub passed: Vec<bool>,
    /// Whether no other variant is better in both measures of the front.
    pub on_front: bool,
    /// One for each measure.
    pub figures: Vec<SweepFigure>,
    /// The values of each replication, one for each measure.
    #[serde(serialize_with = "existing")]
    pub runs: Vec<Vec<f64>>,
}

/// A mean over replications with its 95 % interval; `NaN` where there is none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SweepFigure {
    /// Mean of the replications in which the figure exists.
    pub mean: f64,
    /// Lower bound of the interval.
    pub low: f64,
    /// Upper bound of the interval.
    pub high: f64,
}

impl SweepFigure {
    /// Of these replications.
    pub fn of(values: &[f64]) -> Self {
        let figure = super::mean_with_interval(values, 0);
        let (low, high) = figure.interval.unwrap_or((f64::NAN, f64::NAN));
        Self {
            mean: figure.value,
            low,
            high,
        }
    }

    /// Half the width of the interval, if there is one.
    pub fn half(&self) -> Option<f64> {
        let half = (self.high - self.low) / 2.0;
        half.is_finite().then_some(half)
    }
}

impl Serialize for SweepFigure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("mean", &number(self.mean))?;
        if self.half().is_some() {
            map.serialize_entry("low", &number(self.low))?;
            map.serialize_entry("high", &number(self.high))?;
        }
        map.end()
    }
}

/// Without a sign before zero, and nothing for what does not exist.
fn number(value: f64) -> Option<f64> {
    value.is_finite().then_some(value + 0.0)
}

fn existing<S: Serializer>(runs: &[Vec<f64>], serializer: S) -> Result<S::Ok, S::Error> {
    let runs = runs
        .iter()
        .map(|run| run.iter().map(|value| number(*value)).collect::<Vec<_>>());
    serializer.collect_seq(runs)
}

impl SweepUnit {
    /// The unit of a figure of this name, `subject.Metric.statistic`.
    pub fn of(name: &str) -> Self {
        // `p99.9` has a dot of its own.
        let name = name.strip_suffix(".9").unwrap_or(name);
        let metric = name.rsplit_once('.').map_or(name, |(metric, _)| metric);
        let last = metric.rsplit_once('.').map_or(metric, |(_, last)| last);
        if last.contains("usd") {
            Self::Usd
        } else if last.ends_with("Share") || last.ends_with("Utilization") {
            Self::Share
        } else if last.ends_with("LifespanS") {
            Self::S
        } else if ["Duration", "Latency", "Age"]
            .iter()
            .any(|it| last.ends_with(it))
            || last.starts_with("ApproximateAge")
        {
            Self::Ms
        } else {
            Self::Count
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{Figure, FunctionSummary, KafkaFigures, MappingSummary, Metric};

    /// Distributions are times, but for records by batch; and only they and two others are.
    #[test]
    fn units_follow_from_names() {
        let check = |metrics: Vec<(&'static str, Metric<'_>)>| {
            for (name, shape) in metrics {
                let unit = SweepUnit::of(&format!("a.b.{name}.p99"));
                let is_time = matches!(shape, Metric::Distribution(_)) && name != "BatchRecords"
                    || name == "ApproximateAgeOfOldestMessage";
                assert_eq!(unit == SweepUnit::Ms, is_time, "{name}: {unit:?}");
            }
        };
        check(FunctionSummary::default().metrics());
        let mut mapping = MappingSummary {
            kafka: Some(KafkaFigures::default()),
            ..MappingSummary::default()
        };
        check(mapping.metrics());
        assert_eq!(SweepUnit::of("f.ColdStartShare.Average"), SweepUnit::Share);
        assert_eq!(
            SweepUnit::of("cost.total_usd_per_month.Sum"),
            SweepUnit::Usd
        );
        assert_eq!(SweepUnit::of("f.Latency.p99.9"), SweepUnit::Ms);
    }

    #[test]
    fn intervals_are_those_of_replications() {
        let figure = SweepFigure::of(&[1.0, 2.0, 3.0, f64::NAN]);
        let Figure {
            value, interval, ..
        } = crate::metrics::mean_with_interval(&[1.0, 2.0, 3.0], 0);
        assert_eq!(
            (figure.mean, Some((figure.low, figure.high))),
            (value, interval)
        );
        let text = serde_json::to_string(&SweepFigure::of(&[-0.0])).expect("a document");
        assert_eq!(text, "{\"mean\":0.0}");
        let text = serde_json::to_string(&SweepFigure::of(&[f64::NAN])).expect("a document");
        assert_eq!(text, "{\"mean\":null}");
    }
}
