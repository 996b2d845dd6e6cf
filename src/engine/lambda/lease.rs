//! Admitted requests: how they start, where they run, and what they leave behind.

use super::{AliasId, EnvironmentId, FunctionId, VersionId};
use crate::engine::Time;

/// How a request starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// On an idle environment.
    Warm,
    /// On a new environment, which initialises (or is restored) first.
    Cold,
    /// On an environment whose runtime was torn down and initialises again inside the invocation.
    Reset,
}

/// What becomes of an environment after an invocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is idle and serves again.
    Keep,
    /// It is idle but must initialise again (after a timeout or a crash).
    Reset,
    /// It is gone.
    Destroy,
}

/// An admitted request; give it back with [`Lambda::finish`](super::Lambda::finish).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Whose request it is.
    pub function: FunctionId,
    /// Where it runs.
    pub environment: EnvironmentId,
    /// The alias that was called, if the request went to one.
    pub alias: Option<AliasId>,
    /// ExecutedVersion: the published version that runs, `None` for `$LATEST`.
    pub version: Option<VersionId>,
    /// It runs on provisioned concurrency of that alias. Otherwise it is a spillover if the alias has any.
    pub is_provisioned: bool,
    /// How it starts.
    pub start: Start,
    pub(super) born: Time,
}
