//! Published versions: their table, and charts of which of them runs.

use super::charts::{At, Draft};
use super::tables::{Spec, bad, count, may, millis, must, percent, table};
use super::view::{Axis, Chart, Colour, Line, Table};
use crate::metrics::{Series, VersionRow, VersionSeries, VersionSummary};

/// Every version with its share of the work.
pub(super) fn versions(versions: &[(String, VersionSummary)]) -> Option<Table> {
    const REQUESTS: &str = "Requests";
    const HANDLER: &str = "Handler";
    const INIT: &str = "Initialisation";
    let specs: [Spec<VersionSummary>; 12] = [
        must(REQUESTS, "invoked", 0, |v| count(v.invocations)),
        may(REQUESTS, "errors", 1, |v| bad(v.errors)),
        may(REQUESTS, "error %", 0, |v| percent(v.error_share)),
        may(REQUESTS, "timeouts", 8, |v| bad(v.timeouts)),
        may(REQUESTS, "cold", 4, |v| count(v.cold_starts)),
        may(REQUESTS, "provisioned", 5, |v| {
            count(v.provisioned_concurrency_invocations)
        }),
        must(HANDLER, "p50", 1, |v| millis(v.duration.p50)),
        must(HANDLER, "p99", 1, |v| millis(v.duration.p99)),
        must(HANDLER, "max", 6, |v| millis(v.duration.max)),
        must(HANDLER, "mean", 7, |v| millis(v.duration.mean)),
        may(INIT, "p50", 9, |v| millis(v.init_duration.p50)),
        may(INIT, "p99", 9, |v| millis(v.init_duration.p99)),
    ];
    table("Versions", "version", &specs, versions)
}

/// Versions in one chart: as many as there are colours that remain apart.
const COLOURS: [Colour; 6] = [
    Colour::Blue,
    Colour::Orange,
    Colour::Green,
    Colour::Purple,
    Colour::Sky,
    Colour::Vermilion,
];

/// The charts of a function's versions; none for a function that publishes none.
pub(super) fn charts(series: &Series, function: &str) -> Vec<Chart> {
    let own: Vec<&VersionSeries> = series
        .versions
        .iter()
        .filter(|one| number(one, function).is_some())
        .collect();
    if own.is_empty() {
        return Vec::new();
    }
    let rate = |value: fn(&VersionRow) -> u64| {
        lines(series, function, &own, move |row, seconds| {
            value(row) as f64 / seconds
        })
    };
    let invocations = rate(|row| row.invocations);
    let errors = rate(|row| row.errors);
    let durations = lines(series, function, &own, |row, _| row.duration_p99);
    let first = Draft {
        series,
        rows: &own[0].rows,
    };
    vec![
        first
            .chart(
                "Invocations by version",
                Axis::Rate("per second"),
                invocations,
            )
            .or_empty("no version was invoked"),
        first
            .chart("Errors by version", Axis::Rate("per second"), errors)
            .or_empty("no version failed"),
        first
            .chart("Duration by version, p99", Axis::Time, durations)
            .or_empty("no version was invoked")
            .log_if_wide(),
    ]
}

fn number<'a>(version: &'a VersionSeries, function: &str) -> Option<&'a str> {
    version.name.strip_prefix(function)?.strip_prefix(':')
}

fn lines(
    series: &Series,
    function: &str,
    versions: &[&VersionSeries],
    value: impl Fn(&VersionRow, f64) -> f64,
) -> Vec<Line> {
    let seconds = series.bin.as_secs_f64();
    let versions = versions.iter().zip(COLOURS);
    versions
        .map(|(version, colour)| {
            let draft = Draft {
                series,
                rows: &version.rows,
            };
            let label = format!("version {}", number(version, function).unwrap_or_default());
            let line = draft.line("", colour, At::Middle, |row| value(row, seconds));
            Line {
                label: label.into(),
                ..line
            }
        })
        .collect()
}
