//! Sees every invocation with its event, for whoever measures.

use super::Clock;
use crate::engine::{Outcome, Time};
use crate::target::Reply;
use bytes::Bytes;
use std::sync::mpsc;

/// An invocation that came to its end.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The event, as the function got it.
    pub event: Bytes,
    /// When it was sent, by the clock of the [`Tap`].
    pub sent: Time,
    /// When the function had answered.
    pub answered: Time,
    /// How it ended; whether a success reported failed records is not judged here.
    pub outcome: Outcome,
}

/// Passes on every invocation of a run to a thread that reads them. The queue behind it has no bound.
///
/// Events share their bytes with what is sent, so a tap copies nothing.
#[derive(Clone, Debug)]
pub struct Tap {
    clock: Clock,
    deliveries: mpsc::Sender<Delivery>,
}

impl Tap {
    /// A tap for [`RunOptions`](super::RunOptions) that tells the time by `clock`, and where its deliveries arrive.
    pub fn new(clock: Clock) -> (Self, mpsc::Receiver<Delivery>) {
        let (deliveries, arrivals) = mpsc::channel();
        (Self { clock, deliveries }, arrivals)
    }

    /// Makes the call that delivers `event`, and passes on how long it took.
    pub(crate) async fn around(&self, event: Bytes, call: impl Future<Output = Reply>) -> Reply {
        let sent = self.clock.now();
        let reply = call.await;
        // Nobody listens any more: that is theirs to decide.
        let _ = self.deliveries.send(Delivery {
            event,
            sent,
            answered: self.clock.now(),
            outcome: reply.outcome,
        });
        reply
    }
}
