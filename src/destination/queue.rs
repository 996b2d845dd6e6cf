//! SQS queues as destinations.

use super::DeadLetterAttributes;
use crate::engine::FailureClass;
use crate::source::{CallError, Connection, call_error};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::MessageAttributeValue;
use tokio::sync::OnceCell;

#[derive(Debug)]
pub(super) struct Queue {
    client: Client,
    account: String,
    name: String,
    /// Asked for with the first record: a queue that is not there must not keep its mapping from starting.
    url: OnceCell<String>,
}

impl Queue {
    pub(super) fn new(connection: &Connection, account: String, name: String) -> Self {
        Self {
            client: Client::from_conf(connection.sqs()),
            account,
            name,
            url: OnceCell::new(),
        }
    }

    pub(super) async fn send(&self, body: String) -> Result<(), CallError> {
        self.send_with(body, None).await
    }

    pub(super) async fn send_with(
        &self,
        body: String,
        attributes: Option<&DeadLetterAttributes>,
    ) -> Result<(), CallError> {
        let url = self.url.get_or_try_init(|| self.find()).await?;
        let mut message = self.client.send_message().queue_url(url).message_body(body);
        for (name, kind, value) in attributes.into_iter().flat_map(DeadLetterAttributes::list) {
            // An attribute without a value is refused.
            if value.is_empty() {
                continue;
            }
            let attribute = MessageAttributeValue::builder()
                .data_type(kind)
                .string_value(value)
                .build()
                .map_err(|error| CallError {
                    class: FailureClass::Denied,
                    call: "SendMessage",
                    text: error.to_string(),
                })?;
            message = message.message_attributes(name, attribute);
        }
        let sent = message.send().await;
        sent.map_err(|error| call_error("SendMessage", &error))?;
        Ok(())
    }

    async fn find(&self) -> Result<String, CallError> {
        let output = self
            .client
            .get_queue_url()
            .queue_name(&self.name)
            .queue_owner_aws_account_id(&self.account)
            .send()
            .await
            .map_err(|error| call_error("GetQueueUrl", &error))?;
        Ok(output.queue_url.unwrap_or_default())
    }
}
