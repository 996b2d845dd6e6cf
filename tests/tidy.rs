//! The shape of the source: who imports whom, what the engine may not touch, and that every rule has its row, its
//! place and its test.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Which modules a module may import, besides itself. Nobody but the program imports `cli`, and the two drivers, `sim`
/// and `poll`, never import each other.
const IMPORTS: &[(&str, &[&str])] = &[
    ("engine", &[]),
    // Prices are read by scenario, and applied by cost.
    ("scenario", &["cost", "engine"]),
    ("metrics", &["engine"]),
    ("cost", &["engine", "metrics"]),
    // The answer of a search is plain data of study.
    ("report", &["engine", "metrics", "study"]),
    ("sim", &["cost", "engine", "metrics", "scenario"]),
    ("study", &["engine", "metrics", "scenario", "sim"]),
    ("swarm", &["engine", "study"]),
    // Sources make the messages that poll::encode knows how to write; targets tell the time by poll::Clock.
    ("source", &["engine", "poll", "scenario"]),
    ("target", &["engine", "poll", "scenario", "source"]),
    // Destinations write JSON with poll::encode and make connections as sources do.
    ("destination", &["engine", "poll", "scenario", "source"]),
    // Callers come in beside the mappings; destinations are told of their asynchronous events.
    (
        "invoke",
        &["destination", "engine", "poll", "scenario", "target"],
    ),
    (
        "poll",
        &[
            "destination",
            "engine",
            "invoke",
            // Whoever shows a run while it goes on folds facts as reports do.
            "metrics",
            "scenario",
            "source",
            "target",
        ],
    ),
    // Measures the poller and holds the simulator against it, so it stands above both.
    (
        "bench",
        &[
            "engine", "metrics", "poll", "report", "scenario", "sim", "source", "target",
        ],
    ),
    (
        "cli",
        &[
            "bench", "engine", "metrics", "poll", "report", "scenario", "sim", "source", "study",
            "swarm", "target",
        ],
    ),
    // Everything that reads what others wrote.
    (
        "fuzzing",
        &["engine", "poll", "scenario", "source", "swarm", "target"],
    ),
    // lib.rs and main.rs
    ("", &["cli"]),
];

/// What would make the engine depend on where and when it runs.
const IMPURE: &[&str] = &[
    "std::fs",
    "std::io",
    "std::net",
    "std::env",
    "std::process",
    "std::thread",
    "std::sync",
    "std::time::Instant",
    "SystemTime",
    "tokio",
    "HashMap",
    "HashSet",
    "rand::",
    "async ",
];

const LINES_MAX: usize = 600;
const LINES_MEDIAN_MAX: usize = 250;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file below `folder`, with its path from the root and its text.
fn sources(folder: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).expect("a source file");
                let name = path.strip_prefix(root()).expect("inside").to_owned();
                found.insert(name.to_string_lossy().replace('\\', "/"), text);
            }
        }
    }
    found
}

/// The module of the crate's root that a file below src belongs to; empty for the root itself.
fn module(file: &str) -> &str {
    let inside = file.strip_prefix("src/").unwrap_or(file);
    inside.split_once('/').map_or("", |(module, _)| module)
}

fn code(line: &str) -> &str {
    line.split("//").next().unwrap_or_default()
}

/// The names right after every `prefix` in the code of `text`.
fn named_after<'a>(text: &'a str, prefix: &'a str) -> impl Iterator<Item = &'a str> {
    let places = text
        .lines()
        .map(code)
        .flat_map(move |line| line.split(prefix).skip(1));
    places.map(|rest| {
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        &rest[..end.unwrap_or(rest.len())]
    })
}

#[test]
fn modules_import_only_what_the_table_says() {
    let allowed: BTreeMap<&str, &[&str]> = IMPORTS.iter().copied().collect();
    for (file, text) in sources("src") {
        let module = module(&file);
        let allowed = allowed
            .get(module)
            .unwrap_or_else(|| panic!("{file} is of no known module"));
        for prefix in ["crate::", "tidegate::"] {
            for imported in named_after(&text, prefix) {
                assert!(
                    imported == module || allowed.contains(&imported),
                    "{file} imports `{imported}`, which `{module}` may not"
                );
            }
        }
        assert!(
            !text.contains("crate::{"),
            "{file}: one `use` for each module, so that this test sees it"
        );
    }
}

#[test]
fn the_engine_is_pure() {
    for (file, text) in sources("src/engine") {
        for line in text.lines().map(code) {
            for impure in IMPURE {
                assert!(!line.contains(impure), "{file} uses {impure}: {line}");
            }
        }
    }
}

#[test]
fn files_are_short() {
    let all: BTreeMap<String, String> = [sources("src"), sources("tests")]
        .into_iter()
        .flatten()
        .collect();
    let mut lengths: Vec<usize> = Vec::new();
    for (file, text) in all {
        let lines = text.lines().count();
        assert!(lines <= LINES_MAX, "{file} has {lines} lines");
        lengths.push(lines);
    }
    lengths.sort_unstable();
    let median = lengths[lengths.len() / 2];
    assert!(median < LINES_MEDIAN_MAX, "the median is {median} lines");
}

#[test]
fn every_file_says_what_it_is() {
    for (file, text) in sources("src") {
        // Tests in a file of their own belong to the module that names the file.
        assert!(
            text.starts_with("//! ") || file.ends_with("tests.rs"),
            "{file} begins without a sentence about itself"
        );
    }
}

/// The ids of `docs/semantics.md`: the first column of every table that has ids in it.
fn documented() -> BTreeSet<String> {
    let text = include_str!("../docs/semantics.md");
    let ids = text
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    let kebab = |id: &str| {
        id.bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    ids.map(|(id, _)| id.to_owned())
        .filter(|id| kebab(id))
        .collect()
}

/// The ids that a comment cites: `rule` and a name in backticks, or `rules` and several.
fn cited(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in text.match_indices("ule") {
        let rest = text[at + 3..]
            .trim_start_matches('s')
            .trim_start_matches(':');
        let Some(mut rest) = rest.strip_prefix(" `") else {
            continue;
        };
        loop {
            let (id, after) = rest.split_once('`').unwrap_or((rest, ""));
            if id.contains('-') {
                found.insert(id.to_owned());
            }
            let next = after.trim_start_matches([',', ' ', '\n', '/']);
            let next = next.strip_prefix("and ").unwrap_or(next);
            match next.strip_prefix('`') {
                Some(next) if next.len() < after.len() - 2 => rest = next,
                _ => break,
            }
        }
    }
    found
}

/// The places where rows say that a rule is.
fn places() -> Vec<(String, Vec<String>)> {
    let rows = include_str!("../docs/semantics.md").lines();
    let rows = rows.filter(|line| line.starts_with("| `") && line.matches('|').count() >= 7);
    rows.filter_map(|row| {
        let cells: Vec<&str> = row.trim_end_matches('|').trim().split(" | ").collect();
        let id = cells.first()?.trim_matches(['|', ' ', '`']).to_owned();
        let code = cells.get(cells.len().checked_sub(2)?)?;
        let files = code.split(", ").map(|file| file.trim().trim_matches('`'));
        let files = files.filter(|file| file.ends_with(".rs"));
        let files = files.map(|file| format!("src/{}", file.trim_start_matches("src/")));
        Some((id, files.collect()))
    })
    .collect()
}

#[test]
fn every_rule_has_one_row_and_is_where_its_row_says() {
    let src = sources("src");
    let mut seen = BTreeSet::new();
    let places = places();
    assert!(places.len() > 150, "{} rows", places.len());
    for (id, files) in places {
        assert!(seen.insert(id.clone()), "`{id}` has two rows");
        for file in files {
            let text = src.get(&file);
            let text = text
                .unwrap_or_else(|| panic!("`{id}` is said to be in {file}, which is not there"));
            assert!(text.contains(&id), "`{id}` is said to be in {file}");
        }
    }
}

#[test]
fn every_rule_that_the_code_cites_is_documented() {
    let documented = documented();
    for (file, text) in sources("src") {
        for id in cited(&text) {
            assert!(
                documented.contains(&id),
                "{file} cites `{id}`, which docs/semantics.md lacks"
            );
        }
    }
    let filters = tidegate::engine::filter::RULES.iter().map(|rule| rule.id);
    for id in filters {
        assert!(documented.contains(id), "docs/semantics.md lacks `{id}`");
    }
    for rule in &tidegate::engine::config::RULES {
        assert!(
            documented.contains(rule.id),
            "docs/semantics.md lacks `{}`",
            rule.id
        );
    }
}

#[test]
fn every_documented_rule_has_its_place_and_its_test() {
    let src: String = sources("src").into_values().collect();
    let all: String = src.clone() + &sources("tests").into_values().collect::<String>();
    let cited = cited(&src);
    for id in documented() {
        let quoted = format!("\"{id}\"");
        assert!(
            cited.contains(&id) || src.contains(&quoted),
            "no code cites `{id}`"
        );
        let name = id.replace('-', "_");
        // Either a function, or the name in a list of tests that a macro makes.
        let tests = [format!("fn {name}("), format!("\n    {name},\n")];
        assert!(
            tests.iter().any(|test| all.contains(test)),
            "`{id}` has no test of its name"
        );
    }
}

#[test]
fn links_of_the_documentation_lead_somewhere() {
    let mut files = vec![root().join("README.md"), root().join("CHANGELOG.md")];
    for entry in std::fs::read_dir(root().join("docs")).expect("the documentation") {
        files.push(entry.expect("an entry").path());
    }
    for file in files
        .iter()
        .filter(|file| file.extension().is_some_and(|it| it == "md"))
    {
        let text = std::fs::read_to_string(file).expect("a document");
        for target in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            let path = target.split('#').next().unwrap_or_default();
            // What others produce may come later than the sentence about it.
            if path.is_empty() || path.contains("://") || path.contains("reports/") {
                continue;
            }
            let base = file.parent().unwrap_or(Path::new("."));
            assert!(
                base.join(path).exists(),
                "{} links to {target}",
                file.display()
            );
        }
    }
}
