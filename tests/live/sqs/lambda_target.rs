//! The `lambda` target: a function behind a real Invoke interface, with AWS's error header.

use super::poll::{deliveries_of, queue};
use crate::support::poller::Poller;
use crate::support::{
    ACCESS_KEY_ID, MINISTACK_URL, QueueCounts, REGION, SECRET_ACCESS_KEY, SQS_URL, eventually,
    http_client, server_url, unique,
};
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{FunctionCode, Runtime};
use aws_sdk_sqs::types::QueueAttributeName;
use std::io::Write as _;
use std::process::{Command, Stdio};

/// Notes every body in a file, and fails on poison.
const HANDLER: &str = r#"
import json

def handler(event, context):
    with open(LOG, "a") as log:
        for record in event["Records"]:
            log.write(json.dumps(record["body"]) + "\n")
    if any("poison" in record["body"] for record in event["Records"]):
        raise Exception("a record of the batch is poison")
    return {"batchItemFailures": []}
"#;

/// The handler as the archive that CreateFunction takes.
fn archive(log: &str) -> Vec<u8> {
    const ZIP: &str = "import sys, io, zipfile\n\
        out = io.BytesIO()\n\
        with zipfile.ZipFile(out, 'w') as z: z.writestr('index.py', sys.stdin.read())\n\
        sys.stdout.buffer.write(out.getvalue())";
    let mut python = Command::new("python3")
        .args(["-c", ZIP])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3, which the server needs as well");
    let source = format!("LOG = {log:?}\n{HANDLER}");
    let mut input = python.stdin.take().expect("its input is piped");
    input.write_all(source.as_bytes()).expect("it reads");
    drop(input);
    let output = python.wait_with_output().expect("it ends");
    assert!(output.status.success());
    output.stdout
}

async fn create_function(log: &str) -> String {
    use aws_sdk_lambda::config::{BehaviorVersion, Builder, Credentials, Region};
    let config = Builder::new()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .credentials_provider(Credentials::new(
            ACCESS_KEY_ID,
            SECRET_ACCESS_KEY,
            None,
            None,
            "test",
        ))
        .endpoint_url(server_url(MINISTACK_URL))
        .http_client(http_client())
        .build();
    let name = unique("function");
    aws_sdk_lambda::Client::from_conf(config)
        .create_function()
        .function_name(&name)
        .runtime(Runtime::Python311)
        .handler("index.handler")
        .role("arn:aws:iam::000000000000:role/lambda-role")
        .code(
            FunctionCode::builder()
                .zip_file(Blob::new(archive(log)))
                .build(),
        )
        .timeout(20)
        .send()
        .await
        .expect("CreateFunction");
    name
}

#[tokio::test]
async fn messages_reach_a_function_behind_the_invoke_interface_and_its_errors_are_seen() {
    let dead = queue("60").await;
    let policy = format!(
        "{{\"deadLetterTargetArn\":{:?},\"maxReceiveCount\":1}}",
        dead.arn
    );
    let source = crate::support::Queue::create(&[
        (QueueAttributeName::VisibilityTimeout, "20"),
        (QueueAttributeName::RedrivePolicy, policy.as_str()),
    ])
    .await;
    let mut poller = Poller::new(&source.arn, server_url(SQS_URL), "BatchSize = 1\n");
    let log = poller.path("bodies.jsonl");
    let function = create_function(log.to_str().expect("a path of text")).await;
    poller = poller
        .named(&function)
        .target("type = \"lambda\"\ntimeout = \"20s\"\n");

    source
        .send(&["one".to_owned(), "poison".to_owned(), "two".to_owned()])
        .await;
    let running = poller.start(&[]);
    eventually("the deletion of what succeeded", async || {
        let counts = source.counts().await;
        let expected = QueueCounts {
            in_flight: 1,
            ..QueueCounts::EMPTY
        };
        (counts == expected && deliveries_of(&log).len() == 3).then_some(())
    })
    .await;
    let ended = running.terminate();
    assert!(ended.status.success(), "{ended:?}");
    assert!(deliveries_of(&log).values().all(|&count| count == 1));
}
