//! `tidegate compare`: two results, or two scenarios run under the same seeds.

use super::exit::Exit;
use super::output::{Format, text_options};
use super::progress::Bar;
use super::{colour_on_stderr, print, say};
use crate::report::{self, ChangeGate, Compare as Comparison, Side, StoredResult};
use crate::scenario::{self, Change, Scenario, SourceText};
use crate::study;
use anyhow::Context;
use clap::Args;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

/// Compare two stored results, or two scenarios under the same seeds.
///
/// A and B are results (result.json of `tidegate simulate --out`) or scenario files.
/// Scenarios are run under the same random numbers, so that small differences show.
/// With --set, B is A with some values replaced:
///
///   tidegate compare shop.toml --set function.checkout.memory_mb=1024
///
/// A gate fails, with exit code 1, when the change is surely beyond its bound:
/// when the whole 95 % interval is.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Compare {
    /// What is compared with: a result or a scenario.
    #[arg(value_name = "A")]
    a: PathBuf,
    /// What is compared: a result or a scenario. Left out with --set, it is A.
    #[arg(value_name = "B", required_unless_present = "set")]
    b: Option<PathBuf>,
    /// Replace a value of scenario B, such as mapping.clicks-to-checkout.BatchSize=500.
    #[arg(long, value_name = "PATH=VALUE", value_parser = change)]
    set: Vec<Change>,
    /// Runs of each scenario; beside a stored result, as many as it has.
    #[arg(long, value_name = "N")]
    replications: Option<NonZeroU32>,
    /// The first seed instead of that of scenario A; beside a stored result, its seeds are taken.
    #[arg(long)]
    seed: Option<u64>,
    /// Threads for replications [default: all cores].
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroU32>,
    /// Fail when a figure changes by more, such as `checkout.Latency.p99 <= +5%`.
    #[arg(long = "gate", value_name = "GATE")]
    gates: Vec<ChangeGate>,
    /// Write comparison.json and comparison.html, with both runs in each chart, into this folder.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// What is printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Show figures without a detectable difference, too.
    #[arg(long)]
    all: bool,
    /// Write gates as JUnit test cases into this file.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Annotate failed gates in GitHub Actions (workflow commands on standard error).
    #[arg(long)]
    github: bool,
    /// Draw no progress bar, and do not say where reports were written.
    #[arg(long, short)]
    quiet: bool,
}

/// Runs of each scenario when nothing says how many.
const REPLICATIONS: NonZeroU32 = NonZeroU32::new(10).expect("not zero");

/// What a file turned out to be.
enum Input {
    Stored(Box<StoredResult>),
    Scenario(Box<Scenario>),
}

fn change(text: &str) -> Result<Change, String> {
    match text.split_once('=') {
        Some((path, value)) if !path.trim().is_empty() => Ok(Change {
            path: path.trim().to_owned(),
            value: value.trim().to_owned(),
        }),
        _ => Err("a change is PATH=VALUE, such as function.checkout.timeout=30s".to_owned()),
    }
}

impl Compare {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        let second = self.b.as_ref().unwrap_or(&self.a);
        // Everything that is wrong with either is shown.
        let (a, b) = (open(&self.a, &[]), open(second, &self.set));
        let (Some(a), Some(b)) = (a, b) else {
            return Ok(Exit::BadInput);
        };
        if let Some(folder) = &self.out {
            report::prepare(folder)?;
        }
        let stored = match (&a, &b) {
            (Input::Stored(stored), _) | (_, Input::Stored(stored)) => Some(seeds(stored)),
            _ => None,
        };
        let (first, count) = match (stored, &a) {
            (Some(Some(seeds)), _) => seeds,
            (_, Input::Scenario(scenario)) => (scenario.seed, REPLICATIONS),
            (_, Input::Stored(_)) => (1, REPLICATIONS),
        };
        let seeds = (
            self.seed.unwrap_or(first),
            self.replications.unwrap_or(count),
        );
        let b_from = self.describe(second);
        let a = self.side(a, self.a.display().to_string(), seeds)?;
        let b = self.side(b, b_from, seeds)?;
        let mut comparison = Comparison::new(a, b);
        if let Err(error) = comparison.judge(&self.gates) {
            say(format_args!("error: {error}"));
            return Ok(Exit::BadInput);
        }
        self.show(&comparison)?;
        Ok(if comparison.gates().iter().all(|gate| gate.pass) {
            Exit::Fine
        } else {
            Exit::GateFailed
        })
    }

    fn describe(&self, second: &Path) -> String {
        let changes = self.set.iter();
        let changes = changes.map(|change| format!("{}={}", change.path, change.value));
        std::iter::once(second.display().to_string())
            .chain(changes)
            .collect::<Vec<_>>()
            .join(" with ")
    }

    fn side(
        &self,
        input: Input,
        from: String,
        (first, count): (u64, NonZeroU32),
    ) -> anyhow::Result<Side> {
        let scenario = match input {
            Input::Stored(result) => {
                return Ok(Side {
                    from,
                    result: *result,
                });
            }
            Input::Scenario(scenario) => scenario,
        };
        let jobs = self.jobs.unwrap_or_else(study::cores);
        let bar = Bar::new(&scenario.title, u64::from(count.get()), self.quiet);
        let runs = study::replicate(&scenario, first, count, jobs, || bar.part());
        bar.finish();
        let mut runs = runs.with_context(|| scenario.title.clone())?;
        let result = StoredResult {
            summary: study::summarise(&scenario, &runs),
            series: std::mem::take(&mut runs[0].series),
            replications: runs.into_iter().map(|run| run.summary).collect(),
        };
        Ok(Side { from, result })
    }

    fn show(&self, comparison: &Comparison) -> anyhow::Result<()> {
        print(&match self.format {
            Format::Text => comparison.text(text_options(), self.all),
            Format::Json => comparison.json(),
            Format::Markdown => comparison.markdown(),
        })?;
        if let Some(folder) = &self.out {
            report::write_file(&folder.join("comparison.json"), &comparison.json())?;
            let page = report::write_file(&folder.join("comparison.html"), &comparison.html())?;
            if !self.quiet {
                say(format_args!("report: {}", page.display()));
            }
        }
        if let Some(file) = &self.junit {
            report::write_file(file, &comparison.junit())?;
        }
        let commands = comparison.github();
        if self.github && !commands.is_empty() {
            say(format_args!("{}", commands.trim_end()));
        }
        Ok(())
    }
}

/// The seeds of a result, if a run can be given the same.
fn seeds(stored: &StoredResult) -> Option<(u64, NonZeroU32)> {
    let first = stored.replications.first()?.seed;
    let count = u32::try_from(stored.replications.len()).ok()?;
    let mut seeds = stored.replications.iter().zip(0..);
    let consecutive = seeds.all(|(one, index)| one.seed == first.wrapping_add(index));
    Some((first, NonZeroU32::new(count)?)).filter(|_| consecutive)
}

/// What a file holds; everything wrong with it has been told if there is nothing.
fn open(path: &Path, changes: &[Change]) -> Option<Input> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) => {
            say(format_args!(
                "error: cannot read `{}`: {error}\n  = help: name a result.json or a scenario file",
                path.display()
            ));
            return None;
        }
    };
    if is_scenario(path, &bytes) {
        return scenario_of(path, bytes, changes);
    }
    if !changes.is_empty() {
        say(format_args!(
            "error: `{}` is a result, and --set changes values of a scenario\n  = help: name the scenario file instead",
            path.display()
        ));
        return None;
    }
    match StoredResult::parse(path, &bytes) {
        Ok(stored) => Some(Input::Stored(Box::new(stored))),
        Err(error) => {
            say(format_args!("error: {error}"));
            None
        }
    }
}

/// TOML and YAML are scenarios; JSON may be one, and says how long it takes.
fn is_scenario(path: &Path, bytes: &[u8]) -> bool {
    let json = path
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
    if StoredResult::is_one(bytes) {
        return false;
    }
    let document = serde_json::from_slice::<serde_json::Value>(bytes);
    match document {
        Ok(document) => document.get("duration").is_some(),
        Err(_) => !json,
    }
}

fn scenario_of(path: &Path, bytes: Vec<u8>, changes: &[Change]) -> Option<Input> {
    let loaded = match String::from_utf8(bytes) {
        Ok(text) if !changes.is_empty() => {
            scenario::parse_changed(SourceText::new(path, text), changes)
        }
        // Without changes the file is read as every command reads it, with its limits on size and encoding.
        _ => scenario::load(path),
    };
    match loaded {
        Ok(loaded) => {
            if !loaded.warnings.is_empty() {
                let warnings = loaded.warnings.render(colour_on_stderr());
                say(format_args!("{}", warnings.trim_end()));
            }
            Some(Input::Scenario(Box::new(loaded.scenario)))
        }
        Err(report) => {
            let rendered = report.render(colour_on_stderr());
            say(format_args!("{}", rendered.trim_end()));
            None
        }
    }
}
