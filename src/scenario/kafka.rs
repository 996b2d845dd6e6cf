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
/// AWS asks MSK for the addresses of its brokers; here the file names them as `bootstrap_servers`.
///
/// Rule `kafka-group-default`: without ConsumerGroupId the mapping's name, which is as lasting as AWS's UUID, names the group.
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
            let named = table.req(cx, "bootstrap_servers", example, list(string));
            named.unwrap_or_default()
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

#[cfg(test)]
mod tests {
    use crate::engine::SourceKind;
    use crate::scenario::{
        KafkaProtocol, KafkaSource, MappingSource, PollerMapping, SourceText, parse_poller,
    };

    const SELF_MANAGED: &str = r#"
SelfManagedEventSource = { Endpoints = { KAFKA_BOOTSTRAP_SERVERS = ["a:9092", "b:9092"] } }
SourceAccessConfigurations = [{ Type = "VPC_SUBNET", URI = "subnet:subnet-1" }]
"#;
    const MSK: &str = r#"
EventSourceArn = "arn:aws:kafka:us-east-1:123456789012:cluster/orders/751d2973-a626-431c-9d4e-d7975eb44dd7-2"
"#;

    fn read(lines: &str) -> Result<PollerMapping, String> {
        let text = format!(
            "[[target]]\nfunction = \"f\"\ntype = \"mock\"\n[[mapping]]\nname = \"orders\"\n\
             FunctionName = \"f\"\nStartingPosition = \"LATEST\"\n{lines}"
        );
        match parse_poller(SourceText::new("p.toml", &text)) {
            Ok(loaded) => Ok(loaded.file.mappings[0].clone()),
            Err(report) => Err(report.to_string()),
        }
    }

    fn kafka(lines: &str) -> (SourceKind, KafkaSource) {
        let mapping = read(lines).expect("a good file");
        match mapping.source {
            MappingSource::Kafka(kafka) => (mapping.config.source, *kafka),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn kafka_group_default() {
        let (kind, source) = kafka(&format!("{SELF_MANAGED}Topics = [\"t\"]\n"));
        assert_eq!(kind, SourceKind::SelfManagedKafka);
        assert_eq!(
            (source.group.as_str(), source.topic.as_str()),
            ("orders", "t")
        );
        assert_eq!(source.servers, ["a:9092", "b:9092"]);
        assert_eq!(source.arn, None);
        let named = "SelfManagedKafkaEventSourceConfig = { ConsumerGroupId = \"readers\" }\n";
        let (_, source) = kafka(&format!("{SELF_MANAGED}Topics = [\"t\"]\n{named}"));
        assert_eq!(source.group, "readers");
    }

    #[test]
    fn a_cluster_of_msk_is_named_by_its_arn_and_its_servers() {
        let lines = "Topics = [\"t\"]\nbootstrap_servers = [\"b-1:9096\"]\nsecurity_protocol = \"SASL_SSL\"\n";
        let (kind, source) = kafka(&format!("{MSK}{lines}"));
        assert_eq!(kind, SourceKind::Msk);
        assert!(source.arn.is_some_and(|arn| arn.name == "orders"));
        assert_eq!(source.protocol, Some(KafkaProtocol::SaslSsl));
    }

    #[test]
    fn what_is_missing_or_odd_is_said() {
        for (lines, said) in [
            (format!("{MSK}Topics = [\"t\"]\n"), "bootstrap_servers"),
            (
                format!("{MSK}Topics = [\"t\"]\nbootstrap_servers = [\"b-1\"]\n"),
                "1 to 10 of host:port",
            ),
            (
                SELF_MANAGED.to_owned(),
                "`Topics` must hold exactly one name",
            ),
            (
                format!("{SELF_MANAGED}Topics = [\"t\"]\nsecurity_protocol = \"TLS\"\n"),
                "PLAINTEXT, SSL, SASL_PLAINTEXT",
            ),
            (
                format!(
                    "{SELF_MANAGED}Topics = [\"t\"]\n\
                     SelfManagedKafkaEventSourceConfig = {{ ConsumptionMode = \"Queue\" }}\n"
                ),
                "not available",
            ),
        ] {
            let report = read(&lines).expect_err(said);
            assert!(report.contains(said), "{said} is not in:\n{report}");
        }
    }
}
