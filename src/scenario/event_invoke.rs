//! `[function.event_invoke]` and `[function.alias.event_invoke]`: what becomes of asynchronous events.

use super::callers::backoff;
use super::convert::{duration, ratio, string, whole};
use super::mapping_keys::{destinations, finding, structure};
use super::model::EventInvoke;
use super::read::{At, Cx, Table};
use crate::engine::config::EventInvokeParameters;
use crate::engine::lambda::AsyncTuning;

/// Whose settings they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    Function,
    /// An alias has no DeadLetterConfig: AWS keeps that with the function.
    Alias,
}

/// The settings of the function named `function`, or of one of its aliases.
pub(super) fn event_invoke(
    at: At<'_>,
    cx: &mut Cx,
    function: &str,
    owner: Owner,
) -> Option<EventInvoke> {
    let mut table = Table::open(at, "`event_invoke`", cx)?;
    let mut parameters = EventInvokeParameters {
        maximum_retry_attempts: table.opt(cx, "MaximumRetryAttempts", whole),
        maximum_event_age_in_seconds: table.opt(cx, "MaximumEventAgeInSeconds", whole),
        destination_config: table.opt(cx, "DestinationConfig", destinations),
        dead_letter_target_arn: None,
    };
    if owner == Owner::Function {
        let target = table.opt(cx, "DeadLetterConfig", dead_letter).flatten();
        parameters.dead_letter_target_arn = target;
    }
    let usual = AsyncTuning::default();
    let (backoff_first, backoff_max) = table
        .opt(cx, "backoff", backoff)
        .unwrap_or((usual.backoff_first, usual.backoff_max));
    let tuning = AsyncTuning {
        duplicates: table
            .opt(cx, "duplicates", ratio)
            .unwrap_or(usual.duplicates),
        reader_pause: table
            .opt(cx, "reader_pause", duration)
            .unwrap_or(usual.reader_pause),
        backoff_first,
        backoff_max,
        ..usual
    };
    let config = match parameters.check(function) {
        Ok(config) => Some(config),
        Err(violations) => {
            for violation in &violations {
                let finding = finding(&table, violation, cx.diagnostics.main_text());
                cx.push(finding);
            }
            None
        }
    };
    table.finish(cx);
    Some(EventInvoke {
        config: config?,
        tuning,
    })
}

fn dead_letter(at: At<'_>, cx: &mut Cx) -> Option<Option<String>> {
    structure(at, "`DeadLetterConfig`", cx, |table, cx| {
        table.opt(cx, "TargetArn", string)
    })
}
