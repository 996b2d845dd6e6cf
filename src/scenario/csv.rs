//! Small tables of numbers in files: traces of arrivals and measured values.

use super::convert::text;
use super::diagnostic::Diagnostic;
use super::model::Trace;
use super::read::{At, Cx, shown};
use super::text::SourceText;
use super::units;
use crate::engine::Span;
use std::ops::Range;
use std::sync::Arc;

/// A line of a CSV file, its end trimmed, with where it begins.
struct Line<'t> {
    start: usize,
    text: &'t str,
    first: bool,
}

/// Lines that hold something: blank lines and comments (`#`) are left out.
fn lines(text: &str) -> impl Iterator<Item = Line<'_>> {
    let mut start = 0;
    let mut first = true;
    text.split_inclusive('\n').filter_map(move |raw| {
        let line = Line {
            start,
            text: raw.trim_end(),
            first,
        };
        start += raw.len();
        let empty = line.text.trim().is_empty() || line.text.starts_with('#');
        first &= empty;
        (!empty).then_some(line)
    })
}

impl<'t> Line<'t> {
    /// The cells with their bytes, quotes not supported.
    fn cells(&self) -> Vec<(&'t str, Range<usize>)> {
        let mut start = self.start;
        let cell = |raw: &'t str| {
            let blank = raw.len() - raw.trim_start().len();
            let trimmed = raw.trim();
            let span = start + blank..start + blank + trimmed.len();
            start += raw.len() + 1;
            (trimmed, span)
        };
        self.text.split(',').map(cell).collect()
    }

    fn is_header(&self) -> bool {
        self.first
            && !self
                .text
                .trim_start()
                .starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '.')
    }
}

/// The file that a key names.
pub(super) fn open(at: At<'_>, cx: &mut Cx) -> Option<SourceText> {
    let name = text(at, cx)?;
    let path = cx.path(at, name)?;
    match SourceText::read(&path) {
        Ok(file) => {
            cx.attached.bytes(file.text.as_bytes());
            Some(file)
        }
        Err(problem) => {
            cx.push(problem.at(&at.node.span));
            None
        }
    }
}

fn bad(message: &str, span: &Range<usize>, allowed: &str) -> Diagnostic {
    Diagnostic::new("bad-csv", message)
        .at(span)
        .label("here")
        .allowed(allowed)
}

/// `time,count` per line, in order of time. A time is seconds or has a unit; the count may be left out.
pub(crate) fn trace(at: At<'_>, cx: &mut Cx) -> Option<Arc<Trace>> {
    let file = open(at, cx)?;
    let mut points: Vec<(Span, u32)> = Vec::new();
    let mut problem = None;
    for line in lines(&file.text).filter(|line| !line.is_header()) {
        match point(&line, points.last().map(|(time, _)| *time)) {
            Ok(point) => points.push(point),
            Err(found) => {
                problem = Some(found);
                break;
            }
        }
    }
    if problem.is_none() && points.is_empty() {
        problem = Some(bad(
            "the trace holds no arrivals",
            &(0..0),
            "lines of `time,count`",
        ));
    }
    if let Some(problem) = problem {
        cx.diagnostics.push_in(&file, problem);
        return None;
    }
    Some(Arc::new(Trace {
        path: file.path,
        points,
    }))
}

fn point(line: &Line<'_>, before: Option<Span>) -> Result<(Span, u32), Diagnostic> {
    let cells = line.cells();
    let (time, time_span) = &cells[0];
    let seconds = || units::duration(&format!("{time}s"));
    let instant = units::duration(time).or_else(|_| seconds()).map_err(|_| {
        bad(
            "a time cannot be read",
            time_span,
            "seconds such as 12.5, or a duration such as \"250ms\"",
        )
    })?;
    if before.is_some_and(|before| instant < before) {
        return Err(bad(
            "the times are not in order",
            time_span,
            "times that do not go back",
        ));
    }
    let count = match cells.get(1) {
        None => 1,
        Some((count, span)) => count.parse().map_err(|_| {
            bad(
                "a count cannot be read",
                span,
                "a whole number up to 4294967295",
            )
        })?,
    };
    match cells.get(2) {
        Some((_, span)) => Err(bad("a line has too many columns", span, "`time,count`")),
        None => Ok((instant, count)),
    }
}

/// One value per line, read by `value`. A first line that is no number may name the unit of bare numbers.
pub(crate) fn values(
    at: At<'_>,
    cx: &mut Cx,
    forms: &str,
    value: fn(&str) -> Option<f64>,
) -> Option<Arc<[f64]>> {
    let file = open(at, cx)?;
    let mut unit = "";
    let mut found = Vec::new();
    for line in lines(&file.text) {
        let word = line.text.trim();
        if line.is_header() {
            unit = word;
            continue;
        }
        let bare = word.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        let joined = if bare {
            format!("{word}{unit}")
        } else {
            word.to_owned()
        };
        match value(&joined) {
            Some(number) => found.push(number),
            None => {
                let span = line.start..line.start + line.text.len();
                let allowed = format!(
                    "one value per line: {forms}; or bare numbers under a first line with their unit"
                );
                let message = format!("`{}` cannot be read", shown(word));
                cx.diagnostics
                    .push_in(&file, bad(&message, &span, &allowed));
                return None;
            }
        }
    }
    if found.is_empty() {
        let empty = bad("the file holds no values", &(0..0), "one value per line");
        cx.diagnostics.push_in(&file, empty);
        return None;
    }
    Some(found.into())
}
