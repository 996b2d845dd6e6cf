use super::*;
use crate::engine::Seq;
use crate::source::scripted::{Scripted, error};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

const ARN: &str =
    "arn:aws:dynamodb:ddblocal:000000000000:table/orders/stream/2026-11-21T09:36:01.253";
/// 13 s into a minute.
const NOW: Time = Time::from_secs(1_700_000_000 - 7);
const MINUTE: u64 = 1_700_000_000 - 20;

async fn open(server: &Scripted) -> DynamoDb {
    let arn = Arn::parse(ARN).expect("an ARN");
    DynamoDb::open(&arn, Some(&server.url), &Aws::default())
        .await
        .expect("a stream")
}

/// Record `number`, created at the second `created`, of the item with the key `item`.
fn record_at(number: u64, created: u64, item: &str) -> Value {
    json!({"eventID": number.to_string(), "eventName": "INSERT", "awsRegion": "ddblocal", "dynamodb": {
        "ApproximateCreationDateTime": created, "Keys": {"id": {"S": item}},
        "SequenceNumber": format!("{number:021}"), "SizeBytes": 10, "StreamViewType": "KEYS_ONLY"}})
}

fn record(number: u64) -> Value {
    record_at(number, MINUTE, "a")
}

fn page(records: &[Value], next: Option<&str>) -> (u16, Value) {
    let mut page = json!({"Records": records});
    if let Some(next) = next {
        page["NextShardIterator"] = json!(next);
    }
    (200, page)
}

/// An iterator that is named after how it was asked for.
fn iterator(body: &Value) -> (u16, Value) {
    let kind = body["ShardIteratorType"].as_str().expect("a type");
    (200, json!({"ShardIterator": kind}))
}

fn after(number: u64) -> Position {
    Position::After(Seq::from(number))
}

fn used(server: &Scripted) -> Vec<String> {
    let calls = server.calls("GetRecords");
    let used = calls.iter().map(|body| body["ShardIterator"].as_str());
    used.map(|used| used.expect("an iterator").to_owned())
        .collect()
}

fn numbers(page: &Page<Payload>) -> Vec<u64> {
    let numbers = page.records.iter().map(|record| record.meta.seq.low_u64());
    numbers.collect()
}

/// A stream whose server gives these answers to one read after the other, and a reader of it.
async fn reading(answers: Vec<(u16, Value)>) -> (Scripted, DynamoDb, Reader) {
    let reads = AtomicU32::new(0);
    let server = Scripted::start(move |call, body| match call {
        "GetShardIterator" => iterator(body),
        _ => answers[reads.fetch_add(1, Relaxed) as usize].clone(),
    })
    .await;
    let dynamodb = open(&server).await;
    let reader = dynamodb.reader(&Arc::from("shard"), &Arc::default());
    (server, dynamodb, reader)
}

#[tokio::test]
async fn shards_are_listed_over_all_pages_with_their_parents() {
    let server = Scripted::start(|_, body| {
        let shard = |name: &str, parent: Option<&str>, end: Option<&str>| {
            json!({"ShardId": name, "ParentShardId": parent,
                "SequenceNumberRange": {"StartingSequenceNumber": "1", "EndingSequenceNumber": end}})
        };
        assert_eq!(body["StreamArn"], ARN);
        let (shards, last) = match body["ExclusiveStartShardId"].as_str() {
            None => (vec![shard("a", Some("trimmed"), Some("9"))], Some("a")),
            Some("a") => (vec![shard("b", Some("a"), Some("12"))], Some("b")),
            _ => (vec![shard("c", Some("a"), None)], None),
        };
        (200, json!({"StreamDescription": {"Shards": shards, "LastEvaluatedShardId": last}}))
    })
    .await;
    let shards = open(&server).await.shards().await.expect("shards");
    let listed = |name: &str, parent: &str, closed| ListedShard {
        name: Arc::from(name),
        parents: vec![Arc::from(parent)],
        closed,
    };
    let expected = [
        listed("a", "trimmed", true),
        listed("b", "a", true),
        listed("c", "a", false),
    ];
    assert_eq!(shards, expected);
}

#[tokio::test]
async fn the_live_iterator_is_used_until_it_expires() {
    let (server, dynamodb, reader) = reading(vec![
        page(&[record(1), record(2)], Some("i-2")),
        error("LimitExceededException"),
        page(&[], Some("i-3")),
        error("ExpiredIteratorException"),
        page(&[record(3)], None),
    ])
    .await;
    let read = async |from| dynamodb.read(&reader, NOW, from, 5_000, Vec::new()).await;
    let first = read(Position::Horizon).await.expect("a page");
    assert_eq!((numbers(&first), first.end), (vec![1, 2], Some(2.into())));
    assert_eq!((first.behind, first.bytes), (Span::ZERO, 20));
    let throttled = read(after(2)).await.expect_err("throttled");
    assert_eq!(throttled.class, FailureClass::Throttled);
    let empty = read(after(2)).await.expect("an empty page");
    assert_eq!((empty.end, empty.shard_end), (None, false));
    let last = read(after(2)).await.expect("the last page");
    assert!(last.shard_end);
    let expected = ["TRIM_HORIZON", "i-2", "i-2", "i-3", "AFTER_SEQUENCE_NUMBER"];
    assert_eq!(used(&server), expected);
    assert_eq!(server.calls("GetRecords")[0]["Limit"], 1_000);
    let asked = &server.calls("GetShardIterator")[1];
    assert_eq!(asked["SequenceNumber"], "000000000000000000002");
    assert_eq!(asked["StreamArn"], ARN);
}

#[tokio::test]
async fn dynamodb_trimmed() {
    // The position of a checkpoint is gone, and later the place of a live iterator.
    let reads = AtomicU32::new(0);
    let server = Scripted::start(move |call, body| match call {
        "GetShardIterator" if body["ShardIteratorType"] == "AFTER_SEQUENCE_NUMBER" => {
            error("TrimmedDataAccessException")
        }
        "GetShardIterator" => iterator(body),
        _ => match reads.fetch_add(1, Relaxed) {
            0 => page(&[record(70)], Some("i-70")),
            1 => error("TrimmedDataAccessException"),
            2 => page(&[record(90)], Some("i-90")),
            _ => error("TrimmedDataAccessException"),
        },
    })
    .await;
    let dynamodb = open(&server).await;
    let reader = dynamodb.reader(&Arc::from("shard"), &Arc::default());
    let read = async |from| dynamodb.read(&reader, NOW, from, 100, Vec::new()).await;
    let first = read(after(5)).await.expect("what is left");
    assert_eq!(numbers(&first), [70]);
    let second = read(after(70)).await.expect("what is left");
    assert_eq!(numbers(&second), [90]);
    let expected = ["TRIM_HORIZON", "i-70", "TRIM_HORIZON"];
    assert_eq!(used(&server), expected);
    // Replaced once, not for ever.
    let failed = read(after(90)).await.expect_err("trimmed twice");
    assert_eq!(failed.class, FailureClass::Transient);
    assert_eq!(used(&server).len(), 5);
}

#[tokio::test]
async fn dynamodb_latest() {
    let (server, dynamodb, reader) = reading(vec![
        page(&[], Some("i-1")),
        error("ExpiredIteratorException"),
        page(
            &[
                record_at(1, MINUTE - 60, "a"),
                record_at(2, MINUTE - 1, "a"),
            ],
            Some("i-2"),
        ),
        // What was created before the minute is skipped until something later was seen.
        page(
            &[
                record_at(3, MINUTE - 1, "a"),
                record_at(4, MINUTE, "a"),
                record_at(5, MINUTE - 1, "a"),
            ],
            Some("i-3"),
        ),
    ])
    .await;
    let read = async |from, later| {
        let now = NOW + Span::from_secs(later);
        let page = dynamodb.read(&reader, now, from, 100, Vec::new()).await;
        page.expect("a page")
    };
    assert_eq!(read(Position::Latest, 0).await.end, None);
    let skipped = read(Position::Latest, 1_000).await;
    assert_eq!((numbers(&skipped), skipped.end), (vec![], None));
    assert!(skipped.behind > Span::ZERO, "there is more to skip");
    let kept = read(Position::Latest, 1_001).await;
    assert_eq!((numbers(&kept), kept.end), (vec![4, 5], Some(5.into())));
    assert_eq!(used(&server), ["LATEST", "i-1", "TRIM_HORIZON", "i-2"]);

    // After a restart the position is the moment at which `Latest` was meant.
    let (server, dynamodb, reader) = reading(vec![page(
        &[record_at(1, MINUTE - 1, "a"), record_at(2, MINUTE + 3, "a")],
        Some("i-1"),
    )])
    .await;
    let read = dynamodb.read(&reader, NOW, Position::At(NOW), 100, Vec::new());
    assert_eq!(numbers(&read.await.expect("a page")), [2]);
    assert_eq!(used(&server), ["TRIM_HORIZON"]);
}

#[tokio::test]
async fn a_full_page_says_how_far_behind_it_ends() {
    let mut large = record(3);
    large["dynamodb"]["SizeBytes"] = json!(600_000);
    let (_server, dynamodb, reader) = reading(vec![
        page(&[record(1), record(2)], Some("i-2")),
        page(&[large], Some("i-3")),
        page(&[record(4)], Some("i-4")),
        page(&[record(5), record(6)], None),
    ])
    .await;
    let mut behind = Vec::new();
    for from in [Position::Horizon, after(2), after(3), after(4)] {
        let page = dynamodb.read(&reader, NOW, from, 2, Vec::new()).await;
        behind.push(page.expect("a page").behind);
    }
    let age = NOW.since(Time::from_secs(MINUTE));
    assert_eq!(behind, [age, age, Span::ZERO, Span::ZERO]);
}

#[tokio::test]
async fn dynamodb_order_per_item() {
    let (_server, dynamodb, reader) = reading(vec![page(
        &[
            record_at(1, MINUTE, "a"),
            record_at(2, MINUTE, "b"),
            record_at(3, MINUTE, "a"),
        ],
        Some("i"),
    )])
    .await;
    let read = dynamodb.read(&reader, NOW, Position::Horizon, 100, Vec::new());
    let records = read.await.expect("a page").records;
    let groups: Vec<u64> = records.iter().map(|record| record.meta.group).collect();
    assert_eq!(groups[0], groups[2]);
    assert_ne!(groups[0], groups[1]);
    for record in &records {
        assert_eq!(record.meta.wire_len as usize, record.payload.json.len());
        assert_eq!(record.meta.arrival, Time::from_secs(MINUTE));
    }
    let expected = concat!(
        r#"{"eventID":"2","eventName":"INSERT","eventVersion":"1.1","eventSource":"aws:dynamodb","awsRegion":"ddblocal","#,
        r#""dynamodb":{"ApproximateCreationDateTime":1.69999998E9,"Keys":{"id":{"S":"b"}},"#,
        r#""SequenceNumber":"000000000000000000002","SizeBytes":10,"StreamViewType":"KEYS_ONLY"},"#,
        r#""eventSourceARN":"arn:aws:dynamodb:ddblocal:000000000000:table/orders/stream/2026-11-21T09:36:01.253"}"#,
    );
    assert_eq!(std::str::from_utf8(&records[1].payload.json), Ok(expected));
}

#[tokio::test]
async fn missing_streams_odd_numbers_and_odd_types_are_denied() {
    let server = Scripted::start(|call, body| match call {
        "DescribeStream" => error("com.amazonaws.dynamodb.v20120810#ResourceNotFoundException"),
        "GetShardIterator" => (200, json!({"ShardIterator": body["ShardId"]})),
        _ if body["ShardIterator"] == "forbidden" => error("AccessDeniedException"),
        _ if body["ShardIterator"] == "number" => (
            200,
            json!({"Records": [{"dynamodb": {"SequenceNumber": "x"}}]}),
        ),
        _ => {
            let keys = json!({"id": {"QUBIT": "0"}});
            (
                200,
                json!({"Records": [{"dynamodb": {"SequenceNumber": "1", "Keys": keys}}]}),
            )
        }
    })
    .await;
    let dynamodb = open(&server).await;
    let missing = dynamodb.shards().await.expect_err("no such stream");
    assert_eq!(missing.class, FailureClass::Denied);
    for shard in ["forbidden", "number", "type"] {
        let reader = dynamodb.reader(&Arc::from(shard), &Arc::default());
        let read = dynamodb.read(&reader, NOW, Position::Horizon, 1, Vec::new());
        let failed = read.await.expect_err(shard);
        assert_eq!(failed.class, FailureClass::Denied, "{failed}");
    }
}

#[tokio::test]
async fn an_answer_that_makes_no_sense_is_not_repeated_in_the_log() {
    let mut odd = record(1);
    odd["dynamodb"]["NewImage"] = json!({"card": {"S": "4111"}, "empty": {}});
    let (_server, dynamodb, reader) = reading(vec![page(&[odd], None)]).await;
    let read = dynamodb.read(&reader, NOW, Position::Horizon, 1, Vec::new());
    let failed = read.await.expect_err("a value without a type");
    assert_eq!(failed.class, FailureClass::Transient);
    assert_eq!(failed.text, "an answer with the status 200 makes no sense");
}
