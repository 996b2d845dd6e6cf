//! `[[function.version]]`: published versions of a function.

use super::aliases::{self, Provisioning, WallClock};
use super::behaviour::{self, SnapStart};
use super::convert::{Named, integer, unique};
use super::diagnostic::Diagnostic;
use super::model::{Alias, Function, Version};
use super::read::{Cx, Table};
use crate::engine::lambda::{Routing, VersionId};

/// Reads the versions of `function` into it, each of them also as a qualifier that calls can name.
pub(super) fn versions(
    table: &mut Table<'_>,
    cx: &mut Cx,
    function: &mut Function,
    clock: WallClock,
) -> Vec<(Alias, Provisioning)> {
    let snap_start = SnapStart::default().read(table, cx);
    let tables = table.tables(cx, "version", "[[function.version]]");
    if tables.is_empty()
        && snap_start.is_on
        && let Some(entry) = table.entry("snap_start")
    {
        cx.push(unpublished(&entry.key_span));
    }
    let mut names = Vec::new();
    let mut qualifiers = Vec::new();
    let mut found = Vec::new();
    for (index, mut table) in (0..).zip(tables) {
        let number = table.req(cx, "number", "1", integer::<u32>(1..=i64::from(u32::MAX)));
        let base = Function {
            name: format!("{}:{}", function.name, number.unwrap_or_default()),
            ..function.clone()
        };
        let mut code = behaviour::read(&mut table, cx, base);
        let snap_start = snap_start.read(&mut table, cx);
        code.lifecycle.restore = snap_start.restores();
        if code.lifecycle.restore.is_some() {
            behaviour::refuse_slow_init(cx, &code, &table.span);
        }
        let provisioning = aliases::provisioning(&mut table, cx, clock);
        if let (Some(number), Some(entry)) = (number, table.entry("number")) {
            names.push(Named {
                name: number.to_string(),
                span: entry.node.span.clone(),
            });
        }
        table.finish(cx);
        let number = number.unwrap_or_default();
        let alias = Alias {
            name: number.to_string(),
            routing: Routing {
                version: Some(VersionId(index)),
                additional: None,
            },
            provisioned_concurrency: provisioning.count,
            autoscaling: provisioning.autoscaling.clone(),
            event_invoke: None,
        };
        qualifiers.push((alias, provisioning));
        found.push(Version { number, code });
    }
    unique("versions of one function", &names, cx);
    function.versions = found;
    qualifiers
}

fn unpublished(place: &std::ops::Range<usize>) -> Diagnostic {
    Diagnostic::new(
        "snap-start-needs-version",
        "SnapStart applies to published versions",
    )
    .at(place)
    .label("the function publishes none, and $LATEST initialises as ever")
    .help(
        "add `[[function.version]]` with `number = 1`, and call `\"function:1\"` or an alias of it",
    )
}
