//! What a worker waits for.

use super::Row;
use crate::engine::Time;

/// A call to the table that is not answered yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Pending {
    Scan,
    Create(Row),
    /// With the time at which it was sent.
    Renew(String, Time),
    Take(Row, Time, bool),
    Surrender(Surrender),
}

/// A lease on its way back, or to whoever has asked for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Surrender {
    pub(super) key: String,
    pub(super) hands_over: bool,
    /// When that was first tried.
    pub(super) since: Time,
}

impl Surrender {
    /// The lease of a shard that nothing is in work of.
    pub(super) const fn back(key: String, since: Time) -> Self {
        Self {
            key,
            hands_over: false,
            since,
        }
    }
}
