//! The poller on a real Kinesis stream, through a real function process.

use crate::support::poller::{Invocation, Poller};
use crate::support::{KINESIS_URL, Stream, eventually, server_url};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

const HORIZON: &str = "StartingPosition = \"TRIM_HORIZON\"\nshard_reads_per_second = 1000\npoll_interval = \"100ms\"\n";

pub(super) fn numbered(numbers: std::ops::Range<usize>) -> Vec<(String, Vec<u8>)> {
    numbers
        .map(|number| {
            (
                format!("key-{number}"),
                format!("data-{number}").into_bytes(),
            )
        })
        .collect()
}

/// Shard and payload of every delivered record, in order of delivery.
pub(super) fn delivered(invocations: &[Invocation]) -> Vec<(String, String)> {
    let records = invocations
        .iter()
        .flat_map(|invocation| &invocation.records);
    records
        .map(|record| {
            let id = record["eventID"].as_str().expect("an id");
            let (shard, _) = id.split_once(':').expect("shard:sequence");
            let data = STANDARD
                .decode(record["kinesis"]["data"].as_str().expect("data"))
                .expect("base64");
            (shard.to_owned(), String::from_utf8(data).expect("text"))
        })
        .collect()
}

pub(super) fn poller(stream: &Stream, mapping: &str) -> Poller {
    Poller::new(
        &stream.arn,
        server_url(KINESIS_URL),
        &format!("{HORIZON}{mapping}"),
    )
}

/// What was put, by shard and in order, must be what was delivered: everything, once, in order.
pub(super) fn once_and_in_order(put: &[(String, String)], seen: &[(String, String)]) {
    let by_shard = |list: &[(String, String)]| {
        let mut shards: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (shard, data) in list {
            shards.entry(shard.clone()).or_default().push(data.clone());
        }
        shards
    };
    assert_eq!(by_shard(put), by_shard(seen));
}

#[tokio::test]
async fn records_of_all_shards_arrive_once_and_in_order_and_a_restart_goes_on_behind_them() {
    let stream = Stream::create(3).await;
    let first = numbered(0..600);
    let places = stream.put(&first).await;
    let mut put: Vec<(String, String)> = places
        .iter()
        .zip(&first)
        .map(|((shard, _), (_, data))| (shard.clone(), String::from_utf8_lossy(data).into_owned()))
        .collect();

    let poller = poller(&stream, "BatchSize = 50\n");
    let ended = poller.run(&["--max-records", "600"]);
    assert!(ended.status.success(), "{ended:?}");
    once_and_in_order(&put, &delivered(&poller.invocations()));

    let second = numbered(600..900);
    let places = stream.put(&second).await;
    put.extend(places.iter().zip(&second).map(|((shard, _), (_, data))| {
        (shard.clone(), String::from_utf8_lossy(data).into_owned())
    }));
    let ended = poller.run(&["--max-records", "300"]);
    assert!(ended.status.success(), "{ended:?}");
    let invocations = poller.invocations();
    once_and_in_order(&put, &delivered(&invocations));
    assert!(
        invocations
            .iter()
            .all(|invocation| invocation.records.len() <= 50)
    );
}

#[tokio::test]
async fn an_event_has_the_recorded_shape() {
    let stream = Stream::create(1).await;
    let places = stream
        .put(&[("the key".to_owned(), b"hello".to_vec())])
        .await;
    let poller = poller(&stream, "");
    let ended = poller.run(&["--max-records", "1"]);
    assert!(ended.status.success(), "{ended:?}");
    let record = poller.invocations()[0].records[0].clone();
    let (shard, sequence) = &places[0];
    let arrival = record["kinesis"]["approximateArrivalTimestamp"].clone();
    assert!(arrival.as_f64().expect("a number of seconds") > 1.7e9);
    let expected = serde_json::json!({
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": "the key",
            "sequenceNumber": sequence,
            "data": "aGVsbG8=",
            "approximateArrivalTimestamp": arrival,
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": format!("{shard}:{sequence}"),
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": record["invokeIdentityArn"],
        "awsRegion": "us-east-1",
        "eventSourceARN": stream.arn,
    });
    assert_eq!(record, expected);
    let names = |value: &serde_json::Value| {
        value
            .as_object()
            .expect("an object")
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&record), names(&expected), "AWS's order of keys");
}

#[tokio::test]
async fn a_poison_batch_is_tried_n_plus_one_times_and_then_left_behind() {
    let stream = Stream::create(1).await;
    let mut records = numbered(0..6);
    records[2].1 = b"poison".to_vec();
    stream.put(&records).await;
    let poller = poller(
        &stream,
        "BatchSize = 3\nMaximumRetryAttempts = 1\nbackoff_first = \"50ms\"\n",
    );
    let ended = poller.run(&["--max-records", "6"]);
    assert!(ended.status.success(), "{ended:?}");
    let invocations = poller.invocations();
    let sizes: Vec<usize> = invocations
        .iter()
        .map(|invocation| invocation.records.len())
        .collect();
    assert_eq!(sizes, [3, 3, 3]);
    // An unchanged retry keeps its request id, the next batch has its own.
    assert_eq!(invocations[0].request_id, invocations[1].request_id);
    assert_ne!(invocations[1].request_id, invocations[2].request_id);
    let data: Vec<String> = delivered(&invocations)
        .into_iter()
        .map(|(_, data)| data)
        .collect();
    assert_eq!(data[..3], data[3..6]);
    assert_eq!(data[6..], ["data-3", "data-4", "data-5"]);
}

#[tokio::test]
async fn a_kill_at_any_moment_loses_nothing_and_keeps_order() {
    let stream = Stream::create(2).await;
    let records = numbered(0..400);
    let places = stream.put(&records).await;
    let poller = poller(&stream, "BatchSize = 10\n").env("TEST_FUNCTION_DELAY_MS", "5");
    for kill in 1..=4 {
        let running = poller.start(&[]);
        let before = poller.invocations().len();
        poller.await_invocations("some invocations before the kill", |seen| {
            seen.len() >= before + kill
        });
        running.kill();
    }
    let running = poller.start(&[]);
    let all: BTreeSet<String> = records
        .iter()
        .map(|(_, data)| String::from_utf8_lossy(data).into_owned())
        .collect();
    let seen = poller.await_invocations("every record", |seen| {
        delivered(seen)
            .into_iter()
            .map(|(_, data)| data)
            .collect::<BTreeSet<_>>()
            == all
    });
    let ended = running.terminate();
    assert!(ended.status.success(), "{ended:?}");
    // Again is allowed, out of order is not: the first delivery of every record of a shard comes in its order.
    let mut first_seen: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut known = BTreeSet::new();
    for (shard, data) in delivered(&seen) {
        if known.insert(data.clone()) {
            first_seen.entry(shard).or_default().push(data);
        }
    }
    for (shard, order) in first_seen {
        let put: Vec<String> = places
            .iter()
            .zip(&records)
            .filter(|((place, _), _)| *place == shard)
            .map(|(_, (_, data))| String::from_utf8_lossy(data).into_owned())
            .collect();
        assert_eq!(order, put, "{shard}");
    }
}

#[tokio::test]
async fn children_of_a_split_shard_follow_their_parent() {
    let stream = Stream::create(1).await;
    let before = numbered(0..50);
    stream.put(&before).await;
    let parent = stream.shards().await.remove(0).shard_id;
    let split = stream
        .client
        .split_shard()
        .stream_name(&stream.name)
        .shard_to_split(&parent);
    split
        .new_starting_hash_key("170141183460469231731687303715884105728")
        .send()
        .await
        .expect("SplitShard");
    eventually("two children", async || {
        (stream.shards().await.len() == 3).then_some(())
    })
    .await;
    stream.active().await;
    stream.put(&numbered(50..150)).await;

    let poller = poller(&stream, "BatchSize = 20\n");
    let ended = poller.run(&["--max-records", "150"]);
    assert!(ended.status.success(), "{ended:?}");
    let seen = delivered(&poller.invocations());
    assert_eq!(seen.len(), 150);
    let last_of_parent = seen.iter().rposition(|(shard, _)| *shard == parent);
    let first_of_child = seen.iter().position(|(shard, _)| *shard != parent);
    assert!(
        last_of_parent < first_of_child,
        "{last_of_parent:?} {first_of_child:?}"
    );
    assert_eq!(
        seen.iter().filter(|(shard, _)| *shard == parent).count(),
        50
    );
}

#[tokio::test]
async fn a_recorded_run_is_decided_alike_by_replay() {
    let stream = Stream::create(2).await;
    let mut records = numbered(0..60);
    records[7].1 = b"poison".to_vec();
    stream.put(&records).await;
    let poller = poller(
        &stream,
        "BatchSize = 10\nMaximumRetryAttempts = 1\nbackoff_first = \"20ms\"\n",
    );
    let log = poller.path("run.log");
    let log_text = log.to_str().expect("a path of text");
    let ended = poller.run(&["--max-records", "60", "--record", log_text]);
    assert!(ended.status.success(), "{ended:?}");
    let replay = |path: &str| {
        Command::new(env!("CARGO_BIN_EXE_tidegate"))
            .args(["replay", path])
            .output()
            .expect("it runs")
    };
    let same = replay(log_text);
    assert!(
        same.status.success(),
        "{}",
        String::from_utf8_lossy(&same.stdout)
    );
    let text = std::fs::read_to_string(&log).expect("the log");
    assert!(
        !text.contains("ZGF0YS0x") && !text.contains("data-1"),
        "payloads are not recorded"
    );
}

#[tokio::test]
async fn a_signal_lets_the_running_batch_finish() {
    let stream = Stream::create(1).await;
    stream.put(&numbered(0..10)).await;
    let poller = poller(&stream, "BatchSize = 1\n").env("TEST_FUNCTION_DELAY_MS", "300");
    let running = poller.start(&[]);
    poller.await_invocations("the second invocation", |seen| seen.len() >= 2);
    let ended = running.terminate();
    assert!(ended.status.success(), "{ended:?}");
    let seen = delivered(&poller.invocations());
    assert!(seen.len() < 10, "the drain took new batches");
    // What was in flight was finished and stored: nothing of it comes again.
    let rest = poller.start(&[]);
    let all = poller.await_invocations("the rest", |all| all.len() >= 10);
    rest.kill();
    let data: Vec<String> = delivered(&all).into_iter().map(|(_, data)| data).collect();
    let expected: Vec<String> = (0..10).map(|number| format!("data-{number}")).collect();
    assert_eq!(data[..10], expected);
}
