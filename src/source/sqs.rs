//! SQS queues.

mod deletion;

use super::aws::call_error;
use super::patience::patiently;
use super::{AwsError, CallError, Connection, Keep, PageBuffer, Payload, Records};
use crate::engine::{Meta, Page, Record, Seq, Span, Time, limits, stream_key};
use crate::poll::Counters;
use crate::poll::encode::{
    AttributeValue, MessageAttribute, SqsMessage, SqsShape, SystemAttribute,
};
use crate::scenario::{Arn, Aws};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{
    Message, MessageAttributeValue, MessageSystemAttributeName, QueueAttributeName,
};
use deletion::{Deleter, Leftovers};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

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
    facts: QueueFacts,
    ordinal: AtomicU64,
    leftovers: Leftovers,
    counters: Arc<Counters>,
}

/// What of a queue's attributes matters to its mapping, as it was when the queue was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueFacts {
    /// VisibilityTimeout.
    pub visibility_timeout: Span,
    /// `maxReceiveCount` of the RedrivePolicy, if there is one.
    pub max_receive_count: Option<u32>,
}

impl Sqs {
    /// Finds the queue and reads its attributes. Trouble that may pass by itself is waited out for some minutes.
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
        let url = patiently(|| queue_url(&client, arn)).await?;
        let facts = patiently(|| queue_facts(&client, &url)).await?;
        Ok(Self {
            client,
            url,
            shape: SqsShape::new(has_window, &arn.region, &arn.text),
            facts,
            ordinal: AtomicU64::new(0),
            leftovers: Leftovers::default(),
            counters: Arc::default(),
        })
    }

    /// Counts its calls in the totals of a run.
    #[must_use]
    pub fn counting(mut self, counters: Arc<Counters>) -> Self {
        self.counters = counters;
        self
    }

    /// What is known of the queue.
    pub const fn facts(&self) -> QueueFacts {
        self.facts
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
        self.counters.receives.fetch_add(1, Relaxed);
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
        let messages = output.messages.unwrap_or_default();
        if messages.is_empty() {
            self.counters.empty_receives.fetch_add(1, Relaxed);
        }
        Ok(self.page(messages, records, keep))
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

    /// Deletes the messages of a batch by their receipt handles, ten per call. `batch` names it in case that only some can be
    /// deleted: the next call with this name deletes the others alone.
    ///
    /// # Errors
    /// When any message could not be deleted; deleting the others again does no harm.
    pub async fn delete(&self, batch: u32, receipts: Vec<String>) -> Result<(), CallError> {
        let receipts = self.leftovers.take(batch, receipts);
        let deleter = Deleter {
            client: self.client.clone(),
            url: self.url.clone(),
            counters: self.counters.clone(),
        };
        deleter.delete(receipts).await.map_err(|failed| {
            self.leftovers.put(batch, failed.left);
            failed.error
        })
    }
}

async fn queue_url(client: &Client, arn: &Arn) -> Result<String, CallError> {
    let output = client
        .get_queue_url()
        .queue_name(&arn.name)
        .queue_owner_aws_account_id(&arn.account)
        .send()
        .await
        .map_err(|error| call_error("GetQueueUrl", &error))?;
    Ok(output.queue_url.unwrap_or_default())
}

async fn queue_facts(client: &Client, url: &str) -> Result<QueueFacts, CallError> {
    let output = client
        .get_queue_attributes()
        .queue_url(url)
        .attribute_names(QueueAttributeName::VisibilityTimeout)
        .attribute_names(QueueAttributeName::RedrivePolicy)
        .send()
        .await
        .map_err(|error| call_error("GetQueueAttributes", &error))?;
    let attribute = |name| output.attributes().and_then(|found| found.get(&name));
    let visibility_timeout =
        attribute(QueueAttributeName::VisibilityTimeout).and_then(|text| text.parse().ok());
    Ok(QueueFacts {
        visibility_timeout: visibility_timeout
            .map_or(limits::SQS_VISIBILITY_DEFAULT, Span::from_secs),
        max_receive_count: attribute(QueueAttributeName::RedrivePolicy)
            .and_then(|policy| max_receive_count(policy)),
    })
}

/// `maxReceiveCount` of a redrive policy; the service writes it as a number, others as a text.
fn max_receive_count(policy: &str) -> Option<u32> {
    let policy: serde_json::Value = serde_json::from_str(policy).ok()?;
    let count = &policy["maxReceiveCount"];
    let number = count.as_u64().and_then(|count| u32::try_from(count).ok());
    number.or_else(|| count.as_str()?.parse().ok())
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
