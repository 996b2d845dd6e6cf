//! Where checkpoints survive the process.
//!
//! One file holds the positions of all mappings. A thread of its own writes it: whatever is waiting when it
//! is ready goes into one transaction, so a single fsync serves many shards.

mod file;
mod position;
mod writer;

use crate::engine::{Delta, Position, Time};
use file::StoreFile;
use redb::{Database, ReadableDatabase, StorageBackend};
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
    /// The file system does not let it be read or written.
    #[error("the store `{path}` cannot be used: {text}. {advice}")]
    File {
        /// The file.
        path: PathBuf,
        /// What failed.
        text: String,
        /// What to do about it.
        advice: String,
    },
    /// What is in the file is not what was written, or is no store.
    #[error(
        "the store `{path}` is damaged, or is no store: {text}. It was left as it is. Put an earlier copy in its place, or move it away: mappings then begin where StartingPosition says"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        text: String,
    },
    /// A position that is not one, for instance after damage.
    #[error(
        "the store `{path}` has `{text}` as the position of shard `{shard}` of mapping `{mapping}`, which is none. Put an earlier copy in its place, or move it away: mappings then begin where StartingPosition says"
    )]
    Position {
        /// The file.
        path: PathBuf,
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
        file: Arc<StoreFile>,
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
    /// When the file is in use, of another format, damaged, or cannot be read or written.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Self::over(StoreFile::open(path)?)
    }

    /// A store whose file is somewhere else than on a disk.
    pub(crate) fn of_backend(backend: impl StorageBackend) -> Result<Self, StoreError> {
        Self::over(StoreFile::of_backend(backend)?)
    }

    fn over(file: StoreFile) -> Result<Self, StoreError> {
        let file = Arc::new(file);
        let (jobs, waiting) = channel();
        let writing = file.clone();
        let thread = std::thread::Builder::new()
            .name("tidegate-store".to_owned())
            .spawn(move || write_groups(&writing, &waiting))
            .map_err(|error| file::system(file.path(), &error))?;
        Ok(Self {
            backend: Backend::File {
                file,
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
            Backend::File { file, .. } => {
                let rows = file.with(|database| load_rows(database, mapping))?;
                rows.into_iter()
                    .map(|(shard, text, window)| match position_from_text(&text) {
                        Some(position) => Ok((Arc::from(shard), Stored { position, window })),
                        None => Err(StoreError::Position {
                            path: file.path().to_owned(),
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

/// Shard, position as text, window.
type Row = (String, String, Option<OpenWindow>);

fn load_rows(database: &Database, mapping: &str) -> Result<Vec<Row>, redb::Error> {
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
}

#[cfg(test)]
mod tests;
