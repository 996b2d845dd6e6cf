//! `[[gate]]`: thresholds on the figures of the summary.

use super::convert::{Named, number, text, unknown_name};
use super::diagnostic::Diagnostic;
use super::model::Gate;
use super::node::Value;
use super::read::{At, Cx, Table};
use super::suggest::{listed, nearest};
use super::{convert, read};

/// What a figure is, and so which statistics it has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Figure {
    Count,
    Share,
    Times,
    Sizes,
    Level,
    Backlog,
    Age,
    Peak,
}

use Figure::{Age, Backlog, Count, Level, Peak, Share, Sizes, Times};

/// Figures of functions, named as in the summary.
const FUNCTION: [(&str, Figure); 55] = [
    ("Invocations", Count),
    ("Errors", Count),
    ("Timeouts", Count),
    ("Throttles", Count),
    ("ConcurrencyThrottles", Count),
    ("CPUThrottles", Count),
    ("ThrottleReasons.ConcurrentInvocationLimitExceeded", Count),
    (
        "ThrottleReasons.ReservedFunctionConcurrentInvocationLimitExceeded",
        Count,
    ),
    ("ThrottleReasons.FunctionInvocationRateLimitExceeded", Count),
    (
        "ThrottleReasons.ReservedFunctionInvocationRateLimitExceeded",
        Count,
    ),
    ("ThrottleReasons.CallerRateLimitExceeded", Count),
    ("ColdStarts", Count),
    ("ColdStartShare", Share),
    ("ClientRetries", Count),
    ("Calls", Count),
    ("CallsAnswered", Count),
    ("CallsAnsweredShare", Share),
    ("CallsAbandoned", Count),
    ("ClientTimeouts", Count),
    ("AttemptsPerCall", Share),
    ("ProvisionedConcurrencyInvocations", Count),
    ("ProvisionedConcurrencySpilloverInvocations", Count),
    ("SnapStartInvocations", Count),
    ("ProvisionedConcurrentExecutions", Level),
    ("AllocatedProvisionedConcurrentExecutions", Level),
    ("ProvisionedConcurrencyUtilization", Level),
    ("ScalingsRefused", Count),
    ("ProvisionedRecycled", Count),
    ("Crashes", Count),
    ("InitErrors", Count),
    ("Duration", Times),
    ("Latency", Times),
    ("InitDuration", Times),
    ("RestoreDuration", Times),
    ("Restores", Count),
    ("PostRuntimeExtensionsDuration", Times),
    ("ConcurrentExecutions", Level),
    ("Environments", Level),
    ("EnvironmentLifespanS", Share),
    ("AsyncEventsReceived", Count),
    ("AsyncEventAge", Times),
    ("AsyncEventsDropped", Count),
    ("AsyncEventsLost", Count),
    ("AsyncConditions.Success", Count),
    ("AsyncConditions.RetriesExhausted", Count),
    ("AsyncConditions.EventAgeExceeded", Count),
    ("AsyncConditions.ZeroReservedConcurrency", Count),
    ("AsyncRetries", Count),
    ("AsyncDuplicates", Count),
    ("DestinationDeliveries.OnSuccess", Count),
    ("DestinationDeliveries.OnFailure", Count),
    ("DestinationDeliveryFailures", Count),
    ("DeadLettersDelivered", Count),
    ("DeadLetterErrors", Count),
    ("AsyncBacklog", Backlog),
];

/// Figures of all functions together, named as in the summary.
const ACCOUNT: [(&str, Figure); 3] = [
    ("ConcurrentExecutions", Peak),
    ("UnreservedConcurrentExecutions", Peak),
    ("ClaimedAccountConcurrency", Peak),
];

/// Figures of versions, named as in the summary.
const VERSION: [(&str, Figure); 8] = [
    ("Invocations", Count),
    ("Errors", Count),
    ("ErrorShare", Share),
    ("Timeouts", Count),
    ("ColdStarts", Count),
    ("ProvisionedConcurrencyInvocations", Count),
    ("Duration", Times),
    ("InitDuration", Times),
];

/// Figures of mappings, named as in the summary.
const MAPPING: [(&str, Figure); 52] = [
    ("IncomingRecords", Count),
    ("PolledEventCount", Count),
    ("InvokedEventCount", Count),
    ("FilteredOutEventCount", Count),
    ("FailedInvokeEventCount", Count),
    ("SucceededEventCount", Count),
    ("DroppedEventCount", Count),
    ("OnFailureDestinationDeliveredEventCount", Count),
    ("DestinationDeliveryFailures", Count),
    ("DeletedEventCount", Count),
    ("DeleteCalls", Count),
    ("DeadLettered", Count),
    ("DeadLetterReasons.FunctionError", Count),
    ("DeadLetterReasons.Reported", Count),
    ("DeadLetterReasons.Throttled", Count),
    ("DeadLetterReasons.ServiceError", Count),
    ("DeadLetterReasons.DeleteFailed", Count),
    ("DeadLetterReasons.VisibilityTooShort", Count),
    ("DeadLetterReasons.ConnectionLost", Count),
    ("VisibleTooEarly", Count),
    ("Redelivered", Count),
    ("OversizedRecordCount", Count),
    ("Batches", Count),
    ("ThrottledBatches", Count),
    ("WindowsClosed", Count),
    ("WindowsTerminatedEarly", Count),
    ("Reads", Count),
    ("EmptyReads", Count),
    ("IteratorAge", Times),
    ("RecordLatency", Times),
    ("BatchRecords", Sizes),
    ("Backlog", Backlog),
    ("InHand", Backlog),
    ("ApproximateNumberOfMessagesNotVisible", Backlog),
    ("ApproximateAgeOfOldestMessage", Age),
    ("WriteThrottles", Count),
    ("WritesLost", Count),
    ("TrimmedRecords", Count),
    ("ReadThrottles", Count),
    ("OverLimitReceives", Count),
    ("CommittedEventCount", Count),
    ("PollingErrorCount", Count),
    ("InvokeErrorCount", Count),
    ("OnFailureDestinationDeliveryErrorCount", Count),
    ("CommitErrorCount", Count),
    ("OffsetLag", Level),
    ("MaxOffsetLag", Backlog),
    ("SumOffsetLag", Backlog),
    ("Consumers", Level),
    ("Rebalances", Count),
    ("PartitionsMoved", Count),
    ("ReturnedEventCount", Count),
];

impl Figure {
    const fn statistics(self) -> &'static [&'static str] {
        match self {
            Count => &["Sum"],
            Share => &["Average"],
            Times | Sizes => &["p50", "p90", "p95", "p99", "p99.9", "Maximum", "Average"],
            Level | Age => &["Maximum", "Average"],
            Backlog => &["Maximum", "End"],
            Peak => &["Maximum"],
        }
    }
}

/// The thresholds.
pub(crate) fn gates(
    root: &mut Table<'_>,
    cx: &mut Cx,
    functions: &[&Named],
    versions: &[&str],
    mappings: &[Named],
) -> Vec<Gate> {
    let subjects = Subjects {
        functions,
        versions,
        mappings,
    };
    let tables = root.tables(cx, "gate", "[[gate]]");
    tables
        .into_iter()
        .filter_map(|table| gate(table, cx, subjects))
        .collect()
}

/// What has figures.
#[derive(Clone, Copy)]
struct Subjects<'a> {
    functions: &'a [&'a Named],
    /// As `function:number`.
    versions: &'a [&'a str],
    mappings: &'a [Named],
}

fn gate(mut table: Table<'_>, cx: &mut Cx, subjects: Subjects<'_>) -> Option<Gate> {
    let found = table.req(cx, "metric", "\"checkout.Throttles\"", |at, cx| {
        metric(at, cx, subjects)
    });
    let statistic = statistic(&mut table, cx, found.as_ref().map(|(_, figure)| *figure));
    let times = found
        .as_ref()
        .is_some_and(|(_, figure)| matches!(figure, Times | Age));
    let max = table.opt(cx, "max", |at, cx| bound(at, cx, times));
    let min = table.opt(cx, "min", |at, cx| bound(at, cx, times));
    if table.entry("max").is_none() && table.entry("min").is_none() {
        table.missing(cx, "max", "0");
    }
    table.finish(cx);
    Some(Gate {
        metric: found?.0,
        statistic: statistic?,
        max,
        min,
    })
}

/// `subject.Metric`.
fn metric(at: At<'_>, cx: &mut Cx, subjects: Subjects<'_>) -> Option<(String, Figure)> {
    let Subjects {
        functions,
        versions,
        mappings,
    } = subjects;
    let written = text(at, cx)?;
    let Some((subject, name)) = written.split_once('.') else {
        cx.push(
            Diagnostic::new("unknown-metric", "a metric is written `subject.Metric`")
                .at(&at.node.span)
                .label("no `.` here")
                .help("write the name of a function or mapping, a dot, and the metric: \"checkout.Throttles\""),
        );
        return None;
    };
    let is_function = functions.iter().any(|named| named.name == subject);
    let is_mapping = mappings.iter().any(|named| named.name == subject);
    let is_version = versions.contains(&subject);
    let is_account = !is_function && !is_mapping && subject == "account";
    if !is_function && !is_mapping && !is_version && !is_account {
        let known = || {
            let functions = functions.iter().map(|named| named.name.as_str());
            let functions = functions.chain(versions.iter().copied());
            let mappings = mappings.iter().map(|named| named.name.as_str());
            functions.chain(mappings).chain(["account"])
        };
        cx.push(unknown_name(at.key, subject, &at.node.span, known));
        return None;
    }
    let known = || {
        let functions = FUNCTION.iter().filter(move |_| is_function);
        let versions = VERSION.iter().filter(move |_| is_version);
        let mappings = MAPPING.iter().filter(move |_| is_mapping);
        let account = ACCOUNT.iter().filter(move |_| is_account);
        functions.chain(versions).chain(mappings).chain(account)
    };
    if let Some((_, figure)) = known().find(|(metric, _)| *metric == name) {
        return Some((written.to_owned(), *figure));
    }
    let what = match (is_function, is_mapping) {
        (true, _) => "a function",
        (_, true) => "a mapping",
        _ if is_version => "a version",
        _ => "the account",
    };
    let diagnostic = Diagnostic::new(
        "unknown-metric",
        format!("{what} has no metric `{}`", read::shown(name)),
    )
    .at(&at.node.span)
    .label("unknown metric")
    .allowed(listed(known().map(|(metric, _)| *metric)));
    cx.push(match nearest(name, known().map(|(metric, _)| *metric)) {
        Some(metric) => diagnostic.help(format!("did you mean `{subject}.{metric}`?")),
        None => diagnostic,
    });
    None
}

fn statistic(table: &mut Table<'_>, cx: &mut Cx, figure: Option<Figure>) -> Option<String> {
    let Some(entry) = table.entry("statistic") else {
        return match figure?.statistics() {
            [only] => Some((*only).to_owned()),
            several => {
                table.missing(cx, "statistic", &format!("\"{}\"", several[0]));
                None
            }
        };
    };
    let written = text(entry.into(), cx)?;
    let known = figure?.statistics();
    if known.contains(&written) {
        return Some(written.to_owned());
    }
    cx.push(unknown_name("statistic", written, &entry.node.span, || {
        known.iter().copied()
    }));
    None
}

/// A number; for times milliseconds, or a duration.
fn bound(at: At<'_>, cx: &mut Cx, times: bool) -> Option<f64> {
    if times && matches!(at.node.value, Value::String(_)) {
        return convert::duration(at, cx).map(crate::engine::Span::as_millis_f64);
    }
    number(-1e18..=1e18)(at, cx)
}
