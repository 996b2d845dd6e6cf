//! A mapping's parameters in logs.

use crate::engine::{MappingConfig, Profile, SourceKind, Span, Tuning};
use crate::poll::store::{position_from_text, position_to_text};
use serde::{Deserialize, Serialize};

/// What a mapping was made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LogConfig {
    parameters: LogParameters,
    tuning: LogTuning,
}

/// Spans are nanoseconds; `u64::MAX` is no limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LogParameters {
    name: String,
    source: String,
    function_name: String,
    batch_size: u32,
    window: u64,
    starting_position: String,
    parallelization_factor: u32,
    maximum_record_age: Option<u64>,
    maximum_retry_attempts: Option<u32>,
    bisect_batch_on_function_error: bool,
    report_batch_item_failures: bool,
    tumbling_window: Option<u64>,
    maximum_concurrency: Option<u32>,
    provisioned_pollers: Option<(u32, u32)>,
    on_failure: Option<String>,
    filters: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LogTuning {
    profile: String,
    backoff_first: u64,
    backoff_max: u64,
    poll_interval: u64,
    reads_per_sec_max: u32,
    read_bytes_per_sec_max: u64,
    page_records_max: u32,
    visibility_timeout: u64,
    long_poll: u64,
    #[serde(default = "one")]
    consumers: u32,
    envelope_len: u32,
    #[serde(default)]
    partition_len: u32,
}

/// Logs that were written before brokers could be polled say nothing of consumers.
const fn one() -> u32 {
    1
}

const KINDS: [(&str, SourceKind); 9] = [
    ("kinesis", SourceKind::Kinesis),
    ("dynamodb", SourceKind::DynamoDb),
    ("sqs", SourceKind::Sqs),
    ("sqs-fifo", SourceKind::SqsFifo),
    ("msk", SourceKind::Msk),
    ("self-managed-kafka", SourceKind::SelfManagedKafka),
    ("activemq", SourceKind::ActiveMq),
    ("rabbitmq", SourceKind::RabbitMq),
    ("documentdb", SourceKind::DocumentDb),
];

impl LogParameters {
    pub(crate) fn new(config: &MappingConfig) -> Self {
        let kind = KINDS.iter().find(|(_, kind)| *kind == config.source);
        Self {
            name: config.name.clone(),
            source: kind.map_or("", |(name, _)| name).to_owned(),
            function_name: config.function_name.clone(),
            batch_size: config.batch_size,
            window: config.window.as_nanos(),
            starting_position: position_to_text(config.starting_position),
            parallelization_factor: config.parallelization_factor,
            maximum_record_age: config.maximum_record_age.map(Span::as_nanos),
            maximum_retry_attempts: config.maximum_retry_attempts,
            bisect_batch_on_function_error: config.bisect_batch_on_function_error,
            report_batch_item_failures: config.report_batch_item_failures,
            tumbling_window: config.tumbling_window.map(Span::as_nanos),
            maximum_concurrency: config.maximum_concurrency,
            provisioned_pollers: config.provisioned_pollers,
            on_failure: config.on_failure.clone(),
            filters: config.filters.clone(),
        }
    }

    /// The parameters, or the name of the field that has no meaning.
    pub(crate) fn restore(&self) -> Result<MappingConfig, &'static str> {
        let kind = KINDS.iter().find(|(name, _)| *name == self.source);
        let source = kind.ok_or("source")?.1;
        let starting_position = position_from_text(&self.starting_position);
        Ok(MappingConfig {
            name: self.name.clone(),
            source,
            function_name: self.function_name.clone(),
            batch_size: self.batch_size,
            window: Span::from_nanos(self.window),
            starting_position: starting_position.ok_or("starting_position")?,
            parallelization_factor: self.parallelization_factor,
            maximum_record_age: self.maximum_record_age.map(Span::from_nanos),
            maximum_retry_attempts: self.maximum_retry_attempts,
            bisect_batch_on_function_error: self.bisect_batch_on_function_error,
            report_batch_item_failures: self.report_batch_item_failures,
            tumbling_window: self.tumbling_window.map(Span::from_nanos),
            maximum_concurrency: self.maximum_concurrency,
            provisioned_pollers: self.provisioned_pollers,
            on_failure: self.on_failure.clone(),
            filters: self.filters.clone(),
        })
    }
}

impl LogConfig {
    pub(crate) fn new(config: &MappingConfig, tuning: &Tuning) -> Self {
        Self {
            parameters: LogParameters::new(config),
            tuning: LogTuning {
                profile: tuning.profile.name().to_owned(),
                backoff_first: tuning.backoff_first.as_nanos(),
                backoff_max: tuning.backoff_max.as_nanos(),
                poll_interval: tuning.poll_interval.as_nanos(),
                reads_per_sec_max: tuning.reads_per_sec_max,
                read_bytes_per_sec_max: tuning.read_bytes_per_sec_max,
                page_records_max: tuning.page_records_max,
                visibility_timeout: tuning.visibility_timeout.as_nanos(),
                long_poll: tuning.long_poll.as_nanos(),
                consumers: tuning.consumers,
                envelope_len: tuning.envelope_len,
                partition_len: tuning.partition_len,
            },
        }
    }

    /// The parameters, or the name of the field that has no meaning.
    pub(crate) fn restore(&self) -> Result<(MappingConfig, Tuning), &'static str> {
        let config = self.parameters.restore()?;
        let tuning = &self.tuning;
        let profile: Profile = tuning.profile.parse().map_err(|_| "profile")?;
        let tuning = Tuning {
            profile,
            backoff_first: Span::from_nanos(tuning.backoff_first),
            backoff_max: Span::from_nanos(tuning.backoff_max),
            poll_interval: Span::from_nanos(tuning.poll_interval),
            reads_per_sec_max: tuning.reads_per_sec_max,
            read_bytes_per_sec_max: tuning.read_bytes_per_sec_max,
            page_records_max: tuning.page_records_max,
            visibility_timeout: Span::from_nanos(tuning.visibility_timeout),
            long_poll: Span::from_nanos(tuning.long_poll),
            consumers: tuning.consumers,
            envelope_len: tuning.envelope_len,
            partition_len: tuning.partition_len,
        };
        Ok((config, tuning))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Position, Time};

    #[test]
    fn parameters_survive_the_log() {
        for (_, kind) in KINDS {
            let config = MappingConfig {
                starting_position: Position::At(Time::from_secs(5)),
                maximum_record_age: Some(Span::from_secs(60)),
                ..MappingConfig::new("m", kind)
            };
            let tuning = Tuning::new(Profile::Guide2021);
            let log = LogConfig::new(&config, &tuning);
            let text = serde_json::to_string(&log).expect("JSON");
            let back: LogConfig = serde_json::from_str(&text).expect("the same");
            assert_eq!(back.restore(), Ok((config, tuning)));
        }
    }
}
