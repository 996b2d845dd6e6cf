//! Records of DynamoDB streams as functions see them.

use super::{push_base64, push_decimal, push_text, template};
use aws_sdk_dynamodbstreams::types::{AttributeValue, Identity, Record, StreamRecord};
use std::collections::HashMap;

/// An attribute value of a type that came after this version: writing the record without it would change the item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an attribute has a type that this version does not know")]
pub struct UnknownType;

/// What all records of a stream have in common, escaped once.
#[derive(Clone, Debug)]
pub struct DynamoDbShape {
    /// The Region of the stream, for records that do not name theirs.
    region: Box<str>,
    /// From the end of the last varying field to the end of the record.
    tail: Box<[u8]>,
}

type Item = HashMap<String, AttributeValue>;

impl DynamoDbShape {
    /// The shape of the records of the stream `arn` in `region`.
    pub fn new(region: &str, arn: &str) -> Self {
        Self {
            region: Box::from(region),
            tail: template(&[",\"eventSourceARN\":\"", "\"}"], &[arn]),
        }
    }

    /// Appends a record: rule `dynamodb-event-shape`. Fields are in AWS's order, and attributes in the order of their
    /// names, because the service keeps none.
    ///
    /// # Errors
    /// When an attribute has an unknown type; what was appended by then is no record.
    pub fn encode(&self, out: &mut Vec<u8>, record: &Record) -> Result<(), UnknownType> {
        out.push(b'{');
        text(out, "eventID", record.event_id());
        text(
            out,
            "eventName",
            record.event_name().map(|name| name.as_str()),
        );
        text(
            out,
            "eventVersion",
            Some(record.event_version().unwrap_or("1.1")),
        );
        text(
            out,
            "eventSource",
            Some(record.event_source().unwrap_or("aws:dynamodb")),
        );
        let region = record.aws_region().unwrap_or(&self.region);
        text(out, "awsRegion", Some(region));
        if let Some(change) = record.dynamodb() {
            field(out, "dynamodb");
            push_change(out, change)?;
        }
        if let Some(identity) = record.user_identity() {
            field(out, "userIdentity");
            push_identity(out, identity);
        }
        out.extend_from_slice(&self.tail);
        Ok(())
    }
}

/// Appends the key of the record's item in a form that depends on nothing but the key.
///
/// # Errors
/// When an attribute has an unknown type.
pub fn item_key(out: &mut Vec<u8>, record: &Record) -> Result<(), UnknownType> {
    match record.dynamodb().and_then(StreamRecord::keys) {
        Some(keys) => push_item(out, keys),
        None => Ok(()),
    }
}

fn push_change(out: &mut Vec<u8>, change: &StreamRecord) -> Result<(), UnknownType> {
    out.push(b'{');
    if let Some(created) = change.approximate_creation_date_time() {
        field(out, "ApproximateCreationDateTime");
        push_seconds(out, u64::try_from(created.secs()).unwrap_or(0));
    }
    for (name, item) in [
        ("Keys", change.keys()),
        ("NewImage", change.new_image()),
        ("OldImage", change.old_image()),
    ] {
        if let Some(item) = item {
            field(out, name);
            push_item(out, item)?;
        }
    }
    text(out, "SequenceNumber", change.sequence_number());
    if let Some(size) = change.size_bytes() {
        field(out, "SizeBytes");
        push_decimal(out, u64::try_from(size).unwrap_or(0));
    }
    let view = change.stream_view_type().map(|view| view.as_str());
    text(out, "StreamViewType", view);
    out.push(b'}');
    Ok(())
}

fn push_identity(out: &mut Vec<u8>, identity: &Identity) {
    out.push(b'{');
    text(out, "type", identity.r#type());
    text(out, "principalId", identity.principal_id());
    out.push(b'}');
}

#[expect(
    clippy::disallowed_methods,
    reason = "the attributes are sorted right after"
)]
fn push_item(out: &mut Vec<u8>, item: &Item) -> Result<(), UnknownType> {
    let mut attributes: Vec<(&String, &AttributeValue)> = item.iter().collect();
    attributes.sort_unstable_by_key(|(name, _)| *name);
    out.push(b'{');
    for (index, (name, value)) in attributes.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        quoted(out, name);
        out.push(b':');
        push_value(out, value)?;
    }
    out.push(b'}');
    Ok(())
}

/// A value is an object with one key, which names its type.
fn push_value(out: &mut Vec<u8>, value: &AttributeValue) -> Result<(), UnknownType> {
    use AttributeValue as Value;
    let mut typed = |name: &str| {
        out.push(b'{');
        field(out, name);
    };
    match value {
        Value::S(text) => {
            typed("S");
            quoted(out, text);
        }
        // Numbers are texts in JSON: a double could not hold their 38 digits.
        Value::N(number) => {
            typed("N");
            quoted(out, number);
        }
        Value::B(bytes) => {
            typed("B");
            quoted_base64(out, bytes.as_ref());
        }
        Value::Bool(is) => {
            typed("BOOL");
            boolean(out, *is);
        }
        Value::Null(is) => {
            typed("NULL");
            boolean(out, *is);
        }
        Value::Ss(texts) => {
            typed("SS");
            list(out, texts, |out, text| quoted(out, text));
        }
        Value::Ns(numbers) => {
            typed("NS");
            list(out, numbers, |out, number| quoted(out, number));
        }
        Value::Bs(all) => {
            typed("BS");
            list(out, all, |out, bytes| quoted_base64(out, bytes.as_ref()));
        }
        Value::L(values) => {
            typed("L");
            let mut result = Ok(());
            list(out, values, |out, value| {
                result = result.and_then(|()| push_value(out, value));
            });
            result?;
        }
        Value::M(item) => {
            typed("M");
            push_item(out, item)?;
        }
        _ => return Err(UnknownType),
    }
    out.push(b'}');
    Ok(())
}

/// Appends the comma that a further field of an object needs, and its name.
fn field(out: &mut Vec<u8>, name: &str) {
    if out.last() != Some(&b'{') {
        out.push(b',');
    }
    quoted(out, name);
    out.push(b':');
}

fn text(out: &mut Vec<u8>, name: &str, value: Option<&str>) {
    if let Some(value) = value {
        field(out, name);
        quoted(out, value);
    }
}

fn quoted(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    push_text(out, text);
    out.push(b'"');
}

fn quoted_base64(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    push_base64(out, bytes);
    out.push(b'"');
}

fn boolean(out: &mut Vec<u8>, is: bool) {
    out.extend_from_slice(if is { b"true" } else { b"false" });
}

fn list<T>(out: &mut Vec<u8>, elements: &[T], mut push: impl FnMut(&mut Vec<u8>, &T)) {
    out.push(b'[');
    for (index, element) in elements.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        push(out, element);
    }
    out.push(b']');
}

/// Whole seconds as AWS writes them (rule `dynamodb-whole-seconds`): a floating-point number, from ten million on with
/// an exponent (`1.789651658E9`), which is how Java shows a `double`.
fn push_seconds(out: &mut Vec<u8>, secs: u64) {
    const EXPONENT_FROM: u64 = 10_000_000;
    if secs < EXPONENT_FROM {
        push_decimal(out, secs);
        out.extend_from_slice(b".0");
        return;
    }
    let start = out.len();
    push_decimal(out, secs);
    let exponent = out.len() - start - 1;
    while out.len() > start + 2 && out.last() == Some(&b'0') {
        out.pop();
    }
    out.insert(start + 1, b'.');
    out.push(b'E');
    push_decimal(out, exponent as u64);
}

#[cfg(test)]
#[path = "dynamodb_tests.rs"]
mod tests;
