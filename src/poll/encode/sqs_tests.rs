use super::*;
use proptest::prelude::*;

fn message() -> SqsMessage<'static> {
    let mut message = SqsMessage {
        message_id: "059f36b4-87a3-44ab-83d2-661975830a7d",
        receipt_handle: "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a...",
        body: "Test \"message\"\n",
        md5_of_body: "e4e68fb7bd0e697a0ae8f1bb342846b3",
        ..SqsMessage::default()
    };
    message.set(SystemAttribute::SentTimestamp, "1545082649183");
    message.set(SystemAttribute::ApproximateReceiveCount, "1");
    message.set(SystemAttribute::SenderId, "AIDAIENQZJOLO23YVJ4VO");
    message.set(
        SystemAttribute::ApproximateFirstReceiveTimestamp,
        "1545082649185",
    );
    message
}

fn encoded(window: bool, message: &SqsMessage<'_>) -> String {
    let shape = SqsShape::new(window, "us-east-2", "arn:aws:sqs:us-east-2:123456789012:q");
    let mut out = Vec::new();
    shape.encode(&mut out, message);
    assert_eq!(out.len() as u64, shape.encoded_len(message));
    let text = String::from_utf8(out).expect("UTF-8");
    serde_json::from_str::<serde_json::Value>(&text).expect("JSON");
    text
}

const HEAD: &str = concat!(
    r#"{"messageId":"059f36b4-87a3-44ab-83d2-661975830a7d","receiptHandle":"AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a...","#,
    r#""body":"Test \"message\"\n","attributes":{"ApproximateReceiveCount":"1","SentTimestamp":"1545082649183","#,
    r#""SenderId":"AIDAIENQZJOLO23YVJ4VO","ApproximateFirstReceiveTimestamp":"1545082649185""#,
);
const TAIL: &str = concat!(
    r#","md5OfBody":"e4e68fb7bd0e697a0ae8f1bb342846b3","eventSource":"aws:sqs","#,
    r#""eventSourceARN":"arn:aws:sqs:us-east-2:123456789012:q","awsRegion":"us-east-2"}"#,
);

#[test]
fn without_a_window_the_digest_of_no_attributes_is_absent() {
    let expected = format!("{HEAD}}},\"messageAttributes\":{{}}{TAIL}");
    assert_eq!(encoded(false, &message()), expected);
}

#[test]
fn with_a_window_the_digest_of_no_attributes_is_null() {
    let expected =
        format!("{HEAD}}},\"messageAttributes\":{{}},\"md5OfMessageAttributes\":null{TAIL}");
    assert_eq!(encoded(true, &message()), expected);
}

#[test]
fn attributes_have_their_scalar_and_both_empty_lists() {
    let mut message = message();
    message.set(SystemAttribute::MessageDeduplicationId, "d");
    message.set(SystemAttribute::MessageGroupId, "g");
    message.set(SystemAttribute::SequenceNumber, "18849496460467696128");
    message.md5_of_attributes = Some("00484c68");
    message.attributes = vec![
        MessageAttribute {
            name: "Blob",
            data_type: "Binary",
            value: AttributeValue::Binary(&[1, 2, 3, 4]),
        },
        MessageAttribute {
            name: "Number",
            data_type: "Number",
            value: AttributeValue::Text("0012.3400"),
        },
        MessageAttribute {
            name: "Text",
            data_type: "String",
            value: AttributeValue::Text("0012.3400"),
        },
    ];
    let expected = format!(
        "{HEAD},{}{}{}{}{TAIL}",
        r#""SequenceNumber":"18849496460467696128","MessageGroupId":"g","MessageDeduplicationId":"d"},"messageAttributes":{"#,
        r#""Blob":{"binaryValue":"AQIDBA==","stringListValues":[],"binaryListValues":[],"dataType":"Binary"},"#,
        r#""Number":{"stringValue":"12.34","stringListValues":[],"binaryListValues":[],"dataType":"Number"},"#,
        r#""Text":{"stringValue":"0012.3400","stringListValues":[],"binaryListValues":[],"dataType":"String"}},"md5OfMessageAttributes":"00484c68""#,
    );
    assert_eq!(encoded(false, &message), expected);
}

#[test]
fn numbers_are_normalised() {
    for (text, expected) in [
        ("0012.3400", Some("12.34")),
        ("-0.50", Some("-0.5")),
        ("+7", Some("7")),
        (".5", Some("0.5")),
        ("000", Some("0")),
        ("-0", Some("0")),
        ("1e3", None),
        ("", None),
        ("abc", None),
    ] {
        assert_eq!(normalised(text).as_deref(), expected, "{text}");
    }
}

proptest! {
    #[test]
    fn lengths_are_predicted(
        texts in proptest::collection::vec(any::<String>(), 5),
        system in proptest::collection::vec(proptest::option::of(any::<String>()), 9),
        attributes in proptest::collection::vec((any::<String>(), any::<String>(), any::<Option<Vec<u8>>>()), 0..4),
        md5 in any::<Option<String>>(),
        window in any::<bool>(),
    ) {
        let mut message = SqsMessage {
            message_id: &texts[0],
            receipt_handle: &texts[1],
            body: &texts[2],
            md5_of_body: &texts[3],
            md5_of_attributes: md5.as_deref(),
            ..SqsMessage::default()
        };
        for (slot, value) in message.system.iter_mut().zip(&system) {
            *slot = value.as_deref();
        }
        for (index, (name, text, binary)) in attributes.iter().enumerate() {
            message.attributes.push(MessageAttribute {
                name,
                data_type: ["Number", "String"][index % 2],
                value: match binary {
                    Some(bytes) => AttributeValue::Binary(bytes),
                    None => AttributeValue::Text(text),
                },
            });
        }
        let text = encoded(window, &message);
        let parsed: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        prop_assert_eq!(parsed["body"].as_str(), Some(texts[2].as_str()));
    }
}
