//! What files may say and this version cannot carry out yet. Delete a row when its work is done.

use super::diagnostic::Diagnostic;
use crate::engine::SourceKind;
use std::ops::Range;

/// Sources behind an ARN that the poller can read.
pub(crate) const POLLED: [SourceKind; 6] = [
    SourceKind::Kinesis,
    SourceKind::DynamoDb,
    SourceKind::Sqs,
    SourceKind::SqsFifo,
    // Any broker's ARN: which engine it is comes later.
    SourceKind::ActiveMq,
    SourceKind::Msk,
];

/// Sources that the poller can make up.
pub(crate) const SOURCES: [SourceKind; 3] =
    [SourceKind::Kinesis, SourceKind::Sqs, SourceKind::SqsFifo];

/// Sources that scenarios can model.
pub(crate) const MODELS: [SourceKind; 8] = [
    SourceKind::Kinesis,
    SourceKind::DynamoDb,
    SourceKind::Sqs,
    SourceKind::SqsFifo,
    SourceKind::RabbitMq,
    SourceKind::ActiveMq,
    SourceKind::Msk,
    SourceKind::SelfManagedKafka,
];

/// A finding that names what is missing and what to do.
pub(crate) fn not_yet(what: &str, span: &Range<usize>, advice: &str) -> Diagnostic {
    Diagnostic::new(
        "not-available-yet",
        format!("{what} is not available in this version"),
    )
    .at(span)
    .label("not available yet")
    .help(advice)
}
