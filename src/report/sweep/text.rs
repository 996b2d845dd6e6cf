//! The points of a sweep for a terminal.

use super::words;
use crate::metrics::{SweepPoint, SweepSummary};
use crate::report::TextOptions;
use std::fmt::Write as _;

/// Between two columns.
const GAP: usize = 2;

/// A column with the two lines of its heading.
struct Column {
    heading: [String; 2],
    cells: Vec<String>,
    numeric: bool,
}

impl Column {
    fn width(&self) -> usize {
        let heading = self.heading.iter().map(|line| length(line));
        let cells = self.cells.iter().map(|cell| length(cell));
        heading.chain(cells).max().unwrap_or(0)
    }

    fn padded(&self, text: &str) -> String {
        let width = self.width();
        match self.numeric {
            true => format!("{text:>width$}"),
            false => format!("{text:<width$}"),
        }
    }
}

/// The whole text, with a final line break.
pub(in crate::report) fn render(sweep: &SweepSummary, options: TextOptions) -> String {
    let paint = |code: &str, text: &str| match options.colour && !text.is_empty() {
        true => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
        false => text.to_owned(),
    };
    let mut text = format!("{}\n", paint("1", &printable(&sweep.scenario)));
    let facts: Vec<String> = words::facts(sweep)
        .into_iter()
        .map(|(label, value)| format!("{label} {}", printable(&value)))
        .collect();
    fill(&facts, " · ", options.width, &mut text, |line| {
        paint("2", line)
    });
    for note in words::notes(sweep) {
        let parts: Vec<String> = printable(&note).split(' ').map(str::to_owned).collect();
        fill(&parts, " ", options.width, &mut text, |line| {
            paint("2", line)
        });
    }
    let rows = words::rows(sweep, words::ROWS_MAX);
    let (names, figures) = columns(sweep, &rows);
    let breadth =
        |columns: &[&Column]| -> usize { columns.iter().map(|column| column.width() + GAP).sum() };
    let mut rest = figures.as_slice();
    // Figures that do not fit beside each other come below each other.
    while !rest.is_empty() {
        let mut block: Vec<&Column> = names.iter().collect();
        let before = block.len();
        while let Some((next, after)) = rest.split_first() {
            if block.len() > before && breadth(&block) + next.width() > options.width {
                break;
            }
            block.push(next);
            rest = after;
        }
        text.push('\n');
        for line in 0..2 {
            let cells = block.iter().map(|it| it.padded(&it.heading[line]));
            let _ = writeln!(text, "{}", paint("2", &join(cells)));
        }
        for (index, point) in rows.iter().enumerate() {
            let cells = block.iter().map(|it| it.padded(&it.cells[index]));
            let code = if point.on_front { "32" } else { "0" };
            let line = join(cells);
            let _ = writeln!(
                text,
                "{}",
                if point.on_front {
                    paint(code, &line)
                } else {
                    line
                }
            );
        }
    }
    if let Some(note) = words::left_out(sweep, rows.len()) {
        let _ = write!(text, "\n{note}\n");
    }
    text
}

/// The columns that name a variant, and those of its figures.
fn columns(sweep: &SweepSummary, rows: &[&SweepPoint]) -> (Vec<Column>, Vec<Column>) {
    let number = |point: &SweepPoint| {
        let mark = match sweep.pareto {
            Some(_) if point.on_front => "*",
            Some(_) => " ",
            None => "",
        };
        format!("{}{mark}", point.variant)
    };
    let mut names = vec![Column {
        heading: [String::new(), "#".to_owned()],
        cells: rows.iter().map(|point| number(point)).collect(),
        numeric: true,
    }];
    for (index, name) in words::axes(sweep).into_iter().enumerate() {
        names.push(Column {
            heading: [String::new(), printable(&name)],
            cells: rows
                .iter()
                .map(|point| printable(&point.values[index]))
                .collect(),
            numeric: rows.iter().all(|point| point.places[index].is_finite()),
        });
    }
    let counts: Vec<String> = rows
        .iter()
        .map(|point| point.replications.to_string())
        .collect();
    if counts.iter().any(|count| *count != counts[0]) {
        names.push(Column {
            heading: [String::new(), "runs".to_owned()],
            cells: counts,
            numeric: true,
        });
    }
    if words::has_gates(sweep) {
        names.push(Column {
            heading: ["gates".to_owned(), "passed".to_owned()],
            cells: rows
                .iter()
                .map(|point| words::gates(point).unwrap_or_default())
                .collect(),
            numeric: true,
        });
    }
    let figures = sweep.measures.iter().enumerate().map(|(index, measure)| {
        let (subject, rest) = words::halves(&measure.name);
        Column {
            heading: [subject.to_owned(), rest.to_owned()],
            cells: rows
                .iter()
                .map(|point| words::figure(measure.unit, point.figures[index]))
                .collect(),
            numeric: true,
        }
    });
    (names, figures.collect())
}

fn fill(
    parts: &[String],
    separator: &str,
    width: usize,
    text: &mut String,
    paint: impl Fn(&str) -> String,
) {
    let mut line = String::new();
    for part in parts {
        if !line.is_empty() && length(&line) + length(separator) + length(part) > width {
            let _ = writeln!(text, "{}", paint(&line));
            line.clear();
        }
        if !line.is_empty() {
            line.push_str(separator);
        }
        line.push_str(part);
    }
    let _ = writeln!(text, "{}", paint(&line));
}

fn join(cells: impl Iterator<Item = String>) -> String {
    let line = cells.collect::<Vec<_>>().join(&" ".repeat(GAP));
    line.trim_end().to_owned()
}

/// Names come from files: control characters in them must not steer the terminal.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

fn length(text: &str) -> usize {
    text.chars().count()
}
