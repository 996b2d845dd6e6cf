//! What happened over time: one row per bin and subject.

use super::histogram::{Histogram, quantiles_of};
use super::samples::quantiles_of_ordered;
use super::{AccountRow, AsyncRow, DeadLetters, KafkaRow, VersionSeries};
use crate::engine::Span;

/// The time series of a run.
#[derive(Clone, Debug, Default)]
pub struct Series {
    /// Length of a bin: one second for short scenarios, one minute for long ones.
    pub bin: Span,
    /// The part at the beginning that statistics leave out.
    pub warm_up: Span,
    /// When the run begins on the calendar, since 1970.
    pub start: Span,
    /// All functions together.
    pub account: Vec<AccountRow>,
    /// Concurrent executions that the account may have.
    pub account_limit: u32,
    /// One per function, in file order.
    pub functions: Vec<FunctionSeries>,
    /// One per published version, functions in file order.
    pub versions: Vec<VersionSeries>,
    /// One per mapping, in file order.
    pub mappings: Vec<MappingSeries>,
    /// Faults to shade: name, start, end.
    pub faults: Vec<(String, Span, Span)>,
    /// What was done to mappings and aliases: name, start, and the end of what lasts; the start again for what does not.
    pub events: Vec<(String, Span, Span)>,
}

/// A function over time.
#[derive(Clone, Debug, Default)]
pub struct FunctionSeries {
    /// Name of the function.
    pub name: String,
    /// Limit on its concurrency (reserved, or the unreserved part of the account).
    pub concurrency_limit: u32,
    /// Row `i` covers `[i × bin, (i + 1) × bin)`.
    pub rows: Vec<FunctionRow>,
    /// The same bins of its asynchronous events; empty if nobody calls it asynchronously.
    pub asynchronous: Vec<AsyncRow>,
    /// Durations of invocations that began in minute `i`.
    pub minutes: Vec<DurationMinute>,
    /// Latencies of the measured part, in nanoseconds.
    pub latencies: Histogram,
}

/// Handler times of the invocations that began in one minute, in milliseconds; `NaN` when there were none.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[expect(missing_docs, reason = "the field names are the statistics themselves")]
pub struct DurationMinute {
    pub mean: f64,
    pub max: f64,
    pub p50: f64,
    pub p99: f64,
}

impl DurationMinute {
    /// Of histograms of nanoseconds, taken together.
    pub(super) fn of(parts: &[&Histogram]) -> Self {
        let quantiles = quantiles_of(parts, [0.5, 0.99]);
        let count = parts.iter().map(|part| part.count()).sum();
        let sum = parts.iter().map(|part| part.sum()).sum();
        let max = parts.iter().map(|part| part.max()).max();
        Self::new(quantiles, count, sum, max)
    }

    /// Of nanoseconds in order.
    pub(super) fn of_ordered(values: &[u64]) -> Self {
        let quantiles = quantiles_of_ordered(values, [0.5, 0.99]);
        let sum = values.iter().map(|value| u128::from(*value)).sum();
        Self::new(quantiles, values.len() as u64, sum, values.last().copied())
    }

    fn new(quantiles: Option<[u64; 2]>, count: u64, sum: u128, max: Option<u64>) -> Self {
        let millis = |nanos: u64| nanos as f64 / 1e6;
        let [p50, p99] = quantiles.map_or([f64::NAN; 2], |both| both.map(millis));
        Self {
            // Without any values this is not a number either.
            mean: sum as f64 / count as f64 / 1e6,
            max: max.filter(|_| count > 0).map_or(f64::NAN, millis),
            p50,
            p99,
        }
    }
}

/// One bin of a function.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct FunctionRow {
    /// Requests that began to run.
    pub invocations: u64,
    /// Of these, how many failed (stamped with the start of the invocation).
    pub errors: u64,
    /// Refused requests, by reason, in the order of [`ThrottleReason`](crate::engine::lambda::ThrottleReason).
    pub throttles: [u64; 5],
    /// Cold starts.
    pub cold_starts: u64,
    /// Mean number of busy environments over the bin.
    pub concurrency_mean: f64,
    /// Largest number of busy environments in the bin.
    pub concurrency_max: u32,
    /// Busy and idle environments at the end of the bin.
    pub environments: u32,
    /// Requests that began to run on provisioned concurrency.
    pub provisioned_invocations: u64,
    /// Requests to an alias that began to run beside its provisioned concurrency.
    pub spillover_invocations: u64,
    /// Mean number of busy provisioned environments over the bin.
    pub provisioned_mean: f64,
    /// Largest number of busy provisioned environments in the bin.
    pub provisioned_max: u32,
    /// Mean number of allocated provisioned environments over the bin.
    pub allocated_mean: f64,
    /// Largest share of the allocated provisioned environments that was busy, 0 to 1.
    pub utilization_max: f64,
    /// Calls whose first attempt was made in the bin.
    pub calls: u64,
    /// Attempts that began and were answered in time and without an error.
    pub answered: u64,
    /// Calls that were given up.
    pub abandoned: u64,
    /// Further attempts that callers decided to make.
    pub client_retries: u64,
    /// Latency percentiles of requests that began in the bin, ms; `NaN` when there were none.
    pub latency_p50: f64,
    /// See `latency_p50`.
    pub latency_p95: f64,
    /// See `latency_p50`.
    pub latency_p99: f64,
}

/// A mapping over time.
#[derive(Clone, Debug, Default)]
pub struct MappingSeries {
    /// Name of the mapping.
    pub name: String,
    /// Name of its function.
    pub function: String,
    /// Whether the source is a stream (then `age_max` is the iterator age) or a queue.
    pub stream: bool,
    /// Whether it reads Kafka, so that its rows have numbers about it.
    pub kafka: bool,
    /// How many messages of the queue may be in flight at once; 0 where that is not known.
    pub in_flight_limit: u32,
    /// Row `i` covers `[i × bin, (i + 1) × bin)`.
    pub rows: Vec<MappingRow>,
    /// Streams: the shards with the largest iterator ages; Kafka: the partitions with the largest lags. Those with the
    /// smallest numbers first.
    pub shards: Vec<ShardSeries>,
    /// The largest ages or lags of all others.
    pub other_shards: Option<Vec<f32>>,
}

/// A shard of a stream or a partition over time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ShardSeries {
    /// Its number within the mapping, in the order in which shards appeared.
    pub number: u32,
    /// Its share of all records that were sent (Kafka: that arrived), 0 to 1, each counted once.
    pub share: f64,
    /// Streams: largest iterator age in each bin, ms; `NaN` when nothing was sent. Kafka: offsets between the committed
    /// one and the end, when the bin ends.
    pub levels: Vec<f32>,
}

/// One bin of a mapping.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MappingRow {
    /// Records that producers wrote.
    pub incoming: u64,
    /// Records read.
    pub polled: u64,
    /// Records delivered, each delivery counted.
    pub invoked: u64,
    /// Records of failed deliveries.
    pub failed: u64,
    /// Records that the filters left out.
    pub filtered: u64,
    /// Records that are done: their function returned, and did not report them or one before them.
    pub succeeded: u64,
    /// Records given up of which no destination was told: there is none, or it refused.
    pub dropped: u64,
    /// Records given up of which the on-failure destination was told.
    pub diverted: u64,
    /// Invocation records that the destination refused for good.
    pub destination_failures: u64,
    /// Tumbling windows that came to their end.
    pub windows_closed: u64,
    /// Of these, how many ended early because their state was too large.
    pub windows_early: u64,
    /// Messages deleted.
    pub deleted: u64,
    /// DeleteMessageBatch calls that succeeded, of up to 10 messages each.
    pub delete_calls: u64,
    /// Messages moved to the dead-letter queue, by reason.
    pub dead_letters: DeadLetters,
    /// Messages that became visible again while they were gathered or worked on.
    pub visible_too_early: u64,
    /// Brokers: deliveries of messages that had been delivered before.
    pub redelivered: u64,
    /// Brokers: messages that were dropped because no event can hold them.
    pub oversized: u64,
    /// Invocations that were refused.
    pub throttled: u64,
    /// Reads or receives that were answered.
    pub reads: u64,
    /// Of these, those that returned nothing.
    pub empty_reads: u64,
    /// Receives that found as many messages in flight as the queue allows.
    pub over_limit: u64,
    /// Records waiting at the source at the end of the bin.
    pub backlog: u64,
    /// Messages of the queue that were received and are neither deleted nor visible again, at the end of the bin.
    pub in_flight: u64,
    /// Age of the queue's oldest message at the end of the bin, ms; 0 without any, `NaN` for streams.
    pub oldest_age: f64,
    /// Records read and not finished at the end of the bin.
    pub in_hand: u64,
    /// Records that producers could not write at once.
    pub writes_throttled: u64,
    /// Of these, records that were given up.
    pub writes_lost: u64,
    /// Records that were older than the stream's retention when their turn came.
    pub trimmed: u64,
    /// Reads or receives that the source refused.
    pub reads_throttled: u64,
    /// Largest age of a batch's last record when sent, ms; `NaN` when nothing was sent.
    pub age_max: f64,
    /// Batches that the mapping may work on at once, at the end of the bin.
    pub concurrency_limit: u32,
    /// Kafka: commits, errors, lag and consumers.
    pub kafka: KafkaRow,
}
