//! Brokers in virtual time: what comes back, what is dead-lettered and why, and that every message is somewhere.

use crate::diagnostics::told;
use tidegate::metrics::MappingSummary;
use tidegate::scenario::{SourceText, parse};
use tidegate::sim;

/// 20 messages a second for three minutes, to a mapping `m` of a function that takes 50 ms.
fn file(kind: &str, function: &str, source: &str, mapping: &str, rest: &str) -> String {
    format!(
        "duration = '10m'\nseed = 3\n[[function]]\nname = 'f'\nduration = '50ms'\n{function}\n\
         [[source]]\nname = 'q'\ntype = '{kind}'\n{source}\n\
         [[source.producer]]\narrivals = 'poisson'\n\
         rate = [{{ at = '0s', rps = 20 }}, {{ at = '3m', rps = 0 }}]\n\
         [[mapping]]\nname = 'm'\nEventSource = 'q'\nFunctionName = 'f'\nbackoff_max = '2s'\n{mapping}\n{rest}"
    )
}

/// Runs it; after every second each message that arrived is acknowledged, dead-lettered, waiting or unacknowledged.
fn run(text: &str) -> MappingSummary {
    let loaded = parse(SourceText::new("t.toml", text));
    let scenario = loaded.unwrap_or_else(|report| panic!("{report}")).scenario;
    let outcome = sim::run(&scenario, scenario.seed, &mut ()).expect("sound limits");
    let (mut arrived, mut gone) = (0, 0);
    for (second, row) in outcome.series.mappings[0].rows.iter().enumerate() {
        arrived += row.incoming;
        gone += row.deleted + row.dead_letters.all();
        let there = row.backlog + row.in_flight;
        assert_eq!(arrived, gone + there, "at {second} s");
    }
    assert!(arrived > 3_400, "{arrived}");
    outcome.summary.mappings[0].1.clone()
}

#[test]
fn poison_is_dead_lettered_with_its_batch_after_six_redeliveries() {
    let text = file("activemq", "poison = '1/500'", "", "BatchSize = 5", "");
    let summary = run(&text);
    let dead = summary.dead_lettered.value;
    assert!((1.0..100.0).contains(&dead), "{dead}");
    let reasons = summary.dead_letter_reasons;
    assert_eq!(reasons.function_error.value, dead);
    // A message was delivered again six times before it was moved; its neighbours may have got away.
    assert!(summary.redelivered.value >= 6.0 * dead);
    assert_eq!(summary.backlog.end.value, 0.0);
    let end = summary.approximate_number_of_messages_not_visible.end;
    assert_eq!(end.value, 0.0);
}

#[test]
fn without_a_limit_poison_is_delivered_again_and_again() {
    let text = file("rabbitmq", "poison = '1/500'", "", "BatchSize = 1", "");
    let endless = run(&text);
    assert_eq!(endless.dead_lettered.value, 0.0);
    // One poison message at the head of the queue is enough to keep its only consumer for good.
    assert!(endless.backlog.end.value > 1_000.0);
    let limited = file(
        "rabbitmq",
        "poison = '1/500'",
        "delivery_limit = 3",
        "BatchSize = 1",
        "",
    );
    let limited = run(&limited);
    let dead = limited.dead_lettered.value;
    assert!(dead > 0.0 && limited.backlog.end.value == 0.0);
    assert_eq!(limited.redelivered.value, 3.0 * dead);
    assert_eq!(limited.failed_invoke_event_count.value, 4.0 * dead);
}

#[test]
fn lost_connections_lose_nothing() {
    let outage = "[[fault]]\nat = '60s'\nfor = '5s'\nwhat = { connections_lost = { source = 'q' } }\n\
                  [[fault]]\nat = '90s'\nfor = '3ms'\nwhat = { connections_lost = { source = 'q' } }";
    for mapping in [
        "BatchSize = 500\nMaximumBatchingWindowInSeconds = 20",
        "consumers = 3",
        "BatchSize = 7",
    ] {
        let summary = run(&file("rabbitmq", "", "", mapping, outage));
        assert_eq!(summary.deleted_event_count, summary.incoming_records);
        assert!(summary.failed_invoke_event_count.value == 0.0);
        assert_eq!(summary.backlog.end.value, 0.0);
    }
    // A window is never empty: whatever it had gathered came again.
    let gathering = "BatchSize = 500\nMaximumBatchingWindowInSeconds = 20";
    let summary = run(&file("rabbitmq", "", "", gathering, outage));
    assert!(
        summary.redelivered.value > 20.0,
        "{:?}",
        summary.redelivered
    );
}

#[test]
fn a_mapping_that_is_disabled_gives_back_what_it_gathered() {
    let events = "[[event]]\nat = '30s'\nwhat = { disable = 'm' }\n\
                  [[event]]\nat = '60s'\nwhat = { enable = 'm' }";
    let gathering = "BatchSize = 5000\nMaximumBatchingWindowInSeconds = 50";
    let summary = run(&file("rabbitmq", "", "", gathering, events));
    assert!(
        summary.redelivered.value > 300.0,
        "{:?}",
        summary.redelivered
    );
    assert_eq!(summary.deleted_event_count, summary.incoming_records);
}

#[test]
fn filters_and_sizes_are_acknowledged_without_an_invocation() {
    let filters =
        "FilterCriteria = { Filters = [{ Pattern = '{\"data\":{\"a\":[1]}}' }] }\nmatching = '25%'";
    let summary = run(&file("rabbitmq", "", "", filters, ""));
    assert_eq!(summary.deleted_event_count, summary.incoming_records);
    let sent = summary.invoked_event_count.value + summary.filtered_out_event_count.value;
    assert_eq!(sent, summary.incoming_records.value);
    let text = file("activemq", "", "", "BatchSize = 10", "");
    let huge = text.replace(
        "arrivals = 'poisson'",
        "arrivals = 'poisson'\nrecord = { size = { uniform = { min = '1MiB', max = '5MiB' } } }",
    );
    // Base64 makes 6 MiB of four and a half.
    let summary = run(&huge);
    let share = summary.oversized_record_count.value / summary.incoming_records.value;
    assert!((0.09..0.16).contains(&share), "{share}");
    assert_eq!(summary.deleted_event_count, summary.incoming_records);
}

#[test]
fn wrong_keys_of_brokers_are_explained() {
    let rabbitmq = |source, mapping, rest| told(&file("rabbitmq", "", source, mapping, rest));
    let activemq = |source, mapping, rest| told(&file("activemq", "", source, mapping, rest));
    for (text, words) in [
        (
            rabbitmq("delivery_limit = -2", "", ""),
            ["out-of-range", "-1 to 1000"],
        ),
        (
            rabbitmq("maximum_redeliveries = 6", "", ""),
            ["unknown-key", "maximum_redeliveries"],
        ),
        (
            activemq("delivery_limit = 6", "", ""),
            ["unknown-key", "delivery_limit"],
        ),
        (
            rabbitmq("", "consumers = 101", ""),
            ["out-of-range", "1 to 100"],
        ),
        (
            activemq("", "consumers = 6", ""),
            ["out-of-range", "1 to 5"],
        ),
        (
            told(&file("sqs", "", "", "consumers = 2", "")),
            ["unknown-key", "consumers"],
        ),
        (
            rabbitmq("", "Queues = ['a', 'b']", ""),
            ["esm-queues", "found 2 names"],
        ),
        (
            rabbitmq(
                "",
                "",
                "[[fault]]\nat = '1m'\nfor = '1m'\nwhat = { source_throttled = { source = 'q', rate = '50%' } }",
            ),
            ["fault-impossible", "connections_lost"],
        ),
        (
            told(&file(
                "sqs",
                "",
                "",
                "",
                "[[fault]]\nat = '1m'\nfor = '1m'\nwhat = { connections_lost = { source = 'q' } }",
            )),
            ["unknown-name", "q"],
        ),
    ] {
        for word in words {
            assert!(text.contains(word), "{word} is not in:\n{text}");
        }
    }
}
