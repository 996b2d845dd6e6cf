use super::*;
use proptest::prelude::*;
use serde_json::{Value, json};

fn message() -> ActiveMqMessage<'static> {
    ActiveMqMessage {
        id: Cow::Borrowed("ID:harbour-34859-1598944546501-4:12:1:1:3"),
        kind: MessageKind::Text,
        timestamp: 1_599_863_938_941,
        persistent: false,
        correlation_id: Some(Cow::Borrowed("")),
        reply_to: None,
        physical_name: "testQueue",
        redelivered: false,
        jms_type: Some(""),
        expiration: 0,
        priority: 0,
        data: b"high water",
        broker_in: 1_599_863_938_943,
        broker_out: 1_599_863_938_944,
        properties: vec![("testKey", Some(Cow::Borrowed("testValue")))],
    }
}

fn text(message: &ActiveMqMessage<'_>) -> String {
    let mut out = Vec::new();
    ActiveMqShape::encode(&mut out, message);
    String::from_utf8(out).expect("UTF-8")
}

#[test]
fn activemq_event_shape() {
    assert_eq!(
        text(&message()),
        concat!(
            r#"{"messageID":"ID:harbour-34859-1598944546501-4:12:1:1:3","messageType":"jms/text-message","#,
            r#""timestamp":1599863938941,"deliveryMode":1,"correlationID":"","replyTo":"null","#,
            r#""destination":{"physicalName":"testQueue"},"redelivered":false,"type":"","expiration":0,"#,
            r#""priority":0,"data":"aGlnaCB3YXRlcg==","brokerInTime":1599863938943,"#,
            r#""brokerOutTime":1599863938944,"properties":{"testKey":"testValue"}}"#,
        )
    );
    let arn = "arn:aws:mq:us-west-2:123456789012:broker:harbour:b-0f5b7522";
    let event = ActiveMqShape::envelope(arn).event(&[]);
    let expected = format!(r#"{{"eventSource":"aws:mq","eventSourceArn":"{arn}","messages":[]}}"#);
    assert_eq!(event, expected.as_bytes());
    assert_eq!(ActiveMqShape::envelope(arn).len() as usize, expected.len());
}

#[test]
fn what_a_message_lacks_is_null_and_what_it_has_is_escaped() {
    let full = ActiveMqMessage {
        kind: MessageKind::Bytes,
        persistent: true,
        correlation_id: None,
        reply_to: Some("queue://a\"b"),
        redelivered: true,
        jms_type: None,
        expiration: u64::MAX,
        priority: 9,
        data: &[0, 255],
        properties: vec![("a\n", None), ("b", Some(Cow::Borrowed("\\")))],
        ..message()
    };
    let value: Value = serde_json::from_str(&text(&full)).expect("JSON");
    assert_eq!(value["messageType"], "jms/bytes-message");
    assert_eq!(value["deliveryMode"], 2);
    assert_eq!(value["correlationID"], Value::Null);
    assert_eq!(value["replyTo"], "queue://a\"b");
    assert_eq!(value["redelivered"], true);
    assert_eq!(value["type"], Value::Null);
    assert_eq!(value["expiration"], u64::MAX);
    assert_eq!(value["data"], "AP8=");
    assert_eq!(value["properties"], json!({"a\n": null, "b": "\\"}));
}

proptest! {
    #[test]
    fn any_message_has_the_predicted_length(
        id in ".*", correlation in proptest::option::of(".*"), reply in proptest::option::of(".*"), kind in proptest::option::of(".*"),
        data in any::<Vec<u8>>(), numbers in any::<[u64; 4]>(), flags in any::<[bool; 2]>(), priority in any::<u8>(),
        properties in proptest::collection::vec((".*", proptest::option::of(".*")), 0..4),
    ) {
        let message = ActiveMqMessage {
            id: Cow::Borrowed(&id),
            kind: MessageKind::Bytes,
            timestamp: numbers[0],
            persistent: flags[0],
            correlation_id: correlation.as_deref().map(Cow::Borrowed),
            reply_to: reply.as_deref(),
            physical_name: &id,
            redelivered: flags[1],
            jms_type: kind.as_deref(),
            expiration: numbers[1],
            priority,
            data: &data,
            broker_in: numbers[2],
            broker_out: numbers[3],
            properties: properties
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_deref().map(Cow::Borrowed)))
                .collect(),
        };
        let text = text(&message);
        prop_assert_eq!(text.len() as u64, ActiveMqShape::encoded_len(&message));
        prop_assert!(serde_json::from_str::<Value>(&text).is_ok());
    }
}
