//! The thread that writes checkpoints.

use super::file::StoreFile;
use super::position::{position_from_text, position_to_text};
use super::{OpenWindow, StoreError, judge};
use crate::engine::Delta;
use redb::{Database, ReadableTable, TableDefinition};
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use tokio::sync::oneshot;

/// Mapping and shard to position.
pub(super) const CHECKPOINTS: TableDefinition<'_, (&str, &str), &str> =
    TableDefinition::new("checkpoints");

/// Mapping and shard to the start of the window that is open there, nanoseconds since the Unix epoch, and its state.
pub(super) const WINDOWS: TableDefinition<'_, (&str, &str), (u64, &str)> =
    TableDefinition::new("windows");

/// Checkpoints in one transaction.
pub(super) const GROUP_MAX: usize = 4_096;

/// A checkpoint to store.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) mapping: Arc<str>,
    pub(super) shard: Arc<str>,
    pub(super) delta: Delta,
    pub(super) window: Option<OpenWindow>,
    pub(super) done: oneshot::Sender<Result<(), StoreError>>,
}

/// Writes until the last sender is gone.
pub(super) fn write_groups(file: &StoreFile, waiting: &Receiver<Job>) {
    while let Some(group) = next_group(waiting) {
        let results = match file.with(|database| write_group(database, &group)) {
            Ok(results) => results,
            Err(error) => vec![Err(error); group.len()],
        };
        for (job, result) in group.into_iter().zip(results) {
            // Whoever no longer waits has stopped; the checkpoint stands all the same.
            let _ = job.done.send(result);
        }
    }
}

/// Waits for a job, and takes along whatever else is waiting.
pub(super) fn next_group(waiting: &Receiver<Job>) -> Option<Vec<Job>> {
    let mut group = vec![waiting.recv().ok()?];
    while group.len() < GROUP_MAX
        && let Ok(job) = waiting.try_recv()
    {
        group.push(job);
    }
    Some(group)
}

/// One transaction for all of them; a refused one does not hold up the others.
fn write_group(
    database: &Database,
    group: &[Job],
) -> Result<Vec<Result<(), StoreError>>, redb::Error> {
    let write = database.begin_write()?;
    let results = {
        let mut table = write.open_table(CHECKPOINTS)?;
        let mut windows = write.open_table(WINDOWS)?;
        let mut results = Vec::with_capacity(group.len());
        for job in group {
            let key = (&*job.mapping, &*job.shard);
            let stored = table
                .get(key)?
                .and_then(|text| position_from_text(text.value()));
            let result = judge(&job.mapping, &job.shard, stored, job.delta);
            if result.is_ok() {
                table.insert(key, position_to_text(job.delta.to).as_str())?;
                match &job.window {
                    Some(window) => {
                        windows.insert(key, (window.start.as_nanos(), &*window.state))?;
                    }
                    None => {
                        windows.remove(key)?;
                    }
                }
            }
            results.push(result);
        }
        results
    };
    write.commit()?;
    Ok(results)
}
