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
/// Messages in flight per standard queue (SQS quotas).
pub const SQS_IN_FLIGHT_MAX: u32 = 120_000;

/// Longest function timeout (Lambda quotas).
pub const FUNCTION_TIMEOUT_MAX: Span = Span::from_secs(900);
/// Concurrency that must stay unreserved (developer guide, "Managing concurrency").
pub const UNRESERVED_CONCURRENCY_MIN: u32 = 100;
/// Requests per second for each unit of concurrency (Lambda quotas).
pub const REQUESTS_PER_SEC_PER_CONCURRENCY: u32 = 10;
