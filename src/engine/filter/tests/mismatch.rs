//! The table of formats: what the pattern expects of the data, and what the record has.

use super::*;
use Verdict::{Match, NoMatch, OtherFormat};

const KEYS: [(SourceKind, &str); 7] = [
    (Kinesis, "data"),
    (Sqs, "body"),
    (SourceKind::SqsFifo, "body"),
    (Msk, "value"),
    (SourceKind::SelfManagedKafka, "value"),
    (SourceKind::ActiveMq, "data"),
    (RabbitMq, "data"),
];

const BINARY: &[u8] = &[0xff, 0xfe, b'{', b'}'];

fn judge(source: SourceKind, pattern: &str, data: Option<&[u8]>) -> Verdict {
    let metadata = br#"{"topic":"t"}"#;
    compiled(source, &[pattern]).matches(&View { metadata, data })
}

#[test]
fn filter_data_key() {
    for (source, key) in KEYS {
        let pattern = format!(r#"{{"{key}":{{"a":[1]}}}}"#);
        assert_eq!(
            judge(source, &pattern, Some(br#"{"a":1}"#)),
            Match,
            "{source}"
        );
        assert_eq!(
            judge(source, &pattern, Some(br#"{"a":2}"#)),
            NoMatch,
            "{source}"
        );
        // Below another key, and under the key of another source, it is an ordinary key of the metadata.
        let other = if key == "data" { "body" } else { "data" };
        let pattern = format!(r#"{{"{other}":{{"a":[1]}}}}"#);
        assert_eq!(
            judge(source, &pattern, Some(br#"{"a":1}"#)),
            NoMatch,
            "{source}"
        );
    }
    let record = r#"{"eventName":"INSERT","dynamodb":{"Keys":{"Id":{"N":"101"}}}}"#;
    assert!(takes_metadata(
        DynamoDb,
        r#"{"dynamodb":{"Keys":{"Id":{"N":["101"]}}}}"#,
        record
    ));
    // An absence below a key named like the data of the same source is not confused with the data.
    let filters = compiled(Sqs, &[r#"{"a":{"body":[1]}}"#]);
    let view = View {
        metadata: br#"{"a":{"body":1}}"#,
        data: Some(b"x"),
    };
    assert_eq!(filters.matches(&view), Match);
}

#[test]
fn filter_any_metadata() {
    for (source, _) in KEYS {
        for data in [None, Some(&b"plain"[..]), Some(br#"{"a":1}"#), Some(BINARY)] {
            assert_eq!(judge(source, r#"{"topic":["t"]}"#, data), Match, "{source}");
            assert_eq!(
                judge(source, r#"{"topic":["u"]}"#, data),
                NoMatch,
                "{source}"
            );
        }
    }
    let attribute = r#"{"messageAttributes":{"A":{"stringValue":["6"]}}}"#;
    assert!(takes_metadata(Sqs, attribute, SQS_RECORD));
    assert!(!takes_metadata(
        Sqs,
        r#"{"attributes":{"SenderId":["B"]}}"#,
        SQS_RECORD
    ));
}

#[test]
fn filter_kinesis_metadata() {
    let record = r#"{"eventName":"e","kinesis":{"partitionKey":"p","sequenceNumber":"4959"}}"#;
    for (pattern, expected) in [
        (r#"{"partitionKey":["p"]}"#, true),
        (r#"{"kinesis":{"partitionKey":["p"]}}"#, true),
        (
            r#"{"partitionKey":["p"],"kinesis":{"sequenceNumber":["4959"]},"eventName":["e"]}"#,
            true,
        ),
        (
            r#"{"$or":[{"partitionKey":["q"]},{"sequenceNumber":[{"prefix":"49"}]}]}"#,
            true,
        ),
        (r#"{"partitionKey":["q"]}"#, false),
        (r#"{"eventName":{"partitionKey":["p"]}}"#, false),
    ] {
        assert_eq!(
            takes_metadata(Kinesis, pattern, record),
            expected,
            "{pattern}"
        );
    }
}

#[test]
fn filter_mismatch_stream() {
    let pattern = r#"{"topic":["t"],"data":{"a":[1]}}"#;
    assert_eq!(judge(Kinesis, pattern, Some(br#"{"a":1}"#)), Match);
    assert_eq!(judge(Kinesis, pattern, Some(b"plain")), OtherFormat);
    assert_eq!(judge(Kinesis, pattern, Some(BINARY)), OtherFormat);
    assert_eq!(judge(Kinesis, pattern, Some(b"")), OtherFormat);
    assert_eq!(judge(Kinesis, pattern, None), OtherFormat);
    // The other row of the table, a list for the data, is refused: `filter-data-plain`.
    assert!(!errors(Kinesis, r#"{"data":["plain"]}"#).is_empty());
}

#[test]
fn filter_mismatch_sqs() {
    let json = r#"{"topic":["t"],"body":{"a":[1]}}"#;
    assert_eq!(judge(Sqs, json, Some(br#"{"a":1}"#)), Match);
    assert_eq!(judge(Sqs, json, Some(b"plain")), OtherFormat);
    assert_eq!(judge(Sqs, json, Some(BINARY)), OtherFormat);
    let plain = r#"{"topic":["t"],"body":["plain",{"prefix":"pre"}]}"#;
    assert_eq!(judge(Sqs, plain, Some(b"plain")), Match);
    assert_eq!(judge(Sqs, plain, Some(b"prefixed")), Match);
    assert_eq!(judge(Sqs, plain, Some(b"other")), NoMatch);
    assert_eq!(judge(Sqs, plain, Some(br#"{"a":1}"#)), OtherFormat);
    assert_eq!(judge(Sqs, plain, Some(br#"["plain"]"#)), OtherFormat);
    assert_eq!(judge(Sqs, plain, Some(BINARY)), OtherFormat);
    assert_eq!(
        judge(Sqs, r#"{"topic":["u"],"body":["plain"]}"#, Some(b"plain")),
        NoMatch
    );
}

#[test]
fn filter_mismatch_broker() {
    for (source, key) in &KEYS[3..] {
        let json = |topic: &str| format!(r#"{{"topic":["{topic}"],"{key}":{{"a":[1]}}}}"#);
        assert_eq!(judge(*source, &json("t"), Some(br#"{"a":1}"#)), Match);
        assert_eq!(judge(*source, &json("t"), Some(br#"{"a":2}"#)), NoMatch);
        let plain = |topic: &str| {
            format!(r#"{{"topic":["{topic}"],"{key}":[{{"anything-but":["error"]}}]}}"#)
        };
        assert_eq!(judge(*source, &plain("t"), Some(b"fine")), Match);
        assert_eq!(judge(*source, &plain("t"), Some(b"error")), NoMatch);
        assert_eq!(judge(*source, &plain("u"), Some(b"fine")), NoMatch);
        for (pattern, data) in [
            (&json as &dyn Fn(&str) -> String, Some(&b"plain"[..])),
            (&json, Some(BINARY)),
            (&json, None),
            (&plain, Some(br#"{"a":1}"#)),
            (&plain, Some(BINARY)),
        ] {
            assert_eq!(
                judge(*source, &pattern("t"), data),
                Match,
                "{source} {data:?}"
            );
            assert_eq!(
                judge(*source, &pattern("u"), data),
                NoMatch,
                "{source} {data:?}"
            );
        }
        // With nothing but a data part, nothing is left to decide by.
        let only = format!(r#"{{"{key}":{{"a":[1]}}}}"#);
        assert_eq!(judge(*source, &only, Some(b"plain")), Match);
    }
}

#[test]
fn filter_plain_text() {
    for (body, pattern, expected) in [
        ("12345", r#"{"body":["12345"]}"#, Match),
        ("12345", r#"{"body":[12345]}"#, NoMatch),
        ("\"x\"", r#"{"body":["\"x\""]}"#, Match),
        ("null", r#"{"body":["null"]}"#, Match),
        ("null", r#"{"body":[null]}"#, NoMatch),
        ("a\\n\u{e9}", r#"{"body":["a\\né"]}"#, Match),
        (" plain", r#"{"body":["plain"]}"#, NoMatch),
        ("{not json", r#"{"body":[{"prefix":"{not"}]}"#, Match),
        ("", r#"{"body":[""]}"#, Match),
        ("x", r#"{"body":[{"exists":true}]}"#, Match),
        ("x", r#"{"body":[{"exists":false}]}"#, NoMatch),
        (" [1] ", r#"{"body":[" [1] "]}"#, OtherFormat),
    ] {
        assert_eq!(
            judge(Sqs, pattern, Some(body.as_bytes())),
            expected,
            "{pattern} on {body}"
        );
    }
    // A record without data has nothing to compare, but its absence can be asked for.
    assert_eq!(judge(Msk, r#"{"value":["x"]}"#, None), NoMatch);
    assert_eq!(judge(Msk, r#"{"value":[{"exists":false}]}"#, None), Match);
}
