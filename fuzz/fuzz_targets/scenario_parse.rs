//! Any text, read as both kinds of file in every format, ends in a value or in findings that can be drawn.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tidegate::scenario::{SourceText, parse, parse_poller};

fuzz_target!(|text: &str| {
    for path in ["fuzz.toml", "fuzz.yaml", "fuzz.json"] {
        let source = SourceText::new(path, text);
        if let Err(report) = parse(source.clone()) {
            assert!(!report.render(false).is_empty());
        }
        if let Err(report) = parse_poller(source) {
            assert!(!report.render(true).is_empty());
        }
    }
});
