//! SQS queues.

use super::aws::call_error;
use super::{AwsError, CallError, Connection, Keep, PageBuffer, Payload, Records};
use crate::engine::{FailureClass, Meta, Page, Record, Seq, Span, Time, limits, stream_key};
use crate::poll::encode::{
    AttributeValue, MessageAttribute, SqsMessage, SqsShape, SystemAttribute,
};
use crate::scenario::{Arn, Aws};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{
    DeleteMessageBatchRequestEntry, Message, MessageAttributeValue, MessageSystemAttributeName,
    QueueAttributeName,
};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use tokio::task::JoinSet;

/// Calls to DeleteMessageBatch at once, for one batch.
const DELETES_MAX: usize = 8;
/// How often entries that a successful DeleteMessageBatch reports as failed are sent again, at once.
const DELETE_TRIES_MAX: u32 = 3;
/// A message's JSON beside its own texts, in bytes; only a guess for the first allocation.
const OVERHEAD_GUESS: usize = 600;

/// A queue that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SqsError {
    /// Region or credentials.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// The queue is not there, or may not be read.
    #[error(transparent)]
    Call(#[from] CallError),
}

/// A queue of the service, or of a server that speaks its interface.
#[derive(Debug)]
pub struct Sqs {
    client: Client,
    url: String,
    shape: SqsShape,
    /// VisibilityTimeout of the queue when it was opened.
    visibility_timeout: Span,
    ordinal: AtomicU64,
}

impl Sqs {
    /// Finds the queue and reads its visibility timeout.
    ///
    /// # Errors
    /// A missing region, or the service's refusal.
    pub async fn open(
        arn: &Arn,
        endpoint_url: Option<&str>,
        aws: &Aws,
        has_window: bool,
    ) -> Result<Self, SqsError> {
        let connection = Connection::open(aws, endpoint_url, Some(&arn.region)).await?;
        let client = Client::from_conf(connection.sqs());
        let url = client
            .get_queue_url()
            .queue_name(&arn.name)
            .queue_owner_aws_account_id(&arn.account)
            .send()
            .await
            .map_err(|error| call_error("GetQueueUrl", &error))?
            .queue_url
            .unwrap_or_default();
        let attributes = client
            .get_queue_attributes()
            .queue_url(&url)
            .attribute_names(QueueAttributeName::VisibilityTimeout)
            .send()
            .await
            .map_err(|error| call_error("GetQueueAttributes", &error))?;
        let visibility_timeout = attributes
            .attributes()
            .and_then(|attributes| attributes.get(&QueueAttributeName::VisibilityTimeout))
            .and_then(|text| text.parse().ok())
            .map_or(limits::SQS_VISIBILITY_DEFAULT, Span::from_secs);
        Ok(Self {
            client,
            url,
            shape: SqsShape::new(has_window, &arn.region, &arn.text),
            visibility_timeout,
            ordinal: AtomicU64::new(0),
        })
    }

    /// The queue's VisibilityTimeout.
    pub const fn visibility_timeout(&self) -> Span {
        self.visibility_timeout
    }

    /// Receives at most `records_max` messages, waiting up to `wait` (whole seconds) for the first one. Those that
    /// `keep` does not admit are rejected: they carry nothing but what deleting them takes.
    ///
    /// # Errors
    /// When the call failed.
    pub async fn receive(
        &self,
        records_max: u32,
        wait: Span,
        records: Records,
        keep: &Keep,
    ) -> Result<Page<Payload>, CallError> {
        let count = records_max.min(limits::SQS_CALL_MESSAGES_MAX);
        let secs = wait.min(limits::SQS_LONG_POLL).as_millis() / 1_000;
        let output = self
            .client
            .receive_message()
            .queue_url(&self.url)
            .max_number_of_messages(i32::try_from(count).unwrap_or(1))
            .wait_time_seconds(i32::try_from(secs).unwrap_or(0))
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .message_attribute_names("All")
            .send()
            .await
            .map_err(|error| call_error("ReceiveMessage", &error))?;
        Ok(self.page(output.messages.unwrap_or_default(), records, keep))
    }

    fn page(&self, messages: Vec<Message>, mut records: Records, keep: &Keep) -> Page<Payload> {
        let text_len = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let guess = messages
            .iter()
            .map(|message| {
                text_len(&message.body) * 9 / 8 + text_len(&message.receipt_handle) + OVERHEAD_GUESS
            })
            .sum();
        let mut buffer = PageBuffer::with_capacity(guess);
        let mut rejected = Records::new();
        for mut message in messages {
            let (encoded, arrival, group) = {
                let view = view(&message);
                let data = Some(view.body.as_bytes());
                let encoded = keep.push(&mut buffer, data, |out| self.shape.encode(out, &view));
                let millis = view
                    .get(SystemAttribute::SentTimestamp)
                    .and_then(|text| text.parse().ok());
                let group = view
                    .get(SystemAttribute::MessageGroupId)
                    .map_or(0, |group| stream_key(0, group));
                (encoded, Time::from_millis(millis.unwrap_or(0)), group)
            };
            let meta = Meta {
                seq: Seq::from(self.ordinal.fetch_add(1, Relaxed)),
                group,
                arrival,
                wire_len: encoded.unwrap_or(0),
            };
            let payload = Payload {
                json: bytes::Bytes::new(),
                receipt: message.receipt_handle.take().unwrap_or_default(),
            };
            let list = match encoded {
                Some(_) => &mut records,
                None => &mut rejected,
            };
            list.push(Record { meta, payload });
        }
        buffer.hand_out(&mut records);
        Page {
            records,
            rejected,
            ..Page::default()
        }
    }

    /// Deletes messages by their receipt handles, ten per call.
    ///
    /// # Errors
    /// When any message could not be deleted; deleting the others again does no harm.
    pub async fn delete(&self, receipts: Vec<String>) -> Result<(), CallError> {
        let mut chunks: VecDeque<Vec<String>> = VecDeque::new();
        for receipt in receipts {
            match chunks.back_mut() {
                Some(chunk) if chunk.len() < limits::SQS_CALL_MESSAGES_MAX as usize => {
                    chunk.push(receipt);
                }
                _ => chunks.push_back(vec![receipt]),
            }
        }
        if chunks.len() == 1
            && let Some(chunk) = chunks.pop_front()
        {
            return delete_chunk(self.client.clone(), self.url.clone(), chunk).await;
        }
        let mut calls = JoinSet::new();
        let mut result = Ok(());
        loop {
            while calls.len() < DELETES_MAX
                && let Some(chunk) = chunks.pop_front()
            {
                calls.spawn(delete_chunk(self.client.clone(), self.url.clone(), chunk));
            }
            match calls.join_next().await {
                Some(Ok(Ok(()))) => {}
                Some(Ok(Err(error))) => result = Err(error),
                Some(Err(error)) => result = Err(failed_deletion(error.to_string())),
                None => return result,
            }
        }
    }
}

async fn delete_chunk(
    client: Client,
    url: String,
    mut receipts: Vec<String>,
) -> Result<(), CallError> {
    let mut reason = String::new();
    for _ in 0..DELETE_TRIES_MAX {
        let mut call = client.delete_message_batch().queue_url(&url);
        for (index, receipt) in receipts.iter().enumerate() {
            let entry = DeleteMessageBatchRequestEntry::builder()
                .id(index.to_string())
                .receipt_handle(receipt)
                .build()
                .map_err(|error| failed_deletion(error.to_string()))?;
            call = call.entries(entry);
        }
        let output = call
            .send()
            .await
            .map_err(|error| call_error("DeleteMessageBatch", &error))?;
        let mut failed = Vec::new();
        for entry in output.failed() {
            reason = format!("{}: {}", entry.code(), entry.message().unwrap_or_default());
            let index = entry.id().parse::<usize>().ok();
            failed.extend(index.and_then(|index| receipts.get(index).cloned()));
        }
        if failed.is_empty() {
            return Ok(());
        }
        receipts = failed;
    }
    Err(failed_deletion(reason))
}

const fn failed_deletion(text: String) -> CallError {
    CallError {
        class: FailureClass::Transient,
        call: "DeleteMessageBatch",
        text,
    }
}

/// The message as the encoder reads it.
#[expect(
    clippy::disallowed_methods,
    reason = "the attributes are sorted afterwards"
)]
fn view(message: &Message) -> SqsMessage<'_> {
    let mut view = SqsMessage {
        message_id: message.message_id().unwrap_or_default(),
        receipt_handle: message.receipt_handle().unwrap_or_default(),
        body: message.body().unwrap_or_default(),
        md5_of_body: message.md5_of_body().unwrap_or_default(),
        ..SqsMessage::default()
    };
    for (name, value) in message.attributes().into_iter().flatten() {
        if let Some(attribute) = system_attribute(name) {
            view.set(attribute, value);
        }
    }
    if let Some(attributes) = message.message_attributes()
        && !attributes.is_empty()
    {
        view.md5_of_attributes = message.md5_of_message_attributes();
        view.attributes = attributes
            .iter()
            .map(|(name, value)| attribute(name, value))
            .collect();
        // The service keeps no order; one by name makes equal messages equal.
        view.attributes.sort_unstable_by_key(|entry| entry.name);
    }
    view
}

fn attribute<'a>(name: &'a str, value: &'a MessageAttributeValue) -> MessageAttribute<'a> {
    MessageAttribute {
        name,
        data_type: value.data_type(),
        value: match value.binary_value() {
            Some(bytes) => AttributeValue::Binary(bytes.as_ref()),
            None => AttributeValue::Text(value.string_value().unwrap_or_default()),
        },
    }
}

fn system_attribute(name: &MessageSystemAttributeName) -> Option<SystemAttribute> {
    use MessageSystemAttributeName as Name;
    Some(match name {
        Name::ApproximateReceiveCount => SystemAttribute::ApproximateReceiveCount,
        Name::SentTimestamp => SystemAttribute::SentTimestamp,
        Name::SenderId => SystemAttribute::SenderId,
        Name::ApproximateFirstReceiveTimestamp => SystemAttribute::ApproximateFirstReceiveTimestamp,
        Name::SequenceNumber => SystemAttribute::SequenceNumber,
        Name::MessageGroupId => SystemAttribute::MessageGroupId,
        Name::MessageDeduplicationId => SystemAttribute::MessageDeduplicationId,
        Name::AwsTraceHeader => SystemAttribute::AwsTraceHeader,
        Name::DeadLetterQueueSourceArn => SystemAttribute::DeadLetterQueueSourceArn,
        // What the service adds later is not part of the recorded event form.
        _ => return None,
    })
}

#[cfg(test)]
#[path = "sqs_tests.rs"]
mod tests;
