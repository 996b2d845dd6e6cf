//! What an invocation of an event came to, and what becomes of the event.

use crate::engine::lambda::ThrottleReason;
use crate::engine::{Profile, Time, limits};

/// How the invocation of an event ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AsyncOutcome {
    /// The function returned.
    Success,
    /// The function failed, timed out or crashed.
    FunctionError,
    /// The function, version or alias is not there any more (404).
    Missing,
    /// It was refused (429).
    Throttled(ThrottleReason),
    /// The service failed with this status, 500 to 599.
    ServiceError(u16),
}

/// Why an event leaves its queue, in AWS's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AsyncCondition {
    /// The function returned.
    Success,
    /// Its last try failed.
    RetriesExhausted,
    /// It would be older than MaximumEventAgeInSeconds at its next try, or it is already.
    EventAgeExceeded,
    /// The function's reserved concurrency is 0.
    ZeroReservedConcurrency,
}

impl AsyncCondition {
    /// Every condition, in the order used by figures.
    pub const ALL: [Self; 4] = [
        Self::Success,
        Self::RetriesExhausted,
        Self::EventAgeExceeded,
        Self::ZeroReservedConcurrency,
    ];

    /// AWS's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Success => "Success",
            Self::RetriesExhausted => "RetriesExhausted",
            Self::EventAgeExceeded => "EventAgeExceeded",
            Self::ZeroReservedConcurrency => "ZeroReservedConcurrency",
        }
    }
}

/// Something that happened to an event. Facts are never fed back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AsyncFact<E> {
    /// The event is in the queue twice (rule `async-duplicates`).
    Duplicated(E),
    /// It failed or was refused, and will be tried again.
    Returned {
        /// Which event.
        event: E,
        /// When its next try is due.
        due: Time,
        /// Whether that spends one of its retries.
        is_retry: bool,
    },
    /// It is over: exactly one for every event that was accepted, and one for every duplicate.
    Ended(Ended<E>),
}

/// The end of an event, and who is to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended<E> {
    /// Which event.
    pub event: E,
    /// When it was accepted.
    pub accepted: Time,
    /// Why it is over.
    pub condition: AsyncCondition,
    /// `approximateInvokeCount`: tries that reached the function, or that found it missing.
    pub invoke_count: u32,
    /// The last answer; `None` when there was none, and under [`AsyncCondition::ZeroReservedConcurrency`].
    pub last: Option<AsyncOutcome>,
    /// This is the end of a copy that the queue made by itself.
    pub is_duplicate: bool,
    /// The on-success or on-failure destination, whichever the condition asks for, is to get an invocation record.
    pub to_destination: bool,
    /// The dead-letter queue is to get the event with these attributes.
    pub dead_letter: Option<DeadLetter>,
}

/// Attributes of a message in a dead-letter queue (rule `async-dead-letter-attributes`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// `ErrorCode`: the status of the last answer.
    pub error_code: u16,
    /// `ErrorMessage`, where it is Lambda's own; otherwise it is that of the function's last error.
    pub error_message: Option<&'static str>,
}

impl DeadLetter {
    /// The attributes after `last`. An event that was never tried is told what a caller would have been told: 429.
    pub(super) const fn after(last: Option<AsyncOutcome>) -> Self {
        let (error_code, error_message) = match last {
            Some(AsyncOutcome::FunctionError | AsyncOutcome::Success) => (200, None),
            Some(AsyncOutcome::Missing) => (404, Some("Function not found")),
            Some(AsyncOutcome::ServiceError(status)) => (status, Some("Service error")),
            None | Some(AsyncOutcome::Throttled(_)) => (429, Some("Rate Exceeded.")),
        };
        Self {
            error_code,
            error_message,
        }
    }
}

/// An event that no queue takes (413), with AWS's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Request must be smaller than {max} bytes for the InvokeFunction operation")]
pub struct PayloadTooLarge {
    /// The largest that is taken, in bytes.
    pub max: u64,
}

/// Whether an event of so many bytes may be queued. Rule `async-payload-limit`.
///
/// # Errors
/// When it is too large; nothing is queued then, and the caller is told.
pub fn check_payload(profile: Profile, bytes: u64) -> Result<(), PayloadTooLarge> {
    let max = profile.async_payload_max();
    debug_assert!(max <= limits::ASYNC_PAYLOAD_BYTES_MAX);
    if bytes <= max {
        return Ok(());
    }
    Err(PayloadTooLarge { max })
}
