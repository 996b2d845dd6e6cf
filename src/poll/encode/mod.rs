//! Event JSON, written by hand: the hot path of the poller touches every byte of every record here.
//!
//! A record is encoded once, when it is received; its length is what the engine batches by, and an event is
//! the concatenation of its records. Retries send the same bytes again.

mod activemq;
mod dynamodb;
mod envelope;
mod instant;
mod kafka;
mod kinesis;
mod rabbitmq;
mod sqs;
mod window;

pub(crate) use activemq::{ActiveMqMessage, ActiveMqShape, MessageKind};
pub use dynamodb::{DynamoDbShape, UnknownType, item_key};
pub(crate) use envelope::Envelope;
pub(crate) use instant::{Calendar, Precision, push_instant};
pub use kafka::{KafkaRecord, KafkaShape, TimestampType, partition_name};
pub use kinesis::{KinesisRecord, KinesisShape};
pub(crate) use rabbitmq::{RabbitMqMessage, RabbitMqShape};
pub(crate) use sqs::message_id;
pub use sqs::{AttributeValue, MessageAttribute, SqsMessage, SqsShape, SystemAttribute};
pub use window::WindowFrame;

use crate::engine::Record;
use crate::engine::wire::RECORDS_ENVELOPE_LEN;
use crate::source::Payload;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

const HEAD: &[u8] = b"{\"Records\":[";

/// The event for a batch, and for a call of a tumbling window with what surrounds its records.
///
/// # Panics
/// When a record's `wire_len` is not the length of its JSON: the payload limit would then be guarded by
/// wrong figures.
pub fn event(records: &[Record<Payload>], window: Option<&WindowFrame<'_>>) -> Bytes {
    let commas = records.len().saturating_sub(1);
    let predicted = records
        .iter()
        .map(|record| record.meta.wire_len as usize)
        .sum::<usize>()
        + RECORDS_ENVELOPE_LEN as usize
        + commas
        + window.map_or(0, WindowFrame::encoded_len);
    let mut out = Vec::with_capacity(predicted);
    out.extend_from_slice(HEAD);
    for (index, record) in records.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(&record.payload.json);
    }
    out.push(b']');
    if let Some(window) = window {
        window.encode(&mut out);
    }
    out.push(b'}');
    assert_eq!(
        out.len(),
        predicted,
        "the predicted length of an event is wrong"
    );
    Bytes::from(out)
}

/// The escape of a byte: 0 for none, `u` for the six-byte form, otherwise the letter after the backslash.
const ESCAPES: [u8; 256] = {
    let mut escapes = [0; 256];
    let mut byte = 0;
    while byte < 0x20 {
        escapes[byte] = b'u';
        byte += 1;
    }
    escapes[0x08] = b'b';
    escapes[0x09] = b't';
    escapes[0x0a] = b'n';
    escapes[0x0c] = b'f';
    escapes[0x0d] = b'r';
    escapes[b'"' as usize] = b'"';
    escapes[b'\\' as usize] = b'\\';
    escapes
};

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Appends `text` as it stands between the quotes of a JSON string.
pub(crate) fn push_text(out: &mut Vec<u8>, text: &str) {
    let mut rest = text.as_bytes();
    loop {
        let plain = plain_prefix(rest);
        out.extend_from_slice(&rest[..plain]);
        let Some(&byte) = rest.get(plain) else {
            return;
        };
        match ESCAPES[byte as usize] {
            b'u' => {
                out.extend_from_slice(b"\\u00");
                out.push(HEX[usize::from(byte >> 4)]);
                out.push(HEX[usize::from(byte & 15)]);
            }
            letter => out.extend_from_slice(&[b'\\', letter]),
        }
        rest = &rest[plain + 1..];
    }
}

/// How many bytes at the head need no escape. Eight at a time: bodies are long and escapes are rare.
fn plain_prefix(bytes: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    let (words, _) = bytes.as_chunks::<8>();
    let mut at = 0;
    for word in words {
        let word = u64::from_le_bytes(*word);
        let control = word.wrapping_sub(ONES * 0x20) & !word;
        let quote = word ^ (ONES * b'"' as u64);
        let quote = quote.wrapping_sub(ONES) & !quote;
        let backslash = word ^ (ONES * b'\\' as u64);
        let backslash = backslash.wrapping_sub(ONES) & !backslash;
        if (control | quote | backslash) & HIGHS != 0 {
            break;
        }
        at += 8;
    }
    let tail = &bytes[at..];
    at + tail
        .iter()
        .position(|&byte| ESCAPES[byte as usize] != 0)
        .unwrap_or(tail.len())
}

/// Appends `bytes` in base64 with padding.
fn push_base64(out: &mut Vec<u8>, bytes: &[u8]) {
    let start = out.len();
    out.resize(start + bytes.len().div_ceil(3) * 4, 0);
    let written = STANDARD.encode_slice(bytes, &mut out[start..]);
    assert!(
        written.is_ok_and(|len| start + len == out.len()),
        "base64 has another length than its formula says"
    );
}

/// Appends `value` in decimal digits.
pub(crate) fn push_decimal(out: &mut Vec<u8>, value: u64) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    let mut rest = value;
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// A constant piece of JSON with texts of the mapping inside, escaped once.
fn template(parts: &[&str], texts: &[&str]) -> Box<[u8]> {
    let mut out = Vec::new();
    for (index, part) in parts.iter().enumerate() {
        out.extend_from_slice(part.as_bytes());
        if let Some(text) = texts.get(index) {
            push_text(&mut out, text);
        }
    }
    out.into_boxed_slice()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::wire::{base64_len, decimal_len, json_text_len};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_text_is_escaped_as_json_with_the_predicted_length(text in any::<String>()) {
            let mut out = Vec::new();
            push_text(&mut out, &text);
            prop_assert_eq!(out.len() as u64, json_text_len(&text));
            let quoted = format!("\"{}\"", String::from_utf8(out).expect("UTF-8"));
            let parsed: String = serde_json::from_str(&quoted).expect("JSON");
            prop_assert_eq!(parsed, text);
        }

        #[test]
        fn awkward_text_is_escaped_too(text in "[\u{0}-\u{1f}\"\\\\aé€]{0,40}") {
            let mut out = Vec::new();
            push_text(&mut out, &text);
            prop_assert_eq!(out.len() as u64, json_text_len(&text));
            let quoted = format!("\"{}\"", String::from_utf8(out).expect("UTF-8"));
            prop_assert_eq!(serde_json::from_str::<String>(&quoted).expect("JSON"), text);
        }

        #[test]
        fn any_bytes_have_the_predicted_base64(bytes in any::<Vec<u8>>(), number in any::<u64>()) {
            let mut out = Vec::new();
            push_base64(&mut out, &bytes);
            prop_assert_eq!(out.len() as u64, base64_len(bytes.len() as u64));
            prop_assert_eq!(STANDARD.decode(&out).expect("base64"), bytes);
            out.clear();
            push_decimal(&mut out, number);
            prop_assert_eq!(out.len() as u64, decimal_len(number));
            prop_assert_eq!(out, number.to_string().into_bytes());
        }
    }
}
