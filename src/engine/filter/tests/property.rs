//! Random patterns and records: the compiled form agrees with the reference, and nothing panics.

use super::*;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

/// Few keys and values, so that patterns and records meet.
fn key() -> impl Strategy<Value = String> {
    proptest::sample::select(vec!["a", "b", "c", "é", "\n"]).prop_map(str::to_owned)
}

fn text() -> impl Strategy<Value = String> {
    let texts = vec![
        "", "a", "A", "ab", "ba", "é", "É", "\"", "a\\", "\t", "🌊", "x/y",
    ];
    proptest::sample::select(texts).prop_map(str::to_owned)
}

fn number() -> impl Strategy<Value = Value> {
    proptest::sample::select(vec![
        json!(0),
        json!(1),
        json!(1.0),
        json!(-1),
        json!(2.5),
        json!(10),
    ])
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => text().prop_map(Value::from),
        3 => number(),
        1 => any::<bool>().prop_map(Value::from),
        1 => Just(Value::Null),
    ]
}

fn object(
    value: impl Strategy<Value = Value>,
    len: std::ops::Range<usize>,
) -> impl Strategy<Value = Value> {
    vec((key(), value), len).prop_map(|members| members.into_iter().collect())
}

fn record() -> impl Strategy<Value = Value> {
    let value = scalar().prop_recursive(4, 40, 4, |inner| {
        prop_oneof![
            2 => object(inner.clone(), 0..4),
            1 => vec(inner, 0..4).prop_map(Value::from),
        ]
    });
    let one = object(value, 0..5);
    one.prop_flat_map(
        |one| prop_oneof![4 => Just(one.clone()), 1 => vec(Just(one), 1..3).prop_map(Value::from)],
    )
}

fn numeric() -> impl Strategy<Value = Value> {
    prop_oneof![
        (
            proptest::sample::select(vec!["=", "<", "<=", ">", ">="]),
            number()
        )
            .prop_map(|(sign, limit)| json!([sign, limit])),
        Just(json!([">", -1, "<=", 1])),
        Just(json!([">=", 1, "<", 2.5])),
    ]
}

fn test() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => scalar(),
        1 => any::<bool>().prop_map(|wanted| json!({"exists": wanted})),
        1 => text().prop_map(|text| json!({"prefix": text})),
        1 => text().prop_map(|text| json!({"suffix": text})),
        1 => text().prop_map(|text| json!({"equals-ignore-case": text})),
        1 => numeric().prop_map(|operand| json!({"numeric": operand})),
        1 => text().prop_map(|text| json!({"anything-but": text})),
        1 => vec(text(), 1..3).prop_map(|texts| json!({"anything-but": texts})),
        1 => vec(number(), 1..3).prop_map(|numbers| json!({"anything-but": numbers})),
    ]
}

fn pattern() -> impl Strategy<Value = Value> {
    let leaf = vec(test(), 1..4).prop_map(Value::from);
    let inner = leaf.prop_recursive(3, 24, 3, |inner| {
        let plain = object(inner.clone(), 1..4);
        let branch = object(inner.clone(), 1..3);
        let with_or =
            (object(inner, 0..3), vec(branch, 2..4)).prop_map(|(mut object, branches)| {
                object["$or"] = Value::from(branches);
                object
            });
        prop_oneof![3 => plain, 1 => with_or]
    });
    inner.prop_filter("an object", Value::is_object)
}

/// The JSON text with a part of its characters escaped that need not be.
fn written(value: &Value, escape: bool) -> String {
    let text = value.to_string();
    if !escape {
        return text;
    }
    let escaped = |c: char| match c {
        'a' => "\\u0061".to_owned(),
        'é' => "\\u00E9".to_owned(),
        '🌊' => "\\ud83c\\udf0a".to_owned(),
        '/' => "\\/".to_owned(),
        c => c.to_string(),
    };
    // The letter a of `false` must stay.
    let parts: Vec<String> = text
        .split("false")
        .map(|part| part.chars().map(escaped).collect())
        .collect();
    parts.join("false")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn agrees_with_the_reference(
        patterns in vec(pattern(), 1..4),
        records in vec(record(), 1..6),
        escape in any::<bool>(),
    ) {
        let texts: Vec<String> = patterns.iter().map(|p| json!({"data": p}).to_string()).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        prop_assume!(texts.iter().all(|text| text.len() <= PATTERN_CHARS_MAX));
        let filters = compiled(Kinesis, &texts);
        let bare: Vec<String> = patterns.iter().map(Value::to_string).collect();
        let bare: Vec<&str> = bare.iter().map(String::as_str).collect();
        let metadata_filters = compiled(DynamoDb, &bare);
        for record in &records {
            let text = written(record, escape);
            let expected = patterns.iter().any(|pattern| reference::holds(pattern, record));
            let view = View { metadata: b"{}", data: Some(text.as_bytes()) };
            prop_assert_eq!(filters.matches(&view).is_match(), expected, "{:?} on {}", &texts, &text);
            let view = View { metadata: text.as_bytes(), data: None };
            prop_assert_eq!(metadata_filters.matches(&view).is_match(), expected, "{:?} on {}", &bare, &text);
        }
    }

    #[test]
    fn any_bytes_are_read(bytes in vec(any::<u8>(), 0..64), pattern in pattern()) {
        let text = json!({"data": pattern}).to_string();
        prop_assume!(text.len() <= PATTERN_CHARS_MAX);
        let view = View { metadata: &bytes, data: Some(&bytes) };
        prop_assert!(!compiled(Kinesis, &[&text]).matches(&view).is_match() || json_like(&bytes));
        let _ = compiled(Sqs, &[&pattern.to_string()]).matches(&view);
        let _ = Filters::compile(Sqs, &[&String::from_utf8_lossy(&bytes)]);
    }

    /// JSON with one byte changed, cut or doubled is JSON here exactly if it is for a parser of trees.
    #[test]
    fn damaged_records_are_judged_like_a_parser_would(
        record in record(),
        at in any::<proptest::sample::Index>(),
        byte in any::<u8>(),
        kind in 0..3,
    ) {
        let mut bytes = written(&record, true).into_bytes();
        let at = at.index(bytes.len());
        match kind {
            0 => bytes[at] = byte,
            1 => bytes.truncate(at),
            _ => bytes.insert(at, bytes[at]),
        }
        let filters = compiled(Kinesis, &[r#"{"data":{"a":[{"exists":false}]}}"#]);
        let other = filters.matches(&View { metadata: b"{}", data: Some(&bytes) }) == Verdict::OtherFormat;
        // A parser of trees refuses half surrogate pairs and huge numbers, which have the form of JSON.
        let strict = json_like(&bytes);
        let text = String::from_utf8_lossy(&bytes);
let exponent = bytes.windows(2).any(|two| two[0].is_ascii_digit() && matches!(two[1], b'e' | b'E'));
        if !strict && (exponent || text.contains("\\ud") || text.contains("\\uD")) {
            return Ok(());
        }
        prop_assert_eq!(other, !strict, "{}", text);
    }

    #[test]
    fn any_pattern_text_is_read(text in "[{}\\[\\]\",:a-c0-2.eE+\\\\u -]{0,40}") {
        for (_, source) in SourceKind::ALL {
            for error in errors(source, &text) {
                prop_assert!(text.get(error.span).is_some());
            }
        }
    }
}

fn json_like(bytes: &[u8]) -> bool {
    serde_json::from_slice::<Value>(bytes).is_ok_and(|value| value.is_object() || value.is_array())
}
