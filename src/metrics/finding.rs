//! What a report says in sentences: what limited a run, what went wrong in it, and what to change.

use serde::{Deserialize, Deserializer, Serialize};
use std::borrow::Cow;

/// A sentence about a finished run, with the numbers that it follows from and what to do about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Stable kebab-case name of what was found.
    pub code: Cow<'static, str>,
    /// Whom it is about: a function, a mapping, or `account`.
    pub subject: String,
    /// How bad it is.
    pub severity: Severity,
    /// What was found, as one sentence with numbers.
    pub sentence: String,
    /// What to change, as one sentence.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub remedy: String,
    /// The settings of the scenario that the remedy names, with values to try together; empty where no setting helps, or where
    /// nobody can say by how much.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Setting>,
    /// The figure that it is about, as `subject.Metric.statistic`.
    pub measure: String,
    /// What the simulator says the changes would do, if it was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effect: Option<Effect>,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Work was lost, refused for good, or came too late to be of use.
    Problem,
    /// Work waited, was done twice, or cost more than it had to.
    Warning,
    /// Nothing is wrong; this is what decides.
    Note,
}

impl Severity {
    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Problem => "problem",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// A value for a setting of a scenario.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// Where, with dots: `mapping.clicks.ParallelizationFactor`.
    pub path: String,
    /// What, as TOML writes it.
    pub value: String,
}

/// What a changed scenario gives under the same seeds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    /// The finding's measure without and with the change; `NaN`, which JSON shows as null, where nothing was measured.
    #[serde(deserialize_with = "number_or_nothing")]
    pub before: f64,
    /// See `before`.
    #[serde(deserialize_with = "number_or_nothing")]
    pub after: f64,
    /// Cost in US dollars a month without the change.
    #[serde(deserialize_with = "number_or_nothing")]
    pub usd_per_month_before: f64,
    /// The same with it.
    #[serde(deserialize_with = "number_or_nothing")]
    pub usd_per_month_after: f64,
    /// Why the changed scenario could not run, when it could not; the numbers are `NaN` then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// All of that as one sentence.
    pub sentence: String,
}

/// What JSON shows as null was `NaN`.
fn number_or_nothing<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let number = Option::<f64>::deserialize(deserializer)?;
    Ok(number.unwrap_or(f64::NAN))
}

/// A finding about the function of the made-up run, with an effect.
#[cfg(test)]
pub(super) fn fixture() -> Vec<Finding> {
    vec![Finding {
        code: Cow::Borrowed("throttled-by-reservation"),
        subject: "checkout".to_owned(),
        severity: Severity::Problem,
        sentence: "Some requests were refused, because all 800 units of its reserved concurrency were busy.".to_owned(),
        remedy: "Raise its reserved concurrency to 1900 (function.checkout.reserved_concurrency).".to_owned(),
        changes: vec![Setting {
            path: "function.checkout.reserved_concurrency".to_owned(),
            value: "1900".to_owned(),
        }],
        measure: "checkout.Throttles.Sum".to_owned(),
        effect: Some(Effect {
            before: 12.0,
            after: 0.0,
            usd_per_month_before: 10.0,
            usd_per_month_after: f64::NAN,
            refused: None,
            sentence: "checkout.Throttles.Sum falls from 12 to 0.".to_owned(),
        }),
    }]
}
