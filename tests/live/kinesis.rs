//! What the poller relies upon in Kinesis, seen to hold in the server that its tests run against.

mod fanout;
mod filters;
mod lanes;
mod poll;
mod reload;
mod windows;

use aws_sdk_kinesis::primitives::DateTime;
use aws_sdk_kinesis::types::ShardIteratorType;

use crate::support::{Stream, eventually};

fn numbered(count: usize) -> Vec<(String, Vec<u8>)> {
    (0..count)
        .map(|index| (format!("key-{index}"), format!("data-{index}").into_bytes()))
        .collect()
}

/// Sequence numbers are decimal numbers without leading zeros, too large for 128 bits to be taken
/// for granted; so compared by length, then digit by digit.
fn sequence_order(number: &str) -> (usize, &str) {
    assert!(number.bytes().all(|b| b.is_ascii_digit()), "{number}");
    assert!(!number.starts_with('0'), "{number}");
    (number.len(), number)
}

#[tokio::test]
async fn pages_follow_each_other_and_tell_how_far_behind_they_are() {
    let stream = Stream::create(1).await;
    let shard = stream.shards().await.remove(0).shard_id;
    let places = stream.put(&numbered(25)).await;
    assert!(places.iter().all(|(place, _)| *place == shard));

    let mut iterator = stream
        .iterator(&shard, ShardIteratorType::TrimHorizon, None)
        .await;
    let mut read = Vec::new();
    let mut sizes = Vec::new();
    loop {
        let answer = stream
            .client
            .get_records()
            .shard_iterator(iterator)
            .limit(10)
            .send()
            .await
            .expect("GetRecords");
        iterator = answer.next_shard_iterator.expect("an open shard goes on");
        sizes.push(answer.records.len());
        read.extend(answer.records);
        let behind = answer.millis_behind_latest.expect("MillisBehindLatest");
        if read.len() == 25 {
            assert_eq!(behind, 0);
            break;
        }
    }
    assert_eq!(sizes, [10, 10, 5]);

    let numbers: Vec<_> = read.iter().map(|r| r.sequence_number.as_str()).collect();
    let put: Vec<_> = places.iter().map(|(_, number)| number.as_str()).collect();
    assert_eq!(numbers, put);
    assert!(numbers.is_sorted_by(|a, b| sequence_order(a) < sequence_order(b)));
    assert!(
        read.iter()
            .all(|r| r.approximate_arrival_timestamp.is_some())
    );

    // The tip is an empty page, and new records come through the same iterator.
    let answer = stream
        .client
        .get_records()
        .shard_iterator(iterator)
        .send()
        .await
        .expect("GetRecords");
    assert!(answer.records.is_empty());
    let iterator = answer.next_shard_iterator.expect("an open shard goes on");
    stream.put(&[("late".into(), b"late".to_vec())]).await;
    let answer = stream
        .client
        .get_records()
        .shard_iterator(iterator)
        .send()
        .await
        .expect("GetRecords");
    assert_eq!(answer.records[0].data.as_ref(), b"late");
    stream.delete().await;
}

#[tokio::test]
async fn reading_starts_again_at_or_after_a_sequence_number_or_a_time() {
    let stream = Stream::create(1).await;
    let shard = stream.shards().await.remove(0).shard_id;
    let places = stream.put(&numbered(5)).await;
    let first = async |iterator: String| {
        let answer = stream
            .client
            .get_records()
            .shard_iterator(iterator)
            .send()
            .await
            .expect("GetRecords");
        String::from_utf8(answer.records[0].data.as_ref().to_vec()).expect("text")
    };
    let third = Some(places[2].1.as_str());
    let at = stream
        .iterator(&shard, ShardIteratorType::AtSequenceNumber, third)
        .await;
    assert_eq!(first(at).await, "data-2");
    let after = stream
        .iterator(&shard, ShardIteratorType::AfterSequenceNumber, third)
        .await;
    assert_eq!(first(after).await, "data-3");

    let at_timestamp = stream
        .client
        .get_shard_iterator()
        .stream_name(&stream.name)
        .shard_id(&shard)
        .shard_iterator_type(ShardIteratorType::AtTimestamp)
        .timestamp(DateTime::from_secs(1))
        .send()
        .await
        .expect("GetShardIterator")
        .shard_iterator
        .expect("an iterator");
    assert_eq!(first(at_timestamp).await, "data-0");
    stream.delete().await;
}

#[tokio::test]
async fn a_split_closes_the_parent_which_names_its_children_at_its_end() {
    let stream = Stream::create(1).await;
    let parent = stream.shards().await.remove(0);
    stream.put(&numbered(30)).await;
    let middle = u128::MAX / 2 + 1;
    stream
        .client
        .split_shard()
        .stream_name(&stream.name)
        .shard_to_split(&parent.shard_id)
        .new_starting_hash_key(middle.to_string())
        .send()
        .await
        .expect("SplitShard");
    let children = eventually("two children", async || {
        let mut shards = stream.shards().await;
        shards.retain(|s| s.parent_shard_id.as_ref() == Some(&parent.shard_id));
        (shards.len() == 2).then_some(shards)
    })
    .await;
    stream.active().await;
    let places = stream.put(&numbered(30)).await;
    assert!(places.iter().all(|(shard, _)| *shard != parent.shard_id));

    // The closed shard is still listed, and read to its end it has no next iterator.
    let shards = stream.shards().await;
    let closed = shards.iter().find(|s| s.shard_id == parent.shard_id);
    let range = closed.and_then(|s| s.sequence_number_range.as_ref());
    assert!(range.is_some_and(|r| r.ending_sequence_number.is_some()));
    let mut iterator = Some(
        stream
            .iterator(&parent.shard_id, ShardIteratorType::TrimHorizon, None)
            .await,
    );
    let mut read = 0;
    let mut named = Vec::new();
    while let Some(current) = iterator {
        let answer = stream
            .client
            .get_records()
            .shard_iterator(current)
            .limit(20)
            .send()
            .await
            .expect("GetRecords");
        read += answer.records.len();
        iterator = answer.next_shard_iterator;
        named = answer.child_shards.unwrap_or_default();
    }
    assert_eq!(read, 30);
    let mut named: Vec<_> = named.into_iter().map(|child| child.shard_id).collect();
    named.sort();
    let mut expected: Vec<_> = children
        .iter()
        .map(|child| child.shard_id.clone())
        .collect();
    expected.sort();
    assert_eq!(named, expected);

    let mut after = 0;
    for child in &expected {
        after += stream.read(child).await.len();
    }
    assert_eq!(after, 30);
    stream.delete().await;
}
