//! Batches, credit, acknowledgements, redelivery.

use super::{bodies, body, deliveries, messages};
use crate::support::rabbitmq::{BROKER, Rabbit};
use lapin::types::AMQPValue;

#[tokio::test]
async fn messages_are_delivered_in_order_and_acknowledged() {
    let _broker = BROKER.read().await;
    let rabbit = Rabbit::create().await;
    rabbit.publish(&bodies(300)).await;
    let poller = rabbit.poller("BatchSize = 10\n");
    let ended = poller.run(&["--max-records", "300"]);
    assert!(ended.status.success(), "{ended:?}");
    let invocations = poller.invocations();
    let seen: Vec<String> = messages(&invocations).map(body).collect();
    assert_eq!(seen, bodies(300));
    assert!(invocations.iter().all(|one| one.records.len() <= 10));
    // The poller says good-bye before it ends, so its last acknowledgements have arrived.
    assert_eq!(rabbit.counts().await, (0, 0));
    rabbit.delete().await;
}

#[tokio::test]
async fn no_more_than_two_batches_are_unacknowledged() {
    let _broker = BROKER.read().await;
    let rabbit = Rabbit::create().await;
    rabbit.publish(&bodies(100)).await;
    let poller = rabbit
        .poller("BatchSize = 5\n")
        .env("TEST_FUNCTION_DELAY_MS", "600000");
    let running = poller.start(&[]);
    poller.await_invocations("a function that does not return", |seen| seen.len() == 1);
    rabbit.await_counts(90, 10).await;
    // A killed poller's messages go back.
    running.kill();
    rabbit.await_counts(100, 0).await;
    assert_eq!(poller.invocations().len(), 1);
    rabbit.delete().await;
}

#[tokio::test]
async fn what_a_stopped_poller_holds_goes_back() {
    let _broker = BROKER.read().await;
    let rabbit = Rabbit::create().await;
    rabbit.publish(&bodies(50)).await;
    let poller = rabbit
        .poller("BatchSize = 10\n")
        .env("TEST_FUNCTION_DELAY_MS", "1500");
    let running = poller.start(&[]);
    poller.await_invocations("an invocation", |seen| !seen.is_empty());
    let ended = running.terminate();
    assert!(ended.status.success(), "{ended:?}");
    let done = deliveries(&poller.invocations()).len() as u64;
    assert!((10..50).contains(&done), "{done}");
    assert_eq!(rabbit.counts().await, (50 - done, 0));
    rabbit.delete().await;
}

#[tokio::test]
async fn a_failed_batch_comes_again_and_says_so() {
    let _broker = BROKER.read().await;
    let rabbit = Rabbit::create().await;
    rabbit.publish(&["poison".to_owned()]).await;
    let poller = rabbit.poller("BatchSize = 1\nbackoff_first = \"10ms\"\n");
    let running = poller.start(&[]);
    let invocations = poller.await_invocations("three deliveries", |seen| seen.len() >= 3);
    let redelivered: Vec<bool> = messages(&invocations)
        .filter_map(|message| message["redelivered"].as_bool())
        .collect();
    assert_eq!(redelivered[..3], [false, true, true]);
    // What is sent meanwhile is not held up for ever.
    rabbit.publish(&["fine".to_owned()]).await;
    poller.await_invocations("the message behind it", |seen| {
        deliveries(seen).contains_key("fine")
    });
    assert!(running.terminate().status.success());
    rabbit.await_counts(1, 0).await;
    rabbit.delete().await;
}

/// The broker counts deliveries and moves the message, as its queue says.
#[tokio::test]
async fn a_quorum_queue_dead_letters_what_fails_too_often() {
    let _broker = BROKER.read().await;
    let dead = Rabbit::create().await;
    let rabbit = Rabbit::create_with(
        "/",
        &[
            ("x-queue-type", AMQPValue::LongString("quorum".into())),
            ("x-delivery-limit", AMQPValue::LongInt(2)),
            ("x-dead-letter-exchange", AMQPValue::LongString("".into())),
            (
                "x-dead-letter-routing-key",
                AMQPValue::LongString(dead.name.as_str().into()),
            ),
        ],
    )
    .await;
    rabbit
        .publish(&["poison".to_owned(), "fine".to_owned()])
        .await;
    let poller = rabbit.poller("BatchSize = 1\nbackoff_first = \"10ms\"\n");
    let running = poller.start(&[]);
    dead.await_counts(1, 0).await;
    let seen = poller.await_invocations("the other message", |seen| {
        deliveries(seen).contains_key("fine")
    });
    assert!(running.terminate().status.success());
    let deliveries = deliveries(&seen);
    assert_eq!((deliveries["poison"], deliveries["fine"]), (3, 1));
    // The last delivery names the ones before it.
    let last = messages(&seen)
        .filter(|message| body(message) == "poison")
        .last()
        .expect("poison");
    assert_eq!(last["basicProperties"]["headers"]["x-delivery-count"], 2);
    rabbit.await_counts(0, 0).await;
    rabbit.delete().await;
    dead.delete().await;
}

#[tokio::test]
async fn no_password_is_logged_at_any_level() {
    let _broker = BROKER.read().await;
    let rabbit = Rabbit::create().await;
    rabbit.publish(&bodies(20)).await;
    let poller = rabbit
        .poller("BatchSize = 10\n")
        .variable("RUST_LOG", "trace");
    let ended = poller.run(&["--max-records", "20"]);
    assert!(ended.status.success(), "{:?}", ended.status);
    assert!(
        ended.output.contains(" DEBUG "),
        "its own lines are all there"
    );
    assert!(
        !ended.output.contains(" TRACE "),
        "libraries are heard in detail"
    );
    ended.keeps(&crate::support::server_url(
        "TIDEGATE_TEST_RABBITMQ_PASSWORD",
    ));
    rabbit.delete().await;
}
