//! Asynchronous callers in the simulator: closed forms of their queue, and what happens to events that cannot run.

use crate::support::{constant_rate, function, minutes, poisson, scenario};
use tidegate::engine::config::{DestinationConfig, EventInvokeParameters};
use tidegate::engine::lambda::AsyncTuning;
use tidegate::engine::{Profile, Ratio, Span};
use tidegate::metrics::{AsyncSummary, FunctionSummary};
use tidegate::scenario::{
    Alias, Arrivals, Dist, EventInvoke, Fault, FaultKind, Invocation, Scenario, Traffic,
};
use tidegate::sim;

fn event(traffic: Traffic) -> Traffic {
    Traffic {
        invocation: Invocation::Event,
        ..traffic
    }
}

fn settings(retries: i64, age_s: i64) -> EventInvoke {
    let queue = |name: &str| Some(format!("arn:aws:sqs:eu-west-1:123456789012:{name}"));
    let parameters = EventInvokeParameters {
        maximum_retry_attempts: Some(retries),
        maximum_event_age_in_seconds: Some(age_s),
        destination_config: Some(DestinationConfig {
            on_success: queue("done"),
            on_failure: queue("failed"),
        }),
        dead_letter_target_arn: queue("dead"),
    };
    EventInvoke {
        config: parameters.check("f").expect("in range"),
        tuning: AsyncTuning::default(),
    }
}

fn run(scenario: &Scenario) -> FunctionSummary {
    let outcome = sim::run(scenario, 1, &mut ()).expect("sound limits");
    outcome.summary.functions[0].1.clone()
}

/// What came in came to an end, waits, or is at work.
fn conserved(summary: &FunctionSummary, at_work: f64) {
    let it = &summary.asynchronous;
    let by = &it.async_conditions;
    let ended = by.success.value
        + by.retries_exhausted.value
        + by.event_age_exceeded.value
        + by.zero_reserved_concurrency.value;
    let came = it.async_events_received.value + it.async_duplicates.value;
    assert_eq!(came, ended + it.async_backlog.end.value + at_work);
    assert_eq!(it.async_events_dropped.value, ended - by.success.value);
}

/// Mean and standard error over twenty seeds.
fn estimate(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares = values.iter().map(|value| (value - mean).powi(2));
    (mean, (squares.sum::<f64>() / (n - 1.0) / n).sqrt())
}

/// A reserved concurrency of `c`, an offered load of `a`, and a reader that hands over at once: M/M/c.
fn erlang_c(a: f64, c: u32, wait: f64, queue: f64, p95: f64) {
    let mut f = function(Dist::Exponential { mean: 1e9 });
    f.reserved_concurrency = Some(c);
    let mut scenario = scenario(Span::from_secs(2_200), f);
    scenario.warm_up = Span::from_secs(200);
    scenario.profile = Profile::Guide2021;
    scenario.region.burst_concurrency = 100_000;
    scenario.traffic = vec![event(poisson(a))];
    let runs: Vec<[f64; 3]> = (1..=20)
        .map(|seed| {
            let outcome = sim::run(&scenario, seed, &mut ()).expect("sound limits");
            let summary = &outcome.summary.functions[0].1;
            assert_eq!(
                summary.throttles.value, 0.0,
                "the reader knows the reservation"
            );
            assert_eq!(summary.concurrent_executions.max.value, f64::from(c));
            let age = &summary.asynchronous.async_event_age;
            let rows = &outcome.series.functions[0].asynchronous[200..];
            let backlog = rows.iter().map(|row| row.backlog as f64).sum::<f64>();
            [
                age.mean.value / 1e3,
                backlog / rows.len() as f64,
                age.p95.value / 1e3,
            ]
        })
        .collect();
    for (figure, exact) in [wait, queue, p95].into_iter().enumerate() {
        let values: Vec<f64> = runs.iter().map(|run| run[figure]).collect();
        let (mean, error) = estimate(&values);
        assert!(
            (mean - exact).abs() < 4.0 * error,
            "figure {figure} of {a}: {mean} ± {error}, not {exact}"
        );
    }
}

#[test]
fn erlang_c_of_a_moderate_load() {
    erlang_c(90.0, 100, 0.021_694_05, 1.952_464, 0.146_760);
}

#[test]
fn erlang_c_of_a_high_load() {
    erlang_c(95.0, 100, 0.101_291_37, 9.622_680, 0.463_083);
}

#[test]
fn retries_come_after_one_minute_and_two_more() {
    let mut f = function(Dist::Constant(1e9));
    f.error_rate = Ratio::ONE;
    f.event_invoke = settings(2, 21_600);
    let mut scenario = scenario(Span::from_secs(300), f);
    scenario.traffic = vec![event(minutes(&[10]))];
    let outcome = sim::run(&scenario, 1, &mut ()).expect("sound limits");
    let series = &outcome.series.functions[0];
    let at = |of: fn(&tidegate::metrics::AsyncRow) -> u64| -> Vec<(usize, u64)> {
        let rows = series.asynchronous.iter().map(of).enumerate();
        rows.filter(|(_, count)| *count > 0).collect()
    };
    // Each try takes a second, and the wait counts from its end.
    assert_eq!(at(|row| row.invoked), [(0, 10), (61, 10), (182, 10)]);
    assert_eq!(at(|row| row.retries), [(1, 10), (62, 10)]);
    assert_eq!(at(|row| row.dropped), [(183, 10)]);
    let summary = &outcome.summary.functions[0].1;
    conserved(summary, 0.0);
    let it = &summary.asynchronous;
    assert_eq!(it.async_conditions.retries_exhausted.value, 10.0);
    assert_eq!(it.destination_deliveries.on_failure.value, 10.0);
    assert_eq!(it.dead_letters_delivered.value, 10.0);
    assert_eq!(it.async_events_lost.value, 0.0);
    assert_eq!(it.async_event_age.max.value, 182_000.0);
    assert_eq!(summary.errors.value, 30.0);
}

#[test]
fn a_success_goes_to_the_on_success_destination() {
    let mut f = function(Dist::Constant(1e6));
    f.event_invoke = settings(2, 21_600);
    let mut scenario = scenario(Span::from_secs(10), f);
    scenario.traffic = vec![event(minutes(&[500]))];
    let summary = run(&scenario);
    conserved(&summary, 0.0);
    let it = &summary.asynchronous;
    assert_eq!(it.destination_deliveries.on_success.value, 500.0);
    assert_eq!(it.destination_deliveries.on_failure.value, 0.0);
    assert_eq!(it.dead_letters_delivered.value, 0.0);
    // Nobody waits for the answer, so the latency is the function's own.
    assert_eq!(summary.latency.max.value, summary.duration.max.value);
}

/// Sync callers hold the whole pool for ten seconds; an event comes in the meantime.
#[test]
fn an_event_that_is_throttled_waits_for_its_back_off() {
    let f = function(Dist::Constant(10e9));
    let mut scenario = scenario(Span::from_secs(60), f);
    scenario.region.account_concurrency = 100;
    let mut second = minutes(&[1]);
    if let Arrivals::Trace(trace) = &mut second.arrivals {
        let trace = std::sync::Arc::make_mut(trace);
        trace.points = vec![(Span::from_secs(2), 1)];
    }
    scenario.traffic = vec![minutes(&[100]), event(second)];
    let summary = run(&scenario);
    // Tried at 2, 3, 5 and 9 s in vain, and at 17 s.
    assert_eq!(summary.throttles.value, 4.0);
    assert_eq!(summary.asynchronous.async_event_age.max.value, 15_000.0);
    conserved(&summary, 0.0);
}

#[test]
fn a_backlog_is_dropped_by_age() {
    // Ten at once, of 20 s each: 1,000 events would take 2,000 s, and live for 100 s.
    let mut f = function(Dist::Constant(20e9));
    f.reserved_concurrency = Some(10);
    f.event_invoke = settings(0, 100);
    let mut scenario = scenario(Span::from_secs(400), f);
    scenario.traffic = vec![event(minutes(&[1_000]))];
    let outcome = sim::run(&scenario, 1, &mut ()).expect("sound limits");
    let summary = &outcome.summary.functions[0].1;
    conserved(summary, 0.0);
    let it = &summary.asynchronous;
    // Handed over at 0, 20, 40, 60 and 80 s; at 100 s the rest is too old.
    assert_eq!(it.async_conditions.success.value, 50.0);
    assert_eq!(it.async_conditions.event_age_exceeded.value, 950.0);
    let rows = &outcome.series.functions[0].asynchronous;
    let dropped = rows.iter().position(|row| row.dropped > 0);
    assert_eq!(dropped, Some(100));
    assert_eq!(rows[100].dropped, 950);
}

#[test]
fn zero_reserved_concurrency_sends_everything_to_the_destination() {
    let mut f = function(Dist::Constant(1e9));
    f.reserved_concurrency = Some(0);
    f.event_invoke = settings(2, 21_600);
    let mut scenario = scenario(Span::from_secs(60), f);
    scenario.traffic = vec![event(poisson(50.0))];
    let summary = run(&scenario);
    conserved(&summary, 0.0);
    let it = &summary.asynchronous;
    let received = it.async_events_received.value;
    assert!(received > 2_000.0);
    assert_eq!(
        it.async_conditions.zero_reserved_concurrency.value,
        received
    );
    assert_eq!(it.destination_deliveries.on_failure.value, received);
    assert_eq!(summary.invocations.value + summary.throttles.value, 0.0);
}

#[test]
fn destinations_that_refuse_are_counted() {
    let mut f = function(Dist::Constant(1e6));
    f.error_rate = Ratio::ONE;
    f.event_invoke = settings(0, 21_600);
    let mut scenario = scenario(Span::from_secs(120), f);
    scenario.traffic = vec![event(minutes(&[100, 100]))];
    scenario.faults = vec![Fault {
        at: Span::from_secs(30),
        lasts: Span::from_secs(60),
        what: FaultKind::EventDestinationRefuses {
            function: 0,
            rate: Ratio::ONE,
        },
    }];
    let summary = run(&scenario);
    conserved(&summary, 0.0);
    let it: &AsyncSummary = &summary.asynchronous;
    assert_eq!(it.async_events_dropped.value, 200.0);
    assert_eq!(it.destination_deliveries.on_failure.value, 100.0);
    assert_eq!(it.destination_delivery_failures.value, 100.0);
    assert_eq!(it.dead_letter_errors.value, 100.0);
    assert_eq!(it.async_events_lost.value, 100.0);
}

#[test]
fn async_sync_first() {
    // Every second one environment becomes free, one direct call arrives, and an event waits.
    let mut f = function(Dist::Constant(1e9));
    f.reserved_concurrency = Some(1);
    let mut scenario = scenario(Span::from_secs(30), f);
    let calls = |at: std::ops::Range<u64>| {
        let mut traffic = minutes(&[1]);
        if let Arrivals::Trace(trace) = &mut traffic.arrivals {
            let trace = std::sync::Arc::make_mut(trace);
            trace.points = at.map(|at| (Span::from_secs(at), 1)).collect();
        }
        traffic
    };
    scenario.traffic = vec![event(calls(0..1)), calls(0..10)];
    let summary = run(&scenario);
    // No direct call is refused for the event's sake; the event runs when none comes any more, at 10 s.
    assert_eq!(summary.throttles.value, 0.0);
    assert_eq!(summary.invocations.value, 11.0);
    assert_eq!(summary.asynchronous.async_event_age.max.value, 10_000.0);
}

#[test]
fn a_reader_does_not_starve_when_calls_are_short_and_the_pool_is_full() {
    // 1 ms calls on a pool of 100, and twice as many events as it can take.
    let mut scenario = scenario(Span::from_secs(4), function(Dist::Constant(1e6)));
    scenario.region.account_concurrency = 100;
    let arrivals = Arrivals::Constant(constant_rate(200_000.0));
    scenario.traffic = vec![event(Traffic {
        arrivals,
        ..poisson(1.0)
    })];
    let summary = run(&scenario);
    let possible = 400_000.0;
    assert!(
        summary.invocations.value > 0.98 * possible,
        "{}",
        summary.invocations.value
    );
    assert!(
        summary.throttles.value < 0.01 * possible,
        "{}",
        summary.throttles.value
    );
}

#[test]
fn an_alias_has_a_queue_and_settings_of_its_own() {
    let mut f = function(Dist::Constant(1e6));
    f.error_rate = Ratio::ONE;
    f.aliases = ["plain", "own"]
        .map(|name| Alias {
            routing: Default::default(),
            name: name.to_owned(),
            provisioned_concurrency: 0,
            autoscaling: None,
            event_invoke: (name == "own").then(|| settings(0, 60)),
        })
        .into();
    f.event_invoke = settings(1, 21_600);
    let mut scenario = scenario(Span::from_secs(200), f);
    let to = |alias| {
        event(Traffic {
            alias,
            ..minutes(&[1])
        })
    };
    scenario.traffic = vec![to(None), to(Some(0)), to(Some(1))];
    let summary = run(&scenario);
    conserved(&summary, 0.0);
    // The function and the alias without settings retry once, the other one does not.
    assert_eq!(summary.invocations.value, 5.0);
}

#[test]
fn a_million_events_wait_and_run() {
    let mut f = function(Dist::Constant(1e9));
    f.reserved_concurrency = Some(5_000);
    let mut scenario = scenario(Span::from_secs(260), f);
    scenario.profile = Profile::Guide2021;
    scenario.region.burst_concurrency = 100_000;
    scenario.traffic = vec![event(minutes(&[1_000_000]))];
    let outcome = sim::run(&scenario, 1, &mut ()).expect("sound limits");
    let summary = &outcome.summary.functions[0].1;
    assert_eq!(summary.asynchronous.async_conditions.success.value, 1e6);
    // One event in the calendar for each invocation, one for each arrival, and a few wake-ups.
    let events = outcome.summary.engine.events;
    assert!((2_000_000..2_000_400).contains(&events), "{events}");
}

#[test]
fn duplicates_run_twice() {
    let mut f = function(Dist::Constant(1e6));
    f.event_invoke.tuning.duplicates = Ratio::new(1, 10).expect("a chance");
    let mut scenario = scenario(Span::from_secs(100), f);
    scenario.traffic = vec![event(poisson(100.0))];
    let summary = run(&scenario);
    let it = &summary.asynchronous;
    let share = it.async_duplicates.value / it.async_events_received.value;
    assert!((0.09..0.11).contains(&share), "{share}");
    let tries = it.async_events_received.value + it.async_duplicates.value;
    assert!((summary.invocations.value - tries).abs() <= 2.0);
}
