//! Asynchronous invocation: the queue that keeps an event after its caller was told 202, and what becomes of the event.
//!
//! [`EventQueue`] is the queue of one function, version or alias. [`Lambda::admit_event`](super::Lambda::admit_event)
//! admits what it hands over, and [`Lambda::has_room_for_event`](super::Lambda::has_room_for_event) says whether that can
//! be known to fail.

mod admission;
mod outcome;
mod queue;

pub use outcome::{
    AsyncCondition, AsyncFact, AsyncOutcome, DeadLetter, Ended, PayloadTooLarge, check_payload,
};
pub use queue::{Attempt, EventQueue};

use crate::engine::{Ratio, Span};

/// How a queue behaves where AWS is silent. The defaults are what `docs/semantics.md` names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AsyncTuning {
    /// Waits before the second and the third try of an event whose function failed.
    pub retry_waits: [Span; 2],
    /// Wait before an event that was refused is tried again; doubles with each refusal.
    pub backoff_first: Span,
    /// Longest such wait.
    pub backoff_max: Span,
    /// How long after a refusal the reader has no more at work than it had then.
    pub reader_pause: Span,
    /// Chance that an event is queued twice.
    pub duplicates: Ratio,
}

impl Default for AsyncTuning {
    fn default() -> Self {
        Self {
            retry_waits: [Span::from_secs(60), Span::from_secs(120)],
            backoff_first: Span::from_secs(1),
            backoff_max: Span::from_secs(300),
            reader_pause: Span::from_secs(1),
            duplicates: Ratio::ZERO,
        }
    }
}
