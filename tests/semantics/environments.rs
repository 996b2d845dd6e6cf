//! Rules of what happens to environments: how they begin, fail, linger and end.

use tidegate::metrics::FunctionSummary;
use tidegate::scenario::{SourceText, parse};
use tidegate::sim::{self, Outcome};

/// A run of one function `f` with these keys, called at this rate, evenly spaced.
fn run(duration: &str, keys: &str, called: &str, rate: &str) -> Outcome {
    let text = format!(
        "duration = \"{duration}\"\n[region]\naccount_concurrency = 10000\n[[function]]\nname = \"f\"\n{keys}\n[[traffic]]\nfunction = \"{called}\"\narrivals = \"constant\"\nrate = \"{rate}\"\n"
    );
    let parsed = parse(SourceText::new("environments.toml", &text));
    let scenario = parsed.unwrap_or_else(|report| panic!("{report}")).scenario;
    sim::run(&scenario, 1, &mut ()).expect("sound limits")
}

fn summary(outcome: &Outcome) -> &FunctionSummary {
    &outcome.summary.functions[0].1
}

/// Within the histogram's resolution.
#[track_caller]
fn close(found: f64, expected: f64) {
    assert!(
        (found - expected).abs() <= expected * 0.01,
        "{found} is not {expected}"
    );
}

#[test]
fn init_limit_on_demand() {
    // 15 s of initialisation: killed after 10 s, run again inside of the invocation.
    let outcome = run(
        "2m",
        "duration = \"1s\"\ninit = \"15s\"\ntimeout = \"60s\"",
        "f",
        "1/m",
    );
    let f = summary(&outcome);
    close(f.init_duration.max.value, 10_000.0);
    close(f.duration.max.value, 16_000.0);
    close(f.latency.max.value, 26_000.0);
    assert_eq!((f.errors.value, f.cold_starts.value), (0.0, 1.0));
    // Its timeout counts both, so that a function that would answer in a second never does.
    let outcome = run(
        "3m",
        "duration = \"1s\"\ninit = \"15s\"\ntimeout = \"12s\"",
        "f",
        "1/m",
    );
    let f = summary(&outcome);
    assert_eq!(f.timeouts.value, f.invocations.value);
    close(f.latency.max.value, 22_000.0);
}

#[test]
fn init_error_runs_again() {
    let keys = "duration = \"1s\"\ninit = \"2s\"\ntimeout = \"60s\"\ninit_error_rate = \"100%\"";
    let outcome = run("3m", keys, "f", "1/m");
    let f = summary(&outcome);
    assert_eq!(f.init_errors.value, f.invocations.value);
    assert_eq!(f.errors.value, f.invocations.value);
    // Only the first one has a phase of its own; all end with the initialisation inside of them.
    assert_eq!(f.cold_starts.value, 1.0);
    close(f.init_duration.max.value, 2_000.0);
    close(f.duration.max.value, 2_000.0);
    close(f.latency.max.value, 4_000.0);
}

#[test]
fn crash_resets_environment() {
    let keys = "duration = \"100ms\"\ninit = \"1s\"\ncrash_rate = \"100%\"";
    let outcome = run("10m", keys, "f", "1/m");
    let f = summary(&outcome);
    assert_eq!(f.crashes.value, f.invocations.value);
    assert_eq!(f.errors.value, f.invocations.value);
    assert_eq!(f.timeouts.value, 0.0);
    // The environment stays, and initialises inside of each further invocation.
    assert_eq!(f.cold_starts.value, 1.0);
    close(f.duration.p50.value, 1_100.0);
}

#[test]
fn post_runtime_extensions() {
    let keys = "duration = \"100ms\"\ninit = \"0s\"\npost_runtime = \"900ms\"";
    let outcome = run("10m", keys, "f", "1/s");
    let f = summary(&outcome);
    close(f.duration.p99.value, 100.0);
    close(f.latency.max.value, 100.0);
    close(f.post_runtime_extensions_duration.p50.value, 900.0);
    // The environment is taken all the time, by one call after the other.
    close(f.concurrent_executions.mean.value, 1.0);
    assert_eq!(f.environments.max.value, 1.0);
    // The timeout counts extensions too: it cuts them off and tears the environment down.
    let keys =
        "duration = \"100ms\"\ninit = \"200ms\"\npost_runtime = \"900ms\"\ntimeout = \"500ms\"";
    let outcome = run("10m", keys, "f", "1/s");
    let f = summary(&outcome);
    assert_eq!((f.errors.value, f.timeouts.value), (0.0, 0.0));
    close(f.duration.p50.value, 300.0);
    close(f.post_runtime_extensions_duration.p50.value, 200.0);
}

#[test]
fn callers_try_again_while_extensions_work() {
    let keys = "duration = \"100ms\"\ninit = \"0s\"\npost_runtime = \"30s\"\ntimeout = \"60s\"\nerror_rate = \"100%\"\nreserved_concurrency = 1";
    let text = format!(
        "duration = \"10s\"\n[[function]]\nname = \"f\"\n{keys}\n[[traffic]]\nfunction = \"f\"\nrate = [ {{ at = \"0s\", rps = 1 }}, {{ at = \"2s\", rps = 0 }} ]\narrivals = \"constant\"\nretry = {{ attempts = 1, backoff = \"100ms\" }}\n"
    );
    let parsed = parse(SourceText::new("environments.toml", &text));
    let scenario = parsed.unwrap_or_else(|report| panic!("{report}")).scenario;
    let outcome = sim::run(&scenario, 1, &mut ()).expect("sound limits");
    // The first call holds the only environment for half a minute, but not its caller.
    let f = summary(&outcome);
    assert_eq!(f.invocations.value, 1.0);
    assert!(f.client_retries.value >= 1.0);
    assert!(f.throttles.value >= 2.0);
}

#[test]
fn shutdown_occupies_environment() {
    let keys = "duration = \"5s\"\ntimeout = \"1s\"\ninit = \"0s\"\nextensions = \"external\"";
    let outcome = run("10m", keys, "f", "15/m");
    let f = summary(&outcome);
    assert_eq!(f.timeouts.value, f.invocations.value);
    close(f.latency.max.value, 1_000.0);
    // One second of work and two of shutdown in every four.
    assert!((f.concurrent_executions.mean.value - 0.75).abs() < 0.01);
}

const SNAP: &str = "duration = \"100ms\"\ninit = \"5s\"\nsnap_start = true\n[[function.version]]\nnumber = 1\nrestore = \"300ms\"";

#[test]
fn snap_start_restores() {
    let outcome = run("10m", SNAP, "f:1", "1/m");
    let f = summary(&outcome);
    assert_eq!((f.cold_starts.value, f.restores.value), (1.0, 1.0));
    assert_eq!(f.init_duration.max.value, 0.0);
    assert_eq!(f.snap_start_invocations, f.invocations);
    close(f.restore_duration.max.value, 300.0);
    close(f.latency.max.value, 400.0);
    // $LATEST has no snapshot.
    let outcome = run("10m", SNAP, "f", "1/m");
    let f = summary(&outcome);
    assert_eq!((f.cold_starts.value, f.restores.value), (1.0, 0.0));
    close(f.latency.max.value, 5_100.0);
    // A restore has ten seconds.
    let late = SNAP.replace("300ms", "11s");
    let outcome = run("3m", &late, "f:1", "1/m");
    let f = summary(&outcome);
    assert_eq!(f.init_errors.value, f.invocations.value);
    assert_eq!(f.restores.value, f.invocations.value);
    close(f.latency.max.value, 10_000.0);
}

#[test]
fn growth_tokens_by_initialization_type() {
    // 2,000 calls a second, each of three seconds: more than 1,000 new environments at once.
    let throttles = |keys: &str, called| {
        let outcome = run("1s", keys, called, "2000/s");
        summary(&outcome).throttles.value
    };
    let snap = SNAP.replace("100ms", "3s");
    assert!(throttles(&snap, "f:1") > 500.0);
    let plain = "duration = \"3s\"\n[[function.version]]\nnumber = 1\n";
    assert!(throttles(plain, "f:1") > 500.0);
    let provisioned = format!("{plain}provisioned_concurrency = 2000");
    assert_eq!(throttles(&provisioned, "f:1"), 0.0);
}

#[test]
fn environment_lifetime() {
    // Each environment serves the calls of one minute, one every ten seconds.
    let keys = "duration = \"1ms\"\ninit = \"0s\"\nlifetime = \"1m\"";
    let outcome = run("1h", keys, "f", "6/m");
    let f = summary(&outcome);
    close(f.cold_starts.value, f.invocations.value / 6.0);
    close(f.environment_lifespan_s.value, 60.0);
    // One that is at work when its lifetime ends is gone when its work is.
    let keys = "duration = \"90s\"\ntimeout = \"5m\"\ninit = \"0s\"\nlifetime = \"1m\"";
    let outcome = run("1h", keys, "f", "30/h");
    let f = summary(&outcome);
    assert_eq!(f.cold_starts.value, f.invocations.value);
    close(f.environment_lifespan_s.value, 90.0);
    // Without a lifetime an environment lives as long as it has work.
    let outcome = run("1h", "duration = \"1ms\"", "f", "6/m");
    assert_eq!(summary(&outcome).cold_starts.value, 1.0);
}

#[test]
fn drawn_keep_alives_give_the_cold_share_of_their_transform() {
    // Calls come every 1/λ on average and take no time. One is cold when the time since the last one is longer than a
    // keep-alive K: with probability E[exp(-λK)], which is μ / (λ + μ) for an exponential K of mean 1/μ.
    for reuse in ["most-recent", "least-recent", "random"] {
        let text = format!(
            "duration = \"30d\"\n[[function]]\nname = \"f\"\nduration = \"1us\"\ninit = \"0s\"\nreuse = \"{reuse}\"\nkeep_alive = {{ exponential = {{ mean = \"60s\" }} }}\n[[traffic]]\nfunction = \"f\"\nrate = \"2/m\"\n"
        );
        let parsed = parse(SourceText::new("environments.toml", &text));
        let scenario = parsed.unwrap_or_else(|report| panic!("{report}")).scenario;
        let outcome = sim::run(&scenario, 1, &mut ()).expect("sound limits");
        let share = summary(&outcome).cold_start_share.value;
        // 86,400 calls: four deviations are 0.0064.
        assert!((share - 1.0 / 3.0).abs() < 0.0064, "{reuse}: {share}");
    }
}

#[test]
fn provisioned_recycling() {
    let keys = "duration = \"1s\"\ninit = \"2s\"\nlifetime = \"1h\"\n[[function.alias]]\nname = \"live\"\nprovisioned_concurrency = 3";
    let outcome = run("270m", keys, "f:live", "1/m");
    let f = summary(&outcome);
    // Three of them, after one, two, three and four hours; nobody waits for it.
    assert_eq!(f.provisioned_recycled.value, 12.0);
    assert_eq!(f.cold_starts.value, 0.0);
    assert_eq!(f.provisioned_concurrency_invocations, f.invocations);
    close(f.environments.mean.value, 3.0);
}
