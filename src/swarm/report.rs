//! Figures for people and for programs.

use super::campaign::Outcome;
use super::world::Size;
use serde_json::json;
use std::fmt::Write;

/// Figures as text.
pub fn text(outcome: &Outcome, size: Size, secs: f64) -> String {
    let tally = &outcome.tally;
    let mut text = String::new();
    let rate = tally.worlds as f64 / secs.max(1e-9);
    let _ = writeln!(
        text,
        "{} {} worlds in {secs:.1} s ({rate:.0} a second), {} failed",
        tally.worlds,
        size.name(),
        outcome.failures.len()
    );
    for (name, count) in counts(outcome) {
        let _ = writeln!(text, "{count:>14}  {name}");
    }
    let _ = writeln!(text, "faults injected");
    for (name, count) in tally.faults() {
        let _ = writeln!(text, "{count:>14}  {name}");
    }
    let _ = writeln!(text, "what the checkers looked at");
    for (name, count) in tally.checks() {
        let _ = writeln!(text, "{count:>14}  {name}");
    }
    text
}

/// Figures as JSON.
pub fn json(outcome: &Outcome, size: Size, secs: f64) -> String {
    let tally = &outcome.tally;
    let failures: Vec<_> = outcome
        .failures
        .iter()
        .map(|(seed, failure)| {
            json!({"seed": seed, "checker": failure.checker.name(), "what": failure.what})
        })
        .collect();
    let mut value = json!({
        "worlds": size.name(),
        "seeds": tally.worlds,
        "seconds": secs,
        "worlds_per_second": tally.worlds as f64 / secs.max(1e-9),
    });
    for (name, count) in counts(outcome) {
        value[name.replace(' ', "_")] = json!(count);
    }
    value["faults"] = json!(tally.faults());
    value["checks"] = json!(tally.checks());
    value["failures"] = json!(failures);
    format!("{value:#}\n")
}

fn counts(outcome: &Outcome) -> [(&'static str, u64); 16] {
    let tally = &outcome.tally;
    [
        ("mappings", tally.mappings),
        ("records", tally.records),
        ("invocations", tally.invocations),
        ("refused by Lambda", tally.throttles),
        ("crashes", tally.crashes),
        ("disables", tally.disables),
        ("updates", tally.updates),
        ("connections lost", tally.disconnects),
        ("rebalances", tally.rebalances),
        ("shards closed", tally.reshardings),
        ("leases", tally.leases),
        ("workers frozen", tally.freezes),
        ("records expired", tally.expired),
        ("messages taken by others", tally.foreign),
        ("virtual seconds", tally.virtual_secs),
        ("events", tally.events),
    ]
}
