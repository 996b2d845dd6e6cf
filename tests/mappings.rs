//! Mappings of the simulator: what functions report, what destinations refuse, what somebody does to them meanwhile, and
//! what the figures then say.

use tidegate::engine::{Fact, Outcome};
use tidegate::metrics::MappingSummary;
use tidegate::scenario::{Scenario, SourceText, parse};
use tidegate::sim;

/// The last record of the ten seconds would come when they are over.
const WRITTEN: f64 = 999.0;

/// One shard with a record every 10 ms for ten seconds, and a mapping `m` with `keys`.
fn stream(function: &str, keys: &str, more: &str) -> Scenario {
    let text = format!(
        "duration = '60s'\nseed = 2\n[[function]]\nname = 'f'\nduration = '10ms'\ninit = '0s'\n{function}\n\
         [[source]]\nname = 's'\ntype = 'kinesis'\nlatency = '0s'\n\
         [[source.producer]]\narrivals = 'constant'\nrate = [{{ at = '0s', rps = 100 }}, {{ at = '10s', rps = 0 }}]\n\
         [[mapping]]\nname = 'm'\nEventSource = 's'\nFunctionName = 'f'\nStartingPosition = 'TRIM_HORIZON'\n{keys}\n{more}"
    );
    let loaded = parse(SourceText::new("scenario.toml", &text));
    let loaded = loaded.unwrap_or_else(|report| panic!("{report}\n{text}"));
    loaded.scenario
}

fn summary(scenario: &Scenario) -> MappingSummary {
    let outcome = sim::run(scenario, 2, &mut ()).expect("sound limits");
    outcome.summary.mappings[0].1.clone()
}

/// Milliseconds and outcomes of the invocations that ended.
fn outcomes(scenario: &Scenario) -> Vec<(u64, u32, Outcome)> {
    let facts = sim::trace(scenario, 2).expect("sound limits");
    let ended = facts.iter().filter_map(|traced| match traced.fact {
        Fact::InvokeEnded {
            records, outcome, ..
        } => Some((traced.at.as_nanos() / 1_000_000, records, outcome)),
        _ => None,
    });
    ended.collect()
}

const REPORTS: &str = "FunctionResponseTypes = ['ReportBatchItemFailures']";

const DESTINATION: &str = "DestinationConfig = { OnFailure = { Destination = 'arn:aws:sqs:us-east-1:123456789012:failed' } }";

#[test]
fn a_function_that_reports_makes_progress_up_to_its_first_poison_record() {
    let poison = "poison = '1/100'";
    let without = outcomes(&stream(poison, "MaximumRetryAttempts = 1", ""));
    let reporting = format!("MaximumRetryAttempts = 1\n{REPORTS}");
    let scenario = stream(poison, &reporting, "");
    let with = outcomes(&scenario);
    let (_, size, outcome) = with
        .iter()
        .find(|(.., outcome)| *outcome != Outcome::Success)
        .expect("a poison record");
    let Outcome::Partial { first_failed } = *outcome else {
        panic!("{outcome:?} instead of a report");
    };
    assert!(first_failed < *size);
    // The same batch fails as a whole where nothing is reported.
    let failed = without.iter().position(|(.., o)| *o != Outcome::Success);
    let reported = with.iter().position(|(.., o)| *o != Outcome::Success);
    assert_eq!(failed, reported);
    let failed = failed.expect("a poison record");
    assert_eq!(
        without[failed],
        (with[failed].0, *size, Outcome::FunctionError)
    );
    let figures = summary(&scenario);
    assert_eq!(
        figures.record_latency.max.value > 0.0,
        first_failed > 0 || failed > 0
    );
    assert_eq!(
        figures.succeeded_event_count.value + figures.dropped_event_count.value,
        figures.polled_event_count.value
    );
    assert_eq!(figures.in_hand.end.value, 0.0);
}

#[test]
fn errors_of_the_whole_function_are_not_reported() {
    let scenario = stream("error_rate = '100%'\npoison = '100%'", REPORTS, "");
    assert!(
        outcomes(&scenario)
            .iter()
            .all(|(.., outcome)| *outcome == Outcome::FunctionError)
    );
    let scenario = stream("timeout = '5ms'\npoison = '100%'", REPORTS, "");
    assert!(
        outcomes(&scenario)
            .iter()
            .all(|(.., outcome)| *outcome == Outcome::FunctionError)
    );
}

#[test]
fn a_report_is_no_error_of_the_function() {
    let scenario = stream(
        "poison = '100%'",
        &format!("MaximumRetryAttempts = 0\n{REPORTS}"),
        "",
    );
    let outcome = sim::run(&scenario, 2, &mut ()).expect("sound limits");
    let function = &outcome.summary.functions[0].1;
    assert!(function.invocations.value > 0.0);
    assert_eq!(function.errors.value, 0.0);
    let mapping = &outcome.summary.mappings[0].1;
    assert_eq!(
        mapping.failed_invoke_event_count.value,
        mapping.invoked_event_count.value
    );
    // A valid report is OK even if it names every record.
    assert_eq!(mapping.last_processing_result.as_deref(), Some("OK"));
}

#[test]
fn what_is_given_up_is_dropped_delivered_or_refused() {
    let hopeless = "error_rate = '100%'";
    let figures = |keys: &str, more: &str| {
        let one = summary(&stream(
            hopeless,
            &format!("MaximumRetryAttempts = 0\n{keys}"),
            more,
        ));
        assert_eq!(one.succeeded_event_count.value, 0.0);
        let problem = if more.is_empty() {
            "PROBLEM: Function call failed"
        } else {
            "PROBLEM: not authorized to call the event source or the destination"
        };
        assert_eq!(one.last_processing_result.as_deref(), Some(problem));
        (
            one.dropped_event_count.value,
            one.on_failure_destination_delivered_event_count.value,
            one.destination_delivery_failures.value,
        )
    };
    assert_eq!(figures("", ""), (WRITTEN, 0.0, 0.0));
    assert_eq!(figures(DESTINATION, ""), (0.0, WRITTEN, 0.0));
    let refuses = "[[fault]]\nat = '0s'\nfor = '60s'\nwhat = { destination_refuses = { mapping = 'm', rate = '100%' } }";
    let (dropped, delivered, refused) = figures(DESTINATION, refuses);
    assert_eq!(delivered, 0.0);
    assert!(
        refused > 0.0 && dropped >= refused,
        "{refused} for {dropped} records"
    );
}

#[test]
fn a_fault_of_a_destination_ends() {
    let fault = "[[fault]]\nat = '0s'\nfor = '3s'\nwhat = { destination_refuses = { mapping = 'm', rate = '100%' } }";
    let keys = format!("MaximumRetryAttempts = 0\n{DESTINATION}");
    let one = summary(&stream("error_rate = '100%'", &keys, fault));
    assert!(one.on_failure_destination_delivered_event_count.value > 0.0);
    assert_eq!(
        one.on_failure_destination_delivered_event_count.value + one.dropped_event_count.value,
        WRITTEN
    );
}

#[test]
fn a_disabled_mapping_invokes_nothing_and_keeps_its_place() {
    let events = "[[event]]\nat = '3s'\nwhat = { disable = 'm' }\n[[event]]\nat = '8s'\nwhat = { enable = 'm' }";
    let scenario = stream("", "", events);
    let ended = outcomes(&scenario);
    let meanwhile = |(at, ..): &&(u64, u32, Outcome)| (3_500..8_000).contains(at);
    assert_eq!(ended.iter().find(meanwhile), None);
    assert!(ended.iter().any(|(at, ..)| *at < 3_000));
    let one = summary(&scenario);
    assert_eq!(one.succeeded_event_count.value, WRITTEN);
    assert_eq!(one.invoked_event_count.value, WRITTEN);
    let series = sim::run(&scenario, 2, &mut ())
        .expect("sound limits")
        .series;
    let named: Vec<_> = series
        .events
        .iter()
        .map(|(name, ..)| name.as_str())
        .collect();
    assert_eq!(named, ["m disabled"]);
}

#[test]
fn a_mapping_that_begins_disabled_reads_nothing_before_it_is_enabled() {
    let enabled = "[[event]]\nat = '5s'\nwhat = { enable = 'm' }";
    let scenario = stream("", "Enabled = false\nBatchSize = 50", enabled);
    let facts = sim::trace(&scenario, 2).expect("sound limits");
    let first = facts.first().expect("something happens");
    assert_eq!(first.at.as_nanos(), 5_000_000_000);
    assert_eq!(summary(&scenario).succeeded_event_count.value, WRITTEN);
    // LATEST then means the moment at which it is enabled.
    let text = stream("", "Enabled = false\nBatchSize = 50", enabled);
    let mut latest = text;
    latest.mappings[0].config.starting_position = tidegate::engine::Position::Latest;
    let read = summary(&latest).polled_event_count.value;
    assert!((495.0..=505.0).contains(&read), "{read}");
}

#[test]
fn a_disabled_mapping_that_nobody_enables_is_left_out() {
    let scenario = stream(
        "",
        "Enabled = false",
        "[[event]]\nat = '5s'\nwhat = { disable = 'm' }",
    );
    assert!(scenario.mappings.is_empty() && scenario.events.is_empty());
}

#[test]
fn updates_build_upon_each_other() {
    let events = "[[event]]\nat = '6s'\nwhat = { update = { mapping = 'm', MaximumBatchingWindowInSeconds = 2 } }\n\
                  [[event]]\nat = '3s'\nwhat = { update = { mapping = 'm', BatchSize = 7 } }";
    let scenario = stream("", "BatchSize = 20", events);
    let sizes = |from: u64, to: u64| {
        let all = outcomes(&scenario);
        let within = all.into_iter().filter(|(at, ..)| (from..to).contains(at));
        within.map(|(_, records, _)| records).max()
    };
    assert_eq!(sizes(0, 3_000), Some(20));
    assert_eq!(sizes(4_000, 60_000), Some(7));
    let series = sim::run(&scenario, 2, &mut ())
        .expect("sound limits")
        .series;
    let named: Vec<_> = series
        .events
        .iter()
        .map(|(name, ..)| name.as_str())
        .collect();
    assert_eq!(
        named,
        ["m: BatchSize 7", "m: MaximumBatchingWindowInSeconds 2"]
    );
}

#[test]
fn queues_are_disabled_and_enabled_too_and_have_no_last_result() {
    let text = "duration = '60s'\n[[function]]\nname = 'f'\nduration = '10ms'\n[[source]]\nname = 'q'\ntype = 'sqs'\n\
                [[source.producer]]\nrate = 50\n[[mapping]]\nname = 'm'\nEventSource = 'q'\nFunctionName = 'f'\n\
                [[event]]\nat = '10s'\nwhat = { disable = 'm' }\n[[event]]\nat = '40s'\nwhat = { enable = 'm' }";
    let scenario = parse(SourceText::new("s.toml", text))
        .expect("a scenario")
        .scenario;
    let outcome = sim::run(&scenario, 2, &mut ()).expect("sound limits");
    assert_eq!(outcome.summary.mappings[0].1.last_processing_result, None);
    let rows = &outcome.series.mappings[0].rows;
    let invoked =
        |from: usize, to: usize| rows[from..to].iter().map(|row| row.invoked).sum::<u64>();
    // Receives that were under way may still bring something.
    assert_eq!(invoked(32, 40), 0);
    assert!(invoked(0, 10) > 0 && invoked(40, 60) > 0);
    assert!(rows[39].backlog > 500, "{}", rows[39].backlog);
}

/// A queue's function reports single messages, not the first of a run: the others are deleted wherever they stand.
#[test]
fn messages_that_are_not_reported_succeed_at_once() {
    let text = format!(
        "duration = '10m'\nseed = 2\n[[function]]\nname = 'f'\nduration = '300ms'\npoison = '1/20'\n\
         [[source]]\nname = 's'\ntype = 'sqs'\nvisibility_timeout = '30s'\nmax_receive_count = 3\n\
         [[source.producer]]\nrate = [{{ at = '0s', rps = 400 }}, {{ at = '10s', rps = 0 }}]\n\
         [[mapping]]\nname = 'm'\nEventSource = 's'\nFunctionName = 'f'\n{REPORTS}"
    );
    let loaded = parse(SourceText::new("scenario.toml", &text));
    let scenario = loaded.unwrap_or_else(|report| panic!("{report}")).scenario;
    let found = summary(&scenario);
    let (incoming, dead) = (found.incoming_records.value, found.dead_lettered.value);
    assert!(dead > 20.0, "{found:?}");
    assert_eq!(found.succeeded_event_count.value, incoming - dead);
    assert_eq!(found.deleted_event_count.value, incoming - dead);
    // Three receives of each poison message, one of every other.
    assert_eq!(found.polled_event_count.value, incoming + 2.0 * dead);
}

#[test]
fn fifo_function_stops_at_failure() {
    let text = format!(
        "duration = '60s'\nseed = 2\n[[function]]\nname = 'f'\nduration = '10ms'\npoison = '5%'\n\
         [[source]]\nname = 's'\ntype = 'sqs-fifo'\nmax_receive_count = 2\n\
         [[source.producer]]\nrate = 200\nrecord = {{ keys = {{ zipf = {{ n = 20, s = 0.0 }} }} }}\n\
         [[mapping]]\nname = 'm'\nEventSource = 's'\nFunctionName = 'f'\n{REPORTS}\n\
         ScalingConfig = {{ MaximumConcurrency = 2 }}"
    );
    let loaded = parse(SourceText::new("scenario.toml", &text));
    let scenario = loaded.unwrap_or_else(|report| panic!("{report}")).scenario;
    let facts = sim::trace(&scenario, 2).expect("sound limits");
    let reports = facts.iter().filter_map(|traced| match traced.fact {
        Fact::InvokeEnded {
            records,
            succeeded,
            outcome: Outcome::Partial { first_failed },
            ..
        } => Some((records, succeeded, first_failed)),
        _ => None,
    });
    let mut inside = 0;
    for (records, succeeded, first_failed) in reports {
        assert_eq!(succeeded, first_failed, "nothing after the first failure");
        inside += u32::from(first_failed + 1 < records);
    }
    assert!(
        inside > 10,
        "{inside} reports have something to leave undone"
    );
}
