//! Which files of a report are written.

use crate::report::Part;
use clap::ValueEnum;

/// What `--write` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Written {
    /// summary.json: every figure
    Json,
    /// series.csv: one row per subject and bin
    Csv,
    /// metrics.csv: one-minute points under CloudWatch's names
    Metrics,
    /// report.html: tables and charts in one file
    Html,
    /// result.json: everything at full precision, for `report` and `compare`
    Result,
    /// summary.parquet, series.parquet and metrics.parquet: the content of the first three
    Parquet,
    /// charts/*.svg: a file for each chart
    Svg,
    /// charts/*.png: the same as images
    Png,
}

/// The parts that were asked for, each once, in a fixed order.
pub(super) fn parts(wanted: &[Written]) -> Vec<Part> {
    let each = [
        (Written::Json, Part::Json),
        (Written::Csv, Part::Csv),
        (Written::Metrics, Part::Metrics),
        (Written::Html, Part::Html),
        (Written::Parquet, Part::Parquet),
        (Written::Svg, Part::Svg),
        (Written::Png, Part::Png),
    ];
    let chosen = each.into_iter().filter(|(name, _)| wanted.contains(name));
    chosen.map(|(_, part)| part).collect()
}
