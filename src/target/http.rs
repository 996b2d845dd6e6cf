//! A web server that takes events as POST bodies.

use super::judge::{Answer, excerpt, judge};
use super::{RESPONSE_BYTES_MAX, Reply, RequestId};
use crate::engine::{Outcome, Span};
use crate::scenario::{self, ErrorSign};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use hyper::{Request, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::time::Duration;
use tokio::sync::Semaphore;

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Kept-alive connections unused for this long are closed.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct Http {
    function: String,
    client: Client<HttpConnector, Full<Bytes>>,
    url: Uri,
    errors: ErrorSign,
    timeout: Span,
    permits: Semaphore,
}

impl Http {
    /// `None` when `url` is not an http URL with a host.
    pub(super) fn open(target: &scenario::Target, url: &str, errors: ErrorSign) -> Option<Self> {
        let url: Uri = url.parse().ok()?;
        if url.scheme_str() != Some("http") || url.host().is_none() {
            return None;
        }
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .build(connector);
        Some(Self {
            function: target.function.clone(),
            client,
            url,
            errors,
            timeout: target.timeout,
            permits: super::lambda::permits(target),
        })
    }

    pub(super) async fn invoke(&self, request: RequestId, event: Bytes) -> Reply {
        let Ok(_permit) = self.permits.acquire().await else {
            return Reply::from(Outcome::ServiceError);
        };
        match tokio::time::timeout(self.timeout.to_std(), self.exchange(event)).await {
            Ok(Ok(reply)) => reply,
            Ok(Err(error)) => {
                tracing::warn!(function = self.function, %request, error, "the target was not reached");
                Reply::from(Outcome::ServiceError)
            }
            Err(_) => {
                tracing::warn!(function = self.function, %request, timeout = %self.timeout, "the invocation timed out");
                Reply::from(Outcome::FunctionError)
            }
        }
    }

    async fn exchange(&self, event: Bytes) -> Result<Reply, String> {
        let request = Request::post(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(event))
            .map_err(|error| error.to_string())?;
        let response = self.client.request(request).await.map_err(chain)?;
        let (head, body) = response.into_parts();
        let Ok(body) = Limited::new(body, RESPONSE_BYTES_MAX).collect().await else {
            tracing::warn!(
                function = self.function,
                limit = RESPONSE_BYTES_MAX,
                "the answer broke off or is too large"
            );
            return Ok(Reply::from(Outcome::FunctionError));
        };
        let body = body.to_bytes();
        let outcome = judge(
            self.errors,
            &answer(head.status.as_u16(), &head.headers, &body),
        );
        if outcome != Outcome::Success {
            tracing::warn!(function = self.function, status = head.status.as_u16(), ?outcome, error = %excerpt(&body), "the invocation failed");
            return Ok(Reply::failed(outcome, body).of_status(head.status.as_u16()));
        }
        Ok(Reply::success(body))
    }
}

fn answer<'a>(status: u16, headers: &'a HeaderMap, body: &'a [u8]) -> Answer<'a> {
    Answer {
        status,
        error_header: headers.contains_key("x-amz-function-error"),
        retry_after: headers
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok()),
        body,
    }
}

/// An error with its causes, which is where connections say what is wrong.
fn chain(error: impl std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        text = format!("{text}: {source}");
        cause = source.source();
    }
    text
}

#[cfg(test)]
#[path = "http_tests.rs"]
mod tests;
