//! What a sweep costs beside its runs, and what a second thread brings.
//!
//! Prints for each round seconds per variant of 1e5 invocations:
//!
//! - `variants COUNT BARE CHECK ALONE TOGETHER`: bare `sim::run` calls of scenarios that are there already, one after the
//!   other; looking at all variants; the sweep with its journal on one thread, and on all cores.
//! - `rows SECONDS MINUTES`: the same invocations over two hours with a row for every second, and, over a second more,
//!   with a row for every minute: what series cost.
//!
//! With a number as argument, that many variants instead of 200.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "benchmarks read the clock and print what they measure"
)]

use std::num::NonZeroU32;
use std::time::Instant;
use tidegate::scenario::{SourceText, parse};
use tidegate::sim;
use tidegate::study::{self, Asked, Heard, Journal, JournalError, Plan, Results, Shard, Sheet};

const ROUNDS: usize = 5;

/// 1e5 calls in 100 s, some of which a reservation refuses.
const TEXT: &str = r#"
title = "Swept"
duration = "100s"
[[function]]
name = "f"
duration = { exponential = { mean = "100ms" } }
reserved_concurrency = 120
[[traffic]]
function = "f"
rate = 1000
"#;

fn seconds(work: impl FnOnce()) -> f64 {
    let begin = Instant::now();
    work();
    begin.elapsed().as_secs_f64()
}

fn main() {
    let count: u32 = std::env::args()
        .find_map(|argument| argument.parse().ok())
        .unwrap_or(200);
    let source = SourceText::new("swept.toml", TEXT);
    let base = parse(source.clone()).expect("the file is sound");
    let asked = Asked {
        vary: vec![format!(
            "function.f.keep_alive=100s..{}s:step1s",
            99 + count
        )],
        sample: "grid".to_owned(),
        replications: 1,
        replications_max: 1,
        ..Asked::default()
    };
    let (plan, measures) = Plan::new(asked, &base.scenario).expect("the plan is sound");
    let sheet = Sheet {
        source: &source,
        plan: &plan,
        measures: &measures,
    };
    let all = Shard::WHOLE.variants(&plan);
    let one = NonZeroU32::MIN;
    let each = |total: f64| total / f64::from(plan.variants());
    let swept = |jobs| {
        let folder = tempfile::tempdir().expect("a folder");
        let opened = Journal::open(folder.path(), &plan, Shard::WHOLE);
        let (mut journal, mut results) = opened.expect("a new journal");
        let told = |heard: Heard<'_>| -> Result<(), JournalError> {
            match heard {
                Heard::Wanted(_) => Ok(()),
                Heard::Done(run) => journal.add(run),
            }
        };
        let ended = study::sweep(&sheet, Shard::WHOLE, jobs, &mut results, || (), told);
        ended.expect("every variant runs");
        results
    };
    let scenarios: Vec<_> = all
        .iter()
        .map(|index| sheet.scenario(*index).expect("every variant is sound"))
        .collect();
    for _ in 0..ROUNDS {
        let bare = seconds(|| {
            for scenario in &scenarios {
                let outcome = sim::run(scenario, scenario.seed, &mut ());
                assert!(outcome.expect("sound limits").invocations > 0);
            }
        });
        let check = seconds(|| {
            let checked = sheet.check(&all, &base.scenario, &base.warnings, one);
            assert!(checked.refused.is_empty());
        });
        let mut alone_results = Results::default();
        let alone = seconds(|| alone_results = swept(one));
        let mut together_results = Results::default();
        let together = seconds(|| together_results = swept(study::cores()));
        assert_eq!(alone_results, together_results);
        println!(
            "variants {count} {:.6} {:.6} {:.6} {:.6}",
            each(bare),
            each(check),
            each(alone),
            each(together)
        );
    }
    let over = |duration: u32| {
        let text = TEXT
            .replace("\"100s\"", &format!("\"{duration}s\""))
            .replace("rate = 1000", "rate = 13.9")
            .replace("mean = \"100ms\"", "mean = \"7s\"");
        parse(SourceText::new("long.toml", text)).expect("the file is sound")
    };
    let (by_second, by_minute) = (over(7_200), over(7_201));
    for _ in 0..ROUNDS {
        let took = |scenario| seconds(|| drop(sim::run(scenario, 1, &mut ())));
        println!(
            "rows {:.6} {:.6}",
            took(&by_second.scenario),
            took(&by_minute.scenario)
        );
    }
}
