//! The keys of a `[[mapping]]`: AWS's parameters under AWS's names.

use super::convert::{boolean, list, string, text, whole};
use super::diagnostic::Diagnostic;
use super::inside;
use super::node::{Entry, Value};
use super::read::{At, Cx, Table};
use super::timestamp;
use crate::engine::Time;
use crate::engine::config::{
    DestinationConfig, DocumentDbEventSourceConfig, KafkaEventSourceConfig, MappingParameters,
    ProvisionedPollerConfig, ScalingConfig, SourceAccessConfiguration, Violation,
};
use std::ops::Range;

/// What instants in a file count from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Clock {
    /// The start of the simulation: only seconds make sense.
    Simulation,
    /// The Unix epoch.
    Unix,
}

/// Everything that AWS knows; `EventSource` and `EventSourceArn` are read by the caller's own rules, too.
pub(crate) fn parameters(table: &mut Table<'_>, cx: &mut Cx, clock: Clock) -> MappingParameters {
    MappingParameters {
        name: String::new(),
        function_name: table.opt(cx, "FunctionName", string),
        event_source_arn: table.opt(cx, "EventSourceArn", string),
        event_source: table.opt(cx, "EventSource", string),
        enabled: table.opt(cx, "Enabled", boolean),
        batch_size: table.opt(cx, "BatchSize", whole),
        maximum_batching_window_in_seconds: table.opt(cx, "MaximumBatchingWindowInSeconds", whole),
        starting_position: table.opt(cx, "StartingPosition", string),
        starting_position_timestamp: table.opt(cx, "StartingPositionTimestamp", |at, cx| {
            instant(at, cx, clock)
        }),
        parallelization_factor: table.opt(cx, "ParallelizationFactor", whole),
        maximum_record_age_in_seconds: table.opt(cx, "MaximumRecordAgeInSeconds", whole),
        maximum_retry_attempts: table.opt(cx, "MaximumRetryAttempts", whole),
        bisect_batch_on_function_error: table.opt(cx, "BisectBatchOnFunctionError", boolean),
        destination_config: table.opt(cx, "DestinationConfig", destinations),
        function_response_types: table.opt(cx, "FunctionResponseTypes", list(string)),
        tumbling_window_in_seconds: table.opt(cx, "TumblingWindowInSeconds", whole),
        filter_criteria: table.opt(cx, "FilterCriteria", filters),
        kms_key_arn: table.opt(cx, "KMSKeyArn", string),
        scaling_config: table.opt(cx, "ScalingConfig", scaling),
        provisioned_poller_config: table.opt(cx, "ProvisionedPollerConfig", pollers),
        topics: table.opt(cx, "Topics", list(string)),
        queues: table.opt(cx, "Queues", list(string)),
        source_access_configurations: table.opt(cx, "SourceAccessConfigurations", list(access)),
        self_managed_event_source: table.opt(cx, "SelfManagedEventSource", servers),
        amazon_managed_kafka_event_source_config: table.opt(
            cx,
            "AmazonManagedKafkaEventSourceConfig",
            kafka,
        ),
        self_managed_kafka_event_source_config: table.opt(
            cx,
            "SelfManagedKafkaEventSourceConfig",
            kafka,
        ),
        document_db_event_source_config: table.opt(cx, "DocumentDBEventSourceConfig", document_db),
        metrics_config: table.opt(cx, "MetricsConfig", metrics),
        logging_config: table.opt(cx, "LoggingConfig", logging),
        tags: table.opt(cx, "Tags", pairs),
    }
}

/// The finding for a broken rule, at the key that breaks it or, when that is absent, at the table. `file` is the text
/// of the whole file.
pub(crate) fn finding(table: &Table<'_>, violation: &Violation, file: &str) -> Diagnostic {
    let message = if violation.aws_text {
        format!("AWS refuses it: {}", violation.message)
    } else {
        violation.message.clone()
    };
    let (place, label) = match pattern_of(table, violation) {
        None => (place(table, violation.parameter), violation.found.clone()),
        Some((written, pattern, part)) => match inside::place(file, written, pattern, part) {
            Some(place) => (place, violation.found.clone()),
            None => {
                let label = format!("byte {} of the pattern: {}", part.start, violation.found);
                (written.clone(), label)
            }
        },
    };
    let mut diagnostic = Diagnostic::new(violation.code, message)
        .at(&place)
        .label(label);
    if !violation.allowed.is_empty() {
        diagnostic = diagnostic.allowed(violation.allowed.as_str());
    }
    match &violation.hint {
        Some(hint) => diagnostic.help(hint.as_str()),
        None => diagnostic,
    }
}

/// Whether the rule says that something is missing which is there, and was reported as unreadable.
pub(crate) fn is_repetition(table: &Table<'_>, violation: &Violation) -> bool {
    let required = [
        "esm-function-name-required",
        "esm-source-required",
        "esm-starting-position-required",
    ];
    required.contains(&violation.code) && table.peek(violation.parameter).is_some()
}

/// The pattern that a violation is about: where it is written, its text, and the bytes of that text that are meant.
fn pattern_of<'n>(
    table: &Table<'n>,
    violation: &'n Violation,
) -> Option<(&'n Range<usize>, &'n str, &'n Range<usize>)> {
    let part = violation.part.as_ref()?;
    let filters = table.peek(violation.parameter)?.node.get("Filters")?;
    let Value::List(nodes) = &filters.node.value else {
        return None;
    };
    let node = &nodes.get(part.index)?.get("Pattern")?.node;
    match &node.value {
        Value::String(pattern) => Some((&node.span, pattern, &part.span)),
        _ => None,
    }
}

pub(crate) fn place(table: &Table<'_>, parameter: &str) -> Range<usize> {
    let (outer, inner) = parameter.split_once('.').unwrap_or((parameter, ""));
    match table.peek(outer) {
        None => table.span.clone(),
        Some(entry) => entry.node.get(inner).unwrap_or(entry).node.span.clone(),
    }
}

pub(crate) fn instant(at: At<'_>, cx: &mut Cx, clock: Clock) -> Option<Time> {
    let allowed = match clock {
        Clock::Simulation => "seconds since the start of the scenario, such as 60",
        Clock::Unix => {
            "Unix seconds such as 1700000000, or a date and time such as \"2026-11-21T06:00:00Z\""
        }
    };
    let found = match &at.node.value {
        Value::Integer(secs) => u64::try_from(*secs).ok().map(Time::from_secs),
        Value::Float(secs) if (0.0..1e11).contains(secs) => {
            let millis = (secs * 1_000.0).round();
            Some(Time::from_millis(millis as u64))
        }
        Value::String(text) | Value::Datetime(text) if clock == Clock::Unix => {
            timestamp::parse(text)
        }
        _ => None,
    };
    if found.is_none() {
        cx.push(
            Diagnostic::new("bad-unit", format!("`{}` must be an instant", at.key))
                .at(&at.node.span)
                .label("cannot be understood")
                .allowed(allowed),
        );
    }
    found
}

/// Opens a structure of AWS's, reads it and reports what it does not know.
pub(crate) fn structure<'n, T>(
    at: At<'n>,
    what: &'static str,
    cx: &mut Cx,
    read: impl FnOnce(&mut Table<'n>, &mut Cx) -> T,
) -> Option<T> {
    let mut table = Table::open(at, what, cx)?;
    let value = read(&mut table, cx);
    table.finish(cx);
    Some(value)
}

pub(crate) fn destinations(at: At<'_>, cx: &mut Cx) -> Option<DestinationConfig> {
    let target = |at: At<'_>, cx: &mut Cx| {
        structure(at, "a destination", cx, |table, cx| {
            table.opt(cx, "Destination", string)
        })
        .flatten()
    };
    structure(at, "`DestinationConfig`", cx, |table, cx| {
        DestinationConfig {
            on_success: table.opt(cx, "OnSuccess", target),
            on_failure: table.opt(cx, "OnFailure", target),
        }
    })
}

fn filters(at: At<'_>, cx: &mut Cx) -> Option<Vec<String>> {
    let pattern = |at: At<'_>, cx: &mut Cx| {
        let example = "'{\"body\": {\"kind\": [\"order\"]}}'";
        structure(at, "a filter", cx, |table, cx| {
            table.req(cx, "Pattern", example, string)
        })
        .flatten()
    };
    structure(at, "`FilterCriteria`", cx, |table, cx| {
        table.opt(cx, "Filters", list(pattern)).unwrap_or_default()
    })
}

fn scaling(at: At<'_>, cx: &mut Cx) -> Option<ScalingConfig> {
    structure(at, "`ScalingConfig`", cx, |table, cx| ScalingConfig {
        maximum_concurrency: table.opt(cx, "MaximumConcurrency", whole),
    })
}

fn pollers(at: At<'_>, cx: &mut Cx) -> Option<ProvisionedPollerConfig> {
    structure(at, "`ProvisionedPollerConfig`", cx, |table, cx| {
        ProvisionedPollerConfig {
            minimum_pollers: table.opt(cx, "MinimumPollers", whole),
            maximum_pollers: table.opt(cx, "MaximumPollers", whole),
            poller_group_name: table.opt(cx, "PollerGroupName", string),
        }
    })
}

fn access(at: At<'_>, cx: &mut Cx) -> Option<SourceAccessConfiguration> {
    structure(at, "a source access configuration", cx, |table, cx| {
        let kind = table.req(cx, "Type", "\"BASIC_AUTH\"", string);
        let uri = table.req(cx, "URI", "\"arn of a secret\"", string);
        Some(SourceAccessConfiguration {
            kind: kind?,
            uri: uri?,
        })
    })
    .flatten()
}

fn servers(at: At<'_>, cx: &mut Cx) -> Option<Vec<String>> {
    let endpoints = |at: At<'_>, cx: &mut Cx| {
        structure(at, "`Endpoints`", cx, |table, cx| {
            table.opt(cx, "KAFKA_BOOTSTRAP_SERVERS", list(string))
        })
        .flatten()
    };
    structure(at, "`SelfManagedEventSource`", cx, |table, cx| {
        table.opt(cx, "Endpoints", endpoints).unwrap_or_default()
    })
}

fn kafka(at: At<'_>, cx: &mut Cx) -> Option<KafkaEventSourceConfig> {
    structure(at, "this Kafka configuration", cx, |table, cx| {
        // The schema registry shapes the event that the function sees; nothing here depends on it.
        let _ = table.entry("SchemaRegistryConfig");
        KafkaEventSourceConfig {
            consumer_group_id: table.opt(cx, "ConsumerGroupId", string),
            consumption_mode: table.opt(cx, "ConsumptionMode", string),
        }
    })
}

fn document_db(at: At<'_>, cx: &mut Cx) -> Option<DocumentDbEventSourceConfig> {
    structure(at, "`DocumentDBEventSourceConfig`", cx, |table, cx| {
        DocumentDbEventSourceConfig {
            database_name: table.opt(cx, "DatabaseName", string),
            collection_name: table.opt(cx, "CollectionName", string),
            full_document: table.opt(cx, "FullDocument", string),
        }
    })
}

fn metrics(at: At<'_>, cx: &mut Cx) -> Option<Vec<String>> {
    structure(at, "`MetricsConfig`", cx, |table, cx| {
        table.opt(cx, "Metrics", list(string)).unwrap_or_default()
    })
}

fn logging(at: At<'_>, cx: &mut Cx) -> Option<String> {
    structure(at, "`LoggingConfig`", cx, |table, cx| {
        table.opt(cx, "SystemLogLevel", string)
    })
    .flatten()
}

/// A table of strings.
pub(crate) fn pairs(at: At<'_>, cx: &mut Cx) -> Option<Vec<(String, String)>> {
    let Value::Map(entries) = &at.node.value else {
        cx.wrong_type(at, "a table of strings");
        return None;
    };
    let pair = |entry: &Entry| Some((entry.key.clone(), text(entry.into(), cx)?.to_owned()));
    entries.iter().map(pair).collect()
}
