//! Lists, absence and malformed records.

use super::*;

#[test]
fn filter_exists_leaf() {
    for (leaf, record, expected) in [
        (true, r#"{"k":1}"#, true),
        (true, r#"{"k":null}"#, true),
        (true, r#"{"k":""}"#, true),
        (true, r#"{"k":[1]}"#, true),
        (true, r#"{"k":[[false]]}"#, true),
        (true, r#"{"k":[]}"#, false),
        (true, r#"{"k":{"a":1}}"#, false),
        (true, r#"{"k":[{"a":1}]}"#, false),
        (true, "{}", false),
        (false, "{}", true),
        (false, r#"{"k":1}"#, false),
        (false, r#"{"k":null}"#, false),
        (false, r#"{"k":[2]}"#, false),
        (false, r#"{"k":[]}"#, true),
        (false, r#"{"k":{"a":1}}"#, true),
    ] {
        let pattern = format!(r#"{{"k":[{{"exists":{leaf}}}]}}"#);
        assert_eq!(takes(&pattern, record), expected, "{pattern} on {record}");
    }
    // Absence among other alternatives.
    let pattern = r#"{"k":["",null,{"exists":false}]}"#;
    for (record, expected) in [
        ("{}", true),
        (r#"{"k":null}"#, true),
        (r#"{"k":""}"#, true),
        (r#"{"k":"a"}"#, false),
    ] {
        assert_eq!(takes(pattern, record), expected, "{record}");
    }
    // What is missing may be missing with all that is around it.
    let pattern = r#"{"a":{"b":{"c":[{"exists":false}]}}}"#;
    for (record, expected) in [
        ("{}", true),
        (r#"{"a":5}"#, true),
        (r#"{"a":{"b":[]}}"#, true),
        (r#"{"a":{"b":{"d":1}}}"#, true),
        (r#"{"a":{"b":{"c":1}}}"#, false),
    ] {
        assert_eq!(takes(pattern, record), expected, "{record}");
    }
}

#[test]
fn filter_exists_anywhere() {
    let pattern = r#"{"a":{"b":[{"exists":false}],"c":[1]}}"#;
    for (record, expected) in [
        (r#"{"a":[{"c":1},{"c":2}]}"#, true),
        (r#"{"a":[{"c":1},{"c":1,"b":2}]}"#, false),
        (r#"{"a":[{"b":2,"c":0},{"c":1}]}"#, false),
        (r#"{"a":[{"c":0},{"c":0}]}"#, false),
    ] {
        assert_eq!(takes(pattern, record), expected, "{record}");
    }
    // The same in metadata.
    let pattern = r#"{"list":{"b":[{"exists":false}],"c":[1]}}"#;
    assert!(takes_metadata(
        Sqs,
        pattern,
        r#"{"list":[{"c":1},{"c":2}]}"#
    ));
    assert!(!takes_metadata(
        Sqs,
        pattern,
        r#"{"list":[{"c":1},{"b":2}]}"#
    ));
}

#[test]
fn filter_array_any() {
    let pattern = r#"{"k":["x",{"numeric":[">",5]}]}"#;
    for (value, expected) in [
        (r#"["a","x"]"#, true),
        ("[1,6]", true),
        (r#"[["a"],[["x"]]]"#, true),
        (r#"["a",1]"#, false),
        ("[]", false),
        (r#"[{"k":"x"}]"#, false),
    ] {
        assert_eq!(
            takes(pattern, &format!(r#"{{"k":{value}}}"#)),
            expected,
            "{value}"
        );
    }
    // An element that differs is enough for anything-but.
    assert!(takes(
        r#"{"k":[{"anything-but":"a"}]}"#,
        r#"{"k":["a","b"]}"#
    ));
    assert!(!takes(
        r#"{"k":[{"anything-but":"a"}]}"#,
        r#"{"k":["a","a"]}"#
    ));
    // Data may itself be a list.
    assert!(takes(r#"{"k":[1]}"#, r#"[{"k":2},{"k":1}]"#));
}

#[test]
fn filter_array_element() {
    let pattern = r#"{"a":{"b":[1],"c":{"d":[2],"e":[3]}}}"#;
    for (record, expected) in [
        (r#"{"a":[{"b":1,"c":{"d":2,"e":3}}]}"#, true),
        (
            r#"{"a":[{"b":0},{"b":1,"c":[{"d":2},{"d":2,"e":3}]},{"b":9}]}"#,
            true,
        ),
        (r#"{"a":[{"b":1},{"c":{"d":2,"e":3}}]}"#, false),
        (r#"{"a":{"b":1,"c":[{"d":2},{"e":3}]}}"#, false),
        (r#"{"a":[[{"b":1,"c":{"d":2,"e":3}}]]}"#, true),
    ] {
        assert_eq!(takes(pattern, record), expected, "{record}");
    }
    // Two branches may find their elements independently.
    let pattern = r#"{"a":{"b":[1]},"$or":[{"a":{"c":[2]}},{"z":[0]}]}"#;
    assert!(takes(pattern, r#"{"a":[{"b":1},{"c":2}]}"#));
}

#[test]
fn filter_record_duplicate_key() {
    let pattern = r#"{"k":["x"],"o":{"a":[1],"b":[2]}}"#;
    assert!(takes(pattern, r#"{"k":"x","k":"y","o":{"a":1,"b":2}}"#));
    assert!(takes(
        pattern,
        r#"{"k":"y","k":"x","o":{"a":1,"b":2},"o":3}"#
    ));
    assert!(!takes(pattern, r#"{"k":"x","o":{"a":1},"o":{"b":2}}"#));
    assert!(!takes(r#"{"k":[{"exists":false}]}"#, r#"{"k":1,"k":{}}"#));
}

#[test]
fn filter_record_malformed() {
    let pattern = r#"{"k":["x"]}"#;
    assert!(takes(pattern, " {\t\"k\"\r\n: \"x\" , \"z\" : [ ] } "));
    for record in [
        r#"{"k":"x""#,
        r#"{"k":"x"}}"#,
        r#"{"k":"x"} 1"#,
        r#"{"k":"x",}"#,
        r#"{"k":"x","z":[1,]}"#,
        r#"{"k":"x","z":[1 2]}"#,
        r#"{"k":"x","z":{"a"}}"#,
        r#"{"k":"x","z":{"a":1]}"#,
        r#"{"k":"x","z":[1}"#,
        r#"{"k":"x","z":01}"#,
        r#"{"k":"x","z":-}"#,
        r#"{"k":"x","z":1.}"#,
        r#"{"k":"x","z":.5}"#,
        r#"{"k":"x","z":1e}"#,
        r#"{"k":"x","z":tru}"#,
        r#"{"k":"x","z":NaN}"#,
        r#"{"k":"x","z":'a'}"#,
        r#"{"k":"x","z":"\x"}"#,
        r#"{"k":"x","z":"\u12"}"#,
        "{\"k\":\"x\",\"z\":\"a\nb\"}",
        r#"{"k":"x",z:1}"#,
        r#"{"k" "x"}"#,
        r#"{"k":"x" "z":1}"#,
        r#"["#,
        r#"{"#,
        "",
    ] {
        assert_eq!(verdict(pattern, record), Verdict::OtherFormat, "{record}");
        let well = serde_json::from_str::<serde_json::Value>(record);
        assert!(well.is_err(), "{record} is fine");
    }
    // What a malformed record held before it broke off does not count.
    let filters = compiled(Sqs, &[r#"{"body":["a"]}"#]);
    let view = |body: &'static str| View {
        metadata: b"{}",
        data: Some(body.as_bytes()),
    };
    assert_eq!(filters.matches(&view(r#"["a""#)), Verdict::NoMatch);
    assert_eq!(filters.matches(&view("a")), Verdict::Match);
    // Broken metadata is the driver's mistake; nothing matches it, not even absence.
    assert!(!takes_metadata(
        Sqs,
        r#"{"k":[{"exists":false}]}"#,
        r#"{"a":1"#
    ));
}

#[test]
fn filter_record_depth() {
    let nested = |levels: usize| {
        let inner = format!("{}{}", "[".repeat(levels - 1), "]".repeat(levels - 1));
        (
            format!(r#"{{"k":"x","z":{inner}}}"#),
            format!(r#"{{"k":{inner}}}"#),
        )
    };
    let objects = |levels: usize| {
        let inner = format!(
            "{}1{}",
            r#"{"k":"#.repeat(levels - 1),
            "}".repeat(levels - 1)
        );
        format!(r#"{{"k":"x","z":{inner}}}"#)
    };
    let pattern = r#"{"k":["x"]}"#;
    assert_eq!(verdict(pattern, &nested(128).0), Verdict::Match);
    assert_eq!(verdict(pattern, &nested(129).0), Verdict::OtherFormat);
    assert_eq!(verdict(pattern, &objects(128)), Verdict::Match);
    assert_eq!(verdict(pattern, &objects(129)), Verdict::OtherFormat);
    assert_eq!(verdict(pattern, &nested(128).1), Verdict::NoMatch);
    assert_eq!(verdict(pattern, &nested(129).1), Verdict::OtherFormat);
    assert_eq!(verdict(pattern, &nested(1_000_000).0), Verdict::OtherFormat);
    assert_eq!(verdict(pattern, &nested(1_000_000).1), Verdict::OtherFormat);
}

#[test]
fn many_keys_and_many_bits_are_found() {
    // More keys than are compared one by one, and more bits than fit into the small set.
    let leaves: Vec<String> = (0..200).map(|i| format!(r#""k{i}":[{i}]"#)).collect();
    let pattern = format!("{{{}}}", leaves.join(","));
    let record = |wrong: Option<usize>| {
        let value = |i: usize| if wrong == Some(i) { 1000 } else { i };
        let members: Vec<String> = (0..200)
            .rev()
            .map(|i| format!(r#""\u006b{i}":{},"q{i}":{{"k{i}":0}}"#, value(i)))
            .collect();
        format!("{{{}}}", members.join(","))
    };
    assert!(takes(&pattern, &record(None)));
    for i in [0, 63, 64, 127, 128, 199] {
        assert!(!takes(&pattern, &record(Some(i))), "{i}");
    }
    // The largest patterns fit, whatever they consist of.
    let objects = format!("{}[1]{}", r#"{"":"#.repeat(62), "}".repeat(62));
    let pattern = |i: usize| {
        let members: Vec<String> = (0..12).map(|j| format!(r#""{i}{j}":{objects}"#)).collect();
        format!("{{{}}}", members.join(","))
    };
    let largest: Vec<String> = (0..10).map(pattern).collect();
    let texts: Vec<&str> = largest.iter().map(String::as_str).collect();
    let is_long = |text: &&str| text.len() <= PATTERN_CHARS_MAX && text.len() > 3_800;
    assert!(texts.iter().all(is_long));
    let filters = Filters::compile_up_to(10, DynamoDb, &texts).expect("long patterns");
    let record = texts.concat().replace("}{", ",").replace("[1]", "1");
    let metadata = record.as_bytes();
    assert!(
        filters
            .matches(&View {
                metadata,
                data: None
            })
            .is_match()
    );
}
