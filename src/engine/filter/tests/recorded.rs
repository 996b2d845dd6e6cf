//! Cases whose outcome was seen in the service.

use super::*;

fn sqs(pattern: &str, body: &str) -> bool {
    let view = View {
        metadata: SQS_RECORD.as_bytes(),
        data: Some(body.as_bytes()),
    };
    compiled(Sqs, &[pattern]).matches(&view).is_match()
}

#[test]
fn sqs_bodies() {
    // A body of plain text never matches a pattern for JSON, and broken JSON is such a body.
    assert!(!sqs(r#"{"body":{"a":["x"]}}"#, "a plain text"));
    assert!(!sqs(r#"{"body":{"a":["x"]}}"#, r#"{"a":"x""#));
    assert!(sqs(r#"{"body":{"a":["x"]}}"#, r#"{"a":"x"}"#));
    // Numbers of a JSON body are compared as numbers.
    assert!(sqs(
        r#"{"body":{"n":[{"numeric":["<",100]}]}}"#,
        r#"{"n":50}"#
    ));
    assert!(!sqs(
        r#"{"body":{"n":[{"numeric":[">",0,"<=",10]}]}}"#,
        r#"{"n":50}"#
    ));
    assert!(sqs(r#"{"body":{"a":[1],"b":[2]}}"#, r#"{"a":1,"b":2}"#));
    assert!(!sqs(r#"{"body":{"a":[1],"b":[2]}}"#, r#"{"a":1,"b":3}"#));
    assert!(sqs(r#"{"body":{"a":[{"exists":true}]}}"#, r#"{"a":1}"#));
    assert!(sqs(
        r#"{"body":{"a":[{"prefix":"us-"}]}}"#,
        r#"{"a":"us-1"}"#
    ));
    assert!(sqs(r#"{"body":{"a":[1,2]}}"#, r#"{"a":2}"#));
}

#[test]
fn refusals() {
    for pattern in [
        "simple text",
        "null",
        r#"{"eventSource":"aws:sqs"}"#,
        r#"{"eventSource":[]}"#,
        "{",
        "[]",
    ] {
        let found = &errors(Sqs, pattern)[0];
        assert_eq!(
            found.message, "Invalid filter pattern definition.",
            "{pattern}"
        );
    }
}

fn dynamodb(pattern: &str, image: &str) -> bool {
    let record = format!(
        r#"{{"eventID":"1f","eventName":"INSERT","eventVersion":"1.1","eventSource":"aws:dynamodb",
        "awsRegion":"us-east-1","dynamodb":{{"ApproximateCreationDateTime":1.789651658E9,"Keys":{{"id":{{"S":"i"}}}},
        "NewImage":{image},"SequenceNumber":"111","SizeBytes":26,"StreamViewType":"NEW_AND_OLD_IMAGES"}},
        "eventSourceARN":"arn:aws:dynamodb:us-east-1:1:table/t/stream/s"}}"#
    );
    takes_metadata(DynamoDb, pattern, &record)
}

#[test]
fn dynamodb_images() {
    // Numbers are strings under a type key: equality works, comparison never does.
    let image = r#"{"id":{"S":"i"},"n":{"N":"101"}}"#;
    assert!(dynamodb(
        r#"{"dynamodb":{"NewImage":{"n":{"N":["101"]}}}}"#,
        image
    ));
    assert!(!dynamodb(
        r#"{"dynamodb":{"NewImage":{"n":{"N":[101]}}}}"#,
        image
    ));
    assert!(!dynamodb(
        r#"{"dynamodb":{"NewImage":{"n":{"N":[{"numeric":[">",100]}]}}}}"#,
        image
    ));
    // Existence needs the type key; asked of the attribute itself, an object counts as absent.
    let with = r#"{"id":{"S":"i"},"key":{"S":"v"}}"#;
    let without = r#"{"id":{"S":"i"}}"#;
    let typed = r#"{"dynamodb":{"NewImage":{"key":{"S":[{"exists":true}]}}}}"#;
    assert!(dynamodb(typed, with));
    assert!(!dynamodb(typed, without));
    let untyped = r#"{"dynamodb":{"NewImage":{"key":[{"exists":true}]}}}"#;
    assert!(!dynamodb(untyped, with));
    let absent = r#"{"dynamodb":{"NewImage":{"key":[{"exists":false}]}}}"#;
    assert!(dynamodb(absent, without));
    assert!(dynamodb(absent, with));
    // Attributes of list type.
    let image = r#"{"tags":{"L":[{"S":"red"},{"S":"blue"},{"N":"3"}]}}"#;
    assert!(dynamodb(
        r#"{"dynamodb":{"NewImage":{"tags":{"L":{"S":["blue"]}}}}}"#,
        image
    ));
    assert!(!dynamodb(
        r#"{"dynamodb":{"NewImage":{"tags":{"L":{"S":["3"]}}}}}"#,
        image
    ));
    // The date is a number before filters see it; metadata and several keys.
    let date = r#"{"dynamodb":{"ApproximateCreationDateTime":[{"numeric":[">",0]}]}}"#;
    assert!(dynamodb(date, without));
    assert!(dynamodb(
        r#"{"eventName":["INSERT","MODIFY"],"eventSource":["aws:dynamodb"]}"#,
        without
    ));
    assert!(!dynamodb(r#"{"eventName":["REMOVE"]}"#, without));
}

#[test]
fn kinesis_data() {
    assert!(takes(
        r#"{"event_type":["function_1"]}"#,
        r#"{"event_type":"function_1","x":[1]}"#
    ));
    assert!(!takes(
        r#"{"event_type":["function_1"]}"#,
        r#"{"event_type":"function_2"}"#
    ));
}
