//! The `numeric` operator: comparisons of values, not of texts.

use super::error::Fault;
use super::json::{Node, Value};
use super::operator::Test;

/// Largest number, either sign, that a comparison may name (rule `filter-numeric-bounds`).
const BOUND: f64 = 5e9;

/// A limit of an interval.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Limit {
    value: f64,
    included: bool,
}

/// The numbers that a comparison accepts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Interval {
    low: Limit,
    high: Limit,
}

impl Interval {
    /// Whether the number with the JSON text `text` is within (rule `filter-numeric-parses`).
    pub(super) fn holds(&self, text: &str) -> bool {
        let Ok(value) = text.parse::<f64>() else {
            return false;
        };
        let above = value > self.low.value || (self.low.included && value == self.low.value);
        let below = value < self.high.value || (self.high.included && value == self.high.value);
        above && below
    }
}

const FORM: &str = "[\"=\", n], [\"<\", n], [\"<=\", n], [\">\", n], [\">=\", n], or a lower and then a higher limit, \
                    such as [\">\", 0, \"<=\", 10]";

/// Reads the operand (rule `filter-numeric-form`).
pub(super) fn test_of(node: &Node) -> Result<Test, Fault> {
    let form =
        |at: &Node, found: &str| Fault::new(at.span.clone(), "filter-numeric-form", found, FORM);
    let Value::List(parts) = &node.value else {
        return Err(form(node, "the operand of `numeric` is not a list"));
    };
    let everything = Limit {
        value: f64::INFINITY,
        included: true,
    };
    let mut interval = Interval {
        low: Limit {
            value: f64::NEG_INFINITY,
            ..everything
        },
        high: everything,
    };
    let (first, second) = match parts.as_slice() {
        [operator, number] => ((operator, number), None),
        [operator, number, other, limit] => ((operator, number), Some((other, limit))),
        _ => return Err(form(node, "`numeric` takes one or two comparisons")),
    };
    let limit = |number: &Node, included| -> Result<Limit, Fault> {
        Ok(Limit {
            value: bounded(number)?,
            included,
        })
    };
    let low = match sign(first.0) {
        Some("=") => {
            interval.low = limit(first.1, true)?;
            interval.high = interval.low;
            false
        }
        Some(sign @ ("<" | "<=")) => {
            interval.high = limit(first.1, sign == "<=")?;
            false
        }
        Some(sign @ (">" | ">=")) => {
            interval.low = limit(first.1, sign == ">=")?;
            true
        }
        _ => return Err(form(first.0, "not a comparison")),
    };
    if let Some((operator, number)) = second {
        match sign(operator) {
            Some(sign @ ("<" | "<=")) if low => interval.high = limit(number, sign == "<=")?,
            _ => {
                return Err(form(
                    operator,
                    "a second comparison must be the higher limit",
                ));
            }
        }
        if interval.low.value >= interval.high.value {
            return Err(form(node, "the lower limit is not below the higher one"));
        }
    }
    Ok(Test::Numeric(interval))
}

fn sign(node: &Node) -> Option<&str> {
    match &node.value {
        Value::Text(text) => Some(text),
        _ => None,
    }
}

fn bounded(node: &Node) -> Result<f64, Fault> {
    let Value::Number(text) = &node.value else {
        return Err(Fault::new(
            node.span.clone(),
            "filter-numeric-form",
            format!("{} to compare with", node.value.kind()),
            "a number",
        ));
    };
    match text.parse::<f64>() {
        Ok(value) if value.abs() <= BOUND => Ok(value),
        _ => Err(Fault::new(
            node.span.clone(),
            "filter-numeric-bounds",
            format!("{text} is out of bounds"),
            "-5,000,000,000 to 5,000,000,000",
        )),
    }
}
