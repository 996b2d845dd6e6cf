//! Calls of brokers, as tasks of their mapping.

use crate::engine::{Event, Page, Record, Token};
use crate::poll::effects::{Input, failed};
use crate::poll::feed::drained;
use crate::source::broker::Broker;
use crate::source::{CallError, Payload};
use std::future::Future;
use std::sync::Arc;
use tokio::sync::watch;

/// What a broker is told of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is done.
    Acknowledge,
    /// Deliver it again.
    Release,
}

/// A receive, given up as soon as the mapping drains: what was delivered and not taken goes back when the connection is
/// closed.
pub(crate) async fn received(
    mapping: &str,
    token: Token,
    receive: impl Future<Output = Result<Page<Payload>, CallError>>,
    draining: watch::Receiver<bool>,
) -> Input {
    let result = tokio::select! {
        biased;
        result = receive => result,
        () = drained(draining) => Ok(Page::default()),
    };
    Input::Event(match result {
        Ok(page) => Event::Fetched { token, page },
        Err(error) => failed(mapping, token, &error),
    })
}

impl Verdict {
    /// Tells the broker.
    pub(crate) fn tell(
        self,
        broker: &Arc<Broker>,
        mapping: &Arc<str>,
        token: Token,
        records: &[Record<Payload>],
    ) -> impl Future<Output = Input> + Send + 'static {
        let receipts = records.iter().map(|record| record.payload.receipt.clone());
        let receipts: Vec<String> = receipts.collect();
        let (broker, mapping) = (broker.clone(), mapping.clone());
        async move {
            let result = match self {
                Self::Acknowledge => broker.acknowledge(receipts).await,
                Self::Release => broker.release(receipts).await,
            };
            Input::Event(match result {
                Ok(()) => Event::Done { token },
                Err(error) => failed(&mapping, token, &error),
            })
        }
    }
}
