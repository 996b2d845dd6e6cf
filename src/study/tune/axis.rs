//! What a search may change: one setting each, with the values that it may have.

use super::known::{self, Known};
use crate::metrics::Setting;
use crate::scenario::{Scenario, SourceText, listed, nearest};
use crate::study::AxisError;
use crate::study::replicate::{changed, first_mistake};
use crate::study::values::{Values as Written, elements};

/// A setting and its values. Points of a search are whole numbers: the value itself of a range, the place in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Axis {
    /// Path of the setting, as in changes: `mapping.clicks.BatchSize`.
    pub path: String,
    pub(super) values: Values,
    /// The table around it is not in the file: it is written with its table.
    within: Option<(String, String)>,
}

/// The values of an axis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Values {
    /// Whole numbers from the first to the second.
    Range(i64, i64),
    /// As written, in this order.
    List(Vec<String>),
}

/// Ranges that span more than this factor are divided by factors, not by distances.
const WIDE: i64 = 20;

impl Axis {
    /// Smallest and largest point.
    pub(super) fn bounds(&self) -> (i64, i64) {
        match &self.values {
            Values::Range(low, high) => (*low, *high),
            Values::List(list) => (0, list.len() as i64 - 1),
        }
    }

    /// How many points there are.
    pub(super) fn size(&self) -> u128 {
        let (low, high) = self.bounds();
        (i128::from(high) - i128::from(low) + 1) as u128
    }

    /// The value at a point, as TOML writes it.
    pub(super) fn value(&self, point: i64) -> String {
        match &self.values {
            Values::Range(..) => point.to_string(),
            Values::List(list) => list[point as usize].clone(),
        }
    }

    /// Its last name: `BatchSize`.
    pub(super) fn short(&self) -> &str {
        self.path.rsplit('.').next().unwrap_or(&self.path)
    }

    /// Up to `count` points over the whole axis, first and last among them.
    pub(super) fn spread(&self, count: usize) -> Vec<i64> {
        let (low, high) = self.bounds();
        if self.size() <= count as u128 {
            return (low..=high).collect();
        }
        let last = (count.max(2) - 1) as i64;
        let mut points: Vec<i64> = vec![low];
        for step in 1..last {
            points.push(self.between(low, high, step, last));
        }
        points.push(high);
        points.dedup();
        points
    }

    /// The point `part / whole` of the way from `low` to `high`.
    pub(super) fn between(&self, low: i64, high: i64, part: i64, whole: i64) -> i64 {
        let is_range = matches!(self.values, Values::Range(..));
        let share = part as f64 / whole as f64;
        if is_range && high / low.max(1) >= WIDE && low >= 0 {
            // Zero is a value, but no factor leads there.
            let first = low.max(1) as f64;
            let point = first * libm::pow(high as f64 / first, share);
            return (point.round() as i64).clamp(low, high);
        }
        let point = low as f64 + (high - low) as f64 * share;
        (point.round() as i64).clamp(low, high)
    }

    /// The smallest difference at a point that is worth a run.
    pub(super) fn resolution(&self, point: i64) -> i64 {
        match self.values {
            Values::Range(..) => (point.abs() / 50).max(1),
            Values::List(_) => 1,
        }
    }

    /// What is wrong with all of its values alone: a path that leads nowhere, or a value that no setting takes. Values that only go with
    /// others are left to the search.
    pub fn mistake(&self, source: &SourceText) -> Option<String> {
        let (low, high) = self.bounds();
        let mut first = None;
        for point in [low, high, self.between(low, high, 1, 2)] {
            let changes = settings(std::slice::from_ref(self), &[point]);
            let Err(report) = changed(source, &changes) else {
                return None;
            };
            let item = first_mistake(&report)?.clone();
            if !["unknown-name", "unknown-key", "wrong-type"].contains(&item.code) {
                return None;
            }
            let parts = [
                Some(item.message),
                item.allowed.map(|it| format!("allowed: {it}").into()),
                item.help,
            ];
            let parts: Vec<String> = parts.into_iter().flatten().map(String::from).collect();
            first.get_or_insert(format!("`{}`: {}", self.path, parts.join("; ")));
        }
        first
    }

    /// The values in words.
    pub(super) fn told(&self) -> String {
        match &self.values {
            Values::Range(low, high) => format!("{low}..{high}"),
            Values::List(list) => list.join(","),
        }
    }
}

/// The changes that set every axis to its point. Keys of one table that the file lacks are written together.
pub(super) fn settings(axes: &[Axis], point: &[i64]) -> Vec<Setting> {
    let mut list: Vec<Setting> = Vec::new();
    for (axis, at) in axes.iter().zip(point) {
        let value = axis.value(*at);
        let Some((table, key)) = &axis.within else {
            list.push(Setting {
                path: axis.path.clone(),
                value,
            });
            continue;
        };
        match list.iter_mut().find(|one| one.path == *table) {
            Some(one) => {
                one.value.truncate(one.value.len() - " }".len());
                one.value
                    .push_str(&format!(", {key} = {} }}", in_file(&value)));
            }
            None => list.push(Setting {
                path: table.clone(),
                value: format!("{{ {key} = {} }}", in_file(&value)),
            }),
        }
    }
    list
}

/// A value as a file has it: `5m`, which changes take as it is, is a text there.
pub(super) fn in_file(value: &str) -> String {
    if value.parse::<toml_edit::Value>().is_ok() {
        return value.to_owned();
    }
    // A string always has a form in JSON, and TOML reads it.
    serde_json::to_string(value).unwrap_or_default()
}

/// Reads axes: `mapping.clicks.BatchSize,ParallelizationFactor=1..10,function.f.memory_mb=512,1024`.
///
/// A part that begins with a digit, a quote, a sign or a bracket is another value of the list before it. A name without a dot belongs to the table of
/// the axis before it, or to the only table that has such a setting. `busiest` is the largest concurrency of each function, which bounds the default ranges of concurrency.
///
/// Returns the axes that are sound, and everything that is wrong, one text each.
pub fn axes(texts: &[String], scenario: &Scenario, busiest: &[u32]) -> (Vec<Axis>, Vec<String>) {
    let known = known::all(scenario, busiest);
    let (mut axes, mut wrong): (Vec<Axis>, Vec<String>) = (Vec::new(), Vec::new());
    for (name, values) in parts(texts) {
        match axis(&name, values.as_deref(), &axes, &known, scenario) {
            Ok(axis) if axes.iter().any(|one| one.path == axis.path) => {
                wrong.push(format!("`{}` is given twice", axis.path));
            }
            Ok(axis) => axes.push(axis),
            Err(message) => wrong.push(message),
        }
    }
    if texts.iter().all(|text| text.trim().is_empty()) {
        wrong.push(format!(
            "there is nothing to search over; known here are {}",
            names(&known)
        ));
    }
    (axes, wrong)
}

fn names(known: &[Known]) -> String {
    listed(known.iter().map(|one| one.path.as_str()))
}

/// Names with their values as written.
fn parts(texts: &[String]) -> Vec<(String, Option<String>)> {
    let mut parts: Vec<(String, Option<String>)> = Vec::new();
    let pieces = texts.iter().flat_map(|text| elements(text));
    for piece in pieces.map(str::trim) {
        let continues = piece.starts_with(|c: char| c.is_ascii_digit() || "\"'-+[{".contains(c))
            || ["true", "false"].contains(&piece);
        match parts.last_mut() {
            Some((_, Some(values))) if continues => {
                values.push(',');
                values.push_str(piece);
            }
            _ => {
                let (name, values) = match piece.split_once('=') {
                    Some((name, values)) => (name.trim(), Some(values.trim().to_owned())),
                    None => (piece, None),
                };
                if !piece.is_empty() {
                    parts.push((name.to_owned(), values));
                }
            }
        }
    }
    parts
}

fn axis(
    name: &str,
    values: Option<&str>,
    before: &[Axis],
    known: &[Known],
    scenario: &Scenario,
) -> Result<Axis, String> {
    let path = path(name, before, known)?;
    let row = known.iter().find(|one| one.path == path);
    let values = match (values, row) {
        (Some(text), row) => {
            let values = parsed(name, text).map_err(|why| why.to_string())?;
            within_limits(&values, row).map_err(|why| format!("`{name}={text}`: {why}"))?;
            values
        }
        (None, Some(row)) => row
            .default
            .clone()
            .ok_or_else(|| format!("`{name}` needs values, such as `{name}={}`", row.example))?,
        (None, None) => {
            return Err(format!(
                "`{name}` needs values: a list such as `{name}=1,2,4` or a range such as `{name}=1..8`"
            ));
        }
    };
    Ok(Axis {
        within: known::missing_table(&path, scenario),
        path,
        values,
    })
}

/// The whole path of a name.
fn path(name: &str, before: &[Axis], known: &[Known]) -> Result<String, String> {
    const TABLES: [&str; 6] = ["mapping", "function", "source", "region", "traffic", "cost"];
    if name
        .split('.')
        .next()
        .is_some_and(|first| TABLES.contains(&first))
        || known.iter().any(|one| one.path == name)
    {
        return Ok(name.to_owned());
    }
    let suffix = format!(".{name}");
    let fits: Vec<&str> = known
        .iter()
        .map(|one| one.path.as_str())
        .filter(|path| path.ends_with(&suffix))
        .collect();
    // The table of the last axis that has such a setting.
    let of_same = before.iter().rev().find_map(|axis| {
        let table: Vec<&str> = axis.path.splitn(3, '.').take(2).collect();
        let table = format!("{}.", table.join("."));
        fits.iter().find(|path| path.starts_with(&table))
    });
    match (of_same, fits.as_slice()) {
        (Some(path), _) => Ok((*path).to_owned()),
        (None, [path]) => Ok((*path).to_owned()),
        (None, []) => {
            let short = |path: &str| path.splitn(3, '.').nth(2).unwrap_or(path).to_owned();
            let all: Vec<String> = known
                .iter()
                .flat_map(|one| [one.path.clone(), short(&one.path)])
                .collect();
            let hint = match nearest(name, all.iter().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!(
                    "known here are {}; any other setting by its whole path with values",
                    names(known)
                ),
            };
            Err(format!("there is no setting `{name}`: {hint}"))
        }
        (None, several) => Err(format!(
            "several tables have `{name}`; say which: {}",
            listed(several.iter().copied())
        )),
    }
}

/// Values as sweeps take them. Of a range of whole numbers every one may be tried.
fn parsed(name: &str, text: &str) -> Result<Values, AxisError> {
    match Written::parse(name, text)? {
        Written::Levels(list) => Ok(Values::List(list)),
        Written::Anywhere(range) => match range.whole() {
            Some((low, high)) => Ok(Values::Range(low, high)),
            None => Err(AxisError::Range {
                axis: name.to_owned(),
                found: text.to_owned(),
                problem: format!(
                    "it has no end of values between; write `{text}:8` for eight, or `{text}:log5` for five of one factor"
                ),
            }),
        },
    }
}

/// AWS's limits, where they are known.
fn within_limits(values: &Values, row: Option<&Known>) -> Result<(), String> {
    let Some((min, max)) = row.and_then(|row| row.limits) else {
        return Ok(());
    };
    let outside = |value: i64| value < min || value > max;
    let bad = match values {
        Values::Range(low, high) => [*low, *high].into_iter().find(|value| outside(*value)),
        Values::List(list) => list
            .iter()
            .filter_map(|value| value.parse().ok())
            .find(|value| outside(*value)),
    };
    match bad {
        Some(value) => Err(format!("{value} is outside of {min} to {max}")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(low: i64, high: i64) -> Axis {
        Axis {
            path: "mapping.m.BatchSize".to_owned(),
            values: Values::Range(low, high),
            within: None,
        }
    }

    #[test]
    fn wide_ranges_are_divided_by_factors() {
        assert_eq!(range(1, 10).spread(4), [1, 4, 7, 10]);
        assert_eq!(range(1, 10_000).spread(5), [1, 10, 100, 1_000, 10_000]);
        assert_eq!(range(0, 100).spread(3), [0, 10, 100]);
        assert_eq!(range(3, 5).spread(5), [3, 4, 5]);
        assert_eq!(range(7, 7).spread(5), [7]);
        assert_eq!(range(1, 10_000).resolution(1_000), 20);
    }

    #[test]
    fn lists_go_on_after_commas() {
        let read = |text: &str| parts(&[text.to_owned()]);
        let pair = |name: &str, values: Option<&str>| (name.to_owned(), values.map(str::to_owned));
        assert_eq!(
            read("a.b=1,2,4, c ,d=\"5m\",\"10m\",e=true,false"),
            [
                pair("a.b", Some("1,2,4")),
                pair("c", None),
                pair("d", Some("\"5m\",\"10m\"")),
                pair("e", Some("true,false")),
            ]
        );
        assert_eq!(
            read("a.b=[1, 2],{ c = 1, d = 2 },c"),
            [
                pair("a.b", Some("[1, 2],{ c = 1, d = 2 }")),
                pair("c", None),
            ]
        );
    }

    #[test]
    fn values_are_those_of_sweeps() {
        let read = |text: &str| parsed("a.b", text).map_err(|why| why.to_string());
        let list = |values: &[&str]| {
            let values = values.iter().map(|value| (*value).to_owned());
            Ok(Values::List(values.collect()))
        };
        assert_eq!(read("1..10"), Ok(Values::Range(1, 10)));
        assert_eq!(read("1_000..=2_000"), Ok(Values::Range(1_000, 2_000)));
        assert_eq!(read("[1, 2],\"1,2\""), list(&["[1, 2]", "\"1,2\""]));
        assert_eq!(read("1s..16s:log3"), list(&["1s", "4s", "16s"]));
        assert_eq!(read("1,10..30:3"), list(&["1", "10", "20", "30"]));
        for (text, wanted) in [
            (
                "5..2",
                "`a.b` has the range `5..2`: it is empty: 5 is not below 2",
            ),
            ("1..x", "`x` is no number"),
            ("1,,2", "an empty value in `1,,2`"),
            ("1,2,1", "the value `1` twice"),
            ("1s..16s", "write `1s..16s:8` for eight"),
            ("", "`a.b` has no values"),
        ] {
            let told = read(text).expect_err("not to be understood");
            assert!(told.contains(wanted), "{text}: {told}");
        }
    }

    #[test]
    fn texts_are_written_as_files_have_them() {
        for (value, wanted) in [
            ("5", "5"),
            ("5m", "\"5m\""),
            ("\"5m\"", "\"5m\""),
            ("[1, 2]", "[1, 2]"),
        ] {
            assert_eq!(in_file(value), wanted);
        }
        let mut axis = range(1, 3);
        axis.values = Values::List(vec!["5m".to_owned()]);
        axis.within = Some(("function.f.autoscaling".to_owned(), "period".to_owned()));
        let list = settings(&[axis], &[0]);
        assert_eq!(list[0].value, "{ period = \"5m\" }");
    }
}
