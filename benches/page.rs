//! The report of a simulated day whose series has a row for every second: the page, and the same rows as CSV and Parquet.
//! What the simulation itself takes is not measured here.

#![allow(clippy::disallowed_methods, reason = "benchmarks read the clock")]

use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use tidegate::engine::Span;
use tidegate::metrics::{Series, Summary};
use tidegate::report::{self, Part};
use tidegate::scenario::{SourceText, parse};
use tidegate::{sim, study};

/// A function that is called, and a queue's mapping to another: lines of every kind, and noise in most of them.
const DAY: &str = "
duration = '24h'
warm_up = '10m'
[[function]]
name = 'web'
duration = { lognormal = { median = '80ms', p99 = '600ms' } }
[[function]]
name = 'work'
duration = '200ms'
[[traffic]]
function = 'web'
rate = [{ at = '0h', rps = 20 }, { at = '8h', rps = 60, over = '2h' }, { at = '20h', rps = 20, over = '2h' }]
[[source]]
name = 'jobs'
type = 'sqs'
[[source.producer]]
arrivals = 'poisson'
rate = 30
record = { size = '1KiB' }
[[mapping]]
name = 'jobs-to-work'
EventSource = 'jobs'
FunctionName = 'work'
";

fn day() -> (Summary, Series) {
    let loaded = parse(SourceText::new("day.toml", DAY)).expect("a sound scenario");
    let mut scenario = loaded.scenario;
    scenario.bin = Some(Span::from_secs(1));
    let run = sim::run(&scenario, 1, &mut ()).expect("sound limits");
    let runs = [run];
    let summary = study::summarise(&scenario, &runs);
    let [run] = runs;
    (summary, run.series)
}

fn reports(c: &mut Criterion) {
    let (summary, series) = day();
    assert_eq!(series.functions[0].rows.len(), 86_400);
    let page = report::html(&summary, &series);
    assert!(page.len() < 2_000_000, "{} bytes", page.len());
    let mut group = c.benchmark_group("report of a day in seconds");
    group.sample_size(10);
    let name = format!("page, {:.2} MB", page.len() as f64 / 1e6);
    group.bench_function(name, |b| {
        b.iter(|| report::html(black_box(&summary), black_box(&series)));
    });
    group.bench_function("series.csv", |b| {
        b.iter(|| report::csv(black_box(&series)));
    });
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, part) in [("Parquet files", Part::Parquet), ("SVG files", Part::Svg)] {
        group.bench_function(name, |b| {
            b.iter(|| report::write_all(folder.path(), &summary, &series, &[part]));
        });
    }
    group.finish();
}

criterion_group!(benches, reports);
criterion_main!(benches);
