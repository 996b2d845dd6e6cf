//! `[[function.alias]]`: aliases with their provisioned concurrency, and how Application Auto Scaling moves it.

use super::behaviour::refuse_slow_init;
use super::convert::{
    Named, boolean, choice, duration, duration_in, integer, name, number, text, unique,
};
use super::diagnostic::Diagnostic;
use super::event_invoke::{Owner, event_invoke};
use super::inside;
use super::model::{Alias, Function, ScalableTarget, ScheduledAction, Version};
use super::read::{At, Cx, Table};
use super::routing;
use super::schedule::Schedule;
use super::suggest::nearest;
use crate::engine::lambda::{Statistic, TargetTracking, VersionId};
use crate::engine::{Span, Time};
use jiff::tz::TimeZone;
use std::ops::{Range, RangeInclusive};

const CAPACITY: RangeInclusive<i64> = 0..=1_000_000;
/// What Application Auto Scaling takes as a target for this metric.
const TARGETS: RangeInclusive<f64> = 0.1..=0.9;
const COOLDOWNS: RangeInclusive<Span> = Span::ZERO..=Span::from_secs(86_400);

/// When the scenario begins on the calendar, and how long it lasts.
#[derive(Clone, Copy, Debug)]
pub(super) struct WallClock {
    pub(super) start: Time,
    pub(super) length: Span,
}

/// Provisioned concurrency of an alias or a version, and where it was given.
#[derive(Clone, Debug)]
pub(super) struct Provisioning {
    pub(super) count: u32,
    pub(super) autoscaling: Option<ScalableTarget>,
    pub(super) place: Range<usize>,
}

impl Provisioning {
    fn is_any(&self) -> bool {
        self.count > 0 || self.autoscaling.is_some()
    }
}

/// Reads the aliases of `function` into it, and its versions after them: calls name either.
pub(super) fn aliases(
    table: &mut Table<'_>,
    cx: &mut Cx,
    function: &mut Function,
    numbers: Vec<(Alias, Provisioning)>,
    clock: WallClock,
) {
    let mut names = Vec::new();
    let mut found = Vec::new();
    for table in table.tables(cx, "alias", "[[function.alias]]") {
        let (named, alias, provisioning) =
            alias(table, cx, &function.name, clock, &function.versions);
        names.extend(named);
        found.push((alias, provisioning));
    }
    unique("aliases of one function", &names, cx);
    let own = found.len();
    found.extend(numbers);
    let mut provisioned: u64 = 0;
    for (index, (alias, provisioning)) in found.iter().enumerate() {
        provisioned += u64::from(alias.provisioned_concurrency);
        if let Some(reserved) = function.reserved_concurrency
            && alias.provisioned_concurrency > 0
            && provisioned > u64::from(reserved)
        {
            cx.push(above_reserved(&provisioning.place, provisioned, reserved));
        }
        if provisioning.is_any() {
            let others = &found[own..];
            let others = if index < own { others } else { &[] };
            refuse_provisioned(cx, function, alias, &provisioning.place, others);
        }
    }
    function.aliases = found.into_iter().map(|(alias, _)| alias).collect();
}

/// What cannot have provisioned concurrency: $LATEST, versions with SnapStart, and an alias beside its version.
fn refuse_provisioned(
    cx: &mut Cx,
    function: &Function,
    alias: &Alias,
    place: &Range<usize>,
    numbers: &[(Alias, Provisioning)],
) {
    let Some(first) = alias.routing.version else {
        refuse_slow_init(cx, function, place);
        if !function.versions.is_empty() {
            cx.push(
                Diagnostic::new(
                    "provisioned-needs-version",
                    "AWS refuses it: Provisioned Concurrency Configs cannot be applied to unpublished function versions.",
                )
                .at(place)
                .label("the alias leads to $LATEST")
                .help("let it lead to a published version"),
            );
        }
        return;
    };
    let other = alias.routing.additional.map(|(other, _)| other);
    for version in std::iter::once(first).chain(other) {
        let index = usize::from(version.0);
        refuse_snap_start(cx, function, alias, version, place);
        refuse_slow_init(cx, &function.versions[index].code, place);
        if numbers.get(index).is_some_and(|(_, one)| one.is_any()) {
            cx.push(
                Diagnostic::new(
                    "provisioned-twice",
                    "AWS refuses it: Alias can't be used for Provisioned Concurrency configuration on an already Provisioned version",
                )
                .at(place)
                .label(format!("version {} has its own", function.versions[index].number))
                .help("give provisioned concurrency to the alias or to the version"),
            );
        }
    }
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
pub(super) fn above_reserved(place: &Range<usize>, provisioned: u64, reserved: u32) -> Diagnostic {
    Diagnostic::new(
        "provisioned-above-reserved",
        "AWS refuses it: Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for function",
    )
    .at(place)
    .label(format!("{provisioned} would be provisioned"))
    .allowed(format!("up to {reserved} for all aliases together"))
    .help("lower it, or raise `reserved_concurrency`")
}

/// An alias with provisioned concurrency cannot lead to a version with SnapStart.
pub(super) fn refuse_snap_start(
    cx: &mut Cx,
    function: &Function,
    alias: &Alias,
    version: VersionId,
    place: &Range<usize>,
) {
    let version = &function.versions[usize::from(version.0)];
    let is_provisioned = alias.provisioned_concurrency > 0 || alias.autoscaling.is_some();
    if is_provisioned && version.code.lifecycle.restore.is_some() {
        cx.push(
            Diagnostic::new(
                "snap-start-or-provisioned",
                "a version has SnapStart or provisioned concurrency",
            )
            .at(place)
            .label(format!("version {} has SnapStart", version.number))
            .help("remove one of the two; `snap_start = false` is for a version too"),
        );
    }
}

fn alias(
    mut table: Table<'_>,
    cx: &mut Cx,
    function: &str,
    clock: WallClock,
    versions: &[Version],
) -> (Option<Named>, Alias, Provisioning) {
    let named = alias_name(&mut table, cx);
    let routing = routing::routing(&mut table, cx, versions);
    let provisioning = provisioning(&mut table, cx, clock);
    let events = table.opt(cx, "event_invoke", |at, cx| {
        event_invoke(at, cx, function, Owner::Alias)
    });
    table.finish(cx);
    let alias = Alias {
        name: named
            .as_ref()
            .map_or_else(String::new, |named| named.name.clone()),
        routing,
        provisioned_concurrency: provisioning.count,
        autoscaling: provisioning.autoscaling.clone(),
        event_invoke: events,
    };
    (named, alias, provisioning)
}

/// The provisioned concurrency of an alias or a version.
pub(super) fn provisioning(table: &mut Table<'_>, cx: &mut Cx, clock: WallClock) -> Provisioning {
    let count = table.opt(cx, "provisioned_concurrency", integer(CAPACITY));
    let place = table
        .entry("provisioned_concurrency")
        .map_or_else(|| table.span.clone(), |entry| entry.node.span.clone());
    Provisioning {
        count: count.unwrap_or(0),
        autoscaling: table.opt(cx, "autoscaling", |at, cx| target(at, cx, clock)),
        place,
    }
}

/// The name of an alias.
pub(super) fn alias_name(table: &mut Table<'_>, cx: &mut Cx) -> Option<Named> {
    let named = table.req(cx, "name", "\"live\"", name)?;
    if let Some(wrong) = wrong_name(&named.name)
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
    Some(named)
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

fn target(at: At<'_>, cx: &mut Cx, clock: WallClock) -> Option<ScalableTarget> {
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
    let mut policies: Vec<TargetTracking> = Vec::new();
    let goal = table.opt(cx, "target_utilization", number(TARGETS));
    policies.extend(tracking(&mut table, cx, goal));
    for mut table in table.tables(cx, "policy", "a policy") {
        let goal = table.req(cx, "target_utilization", "0.7", number(TARGETS));
        policies.extend(tracking(&mut table, cx, goal));
        table.finish(cx);
    }
    let mut schedule = Vec::new();
    for table in table.tables(cx, "schedule", "a scheduled action") {
        action(table, cx, clock, &mut schedule);
    }
    schedule.sort_by_key(|action| action.at);
    if policies.is_empty() && schedule.is_empty() {
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
        policies,
        schedule,
    })
}

/// A target tracking policy; its other keys are known without a target too.
fn tracking(table: &mut Table<'_>, cx: &mut Cx, goal: Option<f64>) -> Option<TargetTracking> {
    let statistics = [
        ("Average", Statistic::Average),
        ("Maximum", Statistic::Maximum),
    ];
    let statistic = table.opt(cx, "statistic", choice(&statistics));
    let out = table.opt(cx, "scale_out_cooldown", duration_in(COOLDOWNS));
    let inward = table.opt(cx, "scale_in_cooldown", duration_in(COOLDOWNS));
    let disable_scale_in = table.opt(cx, "disable_scale_in", boolean);
    Some(TargetTracking {
        statistic: statistic.unwrap_or_default(),
        scale_out_cooldown: out.unwrap_or(Span::ZERO),
        scale_in_cooldown: inward.unwrap_or(Span::ZERO),
        disable_scale_in: disable_scale_in.unwrap_or(false),
        ..TargetTracking::new(goal?)
    })
}

/// One scheduled action, as often as it is due.
fn action(
    mut table: Table<'_>,
    cx: &mut Cx,
    clock: WallClock,
    schedule: &mut Vec<ScheduledAction>,
) {
    let at = table.opt(cx, "at", duration);
    let zone = table.opt(cx, "timezone", zone).unwrap_or(TimeZone::UTC);
    let due = table.opt(cx, "schedule", expression);
    if table.entry("at").is_some() == table.entry("schedule").is_some() {
        cx.push(
            Diagnostic::new("one-of", "a scheduled action needs `at` or `schedule`")
                .at(&table.span)
                .label("has both or neither")
                .help("write `at = \"10m\"`, or `schedule = \"cron(0 8 * * ? *)\"`"),
        );
    }
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
    let due = due.map_or_else(Vec::new, |due| due.due(clock.start, clock.length, &zone));
    for at in at.into_iter().chain(due) {
        schedule.push(ScheduledAction { at, min, max });
    }
}

fn zone(at: At<'_>, cx: &mut Cx) -> Option<TimeZone> {
    let found = text(at, cx)?;
    let zone = TimeZone::get(found).ok();
    if zone.is_none() {
        let known: Vec<String> = jiff::tz::db()
            .available()
            .map(|name| name.to_string())
            .collect();
        let nearest = nearest(found, known.iter().map(String::as_str));
        cx.push(
            Diagnostic::new("unknown-name", "there is no such time zone")
                .at(&at.node.span)
                .label(format!("found `{found}`"))
                .allowed("names of the IANA time zone database, such as `Europe/Berlin`")
                .help(nearest.map_or_else(
                    || "leave it out for UTC".to_owned(),
                    |name| format!("did you mean `{name}`?"),
                )),
        );
    }
    zone
}

fn expression(at: At<'_>, cx: &mut Cx) -> Option<Schedule> {
    let found = text(at, cx)?;
    match Schedule::parse(found) {
        Ok(schedule) => Some(schedule),
        Err(error) => {
            let written = &at.node.span;
            let file = cx.diagnostics.main_text();
            let place = inside::place(file, written, found, &error.part);
            cx.push(
                Diagnostic::new("bad-schedule", error.message)
                    .at(&place.unwrap_or_else(|| written.clone()))
                    .label("cannot be understood")
                    .allowed(error.allowed),
            );
            None
        }
    }
}
