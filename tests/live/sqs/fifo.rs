//! The poller on a real FIFO queue: what belongs to a group comes in order, whatever fails and whoever is killed.

use super::poll::poller;
use crate::support::poller::Invocation;
use crate::support::{Queue, QueueCounts, eventually};
use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::Value;
use std::collections::BTreeMap;

async fn fifo(visibility: &str) -> Queue {
    Queue::create(&[
        (QueueAttributeName::FifoQueue, "true"),
        (QueueAttributeName::VisibilityTimeout, visibility),
    ])
    .await
}

/// With a dead-letter queue that takes what was received twice.
async fn redriven(visibility: &str) -> (Queue, Queue) {
    let dead = fifo("60").await;
    let policy = format!(
        "{{\"deadLetterTargetArn\":{:?},\"maxReceiveCount\":2}}",
        dead.arn
    );
    let queue = Queue::create(&[
        (QueueAttributeName::FifoQueue, "true"),
        (QueueAttributeName::VisibilityTimeout, visibility),
        (QueueAttributeName::RedrivePolicy, &policy),
    ])
    .await;
    (queue, dead)
}

fn attribute<'a>(record: &'a Value, name: &str) -> &'a str {
    record["attributes"][name].as_str().expect("an attribute")
}

/// The bodies of each group, in the order of their deliveries.
fn by_group(invocations: &[Invocation]) -> BTreeMap<String, Vec<String>> {
    let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for record in invocations.iter().flat_map(|it| &it.records) {
        let group = attribute(record, "MessageGroupId").to_owned();
        let body = record["body"].as_str().expect("a body").to_owned();
        groups.entry(group).or_default().push(body);
    }
    groups
}

/// A failing message holds its group back until its visibility ends, and no other group.
#[tokio::test]
async fn a_failing_group_is_blocked_until_visibility_ends_and_the_others_go_on() {
    let (queue, dead) = redriven("4").await;
    for number in 0..5 {
        for group in ["a", "b", "c"] {
            let body = match (group, number) {
                ("a", 1) => "1-poison".to_owned(),
                _ => number.to_string(),
            };
            queue.send_fifo(group, &body).await;
        }
    }
    let poller = poller(&queue, "BatchSize = 1\n").function("timeout = \"2s\"\n");
    let running = poller.start(&[]);
    eventually("the poison in the dead-letter queue", async || {
        (dead.counts().await.visible == 1).then_some(())
    })
    .await;
    eventually("an empty queue", async || {
        (queue.counts().await == QueueCounts::EMPTY).then_some(())
    })
    .await;
    let ended = running.terminate();
    assert!(ended.status.success(), "{ended:?}");
    let warned = ended.output.contains("allows few receives");
    assert!(warned, "{}", ended.output);
    let invocations = poller.invocations();
    let groups = by_group(&invocations);
    assert_eq!(groups["a"], ["0", "1-poison", "1-poison", "2", "3", "4"]);
    for group in ["b", "c"] {
        assert_eq!(groups[group], ["0", "1", "2", "3", "4"], "{group}");
    }
    let poison: Vec<&Invocation> = invocations
        .iter()
        .filter(|it| it.records[0]["body"] == "1-poison")
        .collect();
    // Four seconds of visibility, counted from the receive before the first delivery.
    let gap = poison[1].unix_ms - poison[0].unix_ms;
    assert!(gap >= 3_500, "{gap} ms");
    let counts: Vec<&str> = poison
        .iter()
        .map(|it| attribute(&it.records[0], "ApproximateReceiveCount"))
        .collect();
    assert_eq!(counts, ["1", "2"]);
}

/// Of a batch one message is reported: it comes back alone and before anything of its group that was sent later.
#[tokio::test]
async fn a_reported_message_comes_back_before_its_group_goes_on() {
    let (queue, dead) = redriven("3").await;
    for body in ["0", "1-poison"] {
        queue.send_fifo("p", body).await;
    }
    for body in ["0", "1", "2"] {
        queue.send_fifo("q", body).await;
    }
    let poller = poller(
        &queue,
        "BatchSize = 10\nFunctionResponseTypes = [\"ReportBatchItemFailures\"]\n",
    )
    .function("timeout = \"2s\"\n")
    .env("TEST_FUNCTION_REPORT", "1");
    let running = poller.start(&[]);
    poller.await_invocations("the poison", |seen| {
        let groups = by_group(seen);
        groups
            .get("p")
            .is_some_and(|bodies| bodies.iter().any(|body| body == "1-poison"))
    });
    queue.send_fifo("p", "2").await;
    eventually("the poison in the dead-letter queue", async || {
        (dead.counts().await.visible == 1).then_some(())
    })
    .await;
    eventually("an empty queue", async || {
        (queue.counts().await == QueueCounts::EMPTY).then_some(())
    })
    .await;
    assert!(running.terminate().status.success());
    let invocations = poller.invocations();
    let groups = by_group(&invocations);
    assert_eq!(groups["p"], ["0", "1-poison", "1-poison", "2"]);
    assert_eq!(groups["q"], ["0", "1", "2"]);
    let record = &invocations[0].records[0];
    assert_eq!(record["eventSource"], "aws:sqs");
    assert_eq!(record["eventSourceARN"], queue.arn);
    for name in [
        "SequenceNumber",
        "MessageGroupId",
        "MessageDeduplicationId",
        "SenderId",
        "SentTimestamp",
    ] {
        assert!(!attribute(record, name).is_empty(), "{name}");
    }
    // A FIFO queue takes no window, and without one the digest of no attributes is absent.
    let record = record.as_object().expect("an object");
    assert!(!record.contains_key("md5OfMessageAttributes"));
}

/// The poller is killed in the middle of batches: nothing is lost, what comes again was received again, and no message
/// overtakes one of its group.
#[tokio::test]
async fn a_kill_neither_loses_messages_nor_their_order() {
    const GROUPS: usize = 6;
    const EACH: usize = 12;
    let queue = fifo("2").await;
    for number in 0..EACH {
        for group in 0..GROUPS {
            let group = format!("g{group}");
            queue.send_fifo(&group, &format!("{number:03}")).await;
        }
    }
    let poller = poller(&queue, "BatchSize = 5\n")
        .function("timeout = \"2s\"\n")
        .env("TEST_FUNCTION_DELAY_MS", "30");
    for _ in 0..2 {
        let before = poller.invocations().len();
        let running = poller.start(&[]);
        poller.await_invocations("invocations before the kill", |seen| {
            seen.len() >= before + 2
        });
        running.kill();
    }
    let running = poller.start(&[]);
    poller.await_invocations("every message", |seen| {
        let groups = by_group(seen);
        let distinct = |bodies: &Vec<String>| {
            let bodies: std::collections::BTreeSet<&String> = bodies.iter().collect();
            bodies.len()
        };
        groups.len() == GROUPS && groups.values().all(|bodies| distinct(bodies) == EACH)
    });
    eventually("an empty queue", async || {
        (queue.counts().await == QueueCounts::EMPTY).then_some(())
    })
    .await;
    assert!(running.terminate().status.success());
    let invocations = poller.invocations();
    for (group, bodies) in by_group(&invocations) {
        let mut first = bodies.clone();
        let mut seen = std::collections::BTreeSet::new();
        first.retain(|body| seen.insert(body.clone()));
        assert!(first.is_sorted(), "{group}: {bodies:?}");
    }
    // Nobody delivers one receive of a message twice: duplicates are receives after the kill.
    let mut receives = std::collections::BTreeSet::new();
    for record in invocations.iter().flat_map(|it| &it.records) {
        let id = record["messageId"].as_str().expect("an id");
        let count = attribute(record, "ApproximateReceiveCount");
        assert!(
            receives.insert((id.to_owned(), count.to_owned())),
            "{record}"
        );
    }
}
