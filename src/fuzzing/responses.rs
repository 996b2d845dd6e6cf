//! What functions answer.

use super::script::Script;
use crate::engine::Outcome;
use crate::engine::response::{Answer, Expected, QueueAnswer, read, read_kafka, read_queue};
use crate::scenario::ErrorSign;
use crate::target::judge;
use serde_json::Value;

/// Records of the batch that an answer speaks of; their identifiers are their indices.
const BATCH: u32 = 8;

/// A status, what is around the body, and the body.
///
/// It means the same each time; what it means to mappings of every kind of source is what a plain reading of the JSON
/// tree says, wherever the answer is JSON for a parser of trees.
pub fn response(bytes: &[u8]) {
    let mut script = Script(bytes);
    let flags = script.byte();
    let status = u16::from(script.byte()) * 4;
    let body = script.0;
    for sign in [ErrorSign::Header, ErrorSign::Body, ErrorSign::Status] {
        let answer = judge::Answer {
            status,
            error_header: flags & 1 == 1,
            retry_after: (flags & 2 == 2).then_some("7"),
            body,
        };
        assert_eq!(judge::judge(sign, &answer), judge::judge(sign, &answer));
    }
    assert!(judge::excerpt(body).chars().count() <= 300);

    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
    let tree = match body.iter().all(is_blank) {
        true => Some(Value::Null),
        false => serde_json::from_slice(body).ok(),
    };
    for reports_failures in [false, true] {
        for needs_state in [false, true] {
            let expected = Expected {
                reports_failures,
                needs_state,
                is_queue: false,
            };
            let found = read(body, expected, index);
            assert_eq!(found, read(body, expected, index), "read twice");
            check_stream(body, expected, &found, tree.as_ref());
        }
        let queue = read_queue(body, reports_failures, index);
        let kafka = read_kafka(body, reports_failures, |partition, offset| {
            (partition == "t-0").then(|| index(&offset.to_string()))?
        });
        if let Some(tree) = &tree {
            let naive = |named: fn(&Value) -> Option<u32>, is_queue| match reports_failures {
                true => all_failed(failed(tree, named, is_queue)),
                false => QueueAnswer::All(Outcome::Success),
            };
            assert_eq!(queue, naive(of_text, true), "{tree}");
            assert_eq!(kafka, naive(of_offset, false), "{tree}");
        }
    }
}

fn index(identifier: &str) -> Option<u32> {
    (0..BATCH).find(|index| index.to_string() == identifier)
}

fn check_stream(body: &[u8], expected: Expected, found: &Answer, tree: Option<&Value>) {
    let is_read = expected.reports_failures || expected.needs_state;
    let state = found.state.as_ref().map(|range| {
        let state = body.get(range.clone());
        assert!(state.is_some(), "the state is outside of the answer");
        serde_json::from_slice::<Value>(state.unwrap_or_default()).ok()
    });
    assert!(state.is_none() || expected.needs_state, "nobody asked");
    let Some(tree) = tree else {
        return;
    };
    let named = match expected.reports_failures {
        true => failed(tree, of_text, false),
        // What is no object, and not nothing, has no state either.
        false => Some(Vec::new()),
    };
    let carried = tree.get("state").filter(|state| state.is_object());
    let outcome = match (named, carried) {
        _ if !is_read => Outcome::Success,
        (_, None) if expected.needs_state => Outcome::Rejected,
        (None, _) => Outcome::Rejected,
        (Some(failed), _) => match failed.iter().min() {
            Some(first) => Outcome::Partial {
                first_failed: *first,
            },
            None => Outcome::Success,
        },
    };
    assert_eq!(found.outcome, outcome, "{tree} to {expected:?}");
    if let Some(state) = state {
        assert_eq!(state.as_ref(), carried, "{tree}");
    }
}

fn all_failed(failed: Option<Vec<u32>>) -> QueueAnswer {
    match failed {
        None => QueueAnswer::All(Outcome::Rejected),
        Some(failed) if failed.is_empty() => QueueAnswer::All(Outcome::Success),
        Some(mut failed) => {
            failed.sort_unstable();
            failed.dedup();
            QueueAnswer::Failed(failed)
        }
    }
}

/// The records that an answer names, or `None` where it makes no sense.
fn failed(tree: &Value, named: fn(&Value) -> Option<u32>, is_queue: bool) -> Option<Vec<u32>> {
    let object = match tree {
        nothing if is_nothing(nothing) => return Some(Vec::new()),
        Value::Array(list) if list.is_empty() => return Some(Vec::new()),
        Value::Object(object) => object,
        _ => return None,
    };
    let entries = match object.get("batchItemFailures") {
        None => return Some(Vec::new()),
        Some(nothing) if is_nothing(nothing) => return Some(Vec::new()),
        Some(Value::Array(entries)) => entries,
        Some(_) => return None,
    };
    let is_empty = |entry: &&Value| entry.as_object().is_some_and(serde_json::Map::is_empty);
    entries
        .iter()
        .filter(|entry| !(is_queue && is_empty(entry)))
        .map(|entry| named(entry.as_object()?.get("itemIdentifier")?))
        .collect()
}

fn is_nothing(value: &Value) -> bool {
    value.is_null() || value == ""
}

fn of_text(identifier: &Value) -> Option<u32> {
    index(identifier.as_str()?)
}

fn of_offset(identifier: &Value) -> Option<u32> {
    let partition = identifier.get("partition")?.as_str()?;
    let offset = identifier.get("offset")?.as_u64()?;
    (partition == "t-0").then(|| index(&offset.to_string()))?
}
