//! Records that still wait for a shard's write limits when it is closed: its children take them over.

use super::feed::{Feed, Waiting};
use super::keys::KeySpace;
use crate::engine::mix;
use crate::scenario::{Lifetime, Stream};

/// What each shard takes over.
#[derive(Debug)]
pub(super) struct Legacies<'s> {
    lives: &'s [Lifetime],
    children: Vec<Vec<u32>>,
    waiting: Vec<Vec<Waiting>>,
}

impl<'s> Legacies<'s> {
    pub(super) fn new(stream: &'s Stream) -> Self {
        let lives = stream.shards.as_slice();
        let mut children = vec![Vec::new(); lives.len()];
        for (child, life) in lives.iter().enumerate() {
            for &parent in &life.parents {
                children[parent as usize].push(child as u32);
            }
        }
        Self {
            lives,
            children,
            waiting: vec![Vec::new(); lives.len()],
        }
    }

    /// What the shard takes over, first come first. All of its parents must have left what they leave.
    pub(super) fn take(&mut self, shard: usize) -> Vec<Waiting> {
        let mut all = std::mem::take(&mut self.waiting[shard]);
        all.sort_by_key(|waiting| waiting.since);
        all
    }

    /// Gives what waits at the end of a shard to its children, to each its share of the producer's keys.
    pub(super) fn leave(&mut self, shard: usize, feed: &Feed, spaces: &[KeySpace]) {
        if self.lives[shard].closes.is_none() {
            return;
        }
        let shares: Vec<Vec<f64>> = spaces
            .iter()
            .map(|space| {
                let share = |child: &u32| {
                    let common = common(&self.lives[shard], &self.lives[*child as usize]);
                    space.part(&common).0
                };
                self.children[shard].iter().map(share).collect()
            })
            .collect();
        for (index, waiting) in feed.clone().left_at_end().into_iter().enumerate() {
            let shares = &shares[waiting.producer as usize];
            let hash = mix(feed.key() ^ mix(index as u64));
            let mut rest = (hash >> 11) as f64 / (1u64 << 53) as f64 * shares.iter().sum::<f64>();
            let heir = shares.iter().position(|share| {
                rest -= share;
                rest < 0.0
            });
            let heir = heir.unwrap_or(shares.len() - 1);
            let child = self.children[shard][heir];
            self.waiting[child as usize].push(waiting);
        }
    }
}

/// The part of a shard's keys that its child takes over.
fn common(shard: &Lifetime, child: &Lifetime) -> Lifetime {
    Lifetime {
        first: shard.first.max(child.first),
        last: shard.last.min(child.last),
        ..child.clone()
    }
}
