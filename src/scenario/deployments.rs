//! `[[event]]` with `deploy`: a new version takes over an alias, as AWS CodeDeploy does it.

use super::aliases::refuse_snap_start;
use super::convert::{Named, duration, duration_in, ratio};
use super::diagnostic::Diagnostic;
use super::events::warn_after_end;
use super::model::{Deployment, Function};
use super::read::{At, Cx, Table};
use super::routing::version;
use super::traffic::callee;
use crate::engine::lambda::{Routing, VersionId};
use crate::engine::{Ratio, Span};
use std::ops::{Range, RangeInclusive};

const INTERVALS: RangeInclusive<Span> = Span::from_secs(1)..=Span::from_secs(86_400 * 2);
/// Shares that CodeDeploy takes.
const SHARES: RangeInclusive<f64> = 0.01..=0.99;

/// Whether an event is a deployment.
pub(super) fn is_deployment(table: &Table<'_>) -> bool {
    let what = table.peek("what");
    what.is_some_and(|what| what.node.get("deploy").is_some())
}

/// How traffic moves to the new version.
#[derive(Clone, Copy)]
enum Shift {
    AllAtOnce,
    /// This share first, the rest after the interval.
    Canary(Ratio, Span),
    /// This share now and after every interval.
    Linear(Ratio, Span),
}

struct Plan {
    at: Span,
    place: Range<usize>,
    function: usize,
    alias: usize,
    to: VersionId,
    shift: Shift,
}

/// The deployments in the order in which they begin. Each takes over from the version that the one before brought.
pub(super) fn deployments(
    tables: Vec<Table<'_>>,
    cx: &mut Cx,
    functions: &[(Named, Function)],
    end: Span,
) -> Vec<Deployment> {
    let mut plans: Vec<Plan> = Vec::new();
    for table in tables {
        plans.extend(event(table, cx, functions, end));
    }
    plans.sort_by_key(|plan| plan.at);
    let mut found: Vec<Deployment> = Vec::new();
    for plan in plans {
        let same = |one: &&Deployment| (one.function, one.alias) == (plan.function, plan.alias);
        let before = found.iter().rev().find(same);
        let standing = functions[plan.function].1.aliases[plan.alias].routing;
        let ended = before.and_then(|one| one.steps.last().map(|step| (one.at + step.0, step.1)));
        let (free, standing) = ended.unwrap_or((Span::ZERO, standing));
        if plan.at < free {
            cx.push(
                Diagnostic::new("deployments-overlap", "another deployment is under way")
                    .at(&plan.place)
                    .label(format!("the one before ends at {free}"))
                    .help("let it begin later, or take a shorter `interval`"),
            );
            continue;
        }
        match (standing.version, standing.additional) {
            (Some(from), None) if from != plan.to => found.push(Deployment {
                function: plan.function,
                alias: plan.alias,
                at: plan.at,
                steps: steps(from, plan.to, plan.shift),
            }),
            (from, additional) => {
                let label = match (from, additional) {
                    (Some(_), None) => "it leads there already",
                    (None, _) => "it leads to no published version",
                    (Some(_), Some(_)) => "it leads to two versions",
                };
                cx.push(
                    Diagnostic::new("deployment-impossible", "nothing can be deployed here")
                        .at(&plan.place)
                        .label(label)
                        .allowed("an alias with `version`, and another version of its function"),
                );
            }
        }
    }
    found
}

fn event(
    mut table: Table<'_>,
    cx: &mut Cx,
    functions: &[(Named, Function)],
    end: Span,
) -> Option<Plan> {
    let at = table.req(cx, "at", "\"5m\"", duration);
    warn_after_end(&mut table, cx, at, end);
    let what = table.opt(cx, "what", |what, cx| {
        // It was seen to have `deploy`; further keys are reported by the table that is opened for them.
        let mut outer = Table::open(what, "this event", cx)?;
        let found = outer.opt(cx, "deploy", |at, cx| deploy(at, cx, functions));
        outer.finish(cx);
        found
    });
    table.finish(cx);
    let (place, function, alias, to, shift) = what?;
    Some(Plan {
        at: at?,
        place,
        function,
        alias,
        to,
        shift,
    })
}

type Described = (Range<usize>, usize, usize, VersionId, Shift);

fn deploy(at: At<'_>, cx: &mut Cx, functions: &[(Named, Function)]) -> Option<Described> {
    let mut table = Table::open(at, "this deployment", cx)?;
    let place = table.span.clone();
    let callee = table.req(cx, "alias", "\"checkout:live\"", |at, cx| {
        let (function, alias) = callee(at, cx, functions)?;
        let described = &functions[function].1;
        // Versions are qualifiers too, and none of them leads anywhere else.
        let aliases = described.aliases.len() - described.versions.len();
        let alias = alias.filter(|alias| *alias < aliases);
        if alias.is_none() {
            cx.push(
                Diagnostic::new("deployment-impossible", "only an alias can lead elsewhere")
                    .at(&at.node.span)
                    .label("no alias")
                    .help("write `function:alias`"),
            );
        }
        Some((function, alias?))
    });
    let to = table.req(cx, "to", "\"2\"", |at, cx| {
        // Without an alias nobody knows whose versions are meant.
        let (function, alias) = callee?;
        let function = &functions[function].1;
        let to = version(at, cx, &function.versions)?;
        refuse_snap_start(cx, function, &function.aliases[alias], to, &at.node.span);
        Some(to)
    });
    let canary = table.opt(cx, "canary", share);
    let linear = table.opt(cx, "linear", share);
    let interval = table.opt(cx, "interval", duration_in(INTERVALS));
    if let (Some(_), Some(entry)) = (canary, table.entry("linear")) {
        cx.push(
            Diagnostic::new("conflicting-keys", "a deployment is `canary` or `linear`")
                .at(&entry.key_span)
                .label("has both"),
        );
    }
    let gradual = table.entry("canary").is_some() || table.entry("linear").is_some();
    if gradual && table.entry("interval").is_none() {
        table.missing(cx, "interval", "\"5m\"");
    }
    if let (false, Some(entry)) = (gradual, table.entry("interval")) {
        cx.push(
            Diagnostic::new("missing-key", "`interval` belongs to `canary` or `linear`")
                .at(&entry.key_span)
                .label("has neither")
                .help("add `canary = \"10%\"`"),
        );
    }
    table.finish(cx);
    let (function, alias) = callee?;
    let shift = match (canary, linear) {
        (Some(share), _) => Shift::Canary(share, interval?),
        (None, Some(share)) => Shift::Linear(share, interval?),
        (None, None) if gradual => return None,
        (None, None) => Shift::AllAtOnce,
    };
    Some((place, function, alias, to?, shift))
}

fn share(at: At<'_>, cx: &mut Cx) -> Option<Ratio> {
    let share = ratio(at, cx)?;
    if SHARES.contains(&share.as_f64()) {
        return Some(share);
    }
    let found = format!("{}%", share.as_f64() * 100.0);
    super::convert::out_of_range(at, cx, found, "1% to 99%".to_owned());
    None
}

/// Rule `deployment-shifts-traffic`.
fn steps(from: VersionId, to: VersionId, shift: Shift) -> Vec<(Span, Routing)> {
    let split = |share| Routing {
        version: Some(from),
        additional: Some((to, share)),
    };
    let all = Routing {
        version: Some(to),
        additional: None,
    };
    match shift {
        Shift::AllAtOnce => vec![(Span::ZERO, all)],
        Shift::Canary(share, interval) => vec![(Span::ZERO, split(share)), (interval, all)],
        Shift::Linear(share, interval) => {
            let mut steps = Vec::new();
            for count in 1.. {
                let at = interval.times(count - 1);
                match share.times(count) {
                    Some(moved) if moved.as_f64() < 1.0 => steps.push((at, split(moved))),
                    _ => {
                        steps.push((at, all));
                        break;
                    }
                }
            }
            steps
        }
    }
}
