//! Iterator ages shard by shard and lags partition by partition, in bounded memory: the shards with the largest ones are
//! kept apart, the others together.

use super::ShardSeries;
use crate::engine::ShardId;

/// Shards whose ages are recorded apart. More than are shown, because a shard that falls behind late must not find its
/// place taken by one that was behind early.
const TRACKED_MAX: usize = 32;
/// Shards that are shown.
pub(super) const SHOWN_MAX: usize = 12;
const NOT_TRACKED: u32 = u32::MAX;

/// Ages or lags of the shards of one mapping, in millionths of what is shown: nanoseconds of milliseconds.
#[derive(Debug, Default)]
pub(super) struct ShardLevels {
    /// Place of each shard among the tracked ones, by its number.
    places: Vec<u32>,
    tracked: Vec<Tracked>,
    /// Ages of the shards that are not tracked; none while all are.
    others: Option<Ages>,
    bins: usize,
    /// Records of all shards.
    records: u64,
    /// No tracked shard's age was below this so far.
    lowest: u64,
}

#[derive(Debug)]
struct Tracked {
    shard: u32,
    records: u64,
    /// Largest age so far, nanoseconds.
    largest: u64,
    ages: Ages,
}

#[derive(Debug, Default)]
struct Ages {
    /// Largest age of the bin, nanoseconds.
    bin: Option<u64>,
    closed: Vec<f32>,
}

impl ShardLevels {
    /// A batch was sent, with `records` records that were never sent before; or a lag is known, and `records` arrived.
    #[inline]
    pub(super) fn show(&mut self, shard: ShardId, age: u64, records: u64) {
        let index = shard.0 as usize;
        self.records += records;
        if index >= self.places.len() {
            self.places.resize(index + 1, NOT_TRACKED);
        }
        if self.places[index] == NOT_TRACKED && !self.track(shard.0, age) {
            let bins = self.bins;
            let others = self.others.get_or_insert_with(|| Ages::empty(bins));
            others.bin = others.bin.max(Some(age));
            return;
        }
        let tracked = &mut self.tracked[self.places[index] as usize];
        tracked.records += records;
        tracked.largest = tracked.largest.max(age);
        tracked.ages.bin = tracked.ages.bin.max(Some(age));
    }

    /// Finds a place for a shard: a free one, or that of a shard whose ages were all smaller.
    fn track(&mut self, shard: u32, age: u64) -> bool {
        let fresh = Tracked {
            shard,
            records: 0,
            largest: 0,
            ages: Ages::empty(self.bins),
        };
        if self.tracked.len() < TRACKED_MAX {
            self.places[shard as usize] = self.tracked.len() as u32;
            self.tracked.push(fresh);
            return true;
        }
        if age <= self.lowest {
            return false;
        }
        let all = self.tracked.iter().enumerate();
        let Some((place, least)) = all.min_by_key(|(_, tracked)| tracked.largest) else {
            return false;
        };
        self.lowest = least.largest;
        if age <= self.lowest {
            return false;
        }
        let gone = std::mem::replace(&mut self.tracked[place], fresh);
        self.places[gone.shard as usize] = NOT_TRACKED;
        self.places[shard as usize] = place as u32;
        let bins = self.bins;
        let others = self.others.get_or_insert_with(|| Ages::empty(bins));
        others.absorb(&gone.ages);
        true
    }

    /// Closes a bin.
    pub(super) fn roll(&mut self) {
        self.bins += 1;
        let tracked = self.tracked.iter_mut().map(|tracked| &mut tracked.ages);
        for ages in tracked.chain(&mut self.others) {
            let age = ages.bin.take();
            ages.closed
                .push(age.map_or(f32::NAN, |age| (age as f64 / 1e6) as f32));
        }
    }

    /// The shards to show by their numbers, and the others together.
    pub(super) fn into_series(mut self) -> (Vec<ShardSeries>, Option<Vec<f32>>) {
        self.tracked
            .sort_by_key(|tracked| (std::cmp::Reverse(tracked.largest), tracked.shard));
        let rest = self.tracked.split_off(self.tracked.len().min(SHOWN_MAX));
        let mut others = self.others;
        for tracked in rest {
            match &mut others {
                Some(others) => others.absorb(&tracked.ages),
                None => others = Some(tracked.ages),
            }
        }
        self.tracked.sort_by_key(|tracked| tracked.shard);
        let all = self.records.max(1) as f64;
        let shown = self.tracked.into_iter().map(|tracked| ShardSeries {
            number: tracked.shard,
            share: tracked.records as f64 / all,
            levels: tracked.ages.closed,
        });
        (shown.collect(), others.map(|others| others.closed))
    }
}

impl Ages {
    fn empty(bins: usize) -> Self {
        Self {
            bin: None,
            closed: vec![f32::NAN; bins],
        }
    }

    fn absorb(&mut self, other: &Self) {
        self.bin = self.bin.max(other.bin);
        for (mine, theirs) in self.closed.iter_mut().zip(&other.closed) {
            // A missing value gives way to any other.
            *mine = mine.max(*theirs);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn few_shards_are_all_shown() {
        let mut ages = ShardLevels::default();
        ages.show(ShardId(1), 3 * MS, 3);
        ages.roll();
        ages.show(ShardId(0), 5 * MS, 1);
        ages.show(ShardId(0), 4 * MS, 0);
        ages.roll();
        let (shards, others) = ages.into_series();
        assert_eq!(others, None);
        let shape: Vec<(u32, f64)> = shards.iter().map(|one| (one.number, one.share)).collect();
        assert_eq!(shape, [(0, 0.25), (1, 0.75)]);
        assert!(shards[0].levels[0].is_nan() && shards[1].levels[1].is_nan());
        assert_eq!((shards[0].levels[1], shards[1].levels[0]), (5.0, 3.0));
    }

    #[test]
    fn of_many_shards_those_with_the_largest_ages_are_shown() {
        let mut ages = ShardLevels::default();
        for bin in 0..3 {
            for shard in 0..100u32 {
                let age = u64::from(shard) + 1 + bin;
                ages.show(ShardId(shard), age * MS, 1);
            }
            // One that was fine falls behind late.
            if bin == 2 {
                ages.show(ShardId(7), 5_000 * MS, 1);
            }
            ages.roll();
        }
        let (shards, others) = ages.into_series();
        let numbers: Vec<u32> = shards.iter().map(|one| one.number).collect();
        let mut expected = vec![7];
        expected.extend(89..100);
        assert_eq!(numbers, expected);
        assert_eq!(shards[11].levels, [100.0, 101.0, 102.0]);
        assert_eq!(shards[0].levels[2], 5_000.0);
        assert_eq!(others, Some(vec![89.0, 90.0, 91.0]));
    }
}
