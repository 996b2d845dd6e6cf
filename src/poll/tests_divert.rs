//! Whole runs whose records are given up.

use super::tests::{file, options};
use super::*;
use crate::engine::{Ratio, SourceKind};
use crate::scenario::{Dist, ErrorSign, Generated, Keys, LocalContent, PollerFile, TargetKind};
use crate::source::plain::Plain;
use serde_json::Value;
use std::path::Path;

const POISON: u64 = 90;

/// A stream of one shard whose function always fails, in batches of 30 that are tried twice.
fn poisoned(destination: &str) -> PollerFile {
    let content = LocalContent::Generated(Generated {
        per_sec: 1e9,
        size: Dist::Constant(200.0),
        keys: Keys::Unique,
        count: Some(POISON),
        seed: 1,
    });
    let mut file = file(SourceKind::Kinesis, content);
    file.sources[0].shards = 1;
    file.targets[0].kind = TargetKind::Mock {
        duration: Dist::Constant(0.0),
        error_rate: Ratio::ONE,
    };
    let mapping = &mut file.mappings[0];
    mapping.config.maximum_retry_attempts = Some(1);
    mapping.config.batch_size = 30;
    mapping.config.on_failure = Some(destination.to_owned());
    mapping.tuning.backoff_first = Span::from_millis(1);
    file
}

fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).expect("the file");
    let line = |line: &str| serde_json::from_str(line).expect("JSON");
    text.lines().map(line).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_batch_that_is_given_up_is_told_to_the_destination() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("failed.jsonl");
    let file = poisoned(&format!("file://{}", path.display()));
    let summary = run(file, options()).await.expect("a run");
    let found = (summary.records, summary.discarded, summary.diverted);
    assert_eq!(found, (POISON, POISON, POISON));
    assert_eq!((summary.destination_failures, summary.drained), (0, true));

    let records = lines(&path);
    let mut sent = Vec::new();
    for record in &records {
        let context = &record["requestContext"];
        assert_eq!(context["condition"], "RetryAttemptsExhausted");
        assert_eq!(context["approximateInvokeCount"], 2);
        assert_eq!(
            context["functionArn"],
            "arn:aws:lambda:us-east-1:000000000000:function:count"
        );
        let response = &record["responseContext"];
        assert_eq!(response["executedVersion"], "$LATEST");
        assert_eq!(response["functionError"], "Unhandled");
        let info = &record["KinesisBatchInfo"];
        assert_eq!(info["shardId"], "shardId-000000000000");
        assert_eq!(
            info["streamArn"],
            "arn:aws:kinesis:us-east-1:000000000000:stream/orders"
        );
        // The event is in the record, and what the record says of its ends is true.
        let payload = record["payload"].as_str().expect("a text");
        let event: Value = serde_json::from_str(payload).expect("an event");
        let sequences: Vec<&Value> = event["Records"]
            .as_array()
            .expect("records")
            .iter()
            .map(|record| &record["kinesis"]["sequenceNumber"])
            .collect();
        assert_eq!(info["batchSize"], sequences.len());
        assert_eq!(Some(&&info["startSequenceNumber"]), sequences.first());
        assert_eq!(Some(&&info["endSequenceNumber"]), sequences.last());
        sent.extend(sequences.into_iter().map(Value::to_string));
    }
    assert_eq!(sent.len() as u64, POISON);
    assert!(sent.is_sorted(), "in the order of the shard");
    sent.dedup();
    assert_eq!(sent.len() as u64, POISON, "each record once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_destination_that_denies_loses_the_records_but_not_the_shard() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("missing").join("failed.jsonl");
    let file = poisoned(&format!("file://{}", path.display()));
    let summary = run(file, options()).await.expect("a run");
    let found = (summary.records, summary.discarded, summary.diverted);
    assert_eq!(found, (POISON, POISON, 0));
    assert_eq!((summary.destination_failures, summary.drained), (3, true));
    assert!(!path.exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_version_that_ran_is_named_beside_the_alias_that_was_called() {
    const HEADERS: &[(&str, &str)] = &[
        ("x-amz-function-error", "Unhandled"),
        ("x-amz-executed-version", "7"),
    ];
    let server = Plain::start_with(200, HEADERS, "{}").await;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("failed.jsonl");
    let mut file = poisoned(&format!("file://{}", path.display()));
    file.aws.region = Some("us-east-1".to_owned());
    file.targets[0].kind = TargetKind::Lambda {
        endpoint_url: Some(server.url.clone()),
        errors: ErrorSign::Header,
    };
    file.mappings[0].config.function_name = "count:live".to_owned();
    let summary = run(file, options()).await.expect("a run");
    assert_eq!(summary.diverted, POISON);
    for record in lines(&path) {
        let function = &record["requestContext"]["functionArn"];
        assert_eq!(
            function,
            "arn:aws:lambda:us-east-1:000000000000:function:count:live"
        );
        assert_eq!(record["responseContext"]["executedVersion"], "7");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_malformed_destination_keeps_a_run_from_starting() {
    let refused = run(poisoned("arn:aws:sqs:us-east-1:12:q"), options()).await;
    let error = refused.expect_err("refused").to_string();
    assert!(
        error.contains("mapping `orders`") && error.contains("12 digits"),
        "{error}"
    );
}
