//! The pure half of tidegate: event source mappings and the Lambda service as state machines.
//!
//! Nothing here reads a clock, a file, a socket or ambient randomness, and nothing iterates in hash order. Time,
//! randomness and answers come in as arguments; actions and facts come out. See [`Mapping`] for the
//! order in which its methods are called.

/// Whether a fault is planted at this place; never without the feature `mutations`.
#[cfg(feature = "mutations")]
macro_rules! mutant {
    (leases $config:expr, $name:ident) => {
        $config.mutant == Some(crate::engine::mutation::Mutant::$name)
    };
    ($core:expr, $name:ident) => {
        $core.tuning.mutant == Some(crate::engine::mutation::Mutant::$name)
    };
}
#[cfg(not(feature = "mutations"))]
macro_rules! mutant {
    (leases $config:expr, $name:ident) => {
        false
    };
    ($core:expr, $name:ident) => {
        false
    };
}

pub mod config;
mod contract;
pub mod filter;
pub mod lambda;
pub mod lease;
pub mod limits;
mod mapping;
#[cfg(feature = "mutations")]
pub mod mutation;
mod profile;
mod pump;
mod record;
pub mod response;
mod retry;
mod rng;
mod scaling;
mod time;
mod timers;
pub mod wire;

pub use config::{
    FunctionName, FunctionNameError, MappingConfig, MappingParameters, SourceKind, Tuning,
    Violation, check,
};
pub use contract::{
    Action, BatchId, Condition, Control, Delivery, Delta, Event, Fact, FailedAnswer, Failure,
    FailureClass, Outcome, Page, PartitionEnd, ReturnCause, Shard, ShardId, Token, WakeReason,
    WindowCall,
};
pub use mapping::{Mapping, Unsupported};
pub use profile::{Allocation, Growth, Profile, Refill, SqsRamp, UnknownProfile};
pub use pump::{Effects, pump};
pub use record::{Meta, Position, Record, Seq, SeqError};
pub use rng::{Ratio, Rng, mix, stream_key};
pub use time::{Span, Time};
