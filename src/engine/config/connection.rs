//! Rules of how Kafka, Amazon MQ and DocumentDB are reached, and of what a mapping reports.

use super::check::shorten;
use super::rule::Violation;
use super::{KafkaEventSourceConfig, MappingParameters, SourceKind};

const ACCESS_TYPES: [&str; 15] = [
    "BASIC_AUTH",
    "VPC_SUBNET",
    "VPC_SECURITY_GROUP",
    "SASL_SCRAM_256_AUTH",
    "SASL_SCRAM_512_AUTH",
    "VIRTUAL_HOST",
    "CLIENT_CERTIFICATE_TLS_AUTH",
    "SERVER_ROOT_CA_CERTIFICATE",
    "OAUTHBEARER_AUTH",
    "OAUTHBEARER_SCOPE",
    "OAUTHBEARER_AUDIENCE",
    "OAUTHBEARER_LOGICAL_CLUSTER",
    "OAUTHBEARER_IDENTITY_POOL",
    "IAM_AUTH",
    "IAM_OAUTHBEARER_AUTH",
];

pub(super) fn check(kind: SourceKind, parameters: &MappingParameters, found: &mut Vec<Violation>) {
    match kind {
        SourceKind::Kinesis | SourceKind::DynamoDb | SourceKind::Sqs | SourceKind::SqsFifo => {}
        SourceKind::Msk => {
            one_of(
                "Topics",
                "esm-topics",
                parameters.topics.as_deref(),
                249,
                found,
            );
            kafka(
                parameters.amazon_managed_kafka_event_source_config.as_ref(),
                kind,
                found,
            );
        }
        SourceKind::SelfManagedKafka => {
            one_of(
                "Topics",
                "esm-topics",
                parameters.topics.as_deref(),
                249,
                found,
            );
            kafka(
                parameters.self_managed_kafka_event_source_config.as_ref(),
                kind,
                found,
            );
            servers(parameters, found);
        }
        SourceKind::ActiveMq | SourceKind::RabbitMq => {
            one_of(
                "Queues",
                "esm-queues",
                parameters.queues.as_deref(),
                1_000,
                found,
            );
        }
        SourceKind::DocumentDb => document_db(parameters, found),
    }
    access(kind, parameters, found);
    if is_queue_mode(parameters) {
        queue_mode(parameters, found);
    }
    reporting(kind, parameters, found);
}

/// Whether the mapping reads through a Kafka share group.
pub(super) fn is_queue_mode(parameters: &MappingParameters) -> bool {
    let config = parameters.self_managed_kafka_event_source_config.as_ref();
    config.and_then(|config| config.consumption_mode.as_deref()) == Some("Queue")
}

fn one_of(
    parameter: &'static str,
    rule: &'static str,
    names: Option<&[String]>,
    chars_max: usize,
    found: &mut Vec<Violation>,
) {
    let fits = |name: &String| (1..=chars_max).contains(&name.chars().count());
    if matches!(names, Some([name]) if fits(name)) {
        return;
    }
    let count = names.map_or(0, <[String]>::len);
    found.push(
        Violation::new(
            parameter,
            rule,
            format!("`{parameter}` must hold exactly one name"),
        )
        .found(match names {
            None => format!("this mapping has no `{parameter}`"),
            Some([_]) => "the name is too long or empty".to_owned(),
            Some(_) => format!("found {count} names"),
        })
        .allowed(format!("one name of 1 to {chars_max} characters")),
    );
}

fn kafka(config: Option<&KafkaEventSourceConfig>, kind: SourceKind, found: &mut Vec<Violation>) {
    let Some(config) = config else {
        return;
    };
    let parameter = match kind {
        SourceKind::Msk => "AmazonManagedKafkaEventSourceConfig",
        _ => "SelfManagedKafkaEventSourceConfig",
    };
    if let Some(group) = &config.consumer_group_id
        && !(1..=200).contains(&group.chars().count())
    {
        found.push(
            Violation::new(
                parameter,
                "esm-consumer-group",
                "`ConsumerGroupId` has an impossible length",
            )
            .found(format!("found {} characters", group.chars().count()))
            .allowed("1 to 200 characters"),
        );
    }
    if let Some(mode) = &config.consumption_mode
        && (kind == SourceKind::Msk || !matches!(mode.as_str(), "Stream" | "Queue"))
    {
        found.push(
            Violation::new(
                parameter,
                "esm-kafka-queue-mode",
                "`ConsumptionMode` is not possible here",
            )
            .found(format!("found `{}`", shorten(mode)))
            .allowed("Stream or Queue, for self-managed Kafka only"),
        );
    }
}

fn queue_mode(parameters: &MappingParameters, found: &mut Vec<Violation>) {
    for (parameter, given) in [
        ("StartingPosition", parameters.starting_position.is_some()),
        (
            "StartingPositionTimestamp",
            parameters.starting_position_timestamp.is_some(),
        ),
        (
            "MaximumBatchingWindowInSeconds",
            parameters.maximum_batching_window_in_seconds.is_some(),
        ),
        (
            "MaximumRetryAttempts",
            parameters.maximum_retry_attempts == Some(-1),
        ),
    ] {
        if given {
            found.push(
                Violation::new(
                    parameter,
                    "esm-kafka-queue-mode",
                    format!("`{parameter}` is not possible with `ConsumptionMode = \"Queue\"`"),
                )
                .found("share groups keep their own positions and finite retries")
                .hint("remove it"),
            );
        }
    }
}

fn servers(parameters: &MappingParameters, found: &mut Vec<Violation>) {
    const PARAMETER: &str = "SelfManagedEventSource";
    let servers = parameters
        .self_managed_event_source
        .as_deref()
        .unwrap_or_default();
    let is_server = |text: &String| {
        text.rsplit_once(':').is_some_and(|(host, port)| {
            !host.is_empty() && port.parse::<u16>().is_ok_and(|p| p > 0)
        })
    };
    if (1..=10).contains(&servers.len()) && servers.iter().all(is_server) {
        return;
    }
    found.push(
        Violation::new(
            PARAMETER,
            "esm-bootstrap-servers",
            "the Kafka servers are not given as AWS needs them",
        )
        .found(match servers.iter().find(|server| !is_server(server)) {
            Some(server) => format!("found `{}`", shorten(server)),
            None => format!("found {} servers", servers.len()),
        })
        .allowed("1 to 10 of host:port in Endpoints.KAFKA_BOOTSTRAP_SERVERS"),
    );
}

fn access(kind: SourceKind, parameters: &MappingParameters, found: &mut Vec<Violation>) {
    const PARAMETER: &str = "SourceAccessConfigurations";
    let list = parameters
        .source_access_configurations
        .as_deref()
        .unwrap_or_default();
    let has = |name: &str| list.iter().any(|access| access.kind == name);
    let broker = matches!(
        kind,
        SourceKind::ActiveMq | SourceKind::RabbitMq | SourceKind::DocumentDb
    );
    if kind == SourceKind::SelfManagedKafka && list.is_empty() {
        found.push(
            Violation::new(
                PARAMETER,
                "esm-access-required",
                "Required 'sourceAccessConfigurations' parameter is missing.",
            )
            .verbatim()
            .found("self-managed Kafka is reached by authentication or a VPC")
            .allowed("at least one entry"),
        );
    } else if broker && !has("BASIC_AUTH") {
        found.push(
            Violation::new(
                PARAMETER,
                "esm-access-required",
                format!("{kind} needs BASIC_AUTH"),
            )
            .found("no entry of type BASIC_AUTH")
            .allowed("an entry { Type = \"BASIC_AUTH\", URI = \"arn of a secret\" }"),
        );
    }
    if list.len() > 23 {
        found.push(
            Violation::new(
                PARAMETER,
                "esm-access-values",
                "too many access configurations",
            )
            .found(format!("found {}", list.len()))
            .allowed("0 to 23 entries"),
        );
    }
    for entry in list {
        let known = ACCESS_TYPES.contains(&entry.kind.as_str());
        if !known || !(1..=200).contains(&entry.uri.chars().count()) {
            found.push(
                Violation::new(
                    PARAMETER,
                    "esm-access-values",
                    "an access configuration is not valid",
                )
                .found(format!("found type `{}`", shorten(&entry.kind)))
                .allowed(format!(
                    "a URI of 1 to 200 characters, and one of {}",
                    ACCESS_TYPES.join(", ")
                )),
            );
        }
    }
}

fn document_db(parameters: &MappingParameters, found: &mut Vec<Violation>) {
    let config = parameters
        .document_db_event_source_config
        .clone()
        .unwrap_or_default();
    let length = |text: &Option<String>| text.as_ref().map(|text| text.chars().count());
    let database = length(&config.database_name).is_some_and(|n| (1..=63).contains(&n));
    let collection = length(&config.collection_name).is_none_or(|n| (1..=57).contains(&n));
    let document = config.full_document.as_deref();
    if !(database && collection && matches!(document, None | Some("Default" | "UpdateLookup"))) {
        found.push(
            Violation::new(
                "DocumentDBEventSourceConfig",
                "esm-documentdb-config",
                "DocumentDB needs to know what to watch",
            )
            .found(if database { "a member is not valid" } else { "no valid `DatabaseName`" })
            .allowed("DatabaseName of 1 to 63 characters, CollectionName of 1 to 57, FullDocument Default or UpdateLookup"),
        );
    }
}

fn reporting(kind: SourceKind, parameters: &MappingParameters, found: &mut Vec<Violation>) {
    let allowed: &[&str] = if kind.is_kafka() {
        &["EventCount", "ErrorCount", "KafkaMetrics"]
    } else {
        &["EventCount"]
    };
    for name in parameters.metrics_config.iter().flatten() {
        if !allowed.contains(&name.as_str()) {
            found.push(
                Violation::new(
                    "MetricsConfig",
                    "esm-metrics-values",
                    "`MetricsConfig` holds something unknown",
                )
                .found(format!("found `{}`", shorten(name)))
                .allowed(format!("{} ({kind})", allowed.join(", "))),
            );
        }
    }
    if let Some(level) = &parameters.logging_config
        && !matches!(level.as_str(), "DEBUG" | "INFO" | "WARN")
    {
        found.push(
            Violation::new(
                "LoggingConfig",
                "esm-log-level-values",
                "`SystemLogLevel` is not a level",
            )
            .found(format!("found `{}`", shorten(level)))
            .allowed("DEBUG, INFO or WARN"),
        );
    }
}
