//! `sweep.csv` and `runs.csv`: figures with all their digits; a figure that does not exist is empty. Columns about gates are
//! only there if the scenario has some.

use super::words;
use crate::metrics::SweepSummary;
use std::fmt::Write as _;

/// One row per variant.
pub(in crate::report) fn points(sweep: &SweepSummary) -> String {
    let mut text = String::from("variant");
    for axis in &sweep.axes {
        let _ = write!(text, ",{}", field(&axis.name));
    }
    let has_gates = words::has_gates(sweep);
    text.push_str(",replications,seed,scenario_hash,on_front");
    if has_gates {
        text.push_str(",gates_passed");
    }
    for measure in &sweep.measures {
        for part in ["mean", "low", "high"] {
            let _ = write!(text, ",{}", field(&format!("{} {part}", measure.name)));
        }
    }
    text.push('\n');
    for point in &sweep.variants {
        let _ = write!(text, "{}", point.variant);
        for value in &point.values {
            let _ = write!(text, ",{}", field(value));
        }
        let (count, seed, hash) = (point.replications, point.seed, &point.scenario_hash);
        let _ = write!(text, ",{count},{seed},{hash},{}", point.on_front);
        if has_gates {
            let passed = point.gates_passed.map(|passed| passed.to_string());
            let _ = write!(text, ",{}", passed.unwrap_or_default());
        }
        for figure in &point.figures {
            for value in [figure.mean, figure.low, figure.high] {
                let _ = write!(text, ",{}", number(value));
            }
        }
        text.push('\n');
    }
    text
}

/// One row per run.
pub(in crate::report) fn runs(sweep: &SweepSummary) -> String {
    let mut text = String::from("variant,replication,seed");
    let has_gates = words::has_gates(sweep);
    if has_gates {
        text.push_str(",gates_passed");
    }
    let axes = sweep.axes.iter().map(|axis| &axis.name);
    for name in axes.chain(sweep.measures.iter().map(|measure| &measure.name)) {
        let _ = write!(text, ",{}", field(name));
    }
    text.push('\n');
    for point in &sweep.variants {
        for (index, run) in point.runs.iter().enumerate() {
            let seed = point.seed.wrapping_add(index as u64);
            let _ = write!(text, "{},{},{seed}", point.variant, index + 1);
            if has_gates {
                let passed = point.passed.get(index).map(ToString::to_string);
                let _ = write!(text, ",{}", passed.unwrap_or_default());
            }
            for value in &point.values {
                let _ = write!(text, ",{}", field(value));
            }
            for value in run {
                let _ = write!(text, ",{}", number(*value));
            }
            text.push('\n');
        }
    }
    text
}

/// The shortest text that reads as the same number again.
fn number(value: f64) -> String {
    match value.is_finite() {
        true => format!("{}", value + 0.0),
        false => String::new(),
    }
}

fn field(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}
