//! Points with error bars. No line joins them: between two variants nobody has looked.

use super::place::Side;
use super::words;
use crate::metrics::{SweepFigure, SweepSummary};
use crate::report::html::escape;
use std::fmt::Write as _;

/// A unit is a tenth of the size in which the style sheet thinks.
const UNIT: f64 = 10.0;
pub(super) const WIDTH: f64 = 560.0 * UNIT;
pub(super) const HEIGHT: f64 = 240.0 * UNIT;
pub(super) const LEFT: f64 = 66.0 * UNIT;
pub(super) const RIGHT: f64 = 16.0 * UNIT;
pub(super) const TOP: f64 = 10.0 * UNIT;
pub(super) const BOTTOM: f64 = 44.0 * UNIT;
/// Half the width of the end of an error bar.
const CAP: f64 = 3.5 * UNIT;
/// Beyond these points are drawn without bars, and not all of them.
pub(super) const BARS_MAX: usize = 1_000;
pub(super) const POINTS_MAX: usize = 4_000;

/// Names of colours in the style sheet.
pub(super) const COLOURS: [&str; 6] = ["blue", "orange", "green", "vermilion", "sky", "purple"];

/// Where the plot is.
pub(super) fn x(share: f64) -> f64 {
    LEFT + share * (WIDTH - LEFT - RIGHT)
}

pub(super) fn y(share: f64) -> f64 {
    HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)
}

/// The drawing's beginning: grid, ticks, and what the sides measure.
pub(super) fn frame(across: &Side, up: &Side, below: &str) -> String {
    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" aria-hidden=\"true\" focusable=\"false\">\n"
    );
    for (at, label) in &up.ticks {
        let y = y(*at).round();
        let _ = writeln!(
            svg,
            "<path class=\"grid\" d=\"M{LEFT} {y}H{}\"/><text class=\"tick\" x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>",
            WIDTH - RIGHT,
            LEFT - 6.0 * UNIT,
            y + 4.0 * UNIT,
            escape(label)
        );
    }
    let base = HEIGHT - BOTTOM;
    let _ = writeln!(
        svg,
        "<path class=\"axis\" d=\"M{LEFT} {base}H{}\"/>",
        WIDTH - RIGHT
    );
    let shown = every(across.ticks.len());
    for (at, label) in across.ticks.iter().step_by(shown) {
        let x = x(*at).round();
        let _ = writeln!(
            svg,
            "<path class=\"axis\" d=\"M{x} {base}v{}\"/><text class=\"tick\" x=\"{x}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            4.0 * UNIT,
            base + 17.0 * UNIT,
            escape(&shortened(label))
        );
    }
    let scale = if across.is_log() { ", logarithmic" } else { "" };
    let _ = writeln!(
        svg,
        "<text class=\"side\" x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}{scale}</text>",
        (LEFT + WIDTH - RIGHT) / 2.0,
        HEIGHT - 8.0 * UNIT,
        escape(below)
    );
    if up.is_log() {
        let _ = writeln!(
            svg,
            "<text class=\"tick\" x=\"{}\" y=\"{}\">logarithmic</text>",
            LEFT + 6.0 * UNIT,
            TOP + 8.0 * UNIT
        );
    }
    svg
}

/// Labels that fit beside each other: every one, every second and so on.
fn every(count: usize) -> usize {
    count.div_ceil(10).max(1)
}

/// Long values are cut: the table has them in full.
pub(super) fn shortened(text: &str) -> String {
    const CHARS_MAX: usize = 12;
    if text.chars().count() <= CHARS_MAX {
        return text.to_owned();
    }
    let kept: String = text.chars().take(CHARS_MAX - 1).collect();
    format!("{kept}…")
}

/// A vertical error bar at `x`.
pub(super) fn bar_up(svg: &mut String, side: &Side, figure: SweepFigure, x: f64, colour: &str) {
    if figure.half().is_none_or(|half| half == 0.0) {
        return;
    }
    let (low, high) = (y(side.share(figure.low)), y(side.share(figure.high)));
    let (low, high, x) = (low.round(), high.round(), x.round());
    let (from, to) = (x - CAP, x + CAP);
    let _ = writeln!(
        svg,
        "<path class=\"bar {colour}\" d=\"M{x} {low}V{high}M{from} {low}H{to}M{from} {high}H{to}\"/>"
    );
}

/// Figure `measure` over axis `axis`, in colours by the values of axis `by`; nothing when nothing was measured.
pub(super) fn draw(
    sweep: &SweepSummary,
    measure: usize,
    axis: usize,
    by: Option<usize>,
) -> Option<String> {
    let unit = sweep.measures[measure].unit;
    let figures = sweep.variants.iter().map(|point| point.figures[measure]);
    let up = Side::of_figures(unit, figures)?;
    let across = Side::of_axis(sweep, axis);
    let mut svg = frame(&across, &up, &sweep.axes[axis].name);
    let groups = by.map_or(&[][..], |by| &sweep.axes[by].values);
    let skip = sweep.variants.len().div_ceil(POINTS_MAX).max(1);
    let bars = sweep.variants.len() <= BARS_MAX;
    for point in sweep.variants.iter().step_by(skip) {
        let figure = point.figures[measure];
        if !figure.mean.is_finite() {
            continue;
        }
        let group = by.and_then(|by| groups.iter().position(|it| *it == point.values[by]));
        let colour = COLOURS[group.unwrap_or(0) % COLOURS.len()];
        // Groups stand beside each other, so that their bars can be told apart.
        let aside = group.map_or(0.0, |group| {
            (group as f64 - (groups.len() as f64 - 1.0) / 2.0) * 9.0 * UNIT
        });
        let at = across.of_value(point.places[axis], &point.values[axis]);
        let x = (x(at) + aside).round();
        if bars {
            bar_up(&mut svg, &up, figure, x, colour);
        }
        let y = y(up.share(figure.mean)).round();
        let _ = writeln!(
            svg,
            "<circle class=\"point {colour}\" cx=\"{x}\" cy=\"{y}\" r=\"{}\"><title>{}</title></circle>",
            if bars { 4.2 * UNIT } else { 2.4 * UNIT },
            escape(&told(sweep, point, &[measure]))
        );
    }
    svg.push_str("</svg>");
    Some(svg)
}

/// A variant in words, with these of its figures.
pub(super) fn told(
    sweep: &SweepSummary,
    point: &crate::metrics::SweepPoint,
    measures: &[usize],
) -> String {
    let mut text = format!("variant {}", point.variant);
    for (axis, value) in words::axes(sweep).iter().zip(&point.values) {
        let _ = write!(text, "\n{axis} = {value}");
    }
    for &index in measures {
        let measure = &sweep.measures[index];
        let figure = words::figure(measure.unit, point.figures[index]);
        let _ = write!(text, "\n{}: {figure}", measure.name);
    }
    text
}
