//! JMS messages as ActiveMQ's AMQP connector writes them.

use crate::poll::encode::{ActiveMqMessage, MessageKind};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fe2o3_amqp::types::messaging::annotations::OwnedKey;
use fe2o3_amqp::types::messaging::{Body, Message, MessageId};
use fe2o3_amqp::types::primitives::{SimpleValue, Value};
use std::borrow::Cow;

/// JMS's default, which senders leave out.
const PRIORITY: u8 = 4;
/// Tells the kinds of JMS messages apart where the body does not.
const KIND_ANNOTATION: &str = "x-opt-jms-msg-type";
const BYTES_ANNOTATION: i8 = 3;
const TEXT_ANNOTATION: i8 = 5;
/// ActiveMQ's mark on serialized Java objects, whose bytes are no bytes message.
const JAVA_OBJECT: &str = "application/x-java-serialized-object";

/// Whether it is a text or bytes message. Rule `activemq-message-types`.
pub(super) fn is_for_functions(message: &Message<Body<Value>>) -> bool {
    body(message).is_some()
}

/// The message as the encoder reads it: from `queue`, received at `now` (milliseconds since the Unix epoch); `whole` is
/// room for a body that came in pieces.
pub(super) fn view<'a>(
    message: &'a Message<Body<Value>>,
    queue: &'a str,
    now: u64,
    whole: &'a mut Vec<u8>,
) -> Option<ActiveMqMessage<'a>> {
    let (kind, pieces) = body(message)?;
    let data = match pieces.as_slice() {
        [] => [].as_slice(),
        [piece] => piece,
        pieces => {
            *whole = pieces.concat();
            whole
        }
    };
    let header = message.header.as_ref();
    let properties = message.properties.as_ref();
    let instant = |millis: i64| u64::try_from(millis).unwrap_or(0);
    let timestamp = properties
        .and_then(|it| it.creation_time.as_ref())
        .map_or(0, |it| instant(it.milliseconds()));
    let expiration = properties
        .and_then(|it| it.absolute_expiry_time.as_ref())
        .map_or(0, |it| instant(it.milliseconds()));
    let destination = properties.and_then(|it| it.to.as_deref()).unwrap_or(queue);
    let mut own: Vec<(&str, Option<Cow<'_, str>>)> = message
        .application_properties
        .iter()
        .flat_map(|it| it.0.iter())
        .map(|(name, value)| (name.as_str(), text_of(value)))
        .collect();
    // The broker keeps no order; one by name makes equal messages equal.
    own.sort_unstable_by_key(|(name, _)| *name);
    Some(ActiveMqMessage {
        id: properties
            .and_then(|it| it.message_id.as_ref())
            .map_or(Cow::Borrowed(""), id_of),
        kind,
        timestamp,
        persistent: header.is_some_and(|it| it.durable),
        correlation_id: properties
            .and_then(|it| it.correlation_id.as_ref())
            .map(id_of),
        reply_to: properties.and_then(|it| it.reply_to.as_deref()),
        physical_name: destination.strip_prefix("queue://").unwrap_or(destination),
        redelivered: header.is_some_and(|it| it.delivery_count > 0),
        jms_type: properties.and_then(|it| it.subject.as_deref()),
        expiration,
        priority: header.map_or(PRIORITY, |it| it.priority.0),
        data,
        // Rule `activemq-broker-times`.
        broker_in: if timestamp == 0 { now } else { timestamp },
        broker_out: now,
        properties: own,
    })
}

/// Bytes of its body.
pub(super) fn length(message: &Message<Body<Value>>) -> u64 {
    let pieces = body(message).map_or(Vec::new(), |(_, pieces)| pieces);
    pieces.iter().map(|piece| piece.len() as u64).sum()
}

/// When the message was sent, if its sender said so; milliseconds since the Unix epoch.
pub(super) fn sent_at(message: &Message<Body<Value>>) -> Option<u64> {
    let sent = message.properties.as_ref()?.creation_time.as_ref()?;
    u64::try_from(sent.milliseconds()).ok()
}

/// Rule `activemq-message-types`: what the connector makes of a JMS message, and of what an AMQP client sent.
fn body(message: &Message<Body<Value>>) -> Option<(MessageKind, Vec<&[u8]>)> {
    match &message.body {
        Body::Value(value) => match &value.0 {
            Value::String(text) => Some((MessageKind::Text, vec![text.as_bytes()])),
            Value::Binary(bytes) => Some((MessageKind::Bytes, vec![bytes.as_slice()])),
            // A text message without a text.
            Value::Null => Some((MessageKind::Text, Vec::new())),
            _ => None,
        },
        Body::Data(parts) => {
            let content_type = content_type(message);
            if content_type == Some(JAVA_OBJECT) {
                return None;
            }
            let kind = match annotation(message) {
                Some(TEXT_ANNOTATION) => MessageKind::Text,
                Some(BYTES_ANNOTATION) => MessageKind::Bytes,
                Some(_) => return None,
                None if content_type.is_some_and(is_textual) => MessageKind::Text,
                None => MessageKind::Bytes,
            };
            Some((kind, parts.iter().map(|part| part.0.as_slice()).collect()))
        }
        // A body that its sender left out.
        Body::Empty => match annotation(message) {
            None | Some(TEXT_ANNOTATION) => Some((MessageKind::Text, Vec::new())),
            Some(BYTES_ANNOTATION) => Some((MessageKind::Bytes, Vec::new())),
            Some(_) => None,
        },
        Body::Sequence(_) => None,
    }
}

fn content_type(message: &Message<Body<Value>>) -> Option<&str> {
    let properties = message.properties.as_ref()?;
    properties.content_type.as_ref().map(|it| it.0.as_str())
}

fn annotation(message: &Message<Body<Value>>) -> Option<i8> {
    let annotations = &message.message_annotations.as_ref()?.0;
    annotations
        .iter()
        .find_map(|(key, value)| match (key, value) {
            (OwnedKey::Symbol(name), Value::Byte(kind)) if name.0 == KIND_ANNOTATION => Some(*kind),
            _ => None,
        })
}

/// Content types whose data ActiveMQ takes for text.
fn is_textual(content_type: &str) -> bool {
    let (kind, _) = content_type.split_once(';').unwrap_or((content_type, ""));
    let kind = kind.trim().to_ascii_lowercase();
    let Some((family, name)) = kind.split_once('/') else {
        return false;
    };
    let scripts = ["json", "xml", "xml-dtd", "javascript", "ecmascript"];
    let suffixes = ["+json", "+xml", "+javascript", "+ecmascript"];
    let of_application = scripts.contains(&name) || suffixes.iter().any(|it| name.ends_with(it));
    family == "text" || (family == "application" && of_application)
}

/// The text that JMS clients of ActiveMQ see for an id of another type.
fn id_of(id: &MessageId) -> Cow<'_, str> {
    match id {
        MessageId::String(text) => Cow::Borrowed(text),
        MessageId::Ulong(number) => Cow::Owned(format!("ID:AMQP_ULONG:{number}")),
        MessageId::Uuid(uuid) => Cow::Owned(format!("ID:AMQP_UUID:{}", uuid_text(uuid.as_inner()))),
        MessageId::Binary(bytes) => {
            let hex: String = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
            Cow::Owned(format!("ID:AMQP_BINARY:{hex}"))
        }
    }
}

fn uuid_text(bytes: &[u8; 16]) -> String {
    let number = u128::from_be_bytes(*bytes);
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        number >> 96,
        number >> 80 & 0xffff,
        number >> 64 & 0xffff,
        number >> 48 & 0xffff,
        number & 0xffff_ffff_ffff
    )
}

/// Rule `activemq-properties-are-text`.
fn text_of(value: &SimpleValue) -> Option<Cow<'_, str>> {
    let owned = |text: String| Some(Cow::Owned(text));
    match value {
        SimpleValue::String(text) => Some(Cow::Borrowed(text)),
        SimpleValue::Symbol(symbol) => Some(Cow::Borrowed(symbol.0.as_str())),
        SimpleValue::Bool(value) => owned(value.to_string()),
        SimpleValue::Ubyte(value) => owned(value.to_string()),
        SimpleValue::Ushort(value) => owned(value.to_string()),
        SimpleValue::Uint(value) => owned(value.to_string()),
        SimpleValue::Ulong(value) => owned(value.to_string()),
        SimpleValue::Byte(value) => owned(value.to_string()),
        SimpleValue::Short(value) => owned(value.to_string()),
        SimpleValue::Int(value) => owned(value.to_string()),
        SimpleValue::Long(value) => owned(value.to_string()),
        // As Java writes it: a whole number keeps its fraction.
        SimpleValue::Float(value) => owned(format!("{:?}", value.0)),
        SimpleValue::Double(value) => owned(format!("{:?}", value.0)),
        SimpleValue::Char(value) => owned(value.to_string()),
        SimpleValue::Timestamp(value) => owned(value.milliseconds().to_string()),
        SimpleValue::Uuid(value) => owned(uuid_text(value.as_inner())),
        SimpleValue::Binary(bytes) => owned(STANDARD.encode(bytes)),
        // JMS has none of these.
        SimpleValue::Null
        | SimpleValue::Decimal32(_)
        | SimpleValue::Decimal64(_)
        | SimpleValue::Decimal128(_)
        | SimpleValue::Described(_) => None,
    }
}

#[cfg(test)]
#[path = "message_tests.rs"]
mod tests;
