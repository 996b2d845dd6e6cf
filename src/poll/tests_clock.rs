//! Whole runs while the machine's clock is set back and forth.

use super::tests::{file, options};
use super::*;
use crate::engine::{SourceKind, Time};
use crate::scenario::{Arn, LocalContent, MappingSource};
use crate::source::scripted::Scripted;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

const DAY: Span = Span::from_secs(86_400);
const SHARD: &str = "shard";
const PAGES: u64 = 20;

/// When the records of these tests arrived; the scripted service's clock is right.
fn now() -> Time {
    Time::from_secs(1_700_000_000)
}

/// A stream with `PAGES` pages of two records each, all of which arrived just now.
fn pages() -> impl Fn(&str, &Value) -> (u16, Value) {
    |call, body| {
        let arrived = now().as_millis() / 1_000;
        let record = |number: u64| json!({"SequenceNumber": number.to_string(), "Data": "SGVsbG8=", "PartitionKey": "k", "ApproximateArrivalTimestamp": arrived});
        let reply = match call {
            "ListShards" => {
                json!({"Shards": [{"ShardId": SHARD, "HashKeyRange": {"StartingHashKey": "0", "EndingHashKey": "1"},
                "SequenceNumberRange": {"StartingSequenceNumber": "1"}}]})
            }
            "GetShardIterator" => json!({"ShardIterator": "0"}),
            "GetRecords" => {
                let page = body["ShardIterator"].as_str().expect("an iterator");
                let page: u64 = page.parse().expect("a number");
                let records = match page < PAGES {
                    true => vec![record(2 * page + 1), record(2 * page + 2)],
                    false => Vec::new(),
                };
                json!({"Records": records, "NextShardIterator": (page + 1).to_string(), "MillisBehindLatest": 0})
            }
            other => panic!("{other}"),
        };
        (200, reply)
    }
}

/// Records that were delivered, records that were given up, and reads, of a run by this wall clock.
async fn run_with(time_of_day: fn() -> Time) -> (u64, u64, usize) {
    let server = Scripted::start(pages()).await;
    let unused = LocalContent::Jsonl {
        path: PathBuf::new(),
    };
    let mut file = file(SourceKind::Kinesis, unused);
    file.sources.clear();
    let arn = "arn:aws:kinesis:us-east-2:123456789012:stream/clicks";
    file.mappings[0].source = MappingSource::Service {
        arn: Arn::parse(arn).expect("an ARN"),
        endpoint_url: Some(server.url.clone()),
    };
    file.mappings[0].config.maximum_record_age = Some(Span::from_secs(60));
    let options = RunOptions {
        records_max: Some(2 * PAGES),
        ..options()
    };
    let run = run_by(Clock::by(time_of_day), file, options);
    let within = tokio::time::timeout(Duration::from_secs(30), run);
    let summary = within.await.expect("in time").expect("a run");
    assert!(summary.drained);
    (
        summary.records,
        summary.discarded,
        server.calls("GetRecords").len(),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_was_ahead_at_the_start_and_is_set_right_makes_no_record_old() {
    static LOOKS: AtomicU64 = AtomicU64::new(0);
    // A day ahead when the run begins, and right ever after.
    let (records, discarded, reads) = run_with(|| match LOOKS.fetch_add(1, Relaxed) {
        0 => now() + DAY,
        _ => now(),
    })
    .await;
    assert_eq!((records, discarded), (2 * PAGES, 0));
    assert!(
        LOOKS.load(Relaxed) > PAGES,
        "nobody looked at the clock again"
    );
    assert!(reads < 200, "{reads} reads: a busy loop");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_set_back_and_forth_loses_nothing() {
    static LOOKS: AtomicU64 = AtomicU64::new(0);
    // Right when the run begins, then a day ahead, a day behind, and right again, over and over.
    let (records, discarded, reads) = run_with(|| match LOOKS.fetch_add(1, Relaxed) % 3 {
        0 => now(),
        1 => now() + DAY,
        _ => Time::ZERO + now().since(Time::ZERO + DAY),
    })
    .await;
    assert_eq!((records, discarded), (2 * PAGES, 0));
    assert!(reads < 200, "{reads} reads: a busy loop");
}

/// The time of the run itself goes on evenly, whatever the time of day does.
#[test]
fn time_never_goes_back() {
    static LOOKS: AtomicU64 = AtomicU64::new(0);
    let clock = Clock::by(|| {
        let back = Span::from_secs(3_600 * LOOKS.fetch_add(1, Relaxed));
        Time::ZERO + now().since(Time::ZERO + back)
    });
    let mut last = clock.now();
    for hours in 1..100 {
        let ahead = clock.ahead();
        assert!(
            ahead >= Span::from_secs(3_600 * hours) && ahead < Span::from_secs(3_600 * hours + 60)
        );
        let next = clock.now();
        assert!(next >= last && next.since(last) < Span::from_secs(60));
        last = next;
    }
}
