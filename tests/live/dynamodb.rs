//! What the poller relies upon in DynamoDB Streams, seen to hold in the server that its tests run against.

mod poll;

use crate::support::dynamodb::{Table, stream_call};
use serde_json::{Value, json};

async fn read(iterator: &Value, limit: u32) -> Value {
    stream_call(
        "GetRecords",
        &json!({"ShardIterator": iterator, "Limit": limit}),
    )
    .await
}

fn sequences(page: &Value) -> Vec<String> {
    let records = page["Records"].as_array().expect("a list of records");
    let numbers = records
        .iter()
        .map(|record| record["dynamodb"]["SequenceNumber"].as_str());
    numbers
        .map(|number| number.expect("a number").to_owned())
        .collect()
}

#[tokio::test]
async fn pages_follow_each_other_and_sequence_numbers_have_zeros_in_front() {
    let table = Table::create().await;
    for number in 0..5 {
        table.put(&format!("item-{number}"), "text").await;
    }
    let shards = table.shards().await;
    let [shard] = shards.as_slice() else {
        panic!("one shard: {shards:?}");
    };
    let latest = table.iterator(shard, "LATEST", None).await;
    let first = table.iterator(shard, "TRIM_HORIZON", None).await;
    let page = read(&first, 3).await;
    let mut numbers = sequences(&page);
    let rest = read(&page["NextShardIterator"], 3).await;
    numbers.extend(sequences(&rest));
    assert_eq!(numbers.len(), 5);
    // The API takes no shorter ones, so what is stored as a number has to be padded again.
    assert!(
        numbers.iter().all(|number| number.len() == 21),
        "{numbers:?}"
    );
    assert!(numbers.is_sorted());
    let after = table
        .iterator(shard, "AFTER_SEQUENCE_NUMBER", Some(&numbers[2]))
        .await;
    assert_eq!(sequences(&read(&after, 100).await), numbers[3..]);
    assert_eq!(sequences(&read(&latest, 100).await), Vec::<String>::new());
}

#[tokio::test]
async fn a_disabled_stream_has_an_end_and_is_readable_up_to_it() {
    let table = Table::create().await;
    table.put("a", "text").await;
    table.disable_stream().await;
    let shard = table.shards().await.remove(0);
    let end = &shard["SequenceNumberRange"]["EndingSequenceNumber"];
    assert!(end.is_string(), "{shard}");
    let mut iterator = table.iterator(&shard, "TRIM_HORIZON", None).await;
    let mut numbers = Vec::new();
    while !iterator.is_null() {
        let page = read(&iterator, 100).await;
        numbers.extend(sequences(&page));
        iterator = page["NextShardIterator"].clone();
    }
    assert_eq!(numbers, [end.as_str().expect("a number")]);
}
