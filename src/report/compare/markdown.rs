//! A comparison for a pull request: gates first, then what differs.

use super::super::markdown::{draw, inline};
use super::{Compare, matter, tables};
use crate::metrics::{Difference, Verdict};
use std::fmt::Write as _;

/// More rows would not be read in a pull request.
const ROWS_MAX: usize = 20;

pub(super) fn render(compare: &Compare) -> String {
    let mut markdown = format!("## {}\n\n", inline(&compare.title()));
    let failed = compare.gates.iter().filter(|gate| !gate.pass).count();
    let sign = match (compare.gates.len(), failed) {
        (0, _) => "",
        (_, 0) => "✅ ",
        _ => "❌ ",
    };
    let _ = writeln!(markdown, "{sign}**{}**\n", inline(&compare.verdict()));
    for (label, value) in compare.facts() {
        let _ = writeln!(markdown, "- {label}: {}", inline(&value));
    }
    markdown.push('\n');
    for note in compare.notes() {
        let _ = writeln!(markdown, "> {}\n", inline(&note));
    }
    if let Some(table) = tables::gates(compare) {
        draw(&table, &mut markdown);
    }
    let sorted = matter::sorted(&compare.comparison.differences);
    let differing: Vec<&Difference> = sorted
        .iter()
        .copied()
        .filter(|one| matches!(one.verdict, Verdict::Differs | Verdict::Unknown))
        .collect();
    let shown = &differing[..differing.len().min(ROWS_MAX)];
    if let Some(table) = tables::differences(compare, "Differences", shown, false) {
        draw(&table, &mut markdown);
    }
    if differing.len() > shown.len() {
        let _ = writeln!(
            markdown,
            "<sub>{} more differences in the JSON document.</sub>\n",
            differing.len() - shown.len()
        );
    }
    let without: Vec<&&Difference> = sorted
        .iter()
        .filter(|one| matches!(one.verdict, Verdict::Same | Verdict::NotDetectable))
        .collect();
    if !without.is_empty() {
        let _ = writeln!(markdown, "{}", inline(&super::text::undetected(&without)));
    }
    markdown
}
