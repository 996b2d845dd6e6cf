//! Writes the document: short lists on one line each, so that it stays small and can be looked at.

use super::cells::{Cell, Flat, real, write_column};
use super::{FORMAT, FORMAT_KEY, StoredResult, check, series};
use crate::metrics::{
    CostLine, CostSummary, EngineSummary, GateResult, MappingSummary, Summary, Theory,
    for_each_figure,
};
use std::fmt::Write as _;

/// A JSON document in the making.
#[derive(Debug, Default)]
pub(super) struct Document {
    text: String,
    depth: usize,
    /// Nothing was written yet into what is open.
    empty: bool,
}

impl Document {
    /// The next entry of a list.
    pub(super) fn item(&mut self) {
        if !self.empty {
            self.text.push(',');
        }
        self.empty = false;
        let _ = write!(self.text, "\n{:1$}", "", self.depth);
    }

    /// The next entry of an object.
    pub(super) fn key(&mut self, key: &str) {
        self.item();
        self.string(key);
        self.text.push_str(": ");
    }

    pub(super) fn open(&mut self, bracket: char) {
        self.text.push(bracket);
        self.depth += 1;
        self.empty = true;
    }

    pub(super) fn close(&mut self, bracket: char) {
        self.depth -= 1;
        if !self.empty {
            let _ = write!(self.text, "\n{:1$}", "", self.depth);
        }
        self.empty = false;
        self.text.push(bracket);
    }

    pub(super) fn string(&mut self, text: &str) {
        let _ = write!(self.text, "{}", serde_json::Value::from(text));
    }

    pub(super) fn strings<'a>(&mut self, all: impl Iterator<Item = &'a str>) {
        self.text.push('[');
        for (index, one) in all.enumerate() {
            self.text.push_str(if index == 0 { "" } else { ", " });
            self.string(one);
        }
        self.text.push(']');
    }

    /// Numbers, `true` and `false`.
    pub(super) fn plain(&mut self, value: impl std::fmt::Display) {
        let _ = write!(self.text, "{value}");
    }

    pub(super) fn real(&mut self, value: f64) {
        real(&mut self.text, value);
    }

    /// An object with the number of rows and a list for each column.
    pub(super) fn table<R: Flat>(&mut self, rows: &[R]) {
        let mut names = Vec::new();
        R::names("", &mut names);
        let mut cells = Vec::with_capacity(rows.len() * names.len());
        for row in rows {
            row.put(&mut cells);
        }
        self.open('{');
        self.key(series::ROWS);
        self.plain(rows.len());
        for (index, name) in names.iter().enumerate() {
            self.key(name);
            write_column(
                &mut self.text,
                cells.iter().skip(index).step_by(names.len()).copied(),
            );
        }
        self.close('}');
    }

    /// A list of numbers.
    pub(super) fn column(&mut self, levels: &[f32]) {
        let levels = levels.iter().map(|level| Cell::Real(f64::from(*level)));
        write_column(&mut self.text, levels);
    }
}

pub(super) fn render(result: &StoredResult) -> String {
    let mut document = Document::default();
    document.open('{');
    document.key(FORMAT_KEY);
    document.plain(FORMAT);
    summary(&mut document, result);
    document.key("figures");
    figures(&mut document, &result.replications);
    document.key("series");
    series::write(&mut document, &result.series);
    document.item();
    let check = check(document.text.as_bytes());
    let mut text = document.text;
    let _ = writeln!(text, "\"check\": \"{check:016x}\"\n}}");
    text
}

/// Everything that is no figure.
fn summary(document: &mut Document, result: &StoredResult) {
    // Named one by one, so that a field which comes to be is not forgotten here.
    let Summary {
        tidegate,
        scenario,
        scenario_hash,
        profile,
        seed: _,
        replications: _,
        measured_s,
        functions,
        versions,
        mappings,
        account: _,
        cost,
        theory,
        gates,
        findings,
        engine,
    } = &result.summary;
    for (key, value) in [
        ("tidegate", tidegate),
        ("scenario", scenario),
        ("scenario_hash", scenario_hash),
        ("profile", profile),
    ] {
        document.key(key);
        document.string(value);
    }
    document.key("seeds");
    let seeds: Vec<String> = result
        .replications
        .iter()
        .map(|one| one.seed.to_string())
        .collect();
    document.plain(format_args!("[{}]", seeds.join(", ")));
    document.key("measured_s");
    document.real(*measured_s);
    document.key("functions");
    document.strings(functions.iter().map(|(name, _)| name.as_str()));
    document.key("versions");
    document.strings(versions.iter().map(|(name, _)| name.as_str()));
    document.key("mappings");
    list(document, mappings, |document, (name, mapping)| {
        describe(document, name, mapping);
    });
    document.key("cost");
    bill(document, cost);
    document.key("gates");
    list(document, gates, gate);
    document.key("theory");
    list(document, theory, formula);
    document.key("findings");
    // Texts and a few numbers: serialising them cannot fail.
    document.plain(serde_json::to_string(findings).unwrap_or_default());
    document.key("engine");
    work(document, engine);
}

/// What a formula says beside what was simulated: digits after the point, value, and the interval if there is one.
fn formula(document: &mut Document, theory: &Theory) {
    let Theory {
        function,
        formula,
        assumptions,
        figure,
        exact,
        simulated,
    } = theory;
    document.open('{');
    for (key, text) in [
        ("function", function),
        ("formula", formula),
        ("assumptions", assumptions),
        ("figure", figure),
    ] {
        document.key(key);
        document.string(text);
    }
    for (key, figure) in [("exact", exact), ("simulated", simulated)] {
        document.key(key);
        document.open('[');
        document.item();
        document.plain(figure.decimals);
        let bounds = figure.interval.map(|(low, high)| [low, high]);
        for value in [figure.value]
            .into_iter()
            .chain(bounds.into_iter().flatten())
        {
            document.item();
            document.real(value);
        }
        document.close(']');
    }
    document.close('}');
}

fn list<T>(document: &mut Document, all: &[T], write: impl Fn(&mut Document, &T)) {
    document.open('[');
    for one in all {
        document.item();
        write(document, one);
    }
    document.close(']');
}

fn describe(document: &mut Document, name: &str, mapping: &MappingSummary) {
    document.open('{');
    document.key("name");
    document.string(name);
    document.key("source_type");
    document.string(&mapping.source_type);
    if let Some(last) = &mapping.last_processing_result {
        document.key("last_processing_result");
        document.string(last);
    }
    document.key("kafka");
    document.plain(mapping.kafka.is_some());
    document.close('}');
}

fn bill(document: &mut Document, cost: &CostSummary) {
    let CostSummary {
        region,
        prices_of,
        lines,
        total_usd: _,
        total_usd_per_month: _,
    } = cost;
    document.open('{');
    document.key("region");
    document.string(region);
    document.key("prices_of");
    document.string(prices_of);
    document.key("lines");
    list(document, lines, |document, line| {
        let CostLine {
            subject,
            item,
            unit,
            unit_price,
            quantity: _,
            amount: _,
            per_month: _,
            explanation,
        } = line;
        document.strings(
            [subject, item, unit, unit_price, explanation]
                .map(String::as_str)
                .into_iter(),
        );
    });
    document.close('}');
}

fn gate(document: &mut Document, gate: &GateResult) {
    let GateResult {
        metric,
        statistic,
        bound,
        value,
        pass,
    } = gate;
    document.open('{');
    for (key, text) in [
        ("metric", metric),
        ("statistic", statistic),
        ("bound", bound),
    ] {
        document.key(key);
        document.string(text);
    }
    document.key("value");
    document.real(*value);
    document.key("pass");
    document.plain(pass);
    document.close('}');
}

fn work(document: &mut Document, engine: &EngineSummary) {
    let EngineSummary {
        events,
        simulated_s,
        wall_s,
        invocations_per_s,
        records_per_s,
    } = *engine;
    document.open('{');
    document.key("events");
    document.plain(events);
    for (key, value) in [
        ("simulated_s", simulated_s),
        ("wall_s", wall_s),
        ("invocations_per_s", invocations_per_s),
        ("records_per_s", records_per_s),
    ] {
        document.key(key);
        document.real(value);
    }
    document.close('}');
}

/// By path: digits after the point, then a value for each replication.
fn figures(document: &mut Document, replications: &[Summary]) {
    let mut rows: Vec<(String, u8, Vec<f64>)> = Vec::new();
    for (replication, summary) in replications.iter().enumerate() {
        let mut index = 0;
        for_each_figure(&mut summary.clone(), &mut |path, figure| {
            if replication == 0 {
                rows.push((path.to_owned(), figure.decimals, Vec::new()));
            }
            if let Some((known, _, values)) = rows.get_mut(index)
                && known == path
            {
                values.push(figure.value);
            }
            index += 1;
        });
    }
    document.open('{');
    for (path, decimals, values) in rows {
        document.key(&path);
        document.plain(format_args!("[{decimals}"));
        for value in values {
            document.text.push(',');
            document.real(value);
        }
        document.text.push(']');
    }
    document.close('}');
}
