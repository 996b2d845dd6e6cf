use super::*;
use crate::engine::{FailureClass, Seq, SourceKind};
use crate::scenario::{Arn, Aws};
use crate::source::kpl::tests::aggregate;
use crate::source::scripted::{Scripted, error};
use crate::source::{Keep, ListedShard};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

const NOW: Time = Time::from_secs(1_700_000_000);

async fn open(server: &Scripted) -> Kinesis {
    let arn = Arn::parse("arn:aws:kinesis:us-east-2:123456789012:stream/clicks").expect("an ARN");
    Kinesis::open(&arn, Some(&server.url), &Aws::default(), "role")
        .await
        .expect("a stream")
}

fn record(number: u64) -> Value {
    json!({"SequenceNumber": number.to_string(), "ApproximateArrivalTimestamp": 1_545_084_650.987,
        "Data": "SGVsbG8=", "PartitionKey": "k"})
}

fn after(number: u64) -> Position {
    Position::After(Seq::from(number))
}

#[tokio::test]
async fn shards_are_listed_over_all_pages() {
    let server = Scripted::start(|_, body| {
        let shard = |name: &str, parent: Option<&str>, end: Option<&str>| {
            json!({"ShardId": name, "ParentShardId": parent,
                "HashKeyRange": {"StartingHashKey": "0", "EndingHashKey": "1"},
                "SequenceNumberRange": {"StartingSequenceNumber": "1", "EndingSequenceNumber": end}})
        };
        if body.get("NextToken").is_some() {
            return (200, json!({"Shards": [shard("b", Some("a"), None)]}));
        }
        assert_eq!(body["StreamName"], "clicks");
        (
            200,
            json!({"Shards": [shard("a", None, Some("9"))], "NextToken": "more"}),
        )
    })
    .await;
    let shards = open(&server).await.shards().await.expect("shards");
    let expected = [
        ListedShard {
            name: Arc::from("a"),
            parents: vec![],
            closed: true,
        },
        ListedShard {
            name: Arc::from("b"),
            parents: vec![Arc::from("a")],
            closed: false,
        },
    ];
    assert_eq!(shards, expected);
}

#[tokio::test]
async fn the_live_iterator_is_used_until_it_expires() {
    let reads = AtomicU32::new(0);
    let server = Scripted::start(move |call, body| {
        if call == "GetShardIterator" {
            let kind = body["ShardIteratorType"].as_str().expect("a type");
            return (200, json!({"ShardIterator": format!("new {kind}")}));
        }
        match reads.fetch_add(1, Relaxed) {
            0 => (
                200,
                json!({"Records": [record(1), record(2)], "NextShardIterator": "i-2", "MillisBehindLatest": 40}),
            ),
            1 => error("ProvisionedThroughputExceededException"),
            2 => (
                200,
                json!({"Records": [], "NextShardIterator": "i-3", "MillisBehindLatest": 0}),
            ),
            3 => error("ExpiredIteratorException"),
            _ => (200, json!({"Records": [record(3)]})),
        }
    })
    .await;
    let kinesis = open(&server).await;
    let reader = kinesis.reader(&Arc::from("shard"), &Arc::default());
    let read = async |from| kinesis.read(&reader, NOW, from, 100, Vec::new()).await;
    let first = read(Position::Horizon).await.expect("a page");
    assert_eq!((first.records.len(), first.end), (2, Some(Seq::from(2))));
    assert_eq!((first.behind, first.bytes), (Span::from_millis(40), 12));
    let arrival = first.records[0].meta.arrival;
    assert_eq!(arrival, Time::from_millis(1_545_084_650_987));
    let throttled = read(after(2)).await.expect_err("throttled");
    assert_eq!(throttled.class, FailureClass::Throttled);
    let empty = read(after(2)).await.expect("an empty page");
    assert_eq!((empty.end, empty.shard_end), (None, false));
    let last = read(after(2)).await.expect("the last page");
    assert!(last.shard_end);
    let used: Vec<Value> = server
        .calls("GetRecords")
        .iter()
        .map(|body| body["ShardIterator"].clone())
        .collect();
    let expected = [
        "new TRIM_HORIZON",
        "i-2",
        "i-2",
        "i-3",
        "new AFTER_SEQUENCE_NUMBER",
    ];
    assert_eq!(used, expected);
    let asked = &server.calls("GetShardIterator")[1];
    assert_eq!(asked["StartingSequenceNumber"], "2");
}

#[tokio::test]
async fn a_lost_iterator_of_latest_goes_back_to_when_it_was_asked_for() {
    let reads = AtomicU32::new(0);
    let server = Scripted::start(move |call, _| match call {
        "GetShardIterator" => (200, json!({"ShardIterator": "i"})),
        _ if reads.fetch_add(1, Relaxed) == 1 => error("ExpiredIteratorException"),
        _ => (
            200,
            json!({"Records": [], "NextShardIterator": "i", "MillisBehindLatest": 0}),
        ),
    })
    .await;
    let kinesis = open(&server).await;
    let reader = kinesis.reader(&Arc::from("shard"), &Arc::default());
    for later in [0, 400] {
        let now = NOW + Span::from_secs(later);
        kinesis
            .read(&reader, now, Position::Latest, 100, Vec::new())
            .await
            .expect("a page");
    }
    let asked = server.calls("GetShardIterator");
    assert_eq!(asked[0]["ShardIteratorType"], "LATEST");
    assert_eq!(asked[1]["ShardIteratorType"], "AT_TIMESTAMP");
    assert_eq!(asked[1]["Timestamp"].as_f64(), Some(1_700_000_000.0));
}

#[tokio::test]
async fn missing_streams_and_odd_numbers_are_denied() {
    let server = Scripted::start(|call, _| match call {
        "ListShards" => error("ResourceNotFoundException"),
        "GetShardIterator" => (200, json!({"ShardIterator": "i"})),
        _ => (
            200,
            json!({"Records": [{"SequenceNumber": "x", "Data": "", "PartitionKey": "k"}]}),
        ),
    })
    .await;
    let kinesis = open(&server).await;
    let missing = kinesis.shards().await.expect_err("no such stream");
    assert_eq!(missing.class, FailureClass::Denied);
    let reader = kinesis.reader(&Arc::from("shard"), &Arc::default());
    let odd = kinesis.read(&reader, NOW, Position::At(NOW), 1, Vec::new());
    assert_eq!(
        odd.await.expect_err("no number").class,
        FailureClass::Denied
    );
}

#[tokio::test]
async fn kinesis_trimmed_position() {
    let server = Scripted::start(move |call, body| match call {
        "GetShardIterator" if body["ShardIteratorType"] == "AFTER_SEQUENCE_NUMBER" => {
            error("InvalidArgumentException")
        }
        "GetShardIterator" => (200, json!({"ShardIterator": body["ShardIteratorType"]})),
        _ => (
            200,
            json!({"Records": [record(70)], "NextShardIterator": "i-2", "MillisBehindLatest": 0}),
        ),
    })
    .await;
    let kinesis = open(&server).await;
    let reader = kinesis.reader(&Arc::from("shard"), &Arc::default());
    let read = kinesis.read(&reader, NOW, after(5), 100, Vec::new());
    let page = read.await.expect("the oldest records");
    assert_eq!(page.end, Some(Seq::from(70)));
    assert_eq!(
        server.calls("GetRecords")[0]["ShardIterator"],
        "TRIM_HORIZON"
    );
    let next = kinesis.read(&reader, NOW, after(70), 100, Vec::new());
    next.await.expect("the next page");
    assert_eq!(server.calls("GetShardIterator").len(), 2);
}

/// Nothing but a position in the stream can have expired: other refusals are no reason to read everything again.
#[tokio::test]
async fn only_a_sequence_number_can_be_trimmed() {
    let server = Scripted::start(|_, _| error("InvalidArgumentException")).await;
    let kinesis = open(&server).await;
    let reader = kinesis.reader(&Arc::from("shard"), &Arc::default());
    for (from, calls) in [(Position::At(NOW), 1), (after(5), 3)] {
        let read = kinesis.read(&reader, NOW, from, 100, Vec::new()).await;
        assert_eq!(read.expect_err("refused").class, FailureClass::Denied);
        assert_eq!(server.calls("GetShardIterator").len(), calls);
    }
}

#[tokio::test]
async fn kinesis_vanished_shard() {
    let listed = |name: &str| {
        json!({"Shards": [{"ShardId": name, "HashKeyRange": {"StartingHashKey": "0", "EndingHashKey": "1"},
            "SequenceNumberRange": {"StartingSequenceNumber": "1"}}]})
    };
    for (listing, is_gone) in [
        ((200, listed("child")), true),
        ((200, listed("shard")), false),
        ((200, json!({"Shards": []})), false),
        (error("ResourceNotFoundException"), false),
    ] {
        let server = Scripted::start(move |call, _| match call {
            "ListShards" => listing.clone(),
            _ => error("ResourceNotFoundException"),
        })
        .await;
        let kinesis = open(&server).await;
        let reader = kinesis.reader(&Arc::from("shard"), &Arc::default());
        let read = kinesis.read(&reader, NOW, after(5), 100, Vec::new()).await;
        match read {
            Ok(page) => assert!(is_gone && page.shard_end && page.records.is_empty()),
            Err(error) => assert!(!is_gone && error.class == FailureClass::Denied),
        }
    }
}

#[tokio::test]
async fn a_server_that_pads_its_numbers_gets_them_padded() {
    let server = Scripted::start(|call, _| match call {
        "ListShards" => (
            200,
            json!({"Shards": [{"ShardId": "shard", "HashKeyRange": {"StartingHashKey": "0", "EndingHashKey": "1"},
                "SequenceNumberRange": {"StartingSequenceNumber": "0000000017"}}]}),
        ),
        "GetShardIterator" => (200, json!({"ShardIterator": "i"})),
        _ => (200, json!({"Records": [], "NextShardIterator": "i"})),
    })
    .await;
    let kinesis = open(&server).await;
    kinesis.shards().await.expect("shards");
    let reader = kinesis.reader(&Arc::from("shard"), &Arc::default());
    let read = kinesis.read(&reader, NOW, after(42), 100, Vec::new());
    read.await.expect("a page");
    let asked = &server.calls("GetShardIterator")[0];
    assert_eq!(asked["StartingSequenceNumber"], "0000000042");
}

#[tokio::test]
async fn every_limit_of_the_service_is_a_throttle() {
    for code in [
        "ProvisionedThroughputExceededException",
        "KMSThrottlingException",
        "LimitExceededException",
    ] {
        let server = Scripted::start(move |call, _| match call {
            "GetShardIterator" => (200, json!({"ShardIterator": "i"})),
            _ => error(code),
        })
        .await;
        let kinesis = open(&server).await;
        let reader = kinesis.reader(&Arc::from("shard"), &Arc::default());
        let read = kinesis.read(&reader, NOW, Position::Horizon, 100, Vec::new());
        let throttled = read.await.expect_err("throttled");
        assert_eq!(throttled.class, FailureClass::Throttled, "{code}");
    }
}

#[tokio::test]
async fn kinesis_shared_keeps_aggregates() {
    let data = aggregate(&[("a", b"one"), ("b", b"two")]);
    let text = STANDARD.encode(&data);
    let shown = text.clone();
    let server = Scripted::start(move |call, _| match call {
        "GetShardIterator" => (200, json!({"ShardIterator": "i"})),
        _ => (
            200,
            json!({"Records": [{"SequenceNumber": "7", "ApproximateArrivalTimestamp": 1.5,
                "Data": text, "PartitionKey": "a"}], "NextShardIterator": "i"}),
        ),
    })
    .await;
    let kinesis = open(&server).await;
    let reader = kinesis.reader(&Arc::from("shard"), &Arc::default());
    let read = kinesis.read(&reader, NOW, Position::Horizon, 100, Vec::new());
    let page = read.await.expect("a page");
    assert_eq!(page.records.len(), 1);
    let record: Value = serde_json::from_slice(&page.records[0].payload.json).expect("JSON");
    assert_eq!(record["kinesis"]["data"], shown);
}

#[tokio::test]
async fn a_page_covers_what_its_filters_leave_out() {
    let server = Scripted::start(|call, _| match call {
        "GetShardIterator" => (200, json!({"ShardIterator": "i"})),
        _ => {
            let with = |number: u64, key: &str, data: &str| {
                let data = STANDARD.encode(data);
                json!({"SequenceNumber": number.to_string(), "Data": data, "PartitionKey": key})
            };
            let records = [
                with(1, "a", r#"{"n":1}"#),
                with(2, "b", r#"{"n":1}"#),
                with(3, "a", r#"{"n":2}"#),
                with(4, "a", "plain"),
            ];
            (
                200,
                json!({"Records": records, "NextShardIterator": "i", "MillisBehindLatest": 0}),
            )
        }
    })
    .await;
    let kinesis = open(&server).await;
    let kept = async |pattern: &str| {
        let keep = Keep::matching(SourceKind::Kinesis, &[pattern.to_owned()]).expect("a pattern");
        let reader = kinesis.reader(&Arc::from("shard"), &Arc::new(keep));
        let page = kinesis
            .read(&reader, NOW, Position::Horizon, 100, Vec::new())
            .await
            .expect("a page");
        assert_eq!((page.end, page.bytes), (Some(Seq::from(4)), 30));
        assert_eq!(page.filtered as usize, 4 - page.records.len());
        for record in &page.records {
            assert_eq!(record.payload.json.len(), record.meta.wire_len as usize);
        }
        let numbers = page.records.iter().map(|record| record.meta.seq.low_u64());
        numbers.collect::<Vec<_>>()
    };
    assert_eq!(kept(r#"{"data":{"n":[1]}}"#).await, [1, 2]);
    assert_eq!(
        kept(r#"{"data":{"n":[1]},"partitionKey":["a"]}"#).await,
        [1]
    );
    assert_eq!(
        kept(r#"{"kinesis":{"partitionKey":["a"]}}"#).await,
        [1, 3, 4]
    );
    assert!(kept(r#"{"data":{"n":[3]}}"#).await.is_empty());
}
