//! When a shard's subscription is taken from, and when it is made anew: decisions only, no calls.

use crate::engine::{FailureClass, Position, Seq, Span, Time};

/// How long a subscription lives; then the service ends it.
pub(super) const LIFE: Span = Span::from_secs(300);
/// SubscribeToShard may be called this often for one consumer and shard.
pub(super) const PAUSE: Span = Span::from_secs(1);
/// The service says something every few seconds, if only that there is nothing. Longer silence is a dead connection.
pub(super) const SILENCE: Span = Span::from_secs(35);

/// The subscription of one consumer to one shard.
///
/// ```text
///           ┌───────────── next: another position ─────────────┐
///           ▼                                                  │
///  none ──────── next: Subscribe ─▶ subscribed ──────────▶ standing ──┐
///   ▲                                                          ▲      │ event, part: elsewhere
///   │                                                          └──────┤
///   └───────────────────────────── ended ─────────────────────────────┘
/// ```
#[derive(Debug, Default)]
pub(super) struct Subscription {
    /// Where the next event begins, and since when there is a subscription.
    standing: Option<(Position, Time)>,
    /// The last SubscribeToShard.
    asked: Option<Time>,
    /// What `Latest` meant when it was first asked for.
    latest: Option<Time>,
    /// A position that the service refused.
    refused: Option<Position>,
}

/// What a read has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Take the next event of the subscription.
    Receive,
    /// Make a subscription, and not before this moment.
    Subscribe {
        /// When.
        at: Time,
        /// Where it begins.
        from: Position,
        /// What `Latest` meant, if it was asked for before.
        latest: Option<Time>,
    },
}

impl Subscription {
    /// A read from `from` on, which is not [`Position::End`].
    ///
    /// Rule `kinesis-fan-out-renewal`: whatever ended the subscription, the next one begins where the engine reads,
    /// which is the ContinuationSequenceNumber of the last event, and no sooner than a second after the previous one.
    pub(super) fn next(&mut self, now: Time, from: Position) -> Step {
        if self.standing.is_some_and(|(at, _)| at == from) {
            return Step::Receive;
        }
        self.standing = None;
        let latest = self.latest;
        if from == Position::Latest {
            self.latest.get_or_insert(now);
        }
        Step::Subscribe {
            at: self.asked.map_or(now, |asked| now.max(asked + PAUSE)),
            from: if self.refused == Some(from) {
                Position::Horizon
            } else {
                from
            },
            latest,
        }
    }

    /// SubscribeToShard is called.
    pub(super) fn asked(&mut self, now: Time) {
        self.asked = Some(now);
    }

    /// It succeeded: events begin at `from`.
    pub(super) fn subscribed(&mut self, now: Time, from: Position) {
        self.standing = Some((from, now));
    }

    /// It failed because of the position. Returns whether another one is worth a try.
    pub(super) fn refused(&mut self, from: Position) -> bool {
        let again = matches!(from, Position::After(_)) && self.refused != Some(from);
        self.refused = Some(from);
        again
    }

    /// Records up to `last` were taken, and there are more in the same event.
    pub(super) fn part(&mut self, last: Seq) -> Option<Seq> {
        self.stand(Position::After(last));
        Some(last)
    }

    /// An event was taken whole: its last record, and its ContinuationSequenceNumber. Returns where the page ends, or
    /// `None` when nothing moved.
    pub(super) fn event(&mut self, last: Option<Seq>, continuation: Option<Seq>) -> Option<Seq> {
        let (at, _) = self.standing?;
        // Without records a number may only lead forwards: the first events of a subscription can name what lies before
        // its beginning.
        let forwards = |seq: &Seq| at.is_behind(Position::After(*seq));
        let end = match last {
            Some(last) => Some(continuation.map_or(last, |number| number.max(last))),
            None => continuation.filter(forwards),
        }?;
        self.stand(Position::After(end));
        Some(end)
    }

    fn stand(&mut self, position: Position) {
        if let Some((at, _)) = &mut self.standing {
            *at = position;
        }
    }

    /// There are no further events: by a failure, or because the service closed the stream or is silent. Returns
    /// whether that is in order, so that the next read just subscribes again.
    pub(super) fn ended(&mut self, now: Time, failure: Option<FailureClass>) -> bool {
        let since = self.standing.take().map(|(_, since)| since);
        // A connection may break instead of being closed when its time is up.
        let is_old = since.is_some_and(|since| now + SILENCE >= since + LIFE);
        match failure {
            None => true,
            Some(FailureClass::Transient) => is_old,
            Some(FailureClass::Throttled | FailureClass::Denied) => false,
        }
    }
}

#[cfg(test)]
#[path = "subscription_tests.rs"]
mod tests;
