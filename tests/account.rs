//! Metrics of functions and of the account minute by minute, and costs, against figures computed by hand.

use crate::support::{calls, function, scenario};
use std::sync::Arc;
use tidegate::engine::{Span, Time};
use tidegate::metrics::CostSummary;
use tidegate::report;
use tidegate::scenario::{Arrivals, Dist, Function, Scenario, SourceText, Trace, Traffic, parse};
use tidegate::sim;

/// Calls of a function at these seconds.
fn at(function: usize, seconds: &[u64]) -> Traffic {
    let points = seconds.iter().map(|at| (Span::from_secs(*at), 1));
    let trace = Trace {
        path: "by-hand.csv".into(),
        points: points.collect(),
    };
    Traffic {
        function,
        ..calls(Arrivals::Trace(Arc::new(trace)))
    }
}

fn points(scenario: &Scenario) -> Vec<String> {
    let outcome = sim::run(scenario, 1, &mut ()).expect("sound limits");
    let text = report::cloudwatch(&outcome.series);
    text.lines().map(str::to_owned).collect()
}

#[test]
fn one_minute_points_of_functions_and_account() {
    let slow = Function {
        name: "slow".to_owned(),
        timeout: Span::from_secs(80),
        ..function(Dist::Constant(90e9))
    };
    let quick = Function {
        name: "quick".to_owned(),
        reserved_concurrency: Some(1),
        ..function(Dist::Constant(25e9))
    };
    let mut scenario = scenario(Span::from_secs(200), slow);
    scenario.start = Time::from_secs(1_767_571_200);
    scenario.functions.push(quick);
    // The slow calls are cut off after 80 s: at 80, 130 and 190 s. Of the quick ones the second is refused.
    scenario.traffic = vec![at(0, &[0, 50, 110]), at(1, &[70, 80, 170])];
    let mut expected =
        vec!["timestamp,namespace,metric,dimensions,unit,statistic,value".to_owned()];
    let mut add = |minute: u32, dimensions: &str, points: &[(&str, &str, &str, u32)]| {
        for (metric, unit, statistic, value) in points {
            expected.push(format!(
                "2026-01-05T00:0{minute}:00Z,AWS/Lambda,{metric},{dimensions},{unit},{statistic},{value}"
            ));
        }
    };
    let requests = |invocations, errors, throttles| {
        [
            ("Invocations", "Count", "Sum", invocations),
            ("Errors", "Count", "Sum", errors),
            ("Throttles", "Count", "Sum", throttles),
        ]
    };
    let durations = |millis| {
        ["Average", "Maximum", "p50", "p99"]
            .map(|statistic| ("Duration", "Milliseconds", statistic, millis))
    };
    let busy = |count| [("ConcurrentExecutions", "Count", "Maximum", count)];
    // Errors belong to the minute in which the invocation began, not to the one in which it failed.
    for (minute, invocations, most) in [(0, 2, 2), (1, 1, 2)] {
        add(
            minute,
            "FunctionName=slow",
            &requests(invocations, invocations, 0),
        );
        add(minute, "FunctionName=slow", &durations(80_000));
        add(minute, "FunctionName=slow", &busy(most));
    }
    add(2, "FunctionName=slow", &busy(2));
    add(3, "FunctionName=slow", &busy(1));
    for (minute, throttles) in [(1, 1), (2, 0)] {
        add(minute, "FunctionName=quick", &requests(1, 0, throttles));
        add(minute, "FunctionName=quick", &durations(25_000));
        add(minute, "FunctionName=quick", &busy(1));
    }
    // One more than what runs without a reservation is claimed.
    add(3, "FunctionName=quick", &busy(1));
    for (minute, all, unreserved) in [(0, 2, 2), (1, 3, 2), (2, 2, 2), (3, 2, 1)] {
        let account = [
            ("ConcurrentExecutions", "Count", "Maximum", all),
            (
                "UnreservedConcurrentExecutions",
                "Count",
                "Maximum",
                unreserved,
            ),
            (
                "ClaimedAccountConcurrency",
                "Count",
                "Maximum",
                unreserved + 1,
            ),
        ];
        add(minute, "", &account);
    }
    assert_eq!(points(&scenario), expected);
}

#[test]
fn provisioned_concurrency_has_its_largest_share_in_each_minute() {
    let text = "duration = '2m'\n[[function]]\nname = 'f'\nduration = '20s'\ntimeout = '1m'\ninit = '1ms'\n\
        [[function.alias]]\nname = 'live'\nprovisioned_concurrency = 4\n\
        [[traffic]]\nfunction = 'f:live'\narrivals = 'constant'\nrate = '6/m'\n";
    let scenario = parse(SourceText::new("s.toml", text))
        .expect("sound")
        .scenario;
    let found = points(&scenario);
    let values = |metric: &str| -> Vec<&str> {
        let wanted = format!(",{metric},");
        let own = found
            .iter()
            .filter(|line| line.contains(&wanted) && line.contains("=f"));
        own.filter_map(|line| line.rsplit(',').next()).collect()
    };
    // A call every 10 s from the tenth second on, for 20 s each: never more than two of four. What ends at one instant
    // ends before what begins.
    assert_eq!(
        values("ProvisionedConcurrencyUtilization"),
        ["0.5000", "0.5000"]
    );
    assert_eq!(values("ProvisionedConcurrentExecutions"), ["2", "2"]);
    assert_eq!(values("ProvisionedConcurrencyInvocations"), ["5", "6"]);
    assert_eq!(
        values("ProvisionedConcurrencySpilloverInvocations"),
        ["0", "0"]
    );
}

/// The quantity, amount and monthly amount of a line.
fn line(cost: &CostSummary, subject: &str, item: &str) -> [f64; 3] {
    let line = cost
        .lines
        .iter()
        .find(|line| line.subject == subject && line.item == item);
    let line = line.unwrap_or_else(|| panic!("no {item} of {subject}: {:?}", cost.lines));
    [line.quantity, line.amount, line.per_month].map(|figure| figure.value)
}

fn cost(text: &str) -> CostSummary {
    let loaded = parse(SourceText::new("s.toml", text)).unwrap_or_else(|report| panic!("{report}"));
    let outcome = sim::run(&loaded.scenario, 1, &mut ()).expect("sound limits");
    outcome.summary.cost
}

#[test]
fn functions_cost_what_a_calculation_by_hand_says() {
    let text = "duration = '1h'\n[[function]]\nname = 'f'\nmemory_mb = 2048\nduration = '99.5ms'\ninit = '300.2ms'\n\
        [[function]]\nname = 'g'\nmemory_mb = 1024\nduration = '1s'\narchitecture = 'arm64'\n\
        [[function.alias]]\nname = 'live'\nprovisioned_concurrency = 10\n\
        [[traffic]]\nfunction = 'f'\narrivals = 'constant'\nrate = 10\n\
        [[traffic]]\nfunction = 'g:live'\narrivals = 'constant'\nrate = 5\n";
    let found = cost(text);
    // 35,999 calls within the hour (the first one after 0.1 s), of 100 ms with 2 GB each, and two cold starts (the first
    // call is not over when the second comes) that are billed 400 ms in all.
    let requests = 35_999.0;
    let rounded = |value: f64| (value * 1e6).round() / 1e6;
    assert_eq!(line(&found, "f", "Requests")[0], rounded(requests / 1e6));
    let [gb_s, usd, month] = line(&found, "f", "Duration");
    assert_eq!(gb_s, rounded(requests * 0.1 * 2.0));
    assert_eq!(usd, rounded(requests * 0.2 * 0.000_016_666_7));
    assert!((month - usd * 730.0).abs() < 0.001);
    let colds = (300.2f64 + 99.5).ceil() - 100.0;
    assert_eq!(
        line(&found, "f", "Initialisation")[0] % (colds / 500.0),
        0.0
    );
    // Ten environments of 1 GB for an hour, and 17,999 seconds on them.
    let [held, usd, _] = line(&found, "g", "Provisioned concurrency, arm64");
    assert_eq!((held, usd), (36_000.0, rounded(36_000.0 * 0.000_003_333_4)));
    let [ran, usd, _] = line(&found, "g", "Duration on provisioned, arm64");
    assert_eq!((ran, usd), (17_999.0, rounded(17_999.0 * 0.000_007_777_8)));
    let sum: f64 = found.lines.iter().map(|line| line.amount.value).sum();
    assert!((sum - found.total_usd.value).abs() < 1e-5);
}

#[test]
fn init_billed_since_2025() {
    let text = |profile: &str| {
        format!(
            "duration = '1m'\nprofile = '{profile}'\n[[function]]\nname = 'f'\nduration = '10ms'\n\
             [[traffic]]\nfunction = 'f'\nrate = 1\n"
        )
    };
    let has_init = |profile| {
        let found = cost(&text(profile));
        found.lines.iter().any(|line| line.item == "Initialisation")
    };
    assert!(has_init("current"));
    assert!(!has_init("2021-09"));
}

#[test]
fn sources_and_pollers_cost_what_they_do() {
    let text = "duration = '1h'\n[[function]]\nname = 'f'\nduration = '10ms'\n\
        [[source]]\nname = 'clicks'\ntype = 'kinesis'\nshards = 3\nproducer = [{ arrivals = 'constant', rate = 10 }]\n\
        [[source.reshard]]\nat = '30m'\nsplit = [0]\n\
        [[source]]\nname = 'jobs'\ntype = 'sqs'\nproducer = [{ arrivals = 'constant', rate = 2 }]\n\
        [[mapping]]\nname = 'c'\nEventSource = 'clicks'\nFunctionName = 'f'\nStartingPosition = 'TRIM_HORIZON'\nfan_out = true\n\
        [[mapping]]\nname = 'j'\nEventSource = 'jobs'\nFunctionName = 'f'\n\
        ProvisionedPollerConfig = { MinimumPollers = 4, MaximumPollers = 4 }\n";
    let found = cost(text);
    // Three shards for half an hour, then four.
    assert_eq!(line(&found, "clicks", "Kinesis shards")[..2], [3.5, 0.0525]);
    assert_eq!(line(&found, "clicks", "Kinesis fan-out")[0], 3.5);
    assert_eq!(line(&found, "clicks", "Kinesis records")[0], 0.035_999);
    assert_eq!(line(&found, "jobs", "SQS sends")[0], 0.007_2);
    assert_eq!(
        line(&found, "j", "Provisioned pollers, SQS")[..2],
        [4.0, 0.037]
    );
    let [receives, usd, _] = line(&found, "j", "SQS receives");
    assert!(receives > 0.007 && (usd - receives * 0.4).abs() < 1e-6);
    assert!(line(&found, "j", "SQS deletions")[0] > 0.0);
}
