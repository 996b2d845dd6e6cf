//! What AWS shows as a mapping's LastProcessingResult.

use crate::engine::{Fact, FailureClass, Outcome};

/// LastProcessingResult of a stream mapping: a fold over its facts. Queue mappings have none.
///
/// Rule `last-processing-result`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LastResult {
    /// Nothing was delivered yet.
    #[default]
    NoRecords,
    /// The last delivery succeeded; a report of some failed records is a success.
    Ok,
    /// The function failed, or could not make sense of its batch.
    CallFailed,
    /// The function could not be called for a reason that is not its own.
    ServiceError,
    /// The source refuses to be read, or the on-failure destination to be told; facts do not say which.
    Denied,
}

impl LastResult {
    /// The text. AWS completes the one about access with the service's own sentence, which names role, action and ARN.
    pub const fn text(self) -> &'static str {
        match self {
            Self::NoRecords => "No records processed",
            Self::Ok => "OK",
            Self::CallFailed => "PROBLEM: Function call failed",
            Self::ServiceError => {
                "PROBLEM: internal Lambda error. Please contact Lambda customer support."
            }
            Self::Denied => "PROBLEM: not authorized to call the event source or the destination",
        }
    }

    /// Whether it says that something is wrong.
    pub const fn is_problem(self) -> bool {
        matches!(self, Self::CallFailed | Self::ServiceError | Self::Denied)
    }

    /// Takes a fact into account. Records that expire or are given up leave the text as it is.
    pub const fn observe(&mut self, fact: &Fact) {
        let after = match fact {
            Fact::InvokeEnded { outcome, .. } => match outcome {
                Outcome::Success | Outcome::Partial { .. } | Outcome::StateTooLarge => Self::Ok,
                Outcome::FunctionError | Outcome::Rejected | Outcome::TooLarge => Self::CallFailed,
                Outcome::ServiceError => Self::ServiceError,
                // Nobody was called.
                Outcome::Throttled { .. } => return,
            },
            Fact::CallFailed {
                class: FailureClass::Denied,
            } => Self::Denied,
            Fact::CallFailed { .. }
            | Fact::Polled { .. }
            | Fact::InvokeSent { .. }
            | Fact::Deleted { .. }
            | Fact::Returned { .. }
            | Fact::Oversized { .. }
            | Fact::Checkpointed { .. }
            | Fact::Committed { .. }
            | Fact::PollFailed
            | Fact::CommitFailed { .. }
            | Fact::PartitionLag { .. }
            | Fact::Lag { .. }
            | Fact::ConsumersChanged { .. }
            | Fact::Discarded { .. }
            | Fact::WindowClosed { .. }
            | Fact::ConcurrencyChanged { .. }
            | Fact::ShardStarted { .. }
            | Fact::ShardEnded { .. } => return,
        };
        *self = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Condition, Delivery, Span};
    use crate::metrics::facts::{discarded, ended};

    #[test]
    fn last_processing_result() {
        let expired = discarded(1, Condition::RecordAgeExceeded, Delivery::NoDestination);
        let denied = |class| Fact::CallFailed { class };
        let story = [
            (expired, "No records processed"),
            (denied(FailureClass::Throttled), "No records processed"),
            (ended(3, Outcome::Success), "OK"),
            (expired, "OK"),
            (
                ended(3, Outcome::FunctionError),
                "PROBLEM: Function call failed",
            ),
            (expired, "PROBLEM: Function call failed"),
            (
                ended(
                    3,
                    Outcome::Throttled {
                        retry_after: Span::ZERO,
                    },
                ),
                "PROBLEM: Function call failed",
            ),
            (ended(3, Outcome::Partial { first_failed: 0 }), "OK"),
            (ended(3, Outcome::Rejected), "PROBLEM: Function call failed"),
            (
                denied(FailureClass::Denied),
                "PROBLEM: not authorized to call the event source or the destination",
            ),
            (ended(3, Outcome::StateTooLarge), "OK"),
        ];
        let mut last = LastResult::default();
        assert_eq!(last.text(), "No records processed");
        for (fact, text) in story {
            last.observe(&fact);
            assert_eq!(last.text(), text, "after {fact:?}");
            assert_eq!(last.is_problem(), text.starts_with("PROBLEM: "));
        }
    }
}
