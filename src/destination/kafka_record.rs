//! What the invocation record of a batch of Kafka says, and what a topic is told of each of its records.

use super::record::{InvocationRecord, RecordRange, instant, quoted};
use crate::engine::{Condition, Time};
use crate::poll::encode::{Precision, push_decimal};
use bytes::Bytes;
use std::sync::Arc;

/// `KafkaBatchInfo`, and the records themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KafkaBatch {
    /// The cluster of MSK; self-managed ones have no ARN.
    pub cluster_arn: Option<Arc<str>>,
    /// The servers, joined by commas.
    pub bootstrap: Arc<str>,
    /// First and last record of each partition, which is named `topic-number`.
    pub partitions: Vec<(Arc<str>, RecordRange)>,
    /// Every record, in the order of the batch.
    pub records: Vec<GivenUp>,
}

/// One record that is given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenUp {
    /// Its offset.
    pub offset: u64,
    /// Its timestamp.
    pub at: Time,
    /// The record as functions see it: JSON.
    pub json: Bytes,
}

impl KafkaBatch {
    /// Appends `,"KafkaBatchInfo":{…}`.
    ///
    /// Rule `kafka-destination-record-shape`.
    pub(super) fn encode(&self, out: &mut Vec<u8>, payload_size: usize) {
        out.extend_from_slice(b",\"KafkaBatchInfo\":{\"batchSize\":");
        push_decimal(out, self.records.len() as u64);
        if let Some(arn) = &self.cluster_arn {
            out.extend_from_slice(b",\"eventSourceArn\":");
            quoted(out, arn);
        }
        out.extend_from_slice(b",\"bootstrapServers\":");
        quoted(out, &self.bootstrap);
        out.extend_from_slice(b",\"payloadSize\":");
        push_decimal(out, payload_size as u64);
        out.extend_from_slice(b",\"recordsInfo\":{");
        for (index, (name, range)) in self.partitions.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            quoted(out, name);
            out.extend_from_slice(b":{\"firstRecordOffset\":");
            quoted(out, &range.first.to_string());
            out.extend_from_slice(b",\"lastRecordOffset\":");
            quoted(out, &range.last.to_string());
            out.extend_from_slice(b",\"firstRecordTimestamp\":");
            instant(out, range.first_arrival, Precision::Millis);
            out.extend_from_slice(b",\"lastRecordTimestamp\":");
            instant(out, range.last_arrival, Precision::Millis);
            out.push(b'}');
        }
        out.extend_from_slice(b"}}");
    }
}

impl InvocationRecord {
    /// What a topic is told of one record: the head of the invocation record, and the record itself.
    ///
    /// Rule `kafka-topic-message-shape`.
    pub(super) fn topic_message(&self, one: &GivenUp) -> Vec<u8> {
        let mut out = Vec::with_capacity(1_024 + one.json.len() * 9 / 8);
        // Rule `kafka-topic-condition-name`: the only place where AWS shows this name.
        let condition = match self.condition {
            Condition::RetryAttemptsExhausted => "RetriesExhausted",
            other => other.name(),
        };
        self.push_head(&mut out, condition);
        out.extend_from_slice(b",\"timestamp\":");
        instant(&mut out, self.at, Precision::Millis);
        out.extend_from_slice(b",\"recordInfo\":{\"offset\":");
        quoted(&mut out, &one.offset.to_string());
        out.extend_from_slice(b",\"timestamp\":");
        instant(&mut out, one.at, Precision::Millis);
        out.extend_from_slice(b"},\"payload\":");
        quoted(&mut out, &String::from_utf8_lossy(&one.json));
        out.push(b'}');
        out
    }
}

impl GivenUp {
    /// The record's key.
    pub(super) fn key(&self) -> Option<Vec<u8>> {
        use base64::Engine as _;
        let record: serde_json::Value = serde_json::from_slice(&self.json).ok()?;
        let text = record.get("key")?.as_str()?;
        base64::engine::general_purpose::STANDARD.decode(text).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::{BatchInfo, ResponseContext};
    use super::*;
    use crate::engine::{FailedAnswer, Seq, SourceKind};

    fn range(first: u64, last: u64) -> RecordRange {
        RecordRange {
            first: Seq::from(first),
            last: Seq::from(last),
            first_arrival: Time::from_millis(1_767_607_380_005),
            last_arrival: Time::from_millis(1_767_607_381_999),
            count: 2,
        }
    }

    fn record(cluster_arn: Option<&str>) -> InvocationRecord {
        let one = |offset: u64, json: &'static [u8]| GivenUp {
            offset,
            at: Time::from_millis(1_767_607_380_005),
            json: Bytes::from_static(json),
        };
        let kafka = KafkaBatch {
            cluster_arn: cluster_arn.map(Arc::from),
            bootstrap: "b1:9092,b2:9092".into(),
            partitions: vec![
                ("orders-0".into(), range(4, 5)),
                ("orders-1".into(), range(7, 7)),
            ],
            records: vec![
                one(4, br#"{"topic":"orders","key":"a2V5","value":"eA=="}"#),
                one(5, br#"{"topic":"orders","value":"eQ=="}"#),
                one(7, br#"{"topic":"orders","key":"a2V5"}"#),
            ],
        };
        InvocationRecord {
            request_id: "6f1c2d34-0a1b-4c5d-8e9f-000102030405".to_owned(),
            function_arn: "arn:aws:lambda:eu-west-1:123456789012:function:count".into(),
            condition: Condition::RetryAttemptsExhausted,
            invoke_count: 3,
            response: Some(ResponseContext {
                executed_version: "$LATEST".into(),
                answer: FailedAnswer::Unhandled,
            }),
            at: Time::from_millis(1_767_607_392_081),
            batch: BatchInfo {
                source: SourceKind::Msk,
                shard: "orders-0".into(),
                stream_arn: "".into(),
                records: None,
                kafka: Some(kafka),
            },
            window: None,
            payload: Bytes::from_static(b"{\"records\":{}}"),
        }
    }

    fn text(bytes: Vec<u8>) -> String {
        let text = String::from_utf8(bytes).expect("UTF-8");
        serde_json::from_str::<serde_json::Value>(&text).expect("JSON");
        text
    }

    const HEAD: &str = concat!(
        r#"{"requestContext":{"requestId":"6f1c2d34-0a1b-4c5d-8e9f-000102030405","#,
        r#""functionArn":"arn:aws:lambda:eu-west-1:123456789012:function:count","#,
    );
    const RESPONSE: &str = concat!(
        r#""responseContext":{"statusCode":200,"executedVersion":"$LATEST","functionError":"Unhandled"},"#,
        r#""version":"1.0","#,
    );
    const INFO: &str = concat!(
        r#""bootstrapServers":"b1:9092,b2:9092","payloadSize":14,"recordsInfo":{"#,
        r#""orders-0":{"firstRecordOffset":"4","lastRecordOffset":"5","#,
        r#""firstRecordTimestamp":"2026-01-05T10:03:00.005Z","lastRecordTimestamp":"2026-01-05T10:03:01.999Z"},"#,
        r#""orders-1":{"firstRecordOffset":"7","lastRecordOffset":"7","#,
        r#""firstRecordTimestamp":"2026-01-05T10:03:00.005Z","lastRecordTimestamp":"2026-01-05T10:03:01.999Z"}}}}"#,
    );

    #[test]
    fn kafka_destination_record_shape() {
        let arn = "arn:aws:kafka:eu-west-1:123456789012:cluster/orders/1";
        let condition = r#""condition":"RetryAttemptsExhausted","approximateInvokeCount":3},"#;
        let expected = format!(
            "{HEAD}{condition}{RESPONSE}\"timestamp\":\"2026-01-05T10:03:12.081Z\",\
             \"KafkaBatchInfo\":{{\"batchSize\":3,\"eventSourceArn\":\"{arn}\",{INFO}"
        );
        assert_eq!(text(record(Some(arn)).json(false)), expected);
        let with_payload = text(record(None).json(true));
        let payload = r#""version":"1.0","payload":"{\"records\":{}}","timestamp""#;
        assert!(with_payload.contains(payload), "{with_payload}");
        assert!(with_payload.contains(r#"{"batchSize":3,"bootstrapServers""#));
    }

    #[test]
    fn kafka_destination_response_null() {
        let mut record = record(None);
        record.condition = Condition::MaximumPayloadSizeExceeded;
        record.response = None;
        let json = text(record.json(false));
        assert!(
            json.contains(r#""responseContext":null,"version""#),
            "{json}"
        );
    }

    #[test]
    fn kafka_topic_message_shape() {
        let record = record(None);
        let kafka = record.batch.kafka.as_ref().expect("a batch");
        let expected = format!(
            "{HEAD}{}{RESPONSE}{}",
            r#""condition":"RetriesExhausted","approximateInvokeCount":3},"#,
            concat!(
                r#""timestamp":"2026-01-05T10:03:12.081Z","#,
                r#""recordInfo":{"offset":"4","timestamp":"2026-01-05T10:03:00.005Z"},"#,
                r#""payload":"{\"topic\":\"orders\",\"key\":\"a2V5\",\"value\":\"eA==\"}"}"#,
            )
        );
        assert_eq!(text(record.topic_message(&kafka.records[0])), expected);
        let keys: Vec<_> = kafka.records.iter().map(GivenUp::key).collect();
        assert_eq!(keys, [Some(b"key".to_vec()), None, Some(b"key".to_vec())]);
    }

    #[test]
    fn kafka_topic_condition_name() {
        let mut record = record(None);
        let kafka = record.batch.kafka.clone().expect("a batch");
        for (condition, name) in [
            (Condition::RetryAttemptsExhausted, "RetriesExhausted"),
            (Condition::RecordAgeExceeded, "RecordAgeExceeded"),
        ] {
            record.condition = condition;
            let message = text(record.topic_message(&kafka.records[1]));
            assert!(
                message.contains(&format!("\"condition\":\"{name}\"")),
                "{message}"
            );
        }
    }
}
