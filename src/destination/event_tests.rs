use super::*;
use crate::destination::AsyncResponse;
use crate::engine::lambda::{AsyncCondition, DeadLetter};
use crate::engine::{FailureClass, Time};
use crate::source::plain::Plain;
use crate::source::scripted::Scripted;
use serde_json::{Value, json};

const ID: &str = "6f1c2d34-0a1b-4c5d-8e9f-000102030405";

fn record() -> AsyncRecord {
    AsyncRecord {
        request_id: ID.to_owned(),
        function_arn: "arn:aws:lambda:us-west-2:123456789012:function:mail:$LATEST".into(),
        condition: AsyncCondition::RetriesExhausted,
        invoke_count: 3,
        at: Time::from_millis(1_767_607_392_081),
        request_payload: Bytes::from_static(b"{\"to\":\"a&b\"}"),
        response: Some(AsyncResponse::Failed {
            executed_version: "$LATEST".into(),
            payload: Bytes::from_static(b"{\"errorMessage\":\"no\"}"),
        }),
    }
}

fn aws(url: &str) -> Aws {
    Aws {
        endpoint_url: Some(url.to_owned()),
        region: Some("eu-west-1".to_owned()),
        ..Aws::default()
    }
}

async fn open(arn: &str, url: &str) -> EventDestination {
    let opened = EventDestination::open(arn, &aws(url)).await;
    opened.expect("a destination")
}

/// An error of the function, whose message is longer than a dead letter shows.
fn attributes() -> DeadLetterAttributes {
    let letter = DeadLetter {
        error_code: 200,
        error_message: None,
    };
    DeadLetterAttributes::new(letter, ID, "no & no")
}

#[tokio::test]
async fn a_bus_gets_an_event_with_the_record_as_its_detail() {
    let arn = "arn:aws:events:us-west-2:123456789012:event-bus/mail";
    let server =
        Scripted::start(|_, _| (200, json!({"FailedEntryCount": 0, "Entries": [{}]}))).await;
    let bus = open(arn, &server.url).await;
    bus.deliver("mail", &record()).await.expect("delivered");
    let calls = server.calls("PutEvents");
    let entry = &calls[0]["Entries"][0];
    assert_eq!(entry["EventBusName"], arn);
    assert_eq!(entry["Source"], "lambda");
    let kind = "Lambda Function Invocation Result - Failure";
    assert_eq!(entry["DetailType"], kind);
    assert_eq!(entry["Resources"], json!([arn, &*record().function_arn]));
    let detail = entry["Detail"].as_str().expect("a text");
    assert_eq!(detail.as_bytes(), record().json());
}

#[tokio::test]
async fn a_bus_that_takes_no_entry_is_heard() {
    let refusal = json!({"FailedEntryCount": 1, "Entries": [{"ErrorCode": "ThrottlingException"}]});
    let server = Scripted::start(move |_, _| (200, refusal.clone())).await;
    let arn = "arn:aws:events:us-west-2:123456789012:event-bus/mail";
    let bus = open(arn, &server.url).await;
    let told = bus.deliver("mail", &record()).await;
    let error = told.expect_err("it failed");
    let found = (error.class, error.to_string());
    let expected = "PutEvents: ThrottlingException".to_owned();
    assert_eq!(found, (FailureClass::Throttled, expected));
}

#[tokio::test]
async fn a_function_is_invoked_with_the_record_as_its_event() {
    let server = Plain::start(202, "").await;
    let arn = "arn:aws:lambda:us-west-2:123456789012:function:told:live";
    let function = open(arn, &server.url).await;
    function.deliver("mail", &record()).await.expect("queued");
    let request = server.requests().remove(0);
    assert!(
        request.path.contains("/2015-03-31/functions/arn"),
        "{}",
        request.path
    );
    assert_eq!(request.headers["x-amz-invocation-type"], "Event");
    assert!(request.headers["authorization"].contains("/us-west-2/lambda/aws4_request"));
    assert_eq!(request.body.as_bytes(), record().json());
}

#[tokio::test]
async fn a_bucket_gets_an_object_named_by_the_function() {
    let server = Plain::start(200, "").await;
    let bucket = open("arn:aws:s3:::failed", &server.url).await;
    bucket.deliver("mail", &record()).await.expect("stored");
    let request = server.requests().remove(0);
    let head = "/failed/aws/lambda/async/mail/2026/01/05/2026-01-05T10.03.12-";
    assert!(request.path.starts_with(head), "{}", request.path);
    assert_eq!(request.body.as_bytes(), record().json());
}

#[tokio::test]
async fn a_dead_letter_has_attributes_in_a_queue() {
    let server = Scripted::start(|call, _| {
        let answer = match call {
            "GetQueueUrl" => json!({"QueueUrl": "http://127.0.0.1/dead"}),
            _ => json!({"MessageId": "1"}),
        };
        (200, answer)
    })
    .await;
    let arn = "arn:aws:sqs:us-west-2:123456789012:dead";
    let queue = DeadLetterQueue::open(arn, &aws(&server.url)).await;
    let queue = queue.expect("a queue");
    let event = record().request_payload;
    queue.bury(&event, &attributes()).await.expect("buried");
    let message = server.calls("SendMessage").remove(0);
    assert_eq!(message["MessageBody"], "{\"to\":\"a&b\"}");
    let value = |name: &str, kind: &str| {
        let attribute: &Value = &message["MessageAttributes"][name];
        assert_eq!(attribute["DataType"], kind);
        attribute["StringValue"].clone()
    };
    assert_eq!(value("RequestID", "String"), ID);
    assert_eq!(value("ErrorCode", "Number"), "200");
    assert_eq!(value("ErrorMessage", "String"), "no & no");
    // The record of a destination has none.
    let plain = open(arn, &server.url).await;
    plain.deliver("mail", &record()).await.expect("sent");
    let message = server.calls("SendMessage").remove(1);
    assert!(message.get("MessageAttributes").is_none());
}

#[tokio::test]
async fn a_dead_letter_has_attributes_on_a_topic() {
    let server = Plain::start(200, "<PublishResponse/>").await;
    let arn = "arn:aws:sns:us-west-2:123456789012:dead";
    let topic = DeadLetterQueue::open(arn, &aws(&server.url)).await;
    let topic = topic.expect("a topic");
    let nothing = DeadLetterAttributes {
        error_message: String::new(),
        ..attributes()
    };
    for attributes in [attributes(), nothing] {
        let event = record().request_payload;
        topic.bury(&event, &attributes).await.expect("published");
    }
    let head = format!(
        "Action=Publish&Version=2010-03-31&TopicArn=arn%3Aaws%3Asns%3Aus-west-2%3A123456789012%3Adead\
         &Message=%7B%22to%22%3A%22a%26b%22%7D\
         &MessageAttributes.entry.1.Name=RequestID&MessageAttributes.entry.1.Value.DataType=String\
         &MessageAttributes.entry.1.Value.StringValue={ID}\
         &MessageAttributes.entry.2.Name=ErrorCode&MessageAttributes.entry.2.Value.DataType=Number\
         &MessageAttributes.entry.2.Value.StringValue=200"
    );
    let message = "&MessageAttributes.entry.3.Name=ErrorMessage&MessageAttributes.entry.3.Value.DataType=String\
         &MessageAttributes.entry.3.Value.StringValue=no%20%26%20no";
    let requests = server.requests();
    assert_eq!(requests[0].body, format!("{head}{message}"));
    // An attribute without a value would be refused.
    assert_eq!(requests[1].body, head);
}

#[tokio::test]
async fn only_what_can_take_events_is_opened() {
    let nowhere = "http://127.0.0.1:9";
    for arn in [
        "file://failed.jsonl",
        "kafka://failed",
        "arn:aws:events:us-west-2:123456789012:rule/mail",
        "arn:aws:events::123456789012:event-bus/mail",
        "arn:aws:sqs:us-west-2:123456789012:failed.fifo",
    ] {
        let refused = EventDestination::open(arn, &aws(nowhere)).await;
        let error = refused.expect_err(arn).to_string();
        assert!(
            error.contains(arn) && error.contains("asynchronous"),
            "{error}"
        );
    }
    for arn in [
        "arn:aws:s3:::failed",
        "arn:aws:lambda:us-west-2:123456789012:function:told",
    ] {
        let refused = DeadLetterQueue::open(arn, &aws(nowhere)).await;
        assert!(refused.is_err(), "{arn}");
    }
}
