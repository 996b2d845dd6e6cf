//! SQS messages as functions see them.

use super::{push_base64, push_text, template};
use crate::engine::wire::{base64_len, json_text_len};
use std::borrow::Cow;

/// System attributes in the order in which events list them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SystemAttribute {
    /// How often the message was received, 1 for the first time.
    ApproximateReceiveCount = 0,
    /// Milliseconds since the Unix epoch.
    SentTimestamp = 1,
    /// Who sent it.
    SenderId = 2,
    /// Milliseconds since the Unix epoch.
    ApproximateFirstReceiveTimestamp = 3,
    /// FIFO queues only.
    SequenceNumber = 4,
    /// FIFO queues, and fair standard queues.
    MessageGroupId = 5,
    /// FIFO queues only.
    MessageDeduplicationId = 6,
    /// When the sender traced.
    AwsTraceHeader = 7,
    /// When the message came from a redrive.
    DeadLetterQueueSourceArn = 8,
}

const SYSTEM_ATTRIBUTES: usize = 9;

/// The opening of each system attribute, without the comma.
const SYSTEM_HEADS: [&[u8]; SYSTEM_ATTRIBUTES] = [
    b"\"ApproximateReceiveCount\":\"",
    b"\"SentTimestamp\":\"",
    b"\"SenderId\":\"",
    b"\"ApproximateFirstReceiveTimestamp\":\"",
    b"\"SequenceNumber\":\"",
    b"\"MessageGroupId\":\"",
    b"\"MessageDeduplicationId\":\"",
    b"\"AWSTraceHeader\":\"",
    b"\"DeadLetterQueueSourceArn\":\"",
];

/// A received message.
#[derive(Clone, Debug, Default)]
pub struct SqsMessage<'a> {
    /// MessageId.
    pub message_id: &'a str,
    /// ReceiptHandle.
    pub receipt_handle: &'a str,
    /// Body.
    pub body: &'a str,
    /// System attributes; see [`set`](Self::set).
    pub(crate) system: [Option<&'a str>; SYSTEM_ATTRIBUTES],
    /// Message attributes, in the order in which they are to appear.
    pub attributes: Vec<MessageAttribute<'a>>,
    /// MD5OfMessageAttributes, when there are any.
    pub md5_of_attributes: Option<&'a str>,
    /// MD5OfBody.
    pub md5_of_body: &'a str,
}

/// A message attribute.
#[derive(Clone, Copy, Debug)]
pub struct MessageAttribute<'a> {
    /// Its name.
    pub name: &'a str,
    /// `String`, `Number`, `Binary`, or one of them with a suffix.
    pub data_type: &'a str,
    /// Its value.
    pub value: AttributeValue<'a>,
}

/// The value of a message attribute.
#[derive(Clone, Copy, Debug)]
pub enum AttributeValue<'a> {
    /// `String` and `Number`.
    Text(&'a str),
    /// `Binary`.
    Binary(&'a [u8]),
}

impl<'a> SqsMessage<'a> {
    /// Sets a system attribute.
    pub const fn set(&mut self, attribute: SystemAttribute, value: &'a str) {
        self.system[attribute as usize] = Some(value);
    }

    /// A system attribute, if it is set.
    pub const fn get(&self, attribute: SystemAttribute) -> Option<&'a str> {
        self.system[attribute as usize]
    }
}

/// What all messages of a mapping have in common, escaped once.
#[derive(Clone, Debug)]
pub struct SqsShape {
    /// Whether a message without attributes carries `"md5OfMessageAttributes":null` (it does when the mapping
    /// has a batching window, and lacks the key when it has none).
    null_md5: bool,
    /// From the end of md5OfBody to the end of the message.
    tail: Box<[u8]>,
}

const ID: &[u8] = b"{\"messageId\":\"";
const RECEIPT: &[u8] = b"\",\"receiptHandle\":\"";
const BODY: &[u8] = b"\",\"body\":\"";
const SYSTEM: &[u8] = b"\",\"attributes\":{";
const ATTRIBUTES: &[u8] = b"},\"messageAttributes\":{";
const MD5_NULL: &[u8] = b"},\"md5OfMessageAttributes\":null";
const MD5_SOME: &[u8] = b"},\"md5OfMessageAttributes\":\"";
const MD5_BODY: &[u8] = b",\"md5OfBody\":\"";
const STRING_VALUE: &[u8] = b"\":{\"stringValue\":\"";
const BINARY_VALUE: &[u8] = b"\":{\"binaryValue\":\"";
const LISTS: &[u8] = b"\",\"stringListValues\":[],\"binaryListValues\":[],\"dataType\":\"";

/// The message id in a message's JSON, which begins with it; ids need no escapes.
pub(crate) fn message_id(json: &[u8]) -> Option<&str> {
    let rest = json.strip_prefix(ID)?;
    let end = rest.iter().position(|byte| *byte == b'"')?;
    std::str::from_utf8(&rest[..end]).ok()
}

impl SqsShape {
    /// The shape of the messages of the queue `arn`; `has_window` when MaximumBatchingWindowInSeconds is 1 or more.
    pub fn new(has_window: bool, region: &str, arn: &str) -> Self {
        let tail = [
            "\",\"eventSource\":\"aws:sqs\",\"eventSourceARN\":\"",
            "\",\"awsRegion\":\"",
            "\"}",
        ];
        Self {
            null_md5: has_window,
            tail: template(&tail, &[arn, region]),
        }
    }

    /// Appends a message.
    pub fn encode(&self, out: &mut Vec<u8>, message: &SqsMessage<'_>) {
        out.extend_from_slice(ID);
        push_text(out, message.message_id);
        out.extend_from_slice(RECEIPT);
        push_text(out, message.receipt_handle);
        out.extend_from_slice(BODY);
        push_text(out, message.body);
        out.extend_from_slice(SYSTEM);
        let present = message.system.iter().zip(SYSTEM_HEADS);
        let present = present.filter_map(|(value, head)| value.map(|value| (value, head)));
        for (index, (value, head)) in present.enumerate() {
            if index > 0 {
                out.push(b',');
            }
            out.extend_from_slice(head);
            push_text(out, value);
            out.push(b'"');
        }
        out.extend_from_slice(ATTRIBUTES);
        for (index, attribute) in message.attributes.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            out.push(b'"');
            push_text(out, attribute.name);
            match attribute.value {
                AttributeValue::Text(text) => {
                    out.extend_from_slice(STRING_VALUE);
                    push_text(out, &shown(attribute.data_type, text));
                }
                AttributeValue::Binary(bytes) => {
                    out.extend_from_slice(BINARY_VALUE);
                    push_base64(out, bytes);
                }
            }
            out.extend_from_slice(LISTS);
            push_text(out, attribute.data_type);
            out.extend_from_slice(b"\"}");
        }
        match message.md5_of_attributes {
            Some(md5) => {
                out.extend_from_slice(MD5_SOME);
                push_text(out, md5);
                out.push(b'"');
            }
            None if self.null_md5 => out.extend_from_slice(MD5_NULL),
            None => out.push(b'}'),
        }
        out.extend_from_slice(MD5_BODY);
        push_text(out, message.md5_of_body);
        out.extend_from_slice(&self.tail);
    }

    /// The length that [`encode`](Self::encode) will append, in bytes.
    pub fn encoded_len(&self, message: &SqsMessage<'_>) -> u64 {
        let fixed = ID.len() + RECEIPT.len() + BODY.len() + SYSTEM.len() + ATTRIBUTES.len();
        let mut len = (fixed + MD5_BODY.len() + self.tail.len()) as u64
            + json_text_len(message.message_id)
            + json_text_len(message.receipt_handle)
            + json_text_len(message.body)
            + json_text_len(message.md5_of_body);
        let mut system = 0;
        for (value, head) in message.system.iter().zip(SYSTEM_HEADS) {
            if let Some(value) = value {
                system += 1;
                len += head.len() as u64 + json_text_len(value) + 1;
            }
        }
        len += u64::saturating_sub(system, 1);
        for attribute in &message.attributes {
            let value = match attribute.value {
                AttributeValue::Text(text) => {
                    json_text_len(&shown(attribute.data_type, text)) + STRING_VALUE.len() as u64
                }
                AttributeValue::Binary(bytes) => {
                    base64_len(bytes.len() as u64) + BINARY_VALUE.len() as u64
                }
            };
            let quotes = 1 + 2; // before the name, and the end of the entry
            len += quotes + json_text_len(attribute.name) + value + LISTS.len() as u64;
            len += json_text_len(attribute.data_type);
        }
        len += (message.attributes.len() as u64).saturating_sub(1);
        len + match message.md5_of_attributes {
            Some(md5) => MD5_SOME.len() as u64 + json_text_len(md5) + 1,
            None if self.null_md5 => MD5_NULL.len() as u64,
            None => 1,
        }
    }
}

/// A text attribute as events show it: numbers are normalised.
fn shown<'a>(data_type: &str, text: &'a str) -> Cow<'a, str> {
    let number = data_type == "Number" || data_type.starts_with("Number.");
    match number.then(|| normalised(text)).flatten() {
        Some(number) => Cow::Owned(number),
        None => Cow::Borrowed(text),
    }
}

/// `0012.3400` becomes `12.34`. Numbers with an exponent are left alone: what AWS makes of them was not seen.
fn normalised(text: &str) -> Option<String> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let decimal = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if !(decimal(whole) && decimal(fraction)) || (whole.is_empty() && fraction.is_empty()) {
        return None;
    }
    let whole = whole.trim_start_matches('0');
    let fraction = fraction.trim_end_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    Some(match (whole, fraction) {
        ("0", "") => "0".to_owned(),
        (whole, "") => format!("{sign}{whole}"),
        (whole, fraction) => format!("{sign}{whole}.{fraction}"),
    })
}

#[cfg(test)]
#[path = "sqs_tests.rs"]
mod tests;
