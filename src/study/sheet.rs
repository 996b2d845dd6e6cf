//! The variants of a plan as scenarios: all of them are looked at before one of them runs.

use super::measure::Measure;
use super::plan::Plan;
use super::spread::spread;
use crate::scenario::{Report, Scenario, SourceText, parse_changed};
use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::ops::ControlFlow;

/// A scenario file, what is done with it, and what is read from its runs.
#[derive(Debug)]
pub struct Sheet<'a> {
    /// The file.
    pub source: &'a SourceText,
    /// What is varied.
    pub plan: &'a Plan,
    /// The figures, in the order of the plan.
    pub measures: &'a [Measure],
}

/// What is known of a variant without running it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Digest of the changed scenario.
    pub scenario_hash: String,
    /// Seed of its first replication.
    pub seed: u64,
}

/// The same finding on several variants.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Their numbers, from one.
    pub variants: Vec<u32>,
    /// Values of axes that all of them have, `path=value`.
    pub common: Vec<String>,
    /// What was found.
    pub what: Found,
}

/// What can be found on a variant.
#[derive(Clone, Debug)]
pub enum Found {
    /// Findings on the changed file.
    Diagnostics(Box<Report>),
    /// The variant lacks what is to be measured.
    Unmeasured(String),
}

/// What looking at all variants gave.
#[derive(Clone, Debug, Default)]
pub struct Checked {
    /// Of the variants that can run, by index from zero.
    pub facts: BTreeMap<u32, Facts>,
    /// How many variants cannot run.
    pub wrong: usize,
    /// What is wrong with them.
    pub refused: Vec<Finding>,
    /// Warnings that the file has only with the changes.
    pub odd: Vec<Finding>,
}

/// One variant after it was looked at.
enum Look {
    Sound(Facts, Option<Report>),
    Wrong(Found),
}

impl Sheet<'_> {
    /// The scenario of variant `index`, counted from zero.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn scenario(&self, index: u32) -> Result<Scenario, Report> {
        let changes = self.plan.changes(index);
        parse_changed(self.source.clone(), &changes).map(|loaded| loaded.scenario)
    }

    /// Looks at these variants on up to `jobs` threads. `base` is the file without changes, and `known` the warnings on it.
    pub fn check(
        &self,
        variants: &[u32],
        base: &Scenario,
        known: &Report,
        jobs: NonZeroU32,
    ) -> Checked {
        let known = known.render(false);
        let mut facts = BTreeMap::new();
        let mut wrong = 0;
        let mut refused = Findings::default();
        let mut odd = Findings::default();
        spread(
            variants.len(),
            jobs,
            || (),
            |(), task| self.look(variants[task], base, &known),
            |task, look| {
                let index = variants[task];
                match look {
                    Look::Sound(found, warnings) => {
                        facts.insert(index, found);
                        if let Some(report) = warnings {
                            odd.add(index, Found::Diagnostics(report.into()));
                        }
                    }
                    Look::Wrong(found) => {
                        wrong += 1;
                        refused.add(index, found);
                    }
                }
                ControlFlow::Continue(())
            },
        );
        Checked {
            facts,
            wrong,
            refused: refused.finish(self.plan),
            odd: odd.finish(self.plan),
        }
    }

    fn look(&self, index: u32, base: &Scenario, known: &str) -> Look {
        let changes = self.plan.changes(index);
        let loaded = match parse_changed(self.source.clone(), &changes) {
            Ok(loaded) => loaded,
            Err(report) => return Look::Wrong(Found::Diagnostics(report.into())),
        };
        let scenario = loaded.scenario;
        if !same_subjects(&scenario, base) {
            for name in self.plan.figures() {
                if let Err(error) = Measure::parse(name, &scenario) {
                    return Look::Wrong(Found::Unmeasured(error.to_string()));
                }
            }
        }
        let is_odd = !loaded.warnings.is_empty() && loaded.warnings.render(false) != known;
        let facts = Facts {
            seed: self.plan.first_seed(&scenario),
            scenario_hash: scenario.hash,
        };
        Look::Sound(facts, is_odd.then_some(loaded.warnings))
    }
}

/// Whether two scenarios have functions, versions and mappings of the same names: then they have the same figures.
fn same_subjects(one: &Scenario, other: &Scenario) -> bool {
    fn names(scenario: &Scenario) -> impl Iterator<Item = &str> {
        let functions = scenario.functions.iter().flat_map(|function| {
            let versions = function.versions.iter();
            versions
                .map(|version| version.code.name.as_str())
                .chain([function.name.as_str()])
        });
        let mappings = scenario.mappings.iter();
        functions.chain(mappings.map(|mapping| mapping.config.name.as_str()))
    }
    names(one).eq(names(other))
}

/// Findings by what they say.
#[derive(Default)]
struct Findings(BTreeMap<String, (Vec<u32>, Found)>);

impl Findings {
    fn add(&mut self, index: u32, what: Found) {
        match what {
            Found::Diagnostics(report) => {
                for one in report.each() {
                    let text = one.render(false);
                    self.note(index, text, || Found::Diagnostics(one.into()));
                }
            }
            Found::Unmeasured(text) => {
                self.note(index, text.clone(), || Found::Unmeasured(text));
            }
        }
    }

    fn note(&mut self, index: u32, text: String, what: impl FnOnce() -> Found) {
        let entry = self.0.entry(text);
        let (variants, _) = entry.or_insert_with(|| (Vec::new(), what()));
        // Two findings of one text are one.
        if variants.last() != Some(&index) {
            variants.push(index);
        }
    }

    /// In the order of the first variants that have them.
    fn finish(self, plan: &Plan) -> Vec<Finding> {
        let each = self.0.into_values().map(|(mut variants, what)| {
            variants.sort_unstable();
            Finding {
                common: common(plan, &variants),
                variants: variants.into_iter().map(|index| index + 1).collect(),
                what,
            }
        });
        let mut findings: Vec<Finding> = each.collect();
        findings.sort_by(|one, other| one.variants.cmp(&other.variants));
        findings
    }
}

/// The values that all of these variants share.
fn common(plan: &Plan, variants: &[u32]) -> Vec<String> {
    let axes = plan.combinations().axes();
    let Some((first, others)) = variants.split_first() else {
        return Vec::new();
    };
    let mut shared: Vec<Option<String>> = plan.values(*first).into_iter().map(Some).collect();
    for other in others {
        for (value, found) in shared.iter_mut().zip(plan.values(*other)) {
            if value.as_ref() != Some(&found) {
                *value = None;
            }
        }
    }
    let named = axes.iter().zip(shared);
    named
        .filter_map(|(axis, value)| Some(format!("{}={}", axis.name(), value?)))
        .collect()
}
