use super::*;
use crate::engine::{FailureClass, SourceKind};
use crate::source::scripted::{Scripted, error};
use serde_json::{Value, json};
use std::sync::atomic::AtomicU32;

fn arn() -> Arn {
    Arn::parse("arn:aws:sqs:us-east-2:123456789012:orders").expect("an ARN")
}

async fn open(server: &Scripted) -> Result<Sqs, SqsError> {
    Sqs::open(&arn(), Some(&server.url), &Aws::default(), false).await
}

fn opening(call: &str) -> Option<(u16, Value)> {
    match call {
        "GetQueueUrl" => Some((200, json!({"QueueUrl": "http://queue/orders"}))),
        "GetQueueAttributes" => Some((200, json!({"Attributes": {"VisibilityTimeout": "45"}}))),
        _ => None,
    }
}

#[tokio::test]
async fn messages_are_received_with_all_that_belongs_to_them() {
    let server = Scripted::start(|call, _| {
        opening(call).unwrap_or_else(|| {
            (
                200,
                json!({"Messages": [{
                    "MessageId": "m-1", "ReceiptHandle": "r-1", "Body": "hello", "MD5OfBody": "5d41",
                    "Attributes": {"SentTimestamp": "1545082649183", "ApproximateReceiveCount": "2", "SenderId": "A",
                        "ApproximateFirstReceiveTimestamp": "1545082649185", "SomethingNew": "x"},
                    "MD5OfMessageAttributes": "00484c68",
                    "MessageAttributes": {
                        "n": {"StringValue": "007.50", "DataType": "Number"},
                        "b": {"BinaryValue": "AQI=", "DataType": "Binary"}},
                }]}),
            )
        })
    })
    .await;
    let sqs = open(&server).await.expect("a queue");
    assert_eq!(sqs.facts().visibility_timeout, Span::from_secs(45));
    let records = sqs
        .receive(25, Span::from_millis(3_900), Vec::new(), &Keep::default())
        .await
        .expect("messages")
        .records;
    let request = &server.calls("ReceiveMessage")[0];
    assert_eq!(request["MaxNumberOfMessages"], 10);
    assert_eq!(request["WaitTimeSeconds"], 3);
    assert_eq!(request["MessageSystemAttributeNames"], json!(["All"]));
    assert_eq!(request["MessageAttributeNames"], json!(["All"]));
    let record = &records[0];
    assert_eq!(record.payload.receipt, "r-1");
    assert_eq!(record.meta.arrival, Time::from_millis(1_545_082_649_183));
    let expected = concat!(
        r#"{"messageId":"m-1","receiptHandle":"r-1","body":"hello","attributes":{"ApproximateReceiveCount":"2","#,
        r#""SentTimestamp":"1545082649183","SenderId":"A","ApproximateFirstReceiveTimestamp":"1545082649185"},"#,
        r#""messageAttributes":{"b":{"binaryValue":"AQI=","stringListValues":[],"binaryListValues":[],"dataType":"Binary"},"#,
        r#""n":{"stringValue":"7.5","stringListValues":[],"binaryListValues":[],"dataType":"Number"}},"#,
        r#""md5OfMessageAttributes":"00484c68","md5OfBody":"5d41","eventSource":"aws:sqs","#,
        r#""eventSourceARN":"arn:aws:sqs:us-east-2:123456789012:orders","awsRegion":"us-east-2"}"#,
    );
    assert_eq!(std::str::from_utf8(&record.payload.json), Ok(expected));
    assert_eq!(record.meta.wire_len as usize, expected.len());
}

#[tokio::test]
async fn deletions_that_fail_in_part_are_tried_again_for_that_part() {
    let server = Scripted::start(|call, body| {
        opening(call).unwrap_or_else(|| {
            let entries = body["Entries"].as_array().expect("entries");
            // The third of a full call always fails.
            let failed: Vec<Value> = entries
                .iter()
                .filter(|entry| entry["ReceiptHandle"] == "r-12" && entries.len() == 10)
                .map(|entry| json!({"Id": entry["Id"], "SenderFault": false, "Code": "InternalError"}))
                .collect();
            (200, json!({"Successful": [], "Failed": failed}))
        })
    })
    .await;
    let sqs = open(&server).await.expect("a queue");
    let receipts = (0..25).map(|n| format!("r-{n}")).collect();
    sqs.delete(0, receipts).await.expect("deleted in the end");
    let mut sizes: Vec<usize> = server
        .calls("DeleteMessageBatch")
        .iter()
        .map(|body| body["Entries"].as_array().expect("entries").len())
        .collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [1, 5, 10, 10]);
}

#[tokio::test]
async fn failures_are_classified_and_never_hidden_by_retries() {
    let receives = AtomicU32::new(0);
    let server = Scripted::start(move |call, _| {
        opening(call).unwrap_or_else(|| match (call, receives.fetch_add(1, Relaxed)) {
            ("DeleteMessageBatch", _) => {
                (200, json!({"Successful": [], "Failed": [{"Id": "0", "SenderFault": true, "Code": "ReceiptHandleIsInvalid"}]}))
            }
            (_, 0) => error("com.amazonaws.sqs#OverLimit"),
            (_, 1) => error("AccessDeniedException"),
            _ => (500, json!({"__type": "InternalError"})),
        })
    })
    .await;
    let sqs = open(&server).await.expect("a queue");
    let mut classes = Vec::new();
    for _ in 0..3 {
        let failed = sqs
            .receive(10, Span::ZERO, Vec::new(), &Keep::default())
            .await;
        classes.push(failed.expect_err("as scripted").class);
    }
    use FailureClass::{Denied, Throttled, Transient};
    assert_eq!(classes, [Throttled, Denied, Transient]);
    assert_eq!(server.calls("ReceiveMessage").len(), 3);
    let failed = sqs
        .delete(0, vec!["r".to_owned()])
        .await
        .expect_err("never");
    assert!(failed.text.contains("ReceiptHandleIsInvalid"), "{failed}");
    let calls = server.calls("DeleteMessageBatch").len();
    assert_eq!(calls, deletion::TRIES_MAX as usize);
}

#[tokio::test]
async fn a_queue_that_is_not_there_is_said_at_once() {
    let server = Scripted::start(|_, _| error("com.amazonaws.sqs#QueueDoesNotExist")).await;
    match open(&server).await {
        Err(SqsError::Call(failed)) => assert_eq!(failed.class, FailureClass::Denied),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn messages_that_do_not_match_are_rejected_with_their_receipts() {
    let server = Scripted::start(|call, _| {
        opening(call).unwrap_or_else(|| {
            let with = |receipt: &str, body: &str, region: &str| {
                json!({"MessageId": "m", "ReceiptHandle": receipt, "Body": body, "MD5OfBody": "5d41",
                    "Attributes": {"SentTimestamp": "1545082649183", "SenderId": "AIDA"},
                    "MD5OfMessageAttributes": "0048",
                    "MessageAttributes": {"region": {"StringValue": region, "DataType": "String"}}})
            };
            let messages = [
                with("r-1", r#"{"kind":"order"}"#, "eu"),
                with("r-2", r#"{"kind":"refund"}"#, "eu"),
                with("r-3", r#"{"kind":"order""#, "us"),
                with("r-4", r#"{"kind":"order"}"#, "us"),
            ];
            (200, json!({"Messages": messages}))
        })
    })
    .await;
    let sqs = open(&server).await.expect("a queue");
    let split = async |pattern: &str| {
        let keep = Keep::matching(SourceKind::Sqs, &[pattern.to_owned()]).expect("a pattern");
        let page = sqs
            .receive(10, Span::ZERO, Vec::new(), &keep)
            .await
            .expect("messages");
        assert!(page.rejected.iter().all(|it| it.payload.json.is_empty()));
        let receipts = |records: Records| -> String {
            let receipts = records.into_iter().map(|record| record.payload.receipt);
            receipts.collect::<Vec<_>>().join(" ")
        };
        (receipts(page.records), receipts(page.rejected))
    };
    let pair = |kept: &str, rejected: &str| (kept.to_owned(), rejected.to_owned());
    assert_eq!(
        split(r#"{"body":{"kind":["order"]}}"#).await,
        pair("r-1 r-4", "r-2 r-3")
    );
    let attribute = r#"{"messageAttributes":{"region":{"stringValue":["us"]}}}"#;
    assert_eq!(split(attribute).await, pair("r-3 r-4", "r-1 r-2"));
    let both = r#"{"body":{"kind":["order"]},"attributes":{"SenderId":[{"prefix":"AI"}]}}"#;
    assert_eq!(split(both).await, pair("r-1 r-4", "r-2 r-3"));
    assert_eq!(
        split(r#"{"body":["x"]}"#).await,
        pair("", "r-1 r-2 r-3 r-4")
    );
}

/// A FIFO queue's message, with everything that the recorded event has, in its order.
#[tokio::test]
async fn fifo_messages_have_their_group_and_are_traced() {
    let server = Scripted::start(|call, _| {
        opening(call).unwrap_or_else(|| {
            (
                200,
                json!({"Messages": [{
                    "MessageId": "m-1", "ReceiptHandle": "r-1", "Body": "hello", "MD5OfBody": "5d41",
                    "Attributes": {"AWSTraceHeader": "Root=1-5759e988-bd862e3fe1be46a994272793",
                        "MessageDeduplicationId": "d-1", "MessageGroupId": "g-1",
                        "SequenceNumber": "18849496460467696128", "SentTimestamp": "1545082649183",
                        "ApproximateReceiveCount": "1", "SenderId": "A",
                        "ApproximateFirstReceiveTimestamp": "1545082649185"},
                }]}),
            )
        })
    })
    .await;
    let arn = Arn::parse("arn:aws:sqs:us-east-2:123456789012:orders.fifo").expect("an ARN");
    let sqs = Sqs::open(&arn, Some(&server.url), &Aws::default(), false)
        .await
        .expect("a queue");
    assert_eq!(server.calls("GetQueueUrl")[0]["QueueName"], "orders.fifo");
    let records = sqs
        .receive(10, Span::ZERO, Vec::new(), &Keep::default())
        .await
        .expect("a message")
        .records;
    let expected = concat!(
        r#"{"messageId":"m-1","receiptHandle":"r-1","body":"hello","attributes":{"ApproximateReceiveCount":"1","#,
        r#""SentTimestamp":"1545082649183","SenderId":"A","ApproximateFirstReceiveTimestamp":"1545082649185","#,
        r#""SequenceNumber":"18849496460467696128","MessageGroupId":"g-1","MessageDeduplicationId":"d-1","#,
        r#""AWSTraceHeader":"Root=1-5759e988-bd862e3fe1be46a994272793"},"messageAttributes":{},"md5OfBody":"5d41","#,
        r#""eventSource":"aws:sqs","eventSourceARN":"arn:aws:sqs:us-east-2:123456789012:orders.fifo","awsRegion":"us-east-2"}"#,
    );
    assert_eq!(std::str::from_utf8(&records[0].payload.json), Ok(expected));
    assert_eq!(records[0].meta.group, stream_key(0, "g-1"));
}

/// A large batch of which one call fails: the next try makes that call alone.
#[tokio::test]
async fn what_was_deleted_is_not_deleted_again() {
    let refusals = AtomicU32::new(1);
    let server = Scripted::start(move |call, body| {
        opening(call).unwrap_or_else(|| {
            let entries = body["Entries"].as_array().expect("entries");
            let third = entries.iter().any(|it| it["ReceiptHandle"] == "r-25");
            if third && refusals.fetch_sub(1, Relaxed) == 1 {
                return error("com.amazonaws.sqs#RequestThrottled");
            }
            (200, json!({"Successful": [], "Failed": []}))
        })
    })
    .await;
    let counters = Arc::new(Counters::default());
    let sqs = open(&server).await.expect("a queue");
    let sqs = sqs.counting(counters.clone());
    let receipts = || (0..95).map(|n| format!("r-{n}")).collect();
    let failed = sqs.delete(4, receipts()).await.expect_err("throttled");
    assert_eq!(failed.class, FailureClass::Throttled);
    assert_eq!(server.calls("DeleteMessageBatch").len(), 10);
    sqs.delete(4, receipts()).await.expect("deleted");
    let calls = server.calls("DeleteMessageBatch");
    assert_eq!(calls.len(), 11);
    assert_eq!(calls[10]["Entries"][5]["ReceiptHandle"], "r-25");
    assert_eq!(calls[10]["Entries"].as_array().map(Vec::len), Some(10));
    assert_eq!(counters.delete_calls.load(Relaxed), 11);
}

#[tokio::test]
async fn receives_are_counted_for_their_price() {
    let receives = AtomicU32::new(0);
    let server = Scripted::start(move |call, _| {
        opening(call).unwrap_or_else(|| match receives.fetch_add(1, Relaxed) {
            0 => error("com.amazonaws.sqs#OverLimit"),
            1 => (200, json!({})),
            _ => (
                200,
                json!({"Messages": [{"MessageId": "m", "ReceiptHandle": "r", "Body": "b", "MD5OfBody": "5d41"}]}),
            ),
        })
    })
    .await;
    let counters = Arc::new(Counters::default());
    let sqs = open(&server).await.expect("a queue");
    let sqs = sqs.counting(counters.clone());
    for _ in 0..3 {
        let _ = sqs
            .receive(10, Span::ZERO, Vec::new(), &Keep::default())
            .await;
    }
    let count = |counter: &AtomicU64| counter.load(Relaxed);
    let found = (count(&counters.receives), count(&counters.empty_receives));
    assert_eq!(found, (3, 1));
}

#[tokio::test]
async fn a_queue_that_is_out_of_reach_for_a_while_is_waited_for() {
    let calls = AtomicU32::new(0);
    let server = Scripted::start(move |call, _| match calls.fetch_add(1, Relaxed) {
        0 => error("com.amazonaws.sqs#RequestThrottled"),
        2 => (500, json!({"__type": "InternalFailure"})),
        _ => opening(call).expect("a call that opens the queue"),
    })
    .await;
    open(&server).await.expect("a queue");
    assert_eq!(server.calls("GetQueueUrl").len(), 2);
    assert_eq!(server.calls("GetQueueAttributes").len(), 2);
}

#[tokio::test]
async fn the_redrive_policy_is_read_in_both_spellings() {
    for (count, expected) in [("3", Some(3)), ("\"3\"", Some(3)), ("null", None)] {
        let policy = format!(r#"{{"deadLetterTargetArn":"a","maxReceiveCount":{count}}}"#);
        let server = Scripted::start(move |call, _| match call {
            "GetQueueAttributes" => (200, json!({"Attributes": {"RedrivePolicy": policy}})),
            _ => opening(call).expect("a call that opens the queue"),
        })
        .await;
        let facts = open(&server).await.expect("a queue").facts();
        assert_eq!(facts.max_receive_count, expected);
        assert_eq!(facts.visibility_timeout, limits::SQS_VISIBILITY_DEFAULT);
    }
}
