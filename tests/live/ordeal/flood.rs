//! More than fits into memory, and a function that does not answer: what the poller holds stays within what
//! docs/operations.md states.

use super::sources::{Kind, Source};
use crate::support::eventually_within;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);
/// How long it is watched after its function got stuck.
const WATCHED: Duration = Duration::from_secs(5);
const MIB: usize = 1024 * 1024;
/// Of one message. Ten of them fit into one request of SQS.
const BYTES: usize = 24 * 1024;
/// Of one message in an event, at most.
const IN_EVENT: usize = BYTES * 4 / 3 + 1024;
/// 94 MiB of messages.
const MESSAGES: usize = 4_000;
/// The program itself, unoptimised: some 40 MiB, and room for what an allocator keeps. A reader without bounds would hold more
/// than twice as much.
const PROGRAM: usize = 72 * MIB;

/// What docs/operations.md states for batches of ten and four invocations of a queue.
fn bound(kind: Kind) -> usize {
    let event = 10 * IN_EVENT;
    let held = match kind {
        Kind::Sqs | Kind::Fifo => 4 * 3 * event,
        Kind::RabbitMq => 2 * 10 * IN_EVENT + event,
        Kind::ActiveMq => 5 * (2 * 10 * IN_EVENT + event),
        // Three partitions, each of which has one batch in flight.
        Kind::Kafka => 3 * 3 * event + 3 * 5 * MIB,
        Kind::Kinesis | Kind::DynamoDb => panic!("a page of a stream is larger than this flood"),
    };
    PROGRAM + held
}

fn is_bounded(kind: Kind) {
    super::run(1, flood(kind));
}

async fn flood(kind: Kind) {
    let source = Source::create(kind).await;
    // Longer than the test; functions of queues are ended after 2 s, and their messages come again.
    let poller = source.poller_with(&source.address(), "600s", 600_000);
    source.flood(MESSAGES, BYTES).await;
    let running = poller.start(&[]);
    eventually_within(PATIENCE, "the first invocation", async || {
        (!poller.invocations().is_empty()).then_some(())
    })
    .await;
    let (begun, mut most) = (Instant::now(), 0);
    while begun.elapsed() < WATCHED {
        most = most.max(running.memory());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    running.kill();
    let bound = bound(kind);
    crate::support::row(&format!(
        "overload: | {}, {} MiB waiting | {} MiB | {} MiB |",
        kind.name(),
        MESSAGES * BYTES / MIB,
        most / MIB,
        bound / MIB
    ));
    assert!(most > 0 && most <= bound, "{most} bytes, bound {bound}");
}

of_every_source! { holds_no_more_than_stated: super::super::is_bounded;
    standard sqs Sqs,
    fifo sqs Fifo,
    topic kafka Kafka,
    classic rabbitmq RabbitMq,
    jms activemq ActiveMq,
}
