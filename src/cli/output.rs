//! What commands that show a run have in common: formats, and gates for build servers.

use super::{colour_on_stdout, print, say};
use crate::metrics::{Series, Summary};
use crate::report::{self, TextOptions};
use clap::{Args, ValueEnum};
use std::path::{Path, PathBuf};

/// What is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// Tables for people.
    Text,
    /// One JSON document for programs (`tidegate schema` describes it).
    Json,
    /// Tables for a pull request.
    Markdown,
}

/// Where else gates are told.
#[derive(Clone, Debug, Args)]
pub(super) struct Verdicts {
    /// Write gates as JUnit test cases into this file.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Annotate failed gates in GitHub Actions (workflow commands on standard error).
    #[arg(long)]
    github: bool,
}

impl Verdicts {
    /// Makes sure that the file can be written before the work is done.
    pub(super) fn prepare(&self) -> anyhow::Result<()> {
        let folder = self.junit.as_deref().and_then(Path::parent);
        if let Some(folder) = folder.filter(|folder| !folder.as_os_str().is_empty()) {
            report::prepare(folder)?;
        }
        Ok(())
    }

    /// Tells the gates of runs and of the files that they come from.
    pub(super) fn tell(&self, runs: &[(&Path, &Summary)]) -> anyhow::Result<()> {
        if self.github {
            for (file, summary) in runs {
                let commands = report::github(summary, &file.to_string_lossy());
                if !commands.is_empty() {
                    say(format_args!("{}", commands.trim_end()));
                }
            }
        }
        if let Some(file) = &self.junit {
            let summaries: Vec<&Summary> = runs.iter().map(|(_, summary)| *summary).collect();
            report::write_file(file, &report::junit(&summaries))?;
        }
        Ok(())
    }
}

/// Prints a run.
pub(super) fn show(format: Format, summary: &Summary, series: &Series) -> anyhow::Result<()> {
    print(&match format {
        Format::Json => report::json(summary),
        Format::Markdown => report::markdown(summary, series),
        Format::Text => report::text(summary, series, text_options()),
    })
}

/// How text looks on the terminal that there is.
pub(super) fn text_options() -> TextOptions {
    TextOptions {
        width: super::terminal_width(),
        colour: colour_on_stdout(),
    }
}
