//! The example scenarios: each runs, gives what it gave before, and gives it again.

use insta::{Settings, assert_snapshot};
use std::path::{Path, PathBuf};
use tidegate::report;
use tidegate::scenario::{Scenario, SourceText, load, parse};
use tidegate::sim;
use tidegate::study;

/// Every scenario file of the repository.
pub(crate) fn all() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let entries = std::fs::read_dir(folder).expect("the folder of scenarios");
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_file())
        .collect();
    files.sort();
    files
}

fn loaded(path: &Path) -> Scenario {
    load(path)
        .unwrap_or_else(|report| panic!("{report}"))
        .scenario
}

/// The JSON summary without the program's version and the wall-clock figures, and the series.
fn results(scenario: &Scenario, seed: u64) -> (String, String) {
    let outcome = sim::run(scenario, seed, &mut ()).expect("sound limits");
    let summary = study::summarise(scenario, std::slice::from_ref(&outcome));
    let mut document: serde_json::Value =
        serde_json::from_str(&report::json(&summary)).expect("JSON");
    let object = document.as_object_mut().expect("an object");
    object.remove("engine");
    object.remove("tidegate");
    let json = serde_json::to_string_pretty(&document).expect("JSON");
    (json, report::csv(&outcome.series))
}

#[test]
fn every_example_gives_what_it_gave() {
    let mut settings = Settings::clone_current();
    settings.set_omit_expression(true);
    settings.set_prepend_module_to_snapshot(false);
    let _bound = settings.bind_to_scope();
    for path in all() {
        let scenario = loaded(&path);
        let (json, csv) = results(&scenario, scenario.seed);
        let name = path.file_stem().expect("a name").to_string_lossy();
        assert_snapshot!(format!("scenario_{name}"), json);
        assert_eq!(
            results(&scenario, scenario.seed),
            (json, csv),
            "{name}: the same seed gives the same bytes"
        );
    }
}

#[test]
fn gates_pass_except_where_a_failure_is_the_lesson() {
    for path in all() {
        let scenario = loaded(&path);
        assert!(!scenario.gates.is_empty(), "{}", path.display());
        let (json, _) = results(&scenario, scenario.seed);
        let passes = !json.contains("\"pass\": false");
        let lesson = ["burst-2021.toml", "canary.toml"];
        let fails = lesson.iter().any(|name| path.ends_with(name));
        assert_eq!(passes, !fails, "{json}");
    }
}

/// At the end of every second, for every mapping of a stream.
#[test]
fn event_count_conservation() {
    let mut checked = 0;
    for path in all() {
        let scenario = loaded(&path);
        let outcome = sim::run(&scenario, scenario.seed, &mut ()).expect("sound limits");
        for mapping in outcome.series.mappings.iter().filter(|one| one.stream) {
            let (mut polled, mut ended) = (0, 0);
            for (second, row) in mapping.rows.iter().enumerate() {
                polled += row.polled;
                ended += row.filtered + row.succeeded + row.dropped + row.diverted;
                let in_hand = row.in_hand;
                assert_eq!(polled, ended + in_hand, "{} at {second} s", mapping.name);
            }
            assert!(polled > 0, "{} read nothing", mapping.name);
            checked += 1;
        }
    }
    assert!(checked >= 7, "{checked} mappings");
}

#[test]
fn another_seed_gives_another_run() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/steady.toml");
    let scenario = loaded(&path);
    assert_ne!(results(&scenario, 1).1, results(&scenario, 2).1);
}

#[test]
fn the_twins_differ_in_the_profile_alone() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let meaning = |name: &str| {
        let text = std::fs::read_to_string(folder.join(name)).expect("the file");
        let kept = text.lines().filter(|line| {
            let key = line.split('=').next().unwrap_or_default().trim();
            !(line.starts_with('#') || ["title", "profile", "burst_concurrency"].contains(&key))
        });
        kept.filter(|line| !line.is_empty())
            .collect::<Vec<_>>()
            .join("\n")
    };
    assert_eq!(meaning("burst-2021.toml"), meaning("burst-current.toml"));
}

#[test]
fn the_output_in_the_readme_is_what_the_program_prints() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/flash-sale.toml");
    let scenario = loaded(&path);
    let outcome = sim::run(&scenario, scenario.seed, &mut ()).expect("sound limits");
    let text = report::text(
        &outcome.summary,
        &outcome.series,
        report::TextOptions::default(),
    );
    let readme = include_str!("../README.md");
    for line in text.lines().filter(|line| !line.starts_with("simulated")) {
        assert!(readme.contains(line), "not in the README: {line}");
    }
}

#[test]
fn the_chart_of_the_readme_is_what_the_program_draws() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/flash-sale.toml");
    let scenario = loaded(&path);
    let outcome = sim::run(&scenario, scenario.seed, &mut ()).expect("sound limits");
    let page = report::html(&outcome.summary, &outcome.series);
    let chart = include_str!("../docs/flash-sale.svg");
    let drawn: Vec<&str> = chart
        .lines()
        .filter(|line| line.contains(" d=\"m4"))
        .collect();
    assert!(drawn.len() > 5);
    // The legend is drawn for the file; everything inside the axes is the report's own.
    for line in drawn.iter().filter(|line| !line.contains("-130l")) {
        assert!(page.contains(line), "no longer drawn: {line}");
    }
}

/// A TOML value as JSON, as far as the examples need it.
fn json(value: &toml_edit::Item) -> serde_json::Value {
    use serde_json::Value;
    use toml_edit::{Item, Value as Toml};
    match value {
        Item::Table(table) => Value::Object(
            table
                .iter()
                .map(|(key, item)| (key.to_owned(), json(item)))
                .collect(),
        ),
        Item::ArrayOfTables(tables) => Value::Array(
            tables
                .iter()
                .map(|table| json(&Item::Table(table.clone())))
                .collect(),
        ),
        Item::Value(Toml::String(text)) => Value::from(text.value().as_str()),
        Item::Value(Toml::Integer(number)) => Value::from(*number.value()),
        Item::Value(Toml::Float(number)) => Value::from(*number.value()),
        Item::Value(Toml::Boolean(truth)) => Value::from(*truth.value()),
        Item::Value(Toml::Array(values)) => Value::Array(
            values
                .iter()
                .map(|value| json(&Item::Value(value.clone())))
                .collect(),
        ),
        Item::Value(Toml::InlineTable(table)) => Value::Object(
            table
                .iter()
                .map(|(key, value)| (key.to_owned(), json(&Item::Value(value.clone()))))
                .collect(),
        ),
        Item::Value(Toml::Datetime(_)) | Item::None => unreachable!("no scenario has this"),
    }
}

/// JSON in YAML's block style.
fn yaml(value: &serde_json::Value, depth: usize) -> String {
    use serde_json::Value;
    let margin = "  ".repeat(depth);
    match value {
        Value::Object(entries) => entries
            .iter()
            .map(|(key, value)| match value {
                Value::Object(_) | Value::Array(_) => {
                    format!("{margin}{key}:\n{}", yaml(value, depth + 1))
                }
                plain => format!("{margin}{key}: {plain}\n"),
            })
            .collect(),
        Value::Array(values) => values
            .iter()
            .map(|value| {
                let block = yaml(value, depth + 1);
                format!("{margin}- {}", &block[margin.len() + 2..])
            })
            .collect(),
        plain => format!("{margin}{plain}\n"),
    }
}

#[test]
fn the_examples_mean_the_same_in_every_format() {
    for path in all() {
        let text = std::fs::read_to_string(&path).expect("the file");
        let hash = loaded(&path).hash;
        let document: toml_edit::DocumentMut = text.parse().expect("TOML");
        let tree = json(document.as_item());
        for (name, text) in [
            ("twin.json", tree.to_string()),
            ("twin.yaml", yaml(&tree, 0)),
        ] {
            let twin = parse(SourceText::new(name, &text));
            let twin = twin.unwrap_or_else(|report| panic!("{report}\n{text}"));
            assert_eq!(twin.scenario.hash, hash, "{} as {name}", path.display());
        }
    }
}
