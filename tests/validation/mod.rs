//! Closed forms and published figures that a simulation must reproduce.
//!
//! Each figure is the mean of 20 fixed, independent seeds and must lie within four standard errors of the exact value;
//! the error is that of the replications' mean, because blocking is clustered and a binomial error
//! would be far too small. `scripts/validation` writes the same rows to reports/validation.md.

pub mod blocking;
#[cfg(test)]
mod checks;
pub mod fixed;
pub mod infinite;
pub mod keep_alive;
pub mod rows;
#[cfg(test)]
mod theorem;
pub mod waiting;

use rows::Row;

/// A table of the report: its title, what it says of itself, and its rows.
pub struct Table {
    pub title: &'static str,
    pub about: &'static str,
    pub rows: fn() -> Vec<Row>,
}

/// Every table, in the order of the report.
pub const TABLES: [Table; 9] = [
    Table {
        title: "Erlang B: a limit, and nobody waits",
        about: "Calls as a Poisson process, reserved concurrency, no retries. The law of the durations does not matter.",
        rows: blocking::erlang_b,
    },
    Table {
        title: "Erlang C: a queue in front of a limit",
        about: "Asynchronous events as a Poisson process, reserved concurrency, exponential durations of mean 1 s.",
        rows: waiting::erlang_c,
    },
    Table {
        title: "M/G/∞ from empty",
        about: "No limit; 100 calls a second of 2 s. Each figure is the mean over the second that ends then.",
        rows: infinite::from_empty,
    },
    Table {
        title: "M/G/∞, stationary",
        about: "Quantiles of the number running, which is Poisson whatever the law of the durations; they are whole numbers.",
        rows: infinite::stationary,
    },
    Table {
        title: "M/G/∞ under a sinusoidal rate",
        about: "100 running on average, durations of 10 s, a period of 60 s and an amplitude of half the rate.",
        rows: infinite::sinusoidal,
    },
    Table {
        title: "Keep-alive",
        about: "Poisson calls, exponential durations, most recently used environments first.",
        rows: keep_alive::table,
    },
    Table {
        title: "One environment",
        about: "A limit of one: a call is cold with chance exp(−λT), whatever the law of the durations.",
        rows: keep_alive::single,
    },
    Table {
        title: "SimFaaS's steady-state example",
        about: "0.9 calls a second, 1.991 s warm and 2.244 s cold, keep-alive of 600 s, 1,000,000 s from empty. The exact value is \
                that of a long reference run, whose own error counts.",
        rows: keep_alive::simfaas,
    },
    Table {
        title: "Anchors of the scaling rules",
        about: "Deterministic: the operator guide's minutes (new environments and throttles), and the minutes that 10,000 environments take.",
        rows: fixed::anchors,
    },
];
