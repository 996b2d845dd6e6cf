//! The data of the page's interactive charts: one JSON document for the script, in the order of the drawn charts.
//!
//! Its keys are short, since there are many: `t` title, `a` what the values measure (`count`, `rate`, `time`) and `u` of
//! which things, `x` what is across (`time`, `percentile`, `ms`) from `from` to `end`, `g` whether the values are on a
//! logarithmic axis, `dx` seconds per step, `w` bands, `lim` the limit, `xs` the places of values that have no equal
//! steps. A line has `l` its label, `c` its colour, `f` if it is filled, `n` if it scatters, `v` its values, two for each
//! step if the chart has `p`, and `m` their means.

use std::fmt::Write as _;

use super::svg;
use super::view::{Across, Axis, Chart, Line};

/// Appends the document in an element that no browser runs.
pub(super) fn data<'a>(charts: impl Iterator<Item = &'a Chart>, page: &mut String) {
    page.push_str("<script type=\"application/json\" id=\"data\">[");
    let mut first = true;
    for one in charts.filter(|one| svg::is_drawn(one)) {
        if !std::mem::take(&mut first) {
            page.push_str(",\n");
        }
        chart(one, page);
    }
    page.push_str("]</script>\n");
}

fn chart(chart: &Chart, page: &mut String) {
    let (axis, things) = match chart.axis {
        Axis::Count(things) => ("count", things),
        Axis::Rate(things) => ("rate", things),
        Axis::Time => ("time", ""),
    };
    let (across, from) = match chart.across {
        Across::Time => ("time", 0.0),
        Across::Percentile => ("percentile", 1.0),
        Across::Millis(low) => ("ms", low),
    };
    let _ = write!(
        page,
        "{{\"t\":{},\"a\":\"{axis}\",\"u\":{},\"x\":\"{across}\",\"from\":{from},\"end\":{},\"dx\":{}",
        quoted(chart.title),
        quoted(things),
        chart.end_s,
        chart.step_s
    );
    for (key, on) in [
        ("g", chart.log),
        ("p", chart.lines.iter().any(|line| line.detail.paired)),
    ] {
        if on {
            let _ = write!(page, ",\"{key}\":1");
        }
    }
    if !chart.bands.is_empty() {
        let bands = chart.bands.iter().map(|band| {
            let fault = u8::from(band.fault);
            format!(
                "[{},{},{},{fault}]",
                quoted(&band.label),
                band.from_s,
                band.to_s
            )
        });
        let _ = write!(page, ",\"w\":[{}]", bands.collect::<Vec<_>>().join(","));
    }
    if let Some(limit) = chart.limit.filter(|limit| !limit.off_scale) {
        let _ = write!(page, ",\"lim\":[{},{}]", quoted(limit.label), limit.value);
    }
    // Where lines end at different places, they have the same ones until then.
    let longest = chart.lines.iter().max_by_key(|line| line.points.len());
    if let Some(line) = longest.filter(|_| chart.across != Across::Time) {
        let (places, _) = corners(chart, line);
        page.push_str(",\"xs\":");
        numbers(&places, page);
    }
    page.push_str(",\"lines\":[");
    for (index, one) in chart.lines.iter().enumerate() {
        if index > 0 {
            page.push(',');
        }
        line(chart, one, page);
    }
    page.push_str("]}");
}

fn line(chart: &Chart, line: &Line, page: &mut String) {
    let _ = write!(
        page,
        "{{\"l\":{},\"c\":\"{}\"",
        quoted(&line.label),
        line.colour.class()
    );
    for (key, on) in [("f", line.filled), ("n", line.detail.noisy)] {
        if on {
            let _ = write!(page, ",\"{key}\":1");
        }
    }
    page.push_str(",\"v\":");
    if chart.across == Across::Time {
        numbers(&line.detail.values, page);
    } else {
        numbers(&corners(chart, line).1, page);
    }
    if !line.detail.means.is_empty() {
        page.push_str(",\"m\":");
        numbers(&line.detail.means, page);
    }
    page.push('}');
}

/// Places and values of a line that has no equal steps. Bars, which are drawn with two points each, have the places
/// where they begin and, last, where the last one ends.
fn corners(chart: &Chart, line: &Line) -> (Vec<f64>, Vec<f64>) {
    let step = if let Across::Millis(_) = chart.across {
        2
    } else {
        1
    };
    let ends = line.points.last().filter(|_| step == 2);
    line.points
        .iter()
        .step_by(step)
        .chain(ends)
        .copied()
        .unzip()
}

/// Five digits are more than a chart or a tooltip shows.
fn numbers(values: &[f64], page: &mut String) {
    page.push('[');
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            page.push(',');
        }
        if !value.is_finite() {
            page.push_str("null");
        } else if value.fract() == 0.0 && value.abs() < 1e6 {
            let _ = write!(page, "{value:.0}");
        } else {
            let rounded: f64 = format!("{value:.4e}").parse().unwrap_or(0.0);
            let _ = write!(page, "{rounded}");
        }
    }
    page.push(']');
}

/// A JSON string that cannot end the element it is in.
fn quoted(text: &str) -> String {
    // A string always has a form in JSON.
    let json = serde_json::to_string(text).unwrap_or_default();
    json.replace('<', "\\u003c")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_gaps_are_null() {
        let mut text = String::new();
        numbers(
            &[
                0.0,
                12_345.0,
                12_345.678,
                f64::NAN,
                0.000_123_456,
                1e7,
                -2.5,
            ],
            &mut text,
        );
        assert_eq!(text, "[0,12345,12346,null,0.00012346,10000000,-2.5]");
    }

    #[test]
    fn strings_stay_inside_their_element() {
        assert_eq!(quoted("</script>\"&"), "\"\\u003c/script>\\\"&\"");
    }
}
