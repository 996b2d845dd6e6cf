//! A whole run over a stream that splits, played by a scripted server.

use super::tests::{file, options};
use super::*;
use crate::engine::{Position, SourceKind};
use crate::scenario::{Arn, LocalContent, MappingSource};
use crate::source::scripted::Scripted;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

fn shard(name: &str, parent: Option<&str>, end: Option<&str>) -> Value {
    json!({"ShardId": name, "ParentShardId": parent, "HashKeyRange": {"StartingHashKey": "0", "EndingHashKey": "1"},
        "SequenceNumberRange": {"StartingSequenceNumber": "1", "EndingSequenceNumber": end}})
}

fn records(numbers: [u64; 2]) -> Value {
    let record = |number: u64| json!({"SequenceNumber": number.to_string(), "Data": "SGVsbG8=", "PartitionKey": "k", "ApproximateArrivalTimestamp": 1.5e9});
    json!(numbers.map(record))
}

/// The parent has two records and then ends; only then does its child appear, with two more.
fn split() -> impl Fn(&str, &Value) -> (u16, Value) {
    let is_split = AtomicBool::new(false);
    move |call, body| {
        let reply = match call {
            "ListShards" if is_split.load(Relaxed) => json!({"Shards": [
                shard("child", Some("parent"), None), shard("parent", None, Some("9"))]}),
            "ListShards" => json!({"Shards": [shard("parent", None, None)]}),
            "GetShardIterator" => {
                let kind = body["ShardIteratorType"].as_str().expect("a type");
                let shard = body["ShardId"].as_str().expect("a shard");
                json!({"ShardIterator": format!("{shard} {kind}")})
            }
            "GetRecords" => match body["ShardIterator"].as_str().expect("an iterator") {
                "parent TRIM_HORIZON" => {
                    is_split.store(true, Relaxed);
                    json!({"Records": records([1, 2]), "MillisBehindLatest": 0})
                }
                "child TRIM_HORIZON" => {
                    json!({"Records": records([11, 12]), "NextShardIterator": "tip", "MillisBehindLatest": 0})
                }
                _ => json!({"Records": [], "NextShardIterator": "tip", "MillisBehindLatest": 0}),
            },
            other => panic!("{other}"),
        };
        (200, reply)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_is_found_and_read_when_its_parent_has_ended() {
    let server = Scripted::start(split()).await;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("store.redb");
    let unused = LocalContent::Jsonl {
        path: PathBuf::new(),
    };
    let mut file = file(SourceKind::Kinesis, unused);
    file.sources.clear();
    file.poller.store = Some(path.clone());
    let arn = "arn:aws:kinesis:us-east-2:123456789012:stream/clicks";
    file.mappings[0].source = MappingSource::Service {
        arn: Arn::parse(arn).expect("an ARN"),
        endpoint_url: Some(server.url.clone()),
    };
    let options = RunOptions {
        records_max: Some(4),
        ..options()
    };
    let within = tokio::time::timeout(Duration::from_secs(30), run(file, options));
    let summary = within.await.expect("in time").expect("a run");
    assert_eq!((summary.records, summary.drained), (4, true));
    let asked = server.calls("GetShardIterator");
    let order: Vec<&Value> = asked.iter().map(|body| &body["ShardId"]).collect();
    assert_eq!(order, ["parent", "child"]);
    let stored = Store::open(&path).expect("a store").load("orders");
    let stored = stored.expect("positions");
    let position = |shard: &str| stored.get(shard).map(|stored| stored.position);
    assert_eq!(position("parent"), Some(Position::End));
    assert_eq!(position("child"), Some(Position::After(12.into())));
}
