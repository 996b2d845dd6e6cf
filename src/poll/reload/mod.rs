//! Changing a run while it goes on: a new poller file, of which everything is carried out or nothing.

mod difference;
mod fleet;

pub(crate) use difference::{Plan, Step, find, shown};
pub(crate) use fleet::{Ended, Fleet, News};

use crate::scenario::PollerFile;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{mpsc, oneshot};

/// Hands new poller files to a run. Give a clone to [`RunOptions`](super::RunOptions).
#[derive(Clone, Debug)]
pub struct Reload {
    requests: mpsc::UnboundedSender<Request>,
    /// Taken by the run.
    arrivals: Arc<Mutex<Option<mpsc::UnboundedReceiver<Request>>>>,
}

/// A file that the run is asked to go on with.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) file: PollerFile,
    pub(crate) answer: oneshot::Sender<Reloaded>,
}

/// What became of a new file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reloaded {
    /// It means the same as the one before.
    Unchanged,
    /// The run goes on with it; these are the changes.
    Applied(Vec<String>),
    /// Nothing was changed: of these changes some cannot be carried out, for these reasons.
    Refused {
        /// What differs.
        changes: Vec<String>,
        /// What cannot be carried out while the run goes on, and why.
        reasons: Vec<String>,
    },
    /// Nothing was changed: something new could not be opened.
    Failed(String),
    /// A later file came before everything new was open.
    Superseded,
    /// The run is over, or comes to its end.
    Ended,
}

impl Default for Reload {
    fn default() -> Self {
        let (requests, arrivals) = mpsc::unbounded_channel();
        Self {
            requests,
            arrivals: Arc::new(Mutex::new(Some(arrivals))),
        }
    }
}

impl Reload {
    /// Asks the run to go on with `file`, and waits until it does or does not.
    pub async fn apply(&self, file: PollerFile) -> Reloaded {
        let (answer, answered) = oneshot::channel();
        if self.requests.send(Request { file, answer }).is_err() {
            return Reloaded::Ended;
        }
        answered.await.unwrap_or(Reloaded::Ended)
    }

    pub(crate) fn arrivals(&self) -> Option<mpsc::UnboundedReceiver<Request>> {
        let mut arrivals = self.arrivals.lock().unwrap_or_else(PoisonError::into_inner);
        arrivals.take()
    }
}
