//! SIGINT and SIGTERM.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The two signals that ask a process to end.
#[derive(Debug)]
pub(crate) struct Signals(Option<(Signal, Signal)>);

impl Signals {
    /// Takes over the signals, or leaves them alone.
    pub(crate) fn listen(enabled: bool) -> std::io::Result<Self> {
        if !enabled {
            return Ok(Self(None));
        }
        let interrupt = signal(SignalKind::interrupt())?;
        let terminate = signal(SignalKind::terminate())?;
        Ok(Self(Some((interrupt, terminate))))
    }

    /// Waits for the next one.
    pub(crate) async fn next(&mut self) {
        match &mut self.0 {
            Some((interrupt, terminate)) => {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
            }
            None => std::future::pending().await,
        }
    }
}
