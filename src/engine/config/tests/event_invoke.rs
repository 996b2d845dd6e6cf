//! The settings of asynchronous events: one test per rule, named after it.

use super::super::*;

fn with(change: impl FnOnce(&mut EventInvokeParameters)) -> Vec<Violation> {
    let mut parameters = EventInvokeParameters::default();
    change(&mut parameters);
    parameters.check("mail").err().unwrap_or_default()
}

fn codes(change: impl FnOnce(&mut EventInvokeParameters)) -> Vec<&'static str> {
    let found = with(change);
    found.into_iter().map(|violation| violation.code).collect()
}

fn to(on_success: Option<&str>, on_failure: Option<&str>) -> Vec<&'static str> {
    codes(|parameters| {
        parameters.destination_config = Some(DestinationConfig {
            on_success: on_success.map(str::to_owned),
            on_failure: on_failure.map(str::to_owned),
        });
    })
}

#[test]
fn nothing_given_means_two_retries_and_six_hours() {
    let config = EventInvokeParameters::default().check("mail");
    assert_eq!(config, Ok(EventInvokeConfig::default()));
    let config = config.expect("nothing is wrong");
    assert_eq!(config.maximum_retry_attempts, 2);
    assert_eq!(config.maximum_event_age, Span::from_secs(21_600));
}

#[test]
fn async_retry_attempts_range() {
    for fits in 0..=2 {
        assert!(codes(|it| it.maximum_retry_attempts = Some(fits)).is_empty());
    }
    let found = with(|it| it.maximum_retry_attempts = Some(3));
    assert_eq!(
        found[0].message,
        "1 validation error detected: Value '3' at 'maximumRetryAttempts' failed to satisfy constraint: \
         Member must have value less than or equal to 2"
    );
    assert!(found[0].aws_text);
    let found = with(|it| it.maximum_retry_attempts = Some(-1));
    assert_eq!(found[0].code, "async-retry-attempts-range");
    assert!(found[0].message.ends_with("greater than or equal to 0"));
}

#[test]
fn async_event_age_range() {
    for fits in [60, 21_600] {
        assert!(codes(|it| it.maximum_event_age_in_seconds = Some(fits)).is_empty());
    }
    for wrong in [-1, 0, 59, 21_601] {
        let found = codes(|it| it.maximum_event_age_in_seconds = Some(wrong));
        assert_eq!(found, ["async-event-age-range"], "{wrong}");
    }
}

const QUEUE: &str = "arn:aws:sqs:eu-west-1:123456789012:done";

#[test]
fn async_destination_form() {
    for right in [
        QUEUE,
        "arn:aws:sns:eu-west-1:123456789012:done",
        "arn:aws:lambda:eu-west-1:123456789012:function:archive:live",
        "arn:aws-cn:events:cn-north-1:123456789012:event-bus/default",
    ] {
        assert!(to(Some(right), Some(right)).is_empty(), "{right}");
    }
    let long = format!("{QUEUE}{}", "e".repeat(350));
    for wrong in [
        "done",
        "arn:aws:sqs:eu-west-1:123456789012:",
        "arn:aws:kinesis:eu-west-1:123456789012:stream/done",
        "arn:aws:events:eu-west-1:123456789012:rule/done",
        "arn:aws:lambda:eu-west-1:123456789012:layer:done",
        &long,
    ] {
        let expected = ["async-destination-form"; 2];
        assert_eq!(to(Some(wrong), Some(wrong)), expected, "{wrong}");
    }
}

#[test]
fn async_no_fifo_destination() {
    let fifo = "arn:aws:sns:eu-west-1:123456789012:done.fifo";
    let expected = ["async-no-fifo-destination"; 2];
    assert_eq!(to(Some(fifo), Some(fifo)), expected);
}

#[test]
fn async_s3_on_failure_only() {
    let bucket = Some("arn:aws:s3:::failed-mail");
    assert!(to(None, bucket).is_empty());
    assert_eq!(to(bucket, None), ["async-s3-on-failure-only"]);
}

#[test]
fn async_not_to_itself() {
    let itself = "arn:aws:lambda:eu-west-1:123456789012:function:mail:live";
    assert_eq!(to(Some(itself), None), ["async-not-to-itself"]);
}

#[test]
fn async_dead_letter_form() {
    let target = |arn: &str| {
        let arn = arn.to_owned();
        codes(|it| it.dead_letter_target_arn = Some(arn))
    };
    assert!(target(QUEUE).is_empty());
    assert_eq!(
        target("arn:aws:s3:::failed-mail"),
        ["async-dead-letter-form"]
    );
    assert_eq!(
        target("arn:aws:sqs:eu-west-1:123456789012:dead.fifo"),
        ["async-dead-letter-form"]
    );
}
