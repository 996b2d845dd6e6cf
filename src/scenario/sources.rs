//! `[[source]]` of a scenario: modelled streams and queues, and who fills them.

use super::arrivals::arrivals;
use super::availability::{MODELS, not_yet};
use super::brokers;
use super::convert::{Named, boolean, choice, duration_in, integer, name, number, ratio, unique};
use super::diagnostic::Diagnostic;
use super::dist;
use super::lineage::{LIFETIMES_MAX, rollovers};
use super::model::{Dist, Keys, OnThrottle, Producer, Source, SourceModel, Stream, StreamService};
use super::node::Value;
use super::read::{At, Cx, Table, single};
use super::reshard::reshards;
use super::topics;
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
const SHARD_LIFETIME: RangeInclusive<Span> = Span::from_secs(60)..=Span::from_secs(24 * 3_600);
/// A read or receive that has something to return. Ours: what callers in the same Region commonly see.
const LATENCY_DEFAULT: f64 = 10_000_000.0;
const SIZE_DEFAULT: f64 = 1_024.0;

/// The sources of a scenario of the length `duration`, if that is known.
pub(crate) fn sources(
    root: &mut Table<'_>,
    cx: &mut Cx,
    duration: Option<Span>,
) -> Vec<SourceInfo> {
    let tables = root.tables(cx, "source", "[[source]]");
    let found: Vec<SourceInfo> = tables
        .into_iter()
        .map(|table| source(table, cx, duration))
        .collect();
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

fn source(mut table: Table<'_>, cx: &mut Cx, duration: Option<Span>) -> SourceInfo {
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
    if !MODELS.contains(&kind) {
        // Its own keys are not known yet: naming them unknown would mislead.
        if let Some(entry) = table.entry("type") {
            let advice = "use a source of type kinesis, dynamodb, sqs, sqs-fifo, kafka, msk, rabbitmq or activemq";
            cx.push(not_yet(
                &format!("a source of type {kind}"),
                &entry.node.span,
                advice,
            ));
        }
        return info;
    }
    let model = model(&mut table, cx, kind, duration);
    if let SourceModel::Sqs {
        visibility_timeout, ..
    } = model
    {
        info.visibility_timeout = Some(visibility_timeout);
    }
    let latency = table
        .opt(cx, "latency", dist::time)
        .unwrap_or(Dist::Constant(LATENCY_DEFAULT));
    let delivery = match model {
        SourceModel::Broker(_) => None,
        _ => table.opt(cx, "delivery", dist::time),
    };
    let tables = table.tables(cx, "producer", "[[source.producer]]");
    let producers: Vec<Producer> = tables
        .into_iter()
        .filter_map(|table| producer(table, cx, kind))
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
        delivery,
    });
    info
}

/// The keys of the kind itself.
fn model(
    table: &mut Table<'_>,
    cx: &mut Cx,
    kind: SourceKind,
    duration: Option<Span>,
) -> SourceModel {
    match kind {
        SourceKind::Kinesis => SourceModel::Stream(kinesis(table, cx, duration)),
        SourceKind::DynamoDb => SourceModel::Stream(dynamodb(table, cx, duration)),
        _ if kind.is_broker() => brokers::queue(table, cx, kind),
        _ if kind.is_kafka() => topics::topic(table, cx, kind),
        _ => {
            let visibility_timeout = table.opt(cx, "visibility_timeout", duration_in(VISIBILITY));
            let visibility_timeout = visibility_timeout.unwrap_or(limits::SQS_VISIBILITY_DEFAULT);
            let max_receive_count = table.opt(cx, "max_receive_count", integer(RECEIVES));
            SourceModel::Sqs {
                is_fifo: kind == SourceKind::SqsFifo,
                visibility_timeout,
                max_receive_count,
            }
        }
    }
}

fn kinesis(table: &mut Table<'_>, cx: &mut Cx, duration: Option<Span>) -> Stream {
    let shards = table.opt(cx, "shards", integer(SHARDS)).unwrap_or(1);
    let retention = table.opt(cx, "retention", duration_in(RETENTION));
    let write_limits = table.opt(cx, "write_limits", boolean);
    let read_limits = table.opt(cx, "read_limits", boolean);
    Stream {
        service: StreamService::Kinesis,
        shards: reshards(table, cx, shards, duration).shards,
        retention: retention.unwrap_or(limits::KINESIS_RETENTION_DEFAULT),
        write_limits: write_limits.unwrap_or(true),
        read_limits: read_limits.unwrap_or(true),
    }
}

fn dynamodb(table: &mut Table<'_>, cx: &mut Cx, duration: Option<Span>) -> Stream {
    let shards = table.opt(cx, "shards", integer(SHARDS)).unwrap_or(1);
    let lifetime = table.opt(cx, "shard_lifetime", duration_in(SHARD_LIFETIME));
    let lifetime = lifetime.unwrap_or(limits::DYNAMODB_SHARD_LIFETIME);
    let duration = duration.unwrap_or(Span::ZERO);
    let over_time = rollovers(shards, lifetime, duration);
    if over_time > LIFETIMES_MAX as u64 {
        let place = table
            .peek("shards")
            .or_else(|| table.peek("shard_lifetime"));
        let span = place.map_or(table.span.clone(), |entry| entry.node.span.clone());
        cx.push(
            Diagnostic::new("out-of-range", "a stream has too many shards over time")
                .at(&span)
                .label(format!(
                    "{over_time}: {shards} at once, new ones every {lifetime} for {duration}"
                ))
                .allowed(format!("up to {LIFETIMES_MAX}, closed ones included"))
                .help("raise `shard_lifetime`, or simulate a shorter time"),
        );
        return Stream::dynamodb(1, lifetime, Span::ZERO);
    }
    Stream::dynamodb(shards, lifetime, duration)
}

fn producer(mut table: Table<'_>, cx: &mut Cx, kind: SourceKind) -> Option<Producer> {
    let arrivals = arrivals(&mut table, cx);
    let (size, keys) = table
        .opt(cx, "record", record)
        .unwrap_or((Dist::Constant(SIZE_DEFAULT), Keys::Unique));
    // Only Kinesis refuses producers for what a shard takes.
    let on_throttle = if kind == SourceKind::Kinesis {
        let ways = [("retry", OnThrottle::Retry), ("drop", OnThrottle::Drop)];
        table.opt(cx, "on_throttle", choice(&ways))
    } else {
        None
    };
    table.finish(cx);
    Some(Producer {
        arrivals: arrivals?,
        size,
        keys,
        on_throttle: on_throttle.unwrap_or_default(),
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

pub(crate) fn keys(at: At<'_>, cx: &mut Cx) -> Option<Keys> {
    if matches!(at.node.value, Value::String(_)) {
        return choice(&[("unique", Keys::Unique)])(at, cx);
    }
    let entry = single(at, &["zipf", "hot"], cx)?;
    if entry.key == "hot" {
        let mut table = Table::open(entry.into(), "`hot`", cx)?;
        let share = table.req(cx, "share", "\"50%\"", ratio);
        let keys = table.opt(cx, "keys", integer(1..=10_000));
        let wrong = keys.is_none() && table.entry("keys").is_some();
        table.finish(cx);
        let keys = keys.unwrap_or(1);
        return (!wrong).then_some(Keys::Hot {
            share: share?,
            keys,
        });
    }
    let mut table = Table::open(entry.into(), "`zipf`", cx)?;
    let n = table.req(cx, "n", "10000", integer(1..=10_000_000));
    let s = table.req(cx, "s", "1.1", number(0.0..=100.0));
    table.finish(cx);
    Some(Keys::Zipf { n: n?, s: s? })
}
