//! `[[bench]]` of poller files: what is written to a mapping's source in order to measure it, and what is varied.
//!
//! A value of a sweep takes its place in the tree before the file is read, so that every point is checked like a file
//! of its own, and findings show the value that they are about.

use super::convert::{Named, choice};
use super::convert::{boolean, duration_in, integer, out_of_range, per_sec, text};
use super::diagnostic::{Diagnostic, Diagnostics, Report};
use super::functions::resolve;
use super::load::{hash, prepare, seed};
use super::model::{Dist, Keys};
use super::node::{Entry, Node, Value};
use super::poller::read;
use super::poller_model::{MappingSource, PollerFile, PollerMapping};
use super::read::{At, Cx, Table};
use super::sources::record;
use super::text::{SourceText, open};
use crate::engine::{SourceKind, Span};
use std::path::Path;

/// One `[[bench]]` table: the load of one mapping.
#[derive(Clone, Debug)]
pub struct Bench {
    /// Index into the mappings of the file.
    pub mapping: usize,
    /// How much is written.
    pub load: BenchLoad,
    /// Payload size in bytes.
    pub size: Dist,
    /// Partition keys; message groups of FIFO queues.
    pub keys: Keys,
    /// Shards of the stream, or partitions of the topic, that is made; 1 to 100.
    pub shards: u32,
    /// Writes to the source that the mapping names, in place of one that is made for the purpose.
    pub existing: bool,
    /// Whether a bare client loop is measured beside the poller.
    pub bare: bool,
    /// Seed of sizes, keys and arrivals.
    pub seed: u64,
    /// What is varied, in file order; the last one varies fastest.
    pub sweep: Vec<BenchAxis>,
}

/// How much is written, and when.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum BenchLoad {
    /// At a rate that does not ask whether the poller keeps up.
    Rate {
        /// Records per second, above 0.
        per_sec: f64,
        /// Memoryless gaps in place of even ones.
        poisson: bool,
        /// Left out of the figures, 0 s to 1 h.
        warm_up: Span,
        /// Measured after it, 1 s to 1 h.
        duration: Span,
    },
    /// A backlog that is there before the poller begins, and is worked off as fast as it goes.
    Backlog {
        /// 1 to 10,000,000.
        records: u64,
    },
}

/// A key that is varied.
#[derive(Clone, Debug)]
pub struct BenchAxis {
    /// AWS's name, or `rate`.
    pub key: &'static str,
    values: Vec<Node>,
}

impl BenchAxis {
    /// How many values it has.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether it has none, which no file can say.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
}

/// A point of a sweep: a whole file.
#[derive(Clone, Debug)]
pub struct BenchPoint {
    /// The swept keys with their values, as written.
    pub settings: Vec<(&'static str, String)>,
    /// The file with these values.
    pub file: PollerFile,
    /// What is written.
    pub bench: Bench,
}

impl BenchPoint {
    /// The mapping that is measured.
    pub fn mapping(&self) -> &PollerMapping {
        &self.file.mappings[self.bench.mapping]
    }
}

/// All points of a file and what is odd about it.
#[derive(Clone, Debug)]
pub struct LoadedBench {
    /// In file order; at least one.
    pub points: Vec<BenchPoint>,
    /// Digest of the file.
    pub hash: String,
    /// Findings that do not keep it from running.
    pub warnings: Report,
}

/// Keys that can be varied.
const AXES: [&str; 5] = [
    "BatchSize",
    "MaximumBatchingWindowInSeconds",
    "ParallelizationFactor",
    "MaximumConcurrency",
    "rate",
];
/// Points of a file: each takes as long as its load.
const POINTS_MAX: usize = 1_000;
const RATE_DEFAULT: f64 = 100.0;
const RECORDS_DEFAULT: u64 = 10_000;
const RECORDS_MAX: i64 = 10_000_000;

/// Reads and checks the bench file at `path` (`.toml`, `.yaml`, `.yml`, `.json`) with all of its points.
///
/// # Errors
/// Everything that is wrong with the file, at once; or with the first point that cannot be.
pub fn load_bench(path: &Path) -> Result<LoadedBench, Report> {
    parse_bench(open(path)?)
}

/// Checks the bench file in a text.
///
/// ```
/// use tidegate::scenario::{BenchLoad, SourceText, parse_bench};
///
/// let text = r#"
/// [[target]]
/// function = "checkout"
/// type     = "mock"
/// [[mapping]]
/// name           = "orders"
/// EventSourceArn = "arn:aws:sqs:us-east-1:000000000000:orders"
/// FunctionName   = "checkout"
/// [[bench]]
/// rate  = 200
/// sweep = { BatchSize = [1, 10], MaximumBatchingWindowInSeconds = [0, 1] }
/// "#;
/// let loaded = parse_bench(SourceText::new("b.toml", text))?;
/// assert_eq!(loaded.points.len(), 4);
/// assert_eq!(loaded.points[3].mapping().config.batch_size, 10);
/// assert!(matches!(loaded.points[0].bench.load, BenchLoad::Rate { per_sec: 200.0, .. }));
/// assert!(parse_bench(SourceText::new("b.toml", text.replace("[1, 10]", "[0]"))).is_err());
/// # Ok::<(), tidegate::scenario::Report>(())
/// ```
///
/// # Errors
/// Everything that is wrong with it, at once; or with the first point that cannot be.
pub fn parse_bench(source: SourceText) -> Result<LoadedBench, Report> {
    let again = source.clone();
    let (root, mut cx) = prepare(source, "[[target]]")?;
    let found = read(&root, &mut cx);
    if root.get("bench").is_none() {
        cx.push(
            Diagnostic::new("missing-key", "the file has no [[bench]]")
                .help("add `[[bench]]` with a `rate`: it says what is written to the source"),
        );
    }
    let failed = cx.diagnostics.has_errors();
    let Some((_, benches)) = found.filter(|_| !failed) else {
        return Err(cx.diagnostics.into_report());
    };
    let hash = hash(&root, &cx);
    let mut points = Vec::new();
    for (index, bench) in benches.iter().enumerate() {
        for choice in choices(&bench.sweep) {
            points.push(point(&root, &again, index, bench, &choice)?);
        }
    }
    Ok(LoadedBench {
        points,
        hash,
        warnings: cx.diagnostics.into_report(),
    })
}

/// Indices of values, one per axis, for every point.
fn choices(sweep: &[BenchAxis]) -> Vec<Vec<usize>> {
    let mut all = vec![Vec::new()];
    for axis in sweep {
        let longer = |chosen: &Vec<usize>| {
            let chosen = chosen.clone();
            (0..axis.len()).map(move |next| chosen.iter().copied().chain([next]).collect())
        };
        all = all.iter().flat_map(longer).collect();
    }
    all
}

fn point(
    root: &Node,
    source: &SourceText,
    index: usize,
    bench: &Bench,
    choice: &[usize],
) -> Result<BenchPoint, Report> {
    let mut root = root.clone();
    let mut settings = Vec::new();
    for (axis, &value) in bench.sweep.iter().zip(choice) {
        let value = &axis.values[value];
        settings.push((axis.key, written(value)));
        match axis.key {
            "rate" => set(list(&mut root, "bench", index), "rate", value.clone()),
            "MaximumConcurrency" => {
                let mapping = list(&mut root, "mapping", bench.mapping);
                let scaling = Node {
                    span: value.span.clone(),
                    value: Value::Map(vec![entry(axis.key, value.clone())]),
                };
                set(mapping, "ScalingConfig", scaling);
            }
            key => set(
                list(&mut root, "mapping", bench.mapping),
                key,
                value.clone(),
            ),
        }
    }
    let base = source.path.parent().map(Path::to_path_buf);
    let mut cx = Cx {
        diagnostics: Diagnostics::new(source.clone()),
        base: base.unwrap_or_default(),
        attached: super::digest::Digest::new(),
    };
    let found = read(&root, &mut cx);
    let failed = cx.diagnostics.has_errors();
    let Some((mut file, mut benches)) = found.filter(|_| !failed) else {
        return Err(cx.diagnostics.into_report());
    };
    file.hash = hash(&root, &cx);
    Ok(BenchPoint {
        settings,
        file,
        bench: benches.swap_remove(index),
    })
}

/// The table at `index` of a list that was read before.
fn list<'n>(root: &'n mut Node, key: &str, index: usize) -> &'n mut Node {
    let Value::Map(entries) = &mut root.value else {
        unreachable!("the file is a table");
    };
    let found = entries.iter_mut().find(|entry| entry.key == key);
    match found.map(|entry| &mut entry.node.value) {
        Some(Value::List(nodes)) => &mut nodes[index],
        _ => unreachable!("`{key}` was read as a list"),
    }
}

fn set(table: &mut Node, key: &str, node: Node) {
    let Value::Map(entries) = &mut table.value else {
        unreachable!("a list of tables was read");
    };
    match entries.iter_mut().find(|entry| entry.key == key) {
        Some(entry) => entry.node = node,
        None => entries.push(entry(key, node)),
    }
}

fn entry(key: &str, node: Node) -> Entry {
    Entry {
        key: key.to_owned(),
        key_span: node.span.clone(),
        node,
    }
}

/// A plain value as people write it.
fn written(node: &Node) -> String {
    match &node.value {
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::String(text) => text.clone(),
        _ => String::new(),
    }
}

/// The `[[bench]]` tables.
pub(super) fn benches(
    root: &mut Table<'_>,
    cx: &mut Cx,
    names: &[Named],
    mappings: &[PollerMapping],
    poller_seed: u64,
) -> Vec<Bench> {
    let tables = root.tables(cx, "bench", "[[bench]]");
    let each = tables.into_iter();
    each.filter_map(|table| bench(table, cx, names, mappings, poller_seed))
        .collect()
}

fn bench(
    mut table: Table<'_>,
    cx: &mut Cx,
    names: &[Named],
    mappings: &[PollerMapping],
    poller_seed: u64,
) -> Option<Bench> {
    let mapping = which(&mut table, cx, names);
    let load = load(&mut table, cx);
    let (size, keys) = table
        .opt(cx, "record", record)
        .unwrap_or((Dist::Constant(256.0), Keys::Unique));
    let shards = table.opt(cx, "shards", integer(1..=100)).unwrap_or(1);
    let existing = table.opt(cx, "existing", boolean).unwrap_or(false);
    let bare = table.opt(cx, "bare", boolean).unwrap_or(true);
    let seed = seed(&mut table, cx).unwrap_or(poller_seed);
    if let (Some(entry), true, Some(BenchLoad::Backlog { .. })) =
        (table.peek("existing"), existing, &load)
    {
        cx.push(
            Diagnostic::new("conflicting-keys", "a backlog needs a source of its own")
                .at(&entry.key_span)
                .label("what was there before could not be told from it")
                .help("leave out `existing`, or give a `rate` in records per second"),
        );
    }
    let sweep = table.opt(cx, "sweep", sweep).unwrap_or_default();
    if let Some(entry) = table.peek("sweep")
        && sweep.iter().map(BenchAxis::len).product::<usize>() > POINTS_MAX
    {
        let found = sweep.iter().map(BenchAxis::len).product::<usize>();
        out_of_range(
            entry.into(),
            cx,
            format!("{found} points"),
            format!("up to {POINTS_MAX}"),
        );
    }
    // A file whose mappings have errors is not benched.
    let found = mapping.filter(|_| mappings.len() == names.len());
    if let Some(mapping) = found {
        can_be_benched(&table, cx, &mappings[mapping]);
    }
    table.finish(cx);
    Some(Bench {
        mapping: found?,
        load: load?,
        size,
        keys,
        shards,
        existing,
        bare,
        seed,
        sweep,
    })
}

/// The mapping that is meant; it need not be named where there is only one.
fn which(table: &mut Table<'_>, cx: &mut Cx, names: &[Named]) -> Option<usize> {
    if names.len() == 1 && table.peek("mapping").is_none() {
        return Some(0);
    }
    let names: Vec<&Named> = names.iter().collect();
    table.req(cx, "mapping", "\"orders\"", |at, cx| {
        let found = text(at, cx)?;
        resolve(at, found, &names, cx)
    })
}

fn load(table: &mut Table<'_>, cx: &mut Cx) -> Option<BenchLoad> {
    let is_max = |entry: &Entry| matches!(&entry.node.value, Value::String(text) if text == "max");
    if table.peek("rate").is_some_and(is_max) {
        table.entry("rate");
        let records = table.opt(cx, "records", integer(1..=RECORDS_MAX));
        for key in ["duration", "warm_up", "arrivals"] {
            if let Some(entry) = table.entry(key) {
                // The sweep may vary the rate: what one value does not need another does.
                let swept = table.peek("sweep").and_then(|it| it.node.get("rate"));
                if swept.is_none() {
                    cx.push(
                        Diagnostic::new("conflicting-keys", format!("`{key}` needs a rate"))
                            .at(&entry.key_span)
                            .label("a backlog is worked off for as long as it takes")
                            .help("give `records`, or a `rate` in records per second"),
                    );
                }
            }
        }
        let records = records.unwrap_or(RECORDS_DEFAULT);
        return Some(BenchLoad::Backlog { records });
    }
    let swept = table.peek("sweep").and_then(|it| it.node.get("rate"));
    if swept.is_some() {
        table.entry("records");
    }
    let rate = match table.entry("rate") {
        Some(entry) => rate(entry.into(), cx)?,
        None => RATE_DEFAULT,
    };
    let ways = [("constant", false), ("poisson", true)];
    let poisson = table.opt(cx, "arrivals", choice(&ways)).unwrap_or(false);
    let hour = Span::from_secs(3_600);
    let duration = table.opt(cx, "duration", duration_in(Span::from_secs(1)..=hour));
    let warm_up = table.opt(cx, "warm_up", duration_in(Span::ZERO..=hour));
    let duration = duration.unwrap_or(Span::from_secs(10));
    let warm_up = warm_up.unwrap_or(Span::from_secs(3));
    let records = rate * (duration + warm_up).as_secs_f64();
    if records > RECORDS_MAX as f64 || records < 1.0 {
        out_of_range(
            At {
                key: "rate",
                node: table
                    .peek("rate")
                    .map_or_else(|| &EMPTY, |entry| &entry.node),
            },
            cx,
            format!("{records:.0} records"),
            format!("1 to {RECORDS_MAX} over warm-up and duration"),
        );
        return None;
    }
    Some(BenchLoad::Rate {
        per_sec: rate,
        poisson,
        warm_up,
        duration,
    })
}

/// Stands for the file as a whole.
static EMPTY: Node = Node {
    span: 0..0,
    value: Value::Null,
};

fn rate(at: At<'_>, cx: &mut Cx) -> Option<f64> {
    if let Value::String(text) = &at.node.value
        && text.bytes().all(|byte| byte.is_ascii_alphabetic())
    {
        cx.push(
            Diagnostic::new("unknown-name", "`rate` is neither a rate nor \"max\"")
                .at(&at.node.span)
                .label("cannot be understood")
                .allowed("records per second such as 200, \"30/m\", or \"max\" for a backlog that is worked off"),
        );
        return None;
    }
    let rate = per_sec(at, cx)?;
    if rate > 0.0 {
        return Some(rate);
    }
    out_of_range(at, cx, "0".to_owned(), "more than 0, or \"max\"".to_owned());
    None
}

fn sweep(at: At<'_>, cx: &mut Cx) -> Option<Vec<BenchAxis>> {
    let mut table = Table::open(at, "`sweep`", cx)?;
    let mut axes: Vec<(usize, BenchAxis)> = Vec::new();
    for key in AXES {
        let Some(entry) = table.entry(key) else {
            continue;
        };
        let Value::List(values) = &entry.node.value else {
            cx.wrong_type(entry.into(), "a list of values");
            continue;
        };
        if values.is_empty() {
            cx.push(
                Diagnostic::new("empty-list", format!("`{key}` has no values"))
                    .at(&entry.node.span)
                    .label("nothing to try")
                    .help("list what to try, such as [1, 10]"),
            );
        }
        let plain = |node: &&Node| match &node.value {
            Value::Integer(_) => true,
            Value::Float(_) | Value::String(_) => key == "rate",
            _ => false,
        };
        if let Some(node) = values.iter().find(|node| !plain(node)) {
            let wanted = if key == "rate" {
                "a rate"
            } else {
                "a whole number"
            };
            cx.wrong_type(At { key, node }, wanted);
            continue;
        }
        let values = values.clone();
        axes.push((entry.key_span.start, BenchAxis { key, values }));
    }
    table.finish(cx);
    // As the file has them.
    axes.sort_by_key(|(place, _)| *place);
    Some(axes.into_iter().map(|(_, axis)| axis).collect())
}

/// Whether records can be written to the mapping's source.
fn can_be_benched(table: &Table<'_>, cx: &mut Cx, mapping: &PollerMapping) {
    let place = table.peek("mapping");
    let span = place.map_or(table.span.clone(), |entry| entry.node.span.clone());
    if !mapping.enabled {
        cx.push(
            Diagnostic::new("mapping-disabled", "a disabled mapping cannot be measured")
                .at(&span)
                .label("has `Enabled = false`")
                .help("enable it, or name another mapping"),
        );
    }
    let kind = match &mapping.source {
        MappingSource::Service { arn, .. } if arn.consumer.is_none() => Some(arn.kind),
        MappingSource::Kafka(_) => Some(SourceKind::SelfManagedKafka),
        MappingSource::Service { .. } | MappingSource::Broker { .. } | MappingSource::Local(_) => {
            None
        }
    };
    let known = [
        SourceKind::Sqs,
        SourceKind::SqsFifo,
        SourceKind::Kinesis,
        SourceKind::SelfManagedKafka,
    ];
    if !kind.is_some_and(|kind| known.contains(&kind)) {
        cx.push(
            Diagnostic::new("not-available-yet", "no load can be made for this source")
                .at(&span)
                .label(format!("reads from {}", mapping.config.source))
                .allowed(
                    "SQS queues, Kinesis streams without a registered consumer, and topics of Kafka",
                )
                .help("a source inside the process (`EventSource`) needs no bench: it makes its own records"),
        );
    }
}
