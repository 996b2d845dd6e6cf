//! Several processes in one group.

use crate::support::kafka::{Topic, assert_in_order, numbers};
use crate::support::poller::{Invocation, wait_until};
use std::collections::BTreeMap;
use std::time::Duration;

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

#[tokio::test]
async fn two_processes_share_the_partitions_and_one_takes_over_when_the_other_is_killed() {
    const COUNT: usize = 1_000;
    let topic = Topic::create(4).await;
    let lines = "BatchSize = 10\nMaximumBatchingWindowInSeconds = 0\n";
    let one = topic.poller(lines).env("TEST_FUNCTION_DELAY_MS", "5");
    let two = topic.poller(lines).env("TEST_FUNCTION_DELAY_MS", "5");
    let first = one.start(&[]);
    topic.fill(0..100).await;
    one.await_invocations("the first at work", |seen| !seen.is_empty());
    let second = two.start(&[]);
    // Something to do is there for as long as it takes to join.
    let mut written = 100;
    while two.invocations().is_empty() {
        topic.fill(written..written + 5).await;
        written += 5;
        assert!(written < COUNT, "the second has joined by now");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    first.kill();
    topic.fill(written..COUNT).await;
    // The group misses the killed member after its session's time.
    let all = wait_until("everything", || {
        let all = together(&[one.invocations(), two.invocations()]);
        (0..4)
            .all(|partition| seen_of(&all, partition) == COUNT)
            .then_some(all)
    });
    let ended = second.terminate();
    assert!(ended.status.success(), "{ended:?}");
    for seen in numbers(&all).values() {
        assert_in_order(seen, COUNT);
    }
    let end = i64::try_from(COUNT).expect("a small number");
    let expected: BTreeMap<i32, i64> = (0..4).map(|partition| (partition, end)).collect();
    assert_eq!(topic.committed(), expected);
}

#[tokio::test]
async fn members_that_join_and_leave_lose_nothing_and_keep_order() {
    const COUNT: usize = 400;
    let topic = Topic::create(6).await;
    let lines = "BatchSize = 7\nMaximumBatchingWindowInSeconds = 0\n";
    let pollers: Vec<_> = (0..3)
        .map(|_| topic.poller(lines).env("TEST_FUNCTION_DELAY_MS", "3"))
        .collect();
    let steady = pollers[0].start(&[]);
    let mut written = 0;
    for round in 0..3 {
        topic.fill(written..written + COUNT / 4).await;
        written += COUNT / 4;
        let joiner = &pollers[1 + round % 2];
        let before = joiner.invocations().len();
        let running = joiner.start(&[]);
        joiner.await_invocations("the joiner at work", |seen| seen.len() > before + 2);
        let ended = running.terminate();
        assert!(ended.status.success(), "{ended:?}");
        if round < 2 {
            topic.fill(written..written + COUNT / 8).await;
            written += COUNT / 8;
        }
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
