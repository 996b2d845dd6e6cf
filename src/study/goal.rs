//! A bound that somebody wants to hold: `IteratorAge.p99 < 1s`.

use super::measure::{Measure, MeasureError, names};
use super::unit::Unit;
use crate::metrics::{Statistic, Summary};
use crate::scenario::{Scenario, listed, nearest, parse_span};
use std::fmt;

/// `[subject.]Metric[.statistic] < value`.
///
/// The subject may be left out where only one has the metric, and the statistic where the metric has only one. Values of times have
/// a unit or are milliseconds; shares may be percentages.
///
/// ```
/// use tidegate::scenario::{SourceText, parse};
/// use tidegate::study::Goal;
///
/// let text = "duration = '1m'\n[[function]]\nname = 'f'\nduration = '10ms'\n[[traffic]]\nfunction = 'f'\nrate = 5";
/// let scenario = parse(SourceText::new("s.toml", text)).expect("a sound scenario").scenario;
/// let fast = Goal::parse("Latency.p99 < 1.5s", &scenario)?;
/// assert_eq!(fast.to_string(), "f.Latency.p99 < 1.50 s");
/// assert!(fast.holds(1_499.0) && !fast.holds(1_500.0));
/// let wrong = Goal::parse("Latency.p99 ~ 1s", &scenario).unwrap_err();
/// assert!(wrong.to_string().contains("\n              ^\n"), "{wrong}");
/// # Ok::<(), tidegate::study::GoalError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Goal {
    measure: Measure,
    relation: Relation,
    bound: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Relation {
    Less,
    AtMost,
    More,
    AtLeast,
    Equal,
}

/// Longer ones first: `<=` begins with `<`.
const RELATIONS: [(&str, Relation); 6] = [
    ("<=", Relation::AtMost),
    (">=", Relation::AtLeast),
    ("==", Relation::Equal),
    ("<", Relation::Less),
    (">", Relation::More),
    ("=", Relation::Equal),
];

/// A goal that cannot be understood, with the place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}\n  {text}\n  {}{}\n  {help}", " ".repeat(*at), "^".repeat((*length).max(1)))]
pub struct GoalError {
    message: String,
    text: String,
    /// In characters.
    at: usize,
    length: usize,
    help: String,
}

impl Goal {
    /// Reads a goal for this scenario.
    ///
    /// # Errors
    /// When it has another form, or names what the scenario does not have or has several times.
    pub fn parse(text: &str, scenario: &Scenario) -> Result<Self, GoalError> {
        let wrong =
            |message: String, part: &str, help: String| GoalError::new(text, part, message, help);
        let found = text.char_indices().find_map(|(at, _)| {
            let (sign, relation) = RELATIONS
                .iter()
                .find(|(sign, _)| text[at..].starts_with(sign))?;
            Some((at, *sign, *relation))
        });
        let Some((at, sign, relation)) = found else {
            let odd = text
                .find(|c: char| !(c.is_alphanumeric() || "._:-".contains(c) || c.is_whitespace()));
            let place = odd.map_or("", |at| {
                &text[at..=at + text[at..].chars().next().map_or(0, char::len_utf8) - 1]
            });
            return Err(wrong(
                "a goal compares a metric with a value".to_owned(),
                place,
                "write `Metric.statistic`, then `<`, `<=`, `>`, `>=` or `=`, then a value: `IteratorAge.p99 < 1s`".to_owned(),
            ));
        };
        let (name, value) = (text[..at].trim(), text[at + sign.len()..].trim());
        let measure =
            resolve(name, scenario).map_err(|(message, help)| wrong(message, name, help))?;
        let unit = Unit::of(measure.metric());
        let bound = bound(value, unit).map_err(|help| {
            wrong(
                format!("`{value}` is no value for {}", measure.metric()),
                value,
                help,
            )
        })?;
        Ok(Self {
            measure,
            relation,
            bound,
        })
    }

    /// What it bounds.
    pub fn measure(&self) -> &Measure {
        &self.measure
    }

    /// The bound, in the unit of the metric.
    pub fn bound(&self) -> f64 {
        self.bound
    }

    /// Whether a value meets it. What was not measured does not.
    pub fn holds(&self, value: f64) -> bool {
        match self.relation {
            Relation::Less => value < self.bound,
            Relation::AtMost => value <= self.bound,
            Relation::More => value > self.bound,
            Relation::AtLeast => value >= self.bound,
            Relation::Equal => value == self.bound,
        }
    }

    /// The value in a summary.
    pub fn of(&self, summary: &Summary) -> f64 {
        self.measure.of(summary)
    }

    /// Whether the bound is inside of the interval `value ± half`, so that more runs could change the verdict.
    pub(super) fn is_undecided(&self, value: f64, half: f64) -> bool {
        match self.relation {
            Relation::Equal => half > 0.0 && (value - self.bound).abs() <= half,
            Relation::Less | Relation::AtMost | Relation::More | Relation::AtLeast => {
                self.holds(value - half) != self.holds(value + half)
            }
        }
    }

    /// How far a value is on the good side of the bound, in parts of the bound (of one, for a bound below one); negative on the
    /// wrong side.
    pub(super) fn margin(&self, value: f64) -> f64 {
        if value.is_nan() {
            return f64::NEG_INFINITY;
        }
        let scale = self
            .bound
            .abs()
            .max(if self.bound == 0.0 { 1.0 } else { 0.0 });
        let room = match self.relation {
            Relation::Less | Relation::AtMost => self.bound - value,
            Relation::More | Relation::AtLeast => value - self.bound,
            Relation::Equal => -(value - self.bound).abs(),
        };
        room / scale
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.relation {
            Relation::Less => "<",
            Relation::AtMost => "<=",
            Relation::More => ">",
            Relation::AtLeast => ">=",
            Relation::Equal => "=",
        };
        let unit = Unit::of(self.measure.metric());
        write!(f, "{} {sign} {}", self.measure, unit.shown(self.bound))
    }
}

impl GoalError {
    fn new(text: &str, part: &str, message: String, help: String) -> Self {
        let place = if part.is_empty() {
            None
        } else {
            text.find(part)
        };
        let at = place.map_or(text.chars().count(), |at| text[..at].chars().count());
        Self {
            message,
            text: text.to_owned(),
            at,
            length: part.chars().count(),
            help,
        }
    }
}

/// The measure of a name whose subject or statistic may be left out; otherwise what is wrong and what to try.
pub(super) fn resolve(name: &str, scenario: &Scenario) -> Result<Measure, (String, String)> {
    if let Ok(measure) = Measure::parse(name, scenario) {
        return Ok(measure);
    }
    let all = names(scenario);
    let statistic = Statistic::ALL
        .iter()
        .map(|(statistic, _)| *statistic)
        .find(|statistic| {
            name.strip_suffix(statistic)
                .is_some_and(|rest| rest.ends_with('.'))
        });
    let metric = match statistic {
        Some(statistic) => &name[..name.len() - statistic.len() - 1],
        None => name,
    };
    let suffix = format!(".{metric}");
    // `Duration` is a metric of its own and the end of no other: what is before it has to be a subject.
    let subjects = subjects(scenario);
    let fits = |full: &str| {
        full == metric
            || full
                .strip_suffix(&suffix)
                .is_some_and(|subject| subjects.iter().any(|one| one == subject))
    };
    let found: Vec<_> = all.iter().filter(|(full, _)| fits(full)).collect();
    match found.as_slice() {
        [(full, statistics)] => {
            let text = match (statistic, statistics) {
                (Some(statistic), _) => format!("{full}.{statistic}"),
                (None, [only]) => format!("{full}.{only}"),
                (None, _) => {
                    let known: Vec<String> = statistics
                        .iter()
                        .map(|one| format!("{full}.{one}"))
                        .collect();
                    return Err((
                        format!("`{name}` has several statistics"),
                        format!("say which: {}", listed(known.iter().map(String::as_str))),
                    ));
                }
            };
            Measure::parse(&text, scenario).map_err(|error| (error.to_string(), String::new()))
        }
        [] => {
            let bare = |full: &str| {
                let owner = subjects
                    .iter()
                    .find(|one| full.starts_with(&format!("{one}.")));
                owner.map_or(full.to_owned(), |one| full[one.len() + 1..].to_owned())
            };
            let known: Vec<String> = all
                .iter()
                .flat_map(|(full, _)| [bare(full), full.clone()])
                .collect();
            let near = nearest(metric, known.iter().map(String::as_str));
            let help = match (near, Measure::parse(name, scenario)) {
                (Some(near), _) => format!("did you mean `{near}`?"),
                (None, Err(error @ MeasureError::Form { .. })) => error.to_string(),
                (None, _) => "docs/scenario.md lists the metrics; a statistic follows with a dot: `IteratorAge.p99`".to_owned(),
            };
            Err((format!("there is no metric `{metric}`"), help))
        }
        several => {
            let known = several.iter().map(|(full, _)| full.as_str());
            Err((
                format!("several subjects have `{metric}`"),
                format!("say which: {}", listed(known)),
            ))
        }
    }
}

/// Everything that has metrics.
fn subjects(scenario: &Scenario) -> Vec<String> {
    let functions = scenario.functions.iter();
    let versions = functions
        .clone()
        .flat_map(|one| one.versions.iter().map(|version| version.code.name.clone()));
    functions
        .clone()
        .map(|one| one.name.clone())
        .chain(versions)
        .chain(scenario.mappings.iter().map(|one| one.config.name.clone()))
        .chain(["account".to_owned(), "cost".to_owned()])
        .collect()
}

/// A value in the unit of its metric; otherwise what is allowed.
fn bound(text: &str, unit: Unit) -> Result<f64, String> {
    let plain = text.parse::<f64>().ok().filter(|value| value.is_finite());
    let percent = text
        .strip_suffix('%')
        .and_then(|share| share.trim().parse::<f64>().ok())
        .filter(|share| share.is_finite())
        .map(|share| share / 100.0);
    match unit {
        Unit::Millis => plain
            .or_else(|| parse_span(text).map(|span| span.as_millis_f64()))
            .ok_or_else(|| {
                "a time has a unit, such as `250ms`, `1s` or `2m`; a bare number is milliseconds"
                    .to_owned()
            }),
        Unit::Share => plain.or(percent).ok_or_else(|| {
            "a share is a number from 0 to 1 or a percentage, such as `5%`".to_owned()
        }),
        Unit::Dollars => plain
            .or_else(|| {
                text.trim_start_matches('$')
                    .trim_end_matches("USD")
                    .trim()
                    .parse()
                    .ok()
            })
            .ok_or_else(|| "an amount is a number of US dollars, such as `250`".to_owned()),
        Unit::Count => {
            plain.ok_or_else(|| "this metric counts things: a number without a unit".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{SourceText, parse};

    fn two() -> Scenario {
        let text = "duration = '1m'\n\
            [[function]]\nname = 'f'\nduration = '10ms'\n[[function]]\nname = 'g'\nduration = '10ms'\n\
            [[source]]\nname = 's'\ntype = 'kinesis'\n[[source.producer]]\nrate = 5\n\
            [[mapping]]\nname = 'm'\nEventSource = 's'\nFunctionName = 'f'\nStartingPosition = 'LATEST'";
        parse(SourceText::new("s.toml", text))
            .unwrap_or_else(|report| panic!("{report}"))
            .scenario
    }

    fn goal(text: &str) -> Goal {
        Goal::parse(text, &two()).unwrap_or_else(|error| panic!("{error}"))
    }

    fn refused(text: &str) -> String {
        Goal::parse(text, &two())
            .expect_err("a mistake")
            .to_string()
    }

    #[test]
    fn values_have_the_unit_of_their_metric() {
        for (text, bound) in [
            ("IteratorAge.p99 < 1s", 1_000.0),
            ("m.IteratorAge.p99<250ms", 250.0),
            ("IteratorAge.p99.9 <= 1500", 1_500.0),
            ("f.ColdStartShare < 5%", 0.05),
            ("f.Throttles = 0", 0.0),
            ("f.Throttles.Sum == 0", 0.0),
            ("cost.total_usd_per_month < 250 USD", 250.0),
            ("total_usd_per_month < $250", 250.0),
            ("Backlog.End <= 10", 10.0),
        ] {
            assert_eq!(goal(text).bound(), bound, "{text}");
        }
        assert_eq!(
            goal("m.IteratorAge.p99.9 < 1s").measure().to_string(),
            "m.IteratorAge.p99.9"
        );
    }

    #[test]
    fn relations_hold_as_they_are_written() {
        let value = |text: &str, value| goal(text).holds(value);
        assert!(!value("Backlog.End < 10", 10.0) && value("Backlog.End <= 10", 10.0));
        assert!(!value("Backlog.End > 10", 10.0) && value("Backlog.End >= 10", 10.0));
        assert!(value("Backlog.End = 10", 10.0) && !value("Backlog.End = 10", 9.0));
        assert!(!value("Backlog.End < 10", f64::NAN));
        assert_eq!(goal("Backlog.End < 10").margin(5.0), 0.5);
        assert_eq!(goal("Backlog.End >= 10").margin(5.0), -0.5);
        assert_eq!(goal("f.Throttles = 0").margin(3.0), -3.0);
        assert_eq!(
            goal("IteratorAge.p99 < 1s").margin(f64::NAN),
            f64::NEG_INFINITY
        );
    }

    #[test]
    fn mistakes_are_pointed_at() {
        insta::assert_snapshot!(refused("IteratorAge.p99 ~ 1s"), @r"
        a goal compares a metric with a value
          IteratorAge.p99 ~ 1s
                          ^
          write `Metric.statistic`, then `<`, `<=`, `>`, `>=` or `=`, then a value: `IteratorAge.p99 < 1s`
        ");
        insta::assert_snapshot!(refused("Throttles = 0"), @r"
        several subjects have `Throttles`
          Throttles = 0
          ^^^^^^^^^
          say which: f.Throttles, g.Throttles
        ");
        insta::assert_snapshot!(refused("IteratorAges.p99 < 1s"), @r"
        there is no metric `IteratorAges`
          IteratorAges.p99 < 1s
          ^^^^^^^^^^^^^^^^
          did you mean `IteratorAge`?
        ");
        insta::assert_snapshot!(refused("IteratorAge < 1s"), @r"
        `IteratorAge` has several statistics
          IteratorAge < 1s
          ^^^^^^^^^^^
          say which: m.IteratorAge.Average, m.IteratorAge.Maximum, m.IteratorAge.p50, m.IteratorAge.p90, m.IteratorAge.p95, m.IteratorAge.p99, m.IteratorAge.p99.9
        ");
        insta::assert_snapshot!(refused("IteratorAge.p99 < 1 parsec"), @r"
        `1 parsec` is no value for m.IteratorAge
          IteratorAge.p99 < 1 parsec
                            ^^^^^^^^
          a time has a unit, such as `250ms`, `1s` or `2m`; a bare number is milliseconds
        ");
        insta::assert_snapshot!(refused("IteratorAge.p99 <"), @r"
        `` is no value for m.IteratorAge
          IteratorAge.p99 <
                           ^
          a time has a unit, such as `250ms`, `1s` or `2m`; a bare number is milliseconds
        ");
        assert!(
            refused("Backlog.p99 < 1").contains("has no statistic `p99`"),
            "{}",
            refused("Backlog.p99 < 1")
        );
        assert!(refused("").contains("a goal compares"));
        assert!(refused("ü → 3").contains("^"));
    }
}
