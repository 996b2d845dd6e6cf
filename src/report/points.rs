//! A page of plain tables, and of charts whose horizontal axis has points instead of time. Who asks for it says what is in
//! it; here it only gets its form.

use super::TextOptions;
use super::html::{escape, plain_head};
use std::fmt::Write as _;

/// A report about points: tables, and charts over the points.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PointPage {
    /// Heading of the page.
    pub title: String,
    /// Label and value: what identifies the run.
    pub facts: Vec<(String, String)>,
    /// Sentences that a reader needs.
    pub notes: Vec<String>,
    /// In order.
    pub sheets: Vec<Sheet>,
    /// In order.
    pub charts: Vec<PointChart>,
}

/// A table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sheet {
    /// What it is about.
    pub heading: String,
    /// Headings of its columns.
    pub columns: Vec<String>,
    /// So many columns at the left name the row; the others are set to the right.
    pub names: usize,
    /// As many cells as there are columns.
    pub rows: Vec<Vec<String>>,
}

/// Values at points, on a logarithmic axis where they differ by a lot.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PointChart {
    /// What it is about.
    pub title: String,
    /// Of its values.
    pub unit: String,
    /// The points.
    pub labels: Vec<String>,
    /// At most six.
    pub lines: Vec<PointLine>,
}

/// The values of one quantity.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PointLine {
    /// Its name.
    pub label: String,
    /// One for each point.
    pub values: Vec<Option<f64>>,
}

/// The tables for a terminal. Columns that do not fit move into further tables below.
pub fn points_text(page: &PointPage, options: TextOptions) -> String {
    let bold = |text: &str| match options.colour {
        true => format!("\u{1b}[1m{text}\u{1b}[0m"),
        false => text.to_owned(),
    };
    let mut text = bold(&page.title);
    let facts = page
        .facts
        .iter()
        .map(|(label, value)| format!("{label} {value}"));
    let _ = writeln!(text, "  {}", facts.collect::<Vec<_>>().join("  "));
    for note in &page.notes {
        let _ = writeln!(text, "{}", wrapped(note, options.width));
    }
    for sheet in &page.sheets {
        let _ = writeln!(text, "\n{}", bold(&sheet.heading));
        sheet_text(sheet, options.width, &mut text);
    }
    text
}

fn sheet_text(sheet: &Sheet, width: usize, text: &mut String) {
    let widths: Vec<usize> = (0..sheet.columns.len())
        .map(|column| {
            let cells = sheet.rows.iter().map(|row| row[column].chars().count());
            cells
                .chain([sheet.columns[column].chars().count()])
                .max()
                .unwrap_or(0)
        })
        .collect();
    let names: usize = widths[..sheet.names].iter().map(|width| width + 2).sum();
    let mut from = sheet.names;
    while from < widths.len() {
        let mut to = from;
        let mut used = names;
        while to < widths.len() && (to == from || used + widths[to] + 2 <= width) {
            used += widths[to] + 2;
            to += 1;
        }
        let picked: Vec<usize> = (0..sheet.names).chain(from..to).collect();
        let line = |cells: &[String]| {
            let each = picked.iter().map(|&column| {
                let (cell, width) = (&cells[column], widths[column]);
                match column < sheet.names {
                    true => format!("{cell:<width$}  "),
                    false => format!("{cell:>width$}  "),
                }
            });
            each.collect::<String>().trim_end().to_owned()
        };
        let _ = writeln!(text, "{}", line(&sheet.columns));
        for row in &sheet.rows {
            let _ = writeln!(text, "{}", line(row));
        }
        if to < widths.len() {
            text.push('\n');
        }
        from = to;
    }
}

fn wrapped(note: &str, width: usize) -> String {
    let mut lines = String::new();
    let mut used = 0;
    for word in note.split(' ') {
        let length = word.chars().count();
        if used > 0 {
            let is_full = used + 1 + length > width.max(20);
            lines.push(if is_full { '\n' } else { ' ' });
            used = if is_full { 0 } else { used + 1 };
        }
        lines.push_str(word);
        used += length;
    }
    lines
}

/// The page as one file that needs no network.
pub fn points_html(page: &PointPage) -> String {
    let title = escape(&page.title);
    let mut html = plain_head(&title, "");
    let _ = write!(
        html,
        "<header>\n<div class=\"title\"><h1>{title}</h1></div>\n<dl class=\"facts\">\n"
    );
    for (label, value) in &page.facts {
        let (label, value) = (escape(label), escape(value));
        let _ = writeln!(html, "<div><dt>{label}</dt><dd>{value}</dd></div>");
    }
    html.push_str("</dl>\n<ul class=\"notes\">\n");
    for note in &page.notes {
        let _ = writeln!(html, "<li>{}</li>", escape(note));
    }
    html.push_str(
        "</ul>\n</header>\n<main>\n<section class=\"subject\">\n<div class=\"charts\">\n",
    );
    for one in &page.charts {
        chart(one, &mut html);
    }
    html.push_str("</div>\n</section>\n");
    for sheet in &page.sheets {
        table(sheet, &mut html);
    }
    html.push_str("</main>\n</body>\n</html>\n");
    html
}

fn table(sheet: &Sheet, html: &mut String) {
    let heading = escape(&sheet.heading);
    let _ = write!(
        html,
        "<section>\n<h2>{heading}</h2>\n<div class=\"tables\"><div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{heading}\">\
         <table>\n<caption class=\"unseen\">{heading}</caption>\n<thead><tr>"
    );
    let side = |column: usize| {
        if column < sheet.names {
            ""
        } else {
            " class=\"n\""
        }
    };
    for (column, title) in sheet.columns.iter().enumerate() {
        let _ = write!(
            html,
            "<th scope=\"col\"{}>{}</th>",
            side(column),
            escape(title)
        );
    }
    html.push_str("</tr></thead>\n<tbody>\n");
    for row in &sheet.rows {
        html.push_str("<tr>");
        for (column, cell) in row.iter().enumerate() {
            let (open, close) = match column {
                0 => ("th scope=\"row\"", "th"),
                _ => ("td", "td"),
            };
            let _ = write!(html, "<{open}{}>{}</{close}>", side(column), escape(cell));
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</tbody>\n</table></div></div>\n</section>\n");
}

const COLOURS: [&str; 6] = ["blue", "orange", "green", "vermilion", "sky", "purple"];
/// The units of the other charts, so that one style sheet fits all.
const WIDTH: f64 = 5_600.0;
const HEIGHT: f64 = 2_140.0;
const LEFT: f64 = 620.0;
const TOP: f64 = 190.0;
const RIGHT: f64 = 200.0;
const BOTTOM: f64 = 270.0;
/// Values that differ by more than this are shown on a logarithmic axis.
const LINEAR_MAX: f64 = 20.0;

fn chart(chart: &PointChart, html: &mut String) {
    let values = || {
        chart
            .lines
            .iter()
            .flat_map(|line| line.values.iter().flatten().copied())
    };
    let high = values().fold(0.0, f64::max);
    let least = values()
        .filter(|value| *value > 0.0)
        .fold(f64::INFINITY, f64::min);
    let is_log = high / least > LINEAR_MAX;
    let (unit, title) = (escape(&chart.unit), escape(&chart.title));
    let scale = if is_log { ", logarithmic scale" } else { "" };
    let _ = writeln!(
        html,
        "<figure>\n<figcaption>{title}<span>{unit}{scale}</span></figcaption>"
    );
    if values().next().is_none() || high <= 0.0 {
        html.push_str("<p class=\"empty\">Nothing to show</p>\n</figure>\n");
        return;
    }
    html.push_str("<ul class=\"legend\">");
    for (line, colour) in chart.lines.iter().zip(COLOURS) {
        let _ = write!(
            html,
            "<li><i class=\"{colour}\"></i>{}</li>",
            escape(&line.label)
        );
    }
    let ticks = ticks(least, high, is_log);
    let (low, top) = (ticks[0], ticks[ticks.len() - 1]);
    let place = |value: f64| {
        let share = match is_log {
            true => (value.max(low) / low).ln() / (top / low).ln(),
            false => value / top,
        };
        HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)
    };
    let count = chart.labels.len();
    let along = |index: usize| match count {
        1 => (LEFT + WIDTH - RIGHT) / 2.0,
        _ => LEFT + (WIDTH - LEFT - RIGHT) * index as f64 / (count - 1) as f64,
    };
    let _ = write!(
        html,
        "</ul>\n<div role=\"img\" aria-label=\"{}\"><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" aria-hidden=\"true\" focusable=\"false\">",
        escape(&description(chart))
    );
    for &tick in &ticks {
        let y = place(tick);
        let _ = write!(
            html,
            "<path class=\"grid\" d=\"M{LEFT} {y:.0}H{:.0}\"/><text class=\"tick\" x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"end\">{}</text>",
            WIDTH - RIGHT,
            LEFT - 60.0,
            y + 35.0,
            short(tick)
        );
    }
    // Labels of many points would cover each other.
    let every = count.div_ceil(24).max(1);
    for (index, label) in chart.labels.iter().enumerate().step_by(every) {
        let _ = write!(
            html,
            "<text class=\"tick\" x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"middle\">{}</text>",
            along(index),
            HEIGHT - BOTTOM + 140.0,
            escape(label)
        );
    }
    for (line, colour) in chart.lines.iter().zip(COLOURS) {
        let mut path = String::new();
        let mut is_open = false;
        for (index, value) in line.values.iter().enumerate() {
            let Some(value) = value else {
                is_open = false;
                continue;
            };
            let (x, y) = (along(index), place(*value));
            let _ = write!(path, "{}{x:.0} {y:.0}", if is_open { 'L' } else { 'M' });
            // A point by itself would be no line.
            let _ = write!(path, "m-25 0h50m-25 0");
            is_open = true;
        }
        let _ = write!(html, "<path class=\"line {colour}\" d=\"{path}\"/>");
    }
    html.push_str("</svg></div>\n</figure>\n");
}

/// Values of grid lines, the first below everything and the last above it.
fn ticks(least: f64, high: f64, is_log: bool) -> Vec<f64> {
    if is_log {
        let (from, to) = (least.log10().floor() as i32, high.log10().ceil() as i32);
        return (from..=to.max(from + 1))
            .map(|power| 10_f64.powi(power))
            .collect();
    }
    let step = 10_f64.powf((high / 4.0).log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .map(|factor| factor * step)
        .into_iter()
        .find(|step| high / step <= 5.0)
        .unwrap_or(10.0 * step);
    let count = (high / step).ceil().max(1.0) as u32;
    (0..=count).map(|index| f64::from(index) * step).collect()
}

fn short(value: f64) -> String {
    let text = format!("{value:.4}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

fn description(chart: &PointChart) -> String {
    let lines = chart.lines.iter().map(|line| {
        let values = line.values.iter().flatten().copied();
        let (low, high) = values.fold((f64::INFINITY, 0.0), |(low, high), value| {
            (f64::min(low, value), f64::max(high, value))
        });
        format!("{} from {low:.3} to {high:.3}", line.label)
    });
    let lines: Vec<String> = lines.collect();
    format!("{}, {}: {}", chart.title, chart.unit, lines.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page() -> PointPage {
        PointPage {
            title: "a <b>".to_owned(),
            facts: vec![("points".to_owned(), "2".to_owned())],
            notes: vec!["Mind the gap between the rate & what comes of it.".to_owned()],
            sheets: vec![Sheet {
                heading: "Throughput".to_owned(),
                columns: ["point", "records/s", "MB/s"].map(str::to_owned).to_vec(),
                names: 1,
                rows: vec![
                    ["1: orders", "100.0", "0.02"].map(str::to_owned).to_vec(),
                    ["2: orders batch=10", "200.0", "0.04"]
                        .map(str::to_owned)
                        .to_vec(),
                ],
            }],
            charts: vec![PointChart {
                title: "Hop latency".to_owned(),
                unit: "ms".to_owned(),
                labels: vec!["1".to_owned(), "2".to_owned()],
                lines: vec![PointLine {
                    label: "p99".to_owned(),
                    values: vec![Some(12.0), None],
                }],
            }],
        }
    }

    #[test]
    fn tables_fit_the_width() {
        let wide = points_text(&page(), TextOptions::default());
        assert!(
            wide.contains(
                "point               records/s  MB/s\n1: orders               100.0  0.02\n"
            ),
            "{wide}"
        );
        let narrow = points_text(
            &page(),
            TextOptions {
                width: 34,
                colour: false,
            },
        );
        assert!(
            narrow.lines().all(|line| line.chars().count() <= 34),
            "{narrow}"
        );
        assert!(narrow.contains("point               MB/s\n"), "{narrow}");
    }

    #[test]
    fn nothing_of_the_input_becomes_markup() {
        let html = points_html(&page());
        assert!(html.contains("<h1>a &lt;b&gt;</h1>"));
        assert!(html.contains("the rate &amp; what"));
        assert_eq!(html.matches("<svg").count(), 1);
        assert!(html.contains("aria-label=\"Hop latency, ms: p99 from 12.000 to 12.000\""));
        for outside in ["http:", "https:", "<script"] {
            assert!(!html.contains(outside), "{outside}: it needs neither");
        }
    }

    #[test]
    fn grid_lines_enclose_what_is_drawn() {
        for (least, high, is_log) in [
            (1.0, 12.0, false),
            (0.4, 900.0, true),
            (3.0, 3.0, false),
            (100.0, 1_000.0, true),
        ] {
            let ticks = ticks(least, high, is_log);
            assert!(
                ticks[0] <= least && ticks[ticks.len() - 1] >= high,
                "{ticks:?}"
            );
            assert!((2..=8).contains(&ticks.len()), "{ticks:?}");
        }
    }

    #[test]
    fn a_chart_without_values_says_so() {
        let mut page = page();
        page.charts[0].lines[0].values = vec![None, None];
        assert!(points_html(&page).contains("Nothing to show"));
    }
}
