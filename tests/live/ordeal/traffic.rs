//! Numbers that are written to a source while it is polled, never far ahead of what was seen.

use super::sources::Source;
use std::cell::Cell;
use std::time::Duration;

/// Records that are written before others are seen.
const AHEAD: usize = 120;
/// Written at once.
const PORTION: usize = 12;

#[derive(Default)]
pub(super) struct Traffic {
    written: Cell<usize>,
    /// As far as is known.
    pub(super) seen: Cell<usize>,
    /// Written although nothing more is seen.
    pub(super) extra: Cell<usize>,
    pub(super) over: Cell<bool>,
}

impl Traffic {
    pub(super) const fn written(&self) -> usize {
        self.written.get()
    }

    /// Writes until it is over.
    pub(super) async fn flow(&self, source: &Source) {
        while !self.over.get() {
            let written = self.written.get();
            if written < self.seen.get() + AHEAD + self.extra.get() {
                source.write(written..written + PORTION).await;
                self.written.set(written + PORTION);
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}
