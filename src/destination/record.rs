//! The invocation record: what a destination is told of records that are given up.

use super::kafka_record::KafkaBatch;
use crate::engine::{Condition, FailedAnswer, Seq, SourceKind, Time, WindowCall};
use crate::poll::encode::{Calendar, Precision, push_decimal, push_instant, push_text};
use bytes::Bytes;
use std::sync::Arc;

/// DynamoDB's API takes sequence numbers of 21 digits and more; shorter ones have zeros in front.
const DYNAMODB_DIGITS_MIN: usize = 21;

/// One record, in AWS's form. Rule `destination-record-shape`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvocationRecord {
    /// The id of the last delivery of these records, or of the one that would have been.
    pub request_id: String,
    /// The function as the mapping names it, as an ARN.
    pub function_arn: Arc<str>,
    /// Why the records are given up.
    pub condition: Condition,
    /// `approximateInvokeCount`.
    pub invoke_count: u32,
    /// How the function answered last; `None` when it was never called, or not with these records alone.
    pub response: Option<ResponseContext>,
    /// When the records were given up, since the Unix epoch.
    pub at: Time,
    /// What is given up.
    pub batch: BatchInfo,
    /// Tumbling windows: the call that failed.
    pub window: Option<WindowCall>,
    /// The event that was sent, or would have been: JSON. Only some destinations are shown it.
    pub payload: Bytes,
}

/// `responseContext`; the status code is always 200, since the function did answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseContext {
    /// The version that ran, `$LATEST` if none was named.
    pub executed_version: Arc<str>,
    /// How it failed.
    pub answer: FailedAnswer,
}

/// `KinesisBatchInfo` or `DDBStreamBatchInfo`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchInfo {
    /// [`SourceKind::DynamoDb`] or, for everything else, Kinesis.
    pub source: SourceKind,
    /// Name of the shard.
    pub shard: Arc<str>,
    /// ARN of the stream, or of its consumer.
    pub stream_arn: Arc<str>,
    /// First and last record; `None` for a window's final call without records.
    pub records: Option<RecordRange>,
    /// Kafka: what is told instead of all of that.
    pub kafka: Option<KafkaBatch>,
}

/// The ends of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordRange {
    /// Sequence number of the first record.
    pub first: Seq,
    /// Sequence number of the last record.
    pub last: Seq,
    /// When the first record arrived, since the Unix epoch.
    pub first_arrival: Time,
    /// When the last record arrived.
    pub last_arrival: Time,
    /// How many records there are.
    pub count: u32,
}

impl InvocationRecord {
    /// The record as JSON, without a line's end. With `payload` the event is in it, as a text.
    pub fn json(&self, with_payload: bool) -> Vec<u8> {
        let room = if with_payload {
            self.payload.len() * 9 / 8
        } else {
            0
        };
        let mut out = Vec::with_capacity(1_024 + room);
        self.push_head(&mut out, self.condition.name());
        if with_payload {
            // Rule `destination-s3-payload-is-text`: the event is a JSON string inside the record, and comes before the
            // time.
            let payload = String::from_utf8_lossy(&self.payload);
            out.extend_from_slice(b",\"payload\":");
            quoted(&mut out, &payload);
        }
        out.extend_from_slice(b",\"timestamp\":");
        instant(&mut out, self.at, Precision::Millis);
        match &self.batch.kafka {
            Some(kafka) => kafka.encode(&mut out, self.payload.len()),
            None => self.batch.encode(&mut out),
        }
        if let Some(window) = &self.window {
            encode_window(&mut out, window);
        }
        out.push(b'}');
        out
    }

    /// Everything before the time, and before a payload.
    pub(super) fn push_head(&self, out: &mut Vec<u8>, condition: &str) {
        out.extend_from_slice(b"{\"requestContext\":{\"requestId\":");
        quoted(out, &self.request_id);
        out.extend_from_slice(b",\"functionArn\":");
        quoted(out, &self.function_arn);
        out.extend_from_slice(b",\"condition\":");
        quoted(out, condition);
        out.extend_from_slice(b",\"approximateInvokeCount\":");
        push_decimal(out, u64::from(self.invoke_count));
        out.push(b'}');
        match &self.response {
            Some(response) => response.encode(out),
            // Rule `kafka-destination-response-null`: only Kafka's records say that there is none.
            None if self.batch.kafka.is_some() => {
                out.extend_from_slice(b",\"responseContext\":null");
            }
            None => {}
        }
        out.extend_from_slice(b",\"version\":\"1.0\"");
    }

    /// Rule `destination-s3-key`: the name of the object that holds this record.
    pub(super) fn object_key(&self, mapping_uuid: &str) -> String {
        let Calendar {
            year,
            month,
            day,
            hour,
            minute,
            second,
            ..
        } = Calendar::from(self.at);
        let object = super::uuid::of_object(self.at.as_nanos(), &self.request_id);
        let shard = &self.batch.shard;
        format!(
            "aws/lambda/{mapping_uuid}/{shard}/{year:04}/{month:02}/{day:02}/\
             {year:04}-{month:02}-{day:02}T{hour:02}.{minute:02}.{second:02}-{object}"
        )
    }
}

impl ResponseContext {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b",\"responseContext\":{\"statusCode\":200,\"executedVersion\":");
        quoted(out, &self.executed_version);
        out.extend_from_slice(b",\"functionError\":");
        out.extend_from_slice(match self.answer {
            FailedAnswer::Unhandled => b"\"Unhandled\"}",
            // Rule `destination-function-error-null-when-reported`
            FailedAnswer::Reported => b"null}",
        });
    }
}

impl BatchInfo {
    fn encode(&self, out: &mut Vec<u8>) {
        let is_dynamodb = self.source == SourceKind::DynamoDb;
        // Rule `destination-dynamodb-whole-seconds`
        let (key, precision, digits) = if is_dynamodb {
            (
                "DDBStreamBatchInfo",
                Precision::Seconds,
                DYNAMODB_DIGITS_MIN,
            )
        } else {
            ("KinesisBatchInfo", Precision::Millis, 0)
        };
        out.push(b',');
        quoted(out, key);
        out.extend_from_slice(b":{\"shardId\":");
        quoted(out, &self.shard);
        // Rule `destination-empty-window`: without records only the shard and the stream are named.
        if let Some(range) = &self.records {
            out.extend_from_slice(b",\"startSequenceNumber\":");
            quoted(out, &format!("{:0>digits$}", range.first.to_string()));
            out.extend_from_slice(b",\"endSequenceNumber\":");
            quoted(out, &format!("{:0>digits$}", range.last.to_string()));
            out.extend_from_slice(b",\"approximateArrivalOfFirstRecord\":");
            instant(out, range.first_arrival, precision);
            out.extend_from_slice(b",\"approximateArrivalOfLastRecord\":");
            instant(out, range.last_arrival, precision);
            out.extend_from_slice(b",\"batchSize\":");
            push_decimal(out, u64::from(range.count));
        }
        out.extend_from_slice(b",\"streamArn\":");
        quoted(out, &self.stream_arn);
        out.push(b'}');
    }
}

/// Rule `destination-window-info`
fn encode_window(out: &mut Vec<u8>, window: &WindowCall) {
    let flag = |on: bool| if on { &b"true"[..] } else { b"false" };
    out.extend_from_slice(b",\"timeWindowInfo\":{\"window\":{\"start\":");
    instant(out, window.start, Precision::Seconds);
    out.extend_from_slice(b",\"end\":");
    instant(out, window.end, Precision::Seconds);
    out.extend_from_slice(b"},\"isFinalInvokeForWindow\":");
    out.extend_from_slice(flag(window.is_final));
    out.extend_from_slice(b",\"isWindowTerminatedEarly\":");
    out.extend_from_slice(flag(window.is_terminated_early));
    out.push(b'}');
}

pub(super) fn quoted(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    push_text(out, text);
    out.push(b'"');
}

pub(super) fn instant(out: &mut Vec<u8>, time: Time, precision: Precision) {
    out.push(b'"');
    push_instant(out, time, precision);
    out.push(b'"');
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
