use super::*;
use fe2o3_amqp::types::messaging::{
    AmqpSequence, AmqpValue, ApplicationProperties, Batch, Data, Header, MessageAnnotations,
    Properties,
};
use fe2o3_amqp::types::primitives::{Binary, OrderedMap, Symbol, Timestamp};

fn message(body: Body<Value>) -> Message<Body<Value>> {
    Message {
        header: None,
        delivery_annotations: None,
        message_annotations: None,
        properties: None,
        application_properties: None,
        body,
        footer: None,
    }
}

fn value(value: Value) -> Body<Value> {
    Body::Value(AmqpValue(value))
}

fn data(parts: &[&[u8]]) -> Body<Value> {
    let parts = parts.iter().map(|part| Data(Binary::from(part.to_vec())));
    Body::Data(parts.collect::<Batch<Data>>())
}

fn with_content_type(body: Body<Value>, content_type: &str) -> Message<Body<Value>> {
    Message {
        properties: Some(
            Properties::builder()
                .content_type(Symbol::from(content_type))
                .build(),
        ),
        ..message(body)
    }
}

fn with_annotation(body: Body<Value>, kind: i8) -> Message<Body<Value>> {
    let mut annotations = OrderedMap::new();
    let name = OwnedKey::Symbol(Symbol::from(KIND_ANNOTATION));
    annotations.insert(name, Value::Byte(kind));
    Message {
        message_annotations: Some(MessageAnnotations(annotations)),
        ..message(body)
    }
}

/// What a function would get of it.
fn seen(message: &Message<Body<Value>>) -> Option<(MessageKind, Vec<u8>)> {
    assert_eq!(is_for_functions(message), body(message).is_some());
    let mut whole = Vec::new();
    let view = view(message, "tides", 5, &mut whole)?;
    Some((view.kind, view.data.to_vec()))
}

#[test]
fn activemq_message_types() {
    use MessageKind::{Bytes, Text};
    let text = |text: &str| Some((Text, text.as_bytes().to_vec()));
    let bytes = |bytes: &[u8]| Some((Bytes, bytes.to_vec()));
    assert_eq!(
        seen(&message(value(Value::String("ebb".to_owned())))),
        text("ebb")
    );
    let binary = Value::Binary(Binary::from(vec![0, 255]));
    assert_eq!(seen(&message(value(binary))), bytes(&[0, 255]));
    assert_eq!(seen(&message(value(Value::Null))), text(""));
    assert_eq!(seen(&message(data(&[b"\0"]))), bytes(&[0]));
    assert_eq!(seen(&message(data(&[b"a", b"b"]))), bytes(b"ab"));
    assert_eq!(seen(&message(data(&[]))), bytes(b""));
    for content_type in [
        "text/plain",
        "Application/JSON; charset=utf-8",
        "application/cloudevents+json",
        "application/xml",
    ] {
        let sent = with_content_type(data(&[b"{}"]), content_type);
        assert_eq!(seen(&sent), text("{}"), "{content_type}");
    }
    for content_type in ["application/octet-stream", "image/png", "json"] {
        let sent = with_content_type(data(&[b"{}"]), content_type);
        assert_eq!(seen(&sent), bytes(b"{}"), "{content_type}");
    }
    assert_eq!(
        seen(&with_annotation(data(&[b"a"]), TEXT_ANNOTATION)),
        text("a")
    );
    assert_eq!(
        seen(&with_annotation(data(&[b"a"]), BYTES_ANNOTATION)),
        bytes(b"a")
    );
    assert_eq!(
        seen(&with_annotation(Body::Empty, BYTES_ANNOTATION)),
        bytes(b"")
    );
    assert_eq!(seen(&message(Body::Empty)), text(""));
    // Objects, maps and streams.
    assert_eq!(seen(&with_annotation(data(&[b"a"]), 1)), None);
    assert_eq!(seen(&with_annotation(Body::Empty, 2)), None);
    assert_eq!(seen(&with_content_type(data(&[b"a"]), JAVA_OBJECT)), None);
    assert_eq!(seen(&message(value(Value::Map(OrderedMap::new())))), None);
    assert_eq!(seen(&message(value(Value::List(Vec::new())))), None);
    let sequence = Body::Sequence(Batch::from(vec![AmqpSequence(Vec::new())]));
    assert_eq!(seen(&message(sequence)), None);
}

#[test]
fn activemq_broker_times() {
    let bare = message(value(Value::Null));
    let mut whole = Vec::new();
    let view_of_bare = view(&bare, "tides", 5, &mut whole).expect("a text message");
    assert_eq!((view_of_bare.timestamp, view_of_bare.expiration), (0, 0));
    assert_eq!((view_of_bare.broker_in, view_of_bare.broker_out), (5, 5));
    assert_eq!(sent_at(&bare), None);
    let dated = Message {
        properties: Some(
            Properties::builder()
                .creation_time(Timestamp::from(3))
                .absolute_expiry_time(Timestamp::from(9))
                .build(),
        ),
        ..message(value(Value::Null))
    };
    let mut whole = Vec::new();
    let view = view(&dated, "tides", 5, &mut whole).expect("a text message");
    assert_eq!((view.timestamp, view.expiration), (3, 9));
    assert_eq!((view.broker_in, view.broker_out), (3, 5));
    assert_eq!(sent_at(&dated), Some(3));
}

#[test]
fn activemq_properties_are_text() {
    let own = ApplicationProperties::builder()
        .insert("z", SimpleValue::Bool(true))
        .insert("a", SimpleValue::Double(2.0.into()))
        .insert("f", SimpleValue::Float(0.1.into()))
        .insert("n", SimpleValue::Null)
        .insert("l", SimpleValue::Long(i64::MIN))
        .insert("s", SimpleValue::String("\"".to_owned()))
        .build();
    let sent = Message {
        application_properties: Some(own),
        ..message(value(Value::Null))
    };
    let mut whole = Vec::new();
    let view = view(&sent, "tides", 5, &mut whole).expect("a text message");
    let shown: Vec<(&str, Option<&str>)> = view
        .properties
        .iter()
        .map(|(name, value)| (*name, value.as_deref()))
        .collect();
    assert_eq!(
        shown,
        [
            ("a", Some("2.0")),
            ("f", Some("0.1")),
            ("l", Some("-9223372036854775808")),
            ("n", None),
            ("s", Some("\"")),
            ("z", Some("true")),
        ]
    );
}

#[test]
fn headers_and_ids_are_those_that_jms_clients_see() {
    let sent = Message {
        header: Some(
            Header::builder()
                .durable(true)
                .priority(9)
                .delivery_count(2)
                .build(),
        ),
        properties: Some(
            Properties::builder()
                .to("queue://harbour".to_owned())
                .message_id(7)
                .correlation_id(Binary::from(vec![0xab]))
                .build(),
        ),
        ..message(value(Value::Null))
    };
    let mut whole = Vec::new();
    let seen = view(&sent, "tides", 5, &mut whole).expect("a text message");
    assert_eq!(seen.id, "ID:AMQP_ULONG:7");
    assert_eq!(seen.correlation_id.as_deref(), Some("ID:AMQP_BINARY:AB"));
    assert_eq!(seen.physical_name, "harbour");
    assert!(seen.persistent && seen.redelivered);
    assert_eq!(seen.priority, 9);
    let bare = message(value(Value::Null));
    let mut whole = Vec::new();
    let seen = view(&bare, "tides", 5, &mut whole).expect("a text message");
    assert_eq!((seen.id.as_ref(), seen.physical_name), ("", "tides"));
    assert!(!seen.persistent && !seen.redelivered);
    assert_eq!(seen.priority, 4);
    let uuid = *b"\x01\x23\x45\x67\x89\xab\xcd\xef\x01\x23\x45\x67\x89\xab\xcd\xef";
    assert_eq!(uuid_text(&uuid), "01234567-89ab-cdef-0123-456789abcdef");
}
