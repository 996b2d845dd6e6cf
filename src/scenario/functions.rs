//! `[region]` and `[[function]]`.

use super::aliases::{self, WallClock};
use super::convert::{Named, choice, integer, name, unique};
use super::diagnostic::Diagnostic;
use super::event_invoke::{Owner, event_invoke};
use super::model::{Architecture, Dist, Function, Lifecycle, Region};
use super::read::{At, Cx, Table};
use super::{behaviour, managed, versions};
use crate::engine::lambda::Reuse;
use crate::engine::{Ratio, Refill, Span, limits};
use std::ops::Range;

/// Cold starts of a function that says nothing of them. Ours: between what small and large packages take.
const INIT_DEFAULT: f64 = 250_000_000.0;

/// Most functions of one template.
const COPIES_MAX: i64 = 10_000;

pub(crate) const TIMEOUTS: std::ops::RangeInclusive<Span> =
    Span::from_millis(1)..=limits::FUNCTION_TIMEOUT_MAX;
pub(crate) const MEMORY_MB: std::ops::RangeInclusive<i64> = 128..=10_240;

pub(crate) fn region(root: &mut Table<'_>, cx: &mut Cx) -> Region {
    let mut region = Region {
        account_concurrency: 1_000,
        burst_concurrency: 3_000,
        growth_refill: Refill::Continuous,
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
    let refill = table.opt(cx, "growth", growth).flatten();
    region.growth_refill = refill.unwrap_or_default();
    region.caller_requests_per_sec = table.opt(cx, "caller_requests_per_sec", limit());
    table.finish(cx);
    region
}

/// `growth = { refill = "stepped" }`.
fn growth(at: At<'_>, cx: &mut Cx) -> Option<Option<Refill>> {
    let refills = [
        ("continuous", Refill::Continuous),
        ("stepped", Refill::Stepped),
    ];
    let mut table = Table::open(at, "`growth`", cx)?;
    let refill = table.opt(cx, "refill", choice(&refills));
    table.finish(cx);
    Some(refill)
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
    let mut provisioned = Vec::new();
    for table in root.tables(cx, "function", "[[function]]") {
        let span = table.span.clone();
        let (named, function, reserved_span, copies) = function(table, cx, clock);
        if let (Some(share), Some(span)) = (function.reserved_concurrency, reserved_span) {
            reserved.push((u64::from(share) * u64::from(copies.unwrap_or(1)), span));
        }
        let named = named.unwrap_or(Named {
            name: String::new(),
            span,
        });
        if function.reserved_concurrency.is_none() {
            let own = function.aliases.iter();
            let own = own.map(|alias| u64::from(alias.provisioned_concurrency));
            let all = own.sum::<u64>() * u64::from(copies.unwrap_or(1));
            provisioned.push((all, named.span.clone()));
        }
        match copies {
            Some(copies) => found.extend(instances(&named, &function, copies)),
            None => found.push((named, function)),
        }
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
    let reserved = reserved.iter().map(|(share, _)| share).sum();
    provisioned_sum(&provisioned, reserved, cx, region);
    found
}

fn function(
    mut table: Table<'_>,
    cx: &mut Cx,
    clock: WallClock,
) -> (Option<Named>, Function, Option<Range<usize>>, Option<u32>) {
    let reuses = [
        ("most-recent", Reuse::MostRecent),
        ("least-recent", Reuse::LeastRecent),
        ("random", Reuse::Random),
    ];
    let architectures = [("x86_64", Architecture::X86), ("arm64", Architecture::Arm)];
    let named = table.req(cx, "name", "\"checkout\"", name);
    let copies = table.opt(cx, "count", integer(1..=COPIES_MAX));
    if table.entry("duration").is_none() {
        table.missing(cx, "duration", "\"80ms\"");
    }
    let reserved = table.entry("reserved_concurrency");
    let base = Function {
        name: named
            .as_ref()
            .map(|named| named.name.clone())
            .unwrap_or_default(),
        template: None,
        architecture: table
            .opt(cx, "architecture", choice(&architectures))
            .unwrap_or_default(),
        memory_mb: 128,
        timeout: Span::from_secs(3),
        duration: Dist::Constant(0.0),
        cold_duration: None,
        dependency_concurrency: table.opt(cx, "dependency_concurrency", integer(1..=1_000_000)),
        per_record: Span::ZERO,
        init: Dist::Constant(INIT_DEFAULT),
        error_rate: Ratio::ZERO,
        poison: Ratio::ZERO,
        keep_alive: Span::from_secs(600),
        reuse: table.opt(cx, "reuse", choice(&reuses)).unwrap_or_default(),
        reserved_concurrency: table.opt(cx, "reserved_concurrency", integer(0..=1_000_000)),
        event_invoke: Default::default(),
        lifecycle: Lifecycle::default(),
        managed: None,
        versions: Vec::new(),
        aliases: Vec::new(),
    };
    let mut function = behaviour::read(&mut table, cx, base);
    behaviour::lives(&mut table, cx, &mut function);
    let events = table.opt(cx, "event_invoke", |at, cx| {
        event_invoke(at, cx, &function.name, Owner::Function)
    });
    function.event_invoke = events.unwrap_or_default();
    let numbers = versions::versions(&mut table, cx, &mut function, clock);
    aliases::aliases(&mut table, cx, &mut function, numbers, clock);
    function.share_dead_letters();
    managed::managed(&mut table, cx, &mut function);
    aliases::refuse_unaliased(&mut table, cx);
    table.finish(cx);
    (
        named,
        function,
        reserved.map(|entry| entry.node.span.clone()),
        copies,
    )
}

/// The functions of a template: `f` gives `f-0`, `f-1` and so on.
fn instances(
    named: &Named,
    template: &Function,
    copies: u32,
) -> impl Iterator<Item = (Named, Function)> {
    (0..copies).map(move |index| {
        let name = format!("{}-{index}", named.name);
        let mut function = Function {
            name: name.clone(),
            template: Some(named.name.clone()),
            ..template.clone()
        };
        for version in &mut function.versions {
            version.code.name = format!("{name}:{}", version.number);
        }
        let span = named.span.clone();
        (Named { name, span }, function)
    })
}

/// AWS keeps 100 of the account's concurrency for functions without a reservation.
pub(super) fn reserved_sum(reserved: &[(u64, Range<usize>)], cx: &mut Cx, region: Region) {
    let account = u64::from(region.account_concurrency);
    let free = account.saturating_sub(u64::from(limits::UNRESERVED_CONCURRENCY_MIN));
    let mut sum = 0;
    for (share, span) in reserved {
        sum += *share;
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

/// Provisioned concurrency of functions without a reservation comes out of what the reservations leave.
fn provisioned_sum(
    provisioned: &[(u64, Range<usize>)],
    reserved: u64,
    cx: &mut Cx,
    region: Region,
) {
    let account = u64::from(region.account_concurrency);
    let kept = reserved + u64::from(limits::UNRESERVED_CONCURRENCY_MIN);
    let free = account.saturating_sub(kept);
    let mut sum = 0;
    for (count, span) in provisioned {
        sum += count;
        if *count > 0 && sum > free {
            cx.push(
                Diagnostic::new(
                    "provisioned-above-account",
                    "AWS refuses it: Specified ConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [100].",
                )
                .at(span)
                .label(format!("with this function {sum} would be provisioned"))
                .allowed(format!("up to {free} for all functions without a reservation together"))
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
