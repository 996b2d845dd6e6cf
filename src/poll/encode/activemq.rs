//! ActiveMQ messages as functions see them.

use super::Envelope;
#[cfg(test)]
use super::envelope::Length;
use super::envelope::Sink;
use std::borrow::Cow;

/// The two kinds of messages that functions get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MessageKind {
    /// `jms/text-message`; the data is the text in UTF-8.
    Text,
    /// `jms/bytes-message`.
    Bytes,
}

/// A delivered message. Instants are milliseconds since the Unix epoch.
#[derive(Clone, Debug)]
pub(crate) struct ActiveMqMessage<'a> {
    /// `messageID`, such as `ID:host-1:1:1:1`.
    pub(crate) id: Cow<'a, str>,
    /// `messageType`.
    pub(crate) kind: MessageKind,
    /// When it was sent, 0 if its sender did not say.
    pub(crate) timestamp: u64,
    /// `deliveryMode` 2, otherwise 1.
    pub(crate) persistent: bool,
    /// `correlationID`.
    pub(crate) correlation_id: Option<Cow<'a, str>>,
    /// `replyTo` with its kind, such as `queue://answers`.
    pub(crate) reply_to: Option<&'a str>,
    /// `destination.physicalName`: the queue.
    pub(crate) physical_name: &'a str,
    /// It was delivered before.
    pub(crate) redelivered: bool,
    /// `type` (JMSType).
    pub(crate) jms_type: Option<&'a str>,
    /// When it expires, 0 for never.
    pub(crate) expiration: u64,
    /// 0 to 9.
    pub(crate) priority: u8,
    /// The body.
    pub(crate) data: &'a [u8],
    /// When the broker got it.
    pub(crate) broker_in: u64,
    /// When the broker sent it.
    pub(crate) broker_out: u64,
    /// Names and values of the sender's own properties, in the order in which they are to appear.
    pub(crate) properties: Vec<(&'a str, Option<Cow<'a, str>>)>,
}

/// How messages and events are written. Rule `activemq-event-shape`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ActiveMqShape;

impl ActiveMqShape {
    /// What surrounds the messages of the broker `arn`.
    pub(crate) fn envelope(arn: &str) -> Envelope {
        let head = [
            "{\"eventSource\":\"aws:mq\",\"eventSourceArn\":\"",
            "\",\"messages\":[",
        ];
        Envelope::new(&head, &[arn], "]}")
    }

    /// Appends a message.
    pub(crate) fn encode(out: &mut Vec<u8>, message: &ActiveMqMessage<'_>) {
        write(out, message);
    }

    /// The length that [`encode`](Self::encode) will append, in bytes.
    #[cfg(test)]
    pub(crate) fn encoded_len(message: &ActiveMqMessage<'_>) -> u64 {
        let mut length = Length::default();
        write(&mut length, message);
        length.0
    }
}

fn write(out: &mut impl Sink, message: &ActiveMqMessage<'_>) {
    out.raw(b"{\"messageID\":\"");
    out.text(&message.id);
    out.raw(match message.kind {
        MessageKind::Text => b"\",\"messageType\":\"jms/text-message\",\"timestamp\":".as_slice(),
        MessageKind::Bytes => b"\",\"messageType\":\"jms/bytes-message\",\"timestamp\":",
    });
    out.decimal(message.timestamp);
    out.raw(match message.persistent {
        true => b",\"deliveryMode\":2,\"correlationID\":".as_slice(),
        false => b",\"deliveryMode\":1,\"correlationID\":",
    });
    optional(out, message.correlation_id.as_deref());
    // The recorded events have the word in quotes where there is none to reply to.
    out.raw(b",\"replyTo\":\"");
    out.text(message.reply_to.unwrap_or("null"));
    out.raw(b"\",\"destination\":{\"physicalName\":\"");
    out.text(message.physical_name);
    out.raw(match message.redelivered {
        true => b"\"},\"redelivered\":true,\"type\":".as_slice(),
        false => b"\"},\"redelivered\":false,\"type\":",
    });
    optional(out, message.jms_type);
    out.raw(b",\"expiration\":");
    out.decimal(message.expiration);
    out.raw(b",\"priority\":");
    out.decimal(message.priority.into());
    out.raw(b",\"data\":\"");
    out.base64(message.data);
    out.raw(b"\",\"brokerInTime\":");
    out.decimal(message.broker_in);
    out.raw(b",\"brokerOutTime\":");
    out.decimal(message.broker_out);
    out.raw(b",\"properties\":{");
    for (index, (name, value)) in message.properties.iter().enumerate() {
        out.raw(if index > 0 { b",\"" } else { b"\"" });
        out.text(name);
        out.raw(b"\":");
        optional(out, value.as_deref());
    }
    out.raw(b"}}");
}

fn optional(out: &mut impl Sink, text: Option<&str>) {
    match text {
        Some(text) => {
            out.raw(b"\"");
            out.text(text);
            out.raw(b"\"");
        }
        None => out.raw(b"null"),
    }
}

#[cfg(test)]
#[path = "activemq_tests.rs"]
mod tests;
