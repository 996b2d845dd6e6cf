//! Rules of StartingPosition.

use super::rule::Violation;
use super::{MappingParameters, SourceKind, connection};
use crate::engine::Position;

const PARAMETER: &str = "StartingPosition";

/// Tests the starting position and gives the one to use.
pub(super) fn check(
    kind: SourceKind,
    parameters: &MappingParameters,
    found: &mut Vec<Violation>,
) -> Position {
    let timestamp = parameters.starting_position_timestamp;
    if timestamp.is_some() && parameters.starting_position.as_deref() != Some("AT_TIMESTAMP") {
        found.push(
            Violation::new(
                "StartingPositionTimestamp",
                "esm-timestamp-needs-at-timestamp",
                "a `StartingPositionTimestamp` needs `StartingPosition = \"AT_TIMESTAMP\"`",
            )
            .found("given without AT_TIMESTAMP")
            .hint("set the position to AT_TIMESTAMP, or remove the timestamp"),
        );
    }
    match parameters.starting_position.as_deref() {
        None => unset(kind, parameters, found),
        Some("TRIM_HORIZON") => Position::Horizon,
        Some("LATEST") => Position::Latest,
        Some("AT_TIMESTAMP") => at_timestamp(kind, parameters, found),
        Some(other) => {
            found.push(
                Violation::new(
                    PARAMETER,
                    "esm-starting-position-values",
                    format!("1 validation error detected: Value '{other}' at 'startingPosition' failed to satisfy constraint: Member must satisfy enum value set: [LATEST, AT_TIMESTAMP, TRIM_HORIZON]"),
                )
                .verbatim()
                .found("not a starting position")
                .allowed(allowed(kind)),
            );
            Position::Horizon
        }
    }
}

fn unset(kind: SourceKind, parameters: &MappingParameters, found: &mut Vec<Violation>) -> Position {
    // Kafka and DocumentDB have defaults: recorded, though the documentation calls it required.
    if kind.is_stream() {
        found.push(
                    Violation::new(
                        PARAMETER,
                        "esm-starting-position-required",
                        "1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: Member must not be null.",
                    )
                    .verbatim()
                    .found("this mapping has no `StartingPosition`")
                    .allowed(allowed(kind))
                    .hint("add `StartingPosition = \"TRIM_HORIZON\"` to read from the oldest record"),
                );
    }
    match kind {
        SourceKind::DocumentDb => Position::Latest,
        _ if connection::is_queue_mode(parameters) => Position::Latest,
        _ => Position::Horizon,
    }
}

fn at_timestamp(
    kind: SourceKind,
    parameters: &MappingParameters,
    found: &mut Vec<Violation>,
) -> Position {
    if kind == SourceKind::DynamoDb {
        let arn = parameters
            .event_source_arn
            .as_deref()
            .or(parameters.event_source.as_deref());
        found.push(
            Violation::new(
                PARAMETER,
                "esm-dynamodb-no-timestamp",
                format!(
                    "Unsupported starting position for arn type: {}",
                    arn.unwrap_or_default()
                ),
            )
            .verbatim()
            .found("DynamoDB streams cannot be entered at a timestamp")
            .allowed(allowed(kind)),
        );
    }
    match parameters.starting_position_timestamp {
        Some(instant) => Position::At(instant),
        None => {
            found.push(
                Violation::new(
                    PARAMETER,
                    "esm-at-timestamp-needs-timestamp",
                    "`AT_TIMESTAMP` needs a `StartingPositionTimestamp`",
                )
                .found("no timestamp is given")
                .hint("add `StartingPositionTimestamp`, or start at TRIM_HORIZON"),
            );
            Position::Horizon
        }
    }
}

const fn allowed(kind: SourceKind) -> &'static str {
    match kind {
        SourceKind::DynamoDb => "TRIM_HORIZON or LATEST",
        _ => "TRIM_HORIZON, LATEST or AT_TIMESTAMP",
    }
}
