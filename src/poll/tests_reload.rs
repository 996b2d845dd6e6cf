//! New files for a run that goes on: nothing is lost, nothing is delivered twice, and what cannot be is refused.

use super::tests::{content, file, options};
use super::*;
use crate::engine::{MappingConfig, Ratio, SourceKind};
use crate::scenario::{Dist, PollerMapping, TargetKind};
use std::time::Duration;
use tokio::task::JoinHandle;

/// A run that can be given new files.
struct Running {
    reload: Reload,
    stop: watch::Sender<bool>,
    counters: Arc<Counters>,
    board: Arc<Board>,
    task: JoinHandle<Result<RunSummary, PollError>>,
}

fn start(file: PollerFile) -> Running {
    let (stop, stopped) = watch::channel(false);
    let reload = Reload::default();
    let options = RunOptions {
        stop_when_idle: None,
        stop: Some(stopped),
        reload: Some(reload.clone()),
        ..options()
    };
    let (counters, board) = (options.counters.clone(), options.board.clone());
    Running {
        reload,
        stop,
        counters,
        board,
        task: tokio::spawn(run(file, options)),
    }
}

async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let limit = Duration::from_secs(30);
    let waited = tokio::time::timeout(limit, waiting).await;
    waited.unwrap_or_else(|_| panic!("waited in vain for: {what}"));
}

impl Running {
    fn finished(&self) -> u64 {
        counters::get(&self.counters.finished)
    }

    async fn finishes(&self, count: u64) {
        until("records", || self.finished() >= count).await;
    }

    fn state(&self, mapping: &str) -> Option<&'static str> {
        let panel = self.board.find(mapping)?;
        Some(panel.face().state.name())
    }

    async fn ends(self) -> RunSummary {
        self.stop.send(true).expect("it listens");
        self.task.await.expect("no panic").expect("a run")
    }
}

/// A stream whose mapping takes a while over its records.
fn slow(count: u64) -> PollerFile {
    let mut file = file(SourceKind::Kinesis, content(count));
    file.mappings[0].config.batch_size = 10;
    // Little is read ahead of what is worked on.
    file.mappings[0].tuning.page_records_max = 20;
    file.targets[0].kind = TargetKind::Mock {
        duration: Dist::Constant(2e6),
        error_rate: Ratio::ZERO,
    };
    file
}

fn another(file: &PollerFile, name: &str) -> PollerMapping {
    let first = &file.mappings[0];
    PollerMapping {
        config: MappingConfig {
            name: name.to_owned(),
            ..first.config.clone()
        },
        ..first.clone()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_parameter_changes_while_the_mapping_runs_and_every_record_comes_once() {
    let file = slow(3_000);
    let running = start(file.clone());
    running.finishes(50).await;
    let mut changed = file.clone();
    changed.mappings[0].config.batch_size = 500;
    let applied = running.reload.apply(changed.clone()).await;
    let lines = vec!["mapping.orders.BatchSize 10 → 500".to_owned()];
    assert_eq!(applied, Reloaded::Applied(lines));
    assert_eq!(running.reload.apply(changed).await, Reloaded::Unchanged);
    running.finishes(3_000).await;
    let invocations = counters::get(&running.counters.invocations);
    assert!(invocations < 250, "{invocations} invocations");
    let summary = running.ends().await;
    assert_eq!((summary.records, summary.polled), (3_000, 3_000));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mapping_that_is_opened_again_goes_on_where_it_was() {
    let file = slow(1_500);
    let running = start(file.clone());
    running.finishes(50).await;
    let mut changed = file.clone();
    changed.mappings[0].tuning.poll_interval = Span::from_millis(11);
    let applied = running.reload.apply(changed).await;
    let lines = vec!["mapping.orders.poll_interval 10ms → 11ms".to_owned()];
    assert_eq!(applied, Reloaded::Applied(lines));
    running.finishes(1_500).await;
    let summary = running.ends().await;
    // What was read and not sent when it drained is read again; what was sent is not.
    assert_eq!(summary.records, 1_500);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disabled_mapping_keeps_its_place_and_one_that_was_never_enabled_is_opened() {
    let mut file = slow(3_000);
    let mut second = another(&file, "second");
    second.enabled = false;
    file.mappings.push(second);
    let running = start(file.clone());
    running.finishes(50).await;
    let mut off = file.clone();
    off.mappings[0].enabled = false;
    off.mappings[1].enabled = true;
    let applied = running.reload.apply(off).await;
    let lines = ["mapping.orders disabled", "mapping.second enabled"].map(str::to_owned);
    assert_eq!(applied, Reloaded::Applied(lines.to_vec()));
    let polled = |name: &str| {
        let panel = running.board.find(name).expect("a mapping");
        panel.face().count(board::Count::Polled)
    };
    // What it has in hand when it is disabled would stay there.
    until("the second mapping to finish all", || {
        let second = running.board.find("second").expect("a mapping").face();
        second.count(board::Count::Polled) == 3_000 && second.in_hand == 0
    })
    .await;
    until("the first to be quiet", || {
        running.state("orders") == Some("Disabled")
    })
    .await;
    assert!(polled("orders") < 3_000, "it was disabled before its end");
    let applied = running.reload.apply(file).await;
    assert!(matches!(applied, Reloaded::Applied(_)), "{applied:?}");
    until("the first to read the rest", || polled("orders") == 3_000).await;
    running.finishes(6_000).await;
    assert_eq!(running.ends().await.records, 6_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mappings_come_and_go_while_the_others_run() {
    let file = slow(400);
    let mut none = file.clone();
    none.mappings.clear();
    let running = start(none.clone());
    // Nothing to do is no end, since a file may come.
    let applied = running.reload.apply(file.clone()).await;
    let lines = vec!["mapping.orders added: orders to count".to_owned()];
    assert_eq!(applied, Reloaded::Applied(lines));
    running.finishes(400).await;
    let applied = running.reload.apply(none).await;
    assert_eq!(
        applied,
        Reloaded::Applied(vec!["mapping.orders removed".to_owned()])
    );
    until("it to be gone", || running.board.find("orders").is_none()).await;
    // What is stored of it is still there.
    let applied = running.reload.apply(file).await;
    assert!(matches!(applied, Reloaded::Applied(_)), "{applied:?}");
    until("it to be back", || {
        running.state("orders") == Some("Enabled")
    })
    .await;
    assert_eq!(running.ends().await.records, 400);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_target_gets_what_comes_and_filters_apply_from_then_on() {
    let file = slow(3_000);
    let running = start(file.clone());
    running.finishes(50).await;
    let mut changed = file.clone();
    changed.targets[0].kind = TargetKind::Mock {
        duration: Dist::Constant(0.0),
        error_rate: Ratio::ZERO,
    };
    // Nothing has this key.
    changed.mappings[0].config.filters = vec![r#"{"data":{"nobody":["has"]}}"#.to_owned()];
    let applied = running.reload.apply(changed).await;
    let lines = [
        "target.count changed: its address or answers",
        r#"mapping.orders.FilterCriteria [] → [{"data":{"nobody":["has"]}}]"#,
    ];
    assert_eq!(
        applied,
        Reloaded::Applied(lines.map(str::to_owned).to_vec())
    );
    running.finishes(3_000).await;
    let summary = running.ends().await;
    assert_eq!(summary.records, 3_000);
    assert!((1..3_000).contains(&summary.filtered), "{summary:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_cannot_be_carried_out_changes_nothing() {
    let file = slow(1_000);
    let running = start(file.clone());
    running.finishes(50).await;
    let mut refused = file.clone();
    refused.poller.seed = 99;
    refused.mappings[0].config.batch_size = 77;
    let Reloaded::Refused { changes, reasons } = running.reload.apply(refused).await else {
        panic!("a seed does not change");
    };
    assert_eq!(
        changes,
        ["poller.seed changed", "mapping.orders.BatchSize 10 → 77"]
    );
    assert_eq!(reasons, ["poller.seed: takes a restart of tidegate"]);
    let mut impossible = file.clone();
    impossible.targets[0].kind = TargetKind::Process {
        command: Vec::new(),
        env: crate::scenario::Variables::default(),
    };
    let failed = running.reload.apply(impossible).await;
    assert_eq!(
        failed,
        Reloaded::Failed("target `count`: the command is empty".to_owned())
    );
    // The old one is still what later files are compared with.
    assert_eq!(running.reload.apply(file).await, Reloaded::Unchanged);
    running.finishes(1_000).await;
    let (reload, summary) = (running.reload.clone(), running.ends().await);
    assert_eq!(summary.records, 1_000);
    assert_eq!(reload.apply(slow(1)).await, Reloaded::Ended);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_of_a_changed_run_is_replayed_to_the_same_decisions() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("run.jsonl");
    let file = slow(2_000);
    let (stop, stopped) = watch::channel(false);
    let reload = Reload::default();
    let options = RunOptions {
        stop_when_idle: None,
        stop: Some(stopped),
        reload: Some(reload.clone()),
        record: Some(log.clone()),
        ..options()
    };
    let counters = options.counters.clone();
    let task = tokio::spawn(run(file.clone(), options));
    until("records", || counters::get(&counters.finished) >= 50).await;
    for (batch_size, poll_millis) in [(50, 10), (20, 12), (100, 12)] {
        let mut changed = file.clone();
        changed.mappings[0].config.batch_size = batch_size;
        changed.mappings[0].tuning.poll_interval = Span::from_millis(poll_millis);
        let applied = reload.apply(changed).await;
        assert!(matches!(applied, Reloaded::Applied(_)), "{applied:?}");
    }
    until("the rest", || counters::get(&counters.finished) >= 2_000).await;
    stop.send(true).expect("it listens");
    task.await.expect("no panic").expect("a run");
    let found = replay(&log).expect("a replay");
    assert_eq!(found.difference, None);
    assert_eq!(found.mappings, 2, "it was opened twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_ends_at_its_deadline_and_says_what_is_left() {
    let mut file = slow(100);
    file.targets[0].kind = TargetKind::Mock {
        duration: Dist::Constant(600e9),
        error_rate: Ratio::ZERO,
    };
    let (stop, stopped) = watch::channel(false);
    let options = RunOptions {
        stop_when_idle: None,
        stop: Some(stopped),
        drain_timeout: Some(Span::from_millis(50)),
        ..options()
    };
    let (counters, board) = (options.counters.clone(), options.board.clone());
    let task = tokio::spawn(run(file, options));
    until("calls", || counters::get(&counters.invocations) == 3).await;
    stop.send(true).expect("it listens");
    let summary = task.await.expect("no panic").expect("a run");
    assert!(!summary.drained);
    let left = board.left();
    assert_eq!(left.len(), 1);
    assert!(left[0].ends_with("3 invocations in flight"), "{left:?}");
}
