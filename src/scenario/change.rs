//! Changes to a scenario's tree before it is checked: the axes of a sweep.

use super::diagnostic::Diagnostic;
use super::node::{Entry, Node, Value};
use super::read::shown;
use super::suggest::{listed, nearest};
use super::toml;
use std::ops::Range;

/// A value to put in place of the file's.
///
/// The path names a table, for a list of tables the `name` (or `function`) of one of them, and keys:
/// `mapping.clicks-to-checkout.BatchSize`, `function.checkout.timeout`, `region.account_concurrency`, `seed`. A list whose
/// tables have no names is entered by number from 0: `traffic.0.rate`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Where, with dots.
    pub path: String,
    /// What, as TOML writes it; text that is no TOML value is taken as a string, so that `5m` needs no quotes.
    pub value: String,
}

/// Puts the value in its place.
///
/// # Errors
/// When the path leads nowhere. A last key that is missing is added: it may have had its default. So is the table that
/// it is in (`region.account_concurrency`, `mapping.orders.ScalingConfig.MaximumConcurrency`).
pub(super) fn apply(root: &mut Node, change: &Change) -> Result<(), Diagnostic> {
    // Of the file's own tables these may be missing: the others have names below them, or are no tables.
    const MAY_BE_MISSING: [&str; 2] = ["region", "cost"];
    let mut node = root;
    let count = change.path.split('.').count();
    for (at, step) in change.path.split('.').enumerate() {
        let last = at + 1 == count;
        let may_be_missing = match at {
            0 => MAY_BE_MISSING.contains(&step),
            _ => !step.is_empty(),
        };
        let span = node.span.clone();
        node = match &mut node.value {
            Value::Map(entries) => match entries.iter().position(|entry| entry.key == step) {
                Some(at) => &mut entries[at].node,
                None if last && !step.is_empty() => {
                    entries.push(Entry {
                        key: step.to_owned(),
                        key_span: span.clone(),
                        node: value(&change.value, span),
                    });
                    return Ok(());
                }
                None if may_be_missing => {
                    entries.push(Entry {
                        key: step.to_owned(),
                        key_span: span.clone(),
                        node: Node {
                            span,
                            value: Value::Map(Vec::new()),
                        },
                    });
                    let new = entries.len() - 1;
                    &mut entries[new].node
                }
                None => {
                    let keys: Vec<&str> = entries.iter().map(|entry| entry.key.as_str()).collect();
                    return Err(nowhere(change, step, &keys));
                }
            },
            Value::List(nodes) => match nodes.iter().position(|node| name(node) == Some(step)) {
                Some(at) => &mut nodes[at],
                None => match step.parse::<usize>().ok().filter(|at| *at < nodes.len()) {
                    Some(at) => &mut nodes[at],
                    None => {
                        let names: Vec<&str> = nodes.iter().filter_map(name).collect();
                        return Err(nowhere(change, step, &names));
                    }
                },
            },
            Value::String(_)
            | Value::Integer(_)
            | Value::Float(_)
            | Value::Bool(_)
            | Value::Datetime(_)
            | Value::Null => return Err(nowhere(change, step, &[])),
        };
    }
    *node = value(&change.value, node.span.clone());
    Ok(())
}

/// What a table of a list is called.
fn name(node: &Node) -> Option<&str> {
    let entry = node.get("name").or_else(|| node.get("function"))?;
    match &entry.node.value {
        Value::String(text) => Some(text),
        _ => None,
    }
}

fn nowhere(change: &Change, step: &str, known: &[&str]) -> Diagnostic {
    let path = shown(&change.path);
    let message = format!("`{path}` leads nowhere: there is no `{}`", shown(step));
    let diagnostic =
        Diagnostic::new("unknown-name", message).allowed(listed(known.iter().copied()));
    match nearest(step, known.iter().copied()) {
        Some(name) => diagnostic.help(format!("did you mean `{name}`?")),
        None => diagnostic,
    }
}

/// The tree of a value, every part of it with the place of what it replaces.
fn value(text: &str, span: Range<usize>) -> Node {
    let parsed = match toml::parse(&format!("value = {text}")) {
        Ok(Node {
            value: Value::Map(mut entries),
            ..
        }) if entries.len() == 1 => entries.pop().map(|entry| entry.node),
        _ => None,
    };
    let mut node = parsed.unwrap_or(Node {
        span: span.clone(),
        value: Value::String(text.to_owned()),
    });
    replace_spans(&mut node, &span);
    node
}

fn replace_spans(node: &mut Node, span: &Range<usize>) {
    node.span = span.clone();
    match &mut node.value {
        Value::Map(entries) => {
            for entry in entries {
                entry.key_span = span.clone();
                replace_spans(&mut entry.node, span);
            }
        }
        Value::List(nodes) => nodes.iter_mut().for_each(|node| replace_spans(node, span)),
        Value::String(_)
        | Value::Integer(_)
        | Value::Float(_)
        | Value::Bool(_)
        | Value::Datetime(_)
        | Value::Null => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Scenario, SourceText, parse_changed};

    const TEXT: &str = r#"
duration = "1m"
[[function]]
name = "f"
duration = "1ms"
[[source]]
name = "q"
type = "sqs"
[[source.producer]]
rate = 1
[[mapping]]
name = "m"
EventSource = "q"
FunctionName = "f"
"#;

    fn changed(path: &str, value: &str) -> Result<Scenario, String> {
        let change = Change {
            path: path.to_owned(),
            value: value.to_owned(),
        };
        let loaded = parse_changed(SourceText::new("s.toml", TEXT), &[change]);
        let loaded = loaded.map_err(|report| report.items()[0].message.to_string());
        loaded.map(|loaded| loaded.scenario)
    }

    #[test]
    fn a_table_that_is_missing_is_added() {
        let region = changed("region.account_concurrency", "5000").expect("sound");
        assert_eq!(region.region.account_concurrency, 5_000);
        let scaling = changed("mapping.m.ScalingConfig.MaximumConcurrency", "7").expect("sound");
        assert_eq!(scaling.mappings[0].config.maximum_concurrency, Some(7));
    }

    #[test]
    fn a_path_that_leads_nowhere_is_told() {
        for (path, wanted) in [
            ("traffic.f.rate", "leads nowhere: there is no `traffic`"),
            ("mapping.n.BatchSize", "leads nowhere: there is no `n`"),
            ("mapping.m.Scaling.x", "unknown key `Scaling`"),
            ("regions.x", "leads nowhere: there is no `regions`"),
            ("seed.x", "leads nowhere: there is no `seed`"),
            ("duration.x", "leads nowhere: there is no `x`"),
            ("mapping.m.", "leads nowhere: there is no ``"),
        ] {
            let told = changed(path, "1").expect_err("nowhere");
            assert!(told.contains(wanted), "{path}: {told}");
        }
    }
}
