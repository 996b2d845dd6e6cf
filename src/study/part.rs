//! Shards of a sweep as files, and joining them.

use super::asked::PlanError;
use super::plan::{Plan, PlanText};
use super::shard::Shard;
use super::sheet::Facts;
use super::sweep::{Done, Results};
use crate::scenario::Digest;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) const FORMAT: &str = "tidegate sweep shard 2";

/// Finished variants of a sweep: those of one shard, of several, or all.
#[derive(Clone, Debug)]
pub struct Part {
    plan: Plan,
    /// How many shards there are.
    count: u32,
    /// Which of them are in here.
    covers: BTreeSet<u32>,
    variants: BTreeMap<u32, Finished>,
}

/// What a finished variant has to show.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Finished {
    pub(super) facts: Facts,
    pub(super) runs: Vec<Done>,
}

/// A shard in its file. Figures are texts, so that nobody's reading of numbers changes their last digit.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    format: String,
    plan: PlanText,
    plan_hash: String,
    shards: u32,
    covers: BTreeSet<u32>,
    variants: Vec<VariantText>,
    /// Digest of `covers` and `variants`.
    digest: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct VariantText {
    variant: u32,
    scenario_hash: String,
    seed: u64,
    /// What became of the gates of each run.
    passed: Vec<Option<bool>>,
    runs: Vec<Vec<String>>,
}

/// Why a shard cannot be read.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum PartError {
    #[error("it is cut off, or no shard of a sweep ({0})")]
    NoShard(serde_json::Error),
    #[error("its format is `{found}`, and this is a file of the format `{FORMAT}`")]
    Format { found: String },
    #[error(
        "it was written by tidegate {found}, and this is {}; results of two versions are not joined: use that version, or run the sweep again",
        env!("CARGO_PKG_VERSION")
    )]
    Version { found: String },
    #[error("its plan makes no sense: {0}")]
    Plan(PlanError),
    #[error("{0}; it was changed after it was written: run this shard again")]
    Damaged(&'static str),
}

/// Why parts do not go together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum MergeError {
    #[error("{one} and {other} are of two scenarios (hashes {ours} and {theirs})")]
    Scenario {
        one: String,
        other: String,
        ours: String,
        theirs: String,
    },
    #[error(
        "{one} and {other} are of two sweeps of one scenario: their axes, figures, replications or seeds differ (plans {ours} and {theirs})"
    )]
    Plan {
        one: String,
        other: String,
        ours: String,
        theirs: String,
    },
    #[error("{one} is one of {ours} shards, and {other} one of {theirs}")]
    Count {
        one: String,
        other: String,
        ours: u32,
        theirs: u32,
    },
    #[error("shard {shard} is in {one} and in {other}; give one of them")]
    Twice {
        one: String,
        other: String,
        shard: Shard,
    },
}

impl Part {
    /// What a shard has to show when it is finished.
    ///
    /// # Panics
    /// When a variant of the shard is not finished.
    pub fn of(plan: &Plan, shard: Shard, facts: &BTreeMap<u32, Facts>, results: &Results) -> Self {
        let variants = shard.variants(plan).into_iter().map(|index| {
            let finished = facts
                .get(&index)
                .cloned()
                .zip(results.finished(plan, index));
            let (facts, runs) = finished.expect("every variant of the shard has run");
            (index, Finished { facts, runs })
        });
        Self {
            plan: plan.clone(),
            count: shard.count(),
            covers: [shard.index()].into(),
            variants: variants.collect(),
        }
    }

    /// The file of this part.
    pub fn to_json(&self) -> String {
        let variants: Vec<VariantText> = self
            .variants
            .iter()
            .map(|(index, finished)| VariantText {
                variant: index + 1,
                scenario_hash: finished.facts.scenario_hash.clone(),
                seed: finished.facts.seed,
                passed: finished.runs.iter().map(|run| run.passed).collect(),
                runs: finished
                    .runs
                    .iter()
                    .map(|run| run.figures.iter().map(|it| format!("{it:?}")).collect())
                    .collect(),
            })
            .collect();
        let document = Document {
            format: FORMAT.to_owned(),
            plan: self.plan.text.clone(),
            plan_hash: self.plan.hash().to_owned(),
            shards: self.count,
            digest: digest(&self.covers, &variants),
            covers: self.covers.clone(),
            variants,
        };
        // Nothing in it can fail to be written.
        let mut text = serde_json::to_string_pretty(&document).unwrap_or_default();
        text.push('\n');
        text
    }

    /// Reads a file that [`Part::to_json`] made.
    ///
    /// # Errors
    /// When it is of another version, cut off, or changed.
    pub fn from_json(text: &str) -> Result<Self, PartError> {
        let value: serde_json::Value = serde_json::from_str(text).map_err(PartError::NoShard)?;
        let word = |pointer: &str| value.pointer(pointer).and_then(|it| it.as_str());
        if let Some(found) = word("/format").filter(|found| *found != FORMAT) {
            let found = found.chars().take(60).collect();
            return Err(PartError::Format { found });
        }
        let version = word("/plan/tidegate");
        if let Some(found) = version.filter(|found| *found != env!("CARGO_PKG_VERSION")) {
            let found = found.chars().take(60).collect();
            return Err(PartError::Version { found });
        }
        let document: Document = serde_json::from_value(value).map_err(PartError::NoShard)?;
        if document.digest != digest(&document.covers, &document.variants) {
            return Err(PartError::Damaged("its figures do not fit its digest"));
        }
        let plan = Plan::read(document.plan).map_err(|mut problems| {
            // There is at least one where there is no plan.
            PartError::Plan(problems.swap_remove(0))
        })?;
        if plan.hash() != document.plan_hash {
            return Err(PartError::Damaged("its plan does not fit its hash"));
        }
        let shards = document.covers.iter().map(|index| {
            let shard = Shard::new(*index, document.shards);
            shard.ok_or(PartError::Damaged("it has a shard that there is not"))
        });
        let shards: Vec<Shard> = shards.collect::<Result<_, _>>()?;
        let mut expected: Vec<u32> = shards
            .iter()
            .flat_map(|shard| shard.variants(&plan))
            .collect();
        expected.sort_unstable();
        let found = document.variants.iter();
        if !found.map(|it| it.variant.wrapping_sub(1)).eq(expected) {
            return Err(PartError::Damaged(
                "its variants are not those of its shards",
            ));
        }
        let figures = plan.figures().len();
        let variants = document.variants.into_iter().map(|text| {
            let run = |run: Vec<String>| {
                let values = run
                    .iter()
                    .map(|it| it.parse())
                    .collect::<Result<Vec<f64>, _>>();
                values.ok().filter(|values| values.len() == figures)
            };
            let known = text.passed.len() == text.runs.len();
            let runs = text.runs.into_iter().zip(text.passed);
            let runs: Option<Vec<Done>> = runs
                .map(|(figures, passed)| run(figures).map(|figures| Done { figures, passed }))
                .collect();
            let runs = runs.filter(|runs| known && !runs.is_empty());
            let finished = Finished {
                facts: Facts {
                    scenario_hash: text.scenario_hash,
                    seed: text.seed,
                },
                runs: runs.ok_or(PartError::Damaged("its figures are not those of its plan"))?,
            };
            Ok((text.variant - 1, finished))
        });
        Ok(Self {
            variants: variants.collect::<Result<_, PartError>>()?,
            plan,
            count: document.shards,
            covers: document.covers,
        })
    }

    /// What it is a part of.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Shards that are not in it.
    pub fn missing(&self) -> Vec<Shard> {
        (1..=self.count)
            .filter(|index| !self.covers.contains(index))
            .filter_map(|index| Shard::new(index, self.count))
            .collect()
    }

    pub(super) fn variants(&self) -> &BTreeMap<u32, Finished> {
        &self.variants
    }

    /// Both together. `one` and `other` are how they are called in errors. In which order parts are joined makes no
    /// difference.
    ///
    /// # Errors
    /// When they are of different sweeps, or have a shard in common.
    pub fn join(mut self, other: Self, names: (&str, &str)) -> Result<Self, MergeError> {
        let (one, name) = (names.0.to_owned(), names.1.to_owned());
        if self.plan.hash() != other.plan.hash() {
            let of = |part: &Self| part.plan.text.scenario_hash.clone();
            if of(&self) != of(&other) {
                return Err(MergeError::Scenario {
                    one,
                    other: name,
                    ours: of(&self),
                    theirs: of(&other),
                });
            }
            return Err(MergeError::Plan {
                one,
                other: name,
                ours: self.plan.hash().to_owned(),
                theirs: other.plan.hash().to_owned(),
            });
        }
        if self.count != other.count {
            return Err(MergeError::Count {
                one,
                other: name,
                ours: self.count,
                theirs: other.count,
            });
        }
        if let Some(index) = self.covers.intersection(&other.covers).next() {
            let shard = Shard::new(*index, self.count).unwrap_or(Shard::WHOLE);
            return Err(MergeError::Twice {
                one,
                other: name,
                shard,
            });
        }
        self.covers.extend(other.covers);
        self.variants.extend(other.variants);
        Ok(self)
    }
}

/// Joins parts with their names.
///
/// # Errors
/// When two of them do not go together; it names both.
///
/// # Panics
/// When there are none.
pub fn merge(parts: Vec<(String, Part)>) -> Result<Part, MergeError> {
    let mut holders: BTreeMap<u32, String> = BTreeMap::new();
    let mut parts = parts.into_iter();
    let (first, mut whole) = parts.next().expect("at least one part");
    holders.extend(whole.covers.iter().map(|index| (*index, first.clone())));
    for (name, part) in parts {
        let shared = part.covers.iter().find_map(|index| holders.get(index));
        let one = shared.unwrap_or(&first).clone();
        let covers = part.covers.clone();
        whole = whole.join(part, (&one, &name))?;
        holders.extend(covers.into_iter().map(|index| (index, name.clone())));
    }
    Ok(whole)
}

fn digest(covers: &BTreeSet<u32>, variants: &[VariantText]) -> String {
    let mut digest = Digest::new();
    let text = serde_json::to_string(&(covers, variants)).unwrap_or_default();
    digest.bytes(text.as_bytes());
    digest.hex()
}
