//! Scenario and poller files: any text in any format ends in a value or in findings that can be drawn.

use crate::scenario::{Report, SourceText, parse, parse_poller};

const PATHS: [&str; 3] = ["fuzz.toml", "fuzz.yaml", "fuzz.json"];

/// Reads the bytes as a scenario.
pub fn scenario_file(bytes: &[u8]) {
    read(bytes, |source| parse(source).map(drop));
}

/// Reads the bytes as a poller file.
pub fn poller_file(bytes: &[u8]) {
    read(bytes, |source| parse_poller(source).map(drop));
}

fn read(bytes: &[u8], parse: fn(SourceText) -> Result<(), Report>) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    for path in PATHS {
        let source = SourceText::new(path, text);
        let found = parse(source.clone());
        let drawn = |found: &Result<(), Report>| match found {
            Ok(()) => String::new(),
            Err(report) => {
                assert!(!report.items().is_empty(), "refused without a reason");
                assert!(!report.render(true).is_empty(), "nothing is drawn");
                report.render(false)
            }
        };
        assert_eq!(drawn(&found), drawn(&parse(source)), "read twice");
    }
}
