//! Diagnostics as text: file, line, column, and the words in question underlined.

use super::diagnostic::{Diagnostic, Report, Severity};
use super::text::SourceText;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use std::ops::Range;

/// More findings than this are only counted.
const SHOWN_MAX: usize = 100;
/// Longer lines are named, not shown.
const LINE_BYTES_MAX: usize = 1_000;

impl Report {
    /// The findings for people, one after the other, with a count at the end. Ends with a newline unless empty.
    pub fn render(&self, colour: bool) -> String {
        if self.is_empty() {
            return String::new();
        }
        let renderer = if colour {
            Renderer::styled()
        } else {
            Renderer::plain()
        };
        let mut text = String::new();
        for item in self.items.iter().take(SHOWN_MAX) {
            let group = self.group(item);
            text.push_str(&renderer.render(&[group]));
            text.push_str("\n\n");
        }
        text.push_str(&self.count());
        text.push('\n');
        text
    }

    fn count(&self) -> String {
        let many = |severity, word: &str| {
            let count = self
                .items
                .iter()
                .filter(|item| item.severity == severity)
                .count();
            let plural = if count == 1 { "" } else { "s" };
            (count > 0).then(|| format!("{count} {word}{plural}"))
        };
        let counts = [
            many(Severity::Error, "error"),
            many(Severity::Warning, "warning"),
        ];
        let counts: Vec<String> = counts.into_iter().flatten().collect();
        let more = if self.dropped > 0 { "at least " } else { "" };
        let shown = if self.items.len() > SHOWN_MAX {
            format!(" (the first {SHOWN_MAX} are shown)")
        } else {
            String::new()
        };
        format!(
            "{more}{} in {}{shown}",
            counts.join(" and "),
            self.files[0].path.display()
        )
    }

    fn group<'a>(&'a self, item: &'a Diagnostic) -> Group<'a> {
        let level = match item.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let file = &self.files[item.file];
        let title = level.primary_title(&*item.message).id(item.code);
        let path = file.path.display().to_string();
        let mut labelled = false;
        let mut group = match item.span.as_ref().map(|span| Place::of(file, span)) {
            None => title.element(Origin::path(path)),
            Some(place) if place.text.len() > LINE_BYTES_MAX => title.element(
                Origin::path(path)
                    .line(place.line)
                    .char_column(place.column()),
            ),
            Some(place) => {
                labelled = true;
                let annotation = AnnotationKind::Primary.span(place.span.clone());
                title.element(
                    Snippet::source(place.text)
                        .line_start(place.line)
                        .path(path)
                        .annotation(annotation.label(&*item.label)),
                )
            }
        };
        if !item.label.is_empty() && !labelled {
            group = group.element(Level::NOTE.message(&*item.label));
        }
        if let Some(allowed) = &item.allowed {
            group = group.element(Level::NOTE.no_name().message(format!("allowed: {allowed}")));
        }
        if let Some(help) = &item.help {
            group = group.element(Level::HELP.message(&**help));
        }
        group
    }
}

/// The line of a span, cut out so that large files cost nothing to show.
struct Place<'a> {
    text: &'a str,
    line: usize,
    span: Range<usize>,
}

impl<'a> Place<'a> {
    fn of(file: &'a SourceText, span: &Range<usize>) -> Self {
        let text = file.text.as_str();
        let boundary = |at: usize| text.floor_char_boundary(at.min(text.len()));
        let (start, end) = (boundary(span.start), boundary(span.end));
        let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
        let line = text[..line_start].matches('\n').count() + 1;
        let shown = text[line_start..line_end].trim_end_matches('\r');
        let start = (start - line_start).min(shown.len());
        let end = end.saturating_sub(line_start).clamp(start, shown.len());
        Self {
            text: shown,
            line,
            span: start..end,
        }
    }

    fn column(&self) -> usize {
        self.text[..self.span.start].chars().count() + 1
    }
}
