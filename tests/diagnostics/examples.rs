//! The scenarios of the repository are right, and mean the same in every format.

use std::path::Path;
use tidegate::scenario::{CODES, SourceText, load, load_poller, parse};

fn files(folder: &str) -> Vec<std::path::PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let entries = std::fs::read_dir(root).expect("the folder of scenarios");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut paths: Vec<_> = paths.filter(|path| path.is_file()).collect();
    paths.sort();
    paths
}

#[test]
fn every_example_is_accepted() {
    let scenarios = files("scenarios");
    assert!(scenarios.len() >= 5);
    for path in scenarios {
        let loaded = load(&path).unwrap_or_else(|report| panic!("{report}"));
        // Where the warning is the lesson, it is the only one.
        let expected = usize::from(path.ends_with("visibility-too-short.toml"));
        let text = loaded.warnings.to_string();
        assert_eq!(text.matches("warning[").count(), expected, "{text}");
        assert_eq!(text.matches("[sqs-visibility-advice]").count(), expected);
        assert_eq!(loaded.scenario.hash.len(), 32);
    }
    for path in files("scenarios/poller") {
        let loaded = load_poller(&path).unwrap_or_else(|report| panic!("{report}"));
        assert!(loaded.warnings.is_empty(), "{}", loaded.warnings);
    }
}

#[test]
fn the_digest_is_of_the_meaning_not_of_the_text() {
    let hash = |path: &str, text: &str| {
        let loaded = parse(SourceText::new(path, text)).unwrap_or_else(|report| panic!("{report}"));
        loaded.scenario.hash
    };
    let toml = hash("a.toml", super::GOOD);
    let reordered = "[[traffic]]\nrate = 5.0\nfunction = 'f' # same\n[[function]]\nduration = \"80ms\"\nname = \"f\"\n";
    let yaml = "function:\n  - name: f\n    duration: 80ms\ntraffic:\n  - function: f\n    rate: 5\nduration: 10m\n";
    let json = r#"{"duration": "10m", "function": [{"name": "f", "duration": "80ms"}], "traffic": [{"function": "f", "rate": 5}]}"#;
    assert_eq!(
        toml,
        hash("b.toml", &format!("duration = \"10m\"\n{reordered}"))
    );
    assert_eq!(toml, hash("c.yaml", yaml));
    assert_eq!(toml, hash("d.json", json));
    assert_ne!(toml, hash("e.json", &json.replace("5}", "6}")));
    // Changing this changes every published digest.
    assert_eq!(toml, "7035c55e6628fd29bd1c8ef8f4219ac7");
}

#[test]
fn codes_are_unique_and_kebab_case() {
    let rules = tidegate::engine::config::RULES.iter().map(|rule| rule.id);
    let mut all: Vec<&str> = CODES.into_iter().chain(rules).collect();
    for code in &all {
        let plain = |b: u8| b.is_ascii_lowercase() || b == b'-' || b.is_ascii_digit();
        assert!(code.bytes().all(plain), "{code}");
    }
    let count = all.len();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), count);
    let mut sorted = CODES;
    sorted.sort_unstable();
    assert_eq!(sorted, CODES, "the list is kept in order");
}

#[test]
fn every_code_is_in_the_documentation() {
    let docs = include_str!("../../docs/scenario.md");
    for code in CODES {
        assert!(docs.contains(&format!("`{code}`")), "{code}");
    }
    let rules = include_str!("../../docs/semantics.md");
    for rule in &tidegate::engine::config::RULES {
        assert!(rules.contains(&format!("`{}`", rule.id)), "{}", rule.id);
    }
}
