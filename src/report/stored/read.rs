//! Reads the document, with the place of everything that is not as it should be.

use super::cells::read_real;
use super::{FORMAT, FORMAT_KEY, StoredError, StoredResult, check, series};
use crate::metrics::{
    CostLine, CostSummary, EngineSummary, Figure, Finding, GateResult, KafkaFigures,
    MappingSummary, Summary, Theory, combine, for_each_figure,
};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::path::Path;

/// A place, what was found there, and what belongs there.
#[derive(Debug)]
pub(super) struct Wrong {
    place: String,
    found: String,
    expected: String,
}

pub(super) type Reading<T> = Result<T, Box<Wrong>>;

/// A part of the document and where it is.
#[derive(Debug)]
pub(super) struct Part<'a> {
    place: String,
    pub(super) value: &'a Value,
}

/// A value in a few words.
pub(super) fn shown(value: &Value) -> String {
    const LENGTH_MAX: usize = 40;
    let text = match value {
        Value::Array(list) => return format!("a list of {} values", list.len()),
        Value::Object(map) => return format!("an object of {} keys", map.len()),
        other => other.to_string(),
    };
    if text.chars().count() <= LENGTH_MAX {
        return text;
    }
    let start: String = text.chars().take(LENGTH_MAX).collect();
    format!("{start}…")
}

impl<'a> Part<'a> {
    pub(super) fn wrong(&self, at: &str, found: String, expected: &str) -> Box<Wrong> {
        Box::new(Wrong {
            place: format!("{}{at}", self.place),
            found,
            expected: expected.to_owned(),
        })
    }

    pub(super) fn refuse<T>(&self, expected: &str) -> Reading<T> {
        Err(self.wrong("", shown(self.value), expected))
    }

    fn map(&self) -> Reading<&'a Map<String, Value>> {
        match self.value {
            Value::Object(map) => Ok(map),
            _ => self.refuse("an object"),
        }
    }

    pub(super) fn find(&self, key: &str) -> Reading<Option<Self>> {
        let dot = if self.place.is_empty() { "" } else { "." };
        Ok(self.map()?.get(key).map(|value| Part {
            place: format!("{}{dot}{key}", self.place),
            value,
        }))
    }

    pub(super) fn get(&self, key: &str) -> Reading<Self> {
        let dot = if self.place.is_empty() { "" } else { "." };
        let missing = || self.wrong(&format!("{dot}{key}"), "nothing".to_owned(), "a value");
        self.find(key)?.ok_or_else(missing)
    }

    pub(super) fn list<T>(&self, read: impl Fn(&Self) -> Reading<T>) -> Reading<Vec<T>> {
        let Value::Array(list) = self.value else {
            return self.refuse("a list");
        };
        let parts = list.iter().enumerate().map(|(index, value)| Part {
            place: format!("{}[{index}]", self.place),
            value,
        });
        parts.map(|part| read(&part)).collect()
    }

    pub(super) fn text(&self) -> Reading<String> {
        match self.value {
            Value::String(text) => Ok(text.clone()),
            _ => self.refuse("a string"),
        }
    }

    pub(super) fn whole(&self) -> Reading<u64> {
        match self.value.as_u64() {
            Some(value) => Ok(value),
            None => self.refuse("a whole number that is not negative"),
        }
    }

    pub(super) fn number(&self) -> Reading<u32> {
        match self.whole()?.try_into() {
            Ok(value) => Ok(value),
            Err(_) => self.refuse("a whole number below 2^32"),
        }
    }

    pub(super) fn real(&self) -> Reading<f64> {
        match read_real(self.value) {
            Some(value) => Ok(value),
            None => self.refuse("a number or null"),
        }
    }

    pub(super) fn truth(&self) -> Reading<bool> {
        match self.value {
            Value::Bool(value) => Ok(*value),
            _ => self.refuse("true or false"),
        }
    }
}

pub(super) fn parse(path: &Path, bytes: &[u8]) -> Result<StoredResult, StoredError> {
    let document: Value =
        serde_json::from_slice(bytes).map_err(|error| not_json(path, bytes, &error))?;
    let part = Part {
        place: String::new(),
        value: &document,
    };
    let Value::Object(map) = &document else {
        return Err(StoredError::Kind {
            path: path.to_owned(),
            found: shown(&document),
            help: "is it another file?".to_owned(),
        });
    };
    let Some(format) = map.get(FORMAT_KEY) else {
        return Err(other_kind(path, map));
    };
    if format.as_u64() != Some(FORMAT) {
        return Err(StoredError::Format {
            path: path.to_owned(),
            found: shown(format),
            writer: map
                .get("tidegate")
                .and_then(Value::as_str)
                .unwrap_or("of an unknown version")
                .to_owned(),
        });
    }
    verify(path, bytes, map)?;
    read(&part).map_err(|wrong| StoredError::Content {
        path: path.to_owned(),
        place: wrong.place,
        found: wrong.found,
        expected: wrong.expected,
    })
}

fn not_json(path: &Path, bytes: &[u8], error: &serde_json::Error) -> StoredError {
    let path = path.to_owned();
    let help = "two scenario files are compared with `tidegate compare A.toml B.toml`, and `tidegate simulate FILE --out DIR` writes a result";
    if bytes.trim_ascii().is_empty() {
        return StoredError::Kind {
            path,
            found: "empty".to_owned(),
            help: help.to_owned(),
        };
    }
    if !bytes.trim_ascii_start().starts_with(b"{") {
        return StoredError::Kind {
            path,
            found: "no JSON document".to_owned(),
            help: help.to_owned(),
        };
    }
    if error.is_eof() {
        return StoredError::CutShort {
            path,
            line: error.line(),
        };
    }
    StoredError::Kind {
        path,
        found: format!("no sound JSON document ({error})"),
        help: help.to_owned(),
    }
}

fn other_kind(path: &Path, map: &Map<String, Value>) -> StoredError {
    let has = |keys: &[&str]| keys.iter().all(|key| map.contains_key(*key));
    let (found, help) = if has(&["tidegate", "scenario_hash", "engine"]) {
        (
            "a summary (summary.json), whose figures are rounded and joined",
            "take the result.json that lies beside it",
        )
    } else if has(&["tidegate_comparison"]) {
        (
            "the result of a comparison",
            "take the results that were compared",
        )
    } else if map.contains_key("duration") {
        (
            "a scenario",
            "run it with `tidegate simulate FILE --out DIR`, or compare it with another scenario",
        )
    } else {
        (
            "a JSON document of another kind",
            "its first key would be `tidegate_result`",
        )
    };
    StoredError::Kind {
        path: path.to_owned(),
        found: found.to_owned(),
        help: help.to_owned(),
    }
}

/// Compares the check in the last line with the bytes before it.
fn verify(path: &Path, bytes: &[u8], map: &Map<String, Value>) -> Result<(), StoredError> {
    const KEY: &[u8] = b"\"check\"";
    let at = bytes.windows(KEY.len()).rposition(|window| window == KEY);
    let expected = at.map(|at| format!("{:016x}", check(&bytes[..at])));
    let found = map.get("check").map(shown);
    let quoted = expected.as_ref().map(|expected| format!("\"{expected}\""));
    if found.is_some() && found == quoted {
        return Ok(());
    }
    Err(StoredError::Check {
        path: path.to_owned(),
        found: found.unwrap_or_else(|| "missing".to_owned()),
        expected: quoted.unwrap_or_else(|| "16 digits".to_owned()),
    })
}

fn read(part: &Part<'_>) -> Reading<StoredResult> {
    let seeds = part.get("seeds")?;
    let seeds_list = seeds.list(Part::whole)?;
    if seeds_list.is_empty() {
        return seeds.refuse("at least one seed");
    }
    let skeleton = skeleton(part)?;
    let mut replications: Vec<Summary> = seeds_list
        .iter()
        .map(|seed| Summary {
            seed: *seed,
            ..skeleton.clone()
        })
        .collect();
    let figures = part.get("figures")?;
    for (index, summary) in replications.iter_mut().enumerate() {
        let mut failed = None;
        for_each_figure(summary, &mut |path, figure| match value(
            &figures,
            path,
            index,
            seeds_list.len(),
        ) {
            Ok((decimals, value)) => {
                figure.value = value;
                figure.decimals = decimals;
            }
            Err(wrong) => failed = failed.take().or(Some(wrong)),
        });
        if let Some(wrong) = failed {
            return Err(wrong);
        }
    }
    let mut summary = combine(replications.clone());
    summary.gates = part.get("gates")?.list(gate)?;
    summary.theory = theory(part)?;
    summary.findings = findings(part)?;
    summary.engine = work(&part.get("engine")?)?;
    Ok(StoredResult {
        summary,
        replications,
        series: series::read(&part.get("series")?)?,
    })
}

/// Digits after the point and the value of one replication; a figure that the file lacks does not exist.
fn value(figures: &Part<'_>, path: &str, index: usize, count: usize) -> Reading<(u8, f64)> {
    let Some(part) = figures.find(path)? else {
        return Ok((0, f64::NAN));
    };
    match part.value {
        Value::Array(list) if list.len() == count + 1 => {
            let decimals = list[0]
                .as_u64()
                .and_then(|digits| u8::try_from(digits).ok());
            match (
                decimals.filter(|digits| *digits <= 17),
                read_real(&list[index + 1]),
            ) {
                (Some(decimals), Some(value)) => Ok((decimals, value)),
                _ => part.refuse("the number of digits and the values of all replications"),
            }
        }
        _ => part.refuse(&format!("the number of digits and {count} values")),
    }
}

/// A summary of which only figures are missing.
fn skeleton(part: &Part<'_>) -> Reading<Summary> {
    let text = |key| part.get(key)?.text();
    let names = |key| part.get(key)?.list(Part::text);
    let mappings = part.get("mappings")?.list(|part| {
        let last = part.find("last_processing_result")?;
        let mapping = MappingSummary {
            source_type: part.get("source_type")?.text()?,
            last_processing_result: last.map(|part| part.text()).transpose()?,
            kafka: part.get("kafka")?.truth()?.then(KafkaFigures::default),
            ..MappingSummary::default()
        };
        Ok((part.get("name")?.text()?, mapping))
    })?;
    Ok(Summary {
        tidegate: text("tidegate")?,
        scenario: text("scenario")?,
        scenario_hash: text("scenario_hash")?,
        profile: text("profile")?,
        seed: 0,
        replications: 1,
        measured_s: part.get("measured_s")?.real()?,
        functions: names("functions")?
            .into_iter()
            .map(|name| (name, Default::default()))
            .collect(),
        versions: names("versions")?
            .into_iter()
            .map(|name| (name, Default::default()))
            .collect(),
        mappings,
        account: Default::default(),
        cost: bill(&part.get("cost")?)?,
        theory: Vec::new(),
        gates: Vec::new(),
        findings: Vec::new(),
        engine: EngineSummary::default(),
    })
}

/// What formulas said; a result of a version that knew none has none.
fn theory(part: &Part<'_>) -> Reading<Vec<Theory>> {
    let Some(part) = part.find("theory")? else {
        return Ok(Vec::new());
    };
    part.list(|part| {
        let text = |key| part.get(key)?.text();
        let figure = |key| {
            let part = part.get(key)?;
            let numbers = part.list(Part::real)?;
            let (value, interval) = match numbers[..] {
                [_, value] => (value, None),
                [_, value, low, high] => (value, Some((low, high))),
                _ => return part.refuse("the number of digits, a value and its interval"),
            };
            Ok(Figure {
                value,
                decimals: numbers[0] as u8,
                interval,
            })
        };
        Ok(Theory {
            function: text("function")?,
            formula: text("formula")?,
            assumptions: text("assumptions")?,
            figure: text("figure")?,
            exact: figure("exact")?,
            simulated: figure("simulated")?,
        })
    })
}

/// A result of a version that had no findings has none.
fn findings(part: &Part<'_>) -> Reading<Vec<Finding>> {
    let Some(part) = part.find("findings")? else {
        return Ok(Vec::new());
    };
    match Vec::deserialize(part.value) {
        Ok(findings) => Ok(findings),
        Err(error) => part.refuse(&format!("findings ({error})")),
    }
}

fn bill(part: &Part<'_>) -> Reading<CostSummary> {
    let lines = part.get("lines")?.list(|part| {
        let texts = part.list(Part::text)?;
        let Ok([subject, item, unit, unit_price, explanation]) = <[String; 5]>::try_from(texts)
        else {
            return part.refuse("5 texts");
        };
        Ok(CostLine {
            subject,
            item,
            unit,
            unit_price,
            explanation,
            ..CostLine::default()
        })
    })?;
    Ok(CostSummary {
        region: part.get("region")?.text()?,
        prices_of: part.get("prices_of")?.text()?,
        lines,
        ..CostSummary::default()
    })
}

fn gate(part: &Part<'_>) -> Reading<GateResult> {
    Ok(GateResult {
        metric: part.get("metric")?.text()?,
        statistic: part.get("statistic")?.text()?,
        bound: part.get("bound")?.text()?,
        value: part.get("value")?.real()?,
        pass: part.get("pass")?.truth()?,
    })
}

fn work(part: &Part<'_>) -> Reading<EngineSummary> {
    Ok(EngineSummary {
        events: part.get("events")?.whole()?,
        simulated_s: part.get("simulated_s")?.real()?,
        wall_s: part.get("wall_s")?.real()?,
        invocations_per_s: part.get("invocations_per_s")?.real()?,
        records_per_s: part.get("records_per_s")?.real()?,
    })
}
