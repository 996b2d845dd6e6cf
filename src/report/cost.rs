//! The bill as a table.

use super::numbers;
use super::tables::figure;
use super::view::{Cell, Column, Table, Tone};
use crate::metrics::{CostLine, CostSummary, Figure};

/// Lines beyond this many, the smallest ones, are added up to one.
const LINES_MAX: usize = 24;

/// Lines that cost something, those that cost most first where there are many, and their sum.
pub(super) fn bill(cost: &CostSummary) -> Option<Table> {
    let mut lines: Vec<&CostLine> = cost
        .lines
        .iter()
        .filter(|line| line.quantity.value > 0.0)
        .collect();
    if lines.is_empty() {
        return None;
    }
    let mut others = Vec::new();
    if lines.len() > LINES_MAX {
        lines.sort_by(|one, other| other.per_month.value.total_cmp(&one.per_month.value));
        others = lines.split_off(LINES_MAX - 1);
    }
    let mut rows: Vec<Vec<Cell>> = lines.iter().map(|line| row(line)).collect();
    if !others.is_empty() {
        let sum = |of: fn(&CostLine) -> Figure| {
            Figure::new(others.iter().map(|line| of(line).value).sum(), 6)
        };
        let name = format!("{} others", others.len());
        rows.push(last(
            &name,
            sum(|line| line.amount),
            sum(|line| line.per_month),
        ));
    }
    rows.push(last("together", cost.total_usd, cost.total_usd_per_month));
    let column = |title, numeric, rank| Column {
        group: "",
        title,
        numeric,
        rank,
    };
    Some(Table {
        caption: "Cost",
        columns: vec![
            column("subject", false, 0),
            column("item", false, 0),
            column("quantity", true, 2),
            column("unit", false, 3),
            column("USD each", true, 4),
            column("USD", true, 1),
            column("USD a month", true, 0),
        ],
        rows,
    })
}

fn row(line: &CostLine) -> Vec<Cell> {
    vec![
        Cell::new(line.subject.clone()),
        Cell::new(line.item.clone()),
        figure(line.quantity, |number| numbers::trimmed(number, 3)),
        Cell::new(line.unit.clone()),
        Cell::new(line.unit_price.clone()),
        money(line.amount),
        money(line.per_month),
    ]
}

fn last(name: &str, amount: Figure, month: Figure) -> Vec<Cell> {
    let empty = || Cell::default().toned(Tone::Faint);
    vec![
        Cell::new(name),
        empty(),
        empty(),
        empty(),
        empty(),
        money(amount),
        money(month),
    ]
}

/// Cents where there are some, and more digits where there are none.
fn money(amount: Figure) -> Cell {
    figure(amount, |usd| {
        let decimals = if usd.abs() >= 1.0 || usd == 0.0 { 2 } else { 6 };
        numbers::grouped(usd, decimals)
    })
}
