//! What a pattern means: which keys it names and what it asks of their values.

use super::error::Fault;
use super::json::{Member, Node, Value};
use super::operator::{self, Test};
use std::ops::Range;

/// An object of a pattern. All of its fields and all of its choices must hold.
#[derive(Debug, Default)]
pub(super) struct Shape {
    pub(super) fields: Vec<Field>,
    /// One entry per `$or`: of its branches at least one must hold.
    pub(super) choices: Vec<Vec<Self>>,
}

/// One key of an object.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) key: String,
    pub(super) span: Range<usize>,
    pub(super) what: What,
}

#[derive(Debug)]
pub(super) enum What {
    /// Alternatives, of which one must hold.
    Leaf(Vec<Test>),
    Inner(Shape),
}

/// Reads a whole pattern. Whatever is wrong goes to `faults`.
pub(super) fn shape_of(node: &Node, faults: &mut Vec<Fault>) -> Shape {
    match &node.value {
        Value::Object(members) => object(node, members, faults),
        other => {
            faults.push(Fault::new(
                node.span.clone(),
                "filter-json",
                format!("the pattern is {}", other.kind()),
                "a JSON object, such as {\"data\": {\"kind\": [\"order\"]}}",
            ));
            Shape::default()
        }
    }
}

fn object(node: &Node, members: &[Member], faults: &mut Vec<Fault>) -> Shape {
    let mut shape = Shape::default();
    // Rule `filter-object-not-empty`.
    if members.is_empty() {
        faults.push(Fault::new(
            node.span.clone(),
            "filter-object-not-empty",
            "an object without keys",
            "at least one key; leave the filter out to take every record",
        ));
    }
    for member in members {
        if member.key == "$or" {
            shape.choices.push(choice(member, faults));
        } else {
            shape.fields.push(field(member, faults));
        }
    }
    shape
}

/// The branches of `$or` (rule `filter-or-branches`).
fn choice(member: &Member, faults: &mut Vec<Fault>) -> Vec<Shape> {
    let mut refuse = |node: &Node, found: String| {
        faults.push(Fault::new(
            node.span.clone(),
            "filter-or-branches",
            found,
            "a list of two or more patterns, such as [{\"a\": [1]}, {\"b\": [2]}]",
        ));
    };
    let branches = match &member.node.value {
        Value::List(branches) => branches,
        other => {
            refuse(&member.node, format!("`$or` is {}", other.kind()));
            return Vec::new();
        }
    };
    if branches.len() < 2 {
        let found = format!("`$or` has {} branches", branches.len());
        refuse(&member.node, found);
    }
    let mut shapes = Vec::new();
    for branch in branches {
        match &branch.value {
            Value::Object(members) => shapes.push(object(branch, members, faults)),
            other => faults.push(Fault::new(
                branch.span.clone(),
                "filter-or-branches",
                format!("a branch of `$or` is {}", other.kind()),
                "an object, such as {\"a\": [1]}",
            )),
        }
    }
    shapes
}

fn field(member: &Member, faults: &mut Vec<Fault>) -> Field {
    let what = match &member.node.value {
        Value::Object(members) => What::Inner(object(&member.node, members, faults)),
        Value::List(alternatives) => {
            // Rule `filter-leaf-not-empty`.
            if alternatives.is_empty() {
                faults.push(Fault::new(
                    member.node.span.clone(),
                    "filter-leaf-not-empty",
                    format!("the list of `{}` is empty", member.key),
                    "at least one alternative; [null] asks for null, [\"\"] for an empty string",
                ));
            }
            let read = |node| operator::test_of(node, faults);
            What::Leaf(alternatives.iter().filter_map(read).collect())
        }
        // Rule `filter-leaf-is-array`.
        scalar => {
            faults.push(Fault::new(
                member.node.span.clone(),
                "filter-leaf-is-array",
                format!("`{}` is {}", member.key, scalar.kind()),
                format!("a list of alternatives, such as [{}]", example(scalar)),
            ));
            What::Leaf(Vec::new())
        }
    };
    Field {
        key: member.key.clone(),
        span: member.key_span.start..member.node.span.end,
        what,
    }
}

fn example(scalar: &Value) -> String {
    match scalar {
        Value::Text(text) if text.len() <= 40 => format!("{text:?}"),
        Value::Number(text) if text.len() <= 40 => text.clone(),
        Value::Bool(value) => value.to_string(),
        Value::Null => "null".to_owned(),
        Value::Text(_) | Value::Number(_) | Value::List(_) | Value::Object(_) => {
            "\"order\"".to_owned()
        }
    }
}
