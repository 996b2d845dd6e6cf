//! PutFunctionEventInvokeConfig: what becomes of asynchronous events, with AWS's names, ranges and texts.

use super::check::shorten;
use super::rule::{Evidence, Rule, Violation, rule};
use super::{DestinationConfig, FunctionName};
use crate::engine::{Span, limits};
use Evidence::{Documented, Recorded};

const DESTINATION_CHARS_MAX: usize = 350;

/// Every rule that [`EventInvokeParameters::check`] applies.
pub const EVENT_INVOKE_RULES: [Rule; 7] = [
    rule(
        "async-retry-attempts-range",
        Documented,
        "MaximumRetryAttempts of asynchronous events is 0 to 2",
    ),
    rule(
        "async-event-age-range",
        Documented,
        "MaximumEventAgeInSeconds is 60 to 21,600",
    ),
    rule(
        "async-destination-form",
        Documented,
        "destinations of asynchronous events are ARNs of queues, topics, functions, event buses and buckets",
    ),
    rule(
        "async-no-fifo-destination",
        Documented,
        "FIFO queues and topics take no asynchronous events",
    ),
    rule(
        "async-s3-on-failure-only",
        Documented,
        "a bucket can be the on-failure destination only",
    ),
    rule(
        "async-not-to-itself",
        Recorded,
        "a function cannot be its own destination",
    ),
    rule(
        "async-dead-letter-form",
        Documented,
        "DeadLetterConfig.TargetArn is the ARN of a standard queue or topic",
    ),
];

/// Everything that somebody may have written, each `None` when it was not given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "the field names are AWS's parameters in snake case"
)]
pub struct EventInvokeParameters {
    pub maximum_retry_attempts: Option<i64>,
    pub maximum_event_age_in_seconds: Option<i64>,
    pub destination_config: Option<DestinationConfig>,
    /// DeadLetterConfig.TargetArn, which AWS keeps with the function itself.
    pub dead_letter_target_arn: Option<String>,
}

/// The settings of one queue of asynchronous events: of a function, a version or an alias. Only
/// [`EventInvokeParameters::check`] and `default` make one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EventInvokeConfig {
    /// MaximumRetryAttempts: tries after the first that failed, 0 to 2.
    pub maximum_retry_attempts: u8,
    /// MaximumEventAgeInSeconds: 60 s to 6 h.
    pub maximum_event_age: Span,
    /// DestinationConfig.OnSuccess.Destination.
    pub on_success: Option<String>,
    /// DestinationConfig.OnFailure.Destination.
    pub on_failure: Option<String>,
    /// DeadLetterConfig.TargetArn.
    pub dead_letter: Option<String>,
}

impl Default for EventInvokeConfig {
    /// What AWS does when nothing is configured: two retries, six hours, and nobody is told.
    fn default() -> Self {
        Self {
            maximum_retry_attempts: limits::ASYNC_RETRIES_MAX,
            maximum_event_age: limits::ASYNC_EVENT_AGE_MAX,
            on_success: None,
            on_failure: None,
            dead_letter: None,
        }
    }
}

impl EventInvokeParameters {
    /// Tests the parameters of the function named `function` against every rule.
    ///
    /// ```
    /// use tidegate::engine::config::EventInvokeParameters;
    ///
    /// let mut parameters = EventInvokeParameters {
    ///     maximum_retry_attempts: Some(3),
    ///     ..EventInvokeParameters::default()
    /// };
    /// let violations = parameters.check("mail").unwrap_err();
    /// assert_eq!(violations[0].code, "async-retry-attempts-range");
    /// parameters.maximum_retry_attempts = Some(0);
    /// assert_eq!(parameters.check("mail")?.maximum_event_age.to_string(), "6h");
    /// # Ok::<(), Vec<tidegate::engine::Violation>>(())
    /// ```
    ///
    /// # Errors
    /// All violations.
    pub fn check(&self, function: &str) -> Result<EventInvokeConfig, Vec<Violation>> {
        let mut found = Vec::new();
        let usual = EventInvokeConfig::default();
        let retries = Range {
            parameter: "MaximumRetryAttempts",
            rule: "async-retry-attempts-range",
            min: 0,
            max: i64::from(limits::ASYNC_RETRIES_MAX),
            unit: "retries",
        };
        let age = Range {
            parameter: "MaximumEventAgeInSeconds",
            rule: "async-event-age-range",
            min: 60,
            max: 21_600,
            unit: "seconds",
        };
        retries.check(self.maximum_retry_attempts, &mut found);
        age.check(self.maximum_event_age_in_seconds, &mut found);
        let destinations = self.destination_config.clone().unwrap_or_default();
        for (name, target) in [
            ("DestinationConfig.OnSuccess", &destinations.on_success),
            ("DestinationConfig.OnFailure", &destinations.on_failure),
        ] {
            if let Some(target) = target {
                found.extend(wrong_destination(name, target, function));
            }
        }
        if let Some(target) = &self.dead_letter_target_arn {
            found.extend(wrong_dead_letter(target));
        }
        if !found.is_empty() {
            return Err(found);
        }
        let secs = self.maximum_event_age_in_seconds;
        let secs = secs.and_then(|secs| u64::try_from(secs).ok());
        let attempts = self.maximum_retry_attempts;
        Ok(EventInvokeConfig {
            maximum_retry_attempts: attempts
                .and_then(|attempts| u8::try_from(attempts).ok())
                .unwrap_or(usual.maximum_retry_attempts),
            maximum_event_age: secs.map_or(usual.maximum_event_age, Span::from_secs),
            on_success: destinations.on_success,
            on_failure: destinations.on_failure,
            dead_letter: self.dead_letter_target_arn.clone(),
        })
    }
}

struct Range {
    parameter: &'static str,
    rule: &'static str,
    min: i64,
    max: i64,
    unit: &'static str,
}

impl Range {
    /// AWS's text names the parameter with a small letter and the bound that is not kept.
    fn check(&self, given: Option<i64>, found: &mut Vec<Violation>) {
        let Some(value) = given.filter(|value| !(self.min..=self.max).contains(value)) else {
            return;
        };
        let (side, bound) = if value < self.min {
            ("greater", self.min)
        } else {
            ("less", self.max)
        };
        let (first, rest) = self.parameter.split_at(1);
        let text = format!(
            "1 validation error detected: Value '{value}' at '{}{rest}' failed to satisfy constraint: \
             Member must have value {side} than or equal to {bound}",
            first.to_ascii_lowercase()
        );
        found.push(
            Violation::new(self.parameter, self.rule, text)
                .verbatim()
                .found(format!("found {value}"))
                .allowed(format!("{} to {} {}", self.min, self.max, self.unit)),
        );
    }
}

/// The service that an ARN names, and what follows region and account.
fn service_of(arn: &str) -> Option<(&str, &str)> {
    let mut parts = arn.splitn(6, ':');
    let (Some("arn"), Some(partition)) = (parts.next(), parts.next()) else {
        return None;
    };
    let service = parts.next()?;
    let resource = parts.nth(2)?;
    (partition.starts_with("aws") && !resource.is_empty()).then_some((service, resource))
}

fn wrong_destination(name: &'static str, target: &str, function: &str) -> Option<Violation> {
    let form = || {
        Violation::new(
            name,
            "async-destination-form",
            "the destination is none that asynchronous events can go to",
        )
        .found(format!("found `{}`", shorten(target)))
        .allowed(
            "the ARN of an SQS queue, an SNS topic, a Lambda function, an EventBridge event bus, or for failures \
             an S3 bucket, at most 350 characters",
        )
    };
    let Some((service, resource)) = service_of(target) else {
        return Some(form());
    };
    if target.chars().count() > DESTINATION_CHARS_MAX {
        return Some(form());
    }
    match service {
        "sqs" | "sns" if resource.ends_with(".fifo") => {
            Some(fifo(name, "async-no-fifo-destination"))
        }
        "sqs" | "sns" => None,
        "events" => (!resource.starts_with("event-bus/")).then(form),
        "s3" if name.ends_with("OnSuccess") => Some(
            Violation::new(
                name,
                "async-s3-on-failure-only",
                "a bucket takes records of failed events only",
            )
            .found("the ARN is that of an S3 bucket")
            .allowed("SQS, SNS, Lambda or EventBridge")
            .hint("write it under `OnFailure`, or let a function store the results"),
        ),
        "s3" => None,
        "lambda" => match FunctionName::parse(target) {
            Err(_) => Some(form()),
            Ok(parsed) => (parsed.name == function).then(|| {
                Violation::new(
                    name,
                    "async-not-to-itself",
                    "You can't specify the function as a destination for itself.",
                )
                .verbatim()
                .found("this is the function itself")
            }),
        },
        _ => Some(form()),
    }
}

fn wrong_dead_letter(target: &str) -> Option<Violation> {
    const NAME: &str = "DeadLetterConfig.TargetArn";
    const RULE: &str = "async-dead-letter-form";
    match service_of(target) {
        Some(("sqs" | "sns", resource)) if resource.ends_with(".fifo") => Some(fifo(NAME, RULE)),
        Some(("sqs" | "sns", _)) => None,
        _ => Some(
            Violation::new(NAME, RULE, "the target is no queue and no topic")
                .found(format!("found `{}`", shorten(target)))
                .allowed("the ARN of a standard SQS queue or SNS topic"),
        ),
    }
}

fn fifo(name: &'static str, rule: &'static str) -> Violation {
    Violation::new(
        name,
        rule,
        "FIFO queues and topics take no asynchronous events",
    )
    .found("the name ends in `.fifo`")
    .allowed("standard queues and topics")
}
