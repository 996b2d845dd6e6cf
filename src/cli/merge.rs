//! `tidegate merge`: joins the shards of a sweep.

use super::exit::Exit;
use super::sweep::{Format, show};
use super::{print, say};
use crate::report;
use crate::study::{self, Part, Shard};
use anyhow::Context;
use clap::Args;
use std::path::{Path, PathBuf};

/// Join the shards of a sweep: the same files as if it had run in one piece.
///
/// The order of the shards makes no difference. Shards of other scenarios, plans or versions are refused, and so are
/// shards that are given twice, missing or cut off; then nothing is written.
#[derive(Debug, Args)]
pub(super) struct Merge {
    /// Files that `tidegate sweep --shard` wrote.
    #[arg(required = true, value_name = "SHARD")]
    shards: Vec<PathBuf>,
    /// Write sweep.json, sweep.csv, runs.csv, sweep.md and sweep.html into this folder.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Join what there is into one shard file, to be merged with the others later.
    #[arg(long, value_name = "FILE", conflicts_with = "out")]
    partial: Option<PathBuf>,
    /// What is printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

impl Merge {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        let Some(parts) = self.read() else {
            return Ok(Exit::BadInput);
        };
        let whole = match study::merge(parts) {
            Ok(whole) => whole,
            Err(error) => {
                say(format_args!("error: {error}"));
                return Ok(Exit::BadInput);
            }
        };
        if let Some(file) = &self.partial {
            let name = file.file_name().and_then(|name| name.to_str());
            let name = name.context("--partial needs the name of a file")?;
            let folder = file.parent().unwrap_or(Path::new(""));
            let folder = match folder.as_os_str().is_empty() {
                true => Path::new("."),
                false => folder,
            };
            report::write_file(&folder.join(name), &whole.to_json())?;
            return Ok(Exit::Fine);
        }
        let missing = whole.missing();
        if !missing.is_empty() {
            say(format_args!("error: {}", told_missing(&missing)));
            return Ok(Exit::BadInput);
        }
        let summary = whole.summary();
        print(&show(&summary, self.format))?;
        if let Some(folder) = &self.out {
            let files = report::write_sweep(folder, &summary)?;
            say(format_args!("report: {}", files[4].display()));
        }
        Ok(Exit::Fine)
    }

    /// All shards, or nothing once every unreadable one has been named.
    fn read(&self) -> Option<Vec<(String, Part)>> {
        let mut parts = Vec::new();
        for file in &self.shards {
            let name = file.display().to_string();
            let text = match std::fs::read_to_string(file) {
                Ok(text) => text,
                Err(error) => {
                    say(format_args!(
                        "error: cannot read the shard `{name}`: {error}"
                    ));
                    continue;
                }
            };
            match Part::from_json(&text) {
                Ok(part) => parts.push((name, part)),
                Err(error) => say(format_args!("error: the shard `{name}`: {error}")),
            }
        }
        (parts.len() == self.shards.len()).then_some(parts)
    }
}

fn told_missing(missing: &[Shard]) -> String {
    const NAMED_MAX: usize = 20;
    let names: Vec<String> = missing
        .iter()
        .take(NAMED_MAX)
        .map(ToString::to_string)
        .collect();
    let more = match missing.len() - names.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let are = if missing.len() == 1 { "is" } else { "are" };
    let shards = if missing.len() == 1 {
        "shard"
    } else {
        "shards"
    };
    format!(
        "{shards} {}{more} {are} missing; run {} with `tidegate sweep --shard i/n`, or join what there is with --partial FILE",
        names.join(", "),
        if missing.len() == 1 { "it" } else { "them" }
    )
}
