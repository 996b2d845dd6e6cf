//! `tidegate bench`: measures mappings under a load, and holds the simulator against them.

use super::exit::Exit;
use super::{colour_on_stderr, colour_on_stdout, is_other_kind, print, say};
use crate::bench::{self, BenchError, Outcome};
use crate::report::{self, TextOptions};
use crate::scenario::{self, FileKind, LoadedBench};
use clap::{Args, ValueEnum};
use std::path::{Path, PathBuf};
use tracing_subscriber::EnvFilter;

/// Write generated records to the sources of a poller file and measure what its mappings make of them.
///
/// Every `[[bench]]` of the file says what is written and what is varied. Sources are made for the purpose and deleted
/// afterwards, unless the file says otherwise. A bare client loop is measured beside the poller.
#[derive(Debug, Args)]
pub(super) struct Bench {
    /// Poller file (TOML, YAML or JSON) with at least one `[[bench]]`.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Simulate every point from what was measured of function and source, and say how far off the simulator is.
    #[arg(long)]
    predict: bool,
    /// Write bench.json, bench.html and the scenarios of predictions into this folder.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// What is printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Allow records to be written to this source, or sent to this function, although it is not on this machine: the ARN,
    /// server or URL as it stands in the file. May be given several times.
    #[arg(long, value_name = "NAME")]
    yes_write_to: Vec<String>,
    /// Tell nothing of the progress.
    #[arg(long, short)]
    quiet: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Tables for people.
    Text,
    /// The document that --out writes as bench.json.
    Json,
}

impl Bench {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        if is_other_kind(&self.file, FileKind::Poller) {
            return Ok(Exit::BadInput);
        }
        let loaded = match scenario::load_bench(&self.file) {
            Ok(loaded) => loaded,
            Err(report) => {
                let rendered = report.render(colour_on_stderr());
                say(format_args!("{}", rendered.trim_end()));
                return Ok(Exit::BadInput);
            }
        };
        if !loaded.warnings.is_empty() {
            let rendered = loaded.warnings.render(colour_on_stderr());
            say(format_args!("{}", rendered.trim_end()));
        }
        if !self.may_write(&loaded) {
            return Ok(Exit::BadInput);
        }
        if let Some(out) = &self.out {
            // A folder that cannot be written is found out before the work, not after it.
            report::prepare(out)?;
        }
        self.log_to_stderr();
        let title = self.file.file_stem().unwrap_or(self.file.as_os_str());
        let count = loaded.points.len();
        let begun = |index: usize, point: &scenario::BenchPoint| {
            if self.quiet {
                return;
            }
            let settings = point.settings.iter();
            let settings: String = settings
                .map(|(key, value)| format!(" {key}={value}"))
                .collect();
            let mapping = &point.mapping().config.name;
            say(format_args!(
                "point {} of {count}: {mapping}{settings}",
                index + 1
            ));
        };
        let outcome = match bench::run(&loaded, &title.to_string_lossy(), self.predict, begun) {
            Err(BenchError::Interrupted) => {
                say(format_args!("{}", BenchError::Interrupted));
                return Ok(Exit::Failure);
            }
            outcome => outcome?,
        };
        self.show(&outcome)?;
        if let Some(out) = &self.out {
            write(out, &outcome)?;
            say(format_args!("report: {}", out.join("bench.html").display()));
        }
        Ok(Exit::Fine)
    }

    /// Whether everything beyond this machine was named on the command line; says what was not.
    fn may_write(&self, loaded: &LoadedBench) -> bool {
        let far = bench::far(loaded);
        let mut unnamed = far
            .iter()
            .filter(|name| !self.yes_write_to.contains(name))
            .peekable();
        if unnamed.peek().is_none() {
            return true;
        }
        for name in unnamed {
            say(format_args!(
                "error: `{name}` is not on this machine, and a bench writes records\n  \
                 allowed: sources and functions on loopback addresses\n  \
                 help: if records may be written there, add `--yes-write-to {name}`"
            ));
        }
        false
    }

    fn show(&self, outcome: &Outcome) -> anyhow::Result<()> {
        match self.format {
            Format::Json => print(&outcome.findings.json()),
            Format::Text => {
                let options = TextOptions {
                    width: terminal_width(),
                    colour: colour_on_stdout(),
                };
                print(&report::points_text(
                    &bench::page(&outcome.findings),
                    options,
                ))
            }
        }
    }

    fn log_to_stderr(&self) {
        // What a poller tells of its beginning and end is told for every point otherwise.
        let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("error"));
        tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(std::io::stderr)
            .with_ansi(colour_on_stderr())
            .with_target(false)
            .init();
    }
}

fn write(out: &Path, outcome: &Outcome) -> anyhow::Result<()> {
    let page = bench::page(&outcome.findings);
    let mut files = vec![
        ("bench.json".to_owned(), outcome.findings.json()),
        ("bench.html".to_owned(), report::points_html(&page)),
    ];
    for made in &outcome.scenarios {
        files.push((format!("{}.toml", made.name), made.text.clone()));
        files.extend(made.files.iter().cloned());
    }
    report::write_files(out, &files)?;
    Ok(())
}

/// Columns of the terminal; a wide page where there is none to fit into.
fn terminal_width() -> usize {
    const WIDTH_WITHOUT_TERMINAL: usize = 120;
    terminal_size::terminal_size().map_or(WIDTH_WITHOUT_TERMINAL, |(width, _)| usize::from(width.0))
}
