//! Bad callers, growth, templates and price tables.

use super::{GOOD, told, told_after};

macro_rules! bad {
    ($name:ident, $text:expr) => {
        #[test]
        fn $name() {
            super::snapshot!($text);
        }
    };
}

bad!(
    refills_of_growth,
    told(&format!(
        "[region]\ngrowth = {{ refill = \"steps\", size = 5 }}\n{}",
        GOOD.replace("duration = \"10m\"", "")
    ))
);
bad!(
    closed_loops,
    told_after(
        "think = \"1s\"\n[[traffic]]\nfunction = \"f\"\nclients = 5\nrate = 3\n[[traffic]]\nfunction = \"f\"\nclients = [\n  { at = \"0s\", count = 5 },\n  { at = \"1m\", count = -9, over = \"2m\" },\n]\n[[traffic]]\nfunction = \"f\"\nclients = [\n  { at = \"1m\", count = 9, over = \"2m\" },\n  { at = \"2m\", count = 1 },\n  { at = \"30s\", count = 1 },\n]\n[[traffic]]\nfunction = \"f\"\nclients = []\n"
    )
);
bad!(
    patience_and_jitter,
    told_after("timeout = \"0s\"\nretry = { attempts = 3, jitter = \"equals\", budget = 1 }\n")
);
bad!(
    templates_and_their_functions,
    told(
        "duration = \"1m\"\n[[function]]\nname = \"f\"\ncount = 0\nduration = \"1ms\"\n[[function]]\nname = \"g\"\ncount = 20\nduration = \"1ms\"\narchitecture = \"arm\"\nreserved_concurrency = 50\n[[function.alias]]\nname = \"live\"\n[[traffic]]\nfunction = \"g:lve\"\nrate = 1\n[[fault]]\nat = \"0s\"\nfor = \"1s\"\nwhat = { function_slow = { function = \"g\", factor = 2.0 } }\n"
    )
);
bad!(
    provisioned_above_the_account,
    told(
        "duration = \"1m\"\n[[function]]\nname = \"f\"\nduration = \"1ms\"\nreserved_concurrency = 500\n[[function]]\nname = \"g\"\nduration = \"1ms\"\n[[function.alias]]\nname = \"live\"\nprovisioned_concurrency = 401\n[[traffic]]\nfunction = \"g:live\"\nrate = 1\n"
    )
);
bad!(
    gates_on_the_account,
    told_after(
        "[[gate]]\nmetric = \"account.ConcurrentExecution\"\nmax = 5\n[[gate]]\nmetric = \"account.ConcurrentExecutions\"\nstatistic = \"Sum\"\nmax = 5\n"
    )
);

#[test]
fn price_tables() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let table = "date = \"2026-03-01\"\n[lambda-request]\nusd = 0.2\n[sqs-requests]\nusd = -1\ntiers = [{ above = 5, usd = 1 }, { above = 4, usd = 1 }]\n[kinesis-put-units]\nfree = 1.5\n";
    std::fs::write(folder.path().join("own.toml"), table).expect("written");
    let text = format!("{GOOD}[cost]\nprices = \"own.toml\"\nfree = true\n");
    let path = folder.path().join("s.toml");
    std::fs::write(&path, text).expect("written");
    let report = tidegate::scenario::load(&path).expect_err("many mistakes");
    let shown = report
        .render(false)
        .replace(&folder.path().display().to_string(), "FOLDER");
    super::snapshot!(shown);
}
