//! `[[traffic]]`: callers that invoke a function directly.

use super::arrivals::arrivals;
use super::callers;
use super::convert::{Named, choice, duration_in, text};
use super::diagnostic::Diagnostic;
use super::functions::resolve;
use super::model::{Arrivals, Clients, Function, Invocation, Trace, Traffic};
use super::read::{At, Cx, Table, shown};
use super::sources::keys;
use super::suggest::{listed, nearest};
use super::tenants;
use crate::engine::{FunctionName, Span};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;

/// How long callers wait for an answer.
const CLIENT_TIMEOUTS: RangeInclusive<Span> = Span::from_millis(1)..=Span::from_secs(86_400);

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
        callees(at, cx, functions)
    });
    let known = [
        ("RequestResponse", Invocation::RequestResponse),
        ("Event", Invocation::Event),
    ];
    let invocation = table.opt(cx, "invocation", choice(&known));
    let invocation = invocation.unwrap_or_default();
    let is_closed = table.entry("clients").is_some();
    let clients = callers::clients(&mut table, cx);
    let arrivals = if is_closed {
        clients.as_ref().map(joins)
    } else {
        arrivals(&mut table, cx)
    };
    let timeout = table.opt(cx, "timeout", duration_in(CLIENT_TIMEOUTS));
    let retry = table.opt(cx, "retry", callers::retry);
    if invocation == Invocation::Event {
        for key in ["retry", "clients", "timeout"] {
            refuse_with_events(&table, cx, key);
        }
    }
    let tenants = table.opt(cx, "tenants", keys);
    let tenants_at = table.entry("tenants").map(|entry| entry.key_span.clone());
    let place = table.entry("function").map(|entry| entry.node.span.clone());
    table.finish(cx);
    let (function, spread, alias) = callee?;
    if let (Some(_), Some(place)) = (tenants, tenants_at) {
        tenants::refuse(cx, &functions[function].1, (alias, invocation), &place);
    }
    if let (Invocation::Event, 2.., Some(place)) = (invocation, spread, place) {
        let message = "a template cannot be called asynchronously";
        cx.push(
            Diagnostic::new("conflicting-keys", message)
                .at(&place)
                .label("stands for several functions, each with a queue of its own")
                .help("add a [[traffic]] for each function that is to get events"),
        );
    }
    Some(Traffic {
        function,
        spread,
        alias,
        tenants,
        invocation,
        arrivals: arrivals?,
        clients,
        timeout,
        retry,
    })
}

/// Keys of callers that wait for an answer.
fn refuse_with_events(table: &Table<'_>, cx: &mut Cx, key: &str) {
    let Some(entry) = table.peek(key) else {
        return;
    };
    let diagnostic = Diagnostic::new(
        "conflicting-keys",
        format!("`{key}` has no meaning with `invocation = \"Event\"`"),
    )
    .at(&entry.key_span)
    .label("the caller is told 202 at once, and never how it went");
    cx.push(match key {
        "retry" => diagnostic.help("set `MaximumRetryAttempts` in `event_invoke` of the function"),
        _ => diagnostic.help(format!("remove `{key}`")),
    });
}

/// When clients come, as arrivals.
fn joins(clients: &Clients) -> Arrivals {
    Arrivals::Trace(Arc::new(Trace {
        path: PathBuf::new(),
        points: clients.joins(),
    }))
}

/// The functions that a caller calls: the first one's index, how many follow each other from there on, and the alias.
fn callees(
    at: At<'_>,
    cx: &mut Cx,
    functions: &[(Named, Function)],
) -> Option<(usize, u32, Option<usize>)> {
    let found = text(at, cx)?;
    let (bare, alias) = found.split_once(':').unwrap_or((found, ""));
    let is_of = |function: &Function| function.template.as_deref() == Some(bare);
    let of_template = |(_, function): &(Named, Function)| is_of(function);
    let Some(first) = functions.iter().position(of_template) else {
        let (function, alias) = callee(at, cx, functions)?;
        return Some((function, 1, alias));
    };
    let own = functions[first..].iter();
    let spread = own.take_while(|one| of_template(one)).count() as u32;
    if alias.is_empty() {
        return Some((first, spread, None));
    }
    let index = alias_of(at, cx, &functions[first].1, bare, alias)?;
    Some((first, spread, Some(index)))
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
    let index = alias_of(at, cx, &functions[function].1, parsed.name, qualifier)?;
    Some((function, Some(index)))
}

fn alias_of(
    at: At<'_>,
    cx: &mut Cx,
    function: &Function,
    called: &str,
    qualifier: &str,
) -> Option<usize> {
    let aliases = &function.aliases;
    let index = aliases.iter().position(|alias| alias.name == qualifier);
    if index.is_none() {
        let known = || aliases.iter().map(|alias| alias.name.as_str());
        let message = format!("`{called}` has no such alias");
        let unknown = Diagnostic::new("unknown-name", message)
            .at(&at.node.span)
            .label(format!("found `{}`", shown(qualifier)))
            .allowed(listed(known()));
        cx.push(match nearest(qualifier, known()) {
            Some(name) => unknown.help(format!("did you mean `{called}:{name}`?")),
            None => unknown.help(format!(
                "add `[[function.alias]]` with `name = \"{}\"`",
                shown(qualifier)
            )),
        });
    }
    index
}

/// A function of the scenario, whatever its aliases.
pub(crate) fn function(at: At<'_>, cx: &mut Cx, functions: &[&Named]) -> Option<usize> {
    let found = text(at, cx)?;
    let bare = FunctionName::parse(found).map_or(found, |parsed| parsed.name);
    resolve(at, bare, functions, cx)
}
