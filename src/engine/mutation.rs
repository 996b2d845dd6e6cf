//! Faults that can be planted in the engine, for the test that each of them is found.
//!
//! They exist with the feature `mutations` only; without it, every place that asks for one reads `false`.

/// A fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say what goes wrong")]
pub enum Mutant {
    CheckpointFollowsReads,
    LanesCheckpointPastUnfinished,
    OneTryTooMany,
    OneTryTooFew,
    TriesForgotten,
    ThrottleSpendsTry,
    AgeReversed,
    KafkaAgeReversed,
    BisectDropsMiddle,
    BisectSecondHalfSmaller,
    WindowClosesLate,
    WindowClosesEarly,
    PartialOffByOne,
    QueuePartialOffByOne,
    BatchOneTooLarge,
    EventBytesIgnored,
    PageReversed,
    ConcurrencyPlusOne,
    FifoGroupReleasedEarly,
    FailedIsDeleted,
    FilteredIsNotDeleted,
    ChildBeforeParent,
    KafkaCommitsPastFailed,
    KafkaDropsFirstOfPage,
    BrokerAcknowledgesFailed,
    TumblingStateLost,
    TumblingWithoutFinalCall,
    DestinationSkipped,
    DisabledReadsOn,
    FailedStoreForgotten,
}

impl Mutant {
    /// All of them.
    pub const ALL: [Self; 30] = [
        Self::CheckpointFollowsReads,
        Self::LanesCheckpointPastUnfinished,
        Self::OneTryTooMany,
        Self::OneTryTooFew,
        Self::TriesForgotten,
        Self::ThrottleSpendsTry,
        Self::AgeReversed,
        Self::KafkaAgeReversed,
        Self::BisectDropsMiddle,
        Self::BisectSecondHalfSmaller,
        Self::WindowClosesLate,
        Self::WindowClosesEarly,
        Self::PartialOffByOne,
        Self::QueuePartialOffByOne,
        Self::BatchOneTooLarge,
        Self::EventBytesIgnored,
        Self::PageReversed,
        Self::ConcurrencyPlusOne,
        Self::FifoGroupReleasedEarly,
        Self::FailedIsDeleted,
        Self::FilteredIsNotDeleted,
        Self::ChildBeforeParent,
        Self::KafkaCommitsPastFailed,
        Self::KafkaDropsFirstOfPage,
        Self::BrokerAcknowledgesFailed,
        Self::TumblingStateLost,
        Self::TumblingWithoutFinalCall,
        Self::DestinationSkipped,
        Self::DisabledReadsOn,
        Self::FailedStoreForgotten,
    ];
}
