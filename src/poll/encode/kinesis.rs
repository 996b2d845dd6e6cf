//! Kinesis records as functions see them.

use super::{push_base64, push_decimal, push_text, template};
use crate::engine::wire::{base64_len, decimal_len, json_text_len};

/// What of a record differs from record to record.
#[derive(Clone, Copy, Debug)]
pub struct KinesisRecord<'a> {
    /// PartitionKey.
    pub partition_key: &'a str,
    /// SequenceNumber, as the service wrote it.
    pub sequence: &'a str,
    /// Data.
    pub data: &'a [u8],
    /// ApproximateArrivalTimestamp, milliseconds since the Unix epoch.
    pub arrival_ms: u64,
}

/// What all records of a shard have in common, escaped once.
#[derive(Clone, Debug)]
pub struct KinesisShape {
    /// From the arrival time to the `:` inside the event's id.
    middle: Box<[u8]>,
    /// From the end of the event's id to the end of the record.
    tail: Box<[u8]>,
}

const HEAD: &[u8] = b"{\"kinesis\":{\"kinesisSchemaVersion\":\"1.0\",\"partitionKey\":\"";
const SEQUENCE: &[u8] = b"\",\"sequenceNumber\":\"";
const DATA: &[u8] = b"\",\"data\":\"";
const ARRIVAL: &[u8] = b"\",\"approximateArrivalTimestamp\":";
/// A dot and three digits: arrival times always show their milliseconds, so that lengths can be predicted.
const FRACTION_LEN: u64 = 4;

impl KinesisShape {
    /// The shape of the records of `shard` of the stream `arn`; `role` is the function's execution role.
    pub fn new(shard: &str, role: &str, region: &str, arn: &str) -> Self {
        let middle = [
            "},\"eventSource\":\"aws:kinesis\",\"eventVersion\":\"1.0\",\"eventID\":\"",
            ":",
        ];
        let tail = [
            "\",\"eventName\":\"aws:kinesis:record\",\"invokeIdentityArn\":\"",
            "\",\"awsRegion\":\"",
            "\",\"eventSourceARN\":\"",
            "\"}",
        ];
        Self {
            middle: template(&middle, &[shard]),
            tail: template(&tail, &[role, region, arn]),
        }
    }

    /// Appends a record.
    pub fn encode(&self, out: &mut Vec<u8>, record: &KinesisRecord<'_>) {
        out.extend_from_slice(HEAD);
        push_text(out, record.partition_key);
        out.extend_from_slice(SEQUENCE);
        push_text(out, record.sequence);
        out.extend_from_slice(DATA);
        push_base64(out, record.data);
        out.extend_from_slice(ARRIVAL);
        push_decimal(out, record.arrival_ms / 1_000);
        let fraction = record.arrival_ms % 1_000;
        let digit = |of: u64| b'0' + (of % 10) as u8;
        out.extend_from_slice(&[
            b'.',
            digit(fraction / 100),
            digit(fraction / 10),
            digit(fraction),
        ]);
        out.extend_from_slice(&self.middle);
        push_text(out, record.sequence);
        out.extend_from_slice(&self.tail);
    }

    /// The length that [`encode`](Self::encode) will append, in bytes.
    pub fn encoded_len(&self, record: &KinesisRecord<'_>) -> u64 {
        let fixed = HEAD.len() + SEQUENCE.len() + DATA.len() + ARRIVAL.len();
        (fixed + self.middle.len() + self.tail.len()) as u64
            + json_text_len(record.partition_key)
            + 2 * json_text_len(record.sequence)
            + base64_len(record.data.len() as u64)
            + decimal_len(record.arrival_ms / 1_000)
            + FRACTION_LEN
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const EXPECTED: &str = concat!(
        r#"{"kinesis":{"kinesisSchemaVersion":"1.0","partitionKey":"key \"1\"","#,
        r#""sequenceNumber":"49590338271490256608559692538361571095921575989136588898","#,
        r#""data":"SGVsbG8=","approximateArrivalTimestamp":1545084650.987},"#,
        r#""eventSource":"aws:kinesis","eventVersion":"1.0","#,
        r#""eventID":"shardId-000000000006:49590338271490256608559692538361571095921575989136588898","#,
        r#""eventName":"aws:kinesis:record","invokeIdentityArn":"arn:aws:iam::123456789012:role/lambda-role","#,
        r#""awsRegion":"us-east-2","eventSourceARN":"arn:aws:kinesis:us-east-2:123456789012:stream/lambda-stream"}"#,
    );

    fn shape() -> KinesisShape {
        KinesisShape::new(
            "shardId-000000000006",
            "arn:aws:iam::123456789012:role/lambda-role",
            "us-east-2",
            "arn:aws:kinesis:us-east-2:123456789012:stream/lambda-stream",
        )
    }

    #[test]
    fn a_record_has_exactly_the_recorded_form() {
        let record = KinesisRecord {
            partition_key: "key \"1\"",
            sequence: "49590338271490256608559692538361571095921575989136588898",
            data: b"Hello",
            arrival_ms: 1_545_084_650_987,
        };
        let mut out = Vec::new();
        shape().encode(&mut out, &record);
        assert_eq!(std::str::from_utf8(&out), Ok(EXPECTED));
        assert_eq!(out.len() as u64, shape().encoded_len(&record));
        let parsed: serde_json::Value = serde_json::from_slice(&out).expect("JSON");
        let expected: serde_json::Value = serde_json::from_str(EXPECTED).expect("JSON");
        assert_eq!(parsed, expected);
        let arrival = parsed["kinesis"]["approximateArrivalTimestamp"].as_f64();
        assert_eq!(arrival, Some(1_545_084_650.987));
    }

    proptest! {
        #[test]
        fn lengths_are_predicted(
            key in any::<String>(), data in any::<Vec<u8>>(),
            number in any::<u64>(), arrival_ms in any::<u64>(),
        ) {
            let sequence = number.to_string();
            let record = KinesisRecord { partition_key: &key, sequence: &sequence, data: &data, arrival_ms };
            let mut out = Vec::new();
            shape().encode(&mut out, &record);
            prop_assert_eq!(out.len() as u64, shape().encoded_len(&record));
            let parsed: serde_json::Value = serde_json::from_slice(&out).expect("JSON");
            prop_assert_eq!(parsed["kinesis"]["partitionKey"].as_str(), Some(key.as_str()));
        }
    }
}
