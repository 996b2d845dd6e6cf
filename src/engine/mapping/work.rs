//! What a lane of a stream's shard or of a Kafka consumer works on: a piece of a batch, and how far it is.

use crate::engine::{BatchId, Condition, FailedAnswer, Failure, Time, WindowCall};

/// The piece in work: records `start..end` of a batch. A window's final call has none.
#[derive(Clone, Copy, Debug)]
pub(super) struct Work {
    pub(super) batch: BatchId,
    pub(super) start: u32,
    pub(super) end: u32,
    pub(super) is_final: bool,
    pub(super) stage: Stage,
    /// Failed deliveries of this piece that reached the function.
    pub(super) tries: u32,
    /// Refusals in a row, which spend no try.
    pub(super) refusals: u32,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Stage {
    /// To be invoked at this time.
    Due(Time),
    Running,
    /// To be reported to the destination at this time, and then given up.
    Parting(Parting, Time),
    Diverting(Parting),
}

/// Records at the head of the piece that are being given up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parting {
    pub(super) count: u32,
    pub(super) condition: Condition,
    pub(super) invoke_count: u32,
    pub(super) answer: Option<FailedAnswer>,
    /// How often the destination refused.
    pub(super) refusals: u32,
}

/// What a lane wants done.
#[derive(Clone, Copy, Debug)]
pub(super) enum Todo {
    Invoke {
        batch: BatchId,
        attempt: u32,
        window: Option<WindowCall>,
    },
    Divert {
        batch: BatchId,
        failure: Failure,
    },
}
