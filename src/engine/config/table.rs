//! Which source takes which parameter, with defaults and ranges: one row per parameter, one column per kind.

use super::{MappingParameters, SourceKind};
use crate::engine::Span;

/// What one kind of source allows for an integer parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IntegerLimits {
    /// What AWS takes when the parameter is not given; `None` when it then has no value.
    pub default: Option<i64>,
    /// Smallest value.
    pub min: i64,
    /// Largest value.
    pub max: i64,
    /// Whether -1 is allowed besides, for "without end".
    pub endless: bool,
}

/// An integer parameter.
#[derive(Debug)]
pub struct IntegerRow {
    /// AWS's name.
    pub parameter: &'static str,
    /// Unit in words.
    pub unit: &'static str,
    /// The rule whose violation an impossible value is.
    pub rule: &'static str,
    pub(super) get: fn(&MappingParameters) -> Option<i64>,
    /// One column per kind, in the order of [`SourceKind::ALL`]; `None` where the parameter is not taken.
    pub columns: [Option<IntegerLimits>; 9],
}

const fn limits(default: Option<i64>, min: i64, max: i64) -> Option<IntegerLimits> {
    Some(IntegerLimits {
        default,
        min,
        max,
        endless: false,
    })
}

const fn endless(min: i64, max: i64) -> Option<IntegerLimits> {
    Some(IntegerLimits {
        default: Some(-1),
        min,
        max,
        endless: true,
    })
}

const BATCH: Option<IntegerLimits> = limits(Some(100), 1, 10_000);
const WINDOW: Option<IntegerLimits> = limits(Some(0), 0, 300);
/// 500 ms unless set; the default cannot be written in whole seconds.
const WINDOW_HALF: Option<IntegerLimits> = limits(None, 0, 300);
const AGE: Option<IntegerLimits> = endless(60, 604_800);
const RETRIES: Option<IntegerLimits> = endless(0, 10_000);
const LANES: Option<IntegerLimits> = limits(Some(1), 1, 10);
const TUMBLING: Option<IntegerLimits> = limits(Some(0), 0, 900);
const CAP: Option<IntegerLimits> = limits(None, 2, 1_000);
const NONE: Option<IntegerLimits> = None;

/// Every integer parameter. Columns: Kinesis, DynamoDB, SQS, FIFO, MSK, self-managed Kafka, ActiveMQ, RabbitMQ,
/// DocumentDB.
pub const INTEGERS: [IntegerRow; 9] = [
    IntegerRow {
        parameter: "BatchSize",
        unit: "records",
        rule: "esm-batch-size-range",
        get: |p| p.batch_size,
        columns: [
            BATCH,
            BATCH,
            limits(Some(10), 1, 10_000),
            limits(Some(10), 1, 10),
            BATCH,
            BATCH,
            BATCH,
            BATCH,
            BATCH,
        ],
    },
    IntegerRow {
        parameter: "MaximumBatchingWindowInSeconds",
        unit: "seconds",
        rule: "esm-window-range",
        get: |p| p.maximum_batching_window_in_seconds,
        columns: [
            WINDOW,
            WINDOW,
            WINDOW,
            NONE,
            WINDOW_HALF,
            WINDOW_HALF,
            WINDOW_HALF,
            WINDOW_HALF,
            WINDOW_HALF,
        ],
    },
    IntegerRow {
        parameter: "ParallelizationFactor",
        unit: "lanes per shard",
        rule: "esm-parallelization-range",
        get: |p| p.parallelization_factor,
        columns: [LANES, LANES, NONE, NONE, NONE, NONE, NONE, NONE, NONE],
    },
    IntegerRow {
        parameter: "MaximumRecordAgeInSeconds",
        unit: "seconds",
        rule: "esm-record-age-range",
        get: |p| p.maximum_record_age_in_seconds,
        columns: [AGE, AGE, NONE, NONE, AGE, AGE, NONE, NONE, NONE],
    },
    IntegerRow {
        parameter: "MaximumRetryAttempts",
        unit: "retries",
        rule: "esm-retry-attempts-range",
        get: |p| p.maximum_retry_attempts,
        columns: [
            RETRIES, RETRIES, NONE, NONE, RETRIES, RETRIES, NONE, NONE, NONE,
        ],
    },
    IntegerRow {
        parameter: "TumblingWindowInSeconds",
        unit: "seconds",
        rule: "esm-tumbling-range",
        get: |p| p.tumbling_window_in_seconds,
        columns: [TUMBLING, TUMBLING, NONE, NONE, NONE, NONE, NONE, NONE, NONE],
    },
    IntegerRow {
        parameter: "ScalingConfig.MaximumConcurrency",
        unit: "invocations",
        rule: "esm-maximum-concurrency-range",
        get: |p| {
            p.scaling_config
                .and_then(|config| config.maximum_concurrency)
        },
        columns: [NONE, NONE, CAP, CAP, NONE, NONE, NONE, NONE, NONE],
    },
    IntegerRow {
        parameter: "ProvisionedPollerConfig.MinimumPollers",
        unit: "pollers",
        rule: "esm-pollers-range",
        get: |p| {
            p.provisioned_poller_config
                .as_ref()
                .and_then(|config| config.minimum_pollers)
        },
        columns: [
            NONE,
            NONE,
            limits(Some(2), 2, 200),
            limits(Some(2), 2, 200),
            limits(Some(1), 1, 200),
            limits(Some(1), 1, 200),
            NONE,
            NONE,
            NONE,
        ],
    },
    IntegerRow {
        parameter: "ProvisionedPollerConfig.MaximumPollers",
        unit: "pollers",
        rule: "esm-pollers-range",
        get: |p| {
            p.provisioned_poller_config
                .as_ref()
                .and_then(|config| config.maximum_pollers)
        },
        columns: [
            NONE,
            NONE,
            limits(Some(200), 2, 10_000),
            limits(Some(200), 2, 10_000),
            limits(Some(200), 1, 2_000),
            limits(Some(200), 1, 2_000),
            NONE,
            NONE,
            NONE,
        ],
    },
];

/// A parameter that is not an integer, and who takes it.
pub(super) struct OtherRow {
    pub(super) parameter: &'static str,
    pub(super) given: fn(&MappingParameters) -> bool,
    pub(super) takes: fn(SourceKind) -> bool,
}

const fn is_log(kind: SourceKind) -> bool {
    kind.is_stream() || kind.is_kafka()
}

const fn is_broker(kind: SourceKind) -> bool {
    matches!(kind, SourceKind::ActiveMq | SourceKind::RabbitMq)
}

/// Parameters that some sources refuse. The destination of a queue has a rule, and a text, of its own.
pub(super) const OTHERS: [OtherRow; 17] = [
    OtherRow {
        parameter: "StartingPosition",
        given: |p| p.starting_position.is_some(),
        takes: |k| is_log(k) || matches!(k, SourceKind::DocumentDb),
    },
    OtherRow {
        parameter: "StartingPositionTimestamp",
        given: |p| p.starting_position_timestamp.is_some(),
        takes: |k| is_log(k) || matches!(k, SourceKind::DocumentDb),
    },
    OtherRow {
        parameter: "BisectBatchOnFunctionError",
        given: |p| p.bisect_batch_on_function_error.is_some(),
        takes: is_log,
    },
    OtherRow {
        parameter: "DestinationConfig",
        given: |p| p.destination_config.is_some(),
        takes: |k| is_log(k) || k.is_queue(),
    },
    OtherRow {
        parameter: "FunctionResponseTypes",
        given: |p| p.function_response_types.is_some(),
        takes: |k| is_log(k) || k.is_queue(),
    },
    OtherRow {
        parameter: "FilterCriteria",
        given: |p| p.filter_criteria.is_some(),
        takes: |k| !matches!(k, SourceKind::DocumentDb),
    },
    OtherRow {
        parameter: "KMSKeyArn",
        given: |p| p.kms_key_arn.is_some(),
        takes: |k| !matches!(k, SourceKind::DocumentDb),
    },
    OtherRow {
        parameter: "ScalingConfig",
        given: |p| p.scaling_config.is_some(),
        takes: |k| k.is_queue(),
    },
    OtherRow {
        parameter: "ProvisionedPollerConfig",
        given: |p| p.provisioned_poller_config.is_some(),
        takes: |k| k.is_queue() || k.is_kafka(),
    },
    OtherRow {
        parameter: "Topics",
        given: |p| p.topics.is_some(),
        takes: |k| k.is_kafka(),
    },
    OtherRow {
        parameter: "Queues",
        given: |p| p.queues.is_some(),
        takes: is_broker,
    },
    OtherRow {
        parameter: "SourceAccessConfigurations",
        given: |p| p.source_access_configurations.is_some(),
        takes: |k| k.is_kafka() || is_broker(k) || matches!(k, SourceKind::DocumentDb),
    },
    OtherRow {
        parameter: "SelfManagedEventSource",
        given: |p| p.self_managed_event_source.is_some(),
        takes: |k| matches!(k, SourceKind::SelfManagedKafka),
    },
    OtherRow {
        parameter: "AmazonManagedKafkaEventSourceConfig",
        given: |p| p.amazon_managed_kafka_event_source_config.is_some(),
        takes: |k| matches!(k, SourceKind::Msk),
    },
    OtherRow {
        parameter: "SelfManagedKafkaEventSourceConfig",
        given: |p| p.self_managed_kafka_event_source_config.is_some(),
        takes: |k| matches!(k, SourceKind::SelfManagedKafka),
    },
    OtherRow {
        parameter: "DocumentDBEventSourceConfig",
        given: |p| p.document_db_event_source_config.is_some(),
        takes: |k| matches!(k, SourceKind::DocumentDb),
    },
    OtherRow {
        parameter: "LoggingConfig",
        given: |p| p.logging_config.is_some(),
        takes: |k| k.is_kafka(),
    },
];

/// What `kind` allows for an integer parameter.
pub(super) fn limits_of(parameter: &str, kind: SourceKind) -> Option<IntegerLimits> {
    INTEGERS
        .iter()
        .find(|row| row.parameter == parameter)
        .and_then(|row| row.columns[kind as usize])
}

/// The value that AWS takes when an integer parameter is not given.
pub(super) fn default_of(parameter: &str, kind: SourceKind) -> Option<i64> {
    limits_of(parameter, kind).and_then(|limits| limits.default)
}

/// The batching window that AWS takes when none is given.
pub(super) fn default_window(kind: SourceKind) -> Span {
    match kind {
        SourceKind::Kinesis | SourceKind::DynamoDb | SourceKind::Sqs | SourceKind::SqsFifo => {
            Span::ZERO
        }
        SourceKind::Msk
        | SourceKind::SelfManagedKafka
        | SourceKind::ActiveMq
        | SourceKind::RabbitMq
        | SourceKind::DocumentDb => Span::from_millis(500),
    }
}
