//! What the fuzzer found worth keeping, given to the functions that it runs, in every test run.

#[cfg(feature = "poller")]
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use tidegate::fuzzing::TARGETS;

/// All corpora together, in bytes.
const CORPORA_BYTES_MAX: u64 = 200_000;

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz")
        .join(name)
}

/// Names of what is in a folder.
#[cfg(feature = "poller")]
fn names(folder: &std::path::Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    entries
        .map(|entry| entry.expect("an entry").path())
        .map(|path| path.file_stem().expect("a name").to_string_lossy().into())
        .collect()
}

#[test]
fn corpora_are_replayed() {
    let mut bytes = 0;
    for (name, target) in TARGETS {
        let folder = folder("corpus").join(name);
        let mut count = 0;
        for entry in fs::read_dir(&folder).expect("a corpus for every target") {
            let path = entry.expect("an entry").path();
            let input = fs::read(&path).expect("an input");
            bytes += input.len() as u64;
            count += 1;
            let done = std::panic::catch_unwind(|| target(&input));
            assert!(done.is_ok(), "{name} fails on {}", path.display());
        }
        assert!(count >= 3, "{name} has a corpus of {count} inputs");
    }
    assert!(bytes <= CORPORA_BYTES_MAX, "{bytes} bytes of corpora");
}

/// With all features every target of the fuzzer is in the list, and the other way round.
#[test]
#[cfg(feature = "poller")]
fn every_target_is_replayed() {
    let listed: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names(&folder("fuzz_targets")), listed);
    assert_eq!(names(&folder("corpus")), listed);
    let manifest = fs::read_to_string(folder("Cargo.toml")).expect("a manifest");
    for name in listed {
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name}");
    }
}

/// Nothing at all, and noise, for every target; a fuzzer would begin with that.
#[test]
fn targets_take_anything() {
    let noise: Vec<u8> = (0..4_000u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    for (_, target) in TARGETS {
        for length in [0, 1, 2, 3, 17, 255, 4_000] {
            target(&noise[..length]);
            target(&b"{[\"\xff"[..length.min(4)]);
        }
    }
}
