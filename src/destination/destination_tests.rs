use super::*;
use crate::engine::{Condition, FailedAnswer, FailureClass, Seq, SourceKind, Time};
use crate::source::plain::Plain;
use crate::source::scripted::{Scripted, error};
use bytes::Bytes;

const STREAM: &str = "arn:aws:kinesis:eu-west-1:123456789012:stream/clicks";

fn mapping() -> MappingFacts {
    MappingFacts {
        name: "clicks".into(),
        source_arn: STREAM.into(),
        function_arn: function_arn("count", STREAM).into(),
        cluster: None,
    }
}

fn record() -> InvocationRecord {
    let arrival = Time::from_millis(1_767_607_380_005);
    InvocationRecord {
        request_id: "6f1c2d34-0a1b-4c5d-8e9f-000102030405".to_owned(),
        function_arn: mapping().function_arn,
        condition: Condition::RetryAttemptsExhausted,
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
                last: Seq::from(7),
                first_arrival: arrival,
                last_arrival: arrival,
                count: 1,
            }),
            kafka: None,
        },
        window: None,
        payload: Bytes::from_static(b"{\"Records\":[]}"),
    }
}

async fn open(text: &str, endpoint_url: Option<&str>) -> Destination {
    let aws = Aws {
        endpoint_url: endpoint_url.map(str::to_owned),
        ..Aws::default()
    };
    let opened = Destination::open(text, &mapping(), &aws).await;
    opened.expect("a destination")
}

#[test]
fn destination_function_arn_as_configured() {
    let head = "arn:aws:lambda:eu-west-1:123456789012:function";
    for (name, expected) in [
        ("count", format!("{head}:count")),
        ("count:live", format!("{head}:count:live")),
        ("count:7", format!("{head}:count:7")),
        ("count:$LATEST", format!("{head}:count:$LATEST")),
        (
            "999999999999:function:count:live",
            "arn:aws:lambda:eu-west-1:999999999999:function:count:live".to_owned(),
        ),
        (
            "arn:aws:lambda:us-east-1:111111111111:function:count",
            "arn:aws:lambda:us-east-1:111111111111:function:count".to_owned(),
        ),
    ] {
        assert_eq!(function_arn(name, STREAM), expected);
    }
    let china = "arn:aws-cn:kinesis:cn-north-1:123456789012:stream/s";
    assert_eq!(
        function_arn("f", china),
        "arn:aws-cn:lambda:cn-north-1:123456789012:function:f"
    );
}

#[tokio::test]
async fn a_name_that_is_none_is_refused_and_one_out_of_reach_is_not() {
    for text in ["failed", "arn:aws:sqs:eu-west-1:12:q", "file://"] {
        let refused = Destination::open(text, &mapping(), &Aws::default()).await;
        assert!(
            matches!(refused, Err(DestinationError::Name { .. })),
            "{text}"
        );
    }
    // Nobody listens on this port.
    let nobody = Some("http://127.0.0.1:9");
    for text in [
        "arn:aws:sqs:eu-west-1:123456789012:failed",
        "arn:aws:sns:eu-west-1:123456789012:failed",
        "arn:aws:s3:::failed",
    ] {
        let destination = open(text, nobody).await;
        let error = destination.deliver(&record()).await.expect_err("nobody");
        assert_eq!(error.class, FailureClass::Transient, "{text}: {error}");
    }
}

#[tokio::test]
async fn a_queue_is_looked_up_once_and_gets_the_record_alone() {
    let server = Scripted::start(|call, _| match call {
        "GetQueueUrl" => (
            200,
            serde_json::json!({"QueueUrl": "http://q/123456789012/failed"}),
        ),
        _ => (200, serde_json::json!({"MessageId": "m"})),
    })
    .await;
    let text = "arn:aws:sqs:eu-west-1:123456789012:failed";
    let destination = open(text, Some(&server.url)).await;
    for _ in 0..2 {
        destination.deliver(&record()).await.expect("delivered");
    }
    let found = server.calls("GetQueueUrl");
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["QueueOwnerAWSAccountId"], "123456789012");
    let sent = server.calls("SendMessage");
    assert_eq!(sent.len(), 2);
    let body = sent[0]["MessageBody"].as_str().expect("a body");
    assert_eq!(body.as_bytes(), record().json(false));
}

#[tokio::test]
async fn a_queue_that_is_not_there_denies() {
    let missing = "com.amazonaws.sqs#QueueDoesNotExist";
    let server = Scripted::start(move |_, _| error(missing)).await;
    let text = "arn:aws:sqs:eu-west-1:123456789012:failed";
    let destination = open(text, Some(&server.url)).await;
    let refused = destination.deliver(&record()).await.expect_err("refused");
    assert_eq!(
        (refused.class, refused.call),
        (FailureClass::Denied, "GetQueueUrl")
    );
}

#[tokio::test]
async fn a_topic_gets_a_signed_form() {
    let server = Plain::start(200, "<PublishResponse/>").await;
    let text = "arn:aws:sns:us-west-2:123456789012:failed";
    let destination = open(text, Some(&server.url)).await;
    destination.deliver(&record()).await.expect("delivered");
    let request = server.requests().remove(0);
    assert_eq!(
        (request.method.as_str(), request.path.as_str()),
        ("POST", "/")
    );
    let head = "Action=Publish&Version=2010-03-31&TopicArn=arn%3Aaws%3Asns%3Aus-west-2%3A123456789012%3Afailed&Message=%7B%22requestContext%22";
    assert!(request.body.starts_with(head), "{}", request.body);
    // Signed for the region of the topic, whatever the region of the stream.
    let signature = &request.headers["authorization"];
    assert!(
        signature.contains("/us-west-2/sns/aws4_request"),
        "{signature}"
    );
    assert_eq!(
        request.headers["content-type"],
        "application/x-www-form-urlencoded"
    );
}

#[tokio::test]
async fn a_bucket_gets_an_object_with_the_event_in_it() {
    let server = Plain::start(200, "").await;
    let destination = open("arn:aws:s3:::failed", Some(&server.url)).await;
    destination.deliver(&record()).await.expect("delivered");
    let request = server.requests().remove(0);
    assert_eq!(request.method, "PUT");
    let facts = mapping();
    let uuid = uuid::of_mapping(&facts.name, &facts.source_arn, &facts.function_arn);
    assert_eq!(
        request.path,
        format!("/failed/{}", record().object_key(&uuid))
    );
    assert_eq!(request.body.as_bytes(), record().json(true));
    assert_eq!(request.headers["content-type"], "application/octet-stream");
    assert_eq!(request.headers["x-amz-content-sha256"].len(), 64);
    // A bucket has no region in its name: that of the source is taken.
    let signature = &request.headers["authorization"];
    assert!(
        signature.contains("/eu-west-1/s3/aws4_request"),
        "{signature}"
    );
}

#[tokio::test]
async fn refusals_of_topics_and_buckets_have_their_class() {
    let gone = "<Error><Code>NoSuchBucket</Code><Message>not there</Message></Error>";
    let server = Plain::start(404, gone).await;
    let destination = open("arn:aws:s3:::failed", Some(&server.url)).await;
    let refused = destination.deliver(&record()).await.expect_err("refused");
    assert_eq!(refused.class, FailureClass::Denied);
    assert_eq!(refused.to_string(), "PutObject: NoSuchBucket: not there");

    let busy = "<ErrorResponse><Error><Code>Throttling</Code></Error></ErrorResponse>";
    let server = Plain::start(400, busy).await;
    let topic = "arn:aws:sns:us-west-2:123456789012:failed";
    let destination = open(topic, Some(&server.url)).await;
    let refused = destination.deliver(&record()).await.expect_err("refused");
    assert_eq!(refused.class, FailureClass::Throttled);
    assert_eq!(refused.to_string(), "Publish: Throttling");
}

#[tokio::test]
async fn a_file_gets_lines_with_the_event_in_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("failed.jsonl");
    let destination = open(&format!("file://{}", path.display()), None).await;
    for _ in 0..2 {
        destination.deliver(&record()).await.expect("delivered");
    }
    let line = String::from_utf8(record().json(true)).expect("text");
    let text = std::fs::read_to_string(&path).expect("the file");
    assert_eq!(text, format!("{line}\n{line}\n"));
}
