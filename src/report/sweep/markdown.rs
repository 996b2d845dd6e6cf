//! `sweep.md`: for pull requests and notes.

use super::words;
use crate::metrics::SweepSummary;
use std::fmt::Write as _;

/// The whole file.
pub(in crate::report) fn render(sweep: &SweepSummary) -> String {
    let facts: Vec<String> = words::facts(sweep)
        .into_iter()
        .map(|(label, value)| format!("{label} {}", safe(&value)))
        .collect();
    let mut text = format!("## {}\n\n{}\n", safe(&sweep.scenario), facts.join(" · "));
    for note in words::notes(sweep) {
        let _ = write!(text, "\n{}\n", safe(&note));
    }
    let mut titles = vec![String::from("#")];
    titles.extend(words::axes(sweep));
    let has_gates = words::has_gates(sweep);
    titles.extend(has_gates.then(|| "gates passed".to_owned()));
    titles.extend(sweep.measures.iter().map(|measure| measure.name.clone()));
    let titles: Vec<String> = titles.iter().map(|title| safe(title)).collect();
    let _ = write!(text, "\n| {} |\n", titles.join(" | "));
    let sides = std::iter::once("---:")
        .chain(sweep.axes.iter().map(|_| ":---"))
        .chain(has_gates.then_some("---:"))
        .chain(sweep.measures.iter().map(|_| "---:"));
    let _ = writeln!(text, "| {} |", sides.collect::<Vec<_>>().join(" | "));
    let rows = words::rows(sweep, words::ROWS_MAX);
    for point in &rows {
        let mark = if point.on_front { " \\*" } else { "" };
        let mut cells = vec![format!("{}{mark}", point.variant)];
        cells.extend(point.values.iter().map(|value| safe(value)));
        cells.extend(has_gates.then(|| words::gates(point).unwrap_or_default()));
        let figures = sweep.measures.iter().zip(&point.figures);
        cells.extend(figures.map(|(measure, figure)| safe(&words::figure(measure.unit, *figure))));
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    if let Some(note) = words::left_out(sweep, rows.len()) {
        let _ = write!(text, "\n{note}\n");
    }
    text
}

/// Names and values come from files: nothing of them may become markup.
fn safe(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '|' | '*' | '`' | '[' | ']' | '\\' => {
                safe.push('\\');
                safe.push(character);
            }
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '&' => safe.push_str("&amp;"),
            other if other.is_control() => safe.push(' '),
            other => safe.push(other),
        }
    }
    safe
}
