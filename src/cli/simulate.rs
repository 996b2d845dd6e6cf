//! `tidegate simulate`: runs scenarios, prints a summary, writes reports.

use super::exit::Exit;
use super::progress::Bar;
use super::write::{self, Written};
use super::{colour_on_stderr, colour_on_stdout, is_other_kind, print, say};
use crate::engine::Span;
use crate::metrics::{Series, Summary};
use crate::report::{self, TextOptions};
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
        default_values_t = [Written::Json, Written::Csv, Written::Metrics, Written::Html])]
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
    /// Draw no progress bar.
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

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Tables for people.
    Text,
    /// The document that --out writes as summary.json.
    Json,
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
        let mut exit = Exit::Fine;
        for (scenario, folder) in scenarios.iter().zip(&folders) {
            let (summary, series) = self.simulate(scenario)?;
            if summary.gates.iter().any(|gate| !gate.pass) {
                exit = exit.max(Exit::GateFailed);
            }
            self.show(&summary, &series)?;
            if let Some(folder) = folder {
                let written =
                    report::write_all(folder, &summary, &series, &write::parts(&self.write))?;
                let page = written.iter().find(|path| path.ends_with("report.html"));
                say(format_args!("report: {}", page.unwrap_or(folder).display()));
            }
        }
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
    fn simulate(&self, scenario: &Scenario) -> anyhow::Result<(Summary, Series)> {
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
        Ok((summary, runs.swap_remove(0).series))
    }

    fn show(&self, summary: &Summary, series: &Series) -> anyhow::Result<()> {
        match self.format {
            Format::Json => print(&report::json(summary)),
            Format::Text => {
                let options = TextOptions {
                    width: terminal_width(),
                    colour: colour_on_stdout(),
                };
                print(&report::text(summary, series, options))
            }
        }
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

/// Columns of the terminal; a wide page where there is none to fit into.
fn terminal_width() -> usize {
    const WIDTH_WITHOUT_TERMINAL: usize = 120;
    terminal_size::terminal_size().map_or(WIDTH_WITHOUT_TERMINAL, |(width, _)| usize::from(width.0))
}
