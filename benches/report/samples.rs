//! Reads criterion's samples.

use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

/// A benchmark and how fast it was.
pub(crate) struct Bench {
    pub(crate) group: String,
    pub(crate) name: String,
    /// The parameter, where there is one.
    pub(crate) value: Option<String>,
    /// Whether the elements are bytes.
    pub(crate) bytes: bool,
    /// Elements per second.
    pub(crate) rate: Spread,
}

/// Median, least and greatest of some values.
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Spread {
    /// `None` when there are no values.
    pub(crate) fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let (&min, &max) = (values.first()?, values.last()?);
        let median = (values[values.len() / 2] + values[(values.len() - 1) / 2]) / 2.0;
        Some(Self { median, min, max })
    }
}

/// Group, name, parameter, and whether elements are bytes.
type Name = (String, String, Option<String>, bool);

/// All benchmarks below `folder`, by name. Samples of one that was run several times are put together.
pub(crate) fn all(folder: &Path) -> io::Result<Vec<Bench>> {
    let mut rates: BTreeMap<Name, Vec<f64>> = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if !path.is_dir() {
                continue;
            }
            if path.ends_with("new") {
                if let Some((name, found)) = one(&path) {
                    rates.entry(name).or_default().extend(found);
                }
            } else {
                folders.push(path);
            }
        }
    }
    let bench = |((group, name, value, bytes), rates): (Name, Vec<f64>)| {
        let rate = Spread::of(rates)?;
        Some(Bench {
            group,
            name,
            value,
            bytes,
            rate,
        })
    };
    Ok(rates.into_iter().filter_map(bench).collect())
}

fn one(folder: &Path) -> Option<(Name, Vec<f64>)> {
    let json = |name: &str| -> Option<Value> {
        serde_json::from_str(&fs::read_to_string(folder.join(name)).ok()?).ok()
    };
    let (about, sample) = (json("benchmark.json")?, json("sample.json")?);
    let throughput = |key: &str| about.get("throughput")?.get(key)?.as_f64();
    let bytes = throughput("Bytes");
    // What states none counts as one piece of work.
    let elements = bytes.or_else(|| throughput("Elements")).unwrap_or(1.0);
    let numbers = |key: &str| -> Option<Vec<f64>> {
        let list = sample.get(key)?.as_array()?;
        list.iter().map(Value::as_f64).collect()
    };
    let rates = numbers("iters")?
        .iter()
        .zip(numbers("times")?)
        .map(|(iterations, nanos)| elements * iterations * 1e9 / nanos)
        .collect();
    let text = |key: &str| about.get(key)?.as_str().map(str::to_owned);
    let name = (
        text("group_id")?,
        text("function_id")?,
        text("value_str"),
        bytes.is_some(),
    );
    Some((name, rates))
}
