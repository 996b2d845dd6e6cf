//! SimFaaS's steady-state example, for `scripts/bench-simfaas` to set beside SimFaaS itself.
//!
//! Prints requests, seconds of one run, the share of cold starts, and the mean numbers of environments and of running ones.

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
use tidegate::sim;

/// One run is over too soon to be timed beside SimFaaS's ten seconds or more.
const RUNS: u32 = 10;

fn main() {
    let scenario = support::simfaas_example();
    let seed = std::env::args()
        .find_map(|argument| argument.parse().ok())
        .unwrap_or(1);
    let run = || sim::run(&scenario, seed, &mut ()).expect("the limits are sound");
    let begin = Instant::now();
    let outcome = (1..RUNS).fold(run(), |_, _| run());
    let seconds = begin.elapsed().as_secs_f64() / f64::from(RUNS);
    let figures = &outcome.summary.functions[0].1;
    println!(
        "{} {seconds:.6} {:.6} {:.4} {:.4}",
        outcome.invocations,
        figures.cold_start_share.value,
        figures.environments.mean.value,
        figures.concurrent_executions.mean.value,
    );
}
