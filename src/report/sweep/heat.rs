//! A figure over two axes as a map: the deeper a field's colour, the larger the figure.

use super::place::Side;
use super::points::{BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, shortened, told};
use super::words;
use crate::metrics::SweepSummary;
use crate::report::html::escape;
use std::fmt::Write as _;

/// Fields in a row or column beyond which a map is only noise.
const FIELDS_MAX: usize = 60;
/// Fields in a row beyond which there is no room for their values.
const TEXTS_MAX: usize = 8;
/// Strongest colour, on which text is still read.
const DEEPEST: f64 = 0.62;

/// The map of figure `measure`; nothing unless a grid of two axes was swept and something measured.
pub(super) fn draw(sweep: &SweepSummary, measure: usize) -> Option<String> {
    let [across, up] = sweep.axes.as_slice() else {
        return None;
    };
    let sizes = [across.values.len(), up.values.len()];
    if sizes.iter().any(|size| !(2..=FIELDS_MAX).contains(size)) || sweep.sample != "grid" {
        return None;
    }
    let unit = sweep.measures[measure].unit;
    let means = sweep.variants.iter().map(|it| it.figures[measure].mean);
    let means: Vec<f64> = means.filter(|mean| mean.is_finite()).collect();
    let low = means.iter().copied().fold(f64::INFINITY, f64::min);
    let high = means.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if means.is_empty() {
        return None;
    }
    let (columns, rows) = (Side::of_words(sweep, 0), Side::of_words(sweep, 1));
    let (width, height) = (WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM);
    let (field, row) = (width / sizes[0] as f64, height / sizes[1] as f64);
    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" aria-hidden=\"true\" focusable=\"false\">\n"
    );
    for point in &sweep.variants {
        let mean = point.figures[measure].mean;
        let at = columns.of_value(f64::NAN, &point.values[0]);
        let above = rows.of_value(f64::NAN, &point.values[1]);
        let x = LEFT + at * width - field / 2.0;
        let y = HEIGHT - BOTTOM - above * height - row / 2.0;
        let share = match high > low {
            true => (mean - low) / (high - low),
            false => 0.0,
        };
        let depth = match mean.is_finite() {
            true => 0.05 + share * (DEEPEST - 0.05),
            false => 0.0,
        };
        let _ = writeln!(
            svg,
            "<rect class=\"field\" x=\"{:.0}\" y=\"{:.0}\" width=\"{:.0}\" height=\"{:.0}\" fill-opacity=\"{depth:.3}\"><title>{}</title></rect>",
            x,
            y,
            field,
            row,
            escape(&told(sweep, point, &[measure]))
        );
        if sizes[0] <= TEXTS_MAX && sizes[1] <= 2 * TEXTS_MAX {
            let _ = writeln!(
                svg,
                "<text class=\"inside\" x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"middle\">{}</text>",
                x + field / 2.0,
                y + row / 2.0 + 40.0,
                escape(&words::value(unit, mean))
            );
        }
    }
    let skip = |count: usize, room: usize| count.div_ceil(room).max(1);
    for (at, label) in columns.ticks.iter().step_by(skip(sizes[0], 10)) {
        let _ = writeln!(
            svg,
            "<text class=\"tick\" x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"middle\">{}</text>",
            LEFT + at * width,
            HEIGHT - BOTTOM + 170.0,
            escape(&shortened(label))
        );
    }
    for (at, label) in rows.ticks.iter().step_by(skip(sizes[1], 12)) {
        let _ = writeln!(
            svg,
            "<text class=\"tick\" x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"end\">{}</text>",
            LEFT - 60.0,
            HEIGHT - BOTTOM - at * height + 40.0,
            escape(&shortened(label))
        );
    }
    let _ = write!(
        svg,
        "<text class=\"side\" x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"middle\">{} (across), {} (up)</text>\n</svg>",
        (LEFT + WIDTH - RIGHT) / 2.0,
        HEIGHT - 80.0,
        escape(&across.name),
        escape(&up.name)
    );
    Some(svg)
}
