//! Tenant isolation: what a function that isolates its tenants cannot have.

use super::convert::Named;
use super::diagnostic::Diagnostic;
use super::model::{Function, Invocation, Mapping, Traffic};
use super::node::{Node, Value};
use super::read::{Cx, Table};
use std::ops::Range;

/// Reports what excludes isolated tenants in the function that is called.
pub(super) fn refuse(
    cx: &mut Cx,
    function: &Function,
    (alias, invocation): (Option<usize>, Invocation),
    place: &Range<usize>,
) {
    let is_provisioned = function
        .aliases
        .iter()
        .any(|alias| alias.provisioned_concurrency > 0 || alias.autoscaling.is_some());
    let mut versions = function.versions.iter();
    let clashes = [
        ("provisioned concurrency", is_provisioned),
        (
            "SnapStart",
            versions.any(|version| version.code.lifecycle.restore.is_some()),
        ),
        ("managed instances", function.managed.is_some()),
        (
            "environments of varied life",
            function.lifecycle.keep_alive.is_some() || function.lifecycle.lifetime.is_some(),
        ),
        ("aliases or versions in calls", alias.is_some()),
        (
            "asynchronous calls in this model",
            invocation == Invocation::Event,
        ),
    ];
    for (what, _) in clashes.into_iter().filter(|(_, is_there)| *is_there) {
        cx.push(refused(place, &format!("has no {what}")).help("remove one of the two"));
    }
}

/// Reports callers and mappings that name no tenant, of functions that others call for tenants.
pub(super) fn consistent(
    root: &mut Table<'_>,
    cx: &mut Cx,
    traffic: &[Traffic],
    mappings: &[Mapping],
    functions: &[(Named, Function)],
) {
    let isolates = |function: usize| {
        let mut callers = traffic.iter();
        callers.any(|caller| caller.tenants.is_some() && caller.calls(function))
    };
    // Callers that could not be read are not in the list: then places are not known, and there are errors anyway.
    let places = nodes(root, "traffic", traffic.len());
    for (caller, place) in traffic.iter().zip(places) {
        let mut called = caller.function..caller.function + caller.spread as usize;
        if caller.tenants.is_none() && called.any(isolates) {
            let name = &functions[caller.function].1.name;
            let told = refused(&place.span, "takes no call without a tenant");
            cx.push(told.help(format!(
                "add `tenants` here too: others call `{name}` with it"
            )));
        }
    }
    let places = nodes(root, "mapping", mappings.len());
    for (mapping, place) in mappings.iter().zip(places) {
        if isolates(mapping.function) {
            let told = refused(&place.span, "has no event source mapping");
            cx.push(told.help("map the source to another function"));
        }
    }
}

fn nodes<'n>(root: &mut Table<'n>, key: &'static str, count: usize) -> &'n [Node] {
    match root.entry(key).map(|entry| &entry.node.value) {
        Some(Value::List(nodes)) if nodes.len() == count => nodes,
        _ => &[],
    }
}

fn refused(place: &Range<usize>, what: &str) -> Diagnostic {
    Diagnostic::new(
        "tenant-isolation",
        format!("a function that isolates its tenants {what}"),
    )
    .at(place)
    .label("its environments belong to one tenant each")
}
