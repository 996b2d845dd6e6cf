//! Rules of what a mapping does with failures, windows and filters.

use super::check::shorten;
use super::rule::Violation;
use super::{MappingParameters, SourceKind, connection};
use crate::engine::filter::Filters;

const DESTINATION_CHARS_MAX: usize = 350;

pub(super) fn check(kind: SourceKind, parameters: &MappingParameters, found: &mut Vec<Violation>) {
    destination(kind, parameters, found);
    response_types(parameters, found);
    tumbling(parameters, found);
    filters(kind, parameters, found);
    if kind.is_kafka() && parameters.provisioned_poller_config.is_none() {
        without_pollers(parameters, found);
    }
}

fn destination(kind: SourceKind, parameters: &MappingParameters, found: &mut Vec<Violation>) {
    const UNSUPPORTED: &str =
        "Unsupported DestinationConfig parameter for given event source mapping type.";
    let Some(config) = &parameters.destination_config else {
        return;
    };
    if kind.is_queue() {
        found.push(
            Violation::new("DestinationConfig", "esm-sqs-no-destination", UNSUPPORTED)
                .verbatim()
                .found("the source is a queue")
                .hint("give the queue a redrive policy: `max_receive_count` of its [[source]]"),
        );
        return;
    }
    if config.on_success.is_some() {
        found.push(
            Violation::new(
                "DestinationConfig.OnSuccess",
                "esm-on-success-refused",
                UNSUPPORTED,
            )
            .verbatim()
            .found("mappings have no `OnSuccess`")
            .allowed("OnFailure"),
        );
    }
    let Some(target) = &config.on_failure else {
        return;
    };
    let topic = target.strip_prefix("kafka://");
    let service = target
        .strip_prefix("arn:")
        .map(|rest| rest.split(':').nth(1).unwrap_or_default());
    let known = match service {
        Some(service) => matches!(service, "sqs" | "sns" | "s3"),
        None => {
            // ours: AWS has no such destination
            let file = target.strip_prefix("file://");
            file.is_some_and(|path| !path.is_empty())
                || (kind.is_kafka() && topic.is_some_and(is_topic))
        }
    };
    if !known || target.chars().count() > DESTINATION_CHARS_MAX {
        found.push(
            Violation::new(
                "DestinationConfig.OnFailure",
                "esm-destination-form",
                "the destination is none that mappings can use",
            )
            .found(format!("found `{}`", shorten(target)))
            .allowed(
                "the ARN of an SQS queue, an SNS topic or an S3 bucket, file://path, which AWS does not know, or on Kafka \
                 kafka://topic; at most 350 characters",
            ),
        );
    } else if matches!(service, Some("sqs" | "sns")) && target.ends_with(".fifo") {
        found.push(
            Violation::new(
                "DestinationConfig.OnFailure",
                "esm-no-fifo-destination",
                "FIFO queues and topics cannot be destinations",
            )
            .found("the name ends in `.fifo`")
            .allowed("standard queues and topics"),
        );
    } else if let Some(topic) = topic {
        let topics = parameters.topics.as_deref().unwrap_or_default();
        if topics.iter().any(|own| own == topic) {
            found.push(
                Violation::new(
                    "DestinationConfig.OnFailure",
                    "esm-kafka-other-topic",
                    "the destination is the topic that the mapping reads",
                )
                .found(format!("`{}` in `Topics`, too", shorten(topic)))
                .hint("what is given up would come back for ever: name another topic"),
            );
        }
    }
}

/// Kafka's own rule of names.
fn is_topic(name: &str) -> bool {
    let byte = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    (1..=249).contains(&name.len()) && name.bytes().all(byte) && !matches!(name, "." | "..")
}

fn response_types(parameters: &MappingParameters, found: &mut Vec<Violation>) {
    let types = parameters
        .function_response_types
        .as_deref()
        .unwrap_or_default();
    let known = types.iter().all(|name| name == "ReportBatchItemFailures");
    if !known || types.len() > 1 {
        found.push(
            Violation::new(
                "FunctionResponseTypes",
                "esm-response-types-values",
                "`FunctionResponseTypes` holds something unknown",
            )
            .found(format!("found [{}]", shorten(&types.join(", "))))
            .allowed("[\"ReportBatchItemFailures\"] or []"),
        );
    }
}

fn tumbling(parameters: &MappingParameters, found: &mut Vec<Violation>) {
    let window = parameters.tumbling_window_in_seconds.unwrap_or(0);
    if window == 0 {
        return;
    }
    if parameters
        .parallelization_factor
        .is_some_and(|lanes| lanes > 1)
    {
        found.push(
            Violation::new(
                "ParallelizationFactor",
                "esm-tumbling-one-lane",
                "a tumbling window needs a `ParallelizationFactor` of 1",
            )
            .found(format!("given together with a window of {window} s"))
            .hint("remove one of them"),
        );
    }
    if parameters
        .filter_criteria
        .as_ref()
        .is_some_and(|filters| !filters.is_empty())
    {
        found.push(
            Violation::new(
                "FilterCriteria",
                "esm-tumbling-no-filters",
                "a tumbling window and filters exclude each other",
            )
            .found(format!("given together with a window of {window} s"))
            .hint("remove one of them"),
        );
    }
}

/// Every mistake of every pattern, each with the code of its own rule and its place inside the pattern.
fn filters(kind: SourceKind, parameters: &MappingParameters, found: &mut Vec<Violation>) {
    let filters = parameters.filter_criteria.as_deref().unwrap_or_default();
    let patterns: Vec<&str> = filters.iter().map(String::as_str).collect();
    // DocumentDB takes no FilterCriteria at all, which `esm-parameter-not-accepted` says.
    if kind != SourceKind::DocumentDb
        && let Err(errors) = Filters::compile(kind, &patterns)
    {
        found.extend(errors.into_iter().map(Violation::of_pattern));
    }
    if parameters.kms_key_arn.is_some() && filters.is_empty() {
        found.push(
            Violation::new(
                "KMSKeyArn",
                "esm-key-needs-filters",
                "`KMSKeyArn` needs filters to encrypt",
            )
            .found("there are no filters")
            .hint("add FilterCriteria, or remove the key"),
        );
    }
}

/// Kafka mappings without provisioned pollers retry for ever.
fn without_pollers(parameters: &MappingParameters, found: &mut Vec<Violation>) {
    let finite = parameters.maximum_retry_attempts.is_some_and(|n| n >= 0)
        && !connection::is_queue_mode(parameters);
    let types = parameters
        .function_response_types
        .as_deref()
        .unwrap_or_default();
    let destination = parameters.destination_config.as_ref();
    let on_failure = destination.and_then(|config| config.on_failure.as_deref());
    let is_to_topic = on_failure.is_some_and(|target| target.starts_with("kafka://"));
    for (parameter, given) in [
        ("MaximumRetryAttempts", finite),
        (
            "BisectBatchOnFunctionError",
            parameters.bisect_batch_on_function_error == Some(true),
        ),
        ("FunctionResponseTypes", !types.is_empty()),
        ("DestinationConfig", is_to_topic),
    ] {
        if given {
            found.push(
                Violation::new(
                    parameter,
                    "esm-kafka-needs-pollers",
                    match parameter {
                        "DestinationConfig" => {
                            "a topic as destination needs provisioned pollers".to_owned()
                        }
                        _ => format!("`{parameter}` needs provisioned pollers on Kafka"),
                    },
                )
                .found("this mapping has no `ProvisionedPollerConfig`")
                .hint("add `ProvisionedPollerConfig = { MinimumPollers = 1 }`, or remove it"),
            );
        }
    }
}
