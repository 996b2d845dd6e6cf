//! Options of mappings: any that the rules of their kind allow.

use super::super::world::START;
use super::Dice;
use crate::engine::config::{
    DestinationConfig, ProvisionedPollerConfig, ScalingConfig, SourceAccessConfiguration,
};
use crate::engine::{MappingParameters, SourceKind, Time};

const PATTERN: &str = r#"{"data":{"kept":[true]}}"#;
const PATTERN_OF_ITEMS: &str = r#"{"dynamodb":{"NewImage":{"kept":{"BOOL":[true]}}}}"#;
const PATTERN_OF_MESSAGES: &str = r#"{"body":{"kept":[true]}}"#;
const PATTERN_OF_EVENTS: &str = r#"{"value":{"kept":[true]}}"#;

/// Parameters of a new mapping.
pub(super) fn draw(dice: &mut Dice<'_>, kind: SourceKind, end: Time) -> MappingParameters {
    let mut parameters = MappingParameters {
        name: "mapping".to_owned(),
        function_name: Some("function".to_owned()),
        event_source: Some("source".to_owned()),
        ..MappingParameters::default()
    };
    if kind.is_stream() || kind.is_kafka() {
        position(dice, kind, end, &mut parameters);
    }
    let access = |name: &str| {
        Some(vec![SourceAccessConfiguration {
            kind: name.to_owned(),
            uri: "arn:aws:secretsmanager:us-east-1:123456789012:secret:broker".to_owned(),
        }])
    };
    if kind.is_kafka() {
        parameters.topics = Some(vec!["topic".to_owned()]);
    }
    if kind == SourceKind::SelfManagedKafka {
        parameters.self_managed_event_source = Some(vec!["kafka.example:9092".to_owned()]);
        parameters.source_access_configurations = access("SASL_SCRAM_512_AUTH");
    }
    if kind.is_broker() {
        parameters.queues = Some(vec!["queue".to_owned()]);
        parameters.source_access_configurations = access("BASIC_AUTH");
    }
    vary(dice, kind, &mut parameters);
    parameters
}

/// Other parameters of the same mapping.
pub(super) fn update(
    dice: &mut Dice<'_>,
    before: &MappingParameters,
    kind: SourceKind,
) -> MappingParameters {
    let mut parameters = MappingParameters {
        name: before.name.clone(),
        function_name: before.function_name.clone(),
        event_source: before.event_source.clone(),
        starting_position: before.starting_position.clone(),
        starting_position_timestamp: before.starting_position_timestamp,
        topics: before.topics.clone(),
        queues: before.queues.clone(),
        self_managed_event_source: before.self_managed_event_source.clone(),
        source_access_configurations: before.source_access_configurations.clone(),
        filter_criteria: before.filter_criteria.clone(),
        ..MappingParameters::default()
    };
    vary(dice, kind, &mut parameters);
    // What filters leave out is fixed with the records, and a window takes no filters.
    parameters.filter_criteria = before.filter_criteria.clone();
    if parameters.filter_criteria.is_some() {
        parameters.tumbling_window_in_seconds = None;
    }
    parameters
}

fn position(dice: &mut Dice<'_>, kind: SourceKind, end: Time, parameters: &mut MappingParameters) {
    let name = match dice.below(10) {
        0..7 => "TRIM_HORIZON",
        7 if kind != SourceKind::DynamoDb => {
            let before = START.as_millis() - 100_000;
            let at = Time::from_millis(dice.between(before, end.as_millis()));
            parameters.starting_position_timestamp = Some(at.min(START));
            "AT_TIMESTAMP"
        }
        _ => "LATEST",
    };
    parameters.starting_position = Some(name.to_owned());
}

/// What an update may change as well.
fn vary(dice: &mut Dice<'_>, kind: SourceKind, parameters: &mut MappingParameters) {
    let is_log = kind.is_stream() || kind.is_kafka();
    let window = dice.perhaps(50, &[0, 1, 1, 3, 10]);
    if kind != SourceKind::SqsFifo {
        parameters.maximum_batching_window_in_seconds = window;
    }
    parameters.batch_size = match kind {
        SourceKind::SqsFifo => dice.perhaps(80, &[1, 2, 3, 10]),
        SourceKind::Sqs if window.unwrap_or(0) == 0 => dice.perhaps(80, &[1, 2, 3, 10]),
        _ => dice.perhaps(90, &[1, 2, 3, 4, 7, 12, 100]),
    };
    let pollers = if kind.is_queue() {
        dice.perhaps(8, &[(2, 2), (2, 3)])
    } else if kind.is_kafka() {
        dice.perhaps(55, &[(1, 1), (1, 2), (2, 3)])
    } else {
        None
    };
    parameters.provisioned_poller_config = pollers.map(|(min, max)| ProvisionedPollerConfig {
        minimum_pollers: Some(min),
        maximum_pollers: Some(max),
        poller_group_name: None,
    });
    if kind.is_queue() && pollers.is_none() {
        let maximum_concurrency = dice.perhaps(50, &[2, 3, 4]);
        parameters.scaling_config = maximum_concurrency.map(|_| ScalingConfig {
            maximum_concurrency,
        });
    }
    let takes_reports = kind.is_queue() || kind.is_stream() || pollers.is_some();
    if takes_reports && dice.percent(45) {
        let types = vec!["ReportBatchItemFailures".to_owned()];
        parameters.function_response_types = Some(types);
    }
    if is_log {
        if kind.is_stream() || pollers.is_some() {
            parameters.maximum_retry_attempts = dice.perhaps(70, &[0, 1, 2, 3, -1]);
            parameters.bisect_batch_on_function_error = dice.perhaps(40, &[true]);
        }
        parameters.maximum_record_age_in_seconds = dice.perhaps(40, &[60, 61, 75, 120, -1]);
        parameters.destination_config = dice
            .perhaps(
                50,
                &["sqs:us-east-1:123456789012:failures", "s3:::failures"],
            )
            .map(|target| DestinationConfig {
                on_success: None,
                on_failure: Some(format!("arn:aws:{target}")),
            });
    }
    let mut takes_filters = dice.percent(35);
    if kind.is_stream() {
        let tumbling = dice.perhaps(25, &[1, 3, 10, 30]);
        parameters.tumbling_window_in_seconds = tumbling;
        takes_filters &= tumbling.is_none();
        if tumbling.is_none() {
            parameters.parallelization_factor = dice.perhaps(45, &[2, 3, 10]);
        }
    }
    if takes_filters {
        let pattern = match kind {
            SourceKind::DynamoDb => PATTERN_OF_ITEMS,
            SourceKind::Sqs | SourceKind::SqsFifo => PATTERN_OF_MESSAGES,
            SourceKind::Msk | SourceKind::SelfManagedKafka => PATTERN_OF_EVENTS,
            _ => PATTERN,
        };
        parameters.filter_criteria = Some(vec![pattern.to_owned()]);
    }
}
