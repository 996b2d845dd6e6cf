//! Operations of the engine against the second model: bytes decide what world the swarm runs.

use crate::swarm::{Manner, World, examine};

/// Sources, options, records, faults, crashes and updates follow from the bytes; no checker may find anything.
pub fn world(bytes: &[u8]) {
    let verdict = examine(&World::from_bytes(bytes), Manner::default());
    assert_eq!(verdict.failure, None);
}
