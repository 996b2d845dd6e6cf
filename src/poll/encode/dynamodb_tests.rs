use super::*;
use aws_sdk_dynamodbstreams::primitives::{Blob, DateTime};
use aws_sdk_dynamodbstreams::types::{OperationType, StreamViewType};
use proptest::prelude::*;

const ARN: &str =
    "arn:aws:dynamodb:eu-west-1:123456789012:table/orders/stream/2026-11-21T06:00:00.000";

fn shape() -> DynamoDbShape {
    DynamoDbShape::new("eu-west-1", ARN)
}

fn encoded(record: &Record) -> String {
    let mut out = Vec::new();
    shape().encode(&mut out, record).expect("known types");
    String::from_utf8(out).expect("UTF-8")
}

fn string(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

fn number(text: &str) -> AttributeValue {
    AttributeValue::N(text.to_owned())
}

fn map<const N: usize>(entries: [(&str, AttributeValue); N]) -> Item {
    let owned = entries.map(|(name, value)| (name.to_owned(), value));
    Item::from(owned)
}

fn seconds(secs: u64) -> String {
    let mut out = Vec::new();
    push_seconds(&mut out, secs);
    String::from_utf8(out).expect("UTF-8")
}

fn value(value: &AttributeValue) -> String {
    let mut out = Vec::new();
    push_value(&mut out, value).expect("a known type");
    String::from_utf8(out).expect("UTF-8")
}

#[test]
fn dynamodb_event_shape() {
    let change = StreamRecord::builder()
        .approximate_creation_date_time(DateTime::from_millis(1_789_651_658_999))
        .set_keys(Some(map([
            ("sort", number("-1.5E3")),
            ("id", string("a\"b")),
        ])))
        .set_new_image(Some(map([
            ("total", number("12345678901234567890123456789012345678")),
            ("id", string("a\"b")),
            ("sort", number("-1.5E3")),
        ])))
        .set_old_image(Some(map([("id", string("a\"b"))])))
        .sequence_number("4421584500000000017450439091")
        .size_bytes(59)
        .stream_view_type(StreamViewType::NewAndOldImages)
        .build();
    let record = Record::builder()
        .event_id("c4ca4238a0b923820dcc509a6f75849b")
        .event_name(OperationType::Modify)
        .event_version("1.1")
        .event_source("aws:dynamodb")
        .aws_region("eu-west-1")
        .dynamodb(change)
        .build();
    let expected = concat!(
        r#"{"eventID":"c4ca4238a0b923820dcc509a6f75849b","eventName":"MODIFY","eventVersion":"1.1","#,
        r#""eventSource":"aws:dynamodb","awsRegion":"eu-west-1","dynamodb":{"#,
        r#""ApproximateCreationDateTime":1.789651658E9,"#,
        r#""Keys":{"id":{"S":"a\"b"},"sort":{"N":"-1.5E3"}},"#,
        r#""NewImage":{"id":{"S":"a\"b"},"sort":{"N":"-1.5E3"},"#,
        r#""total":{"N":"12345678901234567890123456789012345678"}},"#,
        r#""OldImage":{"id":{"S":"a\"b"}},"SequenceNumber":"4421584500000000017450439091","#,
        r#""SizeBytes":59,"StreamViewType":"NEW_AND_OLD_IMAGES"},"#,
        r#""eventSourceARN":"arn:aws:dynamodb:eu-west-1:123456789012:table/orders/stream/2026-11-21T06:00:00.000"}"#,
    );
    assert_eq!(encoded(&record), expected);
}

#[test]
fn a_deletion_by_the_service_names_it_and_absent_fields_stay_absent() {
    let identity = Identity::builder()
        .r#type("Service")
        .principal_id("dynamodb.amazonaws.com")
        .build();
    let change = StreamRecord::builder()
        .set_keys(Some(map([("id", number("1"))])))
        .stream_view_type(StreamViewType::KeysOnly)
        .build();
    let record = Record::builder()
        .event_name(OperationType::Remove)
        .dynamodb(change)
        .user_identity(identity)
        .build();
    let expected = [
        r#"{"eventName":"REMOVE","eventVersion":"1.1","eventSource":"aws:dynamodb","awsRegion":"eu-west-1","#,
        r#""dynamodb":{"Keys":{"id":{"N":"1"}},"StreamViewType":"KEYS_ONLY"},"#,
        r#""userIdentity":{"type":"Service","principalId":"dynamodb.amazonaws.com"},"#,
        &format!(r#""eventSourceARN":"{ARN}"}}"#),
    ];
    assert_eq!(encoded(&record), expected.concat());
}

#[test]
fn every_type_of_attribute_has_its_form() {
    let blob = |bytes: &[u8]| Blob::new(bytes);
    let texts = |texts: [&str; 2]| texts.map(str::to_owned).to_vec();
    for (given, expected) in [
        (string(""), r#"{"S":""}"#),
        (string("line\nµ\u{1}"), "{\"S\":\"line\\nµ\\u0001\"}"),
        (number("0.10"), r#"{"N":"0.10"}"#),
        (AttributeValue::B(blob(b"\x00\xff\x10")), r#"{"B":"AP8Q"}"#),
        (AttributeValue::B(blob(b"")), r#"{"B":""}"#),
        (AttributeValue::Bool(true), r#"{"BOOL":true}"#),
        (AttributeValue::Bool(false), r#"{"BOOL":false}"#),
        (AttributeValue::Null(true), r#"{"NULL":true}"#),
        (AttributeValue::Ss(texts(["b", "a"])), r#"{"SS":["b","a"]}"#),
        (
            AttributeValue::Ns(texts(["10", "-2"])),
            r#"{"NS":["10","-2"]}"#,
        ),
        (
            AttributeValue::Bs(vec![blob(b"Hello"), blob(b"M")]),
            r#"{"BS":["SGVsbG8=","TQ=="]}"#,
        ),
        (AttributeValue::L(vec![]), r#"{"L":[]}"#),
        (AttributeValue::M(map([])), r#"{"M":{}}"#),
        (
            AttributeValue::M(map([
                (
                    "z",
                    AttributeValue::L(vec![number("1"), AttributeValue::Null(true)]),
                ),
                (
                    "a \"key\"",
                    AttributeValue::M(map([(
                        "inner",
                        AttributeValue::L(vec![AttributeValue::L(vec![string("x")])]),
                    )])),
                ),
            ])),
            r#"{"M":{"a \"key\"":{"M":{"inner":{"L":[{"L":[{"S":"x"}]}]}}},"z":{"L":[{"N":"1"},{"NULL":true}]}}}"#,
        ),
    ] {
        assert_eq!(value(&given), expected);
    }
}

#[test]
fn dynamodb_whole_seconds() {
    for (secs, text) in [
        (0, "0.0"),
        (9_999_999, "9999999.0"),
        (10_000_000, "1.0E7"),
        (1_700_000_000, "1.7E9"),
        (1_764_086_860, "1.76408686E9"),
        (1_789_651_658, "1.789651658E9"),
        (2_000_000_000, "2.0E9"),
        (12_345_678_901, "1.2345678901E10"),
    ] {
        assert_eq!(seconds(secs), text);
    }
}

#[test]
fn the_key_of_an_item_does_not_depend_on_the_order_of_its_attributes() {
    let key = |keys: Item| {
        let change = StreamRecord::builder().set_keys(Some(keys)).build();
        let mut out = Vec::new();
        let record = Record::builder().dynamodb(change).build();
        item_key(&mut out, &record).expect("known types");
        String::from_utf8(out).expect("UTF-8")
    };
    let one = key(map([("a", string("1")), ("b", number("2"))]));
    let other = key(map([("b", number("2")), ("a", string("1"))]));
    assert_eq!(one, r#"{"a":{"S":"1"},"b":{"N":"2"}}"#);
    assert_eq!(one, other);
    assert_ne!(one, key(map([("a", number("1")), ("b", number("2"))])));
}

proptest! {
    #[test]
    fn seconds_are_read_back_as_they_were(secs in 0_u64..1 << 53) {
        prop_assert_eq!(seconds(secs).parse::<f64>(), Ok(secs as f64));
    }

    #[test]
    fn any_texts_make_valid_json(name in any::<String>(), text in any::<String>()) {
        let given = AttributeValue::M(Item::from([(name.clone(), AttributeValue::S(text.clone()))]));
        let parsed: serde_json::Value = serde_json::from_str(&value(&given)).expect("JSON");
        prop_assert_eq!(&parsed["M"][name]["S"], &serde_json::Value::from(text));
    }
}
