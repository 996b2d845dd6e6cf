//! Two results side by side, for people and programs.

mod charts;
mod gate;
mod html;
mod json;
mod markdown;
mod matter;
mod tables;
mod text;

pub use gate::{ChangeGate, ChangeGateError};

use super::{StoredResult, TextOptions};
use crate::metrics::{Comparison, GateResult, Pairing, Verdict, compare};

/// The version of the document's format.
pub(super) const FORMAT: u64 = 1;

/// What is said of a figure.
pub(super) const VERDICTS: [&str; 4] = [
    "the same",
    "no detectable difference",
    "differs",
    "one run: no interval",
];

/// A result and what to call it.
#[derive(Clone, Debug)]
pub struct Side {
    /// Where it comes from: a file, or a scenario and its changes.
    pub from: String,
    /// What was kept of it.
    pub result: StoredResult,
}

/// Two results, compared.
#[derive(Clone, Debug)]
pub struct Compare {
    sides: [Side; 2],
    comparison: Comparison,
    gates: Vec<GateResult>,
}

impl Compare {
    /// Compares the second result with the first.
    pub fn new(a: Side, b: Side) -> Self {
        let comparison = compare(&a.result.replications, &b.result.replications);
        Self {
            sides: [a, b],
            comparison,
            gates: Vec::new(),
        }
    }

    /// Judges the differences; results are part of everything that is shown.
    ///
    /// # Errors
    /// When a gate names what cannot be compared.
    pub fn judge(&mut self, gates: &[ChangeGate]) -> Result<(), ChangeGateError> {
        let judged = gates.iter().map(|gate| gate.judge(&self.comparison));
        self.gates = judged.collect::<Result<_, _>>()?;
        Ok(())
    }

    /// What became of the gates.
    pub fn gates(&self) -> &[GateResult] {
        &self.gates
    }

    /// What the numbers are.
    pub const fn comparison(&self) -> &Comparison {
        &self.comparison
    }

    /// Tables for a terminal; `all` shows differences that cannot be told from chance, too.
    pub fn text(&self, options: TextOptions, all: bool) -> String {
        text::render(self, options, all)
    }

    /// One JSON document with all numbers at full precision.
    pub fn json(&self) -> String {
        json::render(self)
    }

    /// Tables for a pull request.
    pub fn markdown(&self) -> String {
        markdown::render(self)
    }

    /// A page with all numbers and with charts of both results over each other; it needs nothing beside itself.
    pub fn html(&self) -> String {
        html::render(self)
    }

    /// The gates as a JUnit document.
    pub fn junit(&self) -> String {
        super::junit(&[&self.judged()])
    }

    /// GitHub's workflow commands for gates that failed.
    pub fn github(&self) -> String {
        super::github(&self.judged(), &self.sides[1].from)
    }

    /// The second side with the gates of the comparison instead of its own.
    fn judged(&self) -> crate::metrics::Summary {
        crate::metrics::Summary {
            scenario: self.title(),
            gates: self.gates.clone(),
            ..self.sides[1].result.summary.clone()
        }
    }

    fn title(&self) -> String {
        let [a, b] = &self.sides;
        let (a, b) = (&a.result.summary.scenario, &b.result.summary.scenario);
        if a == b {
            format!("{a}: A against B")
        } else {
            format!("A: {a} against B: {b}")
        }
    }

    /// What the sides are.
    fn facts(&self) -> Vec<(&'static str, String)> {
        let mut facts = Vec::new();
        for (label, side) in ["A", "B"].into_iter().zip(&self.sides) {
            let summary = &side.result.summary;
            let hash: String = summary.scenario_hash.chars().take(12).collect();
            let count = side.result.replications.len();
            let runs = if count == 1 { "run" } else { "runs" };
            facts.push((
                label,
                format!(
                    "{} ({hash}, {count} {runs} from seed {}, {} measured)",
                    side.from,
                    summary.seed,
                    super::numbers::seconds(summary.measured_s)
                ),
            ));
        }
        facts
    }

    fn detected(&self) -> usize {
        let all = self.comparison.differences.iter();
        all.filter(|one| one.verdict == Verdict::Differs).count()
    }

    /// The one sentence that says what came out.
    fn verdict(&self) -> String {
        let all = self.comparison.differences.len();
        let same = self.comparison.differences.iter();
        let same = same.filter(|one| one.verdict == Verdict::Same).count();
        match (self.comparison.pairing, self.detected()) {
            _ if same == all => format!("No difference: all {all} figures are the same."),
            (Pairing::Single, _) => format!(
                "{} of {all} figures differ; with a single run nothing says which of them by chance.",
                all - same
            ),
            (_, 0) => format!("No detectable difference in any of {all} figures."),
            (_, 1) => format!("1 of {all} figures differs."),
            (_, some) => format!("{some} of {all} figures differ."),
        }
    }

    /// What a reader needs to know in order not to misread the numbers.
    fn notes(&self) -> Vec<String> {
        let [a, b] = [&self.sides[0].result, &self.sides[1].result];
        let mut notes = Vec::new();
        notes.push(match self.comparison.pairing {
            Pairing::Paired(pairs) => format!(
                "{pairs} pairs of runs under the same seeds; intervals are 95 % of Student's distribution over the differences of pairs."
            ),
            Pairing::Unpaired => {
                "The seeds differ, so runs are not paired and intervals are wider (Welch, 95 %): run both under the same seeds to see smaller differences.".to_owned()
            }
            Pairing::Single => {
                "There are not two runs on each side, so there are no intervals: run with --replications 10.".to_owned()
            }
        });
        if self.comparison.pairing != Pairing::Single && self.detected() > 0 {
            notes.push(
                "Of figures that do not differ at all, about one in twenty lies outside of its interval by chance.".to_owned(),
            );
        }
        if a.summary.scenario_hash == b.summary.scenario_hash {
            notes.push("Both results are of the same scenario.".to_owned());
        }
        if a.summary.measured_s != b.summary.measured_s {
            notes.push(format!(
                "The measured times differ ({} and {}): sums cover different times, so look at shares, percentiles and cost a month.",
                super::numbers::seconds(a.summary.measured_s),
                super::numbers::seconds(b.summary.measured_s)
            ));
        }
        for (what, of_a, of_b) in [
            ("profile", &a.summary.profile, &b.summary.profile),
            ("tidegate", &a.summary.tidegate, &b.summary.tidegate),
            (
                "region of prices",
                &a.summary.cost.region,
                &b.summary.cost.region,
            ),
            (
                "prices of",
                &a.summary.cost.prices_of,
                &b.summary.cost.prices_of,
            ),
        ] {
            if of_a != of_b {
                notes.push(format!(
                    "The sides differ in their {what}: {of_a} and {of_b}."
                ));
            }
        }
        for (label, only) in ["A", "B"].into_iter().zip(&self.comparison.only) {
            if let Some(note) = only_on(label, only) {
                notes.push(note);
            }
        }
        notes
    }
}

/// Whole subjects by their names, single figures one by one.
fn only_on(label: &str, only: &[crate::metrics::Compared]) -> Option<String> {
    const NAMED_MAX: usize = 8;
    let mut subjects: Vec<(&str, Vec<String>)> = Vec::new();
    for of in only {
        match subjects.iter_mut().find(|(name, _)| *name == of.subject) {
            Some((_, figures)) => figures.push(of.name()),
            None => subjects.push((&of.subject, vec![of.name()])),
        }
    }
    if subjects.is_empty() {
        return None;
    }
    let mut named: Vec<String> = Vec::new();
    for (subject, figures) in &subjects {
        if figures.len() > 3 {
            named.push(format!("{subject} ({} figures)", figures.len()));
        } else {
            named.extend(figures.iter().cloned());
        }
    }
    let more = named.len().saturating_sub(NAMED_MAX);
    named.truncate(NAMED_MAX);
    let others = match more {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Some(format!("Only in {label}: {}{others}.", named.join(", ")))
}
