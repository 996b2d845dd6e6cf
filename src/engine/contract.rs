//! What goes into a mapping and what comes out: events, actions and facts.
//!
//! A driver feeds [`Event`]s, starts [`Action`]s and shows [`Fact`]s to whoever counts. Every action that
//! expects an answer carries a [`Token`]; every answer names the token it belongs to, and a token is
//! answered once.

mod page;

pub use page::{Page, PartitionEnd};

use crate::engine::{MappingConfig, Meta, Position, Seq, Span, Time};

/// Names one started action of one mapping; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub u64);

/// Names a shard or partition within one mapping: the index in the order of first sight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardId(pub u32);

/// Names a batch for [`Mapping::batch`](crate::engine::Mapping::batch) while an action that mentions it is unanswered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BatchId(pub u32);

/// How far a checkpoint moves: the half-open interval `(from, to]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delta {
    /// The position that is stored already, as far as the engine knows.
    pub from: Position,
    /// The position to store.
    pub to: Position,
}

/// What the driver is to start. Nothing here blocks the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Read from a shard. Answer: [`Event::Fetched`] or [`Event::Failed`].
    Read {
        /// Answer with this.
        token: Token,
        /// The shard to read.
        shard: ShardId,
        /// Where the read starts. A driver that holds a live iterator for this very place uses it.
        from: Position,
        /// At most this many records.
        records_max: u32,
    },
    /// Receive messages from a queue, or take those that a broker or Kafka has handed over. Answer: [`Event::Fetched`]
    /// or [`Event::Failed`]. A broker's failure means that the connection was lost. A failed receive from Kafka loses
    /// nothing: what is assigned stays so until [`Control::Lost`].
    Receive {
        /// Answer with this.
        token: Token,
        /// Which of the mapping's pollers asks. Brokers and Kafka keep a consumer for each; queues need not care.
        poller: u32,
        /// At most this many messages.
        records_max: u32,
        /// How long the service may wait for the first message.
        wait: Span,
        /// Kafka: partitions that nothing is wanted of now; the others must not wait for them. Mostly empty.
        held: Vec<ShardId>,
    },
    /// Invoke the function with a batch. Answer: [`Event::Invoked`].
    Invoke {
        /// Answer with this.
        token: Token,
        /// The records to send.
        batch: BatchId,
        /// 1 for the first delivery of this batch, counting only deliveries that reached the function.
        attempt: u32,
        /// Tumbling windows: what surrounds the records in the event.
        window: Option<WindowCall>,
    },
    /// Tell the on-failure destination that records are given up. Answer: [`Event::Done`] or [`Event::Failed`].
    Divert {
        /// Answer with this.
        token: Token,
        /// The records that are given up; none after a failed final call of a window that was empty.
        batch: BatchId,
        /// What the invocation record says of them.
        failure: Failure,
    },
    /// Delete a batch's messages from the queue. Answer: [`Event::Done`] or [`Event::Failed`].
    Acknowledge {
        /// Answer with this.
        token: Token,
        /// The messages to delete.
        batch: BatchId,
    },
    /// Give a batch's messages back to the broker, which delivers them again. Answer: [`Event::Done`] or [`Event::Failed`].
    Release {
        /// Answer with this.
        token: Token,
        /// The messages to give back.
        batch: BatchId,
    },
    /// Store a shard's progress durably. Answer: [`Event::Done`] or [`Event::Failed`].
    Checkpoint {
        /// Answer with this.
        token: Token,
        /// The shard that made progress.
        shard: ShardId,
        /// From where to where.
        delta: Delta,
        /// Tumbling windows: start of the window that is open at `delta.to`. The driver stores the shard's
        /// state of this moment beside it; without a window there is no state.
        window: Option<Time>,
    },
    /// Kafka: unassign partitions that [`Control::Revoked`] named; nothing of them is in work any more.
    /// Answer: [`Event::Done`] or [`Event::Failed`]; either way they are gone.
    Yield {
        /// Answer with this.
        token: Token,
        /// The consumer that had them.
        poller: u32,
        /// All that one revocation named and that was not lost since.
        shards: Vec<ShardId>,
    },
    /// Kafka: a consumer leaves its group and is closed; its next [`Action::Receive`] opens another one. No controls
    /// follow for what it had. Answer: [`Event::Done`] or [`Event::Failed`]; either way it has left.
    Leave {
        /// Answer with this.
        token: Token,
        /// The consumer.
        poller: u32,
    },
    /// Kafka: ask how far each partition of the topic reaches. Answer: [`Event::Measured`] or [`Event::Failed`].
    Measure {
        /// Answer with this.
        token: Token,
    },
}

/// A tumbling window's part of one invocation.
///
/// The driver keeps one state per shard, which the engine never sees: `{}` for a call that [`is_fresh`](Self::is_fresh),
/// and after [`Outcome::Success`], [`Outcome::Partial`] or [`Outcome::StateTooLarge`] whatever the function returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowCall {
    /// The shard that the state belongs to.
    pub shard: ShardId,
    /// First instant of the window.
    pub start: Time,
    /// First instant after it.
    pub end: Time,
    /// The window has no state yet.
    pub is_fresh: bool,
    /// `isFinalInvokeForWindow`: the state is not carried on.
    pub is_final: bool,
    /// `isWindowTerminatedEarly`: the state was above its limit.
    pub is_terminated_early: bool,
}

/// What an invocation record says of records that are given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The shard they came from; for Kafka that of the first of them.
    pub shard: ShardId,
    /// Why they are given up.
    pub condition: Condition,
    /// `approximateInvokeCount`.
    pub invoke_count: u32,
    /// How the function answered last; `None` leaves `responseContext` out.
    pub answer: Option<FailedAnswer>,
    /// Tumbling windows: the call that failed (`timeWindowInfo`).
    pub window: Option<WindowCall>,
}

/// How a function that was called let a batch fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FailedAnswer {
    /// It threw, timed out or died: `functionError` is `"Unhandled"`.
    Unhandled,
    /// It reported failed items, or its report made no sense: `functionError` is `null`.
    Reported,
}

/// What the driver tells the engine. Every variant but [`Event::Control`] answers one token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event<P> {
    /// A read or receive came back.
    Fetched {
        /// The action it answers.
        token: Token,
        /// What was read.
        page: Page<P>,
    },
    /// An invocation came to an end.
    Invoked {
        /// The action it answers.
        token: Token,
        /// How it ended.
        outcome: Outcome,
    },
    /// Queues: an invocation returned and reported messages that failed; the others are done. Kafka: those before the
    /// lowest failed one of each partition are done.
    InvokedPartly {
        /// The action it answers.
        token: Token,
        /// Indices in the batch, ascending and without repetition; at least one.
        failed: Vec<u32>,
    },
    /// Kafka: how far the partitions reach.
    Measured {
        /// The action it answers.
        token: Token,
        /// The high watermark (offset of the next record to be written) of every partition of the topic, whoever reads it.
        ends: Vec<(ShardId, Seq)>,
    },
    /// An acknowledgement, checkpoint or diversion succeeded.
    Done {
        /// The action it answers.
        token: Token,
    },
    /// A read, receive, acknowledgement, checkpoint or diversion failed.
    Failed {
        /// The action it answers.
        token: Token,
        /// What kind of failure it was.
        class: FailureClass,
    },
    /// Something that no action asked for.
    Control(Control),
}

/// How an invocation ended, as far as semantics depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The function returned without an error, and without failed items where those are reported.
    Success,
    /// The function reported failed items, all of them in the batch. For streams everything before the lowest is done.
    /// For queues this is only what facts say; the input is [`Event::InvokedPartly`].
    Partial {
        /// Index of the lowest failed record in the batch.
        first_failed: u32,
    },
    /// The function returned, but what it returned fails the whole batch: a report that names no record of the
    /// batch, or no state where a window needs one. Counts as a try.
    Rejected,
    /// Tumbling windows: a success whose state is above [`WINDOW_STATE_BYTES_MAX`](crate::engine::limits::WINDOW_STATE_BYTES_MAX).
    StateTooLarge,
    /// The function failed: it threw, timed out or its process ended. Counts as a try.
    FunctionError,
    /// Refused for lack of concurrency or rate (429). Not a try.
    Throttled {
        /// The service's Retry-After, as a lower bound of the back-off.
        retry_after: Span,
    },
    /// A 5xx, a connection that failed, or any other answer that says nothing of the function. Not a try.
    ServiceError,
    /// The event is larger than the target takes (413). Counts as a try though the function never ran.
    TooLarge,
}

impl Outcome {
    /// How many of `records` succeeded, where an outcome alone says it: everything, what comes before the lowest failed
    /// record of a stream, or nothing.
    pub const fn succeeded(self, records: u32) -> u32 {
        match self {
            Self::Success | Self::StateTooLarge => records,
            Self::Partial { first_failed } => first_failed,
            Self::Rejected
            | Self::FunctionError
            | Self::Throttled { .. }
            | Self::ServiceError
            | Self::TooLarge => 0,
        }
    }

    /// Whether the function could not be given its batch, or failed on it (InvokeErrorCount).
    ///
    /// Rule `kafka-error-counts`: an answer that reports some of the records is no error.
    pub const fn is_invoke_error(self) -> bool {
        !matches!(
            self,
            Self::Success | Self::StateTooLarge | Self::Partial { .. }
        )
    }

    /// Why the messages of a queue's batch come back after this; `None` if they do not, or not all of them.
    pub const fn return_cause(self) -> Option<ReturnCause> {
        match self {
            Self::Success | Self::StateTooLarge | Self::Partial { .. } => None,
            Self::FunctionError | Self::TooLarge => Some(ReturnCause::FunctionError),
            Self::Rejected => Some(ReturnCause::Reported),
            Self::Throttled { .. } => Some(ReturnCause::Throttled),
            Self::ServiceError => Some(ReturnCause::ServiceError),
        }
    }
}

/// Why a call other than an invocation failed; says what the engine does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureClass {
    /// Read or write rate exceeded: back off and go on.
    Throttled,
    /// Trouble that may pass by itself (network, 5xx, an expired iterator): back off and go on.
    Transient,
    /// Not permitted, or the source does not exist: back off to the longest wait and go on.
    Denied,
}

/// Inputs that no action asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Control {
    /// Shards that the source has and where each starts. Known shards are left as they are.
    Shards(Vec<Shard>),
    /// Take no new records; let what runs come to its end.
    Drain,
    /// `Enabled = false`: read and invoke nothing more until [`Control::Enable`]; what runs comes to its end and
    /// its progress is stored.
    Disable,
    /// `Enabled = true`: go on from where the mapping was.
    Enable,
    /// New parameters for a running mapping. Source, function and starting position stay as they are; batches that are
    /// formed already go on, under the new limits of retries and age.
    Update(Box<MappingConfig>),
    /// Kafka: a consumer got partitions. Each starts at its committed offset, or at the starting position that the driver
    /// has resolved to an offset: see [`Position::at_offset`]. A page that follows holds nothing of them that was read
    /// under an earlier assignment.
    Assigned {
        /// The consumer.
        poller: u32,
        /// Its new partitions; those that it has already are not among them.
        shards: Vec<Shard>,
    },
    /// Kafka: the group takes partitions away. Nothing more of them is sent, a batch in flight comes to its end, and then
    /// [`Action::Yield`] gives them up.
    Revoked {
        /// The consumer that has them.
        poller: u32,
        /// The partitions.
        shards: Vec<ShardId>,
    },
    /// Kafka: the consumer fell out of its group. Somebody else may have these partitions already, so that nothing of them
    /// may be committed, and none is yielded. Commits that are unanswered are answered all the same.
    Lost {
        /// The consumer that had them.
        poller: u32,
        /// The partitions.
        shards: Vec<ShardId>,
    },
}

/// A shard as listed by its source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Its index: shards are numbered in the order of first sight, without gaps.
    pub id: ShardId,
    /// Where reading starts: the stored checkpoint, or the mapping's starting position.
    pub from: Position,
    /// Known shards that must be finished before this one starts.
    pub parents: Vec<ShardId>,
    /// Tumbling windows: start of the window that was open at `from`, if its state was stored.
    pub window: Option<Time>,
}

/// Why records ended without success.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Condition {
    /// Every permitted try failed (`RetryAttemptsExhausted`).
    RetryAttemptsExhausted,
    /// Older than MaximumRecordAgeInSeconds (`RecordAgeExceeded`).
    RecordAgeExceeded,
    /// Kafka: a record that no event can hold (`MaximumPayloadSizeExceeded`).
    MaximumPayloadSizeExceeded,
}

impl Condition {
    /// The name that AWS writes into invocation records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RetryAttemptsExhausted => "RetryAttemptsExhausted",
            Self::RecordAgeExceeded => "RecordAgeExceeded",
            Self::MaximumPayloadSizeExceeded => "MaximumPayloadSizeExceeded",
        }
    }
}

/// Why received messages were left to the queue's visibility timeout, or went back to the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReturnCause {
    /// The function failed.
    FunctionError,
    /// The function reported them as failed.
    Reported,
    /// Throttled until the messages' visibility ended.
    Throttled,
    /// The target could not be reached until the messages' visibility ended.
    ServiceError,
    /// They succeeded, but deleting them kept failing until their visibility ended, or a broker did not take the
    /// acknowledgement.
    DeleteFailed,
    /// Brokers: the connection was lost before they were part of an invocation.
    ConnectionLost,
    /// Brokers: the mapping was disabled or drained before they were part of an invocation.
    Stopped,
    /// FIFO queues: their visibility ended before they could be sent, because earlier messages were still worked on.
    LeaseEnded,
    /// Kafka: their partition went to another consumer, or their own one left the group.
    Rebalanced,
}

/// What became of records that were given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Delivery {
    /// The mapping has no on-failure destination (DroppedEventCount).
    NoDestination,
    /// The destination has the invocation record (OnFailureDestinationDeliveredEventCount).
    Delivered,
    /// The destination refused it until the engine gave up (DroppedEventCount, DestinationDeliveryFailures).
    Refused,
}

/// What happened, for metrics and logs. Facts are never fed back into the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact {
    /// A read or receive returned (PolledEventCount; 0 for an empty one).
    Polled {
        /// The shard, for streams.
        shard: Option<ShardId>,
        /// Records read, with those that the filters left out.
        records: u32,
        /// How many the filters left out (FilteredOutEventCount).
        filtered: u32,
        /// How far behind the tip, for streams.
        behind: Span,
    },
    /// An invocation was sent (InvokedEventCount counts every delivery).
    InvokeSent {
        /// The invocation.
        token: Token,
        /// The shard, for streams.
        shard: Option<ShardId>,
        /// Records in the batch.
        records: u32,
        /// 1 for the first delivery.
        attempt: u32,
        /// When the first record of the batch arrived at its source.
        first_arrival: Time,
        /// When the last record arrived; `now` minus this is IteratorAge.
        last_arrival: Time,
    },
    /// An invocation ended.
    InvokeEnded {
        /// The invocation.
        token: Token,
        /// Records in the batch.
        records: u32,
        /// Of these, how many succeeded.
        succeeded: u32,
        /// How it ended.
        outcome: Outcome,
    },
    /// Messages were deleted from the queue (DeletedEventCount).
    Deleted {
        /// How many.
        records: u32,
    },
    /// Messages were left to the queue's visibility timeout, given back to the broker, or (Kafka) left uncommitted.
    Returned {
        /// How many.
        records: u32,
        /// Why.
        cause: ReturnCause,
    },
    /// Messages of a broker were dropped because no event can hold them (OversizedRecordCount).
    Oversized {
        /// How many.
        records: u32,
    },
    /// A shard's progress was stored.
    Checkpointed {
        /// The shard.
        shard: ShardId,
        /// The stored position.
        to: Position,
    },
    /// Records ended without success and the shard went on.
    Discarded {
        /// The shard; for Kafka that of the first record.
        shard: ShardId,
        /// How many.
        records: u32,
        /// Why.
        condition: Condition,
        /// The count that an invocation record carries (approximateInvokeCount).
        invoke_count: u32,
        /// The first and last record.
        first: Meta,
        /// The last record.
        last: Meta,
        /// What became of the invocation record.
        destination: Delivery,
    },
    /// A tumbling window came to its end and its final call succeeded or was given up.
    WindowClosed {
        /// The shard.
        shard: ShardId,
        /// The window's first instant.
        start: Time,
        /// Its state was above the limit.
        early: bool,
    },
    /// A call other than an invocation failed and will be made again.
    CallFailed {
        /// What kind of failure it was.
        class: FailureClass,
    },
    /// Kafka: the records that a stored offset is beyond for the first time (CommittedEventCount).
    Committed {
        /// The partition.
        shard: ShardId,
        /// How many, with those that the filters left out.
        records: u64,
    },
    /// Kafka: records could not be fetched (PollingErrorCount).
    PollFailed,
    /// Kafka: an offset could not be committed (CommitErrorCount).
    CommitFailed {
        /// The partition.
        shard: ShardId,
    },
    /// Kafka: how many offsets lie between the committed one and the end of a partition.
    PartitionLag {
        /// The partition.
        shard: ShardId,
        /// Offsets, which are records unless some were compacted away or belong to transactions.
        offsets: u64,
    },
    /// Kafka: the lag over all partitions that this mapping has, after each of them was shown.
    Lag {
        /// The largest of them (MaxOffsetLag, OffsetLag).
        max: u64,
        /// All together (SumOffsetLag).
        sum: u64,
    },
    /// Kafka: a mapping changed how many consumers it wants.
    ConsumersChanged {
        /// The new number.
        consumers: u32,
    },
    /// A queue mapping changed how many batches it works on at once.
    ConcurrencyChanged {
        /// The new limit.
        limit: u32,
    },
    /// A shard began to be read.
    ShardStarted {
        /// The shard.
        shard: ShardId,
    },
    /// A closed shard was read and processed to its end.
    ShardEnded {
        /// The shard.
        shard: ShardId,
    },
}

/// Why a mapping wants to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WakeReason {
    /// The next read of a shard or queue is due.
    ReadDue,
    /// A batching window ends.
    WindowEnd,
    /// A back-off ends.
    BackoffEnd,
    /// FIFO queues: messages that could not be sent yet become visible again.
    LeaseEnd,
    /// A tumbling window is over.
    TumblingEnd,
    /// The scaling rule looks at the last minute.
    ScalingTick,
}
