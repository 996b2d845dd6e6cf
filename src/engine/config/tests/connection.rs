//! Rules of how brokers and databases are reached, and of what a mapping reports.

use super::SourceKind::{ActiveMq, DocumentDb, Kinesis, Msk, SelfManagedKafka};
use super::*;

#[test]
fn esm_topics() {
    assert_eq!(codes(Msk, |p| p.topics = None), ["esm-topics"]);
    assert_eq!(
        codes(Msk, |p| p.topics = Some(vec!["t".into(); 2])),
        ["esm-topics"]
    );
    assert_eq!(
        codes(Msk, |p| p.topics = Some(vec!["t".repeat(250)])),
        ["esm-topics"]
    );
}

#[test]
fn esm_queues() {
    assert_eq!(codes(ActiveMq, |p| p.queues = None), ["esm-queues"]);
}

#[test]
fn esm_access_required() {
    let message = text(SelfManagedKafka, |p| p.source_access_configurations = None);
    assert_eq!(
        message,
        "Required 'sourceAccessConfigurations' parameter is missing."
    );
    assert_eq!(
        codes(ActiveMq, |p| p.source_access_configurations = None),
        ["esm-access-required"]
    );
}

#[test]
fn esm_access_values() {
    let list = Some(vec![access("PASSWORD")]);
    assert_eq!(
        codes(Msk, |p| p.source_access_configurations = list),
        ["esm-access-values"]
    );
    let many = Some(vec![access("VPC_SUBNET"); 24]);
    assert_eq!(
        codes(Msk, |p| p.source_access_configurations = many),
        ["esm-access-values"]
    );
}

#[test]
fn esm_bootstrap_servers() {
    for servers in [
        vec![],
        vec!["host".into()],
        vec!["host:0".into()],
        vec!["h:1".into(); 11],
    ] {
        let found = codes(SelfManagedKafka, |p| {
            p.self_managed_event_source = Some(servers);
        });
        assert_eq!(found, ["esm-bootstrap-servers"]);
    }
}

fn mode(mode: &str) -> Option<KafkaEventSourceConfig> {
    Some(KafkaEventSourceConfig {
        consumer_group_id: None,
        consumption_mode: Some(mode.into()),
    })
}

#[test]
fn esm_consumer_group() {
    let config = KafkaEventSourceConfig {
        consumer_group_id: Some("g".repeat(201)),
        consumption_mode: None,
    };
    let found = codes(Msk, |p| {
        p.amazon_managed_kafka_event_source_config = Some(config);
    });
    assert_eq!(found, ["esm-consumer-group"]);
}

#[test]
fn esm_kafka_queue_mode() {
    let found = codes(SelfManagedKafka, |p| {
        p.self_managed_kafka_event_source_config = mode("Queue");
        p.starting_position = Some("LATEST".into());
        p.maximum_retry_attempts = Some(-1);
    });
    assert_eq!(found, ["esm-kafka-queue-mode"; 2]);
    let mut plain = base(SelfManagedKafka);
    plain.self_managed_kafka_event_source_config = mode("Queue");
    let config = check(SelfManagedKafka, &plain).expect("a share group");
    assert_eq!(config.maximum_retry_attempts, Some(0));
}

#[test]
fn esm_kafka_needs_pollers() {
    assert_eq!(
        codes(Msk, |p| p.maximum_retry_attempts = Some(3)),
        ["esm-kafka-needs-pollers"]
    );
    let provisioned = |p: &mut MappingParameters| {
        p.maximum_retry_attempts = Some(3);
        p.provisioned_poller_config = pollers(1, 2);
    };
    assert!(codes(Msk, provisioned).is_empty());
    assert_eq!(
        codes(Msk, |p| p.destination_config = to("kafka://failed")),
        ["esm-kafka-needs-pollers"]
    );
}

#[test]
fn esm_kafka_other_topic() {
    let own = |name: &'static str| {
        codes(Msk, move |p| {
            p.topics = Some(vec!["orders".into()]);
            p.provisioned_poller_config = pollers(1, 1);
            p.destination_config = to(name);
        })
    };
    assert_eq!(own("kafka://orders"), ["esm-kafka-other-topic"]);
    assert!(own("kafka://orders-failed").is_empty());
}

#[test]
fn esm_documentdb_config() {
    assert_eq!(
        codes(DocumentDb, |p| p.document_db_event_source_config = None),
        ["esm-documentdb-config"]
    );
}

#[test]
fn esm_metrics_values() {
    let list = || Some(vec!["KafkaMetrics".to_owned()]);
    assert_eq!(
        codes(Kinesis, |p| p.metrics_config = list()),
        ["esm-metrics-values"]
    );
    assert!(codes(Msk, |p| p.metrics_config = list()).is_empty());
}

#[test]
fn esm_log_level_values() {
    assert_eq!(
        codes(Msk, |p| p.logging_config = Some("LOUD".into())),
        ["esm-log-level-values"]
    );
}
