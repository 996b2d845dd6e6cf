//! A comparison as a page that needs nothing beside itself.

use super::super::html::{STYLE, escape, groups, subject};
use super::super::palette;
use super::super::view::Table;
use super::{Compare, charts, matter, tables};
use std::fmt::Write as _;

pub(super) fn render(compare: &Compare) -> String {
    let title = escape(&compare.title());
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}</title>\n<style>\n{}{STYLE}</style>\n</head>\n<body>\n\
         <header>\n<div class=\"title\"><h1>{title}</h1>",
        palette::rules()
    );
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
    for one in charts::subjects(compare) {
        subject(&one, &mut page);
    }
    let _ = write!(
        page,
        "</main>\n<footer>\n<p>tidegate {}</p>\n</footer>\n</body>\n</html>\n",
        env!("CARGO_PKG_VERSION")
    );
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
