//! A function behind the Invoke interface.

use super::judge::{Answer, excerpt, judge};
use super::{RESPONSE_BYTES_MAX, Reply, RequestId};
use crate::engine::{Outcome, Span};
use crate::scenario::{self, Aws, ErrorSign};
use crate::source::{AwsError, Connection};
use aws_sdk_lambda::Client;
use aws_sdk_lambda::error::{DisplayErrorContext, SdkError};
use aws_sdk_lambda::operation::invoke::{InvokeError, InvokeOutput};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::Blob;
use bytes::Bytes;
use tokio::sync::Semaphore;

/// What an invocation may take beyond the function's timeout: queues and start-up belong to the service.
const GRACE: Span = Span::from_secs(30);

#[derive(Debug)]
pub(super) struct Lambda {
    client: Client,
    errors: ErrorSign,
    timeout: Span,
    permits: Semaphore,
}

impl Lambda {
    pub(super) async fn open(
        target: &scenario::Target,
        endpoint_url: Option<&str>,
        errors: ErrorSign,
        aws: &Aws,
    ) -> Result<Self, AwsError> {
        let endpoint = endpoint_url.or(aws.endpoint_url.as_deref());
        let connection = Connection::open(aws, endpoint, None).await?;
        Ok(Self {
            client: Client::from_conf(connection.lambda()),
            errors,
            timeout: target.timeout + GRACE,
            permits: permits(target),
        })
    }

    pub(super) async fn invoke(&self, name: &str, request: RequestId, event: Bytes) -> Reply {
        let Ok(_permit) = self.permits.acquire().await else {
            return Reply::from(Outcome::ServiceError);
        };
        let call = self
            .client
            .invoke()
            .function_name(name)
            .payload(Blob::new(Vec::from(event)))
            .send();
        match tokio::time::timeout(self.timeout.to_std(), call).await {
            Ok(Ok(output)) => self.answered(name, request, output),
            Ok(Err(error)) => self.refused(name, request, &error),
            Err(_) => {
                tracing::warn!(function = name, %request, "no answer within the function's timeout");
                Reply::from(Outcome::ServiceError)
            }
        }
    }

    fn answered(&self, function: &str, request: RequestId, output: InvokeOutput) -> Reply {
        let payload = output.payload.map_or_else(Vec::new, Blob::into_inner);
        let body = payload.as_slice();
        let answer = Answer {
            status: u16::try_from(output.status_code).unwrap_or(200),
            error_header: output.function_error.is_some(),
            retry_after: None,
            body,
        };
        let outcome = match judge(self.errors, &answer) {
            // The service has this limit too; others may not.
            Outcome::Success if body.len() > RESPONSE_BYTES_MAX => Outcome::FunctionError,
            outcome => outcome,
        };
        let mut reply = if outcome == Outcome::Success {
            Reply::success(Bytes::from(payload))
        } else {
            tracing::warn!(function, %request, ?outcome, error = %excerpt(body), "the invocation failed");
            Reply::failed(outcome, Bytes::from(payload))
        };
        reply.executed_version = output.executed_version;
        reply
    }

    fn refused(
        &self,
        function: &str,
        request: RequestId,
        error: &SdkError<InvokeError, HttpResponse>,
    ) -> Reply {
        let Some(response) = error.raw_response() else {
            tracing::warn!(function, %request, error = %DisplayErrorContext(error), "the service was not reached");
            return Reply::from(Outcome::ServiceError);
        };
        let answer = Answer {
            status: response.status().as_u16(),
            error_header: response.headers().contains_key("x-amz-function-error"),
            retry_after: response.headers().get("retry-after"),
            body: response.body().bytes().unwrap_or_default(),
        };
        let outcome = judge(self.errors, &answer);
        tracing::warn!(function, %request, status = answer.status, ?outcome, error = %DisplayErrorContext(error), "the service refused");
        Reply::from(outcome).of_status(answer.status)
    }
}

/// Deliveries at once to a remote target.
pub(super) fn permits(target: &scenario::Target) -> Semaphore {
    let limit = target
        .concurrency
        .map_or(Semaphore::MAX_PERMITS, |limit| limit as usize);
    Semaphore::new(limit)
}

#[cfg(test)]
#[path = "lambda_tests.rs"]
mod tests;
