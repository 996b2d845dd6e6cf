//! YAML and JSON, and the files that a file names.

use super::told_as;
use tidegate::scenario::load;

#[test]
fn yaml_points_at_the_same_places() {
    let text = "duration: 10m\nfunction:\n  - name: f\n    duration: 80\n    überlang: 1\n    tmeout: 3s\n";
    super::snapshot!(told_as("bad.yaml", text));
}

#[test]
fn yaml_refuses_what_it_could_hide_behind() {
    super::snapshot!(told_as("bad.yaml", "a: &x 1\nb: *x\n"));
    super::snapshot!(told_as("bad.yaml", "duration: !str 5\n"));
    super::snapshot!(told_as("bad.yaml", "seed: 1\nseed: 2\n"));
    super::snapshot!(told_as("bad.yaml", "seed: 1\n---\nseed: 2\n"));
}

#[test]
fn json_is_read_with_its_own_mistakes() {
    super::snapshot!(told_as(
        "bad.json",
        "{\"duration\": \"10m\", \"seed\": [1, 2}"
    ));
    super::snapshot!(told_as("bad.json", "[1, 2]"));
}

/// The findings of a scenario that names a trace and a file of values.
fn with_files(trace: &str, values: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let write =
        |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("a file");
    write("trace.csv", trace);
    write("values.csv", values);
    write(
        "s.toml",
        "duration = \"1m\"\n[[function]]\nname = \"f\"\nduration = { empirical = \"values.csv\" }\n[[traffic]]\nfunction = \"f\"\narrivals = { trace = \"trace.csv\" }\n",
    );
    match load(&folder.path().join("s.toml")) {
        Ok(loaded) => format!(
            "{:?} {:?}",
            loaded.scenario.functions[0].duration, loaded.scenario.traffic[0].arrivals
        )
        .replace(&format!("{}/", folder.path().display()), ""),
        Err(report) => format!("\n{report}").replace(&format!("{}/", folder.path().display()), ""),
    }
}

#[test]
fn traces_and_values_are_read() {
    super::snapshot!(with_files(
        "time,count\n0.5,2\n# a comment\n1s,1\n1m\n",
        "ms\n12\n1s\n"
    ));
}

#[test]
fn mistakes_in_named_files_are_shown_there() {
    super::snapshot!(with_files("time,count\n5,1\n4,1\n", "12ms\n12\n"));
    super::snapshot!(with_files("1,two\n", "\n"));
    super::snapshot!(with_files("1,2,3\n", "1ms\n"));
}

#[test]
fn a_filter_pattern_is_pointed_into_in_every_format() {
    let pattern = r#"{"body": {"kind": "order"}}"#;
    let json = format!(
        r#"{{"duration": "10m", "function": [{{"name": "f", "duration": "1ms"}}],
 "source": [{{"name": "orders", "type": "sqs", "producer": []}}],
 "mapping": [{{"name": "m", "EventSource": "orders", "FunctionName": "f", "matching": "5%",
   "FilterCriteria": {{"Filters": [{{"Pattern": {pattern:?}}}]}}}}]}}"#
    );
    super::snapshot!(told_as("bad.json", &json));
    let yaml = format!(
        "duration: 10m\nfunction:\n  - name: f\n    duration: 1ms\nsource:\n  - name: orders\n    type: sqs\n    producer: []\nmapping:\n  - name: m\n    EventSource: orders\n    FunctionName: f\n    matching: 5%\n    FilterCriteria:\n      Filters:\n        - Pattern: '{pattern}'\n        - Pattern: |\n            {pattern}\n"
    );
    super::snapshot!(told_as("bad.yaml", &yaml));
}
