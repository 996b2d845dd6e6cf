//! Reading the poller file again while its mappings run: on SIGHUP, and with `--watch` whenever it changes.

use super::logging::{LogFormat, show_findings};
use crate::poll::{Board, Reload, Reloaded};
use crate::scenario;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// How often `--watch` looks at the file.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// Brings new versions of a file to a run.
pub(super) struct Watcher {
    pub(super) path: PathBuf,
    pub(super) is_watching: bool,
    pub(super) format: LogFormat,
    pub(super) reload: Reload,
    pub(super) board: Arc<Board>,
}

/// What tells one version of a file from another.
type Version = Option<(std::time::SystemTime, u64)>;

impl Watcher {
    /// Takes over SIGHUP, which would otherwise end the process.
    ///
    /// # Errors
    /// The handler cannot be set.
    pub(super) fn listen() -> std::io::Result<Signal> {
        signal(SignalKind::hangup())
    }

    /// Goes on until it is dropped.
    pub(super) async fn run(self, mut hangups: Signal) {
        let mut timer = tokio::time::interval(LOOK_INTERVAL);
        let mut seen = self.version().await;
        loop {
            tokio::select! {
                Some(()) = hangups.recv() => tracing::info!("SIGHUP: the file is read again"),
                _ = timer.tick(), if self.is_watching => {
                    let now = self.version().await;
                    // Between two versions there may be no file for a moment.
                    if now.is_none() || now == seen {
                        continue;
                    }
                    tracing::info!("the file has changed: it is read again");
                }
            }
            seen = self.version().await;
            self.bring().await;
        }
    }

    async fn version(&self) -> Version {
        let found = tokio::fs::metadata(&self.path).await.ok()?;
        Some((found.modified().ok()?, found.len()))
    }

    async fn bring(&self) {
        let loaded = match scenario::load_poller(&self.path) {
            Ok(loaded) => loaded,
            Err(report) => {
                self.board.note_invalid_file();
                show_findings(self.format, &report);
                tracing::error!("the file has errors; the run goes on with the one before");
                return;
            }
        };
        if !loaded.warnings.is_empty() {
            show_findings(self.format, &loaded.warnings);
        }
        let list = |changes: &[String]| {
            for change in changes {
                tracing::info!("{change}");
            }
        };
        match self.reload.apply(loaded.file).await {
            Reloaded::Unchanged => tracing::info!("the file says the same as before"),
            Reloaded::Applied(changes) => {
                list(&changes);
                tracing::info!(changes = changes.len(), "the run goes on with the new file");
            }
            Reloaded::Refused { changes, reasons } => {
                list(&changes);
                for reason in &reasons {
                    tracing::error!("{reason}");
                }
                tracing::error!("nothing was changed; the run goes on with the file before");
            }
            Reloaded::Failed(error) => {
                tracing::error!(
                    error,
                    "nothing was changed; the run goes on with the file before"
                );
            }
            Reloaded::Superseded => tracing::info!("a later file came before this one was open"),
            Reloaded::Ended => tracing::info!("the run comes to its end; the file is left alone"),
        }
    }
}
