//! What modelled queues have in common: how they are asked, and what they tell of themselves.

use crate::engine::{Record, Time, Token};
use crate::metrics::{DeadLetterReason, DeadLetters};
use std::fmt::Debug;

/// ApproximateAgeOfOldestMessage looks past messages that were received more often (rule `sqs-oldest-message-age`).
pub(super) const AGED_RECEIVES_MAX: u16 = 3;

/// A modelled queue.
pub trait Queue: Debug {
    /// ReceiveMessage at `now`; `list` is filled and given back.
    fn receive(&mut self, now: Time, waiter: Waiter, list: Vec<Record<()>>) -> Received;

    /// Answers one waiting receive if a message is there or its time is over. Call it until it returns `None`.
    fn wake(&mut self, now: Time) -> Option<(Waiter, Vec<Record<()>>)>;

    /// When [`wake`](Self::wake) has something to do; `None` while nobody waits.
    fn next_wake(&mut self) -> Option<Time>;

    /// DeleteMessageBatch for messages as they were received. Returns whether that lets a receive go on that waited,
    /// because too many messages were in flight or a group was.
    fn delete(&mut self, records: &[Record<()>]) -> bool;

    /// Notes why messages are left in flight, as they were received. What came back already keeps the reason it has.
    fn leave(&mut self, now: Time, records: &[Record<()>], reason: DeadLetterReason);

    /// An invocation of these messages runs: what was noted of them before no longer holds.
    fn work(&mut self, now: Time, records: &[Record<()>]);

    /// Counts the messages that arrived since the last call.
    fn arrived(&mut self, now: Time) -> u64;

    /// The queue's own figures; call [`arrived`](Self::arrived) first.
    fn standing(&mut self, now: Time) -> Standing;

    /// Whether as many messages are in flight as the queue allows.
    fn is_full(&self) -> bool;

    /// Brokers: delivers messages again.
    fn release(&mut self, _: &[Record<()>]) {
        unreachable!("only brokers take messages back");
    }

    /// Brokers: whether one of these was delivered on a connection that is gone.
    fn has_lost(&mut self, _: &[Record<()>]) -> bool {
        false
    }

    /// Brokers: whether there are connections from now on. When they are lost, whatever is in flight comes back.
    fn connect(&mut self, _is_connected: bool) {}

    /// Whether it can be reached.
    fn is_connected(&self) -> bool {
        true
    }

    /// Brokers: the next receive that waited when its connection was lost.
    fn take_cut(&mut self) -> Option<Waiter> {
        None
    }
}

/// A receive that waits for a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiter {
    /// Whose receive it is.
    pub mapping: u32,
    /// The action to answer.
    pub token: Token,
    /// At most this many messages.
    pub records_max: u32,
    /// When it is answered with nothing.
    pub until: Time,
}

/// The answer to a receive.
#[derive(Debug, PartialEq, Eq)]
pub enum Received {
    /// Messages, or none when the caller would not wait.
    Messages(Vec<Record<()>>),
    /// Nothing yet: the receive waits, and [`Queue::wake`] answers it.
    Waits,
    /// Too many messages are in flight, and the caller would not wait (OverLimit).
    OverLimit,
}

/// What a queue tells of itself. Counts are of the whole run so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Visible messages (ApproximateNumberOfMessagesVisible).
    pub visible: u64,
    /// Messages that were received and are neither deleted nor visible again (ApproximateNumberOfMessagesNotVisible).
    pub in_flight: u64,
    /// When the oldest message arrived that ApproximateAgeOfOldestMessage looks at.
    pub oldest: Option<Time>,
    /// Brokers: deliveries of messages that had been delivered before.
    pub redelivered: u64,
    /// Messages that became visible again while they were gathered or worked on.
    pub visible_too_early: u64,
    /// Messages moved to the dead-letter queue.
    pub dead_letters: DeadLetters,
}
