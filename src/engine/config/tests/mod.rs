//! One test per rule, named after it.

mod connection;
mod event_invoke;

use super::*;
use crate::engine::Time;

fn base(kind: SourceKind) -> MappingParameters {
    let mut parameters = MappingParameters {
        name: "m".into(),
        function_name: Some("f".into()),
        event_source: Some("s".into()),
        ..MappingParameters::default()
    };
    if kind.is_stream() {
        parameters.starting_position = Some("LATEST".into());
    }
    if kind.is_kafka() {
        parameters.topics = Some(vec!["t".into()]);
    }
    if kind == SourceKind::SelfManagedKafka {
        parameters.self_managed_event_source = Some(vec!["broker:9092".into()]);
        parameters.source_access_configurations = Some(vec![access("VPC_SUBNET")]);
    }
    if matches!(kind, SourceKind::ActiveMq | SourceKind::RabbitMq) {
        parameters.queues = Some(vec!["q".into()]);
    }
    if matches!(
        kind,
        SourceKind::ActiveMq | SourceKind::RabbitMq | DocumentDb
    ) {
        parameters.source_access_configurations = Some(vec![access("BASIC_AUTH")]);
    }
    if kind == DocumentDb {
        parameters.document_db_event_source_config = Some(DocumentDbEventSourceConfig {
            database_name: Some("shop".into()),
            ..DocumentDbEventSourceConfig::default()
        });
    }
    parameters
}

fn access(kind: &str) -> SourceAccessConfiguration {
    SourceAccessConfiguration {
        kind: kind.into(),
        uri: "arn:x".into(),
    }
}

/// The codes that `change` brings about, in order.
fn codes(kind: SourceKind, change: impl FnOnce(&mut MappingParameters)) -> Vec<&'static str> {
    let mut parameters = base(kind);
    change(&mut parameters);
    match check(kind, &parameters) {
        Ok(_) => Vec::new(),
        Err(found) => found.into_iter().map(|violation| violation.code).collect(),
    }
}

fn text(kind: SourceKind, change: impl FnOnce(&mut MappingParameters)) -> String {
    let mut parameters = base(kind);
    change(&mut parameters);
    let found = check(kind, &parameters).expect_err("a violation");
    assert!(found[0].aws_text);
    found[0].message.clone()
}

use SourceKind::{DocumentDb, DynamoDb, Kinesis, Msk, Sqs, SqsFifo};

#[test]
fn defaults_are_what_aws_echoes() {
    for (_, kind) in SourceKind::ALL {
        let config = check(kind, &base(kind)).expect("required parameters are enough");
        let expected = MappingConfig {
            function_name: "f".into(),
            starting_position: match kind {
                Kinesis | DynamoDb | DocumentDb => Position::Latest,
                _ => Position::Horizon,
            },
            ..MappingConfig::new("m", kind)
        };
        assert_eq!(config, expected);
        assert_eq!(config.batch_size, if kind.is_queue() { 10 } else { 100 });
    }
    assert_eq!(MappingConfig::new("m", Msk).window, Span::from_millis(500));
}

#[test]
fn every_violation_is_reported_at_once() {
    let found = codes(Sqs, |p| {
        p.function_name = Some("no good".into());
        p.batch_size = Some(20_000);
        p.parallelization_factor = Some(2);
        p.destination_config = Some(DestinationConfig::default());
    });
    let expected = [
        "esm-function-name-form",
        "esm-parameter-not-accepted",
        "esm-batch-size-range",
        "esm-sqs-batch-needs-window",
        "esm-sqs-no-destination",
    ];
    assert_eq!(found, expected);
}

#[test]
fn esm_parameter_not_accepted() {
    assert_eq!(
        codes(Sqs, |p| p.tumbling_window_in_seconds = Some(1)),
        ["esm-parameter-not-accepted"]
    );
    assert_eq!(
        codes(Kinesis, |p| p.topics = Some(vec![])),
        ["esm-parameter-not-accepted"]
    );
    assert_eq!(
        codes(DocumentDb, |p| p.filter_criteria = Some(vec![])),
        ["esm-parameter-not-accepted"]
    );
    let capped = |p: &mut MappingParameters| {
        p.scaling_config = Some(ScalingConfig {
            maximum_concurrency: Some(5),
        });
    };
    assert_eq!(codes(Kinesis, capped), ["esm-parameter-not-accepted"]);
}

#[test]
fn esm_function_name_required() {
    assert_eq!(
        codes(Sqs, |p| p.function_name = None),
        ["esm-function-name-required"]
    );
}

#[test]
fn esm_function_name_form() {
    assert_eq!(
        codes(Sqs, |p| p.function_name = Some("a:b:c".into())),
        ["esm-function-name-form"]
    );
    assert!(codes(Sqs, |p| p.function_name = Some("f:live".into())).is_empty());
}

#[test]
fn esm_source_required() {
    assert_eq!(
        text(Sqs, |p| p.event_source = None),
        "Unrecognized event source."
    );
}

#[test]
fn esm_batch_size_range() {
    for (kind, size, good) in [
        (Kinesis, 0, false),
        (Kinesis, 10_000, true),
        (Kinesis, 10_001, false),
        (SqsFifo, 10, true),
        (SqsFifo, 11, false),
        (Msk, -1, false),
    ] {
        let found = codes(kind, |p| p.batch_size = Some(size));
        assert_eq!(found.is_empty(), good, "{kind} {size}");
        assert!(good || found == ["esm-batch-size-range"]);
    }
}

#[test]
fn esm_sqs_batch_needs_window() {
    let message = text(Sqs, |p| p.batch_size = Some(11));
    assert_eq!(
        message,
        "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10"
    );
    assert!(codes(Sqs, |p| p.batch_size = Some(10)).is_empty());
    let windowed = |p: &mut MappingParameters| {
        p.batch_size = Some(10_000);
        p.maximum_batching_window_in_seconds = Some(1);
    };
    assert!(codes(Sqs, windowed).is_empty());
    // The documentation states it for streams too; the service accepts its own default of 100 there.
    assert!(codes(Kinesis, |p| p.batch_size = Some(100)).is_empty());
}

#[test]
fn esm_window_range() {
    assert_eq!(
        codes(Kinesis, |p| p.maximum_batching_window_in_seconds =
            Some(301)),
        ["esm-window-range"]
    );
    assert!(codes(Msk, |p| p.maximum_batching_window_in_seconds = Some(0)).is_empty());
}

#[test]
fn esm_fifo_no_window() {
    let message = text(SqsFifo, |p| p.maximum_batching_window_in_seconds = Some(1));
    assert_eq!(message, "Batching window is not supported for FIFO queues");
    assert!(codes(SqsFifo, |p| p.maximum_batching_window_in_seconds = Some(0)).is_empty());
}

#[test]
fn esm_starting_position_required() {
    let message = text(Kinesis, |p| p.starting_position = None);
    assert_eq!(
        message,
        "1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: Member must not be null."
    );
    assert!(codes(Msk, |p| p.starting_position = None).is_empty());
}

#[test]
fn esm_starting_position_values() {
    let message = text(Kinesis, |p| p.starting_position = Some("invalid".into()));
    assert!(message.ends_with("enum value set: [LATEST, AT_TIMESTAMP, TRIM_HORIZON]"));
}

#[test]
fn esm_dynamodb_no_timestamp() {
    let message = text(DynamoDb, |p| {
        p.starting_position = Some("AT_TIMESTAMP".into());
        p.starting_position_timestamp = Some(Time::from_secs(1));
    });
    assert_eq!(message, "Unsupported starting position for arn type: s");
}

#[test]
fn esm_at_timestamp_needs_timestamp() {
    let found = codes(Kinesis, |p| {
        p.starting_position = Some("AT_TIMESTAMP".into());
    });
    assert_eq!(found, ["esm-at-timestamp-needs-timestamp"]);
}

#[test]
fn esm_timestamp_needs_at_timestamp() {
    let found = codes(Kinesis, |p| {
        p.starting_position_timestamp = Some(Time::ZERO);
    });
    assert_eq!(found, ["esm-timestamp-needs-at-timestamp"]);
    let mut both = base(Kinesis);
    both.starting_position = Some("AT_TIMESTAMP".into());
    both.starting_position_timestamp = Some(Time::from_secs(9));
    let config = check(Kinesis, &both).expect("both are given");
    assert_eq!(config.starting_position, Position::At(Time::from_secs(9)));
}

#[test]
fn esm_parallelization_range() {
    assert_eq!(
        codes(Kinesis, |p| p.parallelization_factor = Some(11)),
        ["esm-parallelization-range"]
    );
}

#[test]
fn esm_record_age_range() {
    for (age, good) in [
        (-1, true),
        (0, false),
        (59, false),
        (60, true),
        (604_801, false),
    ] {
        let found = codes(DynamoDb, |p| p.maximum_record_age_in_seconds = Some(age));
        assert_eq!(found.is_empty(), good, "{age}");
    }
}

#[test]
fn esm_retry_attempts_range() {
    for (attempts, good) in [
        (-2, false),
        (-1, true),
        (0, true),
        (10_000, true),
        (10_001, false),
    ] {
        let found = codes(Kinesis, |p| p.maximum_retry_attempts = Some(attempts));
        assert_eq!(found.is_empty(), good, "{attempts}");
    }
}

fn to(on_failure: &str) -> Option<DestinationConfig> {
    Some(DestinationConfig {
        on_success: None,
        on_failure: Some(on_failure.into()),
    })
}

#[test]
fn esm_on_success_refused() {
    let message = text(Kinesis, |p| {
        p.destination_config = Some(DestinationConfig {
            on_success: Some("arn:aws:sqs:us-east-1:123456789012:q".into()),
            on_failure: None,
        });
    });
    assert_eq!(
        message,
        "Unsupported DestinationConfig parameter for given event source mapping type."
    );
}

#[test]
fn esm_sqs_no_destination() {
    let message = text(Sqs, |p| {
        p.destination_config = to("arn:aws:sqs:us-east-1:123456789012:q");
    });
    assert_eq!(
        message,
        "Unsupported DestinationConfig parameter for given event source mapping type."
    );
}

#[test]
fn esm_destination_form() {
    assert_eq!(
        codes(Kinesis, |p| p.destination_config = to("kafka://t")),
        ["esm-destination-form"]
    );
    let to_topic = |name: &'static str| {
        codes(Msk, move |p| {
            p.destination_config = to(name);
            p.provisioned_poller_config = pollers(1, 1);
        })
    };
    assert!(to_topic("kafka://t.failed-1").is_empty());
    for target in ["kafka://", "kafka://b:9092/t", "kafka://.."] {
        assert_eq!(to_topic(target), ["esm-destination-form"], "{target}");
    }
    assert!(
        codes(Kinesis, |p| p.destination_config =
            to("file://failed.jsonl"))
        .is_empty()
    );
    assert!(codes(Msk, |p| p.destination_config = to("file://failed.jsonl")).is_empty());
    assert_eq!(
        codes(Kinesis, |p| p.destination_config = to("file://")),
        ["esm-destination-form"]
    );
    assert!(
        codes(Kinesis, |p| p.destination_config =
            to("arn:aws:s3:::bucket"))
        .is_empty()
    );
}

#[test]
fn esm_no_fifo_destination() {
    let found = codes(Kinesis, |p| {
        p.destination_config = to("arn:aws:sqs:us-east-1:1:q.fifo");
    });
    assert_eq!(found, ["esm-no-fifo-destination"]);
}

#[test]
fn esm_response_types_values() {
    let found = codes(Sqs, |p| {
        p.function_response_types = Some(vec!["Report".into()]);
    });
    assert_eq!(found, ["esm-response-types-values"]);
    let twice = vec!["ReportBatchItemFailures".into(); 2];
    assert_eq!(
        codes(Sqs, |p| p.function_response_types = Some(twice)),
        ["esm-response-types-values"]
    );
}

#[test]
fn esm_tumbling_range() {
    assert_eq!(
        codes(Kinesis, |p| p.tumbling_window_in_seconds = Some(901)),
        ["esm-tumbling-range"]
    );
}

#[test]
fn esm_tumbling_one_lane() {
    let found = codes(Kinesis, |p| {
        p.tumbling_window_in_seconds = Some(60);
        p.parallelization_factor = Some(2);
    });
    assert_eq!(found, ["esm-tumbling-one-lane"]);
}

#[test]
fn esm_tumbling_no_filters() {
    let found = codes(Kinesis, |p| {
        p.tumbling_window_in_seconds = Some(60);
        p.filter_criteria = Some(vec![r#"{"data":{"n":[1]}}"#.into()]);
        p.bisect_batch_on_function_error = Some(true);
    });
    assert_eq!(found, ["esm-tumbling-no-filters"]);
    let empty = |p: &mut MappingParameters| {
        p.tumbling_window_in_seconds = Some(60);
        p.filter_criteria = Some(vec![]);
    };
    assert!(codes(Kinesis, empty).is_empty());
}

#[test]
fn filter_patterns_are_compiled_and_every_mistake_is_said() {
    let broken = r#"{"body":{"kind":"x","n":[]}}"#;
    let patterns = ["plain", r#"{"body":["x"]}"#, broken];
    let filters = Some(patterns.map(str::to_owned).to_vec());
    let mut parameters = base(Sqs);
    parameters.filter_criteria = filters.clone();
    let found = check(Sqs, &parameters).expect_err("three mistakes");
    let seen: Vec<_> = found
        .iter()
        .map(|violation| {
            let part = violation.part.clone().expect("a place");
            assert_eq!(violation.parameter, "FilterCriteria");
            assert_eq!(violation.message, "Invalid filter pattern definition.");
            assert!(violation.aws_text && !violation.allowed.is_empty());
            let text = &patterns[part.index][part.span];
            (violation.code, text)
        })
        .collect();
    let expected = [
        ("filter-json", "p"),
        ("filter-leaf-is-array", "\"x\""),
        ("filter-leaf-not-empty", "[]"),
    ];
    assert_eq!(seen, expected);
    // What is right depends on the source.
    let plain = |p: &mut MappingParameters| {
        p.filter_criteria = Some(vec![r#"{"data":["x"]}"#.into()]);
    };
    assert_eq!(codes(Kinesis, plain), ["filter-data-plain"]);
}

#[test]
fn filters_may_be_none_and_are_limited_in_number_and_length() {
    let filters = |count: usize, pattern: &str| {
        let filters = Some(vec![pattern.to_owned(); count]);
        codes(Kinesis, |p| p.filter_criteria = filters)
    };
    let pattern = r#"{"data":{"n":[1]}}"#;
    assert!(filters(0, pattern).is_empty());
    assert!(filters(5, pattern).is_empty());
    assert_eq!(filters(6, pattern), ["filter-count"]);
    let long = format!("{pattern}{}", " ".repeat(4_096 - pattern.len()));
    assert!(filters(1, &long).is_empty());
    assert_eq!(filters(1, &format!("{long} ")), ["filter-length"]);
}

#[test]
fn esm_key_needs_filters() {
    assert_eq!(
        codes(Sqs, |p| p.kms_key_arn = Some("arn:k".into())),
        ["esm-key-needs-filters"]
    );
}

fn pollers(min: i64, max: i64) -> Option<ProvisionedPollerConfig> {
    Some(ProvisionedPollerConfig {
        minimum_pollers: Some(min),
        maximum_pollers: Some(max),
        poller_group_name: None,
    })
}

#[test]
fn esm_maximum_concurrency_range() {
    let found = codes(Sqs, |p| {
        p.scaling_config = Some(ScalingConfig {
            maximum_concurrency: Some(1),
        });
    });
    assert_eq!(found, ["esm-maximum-concurrency-range"]);
}

#[test]
fn esm_pollers_range() {
    assert_eq!(
        codes(Sqs, |p| p.provisioned_poller_config = pollers(1, 10)),
        ["esm-pollers-range"]
    );
    assert_eq!(
        codes(Msk, |p| p.provisioned_poller_config = pollers(1, 2_001)),
        ["esm-pollers-range"]
    );
    assert!(codes(Sqs, |p| p.provisioned_poller_config = pollers(2, 10_000)).is_empty());
}

#[test]
fn esm_pollers_ordered() {
    assert_eq!(
        codes(Sqs, |p| p.provisioned_poller_config = pollers(9, 8)),
        ["esm-pollers-ordered"]
    );
}

#[test]
fn esm_pollers_or_concurrency() {
    let found = codes(Sqs, |p| {
        p.provisioned_poller_config = pollers(2, 8);
        p.scaling_config = Some(ScalingConfig {
            maximum_concurrency: Some(5),
        });
    });
    assert_eq!(found, ["esm-pollers-or-concurrency"]);
}

#[test]
fn esm_poller_group() {
    let found = codes(Sqs, |p| {
        p.provisioned_poller_config = Some(ProvisionedPollerConfig {
            poller_group_name: Some("g".into()),
            ..Default::default()
        });
    });
    assert_eq!(found, ["esm-poller-group"]);
}

#[test]
fn esm_one_per_source_and_function() {
    assert_eq!(
        conflict_text(Sqs, "arn", "f", "7"),
        "An event source mapping with SQS arn (\" arn \") and function (\" f \") already exists. Please update or delete the existing mapping with UUID 7"
    );
    assert!(
        conflict_text(Kinesis, "arn", "f", "7").starts_with("The event source arn (\" arn \")")
    );
}

#[test]
fn esm_update_only_settings() {
    let at_creation = MappingParameters {
        event_source_arn: Some("arn".to_owned()),
        starting_position: Some("LATEST".to_owned()),
        batch_size: Some(10),
        maximum_retry_attempts: Some(3),
        filter_criteria: Some(vec!["{}".to_owned()]),
        ..MappingParameters::default()
    };
    let changes = MappingParameters {
        event_source_arn: Some("another".to_owned()),
        starting_position: Some("TRIM_HORIZON".to_owned()),
        topics: Some(vec!["t".to_owned()]),
        batch_size: Some(500),
        filter_criteria: Some(Vec::new()),
        ..MappingParameters::default()
    };
    let expected = MappingParameters {
        batch_size: Some(500),
        filter_criteria: Some(Vec::new()),
        ..at_creation.clone()
    };
    assert_eq!(at_creation.updated_by(changes), expected);
}

#[test]
fn every_rule_has_a_test() {
    let these = [include_str!("mod.rs"), include_str!("connection.rs")];
    for rule in &RULES {
        let name = format!("fn {}()", rule.id.replace('-', "_"));
        assert!(these.iter().any(|text| text.contains(&name)), "{name}");
    }
}
