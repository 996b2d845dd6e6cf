//! `report.html`: one file that needs no network. Everything except its `<footer>` follows from the scenario
//! and the seed; the footer holds the simulator's speed.

use std::fmt::Write as _;

use super::numbers;
use super::svg;
use super::view::{Axis, Cell, Chart, Column, Subject, Table, Tone, View};

const STYLE: &str = include_str!("page.css");

/// The whole page.
pub(super) fn render(view: &View) -> String {
    let title = escape(&view.title);
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n"
    );
    header(view, &mut page);
    page.push_str("<main>\n");
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
    for one in &view.subjects {
        subject(one, &mut page);
    }
    let _ = write!(
        page,
        "</main>\n<footer>\n<p>{}</p>\n</footer>\n</body>\n</html>\n",
        escape(&view.speed)
    );
    page
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
fn groups(whole: &Table, page: &mut String) {
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

fn subject(subject: &Subject, page: &mut String) {
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
    let smoothing = chart
        .mean_of_s
        .map(|length| format!("{} means", numbers::seconds(length)));
    let hints: Vec<String> = [unit(chart)].into_iter().chain(smoothing).collect();
    let hints = hints
        .iter()
        .filter(|hint| !hint.is_empty())
        .map(|hint| escape(hint));
    let _ = writeln!(
        page,
        "<span>{}</span></figcaption>",
        hints.collect::<Vec<_>>().join(" · ")
    );
    legend(chart, page);
    let _ = write!(
        page,
        "<div role=\"img\" aria-label=\"{}\">{drawing}</div>\n</figure>\n",
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

fn unit(chart: &Chart) -> String {
    match chart.axis {
        Axis::Count(things) => things.to_owned(),
        Axis::Rate(things) => format!("{things}/s"),
        Axis::Time if chart.log => "logarithmic scale".to_owned(),
        Axis::Time => String::new(),
    }
}

/// What the chart shows, for readers who do not see it.
fn description(chart: &Chart, subject: &str) -> String {
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
    format!(
        "{} of {subject} over time{unit}: {}",
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
