//! SimFaaS's steady-state example, for `scripts/bench-simfaas` to set beside SimFaaS itself.
//!
//! Prints requests, seconds, the share of cold starts, and the mean numbers of environments and of running ones.

#[allow(dead_code)]
mod support;

use std::time::Instant;
use tidegate::sim;

fn main() {
    let scenario = support::simfaas_example();
    let seed = std::env::args()
        .find_map(|argument| argument.parse().ok())
        .unwrap_or(1);
    let begin = Instant::now();
    let outcome = sim::run(&scenario, seed, &mut ()).expect("the limits are sound");
    let seconds = begin.elapsed().as_secs_f64();
    let figures = &outcome.summary.functions[0].1;
    println!(
        "{} {seconds:.6} {:.6} {:.4} {:.4}",
        outcome.invocations,
        figures.cold_start_share.value,
        figures.environments.mean.value,
        figures.concurrent_executions.mean.value,
    );
}
