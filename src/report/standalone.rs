//! A chart as an SVG file of its own: with its title, unit and legend, in the light theme, on white.

use std::fmt::Write as _;

use super::svg::{HEIGHT, UNIT, WIDTH};
use super::view::Chart;
use super::{html, numbers, palette, svg};

const STYLE: &str = include_str!("assets/chart.css");
const MARGIN: i32 = 16 * UNIT;
const TITLE: i32 = 28 * UNIT;
const LEGEND_ROW: i32 = 19 * UNIT;
/// A generous width of a character of the legend.
const CHARACTER: i32 = 7 * UNIT;
const SWATCH: i32 = 22 * UNIT;

/// The whole file; `None` when there is nothing to draw.
pub(super) fn draw(chart: &Chart, subject: &str) -> Option<String> {
    let drawing = svg::draw(chart)?;
    let (_, inside) = drawing.split_once('>')?;
    let mut legend = String::new();
    let below = legend_rows(chart, &mut legend) + 6 * UNIT;
    let (width, height) = (WIDTH + 2 * MARGIN, below + HEIGHT + MARGIN);
    let mut file = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{}\" height=\"{}\" role=\"img\">\n\
         <title>{}</title>\n<style>\n{}</style>\n<rect class=\"page\" width=\"{width}\" height=\"{height}\"/>\n",
        width / UNIT,
        height / UNIT,
        html::escape(&html::description(chart, subject)),
        palette::resolved(STYLE)
    );
    let smoothing = chart
        .mean_of_s
        .map(|length| format!("{} means", numbers::seconds(length)));
    let hints = [Some(html::unit(chart)), smoothing].into_iter().flatten();
    let hints: Vec<String> = hints.filter(|hint| !hint.is_empty()).collect();
    let _ = writeln!(
        file,
        "<text class=\"title\" x=\"{MARGIN}\" y=\"{TITLE}\">{}: {}<tspan class=\"hint\" dx=\"80\">{}</tspan></text>",
        html::escape(subject),
        html::escape(chart.title),
        html::escape(&hints.join(" · "))
    );
    file.push_str(&legend);
    let _ = writeln!(
        file,
        "<g transform=\"translate({MARGIN},{below})\">{inside}"
    );
    // The drawing's own end closes the element around it.
    Some(file.replace("</svg>", "</g>") + "</svg>\n")
}

/// Lines from left to right in as many rows as they need; returns where the last row ends.
fn legend_rows(chart: &Chart, legend: &mut String) -> i32 {
    let lines = chart.lines.iter().map(|line| {
        (
            format!("line {}", line.colour.class()),
            line.label.to_string(),
        )
    });
    let limit = chart.limit.filter(|limit| limit.off_scale).map(|limit| {
        let value = numbers::grouped(limit.value, 0);
        (
            "limit".to_owned(),
            format!("{} {value}, above this scale", limit.label),
        )
    });
    let (mut x, mut y) = (MARGIN, TITLE + LEGEND_ROW);
    for (class, label) in lines.chain(limit) {
        let width = SWATCH + label.chars().count() as i32 * CHARACTER;
        if x > MARGIN && x + width > WIDTH + MARGIN {
            x = MARGIN;
            y += LEGEND_ROW;
        }
        let _ = writeln!(
            legend,
            "<path class=\"key {class}\" d=\"M{x},{}h{}\"/><text class=\"label\" x=\"{}\" y=\"{y}\">{}</text>",
            y - 4 * UNIT,
            SWATCH - 6 * UNIT,
            x + SWATCH,
            html::escape(&label)
        );
        x += width + 8 * UNIT;
    }
    y
}
