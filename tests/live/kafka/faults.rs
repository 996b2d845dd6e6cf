//! What a process or a broker that ends without a word leaves behind.

use crate::support::kafka::{Broker, Topic, assert_in_order, numbers};

#[tokio::test]
async fn a_kill_at_any_moment_loses_nothing_and_commits_nothing_that_was_not_done() {
    const COUNT: usize = 200;
    let topic = Topic::create(3).await;
    topic.fill(0..COUNT).await;
    let poller = topic
        .poller("BatchSize = 10\nMaximumBatchingWindowInSeconds = 0\n")
        .env("TEST_FUNCTION_DELAY_MS", "5");
    for _ in 0..2 {
        let before = poller.invocations().len();
        let running = poller.start(&[]);
        poller.await_invocations("some invocations", |seen| seen.len() >= before + 4);
        running.kill();
        let seen = numbers(&poller.invocations());
        for (partition, offset) in topic.committed() {
            let partition = u64::try_from(partition).expect("a partition");
            let delivered = seen.get(&partition).and_then(|seen| seen.iter().max());
            let delivered = delivered.map_or(0, |last| last + 1);
            assert!(
                usize::try_from(offset).is_ok_and(|offset| offset <= delivered),
                "partition {partition}: {offset} is committed and {delivered} delivered"
            );
        }
    }
    let running = poller.start(&[]);
    poller.await_invocations("everything", |seen| {
        let seen = numbers(seen);
        (0..3).all(|partition| {
            seen.get(&partition)
                .is_some_and(|seen| seen.iter().max() == Some(&(COUNT - 1)))
        })
    });
    let ended = running.terminate();
    assert!(ended.status.success(), "{ended:?}");
    for seen in numbers(&poller.invocations()).values() {
        assert_in_order(seen, COUNT);
    }
    let end = i64::try_from(COUNT).expect("a small number");
    assert!(topic.committed().values().all(|&offset| offset == end));
}

#[tokio::test]
async fn a_broker_that_is_killed_and_comes_back_is_read_on() {
    let mut broker = Broker::start();
    let topic = Topic::create_on(&broker.servers(), 2, &[]).await;
    topic.fill(0..50).await;
    let poller = topic
        .poller("BatchSize = 10\nbackoff_first = \"100ms\"\nbackoff_max = \"1s\"\n")
        .function("timeout = \"20s\"\n");
    let running = poller.start(&[]);
    poller.await_invocations("the first records", |seen| {
        numbers(seen).values().map(Vec::len).sum::<usize>() >= 40
    });
    broker.kill();
    broker.resume();
    topic.fill(50..100).await;
    poller.await_invocations("what was written since", |seen| {
        let seen = numbers(seen);
        (0..2).all(|partition| seen.get(&partition).is_some_and(|seen| seen.contains(&99)))
    });
    let ended = running.terminate();
    assert!(ended.status.success(), "{ended:?}");
    for seen in numbers(&poller.invocations()).values() {
        assert_in_order(seen, 100);
    }
    assert!(topic.committed().values().all(|&offset| offset == 100));
}
