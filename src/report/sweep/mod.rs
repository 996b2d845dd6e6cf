//! What a sweep found: tables with intervals, and pages with its points as points.
//!
//! `words` has what all of them say, `place` finds places on axes, `points`, `heat` and `pareto` draw.

pub(super) mod csv;
mod heat;
pub(super) mod html;
pub(super) mod markdown;
mod pareto;
mod place;
mod points;
pub(super) mod text;
mod words;

#[cfg(test)]
mod tests;

use crate::metrics::SweepSummary;

/// The document, with a final line break.
pub(super) fn json(sweep: &SweepSummary) -> String {
    // Nothing in it can fail to be written.
    let mut text = serde_json::to_string_pretty(sweep).unwrap_or_default();
    text.push('\n');
    text
}
