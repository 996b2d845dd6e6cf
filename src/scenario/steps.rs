//! What changes by steps over time: rates of arrivals, and numbers of clients.

use super::convert::duration;
use super::diagnostic::Diagnostic;
use super::node::{Node, Value};
use super::read::{At, Cx, Table};
use crate::engine::Span;

/// What the steps of one kind are called, and how their values are written.
pub(super) struct Kind<T> {
    /// One of them.
    pub(super) one: &'static str,
    /// All of them.
    pub(super) all: &'static str,
    /// Key of a step's value.
    pub(super) key: &'static str,
    /// A value, as it could be written.
    pub(super) example: &'static str,
    /// What a number in place of a list is for.
    pub(super) constant: &'static str,
    /// Reads a value.
    pub(super) value: fn(At<'_>, &mut Cx) -> Option<T>,
}

/// From `at` on the value moves evenly towards this one, and has it after `over`.
pub(super) struct Step<T> {
    pub(super) at: Span,
    pub(super) value: T,
    pub(super) over: Span,
}

/// A value that never changes, or a list of steps.
pub(super) fn steps<T>(at: At<'_>, cx: &mut Cx, kind: &Kind<T>) -> Option<Vec<Step<T>>> {
    let Value::List(nodes) = &at.node.value else {
        let value = (kind.value)(at, cx)?;
        let (at, over) = (Span::ZERO, Span::ZERO);
        return Some(vec![Step { at, value, over }]);
    };
    if nodes.is_empty() {
        cx.push(
            Diagnostic::new("empty-list", format!("`{}` has no steps", at.key))
                .at(&at.node.span)
                .label("empty")
                .help(format!("write a number for {}", kind.constant)),
        );
        return None;
    }
    let mut steps: Vec<Step<T>> = Vec::new();
    let mut complete = true;
    for node in nodes {
        match step(At { key: at.key, node }, cx, kind) {
            Some(step) => {
                complete &= follows(steps.last(), &step, node, cx, kind);
                steps.push(step);
            }
            None => complete = false,
        }
    }
    complete.then_some(steps)
}

fn step<T>(at: At<'_>, cx: &mut Cx, kind: &Kind<T>) -> Option<Step<T>> {
    let mut table = Table::open(at, kind.one, cx)?;
    let start = table.req(cx, "at", "\"0s\"", duration);
    let value = table.req(cx, kind.key, kind.example, kind.value);
    let over = table.opt(cx, "over", |at, cx| Some(duration(at, cx)));
    table.finish(cx);
    Some(Step {
        at: start?,
        value: value?,
        over: over.unwrap_or(Some(Span::ZERO))?,
    })
}

fn follows<T>(
    before: Option<&Step<T>>,
    step: &Step<T>,
    node: &Node,
    cx: &mut Cx,
    kind: &Kind<T>,
) -> bool {
    let Some(before) = before else {
        return true;
    };
    if step.at <= before.at {
        let message = format!("{} must be in order", kind.all);
        cx.push(
            Diagnostic::new("rate-steps-unordered", message)
                .at(&node.span)
                .label(format!("at {}, after a step at {}", step.at, before.at))
                .help("sort the steps by `at`, each later than the one before"),
        );
        return false;
    }
    let end = before.at + before.over;
    if end > step.at {
        let (begins, longest) = (step.at, step.at - before.at);
        cx.push(
            Diagnostic::new("rate-steps-overlap", "a ramp reaches past the next step")
                .at(&node.span)
                .label(format!(
                    "begins at {begins}, and the ramp before ends at {end}"
                ))
                .allowed(format!("an `over` of at most {longest} in the step before")),
        );
        return false;
    }
    true
}
