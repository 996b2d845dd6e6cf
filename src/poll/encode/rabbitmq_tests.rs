use super::*;
use crate::engine::{Meta, Record, Seq, Time};
use crate::source::Payload;
use lapin::types::{ByteArray, DecimalValue, FieldArray};
use proptest::prelude::*;
use serde_json::{Value, json};

const ARN: &str =
    "arn:aws:mq:us-east-1:123456789012:broker:pizza:b-9bcfa592-423a-4942-879d-eb284b418fc8";

fn encoded(properties: &BasicProperties, redelivered: bool, data: &[u8]) -> Vec<u8> {
    let message = RabbitMqMessage {
        properties,
        redelivered,
        data,
    };
    let mut out = Vec::new();
    RabbitMqShape::encode(&mut out, &message);
    assert_eq!(out.len() as u64, RabbitMqShape::encoded_len(&message));
    out
}

fn header(value: AMQPValue) -> Value {
    let mut headers = FieldTable::default();
    headers.insert("it".into(), value);
    let properties = BasicProperties::default().with_headers(headers);
    let message: Value = serde_json::from_slice(&encoded(&properties, false, b"")).expect("JSON");
    message["basicProperties"]["headers"]["it"].clone()
}

/// AWS's own sample, apart from the space between its tokens.
#[test]
fn rabbitmq_event_shape() {
    let mut headers = FieldTable::default();
    headers.insert("header1".into(), AMQPValue::LongString("value1".into()));
    headers.insert("numberInHeader".into(), AMQPValue::LongInt(10));
    let properties = BasicProperties::default()
        .with_content_type("text/plain".into())
        .with_headers(headers)
        .with_delivery_mode(1)
        .with_priority(34)
        .with_expiration("60000".into())
        .with_timestamp(2_021)
        .with_user_id("AIDACKCEVSQ6C2EXAMPLE".into());
    let body = br#"{"timeout":0,"data":"CZrmf0Gw8Ov4bqLQxD4E"}"#;
    let json = encoded(&properties, false, body);
    let record = Record {
        meta: Meta {
            seq: Seq::from(0),
            group: 0,
            arrival: Time::ZERO,
            wire_len: json.len() as u32,
        },
        payload: Payload {
            json: json.into(),
            receipt: String::new(),
        },
    };
    let envelope = RabbitMqShape::envelope(ARN, "pizzaQueue", "/");
    let event = envelope.event(&[record.clone(), record]);
    let message = concat!(
        r#"{"basicProperties":{"contentType":"text/plain","contentEncoding":null,"#,
        r#""headers":{"header1":{"bytes":[118,97,108,117,101,49]},"numberInHeader":10},"#,
        r#""deliveryMode":1,"priority":34,"correlationId":null,"replyTo":null,"expiration":"60000","#,
        r#""messageId":null,"timestamp":"Jan 1, 1970, 12:33:41 AM","type":null,"#,
        r#""userId":"AIDACKCEVSQ6C2EXAMPLE","appId":null,"clusterId":null,"bodySize":43},"#,
        r#""redelivered":false,"data":"eyJ0aW1lb3V0IjowLCJkYXRhIjoiQ1pybWYwR3c4T3Y0YnFMUXhENEUifQ=="}"#,
    );
    let expected = format!(
        "{{\"eventSource\":\"aws:rmq\",\"eventSourceArn\":\"{ARN}\",\
         \"rmqMessagesByQueue\":{{\"pizzaQueue::/\":[{message},{message}]}}}}"
    );
    assert_eq!(String::from_utf8_lossy(&event), expected);
    let around = envelope.event(&[]).len();
    assert_eq!(envelope.len() as usize, around);
}

#[test]
fn a_message_without_properties_has_every_key() {
    let message: Value =
        serde_json::from_slice(&encoded(&BasicProperties::default(), true, b"\xff")).expect("JSON");
    let properties = message["basicProperties"].as_object().expect("an object");
    assert_eq!(properties.len(), 15);
    for (key, value) in properties {
        let expected = if key == "bodySize" {
            json!(1)
        } else {
            Value::Null
        };
        assert_eq!(*value, expected, "{key}");
    }
    assert_eq!(message["redelivered"], json!(true));
    assert_eq!(message["data"], json!("/w=="));
}

#[test]
fn rabbitmq_header_values() {
    let mut inner = FieldTable::default();
    inner.insert("a".into(), AMQPValue::Boolean(true));
    inner.insert("b".into(), AMQPValue::Void);
    let array = vec![AMQPValue::LongInt(-1), AMQPValue::LongString("é".into())];
    let decimal = DecimalValue {
        scale: 2,
        value: 12_345,
    };
    for (value, expected) in [
        (AMQPValue::Boolean(false), json!(false)),
        (AMQPValue::ShortShortInt(-128), json!(-128)),
        (AMQPValue::ShortUInt(65_535), json!(65_535)),
        (AMQPValue::LongLongInt(i64::MIN), json!(i64::MIN)),
        (AMQPValue::Double(0.1), json!(0.1)),
        (AMQPValue::Double(f64::NAN), Value::Null),
        (AMQPValue::DecimalValue(decimal), json!(123.45)),
        (
            AMQPValue::Timestamp(43_200),
            json!("Jan 1, 1970, 12:00:00 PM"),
        ),
        (AMQPValue::FieldTable(inner), json!({"a": true, "b": null})),
        (
            AMQPValue::FieldArray(FieldArray::from(array)),
            json!([-1, {"bytes": [-61, -87]}]),
        ),
        (
            AMQPValue::ByteArray(ByteArray::from(vec![0, 127, 128, 255])),
            json!([0, 127, -128, -1]),
        ),
        (AMQPValue::Void, Value::Null),
    ] {
        assert_eq!(header(value.clone()), expected, "{value:?}");
    }
    let float = BasicProperties::default().with_headers({
        let mut headers = FieldTable::default();
        headers.insert("it".into(), AMQPValue::Float(0.1));
        headers
    });
    let text = String::from_utf8(encoded(&float, false, b"")).expect("text");
    assert!(text.contains("\"headers\":{\"it\":0.1}"), "{text}");
}

#[test]
fn rabbitmq_timestamp_text() {
    for (secs, expected) in [
        (2_021, "Jan 1, 1970, 12:33:41 AM"),
        (1_709_164_799, "Feb 28, 2024, 11:59:59 PM"),
        (1_709_211_600, "Feb 29, 2024, 1:00:00 PM"),
        // Somebody wrote milliseconds.
        (1_709_211_600_000, "Oct 4, 56132, 4:00:00 PM"),
    ] {
        assert_eq!(
            header(AMQPValue::Timestamp(secs)),
            json!(expected),
            "{secs}"
        );
    }
    assert!(header(AMQPValue::Timestamp(u64::MAX)).is_string());
}

proptest! {
    #[test]
    fn any_message_has_the_predicted_length_and_is_json(
        name in "\\PC{0,40}", text in any::<String>(), data in any::<Vec<u8>>(), whole in any::<i64>(),
        double in any::<f64>(), float in any::<f32>(), secs in any::<u64>(), redelivered in any::<bool>(),
    ) {
        let mut headers = FieldTable::default();
        headers.insert("text".into(), AMQPValue::LongString(text.clone().into()));
        headers.insert("whole".into(), AMQPValue::LongLongInt(whole));
        headers.insert("double".into(), AMQPValue::Double(double));
        headers.insert("float".into(), AMQPValue::Float(float));
        headers.insert("at".into(), AMQPValue::Timestamp(secs));
        let properties = BasicProperties::default().with_headers(headers).with_message_id(name.clone().into());
        // The length is compared inside.
        let json = encoded(&properties, redelivered, &data);
        let value: Value = serde_json::from_slice(&json).expect("JSON");
        prop_assert_eq!(&value["basicProperties"]["messageId"], &json!(name));
        let back = &value["basicProperties"]["headers"];
        prop_assert_eq!(&back["whole"], &json!(whole));
        // The parser's own rounding must not matter.
        let text_of_double = String::from_utf8_lossy(&json).split_once("\"double\":").and_then(|(_, rest)| {
            rest.split_once(',').map(|(number, _)| number.parse::<f64>().ok())
        });
        prop_assert_eq!(text_of_double, Some(double.is_finite().then_some(double)));
        let bytes: Vec<u8> = back["text"]["bytes"].as_array().expect("a list").iter()
            .map(|byte| byte.as_i64().expect("a number") as i8 as u8).collect();
        prop_assert_eq!(bytes, text.into_bytes());
    }
}
