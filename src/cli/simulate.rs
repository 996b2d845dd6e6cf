//! `tidegate simulate`: runs scenarios, prints a summary, writes reports.

use super::exit::Exit;
use super::output::{Format, Verdicts, show};
use super::progress::Bar;
use super::write::{self, Written};
use super::{colour_on_stderr, is_other_kind, say};
use crate::engine::Span;
use crate::metrics::Summary;
use crate::report::{self, StoredResult};
use crate::scenario::{self, FileKind, Scenario};
use crate::study;
use anyhow::Context;
use clap::{Args, ValueEnum};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Run scenarios in virtual time, print a summary and write reports.
#[derive(Debug, Args)]
pub(super) struct Simulate {
    /// Scenario files (TOML, YAML or JSON).
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Use this seed instead of the files' own.
    #[arg(long)]
    seed: Option<u64>,
    /// Run each scenario this many times, with consecutive seeds, and give 95 % intervals.
    #[arg(long, default_value = "1", value_name = "N")]
    replications: NonZeroU32,
    /// Write reports into this folder (one folder per file when there are several).
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// What is written there, separated by commas.
    #[arg(long, value_enum, value_name = "LIST", value_delimiter = ',', requires = "out",
        default_values_t = [Written::Json, Written::Csv, Written::Metrics, Written::Html, Written::Result])]
    write: Vec<Written>,
    /// What is printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Length of the bins of the series [default: seconds for up to two hours, minutes for more]. Seconds of a day take
    /// about 60 MB for each function or mapping.
    #[arg(long, value_enum, value_name = "LENGTH")]
    bin: Option<Bin>,
    /// Threads for replications [default: all cores].
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroU32>,
    #[command(flatten)]
    verdicts: Verdicts,
    /// Run each scenario once more for every setting that its findings name, and say what that would do.
    #[arg(long)]
    explain: bool,
    /// Draw no progress bar, and do not say where reports were written.
    #[arg(long, short)]
    quiet: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Bin {
    /// One second.
    #[value(name = "1s")]
    Second,
    /// One minute.
    #[value(name = "1m")]
    Minute,
}

impl Bin {
    const fn length(self) -> Span {
        Span::from_secs(match self {
            Self::Second => 1,
            Self::Minute => 60,
        })
    }
}

impl Simulate {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        let Some(scenarios) = self.load_all() else {
            return Ok(Exit::BadInput);
        };
        let folders: Vec<Option<PathBuf>> =
            self.files.iter().map(|file| self.folder(file)).collect();
        if let Some(shared) = first_shared(&folders) {
            say(format_args!(
                "error: two of the files would write their reports to {}",
                shared.display()
            ));
            return Ok(Exit::BadInput);
        }
        // A folder that cannot be written is found out before the work, not after it.
        for folder in folders.iter().flatten() {
            report::prepare(folder)?;
        }
        self.verdicts.prepare()?;
        let mut exit = Exit::Fine;
        let mut summaries = Vec::new();
        for ((scenario, folder), file) in scenarios.iter().zip(&folders).zip(&self.files) {
            let mut stored = self.simulate(scenario)?;
            if self.explain {
                self.explain(file, scenario, &mut stored.summary);
            }
            let StoredResult {
                summary, series, ..
            } = &stored;
            if summary.gates.iter().any(|gate| !gate.pass) {
                exit = exit.max(Exit::GateFailed);
            }
            show(self.format, summary, series)?;
            if let Some(folder) = folder {
                let parts = write::parts(&self.write);
                let written = report::write_all(folder, summary, series, &parts)?;
                if self.write.contains(&Written::Result) {
                    report::write_file(&folder.join("result.json"), &stored.render())?;
                }
                if !self.quiet {
                    let page = written.iter().find(|path| path.ends_with("report.html"));
                    say(format_args!("report: {}", page.unwrap_or(folder).display()));
                }
            }
            summaries.push(stored.summary);
        }
        let runs = self.files.iter().map(PathBuf::as_path).zip(&summaries);
        self.verdicts.tell(&runs.collect::<Vec<_>>())?;
        Ok(exit)
    }

    /// All scenarios, or nothing once every finding about every file has been shown.
    fn load_all(&self) -> Option<Vec<Scenario>> {
        let mut scenarios = Vec::new();
        for file in &self.files {
            if is_other_kind(file, FileKind::Scenario) {
                continue;
            }
            match scenario::load(file) {
                Ok(loaded) => {
                    if !loaded.warnings.is_empty() {
                        say(format_args!(
                            "{}",
                            loaded.warnings.render(colour_on_stderr()).trim_end()
                        ));
                    }
                    scenarios.push(Scenario {
                        bin: self.bin.map(Bin::length),
                        ..loaded.scenario
                    });
                }
                Err(report) => say(format_args!(
                    "{}",
                    report.render(colour_on_stderr()).trim_end()
                )),
            }
        }
        (scenarios.len() == self.files.len()).then_some(scenarios)
    }

    fn folder(&self, file: &Path) -> Option<PathBuf> {
        let out = self.out.as_ref()?;
        if self.files.len() == 1 {
            return Some(out.clone());
        }
        Some(out.join(file.file_stem().unwrap_or(file.as_os_str())))
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "people are told how long it took; no result depends on it"
    )]
    fn simulate(&self, scenario: &Scenario) -> anyhow::Result<StoredResult> {
        let first = self.seed.unwrap_or(scenario.seed);
        let jobs = self.jobs.unwrap_or_else(study::cores);
        let bar = Bar::new(
            &scenario.title,
            u64::from(self.replications.get()),
            self.quiet,
        );
        let begun = Instant::now();
        let runs = study::replicate(scenario, first, self.replications, jobs, || bar.part());
        let wall_s = begun.elapsed().as_secs_f64();
        bar.finish();
        let mut runs = runs.with_context(|| scenario.title.clone())?;
        let invocations: u64 = runs.iter().map(|run| run.invocations).sum();
        let records: u64 = runs.iter().map(|run| run.records).sum();
        let mut summary = study::summarise(scenario, &runs);
        summary.engine.wall_s = wall_s;
        summary.engine.invocations_per_s = invocations as f64 / wall_s;
        summary.engine.records_per_s = records as f64 / wall_s;
        Ok(StoredResult {
            summary,
            series: std::mem::take(&mut runs[0].series),
            replications: runs.into_iter().map(|run| run.summary).collect(),
        })
    }

    /// Adds what the simulator says about the settings that findings name. The seeds are those of the run.
    fn explain(&self, file: &Path, scenario: &Scenario, summary: &mut Summary) {
        // The file was read once: what is gone or changed since then is not what was simulated.
        let Ok(source) = scenario::open(file) else {
            say(format_args!(
                "warning: {} cannot be read again, so nothing is explained",
                file.display()
            ));
            return;
        };
        let tries = summary
            .findings
            .iter()
            .filter(|one| !one.changes.is_empty())
            .count() as u64;
        let title = format!("{}: settings of findings", scenario.title);
        let bar = Bar::new(
            &title,
            tries * u64::from(self.replications.get()),
            self.quiet,
        );
        let jobs = self.jobs.unwrap_or_else(study::cores);
        study::explain(&source, scenario, summary, jobs, || bar.part());
        bar.finish();
    }
}

/// The first folder that an earlier file uses already.
fn first_shared(folders: &[Option<PathBuf>]) -> Option<&Path> {
    folders.iter().enumerate().find_map(|(index, folder)| {
        let folder = folder.as_deref()?;
        let earlier = folders[..index].iter().flatten();
        earlier
            .into_iter()
            .any(|other| other == folder)
            .then_some(folder)
    })
}
