//! Streams of whole scenarios: every record reaches every mapping once, however it is read and however shards change.

use tidegate::metrics::MappingSummary;
use tidegate::scenario::{SourceText, parse};
use tidegate::sim;

fn run(text: &str) -> Vec<(String, MappingSummary)> {
    let loaded =
        parse(SourceText::new("streams.toml", text)).unwrap_or_else(|report| panic!("{report}"));
    let scenario = loaded.scenario;
    let outcome = sim::run(&scenario, 1, &mut ()).expect("sound limits");
    outcome.summary.mappings
}

fn functions(count: u32) -> String {
    (0..count)
        .map(|n| {
            format!("[[function]]\nname = \"f{n}\"\nduration = \"20ms\"\nper_record = \"100us\"\n")
        })
        .collect()
}

fn mapping(n: u32, more: &str) -> String {
    format!(
        "[[mapping]]\nname = \"m{n}\"\nEventSource = \"s\"\nFunctionName = \"f{n}\"\nStartingPosition = \"TRIM_HORIZON\"\n{more}\n"
    )
}

/// Everything that was written was read, and delivered once.
fn is_complete(summary: &MappingSummary) -> bool {
    let incoming = summary.incoming_records.value;
    incoming > 10_000.0
        && summary.polled_event_count.value == incoming
        && summary.invoked_event_count.value == incoming
        && summary.backlog.end.value == 0.0
}

#[test]
fn every_mapping_gets_every_record_once_over_splits_and_merges() {
    let source = r#"
duration = "6m"
[[source]]
name = "s"
type = "kinesis"
shards = 2
[[source.producer]]
rate = [ { at = "0s", rps = 300 }, { at = "3m", rps = 0 } ]
record = { size = "200B", keys = { zipf = { n = 100, s = 0.9 } } }
[[source.reshard]]
at = "30s"
split = "all"
[[source.reshard]]
at = "31s"
split = [2]
[[source.reshard]]
at = "1m"
merge = [[3, 4]]
[[source.reshard]]
at = "2m"
shards = 3
[[source.reshard]]
at = "4m"
shards = 2
"#;
    let mappings = mapping(0, "")
        + &mapping(
            1,
            "ParallelizationFactor = 5\nMaximumBatchingWindowInSeconds = 1",
        )
        + &mapping(2, "fan_out = true")
        + &mapping(3, "fan_out = true\nBatchSize = 7");
    let text = format!("{source}{}{mappings}", functions(4));
    for (name, summary) in run(&text) {
        assert!(is_complete(&summary), "{name}: {summary:?}");
        assert_eq!(summary.trimmed_records.value, 0.0);
    }
}

#[test]
fn polling_mappings_starve_each_other_and_pushed_ones_do_not() {
    let source = r#"
duration = "3m"
[[source]]
name = "s"
type = "kinesis"
[[source.producer]]
rate = [ { at = "0s", rps = 600 }, { at = "2m", rps = 0 } ]
record = { size = "1500B" }
"#;
    let mappings: String = (0..8)
        .map(|n| {
            mapping(
                n,
                if n < 6 {
                    "BatchSize = 1000"
                } else {
                    "BatchSize = 1000\nfan_out = true"
                },
            )
        })
        .collect();
    let found = run(&format!("{source}{}{mappings}", functions(8)));
    // 5.4 MB a second are wanted, and 2 MiB are there; a second's worth comes at once, and the last page may have 10 MiB.
    let polled: f64 = found[..6]
        .iter()
        .map(|(_, summary)| summary.polled_event_count.value)
        .sum();
    assert!(polled * 1_500.0 <= 186.0 * 2_097_152.0, "{polled}");
    let refused = found[..6]
        .iter()
        .map(|(_, summary)| summary.read_throttles.value);
    assert!(refused.sum::<f64>() > 50.0);
    let incomplete = found[..6]
        .iter()
        .filter(|(_, summary)| !is_complete(summary));
    assert!(incomplete.count() >= 3);
    for (name, summary) in &found[6..] {
        assert!(is_complete(summary), "{name}: {summary:?}");
        assert_eq!(summary.read_throttles.value, 0.0);
        assert!(
            (70.0..200.0).contains(&summary.iterator_age.p50.value),
            "{name}: {summary:?}"
        );
    }
    // Without the shared limits everybody reads as if alone.
    let free = source.replace(
        "type = \"kinesis\"",
        "type = \"kinesis\"\nread_limits = false",
    );
    for (name, summary) in run(&format!("{free}{}{mappings}", functions(8))) {
        assert!(is_complete(&summary), "{name}: {summary:?}");
    }
}

#[test]
fn a_dynamodb_stream_is_read_over_its_rollovers() {
    let source = r#"
duration = "10m"
[[source]]
name = "s"
type = "dynamodb"
shards = 3
shard_lifetime = "2m"
[[source.producer]]
rate = [ { at = "0s", rps = 50 }, { at = "9m", rps = 0 } ]
"#;
    let found = run(&format!(
        "{source}{}{}{}",
        functions(2),
        mapping(0, ""),
        mapping(1, "")
    ));
    for (name, summary) in found {
        assert!(is_complete(&summary), "{name}: {summary:?}");
        assert_eq!(summary.source_type, "dynamodb");
        // Ages count from the beginning of a second, and an idle shard is read four times in one.
        assert!(
            (400.0..900.0).contains(&summary.iterator_age.mean.value),
            "{summary:?}"
        );
    }
}

#[test]
fn a_fault_refuses_reads_of_every_kind() {
    let source = r#"
duration = "3m"
[[source]]
name = "s"
type = "kinesis"
[[source.producer]]
rate = [ { at = "0s", rps = 200 }, { at = "100s", rps = 0 } ]
[[fault]]
at = "20s"
for = "10s"
what = { source_throttled = { source = "s", rate = "100%" } }
"#;
    let mappings = mapping(0, "") + &mapping(1, "fan_out = true");
    for (name, summary) in run(&format!("{source}{}{mappings}", functions(2))) {
        assert!(is_complete(&summary), "{name}: {summary:?}");
        assert!(summary.read_throttles.value >= 3.0, "{name}: {summary:?}");
        assert!(
            summary.iterator_age.max.value > 9_000.0,
            "{name}: {summary:?}"
        );
    }
}
