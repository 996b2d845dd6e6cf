//! A function that a test plays.

use super::{Kind, Reply, RequestId, Target};
use bytes::Bytes;
use std::fmt;
use std::sync::Arc;

type Play = dyn Fn(&str, RequestId, Bytes) -> Reply + Send + Sync;

/// Answers as the test says, at once.
pub(crate) struct Script(Box<Play>);

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Script").finish_non_exhaustive()
    }
}

impl Script {
    pub(super) fn invoke(&self, name: &str, request: RequestId, event: Bytes) -> Reply {
        (self.0)(name, request, event)
    }
}

impl Target {
    /// A target that a test plays: it is told the name, the request and the event.
    pub(crate) fn scripted(
        function: &str,
        play: impl Fn(&str, RequestId, Bytes) -> Reply + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            function: function.to_owned(),
            kind: Kind::Script(Script(Box::new(play))),
        })
    }
}
