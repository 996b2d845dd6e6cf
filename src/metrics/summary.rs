//! The figures of a run, as plain data: what reports print and gates test.

use super::histogram::quantiles_of;
use super::{
    AccountSummary, AsyncSummary, CostSummary, DeadLetterReason, DeadLetters, Finding, Histogram,
    KafkaFigures, Theory, VersionSummary,
};
use serde::Serialize;
use serde::ser::{SerializeStruct, Serializer};

/// One figure: a value, and with replications a 95 % interval around their mean.
///
/// It prints as a number with `decimals` digits after the point, or as `{mean, low, high}`; a value that
/// does not exist (`NaN`) prints as `null`.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Figure {
    /// The value, or the mean over replications.
    pub value: f64,
    /// Digits after the decimal point when printed.
    pub decimals: u8,
    /// Bounds of the interval, when there are replications.
    pub interval: Option<(f64, f64)>,
}

impl Figure {
    /// A whole number.
    pub fn count(value: u64) -> Self {
        Self::new(value as f64, 0)
    }

    /// A number with `decimals` digits after the point.
    pub const fn new(value: f64, decimals: u8) -> Self {
        Self {
            value,
            decimals,
            interval: None,
        }
    }

    /// The JSON number for `value`; `null` when there is none, as for a percentile of nothing.
    fn rounded(self, value: f64) -> Option<serde_json::Number> {
        let text = format!("{value:.*}", usize::from(self.decimals));
        // A tiny negative value must not print as -0, which another platform's parser may drop.
        let text = match text.strip_prefix('-') {
            Some(digits) if !digits.contains(|c| matches!(c, '1'..='9')) => digits,
            _ => &text,
        };
        text.parse().ok()
    }
}

impl Serialize for Figure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.interval {
            None => self.rounded(self.value).serialize(serializer),
            Some((low, high)) => {
                let mut object = serializer.serialize_struct("Figure", 3)?;
                object.serialize_field("mean", &self.rounded(self.value))?;
                object.serialize_field("low", &self.rounded(low))?;
                object.serialize_field("high", &self.rounded(high))?;
                object.end()
            }
        }
    }
}

/// The result of a scenario: written as `summary.json` and shown in every report.
#[derive(Clone, Debug, Serialize, Default)]
pub struct Summary {
    /// Version of the program.
    pub tidegate: String,
    /// Title of the scenario.
    pub scenario: String,
    /// Digest of the scenario.
    pub scenario_hash: String,
    /// Name of the profile.
    pub profile: String,
    /// Seed of the first replication.
    pub seed: u64,
    /// How many replications the figures stand for.
    pub replications: u32,
    /// Measured time in seconds, without warm-up.
    pub measured_s: f64,
    /// Functions, in file order.
    #[serde(serialize_with = "as_map")]
    pub functions: Vec<(String, FunctionSummary)>,
    /// Published versions by `function:number`, functions in file order.
    #[serde(serialize_with = "as_map", skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<(String, VersionSummary)>,
    /// Mappings, in file order.
    #[serde(serialize_with = "as_map")]
    pub mappings: Vec<(String, MappingSummary)>,
    /// All functions together.
    pub account: AccountSummary,
    /// What it costs.
    pub cost: CostSummary,
    /// What formulas say about functions that they describe.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub theory: Vec<Theory>,
    /// Results of the thresholds.
    pub gates: Vec<GateResult>,
    /// What there is to say about it, the worst first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
    /// The simulator's own work.
    pub engine: EngineSummary,
}

/// Percentiles of a quantity; every field has the unit that the place of use names.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Default)]
#[expect(missing_docs, reason = "the field names are the statistics themselves")]
pub struct Percentiles {
    pub p50: Figure,
    pub p90: Figure,
    pub p95: Figure,
    pub p99: Figure,
    pub p999: Figure,
    pub max: Figure,
    pub mean: Figure,
}

impl Percentiles {
    /// Milliseconds with three decimals from a histogram of nanoseconds.
    pub fn of_nanos(histogram: &Histogram) -> Self {
        Self::of_parts(&[histogram])
    }

    /// The same of several histograms taken together.
    pub(super) fn of_parts(parts: &[&Histogram]) -> Self {
        Self::scaled(parts, 1e6, 3)
    }

    /// Whole numbers from a histogram of counts; the mean has three decimals.
    pub fn of_counts(histogram: &Histogram) -> Self {
        Self {
            mean: Figure::new(histogram.mean(), 3),
            ..Self::scaled(&[histogram], 1.0, 0)
        }
    }

    fn scaled(parts: &[&Histogram], unit: f64, decimals: u8) -> Self {
        let quantiles = quantiles_of(parts, [0.5, 0.9, 0.95, 0.99, 0.999]).unwrap_or_default();
        let figure = |value: u64| Figure::new(value as f64 / unit, decimals);
        let [p50, p90, p95, p99, p999] = quantiles.map(figure);
        let count: u64 = parts.iter().map(|part| part.count()).sum();
        let sum: u128 = parts.iter().map(|part| part.sum()).sum();
        let max = parts.iter().map(|part| part.max()).max();
        Self {
            p50,
            p90,
            p95,
            p99,
            p999,
            max: figure(max.unwrap_or(0)),
            mean: Figure::new(sum as f64 / count.max(1) as f64 / unit, decimals),
        }
    }
}

/// Mean over time and maximum.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Default)]
#[expect(missing_docs, reason = "the field names are the statistics themselves")]
pub struct MeanMax {
    pub mean: Figure,
    pub max: Figure,
}

/// Figures of one function. Names are CloudWatch's where it has one; times are in milliseconds.
#[derive(Clone, Debug, Serialize, Default)]
#[serde(rename_all = "PascalCase")]
pub struct FunctionSummary {
    /// Requests that ran, function errors included.
    pub invocations: Figure,
    /// Invocations that ended in a function error, timeouts included.
    pub errors: Figure,
    /// Invocations cut off by the function's timeout.
    pub timeouts: Figure,
    /// Requests refused.
    pub throttles: Figure,
    /// Managed instances: refusals because every slot was taken.
    pub concurrency_throttles: Figure,
    /// Managed instances: refusals because the CPU was used up.
    #[serde(rename = "CPUThrottles")]
    pub cpu_throttles: Figure,
    /// Refusals by reason, AWS's names.
    pub throttle_reasons: ThrottleReasons,
    /// Invocations that created an environment.
    pub cold_starts: Figure,
    /// Share of invocations that were cold, 0 to 1.
    pub cold_start_share: Figure,
    /// Retries that callers made.
    pub client_retries: Figure,
    /// Calls that callers made, however many attempts each took.
    pub calls: Figure,
    /// Calls that were answered in time and without an error: the goodput. Those that are under way at the end count.
    pub calls_answered: Figure,
    /// The same as a share of all calls, 0 to 1.
    pub calls_answered_share: Figure,
    /// Calls that were given up: refused, failed or too slow at their last attempt.
    pub calls_abandoned: Figure,
    /// Attempts whose caller stopped waiting before the function returned.
    pub client_timeouts: Figure,
    /// Attempts by call.
    pub attempts_per_call: Figure,
    /// Invocations on provisioned concurrency.
    pub provisioned_concurrency_invocations: Figure,
    /// Invocations of an alias beside its provisioned concurrency.
    pub provisioned_concurrency_spillover_invocations: Figure,
    /// Invocations on environments that SnapStart restored.
    pub snap_start_invocations: Figure,
    /// Busy provisioned environments.
    pub provisioned_concurrent_executions: MeanMax,
    /// Provisioned environments that serve requests.
    pub allocated_provisioned_concurrent_executions: MeanMax,
    /// Busy provisioned environments as a share of the allocated ones, 0 to 1: over the whole time, and at most.
    pub provisioned_concurrency_utilization: MeanMax,
    /// Times that autoscaling asked for more provisioned concurrency than the account or the reservation allows.
    pub scalings_refused: Figure,
    /// Provisioned environments that were replaced because their lifetime was over.
    pub provisioned_recycled: Figure,
    /// Invocations whose process ended (Runtime.ExitError).
    pub crashes: Figure,
    /// Invocations that failed because their initialisation or restore did.
    pub init_errors: Figure,
    /// Handler time, ms.
    pub duration: Percentiles,
    /// As the caller sees it: initialisation and handler (and the waits between client retries), ms.
    pub latency: Percentiles,
    /// Initialisation of cold starts, ms.
    pub init_duration: Percentiles,
    /// Restores of SnapStart, ms.
    pub restore_duration: Percentiles,
    /// Restores of SnapStart: cold starts that took no initialisation.
    pub restores: Figure,
    /// Time of extensions after the response, of invocations that had some, ms.
    pub post_runtime_extensions_duration: Percentiles,
    /// Busy environments.
    pub concurrent_executions: MeanMax,
    /// Busy and idle environments.
    pub environments: MeanMax,
    /// Mean time from creation to expiry of environments that expired, seconds.
    pub environment_lifespan_s: Figure,
    /// Asynchronous events.
    #[serde(flatten)]
    pub asynchronous: AsyncSummary,
}

/// Throttles by reason.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Default)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the field names are AWS's reasons")]
pub struct ThrottleReasons {
    pub concurrent_invocation_limit_exceeded: Figure,
    pub reserved_function_concurrent_invocation_limit_exceeded: Figure,
    pub function_invocation_rate_limit_exceeded: Figure,
    pub reserved_function_invocation_rate_limit_exceeded: Figure,
    pub caller_rate_limit_exceeded: Figure,
}

/// Figures of one mapping. Names are CloudWatch's where it has one; times are in milliseconds.
#[derive(Clone, Debug, Serialize, Default)]
#[serde(rename_all = "PascalCase")]
pub struct MappingSummary {
    /// Kind of the source, as in files (`kinesis`, `sqs`).
    pub source_type: String,
    /// AWS's text about the last invocation; queues have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_processing_result: Option<String>,
    /// Records that producers wrote.
    pub incoming_records: Figure,
    /// Records that were read.
    pub polled_event_count: Figure,
    /// Records delivered to the function, each delivery counted.
    pub invoked_event_count: Figure,
    /// Records that no filter matched.
    pub filtered_out_event_count: Figure,
    /// Records of deliveries that failed.
    pub failed_invoke_event_count: Figure,
    /// Records that are done: their function returned, and did not report them or one before them.
    pub succeeded_event_count: Figure,
    /// Records given up of which no destination was told: there is none, or it refused.
    pub dropped_event_count: Figure,
    /// Records given up of which a destination was told.
    pub on_failure_destination_delivered_event_count: Figure,
    /// Invocation records that a destination refused for good.
    pub destination_delivery_failures: Figure,
    /// Messages deleted from the queue.
    pub deleted_event_count: Figure,
    /// Calls that deleted them, of up to 10 messages each.
    pub delete_calls: Figure,
    /// Messages that the queue moved to its dead-letter queue.
    pub dead_lettered: Figure,
    /// The same by the last reason for which each came back.
    pub dead_letter_reasons: DeadLetterReasons,
    /// Messages that became visible again while they were gathered or worked on.
    pub visible_too_early: Figure,
    /// Brokers: deliveries of messages that had been delivered before.
    pub redelivered: Figure,
    /// Brokers: messages that were dropped because no event can hold them.
    pub oversized_record_count: Figure,
    /// Invocations sent.
    pub batches: Figure,
    /// Invocations refused.
    pub throttled_batches: Figure,
    /// Tumbling windows that came to their end.
    pub windows_closed: Figure,
    /// Of these, how many ended early because their state was too large.
    pub windows_terminated_early: Figure,
    /// Reads or receives.
    pub reads: Figure,
    /// Reads or receives that returned nothing.
    pub empty_reads: Figure,
    /// Age of the last record of each batch when it was sent, ms.
    pub iterator_age: Percentiles,
    /// Age of records when their batch ended in success, ms.
    pub record_latency: Percentiles,
    /// Records per invocation.
    pub batch_records: Percentiles,
    /// Records waiting at the source.
    pub backlog: Backlog,
    /// Records read and not finished, as the mapping holds them at the end of bins.
    pub in_hand: Backlog,
    /// Messages of the queue that were received and are neither deleted nor visible again, at the end of bins.
    pub approximate_number_of_messages_not_visible: Backlog,
    /// Age of the queue's oldest message at the end of bins, ms; none for streams.
    pub approximate_age_of_oldest_message: MeanMax,
    /// Records that producers of the source could not write at once (WriteProvisionedThroughputExceeded).
    pub write_throttles: Figure,
    /// Of these, records that were given up.
    pub writes_lost: Figure,
    /// Records lost to the stream's retention before the mapping came to read them.
    pub trimmed_records: Figure,
    /// Reads or receives that the source refused (ReadProvisionedThroughputExceeded).
    pub read_throttles: Figure,
    /// Receives that found as many messages in flight as the queue allows (OverLimit, or a wait in vain).
    pub over_limit_receives: Figure,
    /// What only mappings of Kafka have.
    #[serde(flatten)]
    pub kafka: Option<KafkaFigures>,
}

/// Messages in the dead-letter queue by reason.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Default)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the variants of DeadLetterReason say it")]
pub struct DeadLetterReasons {
    pub function_error: Figure,
    pub reported: Figure,
    pub throttled: Figure,
    pub service_error: Figure,
    pub delete_failed: Figure,
    pub visibility_too_short: Figure,
    pub connection_lost: Figure,
}

impl DeadLetterReasons {
    /// As counted.
    pub fn of(counts: &DeadLetters) -> Self {
        let of = |reason| Figure::count(counts.of(reason));
        Self {
            function_error: of(DeadLetterReason::FunctionError),
            reported: of(DeadLetterReason::Reported),
            throttled: of(DeadLetterReason::Throttled),
            service_error: of(DeadLetterReason::ServiceError),
            delete_failed: of(DeadLetterReason::DeleteFailed),
            visibility_too_short: of(DeadLetterReason::VisibilityTooShort),
            connection_lost: of(DeadLetterReason::ConnectionLost),
        }
    }
}

/// Records waiting somewhere.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Default)]
#[expect(missing_docs, reason = "the field names are the statistics themselves")]
pub struct Backlog {
    pub max: Figure,
    pub end: Figure,
}

/// A threshold and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GateResult {
    /// `subject.Metric`.
    pub metric: String,
    /// Statistic, as written.
    pub statistic: String,
    /// `<= 5` or `>= 0.9`.
    pub bound: String,
    /// The measured value.
    pub value: f64,
    /// Whether it holds.
    pub pass: bool,
}

/// The simulator's own work.
#[derive(Clone, Copy, Debug, Serialize, Default)]
pub struct EngineSummary {
    /// Events taken from the calendar and arrivals, over all replications.
    pub events: u64,
    /// Simulated seconds, over all replications.
    pub simulated_s: f64,
    /// Wall time, seconds: not reproducible.
    pub wall_s: f64,
    /// Invocations per second of wall time: not reproducible.
    pub invocations_per_s: f64,
    /// Records or messages per second of wall time: not reproducible.
    pub records_per_s: f64,
}

fn as_map<S: Serializer, T: Serialize>(
    entries: &[(String, T)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(entries.iter().map(|(name, value)| (name, value)))
}
