//! What reached the function, the destination and the service: all that the second model is told of a run.

use crate::engine::Time;

/// Lines in the order in which they happened, with their records in one long list.
#[derive(Debug, Default)]
pub(super) struct Log {
    lines: Vec<(What, u64, u32, u32)>,
    records: Vec<u32>,
}

/// What happened to some records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// The function was called with them and ran.
    Called,
    /// The function finished them, whoever was told.
    Finished,
    /// A call of them failed in a way that counts.
    Failed,
    /// The destination has a record of them that says so.
    Diverted(Why),
    /// They were given up and nobody was told.
    Dropped(Why),
    /// The service moved them to its dead-letter queue.
    Dead,
    /// They are gone from the service: deleted or acknowledged.
    Gone,
    /// The shard or partition was begun behind them.
    Skipped,
    /// The stream did not have them any more when they were to be read.
    Expired,
    /// Another consumer of the queue took and deleted them.
    Foreign,
}

/// Why records were given up, in the model's own words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    Retries,
    Age,
    Size,
}

impl Log {
    pub(super) fn push(&mut self, what: What, now: Time, records: impl IntoIterator<Item = u32>) {
        let from = self.records.len() as u32;
        self.records.extend(records);
        let to = self.records.len() as u32;
        if to > from {
            self.lines.push((what, now.as_millis(), from, to));
        }
    }

    /// What happened, when (milliseconds), and to which records.
    pub(super) fn lines(&self) -> impl Iterator<Item = (What, u64, &[u32])> {
        let lines = self.lines.iter();
        lines.map(|&(what, at, from, to)| (what, at, &self.records[from as usize..to as usize]))
    }
}
