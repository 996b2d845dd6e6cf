//! Patterns that are refused, and where their message points.

use super::*;

#[test]
fn filter_source() {
    assert_eq!(faults(DocumentDb, r#"{"a":[1]}"#)[0].0, "filter-source");
    assert!(Filters::compile(DocumentDb, &[]).is_ok());
}

#[test]
fn filter_count() {
    let pattern = r#"{"a":[1]}"#;
    assert!(Filters::compile(Sqs, &[pattern; 5]).is_ok());
    let found = Filters::compile(Sqs, &[pattern; 6]).expect_err("six");
    assert_eq!(
        (found.len(), found[0].code, found[0].pattern),
        (1, "filter-count", 5)
    );
    assert!(Filters::compile_up_to(10, Sqs, &[pattern; 10]).is_ok());
    let found = Filters::compile_up_to(10, Sqs, &[pattern; 11]).expect_err("eleven");
    assert_eq!((found[0].code, found[0].pattern), ("filter-count", 10));
}

#[test]
fn filter_length() {
    let pattern = |text: &str| format!(r#"{{"a":["{text}"]}}"#);
    let rest = 4096 - pattern("").len();
    // Characters count, not bytes.
    assert!(errors(Sqs, &pattern(&"é".repeat(rest))).is_empty());
    let found = faults(Sqs, &pattern(&"é".repeat(rest + 1)));
    assert_eq!(found, [("filter-length", "}".to_owned())]);
}

#[test]
fn filter_json() {
    for (pattern, at) in [
        ("", ""),
        ("just text", "j"),
        ("null", "null"),
        ("[]", "[]"),
        (r#""text""#, r#""text""#),
        (r#"{"a":[1]} x"#, "x"),
        (r#"{"a":[1]"#, ""),
        (r#"{"a":[1],}"#, "}"),
        (r#"{"a":[1,]}"#, "]"),
        (r#"{"a" [1]}"#, "["),
        (r#"{a:[1]}"#, "a"),
        (r#"{'a':[1]}"#, "'"),
        (r#"{"a":[True]}"#, "T"),
        (r#"{"a":[nul]}"#, "n"),
        (r#"{"a":[01]}"#, "1"),
        (r#"{"a":[1.]}"#, "]"),
        (r#"{"a":[-]}"#, "]"),
        (r#"{"a":["x]}"#, ""),
        (r#"{"a":["\x"]}"#, "x"),
        (r#"{"a":["\u12g4"]}"#, "g"),
        (r#"{"a":["\ud83c"]}"#, r"\ud83c"),
        ("{\"a\":[\"\n\"]}", "\n"),
        (r#"{"a":[1] "b":[2]}"#, "\""),
    ] {
        refused_at(pattern, "filter-json", at);
    }
    let found = &errors(Sqs, "null")[0];
    assert_eq!((found.message, found.aws_text), (AWS_TEXT, true));
    assert!(errors(Sqs, " {\n\t\"a\" : [ 1 , -2.5e+3 , true ] }\r\n").is_empty());
}

#[test]
fn filter_depth() {
    let nested = |levels: usize| format!("{}[1]{}", r#"{"":"#.repeat(levels), "}".repeat(levels));
    assert!(errors(Sqs, &nested(63)).is_empty());
    refused_at(&nested(64), "filter-depth", "[");
}

#[test]
fn filter_duplicate_key() {
    let pattern = r#"{"body":{"a":[1],"\u0061":[2]},"body":{"b":[3]}}"#;
    let expected = [
        ("filter-duplicate-key", r#""\u0061""#.to_owned()),
        ("filter-duplicate-key", r#""body""#.to_owned()),
    ];
    assert_eq!(faults(Sqs, pattern), expected);
}

#[test]
fn filter_object_not_empty() {
    refused_at("{}", "filter-object-not-empty", "{}");
    refused_at(r#"{"body":{ }}"#, "filter-object-not-empty", "{ }");
}

#[test]
fn filter_leaf_is_array() {
    for scalar in [r#""aws:sqs""#, "7", "true", "null"] {
        let pattern = format!(r#"{{"eventSource":{scalar}}}"#);
        refused_at(&pattern, "filter-leaf-is-array", scalar);
        let allowed = &errors(Sqs, &pattern)[0].allowed;
        assert_eq!(
            allowed,
            &format!("a list of alternatives, such as [{scalar}]")
        );
    }
}

#[test]
fn filter_leaf_not_empty() {
    refused_at(r#"{"body":{"a":[ ]}}"#, "filter-leaf-not-empty", "[ ]");
}

#[test]
fn filter_alternative_form() {
    refused_at(r#"{"a":[["b"]]}"#, "filter-alternative-form", r#"["b"]"#);
    refused_at(r#"{"a":[{}]}"#, "filter-alternative-form", "{}");
    let two = r#"{"prefix":"a","suffix":"b"}"#;
    refused_at(
        &format!(r#"{{"a":[{two}]}}"#),
        "filter-alternative-form",
        two,
    );
}

#[test]
fn filter_operator_unknown() {
    refused_at(
        r#"{"a":[{"begins-with":"b"}]}"#,
        "filter-operator-unknown",
        r#""begins-with""#,
    );
}

#[test]
fn filter_operator_unavailable() {
    for (expression, at) in [
        (r#"{"wildcard":"a*"}"#, r#""wildcard""#),
        (r#"{"cidr":"10.0.0.0/24"}"#, r#""cidr""#),
        (r#"{"anything-but":{"prefix":"a"}}"#, r#""prefix""#),
        (r#"{"anything-but":{"suffix":"a"}}"#, r#""suffix""#),
        (r#"{"anything-but":{"wildcard":"a*"}}"#, r#""wildcard""#),
        (
            r#"{"anything-but":{"equals-ignore-case":"a"}}"#,
            r#""equals-ignore-case""#,
        ),
        (
            r#"{"prefix":{"equals-ignore-case":"a"}}"#,
            r#"{"equals-ignore-case":"a"}"#,
        ),
        (
            r#"{"suffix":{"equals-ignore-case":"a"}}"#,
            r#"{"equals-ignore-case":"a"}"#,
        ),
    ] {
        let pattern = format!(r#"{{"a":[{expression}]}}"#);
        refused_at(&pattern, "filter-operator-unavailable", at);
        assert!(errors(Sqs, &pattern)[0].found.contains("EventBridge"));
    }
}

#[test]
fn filter_operand() {
    for (expression, at) in [
        (r#"{"exists":"true"}"#, r#""true""#),
        (r#"{"exists":1}"#, "1"),
        (r#"{"prefix":1}"#, "1"),
        (r#"{"prefix":["a"]}"#, r#"["a"]"#),
        (r#"{"suffix":null}"#, "null"),
        (r#"{"equals-ignore-case":["a"]}"#, r#"["a"]"#),
        (r#"{"anything-but":null}"#, "null"),
        (r#"{"anything-but":true}"#, "true"),
        (r#"{"anything-but":{}}"#, "{}"),
        (r#"{"anything-but":[]}"#, "[]"),
        (r#"{"anything-but":["a",null]}"#, "null"),
        (r#"{"anything-but":["a",1]}"#, r#"["a",1]"#),
    ] {
        refused_at(&format!(r#"{{"a":[{expression}]}}"#), "filter-operand", at);
    }
}

#[test]
fn filter_numeric_form() {
    for (operand, at) in [
        ("5", "5"),
        ("[]", "[]"),
        (r#"["="]"#, r#"["="]"#),
        ("[5]", "[5]"),
        (r#"["!=",5]"#, r#""!=""#),
        ("[1,5]", "1"),
        (r#"["=","5"]"#, r#""5""#),
        (r#"["=",5,"<",6]"#, r#""<""#),
        (r#"["<",5,">",1]"#, r#"">""#),
        (r#"[">",5,">",6]"#, r#"">""#),
        (r#"[">",5,"<",5]"#, r#"[">",5,"<",5]"#),
        (r#"[">",1,"<",5,"<",6]"#, r#"[">",1,"<",5,"<",6]"#),
    ] {
        let pattern = format!(r#"{{"a":[{{"numeric":{operand}}}]}}"#);
        refused_at(&pattern, "filter-numeric-form", at);
    }
}

#[test]
fn filter_numeric_bounds() {
    for number in ["5000000001", "-5000000000.5", "1e10", "1e999"] {
        let pattern = format!(r#"{{"a":[{{"numeric":["=",{number}]}}]}}"#);
        refused_at(&pattern, "filter-numeric-bounds", number);
    }
    assert!(errors(Sqs, r#"{"a":[{"numeric":[">=",-5e9,"<=",5000000000]}]}"#).is_empty());
}

#[test]
fn filter_or_branches() {
    for (or, at) in [
        ("1", "1"),
        (r#"{"a":[1]}"#, r#"{"a":[1]}"#),
        ("[]", "[]"),
        (r#"[{"a":[1]}]"#, r#"[{"a":[1]}]"#),
        (r#"[{"a":[1]},"b"]"#, r#""b""#),
    ] {
        refused_at(&format!(r#"{{"$or":{or}}}"#), "filter-or-branches", at);
    }
    let pattern = r#"{"$or":[{"a":[1]},{}]}"#;
    refused_at(pattern, "filter-object-not-empty", "{}");
}

#[test]
fn filter_data_plain() {
    for (source, field) in [
        (Kinesis, r#""data":["a"]"#),
        (DynamoDb, r#""dynamodb":[{"exists":true}]"#),
    ] {
        let expected = [("filter-data-plain", field.to_owned())];
        assert_eq!(faults(source, &format!("{{{field}}}")), expected);
        let inside_or = format!(r#"{{"$or":[{{"a":[1]}},{{{field}}}]}}"#);
        assert_eq!(faults(source, &inside_or), expected);
    }
    for (source, key) in [
        (Sqs, "body"),
        (Msk, "value"),
        (RabbitMq, "data"),
        (Kinesis, "eventName"),
    ] {
        assert!(errors(source, &format!(r#"{{"{key}":["a"]}}"#)).is_empty());
    }
}

#[test]
fn every_mistake_of_every_pattern_is_reported_in_order() {
    let patterns = [
        r#"{"a":"b","c":[],"d":[{"wildcard":"*"}]}"#,
        r#"{"fine":[1]}"#,
        "nothing",
    ];
    let found = Filters::compile(Sqs, &patterns).expect_err("mistakes");
    let short: Vec<_> = found
        .iter()
        .map(|error| (error.pattern, error.code))
        .collect();
    let expected = [
        (0, "filter-leaf-is-array"),
        (0, "filter-leaf-not-empty"),
        (0, "filter-operator-unavailable"),
        (2, "filter-json"),
    ];
    assert_eq!(short, expected);
    assert!(
        found
            .iter()
            .all(|error| error.to_string().starts_with(AWS_TEXT))
    );
}
