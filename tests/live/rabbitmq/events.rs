//! What functions see, filters, virtual hosts.

use super::{bodies, body, deliveries, messages};
use crate::support::rabbitmq::{BROKER, Rabbit};
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable};
use serde_json::json;

#[tokio::test]
async fn an_event_has_the_documented_shape() {
    let _broker = BROKER.read().await;
    let rabbit = Rabbit::create().await;
    let mut inner = FieldTable::default();
    inner.insert("depth".into(), AMQPValue::LongInt(-7));
    let mut headers = FieldTable::default();
    headers.insert("text".into(), AMQPValue::LongString("aé".into()));
    headers.insert("flag".into(), AMQPValue::Boolean(true));
    headers.insert("ratio".into(), AMQPValue::Double(0.5));
    headers.insert("at".into(), AMQPValue::Timestamp(2_021));
    headers.insert("inner".into(), AMQPValue::FieldTable(inner));
    let properties = BasicProperties::default()
        .with_content_type("text/plain".into())
        .with_headers(headers)
        .with_delivery_mode(1)
        .with_priority(34)
        .with_correlation_id("\"quoted\"".into())
        .with_expiration("60000".into())
        .with_timestamp(1_709_211_600)
        .with_type("order".into());
    rabbit.publish_with(b"\x00\xff", properties).await;
    let poller = rabbit.poller("");
    let ended = poller.run(&["--max-records", "1"]);
    assert!(ended.status.success(), "{ended:?}");
    let expected = json!({
        "eventSource": "aws:rmq",
        "eventSourceArn": "arn:aws:mq:us-east-1:123456789012:broker:tests:b-9bcfa592-423a-4942-879d-eb284b418fc8",
        "rmqMessagesByQueue": { format!("{}::/", rabbit.name): [{
            "basicProperties": {
                "contentType": "text/plain", "contentEncoding": null,
                "headers": {
                    "text": { "bytes": [97, -61, -87] }, "flag": true, "ratio": 0.5,
                    "at": "Jan 1, 1970, 12:33:41 AM", "inner": { "depth": -7 },
                },
                "deliveryMode": 1, "priority": 34, "correlationId": "\"quoted\"", "replyTo": null,
                "expiration": "60000", "messageId": null, "timestamp": "Feb 29, 2024, 1:00:00 PM",
                "type": "order", "userId": null, "appId": null, "clusterId": null, "bodySize": 2,
            },
            "redelivered": false,
            "data": "AP8=",
        }] },
    });
    assert_eq!(poller.invocations()[0].event, expected);
    rabbit.delete().await;
}

/// Data that is no JSON passes: on brokers the data part of a pattern is ignored then.
#[tokio::test]
async fn filters_leave_messages_out_and_acknowledge_them() {
    let _broker = BROKER.read().await;
    let rabbit = Rabbit::create().await;
    let mut sent: Vec<String> = (0..20).map(|n| format!("{{\"n\":{n}}}")).collect();
    sent.push("no JSON".to_owned());
    rabbit.publish(&sent).await;
    let poller = rabbit.poller(
        "FilterCriteria = { Filters = [{ Pattern = '{\"data\":{\"n\":[{\"numeric\":[\">=\",15]}]}}' }] }\n",
    );
    // A number of records would be reached early if a lost connection brought those that are left out again.
    let ended = poller.run(&["--stop-when-idle", "4s"]);
    assert!(ended.status.success(), "{ended:?}");
    let seen: Vec<String> = messages(&poller.invocations()).map(body).collect();
    assert_eq!(seen, sent[15..]);
    assert_eq!(rabbit.counts().await, (0, 0));
    rabbit.delete().await;
}

#[tokio::test]
async fn a_filter_may_ask_for_properties() {
    let _broker = BROKER.read().await;
    let rabbit = Rabbit::create().await;
    for kind in ["order", "refund", "order"] {
        let properties = BasicProperties::default().with_type(kind.into());
        rabbit.publish_with(kind.as_bytes(), properties).await;
    }
    let poller = rabbit.poller(
        "FilterCriteria = { Filters = [{ Pattern = '{\"basicProperties\":{\"type\":[\"order\"]}}' }] }\n",
    );
    let ended = poller.run(&["--max-records", "3"]);
    assert!(ended.status.success(), "{ended:?}");
    assert_eq!(
        deliveries(&poller.invocations()),
        [("order".to_owned(), 2)].into()
    );
    rabbit.delete().await;
}

#[tokio::test]
async fn a_virtual_host_is_part_of_the_queues_name() {
    let _broker = BROKER.read().await;
    let rabbit = Rabbit::create_with("harbour/east", &[]).await;
    rabbit.publish(&bodies(3)).await;
    let poller = rabbit.poller("");
    let ended = poller.run(&["--max-records", "3"]);
    assert!(ended.status.success(), "{ended:?}");
    let event = &poller.invocations()[0].event;
    let key = format!("{}::harbour/east", rabbit.name);
    assert!(event["rmqMessagesByQueue"][&key].is_array(), "{event}");
    assert_eq!(rabbit.counts().await, (0, 0));
    rabbit.delete().await;
}
