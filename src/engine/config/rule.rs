//! Rules with their evidence, and what a broken one says.

use super::{EVENT_INVOKE_RULES, SourceKind};
use crate::engine::filter::{self, PatternError};
use std::ops::Range;

/// How sure we are of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// Seen in a recording of the service.
    Recorded,
    /// Stated by AWS in its documentation or interface definition.
    Documented,
    /// Our choice where AWS is silent.
    Guessed,
}

/// One rule about a mapping's parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Stable name, used as the code of diagnostics and as the name of its test.
    pub id: &'static str,
    /// What it says.
    pub text: &'static str,
    /// How sure we are.
    pub evidence: Evidence,
}

/// A broken rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The parameter to look at, AWS's name, with a dot before the inner name of a structure.
    pub parameter: &'static str,
    /// Id of the rule, one of [`RULES`], [`EVENT_INVOKE_RULES`] or [`filter::RULES`].
    pub code: &'static str,
    /// What was found, for a label.
    pub found: String,
    /// AWS's own text where it is known, else ours.
    pub message: String,
    /// Whether `message` is AWS's own text.
    pub aws_text: bool,
    /// What is allowed.
    pub allowed: String,
    /// What to try.
    pub hint: Option<String>,
    /// The part of the parameter that is meant, where it is one of several texts.
    pub part: Option<Part>,
}

/// A place inside a parameter that is a list of texts, such as the patterns of FilterCriteria.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Which text, counted from 0.
    pub index: usize,
    /// Bytes of that text.
    pub span: Range<usize>,
}

impl Violation {
    pub(super) fn new(
        parameter: &'static str,
        code: &'static str,
        message: impl Into<String>,
    ) -> Self {
        debug_assert!(
            RULES
                .iter()
                .chain(&EVENT_INVOKE_RULES)
                .chain(filter::RULES)
                .any(|rule| rule.id == code),
            "{code} is not in the table of rules"
        );
        Self {
            parameter,
            code,
            found: String::new(),
            message: message.into(),
            aws_text: false,
            allowed: String::new(),
            hint: None,
            part: None,
        }
    }

    /// A mistake in a filter pattern.
    pub(super) fn of_pattern(error: PatternError) -> Self {
        let part = Part {
            index: error.pattern,
            span: error.span,
        };
        Self {
            found: error.found,
            allowed: error.allowed,
            aws_text: error.aws_text,
            part: Some(part),
            ..Self::new("FilterCriteria", error.code, error.message)
        }
    }

    /// Marks the message as AWS's own.
    pub(super) fn verbatim(mut self) -> Self {
        self.aws_text = true;
        self
    }

    pub(super) fn found(mut self, found: impl Into<String>) -> Self {
        self.found = found.into();
        self
    }

    pub(super) fn allowed(mut self, allowed: impl Into<String>) -> Self {
        self.allowed = allowed.into();
        self
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// What AWS says to a second mapping of the same source and function (rule `esm-one-per-source-and-function`).
/// The blanks inside the brackets are AWS's.
pub fn conflict_text(kind: SourceKind, source: &str, function: &str, uuid: &str) -> String {
    let advice = format!("Please update or delete the existing mapping with UUID {uuid}");
    if kind.is_queue() {
        format!(
            "An event source mapping with SQS arn (\" {source} \") and function (\" {function} \") already exists. {advice}"
        )
    } else {
        format!(
            "The event source arn (\" {source} \") and function (\" {function} \") provided mapping already exists. {advice}"
        )
    }
}

pub(super) const fn rule(id: &'static str, evidence: Evidence, text: &'static str) -> Rule {
    Rule { id, text, evidence }
}

use Evidence::{Documented, Recorded};

/// Every rule that [`check`](super::check()) and the readers of files apply to mappings.
pub const RULES: [Rule; 44] = [
    rule(
        "esm-parameter-not-accepted",
        Documented,
        "a source refuses parameters that it does not know",
    ),
    rule(
        "esm-function-name-required",
        Documented,
        "FunctionName is required",
    ),
    rule(
        "esm-function-name-form",
        Documented,
        "FunctionName is a name of at most 64 characters, name:alias, account:function:name or an ARN",
    ),
    rule(
        "esm-source-required",
        Recorded,
        "a mapping has an event source",
    ),
    rule(
        "esm-batch-size-range",
        Documented,
        "BatchSize is 1 to 10,000, for FIFO queues 1 to 10",
    ),
    rule(
        "esm-sqs-batch-needs-window",
        Recorded,
        "on SQS a BatchSize above 10 needs a batching window of at least 1 s",
    ),
    rule(
        "esm-window-range",
        Documented,
        "MaximumBatchingWindowInSeconds is 0 to 300",
    ),
    rule(
        "esm-fifo-no-window",
        Recorded,
        "FIFO queues take no batching window",
    ),
    rule(
        "esm-starting-position-required",
        Recorded,
        "Kinesis and DynamoDB need a StartingPosition",
    ),
    rule(
        "esm-starting-position-values",
        Recorded,
        "StartingPosition is LATEST, AT_TIMESTAMP or TRIM_HORIZON",
    ),
    rule(
        "esm-dynamodb-no-timestamp",
        Recorded,
        "DynamoDB refuses AT_TIMESTAMP",
    ),
    rule(
        "esm-at-timestamp-needs-timestamp",
        Documented,
        "AT_TIMESTAMP needs a StartingPositionTimestamp",
    ),
    rule(
        "esm-timestamp-needs-at-timestamp",
        Documented,
        "a StartingPositionTimestamp needs AT_TIMESTAMP",
    ),
    rule(
        "esm-parallelization-range",
        Documented,
        "ParallelizationFactor is 1 to 10",
    ),
    rule(
        "esm-record-age-range",
        Documented,
        "MaximumRecordAgeInSeconds is -1 or 60 to 604,800",
    ),
    rule(
        "esm-retry-attempts-range",
        Documented,
        "MaximumRetryAttempts is -1 to 10,000",
    ),
    rule(
        "esm-on-success-refused",
        Recorded,
        "a mapping has no OnSuccess destination",
    ),
    rule(
        "esm-sqs-no-destination",
        Recorded,
        "queues refuse DestinationConfig: their redrive policy does that work",
    ),
    rule(
        "esm-destination-form",
        Documented,
        "a destination is an ARN (or kafka://topic on Kafka, or file://path for a poller of our own) of at most 350 characters",
    ),
    rule(
        "esm-no-fifo-destination",
        Recorded,
        "FIFO queues and topics are refused as destinations",
    ),
    rule(
        "esm-response-types-values",
        Documented,
        "FunctionResponseTypes holds at most ReportBatchItemFailures",
    ),
    rule(
        "esm-tumbling-range",
        Documented,
        "TumblingWindowInSeconds is 0 to 900",
    ),
    rule(
        "esm-tumbling-one-lane",
        Recorded,
        "a tumbling window refuses a ParallelizationFactor above 1",
    ),
    rule(
        "esm-tumbling-no-filters",
        Recorded,
        "a tumbling window refuses filters",
    ),
    rule(
        "esm-key-needs-filters",
        Documented,
        "KMSKeyArn encrypts filters, and needs some",
    ),
    rule(
        "esm-maximum-concurrency-range",
        Documented,
        "MaximumConcurrency is 2 to 1,000",
    ),
    rule(
        "esm-pollers-range",
        Documented,
        "MinimumPollers is 1 (SQS 2) to 200, MaximumPollers 1 (SQS 2) to 2,000 (SQS 10,000)",
    ),
    rule(
        "esm-pollers-ordered",
        Documented,
        "MinimumPollers is at most MaximumPollers",
    ),
    rule(
        "esm-pollers-or-concurrency",
        Documented,
        "MaximumConcurrency and provisioned pollers exclude each other",
    ),
    rule(
        "esm-poller-group",
        Documented,
        "PollerGroupName is for Kafka and has at most 128 characters",
    ),
    rule(
        "esm-topics",
        Documented,
        "Kafka mappings name exactly one topic of 1 to 249 characters",
    ),
    rule(
        "esm-queues",
        Documented,
        "Amazon MQ mappings name exactly one queue of 1 to 1,000 characters",
    ),
    rule(
        "esm-access-required",
        Recorded,
        "self-managed Kafka, Amazon MQ and DocumentDB need SourceAccessConfigurations",
    ),
    rule(
        "esm-access-values",
        Documented,
        "at most 23 access configurations of known types, each with a URI of at most 200 characters",
    ),
    rule(
        "esm-bootstrap-servers",
        Documented,
        "self-managed Kafka names 1 to 10 servers as host:port",
    ),
    rule(
        "esm-consumer-group",
        Documented,
        "ConsumerGroupId has 1 to 200 characters",
    ),
    rule(
        "esm-kafka-queue-mode",
        Documented,
        "ConsumptionMode Queue takes no starting position and no window, and needs finite retries",
    ),
    rule(
        "esm-kafka-needs-pollers",
        Documented,
        "on Kafka finite retries, bisecting, partial responses and topics as destinations need provisioned pollers",
    ),
    rule(
        "esm-kafka-other-topic",
        Documented,
        "a topic as destination is not the one that the mapping reads",
    ),
    rule(
        "esm-documentdb-config",
        Documented,
        "DocumentDB needs a database of 1 to 63 characters; a collection has 1 to 57",
    ),
    rule(
        "esm-metrics-values",
        Documented,
        "MetricsConfig holds EventCount, and on Kafka ErrorCount and KafkaMetrics",
    ),
    rule(
        "esm-log-level-values",
        Documented,
        "SystemLogLevel is DEBUG, INFO or WARN",
    ),
    rule(
        "esm-one-per-source-and-function",
        Recorded,
        "one mapping per source and function",
    ),
    rule(
        "esm-update-only-settings",
        Documented,
        "source, topics, queues, starting position and tags of a mapping cannot be updated",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique() {
        let mut ids: Vec<_> = RULES.iter().map(|rule| rule.id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), RULES.len());
    }
}
