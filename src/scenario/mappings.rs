//! `[[mapping]]`: event source mappings, in scenarios and in poller files.

use super::brokers;
use super::convert::{Named, duration_in, integer, name, ratio, unique};
use super::diagnostic::Diagnostic;
use super::functions::resolve;
use super::mapping_keys::{Clock, finding, is_repetition, parameters, place};
use super::model::{Function, Mapping, MappingChange, MappingEvent};
use super::read::{Cx, Table};
use super::readers::{Readers, fan_out};
use super::sources::{SourceInfo, VISIBILITY};
use super::topics;
use super::traffic;
use crate::engine::config::{MappingParameters, ShortVisibility, conflict_text};
use crate::engine::{MappingConfig, Profile, Ratio, SourceKind, Span, Tuning, check};
use std::ops::Range;

/// What a mapping of a scenario may refer to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct World<'a> {
    pub(crate) profile: Profile,
    pub(crate) functions: &'a [(Named, Function)],
    pub(crate) sources: &'a [SourceInfo],
}

/// A mapping without mistakes, and what updates of it build upon.
#[derive(Debug)]
pub(crate) struct Declared {
    pub(crate) mapping: Mapping,
    pub(crate) kind: Option<SourceKind>,
    pub(crate) written: MappingParameters,
    /// Where its name stands.
    pub(crate) span: Range<usize>,
}

/// The mappings, with the places of their names.
pub(crate) fn mappings(
    root: &mut Table<'_>,
    cx: &mut Cx,
    world: World<'_>,
) -> (Vec<Named>, Vec<Declared>) {
    let mut pairs = Pairs::default();
    let mut readers = Readers::default();
    let mut names = Vec::new();
    let mut found = Vec::new();
    for table in root.tables(cx, "mapping", "[[mapping]]") {
        let (named, mapping) = mapping(table, cx, world, &mut pairs, &mut readers);
        names.extend(named);
        found.extend(mapping);
    }
    unique("mappings", &names, cx);
    readers.check(world.sources, cx);
    topics::own_groups(&found, cx);
    (names, found)
}

fn mapping(
    mut table: Table<'_>,
    cx: &mut Cx,
    world: World<'_>,
    pairs: &mut Pairs,
    readers: &mut Readers,
) -> (Option<Named>, Option<Declared>) {
    let named = table.req(cx, "name", "\"orders-to-checkout\"", name);
    let mut written = parameters(&mut table, cx, Clock::Simulation);
    written.name = named
        .as_ref()
        .map(|named| named.name.clone())
        .unwrap_or_default();
    if let Some(entry) = table.entry("EventSourceArn") {
        cx.push(
            Diagnostic::new("unknown-key", "`EventSourceArn` is not a key of scenarios")
                .at(&entry.key_span)
                .label("a scenario models its sources")
                .help("name a [[source]] of this file with `EventSource`"),
        );
    }
    let names: Vec<&Named> = world.sources.iter().map(|info| &info.named).collect();
    let source = table.opt(cx, "EventSource", |at, cx| {
        // What is not a string was reported when the parameters were read.
        let found = written.event_source.as_deref()?;
        resolve(at, found, &names, cx)
    });
    let callee = match written.function_name {
        Some(_) => table.opt(cx, "FunctionName", |at, cx| {
            traffic::callee(at, cx, world.functions)
        }),
        None => None,
    };
    let function = callee.map(|(function, _)| function);
    let info = source.map(|index| &world.sources[index]);
    let visibility = info.and_then(|info| info.visibility_timeout);
    let kind = info.and_then(|info| info.kind);
    let fan_out = fan_out(&mut table, cx, kind);
    let mut tuning = tuning(&mut table, cx, world.profile, kind, visibility);
    if fan_out {
        tuning = tuning.pushed();
    }
    if let (Some(source), true) = (source, written.enabled != Some(false)) {
        readers.add(source, fan_out, place(&table, "EventSource"));
    }
    let matching = matching(&mut table, cx, &written);
    if let Some(info) = info {
        brokers::complete(&mut written, info);
        topics::complete(&mut written, info);
    }
    topics::refuse_share_groups(&table, &written, cx);
    let config = checked(&table, cx, kind, &written);
    if let (Some(info), Some(function)) = (info, function) {
        let function_info = &world.functions[function].1;
        pairs.add(&table, cx, info.kind, &info.named.name, &written);
        let window = config.as_ref().map(|config| config.window);
        visible_long_enough(
            &table,
            cx,
            visibility,
            function_info.longest_timeout(),
            window,
        );
    }
    table.finish(cx);
    let declared = (|| {
        info?.model.as_ref()?;
        // Sources without a model are errors, so that indices of sources stay what they are.
        Some(Declared {
            mapping: Mapping {
                config: config?,
                tuning,
                fan_out,
                matching,
                source: source?,
                function: function?,
                alias: callee?.1,
            },
            kind: info?.kind,
            written,
            span: named.as_ref()?.span.clone(),
        })
    })();
    (named, declared)
}

/// The mappings of the simulation: one with `Enabled = false` begins disabled if an event enables it, and is left out
/// otherwise. Events for mappings that are left out go with them.
pub(crate) fn settle(
    declared: Vec<Declared>,
    events: Vec<MappingEvent>,
    cx: &mut Cx,
) -> (Vec<Mapping>, Vec<MappingEvent>) {
    let mut places = vec![None; declared.len()];
    let mut mappings = Vec::new();
    let mut settled = Vec::new();
    for (index, one) in declared.into_iter().enumerate() {
        let disabled = one.written.enabled == Some(false);
        let is_enabled =
            |event: &MappingEvent| event.mapping == index && event.what == MappingChange::Enable;
        if disabled && !events.iter().any(is_enabled) {
            cx.push(
                Diagnostic::new(
                    "mapping-disabled",
                    "a disabled mapping is left out of the simulation",
                )
                .at(&one.span)
                .label("has `Enabled = false`, and no event enables it")
                .warning(),
            );
            continue;
        }
        if disabled {
            settled.push(MappingEvent {
                at: Span::ZERO,
                mapping: mappings.len(),
                what: MappingChange::Disable,
            });
        }
        places[index] = Some(mappings.len());
        mappings.push(one.mapping);
    }
    settled.extend(events.into_iter().filter_map(|event| {
        let mapping = places[event.mapping]?;
        Some(MappingEvent { mapping, ..event })
    }));
    (mappings, settled)
}

/// The share of records that pass the filters. Modelled records have no contents that patterns could be asked about.
fn matching(table: &mut Table<'_>, cx: &mut Cx, written: &MappingParameters) -> Option<Ratio> {
    let share = table.opt(cx, "matching", ratio);
    let filters = table.peek("FilterCriteria");
    let has_filters = match &written.filter_criteria {
        Some(patterns) => !patterns.is_empty(),
        // What is there and could not be read was reported.
        None => filters.is_some(),
    };
    match (filters, table.peek("matching")) {
        (Some(filters), None) if has_filters => {
            cx.push(
                Diagnostic::new(
                    "missing-key",
                    "a simulated mapping with filters needs `matching`",
                )
                .at(&filters.key_span)
                .label("asks for the contents of records, and those of a scenario have none")
                .help(
                    "add `matching = \"25%\"`, the share of records that the filters let through",
                ),
            );
        }
        (_, Some(matching)) if !has_filters => {
            cx.push(
                Diagnostic::new("missing-key", "`matching` needs filters")
                    .at(&matching.key_span)
                    .label("says which share of the records passes the filters, and there are none")
                    .help("add `FilterCriteria` with the patterns, or remove `matching`"),
            );
        }
        _ => {}
    }
    share
}

/// Applies AWS's rules, then those of this version.
pub(crate) fn checked(
    table: &Table<'_>,
    cx: &mut Cx,
    kind: Option<SourceKind>,
    written: &MappingParameters,
) -> Option<MappingConfig> {
    // Without a known source there is no column of the tables to check against: only what holds for all is told.
    let found = match check(kind.unwrap_or(SourceKind::Kinesis), written) {
        Ok(_) if kind.is_none() => return None,
        Ok(config) => return Some(config),
        Err(found) => found,
    };
    for violation in &found {
        let common = ["FunctionName", "EventSource"].contains(&violation.parameter);
        let relevant = kind.is_some() || common;
        if relevant && !is_repetition(table, violation) {
            let finding = finding(table, violation, cx.diagnostics.main_text());
            cx.push(finding);
        }
    }
    None
}

/// The keys that AWS has no parameter for.
pub(crate) fn tuning(
    table: &mut Table<'_>,
    cx: &mut Cx,
    profile: Profile,
    kind: Option<SourceKind>,
    visibility: Option<Span>,
) -> Tuning {
    let mut tuning = match kind {
        Some(kind) => Tuning::for_source(profile, kind),
        None => Tuning::new(profile),
    };
    let waits = || duration_in(Span::from_millis(1)..=Span::from_secs(3_600));
    let take = |value: Option<Span>, field: &mut Span| *field = value.unwrap_or(*field);
    take(
        table.opt(cx, "poll_interval", waits()),
        &mut tuning.poll_interval,
    );
    take(
        table.opt(cx, "backoff_first", waits()),
        &mut tuning.backoff_first,
    );
    take(
        table.opt(cx, "backoff_max", waits()),
        &mut tuning.backoff_max,
    );
    let long_poll = table.opt(
        cx,
        "long_poll",
        duration_in(Span::ZERO..=Span::from_secs(20)),
    );
    take(long_poll, &mut tuning.long_poll);
    let reads = table.opt(cx, "shard_reads_per_second", integer(1..=1_000));
    tuning.reads_per_sec_max = reads.unwrap_or(tuning.reads_per_sec_max);
    let bytes = table.opt(cx, "shard_read_bytes_per_second", |at, cx| {
        let bytes = super::convert::size(at, cx)?;
        if bytes > 0 {
            return Some(bytes);
        }
        super::convert::out_of_range(at, cx, "0".to_owned(), "more than 0".to_owned());
        None
    });
    tuning.read_bytes_per_sec_max = bytes.unwrap_or(tuning.read_bytes_per_sec_max);
    let page = table.opt(cx, "page_records", integer(1..=10_000));
    tuning.page_records_max = page.unwrap_or(tuning.page_records_max);
    take(visibility, &mut tuning.visibility_timeout);
    let consumers = kind.and_then(|kind| brokers::consumers(table, cx, kind));
    tuning.consumers = consumers.unwrap_or(tuning.consumers);
    if tuning.backoff_first > tuning.backoff_max {
        cx.push(
            Diagnostic::new("out-of-range", "`backoff_first` is above `backoff_max`")
                .at(&table.span)
                .label(format!(
                    "{} above {}",
                    tuning.backoff_first, tuning.backoff_max
                ))
                .help("raise `backoff_max`"),
        );
    }
    tuning
}

/// The visibility timeout that a mapping states for a queue whose own is not known.
pub(crate) fn stated_visibility(table: &mut Table<'_>, cx: &mut Cx) -> Option<Span> {
    table.opt(cx, "visibility_timeout", duration_in(VISIBILITY))
}

/// AWS refuses a mapping whose function may run for longer than messages stay hidden, and advises much more than that.
pub(crate) fn visible_long_enough(
    table: &Table<'_>,
    cx: &mut Cx,
    visibility: Option<Span>,
    timeout: Span,
    window: Option<Span>,
) {
    let window = window.unwrap_or(Span::ZERO);
    let found = visibility.and_then(|visibility| {
        let found = ShortVisibility::of(visibility, timeout, window)?;
        Some((visibility, found))
    });
    let Some((visibility, found)) = found else {
        return;
    };
    let diagnostic = match found {
        ShortVisibility::Refused { .. } => {
            let text = found.aws_text().unwrap_or_default();
            Diagnostic::new("timeout-above-visibility", format!("AWS refuses it: {text}")).allowed(
                "a visibility timeout of at least the function's timeout; AWS advises six times as much",
            )
        }
        ShortVisibility::Inadvisable { recommended } => Diagnostic::new(
            "sqs-visibility-advice",
            "the queue's visibility timeout is short: messages may come back while they are worked on",
        )
        .allowed(format!(
            "AWS recommends six times the function's timeout, plus the batching window: {recommended}"
        ))
        .warning(),
    };
    cx.push(
        diagnostic
            .at(&place(table, "EventSource"))
            .label(format!(
                "hidden for {visibility}, and the function may take {timeout}"
            ))
            .help("raise `visibility_timeout` of the source, or lower `timeout` of the function"),
    );
}

/// Which mappings there are, by source and function.
#[derive(Debug, Default)]
pub(crate) struct Pairs(Vec<(String, String, String)>);

impl Pairs {
    pub(crate) fn add(
        &mut self,
        table: &Table<'_>,
        cx: &mut Cx,
        kind: Option<SourceKind>,
        source: &str,
        written: &MappingParameters,
    ) {
        let function = written.function_name.clone().unwrap_or_default();
        let before = self
            .0
            .iter()
            .find(|(s, f, _)| s == source && *f == function);
        if let Some((_, _, other)) = before {
            let text = conflict_text(
                kind.unwrap_or(SourceKind::Kinesis),
                source,
                &function,
                other,
            );
            let span: Range<usize> = place(table, "FunctionName");
            cx.push(
                Diagnostic::new(
                    "esm-one-per-source-and-function",
                    format!("AWS refuses it: {text}"),
                )
                .at(&span)
                .label(format!(
                    "the mapping `{other}` has the same source and function"
                ))
                .help("remove one of them"),
            );
        }
        self.0
            .push((source.to_owned(), function, written.name.clone()));
    }
}
