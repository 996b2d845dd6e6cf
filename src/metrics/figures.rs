//! One list of every metric, from which names, statistics and visits of all figures follow.

use super::{
    Backlog, Figure, FunctionSummary, KafkaFigures, MappingSummary, MeanMax, Percentiles, Summary,
    ThrottleReasons,
};

/// A metric of a subject, by the shape of its figures. The shape decides which statistics it has.
#[derive(Debug)]
pub enum Metric<'a> {
    /// Something counted: has a sum.
    Total(&'a mut Figure),
    /// A share or a mean: has an average.
    Level(&'a mut Figure),
    /// A largest value: has a maximum.
    Largest(&'a mut Figure),
    /// A distribution.
    Distribution(&'a mut Percentiles),
    /// A level over time.
    MeanMax(&'a mut MeanMax),
    /// What waits, at a source or in a mapping.
    Backlog(&'a mut Backlog),
}

impl Metric<'_> {
    /// Visits the figures of this metric with the key each has in JSON, empty for a bare number.
    pub(super) fn visit(self, visit: &mut dyn FnMut(&str, &mut Figure)) {
        match self {
            Self::Total(figure) | Self::Level(figure) | Self::Largest(figure) => visit("", figure),
            Self::Distribution(parts) => {
                visit("p50", &mut parts.p50);
                visit("p90", &mut parts.p90);
                visit("p95", &mut parts.p95);
                visit("p99", &mut parts.p99);
                visit("p999", &mut parts.p999);
                visit("max", &mut parts.max);
                visit("mean", &mut parts.mean);
            }
            Self::MeanMax(parts) => {
                visit("mean", &mut parts.mean);
                visit("max", &mut parts.max);
            }
            Self::Backlog(parts) => {
                visit("max", &mut parts.max);
                visit("end", &mut parts.end);
            }
        }
    }
}

impl FunctionSummary {
    /// Every metric with its name, in the order of the JSON document.
    pub fn metrics(&mut self) -> Vec<(&'static str, Metric<'_>)> {
        use Metric::{Distribution, Level, Total};
        let mut list = vec![
            ("Invocations", Total(&mut self.invocations)),
            ("Errors", Total(&mut self.errors)),
            ("Timeouts", Total(&mut self.timeouts)),
            ("Throttles", Total(&mut self.throttles)),
            (
                "ConcurrencyThrottles",
                Total(&mut self.concurrency_throttles),
            ),
            ("CPUThrottles", Total(&mut self.cpu_throttles)),
        ];
        list.extend(self.throttle_reasons.metrics());
        list.extend([
            ("ColdStarts", Total(&mut self.cold_starts)),
            ("ColdStartShare", Level(&mut self.cold_start_share)),
            ("ClientRetries", Total(&mut self.client_retries)),
            ("Calls", Total(&mut self.calls)),
            ("CallsAnswered", Total(&mut self.calls_answered)),
            ("CallsAnsweredShare", Level(&mut self.calls_answered_share)),
            ("CallsAbandoned", Total(&mut self.calls_abandoned)),
            ("ClientTimeouts", Total(&mut self.client_timeouts)),
            ("AttemptsPerCall", Level(&mut self.attempts_per_call)),
            (
                "ProvisionedConcurrencyInvocations",
                Total(&mut self.provisioned_concurrency_invocations),
            ),
            (
                "ProvisionedConcurrencySpilloverInvocations",
                Total(&mut self.provisioned_concurrency_spillover_invocations),
            ),
            (
                "SnapStartInvocations",
                Total(&mut self.snap_start_invocations),
            ),
            (
                "ProvisionedConcurrentExecutions",
                Metric::MeanMax(&mut self.provisioned_concurrent_executions),
            ),
            (
                "AllocatedProvisionedConcurrentExecutions",
                Metric::MeanMax(&mut self.allocated_provisioned_concurrent_executions),
            ),
            (
                "ProvisionedConcurrencyUtilization",
                Metric::MeanMax(&mut self.provisioned_concurrency_utilization),
            ),
            ("ScalingsRefused", Total(&mut self.scalings_refused)),
            ("ProvisionedRecycled", Total(&mut self.provisioned_recycled)),
            ("Crashes", Total(&mut self.crashes)),
            ("InitErrors", Total(&mut self.init_errors)),
            ("Duration", Distribution(&mut self.duration)),
            ("Latency", Distribution(&mut self.latency)),
            ("InitDuration", Distribution(&mut self.init_duration)),
            ("RestoreDuration", Distribution(&mut self.restore_duration)),
            ("Restores", Total(&mut self.restores)),
            (
                "PostRuntimeExtensionsDuration",
                Distribution(&mut self.post_runtime_extensions_duration),
            ),
            (
                "ConcurrentExecutions",
                Metric::MeanMax(&mut self.concurrent_executions),
            ),
            ("Environments", Metric::MeanMax(&mut self.environments)),
            (
                "EnvironmentLifespanS",
                Level(&mut self.environment_lifespan_s),
            ),
        ]);
        list.extend(self.asynchronous.metrics());
        list
    }
}

impl ThrottleReasons {
    fn metrics(&mut self) -> [(&'static str, Metric<'_>); 5] {
        [
            (
                "ThrottleReasons.ConcurrentInvocationLimitExceeded",
                Metric::Total(&mut self.concurrent_invocation_limit_exceeded),
            ),
            (
                "ThrottleReasons.ReservedFunctionConcurrentInvocationLimitExceeded",
                Metric::Total(&mut self.reserved_function_concurrent_invocation_limit_exceeded),
            ),
            (
                "ThrottleReasons.FunctionInvocationRateLimitExceeded",
                Metric::Total(&mut self.function_invocation_rate_limit_exceeded),
            ),
            (
                "ThrottleReasons.ReservedFunctionInvocationRateLimitExceeded",
                Metric::Total(&mut self.reserved_function_invocation_rate_limit_exceeded),
            ),
            (
                "ThrottleReasons.CallerRateLimitExceeded",
                Metric::Total(&mut self.caller_rate_limit_exceeded),
            ),
        ]
    }
}

impl MappingSummary {
    /// Every metric with its name, in the order of the JSON document.
    pub fn metrics(&mut self) -> Vec<(&'static str, Metric<'_>)> {
        use Metric::{Distribution, Total};
        let mut list = vec![
            ("IncomingRecords", Total(&mut self.incoming_records)),
            ("PolledEventCount", Total(&mut self.polled_event_count)),
            ("InvokedEventCount", Total(&mut self.invoked_event_count)),
            (
                "FilteredOutEventCount",
                Total(&mut self.filtered_out_event_count),
            ),
            (
                "FailedInvokeEventCount",
                Total(&mut self.failed_invoke_event_count),
            ),
            (
                "SucceededEventCount",
                Total(&mut self.succeeded_event_count),
            ),
            ("DroppedEventCount", Total(&mut self.dropped_event_count)),
            (
                "OnFailureDestinationDeliveredEventCount",
                Total(&mut self.on_failure_destination_delivered_event_count),
            ),
            (
                "DestinationDeliveryFailures",
                Total(&mut self.destination_delivery_failures),
            ),
            ("DeletedEventCount", Total(&mut self.deleted_event_count)),
            ("DeleteCalls", Total(&mut self.delete_calls)),
            ("DeadLettered", Total(&mut self.dead_lettered)),
            (
                "DeadLetterReasons.FunctionError",
                Total(&mut self.dead_letter_reasons.function_error),
            ),
            (
                "DeadLetterReasons.Reported",
                Total(&mut self.dead_letter_reasons.reported),
            ),
            (
                "DeadLetterReasons.Throttled",
                Total(&mut self.dead_letter_reasons.throttled),
            ),
            (
                "DeadLetterReasons.ServiceError",
                Total(&mut self.dead_letter_reasons.service_error),
            ),
            (
                "DeadLetterReasons.DeleteFailed",
                Total(&mut self.dead_letter_reasons.delete_failed),
            ),
            (
                "DeadLetterReasons.VisibilityTooShort",
                Total(&mut self.dead_letter_reasons.visibility_too_short),
            ),
            (
                "DeadLetterReasons.ConnectionLost",
                Total(&mut self.dead_letter_reasons.connection_lost),
            ),
            ("VisibleTooEarly", Total(&mut self.visible_too_early)),
            ("Redelivered", Total(&mut self.redelivered)),
            (
                "OversizedRecordCount",
                Total(&mut self.oversized_record_count),
            ),
            ("Batches", Total(&mut self.batches)),
            ("ThrottledBatches", Total(&mut self.throttled_batches)),
            ("WindowsClosed", Total(&mut self.windows_closed)),
            (
                "WindowsTerminatedEarly",
                Total(&mut self.windows_terminated_early),
            ),
            ("Reads", Total(&mut self.reads)),
            ("EmptyReads", Total(&mut self.empty_reads)),
            ("IteratorAge", Distribution(&mut self.iterator_age)),
            ("RecordLatency", Distribution(&mut self.record_latency)),
            ("BatchRecords", Distribution(&mut self.batch_records)),
            ("Backlog", Metric::Backlog(&mut self.backlog)),
            ("InHand", Metric::Backlog(&mut self.in_hand)),
            (
                "ApproximateNumberOfMessagesNotVisible",
                Metric::Backlog(&mut self.approximate_number_of_messages_not_visible),
            ),
            (
                "ApproximateAgeOfOldestMessage",
                Metric::MeanMax(&mut self.approximate_age_of_oldest_message),
            ),
            ("WriteThrottles", Total(&mut self.write_throttles)),
            ("WritesLost", Total(&mut self.writes_lost)),
            ("TrimmedRecords", Total(&mut self.trimmed_records)),
            ("ReadThrottles", Total(&mut self.read_throttles)),
            ("OverLimitReceives", Total(&mut self.over_limit_receives)),
        ];
        list.extend(self.kafka.iter_mut().flat_map(KafkaFigures::metrics));
        list
    }
}

/// Visits every figure with its path in the JSON document, such as `functions.checkout.Latency.p99`.
pub fn for_each_figure(summary: &mut Summary, visit: &mut dyn FnMut(&str, &mut Figure)) {
    for (name, function) in &mut summary.functions {
        for (metric, shape) in function.metrics() {
            shape.visit(&mut |key, figure| visit(&path("functions", name, metric, key), figure));
        }
    }
    for (name, version) in &mut summary.versions {
        for (metric, shape) in version.metrics() {
            shape.visit(&mut |key, figure| visit(&path("versions", name, metric, key), figure));
        }
    }
    for (name, mapping) in &mut summary.mappings {
        for (metric, shape) in mapping.metrics() {
            shape.visit(&mut |key, figure| visit(&path("mappings", name, metric, key), figure));
        }
    }
    account(summary, visit);
}

fn account(summary: &mut Summary, visit: &mut dyn FnMut(&str, &mut Figure)) {
    for (metric, shape) in summary.account.metrics() {
        shape.visit(&mut |_, figure| visit(&format!("account.{metric}"), figure));
    }
    summary.cost.visit(visit);
}

fn path(section: &str, subject: &str, metric: &str, key: &str) -> String {
    let dot = if key.is_empty() { "" } else { "." };
    format!("{section}.{subject}.{metric}{dot}{key}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::fixture;

    fn leaves(prefix: &str, value: &serde_json::Value, found: &mut Vec<String>) {
        match value {
            serde_json::Value::Object(map) => {
                for (key, value) in map {
                    leaves(&format!("{prefix}.{key}"), value, found);
                }
            }
            serde_json::Value::Array(list) => {
                for (index, value) in list.iter().enumerate() {
                    leaves(&format!("{prefix}.{index}"), value, found);
                }
            }
            serde_json::Value::Number(_) | serde_json::Value::Null => {
                found.push(prefix.to_owned());
            }
            _ => {}
        }
    }

    #[test]
    fn every_number_of_the_document_is_visited_in_its_order() {
        let mut summary = fixture::flash_sale().0;
        let version = ("checkout:2".to_owned(), Default::default());
        summary.versions.push(version);
        summary.mappings[1].1.kafka = Some(KafkaFigures::default());
        let document = serde_json::to_value(&summary).expect("a document");
        let mut expected = Vec::new();
        leaves("functions", &document["functions"], &mut expected);
        leaves("versions", &document["versions"], &mut expected);
        leaves("mappings", &document["mappings"], &mut expected);
        leaves("account", &document["account"], &mut expected);
        leaves("cost", &document["cost"], &mut expected);
        let mut visited = Vec::new();
        for_each_figure(&mut summary, &mut |path, _| visited.push(path.to_owned()));
        assert_eq!(visited, expected);
    }
}
