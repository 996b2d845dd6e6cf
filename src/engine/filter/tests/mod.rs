//! One test per rule, named after it, and a comparison with a plain implementation over random patterns.

mod mismatch;
mod operators;
mod property;
mod recorded;
mod records;
mod reference;
mod refused;

use super::*;
use SourceKind::{DocumentDb, DynamoDb, Kinesis, Msk, RabbitMq, Sqs};

const SQS_RECORD: &str = r#"{"messageId":"059f36b4","receiptHandle":"AQEB","attributes":{"SenderId":"A"},
    "messageAttributes":{"A":{"stringValue":"6","dataType":"Number"}},"eventSource":"aws:sqs"}"#;

fn compiled(source: SourceKind, patterns: &[&str]) -> Filters {
    Filters::compile(source, patterns).unwrap_or_else(|errors| panic!("{}", errors[0]))
}

/// What `pattern` says of the data of a Kinesis record, `{"data": …}` left out.
fn verdict(pattern: &str, data: &str) -> Verdict {
    let filters = compiled(Kinesis, &[&format!(r#"{{"data": {pattern}}}"#)]);
    let metadata = b"{}";
    filters.matches(&View {
        metadata,
        data: Some(data.as_bytes()),
    })
}

fn takes(pattern: &str, data: &str) -> bool {
    verdict(pattern, data).is_match()
}

/// Whether `pattern` takes a record that is all metadata.
fn takes_metadata(source: SourceKind, pattern: &str, metadata: &str) -> bool {
    let view = View {
        metadata: metadata.as_bytes(),
        data: None,
    };
    compiled(source, &[pattern]).matches(&view).is_match()
}

fn errors(source: SourceKind, pattern: &str) -> Vec<PatternError> {
    Filters::compile(source, &[pattern])
        .err()
        .unwrap_or_default()
}

/// The codes of the mistakes in `pattern` with the text that each points at.
fn faults(source: SourceKind, pattern: &str) -> Vec<(&'static str, String)> {
    let point = |error: PatternError| (error.code, pattern[error.span].to_owned());
    errors(source, pattern).into_iter().map(point).collect()
}

#[track_caller]
fn refused_at(pattern: &str, code: &'static str, at: &str) {
    assert_eq!(faults(Sqs, pattern), [(code, at.to_owned())], "{pattern}");
}

/// Nothing that could own memory is named where records are matched.
#[test]
fn matching_allocates_nothing() {
    const OWNERS: [&str; 10] = [
        "Vec",
        "vec!",
        "String",
        "Box",
        "Rc",
        "format!",
        "collect",
        "to_owned",
        "to_string",
        "to_vec",
    ];
    let files = [
        ("bits", include_str!("../bits.rs")),
        ("lexis", include_str!("../lexis.rs")),
        ("scan", include_str!("../scan.rs")),
        ("text", include_str!("../text.rs")),
        ("verdict", include_str!("../verdict.rs")),
        ("walk", include_str!("../walk.rs")),
    ];
    for (name, text) in files {
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for line in code
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
        {
            for owner in OWNERS {
                assert!(!line.contains(owner), "{name}.rs: {line}");
            }
        }
    }
}
