//! `report.html`: one file that needs no network. Everything except its `<footer>` follows from the scenario
//! and the seed; the footer holds the simulator's speed.

use std::fmt::Write as _;

use super::findings;
use super::numbers;
use super::svg;
use super::view::{Across, Axis, Cell, Chart, Column, Subject, Table, Tone, View};
use super::{live, palette, sha256};

const PAGE_STYLE: &str = include_str!("assets/page.css");
const STYLE: &str = concat!(
    include_str!("assets/uplot-1.6.32.min.css"),
    "\n",
    include_str!("assets/page.css")
);
const SCRIPT: &str = concat!(
    include_str!("assets/uplot-1.6.32.min.js"),
    "\n",
    include_str!("assets/page.js")
);

/// The whole page.
pub(super) fn render(view: &View) -> String {
    let mut page = head(&escape(&view.title));
    header(view, &mut page);
    page.push_str("<main>\n");
    findings::section(&view.findings, &mut page);
    for (heading, table) in [
        ("Gates", &view.gates),
        ("Functions", &view.functions),
        ("Versions", &view.versions),
        ("Throttles by reason", &view.throttles),
        ("Asynchronous events", &view.asynchronous),
        ("Account", &view.account),
        ("Mappings", &view.mappings),
        ("Dead-lettered by reason", &view.dead_letters),
        ("Cost", &view.cost),
        ("Theory", &view.theory),
    ] {
        if let Some(table) = table {
            let _ = writeln!(
                page,
                "<section>\n<h2>{heading}</h2>\n<div class=\"tables\">"
            );
            groups(table, &mut page);
            page.push_str("</div>\n</section>\n");
        }
    }
    let drawn = view.subjects.iter().flat_map(|one| &one.charts);
    let has_charts = drawn.clone().any(svg::is_drawn);
    if has_charts {
        tools(view.thinned.as_deref(), &mut page);
    }
    for one in &view.subjects {
        subject(one, &mut page);
    }
    let _ = write!(
        page,
        "</main>\n<footer>\n<p>{}</p>\n</footer>\n",
        escape(&view.speed)
    );
    if has_charts {
        script(drawn, &mut page);
    }
    page.push_str("</body>\n</html>\n");
    page
}

/// The beginning of a page with interactive charts, whose [`script`] is its last element.
pub(super) fn head(title: &str) -> String {
    let script = format!("'sha256-{}'", sha256::base64(SCRIPT));
    beginning(title, &format!("\n{}{STYLE}", palette::rules()), &script)
}

/// The beginning of a page without any script; `more` are rules of its own.
pub(super) fn plain_head(title: &str, more: &str) -> String {
    let style = format!("\n{}{PAGE_STYLE}{more}", palette::rules());
    beginning(title, &style, "'none'")
}

/// The policy forbids every request, and every script and style but the page's own.
fn beginning(title: &str, style: &str, scripts: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; script-src {scripts}; \
         style-src 'sha256-{}'; base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}</title>\n<style>{style}</style>\n</head>\n<body>\n",
        sha256::base64(style),
    )
}

/// What makes charts interactive: their data, and the script that reads it.
pub(super) fn script<'a>(drawn: impl Iterator<Item = &'a Chart>, page: &mut String) {
    live::data(drawn, page);
    let _ = writeln!(page, "<script>{SCRIPT}</script>");
}

/// What only works with the script is hidden until it runs. `thinned` says why charts are not as fine as the series.
pub(super) fn tools(thinned: Option<&str>, page: &mut String) {
    if let Some(sentence) = thinned {
        let _ = writeln!(page, "<p class=\"thinned\">{}</p>", escape(sentence));
    }
    page.push_str(
        "<div class=\"tools\" role=\"toolbar\" aria-label=\"Charts\" hidden>\n\
         <button type=\"button\" data-do=\"reset\" disabled>Whole run</button>\n\
         <button type=\"button\" data-do=\"theme\" aria-live=\"polite\">Theme: system</button>\n\
         <p>Drag across a chart to zoom all of them in time; double-click to see the whole run again. With the keyboard: \
         arrow keys, <kbd>+</kbd>, <kbd>−</kbd> and <kbd>0</kbd> in a chart.</p>\n</div>\n",
    );
}

fn header(view: &View, page: &mut String) {
    let _ = write!(
        page,
        "<header>\n<div class=\"title\"><h1>{}</h1>",
        escape(&view.title)
    );
    if let Some((verdict, tone)) = &view.verdict {
        let _ = write!(
            page,
            "<span class=\"verdict {}\">{}</span>",
            class(*tone),
            escape(verdict)
        );
    }
    page.push_str("</div>\n<dl class=\"facts\">\n");
    for (label, value) in &view.facts {
        let _ = writeln!(
            page,
            "<div><dt>{}</dt><dd>{}</dd></div>",
            escape(label),
            escape(value)
        );
    }
    page.push_str("</dl>\n");
    if !view.notes.is_empty() {
        page.push_str("<ul class=\"notes\">\n");
        for note in &view.notes {
            let _ = writeln!(page, "<li>{}</li>", escape(note));
        }
        page.push_str("</ul>\n");
    }
    page.push_str("</header>\n");
}

/// One small table per group of columns: together they would be wider than paper.
pub(super) fn groups(whole: &Table, page: &mut String) {
    let mut start = 1;
    while start < whole.columns.len() {
        let group = whole.columns[start].group;
        let length = whole.columns[start..]
            .iter()
            .take_while(|column| column.group == group)
            .count();
        let caption = if group.is_empty() {
            whole.caption
        } else {
            group
        };
        table(whole, caption, start..start + length, page);
        start += length;
    }
}

fn table(whole: &Table, caption: &str, columns: std::ops::Range<usize>, page: &mut String) {
    let _ = write!(
        page,
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{0}\"><table>\n<caption{1}>{0}</caption>\n<thead><tr>",
        escape(caption),
        // A table that is alone under its heading would only repeat it.
        if caption == whole.caption {
            " class=\"unseen\""
        } else {
            ""
        }
    );
    let picked = || std::iter::once(0).chain(columns.clone());
    for index in picked() {
        let column = whole.columns[index];
        let _ = write!(
            page,
            "<th scope=\"col\"{}>{}</th>",
            attribute(&[side(column)]),
            escape(column.title)
        );
    }
    page.push_str("</tr></thead>\n<tbody>\n");
    for row in &whole.rows {
        page.push_str("<tr>");
        for index in picked() {
            cell(&row[index], whole.columns[index], index == 0, page);
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</tbody>\n</table></div>\n");
}

fn cell(cell: &Cell, column: Column, heads_row: bool, page: &mut String) {
    let (open, close) = if heads_row {
        ("th scope=\"row\"", "th")
    } else {
        ("td", "td")
    };
    let classes = attribute(&[side(column), class(cell.tone)]);
    let text = if column.numeric {
        escape(&cell.text)
    } else {
        breakable(&cell.text)
    };
    let _ = write!(page, "<{open}{classes}>{text}");
    if let Some(spread) = &cell.spread {
        let _ = write!(page, "<small>± {}</small>", escape(spread));
    }
    let _ = write!(page, "</{close}>");
}

pub(super) fn subject(subject: &Subject, page: &mut String) {
    let _ = write!(
        page,
        "<section class=\"subject\">\n<h2>{}<small>{}, over time</small></h2>\n<div class=\"charts\">\n",
        escape(&subject.name),
        subject.kind
    );
    for one in &subject.charts {
        chart(one, &subject.name, page);
    }
    page.push_str("</div>\n</section>\n");
}

fn chart(chart: &Chart, subject: &str, page: &mut String) {
    let _ = write!(page, "<figure>\n<figcaption>{}", escape(chart.title));
    let Some(drawing) = svg::draw(chart) else {
        let reason = chart.empty.unwrap_or("No time series");
        let _ = writeln!(
            page,
            "</figcaption>\n<p class=\"empty\">{}</p>\n</figure>",
            escape(reason)
        );
        return;
    };
    let unit = unit(chart);
    let smoothing = chart.mean_of_s.map(|length| {
        let gap = if unit.is_empty() { "" } else { " · " };
        // The script says it again for the stretch that is looked at.
        let means = format!("{gap}{} means", numbers::seconds(length));
        format!("<span class=\"means\">{means}</span>")
    });
    let _ = writeln!(
        page,
        "<span>{}{}</span></figcaption>",
        escape(&unit),
        smoothing.unwrap_or_default()
    );
    legend(chart, page);
    let _ = write!(
        page,
        "<div class=\"still\" role=\"img\" aria-label=\"{}\">{drawing}</div>\n</figure>\n",
        escape(&description(chart, subject))
    );
}

fn legend(chart: &Chart, page: &mut String) {
    page.push_str("<ul class=\"legend\">");
    for line in &chart.lines {
        let _ = write!(
            page,
            "<li><i class=\"{}\"></i>{}</li>",
            line.colour.class(),
            escape(&line.label)
        );
    }
    if let Some(limit) = chart.limit.filter(|limit| limit.off_scale) {
        let _ = write!(
            page,
            "<li><i class=\"limit\"></i>{} {}, above this scale</li>",
            escape(limit.label),
            numbers::grouped(limit.value, 0)
        );
    }
    page.push_str("</ul>\n");
}

pub(super) fn unit(chart: &Chart) -> String {
    match chart.axis {
        Axis::Count(things) => things.to_owned(),
        Axis::Rate(things) => format!("{things}/s"),
        Axis::Time if chart.log => "logarithmic scale".to_owned(),
        Axis::Time => String::new(),
    }
}

/// What the chart shows, for readers who do not see it.
pub(super) fn description(chart: &Chart, subject: &str) -> String {
    let show = |value: f64| match chart.axis {
        Axis::Time => numbers::millis(value),
        Axis::Count(_) | Axis::Rate(_) => numbers::trimmed(value, 1),
    };
    let lines = chart.lines.iter().map(|line| {
        let values = line
            .points
            .iter()
            .map(|(_, value)| *value)
            .filter(|value| value.is_finite());
        let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (f64::min(low, value), f64::max(high, value))
        });
        format!("{} from {} to {}", line.label, show(low), show(high))
    });
    let limit = chart
        .limit
        .map(|limit| format!("{} {}", limit.label, show(limit.value)));
    let parts: Vec<String> = lines.chain(limit).collect();
    let unit = match chart.axis {
        Axis::Time => String::new(),
        Axis::Count(_) | Axis::Rate(_) => format!(", {}", unit(chart)),
    };
    let over = match chart.across {
        Across::Time => " over time",
        Across::Percentile | Across::Millis(_) => "",
    };
    format!(
        "{} of {subject}{over}{unit}: {}",
        chart.title,
        parts.join("; ")
    )
}

fn side(column: Column) -> &'static str {
    if column.numeric { "n" } else { "" }
}

fn class(tone: Tone) -> &'static str {
    match tone {
        Tone::Plain => "",
        Tone::Good => "good",
        Tone::Bad => "bad",
        Tone::Faint => "faint",
    }
}

fn attribute(classes: &[&str]) -> String {
    let named: Vec<&str> = classes
        .iter()
        .copied()
        .filter(|name| !name.is_empty())
        .collect();
    if named.is_empty() {
        String::new()
    } else {
        format!(" class=\"{}\"", named.join(" "))
    }
}

/// Escaped, with places where a narrow window may break `subject.MetricName`: after dots and between words.
fn breakable(text: &str) -> String {
    let mut parts = String::with_capacity(text.len());
    let mut start = 0;
    let mut last = ' ';
    for (index, character) in text.char_indices() {
        if last == '.' || (last.is_lowercase() && character.is_uppercase()) {
            parts.push_str(&escape(&text[start..index]));
            parts.push_str("<wbr>");
            start = index;
        }
        last = character;
    }
    parts.push_str(&escape(&text[start..]));
    parts
}

/// Titles and names are input: nothing of them may become markup.
pub(super) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_break_between_words_only() {
        assert_eq!(breakable("a-b.Cold<Starts"), "a-b.<wbr>Cold&lt;Starts");
        assert_eq!(breakable("CallerRate"), "Caller<wbr>Rate");
        assert_eq!(breakable(""), "");
    }
}
