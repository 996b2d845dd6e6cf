//! Reports as other programs read them: pages in Chromium, Parquet files with pyarrow. `scripts/test` installs both and
//! says where they are; without it every test here fails and says so.

mod browser;
mod driver;
mod pyarrow;

use std::path::Path;
use tidegate::metrics::{Series, Summary};
use tidegate::scenario::{Scenario, load};
use tidegate::{sim, study};

/// What a scenario of the repository gives.
fn results(name: &str, change: impl FnOnce(&mut Scenario)) -> (Summary, Series) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("scenarios")
        .join(name);
    let mut scenario = load(&file)
        .unwrap_or_else(|report| panic!("{report}"))
        .scenario;
    change(&mut scenario);
    let run = sim::run(&scenario, scenario.seed, &mut ()).expect("sound limits");
    let runs = [run];
    let summary = study::summarise(&scenario, &runs);
    let [run] = runs;
    (summary, run.series)
}

/// Where a program is, by the variable that says it.
fn given(variable: &str) -> String {
    match std::env::var(variable) {
        Ok(value) if !value.is_empty() => value,
        _ => panic!(
            "{variable} is not set. Run scripts/test, or `scripts/servers run -- cargo test --features live --test readers`"
        ),
    }
}
