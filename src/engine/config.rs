//! A mapping's parameters: AWS names, defaults, ranges and cross-parameter rules.

use crate::engine::{Position, Profile, Span, limits};

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

/// The checked parameters of one mapping. Bad values cannot exist here.
#[derive(Clone, Debug, PartialEq)]
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
    /// Queues: how long a receive may wait for the first message.
    pub long_poll: Span,
    /// Bytes of the event around its records (`{"Records":[` and `]}`).
    pub envelope_len: u32,
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
            envelope_len: 14,
        }
    }
}

impl MappingConfig {
    /// The defaults of a source's mappings; stream mappings start at TRIM_HORIZON.
    pub fn new(name: &str, source: SourceKind) -> Self {
        let queue = matches!(source, SourceKind::Sqs | SourceKind::SqsFifo);
        Self {
            name: name.to_owned(),
            source,
            function_name: String::new(),
            batch_size: if queue { 10 } else { 100 },
            window: Span::ZERO,
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
