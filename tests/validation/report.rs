//! Writes what the simulator gives beside what is exact: `scripts/validation` keeps it in reports/validation.md.

#![allow(
    clippy::print_stdout,
    dead_code,
    reason = "a program that prints, and uses its part of what tests share"
)]

#[path = "../support/mod.rs"]
mod support;
#[path = "mod.rs"]
mod validation;

use validation::rows::{ERRORS_MAX, Row};
use validation::{TABLES, Table};

fn main() {
    println!("# Validation\n");
    println!(
        "Written by `scripts/validation`; run it again to renew every figure. The same rows are tests (`tests/validation`).\n"
    );
    println!(
        "A simulated value is the mean of independent runs with fixed seeds, with its 95 % interval; it agrees when it lies within \
         {ERRORS_MAX} standard errors of the exact value (of both, where the reference has an error of its own). Where figures are whole \
         numbers or are seen at the ends of seconds, that resolution is added.\n"
    );
    println!(
        "Hand-computed timelines are tests by themselves: target tracking minute by minute (`tests/semantics/provisioned.rs`), \
         asynchronous retries (`tests/semantics/asynchronous.rs`), functions that compete for an account \
         (`tests/semantics/competing.rs`). Little's law is asserted to the nanosecond at the end of every run, and the keep-alive theorem holds on random \
         traces (`tests/validation/theorem.rs`).\n"
    );
    let mut off = 0;
    for Table { title, about, rows } in TABLES {
        println!("## {title}\n\n{about}\n");
        println!("| | exact | simulated | 95 % interval | agrees |\n|---|---:|---:|---:|---|");
        for row in rows() {
            off += usize::from(!row.holds());
            println!("{}", line(&row));
        }
        println!();
    }
    println!(
        "{}",
        match off {
            0 => "Every row agrees.".to_owned(),
            _ => format!("{off} rows do not agree."),
        }
    );
    assert_eq!(off, 0, "rows do not agree");
}

fn line(row: &Row) -> String {
    let shown = |value: f64| {
        let digits = match value.abs() {
            0.0 => 0,
            small if small < 0.01 => 7,
            small if small < 1.0 => 5,
            small if small < 100.0 => 3,
            small if small < 1_000.0 => 2,
            _ if value.fract() == 0.0 => 0,
            _ => 1,
        };
        format!("{value:.digits$}")
    };
    let exact = match row.exact.error {
        0.0 => shown(row.exact.mean),
        error => format!("{} ± {}", shown(row.exact.mean), shown(error)),
    };
    // Student's t for 19 degrees of freedom; more runs have less, and are shown a little too wide.
    let half = 2.093 * row.found.error;
    let interval = match row.found.error {
        0.0 => String::new(),
        _ => format!(
            "{} – {}",
            shown(row.found.mean - half),
            shown(row.found.mean + half)
        ),
    };
    format!(
        "| {} | {exact} | {} | {interval} | {} |",
        row.what,
        shown(row.found.mean),
        if row.holds() { "yes" } else { "no" },
    )
}
