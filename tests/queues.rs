//! Queues in virtual time, from a scenario file to the report.

use tidegate::metrics::{MappingSummary, metric_names};
use tidegate::scenario::{Scenario, SourceText, parse};
use tidegate::{report, sim};

/// A queue whose messages are moved away after two receives, with a function and a mapping.
fn scenario(function: &str, source: &str, mapping: &str, rest: &str) -> Scenario {
    let text = format!(
        "title = 't'\nduration = '5m'\n[[function]]\nname = 'f'\nduration = '100ms'\ntimeout = '1s'\n{function}\n\
         [[source]]\nname = 'q'\ntype = 'sqs'\nvisibility_timeout = '30s'\nmax_receive_count = 2\n{source}\n\
         [[mapping]]\nname = 'm'\nEventSource = 'q'\nFunctionName = 'f'\n{mapping}\n{rest}\n"
    );
    let parsed = parse(SourceText::new("test.toml", &text));
    parsed.unwrap_or_else(|report| panic!("{report}")).scenario
}

const TEN_A_SECOND: &str = "[[source.producer]]\nrate = 10";

fn outcome(scenario: &Scenario) -> sim::Outcome {
    sim::run(scenario, 1, &mut ()).expect("sound limits")
}

/// What became of the dead letters, all of which have the reason `of`.
fn all_for(scenario: &Scenario, of: fn(&MappingSummary) -> f64) -> f64 {
    let outcome = outcome(scenario);
    let summary = &outcome.summary.mappings[0].1;
    let dead = summary.dead_lettered.value;
    assert!(dead > 0.0);
    assert_eq!(of(summary), dead, "{:?}", summary.dead_letter_reasons);
    let rows = outcome.series.mappings[0].rows.iter();
    assert_eq!(
        rows.map(|row| row.dead_letters.all()).sum::<u64>() as f64,
        dead
    );
    dead
}

#[test]
fn dead_letters_say_what_brought_them_back() {
    let failing = scenario("error_rate = '100%'", TEN_A_SECOND, "", "");
    all_for(&failing, |it| it.dead_letter_reasons.function_error.value);

    let reports = "FunctionResponseTypes = ['ReportBatchItemFailures']";
    let poison = scenario("poison = '1/10'", TEN_A_SECOND, reports, "");
    let dead = all_for(&poison, |it| it.dead_letter_reasons.reported.value);
    // A tenth of the 2,400 whose second minute is over.
    assert!((200.0..280.0).contains(&dead), "{dead}");

    let refused = scenario("reserved_concurrency = 0", TEN_A_SECOND, "", "");
    all_for(&refused, |it| it.dead_letter_reasons.throttled.value);

    let fault = "[[fault]]\nat = '0s'\nfor = '5m'\nwhat = { deletions_fail = { source = 'q', rate = '100%' } }";
    let kept = scenario("", TEN_A_SECOND, "", fault);
    all_for(&kept, |it| it.dead_letter_reasons.delete_failed.value);

    let window = "BatchSize = 1000\nMaximumBatchingWindowInSeconds = 60";
    let slow = scenario("", TEN_A_SECOND, window, "");
    all_for(&slow, |it| {
        it.dead_letter_reasons.visibility_too_short.value
    });
}

#[test]
fn a_message_takes_its_way_to_a_receive_that_waits() {
    let latency = |source: &str| {
        let quiet = format!("{source}\n[[source.producer]]\nrate = 1");
        let run = outcome(&scenario("init = '0s'", &quiet, "", ""));
        run.summary.mappings[0].1.record_latency
    };
    let at_once = latency("");
    assert_eq!(at_once.p50.value.round(), 100.0);
    let later = latency("delivery = '40ms'");
    // Histograms are exact to 0.4 %.
    assert!((later.p50.value - 140.0).abs() < 1.0, "{later:?}");
    // Five pollers wait again 100 ms after they received: nothing is found at once.
    let receives = latency("delivery = '40ms'\nlatency = '5s'");
    assert!((receives.p50.value - 140.0).abs() < 1.0, "{receives:?}");
}

#[test]
fn what_arrives_while_a_message_is_on_its_way_goes_with_it() {
    let batches = |source: &str| {
        let busy = format!("{source}\n[[source.producer]]\narrivals = 'constant'\nrate = 20");
        let run = outcome(&scenario("init = '0s'", &busy, "", ""));
        let mapping = &run.summary.mappings[0].1;
        assert!(mapping.succeeded_event_count.value >= 5_990.0);
        mapping.batch_records.p50.value
    };
    assert_eq!(batches(""), 1.0);
    // A message every 50 ms. Receives that begin meanwhile find what is there, so that it is not always six.
    let together = batches("delivery = '260ms'");
    assert!((2.0..=6.0).contains(&together), "{together}");
}

#[test]
fn the_report_names_the_reasons() {
    let failing = scenario("error_rate = '100%'", TEN_A_SECOND, "", "");
    let outcome = outcome(&failing);
    let dead = outcome.summary.mappings[0].1.dead_lettered.value;
    let options = report::TextOptions::default();
    let text = report::text(&outcome.summary, &outcome.series, options);
    let rows = text
        .split("Dead-lettered by reason")
        .nth(1)
        .expect("the table");
    let row = rows.lines().nth(2).expect("a row");
    let words: Vec<&str> = row.split_whitespace().collect();
    let count = words[words.len() - 2].replace(',', "");
    assert_eq!(count, dead.to_string());
    assert!(row.starts_with("m ") && row.contains("the function failed") && row.ends_with("100%"));
    let page = report::html(&outcome.summary, &outcome.series);
    for text in [
        "Dead-lettered by reason",
        "Messages in flight",
        "Age of the oldest message",
    ] {
        assert!(page.contains(text), "{text}");
    }
}

#[test]
fn the_limit_of_messages_in_flight_shows() {
    // 2,500 messages a second fail and stay hidden for two minutes.
    let source = "visibility_timeout = '2m'\n[[source.producer]]\nrate = 2500";
    let text = format!(
        "title = 't'\nduration = '3m'\n[[function]]\nname = 'f'\nduration = '10ms'\ntimeout = '1s'\nerror_rate = '100%'\n\
         [[source]]\nname = 'q'\ntype = 'sqs'\n{source}\n[[mapping]]\nname = 'm'\nEventSource = 'q'\nFunctionName = 'f'\n"
    );
    let parsed = parse(SourceText::new("test.toml", &text));
    let scenario = parsed.unwrap_or_else(|report| panic!("{report}")).scenario;
    let outcome = outcome(&scenario);
    let summary = &outcome.summary.mappings[0].1;
    assert_eq!(
        summary.approximate_number_of_messages_not_visible.max.value,
        120_000.0
    );
    assert!(summary.over_limit_receives.value > 0.0);
    assert!(summary.empty_reads.value > 0.0, "who waits gets nothing");
    let options = report::TextOptions::default();
    let text = report::text(&outcome.summary, &outcome.series, options);
    assert!(
        text.contains("found as many messages in flight as the queue allows"),
        "{text}"
    );
    let page = report::html(&outcome.summary, &outcome.series);
    assert!(page.contains("the queue&#39;s limit") || page.contains("the queue's limit"));
}

#[test]
fn calls_are_counted_for_what_they_cost() {
    // 24 messages within a second, gathered by two pollers, which wait in vain for the rest of the time.
    let source = "[[source.producer]]\narrivals = 'constant'\nrate = [ { at = '0s', rps = 25 }, { at = '1s', rps = 0 } ]";
    let mapping = "BatchSize = 25\nMaximumBatchingWindowInSeconds = 2\nScalingConfig = { MaximumConcurrency = 2 }";
    let outcome = outcome(&scenario("", source, mapping, ""));
    let summary = &outcome.summary.mappings[0].1;
    assert_eq!(summary.incoming_records.value, 24.0);
    assert_eq!(summary.deleted_event_count.value, 24.0);
    // Each batch is deleted by calls of ten.
    let rows = &outcome.series.mappings[0].rows;
    let calls: u64 = rows.iter().map(|row| row.delete_calls).sum();
    assert_eq!(summary.delete_calls.value, calls as f64);
    assert!((3..=4).contains(&calls), "{calls}");
    // Two pollers that wait for 20 s each time: 30 receives in five minutes, and those that brought something.
    let (reads, empty) = (summary.reads.value, summary.empty_reads.value);
    assert!((26.0..=32.0).contains(&empty), "{empty}");
    let full = rows
        .iter()
        .map(|row| row.reads - row.empty_reads)
        .sum::<u64>();
    assert_eq!(reads - empty, full as f64);
}

#[test]
fn every_figure_of_the_summary_can_be_a_gate() {
    let names = metric_names(["f"], ["m"]);
    let mut gates = String::new();
    for (name, statistics) in &names {
        for statistic in *statistics {
            gates +=
                &format!("[[gate]]\nmetric = '{name}'\nstatistic = '{statistic}'\nmax = 1e9\n");
        }
    }
    let scenario = scenario("", TEN_A_SECOND, "", &gates);
    let statistics: usize = names.iter().map(|(_, statistics)| statistics.len()).sum();
    assert_eq!(scenario.gates.len(), statistics);
}
