//! What files may say and this version cannot carry out yet. Delete a row when its work is done.

use super::diagnostic::Diagnostic;
use crate::engine::{MappingConfig, SourceKind};
use std::ops::Range;

/// A parameter of mappings, how to tell that it is in use, and what to do meanwhile.
pub(crate) struct MappingRow {
    pub(crate) parameter: &'static str,
    pub(crate) in_use: fn(&MappingConfig) -> bool,
    pub(crate) advice: &'static str,
}

pub(crate) const MAPPING: [MappingRow; 2] = [
    MappingRow {
        parameter: "FunctionResponseTypes",
        in_use: |config| config.report_batch_item_failures && !config.source.is_stream(),
        advice: "remove it, or use a smaller BatchSize",
    },
    MappingRow {
        parameter: "FilterCriteria",
        in_use: |config| !config.filters.is_empty(),
        advice: "remove it, and lower the source's rate by what the filters would drop",
    },
];

/// Sources that can be used.
pub(crate) const SOURCES: [SourceKind; 2] = [SourceKind::Kinesis, SourceKind::Sqs];

/// Sources that scenarios can model.
pub(crate) const MODELS: [SourceKind; 3] =
    [SourceKind::Kinesis, SourceKind::DynamoDb, SourceKind::Sqs];

/// Keys of functions that cannot be used, with what to do meanwhile.
pub(crate) const FUNCTION_KEYS: [(&str, &str); 3] = [
    ("alias", "remove it; calls then go to the function itself"),
    (
        "provisioned_concurrency",
        "remove it, or shorten `init` to see the effect of warm environments",
    ),
    ("autoscaling", "remove it"),
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
