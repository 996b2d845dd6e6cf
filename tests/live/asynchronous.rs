//! Asynchronous invocation from end to end: a caller of the Invoke API, the test function as a process, and destinations
//! behind a real server.

use crate::destinations::{Bucket, body_of_next_message, call, call_of, topic_into};
use crate::support::poller::{Poller, Running};
use crate::support::{MINISTACK_URL, Queue, eventually, server_url, test_function, unique};
use aws_sdk_sqs::types::Message;
use base64::Engine as _;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Method, Request};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

/// A poller with nothing but callers.
struct Served {
    poller: Poller,
    running: Running,
    address: String,
}

/// Serves the test function as `f`, with these settings of its events.
fn serve(events: &str) -> Served {
    let poller = Poller::of("").of_server(server_url(MINISTACK_URL));
    let (command, log) = (test_function(), poller.path("events.jsonl"));
    let text = format!(
        "[invoke_api]\nlisten = \"127.0.0.1:0\"\n[[target]]\nfunction = \"f\"\ntype = \"process\"\n\
         command = [{command:?}]\nenv = {{ TEST_FUNCTION_LOG = {log:?} }}\n[target.event_invoke]\n{events}\n"
    );
    let poller = poller.whole(text);
    let running = poller.start(&[]);
    let address = running.await_word_after("the Invoke API is served address=");
    Served {
        poller,
        running,
        address,
    }
}

/// An event with one record.
fn event(body: &str) -> Value {
    json!({ "Records": [{ "body": body }] })
}

impl Served {
    /// Queues an event; returns its request id.
    async fn invoke(&self, event: &Value) -> String {
        let url = format!("http://{}/2015-03-31/functions/f/invocations", self.address);
        let request = Request::post(url)
            .header("x-amz-invocation-type", "Event")
            .body(Full::new(Bytes::from(event.to_string())))
            .expect("a request");
        let client = Client::builder(TokioExecutor::new()).build_http();
        let response = client.request(request).await.expect("an answer");
        let (head, body) = response.into_parts();
        assert_eq!(head.status.as_u16(), 202);
        assert!(body.collect().await.expect("a body").to_bytes().is_empty());
        let id = head.headers["x-amzn-requestid"].to_str();
        id.expect("text").to_owned()
    }

    /// Ends it: everything was told, nothing is lost.
    fn end(self, events: &str) {
        let ended = self.running.terminate();
        assert!(ended.status.success(), "{ended:?}");
        assert!(ended.output.contains(events), "{}", ended.output);
        assert!(!ended.output.contains("are lost"), "{}", ended.output);
    }
}

/// Compares a record with what the caller was told and with what the function saw.
fn check(record: &Value, served: &Served, id: &str, condition: &str, sent: &Value) {
    let context = &record["requestContext"];
    assert_eq!(context["requestId"], id);
    assert_eq!(context["condition"], condition);
    assert_eq!(context["approximateInvokeCount"], 1);
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST";
    assert_eq!(context["functionArn"], arn);
    assert_eq!(&record["requestPayload"], sent);
    let response = &record["responseContext"];
    assert_eq!(response["statusCode"], 200);
    assert_eq!(response["executedVersion"], "$LATEST");
    if condition == "Success" {
        assert!(response.get("functionError").is_none());
        assert_eq!(
            record["responsePayload"],
            json!({ "batchItemFailures": [] })
        );
    } else {
        assert_eq!(response["functionError"], "Unhandled");
        assert!(record["responsePayload"]["errorMessage"].is_string());
    }
    let seen = served.poller.invocations();
    let seen = seen.iter().find(|seen| seen.request_id == id);
    assert_eq!(&seen.expect("it was invoked").event, sent);
}

fn parse(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

async fn next_message(queue: &Queue) -> Message {
    eventually("a message", async || {
        let request = queue.client.receive_message().queue_url(&queue.url);
        let answer = request.message_attribute_names("All").send().await;
        answer.expect("ReceiveMessage").messages?.pop()
    })
    .await
}

#[tokio::test]
async fn ends_are_told_to_queues_and_failures_to_the_dead_letter_queue() {
    let (fine, failed) = (Queue::create(&[]).await, Queue::create(&[]).await);
    let dead = Queue::create(&[]).await;
    let served = serve(&format!(
        "MaximumRetryAttempts = 0\nDeadLetterConfig = {{ TargetArn = \"{}\" }}\n\
         DestinationConfig = {{ OnSuccess = {{ Destination = \"{}\" }}, OnFailure = {{ Destination = \"{}\" }} }}",
        dead.arn, fine.arn, failed.arn
    ));
    let sent = event("fine");
    let id = served.invoke(&sent).await;
    let record = parse(&body_of_next_message(&fine).await);
    check(&record, &served, &id, "Success", &sent);

    let sent = event("poison & more");
    let id = served.invoke(&sent).await;
    let record = parse(&body_of_next_message(&failed).await);
    check(&record, &served, &id, "RetriesExhausted", &sent);
    let letter = next_message(&dead).await;
    assert_eq!(parse(&letter.body.expect("a body")), sent);
    let attributes = letter.message_attributes.expect("attributes");
    let value = |name: &str| attributes[name].string_value.clone().expect("a text");
    assert_eq!(value("RequestID"), id);
    assert_eq!(value("ErrorCode"), "200");
    let message = record["responsePayload"]["errorMessage"].as_str();
    assert_eq!(Some(value("ErrorMessage").as_str()), message);

    served.end("events received 2 unfinished 0 dropped 1 delivery failures 0 dead-letter errors 0");
    for queue in [fine, failed, dead] {
        queue.delete().await;
    }
}

#[tokio::test]
async fn ends_are_told_to_topics() {
    let queue = Queue::create(&[]).await;
    let topic = topic_into(&queue).await;
    let served = serve(&format!(
        "MaximumRetryAttempts = 0\nDeadLetterConfig = {{ TargetArn = \"{topic}\" }}\n\
         DestinationConfig = {{ OnSuccess = {{ Destination = \"{topic}\" }} }}"
    ));
    let sent = event("fine");
    let id = served.invoke(&sent).await;
    let notification = parse(&body_of_next_message(&queue).await);
    let record = parse(notification["Message"].as_str().expect("a text"));
    check(&record, &served, &id, "Success", &sent);

    let sent = event("poison");
    let id = served.invoke(&sent).await;
    let notification = eventually("the other message", async || {
        let notification = parse(&body_of_next_message(&queue).await);
        notification
            .get("MessageAttributes")
            .is_some()
            .then_some(notification)
    })
    .await;
    assert_eq!(
        parse(notification["Message"].as_str().expect("a text")),
        sent
    );
    let attributes = &notification["MessageAttributes"];
    assert_eq!(attributes["RequestID"]["Value"], id);
    assert_eq!(
        attributes["ErrorCode"],
        json!({ "Type": "Number", "Value": "200" })
    );
    served.end("dropped 1 delivery failures 0 dead-letter errors 0");
    queue.delete().await;
}

#[tokio::test]
async fn failures_are_told_to_a_bucket() {
    let bucket = Bucket::create().await;
    let served = serve(&format!(
        "MaximumRetryAttempts = 0\nDestinationConfig = {{ OnFailure = {{ Destination = \"{}\" }} }}",
        bucket.arn()
    ));
    let sent = event("crash");
    let id = served.invoke(&sent).await;
    let (key, _, content) = eventually("an object", async || bucket.objects().await.pop()).await;
    assert!(key.starts_with("aws/lambda/async/f/20"), "{key}");
    check(&parse(&content), &served, &id, "RetriesExhausted", &sent);
    served.end("dropped 1 delivery failures 0");
}

#[tokio::test]
async fn ends_are_told_to_an_event_bus() {
    let queue = Queue::create(&[]).await;
    let bus = unique("bus");
    let events = async |name: &str, body: Value| {
        let target = format!("AWSEvents.{name}");
        let answer = call_of("events", Method::POST, "/", &target, &body.to_string()).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        parse(&answer.body)
    };
    let created = events("CreateEventBus", json!({ "Name": bus })).await;
    let arn = created["EventBusArn"].as_str().expect("an ARN").to_owned();
    let pattern = json!({ "source": ["lambda"] }).to_string();
    let rule = json!({ "Name": "all", "EventBusName": bus, "EventPattern": pattern });
    events("PutRule", rule).await;
    let targets =
        json!({ "Rule": "all", "EventBusName": bus, "Targets": [{ "Id": "1", "Arn": queue.arn }] });
    events("PutTargets", targets).await;

    let served = serve(&format!(
        "MaximumRetryAttempts = 0\nDestinationConfig = {{ OnFailure = {{ Destination = \"{arn}\" }} }}"
    ));
    let sent = event("poison");
    let id = served.invoke(&sent).await;
    let told = parse(&body_of_next_message(&queue).await);
    assert_eq!(told["source"], "lambda");
    let kind = "Lambda Function Invocation Result - Failure";
    assert_eq!(told["detail-type"], kind);
    let function = "arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST";
    assert_eq!(told["resources"], json!([arn, function]));
    check(&told["detail"], &served, &id, "RetriesExhausted", &sent);
    served.end("dropped 1 delivery failures 0");
    queue.delete().await;
}

#[tokio::test]
async fn ends_are_told_to_a_function() {
    let told = tempfile::tempdir().expect("a folder");
    let path = told.path().join("told.json");
    let code = format!(
        "import json, os\ndef handler(event, context):\n    with open({path:?} + '.new', 'w') as f:\n        json.dump(event, f)\n    os.rename({path:?} + '.new', {path:?})\n"
    );
    let name = unique("told");
    let function = json!({
        "FunctionName": name,
        "Runtime": "python3.11",
        "Handler": "index.handler",
        "Role": "arn:aws:iam::000000000000:role/lambda-role",
        "Code": { "ZipFile": base64::engine::general_purpose::STANDARD.encode(zip("index.py", code.as_bytes())) },
    });
    let created = call(
        "lambda",
        Method::POST,
        "/2015-03-31/functions",
        &function.to_string(),
    )
    .await;
    assert_eq!(created.status, 201, "{}", created.body);
    let arn = parse(&created.body)["FunctionArn"].clone();
    let served = serve(&format!(
        "DestinationConfig = {{ OnSuccess = {{ Destination = {arn} }} }}"
    ));
    let sent = event("fine");
    let id = served.invoke(&sent).await;
    let record = eventually("the function to run", async || {
        std::fs::read_to_string(&path).ok()
    });
    check(&parse(&record.await), &served, &id, "Success", &sent);
    served.end("dropped 0 delivery failures 0");
}

#[tokio::test]
async fn a_destination_that_is_not_there_is_counted() {
    let nowhere = format!("arn:aws:sqs:us-east-1:000000000000:{}", unique("gone"));
    let served = serve(&format!(
        "MaximumRetryAttempts = 0\nDeadLetterConfig = {{ TargetArn = \"{nowhere}\" }}\n\
         DestinationConfig = {{ OnFailure = {{ Destination = \"{nowhere}\" }} }}"
    ));
    served.invoke(&event("poison")).await;
    served
        .running
        .await_output("nobody could be told of the end of an event");
    served.end("events received 1 unfinished 0 dropped 1 delivery failures 1 dead-letter errors 1");
}

/// An archive of one file, not compressed.
fn zip(name: &str, content: &[u8]) -> Vec<u8> {
    let crc = !content.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    });
    let length = content.len() as u32;
    // Version, flags, method, time, date, checksum, both lengths, length of the name, nothing extra.
    let mut fields = vec![20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0];
    for number in [crc, length, length] {
        fields.extend(number.to_le_bytes());
    }
    fields.extend((name.len() as u16).to_le_bytes());
    fields.extend([0, 0]);
    let mut archive = b"PK\x03\x04".to_vec();
    archive.extend(&fields);
    archive.extend(name.as_bytes());
    archive.extend(content);
    let directory = archive.len() as u32;
    archive.extend(b"PK\x01\x02\x14\x00");
    archive.extend(&fields);
    // No comment, the first disk, no attributes, at the beginning.
    archive.extend([0; 14]);
    archive.extend(name.as_bytes());
    let end = archive.len() as u32;
    archive.extend(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
    archive.extend((end - directory).to_le_bytes());
    archive.extend(directory.to_le_bytes());
    archive.extend([0, 0]);
    archive
}
