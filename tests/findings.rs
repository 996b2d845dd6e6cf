//! What reports say about runs: each finding where it belongs, not where it does not, and with the numbers of the tables.

use std::num::NonZeroU32;
use std::path::Path;
use tidegate::metrics::{Finding, Summary};
use tidegate::scenario::{Change, Scenario, SourceText, parse, parse_changed};
use tidegate::sim;
use tidegate::study::{self, Measure};

fn example(name: &str) -> SourceText {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("scenarios/{name}.toml"));
    let text = std::fs::read_to_string(&path).expect("an example");
    SourceText::new(path, text)
}

fn simulated(scenario: &Scenario) -> Summary {
    let run = sim::run(scenario, scenario.seed, &mut ()).expect("sound limits");
    study::summarise(scenario, std::slice::from_ref(&run))
}

fn summary(source: &SourceText) -> Summary {
    let loaded = parse(source.clone()).unwrap_or_else(|report| panic!("{report}"));
    simulated(&loaded.scenario)
}

fn changed(source: &SourceText, changes: &[(&str, &str)]) -> Summary {
    let change = |(path, value): &(&str, &str)| Change {
        path: (*path).to_owned(),
        value: (*value).to_owned(),
    };
    let changes: Vec<Change> = changes.iter().map(change).collect();
    let loaded =
        parse_changed(source.clone(), &changes).unwrap_or_else(|report| panic!("{report}"));
    simulated(&loaded.scenario)
}

/// The codes that are said of a subject, without what the bill says.
fn codes<'a>(summary: &'a Summary, subject: &str) -> Vec<&'a str> {
    let of = summary.findings.iter().filter(|one| one.subject == subject);
    of.map(|one| one.code.as_ref())
        .filter(|code| *code != "cost-dominated")
        .collect()
}

fn the<'a>(summary: &'a Summary, subject: &str, code: &str) -> &'a Finding {
    let found = summary
        .findings
        .iter()
        .find(|one| one.subject == subject && one.code == code);
    found.unwrap_or_else(|| panic!("no {code} of {subject}: {:#?}", summary.findings))
}

/// A file of one function `f` with callers, and what else is written.
fn called(function: &str, traffic: &str, rest: &str) -> SourceText {
    let text = format!(
        "duration = '5m'\nseed = 7\n{rest}\n[[function]]\nname = 'f'\n{function}\n[[traffic]]\nfunction = 'f'\n{traffic}\n"
    );
    SourceText::new("called.toml", text)
}

/// A file of one function `f` behind a mapping `m` of a source `s`.
fn mapped(function: &str, source: &str, producer: &str, mapping: &str) -> SourceText {
    let text = format!(
        "duration = '5m'\nseed = 7\n[[function]]\nname = 'f'\ntimeout = '20s'\n{function}\n[[source]]\nname = 's'\n{source}\n\
         [[source.producer]]\n{producer}\n[[mapping]]\nname = 'm'\nEventSource = 's'\nFunctionName = 'f'\n{mapping}\n"
    );
    SourceText::new("mapped.toml", text)
}

/// The finding is there, and gone with the changes.
fn only_without(source: &SourceText, subject: &str, code: &str, cure: &[(&str, &str)]) {
    let ill = summary(source);
    the(&ill, subject, code);
    let well = changed(source, cure);
    assert!(
        !codes(&well, subject).contains(&code),
        "{:#?}",
        well.findings
    );
}

#[test]
fn examples_say_what_they_are_there_to_show() {
    let expected: &[(&str, &str, &[&str])] = &[
        ("starvation", "victim", &["starved"]),
        ("starvation", "guarded", &[]),
        (
            "starvation",
            "import",
            &["throttled-by-account", "cold-starts"],
        ),
        ("retry-storm", "eager", &["retry-storm"]),
        (
            "retry-storm",
            "patient",
            &["throttled-by-reservation", "tail-of-retries"],
        ),
        ("retry-storm", "capped", &["throttled-by-reservation"]),
        (
            "visibility-too-short",
            "short-mapping",
            &["dead-letters", "done-twice"],
        ),
        ("visibility-too-short", "long-mapping", &[]),
        ("throttled-queue", "plain", &["throttled-by-reservation"]),
        (
            "throttled-queue",
            "plain-mapping",
            &["dead-letters", "function-full"],
        ),
        ("throttled-queue", "capped", &[]),
        (
            "throttled-queue",
            "capped-mapping",
            &["maximum-concurrency-full"],
        ),
        ("hot-shard", "plays-to-score", &["hot-shard"]),
        ("fifo-hot-group", "customers", &["hot-group"]),
        ("fifo-hot-group", "orders", &[]),
        ("kafka-lag-spike", "lucky-to-bill", &["consumers-late"]),
        ("kafka-lag-spike", "unlucky-to-bill", &["consumers-late"]),
        ("autoscaling", "tracked", &["autoscaling-too-slow"]),
        ("autoscaling", "scheduled", &[]),
        ("canary", "checkout", &["provisioned-too-small"]),
        ("clicks-stream", "clicks", &["failures-hold-up"]),
        ("kafka-poison", "for-ever", &["failures-hold-up"]),
        ("kafka-poison", "give-up", &["records-dropped"]),
        ("poison-record", "plain", &["records-diverted"]),
        ("orders-queue", "orders-to-fulfil", &["dead-letters"]),
        ("resharding", "readings", &["lanes-full"]),
        ("filters", "events-to-charge", &["filters-leave-most-out"]),
        ("burst-2021", "login", &["throttled-by-growth"]),
        ("burst-current", "thumbnails", &["throttled-by-growth"]),
        ("async-retries", "mail", &["events-retries-exhausted"]),
        ("async-retries", "mail-90s", &["events-too-old"]),
        (
            "managed-instances",
            "sudden",
            &["throttled-by-environments"],
        ),
        ("steady", "hello", &[]),
    ];
    let mut last: Option<(&str, Summary)> = None;
    for (name, subject, wanted) in expected {
        if last.as_ref().is_none_or(|(known, _)| known != name) {
            last = Some((name, summary(&example(name))));
        }
        let (_, summary) = last.as_ref().expect("it was just made");
        assert_eq!(
            &codes(summary, subject),
            wanted,
            "{name}: {:#?}",
            summary.findings
        );
    }
}

#[test]
fn where_nothing_is_wrong_nothing_is_said() {
    for name in ["steady", "disable-enable"] {
        let summary = summary(&example(name));
        assert_eq!(summary.findings, [], "{name}");
    }
}

#[test]
fn sentences_have_the_numbers_of_the_tables() {
    let starved = summary(&example("starvation"));
    let victim = &starved
        .functions
        .iter()
        .find(|(name, _)| name == "victim")
        .expect("it")
        .1;
    let sentence = &the(&starved, "victim", "starved").sentence;
    let (refused, ran) = (victim.throttles.value, victim.invocations.value);
    let grouped = |value: f64| {
        let digits = format!("{value}");
        let (thousands, rest) = digits.split_at(digits.len() - 3);
        format!("{thousands},{rest}")
    };
    let begin = format!(
        "{} of {} requests ({:.1}%)",
        grouped(refused),
        grouped(refused + ran),
        100.0 * refused / (refused + ran)
    );
    assert!(
        sentence.starts_with(&begin),
        "{sentence} does not begin with {begin}"
    );

    let queue = summary(&example("throttled-queue"));
    let (_, mapping) = &queue.mappings[0];
    let sentence = &the(&queue, "plain-mapping", "dead-letters").sentence;
    let begin = format!(
        "{} of {} messages",
        grouped(mapping.dead_lettered.value),
        grouped(mapping.incoming_records.value)
    );
    assert!(sentence.starts_with(&begin), "{sentence}");
    assert!(
        the(&queue, "plain", "throttled-by-reservation")
            .sentence
            .contains("all 20 units")
    );
}

#[test]
fn demand_is_rate_times_time() {
    // 50 a second of 2 s each are 100 at once, where 40 may run.
    let source = called(
        "duration = '2s'\ninit = '0s'\nreserved_concurrency = 40",
        "rate = 50\narrivals = 'constant'",
        "",
    );
    let summary = summary(&source);
    let found = the(&summary, "f", "throttled-by-reservation");
    assert!(
        found
            .sentence
            .contains("50 requests/s at the peak × 2.00 s each is 100 busy"),
        "{}",
        found.sentence
    );
    assert_eq!(
        (
            found.changes[0].path.as_str(),
            found.changes[0].value.as_str()
        ),
        ("function.f.reserved_concurrency", "130")
    );
    let enough = changed(&source, &[("function.f.reserved_concurrency", "130")]);
    assert_eq!(codes(&enough, "f"), [""; 0]);
}

#[test]
fn every_setting_that_a_finding_names_can_be_set() {
    let mut tried = 0;
    for path in super::scenarios::all() {
        let text = std::fs::read_to_string(&path).expect("an example");
        let source = SourceText::new(&path, text);
        let loaded = parse(source.clone()).unwrap_or_else(|report| panic!("{report}"));
        for finding in &simulated(&loaded.scenario).findings {
            Measure::parse(&finding.measure, &loaded.scenario)
                .unwrap_or_else(|error| panic!("{error}"));
            assert!(
                finding.sentence.ends_with('.') && !finding.sentence.contains("NaN"),
                "{}",
                finding.sentence
            );
            let changes: Vec<Change> = finding
                .changes
                .iter()
                .map(|one| Change {
                    path: one.path.clone(),
                    value: one.value.clone(),
                })
                .collect();
            tried += usize::from(!changes.is_empty());
            let Err(report) = parse_changed(source.clone(), &changes) else {
                continue;
            };
            // What AWS refuses may be suggested: the account decides, and --explain says so. A path or a value that no file may have may not.
            let codes: Vec<&str> = report.items().iter().map(|item| item.code).collect();
            let refusals = [
                "reserved-above-account",
                "provisioned-above-account",
                "provisioned-above-reserved",
            ];
            assert!(
                codes.iter().all(|code| refusals.contains(code)),
                "{}: {finding:#?}\n{report}",
                path.display()
            );
        }
    }
    assert!(tried > 20, "{tried}");
}

#[test]
fn limits_of_requests_have_names_of_their_own() {
    let short = called(
        "duration = '1ms'\ninit = '0s'\nreserved_concurrency = 5",
        "rate = 100",
        "",
    );
    only_without(
        &short,
        "f",
        "throttled-by-request-rate",
        &[("function.f.reserved_concurrency", "30")],
    );
    let caller = called(
        "duration = '10ms'",
        "rate = 100",
        "[region]\ncaller_requests_per_sec = 50",
    );
    only_without(
        &caller,
        "f",
        "throttled-by-caller-rate",
        &[("region.caller_requests_per_sec", "500")],
    );
    let account = called(
        "duration = '1s'",
        "rate = 100",
        "[region]\naccount_concurrency = 50",
    );
    only_without(
        &account,
        "f",
        "throttled-by-account",
        &[("region.account_concurrency", "500")],
    );
}

#[test]
fn cold_starts_have_a_cause() {
    let idle = called(
        "duration = '50ms'\ninit = '1s'\nkeep_alive = '10s'",
        "rate = '6/m'\narrivals = { trace = 'x' }",
        "",
    );
    // A call each 20 s, and environments that live for 10 s.
    let text = idle.text.replace(
        "rate = '6/m'\narrivals = { trace = 'x' }",
        "rate = '3/m'\narrivals = 'constant'",
    );
    let idle = SourceText::new("idle.toml", text);
    let cold = summary(&idle);
    let found = the(&cold, "f", "cold-starts");
    assert!(
        found.sentence.contains("went away after 10 s without work"),
        "{}",
        found.sentence
    );
    only_without(
        &idle,
        "f",
        "cold-starts",
        &[("function.f.keep_alive", "1m")],
    );
    let ramp = called("duration = '2s'\ninit = '2s'", "rate = 20", "");
    let found = summary(&ramp);
    let found = the(&found, "f", "cold-starts");
    assert!(found.sentence.contains("rose higher"), "{}", found.sentence);
}

#[test]
fn provisioned_concurrency_that_is_idle_or_refused() {
    let alias =
        "duration = '100ms'\n[[function.alias]]\nname = 'live'\nprovisioned_concurrency = 50";
    let text = called(alias, "rate = 20", "")
        .text
        .replace("function = 'f'", "function = 'f:live'");
    let idle = SourceText::new("idle.toml", text);
    only_without(
        &idle,
        "f",
        "provisioned-idle",
        &[("function.f.alias.live.provisioned_concurrency", "4")],
    );

    let scaled = "duration = '500ms'\nreserved_concurrency = 60\n[[function.alias]]\nname = 'live'\nprovisioned_concurrency = 40\n\
        [function.alias.autoscaling]\nmin = 1\nmax = 200\ntarget_utilization = 0.5";
    let text = called(scaled, "rate = 100", "")
        .text
        .replace("function = 'f'", "function = 'f:live'")
        .replace("'5m'", "'15m'");
    let scaled = SourceText::new("scaled.toml", text);
    only_without(
        &scaled,
        "f",
        "scaling-refused",
        &[("function.f.reserved_concurrency", "400")],
    );
}

#[test]
fn events_for_a_function_that_is_stopped() {
    let text = called(
        "duration = '100ms'\nreserved_concurrency = 0",
        "rate = 5\ninvocation = 'Event'",
        "",
    );
    only_without(
        &text,
        "f",
        "events-to-a-stopped-function",
        &[("function.f.reserved_concurrency", "50")],
    );
}

#[test]
fn a_queue_whose_mapping_may_not_scale_at_once() {
    let rush = mapped(
        "duration = '1s'",
        "type = 'sqs'\nvisibility_timeout = '2m'",
        "rate = [{ at = '0s', rps = 10 }, { at = '1m', rps = 900 }]",
        "BatchSize = 10",
    );
    only_without(
        &rush,
        "m",
        "poller-ramp",
        &[(
            "mapping.m.ProvisionedPollerConfig",
            "{ MinimumPollers = 20 }",
        )],
    );
}

#[test]
fn streams_that_are_too_slow_forget_and_refuse() {
    let slow = mapped(
        "duration = '2s'",
        "type = 'kinesis'\nshards = 2",
        "rate = 400",
        "StartingPosition = 'TRIM_HORIZON'\nBatchSize = 100",
    );
    only_without(
        &slow,
        "m",
        "lanes-full",
        &[("mapping.m.ParallelizationFactor", "10")],
    );
    let full = mapped(
        "duration = '20ms'",
        "type = 'kinesis'\nshards = 1",
        "rate = 1500",
        "StartingPosition = 'TRIM_HORIZON'\nBatchSize = 1000",
    );
    only_without(&full, "m", "writes-throttled", &[("source.s.shards", "4")]);
}

#[test]
fn batches_that_nobody_fills() {
    let few = mapped(
        "duration = '50ms'",
        "type = 'kinesis'\nshards = 8",
        "rate = 20",
        "StartingPosition = 'TRIM_HORIZON'\nBatchSize = 100",
    );
    only_without(
        &few,
        "m",
        "batches-hardly-filled",
        &[("mapping.m.MaximumBatchingWindowInSeconds", "5")],
    );
}

#[test]
fn topics_with_a_consumer_for_each_partition() {
    let few = mapped(
        "duration = '500ms'",
        "type = 'kafka'\npartitions = 2",
        "rate = 800",
        "StartingPosition = 'TRIM_HORIZON'\nBatchSize = 100\nProvisionedPollerConfig = { MinimumPollers = 2 }",
    );
    only_without(
        &few,
        "m",
        "partitions-full",
        &[
            ("source.s.partitions", "12"),
            ("mapping.m.ProvisionedPollerConfig.MinimumPollers", "12"),
        ],
    );
}

#[test]
fn records_that_their_source_forgets() {
    let slow = mapped(
        "duration = '2s'",
        "type = 'kinesis'\nshards = 2\nretention = '1m'",
        "rate = 400",
        "StartingPosition = 'TRIM_HORIZON'\nBatchSize = 100",
    );
    let lost = summary(&slow);
    let found = the(&lost, "m", "records-trimmed");
    assert!(
        found.sentence.contains("keeps them for 1 min"),
        "{}",
        found.sentence
    );
    let kept = changed(&slow, &[("source.s.retention", "5m")]);
    assert!(
        codes(&kept, "m").contains(&"near-retention"),
        "{:#?}",
        kept.findings
    );
    let long = changed(&slow, &[("source.s.retention", "24h")]);
    assert_eq!(codes(&long, "m"), ["lanes-full"]);
}

#[test]
fn brokers_have_a_fixed_number_of_consumers() {
    let drain = summary(&example("rabbitmq-drain"));
    let found = the(&drain, "batches-of-100", "consumers-full");
    assert!(
        found.sentence.contains("1 of the 1 consumers"),
        "{}",
        found.sentence
    );
}

#[test]
fn a_line_that_makes_up_the_bill_is_named() {
    let summary = summary(&example("starvation"));
    let found = the(&summary, "import", "cost-dominated");
    assert!(
        found
            .sentence
            .starts_with("Duration of import is 93.8% of the bill"),
        "{}",
        found.sentence
    );
    let total = summary.cost.total_usd_per_month.value;
    assert!(
        total > 4_000.0 && found.sentence.contains("of 4,352.21 USD a month"),
        "{total}: {}",
        found.sentence
    );
}

#[test]
fn many_subjects_are_counted_not_listed() {
    let text = called(
        "duration = '1s'\ncount = 20\nreserved_concurrency = 1",
        "rate = 400",
        "",
    );
    let found = summary(&text);
    let throttled: Vec<&Finding> = found
        .findings
        .iter()
        .filter(|one| one.code == "throttled-by-reservation")
        .collect();
    assert_eq!(throttled.len(), 5);
    assert!(
        throttled[4]
            .sentence
            .ends_with("The same was found of 15 more."),
        "{}",
        throttled[4].sentence
    );
}

#[test]
fn the_simulator_says_what_a_setting_would_do() {
    let source = example("throttled-queue");
    let scenario = parse(source.clone())
        .unwrap_or_else(|report| panic!("{report}"))
        .scenario;
    let run = |jobs: u32| {
        let jobs = NonZeroU32::new(jobs).expect("not zero");
        let two = NonZeroU32::new(2).expect("not zero");
        let runs =
            study::replicate(&scenario, scenario.seed, two, jobs, || ()).expect("sound limits");
        let mut summary = study::summarise(&scenario, &runs);
        study::explain(&source, &scenario, &mut summary, jobs, || ());
        summary
    };
    let (explained, again) = (run(1), run(3));
    assert_eq!(explained.findings, again.findings, "however many threads");
    let lost = the(&explained, "plain-mapping", "dead-letters");
    let effect = lost.effect.as_ref().expect("it names a setting");
    assert_eq!(effect.before, explained.mappings[0].1.dead_lettered.value);
    assert_eq!((effect.after, &effect.refused), (0.0, &None));
    assert_eq!(
        effect.usd_per_month_before,
        explained.cost.total_usd_per_month.value
    );
    assert!(
        effect.sentence.contains("falls from 3,") && effect.sentence.contains("the bill rises"),
        "{}",
        effect.sentence
    );
    assert_eq!(
        the(&explained, "plain-mapping", "function-full").effect,
        None
    );

    let starved = example("starvation");
    let scenario = parse(starved.clone())
        .unwrap_or_else(|report| panic!("{report}"))
        .scenario;
    let mut summary = simulated(&scenario);
    study::explain(&starved, &scenario, &mut summary, NonZeroU32::MIN, || ());
    let cold = the(&summary, "import", "cold-starts")
        .effect
        .as_ref()
        .expect("it names a setting");
    assert!(cold.refused.is_some() && cold.after.is_nan(), "{cold:?}");
}
