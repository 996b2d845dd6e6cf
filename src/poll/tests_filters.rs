//! Whole runs of mappings with filters, over sources inside the process.

use super::tests::{file, options};
use super::*;
use crate::engine::SourceKind;
use crate::poll::counters::get;
use crate::scenario::LocalContent;
use std::path::Path;

const ORDERS: &str = r#"{"kind":["order"]}"#;

/// A run over these lines, of which the function is to get orders only.
fn orders(kind: SourceKind, lines: &str, folder: &Path) -> PollerFile {
    let path = folder.join("lines.jsonl");
    std::fs::write(&path, lines).expect("written");
    let mut file = file(kind, LocalContent::Jsonl { path });
    let key = if kind == SourceKind::Sqs {
        "body"
    } else {
        "data"
    };
    file.mappings[0].config.filters = vec![format!("{{\"{key}\":{ORDERS}}}")];
    file.sources[0].visibility_timeout = Span::from_secs(60);
    file
}

/// Every third one is an order, every third one is none, and every third one is not JSON.
fn mixed(count: usize) -> String {
    let line = |n| match n % 3 {
        0 => format!("{{\"kind\":\"order\",\"n\":{n}}}\n"),
        1 => format!("{{\"kind\":\"refund\",\"n\":{n}}}\n"),
        _ => format!("{{\"kind\":\"order\",\"n\":{n}\n"),
    };
    (0..count).map(line).collect()
}

/// Rule `filtered-counts`, in the figures of a recorded run on a queue.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_match_is_counted_deleted_and_never_invoked() {
    let folder = tempfile::tempdir().expect("a folder");
    let options = options();
    let counters = options.counters.clone();
    let run = run(orders(SourceKind::Sqs, &mixed(3), folder.path()), options);
    let summary = run.await.expect("a run");
    assert_eq!((summary.polled, summary.filtered), (3, 2));
    let counts = (get(&counters.invoked), get(&counters.deleted));
    assert_eq!(counts, (1, 3));
    assert_eq!((summary.records, summary.drained), (3, true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_is_done_with_what_its_filters_left_out_and_remembers_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let make = || {
        let mut file = orders(SourceKind::Kinesis, &mixed(900), folder.path());
        file.poller.store = Some(folder.path().join("store.redb"));
        file
    };
    let watched = options();
    let counters = watched.counters.clone();
    let first = run(make(), watched).await.expect("a run");
    assert_eq!(
        (first.records, first.polled, first.filtered),
        (900, 900, 600)
    );
    assert_eq!(get(&counters.invoked), 300);
    let again = run(make(), options()).await.expect("a run");
    assert_eq!((again.records, again.filtered), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_of_which_nothing_matches_is_read_to_its_end() {
    for kind in [SourceKind::Kinesis, SourceKind::Sqs] {
        let folder = tempfile::tempdir().expect("a folder");
        let lines = "{\"kind\":\"refund\"}\n".repeat(60);
        let make = || {
            let mut file = orders(kind, &lines, folder.path());
            file.poller.store = Some(folder.path().join("store.redb"));
            file
        };
        let summary = run(make(), options()).await.expect("a run");
        assert_eq!((summary.records, summary.filtered), (60, 60), "{kind}");
        assert_eq!((summary.invocations, summary.drained), (0, true), "{kind}");
        if kind == SourceKind::Kinesis {
            let again = run(make(), options()).await.expect("a second run");
            assert_eq!(again.polled, 0, "the end of the pages was stored");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_that_were_left_out_count_towards_the_end_of_a_run() {
    for kind in [SourceKind::Kinesis, SourceKind::Sqs] {
        let folder = tempfile::tempdir().expect("a folder");
        let mut file = orders(kind, &mixed(30_000), folder.path());
        file.mappings[0].tuning.page_records_max = 100;
        let limited = RunOptions {
            records_max: Some(300),
            stop_when_idle: None,
            ..options()
        };
        let summary = run(file, limited).await.expect("a run");
        assert!(summary.drained, "{kind}");
        assert!(
            (300..30_000).contains(&summary.records),
            "{kind}: {summary:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recorded_run_with_filters_is_replayed() {
    for kind in [SourceKind::Kinesis, SourceKind::Sqs] {
        let folder = tempfile::tempdir().expect("a folder");
        let log = folder.path().join("run.jsonl");
        let options = RunOptions {
            record: Some(log.clone()),
            ..options()
        };
        let file = orders(kind, &mixed(300), folder.path());
        let summary = run(file, options).await.expect("a run");
        assert_eq!(summary.filtered, 200, "{kind}");
        let text = std::fs::read_to_string(&log).expect("a log");
        assert!(
            !text.contains("refund"),
            "what was left out is not recorded"
        );
        let found = replay(&log).expect("a replay");
        assert_eq!(found.difference, None, "{kind}");
    }
}

#[tokio::test]
async fn a_pattern_with_a_mistake_stops_a_run_before_its_first_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut file = orders(SourceKind::Sqs, "{}\n", folder.path());
    file.mappings[0].config.filters = vec!["plain".to_owned()];
    let error = run(file, options()).await.expect_err("no pattern");
    let text = error.to_string();
    assert!(
        text.starts_with("mapping `orders`: Invalid filter pattern definition."),
        "{text}"
    );
}
