use super::*;
use crate::engine::Seq;
use crate::scenario::{Arn, Aws};
use crate::source::kpl::tests::aggregate;
use crate::source::scripted::{Reply, Scripted, Then, error};
use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::Arc;

const NOW: Time = Time::from_secs(1_700_000_000);
const ARN: &str = "arn:aws:kinesis:us-east-2:123456789012:stream/clicks/consumer/fast:1700000000";

async fn open(server: &Scripted) -> (Kinesis, Reader) {
    let arn = Arn::parse(ARN).expect("an ARN");
    let kinesis = Kinesis::open(&arn, Some(&server.url), &Aws::default(), "role").await;
    let kinesis = kinesis.expect("a stream");
    let reader = kinesis.reader(&Arc::from("shard"), &Arc::default());
    (kinesis, reader)
}

fn after(number: u64) -> Position {
    Position::After(Seq::from(number))
}

fn message(headers: &[(&'static str, &'static str)], payload: &Value) -> Bytes {
    let payload = if payload.is_null() {
        Bytes::new()
    } else {
        Bytes::from(payload.to_string())
    };
    let mut message = Message::new(payload);
    for (name, value) in headers {
        message = message.add_header(Header::new(*name, HeaderValue::String((*value).into())));
    }
    let mut out = Vec::new();
    write_message_to(&message, &mut out).expect("a message");
    Bytes::from(out)
}

fn initial() -> Bytes {
    let headers = [
        (":message-type", "event"),
        (":event-type", "initial-response"),
    ];
    message(&headers, &json!({}))
}

fn event(payload: &Value) -> Bytes {
    let headers = [
        (":message-type", "event"),
        (":event-type", "SubscribeToShardEvent"),
        (":content-type", "application/json"),
    ];
    message(&headers, payload)
}

fn exception(name: &'static str) -> Bytes {
    let headers = [
        (":message-type", "exception"),
        (":exception-type", name),
        (":content-type", "application/json"),
    ];
    message(&headers, &json!({"message": "as scripted"}))
}

fn stream(events: impl IntoIterator<Item = Bytes>, then: Then) -> Reply {
    let mut pieces = VecDeque::from([initial()]);
    pieces.extend(events);
    Reply {
        status: 200,
        pieces,
        then,
    }
}

fn record(number: u64, key: &str, data: &[u8]) -> Value {
    json!({"SequenceNumber": number.to_string(), "ApproximateArrivalTimestamp": 1_545_084_650.987,
        "Data": STANDARD.encode(data), "PartitionKey": key})
}

fn plain(numbers: std::ops::Range<u64>, continuation: u64) -> Bytes {
    let records: Vec<_> = numbers.map(|number| record(number, "k", b"x")).collect();
    event(
        &json!({"Records": records, "ContinuationSequenceNumber": continuation.to_string(),
        "MillisBehindLatest": 40}),
    )
}

async fn read(
    (kinesis, reader): &(Kinesis, Reader),
    from: Position,
) -> Result<Page<Payload>, CallError> {
    kinesis.read(reader, NOW, from, 10, Vec::new()).await
}

/// A read so much later that the next subscription need not wait.
async fn read_later(
    (kinesis, reader): &(Kinesis, Reader),
    from: Position,
) -> Result<Page<Payload>, CallError> {
    let later = NOW + Span::from_secs(2);
    kinesis.read(reader, later, from, 10, Vec::new()).await
}

fn started(server: &Scripted) -> Vec<Value> {
    let calls = server.calls("SubscribeToShard");
    calls
        .iter()
        .map(|body| body["StartingPosition"].clone())
        .collect()
}

#[tokio::test]
async fn kinesis_fan_out_arn() {
    let server = Scripted::start(|call, body| match call {
        "ListShards" => {
            assert_eq!(body["StreamName"], "clicks");
            (200, json!({"Shards": []})).into()
        }
        _ => {
            assert_eq!(
                (&body["ConsumerARN"], &body["ShardId"]),
                (&json!(ARN), &json!("shard"))
            );
            stream([plain(1..2, 1)], Then::Wait)
        }
    })
    .await;
    let fan = open(&server).await;
    fan.0.shards().await.expect("a list");
    let page = read(&fan, Position::Horizon).await.expect("a page");
    let record: Value = serde_json::from_slice(&page.records[0].payload.json).expect("JSON");
    assert_eq!(record["eventSourceARN"], ARN);
    assert_eq!(record["eventID"], "shard:1");
    assert_eq!((page.bytes, page.behind), (2, Span::from_millis(40)));
    let arrival = page.records[0].meta.arrival;
    assert_eq!(arrival, Time::from_millis(1_545_084_650_987));
}

#[tokio::test]
async fn one_subscription_gives_page_after_page_to_the_end_of_the_shard() {
    let last = event(
        &json!({"Records": [], "MillisBehindLatest": 0, "ChildShards": [
        {"ShardId": "child", "ParentShards": ["shard"],
            "HashKeyRange": {"StartingHashKey": "0", "EndingHashKey": "1"}}]}),
    );
    let server = Scripted::start(move |_, _| {
        let unknown = [(":message-type", "event"), (":event-type", "News")];
        let unknown = message(&unknown, &json!({}));
        let events = [plain(1..3, 5), plain(0..0, 9), unknown, plain(10..35, 40)];
        let events = events.into_iter().chain([last.clone()]);
        stream(events, Then::Close)
    })
    .await;
    let fan = open(&server).await;
    let mut from = Position::Horizon;
    let mut seen = Vec::new();
    loop {
        let page = read(&fan, from).await.expect("a page");
        seen.push((page.records.len(), page.end.map(Seq::low_u64)));
        if page.shard_end {
            break;
        }
        from = page.end.map_or(from, Position::After);
    }
    // Pages of ten at most; only the last one of an event ends where the event does.
    let expected = [
        (2, Some(5)),
        (0, Some(9)),
        (10, Some(19)),
        (10, Some(29)),
        (5, Some(40)),
        (0, None),
    ];
    assert_eq!(seen, expected);
    assert_eq!(started(&server), [json!({"Type": "TRIM_HORIZON"})]);
}

#[tokio::test]
async fn a_subscription_that_ends_is_renewed_where_it_stood() {
    for then in [Then::Close, Then::Wait] {
        let server =
            Scripted::start(move |_, body| {
                match body["StartingPosition"]["SequenceNumber"].as_str() {
                    None => stream([plain(1..3, 5)], then),
                    Some(_) => stream([plain(6..7, 7)], then),
                }
            })
            .await;
        let fan = open(&server).await;
        read(&fan, Position::Horizon).await.expect("a page");
        if matches!(then, Then::Wait) {
            // Nothing is on its way, so that the clock runs to the end of the patience.
            tokio::time::pause();
        }
        let ended = read(&fan, after(5)).await.expect("the end of it");
        if matches!(then, Then::Wait) {
            tokio::time::resume();
        }
        assert_eq!((ended.end, ended.shard_end), (None, false));
        assert_eq!(ended.behind, Span::from_millis(40), "as far as is known");
        let next = read_later(&fan, after(5)).await.expect("a page");
        assert_eq!(next.end, Some(Seq::from(7)));
        let renewed = json!({"Type": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": "5"});
        assert_eq!(started(&server)[1..], [renewed], "{then:?}");
    }
}

#[tokio::test]
async fn failures_have_their_class_and_the_subscription_is_made_anew() {
    use FailureClass::{Denied, Throttled, Transient};
    for (name, class) in [
        ("ResourceInUseException", Throttled),
        ("KMSThrottlingException", Throttled),
        ("KMSAccessDeniedException", Denied),
        ("ResourceNotFoundException", Denied),
        ("InternalFailureException", Transient),
        ("", Transient),
    ] {
        let server = Scripted::start(move |_, body| {
            if body["StartingPosition"]["Type"] == "AFTER_SEQUENCE_NUMBER" {
                return stream([plain(6..7, 7)], Then::Wait);
            }
            match name {
                "" => stream([plain(1..3, 5)], Then::Break),
                _ => stream([plain(1..3, 5), exception(name)], Then::Wait),
            }
        })
        .await;
        let fan = open(&server).await;
        read(&fan, Position::Horizon).await.expect("a page");
        let failed = read(&fan, after(5)).await.expect_err("a failure");
        assert_eq!(failed.class, class, "{failed}");
        let next = read_later(&fan, after(5)).await.expect(name);
        assert_eq!(next.end, Some(Seq::from(7)));
    }
}

#[tokio::test]
async fn a_refused_subscription_has_its_class() {
    for (name, class) in [
        ("ResourceInUseException", FailureClass::Throttled),
        ("LimitExceededException", FailureClass::Throttled),
        ("AccessDeniedException", FailureClass::Denied),
    ] {
        let server = Scripted::start(move |_, _| error(name)).await;
        let fan = open(&server).await;
        let refused = read(&fan, Position::Horizon).await.expect_err("refused");
        assert_eq!(refused.class, class, "{refused}");
        assert_eq!(started(&server).len(), 1);
    }
}

#[tokio::test]
async fn a_trimmed_position_goes_on_at_the_oldest_record() {
    let server = Scripted::start(|_, body| match body["StartingPosition"]["Type"].as_str() {
        Some("TRIM_HORIZON") => stream([plain(70..71, 70)], Then::Wait),
        _ => error("InvalidArgumentException").into(),
    })
    .await;
    let fan = open(&server).await;
    let page = read(&fan, after(5)).await.expect("a page");
    assert_eq!(page.end, Some(Seq::from(70)));
    assert_eq!(started(&server).len(), 2);
}

#[tokio::test]
async fn an_odd_number_is_not_skipped() {
    let server = Scripted::start(|_, _| {
        let odd = json!({"Records": [record(1, "k", b"x")], "ContinuationSequenceNumber": "x",
            "MillisBehindLatest": 0});
        stream([event(&odd), plain(2..3, 2)], Then::Wait)
    })
    .await;
    let fan = open(&server).await;
    for _ in 0..2 {
        let odd = read(&fan, Position::Horizon).await;
        assert_eq!(odd.expect_err("no number").class, FailureClass::Denied);
    }
    assert_eq!(started(&server).len(), 2);
}

/// A page with one aggregate of three user records, and a record that only begins like one.
async fn page_of_aggregates() -> Page<Payload> {
    let whole = aggregate(&[("a", b"one"), ("b", b"two"), ("a", b"three")]);
    let broken = whole[..whole.len() - 1].to_vec();
    let server = Scripted::start(move |_, _| {
        let records = [
            record(1, "outer", &whole),
            record(2, "outer", &broken),
            record(3, "k", b"plain"),
        ];
        let payload = json!({"Records": records, "ContinuationSequenceNumber": "3",
            "MillisBehindLatest": 0});
        stream([event(&payload)], Then::Wait)
    })
    .await;
    let fan = open(&server).await;
    read(&fan, Position::Horizon).await.expect("a page")
}

fn shown(page: &Page<Payload>) -> Vec<Value> {
    let records = page.records.iter();
    records
        .map(|record| serde_json::from_slice(&record.payload.json).expect("JSON"))
        .collect()
}

#[tokio::test]
async fn kinesis_fan_out_deaggregates() {
    let page = page_of_aggregates().await;
    let shown = shown(&page);
    let data: Vec<_> = shown
        .iter()
        .map(|record| record["kinesis"]["data"].as_str().expect("data"))
        .collect();
    let encode = |data: &str| STANDARD.encode(data);
    assert_eq!(data[..3], [encode("one"), encode("two"), encode("three")]);
    assert_eq!(shown[3]["kinesis"]["partitionKey"], "outer");
    assert_eq!(data[4], encode("plain"));
    assert_eq!((page.records.len(), page.end), (5, Some(Seq::from(3))));
}

#[tokio::test]
async fn kpl_inner_records_share_sequence() {
    let page = page_of_aggregates().await;
    for (record, shown) in page.records.iter().zip(shown(&page)).take(3) {
        assert_eq!(record.meta.seq, Seq::from(1));
        assert_eq!(shown["eventID"], "shard:1");
        assert_eq!(shown["kinesis"]["sequenceNumber"], "1");
        let arrival = Time::from_millis(1_545_084_650_987);
        assert_eq!(record.meta.arrival, arrival);
    }
}

#[tokio::test]
async fn kpl_lane_deviation() {
    let page = page_of_aggregates().await;
    let groups: Vec<u64> = page
        .records
        .iter()
        .map(|record| record.meta.group)
        .collect();
    // Each record has the lane of its own key, and none is left out for being in another one than its neighbour.
    assert_eq!(groups[0], groups[2]);
    assert_ne!(groups[0], groups[1]);
    let keys: Vec<Value> = shown(&page)
        .iter()
        .map(|record| record["kinesis"]["partitionKey"].clone())
        .collect();
    assert_eq!(keys[..3], [json!("a"), json!("b"), json!("a")]);
}
