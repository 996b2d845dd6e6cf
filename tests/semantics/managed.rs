//! Rules of Lambda Managed Instances.

use tidegate::metrics::FunctionSummary;
use tidegate::scenario::{SourceText, parse};
use tidegate::sim;

/// A function with these keys and four slots in each of at least three environments, called evenly at this rate.
fn run(duration: &str, keys: &str, managed: &str, rate: &str) -> FunctionSummary {
    let text = format!(
        "duration = \"{duration}\"\n[[function]]\nname = \"f\"\n{keys}\n[function.managed_instances]\nPerExecutionEnvironmentMaxConcurrency = 4\n{managed}\n[[traffic]]\nfunction = \"f\"\narrivals = \"constant\"\nrate = \"{rate}\"\n"
    );
    let parsed = parse(SourceText::new("managed.toml", &text));
    let scenario = parsed.unwrap_or_else(|report| panic!("{report}")).scenario;
    let outcome = sim::run(&scenario, 1, &mut ()).expect("sound limits");
    outcome.summary.functions[0].1.clone()
}

#[test]
fn managed_no_cold_start() {
    // Five at once: less than half of twelve slots.
    let f = run("10m", "duration = \"1s\"\ninit = \"5s\"", "", "5/s");
    assert_eq!((f.cold_starts.value, f.throttles.value), (0.0, 0.0));
    assert_eq!(
        (f.environments.mean.value, f.environments.max.value),
        (3.0, 3.0)
    );
    assert!((f.latency.max.value - 1_000.0).abs() < 10.0);
    // Twenty-four at once: twelve run, twelve are refused, until the fourth minute brings what is missing.
    let f = run("10m", "duration = \"1s\"", "", "24/s");
    assert_eq!(f.cold_starts.value, 0.0);
    assert_eq!(f.concurrency_throttles.value, f.throttles.value);
    let minutes = f.throttles.value / (12.0 * 60.0);
    assert!((minutes - 4.0).abs() < 0.05, "{minutes}");
    let stopped = run(
        "1m",
        "duration = \"1s\"",
        "MinExecutionEnvironments = 0\nMaxExecutionEnvironments = 0",
        "1/s",
    );
    assert_eq!(stopped.invocations.value, 0.0);
}

#[test]
fn managed_timeout_leaves_code() {
    // A call of 10 s is answered after one, and keeps its slot for all ten: five at once.
    let keys = "duration = \"10s\"\ntimeout = \"1s\"";
    let f = run("10m", keys, "", "30/m");
    assert_eq!(f.timeouts.value, f.invocations.value);
    assert!((f.latency.max.value - 1_000.0).abs() < 10.0);
    assert!((f.concurrent_executions.mean.value - 5.0).abs() < 0.1);
}
