//! The test function itself, run as the real program that it is against a Runtime API of one
//! invocation.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;

use crate::support::{PATIENCE, test_function};

#[path = "../function/event.rs"]
pub(crate) mod event;

use event::{Verdict, log_line, verdict};

struct Request {
    path: String,
    body: Vec<u8>,
}

/// Reads one request from the connection; `None` when the other side has closed it.
async fn read_request(connection: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut first = String::new();
    if connection.read_line(&mut first).await.ok()? == 0 {
        return None;
    }
    let path = first.split(' ').nth(1)?.to_owned();
    let mut length = 0;
    loop {
        let mut line = String::new();
        connection.read_line(&mut line).await.ok()?;
        let line = line.trim_end().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    connection.read_exact(&mut body).await.ok()?;
    Some(Request { path, body })
}

/// Answers one connection: hands out `event` to whoever asks for an invocation, and passes on
/// everything else without answering it, so that no second invocation is asked for.
async fn serve(connection: TcpStream, event: String, posted: mpsc::Sender<Request>) {
    let mut connection = BufReader::new(connection);
    while let Some(request) = read_request(&mut connection).await {
        if !request.path.ends_with("/invocation/next") {
            posted.send(request).await.ok();
            continue;
        }
        let answer = format!(
            "HTTP/1.1 200 OK\r\n\
             Lambda-Runtime-Aws-Request-Id: request-1\r\n\
             Lambda-Runtime-Deadline-Ms: 4102444800000\r\n\
             Lambda-Runtime-Invoked-Function-Arn: \
             arn:aws:lambda:us-east-1:000000000000:function:f\r\n\
             Content-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{event}",
            event.len()
        );
        if connection.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// Runs the function for one invocation and returns what it posts about it; `None` if its process
/// ends without a word.
async fn invoke(event: &Value, log: &Path) -> Option<Request> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let mut function = start(listener.local_addr().unwrap(), log);
    let (posted, mut requests) = mpsc::channel(1);
    let event = event.to_string();
    // The client uses more than one connection, in whatever order it likes.
    let accept = async {
        loop {
            let (connection, _) = listener.accept().await.unwrap();
            tokio::spawn(serve(connection, event.clone(), posted.clone()));
        }
    };
    let outcome = tokio::time::timeout(PATIENCE, async {
        tokio::select! {
            () = accept => unreachable!("it goes on for ever"),
            request = requests.recv() => request,
            status = function.wait() => {
                assert!(!status.unwrap().success());
                None
            }
        }
    });
    outcome.await.expect("the function to answer or to end")
}

fn start(api: SocketAddr, log: &Path) -> Child {
    Command::new(test_function())
        .env("AWS_LAMBDA_RUNTIME_API", api.to_string())
        .env("AWS_LAMBDA_FUNCTION_NAME", "f")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
        .env("AWS_LAMBDA_LOG_GROUP_NAME", "g")
        .env("AWS_LAMBDA_LOG_STREAM_NAME", "s")
        .env("TEST_FUNCTION_LOG", log)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("the test function to start")
}

fn sqs_event(bodies: &[&str]) -> Value {
    let records: Vec<_> = bodies.iter().map(|body| json!({ "body": body })).collect();
    json!({ "Records": records })
}

fn kinesis_event(data: &[u8]) -> Value {
    let data = base64::engine::general_purpose::STANDARD.encode(data);
    json!({ "Records": [{ "kinesis": { "data": data } }] })
}

#[test]
fn the_worst_record_decides() {
    assert_eq!(verdict(&json!({})), Verdict::Succeed);
    assert_eq!(verdict(&sqs_event(&["a", "b"])), Verdict::Succeed);
    assert_eq!(verdict(&sqs_event(&["a", "poison 7"])), Verdict::Fail);
    assert_eq!(verdict(&sqs_event(&["crash", "poison"])), Verdict::Crash);
    assert_eq!(verdict(&kinesis_event(b"some poison")), Verdict::Fail);
    assert_eq!(verdict(&kinesis_event(b"\xff\xfe")), Verdict::Succeed);
}

#[test]
fn a_log_line_is_one_line() {
    let event = sqs_event(&["two\nlines"]);
    let line = log_line("id", 7, &event);
    assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
    let back: Value = serde_json::from_slice(&line).unwrap();
    assert_eq!(
        back,
        json!({ "requestId": "id", "unixMs": 7, "event": event })
    );
}

#[tokio::test]
async fn the_program_answers_fails_and_crashes_as_told() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");

    let answered = invoke(&sqs_event(&["fine"]), &log).await.unwrap();
    assert!(answered.path.ends_with("/invocation/request-1/response"));
    let body: Value = serde_json::from_slice(&answered.body).unwrap();
    assert_eq!(body, json!({ "batchItemFailures": [] }));

    let failed = invoke(&kinesis_event(b"poison"), &log).await.unwrap();
    assert!(failed.path.ends_with("/invocation/request-1/error"));

    assert!(invoke(&sqs_event(&["crash"]), &log).await.is_none());

    let lines = std::fs::read_to_string(&log).unwrap();
    let lines: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[0]["requestId"], "request-1");
    assert_eq!(lines[2]["event"], sqs_event(&["crash"]));
    // Not zero and not in seconds.
    let written = Duration::from_millis(lines[0]["unixMs"].as_u64().unwrap());
    assert!(written > Duration::from_secs(1_700_000_000));
}
