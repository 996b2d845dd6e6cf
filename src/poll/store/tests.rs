use super::file::{FORMAT_KEY, META};
use super::*;
use crate::engine::Seq;

fn after(number: u64) -> Position {
    Position::After(Seq::from(number))
}

fn save(store: &Store, shard: &str, from: Position, to: Position) -> Result<(), StoreError> {
    save_window(store, shard, Delta { from, to }, None)
}

fn window(secs: u64, state: &str) -> OpenWindow {
    OpenWindow {
        start: Time::from_secs(secs),
        state: Arc::from(state),
    }
}

fn save_window(
    store: &Store,
    shard: &str,
    delta: Delta,
    window: Option<OpenWindow>,
) -> Result<(), StoreError> {
    let mapping: Arc<str> = Arc::from("clicks");
    match store.save(&mapping, &Arc::from(shard), delta, window) {
        Saving::Now(result) => result,
        Saving::Later(answer) => answer.blocking_recv().expect("an answer"),
    }
}

fn position(store: &Store, shard: &str) -> Option<Position> {
    stored(store, shard).map(|stored| stored.position)
}

fn stored(store: &Store, shard: &str) -> Option<Stored> {
    store.load("clicks").expect("checkpoints").remove(shard)
}

#[test]
fn a_copy_taken_at_any_moment_is_a_store_with_all_that_was_confirmed() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("store.redb");
    let store = Store::open(&path).expect("a store");
    save(&store, "a", Position::Horizon, after(7)).expect("stored");
    save(&store, "b", Position::Horizon, Position::End).expect("stored");
    // What a killed process leaves behind is the file as it is now, not as closing would leave it.
    let image = folder.path().join("image.redb");
    std::fs::copy(&path, &image).expect("a copy");
    let recovered = Store::open(&image).expect("a recovered store");
    assert_eq!(position(&recovered, "a"), Some(after(7)));
    assert_eq!(position(&recovered, "b"), Some(Position::End));
    assert_eq!(recovered.load("click").expect("none").len(), 0);
    assert_eq!(recovered.load("clicks2").expect("none").len(), 0);
}

#[test]
fn checkpoints_never_go_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = Store::open(&folder.path().join("store.redb")).expect("a store");
    for store in [Store::in_memory(), file] {
        save(&store, "a", Position::Horizon, after(7)).expect("the first one");
        save(&store, "a", after(7), after(9)).expect("the next one");
        save(&store, "a", after(8), after(12)).expect("a gap is only logged");
        let back = save(&store, "a", after(7), after(11));
        assert!(matches!(back, Err(StoreError::Back { .. })), "{back:?}");
        assert_eq!(position(&store, "a"), Some(after(12)));
        save(&store, "a", after(12), Position::End).expect("the end");
        assert!(save(&store, "a", after(12), after(13)).is_err());
    }
}

#[test]
fn a_store_is_used_by_one_process_and_one_format() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("store.redb");
    let store = Store::open(&path).expect("a store");
    let second = Store::open(&path).expect_err("it is in use");
    assert_eq!(second, StoreError::InUse(path.clone()));
    drop(store);
    let database = Database::create(&path).expect("free again");
    let write = database.begin_write().expect("a transaction");
    let mut meta = write.open_table(META).expect("a table");
    meta.insert(FORMAT_KEY, 99).expect("written");
    drop(meta);
    write.commit().expect("committed");
    drop(database);
    let other = Store::open(&path).expect_err("another format");
    assert!(other.to_string().contains("has format 99"), "{other}");
    std::fs::write(&path, b"not a store").expect("written");
    let broken = Store::open(&path).expect_err("no store");
    assert!(matches!(broken, StoreError::Damaged { .. }), "{broken}");
}

#[test]
fn what_is_waiting_is_written_together() {
    let (jobs, waiting) = channel();
    for number in 0..100 {
        let (done, _) = oneshot::channel();
        let delta = Delta {
            from: Position::Horizon,
            to: after(number),
        };
        let job = Job {
            mapping: Arc::from("clicks"),
            shard: Arc::from(format!("{number}")),
            delta,
            window: None,
            done,
        };
        jobs.send(job).expect("sent");
    }
    drop(jobs);
    assert_eq!(
        writer::next_group(&waiting).map(|group| group.len()),
        Some(100)
    );
    assert!(writer::next_group(&waiting).is_none());
}

#[test]
fn window_state_is_stored() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = Store::open(&folder.path().join("store.redb")).expect("a store");
    for store in [Store::in_memory(), file] {
        let large = format!("{{\"s\":\"{}\"}}", "x".repeat(1_100_000));
        let first = Delta {
            from: Position::Horizon,
            to: after(7),
        };
        save_window(&store, "a", first, Some(window(60, &large))).expect("stored");
        save_window(&store, "b", first, Some(window(120, "{ }"))).expect("stored");
        // What is refused leaves the state alone, too.
        let back = Delta {
            from: after(5),
            to: after(6),
        };
        assert!(save_window(&store, "a", back, Some(window(180, "{}"))).is_err());
        let expected = Stored {
            position: after(7),
            window: Some(window(60, &large)),
        };
        assert_eq!(stored(&store, "a"), Some(expected));
        // The window came to its end where the position already was.
        let ended = Delta {
            from: after(7),
            to: after(7),
        };
        save_window(&store, "a", ended, None).expect("stored");
        let expected = Stored {
            position: after(7),
            window: None,
        };
        assert_eq!(stored(&store, "a"), Some(expected));
        let window = stored(&store, "b").and_then(|stored| stored.window);
        assert_eq!(window, Some(self::window(120, "{ }")));
    }
}

#[test]
fn a_copy_taken_at_any_moment_has_position_and_state_of_one_checkpoint() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("store.redb");
    let store = Store::open(&path).expect("a store");
    for number in 1..20 {
        let delta = Delta {
            from: after(number - 1),
            to: after(number),
        };
        let window = window(60, &format!("{{\"n\":{number}}}"));
        save_window(&store, "a", delta, Some(window.clone())).expect("stored");
        let image = folder.path().join("image.redb");
        std::fs::copy(&path, &image).expect("a copy");
        let recovered = Store::open(&image).expect("a recovered store");
        let expected = Stored {
            position: after(number),
            window: Some(window),
        };
        assert_eq!(stored(&recovered, "a"), Some(expected));
    }
}

#[test]
fn a_store_without_windows_is_taken_over() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("store.redb");
    let database = Database::create(&path).expect("a file");
    let write = database.begin_write().expect("a transaction");
    {
        let mut meta = write.open_table(META).expect("a table");
        meta.insert(FORMAT_KEY, 1).expect("written");
        let mut table = write.open_table(CHECKPOINTS).expect("a table");
        table.insert(("clicks", "a"), "after:7").expect("written");
    }
    write.commit().expect("committed");
    drop(database);
    let store = Store::open(&path).expect("an older store");
    assert_eq!(position(&store, "a"), Some(after(7)));
    let delta = Delta {
        from: after(7),
        to: after(8),
    };
    save_window(&store, "a", delta, Some(window(60, "{}"))).expect("stored");
    drop(store);
    let store = Store::open(&path).expect("a store");
    let window = stored(&store, "a").and_then(|stored| stored.window);
    assert_eq!(window, Some(self::window(60, "{}")));
}

/// A store of ten shards, as a kill leaves it and as it was closed.
fn images(folder: &Path) -> [Vec<u8>; 2] {
    let path = folder.join("store.redb");
    let store = Store::open(&path).expect("a store");
    for shard in 0..10 {
        let name = format!("shardId-{shard:012}");
        for number in 0..3 {
            let from = match number {
                0 => Position::Horizon,
                _ => after(1_000 + number),
            };
            save(&store, &name, from, after(1_001 + number)).expect("stored");
        }
    }
    let killed = std::fs::read(&path).expect("a file");
    drop(store);
    [killed, std::fs::read(&path).expect("a file")]
}

/// What is stored now, or that it was refused as damaged, without a change to the file.
fn open_damaged(path: &Path, bytes: &[u8]) -> Option<BTreeMap<Arc<str>, Stored>> {
    std::fs::write(path, bytes).expect("written");
    let refused = match Store::open(path) {
        Ok(store) => match store.load("clicks") {
            Ok(found) => return Some(found),
            Err(error) => error,
        },
        Err(error) => {
            let left = std::fs::read(path).expect("it is still there");
            assert!(left == bytes, "it was changed: {error}");
            error
        }
    };
    let text = refused.to_string();
    assert!(text.contains(&path.display().to_string()), "{text}");
    assert!(
        text.contains("is damaged, or is no store") || text.contains("which is none"),
        "{text}"
    );
    assert!(text.contains("Put an earlier copy in its place"), "{text}");
    None
}

#[test]
fn a_damaged_store_is_refused_or_goes_back_and_never_ahead() {
    let folder = tempfile::tempdir().expect("a folder");
    let image = folder.path().join("image.redb");
    let mut random = crate::engine::Rng::stream(8, "damage");
    let mut refused = 0;
    for good in images(folder.path()) {
        let used: Vec<usize> = (0..good.len()).filter(|at| good[*at] != 0).collect();
        let anywhere = (0..40).map(|_| used[random.below(used.len() as u64) as usize]);
        // The last digits of stored positions, those of earlier transactions included.
        let digits = good.windows(10).enumerate();
        let digits = digits.filter(|(_, text)| *text == b"after:1003");
        let digits = digits.map(|(at, _)| at + 9);
        let places: Vec<usize> = anywhere.chain(digits).collect();
        assert!(places.len() >= 50, "{} places", places.len());
        for at in places {
            let mut bad = good.clone();
            bad[at] ^= 4;
            let Some(found) = open_damaged(&image, &bad) else {
                refused += 1;
                continue;
            };
            // The transaction before the last one may be what is left whole.
            for stored in found.values() {
                assert!(
                    !after(1_003).is_behind(stored.position),
                    "byte {at}: {stored:?}"
                );
            }
            assert!(found.len() >= 9, "byte {at}: {found:?}");
        }
    }
    assert!(refused >= 10, "{refused} were refused");
}

#[test]
fn garbage_and_stumps_are_refused_and_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let image = folder.path().join("image.redb");
    for good in images(folder.path()) {
        for length in [1, 9, 100, 4_096, good.len() / 2, good.len() - 4_096] {
            // Of a file that was not closed the end may be missing: nothing was in it.
            let Some(found) = open_damaged(&image, &good[..length]) else {
                continue;
            };
            let positions: Vec<Position> = found.values().map(|it| it.position).collect();
            assert_eq!(positions, [after(1_003); 10], "{length}");
            assert!(length > 4_096);
        }
    }
    assert_eq!(open_damaged(&image, b"{\"position\": 7}"), None);
    assert_eq!(open_damaged(&image, &[0xff; 8_192]), None);
}

#[test]
fn a_place_that_cannot_be_used_is_explained() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("file");
    std::fs::write(&file, "taken").expect("written");
    let no_folder = folder.path().join("missing");
    for (path, advice) in [
        (file.join("store.redb"), "Make the folder"),
        (no_folder.join("store.redb"), "Make the folder"),
        (folder.path().to_owned(), "Name a file"),
    ] {
        let text = Store::open(&path).expect_err("no store").to_string();
        assert!(text.contains(&path.display().to_string()), "{text}");
        assert!(text.contains(advice), "{text}");
    }
    assert!(!no_folder.exists());
    assert_eq!(std::fs::read(&file).expect("it is there"), b"taken");
}
