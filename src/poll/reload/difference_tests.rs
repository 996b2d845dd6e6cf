use super::*;
use crate::scenario::{SourceText, parse_poller};

const FILE: &str = r#"
[poller]
drain_timeout = "30s"
[[target]]
function = "checkout"
type = "process"
command = ["./checkout"]
[target.env]
DB_PASSWORD = "hunter2"
[[target]]
function = "audit"
type = "mock"
[[source]]
name = "clicks"
type = "generated"
kind = "kinesis"
rate = 10
[[source]]
name = "orders"
type = "generated"
kind = "sqs"
rate = 10
[[mapping]]
name = "clicks"
EventSource = "clicks"
FunctionName = "checkout"
StartingPosition = "LATEST"
BatchSize = 100
[[mapping]]
name = "orders"
EventSource = "orders"
FunctionName = "audit"
"#;

fn parsed(text: &str) -> PollerFile {
    let source = SourceText::new("poller.toml", text);
    parse_poller(source)
        .unwrap_or_else(|report| panic!("{report}"))
        .file
}

/// What leads from `FILE` to itself with these replacements.
fn plan(replacements: &[(&str, &str)]) -> Plan {
    let mut text = FILE.to_owned();
    for (from, to) in replacements {
        assert!(text.contains(from), "{from}");
        text = text.replacen(from, to, 1);
    }
    Plan::new(&parsed(FILE), &parsed(&text), |_| false)
}

fn name(mapping: &str) -> String {
    mapping.to_owned()
}

#[test]
fn the_same_file_changes_nothing() {
    assert_eq!(
        plan(&[("BatchSize = 100", "BatchSize  =  100 # the same")]),
        Plan::default()
    );
}

#[test]
fn parameters_change_while_the_mapping_runs() {
    let found = plan(&[
        (
            "BatchSize = 100",
            "BatchSize = 500\nMaximumRetryAttempts = 3\nParallelizationFactor = 2",
        ),
        ("\"30s\"", "\"1m\""),
    ]);
    assert_eq!(
        found.changes,
        [
            "poller.drain_timeout 30s → 1m",
            "mapping.clicks.BatchSize 100 → 500",
            "mapping.clicks.ParallelizationFactor 1 → 2",
            "mapping.clicks.MaximumRetryAttempts -1 → 3",
        ]
    );
    assert_eq!(found.steps, [Step::Update(name("clicks"))]);
    assert!(found.refusals.is_empty());
}

#[test]
fn mappings_come_and_go_and_are_switched() {
    let found = plan(&[
        (
            "name = \"orders\"\nEventSource",
            "name = \"again\"\nEventSource",
        ),
        ("BatchSize = 100", "Enabled = false"),
    ]);
    assert_eq!(
        found.changes,
        [
            "mapping.orders removed",
            "mapping.clicks disabled",
            "mapping.again added: orders to audit",
        ]
    );
    let steps = [
        Step::Remove(name("orders")),
        Step::Disable(name("clicks")),
        Step::Open(name("again")),
    ];
    assert_eq!(found.steps, steps);
}

#[test]
fn what_a_mapping_reads_is_fixed() {
    let found = plan(&[("\"LATEST\"", "\"TRIM_HORIZON\"")]);
    assert_eq!(
        found.changes,
        ["mapping.clicks.StartingPosition LATEST → TRIM_HORIZON"]
    );
    assert_eq!(found.refusals.len(), 1);
    assert!(found.steps.is_empty());
    let found = plan(&[
        ("rate = 10", "rate = 20"),
        ("[poller]", "[poller]\nseed = 7"),
    ]);
    assert_eq!(
        found.refusals,
        [
            "[[source]]: takes a restart of tidegate",
            "poller.seed: takes a restart of tidegate",
        ]
    );
}

#[test]
fn what_cannot_change_live_drains_and_opens_again_unless_records_would_be_left_out() {
    let found = plan(&[("BatchSize = 100", "TumblingWindowInSeconds = 60")]);
    assert_eq!(
        found.changes,
        ["mapping.clicks.TumblingWindowInSeconds 0 → 60"]
    );
    assert_eq!(found.steps, [Step::Restart(name("clicks"))]);
    let text = FILE.replacen("BatchSize = 100", "TumblingWindowInSeconds = 60", 1);
    let refused = Plan::new(&parsed(FILE), &parsed(&text), |_| true);
    assert!(refused.refusals[0].starts_with("mapping.clicks: it begins at LATEST"));
    assert!(refused.steps.is_empty());
}

#[test]
fn a_target_is_opened_anew_and_its_secrets_are_not_shown() {
    let found = plan(&[
        ("hunter2", "hunter3"),
        ("\"./checkout\"", "\"./checkout\", \"-v\""),
    ]);
    assert_eq!(
        found.changes,
        ["target.checkout changed: command, env.DB_PASSWORD"]
    );
    assert_eq!(found.targets, ["checkout"]);
    assert_eq!(found.steps, [Step::Update(name("clicks"))]);
    let region = "[region]\naccount_concurrency = 10\n[poller]";
    let with_region = FILE.replace("[poller]", region);
    let changed = with_region.replace("hunter2", "hunter3");
    let refused = Plan::new(&parsed(&with_region), &parsed(&changed), |_| false);
    assert_eq!(
        refused.refusals,
        [
            "target.checkout: processes share the limits of [region], which takes a restart of tidegate"
        ]
    );
}
