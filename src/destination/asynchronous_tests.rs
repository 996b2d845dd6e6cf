use super::*;

const FUNCTION: &str = "arn:aws:lambda:eu-west-1:123456789012:function:mail:$LATEST";
const ID: &str = "6f1c2d34-0a1b-4c5d-8e9f-000102030405";

/// An event whose function threw three times.
fn exhausted() -> AsyncRecord {
    AsyncRecord {
        request_id: ID.to_owned(),
        function_arn: FUNCTION.into(),
        condition: AsyncCondition::RetriesExhausted,
        invoke_count: 3,
        at: Time::from_millis(1_767_607_392_081),
        request_payload: Bytes::from_static(br#"{"to":"a\"b"}"#),
        response: Some(AsyncResponse::Failed {
            executed_version: "$LATEST".into(),
            payload: Bytes::from_static(
                br#"{"errorMessage":"no","errorType":"Exception","requestId":"6f1c2d34-0a1b-4c5d-8e9f-000102030405","stackTrace":[]}"#,
            ),
        }),
    }
}

fn json(record: &AsyncRecord) -> String {
    let text = String::from_utf8(record.json()).expect("UTF-8");
    let parsed: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert!(parsed.is_object());
    text
}

fn start(condition: &str, count: u32) -> String {
    format!(
        concat!(
            r#"{{"version":"1.0","timestamp":"2026-01-05T10:03:12.081Z","requestContext":{{"requestId":"{}","#,
            r#""functionArn":"{}","condition":"{}","approximateInvokeCount":{}}},"requestPayload":{{"to":"a\"b"}}"#,
        ),
        ID, FUNCTION, condition, count
    )
}

#[test]
fn async_record_shape() {
    let failed = concat!(
        r#","responseContext":{"statusCode":200,"executedVersion":"$LATEST","functionError":"Unhandled"},"#,
        r#""responsePayload":{"errorMessage":"no","errorType":"Exception","#,
        r#""requestId":"6f1c2d34-0a1b-4c5d-8e9f-000102030405","stackTrace":[]}}"#,
    );
    let mut record = exhausted();
    assert_eq!(json(&record), start("RetriesExhausted", 3) + failed);
    // Recorded: an event that would be too old keeps the answer of its last try.
    record.condition = AsyncCondition::EventAgeExceeded;
    record.invoke_count = 1;
    assert_eq!(json(&record), start("EventAgeExceeded", 1) + failed);
    // A success has no functionError.
    record.condition = AsyncCondition::Success;
    record.response = Some(AsyncResponse::Returned {
        executed_version: "7".into(),
        payload: Bytes::new(),
    });
    let returned =
        r#","responseContext":{"statusCode":200,"executedVersion":"7"},"responsePayload":null}"#;
    assert_eq!(json(&record), start("Success", 1) + returned);
    // Without an answer there is neither context nor payload.
    record.condition = AsyncCondition::ZeroReservedConcurrency;
    record.invoke_count = 0;
    record.response = None;
    assert_eq!(json(&record), start("ZeroReservedConcurrency", 0) + "}");
}

#[test]
fn async_record_missing_target() {
    let record = AsyncRecord {
        invoke_count: 2,
        response: Some(AsyncResponse::Missing),
        ..exhausted()
    };
    let missing = r#","responseContext":{"statusCode":404}}"#;
    assert_eq!(json(&record), start("RetriesExhausted", 2) + missing);
}

#[test]
fn async_record_names_latest() {
    let bare = FUNCTION.trim_end_matches(":$LATEST");
    assert_eq!(qualified_arn(bare), FUNCTION);
    for named in [FUNCTION.to_owned(), format!("{bare}:live")] {
        assert_eq!(qualified_arn(&named), named);
    }
}

#[test]
fn async_record_eventbridge() {
    let bus = "arn:aws:events:eu-west-1:123456789012:event-bus/results";
    let mut record = exhausted();
    let entry = record.bus_entry(bus);
    assert_eq!(entry.source, "lambda");
    assert_eq!(
        entry.detail_type,
        "Lambda Function Invocation Result - Failure"
    );
    assert_eq!(entry.resources.map(|arn| arn.to_string()), [bus, FUNCTION]);
    assert_eq!(entry.detail, json(&record));
    record.condition = AsyncCondition::Success;
    assert!(record.bus_entry(bus).detail_type.ends_with("- Success"));
}

#[test]
fn async_record_s3_key() {
    let key = exhausted().object_key("mail");
    let begins = "aws/lambda/async/mail/2026/01/05/2026-01-05T10.03.12-";
    let object = key.strip_prefix(begins).expect("the day, and the second");
    assert_eq!(object.len(), 36);
    let later = AsyncRecord {
        at: Time::from_millis(1_767_607_392_082),
        ..exhausted()
    };
    assert_ne!(later.object_key("mail"), key);
}

#[test]
fn a_dead_letter_shows_the_first_kilobyte_of_the_message() {
    let of_function = DeadLetter {
        error_code: 200,
        error_message: None,
    };
    let shown = DeadLetterAttributes::new(of_function, ID, "out of paper");
    assert_eq!(shown.request_id, ID);
    assert_eq!(
        (shown.error_code, &*shown.error_message),
        (200, "out of paper")
    );
    // No character is cut in two.
    let long = format!("a{}", "é".repeat(600));
    let shown = DeadLetterAttributes::new(of_function, ID, &long);
    assert_eq!(shown.error_message, long[..1_023]);
    let of_lambda = DeadLetter {
        error_code: 429,
        error_message: Some("Rate Exceeded."),
    };
    let shown = DeadLetterAttributes::new(of_lambda, ID, "of an earlier try");
    assert_eq!(shown.error_message, "Rate Exceeded.");
}
