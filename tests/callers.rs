//! Callers: closed loops, impatience, retries, and calls that are spread over many functions.

use crate::support::{calls, constant_rate, function, scenario};
use std::sync::Arc;
use tidegate::engine::Span;
use tidegate::metrics::FunctionSummary;
use tidegate::scenario::{
    Arrivals, ClientStep, Clients, Dist, Jitter, Retry, Scenario, SourceText, Trace, Traffic, parse,
};
use tidegate::sim;

const fn secs(secs: u64) -> Span {
    Span::from_secs(secs)
}

/// A closed loop of clients whose number changes by steps.
fn closed(think: Dist, steps: &[(u64, u32, u64)]) -> Traffic {
    let steps = steps.iter().map(|&(at, count, over)| ClientStep {
        at: secs(at),
        count,
        over: secs(over),
    });
    let clients = Clients {
        think,
        steps: steps.collect(),
    };
    let joins = Trace {
        path: "".into(),
        points: clients.joins(),
    };
    Traffic {
        clients: Some(clients),
        ..calls(Arrivals::Trace(Arc::new(joins)))
    }
}

fn run(scenario: &Scenario, seed: u64) -> (FunctionSummary, Vec<tidegate::metrics::FunctionRow>) {
    let outcome = sim::run(scenario, seed, &mut ()).expect("sound limits");
    (
        outcome.summary.functions[0].1.clone(),
        outcome.series.functions[0].rows.clone(),
    )
}

#[test]
fn closed_loop_waits_for_answers() {
    let mut scenario = scenario(secs(100), function(Dist::Constant(100e6)));
    scenario.traffic = vec![closed(Dist::Constant(900e6), &[(0, 50, 0)])];
    let (f, rows) = run(&scenario, 1);
    // Each of 50 clients calls once a second; the rate follows the function, which is ten times as slow for a while.
    assert_eq!(f.invocations.value, 5_000.0);
    assert_eq!(f.concurrent_executions.max.value, 50.0);
    assert!((f.concurrent_executions.mean.value - 5.0).abs() < 1e-9);
    assert!(rows.iter().all(|row| row.calls == 50 && row.answered == 50));
    let slow = tidegate::scenario::FaultKind::FunctionSlow {
        function: 0,
        factor: 11.0,
    };
    scenario.faults = vec![tidegate::scenario::Fault {
        at: secs(40),
        lasts: secs(20),
        what: slow,
    }];
    let (_, rows) = run(&scenario, 1);
    // 1.1 s and 0.9 s: every other second has the calls of all.
    let during: u64 = rows[40..60].iter().map(|row| row.invocations).sum();
    assert_eq!(during, 10 * 50);
}

#[test]
fn clients_come_and_leave() {
    let mut scenario = scenario(secs(60), function(Dist::Constant(50e6)));
    let steps = [(0, 10, 0), (10, 30, 20), (40, 5, 0), (50, 8, 0)];
    scenario.traffic = vec![closed(Dist::Constant(50e6), &steps)];
    let Some(clients) = &scenario.traffic[0].clients else {
        unreachable!("it was given clients")
    };
    let present = [0, 9, 10, 20, 30, 39, 40, 50].map(|at| clients.present(secs(at)));
    assert_eq!(present, [10, 10, 10, 20, 30, 30, 5, 8]);
    let (_, rows) = run(&scenario, 1);
    // Ten calls a second each.
    let calls = |second: usize| rows[second].calls;
    assert_eq!(calls(5), 100);
    assert!(calls(20).abs_diff(205) <= 10, "{}", calls(20));
    assert_eq!([calls(35), calls(45), calls(55)], [300, 50, 80]);
}

#[test]
fn refused_clients_come_back_after_a_pause() {
    let mut f = function(Dist::Constant(1e9));
    f.reserved_concurrency = Some(0);
    let mut scenario = scenario(secs(1), f);
    scenario.traffic = vec![closed(Dist::Constant(0.0), &[(0, 1, 0)])];
    let (f, _) = run(&scenario, 1);
    // A client without thoughts still takes a millisecond.
    assert_eq!(f.throttles.value, 1_000.0);
    assert_eq!(f.calls_abandoned.value, 1_000.0);
}

/// Engset's formula: `n` clients that think for 1/λ and hold for S meet `c` places, with α = λS. A refused client thinks
/// again. Call congestion is what the other n − 1 cause.
fn engset(n: u32, c: u32, alpha: f64) -> f64 {
    let mut terms = vec![1.0];
    for k in 1..=c {
        let before = terms[k as usize - 1];
        terms.push(before * alpha * f64::from(n - k) / f64::from(k));
    }
    terms[c as usize] / terms.iter().sum::<f64>()
}

#[test]
fn engset_formula_of_a_closed_loop() {
    for (n, c, service) in [
        (20, 6, Dist::Exponential { mean: 0.5e9 }),
        (20, 6, Dist::Constant(0.5e9)),
        (100, 30, Dist::Exponential { mean: 0.5e9 }),
    ] {
        let mut limited = function(service);
        limited.reserved_concurrency = Some(c);
        let mut scenario = scenario(secs(3_000), limited);
        scenario.warm_up = secs(100);
        scenario.traffic = vec![closed(Dist::Exponential { mean: 1e9 }, &[(0, n, 0)])];
        let blocked: Vec<f64> = (1..=20)
            .map(|seed| {
                let (f, _) = run(&scenario, seed);
                f.throttles.value / f.calls.value
            })
            .collect();
        let mean = blocked.iter().sum::<f64>() / 20.0;
        let variance = blocked.iter().map(|b| (b - mean).powi(2)).sum::<f64>() / 19.0;
        let error = (variance / 20.0).sqrt();
        let exact = engset(n, c, 0.5);
        assert!(
            (mean - exact).abs() < 4.0 * error,
            "{mean} ± {error} is not {exact}"
        );
    }
}

#[test]
fn client_timeout_leaves_the_function() {
    let mut scenario = scenario(secs(20), function(Dist::Constant(5e9)));
    let trace = Trace {
        path: "one.csv".into(),
        points: vec![(Span::ZERO, 1)],
    };
    scenario.traffic = vec![Traffic {
        timeout: Some(secs(2)),
        retry: Some(Retry {
            attempts: 2,
            backoff_first: secs(1),
            backoff_max: secs(4),
            jitter: Jitter::None,
        }),
        ..calls(Arrivals::Trace(Arc::new(trace)))
    }];
    let (f, rows) = run(&scenario, 1);
    // Attempts at 0, 3 (1 s after giving up at 2) and 7 (2 s after giving up at 5); the caller gives up at 9.
    let begun: Vec<usize> = (0..20)
        .filter(|second| rows[*second].invocations > 0)
        .collect();
    assert_eq!(begun, [0, 3, 7]);
    // Each runs for its 5 s all the same: two of them at once from 3 to 5 and from 7 to 8.
    assert_eq!(f.concurrent_executions.mean.value, 15.0 / 20.0);
    assert_eq!(f.concurrent_executions.max.value, 2.0);
    assert_eq!(f.errors.value, 0.0);
    assert_eq!(
        [
            f.calls,
            f.calls_answered,
            f.calls_abandoned,
            f.client_timeouts
        ]
        .map(|f| f.value),
        [1.0, 0.0, 1.0, 3.0]
    );
    assert_eq!(f.attempts_per_call.value, 3.0);
    // What the caller saw of the last attempt took 9 s.
    assert!((f.latency.max.value - 9_000.0).abs() < 1e-6);
    assert_eq!(rows[9].abandoned, 1);
}

#[test]
fn every_call_is_answered_given_up_or_under_way() {
    let text = "duration = '2m'\n[[function]]\nname = 'f'\nduration = { exponential = { mean = '300ms' } }\ninit = '500ms'\n\
        error_rate = '10%'\nreserved_concurrency = 12\n\
        [[traffic]]\nfunction = 'f'\nrate = [{ at = '0s', rps = 60 }, { at = '100s', rps = 0 }]\ntimeout = '600ms'\n\
        retry = { attempts = 3, backoff = '50ms..1s', jitter = 'full' }\n";
    let scenario = parse(SourceText::new("s.toml", text))
        .expect("sound")
        .scenario;
    let (f, _) = run(&scenario, 1);
    let [calls, answered, abandoned] =
        [f.calls, f.calls_answered, f.calls_abandoned].map(|figure| figure.value);
    // Twenty seconds after the last call nothing is under way.
    assert_eq!(calls, answered + abandoned);
    assert!(calls > 5_500.0 && answered > 1_000.0 && abandoned > 100.0);
    // Every attempt is an invocation or a throttle.
    let attempts = f.invocations.value + f.throttles.value;
    assert_eq!(attempts, calls + f.client_retries.value);
    assert!((f.attempts_per_call.value - attempts / calls).abs() < 1e-4);
}

#[test]
fn template_spreads_evenly() {
    let text = "duration = '100s'\n[[function]]\nname = 'before'\nduration = '1ms'\n\
        [[function]]\nname = 'f'\ncount = 20\nduration = '1ms'\nreserved_concurrency = 2\n\
        [[traffic]]\nfunction = 'f'\narrivals = 'constant'\nrate = 200\n[[traffic]]\nfunction = 'f-7'\nrate = 1\n";
    let scenario = parse(SourceText::new("s.toml", text))
        .expect("sound")
        .scenario;
    assert_eq!(scenario.functions.len(), 21);
    assert_eq!(scenario.functions[20].name, "f-19");
    assert_eq!(
        (scenario.traffic[0].function, scenario.traffic[0].spread),
        (1, 20)
    );
    assert_eq!(
        (scenario.traffic[1].function, scenario.traffic[1].spread),
        (8, 1)
    );
    let outcome = sim::run(&scenario, 1, &mut ()).expect("sound limits");
    let counts = outcome.summary.functions.iter().map(|(_, f)| f.calls.value);
    let counts: Vec<f64> = counts.collect();
    assert_eq!(counts[0], 0.0);
    // 1,000 each, with a deviation of 31.
    let others = counts[1..]
        .iter()
        .enumerate()
        .filter(|(index, _)| *index != 7);
    assert!(
        others
            .clone()
            .all(|(_, count)| (count - 1_000.0).abs() < 150.0),
        "{counts:?}"
    );
    assert!(counts[8] > 1_000.0 - 150.0 + 50.0);
    let spread: f64 = others
        .map(|(_, count)| (count - 1_000.0).powi(2))
        .sum::<f64>()
        / 19.0;
    // A round robin would have no deviation at all.
    assert!((300.0..3_000.0).contains(&spread), "{spread}");
}

#[test]
fn a_rate_of_its_own_is_not_needed_by_a_closed_loop_in_a_file() {
    let text = "duration = '10s'\n[[function]]\nname = 'f'\nduration = '10ms'\ninit = '1ms'\n\
        [[traffic]]\nfunction = 'f'\nclients = [{ at = '0s', count = 5 }, { at = '5s', count = 10 }]\nthink = '90ms'\n";
    let scenario = parse(SourceText::new("s.toml", text))
        .expect("sound")
        .scenario;
    let (f, _) = run(&scenario, 1);
    assert_eq!(f.calls.value, 5.0 * 5.0 * 10.0 + 5.0 * 10.0 * 10.0);
    let mut open = scenario.clone();
    open.traffic = vec![calls(Arrivals::Constant(constant_rate(1.0)))];
    assert_eq!(run(&open, 1).0.calls.value, 10.0);
}

#[test]
fn dependency_shares_its_speed() {
    let mut shared = function(Dist::Constant(1e9));
    shared.dependency_concurrency = Some(2);
    let mut scenario = scenario(secs(30), shared);
    let trace = Trace {
        path: "four.csv".into(),
        points: vec![(Span::ZERO, 4), (secs(10), 1)],
    };
    scenario.traffic = vec![calls(Arrivals::Trace(Arc::new(trace)))];
    let (f, _) = run(&scenario, 1);
    // The third of four finds a half more than there is room for, the fourth twice as much; the fifth is alone.
    assert_eq!(f.duration.max.value, 2_000.0);
    let mean = (1.0 + 1.0 + 1.5 + 2.0 + 1.0) / 5.0 * 1_000.0;
    assert!((f.duration.mean.value - mean).abs() < 1e-6);
}

#[test]
fn ten_thousand_functions_in_one_scenario() {
    let text = "duration = '10m'\n[region]\naccount_concurrency = 1000000\n\
        [[function]]\nname = 'f'\ncount = 10000\nduration = '200ms'\nreserved_concurrency = 50\n\
        [[function.alias]]\nname = 'live'\nprovisioned_concurrency = 1\n\
        [[traffic]]\nfunction = 'f:live'\narrivals = 'constant'\nrate = 1000\n";
    let scenario =
        parse(SourceText::new("s.toml", text)).unwrap_or_else(|report| panic!("{report}"));
    let outcome = sim::run(&scenario.scenario, 1, &mut ()).expect("sound limits");
    // Seconds of so many functions would be six million rows.
    assert_eq!(outcome.series.bin, secs(60));
    let calls = outcome.summary.functions.iter().map(|(_, f)| f.calls.value);
    assert_eq!(calls.sum::<f64>(), 599_999.0);
    let claimed = outcome.summary.account.claimed_account_concurrency.value;
    assert_eq!(claimed, 500_000.0);
    // Nobody reads ten thousand rows.
    let text = tidegate::report::text(&outcome.summary, &outcome.series, Default::default());
    assert!(text.contains("40 of 10,000 functions are shown"), "{text}");
    assert!(text.lines().count() < 150);
}

#[test]
fn a_million_executions_at_once() {
    let mut scenario = scenario(secs(3), function(Dist::Constant(1e9)));
    scenario.profile = tidegate::engine::Profile::Guide2021;
    scenario.region.account_concurrency = 1_000_000;
    scenario.region.burst_concurrency = 1_000_000;
    let trace = Trace {
        path: "all.csv".into(),
        points: vec![(Span::ZERO, 1_000_003)],
    };
    scenario.traffic = vec![calls(Arrivals::Trace(Arc::new(trace)))];
    let (f, _) = run(&scenario, 1);
    assert_eq!(f.concurrent_executions.max.value, 1_000_000.0);
    assert_eq!(f.throttles.value, 3.0);
}
