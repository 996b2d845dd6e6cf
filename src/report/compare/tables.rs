//! Differences as a table.

use super::super::tables;
use super::super::view::{Cell, Column, Table, Tone};
use super::matter::{Unit, more_is_bad, relative};
use super::{Compare, VERDICTS};
use crate::metrics::{Difference, Pairing, Verdict};

/// These differences, with intervals where there are some.
pub(super) fn differences(
    compare: &Compare,
    caption: &'static str,
    shown: &[&Difference],
    with_verdict: bool,
) -> Option<Table> {
    let column = |title, numeric, rank| Column {
        group: "",
        title,
        numeric,
        rank,
    };
    let mut columns = vec![
        column("figure", false, 0),
        column("A", true, 3),
        column("B", true, 2),
        column("B - A", true, 1),
        column("95 % interval", true, 4),
        column("change", true, 0),
        column("verdict", false, 0),
    ];
    let single = compare.comparison.pairing == Pairing::Single;
    if single || !with_verdict {
        columns.remove(6);
    }
    if single {
        columns.remove(4);
    }
    let rows = shown.iter().map(|one| {
        let mut row = row(one);
        if single || !with_verdict {
            row.remove(6);
        }
        if single {
            row.remove(4);
        }
        row
    });
    (!shown.is_empty()).then(|| Table {
        caption,
        columns,
        rows: rows.collect(),
    })
}

fn row(one: &Difference) -> Vec<Cell> {
    let unit = Unit::of(&one.of);
    let tone = match (one.verdict, more_is_bad(&one.of)) {
        (Verdict::Same | Verdict::NotDetectable, _) => Tone::Faint,
        (Verdict::Unknown, _) | (_, None) => Tone::Plain,
        (Verdict::Differs, Some(bad)) if bad == (one.difference > 0.0) => Tone::Bad,
        (Verdict::Differs, Some(_)) => Tone::Good,
    };
    let interval = one.interval.map_or_else(String::new, |(low, high)| {
        format!("{} to {}", unit.signed(low), unit.signed(high))
    });
    vec![
        Cell::new(one.of.name()),
        Cell::new(unit.show(one.a)),
        Cell::new(unit.show(one.b)),
        Cell::new(unit.signed(one.difference)).toned(tone),
        Cell::new(interval),
        Cell::new(relative(one)).toned(tone),
        Cell::new(verdict(one)).toned(tone),
    ]
}

/// What is said of a figure.
pub(super) const fn verdict(one: &Difference) -> &'static str {
    let [same, not_detectable, differs, unknown] = VERDICTS;
    match one.verdict {
        Verdict::Same => same,
        Verdict::NotDetectable => not_detectable,
        Verdict::Differs => differs,
        Verdict::Unknown => unknown,
    }
}

/// What became of gates on changes.
pub(super) fn gates(compare: &Compare) -> Option<Table> {
    tables::gates(&compare.gates)
}
