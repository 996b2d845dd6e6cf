//! Every named quota, with its unit and where it comes from.

use crate::engine::Span;

/// Largest event that Lambda takes synchronously, in bytes of the encoded JSON (6 MiB; AWS "Lambda quotas").
pub const EVENT_BYTES_MAX: u64 = 6_291_456;

/// Largest page of GetRecords, in records (Kinesis API reference).
pub const KINESIS_PAGE_RECORDS_MAX: u32 = 10_000;
/// Largest page of GetRecords, in bytes (10 MiB; Kinesis API reference).
pub const KINESIS_PAGE_BYTES_MAX: u64 = 10 * 1024 * 1024;
/// GetRecords calls per second and shard (Kinesis API reference).
pub const KINESIS_READS_PER_SEC_MAX: u32 = 5;
/// Bytes read per second and shard (2 MiB; Kinesis API reference).
pub const KINESIS_READ_BYTES_PER_SEC_MAX: u64 = 2 * 1024 * 1024;
/// How often an idle shard is polled (developer guide, "Using AWS Lambda with Amazon Kinesis").
pub const KINESIS_POLL_INTERVAL: Span = Span::from_secs(1);
/// Records accepted per second and shard (Kinesis API reference).
pub const KINESIS_WRITE_RECORDS_PER_SEC_MAX: u32 = 1_000;
/// Bytes accepted per second and shard (1 MiB; Kinesis API reference).
pub const KINESIS_WRITE_BYTES_PER_SEC_MAX: u64 = 1024 * 1024;

/// Open shards of a stream, after UpdateShardCount and over all (Kinesis API reference).
pub const KINESIS_SHARDS_MAX: u32 = 10_000;
/// How long records stay readable in a stream that sets nothing (Kinesis API reference).
pub const KINESIS_RETENTION_DEFAULT: Span = Span::from_secs(24 * 3_600);
/// From a write to its push to a consumer with enhanced fan-out (Kinesis developer guide, "average 70 ms").
pub const KINESIS_FAN_OUT_PROPAGATION: Span = Span::from_millis(70);
/// Bytes pushed per second, shard and consumer with enhanced fan-out (2 MiB; Kinesis developer guide).
pub const KINESIS_FAN_OUT_BYTES_PER_SEC_MAX: u64 = 2 * 1024 * 1024;
/// Consumers with enhanced fan-out per stream (Kinesis developer guide).
pub const KINESIS_FAN_OUT_CONSUMERS_MAX: usize = 20;
/// How long the Kinesis Producer Library tries to write a record (its RecordTtl by default).
pub const KINESIS_PRODUCER_TTL: Span = Span::from_secs(30);

/// How long records stay readable in a DynamoDB stream (developer guide, "DynamoDB Streams").
pub const DYNAMODB_RETENTION: Span = Span::from_secs(24 * 3_600);
/// How long a shard of a DynamoDB stream takes records before a child follows it. AWS names no figure; users see 4 hours.
pub const DYNAMODB_SHARD_LIFETIME: Span = Span::from_secs(4 * 3_600);
/// Readers of one shard of a DynamoDB stream, above which AWS warns of throttling (developer guide).
pub const DYNAMODB_READERS_MAX: usize = 2;
/// How often an idle shard of a DynamoDB stream is polled: 4 times a second (developer guide, "Using AWS Lambda with
/// Amazon DynamoDB").
pub const DYNAMODB_POLL_INTERVAL: Span = Span::from_millis(250);
/// Largest page of GetRecords of a DynamoDB stream, in records (DynamoDB Streams API reference).
pub const DYNAMODB_PAGE_RECORDS_MAX: u32 = 1_000;
/// Largest page of GetRecords of a DynamoDB stream, in bytes (1 MB; DynamoDB Streams API reference).
pub const DYNAMODB_PAGE_BYTES_MAX: u64 = 1_000_000;

/// Largest state of a tumbling window, in bytes of its JSON (1 MB per shard; developer guide, "Tumbling windows").
pub const WINDOW_STATE_BYTES_MAX: u64 = 1_048_576;
/// Bytes that the parts of a windowed event take beside its records and its state: names, times, shard and ARN.
pub const WINDOW_ENVELOPE_BYTES_MAX: u64 = 4_096;
/// How often an on-failure destination is asked to take an invocation record before the records are dropped.
pub const DESTINATION_TRIES_MAX: u32 = 5;
/// How long a window that is over waits for further records before its final call (developer guide, "up to 2 minutes").
pub const WINDOW_IDLE_MAX: Span = Span::from_secs(120);

/// Messages per ReceiveMessage and DeleteMessageBatch (SQS API reference).
pub const SQS_CALL_MESSAGES_MAX: u32 = 10;
/// Long polling (developer guide, "Using Lambda with Amazon SQS").
pub const SQS_LONG_POLL: Span = Span::from_secs(20);
/// Visibility timeout of a queue that sets none (SQS API reference).
pub const SQS_VISIBILITY_DEFAULT: Span = Span::from_secs(30);
/// Concurrent batches when messages begin to flow (developer guide, "Scaling and processing").
pub const SQS_CONCURRENCY_START: u32 = 5;
/// Invocations at once of one provisioned poller (developer guide, "Configuring provisioned mode").
pub const SQS_POLLER_CONCURRENCY: u32 = 10;
/// Receives per second of one provisioned poller (developer guide, "Configuring provisioned mode").
pub const SQS_POLLER_RECEIVES_PER_SEC_MAX: u32 = 10;
/// Bytes per second of one provisioned poller (1 MB; developer guide, "Configuring provisioned mode").
pub const SQS_POLLER_BYTES_PER_SEC_MAX: u64 = 1_000_000;
/// Concurrency that provisioned pollers add per minute (developer guide, "Configuring provisioned mode").
pub const SQS_PROVISIONED_STEP: u32 = 1_000;
/// Messages in flight per standard queue (SQS quotas).
pub const SQS_IN_FLIGHT_MAX: u32 = 120_000;
/// Messages of a FIFO queue in which it looks for message groups, and which can be in flight (SQS developer guide until
/// November 2024).
pub const SQS_FIFO_LOOK_AHEAD_2021: u32 = 20_000;
/// The same since November 2024 (SQS developer guide, "Avoid large message backlogs with the same message group ID").
pub const SQS_FIFO_LOOK_AHEAD: u32 = 120_000;

/// Batches that a RabbitMQ mapping works on at once (developer guide, "Using Lambda with Amazon MQ"; raised on request).
pub const RABBITMQ_CONSUMERS: u32 = 1;
/// Batches that an ActiveMQ mapping works on at once (developer guide, "Using Lambda with Amazon MQ").
pub const ACTIVEMQ_CONSUMERS: u32 = 5;
/// Consumers that a RabbitMQ mapping may ask for here (ours: AWS names no figure).
pub const RABBITMQ_CONSUMERS_MAX: u32 = 100;
/// Deliveries of a quorum queue's message before it is dead-lettered, unless a policy says otherwise (RabbitMQ 4).
pub const RABBITMQ_DELIVERY_LIMIT: u32 = 20;
/// Redeliveries before ActiveMQ moves a message to its dead-letter queue (its default redelivery policy).
pub const ACTIVEMQ_REDELIVERIES_MAX: u32 = 6;

/// Invocations at once of one provisioned Kafka poller (developer guide, "Provisioned mode").
pub const KAFKA_POLLER_CONCURRENCY: u32 = 5;
/// Bytes per second of one provisioned Kafka poller (5 MB; developer guide, "Provisioned mode").
pub const KAFKA_POLLER_BYTES_PER_SEC_MAX: u64 = 5_000_000;
/// How long Kafka keeps records unless told otherwise (`log.retention.hours`).
pub const KAFKA_RETENTION_DEFAULT: Span = Span::from_secs(7 * 24 * 3_600);
/// Retries of a Kafka batch that would be retried for ever, once an on-failure destination can take it (developer guide,
/// "Kafka error handling").
pub const KAFKA_DESTINATION_RETRIES: u32 = 10;

/// Longest function timeout (Lambda quotas).
pub const FUNCTION_TIMEOUT_MAX: Span = Span::from_secs(900);
/// Concurrency that must stay unreserved (developer guide, "Managing concurrency").
pub const UNRESERVED_CONCURRENCY_MIN: u32 = 100;
/// Requests per second for each unit of concurrency (Lambda quotas).
pub const REQUESTS_PER_SEC_PER_CONCURRENCY: u32 = 10;
/// How long an environment on demand may initialise before its invocation (developer guide, "Lambda execution
/// environment").
pub const INIT_MAX: Span = Span::from_secs(10);
/// How long an environment that is prepared ahead may initialise, unless the function's timeout is longer (developer
/// guide, "Lambda execution environment").
pub const PREPARED_INIT_MAX: Span = Span::from_secs(130);
/// Requests at once in one environment on managed instances (Lambda API reference).
pub const MANAGED_SLOTS_MAX: u32 = 1_600;
/// Environments of a function on managed instances that says nothing (developer guide, "Lambda Managed Instances").
pub const MANAGED_ENVIRONMENTS: u32 = 3;
/// Environments of a function on managed instances (Lambda API reference).
pub const MANAGED_ENVIRONMENTS_MAX: u32 = 15_000;
/// Environments of isolated tenants, idle or at work, for every 1,000 of the account's concurrency (developer guide, "Tenant
/// isolation").
pub const TENANT_ENVIRONMENTS_PER_1000: u32 = 2_500;
/// How long a snapshot may take to be restored (developer guide, "SnapStart").
pub const RESTORE_MAX: Span = Span::from_secs(10);
/// Shutdown of an environment with internal extensions (developer guide, "Lambda execution environment").
pub const SHUTDOWN_INTERNAL: Span = Span::from_millis(500);
/// Shutdown of an environment with external extensions (developer guide, "Lambda execution environment").
pub const SHUTDOWN_EXTERNAL: Span = Span::from_secs(2);

/// Most further tries of an asynchronous event whose function failed, and what AWS takes unless told otherwise (developer
/// guide, "Asynchronous invocation").
pub const ASYNC_RETRIES_MAX: u8 = 2;
/// Longest time that an asynchronous event stays in its queue, and what AWS takes unless told otherwise (developer guide).
pub const ASYNC_EVENT_AGE_MAX: Span = Span::from_secs(21_600);
/// Largest event of an asynchronous invocation, in bytes, in 2021 (Lambda quotas of that time: 256 KB).
pub const ASYNC_PAYLOAD_BYTES_MAX_2021: u64 = 262_144;
/// The same today (Lambda quotas: 1 MB).
pub const ASYNC_PAYLOAD_BYTES_MAX: u64 = 1_048_576;
/// What a dead-letter queue is shown of an error's message, in bytes (developer guide, "Dead-letter queues").
pub const DEAD_LETTER_MESSAGE_BYTES_MAX: usize = 1_024;
