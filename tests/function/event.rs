//! What the function looks for in an event, apart from running it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// What a record asks the function to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verdict {
    Succeed,
    Fail,
    Crash,
}

/// The worst that any record of the event asks for. An event without records asks for nothing.
pub(crate) fn verdict(event: &Value) -> Verdict {
    records(event)
        .map(record_verdict)
        .max()
        .unwrap_or(Verdict::Succeed)
}

/// The records of an event: a list, or lists by queue (RabbitMQ) or partition (Kafka).
pub(crate) fn records(event: &Value) -> impl Iterator<Item = &Value> {
    let list = event.get("Records").or(event.get("messages"));
    let lists = event.get("rmqMessagesByQueue").or(event.get("records"));
    let lists = lists.and_then(Value::as_object).into_iter();
    let in_lists = lists.flat_map(|lists| lists.values());
    let all = list.into_iter().chain(in_lists);
    all.filter_map(Value::as_array).flatten()
}

pub(crate) fn record_verdict(record: &Value) -> Verdict {
    let Some(text) = payload(record) else {
        return Verdict::Succeed;
    };
    if text.contains("crash") {
        Verdict::Crash
    } else if text.contains("poison") {
        Verdict::Fail
    } else {
        Verdict::Succeed
    }
}

/// The text of an SQS body, of Kinesis data, of a Kafka value or of a broker's message, or all of a DynamoDB change; bytes that are no text are shown as far as they
/// are.
fn payload(record: &Value) -> Option<String> {
    if let Some(body) = record.get("body").and_then(Value::as_str) {
        return Some(body.to_owned());
    }
    if let Some(change) = record.get("dynamodb") {
        return Some(change.to_string());
    }
    let places = [
        record.pointer("/kinesis/data"),
        record.get("value"),
        record.get("data"),
    ];
    let data = places.into_iter().flatten().next();
    let data = data.and_then(Value::as_str)?;
    let bytes = STANDARD.decode(data).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// One line of the log, its line break included.
pub(crate) fn log_line(request_id: &str, unix_ms: u64, event: &Value) -> Vec<u8> {
    let line = serde_json::json!({
        "requestId": request_id,
        "unixMs": unix_ms,
        "event": event,
    });
    let mut bytes = line.to_string().into_bytes();
    bytes.push(b'\n');
    bytes
}
