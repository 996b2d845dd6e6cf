//! Searches find optima that are known, say what they did, and do the same on any number of threads.

use assert_cmd::Command;
use insta::assert_snapshot;
use std::num::NonZeroU32;
use tidegate::scenario::{SourceText, parse};
use tidegate::study::Goal;
use tidegate::study::tune::{Answer, Objective, Plan, axes, busiest, tune};

/// 100 calls a second of 100 ms each are ten Erlang.
const ERLANG: &str = "title = 'Erlang'\nduration = '10m'\nwarm_up = '30s'\nseed = 3\n\
    [[function]]\nname = 'f'\nduration = { exponential = { mean = '100ms' } }\ninit = '0s'\nreserved_concurrency = 40\n\
    [[traffic]]\nfunction = 'f'\nrate = 100\n";

/// One shard, 150 records a second, and a lane that does 40 in 0.6 s.
const LANES: &str = "title = 'Lanes'\nduration = '5m'\nseed = 5\n\
    [[function]]\nname = 'f'\nduration = '200ms'\nper_record = '10ms'\ntimeout = '10s'\n\
    [[source]]\nname = 's'\ntype = 'kinesis'\nshards = 1\n[[source.producer]]\nrate = 150\n\
    [[mapping]]\nname = 'm'\nEventSource = 's'\nFunctionName = 'f'\nStartingPosition = 'TRIM_HORIZON'\nBatchSize = 40\n";

fn search(text: &str, goals: &[&str], over: &str, jobs: u32, budget: usize) -> Answer {
    search_for("cost", text, goals, over, jobs, budget)
}

fn search_for(
    objective: &str,
    text: &str,
    goals: &[&str],
    over: &str,
    jobs: u32,
    budget: usize,
) -> Answer {
    let source = SourceText::new("tuned.toml", text);
    let scenario = parse(source.clone())
        .unwrap_or_else(|report| panic!("{report}"))
        .scenario;
    let goals = goals
        .iter()
        .map(|goal| Goal::parse(goal, &scenario).unwrap_or_else(|error| panic!("{error}")));
    let busy = busiest(&scenario, scenario.seed).expect("sound limits");
    let (sound, wrong) = axes(&[over.to_owned()], &scenario, &busy);
    assert_eq!(wrong, [""; 0]);
    let plan = Plan {
        goals: goals.collect(),
        objective: Objective::parse(objective, false, &scenario).expect("it has that"),
        axes: sound,
        replications_min: 3,
        replications_max: 5,
        budget,
        seed: scenario.seed,
        jobs: NonZeroU32::new(jobs).expect("not zero"),
    };
    tune(&source, &plan, || ()).unwrap_or_else(|report| panic!("{report}"))
}

/// Erlang's loss formula, by its recursion.
fn erlang_b(load: f64, servers: u32) -> f64 {
    (1..=servers).fold(1.0, |loss, server| {
        load * loss / (f64::from(server) + load * loss)
    })
}

#[test]
fn the_smallest_reservation_for_one_percent_of_loss_is_erlangs() {
    let (calls, load) = (100.0 * 570.0, 10.0);
    let smallest = (1..100)
        .find(|servers| erlang_b(load, *servers) < 0.01)
        .expect("one of them");
    assert_eq!(smallest, 18);
    let goal = format!("Throttles < {}", 0.01 * calls);
    let answer = search(ERLANG, &[&goal], "reserved_concurrency=1..64", 2, 400);
    assert!(answer.met);
    assert_eq!(answer.best.name, "reserved_concurrency = 18");
    assert!(
        answer.runs < 64 * 5 / 3,
        "{} runs, where the grid would take {}",
        answer.runs,
        64 * 5
    );
    assert!(
        answer.reasons.iter().any(|reason| reason.contains("binds")),
        "{:?}",
        answer.reasons
    );
    let below = answer
        .steps
        .iter()
        .find(|step| step.to == "17")
        .expect("a step down was tried");
    assert!(!below.candidate.goals[0].met);
    assert_eq!(
        answer.snippet(),
        "[[function]]  # f\nreserved_concurrency = 18\n"
    );
}

#[test]
fn lanes_enough_for_the_rate_are_found() {
    // 40 / (0.2 s + 40 × 10 ms) = 66.7 records a second and lane: three lanes for 150. Each lane is one concurrent batch.
    let goals = ["IteratorAge.p99 < 5s"];
    let answer = search_for(
        "f.ConcurrentExecutions.Maximum",
        LANES,
        &goals,
        "ParallelizationFactor",
        2,
        200,
    );
    assert_eq!(answer.best.name, "ParallelizationFactor = 3", "{answer:#?}");
    assert_eq!(
        (answer.best.objective.mean, answer.best.replications),
        (3.0, 5)
    );
    assert!(answer.runs < 10 * 5, "{}", answer.runs);
    let met = |lanes: &str| {
        let step = answer
            .steps
            .iter()
            .find(|step| step.to == lanes)
            .expect("a step was tried");
        step.candidate.goals[0].met
    };
    assert!(!met("2") && met("4"));
}

#[test]
fn threads_do_not_change_the_answer() {
    let over = "mapping.m.BatchSize=10..400,ParallelizationFactor=1..4,MaximumBatchingWindowInSeconds=0,1,2";
    let document = |jobs| {
        let answer = search(LANES, &["IteratorAge.p99 < 5s"], over, jobs, 120);
        (answer.runs, tidegate::report::tune::json(&answer))
    };
    let (runs, one) = document(1);
    assert!(runs <= 120, "{runs}");
    assert_eq!((runs, one), document(3));
}

#[test]
fn values_that_exclude_each_other_are_left_out() {
    let text = LANES.replace("'kinesis'\nshards = 1", "'sqs'").replace(
        "StartingPosition = 'TRIM_HORIZON'\nBatchSize = 40",
        "BatchSize = 10",
    );
    let over =
        "mapping.m.BatchSize=1,10,100,MaximumBatchingWindowInSeconds=0,1,MaximumConcurrency=2,50";
    let answer = search(&text, &["m.RecordLatency.p99 < 30s"], over, 2, 200);
    // A BatchSize above 10 needs a window.
    assert_eq!((answer.refused, answer.combinations), (2, 12));
    assert!(
        answer
            .refusal
            .as_deref()
            .is_some_and(|why| why.contains("Maximum batch window")),
        "{:?}",
        answer.refusal
    );
    // The file has no table for it, so it is written with its table.
    let cap = answer
        .best
        .changes
        .iter()
        .find(|one| one.path == "mapping.m.ScalingConfig")
        .expect("a change");
    assert!(cap.value.starts_with("{ MaximumConcurrency = "), "{cap:?}");
}

#[test]
fn a_spent_budget_is_said() {
    let answer = search(
        ERLANG,
        &["Throttles < 570"],
        "reserved_concurrency=1..64",
        2,
        30,
    );
    assert!(
        answer.budget_is_spent && answer.runs <= 30,
        "{} runs",
        answer.runs
    );
}

struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

fn run(text: &str, arguments: &[&str]) -> Ended {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("tuned.toml"), text).expect("a file");
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command
        .current_dir(&folder)
        .args(["tune", "tuned.toml", "--quiet"])
        .args(arguments);
    let output = command.output().expect("it runs");
    Ended {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).expect("text"),
        stderr: String::from_utf8(output.stderr).expect("text"),
    }
}

const LANES_GOAL: [&str; 6] = [
    "--goal",
    "IteratorAge.p99 < 5s",
    "--over",
    "ParallelizationFactor=1..6",
    "--replications-max",
    "4",
];

#[test]
fn text_and_markdown_of_an_answer() {
    let text = run(LANES, &LANES_GOAL);
    assert_eq!((text.code, text.stderr.as_str()), (Some(0), ""));
    assert_snapshot!(text.stdout);
    let markdown = run(
        LANES,
        &[&LANES_GOAL[..], &["--format", "markdown"]].concat(),
    );
    assert_snapshot!(markdown.stdout);
    let json = run(
        LANES,
        &[&LANES_GOAL[..], &["--format", "json", "--jobs", "1"]].concat(),
    );
    let document: serde_json::Value = serde_json::from_str(&json.stdout).expect("JSON");
    assert_eq!(
        document["best"]["changes"][0]["path"],
        "mapping.m.ParallelizationFactor"
    );
    assert_eq!(
        (&document["best"]["changes"][0]["value"], &document["met"]),
        (&"5".into(), &true.into())
    );
}

#[test]
fn nothing_meets_the_goal() {
    let missed = run(
        LANES,
        &[
            "--goal",
            "IteratorAge.p99 < 5s",
            "--over",
            "ParallelizationFactor=1,2",
            "--replications-max",
            "3",
        ],
    );
    assert_eq!(missed.code, Some(1), "{}", missed.stderr);
    assert_snapshot!(missed.stdout);
}

#[test]
fn all_mistakes_of_a_request_at_once() {
    let arguments = [
        "--goal",
        "IteratorAges.p99 < 1s",
        "--goal",
        "IteratorAge.p99 1s",
        "--minimise",
        "costs",
        "--over",
        "BatchSise,ParallelizationFactor=5..2,mapping.m.ParallelizationFactor=1..20,function.f.tiemout=1,2,memory_mb",
    ];
    let wrong = run(LANES, &arguments);
    assert_eq!((wrong.code, wrong.stdout.as_str()), (Some(2), ""));
    assert_snapshot!(wrong.stderr);
    let nowhere = run(
        LANES,
        &[
            "--over",
            "function.g.timeout=1,2",
            "--over",
            "function.f.tiemout=\"1s\",\"2s\"",
        ],
    );
    assert_eq!(nowhere.code, Some(2));
    assert_snapshot!(nowhere.stderr);
}
