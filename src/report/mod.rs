//! Presentation of results. Sees nothing but the summary and the series.
//!
//! `view` prepares plain data from both; `text` and `html` (with `svg` for its charts) only format it.
//! `json` and `csv` print the figures as they are. Only [`write_all`] and [`prepare`] touch files.

mod asynchronous;
mod axis;
mod charts;
mod cloudwatch;
mod compare;
mod cost;
mod csv;
mod detail;
mod findings;
mod html;
mod json;
mod live;
mod markdown;
mod output;
mod palette;
mod parquet;
mod png;
mod points;
mod restyle;
mod sample;
mod scale;
mod schema;
mod sha256;
mod standalone;
mod stored;
mod svg;
mod sweep;
mod tables;
mod text;
mod theory;
pub mod tune;
mod verdicts;
mod versions;
mod view;

#[cfg(test)]
mod tests;

pub use compare::{ChangeGate, ChangeGateError, Compare, Side};
pub use output::{Part, write_all};
pub use stored::{StoredError, StoredResult};

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::metrics::numbers;
use crate::metrics::{Series, Summary, SweepSummary};
pub use points::{PointChart, PointLine, PointPage, Sheet, points_html, points_text};

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

/// The summary in Markdown, for a pull request.
pub fn markdown(summary: &Summary, series: &Series) -> String {
    markdown::render(&view::prepare(summary, series))
}

/// The gates of these summaries as a JUnit document.
pub fn junit(summaries: &[&Summary]) -> String {
    verdicts::junit(summaries)
}

/// GitHub's workflow commands that annotate `file` with every gate that failed.
pub fn github(summary: &Summary, file: &str) -> String {
    verdicts::github(summary, file)
}

/// The figures as one JSON document: `summary.json`.
pub fn json(summary: &Summary) -> String {
    json::render(summary)
}

/// The documents that have a schema: name, and what they are.
pub fn schemas() -> impl Iterator<Item = (&'static str, &'static str)> {
    schema::names()
}

/// The JSON Schema (draft 2020-12) of a document.
pub fn schema(name: &str) -> Option<serde_json::Value> {
    schema::of(name)
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

/// The points of a sweep for a terminal.
pub fn sweep_text(sweep: &SweepSummary, options: TextOptions) -> String {
    sweep::text::render(sweep, options)
}

/// The points of a sweep as one JSON document: `sweep.json`.
pub fn sweep_json(sweep: &SweepSummary) -> String {
    sweep::json(sweep)
}

/// The points of a sweep, one row each: `sweep.csv`.
pub fn sweep_csv(sweep: &SweepSummary) -> String {
    sweep::csv::points(sweep)
}

/// The points of a sweep as a table for a pull request: `sweep.md`.
pub fn sweep_markdown(sweep: &SweepSummary) -> String {
    sweep::markdown::render(sweep)
}

/// A page with the points of a sweep, drawn and in a table: `sweep.html`.
pub fn sweep_html(sweep: &SweepSummary) -> String {
    sweep::html::render(sweep)
}

/// Writes `sweep.json`, `sweep.csv`, `runs.csv`, `sweep.md` and `sweep.html` to `dir`, each whole or not at all.
///
/// # Errors
///
/// When one of them cannot be written; the error names it.
pub fn write_sweep(dir: &Path, sweep: &SweepSummary) -> Result<[PathBuf; 5], ReportError> {
    fs::create_dir_all(dir).map_err(at(dir))?;
    Ok([
        write(dir, "sweep.json", sweep_json(sweep).as_bytes())?,
        write(dir, "sweep.csv", sweep_csv(sweep).as_bytes())?,
        write(dir, "runs.csv", sweep::csv::runs(sweep).as_bytes())?,
        write(dir, "sweep.md", sweep_markdown(sweep).as_bytes())?,
        write(dir, "sweep.html", sweep_html(sweep).as_bytes())?,
    ])
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

/// Writes a file whole or not at all, and the folder that it is in.
///
/// # Errors
///
/// When it cannot be written; the error names it.
pub fn write_file(path: &Path, content: &str) -> Result<PathBuf, ReportError> {
    let dir = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| at(path)(io::ErrorKind::InvalidFilename.into()))?;
    fs::create_dir_all(dir).map_err(at(dir))?;
    write(dir, name, content.as_bytes())
}

/// Writes files to `dir`, each whole or not at all.
///
/// # Errors
///
/// When one of them cannot be written; the error names it.
pub fn write_files(dir: &Path, files: &[(String, String)]) -> Result<(), ReportError> {
    fs::create_dir_all(dir).map_err(at(dir))?;
    files
        .iter()
        .try_for_each(|(name, content)| write(dir, name, content.as_bytes()).map(drop))
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
