//! `tidegate validate`: everything that is wrong with files, without running them.

use super::exit::Exit;
use super::{colour_on_stderr, print, say};
use crate::scenario;
use clap::Args;
use std::path::PathBuf;

/// Check scenario files, or poller files with --poller, and show all findings at once.
#[derive(Debug, Args)]
pub(super) struct Validate {
    /// Files to check.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The files are for `tidegate poll`.
    #[arg(long)]
    poller: bool,
}

impl Validate {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        let mut exit = Exit::Fine;
        for file in &self.files {
            let checked = if self.poller {
                scenario::load_poller(file).map(|loaded| loaded.warnings)
            } else {
                scenario::load(file).map(|loaded| loaded.warnings)
            };
            let (report, fine) = match checked {
                Ok(warnings) => (warnings, true),
                Err(report) => (report, false),
            };
            if !report.is_empty() {
                say(format_args!(
                    "{}",
                    report.render(colour_on_stderr()).trim_end()
                ));
            }
            if fine {
                print(&format!("{}: fine\n", file.display()));
            } else {
                exit = Exit::BadInput;
            }
        }
        Ok(exit)
    }
}
