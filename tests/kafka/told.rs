//! What is told: reports, and mistakes in files.

use super::{file, run, steady};
use crate::diagnostics::told;
use tidegate::report;

#[test]
fn seeds_give_the_same_bytes() {
    let source = "partitions = 5\nrebalance = { exponential = { mean = '3s' } }\n[[source.producer]]\nrate = 2500\n";
    let text = file("duration = '6m'", "", source, "", "");
    let bytes = |text: &str| {
        let outcome = run(text).outcome;
        (report::json(&outcome.summary), report::csv(&outcome.series))
    };
    let first = bytes(&text);
    let again = bytes(&text);
    assert!(first.1 == again.1 && first.0 == again.0);
    assert_ne!(first.1, bytes(&text.replace("seed = 3", "seed = 4")).1);
}

#[test]
fn reports_show_lag_and_consumers() {
    let source = format!("partitions = 6\n{}", steady(3_000, "5m"));
    let ran = run(&file(
        "duration = '5m'",
        "error_rate = '1%'",
        &source,
        "",
        "",
    ));
    let page = report::html(&ran.outcome.summary, &ran.outcome.series);
    for title in [
        "Offset lag by partition",
        "Offset lag as measured",
        "Consumers",
        "Rebalances",
        "Errors by what failed",
        "Kafka mapping",
    ] {
        assert!(page.contains(title), "{title}");
    }
    assert!(!page.contains("Iterator age by shard"));
    let options = report::TextOptions::default();
    let text = report::text(&ran.outcome.summary, &ran.outcome.series, options);
    assert!(
        text.contains("Kafka") && text.contains("Offset lag"),
        "{text}"
    );
    let table = report::csv(&ran.outcome.series);
    let head: Vec<&str> = table.lines().next().expect("a head").split(',').collect();
    let column = |name: &str| head.iter().position(|it| *it == name).expect("a column");
    let mut of_partition = table.lines().filter(|line| line.contains("m/partition-5,"));
    let fields: Vec<&str> = of_partition.next().expect("a row").split(',').collect();
    assert_eq!(fields.len(), head.len());
    let lag: f64 = fields[column("max_offset_lag")].parse().expect("a number");
    assert!(lag > 0.0 && fields[column("age_max_ms")].is_empty());
    let mut of_mapping = table
        .lines()
        .filter(|line| line.starts_with("299,mapping,m,"));
    let fields: Vec<&str> = of_mapping.next().expect("a row").split(',').collect();
    assert_eq!(fields[column("members")], fields[column("consumers")]);
}

#[test]
fn wrong_keys_of_topics_are_explained() {
    let text = |source: &str, mapping: &str, rest: &str| {
        told(&file(
            "duration = '1m'",
            "",
            &format!("{source}\n[[source.producer]]\nrate = 1\n"),
            mapping,
            rest,
        ))
    };
    for (text, words) in [
        (
            text("partitions = 0", "", ""),
            ["out-of-range", "1 to 10000"],
        ),
        (text("shards = 3", "", ""), ["unknown-key", "shards"]),
        (
            text("retention = '10ms'", "", ""),
            ["out-of-range", "retention"],
        ),
        (text("rebalance = '-1s'", "", ""), ["rebalance", "-1s"]),
        (
            text("visibility_timeout = '30s'", "", ""),
            ["unknown-key", "visibility_timeout"],
        ),
        (
            text("", "BisectBatchOnFunctionError = true", ""),
            ["esm-kafka-needs-pollers", "ProvisionedPollerConfig"],
        ),
        (text("", "consumers = 2", ""), ["unknown-key", "consumers"]),
        (
            text("", "Topics = ['a', 'b']", ""),
            ["esm-topics", "found 2 names"],
        ),
        (
            text(
                "",
                "SelfManagedKafkaEventSourceConfig = { ConsumptionMode = 'Queue' }",
                "",
            ),
            ["not-available-yet", "ConsumptionMode"],
        ),
        (
            text(
                "",
                "SelfManagedKafkaEventSourceConfig = { ConsumerGroupId = 'readers' }",
                "[[function]]\nname = 'g'\nduration = '1ms'\n[[mapping]]\nname = 'n'\nEventSource = 'q'\nFunctionName = 'g'\n\
                 StartingPosition = 'LATEST'\nSelfManagedKafkaEventSourceConfig = { ConsumerGroupId = 'readers' }\n",
            ),
            ["not-available-yet", "`m` has the same ConsumerGroupId"],
        ),
        (
            text(
                "",
                "",
                "[[fault]]\nat = '1s'\nfor = '1s'\nwhat = { deletions_fail = { source = 'q', rate = '5%' } }",
            ),
            ["unknown-name", "q"],
        ),
    ] {
        for word in words {
            assert!(text.contains(word), "{word} is not in:\n{text}");
        }
    }
    // MSK is the same to a model.
    let msk = file("duration = '1m'", "", &steady(10, "30s"), "", "").replace("'kafka'", "'msk'");
    run(&msk).all_done();
}
