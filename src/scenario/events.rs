//! `[[event]]`: what somebody does while everything runs, and when.

use super::convert::{Named, duration, text};
use super::deployments::{deployments, is_deployment};
use super::diagnostic::Diagnostic;
use super::functions::resolve;
use super::mapping_keys::{Clock, parameters};
use super::mappings::{Declared, checked};
use super::model::{Deployment, Function, MappingChange, MappingEvent};
use super::node::{Entry, Value};
use super::read::{At, Cx, Table, single};
use crate::engine::Span;
use crate::engine::config::{CREATE_ONLY, MappingParameters};

const KINDS: [&str; 4] = ["disable", "enable", "update", "deploy"];

/// An event before updates are applied one after the other.
struct Planned<'n> {
    at: Span,
    mapping: usize,
    what: What<'n>,
}

enum What<'n> {
    Disable,
    Enable,
    Update(Table<'n>, Box<MappingParameters>, String),
}

/// The events in the order in which they happen, those of mappings apart; those of one instant in file order. Indices are
/// those of `declared`.
pub(crate) fn events(
    root: &mut Table<'_>,
    cx: &mut Cx,
    names: &[Named],
    declared: &[Declared],
    functions: &[(Named, Function)],
    end: Span,
) -> (Vec<MappingEvent>, Vec<Deployment>) {
    let tables = root.tables(cx, "event", "[[event]]");
    let (deploys, tables): (Vec<_>, Vec<_>) = tables.into_iter().partition(is_deployment);
    let mut planned: Vec<Planned<'_>> = tables
        .into_iter()
        .filter_map(|table| event(table, cx, names, declared, end))
        .collect();
    planned.sort_by_key(|event| event.at);
    // An update leaves alone what it does not name, so that each builds upon the one before.
    let mut current: Vec<MappingParameters> =
        declared.iter().map(|one| one.written.clone()).collect();
    let mut found = Vec::new();
    for Planned { at, mapping, what } in planned {
        let what = match what {
            What::Disable => MappingChange::Disable,
            What::Enable => MappingChange::Enable,
            What::Update(table, changes, words) => {
                let next = current[mapping].clone().updated_by(*changes);
                let Some(config) = checked(&table, cx, declared[mapping].kind, &next) else {
                    continue;
                };
                current[mapping] = next;
                MappingChange::Update(Box::new(config), words)
            }
        };
        found.push(MappingEvent { at, mapping, what });
    }
    (found, deployments(deploys, cx, functions, end))
}

fn event<'n>(
    mut table: Table<'n>,
    cx: &mut Cx,
    names: &[Named],
    declared: &[Declared],
    end: Span,
) -> Option<Planned<'n>> {
    let at = table.req(cx, "at", "\"5m\"", duration);
    let what = table.req(cx, "what", "{ disable = \"clicks\" }", |at, cx| {
        what(at, cx, names, declared)
    });
    warn_after_end(&mut table, cx, at, end);
    table.finish(cx);
    let (mapping, what) = what?;
    Some(Planned {
        at: at?,
        mapping,
        what,
    })
}

/// Tells of an event that never happens.
pub(super) fn warn_after_end(table: &mut Table<'_>, cx: &mut Cx, at: Option<Span>, end: Span) {
    if let (Some(start), Some(entry)) = (at, table.entry("at"))
        && start >= end
        && end > Span::ZERO
    {
        cx.push(
            Diagnostic::new("event-after-end", "an event comes after the end")
                .at(&entry.node.span)
                .label(format!("the scenario lasts {end}"))
                .warning(),
        );
    }
}

fn what<'n>(
    at: At<'n>,
    cx: &mut Cx,
    names: &[Named],
    declared: &[Declared],
) -> Option<(usize, What<'n>)> {
    let entry = single(at, &KINDS, cx)?;
    match entry.key.as_str() {
        "disable" => Some((mapping(entry.into(), cx, names, declared)?, What::Disable)),
        "enable" => Some((mapping(entry.into(), cx, names, declared)?, What::Enable)),
        _ => update(entry, cx, names, declared),
    }
}

/// The mapping of this name; none without a finding if it was found to be wrong itself.
fn mapping(at: At<'_>, cx: &mut Cx, names: &[Named], declared: &[Declared]) -> Option<usize> {
    let found = text(at, cx)?;
    let known: Vec<&Named> = names.iter().collect();
    let name = &known[resolve(at, found, &known, cx)?].name;
    declared
        .iter()
        .position(|one| one.mapping.config.name == *name)
}

fn update<'n>(
    entry: &'n Entry,
    cx: &mut Cx,
    names: &[Named],
    declared: &[Declared],
) -> Option<(usize, What<'n>)> {
    let mut table = Table::open(entry.into(), "this update", cx)?;
    let index = table.req(cx, "mapping", "\"clicks\"", |at, cx| {
        mapping(at, cx, names, declared)
    });
    for key in CREATE_ONLY {
        if let Some(entry) = table.entry(key) {
            cx.push(create_only(entry));
        }
    }
    for (key, advice) in [
        (
            "Enabled",
            "write `what = { disable = … }` or `what = { enable = … }`",
        ),
        (
            "FunctionName",
            "map the source to the other function too, and enable that mapping when this one is disabled",
        ),
    ] {
        if let Some(entry) = table.entry(key) {
            let what = format!("`{key}` in an update");
            cx.push(super::availability::not_yet(&what, &entry.key_span, advice));
        }
    }
    let changes = parameters(&mut table, cx, Clock::Simulation);
    let words = words(entry);
    if words.is_empty() {
        cx.push(
            Diagnostic::new("missing-key", "this update changes nothing")
                .at(&table.span)
                .label("names no parameter")
                .help("add what is to change, such as `BatchSize = 500`"),
        );
    }
    // What is unknown is told now; what is wrong together with the rest only when its turn comes.
    table.finish(cx);
    let table = Table::open(entry.into(), "this update", cx)?;
    Some((index?, What::Update(table, Box::new(changes), words)))
}

fn create_only(entry: &Entry) -> Diagnostic {
    let key = &entry.key;
    Diagnostic::new(
        "esm-update-only-settings",
        format!("`{key}` of a mapping cannot be changed"),
    )
    .at(&entry.key_span)
    .label("fixed when the mapping is created")
    .help("remove it, or declare a second [[mapping]]")
}

/// What an update changes, as a report shows it.
fn words(entry: &Entry) -> String {
    let Value::Map(entries) = &entry.node.value else {
        return String::new();
    };
    let changed = entries.iter().filter(|entry| entry.key != "mapping");
    let word = |entry: &Entry| match &entry.node.value {
        Value::Integer(number) => format!("{} {number}", entry.key),
        Value::Bool(truth) => format!("{} {truth}", entry.key),
        Value::String(text) => format!("{} {text}", entry.key),
        Value::Map(_) | Value::List(_) | Value::Float(_) | Value::Datetime(_) | Value::Null => {
            entry.key.clone()
        }
    };
    changed.map(word).collect::<Vec<_>>().join(", ")
}
