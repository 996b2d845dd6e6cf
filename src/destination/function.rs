//! Lambda functions as destinations: they are invoked asynchronously with the record.

use crate::engine::FailureClass;
use crate::source::{CallError, Connection, call_error};
use aws_sdk_lambda::Client;
use aws_sdk_lambda::types::InvocationType;
use aws_smithy_types::Blob;
use std::time::Duration;

/// How long the service may take to queue an event; the function itself is not waited for.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct Function {
    client: Client,
    arn: String,
}

impl Function {
    pub(super) fn new(connection: &Connection, arn: String) -> Self {
        Self {
            client: Client::from_conf(connection.lambda()),
            arn,
        }
    }

    pub(super) async fn invoke(&self, record: Vec<u8>) -> Result<(), CallError> {
        let call = self
            .client
            .invoke()
            .function_name(&self.arn)
            .invocation_type(InvocationType::Event)
            .payload(Blob::new(record))
            .send();
        match tokio::time::timeout(CALL_TIMEOUT, call).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(call_error("Invoke", &error)),
            Err(_) => Err(CallError {
                class: FailureClass::Transient,
                call: "Invoke",
                text: format!("no answer within {} s", CALL_TIMEOUT.as_secs()),
            }),
        }
    }
}
