//! JSON Schemas (draft 2020-12) of scenario and poller files, for editors and other programs.
//!
//! `tables` lists every table with its keys in a short notation; this turns it into a schema. What a schema cannot say
//! (that two keys exclude each other, that a name exists) is left to `tidegate validate`. A test holds the lists against
//! the keys that the readers ask for.

mod tables;

use super::validate::FileKind;
use serde_json::{Map, Value, json};

/// The schema of a kind of file.
///
/// ```
/// use tidegate::scenario::{FileKind, schema};
///
/// let schema = schema(FileKind::Scenario);
/// assert_eq!(schema["properties"]["duration"]["$ref"], "#/$defs/duration");
/// assert_eq!(schema["required"][0], "duration");
/// ```
pub fn schema(kind: FileKind) -> Value {
    let (root, title) = match kind {
        FileKind::Scenario => ("scenario", "tidegate scenario"),
        FileKind::Poller => ("poller-file", "tidegate poller file"),
    };
    let mut used = vec![root];
    let mut definitions = Map::new();
    let mut done = 0;
    // Tables name other tables: those that are reached from the root are defined.
    while let Some(name) = used.get(done).copied() {
        let definition = table(&keys_of(name), &mut used);
        definitions.insert(name.to_owned(), definition);
        done += 1;
    }
    let top = definitions.shift_remove(root);
    let mut schema = Map::new();
    schema.insert(
        "$schema".to_owned(),
        json!("https://json-schema.org/draft/2020-12/schema"),
    );
    schema.insert("title".to_owned(), json!(title));
    if let Some(Value::Object(top)) = top {
        schema.extend(top);
    }
    for (name, definition) in values() {
        definitions.insert(name.to_owned(), definition);
    }
    schema.insert("$defs".to_owned(), Value::Object(definitions));
    Value::Object(schema)
}

fn keys_of(name: &str) -> Vec<(&'static str, &'static str)> {
    let found = tables::TABLES.iter().find(|(table, _)| *table == name);
    let keys = found.map_or(&[][..], |(_, keys)| keys).iter();
    keys.flat_map(|(key, notation)| match *key {
        "+" => keys_of(notation),
        key => vec![(key, *notation)],
    })
    .collect()
}

/// An object with these keys and no others.
fn table(keys: &[(&'static str, &'static str)], used: &mut Vec<&'static str>) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    let mut others = json!(false);
    for (key, notation) in keys.iter().copied() {
        let (notation, must) = match notation.strip_prefix('!') {
            Some(notation) => (notation, true),
            None => (notation, false),
        };
        let value = value(notation, used);
        if key == "*" {
            others = value;
            continue;
        }
        properties.insert(key.to_owned(), value);
        if must {
            required.push(key);
        }
    }
    let mut object = json!({
        "type": "object",
        "properties": properties,
        "additionalProperties": others,
    });
    if !required.is_empty() {
        object["required"] = json!(required);
    }
    object
}

/// A notation: alternatives with ` or `, each a name of [`values`] or of a table, `list` of something, `integer` or
/// `number` with bounds, or words in quotes.
fn value(notation: &'static str, used: &mut Vec<&'static str>) -> Value {
    let alternatives: Vec<Value> = notation
        .split(" or ")
        .map(|one| alternative(one.trim(), used))
        .collect();
    match <[Value; 1]>::try_from(alternatives) {
        Ok([one]) => one,
        Err(several) => json!({ "anyOf": several }),
    }
}

fn alternative(notation: &'static str, used: &mut Vec<&'static str>) -> Value {
    if let Some(items) = notation.strip_prefix("list ") {
        return json!({ "type": "array", "items": alternative(items, used) });
    }
    if notation.starts_with('\'') {
        let words: Vec<&str> = notation
            .split(' ')
            .map(|word| word.trim_matches('\''))
            .collect();
        return json!({ "enum": words });
    }
    let mut words = notation.split(' ');
    let name = words.next().unwrap_or(notation);
    let bounds: Vec<f64> = words.filter_map(|word| word.parse().ok()).collect();
    match (name, bounds.as_slice()) {
        ("boolean" | "string", _) => json!({ "type": name }),
        ("integer", [low, high]) => {
            json!({ "type": name, "minimum": *low as i64, "maximum": *high as i64 })
        }
        ("number", [low, high]) => json!({ "type": name, "minimum": low, "maximum": high }),
        ("integer" | "number", _) => json!({ "type": name }),
        _ => {
            if tables::TABLES.iter().any(|(table, _)| *table == name) && !used.contains(&name) {
                used.push(name);
            }
            json!({ "$ref": format!("#/$defs/{name}") })
        }
    }
}

/// Values with units and of other forms, which many tables share.
fn values() -> [(&'static str, Value); 11] {
    let text = |description: &str, pattern: &str, examples: &[&str]| json!({ "type": "string", "description": description, "pattern": pattern, "examples": examples });
    [
        (
            "duration",
            text(
                super::units::DURATION_FORMS,
                "^\\s*([0-9][0-9_.]*\\s*(ns|us|ms|s|m|h|d)\\s*)+$",
                &["250ms", "1h30m"],
            ),
        ),
        (
            "size",
            text(
                super::units::SIZE_FORMS,
                "^\\s*[0-9][0-9_.]*\\s*(B|kB|KiB|MB|MiB|GB|GiB)\\s*$",
                &["1KiB", "10MB"],
            ),
        ),
        (
            "chance",
            text(
                super::units::RATIO_FORMS,
                "^\\s*[0-9][0-9_.]*\\s*(%|/\\s*[0-9][0-9_]*)\\s*$",
                &["1/1000", "0.1%"],
            ),
        ),
        (
            "rate",
            json!({ "type": ["number", "string"], "description": super::units::RATE_FORMS }),
        ),
        (
            "name",
            text(
                "1 to 64 letters, digits, hyphens and underscores",
                "^[A-Za-z0-9_-]{1,64}$",
                &["checkout"],
            ),
        ),
        ("anything", json!({})),
        (
            "pair",
            json!({ "type": "array", "items": { "type": "integer" }, "minItems": 2, "maxItems": 2 }),
        ),
        ("keys", keys()),
        ("time", distribution("duration")),
        ("sizes", distribution("size")),
        (
            "instant",
            json!({
                "type": ["integer", "string"],
                "description": "Unix seconds, or a date and time; in scenarios seconds since the start",
                "examples": [1_767_571_200, "2026-01-05T00:00:00Z"]
            }),
        ),
    ]
}

/// Which keys records have.
fn keys() -> Value {
    let number = |low: u32, high: u32| json!({ "type": "number", "minimum": low, "maximum": high });
    json!({ "anyOf": [
        { "enum": ["unique"] },
        {
            "type": "object",
            "properties": { "zipf": {
                "type": "object",
                "properties": { "n": number(1, 10_000_000), "s": number(0, 100) },
                "required": ["n", "s"],
                "additionalProperties": false
            } },
            "required": ["zipf"],
            "additionalProperties": false
        },
        {
            "type": "object",
            "properties": { "hot": {
                "type": "object",
                "properties": { "share": { "$ref": "#/$defs/chance" }, "keys": number(1, 10_000) },
                "required": ["share"],
                "additionalProperties": false
            } },
            "required": ["hot"],
            "additionalProperties": false
        },
    ] })
}

/// A value that varies.
fn distribution(unit: &str) -> Value {
    let plain = json!({ "$ref": format!("#/$defs/{unit}") });
    let one = |name: &str, parameters: &[(&str, &Value)], required: &[&str]| {
        let properties: Map<String, Value> = parameters
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).clone()))
            .collect();
        json!({
            "type": "object",
            "properties": { name: {
                "type": "object",
                "properties": properties,
                "required": required,
                "additionalProperties": false
            } },
            "required": [name],
            "additionalProperties": false
        })
    };
    let single = |name: &str, value: &Value| {
        json!({
            "type": "object",
            "properties": { name: value },
            "required": [name],
            "additionalProperties": false
        })
    };
    let number = json!({ "type": "number", "exclusiveMinimum": 0 });
    let file = json!({ "type": "string", "description": "a file of values" });
    json!({ "anyOf": [
        plain,
        single("constant", &plain),
        one("exponential", &[("mean", &plain)], &["mean"]),
        one("uniform", &[("min", &plain), ("max", &plain)], &["min", "max"]),
        one("lognormal", &[("median", &plain), ("p99", &plain), ("mean", &plain)], &["median"]),
        one("gamma", &[("shape", &number), ("mean", &plain)], &["shape", "mean"]),
        one("pareto", &[("min", &plain), ("alpha", &number)], &["min", "alpha"]),
        single("empirical", &file),
    ] })
}
