//! Gates for build servers, Markdown for reviews, and what the program prints where.

use assert_cmd::Command;
use std::path::Path;
use std::process::Stdio;
use tempfile::TempDir;

const FAILING: &str = r#"
title = "Tom & \"Jerry\" <100 %>"
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
[[gate]]
metric = "f.Errors"
max = 0
"#;

struct Ended {
    code: i32,
    stdout: String,
    stderr: String,
}

fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("failing.toml"), FAILING).expect("a file");
    folder
}

fn run_in(folder: &Path, arguments: &[&str]) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    let output = command.current_dir(folder).args(arguments).output();
    let output = output.expect("it runs");
    Ended {
        code: output.status.code().expect("it ends by itself"),
        stdout: String::from_utf8(output.stdout).expect("text"),
        stderr: String::from_utf8(output.stderr).expect("text"),
    }
}

/// The elements of an XML text, checked for being balanced and for what may not be in it.
fn elements(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut open: Vec<String> = Vec::new();
    let mut rest = text
        .strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>")
        .expect("a declaration");
    while let Some((before, after)) = rest.split_once('<') {
        assert!(!before.contains('>'), "{before}");
        for part in before.split('&').skip(1) {
            assert!(part.contains(';'), "{before}");
        }
        let (tag, after) = after.split_once('>').expect("the end of a tag");
        rest = after;
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name));
            continue;
        }
        assert!(tag.matches('"').count().is_multiple_of(2), "{tag}");
        let name = tag.split([' ', '/']).next().expect("a name").to_owned();
        found.push(tag.to_owned());
        if !tag.ends_with('/') {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "{open:?}");
    found
}

#[test]
fn gates_are_test_cases_for_build_servers() {
    let folder = folder();
    let ended = run_in(
        folder.path(),
        &[
            "simulate",
            "failing.toml",
            "--junit",
            "out/gates.xml",
            "--quiet",
        ],
    );
    assert_eq!((ended.code, ended.stderr.as_str()), (1, ""));
    let text = std::fs::read_to_string(folder.path().join("out/gates.xml")).expect("a file");
    let elements = elements(&text);
    assert_eq!(
        elements[0],
        "testsuites name=\"tidegate\" tests=\"2\" failures=\"1\" errors=\"0\""
    );
    let cases: Vec<&String> = elements
        .iter()
        .filter(|tag| tag.starts_with("testcase"))
        .collect();
    assert_eq!(cases.len(), 2);
    assert!(
        cases[0].contains("classname=\"Tom &amp; &quot;Jerry&quot; &lt;100 %&gt;\" name=\"f.Invocations Sum &lt;= 0\""),
        "{}",
        cases[0]
    );
    assert_eq!(
        elements
            .iter()
            .filter(|tag| tag.starts_with("failure "))
            .count(),
        1
    );
    assert_eq!(
        std::fs::read_dir(folder.path().join("out"))
            .expect("a folder")
            .count(),
        1
    );
}

/// What a parser that is not ours makes of it, where there is one.
#[test]
fn junit_documents_are_xml_to_others() {
    let folder = folder();
    let ended = run_in(
        folder.path(),
        &["simulate", "failing.toml", "--junit", "gates.xml"],
    );
    assert_eq!(ended.code, 1);
    let script = "import sys, xml.etree.ElementTree as tree\nroot = tree.parse(sys.argv[1]).getroot()\n\
                  suite = root.find('testsuite')\nprint(root.tag, suite.get('name'), len(suite.findall('testcase')), suite.find('testcase/failure').get('message'))";
    let python = std::process::Command::new("python3")
        .args(["-c", script])
        .arg(folder.path().join("gates.xml"))
        .stderr(Stdio::inherit())
        .output();
    // The other test reads the document wherever there is no Python.
    let Ok(output) = python else { return };
    assert!(output.status.success());
    let said = String::from_utf8(output.stdout).expect("text");
    assert!(
        said.starts_with("testsuites Tom & \"Jerry\" <100 %> 2 f.Invocations Sum is "),
        "{said}"
    );
}

#[test]
fn failed_gates_annotate_a_workflow() {
    let folder = folder();
    let ended = run_in(
        folder.path(),
        &["simulate", "failing.toml", "--github", "--format", "json"],
    );
    assert_eq!(ended.code, 1);
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    assert!(
        ended.stderr.starts_with(
            "::error file=failing.toml,title=Gate failed%3A f.Invocations Sum <= 0::Tom & \"Jerry\" <100 %25>: f.Invocations Sum is "
        ),
        "{}",
        ended.stderr
    );
    let document: serde_json::Value = serde_json::from_str(&ended.stdout).expect("JSON");
    assert_eq!(document["gates"][0]["pass"], false);
}

#[test]
fn markdown_for_reviews_has_gates_first() {
    let folder = folder();
    let ended = run_in(
        folder.path(),
        &["simulate", "failing.toml", "--format", "markdown"],
    );
    assert_eq!((ended.code, ended.stderr.as_str()), (1, ""));
    let text = &ended.stdout;
    assert!(
        text.starts_with("## Tom &amp; \"Jerry\" &lt;100 %&gt;\n\n❌ **1 of 2 gates failed**\n"),
        "{text}"
    );
    let at = |heading: &str| {
        text.find(heading)
            .unwrap_or_else(|| panic!("no {heading}: {text}"))
    };
    assert!(at("### Gates") < at("### Cost") && at("### Cost") < at("### Functions"));
    // Every row of a table has as many cells as its head.
    let mut cells = 0;
    for line in text.lines() {
        let bars = line.replace("\\|", "").matches('|').count();
        match bars {
            0 => cells = 0,
            bars if cells == 0 => cells = bars,
            bars => assert_eq!(bars, cells, "{line}"),
        }
    }
    let stored = run_in(
        folder.path(),
        &["simulate", "failing.toml", "--out", "o", "--quiet"],
    );
    assert_eq!(stored.code, 1);
    let again = run_in(
        folder.path(),
        &["report", "o/result.json", "--format", "markdown"],
    );
    let body = |text: &str| {
        text.split("<sub>simulated")
            .next()
            .expect("a part")
            .to_owned()
    };
    assert_eq!(body(text), body(&again.stdout));
}

#[test]
fn nothing_is_coloured_and_little_is_said_without_a_terminal() {
    let folder = folder();
    for arguments in [
        &["simulate", "failing.toml", "--out", "o", "--quiet"][..],
        &["simulate", "failing.toml", "--format", "json"],
        &[
            "compare",
            "failing.toml",
            "--set",
            "seed=4",
            "--replications",
            "2",
        ],
    ] {
        let ended = run_in(folder.path(), arguments);
        assert_eq!(ended.stderr, "", "{arguments:?}");
        assert!(!ended.stdout.contains('\u{1b}'), "{arguments:?}");
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command.current_dir(folder.path()).env("NO_COLOR", "1");
    let output = command
        .args(["validate", "failing.toml"])
        .output()
        .expect("it runs");
    assert!(!String::from_utf8_lossy(&output.stderr).contains('\u{1b}'));
}

#[test]
fn shells_and_the_manual_know_every_command() {
    let folder = folder();
    let run = |arguments: &[&str]| {
        let ended = run_in(folder.path(), arguments);
        assert_eq!(
            (ended.code, ended.stderr.as_str()),
            (0, ""),
            "{arguments:?}"
        );
        ended.stdout
    };
    let commands = [
        "simulate",
        "compare",
        "report",
        "validate",
        "schema",
        "completions",
        "man",
    ];
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = run(&["completions", shell]);
        for command in commands {
            assert!(script.contains(command), "{shell}: {command}");
        }
        assert!(script.contains("replications"), "{shell}");
    }
    let page = run(&["man"]);
    assert!(page.contains(".TH tidegate 1"), "{page}");
    run(&["man", "--out", "pages"]);
    for command in commands {
        let file = folder.path().join(format!("pages/tidegate-{command}.1"));
        let page = std::fs::read_to_string(file).expect("a page");
        assert!(page.contains(&format!("tidegate\\-{command}")), "{command}");
    }
    let list = run(&["schema"]);
    for name in ["scenario", "poller", "summary", "result", "comparison"] {
        assert!(list.contains(name), "{list}");
        let schema: serde_json::Value =
            serde_json::from_str(&run(&["schema", name])).expect("JSON");
        assert_eq!(
            schema["$schema"],
            "https://json-schema.org/draft/2020-12/schema"
        );
    }
    let ended = run_in(folder.path(), &["schema", "sumary"]);
    assert_eq!(ended.code, 2);
    assert!(
        ended.stderr.contains("did you mean `summary`?"),
        "{}",
        ended.stderr
    );
}
