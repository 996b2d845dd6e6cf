//! Exit codes.

use std::process::{ExitCode, Termination};

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// 0: everything is fine.
    Fine,
    /// 1: a gate failed, or a replay differed.
    GateFailed,
    /// 2: bad input or usage.
    BadInput,
    /// 3: anything else.
    Failure,
}

impl Termination for Exit {
    fn report(self) -> ExitCode {
        ExitCode::from(match self {
            Self::Fine => 0,
            Self::GateFailed => 1,
            Self::BadInput => 2,
            Self::Failure => 3,
        })
    }
}
