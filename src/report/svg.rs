//! One chart as an SVG element whose colours and sizes are left to the page's style sheet.

use plotters::coord::ranged1d::Ranged as _;
use plotters::prelude::*;

use super::restyle::{self, Role};
use super::scale::{Scale, drawn_limit};
use super::view::{Chart, Colour};

/// Plotters places things on whole units, so a unit is a tenth of the size in which the sheet thinks.
pub(super) const UNIT: i32 = 10;
pub(super) const WIDTH: i32 = 560 * UNIT;
pub(super) const HEIGHT: i32 = 214 * UNIT;
/// Room for the labels of bands above the plot.
const TOP: i32 = 19 * UNIT;
const BOTTOM: i32 = 27 * UNIT;
const RIGHT: i32 = 20 * UNIT;
/// Space between a label and its axis.
const TICK: i32 = 3 * UNIT;
/// A generous width of one character of a label.
const CHARACTER: i32 = 8 * UNIT;
/// The same for names of bands, which grow in narrow windows and must not touch each other.
const BAND_CHARACTER: i32 = 8 * UNIT;

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;
type Failure<'a> = DrawingAreaErrorKind<<SVGBackend<'a> as DrawingBackend>::ErrorType>;

/// Whether the chart has anything to draw.
pub(super) fn is_drawn(chart: &Chart) -> bool {
    chart.empty.is_none() && chart.end_s > 0.0
}

/// Draws the chart; `None` when it has nothing to draw.
pub(super) fn draw(chart: &Chart) -> Option<String> {
    if !is_drawn(chart) {
        return None;
    }
    let mut drawn = String::new();
    {
        let backend = SVGBackend::with_string(&mut drawn, (WIDTH as u32, HEIGHT as u32));
        let area = backend.into_drawing_area();
        // Writing to a string cannot fail; a chart without content would still not be an answer.
        plot(chart, &Scale::of_values(chart), &area).ok()?;
        area.present().ok()?;
    }
    Some(restyle::restyle(&drawn))
}

fn plot<'a>(chart: &Chart, values: &Scale, root: &Area<'a>) -> Result<(), Failure<'a>> {
    let (times, format) = Scale::across(chart);
    let longest = values
        .ticks
        .iter()
        .map(|(_, text)| text.chars().count())
        .max();
    let left = (longest.unwrap_or(0) as i32 * CHARACTER + 2 * TICK).max(44 * UNIT);
    let mut context = ChartBuilder::on(root)
        .margin_top(TOP)
        .margin_right(RIGHT)
        .set_label_area_size(LabelAreaPosition::Left, left)
        .set_label_area_size(LabelAreaPosition::Bottom, BOTTOM)
        .build_cartesian_2d(times, values.clone())?;
    for band in &chart.bands {
        let role = if band.fault {
            Role::Fault
        } else {
            Role::WarmUp
        };
        let corners = [(band.from_s, values.low), (band.to_s, values.high)];
        context.draw_series([Rectangle::new(corners, role.colour().filled())])?;
    }
    context
        .configure_mesh()
        .disable_x_mesh()
        .bold_line_style(Role::Grid.colour())
        .light_line_style(TRANSPARENT)
        .axis_style(TRANSPARENT)
        .set_all_tick_mark_size(TICK)
        .label_style(Role::TickText.text())
        .draw()?;
    let area = context.plotting_area();
    for line in chart.lines.iter().filter(|line| line.filled) {
        for run in runs(&line.points, values) {
            area.draw(&Polygon::new(
                closed(run, values.low),
                Role::Fill(line.colour).colour(),
            ))?;
        }
    }
    let trace = |points, role: Role| -> Result<(), Failure<'a>> {
        for run in runs(points, values) {
            area.draw(&PathElement::new(run.to_vec(), role.colour()))?;
        }
        Ok(())
    };
    for line in chart.lines.iter().filter(|line| !line.means.is_empty()) {
        trace(&line.points, Role::Faint(line.colour))?;
    }
    for line in &chart.lines {
        let means = Some(&line.means).filter(|means| !means.is_empty());
        trace(means.unwrap_or(&line.points), Role::Stroke(line.colour))?;
    }
    if let Some(limit) = drawn_limit(chart) {
        let ends = vec![(0.0, limit.value), (chart.end_s, limit.value)];
        area.draw(&PathElement::new(ends, Role::Limit.colour()))?;
    }
    let (times, _) = Scale::across(chart);
    base_line(&times, root, left)?;
    annotate(chart, values, root, left, format)
}

/// The time axis. Plotters would draw the vertical one in the same style, where the grid is enough.
fn base_line<'a>(times: &Scale, root: &Area<'a>, left: i32) -> Result<(), Failure<'a>> {
    let (y, right) = (HEIGHT - BOTTOM, WIDTH - RIGHT);
    let draw = |points| root.draw(&PathElement::new(points, Role::Axis.colour()));
    draw(vec![(left, y), (right, y)])?;
    for (at, _) in &times.ticks {
        let x = times.map(at, (left, right));
        draw(vec![(x, y), (x, y + TICK)])?;
    }
    Ok(())
}

/// Texts around the plot: names of bands, the limit's value, the format of times.
fn annotate<'a>(
    chart: &Chart,
    values: &Scale,
    root: &Area<'a>,
    left: i32,
    format: &str,
) -> Result<(), Failure<'a>> {
    let width = WIDTH - RIGHT - left;
    let x = |seconds: f64| left + (seconds / chart.end_s * f64::from(width)) as i32;
    let mut free_from = left;
    for band in &chart.bands {
        let needed = band.label.chars().count() as i32 * BAND_CHARACTER;
        let start = x(band.from_s).max(left).min(WIDTH - RIGHT - needed);
        // A label that does not fit beside its neighbours is left to the notes of the report.
        if start >= free_from {
            let role = if band.fault {
                Role::FaultText
            } else {
                Role::BandText
            };
            root.draw_text(&band.label, &role.text(), (start, TOP - 15 * UNIT))?;
            free_from = start + needed + BAND_CHARACTER;
        }
    }
    if let Some(limit) = drawn_limit(chart) {
        let height = f64::from(HEIGHT - TOP - BOTTOM);
        let y = HEIGHT - BOTTOM - (values.share(limit.value) * height) as i32;
        let text = format!(
            "{} {}",
            limit.label,
            super::numbers::grouped(limit.value, 0)
        );
        root.draw_text(
            &text,
            &Role::LimitText.text(),
            (WIDTH - RIGHT, y - 17 * UNIT),
        )?;
    }
    root.draw_text(
        format,
        &Role::FormatText.text(),
        (left - 9 * UNIT, HEIGHT - BOTTOM + 2 * TICK),
    )
}

/// The stretches of a line between gaps.
fn runs<'a>(points: &'a [(f64, f64)], values: &'a Scale) -> impl Iterator<Item = &'a [(f64, f64)]> {
    points
        .split(|(_, value)| !values.shows(*value))
        .filter(|run| !run.is_empty())
}

fn closed(run: &[(f64, f64)], base: f64) -> Vec<(f64, f64)> {
    let ends = run.last().into_iter().chain(run.first());
    let along = ends.map(|(t, _)| (*t, base));
    run.iter().copied().chain(along).collect()
}

impl Colour {
    /// Its name in the style sheet.
    pub(super) const fn class(self) -> &'static str {
        match self {
            Self::Blue => "blue",
            Self::Orange => "orange",
            Self::Green => "green",
            Self::Vermilion => "vermilion",
            Self::Sky => "sky",
            Self::Purple => "purple",
        }
    }
}
