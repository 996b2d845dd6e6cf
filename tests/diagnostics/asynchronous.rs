//! Settings of asynchronous events that AWS refuses, or that mean nothing.

use super::{GOOD, poller_told, told, told_after};
use tidegate::engine::Span;
use tidegate::scenario::{Invocation, SourceText, parse, parse_poller};

/// The good scenario, its caller asynchronous, with these lines in the table of its function.
fn with(lines: &str) -> String {
    GOOD.replace("\"80ms\"\n", &format!("\"80ms\"\n{lines}\n"))
        .replace("rate = 5", "invocation = \"Event\"\nrate = 5")
}

#[test]
fn ranges_of_retries_and_age() {
    super::snapshot!(told(&with(
        "[function.event_invoke]\nMaximumRetryAttempts = 3\nMaximumEventAgeInSeconds = 59\nDestinationConfig = { OnFailure = {} }"
    )));
    super::snapshot!(told(&with(
        "event_invoke = { MaximumRetryAttempts = -1, MaximumEventAgeInSeconds = 21601, duplicates = 2, backoff = \"5m..1s\", reader_pause = 1 }"
    )));
}

#[test]
fn destinations_of_events() {
    super::snapshot!(told(&with(
        "[function.event_invoke.DestinationConfig]\nOnSuccess = { Destination = \"arn:aws:s3:::results\" }\nOnFailure = { Destination = \"arn:aws:sqs:eu-west-1:123456789012:failed.fifo\" }"
    )));
    super::snapshot!(told(&with(
        "[function.event_invoke]\nDeadLetterConfig = { TargetArn = \"arn:aws:lambda:eu-west-1:123456789012:function:g\" }\n[function.event_invoke.DestinationConfig]\nOnSuccess = { Destination = \"failed\" }\nOnFailure = { Destination = \"arn:aws:lambda:eu-west-1:123456789012:function:f:live\" }"
    )));
    super::snapshot!(told(&with(
        "[function.event_invoke]\nDeadLetterConfig = { TargetArn = \"arn:aws:sns:eu-west-1:123456789012:dead.fifo\" }"
    )));
}

#[test]
fn an_alias_has_no_dead_letter_queue() {
    super::snapshot!(told(&with(
        "[[function.alias]]\nname = \"live\"\nevent_invoke = { MaximumRetryAttempts = 9, DeadLetterConfig = {} }"
    )));
}

#[test]
fn asynchronous_callers_do_not_retry() {
    super::snapshot!(told_after(
        "invocation = \"Event\"\nretry = { attempts = 3 }\n"
    ));
    super::snapshot!(told_after("invocation = \"event\"\n"));
}

#[test]
fn a_fault_refuses_records_of_a_function_or_of_a_mapping() {
    super::snapshot!(told_after(
        "[[fault]]\nat = \"1m\"\nfor = \"1m\"\nwhat = { destination_refuses = { function = \"g\", rate = \"100%\" } }\n[[fault]]\nat = \"1m\"\nfor = \"1m\"\nwhat = { destination_refuses = { function = \"f\", mapping = \"m\", rate = \"100%\" } }\n"
    ));
}

#[test]
fn settings_are_those_of_the_file() {
    let text = with(
        "[function.event_invoke]\nMaximumRetryAttempts = 1\nDeadLetterConfig = { TargetArn = \"arn:aws:sqs:eu-west-1:123456789012:dead\" }\nbackoff = \"2s..10s\"\n[[function.alias]]\nname = \"live\"\nevent_invoke = { MaximumEventAgeInSeconds = 60, duplicates = \"1/1000\" }\n[[function.alias]]\nname = \"plain\"",
    );
    let loaded =
        parse(SourceText::new("good.toml", text)).unwrap_or_else(|found| panic!("{found}"));
    let scenario = loaded.scenario;
    assert_eq!(scenario.traffic[0].invocation, Invocation::Event);
    let function = &scenario.functions[0];
    let own = &function.event_invoke;
    assert_eq!(own.config.maximum_retry_attempts, 1);
    assert_eq!(own.config.maximum_event_age, Span::from_secs(21_600));
    assert_eq!(own.tuning.backoff_max, Span::from_secs(10));
    let live = function.aliases[0].event_invoke.as_ref().expect("its own");
    assert_eq!(live.config.maximum_event_age, Span::from_secs(60));
    assert_eq!(live.config.maximum_retry_attempts, 2);
    assert_eq!(live.tuning.duplicates.to_string(), "1/1000");
    // The dead-letter queue is the function's, whoever has settings of its own.
    assert_eq!(live.config.dead_letter, own.config.dead_letter);
    assert!(own.config.dead_letter.is_some());
    assert_eq!(function.aliases[1].event_invoke, None);
}

/// Targets of poller files have the same settings, whatever their type.
#[test]
fn targets_of_poller_files_have_settings_too() {
    let text = r#"
[invoke_api]
listen = "127.0.0.1:0"
[[target]]
function = "f"
type = "mock"
[target.event_invoke]
MaximumRetryAttempts = 3
DeadLetterConfig = { TargetArn = "failed" }
[target.event_invoke.DestinationConfig]
OnSuccess = { Destination = "arn:aws:s3:::results" }
OnFailure = { Destination = "arn:aws:lambda:eu-west-1:123456789012:function:f" }
[[target]]
function = "g"
type = "http"
url = "http://localhost:8080/"
event_invoke = { MaximumEventAgeInSeconds = 59, retries = 1 }
[[target]]
function = "h"
type = "process"
command = ["./bootstrap"]
[[target.alias]]
name = "live"
event_invoke = { MaximumRetryAttempts = 0 }
"#;
    super::snapshot!(poller_told(text));
}

#[test]
fn settings_that_nobody_uses_are_pointed_out() {
    let text = r#"
[[target]]
function = "f"
type = "mock"
event_invoke = { MaximumRetryAttempts = 0 }
[[source]]
name = "q"
type = "generated"
kind = "sqs"
rate = 1
[[mapping]]
name = "m"
EventSource = "q"
FunctionName = "f"
"#;
    let loaded = parse_poller(SourceText::new("poller.toml", text));
    let loaded = loaded.unwrap_or_else(|report| panic!("{report}"));
    let config = &loaded.file.targets[0].limits.event_invoke.config;
    assert_eq!(config.maximum_retry_attempts, 0);
    super::snapshot!(format!("\n{}", loaded.warnings.render(false)));
}
