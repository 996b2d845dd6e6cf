//! A sweep as it is asked for, before anybody has looked whether it makes sense.

use super::axis::{Axis, AxisError};
use super::design::{Design, DesignError, VARIANTS_MAX, Variants};
use super::measure::{Measure, MeasureError};
use super::pareto::Aim;
use super::precision::{PrecisionError, Replications, parse_precision};
use serde::{Deserialize, Serialize};

/// What was asked for, in the words of the command line. This is what the hash of a plan is of, and what shards carry
/// with them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// Axes: `PATH=VALUES`.
    pub vary: Vec<String>,
    /// `grid` or `lhs:N`.
    pub sample: String,
    /// Figures: `subject.Metric.statistic`.
    pub metrics: Vec<String>,
    /// Two figures of which the front is marked; with `max:` in front, more is better.
    pub pareto: Vec<String>,
    /// Seed of the first replication of every variant; that of the variant's scenario if there is none.
    pub seed: Option<u64>,
    /// Replications of each variant, at least.
    pub replications: u32,
    /// And at most, where a precision is asked for.
    pub replications_max: u32,
    /// `2%`.
    pub precision: Option<String>,
}

/// Something that was asked for and cannot be done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum PlanError {
    #[error(transparent)]
    Axis(#[from] AxisError),
    #[error(transparent)]
    Design(#[from] DesignError),
    #[error(transparent)]
    Measure(#[from] MeasureError),
    #[error(transparent)]
    Precision(#[from] PrecisionError),
    #[error("there is no axis; give at least one with --vary PATH=VALUES")]
    NoAxis,
    #[error("`{path}` is varied twice; every path belongs to one axis")]
    AxisTwice { path: String },
    #[error(
        "`{inner}` is inside `{outer}`, and both are varied; one would undo the other: vary only one of them"
    )]
    AxisInside { outer: String, inner: String },
    #[error(
        "that makes {count} variants; up to {VARIANTS_MAX} are possible: give fewer values, or sample with --sample lhs:N"
    )]
    TooMany { count: String },
    #[error("the seed is given by --seed and varied by `seed=…`; give it in one place")]
    SeedTwice,
    #[error("the figure `{name}` is asked for twice; leave one out")]
    MetricTwice { name: String },
    #[error(
        "`{found}` does not name two figures; write two with a comma between them, such as `cost.total_usd_per_month.Sum,f.Latency.p99` (less is better; `max:` in front of one says that more is)"
    )]
    Pareto { found: String },
    #[error("a precision needs to know of which figures; name them with --metric")]
    PrecisionOfWhat,
    #[error("a precision needs at least 2 replications to begin with; found {found}")]
    PrecisionOfOne { found: u32 },
    #[error(
        "at most {max} replications are fewer than the {min} to begin with; raise --replications-max or lower --replications"
    )]
    MaxBelowMin { min: u32, max: u32 },
    #[error("--replications-max has no effect without --precision; leave one out or add the other")]
    MaxAlone,
}

/// What of [`Asked`] has been understood.
#[derive(Clone, Debug)]
pub(super) struct Understood {
    pub(super) variants: Variants,
    pub(super) replications: Replications,
    /// Indices of the two figures, and what is better of each.
    pub(super) pareto: Option<[(usize, Aim); 2]>,
}

impl Asked {
    /// Everything that can be understood without a scenario.
    ///
    /// # Errors
    /// Everything that is wrong, at once.
    pub(super) fn understand(&self, seed: u64) -> Result<Understood, Vec<PlanError>> {
        let mut problems = Vec::new();
        let axes = self.axes(&mut problems);
        let design: Design = self.sample.parse().unwrap_or_else(|error: DesignError| {
            problems.push(error.into());
            Design::LatinHypercube(1)
        });
        if design == Design::Grid {
            let uncounted = axes.iter().filter_map(Axis::uncounted);
            problems.extend(uncounted.map(PlanError::from));
        }
        let replications = self.replications(&mut problems);
        if let Some(name) = twice(&self.metrics) {
            problems.push(PlanError::MetricTwice { name });
        }
        let pareto = self.front(&mut problems);
        if !problems.is_empty() {
            return Err(problems);
        }
        let variants = Variants::new(axes, design, seed);
        if variants.count() > u64::from(VARIANTS_MAX) {
            let count = match variants.count() {
                u64::MAX => "more than 10^19".to_owned(),
                count => count.to_string(),
            };
            return Err(vec![PlanError::TooMany { count }]);
        }
        Ok(Understood {
            variants,
            replications,
            pareto,
        })
    }

    fn axes(&self, problems: &mut Vec<PlanError>) -> Vec<Axis> {
        if self.vary.is_empty() {
            problems.push(PlanError::NoAxis);
        }
        let mut axes: Vec<Axis> = Vec::new();
        for text in &self.vary {
            match text.parse() {
                Ok(axis) => axes.push(axis),
                Err(error) => problems.push(PlanError::from(error)),
            }
        }
        let paths: Vec<&String> = axes.iter().flat_map(Axis::paths).collect();
        for (index, path) in paths.iter().enumerate() {
            for other in &paths[..index] {
                let within = |outer: &str, inner: &str| {
                    inner
                        .strip_prefix(outer)
                        .is_some_and(|rest| rest.starts_with('.'))
                };
                if path == other {
                    let path = (*path).clone();
                    problems.push(PlanError::AxisTwice { path });
                } else if within(path, other) || within(other, path) {
                    let (outer, inner) = match within(path, other) {
                        true => (path, other),
                        false => (other, path),
                    };
                    problems.push(PlanError::AxisInside {
                        outer: (*outer).clone(),
                        inner: (*inner).clone(),
                    });
                }
            }
        }
        if self.seed.is_some() && paths.iter().any(|path| *path == "seed") {
            problems.push(PlanError::SeedTwice);
        }
        axes
    }

    fn replications(&self, problems: &mut Vec<PlanError>) -> Replications {
        let Some(text) = &self.precision else {
            if self.replications_max != self.replications {
                problems.push(PlanError::MaxAlone);
            }
            return Replications::exactly(self.replications);
        };
        let precision = parse_precision(text);
        if let Err(error) = &precision {
            problems.push(PlanError::from(error.clone()));
        }
        if self.metrics.is_empty() {
            problems.push(PlanError::PrecisionOfWhat);
        }
        let (min, max) = (self.replications, self.replications_max);
        if min < 2 {
            problems.push(PlanError::PrecisionOfOne { found: min });
        }
        if max < min {
            problems.push(PlanError::MaxBelowMin { min, max });
        }
        Replications {
            min,
            max,
            precision: precision.ok(),
        }
    }

    /// The figures of the front, which are among the metrics by now.
    fn front(&self, problems: &mut Vec<PlanError>) -> Option<[(usize, Aim); 2]> {
        let place = |text: &String| {
            let (aim, name) = aimed(text);
            let index = self.metrics.iter().position(|metric| metric == name)?;
            Some((index, aim))
        };
        match self.pareto.as_slice() {
            [] => None,
            [one, other] => match (place(one), place(other)) {
                (Some(one), Some(other)) if one.0 != other.0 => Some([one, other]),
                _ => {
                    let found = self.pareto.join(",");
                    problems.push(PlanError::Pareto { found });
                    None
                }
            },
            other => {
                let found = other.join(",");
                problems.push(PlanError::Pareto { found });
                None
            }
        }
    }

    /// Replaces the names of figures by how they are written in full, and adds those of the front.
    pub(super) fn name_figures(
        &mut self,
        scenario: &crate::scenario::Scenario,
        problems: &mut Vec<PlanError>,
    ) -> Vec<Measure> {
        let mut measures: Vec<Measure> = Vec::new();
        let fronts = self.pareto.iter().map(|text| aimed(text).1);
        let asked = self.metrics.len();
        let names: Vec<String> = self
            .metrics
            .iter()
            .map(String::as_str)
            .chain(fronts)
            .map(str::to_owned)
            .collect();
        for (index, name) in names.iter().enumerate() {
            match Measure::parse(name, scenario) {
                // Of the front's figures those that are asked for anyway are there already.
                Ok(measure) if index >= asked && measures.contains(&measure) => {}
                Ok(measure) => measures.push(measure),
                Err(error) => problems.push(error.into()),
            }
        }
        self.metrics = measures.iter().map(ToString::to_string).collect();
        measures
    }
}

/// `max:` or `min:` in front of a name.
fn aimed(text: &str) -> (Aim, &str) {
    match text.split_once(':') {
        Some(("max", name)) => (Aim::High, name),
        Some(("min", name)) => (Aim::Low, name),
        _ => (Aim::Low, text),
    }
}

fn twice(names: &[String]) -> Option<String> {
    let again = |(index, name): (usize, &String)| names[..index].contains(name);
    let found = names.iter().enumerate().find(|(i, name)| again((*i, name)));
    found.map(|(_, name)| name.clone())
}
