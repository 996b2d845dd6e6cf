//! Every rule about filters, with its evidence.

use crate::engine::config::{Evidence, Rule};
use Evidence::{Documented, Guessed, Recorded};

const fn rule(id: &'static str, evidence: Evidence, text: &'static str) -> Rule {
    Rule { id, text, evidence }
}

/// Rules about patterns first, in the order in which they are applied, then those about records.
pub const RULES: &[Rule] = &[
    rule("filter-source", Documented, "DocumentDB has no filters"),
    rule(
        "filter-count",
        Documented,
        "a mapping has at most 5 filters, or 10 after a quota increase",
    ),
    rule(
        "filter-length",
        Documented,
        "a pattern has at most 4,096 characters",
    ),
    rule("filter-json", Recorded, "a pattern is one JSON object"),
    rule("filter-depth", Guessed, "a pattern has at most 64 levels"),
    rule(
        "filter-duplicate-key",
        Guessed,
        "an object of a pattern names a key once",
    ),
    rule(
        "filter-object-not-empty",
        Guessed,
        "an object of a pattern names at least one key",
    ),
    rule(
        "filter-leaf-is-array",
        Recorded,
        "a leaf of a pattern is a list, also for one alternative",
    ),
    rule(
        "filter-leaf-not-empty",
        Recorded,
        "a leaf has at least one alternative",
    ),
    rule(
        "filter-alternative-form",
        Guessed,
        "an alternative is a string, number, boolean, null or a match expression with one operator",
    ),
    rule(
        "filter-operator-unknown",
        Guessed,
        "an operator is one of those that exist",
    ),
    rule(
        "filter-operator-unavailable",
        Documented,
        "wildcard, cidr, and affixes or anything-but around another operator are for EventBridge rules only",
    ),
    rule(
        "filter-operand",
        Guessed,
        "an operator takes operands of its own kind",
    ),
    rule(
        "filter-numeric-form",
        Guessed,
        "numeric takes one comparison, or a lower and then a higher limit",
    ),
    rule(
        "filter-numeric-bounds",
        Documented,
        "numeric compares with numbers from -5e9 to 5e9",
    ),
    rule(
        "filter-or-branches",
        Guessed,
        "$or has a list of at least two patterns",
    ),
    rule(
        "filter-data-plain",
        Documented,
        "on Kinesis and DynamoDB the data cannot be compared as a whole",
    ),
    rule(
        "filter-or-across-filters",
        Recorded,
        "a record passes if one filter matches, or there is none",
    ),
    rule(
        "filter-and-within-filter",
        Recorded,
        "a filter matches if all of its keys do",
    ),
    rule(
        "filter-or-list",
        Recorded,
        "a leaf matches if one of its alternatives does",
    ),
    rule(
        "filter-or-operator",
        Documented,
        "$or matches if one of its branches does",
    ),
    rule(
        "filter-data-key",
        Documented,
        "the data is `data` on Kinesis and Amazon MQ, `dynamodb` on DynamoDB, `body` on SQS, `value` on Kafka",
    ),
    rule(
        "filter-any-metadata",
        Recorded,
        "any key of the record can be filtered on, not only the data",
    ),
    rule(
        "filter-kinesis-metadata",
        Guessed,
        "on Kinesis partitionKey and its neighbours may be named with or without `kinesis` around them",
    ),
    rule(
        "filter-equals-exact",
        Documented,
        "strings are equal if every character is; null and \"\" are values",
    ),
    rule(
        "filter-escapes",
        Guessed,
        "a character equals its escaped form",
    ),
    rule(
        "filter-ignore-case",
        Documented,
        "equals-ignore-case compares characters in lower case",
    ),
    rule(
        "filter-affix",
        Documented,
        "prefix and suffix compare strings only",
    ),
    rule(
        "filter-number-text",
        Documented,
        "equality of numbers is equality of their texts: 300 is not 300.0",
    ),
    rule(
        "filter-numeric-parses",
        Recorded,
        "numeric compares the values of JSON numbers, never of strings",
    ),
    rule(
        "filter-anything-but",
        Documented,
        "anything-but needs a value, which none of the operands equals",
    ),
    rule(
        "filter-exists-leaf",
        Recorded,
        "exists knows plain values only: an object counts as absent",
    ),
    rule(
        "filter-exists-anywhere",
        Guessed,
        "exists false holds if no element of the record has the key",
    ),
    rule(
        "filter-array-any",
        Documented,
        "a list in a record matches if one of its elements does",
    ),
    rule(
        "filter-array-element",
        Guessed,
        "keys of one object in a pattern must match within one element of a list",
    ),
    rule(
        "filter-mismatch-stream",
        Documented,
        "on streams data that is not JSON is dropped by a pattern for it",
    ),
    rule(
        "filter-mismatch-sqs",
        Documented,
        "on SQS a body is dropped if it is JSON and the pattern is for text, or the other way round",
    ),
    rule(
        "filter-mismatch-broker",
        Documented,
        "on Kafka and Amazon MQ the data part is ignored if the data is not in its format or not UTF-8",
    ),
    rule(
        "filter-plain-text",
        Guessed,
        "data is JSON if it is an object or a list, else plain text",
    ),
    rule(
        "filter-record-malformed",
        Recorded,
        "data that is not well-formed JSON is plain text",
    ),
    rule(
        "filter-record-depth",
        Guessed,
        "a record with more than 128 levels is not JSON",
    ),
    rule(
        "filter-record-duplicate-key",
        Guessed,
        "a key given twice in a record counts like a list of both values",
    ),
];
