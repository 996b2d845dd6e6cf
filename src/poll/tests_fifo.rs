//! FIFO queues inside the process, in whole runs.

use super::tests::{file, options};
use super::*;
use crate::engine::{Ratio, SourceKind};
use crate::scenario::{Dist, ErrorSign, Generated, Keys, LocalContent, TargetKind};
use crate::source::plain::Plain;
use serde_json::Value;
use std::collections::BTreeMap;

fn groups(count: u64, groups: u32) -> LocalContent {
    LocalContent::Generated(Generated {
        per_sec: 1e9,
        size: Dist::Constant(60.0),
        keys: Keys::Hot {
            share: Ratio::ONE,
            keys: groups,
        },
        count: Some(count),
        seed: 7,
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fifo_queue_is_drained_and_every_group_stays_in_order() {
    let server = Plain::start(200, "").await;
    let mut file = file(SourceKind::SqsFifo, groups(600, 12));
    file.sources[0].visibility_timeout = Span::from_secs(60);
    file.targets[0].kind = TargetKind::Http {
        url: server.url.clone(),
        errors: ErrorSign::Status,
    };
    let summary = run(file, options()).await.expect("a run");
    assert_eq!((summary.records, summary.polled), (600, 600));
    let mut seen: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for request in server.requests() {
        let event: Value = serde_json::from_str(&request.body).expect("JSON");
        for record in event["Records"].as_array().expect("records") {
            let group = record["attributes"]["MessageGroupId"].as_str();
            let body: Value =
                serde_json::from_str(record["body"].as_str().expect("a body")).expect("JSON");
            let numbers = seen.entry(group.expect("a group").to_owned()).or_default();
            numbers.push(body["n"].as_u64().expect("a number"));
        }
    }
    assert_eq!(seen.len(), 12);
    assert_eq!(seen.values().map(Vec::len).sum::<usize>(), 600);
    assert!(seen.values().all(|numbers| numbers.is_sorted()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failed_batches_of_a_fifo_queue_come_back() {
    let mut file = file(SourceKind::SqsFifo, groups(200, 20));
    file.sources[0].visibility_timeout = Span::from_millis(50);
    file.targets[0].kind = TargetKind::Mock {
        duration: Dist::Constant(0.0),
        error_rate: Ratio::new(1, 4).expect("a chance"),
    };
    let summary = run(file, options()).await.expect("a run");
    assert_eq!(summary.records, 200);
    assert!(summary.errors > 0);
}
