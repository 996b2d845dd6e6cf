//! Why requests are refused.

/// Why a request is refused (429), in AWS's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ThrottleReason {
    /// The account's unreserved pool, or the growth limit, is exhausted.
    ConcurrentInvocationLimitExceeded,
    /// The function's reserved concurrency is exhausted.
    ReservedFunctionConcurrentInvocationLimitExceeded,
    /// More than 10 requests per second for each unit of the account's concurrency.
    FunctionInvocationRateLimitExceeded,
    /// More than 10 requests per second for each unit of reserved concurrency.
    ReservedFunctionInvocationRateLimitExceeded,
    /// The caller exceeds its API rate.
    CallerRateLimitExceeded,
}

impl ThrottleReason {
    /// Every reason, in the order used by series and reports.
    pub const ALL: [Self; 5] = [
        Self::ConcurrentInvocationLimitExceeded,
        Self::ReservedFunctionConcurrentInvocationLimitExceeded,
        Self::FunctionInvocationRateLimitExceeded,
        Self::ReservedFunctionInvocationRateLimitExceeded,
        Self::CallerRateLimitExceeded,
    ];

    /// The text of the `Reason` field of AWS's answer.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ConcurrentInvocationLimitExceeded => "ConcurrentInvocationLimitExceeded",
            Self::ReservedFunctionConcurrentInvocationLimitExceeded => {
                "ReservedFunctionConcurrentInvocationLimitExceeded"
            }
            Self::FunctionInvocationRateLimitExceeded => "FunctionInvocationRateLimitExceeded",
            Self::ReservedFunctionInvocationRateLimitExceeded => {
                "ReservedFunctionInvocationRateLimitExceeded"
            }
            Self::CallerRateLimitExceeded => "CallerRateLimitExceeded",
        }
    }
}
