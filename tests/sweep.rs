//! Sweeps as their users see them: the same bytes however they are run, and what bad input gets to read.

use assert_cmd::Command;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use tempfile::TempDir;

const SHOP: &str = r#"title = "Shop"
duration = "30s"
warm_up = "5s"
seed = 11

[[function]]
name = "checkout"
duration = { exponential = { mean = "120ms" } }
timeout = "10s"
reserved_concurrency = 4

[[traffic]]
function = "checkout"
rate = 20
"#;

const VARY: [&str; 4] = [
    "--vary",
    "function.checkout.reserved_concurrency=2..6:3",
    "--vary",
    "traffic.checkout.rate=10,25",
];

/// A folder with the scenario in it, in which commands run.
fn world() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("shop.toml"), SHOP).expect("a file");
    folder
}

struct Ended {
    code: i32,
    stdout: String,
    stderr: String,
}

fn tidegate(folder: &TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command.current_dir(folder.path());
    command
}

fn run(folder: &TempDir, arguments: &[&str]) -> Ended {
    let output = tidegate(folder).args(arguments).output().expect("it runs");
    Ended {
        code: output.status.code().expect("it ends by itself"),
        stdout: String::from_utf8(output.stdout).expect("text"),
        stderr: String::from_utf8(output.stderr).expect("text"),
    }
}

/// `tidegate sweep shop.toml` over two axes, with more arguments.
fn sweep(folder: &TempDir, more: &[&str]) -> Ended {
    let arguments: Vec<&str> = ["sweep", "shop.toml"]
        .into_iter()
        .chain(VARY)
        .chain(more.iter().copied())
        .collect();
    run(folder, &arguments)
}

fn fine(ended: &Ended) -> &str {
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    &ended.stdout
}

/// Every file of a folder with what is in it.
fn files(folder: &Path) -> BTreeMap<String, String> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let named = |path: std::path::PathBuf| {
        let text = std::fs::read_to_string(&path).expect("a text");
        let name = path.file_name().expect("a name").to_string_lossy();
        (name.into_owned(), text)
    };
    paths.map(named).collect()
}

const FILES: [&str; 5] = [
    "runs.csv",
    "sweep.csv",
    "sweep.html",
    "sweep.json",
    "sweep.md",
];

#[test]
fn threads_and_shards_leave_no_trace() {
    let folder = world();
    let more = ["--replications", "3", "--pareto"];
    let pareto = "cost.total_usd_per_month.Sum,max:checkout.CallsAnsweredShare.Average";
    let with = |rest: &[&str]| {
        let all: Vec<&str> = more
            .iter()
            .copied()
            .chain([pareto])
            .chain(rest.iter().copied())
            .collect();
        sweep(&folder, &all)
    };
    let printed = with(&["--jobs", "1", "--out", "one"]);
    let expected = files(&folder.path().join("one"));
    assert_eq!(expected.keys().collect::<Vec<_>>(), FILES);
    for jobs in ["2", "3"] {
        let ended = with(&["--jobs", jobs, "--out", jobs]);
        assert_eq!(fine(&ended), fine(&printed));
        assert_eq!(files(&folder.path().join(jobs)), expected, "{jobs} threads");
    }
    for count in 2..=4 {
        let parts = format!("parts-{count}");
        let mut shards = Vec::new();
        for index in 1..=count {
            let shard = format!("{index}/{count}");
            let ended = with(&["--shard", &shard, "--out", &parts, "--jobs", "2"]);
            assert_eq!(fine(&ended), "", "a shard has nothing to show");
            shards.push(format!("{parts}/shard-{index}-of-{count}.json"));
        }
        assert_eq!(files(&folder.path().join(&parts)).len(), count);
        shards.rotate_left(1);
        shards.swap(0, 1);
        let mut arguments = vec!["merge", "--out", "joined"];
        arguments.extend(shards.iter().map(String::as_str));
        let ended = run(&folder, &arguments);
        assert_eq!(fine(&ended), fine(&printed), "{count} shards");
        assert_eq!(files(&folder.path().join("joined")), expected);
        // Some of them first, the others later.
        let mut arguments = vec!["merge", "--partial", "some.json"];
        arguments.extend(shards[1..].iter().map(String::as_str));
        fine(&run(&folder, &arguments));
        let arguments = ["merge", "some.json", &shards[0], "--out", "again"];
        fine(&run(&folder, &arguments));
        assert_eq!(files(&folder.path().join("again")), expected);
    }
}

#[test]
fn a_precision_is_reached_alike_on_every_machine() {
    let folder = world();
    let more = [
        "--metric",
        "checkout.Latency.p99",
        "--replications",
        "2",
        "--precision",
        "4%",
        "--replications-max",
        "9",
    ];
    let with = |rest: &[&str]| {
        let all: Vec<&str> = more.iter().chain(rest).copied().collect();
        sweep(&folder, &all)
    };
    fine(&with(&["--jobs", "1", "--out", "one"]));
    fine(&with(&["--jobs", "3", "--out", "three"]));
    let one = files(&folder.path().join("one"));
    assert_eq!(one, files(&folder.path().join("three")));
    for index in ["1", "2"] {
        fine(&with(&["--shard", &format!("{index}/2"), "--out", "parts"]));
    }
    let shards = ["parts/shard-2-of-2.json", "parts/shard-1-of-2.json"];
    fine(&run(
        &folder,
        &["merge", shards[0], shards[1], "--out", "both"],
    ));
    assert_eq!(one, files(&folder.path().join("both")));
    let document: serde_json::Value = serde_json::from_str(&one["sweep.json"]).expect("JSON");
    let variants = document["variants"].as_array().expect("variants");
    for variant in variants {
        let figure = &variant["figures"][0];
        let number = |key: &str| figure[key].as_f64().expect("a number");
        let half = (number("high") - number("low")) / 2.0;
        let count = variant["replications"].as_u64().expect("a count");
        assert!(half <= 0.04 * number("mean") || count == 9, "{variant}");
    }
}

#[test]
fn a_killed_sweep_goes_on_where_it_stopped() {
    let folder = world();
    let more = ["--replications", "40", "--jobs", "2", "--out"];
    let with = |out| more.iter().copied().chain([out]).collect::<Vec<_>>();
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_tidegate"))
        .current_dir(folder.path())
        .args(["sweep", "shop.toml"])
        .args(VARY)
        .args(with("killed"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let journal = folder.path().join("killed/.sweep.journal");
    let written = || std::fs::read_to_string(&journal).unwrap_or_default();
    while written().lines().count() < 5 {
        let ended = child.try_wait().expect("it can be asked");
        assert!(ended.is_none(), "it ended before it could be killed");
        std::thread::yield_now();
    }
    child.kill().expect("it can be killed");
    child.wait().expect("it is gone");
    let done = written().lines().count() - 1;
    assert!((4..240).contains(&done), "{done} runs were done");
    // What a kill in the middle of writing would leave.
    let cut = written() + "6 40 3.14";
    std::fs::write(&journal, cut).expect("a file");

    // Another plan does not touch it.
    let before = files(&folder.path().join("killed"));
    let other = sweep(&folder, &["--replications", "41", "--out", "killed"]);
    assert_eq!(other.code, 2);
    assert!(
        other.stderr.contains("the journal of another sweep"),
        "{}",
        other.stderr
    );
    assert_eq!(files(&folder.path().join("killed")), before);

    let ended = sweep(&folder, &with("killed"));
    fine(&ended);
    let left = 240 - done;
    let note = format!("note: {done} runs were done before; going on with the other {left}");
    assert!(ended.stderr.contains(&note), "{}", ended.stderr);
    fine(&sweep(&folder, &with("whole")));
    assert_eq!(
        files(&folder.path().join("killed")),
        files(&folder.path().join("whole"))
    );
}

#[test]
fn one_run_can_be_had_alone() {
    let folder = world();
    let ended = sweep(&folder, &["--replications", "3", "--format", "json"]);
    let document: serde_json::Value = serde_json::from_str(fine(&ended)).expect("JSON");
    let measures = document["measures"].as_array().expect("measures");
    let names: Vec<&str> = measures
        .iter()
        .map(|one| one["name"].as_str().expect("a name"))
        .collect();
    assert_eq!(
        names,
        [
            "checkout.Latency.p99",
            "checkout.Throttles.Sum",
            "checkout.ColdStartShare.Average",
            "cost.total_usd_per_month.Sum"
        ]
    );
    let ways: [&[&str]; 3] = [
        &["--only", "variant=4,rep=3"],
        &["--only", "variant=4", "rep=3"],
        &["--only", "rep=3", "--only", "variant=4"],
    ];
    for only in ways {
        let all: Vec<&str> = only.iter().copied().chain(["--format", "json"]).collect();
        let ended = sweep(&folder, &all);
        let alone: serde_json::Value = serde_json::from_str(fine(&ended)).expect("JSON");
        assert_eq!(alone["seed"], 13);
        assert!(ended.stderr.contains("replication 3: seed 13"));
        assert!(
            ended.stderr.contains(
                "variant 4: function.checkout.reserved_concurrency=4 traffic.checkout.rate=25"
            ),
            "{}",
            ended.stderr
        );
        assert_eq!(
            alone["scenario_hash"],
            document["variants"][3]["scenario_hash"]
        );
        let run = &document["variants"][3]["runs"][2];
        let function = &alone["functions"]["checkout"];
        let number = |value: &serde_json::Value| value.as_f64().expect("a number");
        let p99 = number(&function["Latency"]["p99"]);
        assert!((number(&run[0]) - p99).abs() <= 0.000_5, "{run} {p99}");
        assert_eq!(number(&run[1]), number(&function["Throttles"]));
    }
    let ended = sweep(&folder, &["--only", "variant=4,rep=3", "--out", "alone"]);
    fine(&ended);
    let written = files(&folder.path().join("alone/variant-4-rep-3"));
    assert!(written["report.html"].contains("<dd>13</dd>"));
    assert!(!folder.path().join("alone/sweep.json").exists());
}

#[test]
fn a_scheduler_says_which_shard_it_is() {
    let folder = world();
    let output = tidegate(&folder)
        .args(["sweep", "shop.toml"])
        .args(VARY)
        .args(["--shard", "auto", "--out", "parts", "--replications", "1"])
        .env("SLURM_ARRAY_TASK_ID", "7")
        .env("SLURM_ARRAY_TASK_MIN", "6")
        .env("SLURM_ARRAY_TASK_COUNT", "3")
        .output()
        .expect("it runs");
    assert!(output.status.success());
    assert!(folder.path().join("parts/shard-2-of-3.json").exists());
}

#[test]
fn a_latin_hypercube_is_the_same_for_everybody() {
    let folder = world();
    let with = |seed: &str| {
        let ended = run(
            &folder,
            &[
                "sweep",
                "shop.toml",
                "--vary",
                "traffic.checkout.rate=5.0..30.0",
                "--vary",
                "function.checkout.timeout=1s..1m:log",
                "--sample",
                "lhs:6",
                "--replications",
                "1",
                "--format",
                "csv",
                "--seed",
                seed,
            ],
        );
        fine(&ended).to_owned()
    };
    assert_eq!(with("1"), with("1"));
    assert_ne!(with("1"), with("2"));
    let rates: Vec<f64> = with("1")
        .lines()
        .skip(1)
        .map(|line| {
            line.split(',')
                .nth(1)
                .expect("a rate")
                .parse()
                .expect("a number")
        })
        .collect();
    let mut sixths: Vec<u32> = rates
        .iter()
        .map(|rate| ((rate - 5.0) * 6.0 / 25.0) as u32)
        .collect();
    sixths.sort_unstable();
    assert_eq!(sixths, [0, 1, 2, 3, 4, 5]);
}

/// What bad arguments get to read; nothing is written.
fn told(arguments: &[&str]) -> String {
    let folder = world();
    let all: Vec<&str> = ["sweep", "shop.toml", "--out", "out"]
        .into_iter()
        .chain(arguments.iter().copied())
        .collect();
    let ended = run(&folder, &all);
    assert_eq!(
        (ended.code, ended.stdout.as_str()),
        (2, ""),
        "{}",
        ended.stderr
    );
    assert!(!folder.path().join("out").exists(), "nothing is written");
    format!("\n{}", ended.stderr)
}

#[test]
fn an_unknown_axis() {
    insta::assert_snapshot!(told(&[
        "--vary",
        "mapping.orders.BatchSize=1,10",
        "--vary",
        "function.checkout.memory=128,256"
    ]));
}

#[test]
fn everything_wrong_with_the_plan_at_once() {
    insta::assert_snapshot!(told(&[
        "--vary",
        "traffic.checkout.rate=50..5:4",
        "--vary",
        "function.checkout.timeout=1s..16s",
        "--vary",
        "function.checkout.timeout=1s",
        "--metric",
        "checkout.Latncy.p99",
        "--sample",
        "lhs",
        "--shard",
        "5/4"
    ]));
}

#[test]
fn variants_that_are_refused() {
    insta::assert_snapshot!(told(&[
        "--vary",
        "function.checkout.reserved_concurrency=4,5000",
        "--vary",
        "function.checkout.timeout=10s,10,20m"
    ]));
}

#[test]
fn a_run_that_there_is_not() {
    insta::assert_snapshot!(told(&["--vary", "seed=1,2", "--only", "variant=3,rep=1"]));
}

#[test]
fn shards_that_do_not_go_together() {
    let folder = world();
    let shard = |shard: &str, out: &str, seed: &str| {
        let more = [
            "--shard",
            shard,
            "--out",
            out,
            "--replications",
            "1",
            "--seed",
            seed,
        ];
        fine(&sweep(&folder, &more));
    };
    for index in 1..=3 {
        shard(&format!("{index}/3"), "a", "1");
    }
    shard("2/3", "b", "2");
    let cut = std::fs::read_to_string(folder.path().join("a/shard-2-of-3.json")).expect("a shard");
    std::fs::write(folder.path().join("cut.json"), &cut[..cut.len() - 20]).expect("a file");
    let changed = SHOP.replace("120ms", "130ms");
    std::fs::write(folder.path().join("shop.toml"), changed).expect("a file");
    shard("2/3", "c", "1");
    let mut told = String::new();
    for others in [
        &["a/shard-3-of-3.json"][..],
        &["a/shard-3-of-3.json", "a/shard-1-of-3.json"],
        &["b/shard-2-of-3.json"],
        &["c/shard-2-of-3.json"],
        &["cut.json", "shop.toml", "nowhere.json"],
    ] {
        let mut arguments = vec!["merge", "--out", "out", "a/shard-1-of-3.json"];
        arguments.extend(others);
        let ended = run(&folder, &arguments);
        assert_eq!((ended.code, ended.stdout.as_str()), (2, ""));
        assert!(!folder.path().join("out").exists(), "nothing is written");
        told.push_str(&format!(
            "\n$ tidegate {}\n{}",
            arguments.join(" "),
            ended.stderr
        ));
    }
    insta::assert_snapshot!(told);
}
