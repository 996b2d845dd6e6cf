//! Modelled topics of Kafka, and the parameters of their mappings that a model does not ask for.

use super::availability::not_yet;
use super::convert::{duration_in, integer};
use super::diagnostic::Diagnostic;
use super::dist;
use super::mappings::Declared;
use super::model::{Dist, SourceModel, Topic};
use super::read::{Cx, Table};
use super::sources::SourceInfo;
use crate::engine::config::{MappingParameters, SourceAccessConfiguration};
use crate::engine::{SourceKind, Span, limits};
use std::ops::RangeInclusive;

/// Ours: more than any topic of a sane cluster has.
const PARTITIONS: RangeInclusive<i64> = 1..=10_000;
const RETENTION: RangeInclusive<Span> = Span::from_secs(1)..=Span::from_secs(8_760 * 3_600);
/// What a rebalance takes when nothing is said: a group hears of it with the next heartbeat, every three seconds.
const REBALANCE_DEFAULT: f64 = 3e9;

/// The keys of a modelled topic.
pub(crate) fn topic(table: &mut Table<'_>, cx: &mut Cx, kind: SourceKind) -> SourceModel {
    let partitions = table.opt(cx, "partitions", integer(PARTITIONS));
    let retention = table.opt(cx, "retention", duration_in(RETENTION));
    let rebalance = table.opt(cx, "rebalance", dist::time);
    SourceModel::Kafka(Topic {
        kind,
        partitions: partitions.unwrap_or(1),
        retention: retention.unwrap_or(limits::KAFKA_RETENTION_DEFAULT),
        rebalance: rebalance.unwrap_or(Dist::Constant(REBALANCE_DEFAULT)),
    })
}

/// A modelled cluster has the one topic, and is reached without an address and without credentials: AWS's parameters for
/// these need not be written.
pub(crate) fn complete(written: &mut MappingParameters, source: &SourceInfo) {
    if !source.kind.is_some_and(SourceKind::is_kafka) {
        return;
    }
    written
        .topics
        .get_or_insert_with(|| vec![source.named.name.clone()]);
    if source.kind == Some(SourceKind::SelfManagedKafka) {
        written
            .self_managed_event_source
            .get_or_insert_with(|| vec!["modelled:9092".to_owned()]);
        written.source_access_configurations.get_or_insert_with(|| {
            vec![SourceAccessConfiguration {
                kind: "VPC_SUBNET".to_owned(),
                uri: "subnet:modelled".to_owned(),
            }]
        });
    }
}

/// Share groups are another kind of consumer, which nothing here models.
pub(crate) fn refuse_share_groups(table: &Table<'_>, written: &MappingParameters, cx: &mut Cx) {
    let config = written.self_managed_kafka_event_source_config.as_ref();
    if config.and_then(|it| it.consumption_mode.as_deref()) == Some("Queue")
        && let Some(entry) = table.peek("SelfManagedKafkaEventSourceConfig")
    {
        cx.push(not_yet(
            "`ConsumptionMode = \"Queue\"`",
            &entry.node.span,
            "leave it out: the topic is then read as a stream",
        ));
    }
}

/// Two mappings that name one group would share its partitions; here each mapping is a group of its own.
pub(crate) fn own_groups(declared: &[Declared], cx: &mut Cx) {
    for (index, one) in declared.iter().enumerate() {
        let shares = |other: &&Declared| {
            other.mapping.source == one.mapping.source
                && group(&other.written).is_some_and(|it| Some(it) == group(&one.written))
        };
        if let Some(other) = declared[..index].iter().find(shares) {
            let name = &other.mapping.config.name;
            cx.push(
                Diagnostic::new(
                    "not-available-yet",
                    "mappings that share a consumer group are not available in this version",
                )
                .at(&one.span)
                .label(format!("`{name}` has the same ConsumerGroupId"))
                .help(
                    "leave ConsumerGroupId out of one of them: each mapping has a group of its own",
                ),
            );
        }
    }
}

fn group(written: &MappingParameters) -> Option<&str> {
    let config = written
        .self_managed_kafka_event_source_config
        .as_ref()
        .or(written.amazon_managed_kafka_event_source_config.as_ref());
    config?.consumer_group_id.as_deref()
}
