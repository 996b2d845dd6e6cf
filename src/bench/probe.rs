//! A bare loop that runs beside the poller, on a source of its own under the same load: what the server did meanwhile.
//!
//! A stall of the server or the machine shows in one of two runs that follow each other, and in both of two that run at once.

use super::ledger::{self, Ledger, Progress};
use super::live::{Plainly, looping};
use super::load::Maker;
use super::place::{Call, Calls, Place};
use crate::poll::{Clock, Tap};
use crate::scenario::PollerFile;
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub(crate) struct Probe {
    calls: Arc<Calls>,
    progress: watch::Receiver<Progress>,
    stop: watch::Sender<bool>,
    looping: JoinHandle<Result<(), String>>,
    keeper: std::thread::JoinHandle<Ledger>,
}

impl Probe {
    /// Begins to read a source, which will get so many records of `maker`.
    pub(crate) fn begin(
        runtime: &Handle,
        (place, file, maker, records): (Arc<Place>, PollerFile, Arc<Maker>, usize),
        plainly: Plainly,
        clock: Clock,
    ) -> Result<Self, String> {
        let (tap, deliveries) = Tap::new(clock);
        let (keeper, progress) =
            ledger::keep(records, maker, deliveries).map_err(|it| it.to_string())?;
        let (stop, stopped) = watch::channel(false);
        let calls = Arc::new(Calls::default());
        let own = calls.clone();
        let looping = runtime.spawn(async move {
            looping(&place, &file, (clock, tap), plainly, own, stopped).await
        });
        Ok(Self {
            calls,
            progress,
            stop,
            looping,
            keeper,
        })
    }

    pub(crate) fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.clone()
    }

    /// Its reads that returned records.
    pub(crate) async fn end(self) -> Result<Vec<Call>, String> {
        self.stop.send_replace(true);
        let ended = self.looping.await.map_err(|error| error.to_string())?;
        ended.map_err(|error| format!("the bare loop beside the poller: {error}"))?;
        self.keeper
            .join()
            .map_err(|_| "the ledger panicked".to_owned())?;
        Ok(self.calls.taken().0)
    }
}
