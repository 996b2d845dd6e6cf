//! Values as `sweep --vary` and `tune --over` take them: `1,2,4`, `50..400:8`, `1s..16s`.

use super::axis::AxisError;
use super::range::{self, Range, Spacing};
use std::collections::BTreeSet;

/// The values that were written.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Values {
    /// These, in their order.
    Levels(Vec<String>),
    /// Any value of a range that says of none how many.
    Anywhere(Range),
}

impl Values {
    /// Reads the values of the axis `axis`.
    pub(super) fn parse(axis: &str, text: &str) -> Result<Self, AxisError> {
        if text.trim().is_empty() {
            return Err(AxisError::Empty {
                axis: axis.to_owned(),
            });
        }
        let parts = elements(text);
        if let [alone] = parts.as_slice()
            && range::split(alone).is_some()
            && !alone.starts_with(['"', '\'', '[', '{'])
        {
            let (range, spacing) = Range::parse(axis, alone)?;
            return Ok(match spacing {
                Spacing::Anywhere => Self::Anywhere(range),
                spacing => Self::Levels(range.levels(spacing)),
            });
        }
        let mut levels = Vec::new();
        for part in parts {
            if part.is_empty() {
                return Err(AxisError::EmptyValue {
                    axis: axis.to_owned(),
                    found: text.to_owned(),
                });
            }
            // Within a list `1s..10s` is a value like another, as a back-off has it; `1s..10s:4` is a range.
            match range::split(part) {
                Some((_, _, Some(_))) if !part.starts_with(['"', '\'', '[', '{']) => {
                    let (range, spacing) = Range::parse(axis, part)?;
                    levels.extend(range.levels(spacing));
                }
                _ => levels.push(part.to_owned()),
            }
        }
        let mut seen = BTreeSet::new();
        if let Some(value) = levels.iter().find(|level| !seen.insert(level.as_str())) {
            return Err(AxisError::Twice {
                axis: axis.to_owned(),
                value: value.clone(),
            });
        }
        Ok(Self::Levels(levels))
    }
}

/// The parts between commas that are in no quotes and no brackets.
pub(super) fn elements(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut depth, mut quote) = (0, 0u32, None);
    for (at, character) in text.char_indices() {
        match (quote, character) {
            (Some(open), close) if open == close => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(character),
            (None, '[' | '{') => depth += 1,
            (None, ']' | '}') => depth = depth.saturating_sub(1),
            (None, ',') if depth == 0 => {
                parts.push(text[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(text[start..].trim());
    parts
}
