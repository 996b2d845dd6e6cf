//! A mapping's parameters as somebody wrote them: AWS names, nothing checked.

use crate::engine::Time;

/// Everything that CreateEventSourceMapping takes, each `None` when it was not given.
///
/// Numbers are unchecked (`i64`) and enumerations are text, so that every mistake can be reported at once.
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(
    missing_docs,
    reason = "the field names are AWS's parameters in snake case"
)]
pub struct MappingParameters {
    /// The mapping's own name in its file; AWS has none.
    pub name: String,
    pub function_name: Option<String>,
    pub event_source_arn: Option<String>,
    /// Name of a source of the same file; AWS has none.
    pub event_source: Option<String>,
    pub enabled: Option<bool>,
    pub batch_size: Option<i64>,
    pub maximum_batching_window_in_seconds: Option<i64>,
    pub starting_position: Option<String>,
    pub starting_position_timestamp: Option<Time>,
    pub parallelization_factor: Option<i64>,
    pub maximum_record_age_in_seconds: Option<i64>,
    pub maximum_retry_attempts: Option<i64>,
    pub bisect_batch_on_function_error: Option<bool>,
    pub destination_config: Option<DestinationConfig>,
    pub function_response_types: Option<Vec<String>>,
    pub tumbling_window_in_seconds: Option<i64>,
    /// The patterns of FilterCriteria.Filters.
    pub filter_criteria: Option<Vec<String>>,
    pub kms_key_arn: Option<String>,
    pub scaling_config: Option<ScalingConfig>,
    pub provisioned_poller_config: Option<ProvisionedPollerConfig>,
    pub topics: Option<Vec<String>>,
    pub queues: Option<Vec<String>>,
    pub source_access_configurations: Option<Vec<SourceAccessConfiguration>>,
    /// The servers of SelfManagedEventSource.Endpoints.KAFKA_BOOTSTRAP_SERVERS.
    pub self_managed_event_source: Option<Vec<String>>,
    pub amazon_managed_kafka_event_source_config: Option<KafkaEventSourceConfig>,
    pub self_managed_kafka_event_source_config: Option<KafkaEventSourceConfig>,
    pub document_db_event_source_config: Option<DocumentDbEventSourceConfig>,
    /// MetricsConfig.Metrics.
    pub metrics_config: Option<Vec<String>>,
    /// LoggingConfig.SystemLogLevel.
    pub logging_config: Option<String>,
    pub tags: Option<Vec<(String, String)>>,
}

/// DestinationConfig.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "the field names are AWS's parameters in snake case"
)]
pub struct DestinationConfig {
    pub on_success: Option<String>,
    pub on_failure: Option<String>,
}

/// ScalingConfig.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "the field names are AWS's parameters in snake case"
)]
pub struct ScalingConfig {
    pub maximum_concurrency: Option<i64>,
}

/// ProvisionedPollerConfig.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "the field names are AWS's parameters in snake case"
)]
pub struct ProvisionedPollerConfig {
    pub minimum_pollers: Option<i64>,
    pub maximum_pollers: Option<i64>,
    pub poller_group_name: Option<String>,
}

/// One of SourceAccessConfigurations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceAccessConfiguration {
    /// `Type`.
    pub kind: String,
    /// `URI`.
    pub uri: String,
}

/// AmazonManagedKafkaEventSourceConfig and SelfManagedKafkaEventSourceConfig.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "the field names are AWS's parameters in snake case"
)]
pub struct KafkaEventSourceConfig {
    pub consumer_group_id: Option<String>,
    /// `Stream` or `Queue`; self-managed Kafka only.
    pub consumption_mode: Option<String>,
}

/// DocumentDBEventSourceConfig.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "the field names are AWS's parameters in snake case"
)]
pub struct DocumentDbEventSourceConfig {
    pub database_name: Option<String>,
    pub collection_name: Option<String>,
    pub full_document: Option<String>,
}
