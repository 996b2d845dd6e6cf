//! A Kinesis stream: shards, each a feed of its own, and a cursor per reader.
//!
//! Splitting a Poisson process by partition key gives independent Poisson processes, so each shard draws its own
//! arrivals at its share of the rate instead of filtering the whole stream.

use super::feed::Feed;
use crate::engine::{Meta, Page, Position, Record, Seq, Span, Time, limits, mix, wire};
use crate::scenario::{Keys, Producer};

/// The modelled stream.
#[derive(Debug)]
pub struct KinesisModel {
    shards: Vec<Feed>,
    /// Counts what arrived, ahead of every reader.
    tails: Vec<Feed>,
    retention: Span,
}

/// One reader's place in every shard.
#[derive(Debug)]
pub struct KinesisReader {
    cursors: Vec<Feed>,
    /// Records that were older than the stream's retention when they were read.
    pub trimmed: u64,
}

impl KinesisModel {
    /// The stream `name` with `shards` open shards, filled by `producers`.
    pub fn new(
        name: &str,
        shards: u32,
        retention: Span,
        producers: &[Producer],
        seed: u64,
    ) -> Self {
        let weights: Vec<Vec<f64>> = producers
            .iter()
            .map(|producer| shard_weights(producer.keys, shards))
            .collect();
        let feeds: Vec<Feed> = (0..shards as usize)
            .map(|shard| {
                let label = format!("source/{name}/shard/{shard}");
                Feed::new(producers, |index| weights[index][shard], seed, &label)
            })
            .collect();
        Self {
            tails: feeds.clone(),
            shards: feeds,
            retention,
        }
    }

    /// Number of shards.
    pub const fn shard_count(&self) -> usize {
        self.shards.len()
    }

    /// A reader that starts at `from`, at time `now`.
    pub fn reader(&self, from: Position, now: Time) -> KinesisReader {
        let mut cursors = self.shards.clone();
        let skip_to = match from {
            Position::Latest => Some(now),
            Position::At(at) => Some(at),
            Position::Horizon | Position::After(_) | Position::End => None,
        };
        if let Some(at) = skip_to {
            for cursor in &mut cursors {
                while cursor.next_arrival().is_some_and(|arrival| arrival < at) {
                    // Read, not counted: sizes must be drawn so that every reader sees the same ones.
                    cursor.read(at);
                }
            }
        }
        KinesisReader {
            cursors,
            trimmed: 0,
        }
    }

    /// GetRecords: up to `records_max` records or 10 MiB of `shard`, into `records`.
    pub fn read(
        &self,
        reader: &mut KinesisReader,
        shard: usize,
        now: Time,
        records_max: u32,
        mut records: Vec<Record<()>>,
    ) -> Page<()> {
        let cursor = &mut reader.cursors[shard];
        let mut bytes = 0u64;
        let mut last = None;
        while records.len() < records_max as usize && bytes < limits::KINESIS_PAGE_BYTES_MAX {
            let Some(written) = cursor.read(now) else {
                break;
            };
            last = Some(Seq::from(written.ordinal));
            if now.since(written.arrival) > self.retention {
                reader.trimmed += 1;
                continue;
            }
            bytes += u64::from(written.size);
            let wire_len =
                wire::KINESIS_RECORD_AROUND_LEN + wire::base64_len(u64::from(written.size));
            records.push(Record {
                meta: Meta {
                    seq: Seq::from(written.ordinal),
                    group: written.hash,
                    arrival: written.arrival,
                    wire_len: wire_len as u32,
                },
                payload: (),
            });
        }
        let behind = cursor
            .next_arrival()
            .filter(|arrival| *arrival <= now)
            .map_or(Span::ZERO, |arrival| {
                now.since(arrival).max(Span::from_millis(1))
            });
        Page {
            records,
            bytes,
            end: last,
            behind,
            ..Page::default()
        }
    }

    /// Counts the records that arrived since the last call.
    pub fn arrived(&mut self, now: Time) -> u64 {
        self.tails.iter_mut().map(|tail| tail.count(now)).sum()
    }

    /// Records that arrived and that `reader` has not read; call [`arrived`](Self::arrived) first.
    pub fn backlog(&self, reader: &KinesisReader) -> u64 {
        let arrived: u64 = self.tails.iter().map(Feed::passed).sum();
        let read: u64 = reader.cursors.iter().map(Feed::passed).sum();
        arrived.saturating_sub(read)
    }
}

/// The share of a producer's records that goes to each shard: keys fall evenly over the hash range.
fn shard_weights(keys: Keys, shards: u32) -> Vec<f64> {
    match keys {
        Keys::Unique => vec![1.0 / f64::from(shards); shards as usize],
        Keys::Zipf { n, s } => {
            let mut weights = vec![0.0; shards as usize];
            let mut total = 0.0;
            for rank in 1..=n {
                let weight = libm::pow(f64::from(rank), -s);
                let place = (u128::from(mix(u64::from(rank))) * u128::from(shards)) >> 64;
                weights[place as usize] += weight;
                total += weight;
            }
            for weight in &mut weights {
                *weight /= total;
            }
            weights
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Arrivals, Dist, Rate, RateStep};

    fn producer(per_sec: f64, keys: Keys) -> Producer {
        let step = RateStep {
            at: Span::ZERO,
            per_sec,
            over: Span::ZERO,
        };
        Producer {
            arrivals: Arrivals::Poisson(Rate { steps: vec![step] }),
            size: Dist::Exponential { mean: 1_000.0 },
            keys,
        }
    }

    #[test]
    fn two_readers_see_the_same_records() {
        let producers = [producer(50.0, Keys::Unique), producer(10.0, Keys::Unique)];
        let model = KinesisModel::new("s", 2, Span::MAX, &producers, 4);
        let now = Time::from_secs(60);
        let mut all = model.reader(Position::Horizon, Time::ZERO);
        let whole = model.read(&mut all, 1, now, 1_000_000, Vec::new());
        let mut steps = model.reader(Position::Horizon, Time::ZERO);
        let mut pieces = Vec::new();
        for secs in 1..=60 {
            let page = model.read(&mut steps, 1, Time::from_secs(secs), 10_000, Vec::new());
            assert_eq!(page.behind, Span::ZERO);
            pieces.extend(page.records);
        }
        assert!(
            whole.records == pieces,
            "a page at once and page by page differ"
        );
        let mut late = model.reader(Position::At(Time::from_secs(30)), Time::ZERO);
        let tail = model.read(&mut late, 1, now, 1_000_000, Vec::new()).records;
        assert!(!tail.is_empty());
        assert!(whole.records.ends_with(&tail));
    }

    #[test]
    fn a_page_stops_at_its_limits_and_says_how_far_behind_it_is() {
        let mut model = KinesisModel::new("s", 1, Span::MAX, &[producer(1_000.0, Keys::Unique)], 4);
        let mut reader = model.reader(Position::Horizon, Time::ZERO);
        let now = Time::from_secs(100);
        let page = model.read(&mut reader, 0, now, 100, Vec::new());
        assert_eq!(page.records.len(), 100);
        assert!(page.behind > Span::from_secs(99));
        let arrived = model.arrived(now);
        assert_eq!(model.backlog(&reader), arrived - 100);
        let page = model.read(&mut reader, 0, now, 1_000_000, Vec::new());
        assert!(page.bytes >= limits::KINESIS_PAGE_BYTES_MAX);
        assert!(page.bytes < limits::KINESIS_PAGE_BYTES_MAX + 100_000);
    }

    #[test]
    fn skewed_keys_make_hot_shards() {
        let weights = shard_weights(Keys::Zipf { n: 1_000, s: 1.5 }, 8);
        let hottest = weights.iter().copied().fold(0.0, f64::max);
        assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        assert!(hottest > 0.35, "{weights:?}");
    }
}
