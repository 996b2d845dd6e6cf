//! How a poller's mapping names its Kafka topic.

use super::arn::Arn;
use super::availability::not_yet;
use super::convert::{choice, list, string};
use super::diagnostic::Diagnostic;
use super::poller_model::{KafkaProtocol, KafkaSource};
use super::read::{Cx, Table};
use crate::engine::config::MappingParameters;

/// The topic of a self-managed cluster, or of the cluster `arn` of MSK.
///
/// AWS asks MSK for the addresses of its brokers; here the file names them as `bootstrap_servers`. Rule
/// `kafka-group-default`: without ConsumerGroupId the mapping's name, which is as lasting as AWS's UUID, names the group.
pub(crate) fn source(
    table: &mut Table<'_>,
    cx: &mut Cx,
    written: &MappingParameters,
    arn: Option<Arn>,
) -> Option<KafkaSource> {
    let protocol = table.opt(cx, "security_protocol", choice(&KafkaProtocol::ALL));
    let config = match arn {
        Some(_) => &written.amazon_managed_kafka_event_source_config,
        None => &written.self_managed_kafka_event_source_config,
    };
    let config = config.clone().unwrap_or_default();
    if config.consumption_mode.as_deref() == Some("Queue")
        && let Some(entry) = table.entry("SelfManagedKafkaEventSourceConfig")
    {
        cx.push(not_yet(
            "`ConsumptionMode = \"Queue\"`",
            &entry.node.span,
            "leave it out: the topic is then read as a stream",
        ));
    }
    let servers = match arn {
        Some(_) => {
            let example = "[\"b-1.orders.abc123.c2.kafka.us-east-1.amazonaws.com:9096\"]";
            table.req(cx, "bootstrap_servers", example, list(string))?
        }
        None => written
            .self_managed_event_source
            .clone()
            .unwrap_or_default(),
    };
    // The rules have a word for a missing topic, and for servers of self-managed clusters.
    let topics = written.topics.as_deref().unwrap_or_default();
    let topic = topics.first().cloned().unwrap_or_default();
    let is_server = |text: &String| {
        text.rsplit_once(':')
            .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
    };
    if let Some(entry) = table.entry("bootstrap_servers")
        && !(servers.iter().all(is_server) && (1..=10).contains(&servers.len()))
    {
        cx.push(
            Diagnostic::new(
                "bad-name",
                "`bootstrap_servers` does not name Kafka's servers",
            )
            .at(&entry.node.span)
            .label("cannot be understood")
            .allowed("1 to 10 of host:port"),
        );
        return None;
    }
    Some(KafkaSource {
        arn,
        servers,
        topic,
        group: config
            .consumer_group_id
            .unwrap_or_else(|| written.name.clone()),
        protocol,
    })
}
