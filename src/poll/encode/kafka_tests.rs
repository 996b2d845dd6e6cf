use super::*;
use crate::engine::{Meta, Seq, Time};
use proptest::prelude::*;

type Headers<'a> = Vec<(&'a str, Option<&'a [u8]>)>;

const ARN: &str = "arn:aws:kafka:us-east-1:123456789012:cluster/vpc-2priv-2pub/751d2973-a626-431c-9d4e-d7975eb44dd7-2";

fn record<'a>(
    partition: u32,
    offset: u64,
    key: Option<&'a [u8]>,
    value: Option<&'a [u8]>,
    headers: &Headers<'a>,
) -> KafkaRecord<'a, <Headers<'a> as IntoIterator>::IntoIter> {
    KafkaRecord {
        partition,
        offset,
        timestamp_ms: 1_545_084_650_987,
        timestamp_type: TimestampType::CreateTime,
        key,
        value,
        headers: headers.clone().into_iter(),
    }
}

/// What the poller has of a record once it is encoded.
fn encoded(
    shape: &KafkaShape,
    partition: u32,
    offset: u64,
    value: Option<&[u8]>,
) -> Record<Payload> {
    let mut json = Vec::new();
    shape.encode(
        &mut json,
        record(partition, offset, Some(b"k"), value, &Vec::new()),
    );
    Record {
        meta: Meta {
            seq: Seq::from(offset),
            group: u64::from(partition),
            arrival: Time::ZERO,
            wire_len: u32::try_from(json.len()).expect("short"),
        },
        payload: Payload {
            json: json.into(),
            receipt: String::new(),
        },
    }
}

#[test]
fn kafka_event_shape() {
    let shape = KafkaShape::new(Some(ARN), "b-1:9094,b-2:9094", "mytopic");
    let headers: Headers<'_> = vec![("headerKey", Some(b"headerValue"))];
    let mut json = Vec::new();
    shape.encode(
        &mut json,
        record(0, 15, Some(b"recordKey"), Some(b"Hello"), &headers),
    );
    let meta = |group, offset: u64, len: usize| Meta {
        seq: Seq::from(offset),
        group,
        arrival: Time::ZERO,
        wire_len: u32::try_from(len).expect("short"),
    };
    let first = Record {
        meta: meta(0, 15, json.len()),
        payload: Payload {
            json: json.into(),
            receipt: String::new(),
        },
    };
    let event = shape.event(&[
        first,
        encoded(&shape, 0, 16, Some(b"")),
        encoded(&shape, 11, 3, Some(b"x")),
    ]);
    let expected = format!(
        concat!(
            r#"{{"eventSource":"aws:kafka","eventSourceArn":"{}","#,
            r#""bootstrapServers":"b-1:9094,b-2:9094","records":{{"mytopic-0":["#,
            r#"{{"topic":"mytopic","partition":0,"offset":15,"timestamp":1545084650987,"#,
            r#""timestampType":"CREATE_TIME","key":"cmVjb3JkS2V5","value":"SGVsbG8=","#,
            r#""headers":[{{"headerKey":[104,101,97,100,101,114,86,97,108,117,101]}}]}},"#,
            r#"{{"topic":"mytopic","partition":0,"offset":16,"timestamp":1545084650987,"#,
            r#""timestampType":"CREATE_TIME","key":"aw==","value":"","headers":[]}}],"#,
            r#""mytopic-11":[{{"topic":"mytopic","partition":11,"offset":3,"timestamp":1545084650987,"#,
            r#""timestampType":"CREATE_TIME","key":"aw==","value":"eA==","headers":[]}}]}}}}"#,
        ),
        ARN
    );
    assert_eq!(std::str::from_utf8(&event), Ok(expected.as_str()));
}

#[test]
fn a_self_managed_cluster_has_no_arn() {
    let shape = KafkaShape::new(None, "localhost:9092", "orders");
    let event = shape.event(&[encoded(&shape, 2, 0, Some(b"x"))]);
    let event: serde_json::Value = serde_json::from_slice(&event).expect("JSON");
    assert_eq!(event["eventSource"], "SelfManagedKafka");
    assert_eq!(event.get("eventSourceArn"), None);
    assert_eq!(event["bootstrapServers"], "localhost:9092");
    assert_eq!(event["records"]["orders-2"][0]["offset"], 0);
    // The engine is told lengths before there is a batch.
    let bare = shape.event(&[]);
    assert_eq!(bare.len(), shape.envelope_len() as usize);
}

/// A record with this key and value, as the function gets it.
fn shown(key: Option<&[u8]>, value: Option<&[u8]>) -> serde_json::Value {
    let shape = KafkaShape::new(None, "localhost:9092", "orders");
    let mut out = Vec::new();
    shape.encode(&mut out, record(0, 0, key, value, &Vec::new()));
    serde_json::from_slice(&out).expect("JSON")
}

#[test]
fn kafka_null_key() {
    assert_eq!(shown(None, Some(b"v")).get("key"), None);
    assert_eq!(shown(Some(b""), Some(b"v"))["key"], "");
}

#[test]
fn kafka_tombstone() {
    let tombstone = shown(Some(b"k"), None);
    assert_eq!(tombstone.get("value"), None);
    assert_eq!(tombstone["key"], "aw==");
    assert_eq!(tombstone["headers"], serde_json::json!([]));
    assert_eq!(shown(Some(b"k"), Some(b""))["value"], "");
}

#[test]
fn kafka_headers() {
    let shape = KafkaShape::new(None, "localhost:9092", "orders");
    let headers: Headers<'_> = vec![
        ("same", Some(&[0, 1, 127, 128, 255])),
        ("same", Some(b"")),
        ("null", None),
    ];
    let mut out = Vec::new();
    let mut stamped = record(0, 0, None, Some(b"v"), &headers);
    stamped.timestamp_type = TimestampType::LogAppendTime;
    shape.encode(&mut out, stamped);
    let parsed: serde_json::Value = serde_json::from_slice(&out).expect("JSON");
    let expected =
        serde_json::json!([{"same": [0, 1, 127, -128, -1]}, {"same": []}, {"null": null}]);
    assert_eq!(parsed["headers"], expected);
    assert_eq!(parsed["timestampType"], "LOG_APPEND_TIME");
}

proptest! {
    #[test]
    fn lengths_are_predicted(
        partition in any::<u32>(), offset in any::<u64>(), timestamp_ms in any::<u64>(),
        key in any::<Option<Vec<u8>>>(), value in any::<Option<Vec<u8>>>(),
        headers in prop::collection::vec((any::<String>(), any::<Option<Vec<u8>>>()), 0..4),
        topic in "[a-z\"]{1,9}",
    ) {
        let shape = KafkaShape::new(None, "b:1", &topic);
        let headers: Headers<'_> =
            headers.iter().map(|(name, value)| (name.as_str(), value.as_deref())).collect();
        let one = || KafkaRecord {
            timestamp_ms,
            ..record(partition, offset, key.as_deref(), value.as_deref(), &headers)
        };
        let mut out = Vec::new();
        shape.encode(&mut out, one());
        prop_assert_eq!(out.len() as u64, shape.encoded_len(one()));
        let parsed: serde_json::Value = serde_json::from_slice(&out).expect("JSON");
        prop_assert_eq!(parsed["topic"].as_str(), Some(topic.as_str()));
        prop_assert_eq!(parsed["offset"].as_u64(), Some(offset));
    }

    #[test]
    fn a_partition_takes_no_more_than_is_said(runs in prop::collection::vec((any::<u32>(), 1_usize..4), 1..5)) {
        let shape = KafkaShape::new(Some(ARN), "b:1", "orders");
        let mut runs = runs;
        runs.dedup_by_key(|run| run.0);
        let mut records = Vec::new();
        for &(partition, count) in &runs {
            records.extend((0..count).map(|offset| encoded(&shape, partition, offset as u64, Some(b"v"))));
        }
        let event = shape.event(&records);
        let of_records: usize = records.iter().map(|it| it.meta.wire_len as usize + 1).sum();
        let bound = shape.envelope_len() as usize + of_records + runs.len() * shape.partition_len_max() as usize;
        prop_assert!(event.len() <= bound);
        prop_assert!(serde_json::from_slice::<serde_json::Value>(&event).is_ok());
    }
}
