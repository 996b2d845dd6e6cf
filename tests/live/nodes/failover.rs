//! How long the shards of a process stand still that leaves, dies or freezes.
//!
//! `TIDEGATE_FAILOVERS` says how often each is done, on a machine that does little else: then the stated times have to be
//! kept. Among other tests a process may get no time for as long as a lease lasts, and it only has to come about.

use super::{SHARDS, all_work, content, node};
use crate::support::poller::{Poller, Running, wait_until};
use crate::support::{KINESIS_URL, PATIENCE, Stream, server_url, unique};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// For reading the stream and invoking the function.
const MARGIN: Duration = Duration::from_secs(3);

#[derive(Clone, Copy)]
enum Ending {
    Leaves,
    Dies,
    Freezes,
}

impl Ending {
    const fn name(self) -> &'static str {
        match self {
            Self::Leaves => "leaves (SIGTERM)",
            Self::Dies => "dies (SIGKILL)",
            Self::Freezes => "freezes (SIGSTOP)",
        }
    }

    /// Within what docs/operations.md says that others have taken its shards.
    fn stated(self) -> Duration {
        let failover = super::FAILOVER.strip_suffix('s').expect("seconds");
        let failover = Duration::from_secs(failover.parse().expect("a number"));
        match self {
            // Looks are half of it apart, and up to a fifth of that more.
            Self::Leaves => failover * 3 / 5,
            Self::Dies | Self::Freezes => 2 * failover,
        }
    }

    /// What becomes of the process; one that is still there can be woken up.
    fn strike(self, running: Running) -> Option<Running> {
        match self {
            Self::Leaves => {
                let ended = running.terminate();
                assert!(ended.status.success(), "{ended:?}");
                None
            }
            Self::Dies => {
                running.kill();
                None
            }
            Self::Freezes => {
                running.signal("STOP");
                Some(running)
            }
        }
    }
}

fn unix_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.expect("after 1970").as_millis();
    u64::try_from(now).expect("fits")
}

/// When this process first delivered something of each shard, from `since` on.
fn first_since(node: &Poller, since: u64) -> BTreeMap<String, u64> {
    let mut first = BTreeMap::new();
    let seen = node.invocations();
    for invocation in seen.iter().filter(|it| it.unix_ms >= since) {
        for record in &invocation.records {
            let (shard, _) = content(record);
            first.entry(shard).or_insert(invocation.unix_ms);
        }
    }
    first
}

/// The shards that a process shows as its own.
fn shown(running: &Running) -> Option<BTreeSet<String>> {
    let address = running.await_word_after("metrics, health and status are served address=");
    let told = Command::new(env!("CARGO_BIN_EXE_tidegate"))
        .args(["status", "--address", &address, "--format", "json"])
        .output()
        .expect("it runs");
    if !told.status.success() {
        return None;
    }
    let told: Value = serde_json::from_slice(&told.stdout).expect("JSON");
    let shards = told["mappings"][0]["shards"].as_array().expect("shards");
    let names = shards.iter().map(|shard| shard["shard"].as_str());
    Some(names.map(|name| name.expect("a name").to_owned()).collect())
}

/// Writes to all shards until it is told to stop.
async fn write(stream: Arc<Stream>, over: Arc<AtomicBool>) {
    let mut count = 0;
    while !over.load(Ordering::Relaxed) {
        let records: Vec<(String, Vec<u8>)> = (count..count + 24)
            .map(|number| (format!("key-{number}"), b"data".to_vec()))
            .collect();
        stream.put(&records).await;
        count += 24;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// The shards of one of two processes are delivered by the other within the stated time, again and again.
async fn is_replaced(ending: Ending) {
    let asked = std::env::var("TIDEGATE_FAILOVERS").ok();
    let asked = asked.map(|text| text.parse().expect("TIDEGATE_FAILOVERS is a number"));
    let times = asked.unwrap_or(1);
    let limit = match asked {
        Some(_) => ending.stated() + MARGIN,
        None => PATIENCE,
    };
    let stream = Arc::new(Stream::create(SHARDS).await);
    let (endpoint, table) = (server_url(KINESIS_URL), unique("leases"));
    let [stays, goes] = [(); 2].map(|()| node(&stream.arn, &endpoint, &table, "BatchSize = 20\n"));
    let over = Arc::new(AtomicBool::new(false));
    let writer = tokio::spawn(write(stream.clone(), over.clone()));
    let running = stays.start(&[]);
    let mut other = goes.start(&[]);
    let mut took: Vec<Duration> = Vec::new();
    for _ in 0..times {
        all_work(&[&stays, &goes]);
        wait_until("a fair share with each, as each shows it", || {
            let (one, two) = (shown(&running)?, shown(&other)?);
            let is_fair = one.is_disjoint(&two) && one.len() == two.len();
            (is_fair && one.len() + two.len() == SHARDS as usize).then_some(())
        });
        let struck = unix_ms();
        let left = ending.strike(other);
        let taken = wait_until("every shard with the process that stays", || {
            let first = first_since(&stays, struck);
            (first.len() == SHARDS as usize).then_some(first)
        });
        // Its own shards it delivers at once; the last one is one that was taken over.
        let last = taken.values().max().expect("shards");
        took.push(Duration::from_millis(last - struck));
        let before = unix_ms();
        other = match left {
            Some(frozen) => {
                frozen.signal("CONT");
                frozen
            }
            None => goes.start(&[]),
        };
        wait_until("a share for the process that came back", || {
            let share: BTreeSet<String> = first_since(&goes, before).into_keys().collect();
            (!share.is_empty()).then_some(())
        });
    }
    over.store(true, Ordering::Relaxed);
    writer.await.expect("the writer ends");
    for running in [running, other] {
        let ended = running.terminate();
        assert!(ended.status.success(), "{ended:?}");
    }
    took.sort();
    let secs = |time: Duration| format!("{:.1} s", time.as_secs_f64());
    // The row of a report; see scripts/reliability.d/nodes.
    crate::support::row(&format!(
        "nodes: | {} | {times} | {} | {} | {} | {} |",
        ending.name(),
        secs(ending.stated()),
        secs(took[0]),
        secs(took[took.len() / 2]),
        secs(took[took.len() - 1]),
    ));
    assert!(
        took[took.len() - 1] <= limit,
        "{} after: {took:?}",
        ending.name()
    );
    let stream = Arc::into_inner(stream).expect("the writer is gone");
    stream.delete().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_leaves_is_replaced_by_the_other() {
    is_replaced(Ending::Leaves).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_dies_is_replaced_by_the_other() {
    is_replaced(Ending::Dies).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_freezes_is_replaced_by_the_other() {
    is_replaced(Ending::Freezes).await;
}
