//! The alternatives of a leaf: plain values and match expressions.

use super::error::Fault;
use super::json::{Member, Node, Value};
use super::numeric::{self, Interval};

/// What one alternative of a leaf asks of a value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Test {
    Text(String),
    /// The number as the pattern writes it.
    Number(String),
    Bool(bool),
    Null,
    Exists(bool),
    Prefix(String),
    Suffix(String),
    /// Already in lower case.
    IgnoreCase(String),
    Numeric(Interval),
    NoneOfTexts(Vec<String>),
    NoneOfNumbers(Vec<String>),
}

/// The operators that mappings know, for messages.
const KNOWN: &str =
    "anything-but, equals-ignore-case, exists, numeric, prefix or suffix, one per object";
/// Operators of EventBridge rules that mappings do not know (rule `filter-operator-unavailable`).
const UNAVAILABLE: [&str; 2] = ["cidr", "wildcard"];

/// Reads one alternative.
pub(super) fn test_of(node: &Node, faults: &mut Vec<Fault>) -> Option<Test> {
    match &node.value {
        Value::Text(text) => Some(Test::Text(text.clone())),
        Value::Number(text) => Some(Test::Number(text.clone())),
        Value::Bool(value) => Some(Test::Bool(*value)),
        Value::Null => Some(Test::Null),
        Value::Object(members) => expression(node, members, faults),
        // Rule `filter-alternative-form`.
        Value::List(_) => {
            faults.push(Fault::new(
                node.span.clone(),
                "filter-alternative-form",
                "a list within a list",
                "strings, numbers, booleans, null and match expressions such as {\"prefix\": \"a\"}",
            ));
            None
        }
    }
}

fn expression(node: &Node, members: &[Member], faults: &mut Vec<Fault>) -> Option<Test> {
    let [member] = members else {
        faults.push(Fault::new(
            node.span.clone(),
            "filter-alternative-form",
            format!("a match expression with {} keys", members.len()),
            KNOWN,
        ));
        return None;
    };
    let read = match member.key.as_str() {
        "exists" => exists,
        "prefix" => prefix,
        "suffix" => suffix,
        "equals-ignore-case" => ignore_case,
        "anything-but" => anything_but,
        "numeric" => numeric::test_of,
        other => {
            faults.push(unknown(member, other));
            return None;
        }
    };
    match read(&member.node) {
        Ok(test) => Some(test),
        Err(fault) => {
            faults.push(fault);
            None
        }
    }
}

/// Rules `filter-operator-unavailable` and `filter-operator-unknown`.
fn unknown(member: &Member, key: &str) -> Fault {
    let span = member.key_span.clone();
    if UNAVAILABLE.contains(&key) {
        return unavailable(span, format!("`{key}`"));
    }
    Fault::new(
        span,
        "filter-operator-unknown",
        format!("`{key}` is no operator"),
        KNOWN,
    )
}

fn unavailable(span: std::ops::Range<usize>, what: String) -> Fault {
    Fault::new(
        span,
        "filter-operator-unavailable",
        format!(
            "{what} is an operator of EventBridge rules that event source mappings do not have"
        ),
        KNOWN,
    )
}

/// Rule `filter-operand`.
fn operand(node: &Node, operator: &str, allowed: &str) -> Fault {
    Fault::new(
        node.span.clone(),
        "filter-operand",
        format!("the operand of `{operator}` is {}", node.value.kind()),
        allowed,
    )
}

fn exists(node: &Node) -> Result<Test, Fault> {
    match node.value {
        Value::Bool(wanted) => Ok(Test::Exists(wanted)),
        _ => Err(operand(node, "exists", "true or false")),
    }
}

fn text(node: &Node, operator: &str) -> Result<String, Fault> {
    match &node.value {
        Value::Text(text) => Ok(text.clone()),
        Value::Object(members)
            if members
                .iter()
                .any(|member| member.key == "equals-ignore-case") =>
        {
            Err(unavailable(
                node.span.clone(),
                format!("`{operator}` with `equals-ignore-case`"),
            ))
        }
        _ => Err(operand(node, operator, "a string")),
    }
}

fn prefix(node: &Node) -> Result<Test, Fault> {
    text(node, "prefix").map(Test::Prefix)
}

fn suffix(node: &Node) -> Result<Test, Fault> {
    text(node, "suffix").map(Test::Suffix)
}

fn ignore_case(node: &Node) -> Result<Test, Fault> {
    let text = text(node, "equals-ignore-case")?;
    let lower = text.chars().flat_map(char::to_lowercase).collect();
    Ok(Test::IgnoreCase(lower))
}

const ANYTHING_BUT: &str = "a string, a number, or a list of only strings or only numbers";

fn anything_but(node: &Node) -> Result<Test, Fault> {
    let refuse = |at: &Node| operand(at, "anything-but", ANYTHING_BUT);
    match &node.value {
        Value::Text(text) => Ok(Test::NoneOfTexts(vec![text.clone()])),
        Value::Number(text) => Ok(Test::NoneOfNumbers(vec![text.clone()])),
        Value::List(nodes) => none_of(node, nodes),
        Value::Object(members) => match members.first() {
            Some(member) => Err(unavailable(
                member.key_span.clone(),
                format!("`anything-but` with `{}`", member.key),
            )),
            None => Err(refuse(node)),
        },
        Value::Bool(_) | Value::Null => Err(refuse(node)),
    }
}

fn none_of(list: &Node, nodes: &[Node]) -> Result<Test, Fault> {
    let mut texts = Vec::new();
    let mut numbers = Vec::new();
    for node in nodes {
        match &node.value {
            Value::Text(text) => texts.push(text.clone()),
            Value::Number(text) => numbers.push(text.clone()),
            Value::Null | Value::Bool(_) | Value::List(_) | Value::Object(_) => {
                return Err(operand(node, "anything-but", ANYTHING_BUT));
            }
        }
    }
    match (texts.is_empty(), numbers.is_empty()) {
        (false, true) => Ok(Test::NoneOfTexts(texts)),
        (true, false) => Ok(Test::NoneOfNumbers(numbers)),
        (true, true) | (false, false) => Err(Fault::new(
            list.span.clone(),
            "filter-operand",
            match nodes.len() {
                0 => "the list of `anything-but` is empty",
                _ => "the list of `anything-but` mixes strings and numbers",
            },
            ANYTHING_BUT,
        )),
    }
}
