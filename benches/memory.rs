//! Peak memory of a scenario of 10,000 calls a second over so many hours (1 if none are given).
//!
//! Prints hours, invocations, seconds and the peak of the resident set in MB.

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
use tidegate::scenario::Dist;
use tidegate::sim;

fn main() {
    let hours = std::env::args()
        .find_map(|argument| argument.parse().ok())
        .unwrap_or(1);
    let duration = Dist::Exponential { mean: 1e8 };
    let scenario = support::traffic(hours * 3_600, 10_000.0, duration);
    let begin = Instant::now();
    let outcome = sim::run(&scenario, 1, &mut ()).expect("the limits are sound");
    let seconds = begin.elapsed().as_secs_f64();
    let peak = peak_mb().map_or_else(|| "unknown".to_owned(), |mb| format!("{mb:.1}"));
    println!("{hours} {} {seconds:.3} {peak}", outcome.invocations);
}

/// `VmHWM` of this process, where the system tells it.
fn peak_mb() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024.0 / 1e6)
}
