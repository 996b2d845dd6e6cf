//! `tidegate compare`: what differs, what cannot be told from chance, and what the program says of it.

use assert_cmd::Command;
use std::path::Path;
use tempfile::TempDir;
use tidegate::engine::Span;
use tidegate::metrics::{Pairing, Verdict};
use tidegate::report::{Compare, Side, StoredResult, TextOptions};
use tidegate::scenario::{Change, Scenario, SourceText, parse, parse_changed};
use tidegate::study::{cores, replicate, summarise};

/// A function whose calls pile up on four environments.
const SHOP: &str = r#"
title = "Shop"
duration = "2m"
[[function]]
name = "checkout"
duration = { lognormal = { median = "80ms", p99 = "300ms" } }
reserved_concurrency = 40
[[traffic]]
function = "checkout"
rate = 50
[[source]]
name = "orders"
type = "sqs"
[[source.producer]]
rate = 20
[[mapping]]
name = "orders-to-checkout"
EventSource = "orders"
FunctionName = "checkout"
[[gate]]
metric = "checkout.Throttles"
max = 0
"#;

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

struct Ended {
    code: i32,
    stdout: String,
    stderr: String,
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

fn side(changes: &[(&str, &str)], seed: u64, replications: u32) -> Side {
    let changes: Vec<Change> = changes
        .iter()
        .map(|(path, value)| Change {
            path: (*path).to_owned(),
            value: (*value).to_owned(),
        })
        .collect();
    let scenario = parse_changed(SourceText::new("shop.toml", SHOP), &changes)
        .unwrap_or_else(|report| panic!("{report}"))
        .scenario;
    side_of(&scenario, seed, replications)
}

fn side_of(scenario: &Scenario, seed: u64, replications: u32) -> Side {
    let count = replications.try_into().expect("not zero");
    let runs = replicate(scenario, seed, count, cores(), || ()).expect("sound limits");
    let mut summary = summarise(scenario, &runs);
    "VERSION".clone_into(&mut summary.tidegate);
    Side {
        from: "shop.toml".to_owned(),
        result: StoredResult {
            summary,
            series: runs[0].series.clone(),
            replications: runs.into_iter().map(|run| run.summary).collect(),
        },
    }
}

const SLOWER: (&str, &str) = (
    "function.checkout.duration",
    "{ lognormal = { median = \"84ms\", p99 = \"315ms\" } }",
);

fn verdict(compare: &Compare, name: &str) -> Verdict {
    let all = &compare.comparison().differences;
    let found = all.iter().find(|one| one.of.name() == name);
    found.unwrap_or_else(|| panic!("no {name}")).verdict
}

#[test]
fn common_random_numbers_show_what_independent_runs_hide() {
    let paired = Compare::new(side(&[], 1, 5), side(&[SLOWER], 1, 5));
    assert_eq!(paired.comparison().pairing, Pairing::Paired(5));
    assert_eq!(
        verdict(&paired, "checkout.Duration.Average"),
        Verdict::Differs
    );
    let find = |compare: &Compare| {
        let all = &compare.comparison().differences;
        let found = all
            .iter()
            .find(|one| one.of.name() == "checkout.Duration.Average");
        let (low, high) = found.expect("a figure").interval.expect("an interval");
        assert!(high > low);
        high - low
    };
    let unpaired = Compare::new(side(&[], 1, 5), side(&[SLOWER], 101, 5));
    assert_eq!(unpaired.comparison().pairing, Pairing::Unpaired);
    assert!(
        find(&paired) * 3.0 < find(&unpaired),
        "{} {}",
        find(&paired),
        find(&unpaired)
    );
    assert!(
        unpaired
            .text(TextOptions::default(), false)
            .contains("seeds differ")
    );
}

#[test]
fn a_change_without_effect_is_said_to_have_none() {
    let same = Compare::new(side(&[], 1, 3), side(&[], 1, 3));
    let text = same.text(TextOptions::default(), false);
    assert!(text.contains("No difference: all"), "{text}");
    assert!(
        text.contains("Both results are of the same scenario."),
        "{text}"
    );
    // Other seeds: the same scenario must not look different, but for the figures that do by chance.
    let other = Compare::new(side(&[], 1, 8), side(&[], 501, 8));
    let all = &other.comparison().differences;
    let differing = all.iter().filter(|one| one.verdict == Verdict::Differs);
    assert!(differing.count() * 5 < all.len());
    let single = Compare::new(side(&[], 1, 1), side(&[SLOWER], 1, 1));
    let text = single.text(TextOptions::default(), false);
    assert!(text.contains("there are no intervals"), "{text}");
    assert!(!text.contains("95 % interval"), "{text}");
}

#[test]
fn what_is_said_for_people_and_reviews() {
    let mut compare = Compare::new(
        side(&[], 1, 4),
        side(
            &[SLOWER, ("function.checkout.reserved_concurrency", "9")],
            1,
            4,
        ),
    );
    let gates = [
        "checkout.Latency.p99 <= +1%",
        "checkout.Throttles.Sum <= 0",
        "checkout.CallsAnsweredShare.Average >= -50%",
        "checkout.Timeouts.Sum <= 0%",
    ];
    let gates: Vec<_> = gates
        .iter()
        .map(|gate| gate.parse().expect("a gate"))
        .collect();
    compare.judge(&gates).expect("figures");
    for width in [60, 80, 120, 200] {
        let text = compare.text(
            TextOptions {
                width,
                colour: false,
            },
            false,
        );
        for line in text.lines() {
            assert!(line.chars().count() <= width, "{width}: {line}");
        }
        if width == 120 {
            insta::assert_snapshot!("compare_text", text);
        }
    }
    insta::assert_snapshot!("compare_markdown", compare.markdown());
    let all = compare.text(TextOptions::default(), true);
    assert!(all.lines().count() > compare.comparison().differences.len());
    assert!(all.contains("no detectable difference"), "{all}");
}

#[test]
fn the_page_shows_both_runs_in_one_chart() {
    let compare = Compare::new(side(&[], 1, 2), side(&[SLOWER], 1, 2));
    let page = compare.html();
    for needed in [
        "p99, A</li>",
        "p99, B</li>",
        "<svg",
        "orders-to-checkout",
        "<h2>Figures</h2>",
        "checkout.<wbr>Latency.<wbr>p99",
    ] {
        assert!(page.contains(needed), "{needed}");
    }
    // The chart library names its home in a comment.
    let page = page.replacen("/*! https://github.com/leeoniya/uPlot", "/*!", 1);
    for outside in [
        "http:", "https:", " src=", "href=", "@import", "url(", "<link",
    ] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert_eq!(page.matches("<script").count(), 2, "data and what shows it");
    let charts = data(&page);
    let charts = charts.as_array().expect("a list");
    assert_eq!(charts.len(), page.matches("<svg ").count());
    for chart in charts {
        let labels = chart["lines"].as_array().expect("lines").iter();
        let labels: Vec<&str> = labels.filter_map(|line| line["l"].as_str()).collect();
        assert!(
            labels
                .iter()
                .all(|label| label.ends_with(", A") || label.ends_with(", B")),
            "{labels:?}"
        );
        assert!((1..=2).contains(&labels.len()), "{labels:?}");
    }
    assert_eq!(
        page.matches("<section").count(),
        page.matches("</section>").count()
    );
    assert_eq!(
        page.matches("<figure>").count(),
        page.matches("</figure>").count()
    );
    // Nothing of a name becomes markup.
    let mut evil = side(&[], 1, 2);
    evil.from = "<script>alert(1)</script>".to_owned();
    "<img>|`x`".clone_into(&mut evil.result.summary.scenario);
    let compare = Compare::new(side(&[], 1, 2), evil);
    assert!(!compare.html().contains("<script>alert"));
    assert!(!compare.html().contains("<img>"));
    assert!(!compare.markdown().contains("<img>"));
}

/// The data of a page's charts.
fn data(page: &str) -> serde_json::Value {
    let (_, rest) = page.split_once("id=\"data\">").expect("data");
    let (json, _) = rest.split_once("</script>").expect("its end");
    serde_json::from_str(json).expect("a JSON document")
}

#[test]
fn runs_of_other_lengths_and_bins_share_their_steps() {
    let series = |compare: &Compare, title: &str| -> Vec<usize> {
        let charts = data(&compare.html());
        let charts = charts.as_array().expect("a list").clone();
        let chart = charts.iter().find(|chart| chart["t"] == title);
        let chart = chart.unwrap_or_else(|| panic!("no {title}"));
        let lines = chart["lines"].as_array().expect("lines").iter();
        let values = lines.map(|line| line["v"].as_array().expect("values").len());
        let mut found: Vec<usize> = values.collect();
        if chart["x"] == "time" {
            found.push(chart["dx"].as_f64().expect("seconds") as usize);
        }
        found
    };
    let shorter = Compare::new(side(&[], 1, 1), side(&[("duration", "1m")], 1, 1));
    assert_eq!(series(&shorter, "Invocations and errors"), [120, 60, 1]);
    let mut scenario = parse(SourceText::new("shop.toml", SHOP))
        .unwrap_or_else(|report| panic!("{report}"))
        .scenario;
    scenario.bin = Some(Span::from_secs(10));
    let mixed = Compare::new(side(&[], 1, 1), side_of(&scenario, 1, 1));
    // Two values for each of twelve steps.
    assert_eq!(series(&mixed, "Invocations and errors"), [24, 24, 10]);
    assert!(
        mixed
            .html()
            .contains("the smallest and the largest value of every 10 s")
    );
    assert!(!shorter.html().contains("<p class=\"thinned\">"));
    // Bars of both begin and end at the same latencies.
    let slower = Compare::new(side(&[], 1, 1), side(&[SLOWER], 1, 1));
    assert_eq!(series(&slower, "Distribution of latency"), [61, 61]);
}

#[test]
fn results_and_scenarios_are_compared_by_the_program() {
    let folder = folder();
    std::fs::write(folder.path().join("shop.toml"), SHOP).expect("a file");
    let run = |arguments: &[&str]| run_in(folder.path(), arguments);
    let stored = run(&[
        "simulate",
        "shop.toml",
        "--replications",
        "3",
        "--out",
        "base",
        "--quiet",
    ]);
    assert_eq!((stored.code, stored.stderr.as_str()), (0, ""));
    // A result against itself, and against the scenario that it came from, under its seeds.
    for other in ["base/result.json", "shop.toml"] {
        let ended = run(&["compare", "base/result.json", other]);
        assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{other}");
        assert!(
            ended.stdout.contains("No difference: all"),
            "{}",
            ended.stdout
        );
        assert!(ended.stdout.contains("3 pairs of runs"), "{}", ended.stdout);
    }
    let slower = format!("{}={}", SLOWER.0, SLOWER.1);
    let ended = run(&[
        "compare",
        "shop.toml",
        "--set",
        &slower,
        "--replications",
        "3",
        "--format",
        "json",
        "--gate",
        "checkout.Duration.p50 <= +1%",
        "--gate",
        "checkout.Duration.p50 <= +50%",
        "--out",
        "cmp",
        "--junit",
        "gates.xml",
        "--github",
    ]);
    assert_eq!(ended.code, 1);
    let document: serde_json::Value = serde_json::from_str(&ended.stdout).expect("JSON");
    assert_eq!(document["pairing"], "paired");
    assert_eq!(document["a"]["seeds"], serde_json::json!([1, 2, 3]));
    assert_eq!(document["gates"][0]["pass"], false);
    assert_eq!(document["gates"][1]["pass"], true);
    assert!(ended.stderr.contains("::error file="), "{}", ended.stderr);
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).expect("a file");
    assert_eq!(read("cmp/comparison.json"), ended.stdout);
    assert!(read("cmp/comparison.html").starts_with("<!doctype html>"));
    assert!(read("gates.xml").contains("failures=\"1\""));
    let again = run(&[
        "compare",
        "shop.toml",
        "--set",
        &slower,
        "--replications",
        "3",
        "--jobs",
        "1",
        "--format",
        "json",
    ]);
    let again: serde_json::Value = serde_json::from_str(&again.stdout).expect("JSON");
    assert_eq!(
        again["figures"], document["figures"],
        "whatever the threads"
    );
}

#[test]
fn what_cannot_be_compared_is_told() {
    let folder = folder();
    std::fs::write(folder.path().join("shop.toml"), SHOP).expect("a file");
    let run = |arguments: &[&str]| {
        let ended = run_in(folder.path(), arguments);
        assert_eq!(
            (ended.code, ended.stdout.as_str()),
            (2, ""),
            "{arguments:?}"
        );
        ended.stderr
    };
    let stored = run_in(
        folder.path(),
        &["simulate", "shop.toml", "--out", "base", "--quiet"],
    );
    assert_eq!(stored.code, 0);
    let result = std::fs::read(folder.path().join("base/result.json")).expect("a result");
    std::fs::write(folder.path().join("cut.json"), &result[..700]).expect("a file");
    let all = [
        run(&["compare", "missing.json", "cut.json"]),
        run(&["compare", "base/summary.json", "shop.toml"]),
        run(&["compare", "base/result.json", "--set", "seed=3"]),
        run(&[
            "compare",
            "shop.toml",
            "--set",
            "function.chekout.timeout=3s",
        ]),
        run(&[
            "compare",
            "shop.toml",
            "base/result.json",
            "--gate",
            "checkout.Latency.p98 <= 5%",
        ]),
        run(&[
            "compare",
            "shop.toml",
            "base/result.json",
            "--gate",
            "checkout.Latency.p99 < 5%",
        ]),
        run(&["compare", "shop.toml"]),
        run(&["compare", "shop.toml", "--set", "timeout"]),
    ];
    insta::assert_snapshot!(all.join("\n"));
}
