//! What differs between sources: where the data of a record is, and what becomes of data in another format.

use super::error::Fault;
use super::pattern::{Field, Shape, What};
use crate::engine::SourceKind;

/// What becomes of a record whose data has not the format that a pattern expects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mismatch {
    /// Rules `filter-mismatch-stream` and `filter-mismatch-sqs`: the pattern does not match.
    Drop,
    /// Rule `filter-mismatch-broker`: the data part counts as fulfilled, and the metadata part decides.
    Ignore,
}

/// The pattern key of data that is given apart from the metadata (rule `filter-data-key`).
///
/// DynamoDB's `dynamodb` is part of the record's own JSON. DocumentDB has no filters at all.
pub(super) const fn data_key(source: SourceKind) -> Option<&'static str> {
    match source {
        SourceKind::Kinesis | SourceKind::ActiveMq | SourceKind::RabbitMq => Some("data"),
        SourceKind::Sqs | SourceKind::SqsFifo => Some("body"),
        SourceKind::Msk | SourceKind::SelfManagedKafka => Some("value"),
        SourceKind::DynamoDb | SourceKind::DocumentDb => None,
    }
}

pub(super) const fn mismatch(source: SourceKind) -> Mismatch {
    match source {
        SourceKind::Kinesis
        | SourceKind::DynamoDb
        | SourceKind::Sqs
        | SourceKind::SqsFifo
        | SourceKind::DocumentDb => Mismatch::Drop,
        SourceKind::Msk
        | SourceKind::SelfManagedKafka
        | SourceKind::ActiveMq
        | SourceKind::RabbitMq => Mismatch::Ignore,
    }
}

/// Rule `filter-data-plain`: streams hold JSON, so a list for their data as a whole is refused.
pub(super) fn refuse_plain(source: SourceKind, shape: &Shape, faults: &mut Vec<Fault>) {
    let key = match source {
        SourceKind::Kinesis => "data",
        SourceKind::DynamoDb => "dynamodb",
        SourceKind::Sqs
        | SourceKind::SqsFifo
        | SourceKind::Msk
        | SourceKind::SelfManagedKafka
        | SourceKind::ActiveMq
        | SourceKind::RabbitMq
        | SourceKind::DocumentDb => return,
    };
    for field in &shape.fields {
        if field.key == key && matches!(field.what, What::Leaf(_)) {
            faults.push(Fault::new(
                field.span.clone(),
                "filter-data-plain",
                format!("`{key}` is compared as a whole"),
                format!("an object that names keys of the JSON data, such as {{\"{key}\": {{\"kind\": [\"order\"]}}}}"),
            ));
        }
    }
    for branch in shape.choices.iter().flatten() {
        refuse_plain(source, branch, faults);
    }
}

/// Keys that a Kinesis record has inside of its `kinesis` object.
const INSIDE_KINESIS: [&str; 5] = [
    "approximateArrivalTimestamp",
    "encryptionType",
    "kinesisSchemaVersion",
    "partitionKey",
    "sequenceNumber",
];

/// Rule `filter-kinesis-metadata`: `partitionKey` and its neighbours may be named without `kinesis` around them.
pub(super) fn complete(source: SourceKind, shape: &mut Shape) {
    if source != SourceKind::Kinesis {
        return;
    }
    for field in &mut shape.fields {
        if INSIDE_KINESIS.contains(&field.key.as_str()) {
            let inner = Field {
                key: std::mem::replace(&mut field.key, "kinesis".to_owned()),
                span: field.span.clone(),
                what: std::mem::replace(&mut field.what, What::Leaf(Vec::new())),
            };
            field.what = What::Inner(Shape {
                fields: vec![inner],
                choices: Vec::new(),
            });
        }
    }
    for branch in shape.choices.iter_mut().flatten() {
        complete(source, branch);
    }
}
