//! The M/M/c queue (c = 100, load 0.9) on this crate's calendar and on nexosim, in turns.
//!
//! Both engines drive the same [`Station`] with the same draws, so for a seed they must give the same waits to the
//! nanosecond; and the waits must be those of the Erlang C formula. Prints a line per round: events per second of
//! tidegate and of nexosim.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "benchmarks read the clock and print what they measure"
)]

mod ours;
mod station;
mod theirs;

use station::{Station, Waits};
use std::time::Instant;

/// Servers, offered load per server, and mean service time in nanoseconds.
const SERVERS: u32 = 100;
const LOAD: f64 = 0.9;
const SERVICE: f64 = 1e9;
/// Share of customers that wait, and mean wait over mean service, by the Erlang C formula.
const EXACT_WAITING: f64 = 0.216_940_48;
const EXACT_WAIT: f64 = 0.021_694_05;

const ROUNDS: u64 = 7;
const ARRIVALS: u64 = 1_000_000;
/// Enough for the error of the waits to be about a hundredth.
const ARRIVALS_CHECKED: u64 = 40_000_000;

fn main() {
    check();
    for round in 1..=ROUNDS {
        let (ours, waits) = timed(|| ours::run(Station::new(round, ARRIVALS)));
        let (theirs, their_waits) = timed(|| theirs::run(Station::new(round, ARRIVALS)));
        assert_eq!(waits, their_waits, "the engines disagree in round {round}");
        println!("round {ours:.0} {theirs:.0}");
    }
}

/// Events per second (an arrival and a departure each), and the waits.
fn timed(run: impl FnOnce() -> Waits) -> (f64, Waits) {
    let begin = Instant::now();
    let waits = run();
    let seconds = begin.elapsed().as_secs_f64();
    (2.0 * ARRIVALS as f64 / seconds, waits)
}

fn check() {
    let waits = ours::run(Station::new(0, ARRIVALS_CHECKED));
    let served = ARRIVALS_CHECKED as f64;
    let waiting = waits.customers as f64 / served;
    let wait = waits.nanos as f64 / served / SERVICE;
    println!("waiting {waiting:.5} {EXACT_WAITING:.5}");
    println!("wait {wait:.6} {EXACT_WAIT:.6}");
    for (found, exact) in [(waiting, EXACT_WAITING), (wait, EXACT_WAIT)] {
        let off = (found / exact - 1.0).abs();
        assert!(off < 0.05, "{found} is not {exact}");
    }
}
