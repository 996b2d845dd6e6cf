//! What the money goes to.

use super::scene::Scene;
use super::words::finding;
use crate::metrics::numbers::{grouped, percent};
use crate::metrics::{Finding, Severity};

/// A line of the bill with at least this share of it.
const DOMINANT: f64 = 0.6;
/// A bill of one or two lines tells that by itself.
const LINES_MIN: usize = 4;
/// Below this nobody asks, USD a month.
const BILL_MIN: f64 = 100.0;

pub(super) fn of(scene: Scene<'_>) -> Option<Finding> {
    let cost = &scene.summary.cost;
    let total = cost.total_usd_per_month.value;
    let most = cost
        .lines
        .iter()
        .max_by(|one, other| one.per_month.value.total_cmp(&other.per_month.value))?;
    let share = most.per_month.value / total;
    if cost.lines.len() < LINES_MIN || !(total >= BILL_MIN && share >= DOMINANT) {
        return None;
    }
    let sentence = format!(
        "{} of {} is {} of the bill: {} of {} USD a month.",
        most.item,
        most.subject,
        percent(share),
        grouped(most.per_month.value, 2),
        grouped(total, 2)
    );
    Some(finding(
        Severity::Note,
        "cost-dominated",
        &most.subject,
        "cost.total_usd_per_month.Sum".to_owned(),
        sentence,
    ))
}
