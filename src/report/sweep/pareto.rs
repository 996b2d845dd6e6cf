//! Two figures against each other, with the variants that no other one beats.

use super::place::Side;
use super::points::{BARS_MAX, POINTS_MAX, bar_up, frame, told, x, y};
use crate::metrics::SweepSummary;
use crate::report::html::escape;
use std::fmt::Write as _;

/// Points of the front that have their numbers beside them.
const NUMBERS_MAX: usize = 24;

/// The chart; nothing when nobody asked for a front, or nothing was measured.
pub(super) fn draw(sweep: &SweepSummary) -> Option<String> {
    let [one, other] = sweep.pareto?;
    let side = |index: usize| {
        let figures = sweep.variants.iter().map(|point| point.figures[index]);
        Side::of_figures(sweep.measures[index].unit, figures)
    };
    let (across, up) = (side(one)?, side(other)?);
    let mut svg = frame(&across, &up, &sweep.measures[one].name);
    let bars = sweep.variants.len() <= BARS_MAX;
    let skip = sweep.variants.len().div_ceil(POINTS_MAX).max(1);
    let numbered = sweep.variants.iter().filter(|it| it.on_front).count() <= NUMBERS_MAX;
    let mut last_number = (f64::NEG_INFINITY, f64::NEG_INFINITY);
    let others = sweep
        .variants
        .iter()
        .filter(|it| !it.on_front)
        .step_by(skip);
    // The front last, so that it is on top.
    for point in others.chain(sweep.variants.iter().filter(|it| it.on_front)) {
        let (a, b) = (point.figures[one], point.figures[other]);
        if !(a.mean.is_finite() && b.mean.is_finite()) {
            continue;
        }
        let colour = if point.on_front { "vermilion" } else { "sky" };
        let (cx, cy) = (x(across.share(a.mean)).round(), y(up.share(b.mean)).round());
        if bars {
            bar_up(&mut svg, &up, b, cx, colour);
            bar_across(&mut svg, &across, a, cy, colour);
        }
        let _ = writeln!(
            svg,
            "<circle class=\"point {colour}\" cx=\"{cx}\" cy=\"{cy}\" r=\"{}\"><title>{}</title></circle>",
            if point.on_front { 48 } else { 32 },
            escape(&told(sweep, point, &[one, other]))
        );
        let clear = (cx - last_number.0).abs() > 150.0 || (cy - last_number.1).abs() > 120.0;
        if point.on_front && numbered && clear {
            last_number = (cx, cy);
            let _ = writeln!(
                svg,
                "<text class=\"tick\" x=\"{}\" y=\"{}\">{}</text>",
                cx + 70.0,
                cy - 50.0,
                point.variant
            );
        }
    }
    svg.push_str("</svg>");
    Some(svg)
}

fn bar_across(
    svg: &mut String,
    side: &Side,
    figure: crate::metrics::SweepFigure,
    y: f64,
    colour: &str,
) {
    if figure.half().is_none_or(|half| half == 0.0) {
        return;
    }
    let (low, high) = (x(side.share(figure.low)), x(side.share(figure.high)));
    let _ = writeln!(
        svg,
        "<path class=\"bar {colour}\" d=\"M{:.0} {y}H{:.0}\"/>",
        low, high
    );
}
