//! `tidegate report`: draws a stored result again.

use super::exit::Exit;
use super::output::{Format, Verdicts, show};
use super::say;
use crate::report::{self, StoredResult};
use clap::Args;
use std::path::PathBuf;

/// Draw the reports of a stored result again.
#[derive(Debug, Args)]
pub(super) struct Report {
    /// A result.json that `tidegate simulate --out` wrote.
    #[arg(value_name = "RESULT")]
    file: PathBuf,
    /// Write summary.json, series.csv, metrics.csv and report.html into this folder.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// What is printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    #[command(flatten)]
    verdicts: Verdicts,
    /// Do not say where reports were written.
    #[arg(long, short)]
    quiet: bool,
}

impl Report {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        let stored = match StoredResult::load(&self.file) {
            Ok(stored) => stored,
            Err(error) => {
                say(format_args!("error: {error}"));
                return Ok(Exit::BadInput);
            }
        };
        self.verdicts.prepare()?;
        show(self.format, &stored.summary, &stored.series)?;
        if let Some(folder) = &self.out {
            report::write_all(
                folder,
                &stored.summary,
                &stored.series,
                &report::Part::USUAL,
            )?;
            if !self.quiet {
                let page = folder.join("report.html");
                say(format_args!("report: {}", page.display()));
            }
        }
        self.verdicts.tell(&[(&self.file, &stored.summary)])?;
        Ok(if stored.summary.gates.iter().all(|gate| gate.pass) {
            Exit::Fine
        } else {
            Exit::GateFailed
        })
    }
}
