//! `[region]` and `[[function]]`.

use super::aliases::{self, WallClock};
use super::convert::{Named, choice, integer, name, unique};
use super::diagnostic::Diagnostic;
use super::model::{Dist, Function, Lifecycle, Region};
use super::read::{At, Cx, Table};
use super::{behaviour, managed, versions};
use crate::engine::lambda::Reuse;
use crate::engine::{Ratio, Span, limits};
use std::ops::Range;

/// Cold starts of a function that says nothing of them. Ours: between what small and large packages take.
const INIT_DEFAULT: f64 = 250_000_000.0;

pub(crate) const TIMEOUTS: std::ops::RangeInclusive<Span> =
    Span::from_millis(1)..=limits::FUNCTION_TIMEOUT_MAX;
pub(crate) const MEMORY_MB: std::ops::RangeInclusive<i64> = 128..=10_240;

pub(crate) fn region(root: &mut Table<'_>, cx: &mut Cx) -> Region {
    let mut region = Region {
        account_concurrency: 1_000,
        burst_concurrency: 3_000,
        caller_requests_per_sec: None,
    };
    let Some(mut table) = root.opt(cx, "region", |at, cx| Table::open(at, "[region]", cx)) else {
        return region;
    };
    let limit = || integer::<u32>(1..=1_000_000);
    let account = table.opt(cx, "account_concurrency", limit());
    region.account_concurrency = account.unwrap_or(region.account_concurrency);
    let burst = table.opt(cx, "burst_concurrency", limit());
    region.burst_concurrency = burst.unwrap_or(region.burst_concurrency);
    region.caller_requests_per_sec = table.opt(cx, "caller_requests_per_sec", limit());
    table.finish(cx);
    region
}

/// The functions, with the places of their names; a nameless one has an empty name, and is reported.
pub(crate) fn functions(
    root: &mut Table<'_>,
    cx: &mut Cx,
    region: Region,
    clock: WallClock,
) -> Vec<(Named, Function)> {
    let mut found = Vec::new();
    let mut reserved = Vec::new();
    for table in root.tables(cx, "function", "[[function]]") {
        let span = table.span.clone();
        let (named, function, reserved_span) = function(table, cx, clock);
        if let (Some(share), Some(span)) = (function.reserved_concurrency, reserved_span) {
            reserved.push((share, span));
        }
        found.push((
            named.unwrap_or(Named {
                name: String::new(),
                span,
            }),
            function,
        ));
    }
    unique(
        "functions",
        found
            .iter()
            .map(|(named, _)| named)
            .filter(|named| !named.name.is_empty()),
        cx,
    );
    reserved_sum(&reserved, cx, region);
    found
}

fn function(
    mut table: Table<'_>,
    cx: &mut Cx,
    clock: WallClock,
) -> (Option<Named>, Function, Option<Range<usize>>) {
    let reuses = [
        ("most-recent", Reuse::MostRecent),
        ("least-recent", Reuse::LeastRecent),
        ("random", Reuse::Random),
    ];
    let named = table.req(cx, "name", "\"checkout\"", name);
    if table.entry("duration").is_none() {
        table.missing(cx, "duration", "\"80ms\"");
    }
    let reserved = table.entry("reserved_concurrency");
    let base = Function {
        name: named
            .as_ref()
            .map(|named| named.name.clone())
            .unwrap_or_default(),
        memory_mb: 128,
        timeout: Span::from_secs(3),
        duration: Dist::Constant(0.0),
        cold_duration: None,
        per_record: Span::ZERO,
        init: Dist::Constant(INIT_DEFAULT),
        error_rate: Ratio::ZERO,
        poison: Ratio::ZERO,
        keep_alive: Span::from_secs(600),
        reuse: table.opt(cx, "reuse", choice(&reuses)).unwrap_or_default(),
        reserved_concurrency: table.opt(cx, "reserved_concurrency", integer(0..=1_000_000)),
        lifecycle: Lifecycle::default(),
        managed: None,
        versions: Vec::new(),
        aliases: Vec::new(),
    };
    let mut function = behaviour::read(&mut table, cx, base);
    behaviour::lives(&mut table, cx, &mut function);
    let numbers = versions::versions(&mut table, cx, &mut function, clock);
    aliases::aliases(&mut table, cx, &mut function, numbers, clock);
    managed::managed(&mut table, cx, &mut function);
    aliases::refuse_unaliased(&mut table, cx);
    table.finish(cx);
    (
        named,
        function,
        reserved.map(|entry| entry.node.span.clone()),
    )
}

/// AWS keeps 100 of the account's concurrency for functions without a reservation.
fn reserved_sum(reserved: &[(u32, Range<usize>)], cx: &mut Cx, region: Region) {
    let account = u64::from(region.account_concurrency);
    let free = account.saturating_sub(u64::from(limits::UNRESERVED_CONCURRENCY_MIN));
    let mut sum = 0;
    for (share, span) in reserved {
        sum += u64::from(*share);
        if *share > 0 && sum > free {
            cx.push(
                Diagnostic::new(
                    "reserved-above-account",
                    "AWS refuses it: Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [100].",
                )
                .at(span)
                .label(format!("{sum} of {account} would be reserved"))
                .allowed(format!("up to {free} for all functions together"))
                .help("lower it, or raise `account_concurrency` in [region]"),
            );
            return;
        }
    }
}

/// The index of a name among `names`.
pub(crate) fn resolve(at: At<'_>, found: &str, names: &[&Named], cx: &mut Cx) -> Option<usize> {
    let index = names.iter().position(|named| named.name == found);
    if index.is_none() {
        let known = || names.iter().map(|named| named.name.as_str());
        cx.push(super::convert::unknown_name(
            at.key,
            found,
            &at.node.span,
            known,
        ));
    }
    index
}
