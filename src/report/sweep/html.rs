//! `sweep.html`: one file that needs no network and no script.

use super::{heat, pareto, points, words};
use crate::metrics::{SweepPoint, SweepSummary, SweepUnit};
use crate::report::html::{escape, plain_head};
use std::fmt::Write as _;

const STYLE: &str = include_str!("page.css");

/// Figures that are drawn; all are in the table.
const DRAWN_MAX: usize = 12;
/// Axes over which each figure is drawn.
const AXES_MAX: usize = 6;

/// The whole page.
pub(in crate::report) fn render(sweep: &SweepSummary) -> String {
    let title = escape(&sweep.scenario);
    let mut page = plain_head(&format!("{title}: sweep"), STYLE);
    let _ = write!(
        page,
        "<header>\n<div class=\"title\"><h1>{title}</h1></div>\n<dl class=\"facts\">\n"
    );
    for (label, value) in words::facts(sweep) {
        let value = escape(&value);
        let _ = writeln!(page, "<div><dt>{label}</dt><dd>{value}</dd></div>");
    }
    page.push_str("</dl>\n<ul class=\"notes\">\n");
    let axes = sweep.axes.iter().map(|axis| match axis.values.as_slice() {
        [] => format!("Varied: {}.", axis.name),
        values if values.len() > 12 => format!(
            "Varied: {} ({} values from {} to {}).",
            axis.name,
            values.len(),
            values[0],
            values[values.len() - 1]
        ),
        values => format!("Varied: {} ({}).", axis.name, values.join(", ")),
    });
    for note in axes.chain(words::notes(sweep)).chain(thinned(sweep)) {
        let _ = writeln!(page, "<li>{}</li>", escape(&note));
    }
    page.push_str("</ul>\n</header>\n<main>\n");
    front(sweep, &mut page);
    for index in 0..sweep.measures.len().min(DRAWN_MAX) {
        measure(sweep, index, &mut page);
    }
    table(sweep, &mut page);
    page.push_str("</main>\n</body>\n</html>\n");
    page
}

/// That charts show less than there is.
fn thinned(sweep: &SweepSummary) -> Option<String> {
    let count = sweep.variants.len();
    if count > points::POINTS_MAX {
        Some(format!(
            "Charts show every {}th point, without its interval.",
            count.div_ceil(points::POINTS_MAX)
        ))
    } else if count > points::BARS_MAX {
        Some("Charts show points without their intervals.".to_owned())
    } else {
        None
    }
}

fn front(sweep: &SweepSummary, page: &mut String) {
    let Some([one, other]) = sweep.pareto else {
        return;
    };
    let (one, other) = (&sweep.measures[one].name, &sweep.measures[other].name);
    page.push_str("<section>\n<h2>Front</h2>\n<div class=\"charts\">\n");
    let caption = format!("{other} against {one}");
    let legend = [
        ("vermilion", "on the front, with its number"),
        ("sky", "beaten by another variant"),
    ];
    let on_front = sweep.variants.iter().filter(|point| point.on_front);
    let numbers: Vec<String> = on_front.map(|point| point.variant.to_string()).collect();
    let described = format!("{caption}; on the front: variants {}", numbers.join(", "));
    figure(&caption, "", &legend, pareto::draw(sweep), &described, page);
    page.push_str("</div>\n</section>\n");
}

fn measure(sweep: &SweepSummary, index: usize, page: &mut String) {
    let measure = &sweep.measures[index];
    let (subject, rest) = words::halves(&measure.name);
    let _ = write!(
        page,
        "<section class=\"subject\">\n<h2>{}<small>{}</small></h2>\n<div class=\"charts\">\n",
        escape(rest),
        escape(subject)
    );
    let unit = match measure.unit {
        SweepUnit::Share => "share",
        SweepUnit::Usd => "US dollars",
        SweepUnit::Ms | SweepUnit::S | SweepUnit::Count => "",
    };
    let described = described(sweep, index);
    if let Some(map) = heat::draw(sweep, index) {
        let caption = format!("{} as a map", measure.name);
        figure(&caption, unit, &[], Some(map), &described, page);
    }
    for (axis, by) in views(sweep) {
        let groups = by.map_or(&[][..], |by| &sweep.axes[by].values);
        let short = words::axes(sweep);
        let labels: Vec<String> = groups
            .iter()
            .map(|value| format!("{} {value}", by.map_or("", |by| short[by].as_str())))
            .collect();
        let colours = points::COLOURS.iter().copied();
        let legend: Vec<(&str, &str)> = colours.zip(labels.iter().map(String::as_str)).collect();
        let caption = format!("{} over {}", measure.name, short[axis]);
        let drawing = points::draw(sweep, index, axis, by);
        figure(&caption, unit, &legend, drawing, &described, page);
    }
    page.push_str("</div>\n</section>\n");
}

/// Over which axes a figure is drawn, and by which one its points are coloured.
fn views(sweep: &SweepSummary) -> Vec<(usize, Option<usize>)> {
    let sizes: Vec<usize> = sweep.axes.iter().map(|axis| axis.values.len()).collect();
    let few = |index: usize| (2..=points::COLOURS.len()).contains(&sizes[index]);
    if let [one, other] = sizes.as_slice()
        && sweep.sample == "grid"
    {
        // The longer axis goes below, the shorter one into colours.
        let (below, by) = if one >= other { (0, 1) } else { (1, 0) };
        return vec![(below, few(by).then_some(by))];
    }
    (0..sizes.len().min(AXES_MAX))
        .map(|axis| (axis, None))
        .collect()
}

/// What charts of a figure show, for readers who do not see them.
fn described(sweep: &SweepSummary, index: usize) -> String {
    let measure = &sweep.measures[index];
    let known = sweep.variants.iter();
    let known = known.filter(|point| point.figures[index].mean.is_finite());
    let mean = |point: &&SweepPoint| point.figures[index].mean;
    let low = known.clone().min_by(|a, b| mean(a).total_cmp(&mean(b)));
    let high = known.max_by(|a, b| mean(a).total_cmp(&mean(b)));
    match low.zip(high) {
        Some((low, high)) => format!(
            "{}: from {} (variant {}) to {} (variant {})",
            measure.name,
            words::value(measure.unit, mean(&low)),
            low.variant,
            words::value(measure.unit, mean(&high)),
            high.variant
        ),
        None => format!("{}: nothing was measured", measure.name),
    }
}

fn figure(
    caption: &str,
    unit: &str,
    legend: &[(&str, &str)],
    drawing: Option<String>,
    described: &str,
    page: &mut String,
) {
    let _ = write!(page, "<figure>\n<figcaption>{}", escape(caption));
    let Some(drawing) = drawing else {
        page.push_str("</figcaption>\n<p class=\"empty\">Nothing was measured</p>\n</figure>\n");
        return;
    };
    let _ = writeln!(page, "<span>{}</span></figcaption>", escape(unit));
    if !legend.is_empty() {
        page.push_str("<ul class=\"legend\">");
        for (colour, label) in legend {
            let label = escape(label);
            let _ = write!(page, "<li><i class=\"dot {colour}\"></i>{label}</li>");
        }
        page.push_str("</ul>\n");
    }
    let _ = write!(
        page,
        "<div role=\"img\" aria-label=\"{}\">{drawing}</div>\n</figure>\n",
        escape(described)
    );
}

fn table(sweep: &SweepSummary, page: &mut String) {
    let rows = words::rows(sweep, 5 * words::ROWS_MAX);
    page.push_str(
        "<section>\n<h2>Variants</h2>\n<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Variants\"><table>\n\
         <caption class=\"unseen\">Variants</caption>\n<thead><tr><th scope=\"col\" class=\"n\">#</th>",
    );
    for name in words::axes(sweep) {
        let _ = write!(page, "<th scope=\"col\">{}</th>", escape(&name));
    }
    page.push_str("<th scope=\"col\" class=\"n\">runs</th>");
    let has_gates = words::has_gates(sweep);
    if has_gates {
        page.push_str("<th scope=\"col\" class=\"n\">gates<br>passed</th>");
    }
    for measure in &sweep.measures {
        let (subject, rest) = words::halves(&measure.name);
        let _ = write!(
            page,
            "<th scope=\"col\" class=\"n\">{}<br>{}</th>",
            escape(subject),
            escape(rest)
        );
    }
    page.push_str("</tr></thead>\n<tbody>\n");
    for point in &rows {
        let (class, mark) = match point.on_front {
            true => (" class=\"front\"", " *"),
            false => ("", ""),
        };
        let _ = write!(
            page,
            "<tr{class}><th scope=\"row\" class=\"n\">{}{mark}</th>",
            point.variant
        );
        for value in &point.values {
            let _ = write!(page, "<td>{}</td>", escape(value));
        }
        let _ = write!(page, "<td class=\"n\">{}</td>", point.replications);
        if has_gates {
            let all = point.gates_passed == Some(point.replications);
            let class = if all { "n" } else { "n bad" };
            let passed = words::gates(point).unwrap_or_default();
            let _ = write!(page, "<td class=\"{class}\">{passed}</td>");
        }
        for (measure, figure) in sweep.measures.iter().zip(&point.figures) {
            let mean = escape(&words::value(measure.unit, figure.mean));
            let spread = words::spread(measure.unit, *figure);
            let spread = spread.map(|it| format!("<small>± {}</small>", escape(&it)));
            let _ = write!(
                page,
                "<td class=\"n\">{mean}{}</td>",
                spread.unwrap_or_default()
            );
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</tbody>\n</table></div>\n");
    if let Some(note) = words::left_out(sweep, rows.len()) {
        let _ = writeln!(page, "<p>{}</p>", escape(&note));
    }
    page.push_str("</section>\n");
}
