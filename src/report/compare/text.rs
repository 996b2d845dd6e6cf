//! A comparison for a terminal.

use super::super::TextOptions;
use super::super::text::{Ink, draw, printable, wrapped};
use super::{Compare, matter, tables};
use crate::metrics::{Difference, Verdict};
use std::fmt::Write as _;

/// Differences beyond so many are counted.
const ROWS_MAX: usize = 30;
/// And so are names of figures without one.
const NAMES_MAX: usize = 12;

pub(super) fn render(compare: &Compare, options: TextOptions, all: bool) -> String {
    let ink = Ink(options.colour);
    let words = |text: &str| words(text, options.width);
    let mut text = String::new();
    let _ = writeln!(text, "{}", ink.bold(&printable(&compare.title())));
    for (label, value) in compare.facts() {
        wrapped(
            &words(&format!("{label}  {value}")),
            " ",
            options.width,
            ink,
            &mut text,
        );
    }
    for note in compare.notes() {
        wrapped(&words(&note), " ", options.width, ink, &mut text);
    }
    text.push('\n');
    wrapped(
        &words(&compare.verdict()),
        " ",
        options.width,
        Ink(false),
        &mut text,
    );
    let sorted = matter::sorted(&compare.comparison.differences);
    let is_difference =
        |one: &&&Difference| matches!(one.verdict, Verdict::Differs | Verdict::Unknown);
    let (mut shown, mut rest): (Vec<&Difference>, Vec<&Difference>) = (Vec::new(), Vec::new());
    for one in &sorted {
        if all || (is_difference(&one) && shown.len() < ROWS_MAX) {
            shown.push(one);
        } else {
            rest.push(one);
        }
    }
    if let Some(mut table) = tables::differences(compare, "Differences", &shown, all) {
        for row in &mut table.rows {
            row[0].text = shortened(&row[0].text);
        }
        text.push('\n');
        draw(&table, options.width, ink, &mut text);
    }
    let more = rest.iter().filter(is_difference).count();
    if more > 0 {
        wrapped(
            &words(&format!(
                "({more} more differences with --all or in the JSON document)"
            )),
            " ",
            options.width,
            ink,
            &mut text,
        );
    }
    let without: Vec<&&Difference> = rest.iter().filter(|one| !is_difference(one)).collect();
    if !without.is_empty() && without.len() < sorted.len() {
        text.push('\n');
        wrapped(
            &words(&undetected(&without)),
            " ",
            options.width,
            ink,
            &mut text,
        );
    }
    if let Some(table) = tables::gates(compare) {
        text.push('\n');
        draw(&table, options.width, ink, &mut text);
    }
    text
}

/// A long name without its middle: the table has more to show beside it.
fn shortened(name: &str) -> String {
    const START: usize = 24;
    const END: usize = 21;
    let characters: Vec<char> = name.chars().collect();
    if characters.len() <= START + END + 1 {
        return name.to_owned();
    }
    let start = characters[..START].iter();
    let end = characters[characters.len() - END..].iter();
    start.chain(&['…']).chain(end).collect()
}

/// The words of a text; one that is wider than the terminal becomes several.
fn words(text: &str, width: usize) -> Vec<String> {
    let text = printable(text);
    let words = text.split(' ').flat_map(|word| {
        let characters: Vec<char> = word.chars().collect();
        let parts = characters.chunks(width.max(1));
        let parts: Vec<String> = parts.map(|part| part.iter().collect()).collect();
        if parts.is_empty() {
            vec![String::new()]
        } else {
            parts
        }
    });
    words.collect()
}

/// `No detectable difference in 40 figures: …`.
pub(super) fn undetected(without: &[&&Difference]) -> String {
    let names: Vec<String> = without
        .iter()
        .take(NAMES_MAX)
        .map(|one| one.of.name())
        .collect();
    let others = match without.len().saturating_sub(NAMES_MAX) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let figures = if without.len() == 1 {
        "figure"
    } else {
        "figures"
    };
    format!(
        "No detectable difference in {} {figures}: {}{others}.",
        without.len(),
        names.join(", ")
    )
}
