//! The files of reports, as the command line writes them, and the samples that are kept in the repository.

use assert_cmd::Command;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn simulate(arguments: &[&str]) -> assert_cmd::assert::Assert {
    let mut command = Command::cargo_bin("tidegate").expect("the program");
    command.current_dir(root()).args(["simulate", "--quiet"]);
    command.args(arguments).assert()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let mut names: Vec<String> = entries
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    names
}

#[test]
fn what_was_asked_for_is_written_and_nothing_else() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().join("out");
    let to = out.to_str().expect("a plain path");
    simulate(&["scenarios/steady.toml", "--out", to]).success();
    assert_eq!(
        names(&out),
        [
            "metrics.csv",
            "report.html",
            "result.json",
            "series.csv",
            "summary.json"
        ]
    );
    fs::remove_dir_all(&out).expect("removed");
    simulate(&[
        "scenarios/steady.toml",
        "--out",
        to,
        "--write",
        "svg,parquet",
    ])
    .success();
    assert_eq!(
        names(&out),
        [
            "charts",
            "metrics.parquet",
            "series.parquet",
            "summary.parquet"
        ]
    );
    let charts = names(&out.join("charts"));
    assert!(
        charts.contains(&"hello-latency-by-percentile.svg".to_owned()),
        "{charts:?}"
    );
    assert!(
        charts.iter().all(|name| name.ends_with(".svg")),
        "{charts:?}"
    );
}

#[test]
fn parts_that_nobody_knows_or_that_have_no_folder_are_refused() {
    let unknown = simulate(&["scenarios/steady.toml", "--out", "x", "--write", "pdf"]).code(2);
    let told = String::from_utf8_lossy(&unknown.get_output().stderr).into_owned();
    assert!(told.contains("'pdf'") && told.contains("parquet"), "{told}");
    let nowhere = simulate(&["scenarios/steady.toml", "--write", "png"]).code(2);
    let told = String::from_utf8_lossy(&nowhere.get_output().stderr).into_owned();
    assert!(told.contains("--out"), "{told}");
}

#[test]
fn bins_are_as_long_as_they_are_asked_to_be() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let scenario = folder.path().join("long.toml");
    let text = "duration = '3h'\n[[function]]\nname = 'f'\nduration = '10ms'\n[[traffic]]\nfunction = 'f'\nrate = 1\n";
    fs::write(&scenario, text).expect("a scenario");
    let out = folder.path().join("out");
    let [file, to] = [&scenario, &out].map(|path| path.to_str().expect("a plain path"));
    for (bin, rows) in [(None, 180), (Some("1s"), 10_800), (Some("1m"), 180)] {
        let mut arguments = vec![file, "--out", to, "--write", "csv,html"];
        arguments.extend(bin.iter().flat_map(|bin| ["--bin", bin]));
        simulate(&arguments).success();
        let series = fs::read_to_string(out.join("series.csv")).expect("a series");
        assert_eq!(series.lines().count(), rows + 1, "{bin:?}");
        let page = fs::read_to_string(out.join("report.html")).expect("a page");
        let thinned = page.contains("Charts keep the smallest and the largest value");
        assert_eq!(thinned, rows > 4_000, "{bin:?}");
    }
}

/// The samples, by scenario, in `reports/samples`; `scripts/samples` writes them.
const SAMPLES: [&str; 2] = ["flash-sale", "steady"];

/// A file without what two equal runs do not share: how long they took.
fn comparable(file: &Path) -> String {
    let text =
        fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let between = |start: &str, end: &str| {
        let (before, rest) = text.split_once(start).unwrap_or((&text, ""));
        let (_, after) = rest.split_once(end).unwrap_or(("", ""));
        format!("{before}{start}{after}")
    };
    match file.extension().and_then(|extension| extension.to_str()) {
        Some("html") => between("<footer>", "</footer>"),
        Some("json") => between("\"wall_s\"", "}"),
        _ => text,
    }
}

#[test]
fn samples_are_what_the_scenarios_give() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for name in SAMPLES {
        let kept: PathBuf = root().join("reports/samples").join(name);
        let fresh = folder.path().join(name);
        let scenario = format!("scenarios/{name}.toml");
        let to = fresh.to_str().expect("a plain path");
        simulate(&[&scenario, "--out", to]).success();
        for file in ["summary.json", "metrics.csv", "report.html"] {
            let [kept, fresh] = [&kept, &fresh].map(|folder| comparable(&folder.join(file)));
            let first = kept
                .lines()
                .zip(fresh.lines())
                .find(|(one, other)| one != other);
            // Lines of charts are long, so only their beginning is shown.
            let shown = first.map(|pair| {
                [pair.0, pair.1].map(|line| line.chars().take(300).collect::<String>())
            });
            assert!(
                kept == fresh,
                "{name}/{file} is out of date, run scripts/samples: {shown:?}"
            );
        }
    }
}
