//! What UpdateEventSourceMapping may change.

use super::MappingParameters;

/// Rule `esm-update-only-settings`: what a mapping reads and where it began cannot be changed, and tags have calls of
/// their own.
pub const CREATE_ONLY: [&str; 8] = [
    "EventSource",
    "EventSourceArn",
    "SelfManagedEventSource",
    "StartingPosition",
    "StartingPositionTimestamp",
    "Topics",
    "Queues",
    "Tags",
];

impl MappingParameters {
    /// These parameters with everything that `changes` names, except for what is fixed at creation. What is not named
    /// stays; an empty structure takes back what was there.
    #[must_use]
    pub fn updated_by(self, changes: Self) -> Self {
        Self {
            function_name: changes.function_name.or(self.function_name),
            enabled: changes.enabled.or(self.enabled),
            batch_size: changes.batch_size.or(self.batch_size),
            maximum_batching_window_in_seconds: changes
                .maximum_batching_window_in_seconds
                .or(self.maximum_batching_window_in_seconds),
            parallelization_factor: changes
                .parallelization_factor
                .or(self.parallelization_factor),
            maximum_record_age_in_seconds: changes
                .maximum_record_age_in_seconds
                .or(self.maximum_record_age_in_seconds),
            maximum_retry_attempts: changes
                .maximum_retry_attempts
                .or(self.maximum_retry_attempts),
            bisect_batch_on_function_error: changes
                .bisect_batch_on_function_error
                .or(self.bisect_batch_on_function_error),
            destination_config: changes.destination_config.or(self.destination_config),
            function_response_types: changes
                .function_response_types
                .or(self.function_response_types),
            tumbling_window_in_seconds: changes
                .tumbling_window_in_seconds
                .or(self.tumbling_window_in_seconds),
            filter_criteria: changes.filter_criteria.or(self.filter_criteria),
            kms_key_arn: changes.kms_key_arn.or(self.kms_key_arn),
            scaling_config: changes.scaling_config.or(self.scaling_config),
            provisioned_poller_config: changes
                .provisioned_poller_config
                .or(self.provisioned_poller_config),
            source_access_configurations: changes
                .source_access_configurations
                .or(self.source_access_configurations),
            amazon_managed_kafka_event_source_config: changes
                .amazon_managed_kafka_event_source_config
                .or(self.amazon_managed_kafka_event_source_config),
            self_managed_kafka_event_source_config: changes
                .self_managed_kafka_event_source_config
                .or(self.self_managed_kafka_event_source_config),
            document_db_event_source_config: changes
                .document_db_event_source_config
                .or(self.document_db_event_source_config),
            metrics_config: changes.metrics_config.or(self.metrics_config),
            logging_config: changes.logging_config.or(self.logging_config),
            ..self
        }
    }
}
