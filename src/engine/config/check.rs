//! From what was written to what may run: every broken rule at once.

use super::rule::Violation;
use super::table::{self, INTEGERS, OTHERS};
use super::{FunctionName, MappingConfig, MappingParameters, SourceKind};
use super::{connection, failure, position};
use crate::engine::Span;

/// Tests `parameters` against every rule of `kind`.
///
/// ```
/// use tidegate::engine::{MappingParameters, SourceKind, check};
///
/// let mut parameters = MappingParameters {
///     name: "orders".into(),
///     function_name: Some("checkout".into()),
///     event_source: Some("orders".into()),
///     batch_size: Some(100),
///     ..MappingParameters::default()
/// };
/// let violations = check(SourceKind::Sqs, &parameters).unwrap_err();
/// assert_eq!(violations[0].code, "esm-sqs-batch-needs-window");
/// parameters.maximum_batching_window_in_seconds = Some(1);
/// assert_eq!(check(SourceKind::Sqs, &parameters)?.batch_size, 100);
/// # Ok::<(), Vec<tidegate::engine::Violation>>(())
/// ```
///
/// # Errors
/// All violations, in the order of the tables. Whether a timestamp lies in the future is not tested: the engine
/// has no clock.
pub fn check(
    kind: SourceKind,
    parameters: &MappingParameters,
) -> Result<MappingConfig, Vec<Violation>> {
    let mut found = Vec::new();
    identity(parameters, &mut found);
    acceptance(kind, parameters, &mut found);
    ranges(kind, parameters, &mut found);
    batching(kind, parameters, &mut found);
    let starting_position = position::check(kind, parameters, &mut found);
    failure::check(kind, parameters, &mut found);
    pollers(kind, parameters, &mut found);
    connection::check(kind, parameters, &mut found);
    if !found.is_empty() {
        return Err(found);
    }
    Ok(MappingConfig {
        starting_position,
        ..assemble(kind, parameters)
    })
}

/// What `row` means for `kind`: the value given, or AWS's default.
fn value(kind: SourceKind, parameters: &MappingParameters, name: &str) -> Option<i64> {
    let row = INTEGERS.iter().find(|row| row.parameter == name)?;
    (row.get)(parameters).or_else(|| table::default_of(name, kind))
}

fn assemble(kind: SourceKind, parameters: &MappingParameters) -> MappingConfig {
    let get = |name| value(kind, parameters, name);
    let whole = |name| get(name).and_then(|n| u32::try_from(n).ok());
    let secs = |name| {
        get(name)
            .and_then(|n| u64::try_from(n).ok())
            .map(Span::from_secs)
    };
    let base = MappingConfig::new(&parameters.name, kind);
    let destination = parameters.destination_config.as_ref();
    let response_types = parameters
        .function_response_types
        .as_deref()
        .unwrap_or_default();
    MappingConfig {
        function_name: parameters.function_name.clone().unwrap_or_default(),
        batch_size: whole("BatchSize").unwrap_or(base.batch_size),
        window: secs("MaximumBatchingWindowInSeconds").unwrap_or(base.window),
        parallelization_factor: whole("ParallelizationFactor").unwrap_or(1),
        maximum_record_age: secs("MaximumRecordAgeInSeconds"),
        maximum_retry_attempts: whole("MaximumRetryAttempts").or(queue_mode_retries(parameters)),
        bisect_batch_on_function_error: parameters.bisect_batch_on_function_error.unwrap_or(false),
        report_batch_item_failures: !response_types.is_empty(),
        tumbling_window: secs("TumblingWindowInSeconds").filter(|window| *window != Span::ZERO),
        maximum_concurrency: whole("ScalingConfig.MaximumConcurrency"),
        provisioned_pollers: parameters.provisioned_poller_config.as_ref().and_then(|_| {
            let min = whole("ProvisionedPollerConfig.MinimumPollers")?;
            Some((min, whole("ProvisionedPollerConfig.MaximumPollers")?))
        }),
        on_failure: destination.and_then(|config| config.on_failure.clone()),
        filters: parameters.filter_criteria.clone().unwrap_or_default(),
        ..base
    }
}

/// Share groups have finite retries: none when none are given.
fn queue_mode_retries(parameters: &MappingParameters) -> Option<u32> {
    let unset = parameters.maximum_retry_attempts.is_none();
    (unset && connection::is_queue_mode(parameters)).then_some(0)
}

fn identity(parameters: &MappingParameters, found: &mut Vec<Violation>) {
    const FORMS: &str = "name, name:alias, name:version, account:function:name, or an ARN";
    match &parameters.function_name {
        None => found.push(
            Violation::new(
                "FunctionName",
                "esm-function-name-required",
                "`FunctionName` is missing",
            )
            .allowed(FORMS),
        ),
        Some(name) if FunctionName::parse(name).is_err() => found.push(
            Violation::new(
                "FunctionName",
                "esm-function-name-form",
                "`FunctionName` is not a function name",
            )
            .found(format!("found `{}`", shorten(name)))
            .allowed(FORMS)
            .hint("a bare name has 1 to 64 letters, digits, hyphens and underscores"),
        ),
        Some(_) => {}
    }
    let sources = [
        parameters.event_source_arn.is_some(),
        parameters.event_source.is_some(),
        parameters.self_managed_event_source.is_some(),
    ];
    if !sources.contains(&true) {
        found.push(
            Violation::new(
                "EventSource",
                "esm-source-required",
                "Unrecognized event source.",
            )
            .verbatim()
            .found("no event source is named")
            .allowed("EventSource with the name of a [[source]], or EventSourceArn"),
        );
    }
}

fn acceptance(kind: SourceKind, parameters: &MappingParameters, found: &mut Vec<Violation>) {
    let refused = |parameter: &'static str| {
        Violation::new(
            parameter,
            "esm-parameter-not-accepted",
            format!("`{parameter}` is not a parameter of {kind} mappings"),
        )
        .found(format!("the source is of type {kind}"))
        .hint("remove it")
    };
    for row in &OTHERS {
        if (row.given)(parameters) && !(row.takes)(kind) {
            found.push(refused(row.parameter));
        }
    }
    for row in &INTEGERS {
        // The members of structures are refused with their structure, the window of FIFO queues by its own rule.
        let own_rule = kind == SourceKind::SqsFifo && row.rule == "esm-window-range";
        let inner = row.parameter.contains('.');
        if (row.get)(parameters).is_some()
            && row.columns[kind as usize].is_none()
            && !inner
            && !own_rule
        {
            found.push(refused(row.parameter));
        }
    }
}

fn ranges(kind: SourceKind, parameters: &MappingParameters, found: &mut Vec<Violation>) {
    for row in &INTEGERS {
        let (Some(given), Some(limits)) = ((row.get)(parameters), row.columns[kind as usize])
        else {
            continue;
        };
        let endless = limits.endless && given == -1;
        if endless || (limits.min..=limits.max).contains(&given) {
            continue;
        }
        let also = if limits.endless {
            ", or -1 for no limit"
        } else {
            ""
        };
        found.push(
            Violation::new(
                row.parameter,
                row.rule,
                format!("`{}` is out of range", row.parameter),
            )
            .found(format!("found {given}"))
            .allowed(format!(
                "{} to {} {}{also} ({kind})",
                grouped(limits.min),
                grouped(limits.max),
                row.unit
            )),
        );
    }
}

fn batching(kind: SourceKind, parameters: &MappingParameters, found: &mut Vec<Violation>) {
    let window = parameters.maximum_batching_window_in_seconds;
    if kind == SourceKind::SqsFifo && window.is_some_and(|secs| secs != 0) {
        found.push(
            Violation::new(
                "MaximumBatchingWindowInSeconds",
                "esm-fifo-no-window",
                "Batching window is not supported for FIFO queues",
            )
            .verbatim()
            .found("the source is a FIFO queue")
            .hint("remove it, or use a standard queue"),
        );
    }
    if let Some(size) = parameters.batch_size
        && kind == SourceKind::Sqs
        && size > 10
        && window.unwrap_or(0) == 0
    {
        found.push(
            Violation::new(
                "BatchSize",
                "esm-sqs-batch-needs-window",
                "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10",
            )
            .verbatim()
            .found(format!("found {size} with a window of 0 s"))
            .allowed("1 to 10 without a batching window, 1 to 10,000 with one")
            .hint("add `MaximumBatchingWindowInSeconds = 1`"),
        );
    }
}

fn pollers(kind: SourceKind, parameters: &MappingParameters, found: &mut Vec<Violation>) {
    let Some(config) = &parameters.provisioned_poller_config else {
        return;
    };
    let bound = |name| value(kind, parameters, name);
    let min = bound("ProvisionedPollerConfig.MinimumPollers");
    let max = bound("ProvisionedPollerConfig.MaximumPollers");
    if let (Some(min), Some(max)) = (min, max)
        && min > max
    {
        found.push(
            Violation::new(
                "ProvisionedPollerConfig.MinimumPollers",
                "esm-pollers-ordered",
                "`MinimumPollers` is above `MaximumPollers`",
            )
            .found(format!("found {min} above {max}"))
            .allowed("a minimum up to the maximum"),
        );
    }
    if parameters
        .scaling_config
        .is_some_and(|config| config.maximum_concurrency.is_some())
    {
        found.push(
            Violation::new(
                "ScalingConfig.MaximumConcurrency",
                "esm-pollers-or-concurrency",
                "`MaximumConcurrency` and `ProvisionedPollerConfig` exclude each other",
            )
            .found("given together with provisioned pollers")
            .hint("remove one of them"),
        );
    }
    if let Some(group) = &config.poller_group_name
        && (!kind.is_kafka() || group.is_empty() || group.chars().count() > 128)
    {
        found.push(
            Violation::new(
                "ProvisionedPollerConfig.PollerGroupName",
                "esm-poller-group",
                "`PollerGroupName` is not possible here",
            )
            .found(format!(
                "found {} characters on {kind}",
                group.chars().count()
            ))
            .allowed("1 to 128 characters, for Kafka sources only"),
        );
    }
}

/// A text cut to what fits a label.
pub(super) fn shorten(text: &str) -> String {
    const CHARS_MAX: usize = 60;
    match text.char_indices().nth(CHARS_MAX) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

/// A whole number with commas between groups of three digits.
fn grouped(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if number < 0 { format!("-{text}") } else { text }
}
