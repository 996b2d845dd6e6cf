//! RabbitMQ messages as functions see them.

use super::Envelope;
use super::envelope::{Length, Sink};
use super::instant::Calendar;
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, ShortString};

/// A delivered message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RabbitMqMessage<'a> {
    /// Its properties, headers among them.
    pub(crate) properties: &'a BasicProperties,
    /// The broker delivered it before, to whomever.
    pub(crate) redelivered: bool,
    /// Its body.
    pub(crate) data: &'a [u8],
}

/// What all messages of a mapping have in common. Rule `rabbitmq-event-shape`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RabbitMqShape;

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

impl RabbitMqShape {
    /// What surrounds the messages of a queue in a virtual host of the broker `arn`.
    pub(crate) fn envelope(arn: &str, queue: &str, virtual_host: &str) -> Envelope {
        let head = [
            "{\"eventSource\":\"aws:rmq\",\"eventSourceArn\":\"",
            "\",\"rmqMessagesByQueue\":{\"",
            "::",
            "\":[",
        ];
        Envelope::new(&head, &[arn, queue, virtual_host], "]}}")
    }

    /// Appends a message.
    pub(crate) fn encode(out: &mut Vec<u8>, message: &RabbitMqMessage<'_>) {
        write(out, message);
    }

    /// The length that [`encode`](Self::encode) will append, in bytes.
    pub(crate) fn encoded_len(message: &RabbitMqMessage<'_>) -> u64 {
        let mut length = Length::default();
        write(&mut length, message);
        length.0
    }
}

fn write(out: &mut impl Sink, message: &RabbitMqMessage<'_>) {
    let properties = message.properties;
    out.raw(b"{\"basicProperties\":{\"contentType\":");
    string(out, properties.content_type().as_ref());
    out.raw(b",\"contentEncoding\":");
    string(out, properties.content_encoding().as_ref());
    out.raw(b",\"headers\":");
    match properties.headers() {
        Some(headers) => table(out, headers),
        None => out.raw(NULL),
    }
    out.raw(b",\"deliveryMode\":");
    number(out, *properties.delivery_mode());
    out.raw(b",\"priority\":");
    number(out, *properties.priority());
    out.raw(b",\"correlationId\":");
    string(out, properties.correlation_id().as_ref());
    out.raw(b",\"replyTo\":");
    string(out, properties.reply_to().as_ref());
    out.raw(b",\"expiration\":");
    string(out, properties.expiration().as_ref());
    out.raw(b",\"messageId\":");
    string(out, properties.message_id().as_ref());
    out.raw(b",\"timestamp\":");
    match properties.timestamp() {
        Some(secs) => instant(out, *secs),
        None => out.raw(NULL),
    }
    out.raw(b",\"type\":");
    string(out, properties.kind().as_ref());
    out.raw(b",\"userId\":");
    string(out, properties.user_id().as_ref());
    out.raw(b",\"appId\":");
    string(out, properties.app_id().as_ref());
    out.raw(b",\"clusterId\":");
    string(out, properties.cluster_id().as_ref());
    out.raw(b",\"bodySize\":");
    out.decimal(message.data.len() as u64);
    out.raw(match message.redelivered {
        true => b"},\"redelivered\":true,\"data\":\"".as_slice(),
        false => b"},\"redelivered\":false,\"data\":\"",
    });
    out.base64(message.data);
    out.raw(b"\"}");
}

const NULL: &[u8] = b"null";

fn string(out: &mut impl Sink, text: Option<&ShortString>) {
    match text {
        Some(text) => quoted(out, text.as_str()),
        None => out.raw(NULL),
    }
}

fn quoted(out: &mut impl Sink, text: &str) {
    out.raw(b"\"");
    out.text(text);
    out.raw(b"\"");
}

fn number(out: &mut impl Sink, value: Option<u8>) {
    match value {
        Some(value) => out.decimal(value.into()),
        None => out.raw(NULL),
    }
}

/// Rule `rabbitmq-timestamp-text`: `Jan 1, 1970, 12:33:41 AM`, in UTC.
fn instant(out: &mut impl Sink, secs: u64) {
    let at = Calendar::from_unix_secs(secs);
    let hour = match at.hour % 12 {
        0 => 12,
        hour => hour,
    };
    let half = if at.hour < 12 { "AM" } else { "PM" };
    let text = format!(
        "\"{} {}, {}, {hour}:{:02}:{:02} {half}\"",
        MONTHS[at.month as usize - 1],
        at.day,
        at.year,
        at.minute,
        at.second
    );
    out.raw(text.as_bytes());
}

fn table(out: &mut impl Sink, table: &FieldTable) {
    out.raw(b"{");
    for (index, (name, value)) in table.inner().iter().enumerate() {
        if index > 0 {
            out.raw(b",");
        }
        quoted(out, name.as_str());
        out.raw(b":");
        header(out, value);
    }
    out.raw(b"}");
}

/// Rule `rabbitmq-header-values`.
fn header(out: &mut impl Sink, value: &AMQPValue) {
    match value {
        AMQPValue::Boolean(true) => out.raw(b"true"),
        AMQPValue::Boolean(false) => out.raw(b"false"),
        AMQPValue::ShortShortInt(value) => whole(out, (*value).into()),
        AMQPValue::ShortShortUInt(value) => whole(out, (*value).into()),
        AMQPValue::ShortInt(value) => whole(out, (*value).into()),
        AMQPValue::ShortUInt(value) => whole(out, (*value).into()),
        AMQPValue::LongInt(value) => whole(out, (*value).into()),
        AMQPValue::LongUInt(value) => whole(out, (*value).into()),
        AMQPValue::LongLongInt(value) => whole(out, *value),
        // Written with the digits of its own width: 0.1 stays 0.1.
        AMQPValue::Float(value) if value.is_finite() => out.raw(format!("{value:?}").as_bytes()),
        AMQPValue::Double(value) if value.is_finite() => out.raw(format!("{value:?}").as_bytes()),
        AMQPValue::DecimalValue(value) => {
            out.decimal(value.value.into());
            if value.scale > 0 {
                out.raw(b"e-");
                out.decimal(value.scale.into());
            }
        }
        AMQPValue::ShortString(text) => bytes_object(out, text.as_str().as_bytes()),
        AMQPValue::LongString(text) => bytes_object(out, text.as_bytes()),
        AMQPValue::FieldArray(values) => {
            out.raw(b"[");
            for (index, value) in values.as_slice().iter().enumerate() {
                if index > 0 {
                    out.raw(b",");
                }
                header(out, value);
            }
            out.raw(b"]");
        }
        AMQPValue::Timestamp(secs) => instant(out, *secs),
        AMQPValue::FieldTable(inner) => table(out, inner),
        AMQPValue::ByteArray(bytes) => signed_bytes(out, bytes.as_slice()),
        // JSON has no word for what is not a number.
        AMQPValue::Float(_) | AMQPValue::Double(_) | AMQPValue::Void => out.raw(NULL),
    }
}

fn whole(out: &mut impl Sink, value: i64) {
    if value < 0 {
        out.raw(b"-");
    }
    out.decimal(value.unsigned_abs());
}

fn bytes_object(out: &mut impl Sink, bytes: &[u8]) {
    out.raw(b"{\"bytes\":");
    signed_bytes(out, bytes);
    out.raw(b"}");
}

/// Bytes as Java has them, -128 to 127.
fn signed_bytes(out: &mut impl Sink, bytes: &[u8]) {
    out.raw(b"[");
    for (index, byte) in bytes.iter().enumerate() {
        if index > 0 {
            out.raw(b",");
        }
        whole(out, byte.cast_signed().into());
    }
    out.raw(b"]");
}

#[cfg(test)]
#[path = "rabbitmq_tests.rs"]
mod tests;
