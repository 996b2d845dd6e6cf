use super::*;
use crate::engine::{ShardId, Span};

const STREAM: &str = "arn:aws:kinesis:eu-west-1:123456789012:stream/clicks";
const TABLE: &str =
    "arn:aws:dynamodb:eu-west-1:123456789012:table/carts/stream/2026-01-05T10:00:00.125";

fn time(secs: u64, millis: u64) -> Time {
    Time::from_millis(secs * 1_000 + millis)
}

fn seq(text: &str) -> Seq {
    text.parse().expect("digits")
}

/// Three records of a Kinesis stream, the function having thrown three times.
fn exhausted() -> InvocationRecord {
    InvocationRecord {
        request_id: "6f1c2d34-0a1b-4c5d-8e9f-000102030405".to_owned(),
        function_arn: "arn:aws:lambda:eu-west-1:123456789012:function:count".into(),
        condition: Condition::RetryAttemptsExhausted,
        invoke_count: 3,
        response: Some(ResponseContext {
            executed_version: "$LATEST".into(),
            answer: FailedAnswer::Unhandled,
        }),
        at: time(1_767_607_392, 81),
        batch: BatchInfo {
            source: SourceKind::Kinesis,
            shard: "shardId-000000000002".into(),
            stream_arn: STREAM.into(),
            records: Some(RecordRange {
                first: seq("49590338271490256608559692538361571095921575989136588898"),
                last: seq("49590338271490256608559692540925702759324208523137515618"),
                first_arrival: time(1_767_607_380, 5),
                last_arrival: time(1_767_607_381, 999),
                count: 3,
            }),
            kafka: None,
        },
        window: None,
        payload: Bytes::from_static(br#"{"Records":[{"kinesis":{"partitionKey":"a\"b"}}]}"#),
    }
}

fn json(record: &InvocationRecord) -> String {
    let text = String::from_utf8(record.json(false)).expect("UTF-8");
    let parsed: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert!(parsed.is_object());
    text
}

const KINESIS_INFO: &str = concat!(
    r#""KinesisBatchInfo":{"shardId":"shardId-000000000002","#,
    r#""startSequenceNumber":"49590338271490256608559692538361571095921575989136588898","#,
    r#""endSequenceNumber":"49590338271490256608559692540925702759324208523137515618","#,
    r#""approximateArrivalOfFirstRecord":"2026-01-05T10:03:00.005Z","#,
    r#""approximateArrivalOfLastRecord":"2026-01-05T10:03:01.999Z","batchSize":3,"#,
    r#""streamArn":"arn:aws:kinesis:eu-west-1:123456789012:stream/clicks"}"#,
);

#[test]
fn destination_record_shape() {
    let expected = concat!(
        r#"{"requestContext":{"requestId":"6f1c2d34-0a1b-4c5d-8e9f-000102030405","#,
        r#""functionArn":"arn:aws:lambda:eu-west-1:123456789012:function:count","#,
        r#""condition":"RetryAttemptsExhausted","approximateInvokeCount":3},"#,
        r#""responseContext":{"statusCode":200,"executedVersion":"$LATEST","functionError":"Unhandled"},"#,
        r#""version":"1.0","timestamp":"2026-01-05T10:03:12.081Z","#,
    );
    assert_eq!(json(&exhausted()), format!("{expected}{KINESIS_INFO}}}"));
}

#[test]
fn destination_function_error_null_when_reported() {
    let mut record = exhausted();
    record.invoke_count = 4;
    record.response = Some(ResponseContext {
        executed_version: "$LATEST".into(),
        answer: FailedAnswer::Reported,
    });
    let expected = concat!(
        r#"{"requestContext":{"requestId":"6f1c2d34-0a1b-4c5d-8e9f-000102030405","#,
        r#""functionArn":"arn:aws:lambda:eu-west-1:123456789012:function:count","#,
        r#""condition":"RetryAttemptsExhausted","approximateInvokeCount":4},"#,
        r#""responseContext":{"statusCode":200,"executedVersion":"$LATEST","functionError":null},"#,
        r#""version":"1.0","timestamp":"2026-01-05T10:03:12.081Z","#,
    );
    assert_eq!(json(&record), format!("{expected}{KINESIS_INFO}}}"));
}

#[test]
fn destination_no_response_context() {
    let mut record = exhausted();
    record.response = None;
    for (condition, count) in [
        (Condition::RecordAgeExceeded, 1),
        // An event too large to be sent.
        (Condition::RetryAttemptsExhausted, 3),
    ] {
        record.condition = condition;
        record.invoke_count = count;
        let expected = format!(
            concat!(
                r#"{{"requestContext":{{"requestId":"6f1c2d34-0a1b-4c5d-8e9f-000102030405","#,
                r#""functionArn":"arn:aws:lambda:eu-west-1:123456789012:function:count","#,
                r#""condition":"{}","approximateInvokeCount":{}}},"#,
                r#""version":"1.0","timestamp":"2026-01-05T10:03:12.081Z",{}}}"#,
            ),
            condition.name(),
            count,
            KINESIS_INFO
        );
        assert_eq!(json(&record), expected);
    }
}

#[test]
fn an_alias_stays_in_the_arn_and_the_version_that_ran_is_named() {
    let mut record = exhausted();
    record.function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:count:live".into();
    record.response = Some(ResponseContext {
        executed_version: "1".into(),
        answer: FailedAnswer::Unhandled,
    });
    let expected = concat!(
        r#"{"requestContext":{"requestId":"6f1c2d34-0a1b-4c5d-8e9f-000102030405","#,
        r#""functionArn":"arn:aws:lambda:eu-west-1:123456789012:function:count:live","#,
        r#""condition":"RetryAttemptsExhausted","approximateInvokeCount":3},"#,
        r#""responseContext":{"statusCode":200,"executedVersion":"1","functionError":"Unhandled"},"#,
        r#""version":"1.0","timestamp":"2026-01-05T10:03:12.081Z","#,
    );
    assert_eq!(json(&record), format!("{expected}{KINESIS_INFO}}}"));
}

fn of_table() -> InvocationRecord {
    InvocationRecord {
        batch: BatchInfo {
            source: SourceKind::DynamoDb,
            shard: "shardId-00000001767607000123-4f5a6b7c".into(),
            stream_arn: TABLE.into(),
            records: Some(RecordRange {
                first: seq("900000000004567890123"),
                last: seq("4567890124"),
                first_arrival: time(1_767_607_381, 0),
                last_arrival: time(1_767_607_381, 999),
                count: 2,
            }),
            kafka: None,
        },
        ..exhausted()
    }
}

#[test]
fn destination_dynamodb_whole_seconds() {
    let expected = concat!(
        r#"{"requestContext":{"requestId":"6f1c2d34-0a1b-4c5d-8e9f-000102030405","#,
        r#""functionArn":"arn:aws:lambda:eu-west-1:123456789012:function:count","#,
        r#""condition":"RetryAttemptsExhausted","approximateInvokeCount":3},"#,
        r#""responseContext":{"statusCode":200,"executedVersion":"$LATEST","functionError":"Unhandled"},"#,
        r#""version":"1.0","timestamp":"2026-01-05T10:03:12.081Z","#,
        r#""DDBStreamBatchInfo":{"shardId":"shardId-00000001767607000123-4f5a6b7c","#,
        r#""startSequenceNumber":"900000000004567890123","endSequenceNumber":"000000000004567890124","#,
        r#""approximateArrivalOfFirstRecord":"2026-01-05T10:03:01Z","#,
        r#""approximateArrivalOfLastRecord":"2026-01-05T10:03:01Z","batchSize":2,"#,
        r#""streamArn":"arn:aws:dynamodb:eu-west-1:123456789012:table/carts/stream/2026-01-05T10:00:00.125"}}"#,
    );
    assert_eq!(json(&of_table()), expected);
}

#[test]
fn destination_s3_payload_is_text() {
    let expected = concat!(
        r#"{"requestContext":{"requestId":"6f1c2d34-0a1b-4c5d-8e9f-000102030405","#,
        r#""functionArn":"arn:aws:lambda:eu-west-1:123456789012:function:count","#,
        r#""condition":"RetryAttemptsExhausted","approximateInvokeCount":3},"#,
        r#""responseContext":{"statusCode":200,"executedVersion":"$LATEST","functionError":"Unhandled"},"#,
        r#""version":"1.0","#,
        r#""payload":"{\"Records\":[{\"kinesis\":{\"partitionKey\":\"a\\\"b\"}}]}","#,
        r#""timestamp":"2026-01-05T10:03:12.081Z","#,
    );
    let record = exhausted();
    let found = String::from_utf8(record.json(true)).expect("UTF-8");
    assert_eq!(found, format!("{expected}{KINESIS_INFO}}}"));
    // What is in the text is the event, byte for byte.
    let parsed: serde_json::Value = serde_json::from_str(&found).expect("JSON");
    let payload = parsed["payload"].as_str().expect("a text");
    assert_eq!(payload.as_bytes(), &record.payload[..]);
}

/// A final call without records that threw.
fn of_window() -> InvocationRecord {
    let mut record = of_table();
    record.invoke_count = 1;
    record.batch.records = None;
    record.window = Some(WindowCall {
        shard: ShardId(0),
        start: time(1_767_607_370, 0),
        end: time(1_767_607_370, 0) + Span::from_secs(10),
        is_fresh: false,
        is_final: true,
        is_terminated_early: false,
    });
    record
}

const WINDOW_INFO: &str = concat!(
    r#""timeWindowInfo":{"window":{"start":"2026-01-05T10:02:50Z","end":"2026-01-05T10:03:00Z"},"#,
    r#""isFinalInvokeForWindow":true,"isWindowTerminatedEarly":false}"#,
);

#[test]
fn destination_empty_window() {
    let expected = concat!(
        r#"{"requestContext":{"requestId":"6f1c2d34-0a1b-4c5d-8e9f-000102030405","#,
        r#""functionArn":"arn:aws:lambda:eu-west-1:123456789012:function:count","#,
        r#""condition":"RetryAttemptsExhausted","approximateInvokeCount":1},"#,
        r#""responseContext":{"statusCode":200,"executedVersion":"$LATEST","functionError":"Unhandled"},"#,
        r#""version":"1.0","timestamp":"2026-01-05T10:03:12.081Z","#,
        r#""DDBStreamBatchInfo":{"shardId":"shardId-00000001767607000123-4f5a6b7c","#,
        r#""streamArn":"arn:aws:dynamodb:eu-west-1:123456789012:table/carts/stream/2026-01-05T10:00:00.125"},"#,
    );
    assert_eq!(json(&of_window()), format!("{expected}{WINDOW_INFO}}}"));
}

#[test]
fn destination_window_info() {
    let mut record = exhausted();
    record.window = of_window().window;
    let text = json(&record);
    // It comes last, beside a batch that has records as well.
    assert!(text.ends_with(&format!("{KINESIS_INFO},{WINDOW_INFO}}}")));
    if let Some(window) = &mut record.window {
        window.is_final = false;
        window.is_terminated_early = true;
    }
    let flags = r#""isFinalInvokeForWindow":false,"isWindowTerminatedEarly":true}}"#;
    assert!(json(&record).ends_with(flags));
}

#[test]
fn destination_s3_key() {
    let record = exhausted();
    let key = record.object_key("01234567-89ab-8def-8123-456789abcdef");
    let (head, object) = key.split_at(key.len() - 36);
    assert_eq!(
        head,
        "aws/lambda/01234567-89ab-8def-8123-456789abcdef/shardId-000000000002/2026/01/05/2026-01-05T10.03.12-"
    );
    let groups: Vec<usize> = object.split('-').map(str::len).collect();
    assert_eq!(groups, [8, 4, 4, 4, 12]);
    assert!(object.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit()));
    let mut later = record.clone();
    later.at += Span::from_millis(1);
    assert_ne!(later.object_key("m"), record.object_key("m"));
    let mut other = record.clone();
    other.request_id.replace_range(0..1, "7");
    assert_ne!(other.object_key("m"), record.object_key("m"));
}
