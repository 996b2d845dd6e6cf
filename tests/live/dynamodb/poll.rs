//! The poller on a real DynamoDB stream, through a real function process.

use crate::support::dynamodb::{DYNAMODB_URL, Table};
use crate::support::poller::{Invocation, Poller};
use crate::support::server_url;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

const HORIZON: &str = "StartingPosition = \"TRIM_HORIZON\"\n";
const LATEST: &str = "StartingPosition = \"LATEST\"\n";
const OFTEN: &str = "shard_reads_per_second = 1000\npoll_interval = \"50ms\"\n";

fn poller(table: &Table, mapping: &str) -> Poller {
    Poller::new(
        &table.stream_arn,
        server_url(DYNAMODB_URL),
        &format!("{OFTEN}{mapping}"),
    )
}

/// What happened to an item: the event's name, and its text before and after.
type Change = (String, Option<String>, Option<String>);

fn text(image: &Value) -> Option<String> {
    image["text"]["S"].as_str().map(str::to_owned)
}

/// Item and change of every delivered record, in order of delivery.
fn delivered(invocations: &[Invocation]) -> Vec<(String, Change)> {
    let records = invocations
        .iter()
        .flat_map(|invocation| &invocation.records);
    records
        .map(|record| {
            let name = record["eventName"].as_str().expect("a name").to_owned();
            let change = &record["dynamodb"];
            let item = change["Keys"]["id"]["S"].as_str().expect("a key");
            let images = (text(&change["OldImage"]), text(&change["NewImage"]));
            (item.to_owned(), (name, images.0, images.1))
        })
        .collect()
}

fn items(invocations: &[Invocation]) -> Vec<String> {
    let delivered = delivered(invocations).into_iter();
    delivered.map(|(item, _)| item).collect()
}

#[tokio::test]
async fn changes_of_an_item_arrive_once_in_order_and_with_their_images() {
    let table = Table::create().await;
    for number in 0..30 {
        table.put(&format!("item-{number}"), "first").await;
    }
    for number in (0..30).rev() {
        table.put(&format!("item-{number}"), "second").await;
    }
    for number in 0..30 {
        table.delete_item(&format!("item-{number}")).await;
    }
    let poller = poller(&table, &format!("{HORIZON}BatchSize = 7\n"));
    let ended = poller.run(&["--max-records", "90"]);
    assert!(ended.status.success(), "{ended:?}");
    let invocations = poller.invocations();
    assert!(invocations.iter().all(|seen| seen.records.len() <= 7));
    let mut by_item: BTreeMap<String, Vec<Change>> = BTreeMap::new();
    for (item, change) in delivered(&invocations) {
        by_item.entry(item).or_default().push(change);
    }
    assert_eq!(by_item.len(), 30);
    let some = |text: &str| Some(text.to_owned());
    let expected = [
        ("INSERT".to_owned(), None, some("first")),
        ("MODIFY".to_owned(), some("first"), some("second")),
        ("REMOVE".to_owned(), some("second"), None),
    ];
    for (item, changes) in by_item {
        assert_eq!(changes, expected, "{item}");
    }
}

/// Filters on the event's name and on an image; the checkpoint covers what they leave out.
#[tokio::test]
async fn filtered_changes_are_passed_over() {
    let table = Table::create().await;
    for number in 0..20 {
        let text = if number % 4 == 0 { "wanted" } else { "other" };
        table.put(&format!("item-{number}"), text).await;
    }
    for number in 0..20 {
        table.delete_item(&format!("item-{number}")).await;
    }
    let pattern = r#"{"eventName":["INSERT"],"dynamodb":{"NewImage":{"text":{"S":["wanted"]}}}}"#;
    let filter = format!("FilterCriteria = {{ Filters = [ {{ Pattern = '{pattern}' }} ] }}\n");
    let poller = poller(&table, &format!("{HORIZON}{filter}"));
    let ended = poller.run(&["--max-records", "40"]);
    assert!(ended.status.success(), "{ended:?}");
    let expected: Vec<String> = (0..20).step_by(4).map(|n| format!("item-{n}")).collect();
    assert_eq!(items(&poller.invocations()), expected);
    // A restart finds nothing left to do.
    let ended = poller.run(&["--stop-when-idle", "1s"]);
    assert!(ended.status.success(), "{ended:?}");
    assert_eq!(items(&poller.invocations()), expected);
}

#[tokio::test]
async fn an_event_has_the_recorded_shape() {
    let table = Table::create().await;
    let item = json!({
        "id": {"S": "the \"key\""},
        "binary": {"B": "AP8Q"},
        "binaries": {"BS": ["SGVsbG8=", "TQ=="]},
        // No empty map: this server's streams show it as a value without a type, which is no value.
        "empty": {"L": []},
        "no": {"BOOL": false},
        "nothing": {"NULL": true},
        "number": {"N": "12345678901234567890123456789012345678"},
        "numbers": {"NS": ["7"]},
        "tree": {"M": {"list": {"L": [{"S": "x"}, {"L": [{"N": "-1.5"}]}]}}},
        "words": {"SS": ["µ"]},
    });
    table.put_item(&item).await;
    let poller = poller(&table, HORIZON);
    let ended = poller.run(&["--max-records", "1"]);
    assert!(ended.status.success(), "{ended:?}");
    let record = poller.invocations()[0].records[0].clone();
    let change = &record["dynamodb"];
    let created = &change["ApproximateCreationDateTime"];
    let created_secs = created.as_f64().expect("a number of seconds");
    assert!(created.is_f64() && created_secs.fract() == 0.0, "{created}");
    assert!(created_secs > 1.7e9, "{created}");
    // The names of attributes are in order; the server's sets are not.
    let mut image = change["NewImage"].clone();
    let binaries = image["binaries"]["BS"].as_array_mut().expect("a set");
    binaries.sort_by_key(Value::to_string);
    let mut sorted = item.clone();
    sorted.sort_all_objects();
    sorted["binaries"]["BS"] = json!(["SGVsbG8=", "TQ=="]);
    assert_eq!(image.to_string(), sorted.to_string());
    let expected = json!({
        "eventID": record["eventID"],
        "eventName": "INSERT",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "ddblocal",
        "dynamodb": {
            "ApproximateCreationDateTime": created,
            "Keys": {"id": {"S": "the \"key\""}},
            "NewImage": change["NewImage"],
            "SequenceNumber": change["SequenceNumber"],
            "SizeBytes": change["SizeBytes"],
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
        "eventSourceARN": table.stream_arn,
    });
    // As texts, for the order of keys is AWS's, too.
    assert_eq!(record.to_string(), expected.to_string());
    assert!(record["eventID"].is_string());
    assert!(change["SizeBytes"].is_u64());
}

#[tokio::test]
async fn a_kill_at_any_moment_loses_nothing_and_keeps_order() {
    let table = Table::create().await;
    let written: Vec<String> = (0..200).map(|number| format!("item-{number}")).collect();
    for item in &written {
        table.put(item, "text").await;
    }
    let poller = poller(&table, &format!("{HORIZON}BatchSize = 5\n"));
    let poller = poller.env("TEST_FUNCTION_DELAY_MS", "5");
    for kill in 1..=3 {
        let running = poller.start(&[]);
        let before = poller.invocations().len();
        poller.await_invocations("some invocations before the kill", |seen| {
            seen.len() >= before + kill
        });
        running.kill();
    }
    let running = poller.start(&[]);
    let all: BTreeSet<&String> = written.iter().collect();
    let seen = poller.await_invocations("every record", |seen| {
        items(seen).iter().collect::<BTreeSet<_>>() == all
    });
    let ended = running.terminate();
    assert!(ended.status.success(), "{ended:?}");
    // Again is allowed, out of order is not.
    let mut known = BTreeSet::new();
    let first_seen: Vec<String> = items(&seen)
        .into_iter()
        .filter(|item| known.insert(item.clone()))
        .collect();
    assert_eq!(first_seen, written);
    // A checkpoint was stored before each kill: the last run did not begin at the beginning.
    let begun_again = items(&seen).iter().filter(|item| *item == "item-0").count();
    assert!(
        begun_again < 4,
        "started {begun_again} times at the beginning"
    );
}

#[tokio::test]
async fn a_restart_goes_on_behind_what_was_finished() {
    let table = Table::create().await;
    for number in 0..20 {
        table.put(&format!("item-{number}"), "text").await;
    }
    let poller = poller(&table, HORIZON);
    let ended = poller.run(&["--max-records", "20"]);
    assert!(ended.status.success(), "{ended:?}");
    for number in 20..30 {
        table.put(&format!("item-{number}"), "text").await;
    }
    let ended = poller.run(&["--max-records", "10"]);
    assert!(ended.status.success(), "{ended:?}");
    let expected: Vec<String> = (0..30).map(|number| format!("item-{number}")).collect();
    assert_eq!(items(&poller.invocations()), expected);
}

#[tokio::test]
async fn a_poison_record_is_given_up_and_the_rest_is_delivered() {
    let table = Table::create().await;
    for number in 0..6 {
        let text = if number == 2 { "poison" } else { "text" };
        table.put(&format!("item-{number}"), text).await;
    }
    let poller = poller(
        &table,
        &format!("{HORIZON}BatchSize = 1\nMaximumRetryAttempts = 2\nbackoff_first = \"50ms\"\n"),
    );
    let log = poller.path("run.log");
    let log = log.to_str().expect("a path of text");
    let ended = poller.run(&["--max-records", "6", "--record", log]);
    assert!(ended.status.success(), "{ended:?}");
    assert!(
        ended.output.contains("RetryAttemptsExhausted"),
        "{}",
        ended.output
    );
    let seen = items(&poller.invocations());
    let expected = ["0", "1", "2", "2", "2", "3", "4", "5"].map(|number| format!("item-{number}"));
    assert_eq!(seen, expected);
    let replayed = Command::new(env!("CARGO_BIN_EXE_tidegate"))
        .args(["replay", log])
        .output()
        .expect("it runs");
    assert!(
        replayed.status.success(),
        "{}",
        String::from_utf8_lossy(&replayed.stdout)
    );
}

#[tokio::test]
async fn a_poison_record_is_found_by_halves_and_alone_given_up() {
    let table = Table::create().await;
    for number in 0..4 {
        let text = if number == 2 { "poison" } else { "text" };
        table.put(&format!("item-{number}"), text).await;
    }
    let poller = poller(
        &table,
        &format!(
            "{HORIZON}BatchSize = 4\nMaximumRetryAttempts = 1\nBisectBatchOnFunctionError = true\nbackoff_first = \"50ms\"\n"
        ),
    );
    let ended = poller.run(&["--max-records", "4"]);
    assert!(ended.status.success(), "{ended:?}");
    let seen: Vec<Vec<String>> = poller
        .invocations()
        .iter()
        .map(|invocation| items(std::slice::from_ref(invocation)))
        .collect();
    let expected: [&[&str]; 6] = [
        &["item-0", "item-1", "item-2", "item-3"],
        &["item-0", "item-1"],
        &["item-2", "item-3"],
        &["item-2"],
        &["item-2"],
        &["item-3"],
    ];
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn a_disabled_stream_is_read_to_its_end_and_never_again() {
    let table = Table::create().await;
    for number in 0..10 {
        table.put(&format!("item-{number}"), "text").await;
    }
    table.disable_stream().await;
    let poller = poller(&table, HORIZON);
    let idle = ["--stop-when-idle", "1s"];
    let ended = poller.run(&idle);
    assert!(ended.status.success(), "{ended:?}");
    assert!(ended.output.contains("shard ended"), "{}", ended.output);
    let expected: Vec<String> = (0..10).map(|number| format!("item-{number}")).collect();
    assert_eq!(items(&poller.invocations()), expected);
    let ended = poller.run(&idle);
    assert!(ended.status.success(), "{ended:?}");
    assert_eq!(items(&poller.invocations()), expected);
}

#[tokio::test]
async fn latest_leaves_out_what_was_there_and_misses_nothing_after_a_kill() {
    let table = Table::create().await;
    for number in 0..10 {
        table.put(&format!("old-{number}"), "text").await;
    }
    let poller = poller(&table, LATEST);
    let running = poller.start(&[]);
    // Nobody outside sees when it begins to read: items are written until the first of them arrives.
    let mut written = 0;
    while poller.invocations().is_empty() {
        assert!(written < 10_000, "nothing arrives");
        table.put(&format!("new-{written}"), "text").await;
        written += 1;
    }
    running.kill();
    let before = items(&poller.invocations());
    assert!(
        before.iter().all(|item| item.starts_with("new-")),
        "{before:?}"
    );
    let first = before[0].strip_prefix("new-").expect("a new one");
    let first: usize = first.parse().expect("a number");
    for number in written..written + 10 {
        table.put(&format!("new-{number}"), "text").await;
    }
    let expected: BTreeSet<String> = (first..written + 10)
        .map(|number| format!("new-{number}"))
        .collect();
    // If the kill came before a checkpoint, what is older than `first` may come now: nothing tells it from what is younger
    // but its creation time, which this server rounds to minutes.
    let running = poller.start(&[]);
    poller.await_invocations("everything since the first", |seen| {
        let seen: BTreeSet<String> = items(seen).into_iter().collect();
        seen.is_superset(&expected)
    });
    let ended = running.terminate();
    assert!(ended.status.success(), "{ended:?}");
}
