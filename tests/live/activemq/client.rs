//! The client on a real broker, without a mapping around it.

use crate::support::activemq::{ARN, Broker, OwnBroker, bytes, number_of};
use crate::support::{eventually, server_url, unique};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tidegate::engine::{FailureClass, MappingConfig, Page, Rng, SourceKind, Span};
use tidegate::poll::Clock;
use tidegate::scenario::{Arn, Aws, BrokerUrl, SecretUri, SourceAccess};
use tidegate::source::activemq::ActiveMq;
use tidegate::source::broker::BrokerPlace;
use tidegate::source::{CallError, Keep, Payload, Records};

const WAIT: Span = Span::from_secs(10);

fn queue_as(broker: &Broker, name: &str, root_ca: Option<&str>) -> ActiveMq {
    let folder = tempfile::tempdir().expect("a folder").keep();
    let secret = |kind: &str, text: String| {
        let file = folder.join(kind);
        std::fs::write(&file, text).expect("the secret is written");
        SourceAccess::Secret {
            kind: kind.to_owned(),
            uri: SecretUri::File(file),
        }
    };
    let mut access = vec![secret("BASIC_AUTH", broker.secret())];
    if let Some(pem) = root_ca {
        let text = serde_json::json!({ "certificate": pem }).to_string();
        access.push(secret("SERVER_ROOT_CA_CERTIFICATE", text));
    }
    let arn = Arn::parse(ARN).expect("an ARN");
    let url = BrokerUrl::parse(&broker.url).expect("an address");
    let config = MappingConfig::new("client", SourceKind::ActiveMq);
    let place = BrokerPlace::new(&arn, &url, name, &access, &config, &Aws::default());
    ActiveMq::new(place.expect("a login"), Clock::start())
}

async fn receive(queue: &ActiveMq, records_max: u32) -> Result<Page<Payload>, CallError> {
    let everything = Keep::default();
    queue
        .receive(0, records_max, WAIT, Records::new(), &everything)
        .await
}

fn receipts(page: &Page<Payload>) -> Vec<String> {
    page.records
        .iter()
        .map(|record| record.payload.receipt.clone())
        .collect()
}

fn messages(page: &Page<Payload>) -> Vec<Value> {
    page.records
        .iter()
        .map(|record| serde_json::from_slice(&record.payload.json).expect("JSON"))
        .collect()
}

fn numbers(page: &Page<Payload>) -> Vec<String> {
    let text = |value: &Value| value.as_str().expect("a number").to_owned();
    messages(page)
        .iter()
        .map(|message| text(&message["properties"]["number"]))
        .collect()
}

#[tokio::test]
async fn messages_stay_with_the_broker_until_they_are_acknowledged() {
    let (broker, name) = (Broker::shared(), unique("client"));
    let mut test = broker.client().await;
    test.send(&name, 0..25).await;
    let queue = queue_as(&broker, &name, None);
    let mut held = Vec::new();
    while held.len() < 25 {
        let wanted = 25 - held.len() as u32;
        let page = receive(&queue, wanted.min(10)).await.expect("a page");
        assert!(!page.records.is_empty(), "only {} came", held.len());
        assert!(messages(&page).iter().all(|it| it["redelivered"] == false));
        held.extend(receipts(&page));
    }
    queue.acknowledge(held[..20].to_vec()).await.expect("taken");
    queue.close().await;
    let queue = queue_as(&broker, &name, None);
    let mut again = BTreeSet::new();
    while again.len() < 5 {
        let page = receive(&queue, 10).await.expect("a page");
        assert!(!page.records.is_empty(), "only {again:?} came back");
        again.extend(numbers(&page));
        queue.acknowledge(receipts(&page)).await.expect("taken");
    }
    queue.close().await;
    assert!(test.drain(&name).await.is_empty());
    assert_eq!(again, (20..25).map(|number| number.to_string()).collect());
}

#[tokio::test]
async fn what_is_given_back_counts_as_failed_and_ends_in_the_dead_letter_queue() {
    let (broker, name) = (Broker::shared(), unique("client"));
    let mut test = broker.client().await;
    // Others use the dead-letter queue, too.
    let number = std::process::id() as usize;
    test.send(&name, number..number + 1).await;
    let queue = queue_as(&broker, &name, None);
    for delivery in 0..7 {
        let page = receive(&queue, 10).await.expect("a page");
        let [message] = messages(&page).try_into().expect("one message");
        assert_eq!(message["redelivered"], delivery > 0, "delivery {delivery}");
        queue.release(receipts(&page)).await.expect("taken");
    }
    queue.close().await;
    eventually("the message in the dead-letter queue", async || {
        let dead = test.drain("ActiveMQ.DLQ").await;
        let is_ours = dead.iter().any(|it| number_of(it) == Some(number));
        is_ours.then_some(())
    })
    .await;
    assert!(test.drain(&name).await.is_empty());
}

/// Whatever was asked for, received and given back before: as long as there are messages, a receive brings some.
#[tokio::test]
async fn credit_never_runs_dry() {
    const MESSAGES: usize = 400;
    let (broker, name) = (Broker::shared(), unique("client"));
    let mut test = broker.client().await;
    test.send(&name, 0..MESSAGES).await;
    let queue = queue_as(&broker, &name, None);
    let mut random = Rng::stream(7, "credit");
    let mut done = BTreeSet::new();
    let mut held: Vec<(String, String)> = Vec::new();
    while done.len() < MESSAGES {
        let left = MESSAGES - done.len() - held.len();
        let wanted = 1 + random.below(40) as u32;
        if left > 0 {
            let page = receive(&queue, wanted).await.expect("a page");
            let came = page.records.len();
            assert!(
                came > 0,
                "{left} are left, {} held, none of {wanted} came",
                held.len()
            );
            assert!(came <= wanted as usize);
            held.extend(receipts(&page).into_iter().zip(numbers(&page)));
        }
        if left == 0 || random.below(3) > 0 {
            let some = (random.below(held.len() as u64 + 1) as usize).max(usize::from(left == 0));
            let settled: Vec<(String, String)> = held.drain(..some).collect();
            let receipts = settled.iter().map(|(receipt, _)| receipt.clone()).collect();
            if random.below(4) == 0 {
                queue.release(receipts).await.expect("taken");
            } else {
                queue.acknowledge(receipts).await.expect("taken");
                for (_, number) in settled {
                    assert!(done.insert(number.clone()), "{number} came twice");
                }
            }
        }
    }
    queue.close().await;
    assert!(test.drain(&name).await.is_empty());
}

#[tokio::test]
async fn a_message_arrives_with_everything_it_carries() {
    let (broker, name) = (Broker::shared(), unique("client"));
    let mut test = broker.client().await;
    let mut sender = test.sender(&name).await;
    sender.send(bytes(&[0, 1, 254, 255])).await.expect("taken");
    let queue = queue_as(&broker, &name, None);
    let page = receive(&queue, 10).await.expect("a page");
    let [mut message] = messages(&page).try_into().expect("one message");
    let times = ["brokerInTime", "brokerOutTime"].map(|key| message[key].take().as_u64());
    assert_eq!(times[0], Some(1_700_000_000_123));
    assert!(times[1] > times[0]);
    assert_eq!(
        message,
        json!({
            "messageID": "ID:tides-1:1:1:1", "messageType": "jms/bytes-message", "timestamp": 1_700_000_000_123_u64,
            "deliveryMode": 1, "correlationID": "correlated", "replyTo": "queue://answers",
            "destination": {"physicalName": name}, "redelivered": false, "type": "tide",
            "expiration": 4_102_444_800_000_u64, "priority": 7, "data": "AAH+/w==", "brokerInTime": null,
            "brokerOutTime": null, "properties": {"feet": "-7", "high": "true", "name": "Fundy \"Bay\""},
        })
    );
    assert_eq!(
        page.records[0].meta.wire_len as usize,
        page.records[0].payload.json.len()
    );
    queue.acknowledge(receipts(&page)).await.expect("taken");
}

#[tokio::test]
async fn a_wrong_password_is_said_without_saying_it() {
    let broker = Broker {
        password: "spring-tide-7".to_owned(),
        ..Broker::shared()
    };
    let queue = queue_as(&broker, "client-none", None);
    let error = receive(&queue, 1).await.expect_err("it is wrong");
    assert_eq!(error.class, FailureClass::Denied);
    let text = error.to_string();
    assert!(text.contains("refused the user name or password"), "{text}");
    assert!(!format!("{text}{queue:?}").contains("spring-tide-7"));
}

#[tokio::test]
async fn a_queue_that_may_not_be_read_is_denied() {
    let reader = Broker {
        user: server_url("TIDEGATE_TEST_ACTIVEMQ_READER"),
        password: server_url("TIDEGATE_TEST_ACTIVEMQ_READER_PASSWORD"),
        ..Broker::shared()
    };
    // It is not there, and this user may create none; or it is, and is not for this user.
    let existing = unique("private");
    Broker::shared().client().await.send(&existing, 0..1).await;
    for name in [unique("shared.missing"), existing] {
        let queue = queue_as(&reader, &name, None);
        let error = receive(&queue, 1).await.expect_err("it is refused");
        assert_eq!(error.class, FailureClass::Denied, "{error}");
        assert!(error.to_string().contains(&name), "{error}");
    }
}

#[tokio::test]
async fn tls_trusts_the_private_authority_and_no_other() {
    let ca = std::fs::read_to_string(server_url("TIDEGATE_TEST_ACTIVEMQ_CA")).expect("a file");
    let broker = Broker {
        url: server_url("TIDEGATE_TEST_ACTIVEMQ_TLS_URL"),
        ..Broker::shared()
    };
    let name = unique("client");
    Broker::shared().client().await.send(&name, 0..1).await;
    let queue = queue_as(&broker, &name, None);
    let error = receive(&queue, 1).await.expect_err("an unknown authority");
    assert_eq!(error.class, FailureClass::Denied, "{error}");
    let queue = queue_as(&broker, &name, Some(&ca));
    let page = receive(&queue, 1).await.expect("a page");
    assert_eq!(numbers(&page), ["0"]);
    queue.acknowledge(receipts(&page)).await.expect("taken");
}

#[tokio::test]
async fn receipts_of_a_lost_connection_settle_nothing() {
    let mut own = OwnBroker::start();
    let name = unique("client");
    own.broker.client().await.send(&name, 0..3).await;
    let queue = queue_as(&own.broker, &name, None);
    let mut old = Vec::new();
    while old.len() < 3 {
        let page = receive(&queue, 3).await.expect("a page");
        old.extend(receipts(&page));
    }
    own.kill();
    let error = queue.acknowledge(old.clone()).await;
    assert_eq!(
        error.expect_err("it is gone").class,
        FailureClass::Transient
    );
    // What was gathered on the connection is forgotten when a receive fails, so the first one must.
    receive(&queue, 3).await.expect_err("it is gone");
    receive(&queue, 3).await.expect_err("nobody listens");
    own.start_again();
    let mut again = Vec::new();
    let mut new = Vec::new();
    while new.len() < 3 {
        let page = receive(&queue, 3).await.expect("a page");
        assert!(!page.records.is_empty());
        new.extend(receipts(&page));
        again.extend(numbers(&page));
    }
    again.sort();
    assert_eq!(again, ["0", "1", "2"]);
    queue
        .acknowledge(old.clone())
        .await
        .expect_err("of the old connection");
    queue.release(old).await.expect_err("of the old connection");
    queue.acknowledge(new).await.expect("taken");
    queue.close().await;
    assert!(own.broker.client().await.drain(&name).await.is_empty());
}

/// Queues below `retry.` have a policy of the broker's: what is rejected is delivered again, after a second.
#[tokio::test]
async fn a_redelivery_policy_of_the_broker_decides_what_is_rejected() {
    let (broker, name) = (Broker::shared(), unique("retry.client"));
    let mut test = broker.client().await;
    test.send(&name, 0..1).await;
    let queue = queue_as(&broker, &name, None);
    // Seven times as everywhere, and once more by the policy.
    for delivery in 0..8 {
        let page = receive(&queue, 1).await.expect("a page");
        assert_eq!(numbers(&page), ["0"], "delivery {delivery}");
        if delivery < 7 {
            queue.release(receipts(&page)).await.expect("taken");
        } else {
            queue.acknowledge(receipts(&page)).await.expect("taken");
        }
    }
    queue.close().await;
    assert!(test.drain(&name).await.is_empty());
}
