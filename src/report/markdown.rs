//! Markdown for pull requests: gates first, then what was found and what it costs, then the tables, as wide as a page of
//! a review holds.

use super::findings;
use super::numbers;
use super::text;
use super::view::{Cell, Table, Tone, View};
use std::fmt::Write as _;

/// Columns of a table are left out beyond this many characters, the least important first.
const WIDTH: usize = 110;

/// The whole summary, with a final line break.
pub(super) fn render(view: &View) -> String {
    let mut markdown = format!("## {}\n\n", inline(&view.title));
    if let Some((verdict, tone)) = &view.verdict {
        let sign = if *tone == Tone::Bad { "❌" } else { "✅" };
        let _ = writeln!(markdown, "{sign} **{}**\n", inline(verdict));
    }
    let facts = view.facts.iter();
    let facts = facts.map(|(label, value)| format!("{label} {}", code(value)));
    let _ = writeln!(markdown, "{}\n", facts.collect::<Vec<_>>().join(" · "));
    for note in &view.notes {
        let _ = writeln!(markdown, "> {}\n", inline(note));
    }
    if let Some(gates) = &view.gates {
        draw(gates, &mut markdown);
    }
    findings::markdown(&view.findings, &mut markdown);
    let tables = [
        &view.cost,
        &view.functions,
        &view.versions,
        &view.throttles,
        &view.asynchronous,
        &view.account,
        &view.mappings,
        &view.dead_letters,
    ];
    for table in tables.into_iter().flatten() {
        draw(table, &mut markdown);
    }
    let _ = writeln!(markdown, "<sub>{}</sub>", inline(&view.speed));
    markdown
}

/// A heading and a table, and an empty line after it.
pub(super) fn draw(table: &Table, markdown: &mut String) {
    let kept = text::kept(table, WIDTH);
    let _ = writeln!(markdown, "### {}\n", inline(table.caption));
    let mut group = "";
    let titles = kept.iter().map(|index| {
        let column = table.columns[*index];
        let named = !column.group.is_empty() && column.group != group;
        group = column.group;
        if named {
            format!("{}: {}", inline(column.group), inline(column.title))
        } else {
            inline(column.title)
        }
    });
    let _ = writeln!(markdown, "| {} |", titles.collect::<Vec<_>>().join(" | "));
    let rules = kept.iter().map(|index| {
        if table.columns[*index].numeric {
            " ---: |"
        } else {
            " :--- |"
        }
    });
    let _ = writeln!(markdown, "|{}", rules.collect::<String>());
    for row in &table.rows {
        let cells = kept.iter().map(|index| cell(&row[*index]));
        let _ = writeln!(markdown, "| {} |", cells.collect::<Vec<_>>().join(" | "));
    }
    let hidden = table.columns.len() - kept.len();
    if hidden > 0 {
        let _ = writeln!(
            markdown,
            "\n<sub>{} more {} in the JSON summary.</sub>",
            numbers::grouped(hidden as f64, 0),
            if hidden == 1 { "column" } else { "columns" }
        );
    }
    markdown.push('\n');
}

fn cell(cell: &Cell) -> String {
    let text = match &cell.spread {
        Some(spread) => format!("{} ± {}", inline(&cell.text), inline(spread)),
        None => inline(&cell.text),
    };
    match cell.tone {
        Tone::Bad if !text.is_empty() => format!("**{text}**"),
        _ => text,
    }
}

/// Text in which nothing is markup: names come from files. Backslashes escape in tables, too.
pub(super) fn inline(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '~' | '!' | '@' => {
                safe.push('\\');
                safe.push(character);
            }
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '&' => safe.push_str("&amp;"),
            other if other.is_control() => safe.push('\u{fffd}'),
            other => safe.push(other),
        }
    }
    safe
}

/// A span of code, if the text can be one.
pub(super) fn code(text: &str) -> String {
    if text.is_empty() || text.contains(['`', '|']) || text.chars().any(char::is_control) {
        inline(text)
    } else {
        format!("`{text}`")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_never_become_markup() {
        assert_eq!(
            inline("a|b *c* <b>&\n@me"),
            "a\\|b \\*c\\* &lt;b&gt;&amp;\u{fffd}\\@me"
        );
        assert_eq!(code("a`b"), "a\\`b");
        assert_eq!(code("9f3a"), "`9f3a`");
    }
}
