//! Why messages ended in a dead-letter queue.

use crate::engine::ReturnCause;
use std::ops::{AddAssign, Sub};

/// Why a message was last left to its queue or given back, without having been deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum DeadLetterReason {
    /// The function failed.
    FunctionError,
    /// The function reported it as failed.
    Reported,
    /// It was refused (429) until its visibility timeout ended.
    Throttled,
    /// The target could not be reached until its visibility timeout ended.
    ServiceError,
    /// It succeeded, but deleting it kept failing until its visibility timeout ended.
    DeleteFailed,
    /// Its visibility timeout ended while it was gathered or worked on.
    #[default]
    VisibilityTooShort,
    /// Brokers: its connection was lost, or it was given back before the function had it.
    ConnectionLost,
}

impl DeadLetterReason {
    /// Every reason, in the order of [`DeadLetters`].
    pub const ALL: [Self; 7] = [
        Self::FunctionError,
        Self::Reported,
        Self::Throttled,
        Self::ServiceError,
        Self::DeleteFailed,
        Self::VisibilityTooShort,
        Self::ConnectionLost,
    ];
}

impl From<ReturnCause> for DeadLetterReason {
    fn from(cause: ReturnCause) -> Self {
        match cause {
            ReturnCause::FunctionError => Self::FunctionError,
            ReturnCause::Reported => Self::Reported,
            ReturnCause::Throttled => Self::Throttled,
            ReturnCause::ServiceError => Self::ServiceError,
            ReturnCause::DeleteFailed => Self::DeleteFailed,
            // Kafka has no dead-letter queue; what it returns comes again with another consumer.
            ReturnCause::ConnectionLost | ReturnCause::Stopped | ReturnCause::Rebalanced => {
                Self::ConnectionLost
            }
            ReturnCause::LeaseEnded => Self::VisibilityTooShort,
        }
    }
}

/// Messages that a queue moved to its dead-letter queue, by the last reason for which each came back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeadLetters([u64; 7]);

impl DeadLetters {
    /// One more.
    pub const fn add(&mut self, reason: DeadLetterReason) {
        self.0[reason as usize] += 1;
    }

    /// How many for this reason.
    pub const fn of(&self, reason: DeadLetterReason) -> u64 {
        self.0[reason as usize]
    }

    /// All counts, in the order of [`DeadLetterReason::ALL`].
    pub const fn counts(self) -> [u64; 7] {
        self.0
    }

    /// The reverse of [`counts`](Self::counts).
    pub const fn of_counts(counts: [u64; 7]) -> Self {
        Self(counts)
    }

    /// How many in all.
    pub fn all(&self) -> u64 {
        self.0.iter().sum()
    }
}

impl AddAssign for DeadLetters {
    fn add_assign(&mut self, other: Self) {
        for (sum, part) in self.0.iter_mut().zip(other.0) {
            *sum += part;
        }
    }
}

impl Sub for DeadLetters {
    type Output = Self;

    fn sub(mut self, other: Self) -> Self {
        for (rest, part) in self.0.iter_mut().zip(other.0) {
            *rest -= part;
        }
        self
    }
}
