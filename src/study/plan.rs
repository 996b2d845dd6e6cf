//! A sweep that makes sense: its variants, its figures, how often each variant runs.

use super::asked::{Asked, PlanError, Understood};
use super::design::Variants;
use super::measure::Measure;
use super::precision::Replications;
use crate::scenario::{Change, Digest, Scenario};
use serde::{Deserialize, Serialize};

/// What shards carry with them, and what their hash is of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PlanText {
    /// Version of the program.
    pub(super) tidegate: String,
    /// Title of the scenario.
    pub(super) scenario: String,
    pub(super) scenario_hash: String,
    pub(super) profile: String,
    /// The scenario's own seed.
    pub(super) scenario_seed: u64,
    pub(super) asked: Asked,
}

/// A sweep over the variants of a scenario.
#[derive(Clone, Debug)]
pub struct Plan {
    pub(super) text: PlanText,
    pub(super) understood: Understood,
    hash: String,
}

impl Plan {
    /// Makes sense of what is asked for. Without metrics it takes the usual ones of the scenario, and those of the front
    /// are added. Also gives the figures, in the order of the plan's names.
    ///
    /// # Errors
    /// Everything that cannot be done, at once.
    pub fn new(mut asked: Asked, base: &Scenario) -> Result<(Self, Vec<Measure>), Vec<PlanError>> {
        let mut problems = Vec::new();
        if asked.metrics.is_empty() && asked.precision.is_none() {
            asked.metrics = usual_figures(base);
        }
        let measures = match asked.metrics.is_empty() {
            true => Vec::new(),
            false => asked.name_figures(base, &mut problems),
        };
        if !problems.is_empty() && asked.pareto.len() == 2 {
            // Not to be told again that a figure of the front is unknown.
            asked.pareto.clear();
        }
        let text = PlanText {
            tidegate: env!("CARGO_PKG_VERSION").to_owned(),
            scenario: base.title.clone(),
            scenario_hash: base.hash.clone(),
            profile: base.profile.name().to_owned(),
            scenario_seed: base.seed,
            asked,
        };
        match Self::read(text) {
            Ok(plan) if problems.is_empty() => Ok((plan, measures)),
            Ok(_) => Err(problems),
            Err(more) => {
                problems.splice(0..0, more);
                Err(problems)
            }
        }
    }

    /// The plan that a shard carries.
    pub(super) fn read(text: PlanText) -> Result<Self, Vec<PlanError>> {
        let seed = text.asked.seed.unwrap_or(text.scenario_seed);
        let understood = text.asked.understand(seed)?;
        // The order of fields is that of the structure, so equal plans have equal texts.
        let document = serde_json::to_string(&text).unwrap_or_default();
        let mut digest = Digest::new();
        digest.bytes(document.as_bytes());
        Ok(Self {
            text,
            understood,
            hash: digest.hex(),
        })
    }

    /// Digest of everything that decides what comes out.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// Title of the scenario.
    pub fn title(&self) -> &str {
        &self.text.scenario
    }

    /// How many variants there are.
    pub fn variants(&self) -> u32 {
        // Plans with more than a million are refused.
        self.understood.variants.count() as u32
    }

    /// The value of every axis in variant `index`, counted from zero.
    pub fn values(&self, index: u32) -> Vec<String> {
        self.combinations().values(index)
    }

    /// What variant `index`, counted from zero, changes in the file.
    pub fn changes(&self, index: u32) -> Vec<Change> {
        self.combinations().changes(index)
    }

    /// `BatchSize=10 timeout=5s` with whole paths.
    pub fn describe(&self, index: u32) -> String {
        let values = self.values(index).into_iter();
        let axes = self.combinations().axes().iter().zip(values);
        let parts: Vec<String> = axes
            .map(|(axis, value)| format!("{}={value}", axis.name()))
            .collect();
        parts.join(" ")
    }

    /// How often each variant runs.
    pub const fn replications(&self) -> Replications {
        self.understood.replications
    }

    /// Names of the figures.
    pub fn figures(&self) -> &[String] {
        &self.text.asked.metrics
    }

    /// The seed of a variant's first replication: the one that was asked for, or that of the variant's own file.
    pub fn first_seed(&self, variant: &Scenario) -> u64 {
        self.text.asked.seed.unwrap_or(variant.seed)
    }

    pub(super) const fn combinations(&self) -> &Variants {
        &self.understood.variants
    }
}

/// Subjects of one kind beyond these have no figures of their own unless somebody asks for them.
const SUBJECTS_MAX: usize = 6;

/// What people look at first: how long callers wait and how often they are refused, how far behind mappings are, cost.
fn usual_figures(scenario: &Scenario) -> Vec<String> {
    let mut names = Vec::new();
    for (index, function) in scenario.functions.iter().enumerate().take(SUBJECTS_MAX) {
        if scenario.traffic.iter().any(|traffic| traffic.calls(index)) {
            names.push(format!("{}.Latency.p99", function.name));
        }
        names.push(format!("{}.Throttles.Sum", function.name));
        names.push(format!("{}.ColdStartShare.Average", function.name));
    }
    for mapping in scenario.mappings.iter().take(SUBJECTS_MAX) {
        let name = &mapping.config.name;
        let source = mapping.config.source;
        let age = match source.is_stream() || source.is_kafka() {
            true => "IteratorAge",
            false => "RecordLatency",
        };
        names.push(format!("{name}.{age}.p99"));
        names.push(format!("{name}.Backlog.Maximum"));
    }
    names.push("cost.total_usd_per_month.Sum".to_owned());
    names
}
