//! Stored results: what is read is what was written, and what is damaged is told.

use assert_cmd::Command;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use tidegate::metrics::Series;
use tidegate::report::{self, StoredError, StoredResult};
use tidegate::scenario::load;
use tidegate::study::{cores, replicate, summarise};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

struct Ended {
    code: i32,
    stdout: String,
    stderr: String,
}

fn run(arguments: &[&str]) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    let output = command.current_dir(root()).args(arguments).output();
    let output = output.expect("it runs");
    Ended {
        code: output.status.code().expect("it ends by itself"),
        stdout: String::from_utf8(output.stdout).expect("text"),
        stderr: String::from_utf8(output.stderr).expect("text"),
    }
}

/// A scenario of the repository under some seeds.
fn stored(scenario: &Path, replications: u32) -> StoredResult {
    let scenario = load(scenario)
        .unwrap_or_else(|report| panic!("{report}"))
        .scenario;
    let count = NonZeroU32::new(replications).expect("not zero");
    let runs = replicate(&scenario, 7, count, cores(), || ()).expect("sound limits");
    let mut summary = summarise(&scenario, &runs);
    summary.engine.wall_s = 0.1 + 0.2;
    StoredResult {
        summary,
        series: runs[0].series.clone(),
        replications: runs.into_iter().map(|run| run.summary).collect(),
    }
}

fn parsed(text: &str) -> Result<StoredResult, StoredError> {
    StoredResult::parse(Path::new("kept/result.json"), text.as_bytes())
}

fn refused(text: &str) -> String {
    match parsed(text) {
        Ok(_) => panic!("this is a result"),
        Err(error) => error.to_string(),
    }
}

/// Puts the right check behind a document that was changed on purpose.
fn checked(text: &str) -> String {
    let error = refused(text);
    let (_, expected) = error.split_once("expected \"").expect("a check that fails");
    let (old, rest) = text.rsplit_once("\"check\": \"").expect("a check");
    let end = rest.split_once('"').expect("its end").1;
    format!("{old}\"check\": \"{}\"{end}", &expected[..16])
}

#[test]
fn every_example_reads_back_whole() {
    for path in crate::scenarios::all() {
        let stored = stored(&path, 1);
        let text = stored.render();
        let read = parsed(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let name = path.display();
        assert_eq!(
            report::json(&read.summary),
            report::json(&stored.summary),
            "{name}"
        );
        assert_eq!(
            report::csv(&read.series),
            report::csv(&stored.series),
            "{name}"
        );
        assert_eq!(
            report::cloudwatch(&read.series),
            report::cloudwatch(&stored.series),
            "{name}"
        );
        assert_eq!(
            report::html(&read.summary, &read.series),
            report::html(&stored.summary, &stored.series),
            "{name}"
        );
        assert_eq!(read.render(), text, "{name}: to the last bit");
        for width in [60, 80, 120, 200] {
            let options = report::TextOptions {
                width,
                colour: false,
            };
            for line in report::text(&read.summary, &read.series, options).lines() {
                assert!(line.chars().count() <= width, "{name}, {width}: {line}");
            }
        }
    }
}

#[test]
fn replications_read_back_whole() {
    let stored = stored(&root().join("scenarios/retry-storm.toml"), 3);
    let text = stored.render();
    let read = parsed(&text).expect("a result");
    assert_eq!(report::json(&read.summary), report::json(&stored.summary));
    for (read, stored) in read.replications.iter().zip(&stored.replications) {
        // The work of each is of no interest, that of all is kept.
        let mut stored = stored.clone();
        stored.engine = read.engine;
        assert!(format!("{read:?}") == format!("{stored:?}"));
    }
    assert_eq!(read.replications.len(), 3);
    let latencies = |series: &Series| -> Vec<(Vec<(u64, u64)>, u64)> {
        let functions = series.functions.iter().map(|one| &one.latencies);
        functions
            .map(|them| (them.counts().collect(), them.max()))
            .collect()
    };
    assert_eq!(latencies(&read.series), latencies(&stored.series));
    // What a histogram has besides is not kept.
    let rest = |series: &Series| {
        let mut series = series.clone();
        for function in &mut series.functions {
            function.latencies = Default::default();
        }
        format!("{series:?}")
    };
    assert!(rest(&read.series) == rest(&stored.series));
    assert_eq!(read.render(), text);
}

#[test]
fn two_hours_by_the_second_stay_small() {
    let folder = folder();
    let file = folder.path().join("two-hours.toml");
    let text = std::fs::read_to_string(root().join("scenarios/steady.toml")).expect("a scenario");
    let text = text.replacen("duration = \"10m\"", "duration = \"2h\"", 1);
    assert!(text.contains("\"2h\""));
    std::fs::write(&file, text).expect("a file");
    let stored = stored(&file, 1);
    assert_eq!(stored.series.functions[0].rows.len(), 7_200);
    let length = stored.render().len();
    assert!(length < 1_500_000, "{length} bytes");
}

#[test]
fn a_run_is_drawn_again_from_its_result() {
    let folder = folder();
    let at = |name: &str| {
        folder
            .path()
            .join(name)
            .to_str()
            .expect("a path")
            .to_owned()
    };
    let scenario = "scenarios/burst-2021.toml";
    let first = run(&[
        "simulate",
        scenario,
        "--replications",
        "2",
        "--out",
        &at("one"),
    ]);
    let again = run(&["report", &at("one/result.json"), "--out", &at("two")]);
    assert_eq!((first.code, again.code), (1, 1), "{}", again.stderr);
    assert_eq!(first.stdout, again.stdout);
    let read = |path: &str| std::fs::read_to_string(at(path)).expect("a report");
    for name in ["summary.json", "series.csv", "metrics.csv", "report.html"] {
        assert_eq!(
            read(&format!("one/{name}")),
            read(&format!("two/{name}")),
            "{name}"
        );
    }
    for format in ["json", "markdown"] {
        let ended = run(&["report", &at("one/result.json"), "--format", format]);
        assert_eq!(ended.stderr, "");
        assert!(ended.stdout.contains("Burst"), "{}", ended.stdout);
    }
    let ended = run(&[
        "report",
        &at("one/result.json"),
        "--out",
        &at("three"),
        "--quiet",
    ]);
    assert_eq!(ended.stderr, "");
}

#[test]
fn other_files_are_told_by_what_they_are() {
    let folder = folder();
    let path = |name: &str| -> PathBuf { folder.path().join(name) };
    let shown = |name: &str| {
        let file = path(name);
        let ended = run(&["report", file.to_str().expect("a path")]);
        assert_eq!((ended.code, ended.stdout.as_str()), (2, ""), "{name}");
        ended
            .stderr
            .replace(folder.path().to_str().expect("a path"), "DIR")
            .replace(env!("CARGO_PKG_VERSION"), "VERSION")
    };
    let stored = stored(&root().join("scenarios/steady.toml"), 1);
    let whole = stored.render();
    let write = |name: &str, text: &str| std::fs::write(path(name), text).expect("a file");
    write("summary.json", &report::json(&stored.summary));
    write("empty.json", "");
    write("list.json", "[1, 2]");
    write("object.json", "{\"a\": 1}");
    write("bad.json", "{\"a\" 1}");
    write(
        "scenario.toml",
        &std::fs::read_to_string(root().join("scenarios/steady.toml")).expect("a scenario"),
    );
    write("cut.json", &whole[..whole.len() / 2]);
    write(
        "newer.json",
        &whole
            .replacen("\"tidegate_result\": 1", "\"tidegate_result\": 7", 1)
            .replacen(env!("CARGO_PKG_VERSION"), "9.9.9", 1),
    );
    write("edited.json", &whole.replacen("Steady", "Unsteady", 1));
    let wrong = |from: &str, to: &str| checked(&whole.replacen(from, to, 1));
    write("seeds.json", &wrong("\"seeds\": [7]", "\"seeds\": []"));
    write(
        "name.json",
        &wrong("\"functions\": [\"hello\"]", "\"functions\": [5]"),
    );
    write(
        "short.json",
        &wrong("\"invocations\": [", "\"invocations\": [[9, 1],"),
    );
    write(
        "figure.json",
        &wrong("Latency.p99\": [3,", "Latency.p99\": [true,"),
    );
    write(
        "bin.json",
        &wrong("\"bin_ns\": 1000000000", "\"bin_ns\": 0"),
    );
    write("rows.json", &wrong("\"rows\": 600", "\"rows\": 9999999999"));
    write(
        "limit.json",
        &wrong(
            "\"concurrency_limit\": ",
            "\"concurrency_limit\": 9999999999",
        ),
    );
    let names = [
        "missing.json",
        "summary.json",
        "empty.json",
        "list.json",
        "object.json",
        "bad.json",
        "scenario.toml",
        "cut.json",
        "newer.json",
        "edited.json",
        "seeds.json",
        "name.json",
        "short.json",
        "figure.json",
        "bin.json",
        "rows.json",
        "limit.json",
    ];
    let all: Vec<String> = names.iter().map(|name| shown(name)).collect();
    insta::assert_snapshot!(all.join("\n"));
}

#[test]
fn figures_and_columns_of_other_versions_are_left_out_or_do_not_exist() {
    let stored = stored(&root().join("scenarios/steady.toml"), 1);
    let text = stored
        .render()
        .replace("hello.Latency.p99\"", "hello.Later.p99\"")
        .replace("\"environments\": [", "\"habitats\": [");
    let read = parsed(&checked(&text)).expect("a result");
    assert!(read.summary.functions[0].1.latency.p99.value.is_nan());
    assert!(
        read.series.functions[0]
            .rows
            .iter()
            .all(|row| row.environments == 0)
    );
    assert!(stored.summary.functions[0].1.latency.p99.value > 0.0);
}

/// A result of many kinds of subject, small enough to be damaged often.
fn small() -> String {
    let folder = folder();
    let file = folder.path().join("small.toml");
    let text = r#"
duration = "4s"
[[function]]
name = "f"
duration = "20ms"
[[traffic]]
function = "f"
rate = 20
[[source]]
name = "q"
type = "sqs"
[[source.producer]]
rate = 30
[[mapping]]
name = "m"
FunctionName = "f"
EventSource = "q"
[[gate]]
metric = "f.Invocations"
max = 1
"#;
    std::fs::write(&file, text).expect("a file");
    stored(&file, 2).render()
}

#[test]
fn a_result_that_is_cut_anywhere_is_told() {
    let whole = small();
    assert!(parsed(&whole).is_ok());
    let bytes = whole.as_bytes();
    for end in (0..bytes.len() - 2)
        .step_by(7)
        .chain(bytes.len() - 40..bytes.len() - 2)
    {
        let Err(error) = StoredResult::parse(Path::new("r.json"), &bytes[..end]) else {
            panic!("half a result was read");
        };
        let error = error.to_string();
        assert!(
            error.contains("r.json") && error.contains("help"),
            "{end}: {error}"
        );
    }
}

#[test]
fn a_result_that_is_damaged_anywhere_is_told() {
    let whole = small().into_bytes();
    for at in (0..whole.len()).step_by(5) {
        for bit in [0x01, 0x04, 0x10, 0x80] {
            let mut damaged = whole.clone();
            damaged[at] ^= bit;
            // Space that JSON does not care for, before the check or behind it, may be another space.
            let read = StoredResult::parse(Path::new("r.json"), &damaged);
            assert!(
                read.is_err() || whole[at].is_ascii_whitespace(),
                "byte {at}, bit {bit:#x}"
            );
        }
    }
}

#[test]
fn no_content_makes_the_reader_fail_otherwise() {
    let whole = small();
    // Every value in turn becomes something else, with a check that holds: the reader itself must find it.
    let replacements = [
        "null",
        "-1",
        "1e300",
        "\"x\"",
        "[]",
        "{}",
        "18446744073709551615",
        "[[99999999999, 0]]",
    ];
    let document: serde_json::Value = serde_json::from_str(&whole).expect("JSON");
    let mut pointers = Vec::new();
    collect("", &document, &mut pointers);
    assert!(pointers.len() > 500);
    let mut refused = 0;
    for (index, pointer) in pointers.iter().enumerate().step_by(3) {
        let mut changed = document.clone();
        let replacement = replacements[index % replacements.len()];
        *changed.pointer_mut(pointer).expect("a place") =
            serde_json::from_str(replacement).expect("JSON");
        let text = serde_json::to_string_pretty(&changed).expect("JSON");
        let read = match parsed(&text) {
            Err(StoredError::Check { .. }) => parsed(&checked(&text)),
            other => other,
        };
        refused += usize::from(read.is_err());
        if let Ok(read) = read {
            // What is read can be drawn.
            report::html(&read.summary, &read.series);
        }
    }
    assert!(refused > 100, "{refused}");
}

fn collect(pointer: &str, value: &serde_json::Value, pointers: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(map) => {
            for (key, value) in map {
                let pointer = format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"));
                pointers.push(pointer.clone());
                collect(&pointer, value, pointers);
            }
        }
        serde_json::Value::Array(list) => {
            for (index, value) in list.iter().enumerate().take(3) {
                let pointer = format!("{pointer}/{index}");
                pointers.push(pointer.clone());
                collect(&pointer, value, pointers);
            }
        }
        _ => {}
    }
}
