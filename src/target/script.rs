//! A function that a test plays.

use super::{Kind, Reply, RequestId, Target};
use bytes::Bytes;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// A call that was made: by which name, for which request, with what.
pub(crate) type Call = (String, RequestId, Bytes);
type Play = dyn Fn(&Call) -> Reply + Send + Sync;

/// Answers as the test says, at once.
pub(crate) struct Script {
    play: Box<Play>,
    calls: Arc<Mutex<Vec<Call>>>,
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Script").finish_non_exhaustive()
    }
}

impl Script {
    pub(super) fn invoke(&self, name: &str, request: RequestId, event: Bytes) -> Reply {
        let call = (name.to_owned(), request, event);
        let reply = (self.play)(&call);
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        calls.push(call);
        reply
    }
}

impl Target {
    /// A target that a test plays, and the calls that were made of it.
    pub(crate) fn scripted(
        function: &str,
        play: impl Fn(&Call) -> Reply + Send + Sync + 'static,
    ) -> (Arc<Self>, Arc<Mutex<Vec<Call>>>) {
        let calls: Arc<Mutex<Vec<Call>>> = Arc::default();
        let script = Script {
            play: Box::new(play),
            calls: calls.clone(),
        };
        let target = Self {
            function: function.to_owned(),
            kind: Kind::Script(script),
        };
        (Arc::new(target), calls)
    }
}
