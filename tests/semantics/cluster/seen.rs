//! What a mapping did in its cluster.

use super::{Did, Rig};
use tidegate::engine::{Condition, Fact};

impl Rig {
    pub(crate) fn did(&self) -> &[(u64, Did)] {
        &self.world.did
    }

    pub(crate) fn facts_at(&self) -> &[(u64, Fact)] {
        &self.world.facts
    }

    pub(crate) fn facts(&self) -> impl Iterator<Item = Fact> + '_ {
        self.world.facts.iter().map(|(_, fact)| *fact)
    }

    fn pick<'a, T>(&'a self, of: impl FnMut(&'a (u64, Did)) -> Option<T>) -> Vec<T> {
        self.world.did.iter().filter_map(of).collect()
    }

    pub(crate) fn batches(&self) -> Vec<&str> {
        self.pick(|(_, did)| match did {
            Did::Invoke(words, _) => Some(words.as_str()),
            _ => None,
        })
    }

    /// When each invocation was sent (ms), and its batch.
    pub(crate) fn invokes(&self) -> Vec<(u64, &str)> {
        self.pick(|(at, did)| match did {
            Did::Invoke(words, _) => Some((*at, words.as_str())),
            _ => None,
        })
    }

    pub(crate) fn commits(&self) -> Vec<(u32, u64)> {
        self.pick(|(_, did)| match did {
            Did::Commit(shard, to) => Some((*shard, *to)),
            _ => None,
        })
    }

    pub(crate) fn diverts(&self) -> Vec<(&str, Condition, u32)> {
        self.pick(|(_, did)| match did {
            Did::Divert(words, failure) => {
                Some((words.as_str(), failure.condition, failure.invoke_count))
            }
            _ => None,
        })
    }

    pub(crate) fn yields(&self) -> Vec<(u32, Vec<u32>)> {
        self.pick(|(_, did)| match did {
            Did::Yield(poller, shards) => Some((*poller, shards.clone())),
            _ => None,
        })
    }

    pub(crate) fn leaves(&self) -> Vec<u32> {
        self.pick(|(_, did)| match did {
            Did::Leave(poller) => Some(*poller),
            _ => None,
        })
    }

    /// How many records came back uncommitted.
    pub(crate) fn returned(&self) -> u32 {
        let records = self.facts().map(|fact| match fact {
            Fact::Returned { records, .. } => records,
            _ => 0,
        });
        records.sum()
    }
}
