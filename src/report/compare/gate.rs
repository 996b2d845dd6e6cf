//! Gates on changes: `checkout.Latency.p99 <= +5%`.

use crate::metrics::{Compared, Comparison, Difference, GateResult};
use std::str::FromStr;

/// A bound on how a figure changes from the first result to the second.
///
/// It fails when the change is surely beyond the bound: with an interval, when all of it is; without one, when the
/// difference is. What cannot be told from chance does not fail it.
///
/// ```
/// use tidegate::report::ChangeGate;
///
/// let gate: ChangeGate = "checkout.Latency.p99 <= +5%".parse()?;
/// assert_eq!(gate.to_string(), "checkout.Latency.p99 <= +5%");
/// assert!("checkout.Latency.p99 = 5".parse::<ChangeGate>().is_err());
/// # Ok::<(), tidegate::report::ChangeGateError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ChangeGate {
    measure: String,
    at_most: bool,
    bound: f64,
    percent: bool,
}

/// A gate that is none, or that nothing answers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum ChangeGateError {
    #[error(
        "`{found}` is no gate on a change: write `MEASURE <= BOUND` or `MEASURE >= BOUND` with a bound such as +5%, -10% or 3, as in `checkout.Latency.p99 <= +5%`"
    )]
    Form { found: String },
    #[error("the results have no `{found}` to compare{}; there are, for example: {known}", hint.as_ref().map_or_else(String::new, |name| format!(" (did you mean `{name}`?)")))]
    Measure {
        found: String,
        hint: Option<String>,
        known: String,
    },
}

impl FromStr for ChangeGate {
    type Err = ChangeGateError;

    fn from_str(text: &str) -> Result<Self, ChangeGateError> {
        let wrong = || ChangeGateError::Form {
            found: text.to_owned(),
        };
        let (measure, at_most, bound) = match (text.split_once("<="), text.split_once(">=")) {
            (Some((measure, bound)), None) => (measure, true, bound),
            (None, Some((measure, bound))) => (measure, false, bound),
            _ => return Err(wrong()),
        };
        let (number, percent) = match bound.trim().strip_suffix('%') {
            Some(number) => (number.trim(), true),
            None => (bound.trim(), false),
        };
        let bound: f64 = number.parse().map_err(|_| wrong())?;
        let measure = measure.trim();
        if !bound.is_finite() || !measure.contains('.') {
            return Err(wrong());
        }
        Ok(Self {
            measure: measure.to_owned(),
            at_most,
            bound,
            percent,
        })
    }
}

impl std::fmt::Display for ChangeGate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.measure, self.limit())
    }
}

impl ChangeGate {
    fn limit(&self) -> String {
        let sign = if self.at_most { "<=" } else { ">=" };
        let unit = if self.percent { "%" } else { "" };
        format!("{sign} {:+}{unit}", self.bound)
    }

    /// What became of it; the value is the change, in per cent where the bound is.
    pub(super) fn judge(&self, comparison: &Comparison) -> Result<GateResult, ChangeGateError> {
        let mut all = comparison.differences.iter();
        let Some(found) = all.find(|one| one.of.name() == self.measure) else {
            // What never happens on either side does not change.
            let mut zeros = comparison.zeros.iter();
            let zero = zeros.find(|of| of.name() == self.measure);
            let of = zero.ok_or_else(|| self.unknown(comparison))?;
            return Ok(self.result(of, 0.0, 0.0, 0.0));
        };
        let scaled = |difference: f64| match (self.percent, found.a) {
            (false, _) => difference,
            (true, 0.0) if difference == 0.0 => 0.0,
            (true, 0.0) => difference.signum() * f64::INFINITY,
            (true, a) => difference / a.abs() * 100.0,
        };
        let (low, high) = found
            .interval
            .unwrap_or((found.difference, found.difference));
        let value = scaled(found.difference);
        Ok(self.result(&found.of, value, scaled(low), scaled(high)))
    }

    fn result(&self, of: &Compared, value: f64, low: f64, high: f64) -> GateResult {
        let (metric, statistic) = split(of);
        GateResult {
            metric,
            statistic,
            bound: self.limit(),
            value,
            pass: if self.at_most {
                low <= self.bound
            } else {
                high >= self.bound
            },
        }
    }

    fn unknown(&self, comparison: &Comparison) -> ChangeGateError {
        let names: Vec<String> = comparison
            .differences
            .iter()
            .map(|one: &Difference| &one.of)
            .chain(&comparison.zeros)
            .map(Compared::name)
            .collect();
        // The same subject and metric under another statistic, or the same metric of another subject.
        let (start, end) = self.measure.split_once('.').unwrap_or((&self.measure, ""));
        let metric = self
            .measure
            .rsplit_once('.')
            .map_or("", |(metric, _)| metric);
        let near = names.iter().find(|name| name.starts_with(metric));
        let near = near.or_else(|| {
            names
                .iter()
                .find(|name| !end.is_empty() && name.ends_with(end))
        });
        let near = near.or_else(|| names.iter().find(|name| name.starts_with(start)));
        ChangeGateError::Measure {
            found: self.measure.clone(),
            hint: near.cloned(),
            known: names[..names.len().min(6)].join(", "),
        }
    }
}

fn split(of: &Compared) -> (String, String) {
    let name = of.name();
    match name.strip_suffix(&format!(".{}", of.statistic)) {
        Some(metric) => (metric.to_owned(), of.statistic.to_owned()),
        None => (name, of.statistic.to_owned()),
    }
}
