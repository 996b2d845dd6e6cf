use super::*;
use crate::engine::{Meta, Time};
use proptest::prelude::*;

const REPORTS: Expected = Expected {
    reports_failures: true,
    needs_state: false,
    is_queue: false,
};
const WINDOW: Expected = Expected {
    reports_failures: false,
    needs_state: true,
    is_queue: false,
};
const BOTH: Expected = Expected {
    reports_failures: true,
    needs_state: true,
    is_queue: false,
};
/// The final call of a window, and every call of a mapping without either.
const NEITHER: Expected = Expected {
    reports_failures: false,
    needs_state: false,
    is_queue: false,
};

/// Records 10, 20, 20 and 30: the two in the middle came out of one aggregate.
fn batch() -> Vec<Record<()>> {
    let record = |seq: u64| Record {
        meta: Meta {
            seq: Seq::from(seq),
            group: 0,
            arrival: Time::ZERO,
            wire_len: 0,
        },
        payload: (),
    };
    [10, 20, 20, 30].map(record).into()
}

fn answer(body: &[u8], expected: Expected) -> Answer {
    let batch = batch();
    read(body, expected, |identifier| index_of(&batch, identifier))
}

fn outcome(body: &str) -> Outcome {
    answer(body.as_bytes(), REPORTS).outcome
}

fn failing(identifiers: &[&str]) -> String {
    let entries = identifiers
        .iter()
        .map(|identifier| format!("{{\"itemIdentifier\":{identifier}}}"));
    let entries: Vec<String> = entries.collect();
    format!("{{\"batchItemFailures\":[{}]}}", entries.join(","))
}

fn assert_all(bodies: &[&str], expected: Outcome) {
    for body in bodies {
        assert_eq!(outcome(body), expected, "{body}");
    }
}

#[test]
fn stream_partial_empty_is_success() {
    let recorded = [
        "\"\"",
        "[]",
        "null",
        "{}",
        "{\"batchItemFailures\":[]}",
        "{\"batchItemFailures\":null}",
        "",
    ];
    assert_all(&recorded, Outcome::Success);
    // By the same reading.
    let alike = [
        " \n",
        " [ ] ",
        "{\"batchItemFailures\":\"\"}",
        "{\"statusCode\":200,\"body\":{\"batchItemFailures\":[1]}}",
        "{\"batchitemfailures\":[{\"itemIdentifier\":\"1\"}]}",
    ];
    assert_all(&alike, Outcome::Success);
}

#[test]
fn stream_partial_invalid_fails_batch() {
    for identifier in ["\"40\"", "4", "20", "\"\"", "null", "\"record-20\"", "{}"] {
        assert_eq!(
            outcome(&failing(&[identifier])),
            Outcome::Rejected,
            "{identifier}"
        );
    }
    let recorded = [
        "{\"batchItemFailures\":[{\"foo\":\"20\"}]}",
        "{\"batchItemFailures\":[{\"foo\":null}]}",
    ];
    assert_all(&recorded, Outcome::Rejected);
    let alike = [
        "{\"batchItemFailures\":[{}]}",
        "{\"batchItemFailures\":[null]}",
        "{\"batchItemFailures\":[\"20\"]}",
        "{\"batchItemFailures\":\"20\"}",
        "{\"batchItemFailures\":{\"itemIdentifier\":\"20\"}}",
        "{\"batchItemFailures\":true}",
        "{\"batchItemFailures\":[{\"itemIdentifier\":\"20\",\"itemIdentifier\":null}]}",
        "[{\"itemIdentifier\":\"20\"}]",
        "\"done\"",
        "0",
        "false",
    ];
    assert_all(&alike, Outcome::Rejected);
}

#[test]
fn stream_partial_lowest_failed() {
    let partial = |first_failed| Outcome::Partial { first_failed };
    assert_eq!(outcome(&failing(&["\"30\""])), partial(3));
    assert_eq!(
        outcome(&failing(&["\"30\"", "\"10\"", "\"30\""])),
        partial(0)
    );
    assert_eq!(outcome(&failing(&["\"\\u0033\\u0030\""])), partial(3));
    let odd = " { \"x\" : [ 1 , {} ] , \"batchItemFailures\" : [ { \"why\" : [] , \"itemIdentifier\" : \"30\" } ] } ";
    assert_eq!(outcome(odd), partial(3));
}

#[test]
fn stream_partial_one_bad_entry() {
    for other in ["\"40\"", "\"\"", "null", "30"] {
        let lists = [failing(&["\"30\"", other]), failing(&[other, "\"30\""])];
        for list in lists {
            assert_eq!(outcome(&list), Outcome::Rejected, "{list}");
        }
    }
}

#[test]
fn stream_partial_shared_number() {
    let expected = Outcome::Partial { first_failed: 1 };
    assert_eq!(outcome(&failing(&["\"20\""])), expected);
}

#[test]
fn stream_partial_number_by_value() {
    let expected = Outcome::Partial { first_failed: 3 };
    assert_eq!(outcome(&failing(&["\"000000000000000000030\""])), expected);
    for other in ["\" 30\"", "\"30.0\"", "\"+30\"", "\"0x1e\"", "\"\\ud800\""] {
        assert_eq!(outcome(&failing(&[other])), Outcome::Rejected, "{other}");
    }
    // A source that does not keep its order.
    let mut batch = batch();
    batch.reverse();
    assert_eq!(index_of(&batch, "10"), Some(3));
    assert_eq!(index_of(&batch, "30"), Some(0));
    assert_eq!(index_of(&batch, "31"), None);
}

#[test]
fn stream_partial_not_json() {
    let bodies = [
        "done",
        "{",
        "{\"batchItemFailures\":[]",
        "{\"batchItemFailures\":[]} {}",
        "[}",
        "{\"batchItemFailures\":[{\"itemIdentifier\":\"30\"}],}",
    ];
    assert_all(&bodies, Outcome::Rejected);
    assert_eq!(
        answer(b"{\"a\":\"\xff\"}", REPORTS).outcome,
        Outcome::Rejected
    );
}

#[test]
fn stream_partial_ignored_when_off() {
    let bodies = [
        failing(&["\"30\""]),
        failing(&["\"40\""]),
        "done".to_owned(),
    ];
    for body in bodies {
        assert_eq!(answer(body.as_bytes(), NEITHER).outcome, Outcome::Success);
    }
    let body = b"{\"state\":{\"n\":1},\"batchItemFailures\":[{\"itemIdentifier\":\"30\"}]}";
    let found = answer(body, WINDOW);
    assert_eq!(found.outcome, Outcome::Success);
    assert_eq!(
        found.state.map(|state| &body[state]),
        Some(&b"{\"n\":1}"[..])
    );
}

#[test]
fn response_depth() {
    let nested = |levels: usize| format!("{{\"x\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
    assert_eq!(outcome(&nested(127)), Outcome::Success);
    assert_eq!(outcome(&nested(128)), Outcome::Rejected);
    assert_eq!(outcome(&nested(1_000_000)), Outcome::Rejected);
}

#[test]
fn window_state_required() {
    for body in [
        "",
        "null",
        "\"\"",
        "[]",
        "{}",
        "{\"batchItemFailures\":[]}",
        "{\"State\":{}}",
        "{\"state\":{}",
    ] {
        for expected in [WINDOW, BOTH] {
            let found = answer(body.as_bytes(), expected);
            assert_eq!(
                (found.outcome, found.state),
                (Outcome::Rejected, None),
                "{body}"
            );
        }
    }
    let body = "{\"batchItemFailures\":[{\"itemIdentifier\":\"30\"}]}";
    assert_eq!(answer(body.as_bytes(), BOTH).outcome, Outcome::Rejected);
    let body = "{\"other\":1, \"state\" :\t{ \"a\": [1.50, \"\\u0061\"] } }";
    for expected in [WINDOW, BOTH] {
        let found = answer(body.as_bytes(), expected);
        assert_eq!(found.outcome, Outcome::Success);
        let state = found.state.map(|state| &body[state]);
        assert_eq!(
            state,
            Some("{ \"a\": [1.50, \"\\u0061\"] }"),
            "byte for byte"
        );
    }
    let failing = "{\"state\":{\"n\":1},\"batchItemFailures\":[{\"itemIdentifier\":\"30\"}]}";
    let found = answer(failing.as_bytes(), BOTH);
    assert_eq!(found.outcome, Outcome::Partial { first_failed: 3 });
    assert_eq!(found.state.map(|state| &failing[state]), Some("{\"n\":1}"));
    let nonsense = "{\"state\":{\"n\":1},\"batchItemFailures\":[{\"itemIdentifier\":\"40\"}]}";
    let found = answer(nonsense.as_bytes(), BOTH);
    assert_eq!((found.outcome, found.state), (Outcome::Rejected, None));
}

#[test]
fn window_state_is_object() {
    for state in ["null", "[]", "\"\"", "\"7\"", "7", "true"] {
        let body = format!("{{\"state\":{state}}}");
        assert_eq!(
            answer(body.as_bytes(), WINDOW).outcome,
            Outcome::Rejected,
            "{body}"
        );
    }
    let twice = b"{\"state\":7,\"state\":{}}";
    assert_eq!(answer(twice, WINDOW).state, Some(19..21));
}

#[test]
fn window_final_needs_no_state() {
    for body in [
        "",
        "null",
        "{}",
        "{\"state\":7}",
        "{\"batchItemFailures\":[]}",
    ] {
        for expected in [NEITHER, REPORTS] {
            let found = answer(body.as_bytes(), expected);
            assert_eq!(
                (found.outcome, found.state),
                (Outcome::Success, None),
                "{body}"
            );
        }
    }
}

fn large(letters: u64) -> String {
    let letters = "x".repeat(usize::try_from(letters).expect("small"));
    format!("{{\"state\":{{\"s\":\"{letters}\"}}}}")
}

#[test]
fn window_state_size() {
    // `{"s":""}` around the letters.
    const AROUND: u64 = 8;
    let limit = limits::WINDOW_STATE_BYTES_MAX;
    let largest = answer(large(limit - AROUND).as_bytes(), WINDOW);
    assert_eq!(largest.outcome, Outcome::Success);
    for letters in [limit - AROUND + 1, 1_048_640] {
        let found = answer(large(letters).as_bytes(), WINDOW);
        assert_eq!(found.outcome, Outcome::StateTooLarge);
        let len = found.state.map(|state| state.len() as u64);
        assert_eq!(
            len,
            Some(letters + AROUND),
            "the whole state goes into the final call"
        );
        assert_eq!(
            answer(large(letters).as_bytes(), REPORTS).outcome,
            Outcome::Success
        );
    }
}

#[test]
fn window_state_size_after_failures() {
    let body = large(1_048_640);
    let body = body.replacen(
        '{',
        "{\"batchItemFailures\":[{\"itemIdentifier\":\"20\"}],",
        1,
    );
    let found = answer(body.as_bytes(), BOTH);
    assert_eq!(found.outcome, Outcome::Partial { first_failed: 1 });
    assert!(found.state.is_some());
}

fn expected() -> impl Strategy<Value = Expected> {
    (any::<bool>(), any::<bool>()).prop_map(|(reports_failures, needs_state)| Expected {
        reports_failures,
        needs_state,
        is_queue: false,
    })
}

/// Pieces of answers in any order: nearer to JSON than arbitrary bytes.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"batchItemFailures\"",
        "\"itemIdentifier\"",
        "\"state\"",
        "\"10\"",
        "\"30\"",
        "10",
        "null",
        "true",
        "\"",
        "\\",
        "\\u00",
        " ",
        "é",
    ]);
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

fn check(body: &[u8], expected: Expected) {
    let found = answer(body, expected);
    let value = serde_json::from_slice::<serde_json::Value>(body);
    if let Some(state) = found.state {
        let text = &body[state];
        let value = value.expect("an answer with a state is JSON");
        let state: serde_json::Value = serde_json::from_slice(text).expect("a state is JSON");
        assert_eq!(Some(&state), value.get("state"));
    } else if expected.needs_state {
        assert_eq!(found.outcome, Outcome::Rejected);
    }
    if let Outcome::Partial { first_failed } = found.outcome {
        assert!(expected.reports_failures && (first_failed as usize) < batch().len());
    }
}

proptest! {
    #[test]
    fn any_bytes_have_an_outcome(body in any::<Vec<u8>>(), expected in expected()) {
        check(&body, expected);
    }

    #[test]
    fn any_pieces_have_an_outcome(body in pieces(), expected in expected()) {
        check(body.as_bytes(), expected);
    }

    #[test]
    fn the_lowest_of_any_known_identifiers_counts(
        indices in prop::collection::vec(0usize..4, 1..6), state in "[a-z\"\\\\ ]{0,8}",
    ) {
        let batch = batch();
        let entries: Vec<_> = indices
            .iter()
            .map(|&index| serde_json::json!({"itemIdentifier": batch[index].meta.seq.to_string()}))
            .collect();
        let body = serde_json::json!({"batchItemFailures": entries, "state": {"text": state}}).to_string();
        let lowest = indices.iter().map(|&index| index_of(&batch, &batch[index].meta.seq.to_string())).min();
        let lowest = lowest.flatten().expect("a known identifier");
        let found = answer(body.as_bytes(), BOTH);
        prop_assert_eq!(found.outcome, Outcome::Partial { first_failed: lowest });
        let text = found.state.map(|state| body[state].to_owned());
        prop_assert_eq!(text, Some(serde_json::json!({"text": state}).to_string()));
    }
}

/// Messages `a`, `b` and `c`.
fn queue(body: &str, reports_failures: bool) -> QueueAnswer {
    read_queue(body.as_bytes(), reports_failures, |identifier| {
        ["a", "b", "c"]
            .iter()
            .position(|id| *id == identifier)
            .map(|index| index as u32)
    })
}

fn reported(entries: &str) -> QueueAnswer {
    queue(&format!(r#"{{"batchItemFailures":[{entries}]}}"#), true)
}

#[test]
fn sqs_partial_answers() {
    let all = QueueAnswer::All(Outcome::Success);
    let none = QueueAnswer::All(Outcome::Rejected);
    for body in [
        "",
        "null",
        "{}",
        "[]",
        r#""""#,
        r#"{"batchItemFailures":null}"#,
        r#"{"batchItemFailures":[]}"#,
        r#"{"other":[{"itemIdentifier":"a"}]}"#,
    ] {
        assert_eq!(queue(body, true), all, "{body}");
    }
    assert_eq!(
        reported(r#"{"itemIdentifier":"c"},{"itemIdentifier":"a"},{"itemIdentifier":"c"}"#),
        QueueAnswer::Failed(vec![0, 2])
    );
    for entries in [
        r#"{"foo":"notvalid"}"#,
        r#"{"itemIdentifier":"unknown"}"#,
        r#"{"itemIdentifier":""}"#,
        r#"{"itemIdentifier":null}"#,
        r#"{"itemIdentifier":7}"#,
        r#"{"itemIdentifier":"a"},{"itemIdentifier":"unknown"}"#,
        r#"{"itemIdentifier":["a"]}"#,
        r#""a""#,
        "7",
        "null",
    ] {
        assert_eq!(reported(entries), none, "{entries}");
    }
    for list in [r#""a""#, "7", "{}", "true"] {
        let body = format!("{{\"batchItemFailures\":{list}}}");
        assert_eq!(queue(&body, true), none, "{body}");
    }
    assert_eq!(queue("{\"batchItemFailures\":", true), none);
    assert_eq!(queue(r#"{"batchItemFailures":[{"foo":1}]}"#, false), all);
}

#[test]
fn sqs_partial_empty_entry() {
    assert_eq!(reported("{}"), QueueAnswer::All(Outcome::Success));
    let with_another = r#"{},{"itemIdentifier":"b"}"#;
    assert_eq!(reported(with_another), QueueAnswer::Failed(vec![1]));
}

/// A key that is given twice counts as it is given last, in queues as in streams: what the first one named did not fail.
#[test]
fn what_is_named_by_an_earlier_key_of_the_same_name_did_not_fail() {
    let index_of = |identifier: &str| identifier.parse().ok();
    for body in [
        r#"{"batchItemFailures":[{"itemIdentifier":"1","itemIdentifier":"2"}]}"#,
        r#"{"batchItemFailures":[{"itemIdentifier":"1"}],"batchItemFailures":[{"itemIdentifier":"2"}]}"#,
    ] {
        let found = read_queue(body.as_bytes(), true, index_of);
        assert_eq!(found, QueueAnswer::Failed(vec![2]), "{body}");
        let expected = Expected {
            reports_failures: true,
            ..Expected::default()
        };
        let outcome = read(body.as_bytes(), expected, index_of).outcome;
        assert_eq!(outcome, Outcome::Partial { first_failed: 2 }, "{body}");
    }
}
