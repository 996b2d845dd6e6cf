//! Shards over time: how splits, merges and rollovers make new shards out of old ones.

use super::model::{Lifetime, Stream, StreamService};
use crate::engine::{Span, limits};

/// Shards that a stream may have over a whole scenario: each takes memory from the beginning on.
pub(crate) const LIFETIMES_MAX: usize = 100_000;

/// Why shards cannot be changed as asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LineageError {
    /// No shard has this number at that moment.
    Unknown { shard: u32, next: u32 },
    /// The shard was closed by an earlier change.
    Closed { shard: u32, at: Span },
    /// The shard is part of this change already.
    Twice { shard: u32 },
    /// Only shards whose hash ranges touch can be merged.
    Apart { left: u32, right: u32 },
    /// A shard that takes a single hash cannot be split.
    TooNarrow { shard: u32 },
    /// More open shards than a stream may have.
    TooMany { open: usize },
    /// UpdateShardCount goes no further than half or double.
    TooFar { open: usize },
}

impl Stream {
    /// A Kinesis stream of `shards` equal shards that stay open, with the limits and the retention that AWS sets.
    pub fn kinesis(shards: u32) -> Self {
        Self {
            service: StreamService::Kinesis,
            shards: equal(shards.max(1), Span::ZERO, |_| Vec::new()),
            retention: limits::KINESIS_RETENTION_DEFAULT,
            write_limits: true,
            read_limits: true,
        }
    }

    /// A DynamoDB stream of `shards` equal partitions over a run of the length `duration`. After `lifetime` a child
    /// takes the place of a shard (rule `dynamodb-shard-rollover`); the first generation ends one after the other.
    pub fn dynamodb(shards: u32, lifetime: Span, duration: Span) -> Self {
        let shards = shards.max(1);
        let mut lineage = Lineage::new(shards);
        let mut due: Vec<(Span, u32)> = (0..shards)
            .map(|shard| {
                let nanos = u128::from(lifetime.as_nanos()) * u128::from(shard + 1);
                let first = Span::from_nanos((nanos / u128::from(shards)) as u64);
                (first, shard)
            })
            .collect();
        let mut next = 0;
        while let Some(&(at, shard)) = due.get(next) {
            if at >= duration {
                break;
            }
            next += 1;
            due.push((at + lifetime, lineage.follow(shard, at)));
        }
        Self {
            service: StreamService::DynamoDb,
            shards: lineage.shards,
            retention: limits::DYNAMODB_RETENTION,
            write_limits: false,
            read_limits: true,
        }
    }
}

/// How many shards [`Stream::dynamodb`] would make, without making them.
pub(crate) fn rollovers(shards: u32, lifetime: Span, duration: Span) -> u64 {
    let generations = duration.as_nanos() / lifetime.as_nanos().max(1) + 1;
    u64::from(shards).saturating_mul(generations)
}

/// The shards of a stream while changes are applied to it, in order.
#[derive(Clone, Debug)]
pub(crate) struct Lineage {
    pub(crate) shards: Vec<Lifetime>,
}

impl Lineage {
    pub(crate) fn new(shards: u32) -> Self {
        Self {
            shards: equal(shards, Span::ZERO, |_| Vec::new()),
        }
    }

    /// Indices of the open shards, by their hash ranges.
    fn open(&self) -> Vec<u32> {
        let mut open: Vec<u32> = (0..self.shards.len() as u32)
            .filter(|&shard| self.shards[shard as usize].closes.is_none())
            .collect();
        open.sort_by_key(|&shard| self.shards[shard as usize].first);
        open
    }

    /// Splits the listed shards (all open ones without a list) in the middle of their hash ranges.
    pub(crate) fn split(
        &mut self,
        at: Span,
        listed: Option<&[u32]>,
    ) -> Result<(), Vec<LineageError>> {
        let open = self.open();
        let chosen = match listed {
            Some(listed) => listed.to_vec(),
            None => {
                let mut all = open.clone();
                all.sort_unstable();
                all
            }
        };
        let mut found = self.check_all(&chosen);
        for &shard in &chosen {
            if let Some(life) = self.shards.get(shard as usize)
                && life.first == life.last
            {
                found.push(LineageError::TooNarrow { shard });
            }
        }
        let after = open.len() + chosen.len();
        if after > limits::KINESIS_SHARDS_MAX as usize {
            found.push(LineageError::TooMany { open: after });
        }
        if !found.is_empty() {
            return Err(found);
        }
        for shard in chosen {
            let Lifetime { first, last, .. } = self.shards[shard as usize];
            let middle = first + (last - first) / 2;
            self.shards[shard as usize].closes = Some(at);
            self.birth(first, middle, at, vec![shard]);
            self.birth(middle + 1, last, at, vec![shard]);
        }
        Ok(())
    }

    /// Merges pairs of shards whose hash ranges touch.
    pub(crate) fn merge(
        &mut self,
        at: Span,
        pairs: &[(u32, u32)],
    ) -> Result<(), Vec<LineageError>> {
        let all: Vec<u32> = pairs
            .iter()
            .flat_map(|&(left, right)| [left, right])
            .collect();
        let mut found = self.check_all(&all);
        for &(left, right) in pairs {
            let lives = (
                self.shards.get(left as usize),
                self.shards.get(right as usize),
            );
            if let (Some(a), Some(b)) = lives
                && left != right
            {
                let touch =
                    |low: &Lifetime, high: &Lifetime| low.last.checked_add(1) == Some(high.first);
                if !(touch(a, b) || touch(b, a)) {
                    found.push(LineageError::Apart { left, right });
                }
            }
        }
        if !found.is_empty() {
            return Err(found);
        }
        for &(left, right) in pairs {
            let (a, b) = (&self.shards[left as usize], &self.shards[right as usize]);
            let (first, last) = (a.first.min(b.first), a.last.max(b.last));
            for shard in [left, right] {
                self.shards[shard as usize].closes = Some(at);
            }
            self.birth(first, last, at, vec![left, right]);
        }
        Ok(())
    }

    /// UpdateShardCount: equal shards, in one step. Shards that have the right range already stay.
    pub(crate) fn rescale(&mut self, at: Span, count: u32) -> Result<(), Vec<LineageError>> {
        let open = self.open();
        let wanted = count as usize;
        if wanted > open.len() * 2 || wanted * 2 < open.len() {
            return Err(vec![LineageError::TooFar { open: open.len() }]);
        }
        let overlap = |life: &Lifetime| {
            let parents = open.iter().copied().filter(|&shard| {
                let old = &self.shards[shard as usize];
                old.first <= life.last && life.first <= old.last
            });
            parents.collect::<Vec<u32>>()
        };
        let new: Vec<Lifetime> = equal(count, at, overlap)
            .into_iter()
            .filter(|life| match life.parents.as_slice() {
                &[same] => {
                    let old = &self.shards[same as usize];
                    (old.first, old.last) != (life.first, life.last)
                }
                _ => true,
            })
            .collect();
        for life in &new {
            for &parent in &life.parents {
                self.shards[parent as usize].closes = Some(at);
            }
        }
        self.shards.extend(new);
        Ok(())
    }

    /// Closes a shard, and lets another one take its place.
    fn follow(&mut self, shard: u32, at: Span) -> u32 {
        let Lifetime { first, last, .. } = self.shards[shard as usize];
        self.shards[shard as usize].closes = Some(at);
        self.birth(first, last, at, vec![shard]);
        (self.shards.len() - 1) as u32
    }

    fn birth(&mut self, first: u64, last: u64, opens: Span, parents: Vec<u32>) {
        self.shards.push(Lifetime {
            first,
            last,
            opens,
            closes: None,
            parents,
        });
    }

    fn check_all(&self, shards: &[u32]) -> Vec<LineageError> {
        let mut found = Vec::new();
        for (index, &shard) in shards.iter().enumerate() {
            if shards[..index].contains(&shard) {
                found.push(LineageError::Twice { shard });
                continue;
            }
            match self.shards.get(shard as usize) {
                None => found.push(LineageError::Unknown {
                    shard,
                    next: self.shards.len() as u32,
                }),
                Some(life) => {
                    if let Some(at) = life.closes {
                        found.push(LineageError::Closed { shard, at });
                    }
                }
            }
        }
        found
    }
}

/// `count` shards that share all hashes evenly.
fn equal(count: u32, opens: Span, parents: impl Fn(&Lifetime) -> Vec<u32>) -> Vec<Lifetime> {
    let bound = |index: u32| (u128::from(index) << 64).div_ceil(u128::from(count.max(1)));
    (0..count)
        .map(|index| {
            let mut life = Lifetime {
                first: bound(index) as u64,
                last: (bound(index + 1) - 1) as u64,
                opens,
                closes: None,
                parents: Vec::new(),
            };
            life.parents = parents(&life);
            life
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Span = Span::from_secs(60);

    /// Every hash belongs to exactly one open shard.
    fn covers(lineage: &Lineage) -> bool {
        let open = lineage.open();
        let lives: Vec<&Lifetime> = open
            .iter()
            .map(|&shard| &lineage.shards[shard as usize])
            .collect();
        lives[0].first == 0
            && lives[lives.len() - 1].last == u64::MAX
            && lives
                .windows(2)
                .all(|pair| pair[0].last + 1 == pair[1].first)
    }

    #[test]
    fn splits_and_merges_keep_every_hash_in_one_open_shard() {
        let mut lineage = Lineage::new(3);
        assert!(covers(&lineage));
        lineage.split(AT, Some(&[2, 0])).expect("two splits");
        assert!(covers(&lineage));
        // 2 became 3 and 4, 0 became 5 and 6.
        assert_eq!(lineage.open(), [5, 6, 1, 3, 4]);
        lineage.merge(AT, &[(1, 6), (3, 4)]).expect("two merges");
        assert!(covers(&lineage));
        assert_eq!(lineage.shards[7].parents, [1, 6]);
        lineage.split(AT, None).expect("all");
        assert_eq!(lineage.open().len(), 6);
        for count in [8, 5, 3, 6] {
            lineage.rescale(AT, count).expect("within half and double");
            assert!(covers(&lineage));
            assert_eq!(lineage.open().len(), count as usize);
        }
        let before = lineage.shards.len();
        lineage.rescale(AT, 6).expect("nothing to do");
        assert_eq!(lineage.shards.len(), before);
    }

    #[test]
    fn what_cannot_be_is_refused_and_changes_nothing() {
        let mut lineage = Lineage::new(4);
        lineage.split(AT, Some(&[1])).expect("a split");
        let before = lineage.shards.len();
        assert_eq!(
            lineage.split(AT, Some(&[1, 9, 2, 2])),
            Err(vec![
                LineageError::Closed { shard: 1, at: AT },
                LineageError::Unknown { shard: 9, next: 6 },
                LineageError::Twice { shard: 2 },
            ])
        );
        let apart = LineageError::Apart { left: 0, right: 2 };
        assert_eq!(lineage.merge(AT, &[(0, 2)]), Err(vec![apart]));
        let far = LineageError::TooFar { open: 5 };
        assert_eq!(lineage.rescale(AT, 11), Err(vec![far.clone()]));
        assert_eq!(lineage.rescale(AT, 2), Err(vec![far]));
        assert_eq!(lineage.shards.len(), before);
        let mut wide = Lineage::new(6_000);
        let many = LineageError::TooMany { open: 12_000 };
        assert_eq!(wide.split(AT, None), Err(vec![many]));
    }

    #[test]
    fn dynamodb_shards_follow_each_other() {
        let hours = |n: u64| Span::from_secs(n * 3_600);
        let stream = Stream::dynamodb(2, hours(4), hours(9));
        let shape: Vec<(Span, Option<Span>, &[u32])> = stream
            .shards
            .iter()
            .map(|life| (life.opens, life.closes, life.parents.as_slice()))
            .collect();
        assert_eq!(
            shape,
            [
                (Span::ZERO, Some(hours(2)), &[][..]),
                (Span::ZERO, Some(hours(4)), &[][..]),
                (hours(2), Some(hours(6)), &[0][..]),
                (hours(4), Some(hours(8)), &[1][..]),
                (hours(6), None, &[2][..]),
                (hours(8), None, &[3][..]),
            ]
        );
        assert!(rollovers(2, hours(4), hours(9)) >= stream.shards.len() as u64);
    }
}
