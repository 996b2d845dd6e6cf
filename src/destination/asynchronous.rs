//! What destinations and dead-letter queues are told of asynchronous events: data only, nothing is sent from here.

use super::uuid;
use crate::engine::lambda::{AsyncCondition, DeadLetter};
use crate::engine::{FunctionName, Time, limits};
use crate::poll::encode::{Calendar, Precision, push_decimal, push_instant, push_text};
use bytes::Bytes;
use std::sync::Arc;

/// The invocation record of one event, in AWS's form. Rule `async-record-shape`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AsyncRecord {
    /// The id that the caller was given; all tries have the same.
    pub request_id: String,
    /// From [`qualified_arn`].
    pub function_arn: Arc<str>,
    /// Why the event is over.
    pub condition: AsyncCondition,
    /// `approximateInvokeCount`.
    pub invoke_count: u32,
    /// When it was over, since the Unix epoch.
    pub at: Time,
    /// The event: JSON.
    pub request_payload: Bytes,
    /// The last answer of the function; `None` when there was none, and for a reserved concurrency of 0.
    pub response: Option<AsyncResponse>,
}

/// `responseContext` and `responsePayload`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AsyncResponse {
    /// The function returned.
    Returned {
        /// `$LATEST` if no version was named.
        executed_version: Arc<str>,
        /// What it returned: JSON.
        payload: Bytes,
    },
    /// It threw, timed out or crashed.
    Failed {
        /// As above.
        executed_version: Arc<str>,
        /// Its error object: JSON.
        payload: Bytes,
    },
    /// There is no such function any more. Rule `async-record-missing-target`: no version ran, and nothing answered.
    Missing,
}

/// The parts of an EventBridge event that carries a record (rule `async-record-eventbridge`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BusEntry {
    /// `Source`.
    pub source: &'static str,
    /// `DetailType`.
    pub detail_type: &'static str,
    /// `Resources`: the bus, and the function with its qualifier.
    pub resources: [Arc<str>; 2],
    /// `Detail`: the record.
    pub detail: String,
}

/// Attributes of the message that a dead-letter queue gets; its body is the event itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetterAttributes {
    /// `RequestID`, a String.
    pub request_id: String,
    /// `ErrorCode`, a Number.
    pub error_code: u16,
    /// `ErrorMessage`, a String: the first 1,024 bytes of the message.
    pub error_message: String,
}

/// Rule `async-record-names-latest`: an ARN without version or alias means `$LATEST`, and records say so.
pub fn qualified_arn(arn: &str) -> String {
    match FunctionName::parse(arn) {
        Ok(name) if name.qualifier.is_none() => format!("{arn}:$LATEST"),
        _ => arn.to_owned(),
    }
}

impl AsyncRecord {
    /// The record as JSON, without a line's end: the body of a message, a notification's text, the event of a function,
    /// or the content of an object.
    pub fn json(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(512 + self.request_payload.len());
        out.extend_from_slice(b"{\"version\":\"1.0\",\"timestamp\":\"");
        push_instant(&mut out, self.at, Precision::Millis);
        out.extend_from_slice(b"\",\"requestContext\":{\"requestId\":");
        quoted(&mut out, &self.request_id);
        out.extend_from_slice(b",\"functionArn\":");
        quoted(&mut out, &self.function_arn);
        out.extend_from_slice(b",\"condition\":");
        quoted(&mut out, self.condition.name());
        out.extend_from_slice(b",\"approximateInvokeCount\":");
        push_decimal(&mut out, u64::from(self.invoke_count));
        out.extend_from_slice(b"},\"requestPayload\":");
        json_or_null(&mut out, &self.request_payload);
        if let Some(response) = &self.response {
            response.encode(&mut out);
        }
        out.push(b'}');
        out
    }

    /// The record for an event bus.
    pub fn bus_entry(&self, bus_arn: &str) -> BusEntry {
        BusEntry {
            source: "lambda",
            detail_type: match self.condition {
                AsyncCondition::Success => "Lambda Function Invocation Result - Success",
                AsyncCondition::RetriesExhausted
                | AsyncCondition::EventAgeExceeded
                | AsyncCondition::ZeroReservedConcurrency => {
                    "Lambda Function Invocation Result - Failure"
                }
            },
            resources: [bus_arn.into(), self.function_arn.clone()],
            detail: String::from_utf8_lossy(&self.json()).into_owned(),
        }
    }

    /// Rule `async-record-s3-key`: the name of the object that holds this record of the function named `function`.
    pub fn object_key(&self, function: &str) -> String {
        let at = Calendar::from(self.at);
        let (year, month, day) = (at.year, at.month, at.day);
        let (hour, minute, second) = (at.hour, at.minute, at.second);
        let object = uuid::of_object(self.at.as_nanos(), &self.request_id);
        format!(
            "aws/lambda/async/{function}/{year:04}/{month:02}/{day:02}/\
             {year:04}-{month:02}-{day:02}T{hour:02}.{minute:02}.{second:02}-{object}"
        )
    }
}

impl AsyncResponse {
    fn encode(&self, out: &mut Vec<u8>) {
        let (version, payload, failed) = match self {
            Self::Returned {
                executed_version,
                payload,
            } => (executed_version, payload, false),
            Self::Failed {
                executed_version,
                payload,
            } => (executed_version, payload, true),
            Self::Missing => {
                out.extend_from_slice(b",\"responseContext\":{\"statusCode\":404}");
                return;
            }
        };
        out.extend_from_slice(b",\"responseContext\":{\"statusCode\":200,\"executedVersion\":");
        quoted(out, version);
        if failed {
            out.extend_from_slice(b",\"functionError\":\"Unhandled\"");
        }
        out.extend_from_slice(b"},\"responsePayload\":");
        json_or_null(out, payload);
    }
}

impl DeadLetterAttributes {
    /// The attributes of the event with this id; `function_message` is the `errorMessage` of the function's last error.
    pub fn new(letter: DeadLetter, request_id: &str, function_message: &str) -> Self {
        let message = letter.error_message.unwrap_or(function_message);
        let mut end = message.len().min(limits::DEAD_LETTER_MESSAGE_BYTES_MAX);
        while !message.is_char_boundary(end) {
            end -= 1;
        }
        Self {
            request_id: request_id.to_owned(),
            error_code: letter.error_code,
            error_message: message[..end].to_owned(),
        }
    }
}

/// A payload as it is; one that is empty is `null`, since the record must stay JSON.
fn json_or_null(out: &mut Vec<u8>, json: &[u8]) {
    out.extend_from_slice(if json.is_empty() { b"null" } else { json });
}

fn quoted(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    push_text(out, text);
    out.push(b'"');
}

#[cfg(test)]
#[path = "asynchronous_tests.rs"]
mod tests;
