//! Bad `[[bench]]` tables.

use tidegate::scenario::{SourceText, parse_bench, parse_poller};

const FILE: &str = r#"[aws]
region = "us-east-1"
[[target]]
function = "f"
type = "mock"
[[source]]
name = "made-up"
type = "generated"
kind = "sqs"
rate = 5
[[mapping]]
name = "orders"
EventSourceArn = "arn:aws:sqs:us-east-1:000000000000:orders"
FunctionName = "f"
[[mapping]]
name = "local"
EventSource = "made-up"
FunctionName = "f"
[[mapping]]
name = "off"
EventSourceArn = "arn:aws:sqs:us-east-1:000000000000:other"
FunctionName = "f"
Enabled = false
"#;

fn told(benches: &str) -> String {
    let text = format!("{FILE}{benches}");
    let report = parse_bench(SourceText::new("bench.toml", text)).expect_err("a bad bench file");
    format!("\n{}", report.render(false))
}

#[test]
fn a_bench_file_has_a_bench() {
    super::snapshot!(told(""));
}

#[test]
fn benches_are_checked() {
    super::snapshot!(told(
        r#"[[bench]]
rate = 5
[[bench]]
mapping = "order"
rate = "fast"
[[bench]]
mapping = "local"
rate = 0
shards = 1000
[[bench]]
mapping = "off"
duration = "1ms"
warm_up = 3
arrivals = "bursts"
record = { size = "200" }
[[bench]]
mapping = "orders"
rate = "max"
duration = "10s"
existing = true
records = 0
[[bench]]
mapping = "orders"
rate = 1e8
duration = "1h"
bar = false
"#
    ));
}

#[test]
fn sweeps_are_checked() {
    super::snapshot!(told(
        r#"[[bench]]
mapping = "orders"
sweep = { BatchSize = [], Batchsize = [1], MaximumConcurrency = 5, rate = [true], MaximumBatchingWindowInSeconds = ["1s"] }
"#
    ));
}

/// What is wrong with a value of a sweep is shown at the value.
#[test]
fn every_point_is_checked_like_a_file() {
    super::snapshot!(told(
        "[[bench]]\nmapping = \"orders\"\nsweep = { BatchSize = [10, 20], MaximumConcurrency = [2, 1] }\n"
    ));
}

#[test]
fn too_many_points_are_refused() {
    let many = format!("{:?}", (1..=10).collect::<Vec<_>>());
    let sweep = format!(
        "{{ BatchSize = {many}, MaximumConcurrency = {many}, MaximumBatchingWindowInSeconds = {many}, rate = [1, 2] }}"
    );
    super::snapshot!(told(&format!(
        "[[bench]]\nmapping = \"orders\"\nsweep = {sweep}\n"
    )));
}

/// A file that is polled may say how it is benched.
#[test]
fn a_poller_has_no_use_for_a_bench() {
    let text = format!("{FILE}[[bench]]\nmapping = \"orders\"\n");
    let loaded = parse_poller(SourceText::new("poller.toml", text)).expect("a sound file");
    assert_eq!((loaded.benches.len(), loaded.file.mappings.len()), (1, 3));
}

#[test]
fn the_examples_are_sound() {
    for name in ["sqs", "kinesis", "kafka"] {
        let path = format!("{}/scenarios/bench/{name}.toml", env!("CARGO_MANIFEST_DIR"));
        let loaded = tidegate::scenario::load_bench(path.as_ref());
        let loaded = loaded.unwrap_or_else(|report| panic!("{report}"));
        assert!(
            loaded.points.len() >= 2 && loaded.warnings.is_empty(),
            "{name}"
        );
    }
}
