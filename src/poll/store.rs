//! Where checkpoints survive the process.
//!
//! One file holds the positions of all mappings. A thread of its own writes it: whatever is waiting when it
//! is ready goes into one transaction, so a single fsync serves many shards.

mod position;
mod writer;

use crate::engine::{Delta, Position, Time};
use redb::{
    Database, DatabaseError, ReadableDatabase, ReadableTable, StorageBackend, TableDefinition,
};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use tokio::sync::oneshot;
use writer::{CHECKPOINTS, Job, WINDOWS, write_groups};

pub(crate) use position::{position_from_text, position_to_text};

/// The format of stores that this version writes. Older ones are brought to it when they are opened.
pub const STORE_FORMAT: u64 = 2;

const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
const FORMAT_KEY: &str = "format";

/// A store that cannot be used, or a checkpoint that it did not take.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Another process has it open.
    #[error("the store `{0}` is in use by another process")]
    InUse(PathBuf),
    /// Written by a later version.
    #[error(
        "the store `{path}` has format {found}, this version reads formats up to {STORE_FORMAT}: name another file, or use the version that wrote it"
    )]
    Format {
        /// The file.
        path: PathBuf,
        /// What it says.
        found: u64,
    },
    /// The file or its file system.
    #[error("the store `{path}` failed: {text}")]
    File {
        /// The file.
        path: PathBuf,
        /// What failed.
        text: String,
    },
    /// A position that is not one, for instance after damage.
    #[error("the store has `{text}` as the position of shard `{shard}` of mapping `{mapping}`")]
    Position {
        /// The mapping.
        mapping: String,
        /// The shard.
        shard: String,
        /// What it says.
        text: String,
    },
    /// A checkpoint that would go back.
    #[error(
        "refused to move shard `{shard}` of mapping `{mapping}` back from {stored:?} to {to:?}; is another poller at work on it?"
    )]
    Back {
        /// The mapping.
        mapping: String,
        /// The shard.
        shard: String,
        /// What is stored.
        stored: Position,
        /// What was to be stored.
        to: Position,
    },
    /// The writing thread is gone.
    #[error("the store was closed")]
    Closed,
}

/// What is stored of a shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Everything before it is done.
    pub position: Position,
    /// The tumbling window that was open there.
    pub window: Option<OpenWindow>,
}

/// A tumbling window that has not come to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenWindow {
    /// Its first instant.
    pub start: Time,
    /// The function's state, as JSON.
    pub state: Arc<str>,
}

/// Checkpoints of all mappings.
#[derive(Debug)]
pub struct Store {
    backend: Backend,
}

/// By mapping and shard.
type Checkpoints = BTreeMap<(Arc<str>, Arc<str>), Stored>;

#[derive(Debug)]
enum Backend {
    Memory(Mutex<Checkpoints>),
    File {
        database: Arc<Database>,
        path: PathBuf,
        jobs: Option<Sender<Job>>,
        thread: Option<JoinHandle<()>>,
    },
}

/// How a checkpoint went on its way.
#[derive(Debug)]
pub enum Saving {
    /// It is stored, or refused, already.
    Now(Result<(), StoreError>),
    /// The answer will come.
    Later(oneshot::Receiver<Result<(), StoreError>>),
}

/// Whether a checkpoint fits what is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fit {
    /// It begins where the stored one ends.
    Exact,
    /// It begins somewhere else, and goes forward.
    Gap,
    /// It goes back.
    Back,
}

/// | stored | verdict |
/// |---|---|
/// | nothing, or equal to `from` | stored |
/// | behind `to` | stored, with a warning |
/// | not behind `to` | refused |
fn fit(stored: Option<Position>, delta: Delta) -> Fit {
    match stored {
        None => Fit::Exact,
        Some(stored) if stored == delta.from || stored == delta.to => Fit::Exact,
        Some(stored) if delta.to.is_behind(stored) => Fit::Back,
        Some(_) => Fit::Gap,
    }
}

impl Store {
    /// A store that ends with the process.
    pub fn in_memory() -> Self {
        Self {
            backend: Backend::Memory(Mutex::default()),
        }
    }

    /// Opens the file at `path`, or creates it.
    ///
    /// # Errors
    /// When the file is in use, of another format, or cannot be read or written.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Self::over(Database::create(path), path)
    }

    /// A store whose file is somewhere else than on a disk.
    pub(crate) fn of_backend(backend: impl StorageBackend) -> Result<Self, StoreError> {
        let path = Path::new("memory");
        Self::over(Database::builder().create_with_backend(backend), path)
    }

    fn over(database: Result<Database, DatabaseError>, path: &Path) -> Result<Self, StoreError> {
        let database = match database {
            Ok(database) => database,
            Err(DatabaseError::DatabaseAlreadyOpen) => {
                return Err(StoreError::InUse(path.to_owned()));
            }
            Err(error) => return Err(file_error(path, &error)),
        };
        check_format(&database, path)?;
        let database = Arc::new(database);
        let (jobs, waiting) = channel();
        let writing = database.clone();
        let thread = std::thread::Builder::new()
            .name("tidegate-store".to_owned())
            .spawn(move || write_groups(&writing, &waiting))
            .map_err(|error| file_error(path, &error))?;
        Ok(Self {
            backend: Backend::File {
                database,
                path: path.to_owned(),
                jobs: Some(jobs),
                thread: Some(thread),
            },
        })
    }

    /// What is stored of a mapping, by shard.
    ///
    /// # Errors
    /// When the file cannot be read, or holds something that is no position.
    pub fn load(&self, mapping: &str) -> Result<BTreeMap<Arc<str>, Stored>, StoreError> {
        match &self.backend {
            Backend::Memory(checkpoints) => Ok(checkpoints
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .iter()
                .filter(|((of, _), _)| &**of == mapping)
                .map(|((_, shard), stored)| (shard.clone(), stored.clone()))
                .collect()),
            Backend::File { database, path, .. } => {
                let rows = load_rows(database, mapping).map_err(|text| StoreError::File {
                    path: path.clone(),
                    text,
                })?;
                rows.into_iter()
                    .map(|(shard, text, window)| match position_from_text(&text) {
                        Some(position) => Ok((Arc::from(shard), Stored { position, window })),
                        None => Err(StoreError::Position {
                            mapping: mapping.to_owned(),
                            shard,
                            text,
                        }),
                    })
                    .collect()
            }
        }
    }

    /// Moves the checkpoint of a shard, and puts `window` in the place of what was stored beside it: both or neither.
    /// Waits for nothing; see [`Saving`].
    pub fn save(
        &self,
        mapping: &Arc<str>,
        shard: &Arc<str>,
        delta: Delta,
        window: Option<OpenWindow>,
    ) -> Saving {
        match &self.backend {
            Backend::Memory(checkpoints) => {
                let mut checkpoints = checkpoints.lock().unwrap_or_else(PoisonError::into_inner);
                let key = (mapping.clone(), shard.clone());
                let stored = checkpoints.get(&key).map(|stored| stored.position);
                let result = judge(mapping, shard, stored, delta);
                if result.is_ok() {
                    let position = delta.to;
                    checkpoints.insert(key, Stored { position, window });
                }
                Saving::Now(result)
            }
            Backend::File { jobs, .. } => {
                let (done, answer) = oneshot::channel();
                let job = Job {
                    mapping: mapping.clone(),
                    shard: shard.clone(),
                    delta,
                    window,
                    done,
                };
                // The channel has no limit of its own: the engine has one checkpoint per shard on its way.
                if jobs.as_ref().is_some_and(|jobs| jobs.send(job).is_ok()) {
                    Saving::Later(answer)
                } else {
                    Saving::Now(Err(StoreError::Closed))
                }
            }
        }
    }
}

impl Drop for Store {
    /// Waits for the transaction on its way, so that the file is free afterwards.
    fn drop(&mut self) {
        if let Backend::File { jobs, thread, .. } = &mut self.backend {
            drop(jobs.take());
            if let Some(thread) = thread.take()
                && thread.join().is_err()
            {
                tracing::error!("the thread that writes checkpoints had panicked");
            }
        }
    }
}

fn judge(
    mapping: &str,
    shard: &str,
    stored: Option<Position>,
    delta: Delta,
) -> Result<(), StoreError> {
    match (fit(stored, delta), stored) {
        (Fit::Back, Some(stored)) => Err(StoreError::Back {
            mapping: mapping.to_owned(),
            shard: shard.to_owned(),
            stored,
            to: delta.to,
        }),
        (Fit::Gap, Some(stored)) => {
            tracing::warn!(mapping, shard, ?stored, from = ?delta.from, to = ?delta.to, "the stored checkpoint is not where this one begins");
            Ok(())
        }
        _ => Ok(()),
    }
}

fn file_error(path: &Path, error: &dyn std::fmt::Display) -> StoreError {
    StoreError::File {
        path: path.to_owned(),
        text: error.to_string(),
    }
}

fn check_format(database: &Database, path: &Path) -> Result<(), StoreError> {
    let found = format_of(database).map_err(|error| file_error(path, &error))?;
    if found > STORE_FORMAT {
        return Err(StoreError::Format {
            path: path.to_owned(),
            found,
        });
    }
    Ok(())
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

/// Shard, position as text, window.
type Row = (String, String, Option<OpenWindow>);

fn load_rows(database: &Database, mapping: &str) -> Result<Vec<Row>, String> {
    let read = || -> Result<Vec<Row>, redb::Error> {
        let read = database.begin_read()?;
        let table = read.open_table(CHECKPOINTS)?;
        let windows = read.open_table(WINDOWS)?;
        let mut rows = Vec::new();
        for entry in table.range((mapping, "")..)? {
            let (key, value) = entry?;
            let (of, shard) = key.value();
            if of != mapping {
                break;
            }
            let window = windows.get((of, shard))?.map(|window| {
                let (start, state) = window.value();
                OpenWindow {
                    start: Time::from_nanos(start),
                    state: Arc::from(state),
                }
            });
            rows.push((shard.to_owned(), value.value().to_owned(), window));
        }
        Ok(rows)
    };
    read().map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests;
