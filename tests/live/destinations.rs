//! On-failure destinations behind a real server: what is delivered can be read back there.

use crate::support::poller::Poller;
use crate::support::{KINESIS_URL, MINISTACK_URL, Queue, Stream, eventually, server_url, unique};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Method, Request};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tidegate::destination::{
    BatchInfo, Destination, InvocationRecord, MappingFacts, RecordRange, ResponseContext,
    function_arn,
};
use tidegate::engine::{Condition, FailedAnswer, FailureClass, Seq, SourceKind, Time};
use tidegate::scenario::Aws;

const STREAM: &str = "arn:aws:kinesis:us-east-1:000000000000:stream/clicks";

/// Status, content type and body of an answer.
struct Answer {
    status: u16,
    content_type: String,
    body: String,
}

/// A call of a service for which the tests have no client. The server looks no further than the service's name in the
/// signature.
async fn call(service: &str, method: Method, path: &str, form: &str) -> Answer {
    let url = format!("{}{path}", server_url(MINISTACK_URL).trim_end_matches('/'));
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential=test/20260105/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=0"
    );
    let request = Request::builder()
        .method(method)
        .uri(url)
        .header("authorization", authorization)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Full::new(Bytes::from(form.to_owned())))
        .expect("a request");
    let client = Client::builder(TokioExecutor::new()).build_http();
    let response = client.request(request).await.expect("an answer");
    let (head, body) = response.into_parts();
    let body = body.collect().await.expect("a body").to_bytes();
    let content_type = head.headers.get("content-type");
    Answer {
        status: head.status.as_u16(),
        content_type: content_type
            .map_or("", |value| value.to_str().expect("text"))
            .to_owned(),
        body: String::from_utf8(body.to_vec()).expect("text"),
    }
}

fn elements<'a>(xml: &'a str, name: &str) -> Vec<&'a str> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let rests = xml.split(open.as_str()).skip(1);
    rests
        .map(|rest| rest.split(close.as_str()).next().unwrap_or_default())
        .collect()
}

/// A bucket of the test's own.
struct Bucket(String);

impl Bucket {
    async fn create() -> Self {
        let bucket = Self(unique("failed"));
        let answer = call("s3", Method::PUT, &format!("/{}", bucket.0), "").await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        bucket
    }

    fn arn(&self) -> String {
        format!("arn:aws:s3:::{}", self.0)
    }

    /// Every object: key, content type and content.
    async fn objects(&self) -> Vec<(String, String, String)> {
        let list = call("s3", Method::GET, &format!("/{}?list-type=2", self.0), "").await;
        let mut objects = Vec::new();
        for key in elements(&list.body, "Key") {
            let object = call("s3", Method::GET, &format!("/{}/{key}", self.0), "").await;
            objects.push((key.to_owned(), object.content_type, object.body));
        }
        objects
    }
}

async fn body_of_next_message(queue: &Queue) -> String {
    eventually("a message", async || {
        let answer = queue
            .client
            .receive_message()
            .queue_url(&queue.url)
            .send()
            .await
            .expect("ReceiveMessage");
        answer.messages.unwrap_or_default().pop()?.body
    })
    .await
}

async fn open(text: &str) -> Destination {
    let mapping = MappingFacts {
        name: "clicks".into(),
        source_arn: STREAM.into(),
        function_arn: function_arn("count", STREAM).into(),
        cluster: None,
    };
    let aws = Aws {
        endpoint_url: Some(server_url(MINISTACK_URL)),
        ..Aws::default()
    };
    let opened = Destination::open(text, &mapping, &aws).await;
    opened.expect("a destination")
}

fn record() -> InvocationRecord {
    let arrival = Time::from_millis(1_767_607_380_005);
    InvocationRecord {
        request_id: "6f1c2d34-0a1b-4c5d-8e9f-000102030405".to_owned(),
        function_arn: function_arn("count", STREAM).into(),
        condition: Condition::RecordAgeExceeded,
        invoke_count: 2,
        response: Some(ResponseContext {
            executed_version: "$LATEST".into(),
            answer: FailedAnswer::Unhandled,
        }),
        at: Time::from_millis(1_767_607_392_081),
        batch: BatchInfo {
            source: SourceKind::Kinesis,
            shard: "shardId-000000000000".into(),
            stream_arn: STREAM.into(),
            records: Some(RecordRange {
                first: Seq::from(7),
                last: Seq::from(9),
                first_arrival: arrival,
                last_arrival: arrival,
                count: 3,
            }),
            kafka: None,
        },
        window: None,
        payload: Bytes::from_static(b"{\"Records\":[\"+&%\"]}"),
    }
}

fn text_of(record: &InvocationRecord, with_payload: bool) -> String {
    String::from_utf8(record.json(with_payload)).expect("UTF-8")
}

#[tokio::test]
async fn a_queue_holds_the_record_as_it_was_sent() {
    let queue = Queue::create(&[]).await;
    open(&queue.arn)
        .await
        .deliver(&record())
        .await
        .expect("delivered");
    assert_eq!(
        body_of_next_message(&queue).await,
        text_of(&record(), false)
    );
    queue.delete().await;
}

#[tokio::test]
async fn a_subscriber_of_a_topic_gets_the_record_as_it_was_sent() {
    let name = unique("topic");
    let form = format!("Action=CreateTopic&Version=2010-03-31&Name={name}");
    let created = call("sns", Method::POST, "/", &form).await;
    let topic = elements(&created.body, "TopicArn")[0].to_owned();
    let queue = Queue::create(&[]).await;
    let form = format!(
        "Action=Subscribe&Version=2010-03-31&TopicArn={topic}&Protocol=sqs&Endpoint={}",
        queue.arn
    );
    let subscribed = call("sns", Method::POST, "/", &form).await;
    assert_eq!(subscribed.status, 200, "{}", subscribed.body);

    open(&topic)
        .await
        .deliver(&record())
        .await
        .expect("delivered");
    let body = body_of_next_message(&queue).await;
    let notification: Value = serde_json::from_str(&body).expect("a notification");
    assert_eq!(notification["TopicArn"], topic);
    assert_eq!(notification["Message"], text_of(&record(), false));
    queue.delete().await;
}

#[tokio::test]
async fn a_bucket_holds_the_record_with_its_event() {
    let bucket = Bucket::create().await;
    open(&bucket.arn())
        .await
        .deliver(&record())
        .await
        .expect("delivered");
    let objects = bucket.objects().await;
    assert_eq!(objects.len(), 1, "{objects:?}");
    let (key, content_type, body) = &objects[0];
    assert_eq!(content_type, "application/octet-stream");
    assert_eq!(*body, text_of(&record(), true));
    let parts: Vec<&str> = key.split('/').collect();
    let ["aws", "lambda", mapping, shard, year, month, day, object] = parts[..] else {
        panic!("{key} has another form");
    };
    assert_eq!((mapping.len(), shard), (36, "shardId-000000000000"));
    assert_eq!((year, month, day), ("2026", "01", "05"));
    let (instant, uuid) = object.split_at(object.len() - 36);
    assert_eq!(instant, "2026-01-05T10.03.12-");
    assert_eq!(uuid.split('-').count(), 5);
}

#[tokio::test]
async fn what_is_not_there_denies() {
    let name = unique("missing");
    for (text, call) in [
        (
            format!("arn:aws:sqs:us-east-1:000000000000:{name}"),
            "GetQueueUrl",
        ),
        (
            format!("arn:aws:sns:us-east-1:000000000000:{name}"),
            "Publish",
        ),
        (format!("arn:aws:s3:::{name}"), "PutObject"),
    ] {
        let refused = open(&text).await.deliver(&record()).await;
        let error = refused.expect_err(&text);
        let found = (error.class, error.call);
        assert_eq!(found, (FailureClass::Denied, call), "{error}");
    }
}

/// One run of a poison record; returns it as every kind of destination shows it.
async fn run_with(destination: &str) -> (Poller, String, String) {
    let stream = Stream::create(1).await;
    let places = stream
        .put(&[
            ("key".to_owned(), b"poison".to_vec()),
            ("key".to_owned(), b"sound".to_vec()),
        ])
        .await;
    let mapping = format!(
        "endpoint_url = \"{}\"\nStartingPosition = \"TRIM_HORIZON\"\nBatchSize = 1\nMaximumRetryAttempts = 1\n\
         poll_interval = \"100ms\"\nbackoff_first = \"50ms\"\n\
         DestinationConfig = {{ OnFailure = {{ Destination = \"{destination}\" }} }}\n",
        server_url(KINESIS_URL)
    );
    let poller = Poller::new(&stream.arn, server_url(MINISTACK_URL), &mapping);
    let ended = poller.run(&["--max-records", "2"]);
    assert!(ended.status.success(), "{ended:?}");
    let deliveries = poller.invocations();
    assert_eq!(
        deliveries.len(),
        3,
        "two of the poison, one of what follows"
    );
    (poller, places[0].1.clone(), stream.arn.clone())
}

fn check(text: &str, poller: &Poller, sequence: &str, stream: &str, with_payload: bool) {
    let record: Value = serde_json::from_str(text).expect("a record");
    let deliveries = poller.invocations();
    let context = &record["requestContext"];
    assert_eq!(context["requestId"], deliveries[0].request_id);
    assert_eq!(context["requestId"], deliveries[1].request_id);
    assert_eq!(context["condition"], "RetryAttemptsExhausted");
    assert_eq!(context["approximateInvokeCount"], 2);
    let function = context["functionArn"].as_str().expect("an ARN");
    assert!(function.ends_with(":function:f"), "{function}");
    assert_eq!(record["responseContext"]["functionError"], "Unhandled");
    let info = &record["KinesisBatchInfo"];
    assert_eq!(info["startSequenceNumber"], sequence);
    assert_eq!(info["endSequenceNumber"], sequence);
    assert_eq!(
        (&info["batchSize"], &info["streamArn"]),
        (&1.into(), &stream.into())
    );
    let payload = record.get("payload").and_then(Value::as_str);
    assert_eq!(payload.is_some(), with_payload);
    if let Some(payload) = payload {
        let event: Value = serde_json::from_str(payload).expect("an event");
        assert_eq!(event["Records"][0], deliveries[0].records[0]);
    }
}

#[tokio::test]
async fn a_poison_record_ends_in_a_queue() {
    let queue = Queue::create(&[]).await;
    let (poller, sequence, stream) = run_with(&queue.arn).await;
    let body = body_of_next_message(&queue).await;
    check(&body, &poller, &sequence, &stream, false);
    queue.delete().await;
}

#[tokio::test]
async fn a_poison_record_ends_in_a_bucket() {
    let bucket = Bucket::create().await;
    let (poller, sequence, stream) = run_with(&bucket.arn()).await;
    let objects = bucket.objects().await;
    assert_eq!(objects.len(), 1, "{objects:?}");
    check(&objects[0].2, &poller, &sequence, &stream, true);
}

#[tokio::test]
async fn a_poison_record_ends_in_a_file_beside_the_poller_file() {
    let (poller, sequence, stream) = run_with("file://failed.jsonl").await;
    let text = std::fs::read_to_string(poller.path("failed.jsonl")).expect("the file");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 1, "{text}");
    check(lines[0], &poller, &sequence, &stream, true);
}
