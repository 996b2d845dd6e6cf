//! The bare client loops.

use crate::function::HOP;
use crate::hop::READ_EVERY;
use crate::world::{Queue, Stream, World};
use aws_sdk_kinesis::types::ShardIteratorType;
use aws_sdk_sqs::types::{DeleteMessageBatchRequestEntry, MessageSystemAttributeName};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{Method, Request};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

pub(crate) type Http = Client<HttpConnector, Full<Bytes>>;

pub(crate) fn http() -> Http {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    Client::builder(TokioExecutor::new()).build(connector)
}

async fn invoke(http: &Http, url: &str, records: Vec<Value>) {
    send(http, url, &json!({ "Records": records })).await;
}

pub(crate) async fn send(http: &Http, url: &str, event: &Value) {
    let event = serde_json::to_vec(event).expect("an event");
    let request = Request::builder()
        .method(Method::POST)
        .uri(url)
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(event)))
        .expect("a request");
    let response = http.request(request).await.expect("the function answers");
    assert!(response.status().is_success());
    response.into_body().collect().await.expect("a body");
}

/// The body of a GET.
pub(crate) async fn get(url: &str) -> String {
    let response = http().get(url.parse().expect("an address")).await;
    let body = response.expect("an answer").into_body().collect().await;
    String::from_utf8_lossy(&body.expect("a body").to_bytes()).into_owned()
}

/// Reads the only shard as fast as it may and sends every record on, until `records` were seen.
pub(crate) async fn hop(world: &World, stream: &Stream, records: usize) {
    let (http, url) = (http(), format!("{}{HOP}", world.function));
    let shard = &stream.shards[0];
    let mut iterator = iterator(&world.kinesis, &stream.name, shard).await;
    let mut done = 0;
    while done < records {
        let begun = tokio::time::Instant::now();
        let page = world
            .kinesis
            .get_records()
            .set_shard_iterator(iterator.take())
            .limit(10_000)
            .send()
            .await
            .expect("GetRecords");
        for batch in page.records.chunks(100) {
            let events = batch
                .iter()
                .map(|record| kinesis_record(record, shard, &stream.arn))
                .collect();
            invoke(&http, &url, events).await;
            done += batch.len();
        }
        iterator = page.next_shard_iterator;
        tokio::time::sleep_until(begun + READ_EVERY).await;
    }
}

async fn iterator(client: &aws_sdk_kinesis::Client, stream: &str, shard: &str) -> Option<String> {
    let iterator = client
        .get_shard_iterator()
        .stream_name(stream)
        .shard_id(shard)
        .shard_iterator_type(ShardIteratorType::TrimHorizon)
        .send()
        .await;
    iterator.expect("GetShardIterator").shard_iterator
}

/// Receives, invokes and deletes until `messages` messages are gone.
pub(crate) async fn sqs(
    world: &World,
    queue: &Queue,
    messages: usize,
    concurrency: usize,
) -> Instant {
    let done = Arc::new(AtomicUsize::new(0));
    let http = http();
    let mut workers = tokio::task::JoinSet::new();
    for _ in 0..concurrency {
        let (client, url, arn) = (world.sqs.clone(), queue.url.clone(), queue.arn.clone());
        let (done, http, function) = (done.clone(), http.clone(), world.function.clone());
        workers.spawn(async move {
            while done.load(Ordering::Relaxed) < messages {
                let received = client
                    .receive_message()
                    .queue_url(&url)
                    .max_number_of_messages(10)
                    .wait_time_seconds(0)
                    .message_system_attribute_names(MessageSystemAttributeName::All)
                    .message_attribute_names("All")
                    .send()
                    .await
                    .expect("ReceiveMessage");
                let received = received.messages.unwrap_or_default();
                if received.is_empty() {
                    continue;
                }
                let events = received
                    .iter()
                    .map(|message| sqs_record(message, &arn))
                    .collect();
                invoke(&http, &function, events).await;
                let mut delete = client.delete_message_batch().queue_url(&url);
                for (index, message) in received.iter().enumerate() {
                    let entry = DeleteMessageBatchRequestEntry::builder()
                        .id(index.to_string())
                        .receipt_handle(message.receipt_handle().unwrap_or_default())
                        .build()
                        .expect("a complete entry");
                    delete = delete.entries(entry);
                }
                delete.send().await.expect("DeleteMessageBatch");
                done.fetch_add(received.len(), Ordering::Relaxed);
            }
        });
    }
    while workers.join_next().await.is_some() {}
    Instant::now()
}

fn sqs_record(message: &aws_sdk_sqs::types::Message, arn: &str) -> Value {
    let attributes: serde_json::Map<String, Value> = message
        .attributes
        .iter()
        .flatten()
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
        "awsRegion": "us-east-1",
    })
}

/// Reads every shard from its beginning until `records` records were seen, a batch of 100 at a time and shard.
pub(crate) async fn kinesis(world: &World, stream: &Stream, records: usize) -> Instant {
    let done = Arc::new(AtomicUsize::new(0));
    let http = http();
    let mut workers = tokio::task::JoinSet::new();
    for shard in stream.shards.clone() {
        let (client, name, arn) = (
            world.kinesis.clone(),
            stream.name.clone(),
            stream.arn.clone(),
        );
        let (done, http, function) = (done.clone(), http.clone(), world.function.clone());
        workers.spawn(async move {
            let mut iterator = iterator(&client, &name, &shard).await;
            while done.load(Ordering::Relaxed) < records {
                let page = client
                    .get_records()
                    .set_shard_iterator(iterator.take())
                    .limit(10_000)
                    .send()
                    .await
                    .expect("GetRecords");
                for batch in page.records.chunks(100) {
                    let events = batch
                        .iter()
                        .map(|record| kinesis_record(record, &shard, &arn))
                        .collect();
                    invoke(&http, &function, events).await;
                    done.fetch_add(batch.len(), Ordering::Relaxed);
                }
                iterator = page.next_shard_iterator;
            }
        });
    }
    while workers.join_next().await.is_some() {}
    Instant::now()
}

fn kinesis_record(record: &aws_sdk_kinesis::types::Record, shard: &str, arn: &str) -> Value {
    let arrival = record
        .approximate_arrival_timestamp
        .map_or(0.0, |at| at.as_secs_f64());
    json!({
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": record.partition_key(),
            "sequenceNumber": record.sequence_number(),
            "data": STANDARD.encode(record.data.as_ref()),
            "approximateArrivalTimestamp": arrival,
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": format!("{shard}:{}", record.sequence_number()),
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": "arn:aws:iam::000000000000:role/lambda-role",
        "awsRegion": "us-east-1",
        "eventSourceARN": arn,
    })
}
