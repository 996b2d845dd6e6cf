//! JSON that is nested a hundred thousand times, wherever JSON is read, is an error and no stack that overflows.

use tidegate::engine::filter::{Filters, Verdict, View};
use tidegate::engine::response::{Expected, QueueAnswer, read, read_kafka, read_queue};
use tidegate::engine::{Outcome, SourceKind};
use tidegate::scenario::{SourceText, parse, parse_poller};

const LEVELS: usize = 100_000;

/// Lists, objects, and both in turn, closed and left open.
fn nested() -> Vec<String> {
    let kinds = [("[", "]"), (r#"{"a":"#, "}"), (r#"[{"a":"#, "}]")];
    let whole = kinds.map(|(open, close)| open.repeat(LEVELS) + "1" + &close.repeat(LEVELS));
    let broken = kinds.map(|(open, _)| open.repeat(LEVELS));
    [whole, broken].concat()
}

/// Runs with a stack of the size that threads of the poller have.
fn on_a_usual_stack(test: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(2 << 20).spawn(test);
    thread.expect("a thread").join().expect("no panic");
}

#[test]
fn nested_records_match_nothing_and_nested_patterns_are_refused() {
    on_a_usual_stack(|| {
        for (_, source) in SourceKind::ALL {
            for text in nested() {
                for pattern in [text.clone(), format!(r#"{{"data":{text}}}"#)] {
                    assert!(Filters::compile(source, &[&pattern]).is_err());
                }
            }
        }
        let of = |source, pattern| Filters::compile(source, &[pattern]).expect("a good pattern");
        let data = of(SourceKind::Kinesis, r#"{"data":{"a":[1]}}"#);
        let all = of(SourceKind::DynamoDb, r#"{"a":{"a":[{"exists":true}]}}"#);
        let body = of(SourceKind::Sqs, r#"{"body":{"a":[1]}}"#);
        for text in nested() {
            let view = View {
                metadata: b"{}",
                data: Some(text.as_bytes()),
            };
            assert_eq!(data.matches(&view), Verdict::OtherFormat);
            assert_eq!(body.matches(&view), Verdict::OtherFormat);
            let view = View {
                metadata: text.as_bytes(),
                data: None,
            };
            assert_eq!(all.matches(&view), Verdict::NoMatch);
        }
    });
}

#[test]
fn nested_answers_fail_their_batch() {
    on_a_usual_stack(|| {
        let mut bodies = nested();
        for key in ["state", "batchItemFailures", "other"] {
            bodies.extend(nested().iter().map(|text| format!(r#"{{"{key}":{text}}}"#)));
        }
        for entry in ["itemIdentifier", "other"] {
            bodies.extend(
                nested()
                    .iter()
                    .map(|text| format!(r#"{{"batchItemFailures":[{{"{entry}":{text}}}]}}"#)),
            );
        }
        for body in bodies {
            let body = body.as_bytes();
            for (reports_failures, needs_state) in [(true, false), (false, true), (true, true)] {
                let expected = Expected {
                    reports_failures,
                    needs_state,
                    is_queue: false,
                };
                let answer = read(body, expected, |_| Some(0));
                assert_eq!(answer.outcome, Outcome::Rejected);
            }
            let rejected = QueueAnswer::All(Outcome::Rejected);
            assert_eq!(read_queue(body, true, |_| Some(0)), rejected);
            assert_eq!(read_kafka(body, true, |_, _| Some(0)), rejected);
        }
    });
}

#[test]
fn nested_files_are_refused() {
    on_a_usual_stack(|| {
        let mut texts: Vec<(&str, String)> = Vec::new();
        for text in nested() {
            texts.push(("x.json", text.clone()));
            texts.push(("x.yaml", text.clone()));
            texts.push(("x.toml", format!("a = {text}")));
        }
        let dots = "a.".repeat(LEVELS);
        texts.push(("x.toml", format!("{dots}a = 1")));
        texts.push(("x.toml", format!("[{dots}a]")));
        texts.push(("x.toml", format!("[[{dots}a]]")));
        texts.push((
            "x.toml",
            format!("a = {}1{}", "{a=".repeat(LEVELS), "}".repeat(LEVELS)),
        ));
        texts.push(("x.yaml", "- ".repeat(LEVELS)));
        texts.push(("x.yaml", "? ".repeat(LEVELS)));
        let steps = (0..3_000).map(|level| " ".repeat(level) + "a:\n");
        texts.push(("x.yaml", steps.collect()));
        for (path, text) in texts {
            let source = SourceText::new(path, text);
            let errors = [
                parse(source.clone()).expect_err("no scenario"),
                parse_poller(source).expect_err("no poller file"),
            ];
            for error in errors {
                assert!(error.render(false).len() < 10_000);
            }
        }
    });
}
