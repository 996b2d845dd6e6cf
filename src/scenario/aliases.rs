//! `[[function.alias]]`: aliases with their provisioned concurrency, and how Application Auto Scaling moves it.

use super::availability::not_yet;
use super::convert::{
    Named, boolean, choice, duration, duration_in, integer, name, number, unique,
};
use super::diagnostic::Diagnostic;
use super::model::{Alias, ScalableTarget, ScheduledAction};
use super::read::{At, Cx, Table};
use crate::engine::Span;
use crate::engine::lambda::{Statistic, TargetTracking};
use std::ops::{Range, RangeInclusive};

const CAPACITY: RangeInclusive<i64> = 0..=1_000_000;
/// What Application Auto Scaling takes as a target for this metric.
const TARGETS: RangeInclusive<f64> = 0.1..=0.9;
const COOLDOWNS: RangeInclusive<Span> = Span::ZERO..=Span::from_secs(86_400);

/// The aliases of one function, which has this much reserved concurrency.
pub(super) fn aliases(function: &mut Table<'_>, cx: &mut Cx, reserved: Option<u32>) -> Vec<Alias> {
    let mut names = Vec::new();
    let mut found = Vec::new();
    let mut provisioned: u64 = 0;
    for table in function.tables(cx, "alias", "[[function.alias]]") {
        let (named, alias, place) = alias(table, cx);
        names.extend(named);
        provisioned += u64::from(alias.provisioned_concurrency);
        if let Some(reserved) = reserved
            && provisioned > u64::from(reserved)
        {
            cx.push(above_reserved(&place, provisioned, reserved));
        }
        found.push(alias);
    }
    unique("aliases of one function", &names, cx);
    found
}

/// Keys that AWS has on an alias only: there is no provisioned concurrency for `$LATEST`.
pub(super) fn refuse_unaliased(function: &mut Table<'_>, cx: &mut Cx) {
    for key in ["provisioned_concurrency", "autoscaling"] {
        if let Some(entry) = function.entry(key) {
            cx.push(
                Diagnostic::new(
                    "provisioned-needs-alias",
                    format!("`{key}` belongs to an alias of the function"),
                )
                .at(&entry.key_span)
                .label("$LATEST has no provisioned concurrency")
                .help("add `[[function.alias]]` with `name = \"live\"`, put it there, and call `\"function:live\"`"),
            );
        }
    }
}

/// Rule `provisioned-within-reserved`.
fn above_reserved(place: &Range<usize>, provisioned: u64, reserved: u32) -> Diagnostic {
    Diagnostic::new(
        "provisioned-above-reserved",
        "AWS refuses it: Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for function",
    )
    .at(place)
    .label(format!("{provisioned} would be provisioned"))
    .allowed(format!("up to {reserved} for all aliases together"))
    .help("lower it, or raise `reserved_concurrency`")
}

fn alias(mut table: Table<'_>, cx: &mut Cx) -> (Option<Named>, Alias, Range<usize>) {
    let named = table.req(cx, "name", "\"live\"", name);
    let text = named.as_ref().map_or("", |named| named.name.as_str());
    if let Some(wrong) = wrong_name(text)
        && let Some(entry) = table.entry("name")
    {
        cx.push(
            Diagnostic::new("bad-name", wrong)
                .at(&entry.node.span)
                .label("no name for an alias")
                .allowed("letters, digits, `-` and `_`, and not digits alone")
                .help("write `\"live\"`"),
        );
    }
    if let Some(entry) = table.entry("weights") {
        let advice = "remove it; the alias then means one version";
        cx.push(not_yet("`weights`", &entry.key_span, advice));
    }
    let provisioned = table.opt(cx, "provisioned_concurrency", integer(CAPACITY));
    let place = table
        .entry("provisioned_concurrency")
        .map_or_else(|| table.span.clone(), |entry| entry.node.span.clone());
    let provisioned_concurrency = provisioned.unwrap_or(0);
    let autoscaling = table.opt(cx, "autoscaling", target);
    table.finish(cx);
    let alias = Alias {
        name: text.to_owned(),
        provisioned_concurrency,
        autoscaling,
    };
    (named, alias, place)
}

/// Versions are numbers, and `$LATEST` is neither an alias nor a version of its own.
fn wrong_name(name: &str) -> Option<String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name == "$LATEST" {
        Some("`$LATEST` cannot be an alias".to_owned())
    } else if !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit()) {
        Some(format!("`{name}` is a version, not an alias"))
    } else if !name.chars().all(fits) {
        Some(format!("`{name}` cannot be the name of an alias"))
    } else {
        None
    }
}

fn target(at: At<'_>, cx: &mut Cx) -> Option<ScalableTarget> {
    let mut table = Table::open(at, "`autoscaling`", cx)?;
    let min = table.opt(cx, "min", integer(CAPACITY)).unwrap_or(0);
    let max = table.req(cx, "max", "400", integer(CAPACITY));
    if let (Some(max), Some(entry)) = (max, table.entry("min"))
        && min > max
    {
        cx.push(
            Diagnostic::new("min-above-max", "the minimum is above the maximum")
                .at(&entry.node.span)
                .label(format!("`max` is {max}"))
                .allowed(format!("0 to {max}")),
        );
    }
    let goal = table.opt(cx, "target_utilization", number(TARGETS));
    let statistics = [
        ("Average", Statistic::Average),
        ("Maximum", Statistic::Maximum),
    ];
    let statistic = table.opt(cx, "statistic", choice(&statistics));
    let out = table.opt(cx, "scale_out_cooldown", duration_in(COOLDOWNS));
    let inward = table.opt(cx, "scale_in_cooldown", duration_in(COOLDOWNS));
    let disable_scale_in = table.opt(cx, "disable_scale_in", boolean);
    let tracking = goal.map(|target| TargetTracking {
        statistic: statistic.unwrap_or_default(),
        scale_out_cooldown: out.unwrap_or(Span::ZERO),
        scale_in_cooldown: inward.unwrap_or(Span::ZERO),
        disable_scale_in: disable_scale_in.unwrap_or(false),
        ..TargetTracking::new(target)
    });
    let mut schedule: Vec<ScheduledAction> = table
        .tables(cx, "schedule", "a scheduled action")
        .into_iter()
        .filter_map(|table| action(table, cx))
        .collect();
    schedule.sort_by_key(|action| action.at);
    if tracking.is_none() && schedule.is_empty() {
        cx.push(
            Diagnostic::new("missing-key", "this autoscaling never does anything")
                .at(&table.span)
                .label("no `target_utilization` and no `schedule`")
                .help("add `target_utilization = 0.7`"),
        );
    }
    table.finish(cx);
    Some(ScalableTarget {
        min,
        max: max?.max(min),
        tracking,
        schedule,
    })
}

fn action(mut table: Table<'_>, cx: &mut Cx) -> Option<ScheduledAction> {
    let at = table.req(cx, "at", "\"10m\"", duration);
    let min = table.opt(cx, "min", integer(CAPACITY));
    let max = table.opt(cx, "max", integer(CAPACITY));
    if min.is_none() && max.is_none() {
        cx.push(
            Diagnostic::new("missing-key", "this scheduled action changes nothing")
                .at(&table.span)
                .label("no `min` and no `max`")
                .help("add `min = 200`"),
        );
    }
    table.finish(cx);
    Some(ScheduledAction { at: at?, min, max })
}
