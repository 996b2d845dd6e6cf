//! `[[fault]]`: what goes wrong, and when.

use super::convert::{Named, duration, number, ratio};
use super::diagnostic::Diagnostic;
use super::functions::resolve;
use super::model::{Fault, FaultKind};
use super::read::{At, Cx, Table, single};
use super::{convert, traffic};
use crate::engine::Span;

const KINDS: [&str; 3] = ["function_errors", "function_slow", "source_throttled"];

/// The faults in the order of their beginnings.
pub(crate) fn faults(
    root: &mut Table<'_>,
    cx: &mut Cx,
    functions: &[&Named],
    sources: &[&Named],
    duration: Span,
) -> Vec<Fault> {
    let tables = root.tables(cx, "fault", "[[fault]]");
    let mut found: Vec<Fault> = tables
        .into_iter()
        .filter_map(|table| fault(table, cx, functions, sources, duration))
        .collect();
    found.sort_by_key(|fault| fault.at);
    found
}

fn fault(
    mut table: Table<'_>,
    cx: &mut Cx,
    functions: &[&Named],
    sources: &[&Named],
    end: Span,
) -> Option<Fault> {
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
    let what = table.req(cx, "what", example, |at, cx| {
        kind(at, cx, functions, sources)
    });
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

fn kind(at: At<'_>, cx: &mut Cx, functions: &[&Named], sources: &[&Named]) -> Option<FaultKind> {
    let entry = single(at, &KINDS, cx)?;
    let mut table = Table::open(entry.into(), "this fault", cx)?;
    let kind = match entry.key.as_str() {
        "source_throttled" => {
            let source = table.req(cx, "source", "\"orders\"", |at, cx| {
                let found = convert::text(at, cx)?;
                resolve(at, found, sources, cx)
            });
            let rate = table.req(cx, "rate", "\"100%\"", ratio);
            (|| {
                Some(FaultKind::SourceThrottled {
                    source: source?,
                    rate: rate?,
                })
            })()
        }
        other => {
            let function = table.req(cx, "function", "\"checkout\"", |at, cx| {
                traffic::function(at, cx, functions)
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
