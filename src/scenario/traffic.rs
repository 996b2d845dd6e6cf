//! `[[traffic]]`: callers that invoke a function directly.

use super::arrivals::arrivals;
use super::availability::not_yet;
use super::convert::{Named, choice, integer, text};
use super::diagnostic::Diagnostic;
use super::functions::resolve;
use super::model::{Function, Retry, Traffic};
use super::read::{At, Cx, Table, shown};
use super::sources::keys;
use super::suggest::{listed, nearest};
use super::{tenants, units};
use crate::engine::{FunctionName, Span};

/// The callers.
pub(crate) fn traffic(
    root: &mut Table<'_>,
    cx: &mut Cx,
    functions: &[(Named, Function)],
) -> Vec<Traffic> {
    let tables = root.tables(cx, "traffic", "[[traffic]]");
    tables
        .into_iter()
        .filter_map(|table| caller(table, cx, functions))
        .collect()
}

fn caller(mut table: Table<'_>, cx: &mut Cx, functions: &[(Named, Function)]) -> Option<Traffic> {
    let callee = table.req(cx, "function", "\"checkout\"", |at, cx| {
        callee(at, cx, functions)
    });
    if let Some(entry) = table.entry("invocation") {
        let known = [("RequestResponse", false), ("Event", true)];
        if choice(&known)(entry.into(), cx) == Some(true) {
            let advice = "use \"RequestResponse\"";
            cx.push(not_yet(
                "`invocation = \"Event\"`",
                &entry.node.span,
                advice,
            ));
        }
    }
    let tenants = table.opt(cx, "tenants", keys);
    let place = table.entry("tenants");
    let place = place.map_or_else(|| table.span.clone(), |entry| entry.key_span.clone());
    let arrivals = arrivals(&mut table, cx);
    let retry = table.opt(cx, "retry", retry);
    table.finish(cx);
    let (function, alias) = callee?;
    if tenants.is_some() {
        tenants::refuse(cx, &functions[function].1, alias, &place);
    }
    Some(Traffic {
        function,
        alias,
        tenants,
        arrivals: arrivals?,
        retry,
    })
}

/// A function of the scenario, or one of its aliases: their indices.
pub(crate) fn callee(
    at: At<'_>,
    cx: &mut Cx,
    functions: &[(Named, Function)],
) -> Option<(usize, Option<usize>)> {
    let found = text(at, cx)?;
    let names: Vec<&Named> = functions.iter().map(|(named, _)| named).collect();
    let Ok(parsed) = FunctionName::parse(found) else {
        return Some((resolve(at, found, &names, cx)?, None));
    };
    let function = resolve(at, parsed.name, &names, cx)?;
    let Some(qualifier) = parsed.qualifier.filter(|qualifier| *qualifier != "$LATEST") else {
        return Some((function, None));
    };
    let aliases = &functions[function].1.aliases;
    let index = aliases.iter().position(|alias| alias.name == qualifier);
    if index.is_none() {
        let known = || aliases.iter().map(|alias| alias.name.as_str());
        let message = format!("`{}` has no such alias", parsed.name);
        let unknown = Diagnostic::new("unknown-name", message)
            .at(&at.node.span)
            .label(format!("found `{}`", shown(qualifier)))
            .allowed(listed(known()));
        cx.push(match nearest(qualifier, known()) {
            Some(name) => unknown.help(format!("did you mean `{}:{name}`?", parsed.name)),
            None => unknown.help(format!(
                "add `[[function.alias]]` with `name = \"{}\"`",
                shown(qualifier)
            )),
        });
    }
    Some((function, Some(index?)))
}

/// A function of the scenario, whatever its aliases.
pub(crate) fn function(at: At<'_>, cx: &mut Cx, functions: &[&Named]) -> Option<usize> {
    let found = text(at, cx)?;
    let bare = FunctionName::parse(found).map_or(found, |parsed| parsed.name);
    resolve(at, bare, functions, cx)
}

fn retry(at: At<'_>, cx: &mut Cx) -> Option<Retry> {
    let mut table = Table::open(at, "`retry`", cx)?;
    let attempts = table.req(cx, "attempts", "3", integer(1..=100));
    let usual = (Span::from_millis(100), Span::from_secs(20));
    let waits = table.opt(cx, "backoff", backoff).unwrap_or(usual);
    table.finish(cx);
    Some(Retry {
        attempts: attempts?,
        backoff_first: waits.0,
        backoff_max: waits.1,
    })
}

/// `first..longest`, or one duration for waits that do not grow.
fn backoff(at: At<'_>, cx: &mut Cx) -> Option<(Span, Span)> {
    let found = text(at, cx)?;
    let (first, last) = found.split_once("..").unwrap_or((found, found));
    match (units::duration(first), units::duration(last)) {
        (Ok(first), Ok(last)) if Span::ZERO < first && first <= last => Some((first, last)),
        _ => {
            cx.push(
                Diagnostic::new(
                    "bad-unit",
                    format!("`{}` must be a range of durations", at.key),
                )
                .at(&at.node.span)
                .label("cannot be understood")
                .allowed("\"100ms..2s\": the first wait above zero, and the longest"),
            );
            None
        }
    }
}
