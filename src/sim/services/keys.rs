//! Which partition keys a producer's records have, shard by shard.
//!
//! A key is drawn for a record out of the record's own hash, so every reader of the stream finds the same one. What a
//! shard takes is a range of a table that is sorted by the hashes of the keys: one table serves every shard that a
//! stream ever has, however its shards are split and merged.

use crate::engine::mix;
use crate::scenario::{Keys, Lifetime};
use std::sync::Arc;

/// Keeps what is drawn here apart from every other use of a record's hash, and the lanes of a key from its shard.
const DRAW_SALT: u64 = 0x006b_6579_2064_7261;
const GROUP_SALT: u64 = 0x0067_726f_7570_206f;

/// Bits of a key's hash that its rank leaves free: ranks go up to 10,000,000.
const RANK_BITS: u32 = 24;

/// All keys of a producer.
#[derive(Debug)]
pub(in crate::sim) struct KeySpace {
    table: Option<(Arc<KeyTable>, Places)>,
    /// Share of the records whose key comes from the table; the others have keys of their own.
    keyed: f64,
}

/// Weights of keys, in the order of their hashes.
#[derive(Debug)]
pub(in crate::sim) struct KeyTable {
    /// Weight of all keys before each, and of all together at the end.
    before: Box<[f64]>,
    /// Where the search for a weight begins, for equal steps of weight.
    guide: Box<[u32]>,
    ranks: Box<[u32]>,
}

/// Hash and rank of every key in one word each, sorted.
#[derive(Debug)]
struct Places(Vec<u64>);

/// How the keys of one producer's records in one shard are drawn.
#[derive(Clone, Debug)]
pub(in crate::sim) enum KeyDraw {
    /// Every record has its own.
    Unique,
    /// From a part of a table: chance that a record has a key from there, indices, and their weight.
    Part {
        table: Arc<KeyTable>,
        chance: f64,
        first: u32,
        last: u32,
    },
}

impl KeySpace {
    pub(in crate::sim) fn new(keys: Keys) -> Self {
        let (table, keyed) = match keys {
            Keys::Unique => (None, 0.0),
            Keys::Zipf { n, s } => (Some(KeyTable::new(n, s)), 1.0),
            Keys::Hot { share, keys } => (Some(KeyTable::new(keys, 0.0)), share.as_f64()),
        };
        Self {
            table: table.map(|(table, places)| (Arc::new(table), places)),
            keyed,
        }
    }

    /// How keys are drawn where no shard takes a part of them.
    pub(in crate::sim) fn whole(&self) -> KeyDraw {
        match &self.table {
            None => KeyDraw::Unique,
            Some((table, _)) => KeyDraw::Part {
                table: table.clone(),
                chance: self.keyed,
                first: 0,
                last: table.ranks.len() as u32 - 1,
            },
        }
    }

    /// The share of the producer's records that a shard takes, and how their keys are drawn.
    pub(super) fn part(&self, life: &Lifetime) -> (f64, KeyDraw) {
        let width = u128::from(life.last - life.first) + 1;
        let width = width as f64 / 18_446_744_073_709_551_616.0;
        let Some((table, places)) = &self.table else {
            return (width, KeyDraw::Unique);
        };
        let (first, end) = places.range(life.first, life.last);
        let keyed = self.keyed * table.weight(first, end) / table.weight(0, table.ranks.len());
        let own = (1.0 - self.keyed) * width;
        let share = keyed + own;
        if first == end {
            return (share, KeyDraw::Unique);
        }
        let draw = KeyDraw::Part {
            table: table.clone(),
            chance: keyed / share,
            first: first as u32,
            last: (end - 1) as u32,
        };
        (share, draw)
    }
}

impl KeyTable {
    fn new(n: u32, s: f64) -> (Self, Places) {
        let n = n.max(1);
        let mut words: Vec<u64> = (1..=n)
            .map(|rank| (mix(u64::from(rank)) >> RANK_BITS << RANK_BITS) | u64::from(rank))
            .collect();
        words.sort_unstable();
        let rank = |word: u64| (word & ((1 << RANK_BITS) - 1)) as u32;
        let mut sum = 0.0;
        let mut before = Vec::with_capacity(words.len() + 1);
        for &word in &words {
            before.push(sum);
            sum += libm::pow(f64::from(rank(word)), -s);
        }
        before.push(sum);
        let steps = words.len().div_ceil(2);
        let mut guide = Vec::with_capacity(steps);
        let mut index = 0;
        for step in 0..steps {
            let weight = sum * step as f64 / steps as f64;
            while index + 1 < words.len() && before[index + 1] <= weight {
                index += 1;
            }
            guide.push(index as u32);
        }
        let table = Self {
            before: before.into(),
            guide: guide.into(),
            ranks: words.iter().map(|&word| rank(word)).collect(),
        };
        (table, Places(words))
    }

    fn weight(&self, first: usize, end: usize) -> f64 {
        self.before[end] - self.before[first]
    }

    /// The key among `first..=last` at which the share `u` (0 to 1) of their weight is reached.
    #[inline]
    fn find(&self, first: u32, last: u32, u: f64) -> u32 {
        let (first, last) = (first as usize, last as usize);
        let weight = self.before[first] + u * (self.before[last + 1] - self.before[first]);
        let all = self.before[self.ranks.len()];
        let step = (weight / all * self.guide.len() as f64) as usize;
        let start = self.guide.get(step).map_or(last, |&index| index as usize);
        let mut index = start.clamp(first, last);
        // Rounding may put the start a step too far.
        while index > first && self.before[index] > weight {
            index -= 1;
        }
        while index < last && self.before[index + 1] <= weight {
            index += 1;
        }
        self.ranks[index]
    }
}

impl Places {
    /// Indices of the keys whose hashes are within `first..=last`, as a half-open range.
    fn range(&self, first: u64, last: u64) -> (usize, usize) {
        let hash = |word: u64| word >> RANK_BITS << RANK_BITS;
        let start = self.0.partition_point(|&word| hash(word) < first);
        let end = self.0.partition_point(|&word| hash(word) <= last);
        (start, end)
    }
}

impl KeyDraw {
    /// The group of the key of the record with the hash `record`.
    #[inline]
    pub(in crate::sim) fn group(&self, record: u64) -> u64 {
        let Self::Part {
            table,
            chance,
            first,
            last,
        } = self
        else {
            return record;
        };
        let drawn = mix(record ^ DRAW_SALT);
        let mut u = unit(drawn);
        if *chance < 1.0 {
            if u >= *chance {
                return record;
            }
            u /= chance;
        }
        mix(u64::from(table.find(*first, *last, u)) ^ GROUP_SALT)
    }
}

/// A number in `[0, 1)` from 53 of the bits of a hash.
fn unit(hash: u64) -> f64 {
    (hash >> 11) as f64 / (1u64 << 53) as f64
}

/// The chance `ratio` for tests of shares.
#[cfg(test)]
pub(super) fn hot(percent: u64, keys: u32) -> Keys {
    match crate::engine::Ratio::new(percent, 100) {
        Some(share) => Keys::Hot { share, keys },
        None => unreachable!("a percentage is at most 100"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Stream;
    use std::collections::BTreeMap;

    /// Counts the groups of `draws` records in each shard, shards getting their share of them.
    fn drawn(keys: Keys, shards: u32, draws: u64) -> Vec<BTreeMap<u64, u64>> {
        let space = KeySpace::new(keys);
        Stream::kinesis(shards)
            .shards
            .iter()
            .enumerate()
            .map(|(index, life)| {
                let (share, draw) = space.part(life);
                let mut counts = BTreeMap::new();
                for n in 0..(share * draws as f64) as u64 {
                    let record = mix(mix(index as u64) ^ n);
                    *counts.entry(draw.group(record)).or_default() += 1;
                }
                counts
            })
            .collect()
    }

    #[test]
    fn keys_have_the_frequencies_of_the_law_and_one_shard_each() {
        for s in [0.0, 0.7, 1.5] {
            let draws = 400_000;
            let shards = drawn(Keys::Zipf { n: 50, s }, 4, draws);
            let mut seen: BTreeMap<u64, u64> = BTreeMap::new();
            for (group, count) in shards.iter().flatten() {
                assert!(seen.insert(*group, *count).is_none(), "a key in two shards");
            }
            let sum: f64 = (1..=50).map(|rank| f64::from(rank).powf(-s)).sum();
            for rank in 1..=50u32 {
                let expected = draws as f64 * f64::from(rank).powf(-s) / sum;
                let count = seen[&mix(u64::from(rank) ^ GROUP_SALT)] as f64;
                assert!(
                    (count - expected).abs() < 5.0 * expected.sqrt() + 2.0,
                    "{s} {rank}: {count}, not {expected}"
                );
            }
        }
    }

    #[test]
    fn hot_keys_take_their_share() {
        let draws = 100_000;
        let shards = drawn(hot(40, 2), 8, draws);
        let mut counts: Vec<u64> = shards.iter().flatten().map(|(_, count)| *count).collect();
        counts.sort_unstable_by(|a, b| b.cmp(a));
        assert!(
            counts[0].abs_diff(20_000) < 700 && counts[1].abs_diff(20_000) < 700,
            "{:?}",
            &counts[..3]
        );
        assert_eq!(counts[2], 1);
        let all: u64 = counts.iter().sum();
        assert!(all.abs_diff(draws) < 10, "{all}");
    }

    #[test]
    fn shares_of_shards_add_up_and_skewed_keys_make_hot_shards() {
        for keys in [
            Keys::Unique,
            Keys::Zipf { n: 1_000, s: 1.5 },
            hot(100, 1),
            hot(30, 3),
        ] {
            let space = KeySpace::new(keys);
            let shares: Vec<f64> = Stream::kinesis(7)
                .shards
                .iter()
                .map(|life| space.part(life).0)
                .collect();
            assert!(
                (shares.iter().sum::<f64>() - 1.0).abs() < 1e-9,
                "{keys:?}: {shares:?}"
            );
            let hottest = shares.iter().copied().fold(0.0, f64::max);
            let (at_least, at_most) = match keys {
                Keys::Unique => (1.0 / 7.0, 1.0 / 7.0 + 1e-9),
                Keys::Zipf { .. } => (0.35, 1.0),
                Keys::Hot { share, .. } => (share.as_f64() / 3.0, 1.0),
            };
            assert!(
                hottest >= at_least && hottest <= at_most,
                "{keys:?}: {hottest}"
            );
        }
    }

    #[test]
    fn lanes_of_a_shard_share_its_keys() {
        // The hash that decides the lane is not the one that decides the shard.
        let shards = drawn(Keys::Zipf { n: 1_000, s: 0.0 }, 8, 100_000);
        let lower = shards[0].keys().filter(|group| **group < 1 << 63).count();
        let all = shards[0].len();
        assert!(lower > all / 4 && lower < all * 3 / 4, "{lower} of {all}");
    }
}
