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
mod html;
mod json;
mod numbers;
mod points;
mod restyle;
mod sample;
mod scale;
mod svg;
mod tables;
mod text;
mod versions;
mod view;

#[cfg(test)]
mod tests;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::metrics::{Series, Summary};
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
#[error("cannot write `{path}`")]
pub struct ReportError {
    /// The file or folder.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
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

/// Writes `summary.json`, `series.csv`, `metrics.csv` and `report.html` to `dir`, each whole or not at all.
///
/// # Errors
///
/// When one of them cannot be written; the error names it.
pub fn write_all(
    dir: &Path,
    summary: &Summary,
    series: &Series,
) -> Result<[PathBuf; 4], ReportError> {
    fs::create_dir_all(dir).map_err(at(dir))?;
    Ok([
        write(dir, "summary.json", &json(summary))?,
        write(dir, "series.csv", &csv(series))?,
        write(dir, "metrics.csv", &cloudwatch(series))?,
        write(dir, "report.html", &html(summary, series))?,
    ])
}

/// A reader sees the old file or the new one, never a part: the content goes to a neighbour that is then renamed.
/// Writes files to `dir`, each whole or not at all.
///
/// # Errors
///
/// When one of them cannot be written; the error names it.
pub fn write_files(dir: &Path, files: &[(String, String)]) -> Result<(), ReportError> {
    fs::create_dir_all(dir).map_err(at(dir))?;
    files
        .iter()
        .try_for_each(|(name, content)| write(dir, name, content).map(drop))
}

fn write(dir: &Path, name: &str, content: &str) -> Result<PathBuf, ReportError> {
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
    |source| ReportError { path, source }
}
