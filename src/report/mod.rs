//! Presentation of results. Sees nothing but the summary and the series.
//!
//! `view` prepares plain data from both; `text` and `html` (with `svg` for its charts) only format it.
//! `json` and `csv` print the figures as they are. Only [`write_all`] and [`prepare`] touch files.

mod asynchronous;
mod axis;
mod charts;
mod cloudwatch;
mod cost;
mod csv;
mod detail;
mod html;
mod json;
mod live;
mod numbers;
mod output;
mod palette;
mod parquet;
mod png;
mod restyle;
mod sample;
mod scale;
mod sha256;
mod standalone;
mod svg;
mod tables;
mod text;
mod theory;
mod versions;
mod view;

#[cfg(test)]
mod tests;

pub use output::{Part, write_all};

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::metrics::{Series, Summary};

/// How the summary for a terminal looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextOptions {
    /// Columns of the terminal; tables leave out what does not fit.
    pub width: usize,
    /// Whether to use escape sequences for colours.
    pub colour: bool,
}

impl Default for TextOptions {
    /// What is right for a pipe or a log: no colour, and lines that a page can hold.
    fn default() -> Self {
        Self {
            width: 120,
            colour: false,
        }
    }
}

/// A report could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A file or folder cannot be written.
    #[error("cannot write `{path}`")]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The content of a file could not be made: a defect of this program.
    #[error("cannot make `{path}`: {reason}")]
    Content {
        /// The file.
        path: PathBuf,
        /// What the library that makes it said.
        reason: String,
    },
}

/// The summary for a terminal.
pub fn text(summary: &Summary, series: &Series, options: TextOptions) -> String {
    text::render(&view::prepare(summary, series), options)
}

/// The figures as one JSON document: `summary.json`.
pub fn json(summary: &Summary) -> String {
    json::render(summary)
}

/// The time series: `series.csv`. One row per subject and bin, with the columns of both kinds of subject;
/// those of the other kind are empty.
pub fn csv(series: &Series) -> String {
    csv::render(series)
}

/// One-minute points as CloudWatch keeps them: `metrics.csv`. A minute without anything to tell has no point.
pub fn cloudwatch(series: &Series) -> String {
    cloudwatch::render(series)
}

/// A page with tables and charts that needs nothing beside itself: `report.html`.
///
/// Only its `<footer>` differs between two runs of one scenario and seed.
pub fn html(summary: &Summary, series: &Series) -> String {
    html::render(&view::prepare(summary, series))
}

/// Makes sure that reports can be written to `dir`, so that a run does not end with a lost result.
///
/// # Errors
///
/// When the folder cannot be created or written to.
pub fn prepare(dir: &Path) -> Result<(), ReportError> {
    fs::create_dir_all(dir).map_err(at(dir))?;
    let probe = dir.join(format!(".probe-{}", std::process::id()));
    fs::write(&probe, b"").map_err(at(&probe))?;
    fs::remove_file(&probe).map_err(at(&probe))
}

/// A reader sees the old file or the new one, never a part: the content goes to a neighbour that is then renamed.
fn write(dir: &Path, name: &str, content: &[u8]) -> Result<PathBuf, ReportError> {
    let path = dir.join(name);
    let part = dir.join(format!(".{name}.{}", std::process::id()));
    let written = fs::write(&part, content).and_then(|()| fs::rename(&part, &path));
    if written.is_err() {
        // The first error is the one to report; a leftover is only untidy.
        let _ = fs::remove_file(&part);
    }
    written.map_err(at(&path))?;
    Ok(path)
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> ReportError {
    let path = path.to_owned();
    |source| ReportError::Write { path, source }
}
