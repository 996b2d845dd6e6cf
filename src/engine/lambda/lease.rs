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
///
/// Simulations keep one for everything that runs, so it has 24 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Whose request it is.
    pub function: FunctionId,
    /// Where it runs.
    pub environment: EnvironmentId,
    alias: u32,
    version: u16,
    /// It runs on provisioned concurrency of its alias. Otherwise it is a spillover if the alias has any.
    pub is_provisioned: bool,
    /// How it starts.
    pub start: Start,
    pub(super) born: Time,
}

const _: () = assert!(size_of::<Lease>() == 24);

/// What no alias and no version has as its number.
const NONE: u32 = u32::MAX;
const NO_VERSION: u16 = u16::MAX;

impl Lease {
    /// A request on demand of `$LATEST`, made to no alias.
    pub(super) const fn new(
        function: FunctionId,
        environment: EnvironmentId,
        start: Start,
        born: Time,
    ) -> Self {
        Self {
            function,
            environment,
            alias: NONE,
            version: NO_VERSION,
            is_provisioned: false,
            start,
            born,
        }
    }

    /// The same of this version, called by this alias.
    #[inline]
    pub(super) const fn of(self, alias: Option<AliasId>, version: Option<VersionId>) -> Self {
        Self {
            alias: match alias {
                Some(alias) => alias.0,
                None => NONE,
            },
            version: match version {
                Some(version) => version.0,
                None => NO_VERSION,
            },
            ..self
        }
    }

    /// The same on provisioned concurrency of its alias.
    #[inline]
    pub(super) const fn provisioned(self) -> Self {
        Self {
            is_provisioned: true,
            ..self
        }
    }

    /// The alias that was called, if the request went to one.
    #[inline]
    pub const fn alias(&self) -> Option<AliasId> {
        match self.alias {
            NONE => None,
            alias => Some(AliasId(alias)),
        }
    }

    /// ExecutedVersion: the published version that runs, `None` for `$LATEST`.
    #[inline]
    pub const fn version(&self) -> Option<VersionId> {
        match self.version {
            NO_VERSION => None,
            version => Some(VersionId(version)),
        }
    }
}
