//! `[[source]]` of a scenario: modelled streams and queues, and who fills them.

use super::arrivals::arrivals;
use super::availability::{SOURCES, not_yet};
use super::convert::{Named, choice, duration_in, integer, name, number, unique};
use super::diagnostic::Diagnostic;
use super::dist;
use super::model::{Dist, Keys, Producer, Source, SourceModel};
use super::node::Value;
use super::read::{At, Cx, Table, single};
use crate::engine::{SourceKind, Span, limits};
use std::ops::RangeInclusive;

/// What mappings need to know of a source, even of one that cannot be used.
#[derive(Clone, Debug)]
pub(crate) struct SourceInfo {
    pub(crate) named: Named,
    pub(crate) kind: Option<SourceKind>,
    /// Queues only.
    pub(crate) visibility_timeout: Option<Span>,
    pub(crate) model: Option<Source>,
}

pub(crate) const SHARDS: RangeInclusive<i64> = 1..=10_000;
pub(crate) const VISIBILITY: RangeInclusive<Span> = Span::ZERO..=Span::from_secs(43_200);
pub(crate) const RECEIVES: RangeInclusive<i64> = 1..=1_000;
const RETENTION: RangeInclusive<Span> = Span::from_secs(60)..=Span::from_secs(8_760 * 3_600);
const RETENTION_DEFAULT: Span = Span::from_secs(24 * 3_600);
/// A read or receive that has something to return. Ours: what callers in the same Region commonly see.
const LATENCY_DEFAULT: f64 = 10_000_000.0;
const SIZE_DEFAULT: f64 = 1_024.0;

pub(crate) fn sources(root: &mut Table<'_>, cx: &mut Cx) -> Vec<SourceInfo> {
    let tables = root.tables(cx, "source", "[[source]]");
    let found: Vec<SourceInfo> = tables.into_iter().map(|table| source(table, cx)).collect();
    unique(
        "sources",
        found
            .iter()
            .map(|info| &info.named)
            .filter(|named| !named.name.is_empty()),
        cx,
    );
    found
}

fn source(mut table: Table<'_>, cx: &mut Cx) -> SourceInfo {
    let span = table.span.clone();
    let named = table.req(cx, "name", "\"orders\"", name);
    let named = named.unwrap_or(Named {
        name: String::new(),
        span,
    });
    let kind = table.req(cx, "type", "\"sqs\"", choice(&SourceKind::ALL));
    let mut info = SourceInfo {
        named,
        kind,
        visibility_timeout: None,
        model: None,
    };
    let Some(kind) = kind else {
        return info;
    };
    if !SOURCES.contains(&kind) {
        // Its own keys are not known yet: naming them unknown would mislead.
        if let Some(entry) = table.entry("type") {
            let advice = "use a source of type kinesis or sqs";
            cx.push(not_yet(
                &format!("a source of type {kind}"),
                &entry.node.span,
                advice,
            ));
        }
        return info;
    }
    let model = model(&mut table, cx, kind);
    if let SourceModel::Sqs {
        visibility_timeout, ..
    } = model
    {
        info.visibility_timeout = Some(visibility_timeout);
    }
    let latency = table
        .opt(cx, "latency", dist::time)
        .unwrap_or(Dist::Constant(LATENCY_DEFAULT));
    let tables = table.tables(cx, "producer", "[[source.producer]]");
    let producers: Vec<Producer> = tables
        .into_iter()
        .filter_map(|table| producer(table, cx))
        .collect();
    if table.entry("producer").is_none() {
        cx.push(
            Diagnostic::new(
                "nothing-happens",
                format!("nobody fills the source `{}`", info.named.name),
            )
            .at(&info.named.span)
            .label("no [[source.producer]]")
            .help("add a [[source.producer]] with a `rate`")
            .warning(),
        );
    }
    table.finish(cx);
    info.model = Some(Source {
        name: info.named.name.clone(),
        kind: model,
        producers,
        latency,
    });
    info
}

/// The keys of the kind itself.
fn model(table: &mut Table<'_>, cx: &mut Cx, kind: SourceKind) -> SourceModel {
    if kind.is_queue() {
        let visibility_timeout = table.opt(cx, "visibility_timeout", duration_in(VISIBILITY));
        let visibility_timeout = visibility_timeout.unwrap_or(limits::SQS_VISIBILITY_DEFAULT);
        let max_receive_count = table.opt(cx, "max_receive_count", integer(RECEIVES));
        SourceModel::Sqs {
            visibility_timeout,
            max_receive_count,
        }
    } else {
        SourceModel::Kinesis {
            shards: table.opt(cx, "shards", integer(SHARDS)).unwrap_or(1),
            retention: table
                .opt(cx, "retention", duration_in(RETENTION))
                .unwrap_or(RETENTION_DEFAULT),
        }
    }
}

fn producer(mut table: Table<'_>, cx: &mut Cx) -> Option<Producer> {
    let arrivals = arrivals(&mut table, cx);
    let (size, keys) = table
        .opt(cx, "record", record)
        .unwrap_or((Dist::Constant(SIZE_DEFAULT), Keys::Unique));
    table.finish(cx);
    Some(Producer {
        arrivals: arrivals?,
        size,
        keys,
    })
}

/// The `record` of a producer: size and keys.
pub(crate) fn record(at: At<'_>, cx: &mut Cx) -> Option<(Dist, Keys)> {
    let mut table = Table::open(at, "`record`", cx)?;
    let size = table
        .opt(cx, "size", dist::size)
        .unwrap_or(Dist::Constant(SIZE_DEFAULT));
    let keys = table.opt(cx, "keys", keys).unwrap_or(Keys::Unique);
    table.finish(cx);
    Some((size, keys))
}

fn keys(at: At<'_>, cx: &mut Cx) -> Option<Keys> {
    if matches!(at.node.value, Value::String(_)) {
        return choice(&[("unique", Keys::Unique)])(at, cx);
    }
    let entry = single(at, &["zipf"], cx)?;
    let mut table = Table::open(entry.into(), "`zipf`", cx)?;
    let n = table.req(cx, "n", "10000", integer(1..=10_000_000));
    let s = table.req(cx, "s", "1.1", number(0.0..=100.0));
    table.finish(cx);
    Some(Keys::Zipf { n: n?, s: s? })
}
