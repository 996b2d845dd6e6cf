//! Single values: from a node to a type, or a diagnostic.

use super::diagnostic::Diagnostic;
use super::node::{Node, Value};
use super::read::{At, Cx, shown};
use super::suggest::{listed, nearest};
use super::units::{self, UnitError};
use crate::engine::{Ratio, Span};
use std::ops::{Range, RangeInclusive};

pub(crate) fn string(at: At<'_>, cx: &mut Cx) -> Option<String> {
    text(at, cx).map(str::to_owned)
}

pub(crate) fn text<'n>(at: At<'n>, cx: &mut Cx) -> Option<&'n str> {
    match &at.node.value {
        Value::String(text) => Some(text),
        _ => {
            cx.wrong_type(at, "a string");
            None
        }
    }
}

pub(crate) fn boolean(at: At<'_>, cx: &mut Cx) -> Option<bool> {
    match at.node.value {
        Value::Bool(truth) => Some(truth),
        _ => {
            cx.wrong_type(at, "true or false");
            None
        }
    }
}

/// A whole number of any size: its range is tested elsewhere.
pub(crate) fn whole(at: At<'_>, cx: &mut Cx) -> Option<i64> {
    match at.node.value {
        Value::Integer(number) => Some(number),
        _ => {
            cx.wrong_type(at, "an integer");
            None
        }
    }
}

/// A whole number within `range`.
pub(crate) fn integer<T: TryFrom<i64>>(
    range: RangeInclusive<i64>,
) -> impl FnOnce(At<'_>, &mut Cx) -> Option<T> {
    move |at, cx| {
        let number = whole(at, cx)?;
        if range.contains(&number)
            && let Ok(fits) = T::try_from(number)
        {
            return Some(fits);
        }
        out_of_range(
            at,
            cx,
            number.to_string(),
            format!("{} to {}", range.start(), range.end()),
        );
        None
    }
}

/// A finite number, whole or not, within `range`.
pub(crate) fn number(range: RangeInclusive<f64>) -> impl FnOnce(At<'_>, &mut Cx) -> Option<f64> {
    move |at, cx| {
        let number = match at.node.value {
            Value::Integer(number) => number as f64,
            Value::Float(number) => number,
            _ => {
                cx.wrong_type(at, "a number");
                return None;
            }
        };
        if range.contains(&number) {
            return Some(number);
        }
        out_of_range(
            at,
            cx,
            number.to_string(),
            format!("{} to {}", range.start(), range.end()),
        );
        None
    }
}

pub(crate) fn out_of_range(at: At<'_>, cx: &mut Cx, found: String, allowed: String) {
    cx.push(
        Diagnostic::new("out-of-range", format!("`{}` is out of range", at.key))
            .at(&at.node.span)
            .label(format!("found {found}"))
            .allowed(allowed),
    );
}

/// A text with a unit.
fn with_unit<T>(
    at: At<'_>,
    cx: &mut Cx,
    wanted: &str,
    forms: &str,
    unit: &str,
    parse: fn(&str) -> Result<T, UnitError>,
) -> Option<T> {
    let bare = match &at.node.value {
        Value::String(text) => match parse(text) {
            Ok(value) => return Some(value),
            Err(UnitError::NoUnit) => shown(text),
            Err(error) => {
                let label = match error {
                    UnitError::Unrepresentable => "too large, too small or too finely divided",
                    UnitError::Malformed | UnitError::NoUnit => "cannot be understood",
                };
                cx.push(
                    Diagnostic::new("bad-unit", format!("`{}` must be {wanted}", at.key))
                        .at(&at.node.span)
                        .label(label)
                        .allowed(forms),
                );
                return None;
            }
        },
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Map(_) | Value::List(_) | Value::Bool(_) | Value::Datetime(_) | Value::Null => {
            cx.wrong_type(at, wanted);
            return None;
        }
    };
    let help = match (unit, bare.parse::<f64>()) {
        ("%", Ok(share)) if share <= 1.0 => format!("write `\"{}%\"`", share * 100.0),
        ("s", _) => format!("write `\"{bare}s\"` or `\"{bare}ms\"`, whichever is meant"),
        _ => format!("write `\"{bare}{unit}\"`"),
    };
    cx.push(
        Diagnostic::new("missing-unit", format!("`{}` needs a unit", at.key))
            .at(&at.node.span)
            .label("a number without a unit")
            .allowed(forms)
            .help(help),
    );
    None
}

pub(crate) fn duration(at: At<'_>, cx: &mut Cx) -> Option<Span> {
    with_unit(
        at,
        cx,
        "a duration",
        units::DURATION_FORMS,
        "s",
        units::duration,
    )
}

/// A duration within `range`.
pub(crate) fn duration_in(
    range: RangeInclusive<Span>,
) -> impl FnOnce(At<'_>, &mut Cx) -> Option<Span> {
    move |at, cx| {
        let span = duration(at, cx)?;
        if range.contains(&span) {
            return Some(span);
        }
        out_of_range(
            at,
            cx,
            span.to_string(),
            format!("{} to {}", range.start(), range.end()),
        );
        None
    }
}

/// A size in bytes.
pub(crate) fn size(at: At<'_>, cx: &mut Cx) -> Option<u64> {
    with_unit(at, cx, "a size", units::SIZE_FORMS, "B", units::size)
}

pub(crate) fn ratio(at: At<'_>, cx: &mut Cx) -> Option<Ratio> {
    with_unit(at, cx, "a chance", units::RATIO_FORMS, "%", units::ratio)
}

/// Events per second, at most 10⁹, as a number or a text.
pub(crate) fn per_sec(at: At<'_>, cx: &mut Cx) -> Option<f64> {
    const PER_SEC_MAX: f64 = 1e9;
    if !matches!(at.node.value, Value::String(_)) {
        return number(0.0..=PER_SEC_MAX)(at, cx);
    }
    let rate = with_unit(at, cx, "a rate", units::RATE_FORMS, "/s", units::rate)?;
    if rate > PER_SEC_MAX {
        out_of_range(at, cx, format!("{rate}/s"), format!("0 to {PER_SEC_MAX}"));
        return None;
    }
    Some(rate)
}

/// One word out of a list.
pub(crate) fn choice<T: Copy>(
    known: &[(&'static str, T)],
) -> impl FnOnce(At<'_>, &mut Cx) -> Option<T> {
    move |at, cx| {
        let found = text(at, cx)?;
        let hit = known.iter().find(|(name, _)| *name == found);
        if hit.is_none() {
            let names = || known.iter().map(|(name, _)| *name);
            cx.push(unknown_name(at.key, found, &at.node.span, names));
        }
        hit.map(|(_, value)| *value)
    }
}

/// A word that names nothing known.
pub(crate) fn unknown_name<'k, I: Iterator<Item = &'k str>>(
    key: &str,
    found: &str,
    span: &Range<usize>,
    known: impl Fn() -> I,
) -> Diagnostic {
    let diagnostic = Diagnostic::new("unknown-name", format!("`{key}` names nothing known"))
        .at(span)
        .label(format!("found `{}`", shown(found)))
        .allowed(listed(known()));
    match nearest(found, known()) {
        Some(name) => diagnostic.help(format!("did you mean `{name}`?")),
        None => diagnostic,
    }
}

/// A name that other tables can refer to: 1 to 64 letters, digits, hyphens and underscores.
pub(crate) fn name(at: At<'_>, cx: &mut Cx) -> Option<Named> {
    let found = text(at, cx)?;
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if found.is_empty() || found.len() > 64 || !found.bytes().all(allowed) {
        cx.push(
            Diagnostic::new("bad-name", format!("`{}` is not a name", at.key))
                .at(&at.node.span)
                .label(format!("found `{}`", shown(found)))
                .allowed("1 to 64 letters, digits, hyphens and underscores"),
        );
        return None;
    }
    Some(Named {
        name: found.to_owned(),
        span: at.node.span.clone(),
    })
}

/// A name and where it was given.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) span: Range<usize>,
}

/// Reports names that were given before.
pub(crate) fn unique<'a>(what: &str, names: impl IntoIterator<Item = &'a Named>, cx: &mut Cx) {
    let mut seen = std::collections::BTreeSet::new();
    for named in names {
        if !seen.insert(&named.name) {
            cx.push(
                Diagnostic::new(
                    "duplicate-name",
                    format!("two {what} are called `{}`", named.name),
                )
                .at(&named.span)
                .label("given before")
                .help("rename one of them"),
            );
        }
    }
}

/// The elements of a list, converted one by one.
pub(crate) fn list<T>(
    convert: impl Fn(At<'_>, &mut Cx) -> Option<T>,
) -> impl FnOnce(At<'_>, &mut Cx) -> Option<Vec<T>> {
    move |at, cx| {
        let Value::List(nodes) = &at.node.value else {
            cx.wrong_type(at, "a list");
            return None;
        };
        // Every element is converted, so that each of them can be reported.
        let each = |node: &Node| convert(At { key: at.key, node }, cx);
        let found: Vec<Option<T>> = nodes.iter().map(each).collect();
        found.into_iter().collect()
    }
}
