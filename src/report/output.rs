//! The files of a report.

use std::fs;
use std::path::{Path, PathBuf};

use super::view::{Chart, View};
use super::{ReportError, at, cloudwatch, csv, html, json, parquet, png, standalone, view, write};
use crate::metrics::{Series, Summary};

/// A part of a report: one file, or one file for each chart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// `summary.json`: every figure.
    Json,
    /// `series.csv`: one row per subject and bin.
    Csv,
    /// `metrics.csv`: one-minute points under CloudWatch's names.
    Metrics,
    /// `report.html`: tables and charts.
    Html,
    /// `summary.parquet`, `series.parquet` and `metrics.parquet`: the content of the first three.
    Parquet,
    /// `charts/SUBJECT-CHART.svg`.
    Svg,
    /// `charts/SUBJECT-CHART.png`.
    Png,
}

impl Part {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Json,
        Self::Csv,
        Self::Metrics,
        Self::Html,
        Self::Parquet,
        Self::Svg,
        Self::Png,
    ];
    /// What is written when nobody says otherwise.
    pub const USUAL: [Self; 4] = [Self::Json, Self::Csv, Self::Metrics, Self::Html];
}

/// Writes these parts to `dir`, each file whole or not at all, and returns the paths of all files.
///
/// # Errors
///
/// When one of them cannot be written; the error names it.
pub fn write_all(
    dir: &Path,
    summary: &Summary,
    series: &Series,
    parts: &[Part],
) -> Result<Vec<PathBuf>, ReportError> {
    fs::create_dir_all(dir).map_err(at(dir))?;
    let mut written = Vec::new();
    let mut view = None;
    for part in parts {
        let mut text = |name, content: String| -> Result<(), ReportError> {
            written.push(write(dir, name, content.as_bytes())?);
            Ok(())
        };
        match part {
            Part::Json => text("summary.json", json::render(summary))?,
            Part::Csv => text("series.csv", csv::render(series))?,
            Part::Metrics => text("metrics.csv", cloudwatch::render(series))?,
            Part::Html => {
                let view = view.get_or_insert_with(|| view::prepare(summary, series));
                text("report.html", html::render(view))?;
            }
            Part::Parquet => {
                for (name, table) in [
                    ("summary.parquet", parquet::summary(summary)),
                    ("series.parquet", parquet::series(series)),
                    ("metrics.parquet", parquet::metrics(series)),
                ] {
                    let bytes = table.map_err(unmade(&dir.join(name)))?;
                    written.push(write(dir, name, &bytes)?);
                }
            }
            Part::Svg | Part::Png => {
                let view = view.get_or_insert_with(|| view::prepare(summary, series));
                written.extend(charts(dir, view, *part)?);
            }
        }
    }
    Ok(written)
}

fn charts(dir: &Path, view: &View, part: Part) -> Result<Vec<PathBuf>, ReportError> {
    let dir = dir.join("charts");
    fs::create_dir_all(&dir).map_err(at(&dir))?;
    let mut written = Vec::new();
    let painter = png::Painter::default();
    for (name, subject, chart) in named(view) {
        let Some(drawing) = standalone::draw(chart, subject) else {
            continue;
        };
        written.push(if part == Part::Svg {
            write(&dir, &format!("{name}.svg"), drawing.as_bytes())?
        } else {
            let name = format!("{name}.png");
            let image = painter.paint(&drawing).map_err(unmade(&dir.join(&name)))?;
            write(&dir, &name, &image)?
        });
    }
    Ok(written)
}

fn unmade<E: ToString>(path: &Path) -> impl FnOnce(E) -> ReportError {
    let path = path.to_owned();
    move |error| ReportError::Content {
        path,
        reason: error.to_string(),
    }
}

/// Every chart with a name for its file, unlike that of any other, and the name of its subject.
fn named(view: &View) -> Vec<(String, &str, &Chart)> {
    let mut named: Vec<(String, &str, &Chart)> = Vec::new();
    for subject in &view.subjects {
        for chart in &subject.charts {
            let name = format!("{}-{}", plain(&subject.name), plain(chart.title));
            let is_new = |name: &String| named.iter().all(|(known, ..)| known != name);
            let numbered = (2_u32..).map(|number| format!("{name}-{number}"));
            let mut names = std::iter::once(name.clone()).chain(numbered);
            named.push((names.find(is_new).unwrap_or(name), &subject.name, chart));
        }
    }
    named
}

/// Letters, digits and hyphens of a name, so that every file system takes it.
fn plain(name: &str) -> String {
    let kept = |c: char| match c.to_ascii_lowercase() {
        c if c.is_ascii_alphanumeric() => c,
        _ => ' ',
    };
    let text: String = name.chars().take(80).map(kept).collect();
    text.split_whitespace().collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::fixture;

    #[test]
    fn names_of_charts_are_plain_and_apart() {
        assert_eq!(plain("Orders / été: p99"), "orders-t-p99");
        let (summary, mut series) = fixture::flash_sale();
        let mut view = view::prepare(&summary, &series);
        let charts: usize = view.subjects.iter().map(|one| one.charts.len()).sum();
        let again = view.subjects[0].clone();
        view.subjects.push(again);
        let names: Vec<String> = named(&view).into_iter().map(|(name, ..)| name).collect();
        assert!(names.len() > charts);
        assert!(names.contains(&"checkout-latency".to_owned()));
        assert!(names.contains(&"checkout-latency-2".to_owned()));
        series.functions.clear();
        assert!(view::prepare(&summary, &series).subjects.len() < view.subjects.len());
    }

    #[test]
    fn every_part_is_written() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let (summary, series) = fixture::short(20);
        let written = write_all(dir.path(), &summary, &series, &Part::ALL).expect("written");
        for file in [
            "summary.json",
            "series.csv",
            "metrics.csv",
            "report.html",
            "summary.parquet",
            "series.parquet",
            "metrics.parquet",
            "charts/checkout-concurrency.svg",
            "charts/checkout-concurrency.png",
        ] {
            assert!(written.contains(&dir.path().join(file)), "{file}");
        }
        for file in &written {
            let size = fs::metadata(file).expect("a file").len();
            assert!(size > 50, "{}", file.display());
        }
        let image = fs::read(dir.path().join("charts/checkout-concurrency.png")).expect("a file");
        assert_eq!(image[..8], *b"\x89PNG\r\n\x1a\n");
    }
}
