//! What functions answer: tumbling windows and failed items, on a real stream and through a real function process.

use super::poll::{delivered, numbered, poller};
use crate::support::poller::Invocation;
use crate::support::{Stream, eventually};
use std::collections::{BTreeMap, BTreeSet};

/// One call of a window, as the function saw it.
#[derive(Debug)]
struct Call {
    numbers: Vec<String>,
    /// What the state said before this call.
    before: u64,
    is_final: bool,
}

fn text<'a>(value: &'a serde_json::Value, name: &str) -> &'a str {
    value[name]
        .as_str()
        .unwrap_or_else(|| panic!("no {name} in {value}"))
}

/// Seconds of the Unix time of `2020-12-09T07:04:00Z`.
fn seconds(instant: &str) -> f64 {
    use aws_sdk_kinesis::primitives::{DateTime, DateTimeFormat};
    let instant = DateTime::from_str(instant, DateTimeFormat::DateTime).expect("an instant");
    instant.as_secs_f64()
}

/// The calls of each shard's windows, in their order. What an event says of its window must fit its records.
fn windows(invocations: &[Invocation]) -> BTreeMap<(String, String), Vec<Call>> {
    let mut windows: BTreeMap<_, Vec<Call>> = BTreeMap::new();
    for Invocation { event, records, .. } in invocations {
        let (start, end) = (
            text(&event["window"], "start"),
            text(&event["window"], "end"),
        );
        assert_eq!(seconds(end) - seconds(start), 1.0);
        assert_eq!(event["isWindowTerminatedEarly"], false);
        for record in records {
            let arrival = record["kinesis"]["approximateArrivalTimestamp"].as_f64();
            let arrival = arrival.expect("a number of seconds");
            assert!((seconds(start)..seconds(end)).contains(&arrival), "{event}");
            assert_eq!(record["eventSourceARN"], event["eventSourceARN"]);
            let shard = text(record, "eventID").split(':').next();
            assert_eq!(shard, event["shardId"].as_str());
        }
        let number =
            |record: &serde_json::Value| text(&record["kinesis"], "sequenceNumber").to_owned();
        let is_final = event["isFinalInvokeForWindow"].as_bool().expect("a flag");
        assert_eq!(records.is_empty(), is_final, "{event}");
        let place = (text(event, "shardId").to_owned(), start.to_owned());
        windows.entry(place).or_default().push(Call {
            numbers: records.iter().map(number).collect(),
            before: event["state"]["count"].as_u64().unwrap_or(0),
            is_final,
        });
    }
    windows
}

fn finals(invocations: &[Invocation]) -> usize {
    let windows = windows(invocations);
    let finals = windows
        .values()
        .filter(|calls| calls.iter().any(|call| call.is_final));
    finals.count()
}

const WINDOWED: &str = "BatchSize = 7\nTumblingWindowInSeconds = 1\n";

/// Puts a few records at a time until this many windows had their final call.
async fn put_until(
    stream: &Stream,
    poller: &crate::support::poller::Poller,
    put: &mut usize,
    count: usize,
) {
    eventually("the final calls of some windows", async || {
        stream.put(&numbered(*put..*put + 3)).await;
        *put += 3;
        (finals(&poller.invocations()) >= count).then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_final_calls_of_windows_sum_up_to_all_records_over_an_orderly_restart() {
    let stream = Stream::create(2).await;
    let poller = poller(&stream, WINDOWED);
    let mut put = 0;
    let running = poller.start(&[]);
    put_until(&stream, &poller, &mut put, 4).await;
    let ended = running.terminate();
    assert!(ended.status.success(), "{ended:?}");
    // At least one window is open now: the records that made the last final calls are in it.
    let before = poller.invocations();
    let open: Vec<_> = windows(&before)
        .into_iter()
        .filter(|(_, calls)| calls.iter().all(|call| !call.is_final))
        .map(|(place, _)| place)
        .collect();
    assert!(!open.is_empty());

    let running = poller.start(&[]);
    let finals_before = finals(&before);
    put_until(&stream, &poller, &mut put, finals_before + 4).await;
    let ended = running.terminate();
    assert!(ended.status.success(), "{ended:?}");
    let seen = poller.invocations();
    let windows = windows(&seen);
    let mut total = 0;
    for (place, calls) in &windows {
        // The state of every call is what the calls before it have counted, in whichever process they were.
        let mut counted = 0;
        for (index, call) in calls.iter().enumerate() {
            assert_eq!(call.before, counted, "{place:?}: {calls:?}");
            counted += call.numbers.len() as u64;
            assert!(
                !call.is_final || index + 1 == calls.len(),
                "{place:?}: {calls:?}"
            );
        }
        total += counted;
    }
    let closed =
        |place: &&(String, String)| windows[*place].last().is_some_and(|call| call.is_final);
    assert!(
        open.iter().any(|place| closed(&place)),
        "a window of the first process ended in the second"
    );
    let delivered = delivered(&seen);
    assert_eq!(total, delivered.len() as u64);
    let distinct: BTreeSet<_> = delivered.into_iter().collect();
    assert_eq!(distinct.len() as u64, total, "every record came once");
    let summed: u64 = windows
        .values()
        .filter_map(|calls| calls.last().filter(|call| call.is_final))
        .map(|call| call.before)
        .sum();
    let unfinished: usize = windows
        .values()
        .filter(|calls| calls.last().is_some_and(|call| !call.is_final))
        .flatten()
        .map(|call| call.numbers.len())
        .sum();
    assert_eq!(summed + unfinished as u64, total);
}

#[tokio::test]
async fn a_kill_in_the_middle_of_a_window_counts_no_record_twice() {
    let stream = Stream::create(1).await;
    let poller = poller(&stream, WINDOWED).env("TEST_FUNCTION_DELAY_MS", "5");
    let mut put = 0;
    for _ in 0..3 {
        let running = poller.start(&[]);
        let closed = finals(&poller.invocations());
        put_until(&stream, &poller, &mut put, closed + 2).await;
        running.kill();
    }
    let running = poller.start(&[]);
    let closed = finals(&poller.invocations());
    put_until(&stream, &poller, &mut put, closed + 2).await;
    let ended = running.terminate();
    assert!(ended.status.success(), "{ended:?}");
    let windows = windows(&poller.invocations());
    let mut compared = 0;
    for (place, calls) in &windows {
        // What came again after a kill came with the state of before, so that the last final call is right.
        let numbers: BTreeSet<&String> = calls.iter().flat_map(|call| &call.numbers).collect();
        if let Some(last) = calls.iter().rev().find(|call| call.is_final) {
            assert_eq!(last.before, numbers.len() as u64, "{place:?}: {calls:?}");
            compared += 1;
        }
    }
    assert!(compared >= 8);
}

#[tokio::test]
async fn reported_failures_bring_back_the_rest_of_the_batch_and_nothing_before_it() {
    let stream = Stream::create(1).await;
    let mut records = numbered(0..4);
    records[1].1 = b"poison".to_vec();
    stream.put(&records).await;
    let poller = poller(
        &stream,
        "BatchSize = 4\nMaximumRetryAttempts = 1\nbackoff_first = \"50ms\"\n\
         BisectBatchOnFunctionError = true\nFunctionResponseTypes = [\"ReportBatchItemFailures\"]\n",
    )
    .env("TEST_FUNCTION_REPORT", "1");
    let ended = poller.run(&["--max-records", "4"]);
    assert!(ended.status.success(), "{ended:?}");
    let invocations = poller.invocations();
    let batches: Vec<Vec<String>> = invocations
        .iter()
        .map(|invocation| {
            let records = delivered(std::slice::from_ref(invocation));
            records.into_iter().map(|(_, data)| data).collect()
        })
        .collect();
    // As it was recorded on AWS: the suffix, the failed record alone with all its tries, then what is behind it.
    let expected = [
        vec!["data-0", "poison", "data-2", "data-3"],
        vec!["poison", "data-2", "data-3"],
        vec!["poison"],
        vec!["poison"],
        vec!["data-2", "data-3"],
    ];
    assert_eq!(batches, expected);
    let ids: Vec<&String> = invocations
        .iter()
        .map(|invocation| &invocation.request_id)
        .collect();
    assert_eq!(ids[2], ids[3], "a retry keeps its request id");
    let distinct: BTreeSet<_> = ids.into_iter().collect();
    assert_eq!(distinct.len(), 4, "a suffix or a half is a new batch");
}
