use super::*;
use crate::engine::Ratio;
use crate::scenario::{Dist, Generated, Keys, LocalContent};

fn queue(count: u64, max_receive_count: Option<u32>) -> Queue {
    queue_of(SourceKind::Sqs, Keys::Unique, count, max_receive_count)
}

fn queue_of(kind: SourceKind, keys: Keys, count: u64, max_receive_count: Option<u32>) -> Queue {
    let generated = Generated {
        per_sec: 1e9,
        size: Dist::Constant(50.0),
        keys,
        count: Some(count),
        seed: 3,
    };
    let source = LocalSource {
        name: "orders".to_owned(),
        kind,
        shards: 1,
        visibility_timeout: Span::from_secs(30),
        max_receive_count,
        content: LocalContent::Generated(generated),
    };
    Queue::open(&source, Time::from_secs(1)).expect("a queue")
}

fn received(queue: &Queue, shape: &SqsShape, now: Time) -> Records {
    let page = queue.receive(shape, now, 10, Vec::new(), &Keep::default());
    assert!(page.rejected.is_empty());
    page.records
}

fn body(record: &Record<Payload>) -> serde_json::Value {
    assert_eq!(record.payload.json.len(), record.meta.wire_len as usize);
    serde_json::from_slice(&record.payload.json).expect("JSON")
}

#[test]
fn messages_come_back_after_the_visibility_timeout_until_they_are_deleted() {
    let queue = queue(3, None);
    let shape = queue.shape(false);
    let now = Time::from_secs(10);
    let first = received(&queue, &shape, now);
    assert_eq!(first.len(), 3);
    queue.delete(&first[0].payload.receipt);
    assert!(received(&queue, &shape, now).is_empty());
    assert_eq!(queue.next_visible(), Some(Time::from_secs(40)));
    let again = received(&queue, &shape, Time::from_secs(40));
    assert_eq!(again.len(), 2);
    let shown = body(&again[0]);
    assert_eq!(shown["attributes"]["ApproximateReceiveCount"], "2");
    assert_eq!(
        shown["attributes"]["ApproximateFirstReceiveTimestamp"],
        "10000"
    );
    // A handle of the first receive no longer counts.
    queue.delete(&first[1].payload.receipt);
    assert!(!queue.is_exhausted());
    for record in &again {
        queue.delete(&record.payload.receipt);
    }
    assert!(queue.is_exhausted());
}

#[test]
fn the_redrive_policy_ends_a_message() {
    let queue = queue(1, Some(2));
    let shape = queue.shape(false);
    for (at, count) in [(10, 1), (40, 1), (70, 0)] {
        let page = received(&queue, &shape, Time::from_secs(at));
        assert_eq!(page.len(), count);
    }
    assert_eq!(queue.dead_letters(), 1);
    assert!(queue.is_exhausted());
}

/// Two groups, 0 and 1, by chance.
fn fifo(count: u64, max_receive_count: Option<u32>) -> Queue {
    let keys = Keys::Hot {
        share: Ratio::ONE,
        keys: 2,
    };
    queue_of(SourceKind::SqsFifo, keys, count, max_receive_count)
}

/// Group and number of a message.
fn place(record: &Record<Payload>) -> (String, u64) {
    let shown = body(record);
    let group = shown["attributes"]["MessageGroupId"].as_str();
    let payload: serde_json::Value =
        serde_json::from_str(shown["body"].as_str().expect("a body")).expect("JSON");
    (
        group.expect("a group").to_owned(),
        payload["n"].as_u64().expect("a number"),
    )
}

#[test]
fn fifo_messages_have_what_the_recorded_events_have() {
    let queue = fifo(1, None);
    let shape = queue.shape(false);
    let records = received(&queue, &shape, Time::from_secs(10));
    let shown = body(&records[0]);
    let arn = "arn:aws:sqs:us-east-1:000000000000:orders.fifo";
    assert_eq!(shown["eventSourceARN"], arn);
    let attributes = shown["attributes"].as_object().expect("attributes");
    let names: Vec<&str> = attributes.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "ApproximateReceiveCount",
            "SentTimestamp",
            "SenderId",
            "ApproximateFirstReceiveTimestamp",
            "SequenceNumber",
            "MessageGroupId",
            "MessageDeduplicationId",
        ]
    );
    assert!(attributes.values().all(serde_json::Value::is_string));
    assert_eq!(attributes["SequenceNumber"], "18849496460467696128");
    assert_eq!(records[0].meta.group, {
        let group = attributes["MessageGroupId"].as_str().expect("a group");
        stream_key(0, group)
    });
}

#[test]
fn a_group_comes_in_order_and_waits_for_its_messages() {
    let queue = fifo(200, None);
    let shape = queue.shape(false);
    let now = Time::from_secs(10);
    let first = received(&queue, &shape, now);
    let (group, _) = place(&first[0]);
    let second = received(&queue, &shape, now);
    let numbers = |records: &Records| -> Vec<u64> {
        let places = records.iter().map(place);
        places.map(|(_, number)| number).collect()
    };
    assert!(first.iter().all(|record| place(record).0 == group));
    assert!(second.iter().all(|record| place(record).0 != group));
    assert!(numbers(&first).is_sorted());
    assert!(received(&queue, &shape, now).is_empty());
    // All of the group but one are deleted: it stays locked until that one is visible again, and that one is first.
    for record in &first[1..] {
        queue.delete(&record.payload.receipt);
    }
    assert!(received(&queue, &shape, now).is_empty());
    assert_eq!(queue.next_visible(), Some(Time::from_secs(40)));
    let again = received(&queue, &shape, Time::from_secs(40));
    let expected = numbers(&first)[0].min(numbers(&second)[0]);
    assert_eq!(numbers(&again)[0], expected);
    // A handle of the first receive deletes nothing.
    let before = queue.dead_letters();
    queue.delete(&first[0].payload.receipt);
    assert_eq!(before, 0);
    let mut left: Records = again;
    left.extend(received(&queue, &shape, Time::from_secs(40)));
    assert!(numbers(&left).contains(&numbers(&first)[0]));
}

#[test]
fn a_dead_letter_sets_its_group_free() {
    let keys = Keys::Hot {
        share: Ratio::ONE,
        keys: 1,
    };
    let queue = queue_of(SourceKind::SqsFifo, keys, 3, Some(1));
    let shape = queue.shape(false);
    let receive = |at, max| {
        let now = Time::from_secs(at);
        let page = queue.receive(&shape, now, max, Vec::new(), &Keep::default());
        let numbers = page.records.iter().map(|record| place(record).1);
        numbers.collect::<Vec<_>>()
    };
    assert_eq!(receive(10, 1), [0]);
    assert!(receive(20, 2).is_empty());
    assert_eq!(receive(40, 2), [1, 2]);
    assert_eq!(queue.dead_letters(), 1);
    assert!(receive(70, 2).is_empty());
    assert_eq!(queue.dead_letters(), 3);
    assert!(queue.is_exhausted());
}

#[tokio::test]
async fn a_deletion_wakes_who_waits_for_the_group() {
    let queue = fifo(200, None);
    let shape = queue.shape(false);
    let now = Time::from_secs(10);
    let first = received(&queue, &shape, now);
    let _second = received(&queue, &shape, now);
    let deleting = async {
        for record in &first {
            queue.delete(&record.payload.receipt);
        }
    };
    tokio::join!(queue.freed(), deleting);
    let next = received(&queue, &shape, now);
    assert_eq!(place(&next[0]).0, place(&first[0]).0);
}
