//! ParallelizationFactor on a real stream: keys keep their order, lanes do not wait for each other, and a killed poller
//! forgets nothing.

use super::poll::{delivered, poller};
use crate::support::Stream;
use crate::support::poller::wait_until;
use std::collections::{BTreeMap, BTreeSet};

const KEYS: usize = 12;
const RECORDS: usize = 240;

/// Records in the order of the stream, their keys in turn.
fn records() -> Vec<(String, Vec<u8>)> {
    let record = |number: usize| {
        let key = number % KEYS;
        (format!("key-{key}"), format!("{key}/{number}").into_bytes())
    };
    (0..RECORDS).map(record).collect()
}

fn key_and_number(data: &str) -> (usize, usize) {
    let (key, number) = data.split_once('/').expect("key/number");
    (
        key.parse().expect("a key"),
        number.parse().expect("a number"),
    )
}

/// The numbers of every key, as they were first delivered.
fn first_deliveries(seen: &[(String, String)]) -> BTreeMap<usize, Vec<usize>> {
    let mut known = BTreeSet::new();
    let mut by_key: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (_, data) in seen {
        let (key, number) = key_and_number(data);
        if known.insert(number) {
            by_key.entry(key).or_default().push(number);
        }
    }
    by_key
}

fn everything_in_the_order_of_its_key(seen: &[(String, String)]) {
    let by_key = first_deliveries(seen);
    assert_eq!(by_key.len(), KEYS);
    for (key, numbers) in by_key {
        let expected: Vec<usize> = (key..RECORDS).step_by(KEYS).collect();
        assert_eq!(numbers, expected, "key {key}");
    }
}

#[tokio::test]
async fn lanes_keep_the_order_of_keys_and_not_that_of_the_shard() {
    let stream = Stream::create(1).await;
    stream.put(&records()).await;
    let poller = poller(&stream, "BatchSize = 3\nParallelizationFactor = 4\n")
        .env("TEST_FUNCTION_DELAY_MS", "15");
    let ended = poller.run(&["--max-records", &RECORDS.to_string()]);
    assert!(ended.status.success(), "{ended:?}");
    let seen = delivered(&poller.invocations());
    assert_eq!(seen.len(), RECORDS, "everything comes once");
    everything_in_the_order_of_its_key(&seen);
    let numbers: Vec<usize> = seen
        .iter()
        .map(|(_, data)| key_and_number(data).1)
        .collect();
    assert!(!numbers.is_sorted(), "four lanes overtake each other");
}

#[tokio::test]
async fn a_killed_poller_delivers_the_unfinished_records_of_all_lanes_again() {
    let stream = Stream::create(1).await;
    stream.put(&records()).await;
    let poller = poller(&stream, "BatchSize = 3\nParallelizationFactor = 4\n")
        .env("TEST_FUNCTION_DELAY_MS", "15");
    for share in [RECORDS / 4, RECORDS / 2] {
        let running = poller.start(&[]);
        wait_until("a part is delivered", || {
            let seen = delivered(&poller.invocations());
            let known: BTreeSet<&String> = seen.iter().map(|(_, data)| data).collect();
            (known.len() >= share).then_some(())
        });
        running.kill();
    }
    let ended = poller.run(&["--stop-when-idle", "2s"]);
    assert!(ended.status.success(), "{ended:?}");
    everything_in_the_order_of_its_key(&delivered(&poller.invocations()));
}
