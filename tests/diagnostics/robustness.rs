//! Nothing makes the readers panic, and nothing makes them slow.

use proptest::prelude::*;
use std::io::Write;
use tidegate::scenario::{FILE_BYTES_MAX, SourceText, load, parse, parse_poller};

const EXAMPLES: [&str; 4] = [
    include_str!("../../scenarios/flash-sale.toml"),
    include_str!("../../scenarios/orders-queue.toml"),
    include_str!("../../scenarios/clicks-stream.toml"),
    include_str!("../../scenarios/poller/mock.toml"),
];
const PATHS: [&str; 2] = ["x.toml", "x.yaml"];

/// Reads `text` in every way; the findings are drawn, too.
fn survive(text: &str) {
    for path in PATHS {
        let source = SourceText::new(path, text);
        if let Err(report) = parse(source.clone()) {
            assert!(!report.render(false).is_empty());
            assert!(!report.render(true).is_empty());
        }
        if let Err(report) = parse_poller(source) {
            assert!(!report.is_empty());
        }
    }
}

/// An example with some of its characters replaced, removed or repeated.
fn mutated() -> impl Strategy<Value = String> {
    let edit = (any::<prop::sample::Index>(), 0..6usize, any::<char>());
    let edits = prop::collection::vec(edit, 1..12);
    (0..EXAMPLES.len(), edits).prop_map(|(example, edits)| {
        let mut chars: Vec<char> = EXAMPLES[example].chars().collect();
        for (index, kind, fresh) in edits {
            if chars.is_empty() {
                break;
            }
            let at = index.index(chars.len());
            match kind {
                0 => drop(chars.remove(at)),
                1 => chars.insert(at, fresh),
                2 => chars[at] = '"',
                3 => chars[at] = '9',
                4 => chars.truncate(at.max(1)),
                _ => {
                    let end = (at + 20).min(chars.len());
                    let again: Vec<char> = chars[at..end].to_vec();
                    chars.splice(at..at, again);
                }
            }
        }
        chars.into_iter().collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_text_never_panics(text in ".{0,400}") {
        survive(&text);
    }

    #[test]
    fn structured_noise_never_panics(text in "[\\[\\]{}=:,.\"'#a-f0-9\n -]{0,300}") {
        survive(&text);
    }

    #[test]
    fn mutated_examples_never_panic(text in mutated()) {
        survive(&text);
    }
}

fn file(name: &str, bytes: &[u8]) -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(name);
    std::fs::File::create(&path)
        .and_then(|mut file| file.write_all(bytes))
        .expect("a file");
    (folder, path)
}

fn codes(path: &std::path::Path) -> Vec<&'static str> {
    let report = load(path).expect_err("a bad file");
    report.items().iter().map(|item| item.code).collect()
}

#[test]
fn bytes_that_are_no_text_give_one_finding() {
    for name in ["x.toml", "x.yaml", "x.json"] {
        let (_folder, path) = file(name, b"title = \"\xff\xfe\"");
        assert_eq!(codes(&path), ["not-text"]);
        let (_folder, path) = file(name, b"title = \"a\0b\"");
        assert_eq!(codes(&path), ["not-text"]);
    }
}

#[test]
fn a_gigabyte_is_refused_before_it_is_read() {
    let (_folder, path) = file("x.toml", b"");
    let sparse = std::fs::OpenOptions::new()
        .write(true)
        .open(&path)
        .expect("the file");
    sparse.set_len(1 << 30).expect("a sparse file");
    assert_eq!(codes(&path), ["file-too-large"]);
}

#[test]
fn the_largest_garbage_that_is_read_gives_one_finding() {
    let size = usize::try_from(FILE_BYTES_MAX).expect("16 MiB");
    for (name, filler) in [
        ("x.toml", "x"),
        ("x.yaml", "["),
        ("x.json", "{"),
        ("x.toml", "["),
    ] {
        let (_folder, path) = file(name, filler.repeat(size).as_bytes());
        let report = load(&path).expect_err("garbage");
        assert_eq!(report.items().len(), 1, "{name} {filler}");
        assert!(report.render(false).len() < 1_000, "{name} {filler}");
    }
}

#[test]
fn deep_nesting_is_refused() {
    for (path, text) in [
        (
            "x.toml",
            format!("a = {}{}", "[".repeat(70), "]".repeat(70)),
        ),
        ("x.yaml", format!("{}{}", "[".repeat(70), "]".repeat(70))),
        (
            "x.json",
            format!("{}1{}", "{\"a\":".repeat(70), "}".repeat(70)),
        ),
    ] {
        let report = parse(SourceText::new(path, text)).expect_err("too deep");
        assert_eq!(report.items()[0].code, "too-deep", "{path}");
    }
}

#[test]
fn folders_and_missing_files_are_findings() {
    let folder = tempfile::tempdir().expect("a folder");
    assert_eq!(codes(folder.path()), ["file-unreadable"]);
    assert_eq!(codes(&folder.path().join("none.toml")), ["file-unreadable"]);
}

#[test]
fn millions_of_mistakes_stay_readable() {
    let keys: String = (0..300_000).map(|n| format!("timeouu{n}: {n}\n")).collect();
    let tables = "[[traffic]]\nfunction = \"nobody\"\n".repeat(9_000);
    let many = "[[function]]\n".repeat(20_000);
    for (path, text) in [("x.yaml", keys), ("x.toml", tables), ("x.toml", many)] {
        let report = parse(SourceText::new(path, text)).expect_err("mistakes");
        assert!(report.items().len() <= 1_000);
        assert!(report.render(false).len() < 200_000);
    }
}
