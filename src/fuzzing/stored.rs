//! What other programs wrote: aggregates in streams, and what is left of earlier runs.

use crate::engine::{Delta, Position, Seq, Time};
use crate::poll::{
    OpenWindow, Saving, Store, lease_of_row, new_lease_row, position_from_text, position_to_text,
    replay_lines,
};
use crate::source::{kpl, md5};
use redb::StorageBackend;
use std::io::ErrorKind;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// A record of a stream, and the same bytes as the message of an aggregate whose digest is right.
///
/// What is taken out of an aggregate was in it: no byte of data twice, no key that a producer could not have put.
pub fn kpl(bytes: &[u8]) {
    let sealed = [&kpl::MAGIC[..], bytes, &md5::digest(bytes)].concat();
    for data in [bytes, &sealed] {
        let Some(records) = kpl::deaggregate(data) else {
            continue;
        };
        assert!(!records.is_empty(), "an aggregate of nothing");
        let held: usize = records.iter().map(|record| record.data.len()).sum();
        assert!(held < data.len(), "more data than there was");
        for record in &records {
            let chars = record.partition_key.chars().count();
            assert!(chars <= kpl::KEY_CHARS_MAX, "a key of {chars} characters");
        }
        let again = kpl::deaggregate(data);
        assert_eq!(Some(records), again, "taken apart twice");
    }
}

/// The file of a store, or of a sound one with changes: it is refused, or its checkpoints can be read and one can be
/// stored.
pub fn store(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Some(position) = position_from_text(text)
    {
        let again = position_from_text(&position_to_text(position));
        assert_eq!(again, Some(position), "{text}");
    }
    let image = match bytes.split_first() {
        Some((0, changes)) => Image::changed(changes),
        _ => Image::of(bytes.to_vec()),
    };
    let Ok(store) = Store::of_backend(image) else {
        return;
    };
    let mapping: Arc<str> = Arc::from(MAPPING);
    let shard: Arc<str> = Arc::from(SHARD);
    let Ok(stored) = store.load(&mapping) else {
        return;
    };
    let from = stored
        .get(&shard)
        .map_or(Position::Horizon, |stored| stored.position);
    let to = Position::After(Seq::from(u64::MAX));
    let saved = match store.save(&mapping, &shard, Delta { from, to }, None) {
        Saving::Now(saved) => saved.is_ok(),
        Saving::Later(answer) => matches!(answer.blocking_recv(), Ok(Ok(()))),
    };
    if saved && let Ok(stored) = store.load(&mapping) {
        let position = stored.get(&shard).map(|stored| stored.position);
        assert_eq!(position, Some(to), "what was stored is not there");
    }
}

const MAPPING: &str = "clicks";
const SHARD: &str = "shardId-000000000007";

/// A file in memory, of which somebody else may have a look.
#[derive(Clone, Debug)]
struct Image(Arc<Mutex<Vec<u8>>>);

impl Image {
    fn of(bytes: Vec<u8>) -> Self {
        Self(Arc::new(Mutex::new(bytes)))
    }

    /// The file of a store with some checkpoints and an open window, where `changes` have been written over it: each is
    /// a place (three bytes), a length (one) and as many bytes.
    fn changed(mut changes: &[u8]) -> Self {
        static SOUND: OnceLock<Vec<u8>> = OnceLock::new();
        let mut bytes = SOUND.get_or_init(sound).clone();
        while let Some((&[low, middle, high, length], rest)) = changes.split_first_chunk() {
            let place = usize::from(low) | usize::from(middle) << 8 | usize::from(high) << 16;
            let (new, rest) = rest.split_at(rest.len().min(usize::from(length)));
            let place = place % bytes.len();
            for (old, new) in bytes[place..].iter_mut().zip(new) {
                *old = *new;
            }
            changes = rest;
        }
        Self::of(bytes)
    }

    fn bytes(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn sound() -> Vec<u8> {
    let image = Image::of(Vec::new());
    let store = match Store::of_backend(image.clone()) {
        Ok(store) => store,
        Err(error) => panic!("a new store: {error}"),
    };
    for number in 0..20 {
        let shard: Arc<str> = Arc::from(format!("shardId-{number:012}"));
        let delta = Delta {
            from: Position::Horizon,
            to: Position::After(Seq::from(1_000 + number)),
        };
        let window = (number % 3 == 0).then(|| OpenWindow {
            start: Time::from_secs(60),
            state: Arc::from(r#"{"sum":12}"#),
        });
        if let Saving::Later(answer) = store.save(&Arc::from(MAPPING), &shard, delta, window) {
            assert!(matches!(answer.blocking_recv(), Ok(Ok(()))));
        }
    }
    drop(store);
    image.bytes().clone()
}

impl StorageBackend for Image {
    fn len(&self) -> std::io::Result<u64> {
        Ok(self.bytes().len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> std::io::Result<()> {
        let bytes = self.bytes();
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let end = start.saturating_add(out.len());
        let part = bytes.get(start..end).ok_or(ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(part);
        Ok(())
    }

    fn set_len(&self, len: u64) -> std::io::Result<()> {
        if len > IMAGE_BYTES_MAX {
            return Err(ErrorKind::FileTooLarge.into());
        }
        self.bytes().resize(len as usize, 0);
        Ok(())
    }

    fn sync_data(&self) -> std::io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> std::io::Result<()> {
        let mut bytes = self.bytes();
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let end = start.saturating_add(data.len());
        let part = bytes.get_mut(start..end).ok_or(ErrorKind::UnexpectedEof)?;
        part.copy_from_slice(data);
        Ok(())
    }
}

/// A file says how long it is to be; this is all that a fuzzer's machine has.
const IMAGE_BYTES_MAX: u64 = 64 << 20;

/// A recorded run: it is refused, or replayed with the same result each time.
pub fn recording(bytes: &[u8]) {
    let replayed = || {
        let error = |error| unreachable!("bytes in memory cannot be read: {error}");
        replay_lines(bytes, error).map_err(|error| error.to_string())
    };
    assert_eq!(replayed(), replayed(), "replayed twice");
}

/// A row of the lease table as JSON: it is refused, or what it says of a shard survives being written again.
pub fn lease_row(bytes: &[u8]) {
    let Ok(item) = serde_json::from_slice(bytes) else {
        return;
    };
    let lease = match lease_of_row(&item) {
        Ok(lease) => lease,
        Err(refused) => {
            assert!(refused.to_string().contains("lease table"), "{refused}");
            return;
        }
    };
    let row = &lease.row;
    let again = lease_of_row(&new_lease_row(&row.key, &row.parents, lease.position));
    match again {
        Ok(again) => assert_eq!(
            (&again.row.key, &again.row.parents, again.position),
            (&row.key, &row.parents, lease.position)
        ),
        Err(refused) => panic!("{refused}"),
    }
}
