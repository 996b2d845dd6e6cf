//! The summary for a terminal.

use std::fmt::Write as _;

use super::view::{Cell, Column, Table, Tone, View};
use super::{TextOptions, findings};
use crate::metrics::Finding;

/// Between two columns.
const GAP: usize = 2;

/// The whole summary, with a final line break.
pub(super) fn render(view: &View, options: TextOptions) -> String {
    let ink = Ink(options.colour);
    let mut text = format!("{}\n", ink.bold(&printable(&view.title)));
    let facts: Vec<_> = view
        .facts
        .iter()
        .map(|(label, value)| format!("{label} {}", printable(value)))
        .collect();
    wrapped(&facts, " · ", options.width, ink, &mut text);
    for note in &view.notes {
        let words: Vec<_> = printable(note).split(' ').map(str::to_owned).collect();
        wrapped(&words, " ", options.width, ink, &mut text);
    }
    let tables = [
        &view.functions,
        &view.versions,
        &view.throttles,
        &view.asynchronous,
        &view.account,
        &view.mappings,
        &view.dead_letters,
        &view.cost,
        &view.theory,
    ];
    for table in tables.into_iter().flatten() {
        text.push('\n');
        draw(table, options.width, ink, &mut text);
    }
    found(&view.findings, options.width, ink, &mut text);
    if let Some(table) = &view.gates {
        text.push('\n');
        draw(table, options.width, ink, &mut text);
    }
    text.push('\n');
    let parts: Vec<_> = view.speed.split(" · ").map(str::to_owned).collect();
    wrapped(&parts, " · ", options.width, ink, &mut text);
    text
}

/// The findings, each under a line with its name.
fn found(all: &[Finding], width: usize, ink: Ink, text: &mut String) {
    if !all.is_empty() {
        let _ = writeln!(text, "\n{}", ink.bold("Findings"));
    }
    for finding in all {
        let tone = findings::tone(finding.severity);
        for (index, line) in findings::lines(finding, width).iter().enumerate() {
            let tone = if index == 0 { tone } else { Tone::Plain };
            let _ = writeln!(text, "{}", ink.toned(tone, &printable(line)));
        }
    }
}

/// Escape sequences, or none.
#[derive(Clone, Copy)]
pub(super) struct Ink(pub(super) bool);

impl Ink {
    fn paint(self, code: &str, text: &str) -> String {
        if self.0 && !text.is_empty() {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }

    pub(super) fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    fn faint(self, text: &str) -> String {
        self.paint("2", text)
    }

    pub(super) fn toned(self, tone: Tone, text: &str) -> String {
        match tone {
            Tone::Plain => text.to_owned(),
            Tone::Good => self.paint("32", text),
            Tone::Bad => self.paint("31", text),
            Tone::Faint => self.faint(text),
        }
    }
}

/// Joins parts, with a line break where the next one would not fit.
pub(super) fn wrapped(
    parts: &[String],
    separator: &str,
    width: usize,
    ink: Ink,
    text: &mut String,
) {
    let mut line = String::new();
    for part in parts {
        let needed = length(&line) + length(separator) + length(part);
        if !line.is_empty() && needed > width {
            let _ = writeln!(text, "{}", ink.faint(&line));
            line.clear();
        }
        if !line.is_empty() {
            line.push_str(separator);
        }
        line.push_str(part);
    }
    let _ = writeln!(text, "{}", ink.faint(&line));
}

/// The columns of a table that fit into a width: the least important ones go first, those that matter stay.
pub(super) fn kept(table: &Table, width: usize) -> Vec<usize> {
    let mut kept: Vec<usize> = (0..table.columns.len()).collect();
    while breadth(&kept, &widths_of(table, &kept)) > width {
        let least = kept.iter().rposition(|index| {
            let ranks = kept.iter().map(|one| table.columns[*one].rank);
            table.columns[*index].rank > 0 && Some(table.columns[*index].rank) == ranks.max()
        });
        let Some(least) = least else { break };
        kept.remove(least);
    }
    kept
}

/// Draws a table in at most `width` columns where that is possible: the least important columns go
/// first, then long names are cut.
pub(super) fn draw(table: &Table, width: usize, ink: Ink, text: &mut String) {
    let kept = kept(table, width);
    let mut widths = widths_of(table, &kept);
    let excess = breadth(&kept, &widths).saturating_sub(width);
    cut(table, &kept, &mut widths, excess);
    let grouped = table.columns.iter().any(|column| !column.group.is_empty());
    if grouped {
        let _ = writeln!(text, "{}", group_line(table, &kept, &widths, ink));
    } else {
        let _ = writeln!(text, "{}", ink.bold(table.caption));
    }
    let titles = kept.iter().map(|index| {
        let column = table.columns[*index];
        ink.faint(&padded(column.title, column, widths[*index]))
    });
    let _ = writeln!(text, "{}", join(titles));
    for row in &table.rows {
        let cells = kept.iter().map(|index| {
            let cell = &row[*index];
            let shown = padded(&shown(cell), table.columns[*index], widths[*index]);
            ink.toned(cell.tone, &shown)
        });
        let _ = writeln!(text, "{}", join(cells));
    }
    let hidden = table.columns.len() - kept.len();
    if hidden > 0 {
        let columns = if hidden == 1 { "column" } else { "columns" };
        let note = format!("({hidden} more {columns} in the JSON summary or a wider terminal)");
        let words: Vec<_> = note.split(' ').map(str::to_owned).collect();
        wrapped(&words, " ", width, ink, text);
    }
}

/// Takes `excess` from the widest textual columns.
fn cut(table: &Table, kept: &[usize], widths: &mut [usize], excess: usize) {
    const SHORTEST: usize = 8;
    for _ in 0..excess {
        let textual = kept.iter().filter(|index| !table.columns[**index].numeric);
        match textual.max_by_key(|index| widths[**index]) {
            Some(index) if widths[*index] > SHORTEST => widths[*index] -= 1,
            _ => return,
        }
    }
}

/// The columns that are left of each group, as ranges of positions in `kept`.
fn spans(table: &Table, kept: &[usize]) -> Vec<(&'static str, std::ops::Range<usize>)> {
    let mut spans: Vec<(&'static str, std::ops::Range<usize>)> = Vec::new();
    for (position, index) in kept.iter().enumerate().skip(1) {
        let group = table.columns[*index].group;
        match spans.last_mut() {
            Some((last, range)) if *last == group => range.end = position + 1,
            _ => spans.push((group, position..position + 1)),
        }
    }
    spans
}

/// Widths of all columns, with room for the names of groups above the few columns that are left of them.
fn widths_of(table: &Table, kept: &[usize]) -> Vec<usize> {
    let mut widths: Vec<usize> = (0..table.columns.len())
        .map(|index| column_width(table, index))
        .collect();
    let spans = spans(table, kept);
    if let Some(first) = kept.first()
        && spans.iter().any(|(group, _)| !group.is_empty())
    {
        widths[*first] = widths[*first].max(length(table.caption));
    }
    for (group, range) in spans {
        let first = kept[range.start];
        widths[first] += length(group).saturating_sub(breadth(&kept[range], &widths));
    }
    widths
}

/// How wide neighbouring columns are together.
fn breadth(columns: &[usize], widths: &[usize]) -> usize {
    let cells: usize = columns.iter().map(|index| widths[*index]).sum();
    cells + GAP * columns.len().saturating_sub(1)
}

/// The caption, then the name of each group over its columns.
fn group_line(table: &Table, kept: &[usize], widths: &[usize], ink: Ink) -> String {
    let mut line = ink.bold(table.caption);
    let mut end = length(table.caption);
    for (group, range) in spans(table, kept) {
        let column = table.columns[kept[range.start]];
        let start = breadth(&kept[..range.start], widths) + GAP;
        let room = breadth(&kept[range.clone()], widths).saturating_sub(length(group));
        // Numbers stand at the right of their column: the name begins where the first title does, if it fits.
        let indent = match column.numeric {
            true => widths[kept[range.start]].saturating_sub(length(column.title)),
            false => 0,
        };
        let begin = start + indent.min(room);
        line.push_str(&" ".repeat(begin.saturating_sub(end)));
        line.push_str(&ink.faint(group));
        end = begin + length(group);
    }
    line
}

fn column_width(table: &Table, index: usize) -> usize {
    let cells = table.rows.iter().map(|row| length(&shown(&row[index])));
    cells
        .chain([length(table.columns[index].title)])
        .max()
        .unwrap_or(0)
}

fn shown(cell: &Cell) -> String {
    match &cell.spread {
        Some(spread) => format!("{} ± {spread}", cell.text),
        None => printable(&cell.text),
    }
}

fn padded(text: &str, column: Column, width: usize) -> String {
    if length(text) > width {
        let kept: String = text.chars().take(width.saturating_sub(1)).collect();
        return format!("{kept}…");
    }
    if column.numeric {
        format!("{text:>width$}")
    } else {
        format!("{text:<width$}")
    }
}

fn join(cells: impl Iterator<Item = String>) -> String {
    let line = cells.collect::<Vec<_>>().join(&" ".repeat(GAP));
    line.trim_end().to_owned()
}

/// Names come from files: control characters in them must not steer the terminal.
pub(super) fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

fn length(text: &str) -> usize {
    text.chars().count()
}
