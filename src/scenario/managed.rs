//! `[function.managed_instances]`: a function on Lambda Managed Instances.

use super::convert::{duration_in, integer, ratio};
use super::diagnostic::Diagnostic;
use super::model::Function;
use super::read::{At, Cx, Table};
use crate::engine::lambda::ManagedLimits;
use crate::engine::{Ratio, Span, limits};
use std::ops::RangeInclusive;

const SPANS: RangeInclusive<Span> = Span::from_secs(1)..=Span::from_secs(3_600);

/// What AWS, or this model of it, takes where the file says nothing.
fn usual() -> ManagedLimits {
    ManagedLimits {
        slots: 64,
        min: limits::MANAGED_ENVIRONMENTS,
        max: limits::MANAGED_ENVIRONMENTS_MAX,
        cpu_per_request: Ratio::ZERO,
        target: 0.5,
        launch: Span::from_secs(180),
        evaluation: Span::from_secs(60),
    }
}

/// Puts `function` on managed instances if the table says so.
pub(super) fn managed(table: &mut Table<'_>, cx: &mut Cx, function: &mut Function) {
    let Some(entry) = table.entry("managed_instances") else {
        return;
    };
    function.managed = described(entry.into(), cx);
    let is_provisioned = function
        .aliases
        .iter()
        .any(|alias| alias.provisioned_concurrency > 0 || alias.autoscaling.is_some());
    let clashes = [
        (
            "reserved concurrency",
            function.reserved_concurrency.is_some(),
        ),
        ("published versions", !function.versions.is_empty()),
        ("provisioned concurrency", is_provisioned),
        ("a lifetime", function.lifecycle.lifetime.is_some()),
    ];
    for (what, _) in clashes.into_iter().filter(|(_, is_there)| *is_there) {
        cx.push(
            Diagnostic::new(
                "managed-instances-alone",
                format!(
                    "a function on managed instances has no {}",
                    what.trim_start_matches("a ")
                ),
            )
            .at(&entry.key_span)
            .label(format!("this one has {what}"))
            .help("remove one of the two"),
        );
    }
}

fn described(at: At<'_>, cx: &mut Cx) -> Option<ManagedLimits> {
    let mut table = Table::open(at, "`managed_instances`", cx)?;
    let usual = usual();
    let most = i64::from(limits::MANAGED_ENVIRONMENTS_MAX);
    let slots = table.opt(
        cx,
        "PerExecutionEnvironmentMaxConcurrency",
        integer(1..=i64::from(limits::MANAGED_SLOTS_MAX)),
    );
    let min = table.opt(cx, "MinExecutionEnvironments", integer(0..=most));
    let max = table.opt(cx, "MaxExecutionEnvironments", integer(0..=most));
    let cpu = table.opt(cx, "cpu_per_request", ratio);
    let target = table.opt(cx, "target_cpu", ratio);
    if let (Some(target), Some(entry)) = (target, table.entry("target_cpu"))
        && target.is_zero()
    {
        super::convert::out_of_range(
            entry.into(),
            cx,
            "0%".to_owned(),
            "more than 0%, up to 100%".to_owned(),
        );
    }
    let launch = table.opt(cx, "launch", duration_in(SPANS));
    let evaluation = table.opt(cx, "evaluation", duration_in(SPANS));
    let max = max.unwrap_or(usual.max);
    let min = min.unwrap_or_else(|| usual.min.min(max));
    if let Some(entry) = table.entry("MinExecutionEnvironments")
        && min > max
    {
        cx.push(
            Diagnostic::new("min-above-max", "the minimum is above the maximum")
                .at(&entry.node.span)
                .label(format!("`MaxExecutionEnvironments` is {max}"))
                .allowed(format!("0 to {max}")),
        );
    }
    table.finish(cx);
    Some(ManagedLimits {
        slots: slots.unwrap_or(usual.slots),
        min,
        max: max.max(min),
        cpu_per_request: cpu.unwrap_or(usual.cpu_per_request),
        target: target.map_or(usual.target, Ratio::as_f64),
        launch: launch.unwrap_or(usual.launch),
        evaluation: evaluation.unwrap_or(usual.evaluation),
    })
}
