//! A comparison as a page that needs nothing beside itself.

use super::super::html::{escape, groups, head, script, subject, tools};
use super::super::svg;
use super::super::view::Table;
use super::{Compare, charts, matter, tables};
use std::fmt::Write as _;

pub(super) fn render(compare: &Compare) -> String {
    let title = escape(&compare.title());
    let mut page = head(&title);
    let _ = write!(page, "<header>\n<div class=\"title\"><h1>{title}</h1>");
    let failed = compare.gates.iter().filter(|gate| !gate.pass).count();
    if !compare.gates.is_empty() {
        let (class, word) = match failed {
            0 => ("good", "all gates passed".to_owned()),
            some => (
                "bad",
                format!("{some} of {} gates failed", compare.gates.len()),
            ),
        };
        let _ = write!(page, "<span class=\"verdict {class}\">{word}</span>");
    }
    page.push_str("</div>\n<dl class=\"facts\">\n");
    for (label, value) in compare.facts() {
        let _ = writeln!(
            page,
            "<div><dt>{label}</dt><dd>{}</dd></div>",
            escape(&value)
        );
    }
    let _ = write!(
        page,
        "</dl>\n<p><strong>{}</strong></p>\n<ul class=\"notes\">\n",
        escape(&compare.verdict())
    );
    for note in compare.notes() {
        let _ = writeln!(page, "<li>{}</li>", escape(&note));
    }
    page.push_str("</ul>\n</header>\n<main>\n");
    let sorted = matter::sorted(&compare.comparison.differences);
    section("Gates", tables::gates(compare), &mut page);
    section(
        "Figures",
        tables::differences(compare, "Figures", &sorted, true),
        &mut page,
    );
    let subjects = charts::subjects(compare);
    let drawn = || subjects.iter().flat_map(|one| &one.charts);
    let has_charts = drawn().any(svg::is_drawn);
    if has_charts {
        tools(charts::thinned(drawn()).as_deref(), &mut page);
    }
    for one in &subjects {
        subject(one, &mut page);
    }
    let _ = write!(
        page,
        "</main>\n<footer>\n<p>tidegate {}</p>\n</footer>\n",
        env!("CARGO_PKG_VERSION")
    );
    if has_charts {
        script(drawn(), &mut page);
    }
    page.push_str("</body>\n</html>\n");
    page
}

fn section(heading: &str, table: Option<Table>, page: &mut String) {
    let Some(table) = table else { return };
    let _ = writeln!(
        page,
        "<section>\n<h2>{heading}</h2>\n<div class=\"tables\">"
    );
    groups(&table, page);
    page.push_str("</div>\n</section>\n");
}
