//! A whole run over a DynamoDB stream whose shards follow each other, played by a scripted server.

use super::tests::{file, options};
use super::*;
use crate::engine::{Position, SourceKind, Tuning};
use crate::scenario::{Arn, LocalContent, MappingSource};
use crate::source::scripted::{Scripted, error};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

fn shard(name: &str, parent: &str, end: Option<&str>) -> Value {
    json!({"ShardId": name, "ParentShardId": parent,
        "SequenceNumberRange": {"StartingSequenceNumber": "1", "EndingSequenceNumber": end}})
}

fn records(numbers: [u64; 2]) -> Value {
    json!(numbers.map(
        |number| json!({"eventID": number.to_string(), "eventName": "INSERT", "dynamodb": {
        "ApproximateCreationDateTime": 1_700_000_000, "Keys": {"id": {"N": number.to_string()}},
        "SequenceNumber": format!("{number:021}"), "SizeBytes": 3, "StreamViewType": "KEYS_ONLY"}})
    ))
}

/// Two closed shards, the first of which has lost its parent, and an open one that closes when it is read: only then
/// does its child appear.
fn rotation() -> impl Fn(&str, &Value) -> (u16, Value) {
    let (is_rotated, reads) = (AtomicBool::new(false), AtomicU32::new(0));
    move |call, body| {
        let is_over = is_rotated.load(Relaxed);
        let reply = match call {
            "DescribeStream" if body["ExclusiveStartShardId"] == "open" => {
                json!({"StreamDescription": {"Shards": [shard("child", "open", None)]}})
            }
            "DescribeStream" => json!({"StreamDescription": {
            "LastEvaluatedShardId": is_over.then_some("open"),
            "Shards": [
                shard("open", "second", is_over.then_some("32")),
                shard("second", "first", Some("22")),
                shard("first", "trimmed", Some("12")),
            ]}}),
            "GetShardIterator" => {
                let kind = body["ShardIteratorType"].as_str().expect("a type");
                let shard = body["ShardId"].as_str().expect("a shard");
                json!({"ShardIterator": format!("{shard} {kind}")})
            }
            "GetRecords" if reads.fetch_add(1, Relaxed) == 1 => {
                return error("LimitExceededException");
            }
            "GetRecords" => match body["ShardIterator"].as_str().expect("an iterator") {
                "first TRIM_HORIZON" => json!({"Records": records([11, 12])}),
                // A closed shard may take one more read to show that it is over.
                "second TRIM_HORIZON" => {
                    json!({"Records": records([21, 22]), "NextShardIterator": "second over"})
                }
                "second over" => json!({"Records": []}),
                "open TRIM_HORIZON" => {
                    is_rotated.store(true, Relaxed);
                    json!({"Records": records([31, 32])})
                }
                "child TRIM_HORIZON" => {
                    json!({"Records": records([41, 42]), "NextShardIterator": "tip"})
                }
                _ => json!({"Records": [], "NextShardIterator": "tip"}),
            },
            other => panic!("{other}"),
        };
        (200, reply)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shards_of_a_dynamodb_stream_follow_their_parents() {
    let server = Scripted::start(rotation()).await;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("store.redb");
    let unused = LocalContent::Jsonl {
        path: PathBuf::new(),
    };
    let mut file = file(SourceKind::DynamoDb, unused);
    file.sources.clear();
    file.poller.store = Some(path.clone());
    let arn = "arn:aws:dynamodb:us-east-2:123456789012:table/orders/stream/2026-11-21T09:36:01.253";
    let mapping = &mut file.mappings[0];
    mapping.tuning = Tuning {
        backoff_first: Span::from_millis(5),
        ..Tuning::for_source(file.profile, SourceKind::DynamoDb)
    };
    mapping.source = MappingSource::Service {
        arn: Arn::parse(arn).expect("an ARN"),
        endpoint_url: Some(server.url.clone()),
    };
    let options = RunOptions {
        records_max: Some(8),
        ..options()
    };
    let within = tokio::time::timeout(Duration::from_secs(30), run(file, options));
    let summary = within.await.expect("in time").expect("a run");
    assert_eq!((summary.records, summary.drained), (8, true));
    let asked = server.calls("GetShardIterator");
    let order: Vec<&Value> = asked.iter().map(|body| &body["ShardId"]).collect();
    assert_eq!(order, ["first", "second", "open", "child"]);
    let stored = Store::open(&path).expect("a store").load("orders");
    let stored = stored.expect("positions");
    let position = |shard: &str| stored.get(shard).map(|stored| stored.position);
    for ended in ["first", "second", "open"] {
        assert_eq!(position(ended), Some(Position::End), "{ended}");
    }
    assert_eq!(position("child"), Some(Position::After(42.into())));
}
