//! `tidegate tune`: searches settings for the cheapest that meet goals.

use super::exit::Exit;
use super::progress::Bar;
use super::{colour_on_stderr, is_other_kind, print, say};
use crate::report;
use crate::scenario::{self, FileKind, Scenario, SourceText};
use crate::study::tune::{self, Objective, Plan};
use crate::study::{self, Goal};
use clap::{Args, ValueEnum};
use std::num::NonZeroU32;
use std::path::PathBuf;

/// Find the settings that meet goals at the least cost, explain the choice and show the runners-up.
///
/// Exit code 1 when nothing meets the goals.
#[derive(Debug, Args)]
pub(super) struct Tune {
    /// Scenario file (TOML, YAML or JSON).
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// What has to hold: `[subject.]Metric.statistic < value`, such as `IteratorAge.p99 < 1s`; several times for several goals.
    #[arg(long = "goal", value_name = "GOAL")]
    goals: Vec<String>,
    /// What may change: settings with commas, each with values or a range if it likes, such as
    /// `mapping.clicks.BatchSize,ParallelizationFactor=1..10`.
    #[arg(long, required = true, value_name = "SETTINGS")]
    over: Vec<String>,
    /// What should be small: `cost` (of a month) or a measure.
    #[arg(
        long,
        default_value = "cost",
        value_name = "MEASURE",
        conflicts_with = "maximise"
    )]
    minimise: String,
    /// What should be large instead.
    #[arg(long, value_name = "MEASURE")]
    maximise: Option<String>,
    /// Replications of the best, with consecutive seeds.
    #[arg(long, default_value = "10", value_name = "N", value_parser = clap::value_parser!(u32).range(3..=1_000))]
    replications_max: u32,
    /// Runs that the search may take.
    #[arg(long, default_value = "400", value_name = "N", value_parser = clap::value_parser!(u32).range(20..=1_000_000))]
    budget: u32,
    /// Use this seed instead of the file's own.
    #[arg(long)]
    seed: Option<u64>,
    /// Threads; the answer does not depend on them [default: all cores].
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroU32>,
    /// What is printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Draw no progress bar.
    #[arg(long, short)]
    quiet: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Text,
    /// One document with everything.
    Json,
    /// For pull requests.
    Markdown,
}

/// Replications after which somebody may be out.
const REPLICATIONS_MIN: usize = 3;

impl Tune {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        if is_other_kind(&self.file, FileKind::Scenario) {
            return Ok(Exit::BadInput);
        }
        let loaded = scenario::open(&self.file).and_then(|source| {
            let loaded = scenario::parse(source.clone())?;
            Ok((source, loaded))
        });
        let (source, loaded) = match loaded {
            Ok(loaded) => loaded,
            Err(report) => {
                say(format_args!(
                    "{}",
                    report.render(colour_on_stderr()).trim_end()
                ));
                return Ok(Exit::BadInput);
            }
        };
        let scenario = loaded.scenario;
        let seed = self.seed.unwrap_or(scenario.seed);
        let busiest = tune::busiest(&scenario, seed)?;
        let plan = match self.plan(&source, &scenario, &busiest, seed) {
            Ok(plan) => plan,
            Err(mistakes) => {
                for mistake in mistakes {
                    say(format_args!("error: {mistake}"));
                }
                return Ok(Exit::BadInput);
            }
        };
        let bar = Bar::new(
            &format!("{}: search", scenario.title),
            u64::from(self.budget),
            self.quiet,
        );
        let answer = tune::tune(&source, &plan, || bar.part());
        bar.finish();
        let answer = match answer {
            Ok(answer) => answer,
            Err(report) => {
                say(format_args!(
                    "{}",
                    report.render(colour_on_stderr()).trim_end()
                ));
                return Ok(Exit::BadInput);
            }
        };
        print(&match self.format {
            Format::Text => report::tune::text(&answer, super::terminal_width()),
            Format::Json => report::tune::json(&answer),
            Format::Markdown => report::tune::markdown(&answer),
        })?;
        Ok(if answer.met {
            Exit::Fine
        } else {
            Exit::GateFailed
        })
    }

    /// What is to be searched, or everything that is wrong with the request.
    fn plan(
        &self,
        source: &SourceText,
        scenario: &Scenario,
        busiest: &[u32],
        seed: u64,
    ) -> Result<Plan, Vec<String>> {
        let mut wrong: Vec<String> = Vec::new();
        let mut goals: Vec<Goal> = Vec::new();
        for text in &self.goals {
            match Goal::parse(text, scenario) {
                Ok(goal) => goals.push(goal),
                Err(error) => wrong.push(error.to_string()),
            }
        }
        let (text, is_maximised) = match &self.maximise {
            Some(text) => (text, true),
            None => (&self.minimise, false),
        };
        let objective = Objective::parse(text, is_maximised, scenario)
            .map_err(|error| wrong.push(error))
            .ok();
        let (axes, mistakes) = tune::axes(&self.over, scenario, busiest);
        wrong.extend(mistakes);
        wrong.extend(axes.iter().filter_map(|axis| axis.mistake(source)));
        match objective {
            Some(objective) if wrong.is_empty() => Ok(Plan {
                goals,
                objective,
                axes,
                replications_min: REPLICATIONS_MIN,
                replications_max: self.replications_max as usize,
                budget: self.budget as usize,
                seed,
                jobs: self.jobs.unwrap_or_else(study::cores),
            }),
            _ => Err(wrong),
        }
    }
}
