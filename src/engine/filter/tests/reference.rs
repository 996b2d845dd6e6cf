//! A plain implementation over trees, to compare with. Says what a pattern means in the fewest words.

use serde_json::Value;

/// Whether the object `pattern` holds for a whole record.
pub(super) fn holds(pattern: &Value, record: &Value) -> bool {
    let mut objects = Vec::new();
    flatten(record, &mut objects);
    objects
        .iter()
        .any(|object| object.is_object() && all(pattern, Some(object), record, &mut Vec::new()))
        || all(pattern, None, record, &mut Vec::new())
}

/// Whether everything in `pattern` holds for one object, or for the lack of one.
fn all<'p>(
    pattern: &'p Value,
    object: Option<&Value>,
    record: &Value,
    path: &mut Vec<&'p str>,
) -> bool {
    pattern
        .as_object()
        .expect("an object")
        .iter()
        .all(|(key, wanted)| {
            if key == "$or" {
                let branches = wanted.as_array().expect("branches");
                return branches
                    .iter()
                    .any(|branch| all(branch, object, record, path));
            }
            let mut values = Vec::new();
            if let Some(value) = object.and_then(|object| object.get(key)) {
                flatten(value, &mut values);
            }
            path.push(key);
            let found = match wanted {
                Value::Array(tests) => {
                    let absent =
                        tests.iter().any(|test| test["exists"] == false) && !is_seen(record, path);
                    absent
                        || values
                            .iter()
                            .any(|value| tests.iter().any(|test| passes(test, value)))
                }
                inner => {
                    values
                        .iter()
                        .any(|value| value.is_object() && all(inner, Some(value), record, path))
                        || all(inner, None, record, path)
                }
            };
            path.pop();
            found
        })
}

/// All values that stand for `value`: itself, or the elements of lists within lists.
fn flatten<'v>(value: &'v Value, out: &mut Vec<&'v Value>) {
    match value {
        Value::Array(list) => list.iter().for_each(|value| flatten(value, out)),
        value => out.push(value),
    }
}

/// Whether a plain value is at `path` anywhere in the record.
fn is_seen(value: &Value, path: &[&str]) -> bool {
    let mut values = Vec::new();
    flatten(value, &mut values);
    match path {
        [] => values.iter().any(|value| !value.is_object()),
        [key, rest @ ..] => values
            .iter()
            .any(|value| value.get(key).is_some_and(|value| is_seen(value, rest))),
    }
}

fn passes(test: &Value, value: &Value) -> bool {
    if value.is_object() {
        return false;
    }
    let Value::Object(expression) = test else {
        return same(test, value);
    };
    let (operator, operand) = expression.iter().next().expect("one operator");
    let texts = || Some((value.as_str()?, operand.as_str()?));
    match operator.as_str() {
        "exists" => operand == true,
        "prefix" => texts().is_some_and(|(value, operand)| value.starts_with(operand)),
        "suffix" => texts().is_some_and(|(value, operand)| value.ends_with(operand)),
        "equals-ignore-case" => {
            let lower = |text: &str| {
                text.chars()
                    .flat_map(char::to_lowercase)
                    .collect::<String>()
            };
            texts().is_some_and(|(value, operand)| lower(value) == lower(operand))
        }
        "anything-but" => match operand {
            Value::Array(list) => !list.iter().any(|operand| same(operand, value)),
            operand => !same(operand, value),
        },
        "numeric" => value.as_f64().is_some_and(|value| {
            operand
                .as_array()
                .expect("comparisons")
                .chunks(2)
                .all(|pair| {
                    let limit = pair[1].as_f64().expect("a number");
                    match pair[0].as_str().expect("a sign") {
                        "=" => value == limit,
                        "<" => value < limit,
                        "<=" => value <= limit,
                        ">" => value > limit,
                        _ => value >= limit,
                    }
                })
        }),
        other => panic!("{other} is not generated"),
    }
}

/// Equal as texts, so that 1 and 1.0 differ.
fn same(a: &Value, b: &Value) -> bool {
    let texts = [a, b].map(Value::to_string);
    texts[0] == texts[1]
}
