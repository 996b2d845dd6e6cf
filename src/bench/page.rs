//! Findings as tables and charts.

use super::findings::{Findings, PointFindings, SideFindings};
use crate::metrics::Percentiles;
use crate::report::{PointChart, PointLine, PointPage, Sheet};

/// The tables and charts of a bench, for `report`.
pub fn page(findings: &Findings) -> PointPage {
    let hash: String = findings.hash.chars().take(12).collect();
    let mut sheets = vec![throughput(findings), latency(findings), cost(findings)];
    sheets.extend(ratios(findings));
    sheets.extend(predictions(findings));
    let mut notes: Vec<String> = findings.notes.iter().map(|&note| note.to_owned()).collect();
    for (index, point) in findings.points.iter().enumerate() {
        if let Some(reason) = &point.not_predicted {
            notes.push(format!("Point {} is not predicted: {reason}", index + 1));
        }
    }
    PointPage {
        title: findings.title.clone(),
        facts: vec![
            ("file".to_owned(), hash),
            ("points".to_owned(), findings.points.len().to_string()),
            ("tidegate".to_owned(), findings.tidegate.to_owned()),
        ],
        notes,
        sheets,
        charts: charts(findings),
    }
}

/// What tells a point from the others.
fn name(index: usize, point: &PointFindings) -> String {
    let mut name = format!("{}: {}", index + 1, point.mapping);
    let is_rate_swept = point.settings.iter().any(|(key, _)| *key == "rate");
    if !is_rate_swept {
        match (point.load.rate, point.load.records) {
            (Some(rate), _) => name.push_str(&format!(" {rate}/s")),
            (None, Some(records)) => name.push_str(&format!(" backlog {records}")),
            (None, None) => {}
        }
    }
    for (key, value) in &point.settings {
        let short = match *key {
            "BatchSize" => "batch",
            "MaximumBatchingWindowInSeconds" => "window",
            "ParallelizationFactor" => "lanes",
            "MaximumConcurrency" => "most",
            other => other,
        };
        name.push_str(&format!(" {short}={value}"));
    }
    name
}

/// A row for each side of each point.
fn sides(
    findings: &Findings,
    heading: &str,
    columns: &[&str],
    cells: impl Fn(&SideFindings) -> Vec<String>,
) -> Sheet {
    let mut rows = Vec::new();
    for (index, point) in findings.points.iter().enumerate() {
        let mut row = vec![name(index, point), "poller".to_owned()];
        row.extend(cells(&point.poller));
        rows.push(row);
        if let Some(bare) = &point.bare {
            let mut row = vec![String::new(), "bare loop".to_owned()];
            row.extend(cells(bare));
            rows.push(row);
        }
    }
    let columns = ["point", "of"].iter().chain(columns);
    Sheet {
        heading: heading.to_owned(),
        columns: columns.map(|&column| column.to_owned()).collect(),
        names: 2,
        rows,
    }
}

fn throughput(findings: &Findings) -> Sheet {
    let columns = [
        "records/s",
        "MB/s",
        "records",
        "missing",
        "again",
        "errors",
        "throttles",
        "batch p50",
        "batch max",
        "at once",
        "most",
    ];
    sides(findings, "Throughput", &columns, |side| {
        vec![
            number(side.records_per_s),
            format!("{:.3}", side.megabytes_per_s),
            side.records.to_string(),
            side.missing.to_string(),
            side.repeated.to_string(),
            side.errors.to_string(),
            side.throttles.to_string(),
            format!("{:.0}", side.batch_records.p50.value),
            format!("{:.0}", side.batch_records.max.value),
            format!("{:.2}", side.concurrency),
            side.concurrency_max.to_string(),
        ]
    })
}

fn latency(findings: &Findings) -> Sheet {
    let columns = [
        "sent p50",
        "p99",
        "answered p50",
        "p90",
        "p99",
        "p99.9",
        "max",
        "write p50",
        "p99",
    ];
    sides(
        findings,
        "Hop latency from when a record was due, ms",
        &columns,
        |side| {
            let of = |times: Option<Percentiles>, which: fn(&Percentiles) -> f64| {
                times.map_or_else(|| "-".to_owned(), |times| number(which(&times)))
            };
            vec![
                of(side.hop_sent_ms, |it| it.p50.value),
                of(side.hop_sent_ms, |it| it.p99.value),
                of(side.hop_answered_ms, |it| it.p50.value),
                of(side.hop_answered_ms, |it| it.p90.value),
                of(side.hop_answered_ms, |it| it.p99.value),
                of(side.hop_answered_ms, |it| it.p999.value),
                of(side.hop_answered_ms, |it| it.max.value),
                of(side.write_ms, |it| it.p50.value),
                of(side.write_ms, |it| it.p99.value),
            ]
        },
    )
}

fn cost(findings: &Findings) -> Sheet {
    let columns = ["CPU, us", "memory, B", "requests", "of them empty"];
    sides(findings, "For each record", &columns, |side| {
        let maybe = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), number);
        vec![
            maybe(side.cpu_us_per_record),
            maybe(side.memory_bytes_per_record),
            format!("{:.3}", side.requests_per_record),
            format!("{:.3}", side.empty_reads_per_record),
        ]
    })
}

fn ratios(findings: &Findings) -> Option<Sheet> {
    let maybe = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |it| format!("{it:.2}"));
    let rows = findings
        .points
        .iter()
        .enumerate()
        .filter_map(|(index, point)| {
            let ratios = point.ratios?;
            Some(vec![
                name(index, point),
                maybe(ratios.records_per_s),
                maybe(ratios.hop_p50),
                maybe(ratios.hop_p99),
                maybe(ratios.cpu),
                maybe(ratios.requests),
            ])
        });
    let rows: Vec<Vec<String>> = rows.collect();
    let columns = [
        "point",
        "records/s",
        "hop p50",
        "hop p99",
        "CPU",
        "requests",
    ];
    (!rows.is_empty()).then(|| Sheet {
        heading: "Poller divided by bare loop".to_owned(),
        columns: columns.map(str::to_owned).to_vec(),
        names: 1,
        rows,
    })
}

fn predictions(findings: &Findings) -> Option<Sheet> {
    let mut rows = Vec::new();
    for (index, point) in findings.points.iter().enumerate() {
        let Some(prediction) = &point.prediction else {
            continue;
        };
        for (place, (figure, compared, within)) in prediction.figures().into_iter().enumerate() {
            let error = compared.error;
            let first = if place == 0 {
                name(index, point)
            } else {
                String::new()
            };
            rows.push(vec![
                first,
                figure.to_owned(),
                number(compared.measured),
                number(compared.predicted),
                error.map_or_else(
                    || "-".to_owned(),
                    |error| format!("{:+.1} %", error * 100.0),
                ),
                match (within, error) {
                    (Some(within), Some(error)) if error.abs() <= within => {
                        format!("within {:.0} %", within * 100.0)
                    }
                    (Some(within), _) => format!("beyond {:.0} %", within * 100.0),
                    (None, _) => String::new(),
                },
            ]);
        }
    }
    let columns = ["point", "figure", "measured", "predicted", "error", "aim"];
    (!rows.is_empty()).then(|| Sheet {
        heading: "The simulator against the real thing".to_owned(),
        columns: columns.map(str::to_owned).to_vec(),
        names: 2,
        rows,
    })
}

fn charts(findings: &Findings) -> Vec<PointChart> {
    let points = &findings.points;
    let labels = || {
        (1..=points.len())
            .map(|number| number.to_string())
            .collect()
    };
    let line = |label: &str, of: &dyn Fn(&PointFindings) -> Option<f64>| PointLine {
        label: label.to_owned(),
        values: points.iter().map(of).collect(),
    };
    let hop = |which: fn(&Percentiles) -> f64| {
        move |point: &PointFindings| point.poller.hop_answered_ms.as_ref().map(which)
    };
    let bare = |which: fn(&Percentiles) -> f64| {
        move |point: &PointFindings| point.bare.as_ref()?.hop_answered_ms.as_ref().map(which)
    };
    let mut latency = vec![
        line("poller p50", &hop(|it| it.p50.value)),
        line("poller p99", &hop(|it| it.p99.value)),
        line("poller max", &hop(|it| it.max.value)),
        line("bare loop p50", &bare(|it| it.p50.value)),
        line("bare loop p99", &bare(|it| it.p99.value)),
    ];
    let predicted = |point: &PointFindings| Some(point.prediction.as_ref()?.hop_p99_ms.predicted);
    latency.push(line("predicted p99", &predicted));
    latency.retain(|line| line.values.iter().any(Option::is_some));
    let mut speed = vec![
        line("poller", &|point| Some(point.poller.records_per_s)),
        line("bare loop", &|point| {
            Some(point.bare.as_ref()?.records_per_s)
        }),
    ];
    speed.retain(|line| line.values.iter().any(Option::is_some));
    [
        ("Hop latency by point", "ms", latency),
        ("Throughput by point", "records/s", speed),
    ]
    .into_iter()
    .filter(|(_, _, lines)| !lines.is_empty())
    .map(|(title, unit, lines)| PointChart {
        title: title.to_owned(),
        unit: unit.to_owned(),
        labels: labels(),
        lines,
    })
    .collect()
}

/// About four digits.
fn number(value: f64) -> String {
    match value.abs() {
        it if it >= 1_000.0 => format!("{value:.0}"),
        it if it >= 100.0 => format!("{value:.1}"),
        it if it >= 10.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}
