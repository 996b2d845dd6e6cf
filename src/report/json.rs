//! `summary.json`: the figures for programs.

use crate::metrics::Summary;

/// The document, indented, with a final line break. Equal summaries give equal bytes.
pub(super) fn render(summary: &Summary) -> String {
    // Keys are strings and figures print `null` at worst, so there is nothing that could fail.
    let mut text = serde_json::to_string_pretty(summary).unwrap_or_default();
    text.push('\n');
    text
}
