//! `[[fault]]`: what goes wrong, and when.

use super::brokers;
use super::convert::{Named, duration, number, ratio};
use super::diagnostic::Diagnostic;
use super::functions::resolve;
use super::model::{Fault, FaultKind, Mapping};
use super::read::{At, Cx, Table, single};
use super::{convert, traffic};
use crate::engine::Span;

const KINDS: [&str; 7] = [
    "function_errors",
    "function_slow",
    "source_throttled",
    "deletions_fail",
    "commits_fail",
    "connections_lost",
    "destination_refuses",
];

/// What a fault may be about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subjects<'a> {
    pub(crate) functions: &'a [&'a Named],
    pub(crate) sources: &'a [&'a Named],
    /// Those of the sources that messages are deleted from.
    pub(crate) queues: &'a [&'a Named],
    /// Those of the sources that are queues of brokers.
    pub(crate) brokers: &'a [&'a Named],
    /// Those of the sources that are topics of Kafka.
    pub(crate) clusters: &'a [&'a Named],
    /// All names, also of mappings that are wrong or left out.
    pub(crate) mapping_names: &'a [Named],
    pub(crate) mappings: &'a [Mapping],
}

/// The faults in the order of their beginnings.
pub(crate) fn faults(
    root: &mut Table<'_>,
    cx: &mut Cx,
    subjects: Subjects<'_>,
    duration: Span,
) -> Vec<Fault> {
    let tables = root.tables(cx, "fault", "[[fault]]");
    let mut found: Vec<Fault> = tables
        .into_iter()
        .filter_map(|table| fault(table, cx, subjects, duration))
        .collect();
    found.sort_by_key(|fault| fault.at);
    found
}

fn fault(mut table: Table<'_>, cx: &mut Cx, subjects: Subjects<'_>, end: Span) -> Option<Fault> {
    let at = table.req(cx, "at", "\"12m\"", duration);
    let lasts = table.req(cx, "for", "\"90s\"", |at, cx| {
        let lasts = duration(at, cx)?;
        if lasts > Span::ZERO {
            return Some(lasts);
        }
        convert::out_of_range(at, cx, lasts.to_string(), "more than 0s".to_owned());
        None
    });
    let example = "{ function_errors = { function = \"checkout\", rate = \"100%\" } }";
    let what = table.req(cx, "what", example, |at, cx| kind(at, cx, subjects));
    if let (Some(start), Some(entry)) = (at, table.entry("at"))
        && start >= end
        && end > Span::ZERO
    {
        cx.push(
            Diagnostic::new("fault-after-end", "a fault begins after the end")
                .at(&entry.node.span)
                .label(format!("the scenario lasts {end}"))
                .warning(),
        );
    }
    table.finish(cx);
    Some(Fault {
        at: at?,
        lasts: lasts?,
        what: what?,
    })
}

fn kind(at: At<'_>, cx: &mut Cx, subjects: Subjects<'_>) -> Option<FaultKind> {
    let entry = single(at, &KINDS, cx)?;
    let mut table = Table::open(entry.into(), "this fault", cx)?;
    let kind = match entry.key.as_str() {
        "connections_lost" => {
            let source = table.req(cx, "source", "\"orders\"", |at, cx| {
                let found = convert::text(at, cx)?;
                let connected = [subjects.brokers, subjects.clusters].concat();
                resolve(at, found, &connected, cx)?;
                subjects.sources.iter().position(|one| one.name == found)
            });
            source.map(|source| FaultKind::ConnectionsLost { source })
        }
        "source_throttled" => {
            let source = table.req(cx, "source", "\"orders\"", |at, cx| {
                let found = convert::text(at, cx)?;
                brokers::refuse_throttling(at, found, subjects.brokers, cx)?;
                resolve(at, found, subjects.sources, cx)
            });
            let rate = table.req(cx, "rate", "\"100%\"", ratio);
            (|| {
                Some(FaultKind::SourceThrottled {
                    source: source?,
                    rate: rate?,
                })
            })()
        }
        "deletions_fail" => {
            let source = table.req(cx, "source", "\"orders\"", |at, cx| {
                let found = convert::text(at, cx)?;
                resolve(at, found, subjects.queues, cx)?;
                subjects.sources.iter().position(|one| one.name == found)
            });
            let rate = table.req(cx, "rate", "\"100%\"", ratio);
            (|| {
                Some(FaultKind::DeletionsFail {
                    source: source?,
                    rate: rate?,
                })
            })()
        }
        "commits_fail" => {
            let source = table.req(cx, "source", "\"orders\"", |at, cx| {
                let found = convert::text(at, cx)?;
                resolve(at, found, subjects.clusters, cx)?;
                subjects.sources.iter().position(|one| one.name == found)
            });
            let rate = table.req(cx, "rate", "\"100%\"", ratio);
            (|| {
                Some(FaultKind::CommitsFail {
                    source: source?,
                    rate: rate?,
                })
            })()
        }
        "destination_refuses" => refused(&mut table, cx, subjects),
        other => {
            let function = table.req(cx, "function", "\"checkout\"", |at, cx| {
                traffic::function(at, cx, subjects.functions)
            });
            if other == "function_errors" {
                let rate = table.req(cx, "rate", "\"100%\"", ratio);
                (|| {
                    Some(FaultKind::FunctionErrors {
                        function: function?,
                        rate: rate?,
                    })
                })()
            } else {
                let factor = table.req(cx, "factor", "3.0", number(0.001..=1e6));
                (|| {
                    Some(FaultKind::FunctionSlow {
                        function: function?,
                        factor: factor?,
                    })
                })()
            }
        }
    };
    table.finish(cx);
    kind
}

/// The destinations of a mapping, or of a function's asynchronous events.
fn refused(table: &mut Table<'_>, cx: &mut Cx, subjects: Subjects<'_>) -> Option<FaultKind> {
    let rate = table.req(cx, "rate", "\"100%\"", ratio);
    if let Some(entry) = table.entry("function") {
        if let Some(other) = table.entry("mapping") {
            cx.push(
                Diagnostic::new(
                    "conflicting-keys",
                    "`function` and `mapping` exclude each other",
                )
                .at(&other.key_span)
                .label("this fault is about one of them")
                .help("write a fault for each"),
            );
        }
        let function = traffic::function(entry.into(), cx, subjects.functions);
        return Some(FaultKind::EventDestinationRefuses {
            function: function?,
            rate: rate?,
        });
    }
    let mapping = table.req(cx, "mapping", "\"clicks\"", |at, cx| {
        mapping(at, cx, subjects)
    });
    Some(FaultKind::DestinationRefuses {
        mapping: mapping?,
        rate: rate?,
    })
}

/// A mapping with a destination; none without a finding if it was found to be wrong, or is left out.
fn mapping(at: At<'_>, cx: &mut Cx, subjects: Subjects<'_>) -> Option<usize> {
    let found = convert::text(at, cx)?;
    let known: Vec<&Named> = subjects.mapping_names.iter().collect();
    resolve(at, found, &known, cx)?;
    let mut mappings = subjects.mappings.iter();
    mappings.position(|mapping| mapping.config.name == found)
}
