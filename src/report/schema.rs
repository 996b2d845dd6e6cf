//! JSON Schemas (draft 2020-12) of the documents that the program writes, made from the same lists of metrics as the
//! documents themselves.

mod studies;

use crate::metrics::{
    AccountSummary, CostSummary, FunctionSummary, KafkaFigures, MappingSummary, Metric,
    VersionSummary,
};
use serde_json::{Map, Value, json};

const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

/// Name, what it is, and how its schema is made.
type Document = (&'static str, &'static str, fn() -> Value);

/// Every document that has a schema.
const DOCUMENTS: [Document; 7] = [
    (
        "summary",
        "summary.json, and what --format json prints",
        summary,
    ),
    (
        "result",
        "result.json, for `tidegate report` and `compare`",
        result,
    ),
    (
        "comparison",
        "comparison.json, and what `tidegate compare --format json` prints",
        comparison,
    ),
    (
        "sweep",
        "sweep.json, and what `tidegate sweep --format json` and `merge --format json` print",
        studies::sweep,
    ),
    (
        "shard",
        "shard-i-of-n.json of `tidegate sweep --shard`, for `merge`",
        studies::shard,
    ),
    (
        "tune",
        "what `tidegate tune --format json` prints",
        studies::tune,
    ),
    (
        "bench",
        "bench.json, and what `tidegate bench --format json` prints",
        studies::bench,
    ),
];

/// Names of documents, with what they are.
pub(super) fn names() -> impl Iterator<Item = (&'static str, &'static str)> {
    DOCUMENTS.iter().map(|(name, what, _)| (*name, *what))
}

/// The schema of a document.
pub(super) fn of(name: &str) -> Option<Value> {
    let (_, _, make) = DOCUMENTS.iter().find(|(known, ..)| *known == name)?;
    Some(make())
}

/// An object in which all of these keys are, and no others.
fn object<K: Into<String>>(keys: impl IntoIterator<Item = (K, Value)>) -> Value {
    let properties: Map<String, Value> = keys
        .into_iter()
        .map(|(key, value)| (key.into(), value))
        .collect();
    let required: Vec<String> = properties.keys().cloned().collect();
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false
    })
}

fn map(values: &Value) -> Value {
    json!({ "type": "object", "additionalProperties": values })
}

fn list(items: &Value) -> Value {
    json!({ "type": "array", "items": items })
}

fn text() -> Value {
    json!({ "type": "string" })
}

fn texts() -> Value {
    list(&text())
}

fn count() -> Value {
    json!({ "type": "integer", "minimum": 0 })
}

fn flag() -> Value {
    json!({ "type": "boolean" })
}

/// A number, or `null` where there is none.
fn real() -> Value {
    json!({ "type": ["number", "null"] })
}

fn named(name: &str) -> Value {
    json!({ "$ref": format!("#/$defs/{name}") })
}

/// Definitions that several documents share.
fn shared() -> [(&'static str, Value); 5] {
    let figures = |keys: &[&str]| object(keys.iter().map(|key| (*key, named("figure"))));
    [
        (
            "figure",
            json!({
                "description": "a number, null where there is none, or with replications their mean and its 95 % interval",
                "anyOf": [real(), object([("mean", real()), ("low", real()), ("high", real())])]
            }),
        ),
        (
            "percentiles",
            figures(&["p50", "p90", "p95", "p99", "p999", "max", "mean"]),
        ),
        ("mean_max", figures(&["mean", "max"])),
        ("backlog", figures(&["max", "end"])),
        (
            "gate",
            object([
                ("metric", text()),
                ("statistic", text()),
                ("bound", text()),
                ("value", real()),
                ("pass", flag()),
            ]),
        ),
    ]
}

fn document(title: &str, top: Value, more: Vec<(&'static str, Value)>) -> Value {
    let mut schema = Map::new();
    schema.insert("$schema".to_owned(), json!(DRAFT));
    schema.insert("title".to_owned(), json!(title));
    if let Value::Object(top) = top {
        schema.extend(top);
    }
    let definitions: Map<String, Value> = shared()
        .into_iter()
        .chain(more)
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    schema.insert("$defs".to_owned(), Value::Object(definitions));
    Value::Object(schema)
}

/// Metrics as an object: `A.B` is the key `B` of the object `A`.
fn metrics(list: &[(&'static str, Metric<'_>)]) -> Vec<(String, Value)> {
    let mut keys: Vec<(String, Value)> = Vec::new();
    let mut groups: Vec<(&str, Vec<(&str, Value)>)> = Vec::new();
    for (name, shape) in list {
        let value = named(match shape {
            Metric::Total(_) | Metric::Level(_) | Metric::Largest(_) => "figure",
            Metric::Distribution(_) => "percentiles",
            Metric::MeanMax(_) => "mean_max",
            Metric::Backlog(_) => "backlog",
        });
        match name.split_once('.') {
            None => keys.push(((*name).to_owned(), value)),
            Some((group, key)) => match groups.iter_mut().find(|(known, _)| *known == group) {
                Some((_, members)) => members.push((key, value)),
                None => groups.push((group, vec![(key, value)])),
            },
        }
    }
    let groups = groups.into_iter();
    keys.extend(groups.map(|(group, members)| (group.to_owned(), object(members))));
    keys
}

/// Makes keys optional.
fn optional(mut object: Value, keys: &[&str]) -> Value {
    if let Some(Value::Array(required)) = object.get_mut("required") {
        required.retain(|key| !keys.iter().any(|optional| key == optional));
    }
    object
}

fn function() -> Value {
    object(metrics(&FunctionSummary::default().metrics()))
}

fn mapping() -> Value {
    let mut kafka = KafkaFigures::default();
    let kafka = metrics(&kafka.metrics());
    let of_kafka: Vec<String> = kafka.iter().map(|(name, _)| name.clone()).collect();
    let own = [
        ("SourceType".to_owned(), text()),
        ("LastProcessingResult".to_owned(), text()),
    ];
    let own = own.into_iter();
    let all = own
        .chain(metrics(&MappingSummary::default().metrics()))
        .chain(kafka);
    let mut may: Vec<&str> = of_kafka.iter().map(String::as_str).collect();
    may.push("LastProcessingResult");
    optional(object(all), &may)
}

fn summary() -> Value {
    let line = object([
        ("subject", text()),
        ("item", text()),
        ("unit", text()),
        ("unit_price", text()),
        ("quantity", named("figure")),
        ("amount", named("figure")),
        ("per_month", named("figure")),
        ("explanation", text()),
    ]);
    let mut cost = vec![
        ("region".to_owned(), text()),
        ("prices_of".to_owned(), text()),
        ("lines".to_owned(), list(&line)),
    ];
    cost.extend(metrics(&CostSummary::default().metrics()));
    let top = object([
        ("tidegate", text()),
        ("scenario", text()),
        ("scenario_hash", text()),
        ("profile", text()),
        ("seed", count()),
        ("replications", count()),
        ("measured_s", real()),
        ("functions", map(&named("function"))),
        ("versions", map(&named("version"))),
        ("mappings", map(&named("mapping"))),
        (
            "account",
            object(metrics(&AccountSummary::default().metrics())),
        ),
        ("cost", object(cost)),
        ("theory", list(&theory(&named("figure")))),
        ("gates", list(&named("gate"))),
        ("findings", list(&finding())),
        ("engine", engine()),
    ]);
    document(
        "tidegate summary",
        optional(top, &["versions", "theory", "findings"]),
        vec![
            ("function", function()),
            (
                "version",
                object(metrics(&VersionSummary::default().metrics())),
            ),
            ("mapping", mapping()),
        ],
    )
}

/// What a formula gives beside what was simulated, in figures of this form.
fn theory(figure: &Value) -> Value {
    object([
        ("function", text()),
        ("formula", text()),
        ("assumptions", text()),
        ("figure", text()),
        ("exact", figure.clone()),
        ("simulated", figure.clone()),
    ])
}

/// A value for a path of a scenario.
fn setting() -> Value {
    object([("path", text()), ("value", text())])
}

fn finding() -> Value {
    let effect = optional(
        object([
            ("before", real()),
            ("after", real()),
            ("usd_per_month_before", real()),
            ("usd_per_month_after", real()),
            ("refused", text()),
            ("sentence", text()),
        ]),
        &["refused"],
    );
    optional(
        object([
            ("code", text()),
            ("subject", text()),
            (
                "severity",
                json!({ "enum": ["problem", "warning", "note"] }),
            ),
            ("sentence", text()),
            ("remedy", text()),
            ("changes", list(&setting())),
            ("measure", text()),
            ("effect", effect),
        ]),
        &["remedy", "changes", "effect"],
    )
}

fn engine() -> Value {
    object([
        ("events", count()),
        ("simulated_s", real()),
        ("wall_s", real()),
        ("invocations_per_s", real()),
        ("records_per_s", real()),
    ])
}

fn result() -> Value {
    let exact = json!({
        "description": "a number, null where there is none, or an infinity",
        "anyOf": [real(), { "enum": ["inf", "-inf"] }]
    });
    let column = json!({
        "description": "a value for each row; [n, value] stands for n times the value",
        "type": "array",
        "items": { "anyOf": [
            named("exact"),
            { "type": "array", "prefixItems": [count(), named("exact")], "minItems": 2, "items": false }
        ] }
    });
    let table = json!({
        "type": "object",
        "properties": { "rows": count() },
        "required": ["rows"],
        "additionalProperties": named("column")
    });
    let stretch = object([("name", text()), ("from_ns", count()), ("to_ns", count())]);
    let flag = flag();
    let levels = [("rows", count()), ("levels", named("column"))];
    let shard = [("number", count()), ("share", named("exact"))];
    let series = object([
        ("bin_ns", count()),
        ("warm_up_ns", count()),
        ("start_ns", count()),
        ("faults", list(&stretch)),
        ("events", list(&stretch)),
        ("account_limit", count()),
        ("account", named("table")),
        (
            "functions",
            list(&object([
                ("name", text()),
                ("concurrency_limit", count()),
                ("bins", named("table")),
                ("asynchronous", named("table")),
                ("minutes", named("table")),
                (
                    "latencies",
                    list(
                        &json!({ "type": "array", "items": count(), "minItems": 2, "maxItems": 2 }),
                    ),
                ),
                ("latency_max", count()),
            ])),
        ),
        (
            "versions",
            list(&object([("name", text()), ("bins", named("table"))])),
        ),
        (
            "mappings",
            list(&optional(
                object([
                    ("name", text()),
                    ("function", text()),
                    ("stream", flag.clone()),
                    ("kafka", flag.clone()),
                    ("in_flight_limit", count()),
                    ("bins", named("table")),
                    (
                        "shards",
                        list(&object(shard.into_iter().chain(levels.clone()))),
                    ),
                    ("other_shards", object(levels)),
                ]),
                &["other_shards"],
            )),
        ),
    ]);
    let about = object([
        ("name", text()),
        ("source_type", text()),
        ("last_processing_result", text()),
        ("kafka", flag),
    ]);
    let line = json!({ "type": "array", "items": text(), "minItems": 5, "maxItems": 5 });
    let numbers = json!({
        "description": "digits after the point, the value, and the bounds of its interval",
        "type": "array", "items": named("exact"), "minItems": 2, "maxItems": 4
    });
    let top = object([
        (
            super::stored::FORMAT_KEY,
            json!({ "const": super::stored::FORMAT }),
        ),
        ("tidegate", text()),
        ("scenario", text()),
        ("scenario_hash", text()),
        ("profile", text()),
        (
            "seeds",
            json!({ "type": "array", "items": count(), "minItems": 1 }),
        ),
        ("measured_s", real()),
        ("functions", texts()),
        ("versions", texts()),
        (
            "mappings",
            list(&optional(about, &["last_processing_result"])),
        ),
        (
            "cost",
            object([
                ("region", text()),
                ("prices_of", text()),
                ("lines", list(&line)),
            ]),
        ),
        ("theory", list(&theory(&numbers))),
        ("gates", list(&named("gate"))),
        ("findings", list(&finding())),
        ("engine", engine()),
        (
            "figures",
            json!({
                "description": "by path: digits after the point, then the value of each replication",
                "type": "object",
                "additionalProperties": {
                    "type": "array", "prefixItems": [count()], "items": named("exact"), "minItems": 2
                }
            }),
        ),
        ("series", series),
        (
            "check",
            json!({ "type": "string", "pattern": "^[0-9a-f]{16}$" }),
        ),
    ]);
    let more = vec![("exact", exact), ("column", column), ("table", table)];
    document("tidegate result", top, more)
}

fn comparison() -> Value {
    let side = object([
        ("from", text()),
        ("scenario", text()),
        ("scenario_hash", text()),
        ("profile", text()),
        ("tidegate", text()),
        ("seeds", list(&count())),
        ("measured_s", real()),
    ]);
    let words = |words: &[&str]| json!({ "enum": words });
    let figure = object([
        ("name", text()),
        (
            "section",
            words(&["functions", "versions", "mappings", "account", "cost"]),
        ),
        ("subject", text()),
        ("metric", text()),
        ("statistic", text()),
        ("unit", words(&["count", "ms", "s", "share", "USD"])),
        ("a", real()),
        ("b", real()),
        ("difference", real()),
        ("low", real()),
        ("high", real()),
        ("relative", real()),
        ("verdict", words(&super::compare::VERDICTS)),
    ]);
    let top = object([
        (
            "tidegate_comparison",
            json!({ "const": super::compare::FORMAT }),
        ),
        ("tidegate", text()),
        ("a", named("side")),
        ("b", named("side")),
        ("pairing", words(&["paired", "unpaired", "single"])),
        ("pairs", count()),
        ("verdict", text()),
        ("detected", count()),
        ("notes", texts()),
        ("figures", list(&named("compared"))),
        ("only_in_a", texts()),
        ("only_in_b", texts()),
        ("zero_in_both", count()),
        ("gates", list(&named("gate"))),
    ]);
    document(
        "tidegate comparison",
        top,
        vec![("side", side), ("compared", figure)],
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Summary;

    #[test]
    fn every_key_of_a_summary_has_its_place() {
        let schema = summary();
        let document = serde_json::to_value(Summary::default()).expect("a document");
        for key in document.as_object().expect("an object").keys() {
            assert!(schema["properties"].get(key).is_some(), "{key}");
        }
        assert!(of("summaries").is_none());
    }
}
