//! Several processes that share the shards of one stream through leases: join, leave, kill, freeze and resume.

use crate::support::dynamodb::{DYNAMODB_URL, Table, table_call};
use crate::support::kafka::assert_in_order;
use crate::support::poller::{Invocation, Poller, Running, wait_until};
use crate::support::{KINESIS_URL, Stream, server_url, test_function, unique};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

mod failover;

const SHARDS: i32 = 6;
/// Short, so that the test is; a busy machine still renews in time.
const FAILOVER: &str = "4s";

/// A process of its own among those that share the stream.
fn node(arn: &str, endpoint: &str, table: &str, mapping: &str) -> Poller {
    let poller = Poller::of("").of_server(endpoint.to_owned());
    let leases = server_url(DYNAMODB_URL);
    let command = test_function();
    let log = poller.path("events.jsonl");
    poller.whole(format!(
        "listen = \"127.0.0.1:0\"\n[poller.leases]\ntable = \"{table}\"\nfailover = \"{FAILOVER}\"\nendpoint_url = \"{leases}\"\n\
         [[mapping]]\nname = \"tested\"\nFunctionName = \"f\"\nEventSourceArn = \"{arn}\"\nStartingPosition = \"TRIM_HORIZON\"\n\
         shard_reads_per_second = 1000\npoll_interval = \"100ms\"\n{mapping}\n\
         [[target]]\nfunction = \"f\"\ntype = \"process\"\ncommand = [{command:?}]\n[target.env]\nTEST_FUNCTION_LOG = {log:?}\n"
    ))
}

/// Shard and payload of what all processes delivered, in the order of their logs' clocks.
fn delivered(nodes: &[Poller]) -> BTreeMap<String, Vec<String>> {
    let mut all: Vec<Invocation> = nodes.iter().flat_map(Poller::invocations).collect();
    all.sort_by_key(|it| it.unix_ms);
    let mut shards: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for record in all.iter().flat_map(|invocation| &invocation.records) {
        let (shard, data) = content(record);
        shards.entry(shard).or_default().push(data);
    }
    shards
}

fn content(record: &serde_json::Value) -> (String, String) {
    let id = record["eventID"].as_str().expect("an id");
    let (shard, _) = id.split_once(':').expect("shard:sequence");
    let data = record["kinesis"]["data"].as_str().expect("data");
    let data = STANDARD.decode(data).expect("base64");
    let data = String::from_utf8(data).expect("text");
    (shard.to_owned(), data)
}

/// Shards of which this process delivered something after its first `from` invocations.
fn shards_of(node: &Poller, from: usize) -> BTreeSet<String> {
    let seen = node.invocations();
    let records = seen.iter().skip(from).flat_map(|it| &it.records);
    records.map(|record| content(record).0).collect()
}

/// Waits until each of these processes delivers something that is new, and all shards together are delivered.
fn all_work(nodes: &[&Poller]) {
    let before: Vec<usize> = nodes.iter().map(|it| it.invocations().len()).collect();
    wait_until("everybody at work, on every shard", || {
        let worked = nodes.iter().zip(&before);
        let shards: Vec<BTreeSet<String>> =
            worked.map(|(node, from)| shards_of(node, *from)).collect();
        let together: BTreeSet<&String> = shards.iter().flatten().collect();
        let everybody = shards.iter().all(|shards| !shards.is_empty());
        (everybody && together.len() == SHARDS as usize).then_some(())
    });
}

/// Where the lease table has each shard: length and digits, which compare like the numbers.
async fn checkpoints(table: &str) -> BTreeMap<String, (usize, String)> {
    let body = json!({"TableName": format!("{table}-tested"), "ConsistentRead": true});
    let answer = table_call("Scan", &body).await;
    let items = answer["Items"].as_array().expect("items").iter();
    items
        .map(|item| {
            let text = |column: &str| item[column]["S"].as_str().expect("a text").to_owned();
            let checkpoint = match text("checkpoint") {
                number if number.bytes().all(|byte| byte.is_ascii_digit()) => number,
                _ => String::new(),
            };
            (text("leaseKey"), (checkpoint.len(), checkpoint))
        })
        .collect()
}

/// Looks at the checkpoints again and again: none ever goes back.
async fn watch_checkpoints(table: String, over: Arc<AtomicBool>) -> u32 {
    let mut last = checkpoints(&table).await;
    let mut looks = 0;
    while !over.load(Ordering::Relaxed) {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let now = checkpoints(&table).await;
        for (shard, checkpoint) in &last {
            let later = &now[shard];
            assert!(
                later >= checkpoint,
                "{shard} went back from {checkpoint:?} to {later:?}"
            );
        }
        last = now;
        looks += 1;
    }
    looks
}

/// Nothing is lost, the order of every shard holds, and no checkpoint ever goes back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lease_fences_checkpoints() {
    let stream = Arc::new(Stream::create(SHARDS).await);
    let endpoint = server_url(KINESIS_URL);
    let table = unique("leases");
    let nodes: Vec<Poller> = (0..3)
        .map(|_| node(&stream.arn, &endpoint, &table, "BatchSize = 20\n"))
        .collect();
    let start = |index: usize| -> Running { nodes[index].start(&[]) };

    let over = Arc::new(AtomicBool::new(false));
    let (to, stop) = (stream.clone(), over.clone());
    let writer = tokio::spawn(async move {
        let mut put: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut count = 0;
        while !stop.load(Ordering::Relaxed) {
            let records: Vec<(String, Vec<u8>)> = (count..count + 24)
                .map(|n| (format!("key-{n}"), format!("data-{n}").into_bytes()))
                .collect();
            let places = to.put(&records).await;
            for ((shard, _), (_, data)) in places.into_iter().zip(records) {
                let data = String::from_utf8(data).expect("text");
                put.entry(shard).or_default().push(data);
            }
            count += 24;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        put
    });

    let first = start(0);
    all_work(&[&nodes[0]]);
    let watching = Arc::new(AtomicBool::new(false));
    let watcher = tokio::spawn(watch_checkpoints(table.clone(), watching.clone()));
    let second = start(1);
    let third = start(2);
    all_work(&[&nodes[0], &nodes[1], &nodes[2]]);
    // A frozen process loses its shards to the others, and cannot move them back when it wakes up.
    second.signal("STOP");
    all_work(&[&nodes[0], &nodes[2]]);
    let before = nodes[1].invocations().len();
    second.signal("CONT");
    wait_until("a share for the process that woke up", || {
        (!shards_of(&nodes[1], before).is_empty()).then_some(())
    });
    // A killed process is replaced within the failover time and a scan.
    third.kill();
    all_work(&[&nodes[0], &nodes[1]]);
    // One that leaves gives its shards back, and comes again.
    let ended = first.terminate();
    assert!(ended.status.success(), "{ended:?}");
    all_work(&[&nodes[1]]);
    let first = start(0);
    all_work(&[&nodes[0], &nodes[1]]);

    over.store(true, Ordering::Relaxed);
    let put = writer.await.expect("the writer ends");
    let seen = wait_until("everything", || {
        let seen = delivered(&nodes);
        let has_last = |(shard, put): (&String, &Vec<String>)| {
            let seen = seen.get(shard);
            seen.is_some_and(|seen| put.last().is_none_or(|last| seen.contains(last)))
        };
        put.iter().all(has_last).then_some(seen)
    });
    watching.store(true, Ordering::Relaxed);
    assert!(watcher.await.expect("no checkpoint went back") > 10);
    for running in [first, second] {
        let ended = running.terminate();
        assert!(ended.status.success(), "{ended:?}");
    }
    for (shard, put) in &put {
        let numbers: BTreeMap<&String, usize> = put.iter().zip(0..).collect();
        let seen: Vec<usize> = seen[shard].iter().map(|data| numbers[data]).collect();
        assert_in_order(&seen, put.len());
    }
    let stream = Arc::into_inner(stream).expect("the writer is gone");
    stream.delete().await;
}

#[tokio::test]
async fn a_dynamodb_stream_goes_on_in_another_process_after_a_kill() {
    let source = Table::create().await;
    let endpoint = server_url(DYNAMODB_URL);
    let table = unique("leases");
    let nodes: Vec<Poller> = (0..2)
        .map(|_| node(&source.stream_arn, &endpoint, &table, "BatchSize = 5\n"))
        .collect();
    let first = nodes[0].start(&[]);
    for number in 0..20 {
        source.put(&format!("item-{number:03}"), "first").await;
    }
    let count =
        |node: &Poller| -> usize { node.invocations().iter().map(|it| it.records.len()).sum() };
    wait_until("the first process's share", || {
        (count(&nodes[0]) >= 20).then_some(())
    });
    let second = nodes[1].start(&[]);
    first.kill();
    for number in 20..40 {
        source.put(&format!("item-{number:03}"), "second").await;
    }
    let items = |node: &Poller| -> BTreeSet<String> {
        let seen = node.invocations();
        let records = seen.iter().flat_map(|it| it.records.clone());
        records
            .map(|record| record["dynamodb"]["Keys"]["id"]["S"].to_string())
            .collect()
    };
    wait_until("everything, by one or the other", || {
        let together: BTreeSet<String> = nodes.iter().flat_map(items).collect();
        (together.len() == 40).then_some(())
    });
    assert!(count(&nodes[1]) >= 20);
    let ended = second.terminate();
    assert!(ended.status.success(), "{ended:?}");
}
