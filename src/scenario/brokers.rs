//! Keys of brokers: modelled queues of RabbitMQ and ActiveMQ, and how many consumers a mapping has.

use super::convert::{Named, integer};
use super::diagnostic::Diagnostic;
use super::model::{BrokerQueue, SourceModel};
use super::read::{At, Cx, Table};
use super::sources::SourceInfo;
use crate::engine::config::{MappingParameters, SourceAccessConfiguration};
use crate::engine::{SourceKind, limits};

/// -1 for no limit, as both brokers write it.
const REDELIVERIES: std::ops::RangeInclusive<i64> = -1..=1_000;

/// The keys of a modelled queue (rule `broker-redelivery-limit`).
pub(crate) fn queue(table: &mut Table<'_>, cx: &mut Cx, kind: SourceKind) -> SourceModel {
    let (key, default) = match kind {
        // A classic queue has no limit, and one of Amazon MQ is classic unless somebody says otherwise.
        SourceKind::RabbitMq => ("delivery_limit", None),
        _ => (
            "maximum_redeliveries",
            Some(limits::ACTIVEMQ_REDELIVERIES_MAX),
        ),
    };
    let written: Option<i64> = table.opt(cx, key, integer(REDELIVERIES));
    SourceModel::Broker(BrokerQueue {
        kind,
        // Nothing but -1 is negative.
        redeliveries_max: written.map_or(default, |limit| u32::try_from(limit).ok()),
    })
}

/// A broker has no rate that it could refuse; what goes wrong is its connections.
pub(crate) fn refuse_throttling(
    at: At<'_>,
    found: &str,
    brokers: &[&Named],
    cx: &mut Cx,
) -> Option<()> {
    if !brokers.iter().any(|broker| broker.name == found) {
        return Some(());
    }
    cx.push(
        Diagnostic::new(
            "fault-impossible",
            "a broker does not throttle its consumers",
        )
        .at(&at.node.span)
        .label("RabbitMQ and ActiveMQ hand out whatever their consumers ask for")
        .help("use `connections_lost = { source = … }`"),
    );
    None
}

/// A modelled broker is its one queue, and asks nobody who they are: AWS's parameters for both need not be written.
pub(crate) fn complete(written: &mut MappingParameters, source: &SourceInfo) {
    if !source.kind.is_some_and(SourceKind::is_broker) {
        return;
    }
    written
        .queues
        .get_or_insert_with(|| vec![source.named.name.clone()]);
    written.source_access_configurations.get_or_insert_with(|| {
        vec![SourceAccessConfiguration {
            kind: "BASIC_AUTH".to_owned(),
            uri: format!("env:{}", source.named.name),
        }]
    });
}

/// `consumers` of a mapping (rule `broker-consumers`).
pub(crate) fn consumers(table: &mut Table<'_>, cx: &mut Cx, kind: SourceKind) -> Option<u32> {
    let most = match kind {
        SourceKind::RabbitMq => limits::RABBITMQ_CONSUMERS_MAX,
        SourceKind::ActiveMq => limits::ACTIVEMQ_CONSUMERS,
        _ => return None,
    };
    table.opt(cx, "consumers", integer(1..=i64::from(most)))
}
