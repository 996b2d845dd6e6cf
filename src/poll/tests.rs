//! Whole runs over sources inside the process.

use super::*;
use crate::engine::{MappingConfig, Profile, Ratio, SourceKind, Tuning};
use crate::scenario::{
    Aws, Dist, Generated, Keys, LocalContent, LocalSource, MappingSource, PollerMapping,
    PollerSettings, Target, TargetKind,
};
use std::path::Path;

pub(super) fn content(count: u64) -> LocalContent {
    LocalContent::Generated(Generated {
        per_sec: 1e9,
        size: Dist::Constant(200.0),
        keys: Keys::Unique,
        count: Some(count),
        seed: 1,
    })
}

pub(super) fn file(kind: SourceKind, content: LocalContent) -> PollerFile {
    let config = MappingConfig {
        function_name: "count".to_owned(),
        ..MappingConfig::new("orders", kind)
    };
    PollerFile {
        hash: String::new(),
        profile: Profile::Current,
        aws: Aws::default(),
        region: None,
        invoke_api: None,
        poller: PollerSettings {
            store: None,
            drain_timeout: Span::from_secs(20),
            seed: 1,
            leases: None,
            listen: None,
        },
        sources: vec![LocalSource {
            name: "orders".to_owned(),
            kind,
            shards: if kind == SourceKind::Kinesis { 3 } else { 1 },
            visibility_timeout: Span::from_millis(200),
            max_receive_count: None,
            content,
        }],
        targets: vec![Target {
            function: "count".to_owned(),
            kind: mock(0.0, Ratio::ZERO),
            concurrency: None,
            timeout: Span::from_secs(3),
            memory_mb: 128,
            limits: crate::scenario::TargetLimits::default(),
        }],
        mappings: vec![PollerMapping {
            config,
            tuning: Tuning {
                poll_interval: Span::from_millis(10),
                reads_per_sec_max: 1_000,
                read_bytes_per_sec_max: 1 << 40,
                ..Tuning::new(Profile::Current)
            },
            source: MappingSource::Local(0),
            access: Vec::new(),
            target: 0,
            enabled: true,
        }],
    }
}

fn mock(millis: f64, error_rate: Ratio) -> TargetKind {
    TargetKind::Mock {
        duration: Dist::Constant(millis * 1e6),
        error_rate,
    }
}

pub(super) fn options() -> RunOptions {
    RunOptions {
        stop_when_idle: Some(Span::from_secs(60)),
        signals: false,
        ..RunOptions::default()
    }
}

fn with_store(mut file: PollerFile, path: &Path) -> PollerFile {
    file.poller.store = Some(path.to_owned());
    file
}

async fn finished_at_least(counters: &Counters, count: u64) {
    let waiting = async {
        while counters::get(&counters.finished) < count {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let limit = Duration::from_secs(30);
    tokio::time::timeout(limit, waiting)
        .await
        .expect("progress");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_is_drained_to_its_end() {
    let summary = run(file(SourceKind::Kinesis, content(5_000)), options())
        .await
        .expect("a run");
    assert_eq!((summary.records, summary.polled), (5_000, 5_000));
    assert_eq!((summary.errors, summary.drained), (0, true));
    assert!(summary.invocations >= 50);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_is_drained_and_failures_come_back_after_visibility() {
    let mut file = file(SourceKind::Sqs, content(300));
    file.targets[0].kind = mock(0.0, Ratio::new(1, 4).expect("a chance"));
    let options = options();
    let counters = options.counters.clone();
    let summary = run(file, options).await.expect("a run");
    assert_eq!(summary.records, 300);
    assert!(summary.errors > 0);
    let returned = counters::get(&counters.returned);
    assert_eq!(returned, counters::get(&counters.failed));
    assert_eq!(summary.polled, 300 + returned);
    assert_eq!(counters::get(&counters.deleted), 300);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_poison_stream_retries_and_gives_up_in_order() {
    let mut file = file(SourceKind::Kinesis, content(90));
    file.sources[0].shards = 1;
    file.targets[0].kind = mock(0.0, Ratio::ONE);
    file.mappings[0].config.maximum_retry_attempts = Some(1);
    file.mappings[0].config.batch_size = 30;
    file.mappings[0].tuning.backoff_first = Span::from_millis(1);
    let summary = run(file, options()).await.expect("a run");
    let expected = (90, 90, 6, 6);
    let found = (
        summary.records,
        summary.discarded,
        summary.invocations,
        summary.errors,
    );
    assert_eq!(found, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_is_read_to_its_end_exactly_once_over_two_runs() {
    let folder = tempfile::tempdir().expect("a folder");
    let lines: String = (0..1_000).map(|n| format!("{{\"n\":{n}}}\n")).collect();
    let path = folder.path().join("lines.jsonl");
    std::fs::write(&path, lines).expect("written");
    let store = folder.path().join("store.redb");
    let make = || {
        let jsonl = LocalContent::Jsonl { path: path.clone() };
        let mut file = with_store(file(SourceKind::Kinesis, jsonl), &store);
        file.mappings[0].config.batch_size = 20;
        file.targets[0].kind = mock(1.0, Ratio::ZERO);
        file
    };
    let stop_early = RunOptions {
        records_max: Some(200),
        ..options()
    };
    let first = run(make(), stop_early).await.expect("the first run");
    assert!(first.drained);
    assert!((200..1_000).contains(&first.records), "{first:?}");
    let second = run(make(), options()).await.expect("the second run");
    assert_eq!(first.records + second.records, 1_000);
    let third = run(make(), options()).await.expect("the third run");
    assert_eq!(third.records, 0);
}

#[test]
fn a_run_that_is_cut_off_loses_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = folder.path().join("store.redb");
    let make = || {
        let mut file = with_store(file(SourceKind::Kinesis, content(600)), &store);
        file.mappings[0].config.batch_size = 10;
        file.targets[0].kind = mock(2.0, Ratio::ZERO);
        file
    };
    let cut = options();
    let counters = cut.counters.clone();
    let first = tokio::runtime::Runtime::new().expect("a runtime");
    first.spawn(run(make(), cut));
    first.block_on(finished_at_least(&counters, 100));
    // Dropping the runtime drops every task where it stands.
    drop(first);
    let before = counters::get(&counters.finished);
    let second = tokio::runtime::Runtime::new().expect("a runtime");
    let second = second.block_on(run(make(), options()));
    let second = second.expect("the second run");
    // At least once: what was not checkpointed is delivered again, at most a batch or two per shard.
    assert!(before + second.records >= 600);
    assert!(second.records < 600, "nothing was remembered");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_lets_what_is_in_flight_finish() {
    for kind in [SourceKind::Kinesis, SourceKind::Sqs] {
        let mut file = file(kind, content(100_000));
        file.sources[0].visibility_timeout = Span::from_secs(60);
        file.targets[0].kind = mock(20.0, Ratio::ZERO);
        file.mappings[0].config.batch_size = 10;
        let (stop, stopped) = watch::channel(false);
        let options = RunOptions {
            stop: Some(stopped),
            ..options()
        };
        let counters = options.counters.clone();
        let running = tokio::spawn(run(file, options));
        finished_at_least(&counters, 50).await;
        stop.send(true).expect("somebody listens");
        let summary = running.await.expect("no panic").expect("a run");
        assert!(summary.drained);
        assert_eq!(
            summary.records,
            counters::get(&counters.invoked),
            "{kind:?}"
        );
        assert_eq!(counters::get(&counters.returned), 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recorded_run_is_replayed_to_the_same_decisions() {
    for kind in [SourceKind::Kinesis, SourceKind::Sqs] {
        let folder = tempfile::tempdir().expect("a folder");
        let log = folder.path().join("run.jsonl");
        let mut file = file(kind, content(200));
        file.targets[0].kind = mock(1.0, Ratio::new(1, 5).expect("a chance"));
        file.mappings[0].tuning.backoff_first = Span::from_millis(5);
        let mut again = file.mappings[0].clone();
        again.config.name = "again".to_owned();
        if kind == SourceKind::Kinesis {
            file.mappings.push(again);
        }
        let mappings = file.mappings.len() as u64;
        let options = RunOptions {
            record: Some(log.clone()),
            ..options()
        };
        let summary = run(file, options).await.expect("a run");
        assert_eq!(summary.records, 200 * mappings);
        let found = replay(&log).expect("a replay");
        assert_eq!(found.difference, None);
        assert_eq!((found.mappings, found.is_truncated), (mappings, false));
        assert!(found.decisions >= summary.invocations);
        damage(&log, &found);
    }
}

/// What becomes of a log that is cut, changed or broken.
fn damage(log: &Path, whole: &Replay) {
    let text = std::fs::read_to_string(log).expect("a log");
    assert!(!text.contains("fill"), "payloads are not recorded");
    let cut = log.with_extension("cut");
    for share in 1..20 {
        let length = text.len() * share / 20;
        std::fs::write(&cut, &text.as_bytes()[..length]).expect("written");
        let found = replay(&cut).expect("a cut log is fine");
        assert_eq!(found.difference, None);
        assert!(found.decisions <= whole.decisions);
    }
    let lines: Vec<&str> = text.lines().collect();
    let place = |what: &str| {
        let at = lines.iter().position(|line| line.contains(what));
        at.expect("such a line")
    };
    let write = |lines: &[&str]| std::fs::write(&cut, lines.join("\n") + "\n").expect("written");
    let mut other = lines.clone();
    let at = place("\"action\":{\"invoke\"");
    let changed = lines[at].replace("\"attempt\":1", "\"attempt\":7");
    other[at] = &changed;
    write(&other);
    let found = replay(&cut).expect("a replay").difference;
    assert_eq!(found.map(|difference| difference.line), Some(at as u64 + 1));
    let mut broken = lines.clone();
    broken[3] = "{\"m\":0,";
    write(&broken);
    let error = replay(&cut).expect_err("a broken line").to_string();
    assert!(error.starts_with("line 4 of the log is damaged"), "{error}");
    let mut doubled = lines.clone();
    let at = place("\"event\":{\"invoked\"");
    doubled.insert(at, lines[at]);
    write(&doubled);
    let refused = replay(&cut).map_or(true, |found| found.difference.is_some());
    assert!(refused, "a token is answered once");
}

#[tokio::test]
async fn a_disabled_mapping_is_left_alone_and_errors_come_before_the_first_read() {
    let mut file = file(SourceKind::Kinesis, content(10));
    file.mappings[0].enabled = false;
    let summary = run(file.clone(), options()).await.expect("a run");
    assert_eq!((summary.polled, summary.drained), (0, true));
    file.sources[0].content = LocalContent::Jsonl {
        path: "does/not/exist.jsonl".into(),
    };
    let error = run(file, options()).await.expect_err("no such file");
    assert!(
        error.to_string().contains("does/not/exist.jsonl"),
        "{error}"
    );
}
