//! One test per rule, named after it, and a comparison with a plain implementation over random patterns.

mod mismatch;
mod operators;
mod property;
mod recorded;
mod records;
mod reference;
mod refused;

use super::*;
use crate::engine::config::Evidence;
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

fn read_file(path: &str) -> String {
    std::fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).expect(path)
}

#[test]
fn every_rule_has_a_row_a_place_and_a_test() {
    let rows = read_file("docs/semantics-filter.md");
    for rule in RULES {
        let start = format!("| `{}` | {} | ", rule.id, rule.text);
        let row = rows
            .lines()
            .find(|line| line.starts_with(&start))
            .unwrap_or_else(|| panic!("no row begins with {start}"));
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let [_, _, _, evidence, code, test] = cells[..] else {
            panic!("{} has {} cells", rule.id, cells.len());
        };
        let expected = match rule.evidence {
            Evidence::Recorded => "recorded",
            Evidence::Documented => "documented",
            Evidence::Guessed => "guessed",
        };
        assert_eq!(evidence, expected, "{}", rule.id);
        let place = read_file(code.trim_matches('`'));
        assert!(
            place.contains(&format!("`{}`", rule.id)),
            "{code} does not name {}",
            rule.id
        );
        let (module, name) = test.trim_matches('`').rsplit_once("::").expect("a path");
        assert_eq!(name, rule.id.replace('-', "_"));
        let file = module.rsplit("::").next().expect("a module");
        let tests = read_file(&format!("src/engine/filter/tests/{file}.rs"));
        assert!(
            tests.contains(&format!("fn {name}()")),
            "no test {name} in {file}.rs"
        );
    }
    let listed = rows.lines().filter(|line| line.starts_with("| `filter-"));
    assert_eq!(listed.count(), RULES.len());
}
