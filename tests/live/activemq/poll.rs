//! The poller on a real queue, through a real function process.

use crate::support::activemq::{
    ARN, Broker, Client, OwnBroker, bytes, number_of, send_by_stomp, text,
};
use crate::support::poller::{Invocation, Poller, Running};
use crate::support::{eventually, server_url, unique};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// How often each number was delivered.
fn deliveries(invocations: &[Invocation]) -> BTreeMap<usize, usize> {
    let mut counts = BTreeMap::new();
    for message in invocations.iter().flat_map(|it| &it.records) {
        let number = message["properties"]["number"].as_str();
        let number = number.expect("a number").parse().expect("a number");
        *counts.entry(number).or_default() += 1;
    }
    counts
}

fn finish(poller: &Poller, running: Running, count: usize) -> BTreeMap<usize, usize> {
    poller.await_invocations("every message", |seen| deliveries(seen).len() == count);
    let ended = running.terminate();
    assert!(ended.status.success(), "{ended:?}");
    deliveries(&poller.invocations())
}

async fn is_empty(client: &mut Client, queue: &str) -> bool {
    client.drain(queue).await.is_empty()
}

/// Takes the two times out that the poller makes up.
fn times(event: &mut Value) -> [u64; 2] {
    ["brokerInTime", "brokerOutTime"].map(|key| {
        let time = event["messages"][0][key].take();
        time.as_u64().expect("milliseconds")
    })
}

#[tokio::test]
async fn activemq_event_shape() {
    let (broker, queue) = (Broker::shared(), unique("events"));
    let mut client = broker.client().await;
    let mut sender = client.sender(&queue).await;
    sender.send(bytes(b"\x00\xff")).await.expect("taken");
    let poller = broker.poller(&queue, "");
    let ended = poller.run(&["--max-records", "1"]);
    assert!(ended.status.success(), "{ended:?}");
    let mut event = poller.invocations()[0].event.clone();
    let [came, left] = times(&mut event);
    assert!(came == 1_700_000_000_123 && left > came);
    let expected = json!({
        "eventSource": "aws:mq", "eventSourceArn": ARN,
        "messages": [{
            "messageID": "ID:tides-1:1:1:1", "messageType": "jms/bytes-message", "timestamp": 1_700_000_000_123_u64,
            "deliveryMode": 1, "correlationID": "correlated", "replyTo": "queue://answers",
            "destination": { "physicalName": queue }, "redelivered": false, "type": "tide",
            "expiration": 4_102_444_800_000_u64, "priority": 7, "data": "AP8=", "brokerInTime": null,
            "brokerOutTime": null, "properties": { "feet": "-7", "high": "true", "name": "Fundy \"Bay\"" },
        }],
    });
    assert_eq!(event, expected);
    assert!(is_empty(&mut client, &queue).await);
}

#[tokio::test]
async fn a_text_message_of_another_protocol_is_a_jms_text_message() {
    let (broker, queue) = (Broker::shared(), unique("events"));
    send_by_stomp(&queue, "high water");
    let poller = broker.poller(&queue, "");
    let ended = poller.run(&["--max-records", "1"]);
    assert!(ended.status.success(), "{ended:?}");
    let mut event = poller.invocations()[0].event.clone();
    let [came, left] = times(&mut event);
    let message = &mut event["messages"][0];
    let id = message["messageID"].take();
    assert!(id.as_str().is_some_and(|id| id.starts_with("ID:")), "{id}");
    assert_eq!(message["timestamp"].take(), came);
    assert!(left >= came);
    let expected = json!({
        "messageID": null, "messageType": "jms/text-message", "timestamp": null, "deliveryMode": 2,
        "correlationID": null, "replyTo": "null", "destination": { "physicalName": queue },
        "redelivered": false, "type": null, "expiration": 0, "priority": 4, "data": "aGlnaCB3YXRlcg==",
        "brokerInTime": null, "brokerOutTime": null, "properties": { "tide": "high" },
    });
    assert_eq!(*message, expected);
}

#[tokio::test]
async fn everything_is_delivered_once_and_acknowledged() {
    let (broker, queue) = (Broker::shared(), unique("events"));
    let mut client = broker.client().await;
    client.send(&queue, 0..200).await;
    let poller = broker.poller(&queue, "BatchSize = 20\n");
    let running = poller.start(&[]);
    let seen = finish(&poller, running, 200);
    assert!(seen.values().all(|count| *count == 1), "{seen:?}");
    assert!(poller.invocations().iter().all(|it| it.records.len() <= 20));
    assert!(is_empty(&mut client, &queue).await);
}

#[tokio::test]
async fn filters_leave_messages_out_and_acknowledge_them() {
    let (broker, queue) = (Broker::shared(), unique("events"));
    let mut client = broker.client().await;
    client.send(&queue, 0..20).await;
    let poller = broker.poller(
        &queue,
        "FilterCriteria = { Filters = [{ Pattern = '{\"properties\":{\"number\":[\"7\",\"11\"]}}' }] }\n",
    );
    let ended = poller.run(&["--max-records", "20"]);
    assert!(ended.status.success(), "{ended:?}");
    let seen: Vec<usize> = deliveries(&poller.invocations()).into_keys().collect();
    assert_eq!(seen, [7, 11]);
    assert!(is_empty(&mut client, &queue).await);
}

/// Five batches are with the function at once, and a poller that dies then leaves all of it to the next one.
#[tokio::test]
async fn five_batches_run_at_once_and_a_poller_that_dies_loses_nothing() {
    let (broker, queue) = (Broker::shared(), unique("events"));
    let mut client = broker.client().await;
    client.send(&queue, 0..10).await;
    // Nothing is through before all five have begun.
    let slow = broker
        .poller(
            &queue,
            "BatchSize = 1\nMaximumBatchingWindowInSeconds = 0\n",
        )
        .function("timeout = \"120s\"")
        .env("TEST_FUNCTION_DELAY_MS", "100000");
    let running = slow.start(&[]);
    slow.await_invocations("five invocations", |seen| seen.len() == 5);
    running.kill();
    let poller = broker.poller(&queue, "");
    let running = poller.start(&[]);
    let seen = finish(&poller, running, 10);
    assert!(seen.values().all(|count| *count == 1), "{seen:?}");
    assert!(is_empty(&mut client, &queue).await);
}

#[tokio::test]
async fn what_keeps_failing_is_redelivered_and_ends_in_the_dead_letter_queue() {
    let own = OwnBroker::start();
    let queue = unique("events");
    let mut client = own.broker.client().await;
    client.send(&queue, 0..5).await;
    let mut poison = text(99);
    poison.body.0 = "poison".to_owned();
    let mut sender = client.sender(&queue).await;
    sender.send(poison).await.expect("taken");
    let poller = own.broker.poller(&queue, "BatchSize = 1\n");
    let running = poller.start(&[]);
    let failures = |seen: &[Invocation]| deliveries(seen).get(&99).copied().unwrap_or(0);
    poller.await_invocations("seven deliveries", |seen| failures(seen) == 7);
    let seen = finish(&poller, running, 6);
    assert!((0..5).all(|number| seen[&number] == 1), "{seen:?}");
    assert_eq!(seen[&99], 7);
    let marks: Vec<Value> = poller
        .invocations()
        .iter()
        .flat_map(|it| it.records.clone())
        .filter(|it| it["properties"]["number"] == "99")
        .map(|it| it["redelivered"].clone())
        .collect();
    assert_eq!(marks[0], false);
    assert!(marks[1..].iter().all(|mark| *mark == true), "{marks:?}");
    assert!(is_empty(&mut client, &queue).await);
    let dead = eventually("the message in the dead-letter queue", async || {
        let dead = client.drain("ActiveMQ.DLQ").await;
        (!dead.is_empty()).then(|| dead.iter().map(number_of).collect::<Vec<_>>())
    })
    .await;
    assert_eq!(dead, [Some(99)]);
}

#[tokio::test]
async fn a_refused_login_is_said_and_mended_without_a_restart() {
    let (broker, queue) = (Broker::shared(), unique("events"));
    broker.client().await.send(&queue, 0..3).await;
    let poller = broker.poller(&queue, "");
    let wrong = Broker {
        password: unique("wrong"),
        ..broker.clone()
    };
    std::fs::write(poller.path("login.json"), wrong.secret()).expect("a login is written");
    let running = poller.start(&[]);
    running.await_output("refused the user name or password");
    assert!(poller.invocations().is_empty());
    std::fs::write(poller.path("login.json"), broker.secret()).expect("a login is written");
    poller.await_invocations("every message", |seen| deliveries(seen).len() == 3);
    let ended = running.terminate();
    assert!(ended.status.success(), "{ended:?}");
    for secret in [&wrong.password, &broker.password] {
        assert!(!ended.output.contains(secret.as_str()), "{}", ended.output);
    }
}

#[tokio::test]
async fn tls_is_spoken_with_a_private_authority() {
    let queue = unique("events");
    Broker::shared().client().await.send(&queue, 0..3).await;
    let broker = Broker {
        url: server_url("TIDEGATE_TEST_ACTIVEMQ_TLS_URL"),
        ..Broker::shared()
    };
    let poller = broker.poller(&queue, "");
    let running = poller.start(&[]);
    let seen = finish(&poller, running, 3);
    assert_eq!(seen.len(), 3);
}

#[tokio::test]
async fn a_broker_that_restarts_in_the_middle_of_a_batch_loses_nothing() {
    const MESSAGES: usize = 60;
    let mut own = OwnBroker::start();
    let queue = unique("events");
    own.broker.client().await.send(&queue, 0..MESSAGES).await;
    let poller = own
        .broker
        .poller(
            &queue,
            "BatchSize = 4\nMaximumBatchingWindowInSeconds = 0\n",
        )
        .env("TEST_FUNCTION_DELAY_MS", "300");
    let running = poller.start(&[]);
    poller.await_invocations("some batches", |seen| seen.len() >= 6);
    own.kill();
    own.start_again();
    let seen = finish(&poller, running, MESSAGES);
    let again: usize = seen.values().map(|count| count - 1).sum();
    // Only what the function had when the connections broke can come again: five batches.
    assert!(again <= 5 * 4, "{again} came again: {seen:?}");
    assert!(is_empty(&mut own.broker.client().await, &queue).await);
}

#[tokio::test]
async fn no_password_is_logged_at_any_level() {
    let broker = Broker::shared();
    let queue = unique("talkative");
    let poller = broker.poller(&queue, "").variable("RUST_LOG", "trace");
    let ended = poller.run(&["--stop-when-idle", "2s"]);
    assert!(ended.status.success(), "{:?}", ended.status);
    assert!(
        ended.output.contains(" DEBUG "),
        "its own lines are all there"
    );
    assert!(
        !ended.output.contains(" TRACE "),
        "libraries are heard in detail"
    );
    ended.keeps(&broker.password);
}
