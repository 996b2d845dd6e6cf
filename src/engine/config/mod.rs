//! A mapping's parameters: AWS names, defaults, ranges and cross-parameter rules.
//!
//! [`MappingParameters`] holds what somebody wrote, [`check()`] tests it against the rules of its kind of
//! source, and [`MappingConfig`] is what passed. [`RULES`] lists every rule with its evidence.

mod check;
mod connection;
mod event_invoke;
mod failure;
mod function_name;
mod parameters;
mod position;
mod rule;
mod table;
#[cfg(test)]
mod tests;
mod update;
mod visibility;

pub use check::check;
pub use event_invoke::{EVENT_INVOKE_RULES, EventInvokeConfig, EventInvokeParameters};
pub use function_name::{FunctionName, FunctionNameError};
pub use parameters::{
    DestinationConfig, DocumentDbEventSourceConfig, KafkaEventSourceConfig, MappingParameters,
    ProvisionedPollerConfig, ScalingConfig, SourceAccessConfiguration,
};
pub use rule::{Evidence, Part, RULES, Rule, Violation, conflict_text};
pub use table::{INTEGERS, IntegerLimits, IntegerRow};
pub use update::CREATE_ONLY;
pub use visibility::ShortVisibility;

use crate::engine::{Position, Profile, Span, limits, wire};

/// The kinds of event source that Lambda's mappings know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SourceKind {
    /// Amazon Kinesis Data Streams.
    Kinesis,
    /// Amazon DynamoDB Streams.
    DynamoDb,
    /// Amazon SQS, standard queue.
    Sqs,
    /// Amazon SQS, FIFO queue.
    SqsFifo,
    /// Amazon MSK.
    Msk,
    /// Self-managed Apache Kafka.
    SelfManagedKafka,
    /// Amazon MQ for ActiveMQ.
    ActiveMq,
    /// Amazon MQ for RabbitMQ.
    RabbitMq,
    /// Amazon DocumentDB change streams.
    DocumentDb,
}

impl SourceKind {
    /// Every kind with the name used in files, in the order of the tables.
    pub const ALL: [(&'static str, Self); 9] = [
        ("kinesis", Self::Kinesis),
        ("dynamodb", Self::DynamoDb),
        ("sqs", Self::Sqs),
        ("sqs-fifo", Self::SqsFifo),
        ("msk", Self::Msk),
        ("kafka", Self::SelfManagedKafka),
        ("activemq", Self::ActiveMq),
        ("rabbitmq", Self::RabbitMq),
        ("documentdb", Self::DocumentDb),
    ];

    /// The name used in files and reports.
    pub fn name(self) -> &'static str {
        Self::ALL[self as usize].0
    }

    /// Whether it is one of the two SQS kinds.
    pub const fn is_queue(self) -> bool {
        matches!(self, Self::Sqs | Self::SqsFifo)
    }

    /// Whether it is one of the two kinds of Amazon MQ.
    pub const fn is_broker(self) -> bool {
        matches!(self, Self::ActiveMq | Self::RabbitMq)
    }

    /// Whether it is Kafka, whoever manages it.
    pub const fn is_kafka(self) -> bool {
        matches!(self, Self::Msk | Self::SelfManagedKafka)
    }

    /// Whether it has shards that keep order and iterators (Kinesis and DynamoDB).
    pub const fn is_stream(self) -> bool {
        matches!(self, Self::Kinesis | Self::DynamoDb)
    }
}

impl std::fmt::Display for SourceKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// The checked parameters of one mapping. Bad values cannot exist here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MappingConfig {
    /// The mapping's own name, unique in its file.
    pub name: String,
    /// What it reads from.
    pub source: SourceKind,
    /// Whom it invokes: name, version or alias, as written.
    pub function_name: String,
    /// BatchSize: records per invocation, 1 to 10,000.
    pub batch_size: u32,
    /// MaximumBatchingWindowInSeconds, 0 to 300 s (500 ms by default for Kafka and MQ).
    pub window: Span,
    /// StartingPosition for shards without a checkpoint; [`Position::Horizon`] for queues.
    pub starting_position: Position,
    /// ParallelizationFactor, 1 to 10.
    pub parallelization_factor: u32,
    /// MaximumRecordAgeInSeconds; `None` never discards.
    pub maximum_record_age: Option<Span>,
    /// MaximumRetryAttempts; `None` retries until success or expiry.
    pub maximum_retry_attempts: Option<u32>,
    /// BisectBatchOnFunctionError.
    pub bisect_batch_on_function_error: bool,
    /// FunctionResponseTypes contains ReportBatchItemFailures.
    pub report_batch_item_failures: bool,
    /// TumblingWindowInSeconds, 1 to 900 s.
    pub tumbling_window: Option<Span>,
    /// ScalingConfig.MaximumConcurrency, 2 to 1,000.
    pub maximum_concurrency: Option<u32>,
    /// ProvisionedPollerConfig: minimum and maximum pollers.
    pub provisioned_pollers: Option<(u32, u32)>,
    /// DestinationConfig.OnFailure.Destination.
    pub on_failure: Option<String>,
    /// FilterCriteria.Filters[].Pattern.
    pub filters: Vec<String>,
}

impl MappingConfig {
    /// The mapping that AWS makes when only required parameters are given. Its function has the name `function`;
    /// streams start at TRIM_HORIZON.
    ///
    /// ```
    /// use tidegate::engine::{MappingConfig, SourceKind};
    ///
    /// let patient = MappingConfig::new("clicks", SourceKind::Kinesis);
    /// assert_eq!((patient.batch_size, patient.maximum_retry_attempts), (100, None));
    /// let hasty = MappingConfig { maximum_retry_attempts: Some(1), ..patient };
    /// assert_eq!(hasty.maximum_retry_attempts, Some(1));
    /// ```
    pub fn new(name: &str, source: SourceKind) -> Self {
        let batch_size = table::default_of("BatchSize", source).unwrap_or(1);
        Self {
            name: name.to_owned(),
            source,
            function_name: "function".to_owned(),
            batch_size: u32::try_from(batch_size).unwrap_or(1),
            window: table::default_window(source),
            starting_position: Position::Horizon,
            parallelization_factor: 1,
            maximum_record_age: None,
            maximum_retry_attempts: None,
            bisect_batch_on_function_error: false,
            report_batch_item_failures: false,
            tumbling_window: None,
            maximum_concurrency: None,
            provisioned_pollers: None,
            on_failure: None,
            filters: Vec::new(),
        }
    }
}

/// What a driver knows of the service and AWS has no mapping parameter for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tuning {
    /// Which generation of scaling rules applies.
    pub profile: Profile,
    /// First wait after a failed try; doubles with every further one (rule `stream-backoff`).
    pub backoff_first: Span,
    /// Longest wait between tries.
    pub backoff_max: Span,
    /// Streams: how often an idle shard is read.
    pub poll_interval: Span,
    /// Streams: reads per second and shard while behind.
    pub reads_per_sec_max: u32,
    /// Streams: bytes read per second and shard. Records count with their encoded length.
    pub read_bytes_per_sec_max: u64,
    /// Streams: records per read.
    pub page_records_max: u32,
    /// Queues: the queue's visibility timeout.
    pub visibility_timeout: Span,
    /// Queues and brokers: how long a receive may wait for the first message.
    pub long_poll: Span,
    /// Brokers: how many consumers the mapping has, each with one batch at a time (rule `broker-consumers`); 1 or more.
    pub consumers: u32,
    /// Bytes of the event around its records (`{"Records":[` and `]}`).
    pub envelope_len: u32,
    /// Kafka: bytes that a partition's name and list take at most in the event, `"topic-N":[],`.
    pub partition_len: u32,
    /// A planted fault.
    #[cfg(feature = "mutations")]
    pub mutant: Option<crate::engine::mutation::Mutant>,
}

impl Tuning {
    /// The values that AWS is known or believed to use, for `profile`.
    pub const fn new(profile: Profile) -> Self {
        Self {
            profile,
            backoff_first: Span::from_millis(500),
            backoff_max: Span::from_secs(60),
            poll_interval: limits::KINESIS_POLL_INTERVAL,
            reads_per_sec_max: limits::KINESIS_READS_PER_SEC_MAX,
            read_bytes_per_sec_max: limits::KINESIS_READ_BYTES_PER_SEC_MAX,
            page_records_max: limits::KINESIS_PAGE_RECORDS_MAX,
            visibility_timeout: limits::SQS_VISIBILITY_DEFAULT,
            long_poll: limits::SQS_LONG_POLL,
            consumers: limits::RABBITMQ_CONSUMERS,
            envelope_len: wire::RECORDS_ENVELOPE_LEN,
            partition_len: 0,
            #[cfg(feature = "mutations")]
            mutant: None,
        }
    }

    /// The values for one kind of source (rules `dynamodb-reads-per-second` and `broker-consumers`).
    pub const fn for_source(profile: Profile, source: SourceKind) -> Self {
        let common = Self::new(profile);
        match source {
            SourceKind::DynamoDb => Self {
                poll_interval: limits::DYNAMODB_POLL_INTERVAL,
                page_records_max: limits::DYNAMODB_PAGE_RECORDS_MAX,
                ..common
            },
            SourceKind::ActiveMq => Self {
                consumers: limits::ACTIVEMQ_CONSUMERS,
                envelope_len: wire::ACTIVEMQ_ENVELOPE_LEN,
                ..common
            },
            SourceKind::RabbitMq => Self {
                envelope_len: wire::RABBITMQ_ENVELOPE_LEN,
                ..common
            },
            SourceKind::Msk | SourceKind::SelfManagedKafka => Self {
                envelope_len: wire::KAFKA_ENVELOPE_LEN,
                partition_len: wire::KAFKA_PARTITION_LEN,
                ..common
            },
            _ => common,
        }
    }

    /// Enhanced fan-out: the service pushes, so reads follow each other without a pause and without a limit.
    #[must_use]
    pub const fn pushed(self) -> Self {
        Self {
            poll_interval: Span::ZERO,
            reads_per_sec_max: 1_000_000_000,
            read_bytes_per_sec_max: u64::MAX,
            ..self
        }
    }
}
