//! Three processes that join, leave and die while records flow.

use crate::support::kafka::{Topic, assert_in_order, numbers};
use crate::support::poller::{Invocation, Poller, wait_until};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const PARTITIONS: i32 = 12;

/// What all functions saw, in the order of their logs' clocks.
fn together(pollers: &[Poller]) -> Vec<Invocation> {
    let mut all: Vec<Invocation> = pollers.iter().flat_map(Poller::invocations).collect();
    all.sort_by_key(|it| it.unix_ms);
    all
}

/// Nothing is committed that no function has seen.
fn assert_commits_follow(topic: &Topic, pollers: &[Poller]) {
    // In this order: what is seen in between makes the test weaker, not wrong.
    let committed = topic.committed();
    let seen = numbers(&together(pollers));
    for (partition, offset) in committed {
        let partition = u64::try_from(partition).expect("a partition");
        let delivered = seen.get(&partition).and_then(|seen| seen.iter().max());
        let delivered = delivered.map_or(0, |last| last + 1);
        assert!(
            usize::try_from(offset).is_ok_and(|offset| offset <= delivered),
            "partition {partition}: {offset} is committed and {delivered} delivered"
        );
    }
}

/// Waits until this one has been given something to do.
fn works(poller: &Poller) {
    let before = poller.invocations().len();
    poller.await_invocations("a member at work", |seen| seen.len() > before + 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_rebalances_loses_nothing_and_keeps_order() {
    let topic = Arc::new(Topic::create(PARTITIONS).await);
    let lines = "BatchSize = 10\nMaximumBatchingWindowInSeconds = 0\n";
    let pollers: Vec<Poller> = (0..3)
        .map(|_| topic.poller(lines).env("TEST_FUNCTION_DELAY_MS", "3"))
        .collect();
    let over = Arc::new(AtomicBool::new(false));
    let (written, stop) = (topic.clone(), over.clone());
    let writer = tokio::spawn(async move {
        let mut count = 0;
        while !stop.load(Ordering::Relaxed) {
            written.fill(count..count + 2).await;
            count += 2;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        count
    });

    let first = pollers[0].start(&[]);
    works(&pollers[0]);
    let second = pollers[1].start(&[]);
    let third = pollers[2].start(&[]);
    works(&pollers[1]);
    works(&pollers[2]);
    assert_commits_follow(&topic, &pollers);
    second.kill();
    assert_commits_follow(&topic, &pollers);
    let ended = third.terminate();
    assert!(ended.status.success(), "{ended:?}");
    // The killed one and the one that left come back, the first one leaves.
    let second = pollers[1].start(&[]);
    works(&pollers[1]);
    let third = pollers[2].start(&[]);
    works(&pollers[2]);
    let ended = first.terminate();
    assert!(ended.status.success(), "{ended:?}");
    works(&pollers[1]);
    assert_commits_follow(&topic, &pollers);

    over.store(true, Ordering::Relaxed);
    let count = writer.await.expect("the writer ends");
    let all = wait_until("everything", || {
        let all = together(&pollers);
        let seen = numbers(&all);
        let has_all = |partition: &i32| {
            let seen = &seen.get(&u64::try_from(*partition).ok()?)?;
            (seen.iter().max() == Some(&(count - 1))).then_some(())
        };
        (0..PARTITIONS)
            .all(|partition| has_all(&partition).is_some())
            .then_some(all)
    });
    for running in [second, third] {
        let ended = running.terminate();
        assert!(ended.status.success(), "{ended:?}");
    }
    for seen in numbers(&all).values() {
        assert_in_order(seen, count);
    }
    let end = i64::try_from(count).expect("a small number");
    let expected: BTreeMap<i32, i64> = (0..PARTITIONS).map(|it| (it, end)).collect();
    assert_eq!(topic.committed(), expected);
}
