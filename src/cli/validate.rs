//! `tidegate validate`: everything that is wrong with files, without running them.

use super::exit::Exit;
use super::{colour_on_stderr, print, say};
use crate::scenario::{self, FileKind};
use clap::Args;
use std::path::PathBuf;

/// Check scenario and poller files and show all findings at once.
#[derive(Debug, Args)]
pub(super) struct Validate {
    /// Files to check; those with a table named aws, poller or target are poller files.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

impl Validate {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        let mut exit = Exit::Fine;
        for file in &self.files {
            let (kind, report) = match scenario::validate(file) {
                Ok((kind, warnings)) => (Some(kind), warnings),
                Err(report) => (None, report),
            };
            if !report.is_empty() {
                let rendered = report.render(colour_on_stderr());
                say(format_args!("{}", rendered.trim_end()));
            }
            let name = match kind {
                Some(FileKind::Scenario) => "scenario",
                Some(FileKind::Poller) => "poller file",
                None => {
                    exit = Exit::BadInput;
                    continue;
                }
            };
            print(&format!("{}: {name} is fine\n", file.display()))?;
        }
        Ok(exit)
    }
}
