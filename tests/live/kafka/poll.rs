//! What functions see, where reading starts, and what is committed.

use crate::support::kafka::{Topic, assert_in_order, client, numbers, value};
use crate::support::{PATIENCE, server_url, unique};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn committed(pairs: &[(i32, i64)]) -> BTreeMap<i32, i64> {
    pairs.iter().copied().collect()
}

#[tokio::test]
async fn kafka_commit_is_the_checkpoint() {
    let topic = Topic::create(4).await;
    topic.fill(0..250).await;
    let poller = topic.poller("BatchSize = 100\n");
    let ended = poller.run(&["--max-records", "1000"]);
    assert!(ended.status.success(), "{ended:?}");
    let invocations = poller.invocations();
    let seen = numbers(&invocations);
    assert_eq!(seen.len(), 4);
    for seen in seen.values() {
        assert_eq!(*seen, (0..250).collect::<Vec<_>>(), "once, and in order");
    }
    assert!(invocations.iter().all(|it| it.records.len() <= 100));
    let several = |event: &Value| event["records"].as_object().is_some_and(|it| it.len() > 1);
    assert!(
        invocations.iter().any(|it| several(&it.event)),
        "some batch holds several partitions"
    );
    let event = &invocations[0].event;
    assert_eq!(event["eventSource"], "SelfManagedKafka");
    assert_eq!(event["bootstrapServers"], topic.servers.as_str());
    for (name, records) in event["records"].as_object().expect("an object") {
        for record in records.as_array().expect("a list") {
            assert_eq!(*name, format!("{}-{}", topic.name, record["partition"]));
        }
    }
    assert_eq!(
        topic.committed(),
        committed(&[(0, 250), (1, 250), (2, 250), (3, 250)])
    );
}

#[tokio::test]
async fn nulls_headers_and_append_times_are_shown_as_aws_shows_them() {
    let settings = [("message.timestamp.type", "LogAppendTime")];
    let servers = server_url(crate::support::kafka::PLAIN);
    let topic = Topic::create_on(&servers, 1, &settings).await;
    topic.send(0, None, Some("no key")).await;
    topic.send(0, Some("tombstone"), None).await;
    let headers: [(&str, Option<&[u8]>); 3] =
        [("a", Some(b"hi")), ("a", Some(&[200])), ("none", None)];
    topic.send_with(0, Some("k"), Some("v"), &headers).await;
    let poller = topic.poller("");
    let ended = poller.run(&["--max-records", "3"]);
    assert!(ended.status.success(), "{ended:?}");
    let invocations = poller.invocations();
    let records: Vec<&Value> = invocations.iter().flat_map(|it| &it.records).collect();
    assert_eq!(records.len(), 3);
    assert_eq!(records[0].get("key"), None);
    assert_eq!(value(records[0]).as_deref(), Some("no key"));
    assert_eq!(records[1]["key"], "dG9tYnN0b25l");
    assert_eq!(records[1].get("value"), None);
    assert_eq!(
        records[2]["headers"],
        json!([{"a": [104, 105]}, {"a": [-56]}, {"none": null}])
    );
    for (record, offset) in records.iter().zip(0..) {
        assert_eq!(record["offset"], offset);
        assert_eq!(record["timestampType"], "LOG_APPEND_TIME");
        assert!(
            record["timestamp"]
                .as_u64()
                .is_some_and(|millis| millis > 1_600_000_000_000)
        );
    }
}

#[tokio::test]
async fn committed_offsets_win_over_the_starting_position() {
    let topic = Topic::create(2).await;
    topic.fill(0..20).await;
    topic.commit(0, 15);
    // Partition 0 goes on at 15, partition 1 has nothing committed and begins at its beginning.
    let poller = topic.poller("");
    let ended = poller.run(&["--max-records", "25"]);
    assert!(ended.status.success(), "{ended:?}");
    let seen = numbers(&poller.invocations());
    assert_eq!(seen[&0], (15..20).collect::<Vec<_>>());
    assert_eq!(seen[&1], (0..20).collect::<Vec<_>>());
}

#[tokio::test]
async fn kafka_latest_is_stored() {
    let topic = Topic::create(1).await;
    topic.fill(0..10).await;
    let poller = topic.poller("StartingPosition = \"LATEST\"\n");
    let running = poller.start(&[]);
    // What LATEST means is stored before anything has come.
    crate::support::poller::wait_until("the starting offset", || {
        (topic.committed() == committed(&[(0, 10)])).then_some(())
    });
    running.kill();
    topic.fill(10..20).await;
    let running = poller.start(&[]);
    poller.await_invocations("the records written since", |seen| {
        numbers(seen).get(&0).is_some_and(|seen| seen.len() >= 10)
    });
    let ended = running.terminate();
    assert!(ended.status.success(), "{ended:?}");
    assert_eq!(
        numbers(&poller.invocations())[&0],
        (10..20).collect::<Vec<_>>()
    );
    assert_eq!(topic.committed(), committed(&[(0, 20)]));
}

#[tokio::test]
async fn kafka_starting_position() {
    let topic = Topic::create(2).await;
    let producer: BaseProducer = client(&topic.servers).create().expect("a producer");
    for number in 0..10 {
        let value = format!("0:{number}");
        let record = BaseRecord::<str, str>::to(&topic.name)
            .partition(0)
            .payload(&value)
            .timestamp(1_700_000_000_000 + number * 1_000);
        producer
            .send(record)
            .map_err(|(error, _)| error)
            .expect("queued");
    }
    producer.flush(PATIENCE).expect("written");
    // Partition 1 has nothing that is so young: it starts at its end.
    let old = BaseRecord::<str, str>::to(&topic.name)
        .partition(1)
        .payload("1:0")
        .timestamp(1_600_000_000_000);
    producer
        .send(old)
        .map_err(|(error, _)| error)
        .expect("queued");
    producer.flush(PATIENCE).expect("written");
    let start = "StartingPosition = \"AT_TIMESTAMP\"\nStartingPositionTimestamp = 1700000004.5\n";
    let poller = topic.poller(start);
    let ended = poller.run(&["--max-records", "5"]);
    assert!(ended.status.success(), "{ended:?}");
    let seen = numbers(&poller.invocations());
    assert_eq!(seen.get(&0), Some(&(5..10).collect()));
    assert_eq!(seen.get(&1), None);
}

#[tokio::test]
async fn filtered_records_are_committed_with_their_batch() {
    let topic = Topic::create(1).await;
    for number in 0..50 {
        let value = json!({"kind": if number % 10 == 3 { "order" } else { "view" }, "n": number});
        topic.send(0, Some("k"), Some(&value.to_string())).await;
    }
    let filter =
        r#"FilterCriteria = { Filters = [{ Pattern = '{"value": {"kind": ["order"]}}' }] }"#;
    let poller = topic.poller(filter);
    let ended = poller.run(&["--max-records", "50"]);
    assert!(ended.status.success(), "{ended:?}");
    let invocations = poller.invocations();
    let records = invocations.iter().flat_map(|it| &it.records);
    let offsets: Vec<_> = records.map(|it| it["offset"].as_u64()).collect();
    assert_eq!(offsets, [3, 13, 23, 33, 43].map(Some));
    assert_eq!(topic.committed(), committed(&[(0, 50)]));
}

#[tokio::test]
async fn what_compaction_has_left_is_delivered_with_its_tombstones() {
    let settings = [
        ("cleanup.policy", "compact"),
        ("segment.ms", "50"),
        ("max.compaction.lag.ms", "50"),
        ("min.cleanable.dirty.ratio", "0.001"),
    ];
    let servers = server_url(crate::support::kafka::PLAIN);
    let topic = Topic::create_on(&servers, 1, &settings).await;
    for number in 0..30 {
        let (key, value) = (format!("key-{}", number % 3), number.to_string());
        topic.send(0, Some(&key), Some(&value)).await;
    }
    topic.send(0, Some("key-1"), None).await;
    // The last segment is never cleaned: each record that is old enough makes room for another one.
    let left = crate::support::eventually("a clean log", async || {
        topic.send(0, Some("key-0"), Some("last")).await;
        let left = topic.read(0);
        (left.len() < 20).then_some(left)
    })
    .await;
    let end = topic.send(0, Some("end"), Some("end")).await + 1;
    let poller = topic.poller("BatchSize = 10\n");
    let running = poller.start(&[]);
    let has_end = |record: &Value| value(record).as_deref() == Some("end");
    let invocations = poller.await_invocations("the end", |seen| {
        seen.iter().flat_map(|it| &it.records).any(has_end)
    });
    let ended = running.terminate();
    assert!(ended.status.success(), "{ended:?}");
    let offsets: Vec<i64> = invocations
        .iter()
        .flat_map(|it| &it.records)
        .filter_map(|record| record["offset"].as_i64())
        .collect();
    assert!(offsets.is_sorted_by(|a, b| a < b), "{offsets:?}");
    assert!(offsets.len() < usize::try_from(end).expect("a small number"));
    let mut records = invocations.iter().flat_map(|it| &it.records);
    let tombstone =
        records.find(|record| record["key"] == "a2V5LTE=" && record.get("value").is_none());
    let is_left = left
        .iter()
        .any(|(_, key, value)| key.as_deref() == Some("key-1") && value.is_none());
    assert!(is_left && tombstone.is_some(), "{left:?}");
    assert_eq!(topic.committed(), committed(&[(0, end)]));
}

#[tokio::test]
async fn aborted_transactions_are_not_seen() {
    let topic = Topic::create(1).await;
    let producer: BaseProducer = client(&topic.servers)
        .set("transactional.id", unique("writer"))
        .create()
        .expect("a producer");
    producer.init_transactions(PATIENCE).expect("ready");
    for (number, is_kept) in [(0, true), (9, false), (1, true)] {
        producer.begin_transaction().expect("begun");
        let value = format!("0:{number}");
        let record = BaseRecord::<str, str>::to(&topic.name)
            .partition(0)
            .payload(&value);
        producer
            .send(record)
            .map_err(|(error, _)| error)
            .expect("queued");
        producer.flush(PATIENCE).expect("written");
        match is_kept {
            true => producer.commit_transaction(PATIENCE).expect("committed"),
            false => producer.abort_transaction(PATIENCE).expect("aborted"),
        }
    }
    let poller = topic.poller("");
    let ended = poller.run(&["--max-records", "2"]);
    assert!(ended.status.success(), "{ended:?}");
    let seen = numbers(&poller.invocations());
    assert_in_order(&seen[&0], 2);
    assert_eq!(seen[&0].len(), 2);
}

#[tokio::test]
async fn reported_records_are_retried_and_hold_up_their_own_partition_alone() {
    let topic = Topic::create(2).await;
    for (partition, value) in [(0, "good"), (0, "poison"), (0, "late"), (1, "a"), (1, "b")] {
        topic.send(partition, Some("k"), Some(value)).await;
    }
    let poller = topic
        .poller(
            "FunctionResponseTypes = [\"ReportBatchItemFailures\"]\n\
             ProvisionedPollerConfig = { MinimumPollers = 1, MaximumPollers = 1 }\n\
             MaximumRetryAttempts = 1\nbackoff_first = \"10ms\"\nbackoff_max = \"20ms\"\n",
        )
        .env("TEST_FUNCTION_REPORT", "1");
    let ended = poller.run(&["--max-records", "5"]);
    assert!(ended.status.success(), "{ended:?}");
    let invocations = poller.invocations();
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    for record in invocations.iter().flat_map(|it| &it.records) {
        *times.entry(value(record).expect("a value")).or_default() += 1;
    }
    assert_eq!(times["good"], 1);
    assert!(times["poison"] >= 2);
    assert!(times["late"] >= 1);
    assert_eq!((times["a"], times["b"]), (1, 1));
    assert_eq!(topic.committed(), committed(&[(0, 3), (1, 2)]));
}
