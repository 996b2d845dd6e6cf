//! Several processes in one group.

use crate::support::PATIENCE;
use crate::support::kafka::{Topic, assert_in_order, numbers};
use crate::support::poller::{Invocation, wait_until};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// What several functions saw, in the order of their logs' clocks.
fn together(logs: &[Vec<Invocation>]) -> Vec<Invocation> {
    let mut all: Vec<Invocation> = logs.iter().flatten().cloned().collect();
    all.sort_by_key(|it| it.unix_ms);
    all
}

fn seen_of(all: &[Invocation], partition: u64) -> usize {
    let seen = numbers(all);
    let distinct: std::collections::BTreeSet<usize> = seen
        .get(&partition)
        .into_iter()
        .flatten()
        .copied()
        .collect();
    distinct.len()
}

/// Writes a little now and then until `enough`: a member that takes its time to join finds something to do.
async fn trickle(topic: &Topic, written: &mut usize, enough: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !enough() {
        topic.fill(*written..*written + 5).await;
        *written += 5;
        assert!(Instant::now() < deadline, "the member never came to work");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn two_processes_share_the_partitions_and_one_takes_over_when_the_other_is_killed() {
    let topic = Topic::create(4).await;
    let lines = "BatchSize = 10\nMaximumBatchingWindowInSeconds = 0\n";
    let one = topic.poller(lines).env("TEST_FUNCTION_DELAY_MS", "5");
    let two = topic.poller(lines).env("TEST_FUNCTION_DELAY_MS", "5");
    let first = one.start(&[]);
    topic.fill(0..100).await;
    one.await_invocations("the first at work", |seen| !seen.is_empty());
    let second = two.start(&[]);
    let mut written = 100;
    trickle(&topic, &mut written, || !two.invocations().is_empty()).await;
    first.kill();
    let count = written + 300;
    topic.fill(written..count).await;
    // The group misses the killed member after its session's time.
    let all = wait_until("everything", || {
        let all = together(&[one.invocations(), two.invocations()]);
        (0..4)
            .all(|partition| seen_of(&all, partition) == count)
            .then_some(all)
    });
    let ended = second.terminate();
    assert!(ended.status.success(), "{ended:?}");
    for seen in numbers(&all).values() {
        assert_in_order(seen, count);
    }
    let end = i64::try_from(count).expect("a small number");
    let expected: BTreeMap<i32, i64> = (0..4).map(|partition| (partition, end)).collect();
    assert_eq!(topic.committed(), expected);
}

#[tokio::test]
async fn members_that_join_and_leave_lose_nothing_and_keep_order() {
    let topic = Topic::create(6).await;
    let lines = "BatchSize = 7\nMaximumBatchingWindowInSeconds = 0\n";
    let pollers: Vec<_> = (0..3)
        .map(|_| topic.poller(lines).env("TEST_FUNCTION_DELAY_MS", "3"))
        .collect();
    let steady = pollers[0].start(&[]);
    let mut written = 0;
    for joiner in [&pollers[1], &pollers[2], &pollers[1]] {
        let before = joiner.invocations().len();
        let running = joiner.start(&[]);
        trickle(&topic, &mut written, || {
            joiner.invocations().len() > before + 2
        })
        .await;
        let ended = running.terminate();
        assert!(ended.status.success(), "{ended:?}");
    }
    let all = wait_until("everything", || {
        let logs: Vec<_> = pollers.iter().map(|it| it.invocations()).collect();
        let all = together(&logs);
        (0..6)
            .all(|partition| seen_of(&all, partition) == written)
            .then_some(all)
    });
    let ended = steady.terminate();
    assert!(ended.status.success(), "{ended:?}");
    for seen in numbers(&all).values() {
        assert_in_order(seen, written);
        // Nobody was killed: what was given up was finished or not begun.
        assert_eq!(seen.len(), written, "delivered once");
    }
}
