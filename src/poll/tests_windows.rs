//! Whole runs with tumbling windows and partial answers, over a scripted stream and a function in the test's own words.

use super::tests::{file, options};
use super::*;
use crate::engine::{Position, SourceKind, Time};
use crate::scenario::{Arn, ErrorSign, LocalContent, MappingSource, PollerFile, TargetKind};
use crate::source::scripted::Scripted;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::path::Path;
use std::sync::Mutex;
use tokio::net::TcpListener;

const ARN: &str = "arn:aws:kinesis:us-east-2:123456789012:stream/clicks";
const WINDOW_SECS: u64 = 900;

/// A function that answers its first calls with `answers`: a status and a body.
struct Function {
    url: String,
    events: Arc<Mutex<Vec<String>>>,
}

impl Function {
    async fn start(answers: Vec<(u16, String)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let events: Arc<Mutex<Vec<String>>> = Arc::default();
        let (seen, answers) = (events.clone(), Arc::new(answers));
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (seen, answers) = (seen.clone(), answers.clone());
                let service = service_fn(move |request| {
                    let (seen, answers) = (seen.clone(), answers.clone());
                    async move { Ok::<_, Infallible>(answer(request, &seen, &answers).await) }
                });
                let builder = hyper::server::conn::http1::Builder::new();
                let socket = TokioIo::new(socket);
                tokio::spawn(async move { builder.serve_connection(socket, service).await });
            }
        });
        Self { url, events }
    }

    fn events(&self) -> Vec<String> {
        self.events.lock().expect("the events").clone()
    }
}

async fn answer(
    request: Request<Incoming>,
    seen: &Mutex<Vec<String>>,
    answers: &[(u16, String)],
) -> Response<Full<Bytes>> {
    let body = request.into_body().collect().await.expect("a body");
    let event = String::from_utf8(body.to_bytes().to_vec()).expect("text");
    let mut seen = seen.lock().expect("the events");
    let (status, body) = answers.get(seen.len()).cloned().expect("an answer");
    seen.push(event);
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = StatusCode::from_u16(status).expect("a status");
    response
}

/// A stream of one shard with records 1, 2, 3 … that arrived at these seconds of the Unix time.
async fn stream(arrivals: Vec<u64>) -> Scripted {
    Scripted::start(move |call, body| {
        let reply = match call {
            "ListShards" => json!({"Shards": [{"ShardId": "shard-1",
                "HashKeyRange": {"StartingHashKey": "0", "EndingHashKey": "1"},
                "SequenceNumberRange": {"StartingSequenceNumber": "1"}}]}),
            "GetShardIterator" => {
                let after = body["StartingSequenceNumber"].as_str();
                json!({"ShardIterator": after.unwrap_or("0")})
            }
            "GetRecords" => {
                let after: usize = body["ShardIterator"].as_str().expect("a text").parse().expect("a number");
                let records: Vec<Value> = (1..).zip(&arrivals).skip(after).map(|(number, arrival)| json!({
                    "SequenceNumber": number.to_string(), "Data": "SGVsbG8=", "PartitionKey": "k",
                    "ApproximateArrivalTimestamp": *arrival as f64,
                })).collect();
                let next = (after + records.len()).to_string();
                json!({"Records": records, "NextShardIterator": next, "MillisBehindLatest": 0})
            }
            other => panic!("{other}"),
        };
        (200, reply)
    })
    .await
}

fn poller(server: &Scripted, function: &Function, store: &Path) -> PollerFile {
    let unused = LocalContent::Jsonl {
        path: PathBuf::new(),
    };
    let mut file = file(SourceKind::Kinesis, unused);
    file.sources.clear();
    file.aws.region = Some("us-east-2".to_owned());
    file.poller.store = Some(store.to_owned());
    file.targets[0].kind = TargetKind::Http {
        url: function.url.clone(),
        errors: ErrorSign::Status,
    };
    file.mappings[0].source = MappingSource::Service {
        arn: Arn::parse(ARN).expect("an ARN"),
        endpoint_url: Some(server.url.clone()),
    };
    file.mappings[0].tuning.backoff_first = Span::from_millis(1);
    file.mappings[0].config.batch_size = 2;
    file.mappings[0].config.report_batch_item_failures = true;
    file
}

fn with_windows(mut file: PollerFile) -> PollerFile {
    file.mappings[0].config.tumbling_window = Some(Span::from_secs(WINDOW_SECS));
    file
}

/// Runs until this many records are finished, and compares the run with its replay.
async fn run_until(file: PollerFile, records: u64) {
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("run.log");
    let options = RunOptions {
        records_max: Some(records),
        record: Some(log.clone()),
        ..options()
    };
    let within = tokio::time::timeout(Duration::from_secs(30), run(file, options));
    let summary = within.await.expect("in time").expect("a run");
    assert_eq!((summary.records, summary.drained), (records, true));
    let replayed = replay(&log).expect("a replay");
    assert_eq!(replayed.difference, None);
    assert!(replayed.decisions > 0);
}

/// Numbers of the records, the text of the state, and whether it was the final call, the early end.
fn shape(event: &str) -> (Vec<u64>, String, bool, bool) {
    let value: Value = serde_json::from_str(event).expect("JSON");
    assert_eq!(value["shardId"], "shard-1");
    let records = value["Records"].as_array().expect("records");
    let number = |record: &Value| record["kinesis"]["sequenceNumber"].as_str()?.parse().ok();
    let numbers = records.iter().filter_map(number).collect();
    let (_, after) = event.split_once("},\"state\":").expect("a state");
    let (state, _) = after
        .rsplit_once(",\"isFinalInvokeForWindow\":")
        .expect("a flag");
    let flag = |name: &str| value[name].as_bool().expect("a flag");
    (
        numbers,
        state.to_owned(),
        flag("isFinalInvokeForWindow"),
        flag("isWindowTerminatedEarly"),
    )
}

/// The first instant of the window that is now, in seconds. It is over in 15 minutes at most, and closed two minutes
/// later: long after these tests.
fn window_of_now() -> u64 {
    Clock::start().now().as_millis() / 1_000 / WINDOW_SECS * WINDOW_SECS
}

fn ok(body: &str) -> (u16, String) {
    (200, body.to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn window_state_is_carried() {
    let first = window_of_now();
    let second = first + WINDOW_SECS;
    let mut arrivals = vec![first, first, first + 1, first + 1, second, second + 1];
    let server = stream(arrivals.clone()).await;
    let function = Function::start(vec![
        ok("{\"state\": {\"n\" : 2.0}}"),
        (500, "{\"state\":{\"n\":9}}".to_owned()),
        ok("{\"batchItemFailures\":[]}"),
        ok("{\"state\":{\"n\":3},\"batchItemFailures\":[{\"itemIdentifier\":\"4\"}]}"),
        ok("{\"state\":{\"n\":4}}"),
        (500, String::new()),
        ok(""),
        ok("{\"state\":{\"n\":\"\\u0032\"}}"),
    ])
    .await;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("store.redb");
    run_until(with_windows(poller(&server, &function, &path)), 6).await;
    let call = |numbers: &[u64], state: &str, is_final| {
        (numbers.to_vec(), state.to_owned(), is_final, false)
    };
    let expected = [
        call(&[1, 2], "{}", false),
        call(&[3, 4], "{\"n\" : 2.0}", false),
        call(&[3, 4], "{\"n\" : 2.0}", false),
        call(&[3, 4], "{\"n\" : 2.0}", false),
        call(&[4], "{\"n\":3}", false),
        call(&[], "{\"n\":4}", true),
        call(&[], "{\"n\":4}", true),
        call(&[5, 6], "{}", false),
    ];
    let events = function.events();
    let shapes: Vec<_> = events.iter().map(|event| shape(event)).collect();
    assert_eq!(shapes, expected);
    let value: Value = serde_json::from_str(&events[7]).expect("JSON");
    assert_eq!(value["eventSourceARN"], ARN);
    assert_eq!(value["Records"][0]["eventSourceARN"], ARN);

    let stored = Store::open(&path).expect("a store").load("orders");
    let stored = stored.expect("checkpoints").remove("shard-1");
    let window = OpenWindow {
        start: Time::from_secs(second),
        state: Arc::from("{\"n\":\"\\u0032\"}"),
    };
    let expected = Stored {
        position: Position::After(6.into()),
        window: Some(window),
    };
    assert_eq!(stored, Some(expected));

    // Another process goes on in the middle of the window, byte for byte.
    arrivals.extend([second + 2, second + 3]);
    let server = stream(arrivals).await;
    let function = Function::start(vec![ok("{\"state\":{}}")]).await;
    run_until(with_windows(poller(&server, &function, &path)), 2).await;
    let events = function.events();
    assert_eq!(
        shape(&events[0]),
        call(&[7, 8], "{\"n\":\"\\u0032\"}", false)
    );

    // A mapping without windows knows nothing of it, and leaves nothing of it.
    let server = stream(vec![second; 9]).await;
    let function = Function::start(vec![ok("")]).await;
    run_until(poller(&server, &function, &path), 1).await;
    assert!(!function.events()[0].contains("\"window\""));
    let stored = Store::open(&path).expect("a store").load("orders");
    let stored = stored.expect("checkpoints").remove("shard-1");
    assert_eq!(stored.map(|stored| stored.window), Some(None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_state_above_its_limit_goes_whole_into_a_final_call() {
    let first = window_of_now();
    let server = stream(vec![first; 4]).await;
    let large = format!("{{\"s\":\"{}\"}}", "x".repeat(1_048_640));
    let function = Function::start(vec![
        ok(&format!("{{\"state\":{large}}}")),
        ok("null"),
        ok("{\"state\":{}}"),
    ])
    .await;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("store.redb");
    run_until(with_windows(poller(&server, &function, &path)), 4).await;
    let shapes: Vec<_> = function.events().iter().map(|event| shape(event)).collect();
    let fresh = || "{}".to_owned();
    let expected = [
        (vec![1, 2], fresh(), false, false),
        (vec![], large, true, true),
        (vec![3, 4], fresh(), false, false),
    ];
    assert!(shapes == expected, "the calls are others");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_suffix_from_the_first_failed_record_comes_again() {
    let server = stream(vec![window_of_now(); 4]).await;
    let failed = |number: u64| {
        ok(&json!({"batchItemFailures": [{"itemIdentifier": number.to_string()}]}).to_string())
    };
    let function = Function::start(vec![failed(3), failed(2), failed(4), ok("{}")]).await;
    let folder = tempfile::tempdir().expect("a folder");
    let mut file = poller(&server, &function, &folder.path().join("store.redb"));
    file.mappings[0].config.batch_size = 4;
    run_until(file, 4).await;
    let numbers = |event: &String| {
        let event: Value = serde_json::from_str(event).expect("JSON");
        let records = event["Records"].as_array().expect("records").clone();
        let number = |record: &Value| record["kinesis"]["sequenceNumber"].as_str()?.parse().ok();
        records.iter().filter_map(number).collect::<Vec<u64>>()
    };
    let calls: Vec<_> = function.events().iter().map(numbers).collect();
    // 2 is not in the second batch: that report fails it as a whole.
    assert_eq!(calls, [vec![1, 2, 3, 4], vec![3, 4], vec![3, 4], vec![4]]);
}
