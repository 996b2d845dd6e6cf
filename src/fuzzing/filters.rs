//! Filter patterns and records.

use super::reference;
use super::script::Script;
use crate::engine::SourceKind;
use crate::engine::filter::{FILTERS_MAX, Filters, PATTERN_CHARS_MAX, View};
use serde_json::{Value, json};

/// A kind of source, up to [`FILTERS_MAX`] patterns, data and metadata as they come, with `0xff` between them.
///
/// Mistakes point into the pattern, and a pattern that is accepted says the same of a record each time; the same
/// patterns twice, or in another order, say the same as well.
pub fn filter_text(bytes: &[u8]) {
    let mut script = Script(bytes);
    let (_, source) = script.pick(&SourceKind::ALL);
    let count = 1 + script.below(FILTERS_MAX - 1);
    let (data, metadata) = (script.part(), script.part());
    let texts: Vec<&str> = (0..count)
        .filter_map(|_| std::str::from_utf8(script.part()).ok())
        .collect();
    let filters = match Filters::compile(source, &texts) {
        Ok(filters) => filters,
        Err(errors) => {
            assert!(!errors.is_empty(), "refused without a reason");
            for error in errors {
                let text = texts.get(error.pattern).copied();
                let part = text.and_then(|text| text.get(error.span.clone()));
                assert!(part.is_some(), "{error:?} points outside of its pattern");
            }
            return;
        }
    };
    let backwards: Vec<&str> = texts.iter().rev().copied().collect();
    let backwards = Filters::compile(source, &backwards);
    assert!(backwards.is_ok(), "{texts:?} are refused backwards");
    for data in [None, Some(data), Some(metadata)] {
        let view = View { metadata, data };
        let verdict = filters.matches(&view);
        assert_eq!(verdict, filters.matches(&view), "judged twice");
        if let Ok(backwards) = &backwards {
            assert_eq!(verdict, backwards.matches(&view), "{texts:?} backwards");
        }
    }
}

/// Patterns and records of few keys and values, made from the bytes: the compiled form agrees with the plain one.
pub fn filter_verdict(bytes: &[u8]) {
    let mut script = Script(bytes);
    let patterns: Vec<Value> = (0..1 + script.below(3))
        .map(|_| object_of_tests(&mut script, 3))
        .collect();
    let escapes = script.below(2) == 1;
    let written: Vec<String> = patterns.iter().map(Value::to_string).collect();
    let within: Vec<String> = patterns
        .iter()
        .map(|pattern| json!({ "data": pattern }).to_string())
        .collect();
    if within.iter().any(|text| text.len() > PATTERN_CHARS_MAX) {
        return;
    }
    let compile = |source, texts: &[String]| {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        match Filters::compile(source, &texts) {
            Ok(filters) => filters,
            Err(errors) => panic!("{texts:?} are refused: {}", errors[0]),
        }
    };
    let of_data = compile(SourceKind::Kinesis, &within);
    let of_all = compile(SourceKind::DynamoDb, &written);
    for _ in 0..1 + script.below(4) {
        let record = object(&mut script, 4);
        let holds = |pattern| reference::holds(pattern, &record);
        let expected = patterns.iter().any(holds);
        let text = spelt(&record, escapes);
        let text = text.as_bytes();
        for (filters, metadata, data) in [
            (&of_data, b"{}".as_slice(), Some(text)),
            (&of_all, text, None),
        ] {
            let view = View { metadata, data };
            let found = filters.matches(&view).is_match();
            assert_eq!(found, expected, "{written:?} on {record}");
        }
    }
}

const KEYS: [&str; 5] = ["a", "b", "c", "é", "\n"];
const TEXTS: [&str; 12] = [
    "", "a", "A", "ab", "ba", "é", "É", "\"", "a\\", "\t", "🌊", "x/y",
];
const SIGNS: [&str; 5] = ["=", "<", "<=", ">", ">="];

fn number(script: &mut Script<'_>) -> Value {
    match script.below(6) {
        0 => json!(0),
        1 => json!(1),
        2 => json!(1.0),
        3 => json!(-1),
        4 => json!(2.5),
        _ => json!(10),
    }
}

fn scalar(script: &mut Script<'_>) -> Value {
    match script.below(9) {
        0..4 => json!(script.pick(&TEXTS)),
        4..7 => number(script),
        7 => json!(script.below(2) == 1),
        _ => Value::Null,
    }
}

/// A value of a record, `depth` levels at most.
fn value(script: &mut Script<'_>, depth: usize) -> Value {
    match script.below(6) {
        3 | 4 if depth > 0 => object(script, depth - 1),
        5 if depth > 0 => (0..script.below(4))
            .map(|_| value(script, depth - 1))
            .collect(),
        _ => scalar(script),
    }
}

fn object(script: &mut Script<'_>, depth: usize) -> Value {
    (0..script.below(5))
        .map(|_| (script.pick(&KEYS).to_owned(), value(script, depth)))
        .collect()
}

fn test(script: &mut Script<'_>) -> Value {
    match script.below(11) {
        0..4 => scalar(script),
        4 => json!({"exists": script.below(2) == 1}),
        5 => json!({"prefix": script.pick(&TEXTS)}),
        6 => json!({"suffix": script.pick(&TEXTS)}),
        7 => json!({"equals-ignore-case": script.pick(&TEXTS)}),
        8 => match script.below(3) {
            0 => json!({"numeric": [script.pick(&SIGNS), number(script)]}),
            1 => json!({"numeric": [">", -1, "<=", 1]}),
            _ => json!({"numeric": [">=", 1, "<", 2.5]}),
        },
        9 => json!({"anything-but": script.pick(&TEXTS)}),
        _ => {
            let of_texts = script.below(2) == 1;
            let list: Vec<Value> = (0..1 + script.below(2))
                .map(|_| match of_texts {
                    true => json!(script.pick(&TEXTS)),
                    false => number(script),
                })
                .collect();
            json!({ "anything-but": list })
        }
    }
}

/// The object of a pattern.
fn object_of_tests(script: &mut Script<'_>, depth: usize) -> Value {
    let inside = |script: &mut Script<'_>| match script.below(3) {
        0 if depth > 0 => object_of_tests(script, depth - 1),
        _ => (0..1 + script.below(3)).map(|_| test(script)).collect(),
    };
    let mut members: serde_json::Map<String, Value> = (0..1 + script.below(3))
        .map(|_| (script.pick(&KEYS).to_owned(), inside(script)))
        .collect();
    if depth > 0 && script.below(4) == 3 {
        let branches: Value = (0..2 + script.below(2))
            .map(|_| object_of_tests(script, depth - 1))
            .collect();
        members.insert("$or".to_owned(), branches);
    }
    Value::Object(members)
}

/// The JSON text, with a part of its characters escaped that need not be.
fn spelt(value: &Value, escapes: bool) -> String {
    let text = value.to_string();
    if !escapes {
        return text;
    }
    text.replace('é', "\\u00E9")
        .replace('🌊', "\\ud83c\\udf0a")
        .replace('/', "\\/")
}
