//! A strict reader of Prometheus's text format.

use std::collections::{BTreeMap, BTreeSet};

type Labels = Vec<(String, String)>;

/// A sample: its name, its labels in order, and its value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) labels: Labels,
    pub(crate) value: f64,
}

impl Sample {
    pub(crate) fn label(&self, name: &str) -> Option<&str> {
        let found = self.labels.iter().find(|(label, _)| label == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// A metric with its help, its type and its samples.
#[derive(Clone, Debug, Default)]
pub(crate) struct Family {
    pub(crate) kind: String,
    pub(crate) samples: Vec<Sample>,
}

/// Reads a whole exposition, or says in which line it is wrong and how.
pub(crate) fn parse(text: &str) -> Result<BTreeMap<String, Family>, String> {
    if !text.ends_with('\n') {
        return Err("the last line has no end".to_owned());
    }
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    let mut helped = BTreeSet::new();
    let mut current = String::new();
    let mut series = BTreeSet::new();
    for (number, line) in (1..).zip(text.lines()) {
        let wrong = |why: &str| format!("line {number}: {why}: {line}");
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').ok_or_else(|| wrong("no help"))?;
            if !is_name(name, true) || help.is_empty() || !helped.insert(name.to_owned()) {
                return Err(wrong("a bad name, no text, or a second help"));
            }
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').ok_or_else(|| wrong("no type"))?;
            let known = ["counter", "gauge", "histogram", "summary", "untyped"].contains(&kind);
            if !known || !helped.contains(name) || families.contains_key(name) {
                return Err(wrong(
                    "an unknown type, no help before it, or a second type",
                ));
            }
            let family = Family {
                kind: kind.to_owned(),
                samples: Vec::new(),
            };
            families.insert(name.to_owned(), family);
            current = name.to_owned();
        } else {
            let sample = sample(line).ok_or_else(|| wrong("no sample"))?;
            let family = families
                .get_mut(&current)
                .ok_or_else(|| wrong("no type before it"))?;
            let suffix = sample
                .name
                .strip_prefix(&current)
                .ok_or_else(|| wrong("out of its family"))?;
            let fits = match family.kind.as_str() {
                "histogram" => ["_bucket", "_sum", "_count"].contains(&suffix),
                _ => suffix.is_empty(),
            };
            if !fits {
                return Err(wrong("not a name of its family"));
            }
            if family.kind == "counter" && (!current.ends_with("_total") || sample.value < 0.0) {
                return Err(wrong("a counter ends in _total and is never negative"));
            }
            if !series.insert(format!("{} {:?}", sample.name, sample.labels)) {
                return Err(wrong("a second value"));
            }
            family.samples.push(sample);
        }
    }
    for (name, family) in &families {
        if family.kind == "histogram" {
            histogram(name, family)?;
        }
    }
    Ok(families)
}

fn is_name(name: &str, may_have_colon: bool) -> bool {
    let letter = |c: char| c.is_ascii_alphabetic() || c == '_' || (may_have_colon && c == ':');
    let mut letters = name.chars();
    letters.next().is_some_and(letter) && letters.all(|c| letter(c) || c.is_ascii_digit())
}

fn sample(line: &str) -> Option<Sample> {
    let end = line.find(['{', ' '])?;
    let (name, mut rest) = line.split_at(end);
    let mut labels = Labels::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        loop {
            let (label, after) = rest.split_once("=\"")?;
            let (value, after) = quoted(after)?;
            let is_new = labels.iter().all(|(other, _)| other != label);
            if !is_name(label, false) || !is_new {
                return None;
            }
            labels.push((label.to_owned(), value));
            match after.strip_prefix(',') {
                Some(more) => rest = more,
                None => {
                    rest = after.strip_prefix('}')?;
                    break;
                }
            }
        }
    }
    let value = rest.strip_prefix(' ')?;
    // No timestamps, no further blanks.
    let value = (!value.contains(' ')).then(|| value.parse().ok())??;
    is_name(name, true).then(|| Sample {
        name: name.to_owned(),
        labels,
        value,
    })
}

fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut letters = text.char_indices();
    loop {
        match letters.next()? {
            (at, '"') => return Some((value, &text[at + 1..])),
            (_, '\\') => value.push(match letters.next()?.1 {
                '\\' => '\\',
                '"' => '"',
                'n' => '\n',
                _ => return None,
            }),
            (_, letter) => value.push(letter),
        }
    }
}

/// Buckets grow and end at all, and sum and count are there, for each series.
fn histogram(name: &str, family: &Family) -> Result<(), String> {
    let mut buckets: BTreeMap<Labels, Vec<(f64, f64)>> = BTreeMap::new();
    for sample in family
        .samples
        .iter()
        .filter(|it| it.name.ends_with("_bucket"))
    {
        let bound = sample.label("le").ok_or("a bucket without le")?;
        let bound: f64 = bound.parse().map_err(|_| format!("le={bound}"))?;
        let mut others = sample.labels.clone();
        others.retain(|(label, _)| label != "le");
        buckets
            .entry(others)
            .or_default()
            .push((bound, sample.value));
    }
    for (labels, buckets) in buckets {
        let grows = buckets
            .windows(2)
            .all(|pair| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1);
        let value = |suffix: &str| {
            let wanted = format!("{name}{suffix}");
            let found = family
                .samples
                .iter()
                .find(|it| it.name == wanted && it.labels == labels);
            found.map(|sample| sample.value)
        };
        let last = buckets.last().copied();
        let count = value("_count");
        if !grows
            || last.map(|(bound, _)| bound) != Some(f64::INFINITY)
            || last.map(|(_, all)| all) != count
            || value("_sum").is_none()
        {
            return Err(format!("{name} {labels:?} is no histogram"));
        }
    }
    Ok(())
}

#[test]
fn the_reader_is_strict() {
    let good =
        "# HELP a_total x\n# TYPE a_total counter\na_total{m=\"x\\\"\\\\\\n\"} 3\na_total 4\n";
    let families = parse(good).expect("a good text");
    assert_eq!(families["a_total"].samples[0].label("m"), Some("x\"\\\n"));
    let histogram = "# HELP h x\n# TYPE h histogram\nh_bucket{le=\"1\"} 2\nh_bucket{le=\"+Inf\"} 3\nh_sum 1.5\nh_count 3\n";
    parse(histogram).expect("a good histogram");
    let bad = [
        good.trim_end().to_owned(),
        good.replace("counter", "countre"),
        good.replace("# HELP a_total x\n", ""),
        good.replace("a_total", "a"),
        good.replace(" 4", "{m=\"x\\\"\\\\\\n\"} 4"),
        good.replace(" 4", " four"),
        good.replace(" 4", " 4 5"),
        good.replace("{m=", "{0m="),
        good.replace("\\n", "\\t"),
        format!("{good}b 1\n"),
        histogram.replace("le=\"+Inf\"} 3", "le=\"+Inf\"} 1"),
        histogram.replace("h_count 3\n", ""),
        histogram.replace("h_bucket{le=\"+Inf\"} 3\n", ""),
    ];
    for text in bad {
        assert!(parse(&text).is_err(), "{text}");
    }
}
