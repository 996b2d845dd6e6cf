//! What formulas say beside what was simulated.

use super::numbers;
use super::view::{Cell, Column, Table};
use crate::metrics::{Figure, Theory};

/// One row per figure; none where no formula applies.
pub(super) fn table(theory: &[Theory]) -> Option<Table> {
    let column = |title, numeric, rank| Column {
        group: "",
        title,
        numeric,
        rank,
    };
    let rows = theory.iter().map(|one| {
        let exact = one.exact.value;
        let simulated = one.simulated.value;
        // Of something that hardly ever happens a deviation in percent says nothing.
        let deviation = if exact > 1e-6 && simulated.is_finite() {
            format!("{:+.1}%", (simulated / exact - 1.0) * 100.0)
        } else {
            numbers::trimmed(f64::NAN, 0)
        };
        let spread = one
            .simulated
            .interval
            .map(|(low, high)| numbers::trimmed((high - low) / 2.0, 4));
        vec![
            Cell::new(one.function.clone()),
            Cell::new(one.formula.clone()),
            Cell::new(one.figure.clone()),
            value(one.exact),
            Cell {
                spread,
                ..value(one.simulated)
            },
            Cell::new(deviation),
        ]
    });
    (!theory.is_empty()).then(|| Table {
        caption: "Theory",
        columns: vec![
            column("function", false, 0),
            column("formula", false, 0),
            column("figure", false, 0),
            column("exact", true, 0),
            column("simulated", true, 0),
            column("deviation", true, 1),
        ],
        rows: rows.collect(),
    })
}

fn value(figure: Figure) -> Cell {
    Cell::new(numbers::trimmed(figure.value, 4))
}

/// What each formula assumes, once for each function.
pub(super) fn notes(theory: &[Theory]) -> Vec<String> {
    let mut notes: Vec<String> = Vec::new();
    for one in theory {
        let note = format!(
            "Theory: {} of {} assumes {}.",
            one.formula, one.function, one.assumptions
        );
        if notes.last() != Some(&note) {
            notes.push(note);
        }
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deviations_are_shown_where_they_mean_something() {
        let row = |figure: &str, exact, simulated| Theory {
            function: "f".to_owned(),
            formula: "Erlang B".to_owned(),
            assumptions: "one rate".to_owned(),
            figure: figure.to_owned(),
            exact: Figure::new(exact, 6),
            simulated: Figure::new(simulated, 3),
        };
        let rows = [row("share refused", 0.0, 0.0), row("busy, mean", 8.0, 8.2)];
        let table = table(&rows).expect("a table");
        let last: Vec<&str> = table.rows.iter().map(|row| row[5].text.as_str()).collect();
        assert_eq!(last, ["–", "+2.5%"]);
        assert_eq!(notes(&rows), ["Theory: Erlang B of f assumes one rate."]);
        assert!(super::table(&[]).is_none());
    }
}
