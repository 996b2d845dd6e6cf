//! Enhanced fan-out with the poller itself: records are pushed to a consumer of the test's own.

use crate::support::poller::{Invocation, Poller};
use crate::support::{KINESIS_URL, MINISTACK_URL, Stream, eventually, kinesis_at, server_url};
use aws_sdk_kinesis::types::ConsumerStatus;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

const HORIZON: &str = "StartingPosition = \"TRIM_HORIZON\"\n";

/// A consumer of a stream, on one of the two servers.
struct Consumer {
    stream: Stream,
    arn: String,
    url: String,
}

impl Consumer {
    async fn create(server: &str, shards: i32) -> Self {
        let url = server_url(server);
        let stream = Stream::create_with(kinesis_at(&url), shards).await;
        let client = stream.client.clone();
        let registered = client
            .register_stream_consumer()
            .stream_arn(&stream.arn)
            .consumer_name("tested")
            .send()
            .await
            .expect("RegisterStreamConsumer");
        let arn = registered.consumer.expect("a consumer").consumer_arn;
        eventually("an ACTIVE consumer", async || {
            let call = client.describe_stream_consumer().consumer_arn(&arn);
            let answer = call.send().await.expect("DescribeStreamConsumer");
            let description = answer.consumer_description.expect("a description");
            (description.consumer_status == ConsumerStatus::Active).then_some(())
        })
        .await;
        Self { stream, arn, url }
    }

    fn poller(&self, mapping: &str) -> Poller {
        let mapping = format!("{HORIZON}{mapping}");
        Poller::new(&self.arn, self.url.clone(), &mapping)
    }
}

fn numbered(numbers: std::ops::Range<usize>) -> Vec<(String, Vec<u8>)> {
    numbers
        .map(|number| {
            let data = format!("data-{number}").into_bytes();
            (format!("key-{number}"), data)
        })
        .collect()
}

fn records(invocations: &[Invocation]) -> Vec<Value> {
    let lists = invocations.iter().map(|it| it.records.clone());
    lists.flatten().collect()
}

fn text<'a>(record: &'a Value, pointer: &str) -> &'a str {
    let value = record.pointer(pointer).and_then(Value::as_str);
    value.unwrap_or_else(|| panic!("{pointer} in {record}"))
}

fn data(record: &Value) -> String {
    let decoded = STANDARD.decode(text(record, "/kinesis/data"));
    String::from_utf8(decoded.expect("base64")).expect("text")
}

fn shard(record: &Value) -> &str {
    let (shard, _) = text(record, "/eventID").split_once(':').expect("an id");
    shard
}

/// What one shard delivered, in order.
fn of_shard(records: &[Value], name: &str) -> Vec<String> {
    let own = records.iter().filter(|record| shard(record) == name);
    own.map(data).collect()
}

async fn pushed_in_order(server: &str) {
    let consumer = Consumer::create(server, 2).await;
    let put = numbered(0..300);
    let mut places = consumer.stream.put(&put[..200]).await;
    let poller = consumer.poller("BatchSize = 40\n");
    let running = poller.start(&[]);
    poller.await_invocations("what was there already", |seen| records(seen).len() >= 200);
    places.extend(consumer.stream.put(&put[200..]).await);
    let seen = poller.await_invocations("what came later", |seen| records(seen).len() >= 300);
    let ended = running.terminate();
    assert!(ended.status.success(), "{ended:?}");
    let seen = records(&seen);
    assert_eq!(seen.len(), 300);
    assert!(
        seen.iter()
            .all(|record| record["eventSourceARN"] == consumer.arn.as_str())
    );
    for name in ["shardId-000000000000", "shardId-000000000001"] {
        let expected: Vec<String> = places
            .iter()
            .zip(&put)
            .filter(|((place, _), _)| place == name)
            .map(|(_, (_, data))| String::from_utf8_lossy(data).into_owned())
            .collect();
        assert!(!expected.is_empty());
        assert_eq!(of_shard(&seen, name), expected);
    }
}

#[tokio::test]
async fn records_are_pushed_in_order() {
    pushed_in_order(MINISTACK_URL).await;
}

#[tokio::test]
async fn records_are_pushed_in_order_by_the_other_server_too() {
    pushed_in_order(KINESIS_URL).await;
}

async fn goes_on_after_a_restart(server: &str) {
    let consumer = Consumer::create(server, 1).await;
    let poller = consumer.poller("BatchSize = 10\n");
    for (first, end) in [(0, 25), (25, 40), (40, 45)] {
        consumer.stream.put(&numbered(first..end)).await;
        let count = (end - first).to_string();
        let ended = poller.run(&["--max-records", &count]);
        assert!(ended.status.success(), "{ended:?}");
    }
    let seen: Vec<String> = records(&poller.invocations()).iter().map(data).collect();
    let expected: Vec<String> = (0..45).map(|number| format!("data-{number}")).collect();
    assert_eq!(seen, expected, "everything once");
}

/// This server pads its sequence numbers and compares them as texts.
#[tokio::test]
async fn a_restart_goes_on_from_the_checkpoint() {
    goes_on_after_a_restart(MINISTACK_URL).await;
}

#[tokio::test]
async fn a_restart_goes_on_from_the_checkpoint_on_the_other_server_too() {
    goes_on_after_a_restart(KINESIS_URL).await;
}

#[tokio::test]
async fn an_idle_subscription_does_not_hold_up_the_end() {
    let consumer = Consumer::create(MINISTACK_URL, 1).await;
    consumer.stream.put(&numbered(0..1)).await;
    let poller = consumer.poller("");
    let running = poller.start(&[]);
    poller.await_invocations("the one record", |seen| !seen.is_empty());
    // Now every subscription is silent, and reads wait for what does not come.
    let ended = running.terminate();
    assert!(ended.status.success(), "{ended:?}");
    let idle = poller.run(&["--stop-when-idle", "1s"]);
    assert!(idle.status.success(), "{idle:?}");
    assert_eq!(records(&poller.invocations()).len(), 1);
}

/// On MiniStack only: kinesis-mock never tells a subscriber that a shard has children.
#[tokio::test]
async fn children_of_a_split_shard_follow_their_parent() {
    let consumer = Consumer::create(MINISTACK_URL, 1).await;
    let stream = &consumer.stream;
    let parent = stream.shards().await.remove(0).shard_id;
    let poller = consumer.poller("BatchSize = 20\n");
    let running = poller.start(&[]);
    stream.put(&numbered(0..50)).await;
    // The server forgets a shard with its split: what was not pushed until then is gone.
    poller.await_invocations("the parent's records", |seen| records(seen).len() >= 50);
    stream
        .client
        .split_shard()
        .stream_name(&stream.name)
        .shard_to_split(&parent)
        .new_starting_hash_key("170141183460469231731687303715884105728")
        .send()
        .await
        .expect("SplitShard");
    stream.active().await;
    let places = stream.put(&numbered(50..150)).await;
    assert!(places.iter().all(|(place, _)| *place != parent));
    let seen = poller.await_invocations("the children's", |seen| records(seen).len() >= 150);
    let ended = running.terminate();
    assert!(ended.status.success(), "{ended:?}");
    let seen = records(&seen);
    assert_eq!(seen.len(), 150);
    let expected: Vec<String> = (0..50).map(|number| format!("data-{number}")).collect();
    assert_eq!(of_shard(&seen, &parent), expected);
    let last_of_parent = seen.iter().rposition(|record| shard(record) == parent);
    let first_of_child = seen.iter().position(|record| shard(record) != parent);
    assert!(last_of_parent < first_of_child);
    let mut children: Vec<&str> = seen[50..].iter().map(shard).collect();
    children.sort_unstable();
    children.dedup();
    assert_eq!(children.len(), 2);
}

/// The two user records ("a", "one") and ("b", "two"), as the KPL aggregates them; the last 16 bytes are the MD5 of
/// what is between the magic number and them.
const AGGREGATE: &str =
    "F3899AC20A01610A01621A0708001A036F6E651A0708011A0374776F7896626E4B54750E07FCFEB458E8A37E";

fn aggregate() -> Vec<u8> {
    let digits = AGGREGATE.as_bytes().chunks(2);
    digits
        .map(|pair| {
            let pair = std::str::from_utf8(pair).expect("digits");
            u8::from_str_radix(pair, 16).expect("hexadecimal")
        })
        .collect()
}

#[tokio::test]
async fn an_aggregate_is_taken_apart_by_fan_out_and_left_whole_by_shared_polling() {
    let consumer = Consumer::create(MINISTACK_URL, 1).await;
    let put = [
        ("outer".to_owned(), aggregate()),
        ("plain".to_owned(), b"three".to_vec()),
    ];
    let places = consumer.stream.put(&put).await;
    let pushed = consumer.poller("");
    let ended = pushed.run(&["--max-records", "3"]);
    assert!(ended.status.success(), "{ended:?}");
    let seen = records(&pushed.invocations());
    let shown: Vec<_> = seen
        .iter()
        .map(|record| {
            let key = text(record, "/kinesis/partitionKey").to_owned();
            let number = text(record, "/kinesis/sequenceNumber").to_owned();
            (key, number, data(record))
        })
        .collect();
    let expected = [("a", 0, "one"), ("b", 0, "two"), ("plain", 1, "three")];
    let expected =
        expected.map(|(key, at, data)| (key.to_owned(), places[at].1.clone(), data.to_owned()));
    assert_eq!(shown, expected);
    let (shard, number) = &places[0];
    assert_eq!(text(&seen[1], "/eventID"), format!("{shard}:{number}"));

    let polled = Poller::new(&consumer.stream.arn, consumer.url.clone(), HORIZON);
    let ended = polled.run(&["--max-records", "2"]);
    assert!(ended.status.success(), "{ended:?}");
    let seen = records(&polled.invocations());
    assert_eq!(text(&seen[0], "/kinesis/partitionKey"), "outer");
    let whole = STANDARD.decode(text(&seen[0], "/kinesis/data"));
    assert_eq!(whole.expect("base64"), aggregate());
    assert_eq!(data(&seen[1]), "three");
}
