//! One number of a run, named as people write it: `checkout.Latency.p99`.

use crate::metrics::{
    AccountSummary, CostSummary, Metric, Statistic, Summary, lookup, metric_names,
};
use crate::scenario::{Scenario, listed, nearest};
use std::fmt;

/// `subject.Metric.statistic`: a function, version or mapping of a scenario, `account` or `cost`, one of its metrics and
/// one of that metric's statistics, as gates name them. Times are in milliseconds.
///
/// ```
/// use tidegate::scenario::{SourceText, parse};
/// use tidegate::study::Measure;
///
/// let text = "duration = '1m'\n[[function]]\nname = 'f'\nduration = '10ms'\n[[traffic]]\nfunction = 'f'\nrate = 5";
/// let scenario = parse(SourceText::new("s.toml", text)).expect("a sound scenario").scenario;
/// let p99 = Measure::parse("f.Latency.p99", &scenario)?;
/// let run = tidegate::sim::run(&scenario, 1, &mut ()).expect("sound limits");
/// assert!((9.9..200.0).contains(&p99.of(&run.summary)));
///
/// let wrong = Measure::parse("f.Latencies.p99", &scenario).unwrap_err();
/// assert!(wrong.to_string().contains("did you mean `f.Latency`?"), "{wrong}");
/// # Ok::<(), tidegate::study::MeasureError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measure {
    metric: String,
    statistic: Statistic,
}

/// A measure that the scenario does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum MeasureError {
    #[error(
        "`{found}` is not `subject.Metric.statistic`, such as `{example}`{}",
        hint(suggestion.as_deref())
    )]
    Form {
        found: String,
        example: String,
        suggestion: Option<String>,
    },
    #[error("there is no metric `{found}`{}; there are, for example: {allowed}", hint(suggestion.as_deref()))]
    Metric {
        found: String,
        suggestion: Option<String>,
        allowed: String,
    },
    #[error("`{metric}` has no statistic `{found}`; it has {allowed}")]
    Statistic {
        metric: String,
        found: String,
        allowed: String,
    },
}

fn hint(suggestion: Option<&str>) -> String {
    suggestion.map_or_else(String::new, |name| format!(" (did you mean `{name}`?)"))
}

impl Measure {
    /// Reads a measure of this scenario.
    ///
    /// # Errors
    /// When it has another form, or names what the scenario does not have.
    pub fn parse(text: &str, scenario: &Scenario) -> Result<Self, MeasureError> {
        let names = names(scenario);
        // `p99.9` has a dot of its own.
        let split = match text.strip_suffix(".p99.9") {
            Some(metric) => Some((metric, "p99.9")),
            None => text.rsplit_once('.'),
        };
        let whole = names.iter().find(|(name, _)| name == text);
        let (metric, statistic) = match split {
            Some(split) if whole.is_none() => split,
            _ => {
                let (name, statistics) = whole.unwrap_or(&names[0]);
                return Err(MeasureError::Form {
                    found: text.to_owned(),
                    example: format!("{name}.{}", statistics[0]),
                    suggestion: None,
                });
            }
        };
        let Some((_, statistics)) = names.iter().find(|(name, _)| name == metric) else {
            let known = || names.iter().map(|(name, _)| name.as_str());
            return Err(MeasureError::Metric {
                found: metric.to_owned(),
                suggestion: nearest(metric, known()).map(str::to_owned),
                allowed: listed(known()),
            });
        };
        let known = statistic.parse().ok();
        match known.filter(|statistic| statistics.contains(statistic)) {
            Some(statistic) => Ok(Self {
                metric: metric.to_owned(),
                statistic,
            }),
            None => {
                let names: Vec<String> = statistics.iter().map(ToString::to_string).collect();
                Err(MeasureError::Statistic {
                    metric: metric.to_owned(),
                    found: statistic.to_owned(),
                    allowed: listed(names.iter().map(String::as_str)),
                })
            }
        }
    }

    /// Its value in a summary; `NaN` where nothing was measured, such as a percentile of nothing.
    pub fn of(&self, summary: &Summary) -> f64 {
        lookup(summary, &self.metric, &self.statistic.to_string()).unwrap_or(f64::NAN)
    }

    /// `subject.Metric`.
    pub fn metric(&self) -> &str {
        &self.metric
    }

    /// Its statistic.
    pub const fn statistic(&self) -> Statistic {
        self.statistic
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.metric, self.statistic)
    }
}

/// Every metric of a scenario with its statistics.
pub(super) fn names(scenario: &Scenario) -> Vec<(String, &'static [Statistic])> {
    let functions = scenario.functions.iter().map(|one| one.name.as_str());
    let mappings = scenario.mappings.iter().map(|one| one.config.name.as_str());
    let mut names = metric_names(functions, mappings);
    let mut add = |subject: &str, metrics: &[(&'static str, Metric<'_>)]| {
        for (metric, shape) in metrics {
            names.push((format!("{subject}.{metric}"), shape.statistics()));
        }
    };
    let versions = scenario.functions.iter().flat_map(|one| &one.versions);
    for version in versions {
        let mut figures = crate::metrics::VersionSummary::default();
        add(&version.code.name, &figures.metrics());
    }
    add("account", &AccountSummary::default().metrics());
    add("cost", &CostSummary::default().metrics());
    names
}
