//! `[[source]]` and `[[target]]` of poller files: where records come from without a server, and who is invoked.

use super::availability::{SOURCES, not_yet};
use super::convert::{
    Named, choice, duration_in, integer, list, name, per_sec, ratio, string, text, unique,
};
use super::diagnostic::Diagnostic;
use super::dist;
use super::event_invoke::{Owner, event_invoke};
use super::functions::{MEMORY_MB, TIMEOUTS, reserved_sum};
use super::load::seed;
use super::mapping_keys::pairs;
use super::model::{Dist, Keys, Region};
use super::poller::url;
use super::poller_model::{
    ErrorSign, Generated, LocalContent, LocalSource, Target, TargetKind, TargetLimits, Variables,
};
use super::read::{At, Cx, Table};
use super::sources::{RECEIVES, SHARDS, VISIBILITY, record};
use super::target_limits::{provisioned_sum, target_limits};
use crate::engine::{Ratio, SourceKind, Span, limits};
use std::ops::Range;
use std::path::PathBuf;

const GENERATED_SIZE: f64 = 256.0;
const MOCK_DURATION: f64 = 10_000_000.0;

/// The sources with the places of their names; `None` for one that has errors.
pub(crate) fn local_sources(
    root: &mut Table<'_>,
    cx: &mut Cx,
    poller_seed: u64,
) -> (Vec<Named>, Vec<Option<LocalSource>>) {
    let mut names = Vec::new();
    let mut found = Vec::new();
    for table in root.tables(cx, "source", "[[source]]") {
        let (named, source) = local_source(table, cx, poller_seed);
        names.push(named);
        found.push(source);
    }
    unique(
        "sources",
        names.iter().filter(|named| !named.name.is_empty()),
        cx,
    );
    (names, found)
}

fn local_source(
    mut table: Table<'_>,
    cx: &mut Cx,
    poller_seed: u64,
) -> (Named, Option<LocalSource>) {
    let unnamed = Named {
        name: String::new(),
        span: table.span.clone(),
    };
    let named = table.req(cx, "name", "\"orders\"", name).unwrap_or(unnamed);
    let kind = table.req(cx, "kind", "\"sqs\"", choice(&SourceKind::ALL));
    if let (Some(kind), Some(entry)) = (kind, table.entry("kind"))
        && !SOURCES.contains(&kind)
    {
        cx.push(not_yet(
            &format!("a source of kind {kind}"),
            &entry.node.span,
            "use kinesis, sqs or sqs-fifo",
        ));
    }
    let stream = !kind.is_some_and(SourceKind::is_queue);
    let shards = if stream {
        table.opt(cx, "shards", integer(SHARDS))
    } else {
        None
    };
    let (visibility, receives) = if stream {
        (None, None)
    } else {
        let visibility = table.opt(cx, "visibility_timeout", duration_in(VISIBILITY));
        (
            visibility,
            table.opt(cx, "max_receive_count", integer(RECEIVES)),
        )
    };
    let types = [("generated", true), ("jsonl", false)];
    let content = match table.req(cx, "type", "\"generated\"", choice(&types)) {
        Some(true) => generated(&mut table, cx, poller_seed).map(LocalContent::Generated),
        Some(false) => {
            let path = table.req(cx, "file", "\"records.jsonl\"", existing);
            path.map(|path| LocalContent::Jsonl { path })
        }
        // Without a type the other keys cannot be judged.
        None => return (named, None),
    };
    table.finish(cx);
    let source = (|| {
        Some(LocalSource {
            name: named.name.clone(),
            kind: kind?,
            shards: shards.unwrap_or(1),
            visibility_timeout: visibility.unwrap_or(limits::SQS_VISIBILITY_DEFAULT),
            max_receive_count: receives,
            content: content?,
        })
    })();
    (named, source)
}

fn generated(table: &mut Table<'_>, cx: &mut Cx, poller_seed: u64) -> Option<Generated> {
    let rate = table.req(cx, "rate", "100", |at, cx| {
        let rate = per_sec(at, cx)?;
        if rate > 0.0 {
            return Some(rate);
        }
        super::convert::out_of_range(at, cx, "0".to_owned(), "more than 0".to_owned());
        None
    });
    let usual = (Dist::Constant(GENERATED_SIZE), Keys::Unique);
    let (size, keys) = table.opt(cx, "record", record).unwrap_or(usual);
    let count = table.opt(cx, "count", integer(1..=i64::MAX));
    let seed = seed(table, cx).unwrap_or(poller_seed);
    Some(Generated {
        per_sec: rate?,
        size,
        keys,
        count,
        seed,
    })
}

/// A file that is there.
fn existing(at: At<'_>, cx: &mut Cx) -> Option<PathBuf> {
    let found = text(at, cx)?;
    let path = cx.path(at, found)?;
    if path.is_file() {
        return Some(path);
    }
    cx.push(
        Diagnostic::new(
            "file-unreadable",
            format!("cannot read `{}`", path.display()),
        )
        .at(&at.node.span)
        .label("there is no such file"),
    );
    None
}

/// The targets with the places of their functions' names; `None` for one that has errors.
///
/// Without a `region`, reservations are held against nothing.
pub(crate) fn targets(
    root: &mut Table<'_>,
    cx: &mut Cx,
    region: Option<Region>,
) -> (Vec<Named>, Vec<Option<Target>>) {
    let mut names: Vec<Named> = Vec::new();
    let mut found: Vec<Option<Target>> = Vec::new();
    let mut reserved = Vec::new();
    let is_served = root.peek("invoke_api").is_some();
    for table in root.tables(cx, "target", "[[target]]") {
        if let Some(entry) = table.peek("event_invoke").filter(|_| !is_served) {
            cx.push(
                Diagnostic::new("nothing-happens", "nobody sends asynchronous events")
                    .at(&entry.key_span)
                    .label("without [invoke_api] it has no effect: mappings wait for answers")
                    .help("add [invoke_api] with `listen`")
                    .warning(),
            );
        }
        let (named, target, place) = target(table, cx);
        let share = target.as_ref().and_then(|t| t.limits.reserved_concurrency);
        reserved.extend(share.map(u64::from).zip(place));
        names.push(named);
        found.push(target);
    }
    if let Some(region) = region {
        reserved_sum(&reserved, cx, region);
        let limits = names.iter().zip(&found).filter_map(|(named, target)| {
            let target = target.as_ref()?;
            Some((&target.limits, named.span.clone()))
        });
        provisioned_sum(&limits.collect::<Vec<_>>(), cx, region);
    }
    if root.entry("target").is_none() {
        root.missing(
            cx,
            "target",
            "[ { function = \"checkout\", type = \"lambda\" } ]",
        );
    }
    unique(
        "targets",
        names.iter().filter(|named| !named.name.is_empty()),
        cx,
    );
    (names, found)
}

#[derive(Clone, Copy)]
enum Kind {
    Lambda,
    Http,
    Process,
    Mock,
}

fn target(mut table: Table<'_>, cx: &mut Cx) -> (Named, Option<Target>, Option<Range<usize>>) {
    let unnamed = Named {
        name: String::new(),
        span: table.span.clone(),
    };
    let named = table
        .req(cx, "function", "\"checkout\"", name)
        .unwrap_or(unnamed);
    let known = [
        ("lambda", Kind::Lambda),
        ("http", Kind::Http),
        ("process", Kind::Process),
        ("mock", Kind::Mock),
    ];
    // Without a type the other keys cannot be judged.
    let Some(kind) = table.req(cx, "type", "\"lambda\"", choice(&known)) else {
        return (named, None, None);
    };
    // A function of AWS has a timeout of its own: waiting longer than it can last is what it takes to see it.
    let timeout = match kind {
        Kind::Lambda => limits::FUNCTION_TIMEOUT_MAX,
        Kind::Http | Kind::Process | Kind::Mock => Span::from_secs(30),
    };
    let timeout = table
        .opt(cx, "timeout", duration_in(TIMEOUTS))
        .unwrap_or(timeout);
    let concurrency = table.opt(cx, "concurrency", integer(1..=100_000));
    let memory_mb = table
        .opt(cx, "memory_mb", integer(MEMORY_MB))
        .unwrap_or(128);
    let (mut limits, place) = match kind {
        Kind::Process => target_limits(&mut table, cx),
        Kind::Lambda | Kind::Http | Kind::Mock => (TargetLimits::default(), None),
    };
    let events = table.opt(cx, "event_invoke", |at, cx| {
        event_invoke(at, cx, &named.name, Owner::Function)
    });
    limits.event_invoke = events.unwrap_or_default();
    let kind = kind_of(&mut table, cx, kind);
    table.finish(cx);
    let function = named.name.clone();
    let target = kind.map(|kind| Target {
        function,
        kind,
        concurrency,
        timeout,
        memory_mb,
        limits,
    });
    (named, target, place)
}

fn kind_of(table: &mut Table<'_>, cx: &mut Cx, kind: Kind) -> Option<TargetKind> {
    let signs = [
        ("header", ErrorSign::Header),
        ("body", ErrorSign::Body),
        ("status", ErrorSign::Status),
    ];
    match kind {
        Kind::Lambda => Some(TargetKind::Lambda {
            endpoint_url: table.opt(cx, "endpoint_url", url),
            errors: table
                .opt(cx, "errors", choice(&signs))
                .unwrap_or(ErrorSign::Header),
        }),
        Kind::Http => {
            let url = table.req(cx, "url", "\"http://localhost:8080/\"", url);
            let errors = table
                .opt(cx, "errors", choice(&signs))
                .unwrap_or(ErrorSign::Status);
            Some(TargetKind::Http { url: url?, errors })
        }
        Kind::Process => {
            let command = table.req(cx, "command", "[\"./bootstrap\"]", command);
            let env = table.opt(cx, "env", pairs).unwrap_or_default();
            Some(TargetKind::Process {
                command: command?,
                env: Variables(env),
            })
        }
        Kind::Mock => Some(TargetKind::Mock {
            duration: table
                .opt(cx, "duration", dist::time)
                .unwrap_or(Dist::Constant(MOCK_DURATION)),
            error_rate: table.opt(cx, "error_rate", ratio).unwrap_or(Ratio::ZERO),
        }),
    }
}

fn command(at: At<'_>, cx: &mut Cx) -> Option<Vec<String>> {
    let words = list(string)(at, cx)?;
    if words.first().is_some_and(|program| !program.is_empty()) {
        return Some(words);
    }
    cx.push(
        Diagnostic::new("empty-list", format!("`{}` names no program", at.key))
            .at(&at.node.span)
            .label("empty")
            .help("write the program and its arguments: [\"./bootstrap\", \"--verbose\"]"),
    );
    None
}
