//! What bad files get to read, word for word, and that nothing at all makes the readers panic.

/// Compares with a file in tests/snapshots; `INSTA_UPDATE=always cargo test` writes them anew.
macro_rules! snapshot {
    ($text:expr) => {{
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path("../snapshots");
        settings.set_prepend_module_to_snapshot(true);
        settings.set_omit_expression(true);
        settings.bind(|| insta::assert_snapshot!($text));
    }};
}
use snapshot;

mod asynchronous;
mod bench;
mod brokers;
mod callers;
mod examples;
mod formats;
mod poller;
mod robustness;
mod scenario;
mod secrets;
mod streams;
mod versions;

use tidegate::scenario::{SourceText, parse, parse_poller};

/// A scenario that is right: tests append to it, or put it in front of what is wrong.
pub(crate) const GOOD: &str = r#"duration = "10m"
[[function]]
name = "f"
duration = "80ms"
[[traffic]]
function = "f"
rate = 5
"#;

/// What a scenario in `text` gets to read.
pub(crate) fn told(text: &str) -> String {
    told_as("bad.toml", text)
}

pub(crate) fn told_as(path: &str, text: &str) -> String {
    let report = parse(SourceText::new(path, text)).expect_err("a bad scenario");
    format!("\n{}", report.render(false))
}

pub(crate) fn poller_told(text: &str) -> String {
    let report = parse_poller(SourceText::new("poller.toml", text)).expect_err("a bad poller file");
    format!("\n{}", report.render(false))
}

/// [`told`] for the good scenario with something appended.
pub(crate) fn told_after(appended: &str) -> String {
    told(&format!("{GOOD}{appended}"))
}
