//! Findings as lines of text, as a section of the page, and as a list of Markdown.

use super::html::escape;
use super::markdown::{code, inline};
use super::view::Tone;
use crate::metrics::{Effect, Finding, Setting, Severity};
use std::fmt::Write as _;

/// Spaces before everything but the first line of a finding.
const INDENT: usize = 2;

pub(super) const fn tone(severity: Severity) -> Tone {
    match severity {
        Severity::Problem | Severity::Warning => Tone::Bad,
        Severity::Note => Tone::Faint,
    }
}

/// `clicks: lanes-full (warning)`, then sentence, remedy, changes and effect, broken at `width`.
pub(super) fn lines(finding: &Finding, width: usize) -> Vec<String> {
    let mut lines = wrap(
        &format!(
            "{}: {} ({})",
            finding.subject,
            finding.code,
            finding.severity.name()
        ),
        width,
        0,
    );
    lines.extend(wrap(&finding.sentence, width, INDENT));
    if !finding.remedy.is_empty() {
        lines.extend(wrap(&finding.remedy, width, INDENT));
    }
    if let Some(text) = to_try(&finding.changes) {
        lines.extend(wrap(&text, width, INDENT));
    }
    if let Some(Effect { sentence, .. }) = &finding.effect {
        lines.extend(wrap(&format!("Simulated: {sentence}"), width, INDENT));
    }
    lines
}

/// `Try: mapping.clicks.ParallelizationFactor = 2`.
fn to_try(changes: &[Setting]) -> Option<String> {
    let texts: Vec<String> = changes.iter().map(written).collect();
    (!texts.is_empty()).then(|| format!("Try: {}", texts.join(", ")))
}

fn written(setting: &Setting) -> String {
    format!("{} = {}", setting.path, setting.value)
}

/// Breaks at spaces; a word that is longer than the line is cut where the line ends.
pub(super) fn wrap(text: &str, width: usize, indent: usize) -> Vec<String> {
    let room = width.saturating_sub(indent).max(1);
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in text.split(' ') {
        let mut rest: Vec<char> = word.chars().collect();
        if used > 0 && used + 1 + rest.len() > room {
            lines.push(String::new());
            used = 0;
        }
        while rest.len() > room {
            let cut = rest.split_off(room);
            lines
                .last_mut()
                .into_iter()
                .for_each(|line| line.extend(&rest));
            lines.push(String::new());
            rest = cut;
        }
        if let Some(line) = lines.last_mut() {
            if used > 0 {
                line.push(' ');
                used += 1;
            }
            used += rest.len();
            line.extend(rest);
        }
    }
    let space = " ".repeat(indent);
    lines.iter().map(|line| format!("{space}{line}")).collect()
}

/// A list near the top of the page; nothing where there is nothing to say.
pub(super) fn section(findings: &[Finding], page: &mut String) {
    if findings.is_empty() {
        return;
    }
    page.push_str("<section id=\"findings\">\n<h2>Findings</h2>\n<ul class=\"findings\">\n");
    for finding in findings {
        let tone = match tone(finding.severity) {
            Tone::Bad => "bad",
            Tone::Plain | Tone::Good | Tone::Faint => "faint",
        };
        let _ = write!(
            page,
            "<li><strong>{}</strong> <span class=\"{tone}\">{} · {}</span><p>{}</p>",
            escape(&finding.subject),
            finding.severity.name(),
            escape(&finding.code),
            escape(&finding.sentence)
        );
        if !finding.remedy.is_empty() {
            let _ = write!(page, "<p>{}</p>", escape(&finding.remedy));
        }
        let changes = finding.changes.iter().map(written);
        for change in changes {
            let _ = write!(page, "<p><code>{}</code></p>", escape(&change));
        }
        if let Some(effect) = &finding.effect {
            let _ = write!(page, "<p>Simulated: {}</p>", escape(&effect.sentence));
        }
        page.push_str("</li>\n");
    }
    page.push_str("</ul>\n</section>\n");
}

/// A heading and a list; nothing where there is nothing to say. What belongs to an item is a paragraph of it.
pub(super) fn markdown(findings: &[Finding], markdown: &mut String) {
    if findings.is_empty() {
        return;
    }
    markdown.push_str("### Findings\n\n");
    for finding in findings {
        let _ = write!(
            markdown,
            "- **{}**: {} ({}, {})",
            inline(&finding.subject),
            inline(&finding.sentence),
            finding.severity.name(),
            code(&finding.code)
        );
        let changes: Vec<String> = finding
            .changes
            .iter()
            .map(|it| code(&written(it)))
            .collect();
        let paragraphs = [
            (!finding.remedy.is_empty()).then(|| inline(&finding.remedy)),
            (!changes.is_empty()).then(|| format!("Try: {}", changes.join(", "))),
            finding
                .effect
                .as_ref()
                .map(|effect| format!("Simulated: {}", inline(&effect.sentence))),
        ];
        for paragraph in paragraphs.into_iter().flatten() {
            let _ = write!(markdown, "\n\n  {paragraph}");
        }
        markdown.push_str("\n\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding() -> Finding {
        Finding {
            code: "lanes-full".into(),
            subject: "<clicks>".to_owned(),
            severity: Severity::Warning,
            sentence: "All 8 lanes were busy for 97.0% of 2 min.".to_owned(),
            remedy: "Raise ParallelizationFactor.".to_owned(),
            changes: vec![Setting {
                path: "mapping.clicks.ParallelizationFactor".to_owned(),
                value: "2".to_owned(),
            }],
            measure: "clicks.IteratorAge.p99".to_owned(),
            effect: None,
        }
    }

    #[test]
    fn text_keeps_to_its_width() {
        for width in [20, 40, 120] {
            let lines = lines(&finding(), width);
            assert!(
                lines.iter().all(|line| line.chars().count() <= width),
                "{lines:?}"
            );
            let letters = |text: &str| text.replace(' ', "");
            assert!(letters(&lines.concat()).contains("mapping.clicks.ParallelizationFactor=2"));
        }
    }

    #[test]
    fn markdown_has_everything_and_no_markup_of_names() {
        let mut text = String::new();
        let effect = Effect {
            before: 5.0,
            after: 1.0,
            usd_per_month_before: 2.0,
            usd_per_month_after: 2.0,
            refused: None,
            sentence: "p99 falls from 5 s to 1 s.".to_owned(),
        };
        let explained = Finding {
            effect: Some(effect),
            ..finding()
        };
        markdown(&[explained, finding()], &mut text);
        let paragraphs: Vec<&str> = text.trim_end().split("\n\n").collect();
        assert_eq!(
            paragraphs,
            [
                "### Findings",
                "- **&lt;clicks&gt;**: All 8 lanes were busy for 97.0% of 2 min. (warning, `lanes-full`)",
                "  Raise ParallelizationFactor.",
                "  Try: `mapping.clicks.ParallelizationFactor = 2`",
                "  Simulated: p99 falls from 5 s to 1 s.",
                "- **&lt;clicks&gt;**: All 8 lanes were busy for 97.0% of 2 min. (warning, `lanes-full`)",
                "  Raise ParallelizationFactor.",
                "  Try: `mapping.clicks.ParallelizationFactor = 2`",
            ]
        );
        text.clear();
        markdown(&[], &mut text);
        assert_eq!(text, "");
    }

    #[test]
    fn names_do_not_become_markup() {
        let mut page = String::new();
        section(&[finding()], &mut page);
        assert!(
            page.contains("&lt;clicks&gt;") && !page.contains("<clicks>"),
            "{page}"
        );
        page.clear();
        section(&[], &mut page);
        assert_eq!(page, "");
    }
}
