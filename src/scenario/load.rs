//! A whole scenario: from text to [`Scenario`].

use super::aliases::WallClock;
use super::change::{self, Change};
use super::convert::{Named, choice, duration, duration_in, integer, string};
use super::diagnostic::{Diagnostic, Diagnostics, Report};
use super::digest::Digest;
use super::mapping_keys::{Clock, instant};
use super::mappings::{World, mappings, settle};
use super::model::Scenario;
use super::node::{Node, Value};
use super::read::{At, Cx, Table};
use super::text::{Format, SourceText, open};
use super::{costs, events, faults, functions, gates, sources, tenants, toml, traffic, yaml};
use crate::engine::{Profile, SourceKind, Span, Time};
use std::path::{Path, PathBuf};

/// A scenario and what is odd about its file.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// Ready to run.
    pub scenario: Scenario,
    /// Findings that do not keep it from running.
    pub warnings: Report,
}

/// Longest simulated time.
const DURATION_MAX: Span = Span::from_secs(366 * 86_400);

/// Reads and checks the scenario in a file (`.toml`, `.yaml`, `.yml`, `.json`).
///
/// ```no_run
/// match tidegate::scenario::load("scenarios/steady.toml".as_ref()) {
///     Ok(loaded) => println!("{} runs for {}", loaded.scenario.title, loaded.scenario.duration),
///     Err(report) => eprint!("{}", report.render(false)),
/// }
/// ```
///
/// # Errors
/// Everything that is wrong with the file, at once.
pub fn load(path: &Path) -> Result<Loaded, Report> {
    parse(open(path)?)
}

/// Checks the scenario in a text. Files that it names are read.
///
/// ```
/// use tidegate::scenario::{SourceText, parse};
///
/// let report = parse(SourceText::new("s.toml", "duration = 5")).unwrap_err();
/// let codes: Vec<&str> = report.items().iter().map(|item| item.code).collect();
/// assert_eq!(codes, ["missing-key", "nothing-happens", "missing-unit"]);
/// ```
///
/// # Errors
/// Everything that is wrong with it, at once.
pub fn parse(source: SourceText) -> Result<Loaded, Report> {
    parse_changed(source, &[])
}

/// [`parse`] with values of the file replaced, for sweeps. The digest is that of the changed scenario.
///
/// ```
/// use tidegate::scenario::{Change, SourceText, parse_changed};
///
/// let text = "duration = '10m'\n[[function]]\nname = 'f'\nduration = '1ms'\n[[traffic]]\nfunction = 'f'\nrate = 1";
/// let change = |path: &str, value: &str| Change { path: path.into(), value: value.into() };
/// let slow = [change("function.f.timeout", "30s"), change("traffic.0.rate", "5")];
/// let loaded = parse_changed(SourceText::new("s.toml", text), &slow)?;
/// assert_eq!(loaded.scenario.functions[0].timeout.to_string(), "30s");
/// let wrong = [change("function.g.timeout", "30s")];
/// assert!(parse_changed(SourceText::new("s.toml", text), &wrong).is_err());
/// # Ok::<(), tidegate::scenario::Report>(())
/// ```
///
/// # Errors
/// Everything that is wrong with the changed scenario, and changes that lead nowhere.
pub fn parse_changed(source: SourceText, changes: &[Change]) -> Result<Loaded, Report> {
    let name = source
        .path
        .file_stem()
        .and_then(|stem| stem.to_str())
        .unwrap_or("scenario")
        .to_owned();
    let (mut root, mut cx) = prepare(source, "duration = \"10m\"")?;
    for change in changes {
        if let Err(problem) = change::apply(&mut root, change) {
            cx.push(problem);
        }
    }
    let scenario = read(&root, &mut cx, name);
    let failed = cx.diagnostics.has_errors();
    match scenario {
        Some(mut scenario) if !failed => {
            scenario.hash = hash(&root, &cx);
            Ok(Loaded {
                scenario,
                warnings: cx.diagnostics.into_report(),
            })
        }
        _ => Err(cx.diagnostics.into_report()),
    }
}

/// The tree of a text, and where findings on it go.
pub(crate) fn prepare(source: SourceText, example: &str) -> Result<(Node, Cx), Report> {
    let base = source
        .path
        .parent()
        .map_or_else(PathBuf::new, Path::to_path_buf);
    let tree = tree(&source);
    let mut diagnostics = Diagnostics::new(source);
    let root = match tree {
        // What the file as a whole lacks is told without a place.
        Ok(root) => Node { span: 0..0, ..root },
        Err(problem) => {
            diagnostics.push(problem);
            return Err(diagnostics.into_report());
        }
    };
    let empty = match &root.value {
        Value::Map(entries) => entries.is_empty(),
        Value::Null => true,
        Value::List(_)
        | Value::String(_)
        | Value::Integer(_)
        | Value::Float(_)
        | Value::Bool(_)
        | Value::Datetime(_) => false,
    };
    if empty {
        diagnostics.push(
            Diagnostic::new("empty-file", "the file says nothing")
                .help(format!("begin with `{example}`")),
        );
        return Err(diagnostics.into_report());
    }
    Ok((
        root,
        Cx {
            diagnostics,
            base,
            attached: Digest::new(),
        },
    ))
}

pub(crate) fn tree(source: &SourceText) -> Result<Node, Diagnostic> {
    if source.text.contains('\0') {
        return Err(Diagnostic::new("not-text", "the file holds a NUL byte"));
    }
    match source.format {
        Format::Toml => toml::parse(&source.text),
        Format::Yaml => yaml::parse(&source.text, "YAML"),
        Format::Json => yaml::parse(&source.text, "JSON"),
    }
}

/// The digest of a file and of the files that it names.
pub(crate) fn hash(root: &Node, cx: &Cx) -> String {
    let mut digest = cx.attached.clone();
    digest.node(root);
    digest.hex()
}

/// The key `profile`.
pub(crate) fn profile(root: &mut Table<'_>, cx: &mut Cx) -> Profile {
    root.opt(cx, "profile", choice(&Profile::ALL))
        .unwrap_or_default()
}

/// The key `seed`.
pub(crate) fn seed(table: &mut Table<'_>, cx: &mut Cx) -> Option<u64> {
    table.opt(cx, "seed", integer(0..=i64::MAX))
}

fn read(node: &Node, cx: &mut Cx, name: String) -> Option<Scenario> {
    let mut root = Table::open(
        At {
            key: "the file",
            node,
        },
        "a scenario",
        cx,
    )?;
    let title = root.opt(cx, "title", string).unwrap_or(name);
    let length = root.req(
        cx,
        "duration",
        "\"10m\"",
        duration_in(Span::from_millis(1)..=DURATION_MAX),
    );
    let warm_up = warm_up(&mut root, cx, length);
    let seed = seed(&mut root, cx).unwrap_or(1);
    let profile = profile(&mut root, cx);
    let region = functions::region(&mut root, cx);
    let clock = WallClock {
        start: start(&mut root, cx),
        length: length.unwrap_or(Span::ZERO),
    };
    let functions = functions::functions(&mut root, cx, region, clock);
    let names: Vec<&Named> = functions.iter().map(|(named, _)| named).collect();
    if root.entry("function").is_none() {
        root.missing(
            cx,
            "function",
            "[ { name = \"checkout\", duration = \"80ms\" } ]",
        );
    }
    let costs = costs::costs(&mut root, cx);
    let traffic = traffic::traffic(&mut root, cx, &functions);
    let sources = sources::sources(&mut root, cx, length);
    let source_names: Vec<&Named> = sources.iter().map(|info| &info.named).collect();
    let world = World {
        profile,
        functions: &functions,
        sources: &sources,
    };
    let (mapping_names, declared) = mappings(&mut root, cx, world);
    let length = length.unwrap_or(Span::ZERO);
    let (events, deployments) =
        events::events(&mut root, cx, &mapping_names, &declared, &functions, length);
    let (mappings, events) = settle(declared, events, cx);
    let queues = sources
        .iter()
        .filter(|info| info.visibility_timeout.is_some());
    let queues: Vec<&Named> = queues.map(|info| &info.named).collect();
    let brokers = sources
        .iter()
        .filter(|info| info.kind.is_some_and(SourceKind::is_broker));
    let brokers: Vec<&Named> = brokers.map(|info| &info.named).collect();
    let clusters = sources
        .iter()
        .filter(|info| info.kind.is_some_and(SourceKind::is_kafka));
    let clusters: Vec<&Named> = clusters.map(|info| &info.named).collect();
    let subjects = faults::Subjects {
        functions: &names,
        sources: &source_names,
        queues: &queues,
        brokers: &brokers,
        clusters: &clusters,
        mapping_names: &mapping_names,
        mappings: &mappings,
    };
    let faults = faults::faults(&mut root, cx, subjects, length);
    let versions = functions.iter().flat_map(|(_, one)| &one.versions);
    let versions: Vec<&str> = versions.map(|one| one.code.name.as_str()).collect();
    let gates = gates::gates(&mut root, cx, &names, &versions, &mapping_names);
    tenants::consistent(&mut root, cx, &traffic, &mappings, &functions);
    somebody_calls(&mut root, cx);
    root.finish(cx);
    Some(Scenario {
        title,
        hash: String::new(),
        duration: length,
        warm_up,
        bin: None,
        start: clock.start,
        seed,
        profile,
        region,
        functions: functions
            .into_iter()
            .map(|(_, function)| function)
            .collect(),
        costs,
        traffic,
        // A source without a model is an error, so nothing is left out of a scenario that is used.
        sources: sources.into_iter().filter_map(|info| info.model).collect(),
        mappings,
        faults,
        events,
        deployments,
        gates,
    })
}

/// When the scenario begins on the calendar: scheduled actions follow it.
fn start(root: &mut Table<'_>, cx: &mut Cx) -> Time {
    // The first Monday of 2026, at midnight UTC.
    const USUAL: Time = Time::from_secs(1_767_571_200);
    let given = root.opt(cx, "start", |at, cx| instant(at, cx, Clock::Unix));
    given.unwrap_or(USUAL)
}

fn warm_up(root: &mut Table<'_>, cx: &mut Cx, length: Option<Span>) -> Span {
    let warm_up = root.opt(cx, "warm_up", duration).unwrap_or(Span::ZERO);
    if let (Some(length), Some(entry)) = (length, root.entry("warm_up"))
        && warm_up >= length
    {
        cx.push(
            Diagnostic::new("warm-up-too-long", "the warm-up leaves nothing to measure")
                .at(&entry.node.span)
                .label(format!("the scenario lasts {length}"))
                .allowed("less than `duration`"),
        );
    }
    warm_up
}

fn somebody_calls(root: &mut Table<'_>, cx: &mut Cx) {
    if root.entry("traffic").is_none() && root.entry("mapping").is_none() {
        cx.push(
            Diagnostic::new("nothing-happens", "nothing ever calls a function")
                .at(&root.span)
                .label("no [[traffic]] and no [[mapping]]")
                .help("add a [[traffic]] with `function` and `rate`")
                .warning(),
        );
    }
}
