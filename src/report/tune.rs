//! The answer of a search: for people, as Markdown for pull requests, and as JSON.

use super::findings::wrap;
use crate::metrics::Setting;
use crate::study::tune::{Answer, Candidate, Measured};
use std::fmt::Write as _;

/// The answer for a terminal of `width` columns.
pub fn text(answer: &Answer, width: usize) -> String {
    let mut out = String::new();
    let mut line = |text: &str, indent: usize| {
        for part in wrap(text, width, indent) {
            let _ = writeln!(out, "{}", part.trim_end());
        }
    };
    line(&answer.scenario, 0);
    line(&headline(answer), 0);
    for change in &answer.best.changes {
        line(&written(change), 2);
    }
    line("", 0);
    for reason in &answer.reasons {
        line(reason, 0);
    }
    for caveat in caveats(answer) {
        line(&caveat, 0);
    }
    out.push('\n');
    grid(&rows(answer), &mut out);
    if !answer.steps.is_empty() {
        out.push_str("\nA step from the best\n");
        grid(&step_rows(answer), &mut out);
    }
    let snippet = answer.snippet();
    if !snippet.is_empty() {
        let _ = write!(out, "\nTo paste\n{}", indented(&snippet));
    }
    out
}

/// The same as Markdown.
pub fn markdown(answer: &Answer) -> String {
    let mut out = format!(
        "## {}\n\n{}\n\n",
        escaped(&answer.scenario),
        escaped(&headline(answer))
    );
    for reason in answer.reasons.iter().chain(&caveats(answer)) {
        let _ = writeln!(out, "- {}", escaped(reason));
    }
    out.push('\n');
    pipes(&rows(answer), &mut out);
    if !answer.steps.is_empty() {
        out.push_str("\nA step from the best:\n\n");
        pipes(&step_rows(answer), &mut out);
    }
    let snippet = answer.snippet();
    if !snippet.is_empty() {
        let _ = write!(out, "\n```toml\n{snippet}```\n");
    }
    out
}

/// The whole answer as one JSON document.
pub fn json(answer: &Answer) -> String {
    // Keys are strings and numbers that do not exist print as null, so there is nothing that could fail.
    let mut text = serde_json::to_string_pretty(answer).unwrap_or_default();
    text.push('\n');
    text
}

fn headline(answer: &Answer) -> String {
    if !answer.met {
        return format!(
            "Nothing meets the goals. The nearest miss is {}.",
            answer.best.name
        );
    }
    match answer.best.changes.is_empty() {
        true => "Nothing was found that is better than the scenario as it is.".to_owned(),
        false => format!("Set {}.", answer.best.name),
    }
}

fn caveats(answer: &Answer) -> Vec<String> {
    let mut list = vec![format!(
        "{} of {} combinations and the scenario as it is were simulated in {} runs of at most {}, with the same seeds from {} on; intervals are 95%.",
        answer.tried,
        answer.combinations_shown(),
        answer.runs,
        answer.budget,
        answer.seed
    )];
    if answer.refused > 0 {
        let why = answer.refusal.as_deref().unwrap_or_default();
        list.push(format!(
            "{} combinations are not possible, such as: {why}.",
            answer.refused
        ));
    }
    if answer.budget_is_spent {
        list.push(
            "The budget ended the search: a larger --budget may find something better.".to_owned(),
        );
    }
    list
}

/// Title row, then one per candidate.
fn rows(answer: &Answer) -> Vec<Vec<String>> {
    let mut head = vec!["".to_owned(), "values".to_owned()];
    head.extend(answer.goals.iter().cloned());
    head.push(answer.best.objective.measure.clone());
    head.push("difference".to_owned());
    head.push("runs".to_owned());
    let mut rows = vec![head];
    let mut add = |label: &str, one: &Candidate| {
        let mut row = vec![label.to_owned(), one.name.clone()];
        row.extend(one.goals.iter().map(judged));
        row.push(one.objective.shown.clone());
        row.push(one.difference.clone());
        row.push(one.replications.to_string());
        rows.push(row);
    };
    add("best", &answer.best);
    for one in &answer.runners_up {
        add("", one);
    }
    if !answer.best.changes.is_empty() {
        add("now", &answer.as_it_is);
    }
    rows
}

fn step_rows(answer: &Answer) -> Vec<Vec<String>> {
    let mut head = vec!["setting".to_owned(), "from".to_owned(), "to".to_owned()];
    head.extend(answer.goals.iter().cloned());
    head.push("difference".to_owned());
    let mut rows = vec![head];
    for step in &answer.steps {
        let mut row = vec![step.path.clone(), step.from.clone(), step.to.clone()];
        row.extend(step.candidate.goals.iter().map(judged));
        row.push(step.candidate.difference.clone());
        rows.push(row);
    }
    rows
}

fn judged(one: &Measured) -> String {
    if one.met {
        one.shown.clone()
    } else {
        format!("{} (missed)", one.shown)
    }
}

fn written(setting: &Setting) -> String {
    format!("{} = {}", setting.path, setting.value)
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}

/// Columns side by side, as wide as they need.
fn grid(rows: &[Vec<String>], out: &mut String) {
    let columns = rows.first().map_or(0, Vec::len);
    let widths: Vec<usize> = (0..columns)
        .map(|column| {
            rows.iter()
                .map(|row| row[column].chars().count())
                .max()
                .unwrap_or(0)
        })
        .collect();
    for row in rows {
        let cells = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"));
        let line = cells.collect::<Vec<_>>().join("  ");
        let _ = writeln!(out, "{}", line.trim_end());
    }
}

fn pipes(rows: &[Vec<String>], out: &mut String) {
    for (index, row) in rows.iter().enumerate() {
        let cells: Vec<String> = row.iter().map(|cell| escaped(cell)).collect();
        let _ = writeln!(out, "| {} |", cells.join(" | "));
        if index == 0 {
            let _ = writeln!(out, "|{}", "---|".repeat(row.len()));
        }
    }
}

/// Names come from files: nothing of them becomes markup.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        if "\\`*_[]<>|#".contains(character) {
            safe.push('\\');
        }
        safe.push(if character.is_control() {
            ' '
        } else {
            character
        });
    }
    safe
}
