//! The program as its users see it: what goes where, and with which exit code.

use assert_cmd::Command;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A gate that fails: a second of traffic, and at most no invocations.
const FAILING: &str = r#"
duration = "1s"
[[function]]
name = "f"
duration = "1ms"
[[traffic]]
function = "f"
rate = 50
[[gate]]
metric = "f.Invocations"
max = 0
"#;

fn tidegate() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    command
}

struct Ended {
    code: i32,
    stdout: String,
    stderr: String,
}

fn run(arguments: &[&str]) -> Ended {
    let output = tidegate().args(arguments).output().expect("it runs");
    Ended {
        code: output.status.code().expect("it ends by itself"),
        stdout: String::from_utf8(output.stdout).expect("text"),
        stderr: String::from_utf8(output.stderr).expect("text"),
    }
}

fn written(folder: &TempDir, name: &str, text: &str) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, text).expect("a file");
    path
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

/// The document without what a clock measured.
fn without_wall(json: &str) -> serde_json::Value {
    let mut document: serde_json::Value = serde_json::from_str(json).expect("JSON");
    document
        .as_object_mut()
        .expect("an object")
        .remove("engine");
    document
}

#[test]
fn a_summary_for_people() {
    let ended = run(&["simulate", "scenarios/steady.toml"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
    assert!(
        ended.stdout.starts_with("Steady traffic\n"),
        "{}",
        ended.stdout
    );
    assert!(
        ended.stdout.contains("pass    hello.Throttles"),
        "{}",
        ended.stdout
    );
}

#[test]
fn a_summary_for_programs() {
    let ended = run(&["simulate", "scenarios/steady.toml", "--format", "json"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
    let document = without_wall(&ended.stdout);
    assert_eq!(document["scenario"], "Steady traffic");
    let again = run(&["simulate", "scenarios/steady.toml", "--format", "json"]);
    assert_eq!(document, without_wall(&again.stdout));
}

#[test]
fn reports_are_written() {
    let folder = folder();
    let out = folder.path().join("new/folder");
    let ended = run(&["simulate", "scenarios/steady.toml", "--out", text(&out)]);
    assert_eq!(ended.code, 0);
    assert!(ended.stderr.contains("report.html"), "{}", ended.stderr);
    let read = |name: &str| std::fs::read_to_string(out.join(name)).expect("a report");
    assert_eq!(without_wall(&read("summary.json"))["seed"], 1);
    let csv = read("series.csv");
    assert!(csv.starts_with("time_s,subject_kind,subject,"));
    assert_eq!(
        csv.lines().count(),
        601,
        "one line per second and a heading"
    );
    let points = read("metrics.csv");
    assert!(points.contains(",AWS/Lambda,Invocations,FunctionName="));
    let html = read("report.html");
    assert!(html.starts_with("<!doctype html>"));
    // The chart library names its home in a comment.
    let html = html.replacen("/*! https://github.com/leeoniya/uPlot", "/*!", 1);
    for reference in ["http://", "https://", " src=", "<link", "@import", "url("] {
        assert!(
            !html.contains(reference),
            "the page needs nothing beside itself: {reference}"
        );
    }
    assert_eq!(std::fs::read_dir(&out).expect("a folder").count(), 5);
}

#[test]
fn a_gate_that_fails_is_exit_code_one() {
    let folder = folder();
    let file = written(&folder, "failing.toml", FAILING);
    let ended = run(&["simulate", text(&file)]);
    assert_eq!((ended.code, ended.stderr.as_str()), (1, ""));
    assert!(
        ended.stdout.contains("FAIL    f.Invocations"),
        "{}",
        ended.stdout
    );
    // Every file is run, and the worst of them decides.
    let ended = run(&["simulate", text(&file), "scenarios/steady.toml"]);
    assert_eq!(ended.code, 1);
    assert!(ended.stdout.contains("Steady traffic"), "{}", ended.stdout);
}

#[test]
fn bad_input_is_told_whole_and_on_standard_error() {
    let folder = folder();
    let bad = written(
        &folder,
        "bad.toml",
        "duration = 5\n[[function]]\nname = \"f\"\nduratoin = \"1ms\"\n",
    );
    let worse = written(&folder, "worse.toml", "duration = \n");
    let ended = run(&[
        "simulate",
        text(&bad),
        text(&worse),
        "scenarios/steady.toml",
    ]);
    assert_eq!((ended.code, ended.stdout.as_str()), (2, ""));
    for code in ["missing-unit", "unknown-key", "missing-key", "syntax"] {
        assert!(
            ended.stderr.contains(&format!("error[{code}]")),
            "{}",
            ended.stderr
        );
    }
}

#[test]
fn a_missing_file_is_bad_input() {
    let ended = run(&["simulate", "no-such-file.toml"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (2, ""));
    assert!(ended.stderr.contains("no such file"), "{}", ended.stderr);
}

#[test]
fn a_poller_file_is_pointed_to_its_command() {
    let ended = run(&["simulate", "scenarios/poller/mock.toml"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (2, ""));
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    assert!(
        ended
            .stderr
            .contains("`tidegate poll scenarios/poller/mock.toml`"),
        "{}",
        ended.stderr
    );
}

#[test]
fn a_folder_that_cannot_be_written_is_found_before_the_run() {
    let folder = folder();
    let file = written(&folder, "file", "");
    let ended = run(&["simulate", "scenarios/steady.toml", "--out", text(&file)]);
    assert_eq!((ended.code, ended.stdout.as_str()), (3, ""));
    assert!(
        ended.stderr.starts_with("error: cannot write"),
        "{}",
        ended.stderr
    );
}

#[test]
fn replications_give_intervals_whatever_the_threads() {
    let with_jobs = |jobs: &str| {
        let ended = run(&[
            "simulate",
            "scenarios/steady.toml",
            "--replications",
            "3",
            "--format",
            "json",
            "--jobs",
            jobs,
        ]);
        assert_eq!(ended.code, 0);
        without_wall(&ended.stdout)
    };
    let alone = with_jobs("1");
    assert_eq!(alone, with_jobs("4"));
    let invocations = &alone["functions"]["hello"]["Invocations"];
    let at = |key: &str| invocations[key].as_f64().expect("a number");
    assert!(
        at("low") < at("mean") && at("mean") < at("high"),
        "{invocations}"
    );
}

#[test]
fn the_seed_of_the_command_line_counts() {
    let of = |arguments: &[&str]| {
        let mut all = vec!["simulate", "scenarios/steady.toml", "--format", "json"];
        all.extend(arguments);
        without_wall(&run(&all).stdout)
    };
    assert_eq!(of(&[]), of(&["--seed", "1"]));
    assert_ne!(of(&[])["functions"], of(&["--seed", "2"])["functions"]);
}

#[test]
fn several_files_have_a_folder_each() {
    let folder = folder();
    let out = folder.path().join("out");
    let ended = run(&[
        "simulate",
        "scenarios/steady.toml",
        "scenarios/poison-record.toml",
        "--out",
        text(&out),
    ]);
    assert_eq!(ended.code, 0);
    for name in ["steady", "poison-record"] {
        assert!(out.join(name).join("report.html").is_file(), "{name}");
    }
    let order = ["Steady traffic", "Poison record"].map(|title| ended.stdout.find(title));
    assert!(
        order[0].is_some() && order[0] < order[1],
        "{}",
        ended.stdout
    );
}

#[test]
fn two_reports_never_share_a_folder() {
    let folder = folder();
    let other = written(&folder, "steady.toml", FAILING);
    let out = folder.path().join("out");
    let ended = run(&[
        "simulate",
        "scenarios/steady.toml",
        text(&other),
        "--out",
        text(&out),
    ]);
    assert_eq!((ended.code, ended.stdout.as_str()), (2, ""));
    assert!(
        ended.stderr.contains("would write their reports to"),
        "{}",
        ended.stderr
    );
    assert!(!out.exists());
}

#[test]
fn validate_tells_kinds_apart() {
    let ended = run(&[
        "validate",
        "scenarios/steady.toml",
        "scenarios/poller/mock.toml",
    ]);
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
    assert_eq!(
        ended.stdout,
        "scenarios/steady.toml: scenario is fine\nscenarios/poller/mock.toml: poller file is fine\n"
    );
    let folder = folder();
    let bad = written(&folder, "bad.toml", "duration = 5\n");
    let ended = run(&["validate", text(&bad), "scenarios/steady.toml"]);
    assert_eq!(ended.code, 2);
    assert_eq!(ended.stdout, "scenarios/steady.toml: scenario is fine\n");
    assert!(
        ended.stderr.contains("error[missing-unit]"),
        "{}",
        ended.stderr
    );
}

#[test]
fn help_is_data_and_usage_errors_are_not() {
    let help = run(&["--help"]);
    assert_eq!((help.code, help.stderr.as_str()), (0, ""));
    for word in ["simulate", "validate", "Exit codes"] {
        assert!(help.stdout.contains(word), "{}", help.stdout);
    }
    assert_eq!(run(&["simulate", "--help"]).code, 0);
    for wrong in [
        &["bogus"][..],
        &[],
        &["simulate"],
        &["simulate", "--replications", "0", "x"],
    ] {
        let ended = run(wrong);
        assert_eq!((ended.code, ended.stdout.as_str()), (2, ""), "{wrong:?}");
        assert!(!ended.stderr.is_empty());
    }
}

#[test]
fn nothing_is_coloured_without_a_terminal_or_against_the_wish() {
    for no_colour in [None, Some("1")] {
        let mut command = tidegate();
        command.env_remove("NO_COLOR");
        command.envs(no_colour.map(|value| ("NO_COLOR", value)));
        let output = command
            .args(["simulate", "scenarios/burst-2021.toml", "no-such-file.toml"])
            .output()
            .expect("it runs");
        assert!(!output.stderr.contains(&0x1b));
        assert!(!output.stdout.contains(&0x1b));
    }
}

#[cfg(unix)]
#[test]
fn a_reader_that_goes_away_is_no_error() {
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_tidegate"))
        .args(["simulate", "scenarios/steady.toml"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("it starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(0));
    assert!(
        output.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[cfg(target_os = "linux")]
#[test]
fn output_that_is_lost_is_an_error() {
    let full = std::fs::File::options()
        .write(true)
        .open("/dev/full")
        .expect("the device");
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_tidegate"))
        .args(["simulate", "scenarios/steady.toml"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdout(full)
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(3));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("cannot write to standard output"), "{told}");
}

#[cfg(feature = "poller")]
#[test]
fn a_poll_ends_with_the_last_result_of_every_stream() {
    let folder = TempDir::new().expect("a folder");
    let source = |name: &str, kind: &str| {
        format!(
            "[[source]]\nname = '{name}'\ntype = 'generated'\nkind = '{kind}'\nrate = 1000\ncount = 5\n"
        )
    };
    let target = |name: &str, rate: &str| {
        format!(
            "[[target]]\nfunction = '{name}'\ntype = 'mock'\nduration = '1ms'\nerror_rate = '{rate}'\n"
        )
    };
    let mapping = |name: &str, source: &str, function: &str, more: &str| {
        format!(
            "[[mapping]]\nname = '{name}'\nEventSource = '{source}'\nFunctionName = '{function}'\n{more}\n"
        )
    };
    let start = "StartingPosition = 'TRIM_HORIZON'\nMaximumRetryAttempts = 0";
    let file = [
        source("clicks", "kinesis"),
        source("orders", "sqs"),
        target("fine", "0%"),
        target("broken", "100%"),
        mapping("counted", "clicks", "fine", start),
        mapping("lost", "clicks", "broken", start),
        mapping("queued", "orders", "fine", ""),
    ];
    let path = written(&folder, "poller.toml", &file.concat());
    let ended = run(&["poll", "--quiet", "--stop-when-idle", "20s", text(&path)]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let last: Vec<&str> = ended.stdout.lines().rev().take(3).collect();
    assert_eq!(last[0], "lost: PROBLEM: Function call failed");
    assert_eq!(last[1], "counted: OK");
    assert!(last[2].ends_with(", drained"), "{}", ended.stdout);
}

/// What the program writes to a terminal of its own, with its exit code.
#[cfg(target_os = "linux")]
fn on_a_terminal(arguments: &str, no_color: Option<&str>) -> (Option<i32>, String) {
    let command = format!("'{}' {arguments}", env!("CARGO_BIN_EXE_tidegate"));
    let mut script = Command::new("script");
    script
        .args(["--quiet", "--return", "--command", &command, "/dev/null"])
        .env_remove("NO_COLOR");
    if let Some(value) = no_color {
        script.env("NO_COLOR", value);
    }
    let output = script.output().expect("`script` of util-linux");
    let text = String::from_utf8(output.stdout).expect("text");
    (output.status.code(), text.replace("\r\n", "\n"))
}

#[cfg(target_os = "linux")]
#[test]
fn colour_is_for_terminals_that_want_it() {
    let folder = folder();
    let failing = written(&folder, "failing.toml", FAILING);
    let broken = written(&folder, "broken.toml", "duration = 5\n");
    let escape = "\u{1b}[";
    for (command, file, code, letters) in [
        ("simulate", &failing, 1, "f.Invocations"),
        ("validate", &broken, 2, "missing-unit"),
    ] {
        let quiet = if command == "simulate" {
            " --quiet"
        } else {
            ""
        };
        let arguments = format!("{command} '{}'{quiet}", text(file));
        // An empty variable is as good as none.
        for value in [None, Some("")] {
            let (ended, coloured) = on_a_terminal(&arguments, value);
            assert_eq!(ended, Some(code), "{coloured}");
            assert!(coloured.contains(escape), "{command}: {coloured}");
        }
        let (ended, plain) = on_a_terminal(&arguments, Some("1"));
        assert_eq!(ended, Some(code), "{plain}");
        assert!(!plain.contains(escape), "{command}: {plain}");
        assert!(plain.contains(letters), "{command}: {plain}");
        let piped = run(&[command, text(file)]);
        assert_eq!(piped.code, code, "{}", piped.stderr);
        let all = format!("{}{}", piped.stdout, piped.stderr);
        assert!(!all.contains(escape) && all.contains(letters), "{all}");
    }
}
