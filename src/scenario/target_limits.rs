//! What a poller file tells the service model of its `process` targets: reservations and provisioned concurrency.

use super::aliases::{above_reserved, alias_name};
use super::convert::{Named, boolean, duration_in, integer, unique};
use super::diagnostic::Diagnostic;
use super::model::Region;
use super::poller_model::{TargetAlias, TargetLimits};
use super::read::{Cx, Table};
use crate::engine::{Span, limits};
use std::ops::Range;

const KEEP_ALIVES: std::ops::RangeInclusive<Span> = Span::ZERO..=Span::from_secs(86_400);
/// Each one is a process of this machine.
const PROVISIONED: std::ops::RangeInclusive<i64> = 0..=1_000;

/// `reserved_concurrency`, `keep_alive`, what is enforced, and `[[target.alias]]`, with the place of the reservation.
pub(super) fn target_limits(
    table: &mut Table<'_>,
    cx: &mut Cx,
) -> (TargetLimits, Option<Range<usize>>) {
    let usual = TargetLimits::default();
    let place = table.entry("reserved_concurrency");
    let place = place.map(|entry| entry.node.span.clone());
    let reserved = table.opt(cx, "reserved_concurrency", integer(0..=1_000_000));
    let keep_alive = table.opt(cx, "keep_alive", duration_in(KEEP_ALIVES));
    let enforce_memory = table.opt(cx, "enforce_memory", boolean);
    let open_runtime_api = table.opt(cx, "open_runtime_api", boolean);
    let mut names = Vec::new();
    let mut aliases = Vec::new();
    let mut provisioned: u64 = 0;
    for table in table.tables(cx, "alias", "[[target.alias]]") {
        let (named, alias, place) = alias(table, cx);
        names.extend(named);
        provisioned += u64::from(alias.provisioned_concurrency);
        if let Some(reserved) = reserved
            && alias.provisioned_concurrency > 0
            && provisioned > u64::from(reserved)
        {
            cx.push(above_reserved(&place, provisioned, reserved));
        }
        aliases.push(alias);
    }
    unique("aliases of one function", &names, cx);
    let limits = TargetLimits {
        reserved_concurrency: reserved,
        keep_alive: keep_alive.unwrap_or(usual.keep_alive),
        aliases,
        enforce_memory: enforce_memory.unwrap_or(usual.enforce_memory),
        open_runtime_api: open_runtime_api.unwrap_or(usual.open_runtime_api),
        ..usual
    };
    (limits, place)
}

fn alias(mut table: Table<'_>, cx: &mut Cx) -> (Option<Named>, TargetAlias, Range<usize>) {
    let named = alias_name(&mut table, cx);
    let place = table
        .entry("provisioned_concurrency")
        .map_or_else(|| table.span.clone(), |entry| entry.node.span.clone());
    let count = table.opt(cx, "provisioned_concurrency", integer(PROVISIONED));
    table.finish(cx);
    let alias = TargetAlias {
        name: named
            .as_ref()
            .map_or_else(String::new, |named| named.name.clone()),
        provisioned_concurrency: count.unwrap_or(0),
    };
    (named, alias, place)
}

/// Rule `provisioned-takes-from-unreserved`: what is provisioned without a reservation leaves 100 for everything else.
pub(super) fn provisioned_sum(
    limits: &[(&TargetLimits, Range<usize>)],
    cx: &mut Cx,
    region: Region,
) {
    let reserved = limits
        .iter()
        .filter_map(|(limits, _)| limits.reserved_concurrency);
    let reserved: u64 = reserved.map(u64::from).sum();
    let kept = u64::from(limits::UNRESERVED_CONCURRENCY_MIN);
    let free = u64::from(region.account_concurrency).saturating_sub(reserved + kept);
    let mut sum: u64 = 0;
    for (limits, place) in limits {
        if limits.reserved_concurrency.is_some() {
            continue;
        }
        let own = limits.aliases.iter();
        let own: u64 = own
            .map(|alias| u64::from(alias.provisioned_concurrency))
            .sum();
        sum += own;
        if own > 0 && sum > free {
            cx.push(
                Diagnostic::new(
                    "reserved-above-account",
                    "AWS refuses it: Specified ConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [100].",
                )
                .at(place)
                .label(format!("{sum} would be provisioned without a reservation"))
                .allowed(format!("up to {free} for all functions together"))
                .help("lower it, or raise `account_concurrency` in [region]"),
            );
            return;
        }
    }
}
