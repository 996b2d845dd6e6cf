//! The poller on a real SQS queue, through a real function process.

use crate::support::poller::{Invocation, Poller};
use crate::support::{Queue, QueueCounts, SQS_URL, eventually, server_url};
use aws_sdk_sqs::types::{MessageAttributeValue, QueueAttributeName};
use std::collections::BTreeMap;
use std::path::Path;

pub(super) fn bodies(count: usize) -> Vec<String> {
    (0..count)
        .map(|number| format!("message-{number}"))
        .collect()
}

/// How often each body was delivered.
pub(super) fn deliveries(invocations: &[Invocation]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for record in invocations
        .iter()
        .flat_map(|invocation| &invocation.records)
    {
        *counts
            .entry(record["body"].as_str().expect("a body").to_owned())
            .or_default() += 1;
    }
    counts
}

/// How often each body stands in a file of JSON strings.
pub(super) fn deliveries_of(log: &Path) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    let text = std::fs::read_to_string(log).unwrap_or_default();
    for line in text.lines() {
        *counts.entry(line.to_owned()).or_default() += 1;
    }
    counts
}

pub(super) fn poller(queue: &Queue, mapping: &str) -> Poller {
    Poller::new(&queue.arn, server_url(SQS_URL), mapping)
}

pub(super) async fn queue(visibility: &str) -> Queue {
    Queue::create(&[(QueueAttributeName::VisibilityTimeout, visibility)]).await
}

#[tokio::test]
async fn messages_are_delivered_and_deleted() {
    let queue = queue("60").await;
    queue.send(&bodies(300)).await;
    let poller = poller(&queue, "BatchSize = 10\n").function("timeout = \"20s\"\n");
    let ended = poller.run(&["--max-records", "300"]);
    assert!(ended.status.success(), "{ended:?}");
    let deliveries = deliveries(&poller.invocations());
    assert_eq!(deliveries.len(), 300);
    assert!(deliveries.values().all(|&count| count == 1));
    assert_eq!(queue.counts().await, QueueCounts::EMPTY);
}

#[tokio::test]
async fn a_window_gathers_more_than_one_receive_returns() {
    let queue = queue("60").await;
    queue.send(&bodies(200)).await;
    let poller = poller(
        &queue,
        "BatchSize = 100\nMaximumBatchingWindowInSeconds = 1\n",
    )
    .function("timeout = \"20s\"\n");
    let ended = poller.run(&["--max-records", "200"]);
    assert!(ended.status.success(), "{ended:?}");
    let invocations = poller.invocations();
    assert_eq!(deliveries(&invocations).len(), 200);
    // Five pollers share 200 messages at ten a receive: within a window each has to gather several receives.
    assert!(
        invocations
            .iter()
            .any(|invocation| invocation.records.len() > 10)
    );
    // With a window, AWS shows the digest of missing attributes as null.
    let record = invocations[0].records[0].as_object().expect("an object");
    assert_eq!(
        record.get("md5OfMessageAttributes"),
        Some(&serde_json::Value::Null)
    );
}

#[tokio::test]
async fn an_event_has_the_recorded_shape() {
    let queue = queue("60").await;
    let number = MessageAttributeValue::builder()
        .data_type("Number")
        .string_value("0012.3400")
        .build()
        .expect("an attribute");
    let binary = MessageAttributeValue::builder()
        .data_type("Binary")
        .binary_value(aws_sdk_sqs::primitives::Blob::new(*b"\x00\xff"))
        .build()
        .expect("an attribute");
    queue
        .client
        .send_message()
        .queue_url(&queue.url)
        .message_body("with \"quotes\"\nand lines")
        .message_attributes("count", number)
        .message_attributes("raw", binary)
        .send()
        .await
        .expect("SendMessage");
    let poller = poller(&queue, "").function("timeout = \"20s\"\n");
    let ended = poller.run(&["--max-records", "1"]);
    assert!(ended.status.success(), "{ended:?}");
    let record = poller.invocations()[0].records[0].clone();
    assert_eq!(record["body"], "with \"quotes\"\nand lines");
    assert_eq!(record["eventSource"], "aws:sqs");
    assert_eq!(record["eventSourceARN"], queue.arn);
    assert_eq!(record["awsRegion"], "us-east-1");
    assert_eq!(record["attributes"]["ApproximateReceiveCount"], "1");
    let count = serde_json::json!({
        "stringValue": "12.34", "stringListValues": [], "binaryListValues": [], "dataType": "Number"
    });
    assert_eq!(record["messageAttributes"]["count"], count);
    let raw = serde_json::json!({
        "binaryValue": "AP8=", "stringListValues": [], "binaryListValues": [], "dataType": "Binary"
    });
    assert_eq!(record["messageAttributes"]["raw"], raw);
    assert!(record["md5OfBody"].is_string());
}

#[tokio::test]
async fn a_failed_batch_comes_back_when_its_visibility_ends_and_the_queue_redrives_it() {
    let dead = queue("60").await;
    let policy = format!(
        "{{\"deadLetterTargetArn\":{:?},\"maxReceiveCount\":2}}",
        dead.arn
    );
    let attributes = [
        (QueueAttributeName::VisibilityTimeout, "1"),
        (QueueAttributeName::RedrivePolicy, policy.as_str()),
    ];
    let queue = Queue::create(&attributes).await;
    queue.send(&["poison".to_owned(), "fine".to_owned()]).await;
    let poller = poller(&queue, "BatchSize = 1\n").function("timeout = \"1s\"\n");
    let running = poller.start(&[]);
    eventually("the poison in the dead-letter queue", async || {
        (dead.counts().await.visible == 1).then_some(())
    })
    .await;
    let ended = running.terminate();
    assert!(ended.status.success(), "{ended:?}");
    let deliveries = deliveries(&poller.invocations());
    assert_eq!(deliveries["poison"], 2);
    assert_eq!(deliveries["fine"], 1);
    assert_eq!(queue.counts().await, QueueCounts::EMPTY);
}

#[tokio::test]
async fn a_kill_at_any_moment_loses_nothing() {
    let queue = queue("2").await;
    queue.send(&bodies(200)).await;
    let poller = poller(&queue, "BatchSize = 10\n")
        .function("timeout = \"2s\"\n")
        .env("TEST_FUNCTION_DELAY_MS", "20");
    for kill in 1..=3 {
        let before = poller.invocations().len();
        let running = poller.start(&[]);
        poller.await_invocations("some invocations before the kill", |seen| {
            seen.len() >= before + kill
        });
        running.kill();
    }
    let running = poller.start(&[]);
    poller.await_invocations("every message", |seen| deliveries(seen).len() == 200);
    eventually("an empty queue", async || {
        (queue.counts().await == QueueCounts::EMPTY).then_some(())
    })
    .await;
    assert!(running.terminate().status.success());
}

#[tokio::test]
async fn a_function_that_dies_is_replaced_and_its_messages_come_back() {
    let queue = queue("1").await;
    queue.send(&["crash".to_owned()]).await;
    let poller = poller(&queue, "BatchSize = 1\n").function("timeout = \"1s\"\n");
    let running = poller.start(&[]);
    poller.await_invocations("the second delivery", |seen| seen.len() >= 2);
    queue.send(&["fine".to_owned()]).await;
    poller.await_invocations("another message", |seen| {
        deliveries(seen).contains_key("fine")
    });
    assert!(running.terminate().status.success());
    let invocations = poller.invocations();
    let receives: Vec<&str> = invocations
        .iter()
        .flat_map(|invocation| &invocation.records)
        .filter(|record| record["body"] == "crash")
        .filter_map(|record| record["attributes"]["ApproximateReceiveCount"].as_str())
        .collect();
    assert_eq!(receives[..2], ["1", "2"]);
}

/// A batch of which one message is reported: the others are deleted at once, and it comes back alone until the queue's
/// redrive policy takes it.
#[tokio::test]
async fn only_reported_messages_come_back() {
    let dead = queue("60").await;
    let queue = Queue::create(&[
        (QueueAttributeName::VisibilityTimeout, "1"),
        (
            QueueAttributeName::RedrivePolicy,
            &format!(
                "{{\"deadLetterTargetArn\":\"{}\",\"maxReceiveCount\":\"2\"}}",
                dead.arn
            ),
        ),
    ])
    .await;
    let mut sent = bodies(9);
    sent.push("poison".to_owned());
    queue.send(&sent).await;
    let poller = poller(
        &queue,
        "BatchSize = 10\nFunctionResponseTypes = [\"ReportBatchItemFailures\"]\nvisibility_timeout = \"1s\"\n",
    )
    .function("timeout = \"1s\"\n")
    .env("TEST_FUNCTION_REPORT", "1");
    let running = poller.start(&[]);
    eventually("the poison in the dead-letter queue", async || {
        (dead.counts().await.visible == 1).then_some(())
    })
    .await;
    let ended = running.terminate();
    assert!(ended.status.success(), "{ended:?}");
    let deliveries = deliveries(&poller.invocations());
    assert_eq!(deliveries["poison"], 2);
    assert!(
        sent[..9].iter().all(|body| deliveries[body] == 1),
        "{deliveries:?}"
    );
    assert_eq!(queue.counts().await, QueueCounts::EMPTY);
}
