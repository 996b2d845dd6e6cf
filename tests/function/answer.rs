//! What the function answers when it does not fail.

use crate::event::{Verdict, record_verdict, records};
use serde_json::{Value, json};

/// The answer to an event: failed records by their sequence numbers, and the count of a window.
///
/// With `reports`, poison records are reported. The state counts the records up to the first that is; a window starts
/// with `{}`.
pub(crate) fn answer(event: &Value, reports: bool) -> Value {
    let is_poison = |record: &&Value| reports && record_verdict(record) == Verdict::Fail;
    let failures: Vec<Value> = records(event)
        .filter(is_poison)
        .map(|record| json!({ "itemIdentifier": identifier(record) }))
        .collect();
    let done = records(event)
        .take_while(|record| !is_poison(record))
        .count() as u64;
    let mut answer = json!({ "batchItemFailures": failures });
    if let Some(state) = event.get("state") {
        let before = state.get("count").and_then(Value::as_u64).unwrap_or(0);
        answer["state"] = json!({ "count": before + done });
    }
    answer
}

fn identifier(record: &Value) -> Value {
    if let (Some(topic), Some(partition)) = (record["topic"].as_str(), record.get("partition")) {
        return json!({ "partition": format!("{topic}-{partition}"), "offset": record["offset"] });
    }
    let places = [
        "/kinesis/sequenceNumber",
        "/dynamodb/SequenceNumber",
        "/messageId",
    ];
    let mut found = places.iter().filter_map(|place| record.pointer(place));
    found.next().cloned().unwrap_or_default()
}
