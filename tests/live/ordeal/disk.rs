//! The disk under the store is full: when the poller starts, while it works, and when it is killed then.
//!
//! What plays the full disk is a limit on the length of files that can be lifted again, which needs no rights.

use super::evidence::{Log, Pass, distinct, judge};
use super::sources::{Begin, Kind, Source};
use super::traffic::Traffic;
use crate::support::eventually_within;
use crate::support::poller::{Running, wait_until};
use std::collections::BTreeMap;
use std::time::Duration;
use tidegate::poll::Store;

const PATIENCE: Duration = Duration::from_secs(60);
/// Whoever exceeds the limit is told by an error, not by a signal.
const NO_SIGNAL: &str = "trap '' XFSZ";
const NOT_STORED: &str = "a checkpoint was not stored";

/// Waits until the store has failed more often than so far.
async fn fails_again(running: &Running) {
    let failures = || running.said().matches(NOT_STORED).count();
    let before = failures();
    eventually_within(PATIENCE, "checkpoints that are not stored", async || {
        (failures() > before + 1).then_some(())
    })
    .await;
}

mod store {
    mod kinesis {
        use super::super::{a_full_disk_holds_checkpoints_back_and_nothing_else, refused_at_start};

        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn a_full_disk_loses_nothing_and_is_gone_on_from() {
            a_full_disk_holds_checkpoints_back_and_nothing_else().await;
        }

        #[tokio::test]
        async fn a_full_disk_at_the_start_is_said_and_leaves_no_stump() {
            refused_at_start().await;
        }
    }
}

/// Tests that need the right to mount, which `scripts/test` finds out.
mod mount {
    mod kinesis {
        #[tokio::test]
        async fn a_read_only_disk_is_said_and_nothing_is_read() {
            super::super::refused_on_a_read_only_disk().await;
        }
    }
}

async fn refused_on_a_read_only_disk() {
    let source = Source::create(Kind::Kinesis).await;
    source.write(0..10).await;
    let mut poller = source.poller(&source.address());
    let ended = poller.run(&["--max-records", "10"]);
    assert!(ended.status.success(), "{ended:?}");
    let before = poller.invocations().len();
    source.write(10..20).await;
    // In a world of its own mounts, so that nothing is left to be taken back.
    let folder = poller.path("");
    let folder = folder.display();
    poller.begin_with(&format!(
        "exec unshare --user --map-root-user --mount sh -c 'mount --bind \"{folder}\" \"{folder}\" && \
         mount -o remount,bind,ro \"{folder}\" && exec \"$0\" \"$@\"' \"$0\" \"$@\""
    ));
    let ended = poller.run(&["--max-records", "10"]);
    assert_eq!(ended.status.code(), Some(3), "{ended:?}");
    for part in [
        "checkpoints.redb",
        "Read-only file system",
        "can be written",
    ] {
        assert!(ended.output.contains(part), "{part}: {}", ended.output);
    }
    assert_eq!(poller.invocations().len(), before);
    // Writable again, it goes on behind what it had stored.
    poller.begin_with(":");
    let ended = poller.run(&["--max-records", "10"]);
    assert!(ended.status.success(), "{ended:?}");
    let log = Log::of(Kind::Kinesis, poller.path("events.jsonl"));
    let mut passes = [Pass {
        log,
        begins: BTreeMap::new(),
    }];
    assert_eq!(distinct(&mut passes), 20);
    let [pass] = &passes;
    assert_eq!(pass.log.seen.len(), 20, "nothing came twice");
}

async fn refused_at_start() {
    let source = Source::create(Kind::Kinesis).await;
    source.write(0..10).await;
    let mut poller = source.poller(&source.address());
    poller.begin_with(&format!("{NO_SIGNAL}; ulimit -S -f 0"));
    let ended = poller.run(&["--max-records", "10"]);
    assert_eq!(ended.status.code(), Some(3), "{ended:?}");
    for part in ["checkpoints.redb", "cannot be used", "Make room"] {
        assert!(ended.output.contains(part), "{part}: {}", ended.output);
    }
    assert!(poller.invocations().is_empty());
    // With room, what is left there is no obstacle.
    poller.begin_with(NO_SIGNAL);
    let ended = poller.run(&["--max-records", "10"]);
    assert!(ended.status.success(), "{ended:?}");
}

async fn a_full_disk_holds_checkpoints_back_and_nothing_else() {
    let kind = Kind::Kinesis;
    let source = Source::create(kind).await;
    let mut poller = source.poller(&source.address());
    poller.begin_with(NO_SIGNAL);
    let traffic = Traffic::default();
    let mut passes: Vec<Pass> = Vec::new();
    let ordeal = async {
        for (index, name) in ["killed.jsonl", "mended.jsonl"].into_iter().enumerate() {
            poller.logs_to(name);
            let begins = source.begins(&poller);
            let log = Log::of(kind, poller.path(name));
            passes.push(Pass { log, begins });
            let running = poller.start(&[]);
            let more = async |passes: &mut Vec<Pass>, what: &str| {
                let before = distinct(passes);
                eventually_within(PATIENCE, what, async || {
                    traffic.seen.set(distinct(passes));
                    (traffic.seen.get() > before + 40).then_some(())
                })
                .await;
            };
            more(&mut passes, "some records").await;
            running.limit_files("0");
            fails_again(&running).await;
            // Records are delivered all the same.
            more(&mut passes, "some records without a store").await;
            let said = running.said();
            assert!(said.contains("Make room"), "{said}");
            if index == 0 {
                // Whoever comes next begins at what was stored, which is behind.
                running.kill();
                continue;
            }
            running.limit_files("unlimited");
            // It has more to store than before: the stored positions move again.
            let before = stored(
                &poller.path("checkpoints.redb"),
                &poller.path("before.redb"),
            );
            eventually_within(PATIENCE, "checkpoints that move", async || {
                let now = stored(&poller.path("checkpoints.redb"), &poller.path("now.redb"));
                (now != before).then_some(())
            })
            .await;
            traffic.over.set(true);
            return running;
        }
        unreachable!("the second one is not killed");
    };
    let ((), running) = tokio::join!(traffic.flow(&source), ordeal);
    let written = traffic.written();
    wait_until("every record", || {
        (distinct(&mut passes) == written).then_some(())
    });
    let ended = running.terminate();
    assert!(ended.status.success(), "{ended:?}");
    let tally = judge(kind, written, &passes);
    assert!(
        tally.again() > 0,
        "the kill found everything stored: {tally:?}"
    );
    // Everything that was done is stored in the end.
    let begins = source.begins(&poller);
    for (shard, begin) in begins {
        let last = passes.iter().flat_map(|pass| &pass.log.seen);
        let last = last.filter(|it| it.key == shard).max_by_key(|it| it.number);
        let last = last.expect("a record of each shard");
        assert_eq!(begin, Begin::After(last.place.clone()), "{shard}");
    }
    crate::support::row(&format!(
        "faults: | full disk | store | checkpoints were refused and tried again; after a kill {} of {} records came again, none lost |",
        tally.again(),
        tally.records
    ));
}

/// What a copy of the store says; a copy in the middle of a write may be none.
fn stored(path: &std::path::Path, copy: &std::path::Path) -> Option<String> {
    std::fs::copy(path, copy).expect("a copy");
    let stored = Store::open(copy).ok()?.load("tested").ok()?;
    Some(format!("{stored:?}"))
}
