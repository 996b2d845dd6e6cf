//! Answers, in the forms of the service.

use super::events::KEPT_BYTES_MAX;
use super::request::InvocationType;
use crate::engine::lambda::{PayloadTooLarge, ThrottleReason};
use crate::engine::{Outcome, Span};
use crate::target::{Reply, RequestId};
use bytes::Bytes;
use http_body_util::Full;
use hyper::http::response::Builder;
use hyper::{Response, StatusCode};

/// Why a request is not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// No such path or method.
    NoSuchOperation,
    /// A page in a browser sends it, of whatever site: clients of Lambda do not run there.
    FromPage,
    /// No such function, version or alias: its ARN.
    NotFound(String),
    InvalidParameter(String),
    /// The event is no JSON.
    InvalidContent(String),
    /// The event has more than so many bytes.
    TooLarge(InvocationType, usize),
    /// So many events wait that this one cannot be kept: a limit of this machine, not of AWS.
    QueueFull,
    /// Too many requests, with the reason where it is known, and the wait that the target asked for.
    Throttled(Option<ThrottleReason>, Span),
    /// Whoever runs the function cannot be reached, or failed itself.
    Service,
}

impl Refusal {
    fn parts(&self) -> (u16, &'static str, String) {
        match self {
            Self::NoSuchOperation => (
                404,
                "UnknownOperationException",
                "only POST /2015-03-31/functions/NAME/invocations is served here".to_owned(),
            ),
            Self::FromPage => (
                403,
                "AccessDeniedException",
                "pages in browsers may not invoke functions: the request has an Origin".to_owned(),
            ),
            Self::NotFound(arn) => (
                404,
                "ResourceNotFoundException",
                format!("Function not found: {arn}"),
            ),
            Self::InvalidParameter(message) => {
                (400, "InvalidParameterValueException", message.clone())
            }
            Self::InvalidContent(message) => (
                400,
                "InvalidRequestContentException",
                format!("Could not parse request body into json: {message}"),
            ),
            Self::TooLarge(kind, max) => (
                413,
                "RequestTooLargeException",
                match kind {
                    InvocationType::Event => PayloadTooLarge { max: *max as u64 }.to_string(),
                    _ => format!(
                        "the payload is too large for the {} invocation type (limit {max} bytes)",
                        kind.name(),
                    ),
                },
            ),
            Self::QueueFull => (
                429,
                "TooManyRequestsException",
                format!("{KEPT_BYTES_MAX} bytes of asynchronous events are queued here already"),
            ),
            Self::Throttled(..) => (429, "TooManyRequestsException", "Rate Exceeded.".to_owned()),
            Self::Service => (
                500,
                "ServiceException",
                "the function could not be reached, or failed outside of itself".to_owned(),
            ),
        }
    }

    pub(super) fn response(&self, id: RequestId) -> Response<Full<Bytes>> {
        let (status, kind, message) = self.parts();
        let mut body = serde_json::Map::new();
        let text = |text: &str| serde_json::Value::String(text.to_owned());
        let whose = if status < 500 { "User" } else { "Service" };
        body.insert("Type".to_owned(), text(whose));
        // Recorded: this one error writes its message with a capital.
        let key = match self {
            Self::NotFound(_) => "Message",
            _ => "message",
        };
        body.insert(key.to_owned(), text(&message));
        let mut builder = head(status, id).header("x-amzn-ErrorType", kind);
        if let Self::Throttled(reason, retry_after) = self {
            // Behind the targets that do not tell, what is exhausted is this machine's own limit.
            let reason = reason.unwrap_or(ThrottleReason::ConcurrentInvocationLimitExceeded);
            body.insert("Reason".to_owned(), text(reason.name()));
            let secs = retry_after.as_nanos().div_ceil(1_000_000_000).max(1);
            builder = builder.header("Retry-After", secs);
        }
        if *self == Self::QueueFull {
            builder = builder.header("Retry-After", 1);
        }
        let body = serde_json::Value::Object(body).to_string();
        finish(builder, Bytes::from(body))
    }
}

/// Of a function that returned, or failed by itself.
pub(super) fn ran(id: RequestId, reply: Reply) -> Response<Full<Bytes>> {
    let version = reply.executed_version.as_deref().unwrap_or("$LATEST");
    let mut builder = head(200, id).header("X-Amz-Executed-Version", version);
    if reply.outcome == Outcome::FunctionError {
        builder = builder.header("X-Amz-Function-Error", "Unhandled");
    }
    finish(builder, reply.body)
}

/// Of an event that was queued.
pub(super) fn queued(id: RequestId) -> Response<Full<Bytes>> {
    finish(head(202, id), Bytes::new())
}

pub(super) fn dry_run(id: RequestId) -> Response<Full<Bytes>> {
    finish(head(204, id), Bytes::new())
}

fn head(status: u16, id: RequestId) -> Builder {
    Response::builder()
        .status(status)
        .header("Content-Type", "application/json")
        .header("x-amzn-RequestId", id.to_string())
}

/// A header that cannot be written is the fault of what a target told.
fn finish(builder: Builder, body: Bytes) -> Response<Full<Bytes>> {
    builder.body(Full::new(body)).unwrap_or_else(|error| {
        tracing::error!(%error, "an answer could not be written");
        let mut response = Response::new(Full::new(Bytes::new()));
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        response
    })
}
