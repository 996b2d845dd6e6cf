//! SQS queues as destinations.

use crate::source::{CallError, Connection, call_error};
use aws_sdk_sqs::Client;
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
        let url = self.url.get_or_try_init(|| self.find()).await?;
        self.client
            .send_message()
            .queue_url(url)
            .message_body(body)
            .send()
            .await
            .map_err(|error| call_error("SendMessage", &error))?;
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
