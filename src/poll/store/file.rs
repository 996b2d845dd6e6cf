//! The file under a store: opening it, looking whether it is whole, and opening it again after it failed.

use super::writer::{CHECKPOINTS, WINDOWS};
use super::{STORE_FORMAT, StoreError};
use redb::backends::InMemoryBackend;
use redb::{Database, DatabaseError, ReadableTable, StorageBackend, StorageError, TableDefinition};
use std::cell::RefCell;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, Once, PoisonError};

pub(super) const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
pub(super) const FORMAT_KEY: &str = "format";

/// A store's file. It is held by one process at a time.
#[derive(Debug)]
pub(super) struct StoreFile {
    path: PathBuf,
    /// Nothing after a failure: the library then wants the file to be opened again, whatever the failure was.
    database: Mutex<Option<Database>>,
}

impl StoreFile {
    /// Opens the file or creates it.
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        look(path)?;
        Self::of(path, Database::create(path))
    }

    /// One that is somewhere else than on a disk.
    pub(super) fn of_backend(backend: impl StorageBackend) -> Result<Self, StoreError> {
        let path = Path::new("memory");
        let read = || {
            let mut bytes = vec![0; backend.len()? as usize];
            backend.read(0, &mut bytes)?;
            Ok(bytes)
        };
        let bytes: Vec<u8> = read().map_err(|error| system(path, &error))?;
        if !bytes.is_empty() {
            guarded(path, || check(path, &bytes))?;
        }
        Self::of(path, Database::builder().create_with_backend(backend))
    }

    fn of(path: &Path, database: Result<Database, DatabaseError>) -> Result<Self, StoreError> {
        let database = database.map_err(|error| not_opened(path, error))?;
        let found = format_of(&database).map_err(|error| failed(path, error))?;
        if found > STORE_FORMAT {
            return Err(StoreError::Format {
                path: path.to_owned(),
                found,
            });
        }
        Ok(Self {
            path: path.to_owned(),
            database: Mutex::new(Some(database)),
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Does `work` on the database, which is opened again if it failed before.
    pub(super) fn with<T>(
        &self,
        work: impl FnOnce(&Database) -> Result<T, redb::Error>,
    ) -> Result<T, StoreError> {
        let mut held = self.database.lock().unwrap_or_else(PoisonError::into_inner);
        let database = match held.take() {
            Some(database) => database,
            // Not created: an empty one in its place would hide that it is gone.
            None => Database::open(&self.path).map_err(|error| not_opened(&self.path, error))?,
        };
        let result = work(&database);
        if result.is_ok() {
            *held = Some(database);
        }
        result.map_err(|error| failed(&self.path, error))
    }
}

/// Looks at a copy of the file, because the library repairs what it opens: every page has a checksum, and all of them are
/// looked at.
fn look(path: &Path) -> Result<(), StoreError> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) if bytes.is_empty() => return Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        bytes => bytes.map_err(|error| system(path, &error))?,
    };
    let Err(error) = guarded(path, || check(path, &bytes)) else {
        return Ok(());
    };
    // What another process writes just now may look like damage.
    let lock = File::open(path).and_then(|file| Ok(file.try_lock()?));
    match lock {
        Err(error) if error.kind() == ErrorKind::WouldBlock => {
            Err(StoreError::InUse(path.to_owned()))
        }
        _ => Err(error),
    }
}

fn check(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let memory = InMemoryBackend::new();
    let filled = memory.set_len(bytes.len() as u64);
    filled
        .and_then(|()| memory.write(0, bytes))
        .map_err(|error| system(path, &error))?;
    let database = Database::builder().create_with_backend(memory);
    // Memory does not fail: what goes wrong here is in the bytes.
    let mut database = database.map_err(|error| damaged(path, &error))?;
    let is_whole = database.check_integrity();
    if !is_whole.map_err(|error| damaged(path, &error))? {
        tracing::warn!(path = %path.display(), "the last transaction of the store is not whole: positions are those before it");
    }
    Ok(())
}

thread_local! {
    /// The store that this thread looks at.
    static LOOKING: RefCell<Option<PathBuf>> = const { RefCell::new(None) };
}

const UNREADABLE: &str = "its pages do not fit together";

/// Looks at a store in a way in which the library's panics are damage: some pages it believes before it has looked at their
/// checksums. Where a panic ends the program, the program ends with the same words.
fn guarded(path: &Path, look: impl FnOnce() -> Result<(), StoreError>) -> Result<(), StoreError> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let others = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let Some(path) = LOOKING.take() else {
                return others(info);
            };
            if cfg!(panic = "abort") {
                tracing::error!("{}", damaged(&path, &UNREADABLE));
                std::process::exit(3);
            }
        }));
    });
    LOOKING.set(Some(path.to_owned()));
    let result = panic::catch_unwind(AssertUnwindSafe(look));
    LOOKING.set(None);
    result.unwrap_or_else(|_| Err(damaged(path, &UNREADABLE)))
}

/// The format that the store named. A new store gets ours, and so does an older one: format 1 had no windows.
fn format_of(database: &Database) -> Result<u64, redb::Error> {
    let write = database.begin_write()?;
    let found = {
        let mut meta = write.open_table(META)?;
        let found = meta.get(FORMAT_KEY)?.map(|value| value.value());
        if found.is_none_or(|found| found < STORE_FORMAT) {
            meta.insert(FORMAT_KEY, STORE_FORMAT)?;
            write.open_table(CHECKPOINTS)?;
            write.open_table(WINDOWS)?;
        }
        found.unwrap_or(STORE_FORMAT)
    };
    write.commit()?;
    Ok(found)
}

fn not_opened(path: &Path, error: DatabaseError) -> StoreError {
    match error {
        DatabaseError::DatabaseAlreadyOpen => StoreError::InUse(path.to_owned()),
        DatabaseError::Storage(StorageError::Io(error)) => system(path, &error),
        // Damage is the likelier reason: this program has never written another version of the library's files.
        error => damaged(path, &error),
    }
}

fn failed(path: &Path, error: redb::Error) -> StoreError {
    match error {
        redb::Error::Io(error) => system(path, &error),
        error => damaged(path, &error),
    }
}

fn damaged(path: &Path, error: &dyn std::fmt::Display) -> StoreError {
    StoreError::Damaged {
        path: path.to_owned(),
        text: error.to_string(),
    }
}

/// What the operating system refused, and what to do about it.
pub(super) fn system(path: &Path, error: &io::Error) -> StoreError {
    // What the library says of contents.
    if matches!(
        error.kind(),
        ErrorKind::InvalidData | ErrorKind::UnexpectedEof
    ) {
        return damaged(path, error);
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.display().to_string(),
        _ => ".".to_owned(),
    };
    let advice = match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => {
            format!("Make the folder `{folder}`, or name another file as `store` in [poller]")
        }
        ErrorKind::StorageFull | ErrorKind::FileTooLarge | ErrorKind::QuotaExceeded => {
            format!("Make room where `{folder}` is")
        }
        ErrorKind::ReadOnlyFilesystem => format!(
            "Mount what `{folder}` is on so that it can be written, or name a file elsewhere as `store` in [poller]"
        ),
        ErrorKind::IsADirectory => "Name a file as `store` in [poller]".to_owned(),
        _ => format!(
            "It and its folder `{folder}` must be readable and writable; otherwise name another file as `store` in [poller]"
        ),
    };
    StoreError::File {
        path: path.to_owned(),
        text: error.to_string(),
        advice,
    }
}
