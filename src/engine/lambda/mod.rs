//! The function service: who may run, on which environment, and who is refused.

/// Which idle environment serves the next request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Reuse {
    /// The one that was released last, so that unneeded ones expire.
    #[default]
    MostRecent,
    /// The one that was released first.
    LeastRecent,
    /// Any of them, evenly.
    Random,
}

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
