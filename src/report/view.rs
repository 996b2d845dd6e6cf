//! What a report says, as plain data: renderers only format it.

use super::detail::{self, Detail};
use super::{asynchronous, charts, cost, numbers, tables, theory, versions};
use crate::metrics::{EngineSummary, Finding, FunctionSummary, Series, Summary};
use std::borrow::Cow;

/// A whole report.
#[derive(Clone, Debug)]
pub(super) struct View {
    pub(super) title: String,
    /// Label and value: what identifies the run.
    pub(super) facts: Vec<(&'static str, String)>,
    /// Sentences that a reader needs in order not to misread the figures.
    pub(super) notes: Vec<String>,
    /// What was found, the worst first.
    pub(super) findings: Vec<Finding>,
    pub(super) gates: Option<Table>,
    /// `2 of 3 gates failed`, and whether that is bad.
    pub(super) verdict: Option<(String, Tone)>,
    pub(super) functions: Option<Table>,
    pub(super) versions: Option<Table>,
    pub(super) throttles: Option<Table>,
    pub(super) account: Option<Table>,
    pub(super) cost: Option<Table>,
    pub(super) theory: Option<Table>,
    pub(super) asynchronous: Option<Table>,
    pub(super) mappings: Option<Table>,
    pub(super) dead_letters: Option<Table>,
    /// One per function and mapping that has a time series.
    pub(super) subjects: Vec<Subject>,
    /// Why charts are not as fine as the series, where they are not.
    pub(super) thinned: Option<String>,
    /// The simulator's speed: the only part that two equal runs do not share.
    pub(super) speed: String,
}

/// The charts of one function or mapping.
#[derive(Clone, Debug)]
pub(super) struct Subject {
    pub(super) name: String,
    /// `function`, `stream` or `queue`.
    pub(super) kind: &'static str,
    pub(super) charts: Vec<Chart>,
}

/// Whether something is worth colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Tone {
    #[default]
    Plain,
    Good,
    Bad,
    /// Nothing happened here: may step back.
    Faint,
}

/// A table whose first column names the row.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) caption: &'static str,
    pub(super) columns: Vec<Column>,
    pub(super) rows: Vec<Vec<Cell>>,
}

/// A column of a table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    /// Neighbours with one group belong together.
    pub(super) group: &'static str,
    pub(super) title: &'static str,
    pub(super) numeric: bool,
    /// Where space is short, columns with the largest number go first; 0 stays.
    pub(super) rank: u8,
}

/// One value, formatted.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Cell {
    pub(super) text: String,
    /// Half the width of its interval.
    pub(super) spread: Option<String>,
    pub(super) tone: Tone,
}

impl Cell {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            ..Self::default()
        }
    }

    pub(super) fn toned(self, tone: Tone) -> Self {
        Self { tone, ..self }
    }
}

/// Quantities over time.
#[derive(Clone, Debug)]
pub(super) struct Chart {
    pub(super) title: &'static str,
    pub(super) axis: Axis,
    pub(super) across: Across,
    /// Seconds that one step of the lines' details covers.
    pub(super) step_s: f64,
    pub(super) log: bool,
    pub(super) lines: Vec<Line>,
    pub(super) bands: Vec<Band>,
    pub(super) limit: Option<Limit>,
    /// Length of the time axis, seconds; the largest value of any other.
    pub(super) end_s: f64,
    /// What one of the means of its lines covers, seconds.
    pub(super) mean_of_s: Option<f64>,
    /// What to say instead of drawing.
    pub(super) empty: Option<&'static str>,
}

/// What the horizontal axis measures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Across {
    /// Seconds since the beginning of the run.
    Time,
    /// Percentiles, so that every nine has the same width: `p` is at 1 / (1 - p).
    Percentile,
    /// Milliseconds from this one on, logarithmic.
    Millis(f64),
}

/// What the vertical axis measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Axis {
    /// Whole things, such as `records`.
    Count(&'static str),
    /// Things per second.
    Rate(&'static str),
    /// Milliseconds, labelled in the unit that suits their size.
    Time,
}

/// One line of a chart.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) label: Cow<'static, str>,
    pub(super) colour: Colour,
    /// Fill down to zero: for a quantity that is alone in its chart.
    pub(super) filled: bool,
    /// Seconds and value; `NaN` interrupts the line.
    pub(super) points: Vec<(f64, f64)>,
    /// Means over stretches of time, where `points` alone would be a band of noise.
    pub(super) means: Vec<(f64, f64)>,
    /// What a reader who zooms gets to see; empty where `points` are everything.
    pub(super) detail: Detail,
}

/// Colours that remain apart for colour-blind readers (after Okabe and Ito); each theme has its own shades.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Colour {
    Blue,
    Orange,
    Green,
    Vermilion,
    Sky,
    Purple,
}

/// A stretch of time that is not like the rest.
#[derive(Clone, Debug)]
pub(super) struct Band {
    pub(super) label: String,
    pub(super) from_s: f64,
    pub(super) to_s: f64,
    /// A fault is shaded in a warning colour, the warm-up and what is done to mappings in grey.
    pub(super) fault: bool,
}

/// A value that cannot be passed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limit {
    pub(super) label: &'static str,
    pub(super) value: f64,
    /// Far above everything drawn, so it is named but would flatten the chart.
    pub(super) off_scale: bool,
}

/// Prepares everything that any renderer shows.
pub(super) fn prepare(summary: &Summary, series: &Series) -> View {
    let functions = most_used(summary);
    View {
        title: summary.scenario.clone(),
        facts: facts(summary, series),
        notes: notes(summary, series),
        findings: summary.findings.clone(),
        gates: tables::gates(&summary.gates),
        verdict: verdict(summary),
        functions: tables::functions(&functions),
        versions: versions::versions(&summary.versions),
        throttles: tables::throttles(&functions),
        account: (summary.functions.len() > 1)
            .then(|| tables::account(&summary.account))
            .flatten(),
        cost: cost::bill(&summary.cost),
        theory: theory::table(&summary.theory),
        asynchronous: asynchronous::table(&functions),
        mappings: tables::mappings(&summary.mappings),
        dead_letters: tables::dead_letters(&summary.mappings),
        subjects: charts::subjects(series, &functions),
        thinned: thinned(series),
        speed: speed(&summary.engine),
    }
}

/// Functions that are shown one by one; a scenario may have thousands.
pub(super) const FUNCTIONS_MAX: usize = 40;

/// All functions, or of many those with the most requests, in file order.
fn most_used(summary: &Summary) -> Cow<'_, [(String, FunctionSummary)]> {
    let all = &summary.functions;
    if all.len() <= FUNCTIONS_MAX {
        return Cow::Borrowed(all);
    }
    let requests = |index: &usize| {
        let (_, function) = &all[*index];
        function.invocations.value + function.throttles.value
    };
    let mut order: Vec<usize> = (0..all.len()).collect();
    order.sort_by(|one, other| requests(other).total_cmp(&requests(one)));
    order.truncate(FUNCTIONS_MAX);
    order.sort_unstable();
    order.into_iter().map(|index| all[index].clone()).collect()
}

fn facts(summary: &Summary, series: &Series) -> Vec<(&'static str, String)> {
    let hash: String = summary.scenario_hash.chars().take(12).collect();
    let mut facts = vec![
        ("scenario", hash),
        ("profile", summary.profile.clone()),
        ("seed", summary.seed.to_string()),
        ("measured", numbers::seconds(summary.measured_s)),
    ];
    let warm_up = series.warm_up.as_secs_f64();
    if warm_up > 0.0 {
        facts.push(("warm-up", numbers::seconds(warm_up)));
    }
    if summary.replications > 1 {
        facts.push(("replications", summary.replications.to_string()));
    }
    facts.push(("tidegate", summary.tidegate.clone()));
    facts
}

fn notes(summary: &Summary, series: &Series) -> Vec<String> {
    let mut notes = Vec::new();
    if summary.functions.is_empty() && summary.mappings.is_empty() {
        notes.push("The scenario has neither functions nor mappings.".to_owned());
    }
    if summary.functions.len() > FUNCTIONS_MAX {
        notes.push(format!(
            "{} of {} functions are shown, those with the most requests; all are in the JSON summary.",
            FUNCTIONS_MAX,
            numbers::grouped(summary.functions.len() as f64, 0)
        ));
    }
    if summary.replications > 1 {
        notes.push(format!(
            "Figures are means of {} replications, ± half of their 95% intervals; charts show the first.",
            summary.replications
        ));
    }
    for (name, mapping) in &summary.mappings {
        let over = mapping.over_limit_receives.value;
        if over > 0.0 {
            notes.push(format!(
                "Receives of {name} that found as many messages in flight as the queue allows: {}.",
                numbers::trimmed(over, 1)
            ));
        }
    }
    notes.extend(theory::notes(&summary.theory));
    for (name, from, to) in &series.faults {
        notes.push(format!(
            "Fault: {name}, {} to {}.",
            charts::clock(from.as_secs_f64()),
            charts::clock(to.as_secs_f64())
        ));
    }
    for (name, from, to) in &series.events {
        let from_s = charts::clock(from.as_secs_f64());
        notes.push(if from == to {
            format!("Event: {name}, at {from_s}.")
        } else {
            format!(
                "Event: {name}, {from_s} to {}.",
                charts::clock(to.as_secs_f64())
            )
        });
    }
    notes
}

fn thinned(series: &Series) -> Option<String> {
    let functions = series.functions.iter().map(|one| one.rows.len());
    let mappings = series.mappings.iter().map(|one| one.rows.len());
    let rows = functions.chain(mappings).max()?;
    let bins = detail::bins_each(series, rows);
    let bin = series.bin.as_secs_f64();
    (bins > 1).then(|| {
        format!(
            "Charts keep the smallest and the largest value of every {}; series.csv and series.parquet have every {}.",
            numbers::seconds(bin * bins as f64),
            numbers::seconds(bin)
        )
    })
}

fn verdict(summary: &Summary) -> Option<(String, Tone)> {
    let all = summary.gates.len();
    let failed = summary.gates.iter().filter(|gate| !gate.pass).count();
    let gates = if all == 1 { "gate" } else { "gates" };
    match (all, failed) {
        (0, _) => None,
        (1, 0) => Some(("the gate passed".to_owned(), Tone::Good)),
        (all, 0) => Some((format!("all {all} gates passed"), Tone::Good)),
        (all, failed) => Some((format!("{failed} of {all} {gates} failed"), Tone::Bad)),
    }
}

fn speed(engine: &EngineSummary) -> String {
    let mut parts = vec![format!(
        "simulated {} in {}",
        numbers::seconds(engine.simulated_s),
        numbers::millis(engine.wall_s * 1e3)
    )];
    if engine.wall_s > 0.0 {
        parts[0].push_str(&format!(
            " ({}× real time)",
            numbers::grouped((engine.simulated_s / engine.wall_s).round(), 0)
        ));
    }
    parts.push(format!(
        "{} events",
        numbers::grouped(engine.events as f64, 0)
    ));
    if engine.invocations_per_s > 0.0 {
        parts.push(format!(
            "{} invocations/s",
            numbers::compact(engine.invocations_per_s)
        ));
    }
    if engine.records_per_s > 0.0 {
        parts.push(format!(
            "{} records/s",
            numbers::compact(engine.records_per_s)
        ));
    }
    parts.join(" · ")
}
