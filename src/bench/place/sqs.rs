//! An SQS queue: receive, invoke, delete.

use super::{Loops, beyond, told};
use crate::bench::load::{Item, number_of};
use crate::engine::{FailureClass, SourceKind, Span};
use crate::scenario::{Arn, Aws, BenchPoint, MappingSource};
use crate::source::{Connection, call_error};
use aws_sdk_sqs::types::{
    DeleteMessageBatchRequestEntry, Message, MessageSystemAttributeName, QueueAttributeName,
    SendMessageBatchRequestEntry,
};
use serde_json::{Map, Value, json};
use tokio::task::JoinSet;

/// Bytes of a SendMessageBatch; the quota is 1 MiB with everything around the bodies.
const CALL_BYTES_MAX: usize = 256_000;

#[derive(Debug)]
pub(crate) struct Queue {
    client: aws_sdk_sqs::Client,
    url: String,
    arn: String,
    is_fifo: bool,
    is_ours: bool,
    pub(super) source: MappingSource,
}

impl Queue {
    pub(super) async fn open(
        point: &BenchPoint,
        arn: &Arn,
        endpoint: Option<&str>,
        aws: &Aws,
        name: &str,
    ) -> Result<Self, String> {
        let connection = Connection::open(aws, endpoint, Some(&arn.region)).await;
        let connection = connection.map_err(|error| error.to_string())?;
        let client = aws_sdk_sqs::Client::from_conf(connection.sqs());
        let is_fifo = arn.kind == SourceKind::SqsFifo;
        let is_ours = !point.bench.existing;
        let url = if is_ours {
            let ending = if is_fifo { ".fifo" } else { "" };
            let mut create = client
                .create_queue()
                .queue_name(format!("{name}{ending}"))
                .attributes(
                    QueueAttributeName::VisibilityTimeout,
                    visibility(point).to_string(),
                );
            if is_fifo {
                create = create.attributes(QueueAttributeName::FifoQueue, "true");
            }
            let created = create.send().await;
            created
                .map_err(|error| told(&call_error("CreateQueue", &error)))?
                .queue_url
        } else {
            let found = client.get_queue_url().queue_name(&arn.name).send().await;
            found
                .map_err(|error| told(&call_error("GetQueueUrl", &error)))?
                .queue_url
        };
        let url = url.ok_or("the queue has no address")?;
        let asked = client
            .get_queue_attributes()
            .queue_url(&url)
            .attribute_names(QueueAttributeName::QueueArn)
            .send()
            .await
            .map_err(|error| told(&call_error("GetQueueAttributes", &error)))?;
        let found = asked.attributes.unwrap_or_default();
        let found = found.get(&QueueAttributeName::QueueArn);
        let text = found.ok_or("the queue has no ARN")?.clone();
        let parsed = Arn::parse(&text).map_err(|error| format!("{text}: {error}"))?;
        Ok(Self {
            client,
            url,
            is_fifo,
            is_ours,
            source: MappingSource::Service {
                arn: parsed,
                endpoint_url: endpoint.map(str::to_owned),
            },
            arn: text,
        })
    }

    pub(super) async fn remove(&self) -> Result<(), String> {
        if self.is_ours {
            let deleted = self.client.delete_queue().queue_url(&self.url).send().await;
            deleted.map_err(|error| told(&call_error("DeleteQueue", &error)))?;
        }
        Ok(())
    }

    pub(super) async fn write(&self, mut items: Vec<Item>) -> Result<Vec<Item>, String> {
        let mut later = beyond(&mut items, CALL_BYTES_MAX);
        let mut send = self.client.send_message_batch().queue_url(&self.url);
        for (id, item) in items.iter().enumerate() {
            let mut entry = SendMessageBatchRequestEntry::builder()
                .id(id.to_string())
                .message_body(&item.body);
            if self.is_fifo {
                entry = entry
                    .message_group_id(&item.key)
                    .message_deduplication_id(item.number.to_string());
            }
            send = send.entries(entry.build().map_err(|error| error.to_string())?);
        }
        match send.send().await {
            Ok(answer) => {
                let failed = answer
                    .failed
                    .iter()
                    .filter_map(|it| it.id.parse::<usize>().ok());
                later.extend(failed.filter_map(|index| items.get(index).cloned()));
            }
            Err(error) => {
                let error = call_error("SendMessageBatch", &error);
                if error.class == FailureClass::Denied {
                    return Err(told(&error));
                }
                later.extend(items);
            }
        }
        Ok(later)
    }

    pub(super) async fn bare(&self, loops: &Loops) -> Result<(), String> {
        let mut workers = JoinSet::new();
        for _ in 0..loops.workers {
            let (client, url, arn) = (self.client.clone(), self.url.clone(), self.arn.clone());
            let loops = loops.clone();
            workers.spawn(async move {
                loop {
                    turn(&client, &url, &arn, &loops).await?;
                }
            });
        }
        match workers.join_next().await {
            Some(Ok(ended)) => ended,
            Some(Err(error)) => Err(error.to_string()),
            None => Ok(()),
        }
    }
}

/// One round of the loop.
async fn turn(
    client: &aws_sdk_sqs::Client,
    url: &str,
    arn: &str,
    loops: &Loops,
) -> Result<(), String> {
    let begun = loops.clock.now();
    loops.calls.request();
    let received = client
        .receive_message()
        .queue_url(url)
        .max_number_of_messages(loops.batch_size.min(10) as i32)
        .wait_time_seconds(loops.long_poll.as_secs_f64() as i32)
        .message_system_attribute_names(MessageSystemAttributeName::All)
        .send()
        .await
        .map_err(|error| told(&call_error("ReceiveMessage", &error)))?;
    let messages = received.messages.unwrap_or_default();
    if messages.is_empty() {
        return Ok(());
    }
    let bodies = messages.iter().filter_map(Message::body);
    let oldest = bodies.filter_map(|body| number_of(body.as_bytes())).min();
    loops.calls.returned(begun, loops.clock.now(), oldest);
    let list: Vec<Value> = messages.iter().map(|it| record(it, arn)).collect();
    if !loops.caller.send(&json!({ "Records": list })).await {
        // They come back.
        return Ok(());
    }
    let mut delete = client.delete_message_batch().queue_url(url);
    for (id, message) in messages.iter().enumerate() {
        let entry = DeleteMessageBatchRequestEntry::builder()
            .id(id.to_string())
            .receipt_handle(message.receipt_handle().unwrap_or_default())
            .build();
        delete = delete.entries(entry.map_err(|error| error.to_string())?);
    }
    loops.calls.request();
    let deleted = delete.send().await;
    deleted.map_err(|error| told(&call_error("DeleteMessageBatch", &error)))?;
    Ok(())
}

fn record(message: &Message, arn: &str) -> Value {
    let attributes = message.attributes.iter().flatten();
    let attributes: Map<String, Value> = attributes
        .map(|(name, value)| (name.as_str().to_owned(), json!(value)))
        .collect();
    json!({
        "messageId": message.message_id(),
        "receiptHandle": message.receipt_handle(),
        "body": message.body(),
        "attributes": attributes,
        "messageAttributes": {},
        "md5OfBody": message.md5_of_body(),
        "eventSource": "aws:sqs",
        "eventSourceARN": arn,
        "awsRegion": arn.split(':').nth(3),
    })
}

/// Seconds for which a received message stays hidden: longer than gathering and working on it takes.
pub(crate) fn visibility(point: &BenchPoint) -> u64 {
    let mapping = point.mapping();
    let target = &point.file.targets[mapping.target];
    // What AWS advises.
    let needed = (target.timeout.times(6) + mapping.config.window).max(Span::from_secs(30));
    let stated = mapping.tuning.visibility_timeout.max(needed);
    stated.as_nanos().div_ceil(1_000_000_000).min(43_200)
}
