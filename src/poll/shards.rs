//! Which shards a mapping knows, in the order in which the engine numbers them.

use crate::engine::{Position, Shard, ShardId};
use crate::poll::encode::partition_name;
use crate::poll::feed::start_of;
use crate::poll::store::Stored;
use crate::source::ListedShard;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The shards of one mapping by name and number.
#[derive(Debug)]
pub(crate) struct ShardBook {
    names: Vec<Arc<str>>,
    numbers: BTreeMap<Arc<str>, ShardId>,
    stored: BTreeMap<Arc<str>, Stored>,
    starting_position: Position,
}

/// Shards of one stream; far above any stream's limit, so reaching it means that the list is wrong.
const SHARDS_MAX: usize = 1_000_000;

impl ShardBook {
    pub(crate) const fn new(
        stored: BTreeMap<Arc<str>, Stored>,
        starting_position: Position,
    ) -> Self {
        Self {
            names: Vec::new(),
            numbers: BTreeMap::new(),
            stored,
            starting_position,
        }
    }

    pub(crate) fn name(&self, shard: ShardId) -> &Arc<str> {
        &self.names[shard.0 as usize]
    }

    /// Leases: the number of a shard, which it keeps however often it comes and goes.
    pub(crate) fn number(&mut self, name: &Arc<str>) -> ShardId {
        if let Some(id) = self.numbers.get(name) {
            return *id;
        }
        let id = ShardId(u32::try_from(self.names.len()).unwrap_or(u32::MAX));
        self.names.push(name.clone());
        self.numbers.insert(name.clone(), id);
        id
    }

    /// Kafka: sees to it that the partitions before `count` have names; a partition's number is its index.
    pub(crate) fn name_partitions(&mut self, topic: &str, count: u32) {
        while (self.names.len() as u64) < u64::from(count) {
            let id = ShardId(u32::try_from(self.names.len()).unwrap_or(u32::MAX));
            let name: Arc<str> = Arc::from(partition_name(topic, id));
            self.names.push(name.clone());
            self.numbers.insert(name, id);
        }
    }

    /// Takes in a list and returns the shards that are new, parents before their children.
    pub(crate) fn admit(&mut self, listed: &[ListedShard]) -> Vec<Shard> {
        let is_later = !self.names.is_empty() || !self.stored.is_empty();
        let mut waiting: Vec<&ListedShard> = listed
            .iter()
            .filter(|shard| !self.numbers.contains_key(&shard.name) && self.wants(shard, is_later))
            .collect();
        let mut admitted = Vec::new();
        // Each round admits every shard whose listed parents are known; a cycle, which no stream
        // has, ends the rounds early and its shards are taken as they come.
        while !waiting.is_empty() && self.names.len() < SHARDS_MAX {
            let unknown: Vec<Arc<str>> = waiting.iter().map(|shard| shard.name.clone()).collect();
            let blocked = |shard: &ListedShard| {
                let mut parents = shard.parents.iter();
                parents.any(|parent| *parent != shard.name && unknown.contains(parent))
            };
            let (later, mut ready): (Vec<_>, Vec<_>) =
                waiting.iter().copied().partition(|shard| blocked(shard));
            waiting = later;
            if ready.is_empty() {
                ready = std::mem::take(&mut waiting);
            }
            for shard in ready {
                admitted.push(self.take(shard, is_later));
            }
        }
        admitted
    }

    /// LATEST has no interest in what was closed before the mapping came to be.
    fn wants(&self, shard: &ListedShard, is_later: bool) -> bool {
        let old = shard.closed && !is_later && self.starting_position == Position::Latest;
        !old
    }

    fn take(&mut self, listed: &ListedShard, is_later: bool) -> Shard {
        let id = ShardId(u32::try_from(self.names.len()).unwrap_or(u32::MAX));
        let parents = listed
            .parents
            .iter()
            .filter_map(|parent| self.numbers.get(parent).copied())
            .collect();
        self.names.push(listed.name.clone());
        self.numbers.insert(listed.name.clone(), id);
        let stored = self.stored.get(&listed.name);
        let position = stored.map(|stored| stored.position);
        let window = stored.and_then(|stored| stored.window.as_ref());
        Shard {
            id,
            from: start_of(position, self.starting_position, is_later),
            parents,
            window: window.map(|window| window.start),
        }
    }

    /// The state of the window that was open when the shard was last stored; nothing the second time.
    pub(crate) fn take_state(&mut self, shard: ShardId) -> Option<Arc<str>> {
        let stored = self.stored.get_mut(&self.names[shard.0 as usize])?;
        stored.window.take().map(|window| window.state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Seq, Time};
    use crate::poll::store::OpenWindow;

    fn listed(name: &str, parents: &[&str], closed: bool) -> ListedShard {
        ListedShard {
            name: Arc::from(name),
            parents: parents.iter().map(|&parent| Arc::from(parent)).collect(),
            closed,
        }
    }

    fn shape(shards: &[Shard]) -> Vec<(u32, Position, Vec<u32>)> {
        shards
            .iter()
            .map(|shard| {
                let parents = shard.parents.iter().map(|parent| parent.0).collect();
                (shard.id.0, shard.from, parents)
            })
            .collect()
    }

    #[test]
    fn parents_come_first_and_only_known_ones_are_named() {
        let mut book = ShardBook::new(BTreeMap::new(), Position::Horizon);
        let list = [
            listed("merged", &["left", "right"], false),
            listed("right", &["gone"], true),
            listed("left", &[], true),
        ];
        let horizon = Position::Horizon;
        let expected = vec![
            (0, horizon, vec![]),
            (1, horizon, vec![]),
            (2, horizon, vec![1, 0]),
        ];
        assert_eq!(shape(&book.admit(&list)), expected);
        assert_eq!(&**book.name(ShardId(2)), "merged");
        assert_eq!(book.admit(&list), vec![]);
        let cycle = [listed("a", &["b"], false), listed("b", &["a"], false)];
        assert_eq!(book.admit(&cycle).len(), 2);
    }

    #[test]
    fn a_shard_that_appears_later_starts_at_its_beginning() {
        let mut book = ShardBook::new(BTreeMap::new(), Position::Latest);
        let first = [listed("old", &[], true), listed("open", &["old"], false)];
        assert_eq!(
            shape(&book.admit(&first)),
            vec![(0, Position::Latest, vec![])]
        );
        let second = [
            listed("open", &["old"], true),
            listed("child", &["open"], false),
        ];
        assert_eq!(
            shape(&book.admit(&second)),
            vec![(1, Position::Horizon, vec![0])]
        );
    }

    #[test]
    fn a_restart_goes_on_from_the_checkpoints() {
        let after = Position::After(Seq::from(4));
        let window = OpenWindow {
            start: Time::from_secs(60),
            state: Arc::from("{\"n\":1}"),
        };
        let stored = Stored {
            position: after,
            window: Some(window),
        };
        let stored = BTreeMap::from([(Arc::from("a"), stored)]);
        let list = [listed("a", &[], true), listed("b", &["a"], false)];
        let mut book = ShardBook::new(stored.clone(), Position::Latest);
        let expected = vec![(0, after, vec![]), (1, Position::Horizon, vec![0])];
        let admitted = book.admit(&list);
        assert_eq!(shape(&admitted), expected);
        let windows: Vec<_> = admitted.iter().map(|shard| shard.window).collect();
        assert_eq!(windows, [Some(Time::from_secs(60)), None]);
        assert_eq!(book.take_state(ShardId(0)).as_deref(), Some("{\"n\":1}"));
        assert_eq!(book.take_state(ShardId(0)), None);
        assert_eq!(book.take_state(ShardId(1)), None);
        let at = Position::At(Time::from_secs(5));
        let mut book = ShardBook::new(stored, at);
        assert_eq!(book.admit(&list)[1].from, at);
    }
}
