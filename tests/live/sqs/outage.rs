//! SQS that is not there for a while, and batches that no single receive could fill.

use super::poll::{bodies, deliveries, poller, queue};
use crate::support::poller::wait_until;
use crate::support::proxy::Proxy;
use crate::support::{QueueCounts, SQS_URL, eventually, server_url};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stops_and_starts_again_costs_nothing_but_time() {
    let queue = queue("3").await;
    queue.send(&bodies(20)).await;
    let proxy = Proxy::start(&server_url(SQS_URL)).await;
    let mut poller = poller(&queue, "BatchSize = 5\n").function("timeout = \"2s\"\n");
    poller.endpoint.clone_from(&proxy.url);
    // It is not there when the run begins: that is no reason to give up.
    let running = poller.start(&[]);
    wait_until("a look for the queue", || {
        (proxy.refused() > 0).then_some(())
    });
    proxy.up();
    poller.await_invocations("the first messages", |seen| deliveries(seen).len() == 20);

    proxy.down();
    let before = proxy.refused();
    let more: Vec<String> = (0..20).map(|number| format!("later-{number}")).collect();
    queue.send(&more).await;
    // Each of five pollers has had its connection cut, and tries again.
    wait_until("receives that fail", || {
        (proxy.refused() >= before + 10).then_some(())
    });
    proxy.up();
    poller.await_invocations("all messages", |seen| deliveries(seen).len() == 40);
    eventually("an empty queue", async || {
        (queue.counts().await == QueueCounts::EMPTY).then_some(())
    })
    .await;
    let ended = running.terminate();
    assert!(ended.status.success(), "{ended:?}");
    let told = ended.output.contains("before anything was read");
    assert!(told, "{}", ended.output);
    assert!(ended.output.contains("a call failed"), "{}", ended.output);
}

/// A BatchSize that no receive can fill: the window gathers what many of them return.
#[tokio::test]
async fn a_batch_of_ten_thousand_is_gathered_over_many_receives() {
    const MESSAGES: usize = 1_000;
    let queue = queue("60").await;
    queue.send(&bodies(MESSAGES)).await;
    let poller = poller(
        &queue,
        "BatchSize = 10000\nMaximumBatchingWindowInSeconds = 3\nScalingConfig = { MaximumConcurrency = 2 }\n",
    )
    .function("timeout = \"10s\"\n");
    let ended = poller.run(&["--max-records", "1000"]);
    assert!(ended.status.success(), "{ended:?}");
    let invocations = poller.invocations();
    let deliveries = deliveries(&invocations);
    assert_eq!(deliveries.len(), MESSAGES);
    assert!(deliveries.values().all(|&count| count == 1));
    let largest = invocations.iter().map(|it| it.records.len()).max();
    assert!(largest > Some(100), "{largest:?}");
    assert_eq!(queue.counts().await, QueueCounts::EMPTY);
}
