//! Each operator with records that it takes and records that it leaves.

use super::*;

/// Tests the pattern `{"k": leaf}` on records `{"k": value}`; `-` stands for a record without the key.
#[track_caller]
fn table(leaf: &str, taken: &[&str], left: &[&str]) {
    for (values, expected) in [(taken, true), (left, false)] {
        for &value in values {
            let record = match value {
                "-" => r#"{"other":1}"#.to_owned(),
                _ => format!(r#"{{"other":1,"k":{value}}}"#),
            };
            let found = takes(&format!(r#"{{"k":{leaf}}}"#), &record);
            assert_eq!(found, expected, "{leaf} on {record}");
        }
    }
}

#[test]
fn filter_equals_exact() {
    table(
        r#"["x"]"#,
        &[r#""x""#],
        &[
            r#""X""#,
            r#""xx""#,
            r#""""#,
            r#"" x""#,
            "null",
            "-",
            "1",
            r#"{"x":1}"#,
        ],
    );
    table(
        "[null]",
        &["null"],
        &[r#""""#, r#""null""#, "0", "false", "-", "{}", "[]"],
    );
    table(r#"[""]"#, &[r#""""#], &["null", r#"" ""#, "-", "[]"]);
    table("[true]", &["true"], &["false", r#""true""#, "1"]);
    table("[false]", &["false"], &["true", "null", "0"]);
    table(r#"["5"]"#, &[r#""5""#], &["5"]);
}

#[test]
fn filter_number_text() {
    table(
        "[300]",
        &["300"],
        &["300.0", "3e2", "3.0e2", r#""300""#, "3000", "30"],
    );
    table("[300.0]", &["300.0"], &["300", "300.00"]);
    table("[-0]", &["-0"], &["0"]);
    table(r#"[{"anything-but":300}]"#, &["300.0", "301"], &["300"]);
}

#[test]
fn filter_or_list() {
    table(
        r#"["a","b",7,null,{"prefix":"pre"}]"#,
        &[r#""a""#, r#""b""#, "7", "null", r#""prefix""#],
        &[r#""c""#, "8", "-", "true", r#""aa""#],
    );
    let many: Vec<String> = (0..300).map(|i| format!("\"v{i}\"")).collect();
    let leaf = format!("[{}]", many.join(","));
    table(
        &leaf,
        &[r#""v0""#, r#""v99""#, r#""v299""#],
        &[r#""v300""#, r#""v""#, r#""w""#],
    );
}

#[test]
fn filter_and_within_filter() {
    let pattern = r#"{"a":["x"],"b":{"c":[1],"d":[2]}}"#;
    assert!(takes(pattern, r#"{"b":{"d":2,"c":1},"a":"x"}"#));
    assert!(!takes(pattern, r#"{"b":{"d":2,"c":1},"a":"y"}"#));
    assert!(!takes(pattern, r#"{"b":{"d":2},"a":"x"}"#));
    assert!(!takes(pattern, r#"{"c":1,"d":2,"a":"x"}"#));
    assert!(!takes(pattern, r#"{"a":"x"}"#));
}

#[test]
fn filter_or_across_filters() {
    let patterns = [
        r#"{"data":{"a":["x"],"b":[1]}}"#,
        r#"{"data":{"a":["y"]}}"#,
        r#"{"eventName":["z"]}"#,
    ];
    let filters = compiled(Kinesis, &patterns);
    let matches = |metadata: &str, data: &str| {
        filters
            .matches(&View {
                metadata: metadata.as_bytes(),
                data: Some(data.as_bytes()),
            })
            .is_match()
    };
    assert!(matches("{}", r#"{"a":"x","b":1}"#));
    assert!(matches("{}", r#"{"a":"y"}"#));
    assert!(matches(r#"{"eventName":"z"}"#, "plain"));
    // Half of one filter and half of another are no match.
    assert!(!matches("{}", r#"{"a":"x","b":2}"#));
    assert!(!matches("{}", "plain"));
    assert!(
        compiled(Kinesis, &[])
            .matches(&View {
                metadata: b"",
                data: None
            })
            .is_match()
    );
}

#[test]
fn filter_or_operator() {
    let pattern =
        r#"{"a":[1],"$or":[{"b":[2],"c":[3]},{"d":{"e":[4]}},{"$or":[{"f":[5]},{"g":[6]}]}]}"#;
    for (record, expected) in [
        (r#"{"a":1,"b":2,"c":3}"#, true),
        (r#"{"a":1,"d":{"e":4}}"#, true),
        (r#"{"a":1,"g":6}"#, true),
        (r#"{"a":1,"b":2}"#, false),
        (r#"{"a":1}"#, false),
        (r#"{"b":2,"c":3}"#, false),
    ] {
        assert_eq!(takes(pattern, record), expected, "{record}");
    }
    // Outermost branches may speak of data and of metadata.
    let pattern = r#"{"$or":[{"body":{"a":[1]}},{"body":["text"]},{"messageId":["m"]}]}"#;
    let filters = compiled(Sqs, &[pattern]);
    for (metadata, body, expected) in [
        (r#"{"messageId":"m"}"#, "else", Verdict::Match),
        (r#"{"messageId":"n"}"#, "text", Verdict::Match),
        (r#"{"messageId":"n"}"#, r#"{"a":1}"#, Verdict::Match),
        (r#"{"messageId":"n"}"#, r#"{"a":2}"#, Verdict::OtherFormat),
    ] {
        let view = View {
            metadata: metadata.as_bytes(),
            data: Some(body.as_bytes()),
        };
        assert_eq!(filters.matches(&view), expected, "{metadata} {body}");
    }
}

#[test]
fn filter_anything_but() {
    table(
        r#"[{"anything-but":"a"}]"#,
        &[r#""b""#, r#""A""#, r#""""#, "1", "null", "true"],
        &[r#""a""#, r#""\u0061""#, "-", "{}", "[]"],
    );
    table(
        r#"[{"anything-but":["b","a","c"]}]"#,
        &[r#""d""#, "0", "null"],
        &[r#""a""#, r#""b""#, r#""c""#, "-"],
    );
    table(
        r#"[{"anything-but":[3,1,2]}]"#,
        &["4", "1.0", r#""1""#, "null"],
        &["1", "2", "3", "-"],
    );
}

#[test]
fn filter_numeric_parses() {
    let test = |comparison: &str, taken: &[&str], left: &[&str]| {
        table(&format!(r#"[{{"numeric":{comparison}}}]"#), taken, left);
    };
    test(
        r#"["=",300]"#,
        &["300", "300.0", "3e2", "3.00E+2"],
        &["301", r#""300""#, "null", "-"],
    );
    test(
        r#"["<",5]"#,
        &["4.999", "-1e300", "0"],
        &["5", "5.0", "6", r#""1""#],
    );
    test(r#"["<=",5]"#, &["5", "5.0", "-7"], &["5.001"]);
    test(r#"[">",-5]"#, &["-4.9", "0", "1e300"], &["-5", "-5.5"]);
    test(r#"[">=",0.5]"#, &["0.5", "5e-1", "2"], &["0.49", "-0.5"]);
    test(
        r#"[">",0,"<=",10]"#,
        &["0.1", "10", "10.0"],
        &["0", "-0", "10.01", "-3"],
    );
    test(
        r#"[">=",0,"<",10]"#,
        &["0", "-0.0", "9.99"],
        &["10", "-0.001"],
    );
    test(
        r#"[">",1789651657]"#,
        &["1.789651658E9"],
        &["1.789651656E9"],
    );
    test(r#"[">",0]"#, &["1e999"], &["-1e999"]);
}

#[test]
fn filter_affix() {
    table(
        r#"[{"prefix":"us-"}]"#,
        &[r#""us-east-1""#, r#""us-""#, r#""\u0075s-x""#],
        &[r#""eu-us-""#, r#""us""#, r#""US-east""#, "null", "-", "1"],
    );
    table(r#"[{"prefix":"1"}]"#, &[r#""12""#], &["12"]);
    table(
        r#"[{"prefix":""}]"#,
        &[r#""""#, r#""a""#],
        &["1", "null", "-"],
    );
    table(
        r#"[{"suffix":".png"}]"#,
        &[r#""a.png""#, r#""\n.png""#, r#""a.\u0070ng""#],
        &[
            r#""a.PNG""#,
            r#""png""#,
            r#""\u002epn""#,
            r#""a.png ""#,
            "-",
        ],
    );
    table(
        r#"[{"suffix":"é🌊"}]"#,
        &[r#""\u00e9\ud83c\udf0a""#, r#""xé🌊""#],
        &[r#""🌊""#],
    );
}

#[test]
fn filter_ignore_case() {
    table(
        r#"[{"equals-ignore-case":"TiDe"}]"#,
        &[r#""tide""#, r#""TIDE""#, r#""\u0054ide""#],
        &[r#""tides""#, r#""tid""#, "null", "-"],
    );
    table(
        r#"[{"equals-ignore-case":"ÉTÉ"}]"#,
        &[r#""été""#, r#""\u00c9t\u00e9""#],
        &[r#""ete""#],
    );
    table(r#"[{"equals-ignore-case":""}]"#, &[r#""""#], &[r#"" ""#]);
}

#[test]
fn filter_escapes() {
    table(
        r#"["a\"\\\/\b\f\n\r\té🌊"]"#,
        &[
            r#""a\"\\/\b\f\n\r\té🌊""#,
            r#""\u0061\u0022\u005C\/\u0008\u000c\u000A\u000d\u0009\u00e9\ud83c\udf0a""#,
        ],
        &[r#""a\"\\/\b\f\n\r\té""#, r#""a\\\"/\b\f\n\r\té🌊""#],
    );
    assert!(takes(r#"{"k\n":[1]}"#, r#"{"\u006b\n":1}"#));
    assert!(takes(r#"{"k":[1]}"#, r#"{"\u006b":1}"#));
    assert!(!takes(r#"{"k":[1]}"#, r#"{"\\u006b":1}"#));
    // Half a surrogate pair equals nothing, itself included, and does not swallow what follows.
    table(
        r#"[{"suffix":"b"}]"#,
        &[r#""\ud83cb""#, r#""\ud83c\u0062""#, r#""\ud83c\ud83cb""#],
        &[r#""\ud83c""#],
    );
    table(r#"[{"anything-but":"x"}]"#, &[r#""\ud83c""#], &[]);
    table(r#"[{"equals-ignore-case":"xb"}]"#, &[], &[r#""\ud83cb""#]);
}
