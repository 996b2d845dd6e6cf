//! A simulated week with autoscaling, and replications on every core.
//!
//! Prints `week INVOCATIONS SECONDS` and a line `cores THREADS ALONE TOGETHER` for each round: seconds of so many runs one
//! after the other and side by side. With a number as argument, that many days instead of seven.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "benchmarks read the clock and print what they measure"
)]

#[allow(
    dead_code,
    reason = "each benchmark uses its part of the support module"
)]
mod support;

use std::time::Instant;
use tidegate::scenario::{Dist, Scenario, SourceText, parse};
use tidegate::sim;

const ROUNDS: usize = 5;

/// 2,000 calls a second on average: more by day than by night, and an alias whose provisioned concurrency follows.
fn week(days: u64) -> Scenario {
    let mut steps = Vec::new();
    for day in 0..days {
        let hours = day * 24;
        steps.push(format!(
            "{{ at = \"{}h\", rps = 1400, over = \"2h\" }}",
            hours
        ));
        steps.push(format!(
            "{{ at = \"{}h\", rps = 2600, over = \"2h\" }}",
            hours + 11
        ));
    }
    let text = format!(
        "duration = \"{}h\"\n[region]\naccount_concurrency = 3000\n\
         [[function]]\nname = \"f\"\nduration = {{ exponential = {{ mean = \"100ms\" }} }}\n\
         [[function.alias]]\nname = \"live\"\nprovisioned_concurrency = 200\n\
         [function.alias.autoscaling]\nmin = 50\nmax = 1000\ntarget_utilization = 0.7\n\
         [[traffic]]\nfunction = \"f:live\"\nrate = [ {} ]\n",
        days * 24,
        steps.join(", ")
    );
    let loaded = parse(SourceText::new("week.toml", text));
    loaded.expect("the file is sound").scenario
}

fn seconds(work: impl FnOnce()) -> f64 {
    let begin = Instant::now();
    work();
    begin.elapsed().as_secs_f64()
}

fn main() {
    let days = std::env::args().find_map(|argument| argument.parse().ok());
    let run = |scenario: &Scenario, seed| {
        let outcome = sim::run(scenario, seed, &mut ());
        outcome.expect("the limits are sound").invocations
    };

    let cores = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    let short = support::traffic(200, 10_000.0, Dist::Exponential { mean: 1e8 });
    for _ in 0..ROUNDS {
        let alone = seconds(|| {
            for seed in 0..cores {
                run(&short, seed);
            }
        });
        let together = seconds(|| {
            std::thread::scope(|scope| {
                for seed in 0..cores {
                    let short = &short;
                    scope.spawn(move || run(short, seed));
                }
            });
        });
        println!("cores {cores} {alone:.3} {together:.3}");
    }

    let week = week(days.unwrap_or(7));
    let mut invocations = 0;
    let took = seconds(|| invocations = run(&week, 1));
    println!("week {invocations} {took:.1}");
}
