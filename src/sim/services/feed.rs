//! The records that a source's producers write, one after the other.

use crate::engine::{Rng, Time, mix, stream_key};
use crate::scenario::Producer;
use crate::sim::arrivals::ArrivalProcess;
use crate::sim::dist::Sampler;

/// A reader of what producers write to one shard or queue. A clone reads the same records again.
#[derive(Clone, Debug)]
pub(super) struct Feed {
    producers: Vec<Writer>,
    /// The next record's producer and arrival.
    next: Option<(usize, Time)>,
    ordinal: u64,
    key: u64,
}

#[derive(Clone, Debug)]
struct Writer {
    arrivals: ArrivalProcess,
    upcoming: Option<Time>,
    size: Sampler,
    sizes: Rng,
}

/// A record as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Written {
    /// Its place among the records of its shard or queue, from 1.
    pub(super) ordinal: u64,
    pub(super) arrival: Time,
    /// Payload bytes.
    pub(super) size: u32,
    /// Unlike for any two records, alike for every reading of the same one.
    pub(super) hash: u64,
}

impl Feed {
    /// The records of the shard or queue called `label`, which gets `share(i)` of what producer `i` writes.
    pub(super) fn new(
        producers: &[Producer],
        share: impl Fn(usize) -> f64,
        seed: u64,
        label: &str,
    ) -> Self {
        let writers = producers
            .iter()
            .enumerate()
            .map(|(index, producer)| {
                let rng = |what| Rng::stream(seed, &format!("{label}/producer/{index}/{what}"));
                let mut arrivals =
                    ArrivalProcess::new(&producer.arrivals, share(index), rng("arrivals"));
                Writer {
                    upcoming: arrivals.next(),
                    arrivals,
                    size: Sampler::new(&producer.size),
                    sizes: rng("sizes"),
                }
            })
            .collect();
        let mut feed = Self {
            producers: writers,
            next: None,
            ordinal: 0,
            key: stream_key(seed, label),
        };
        feed.find_next();
        feed
    }

    /// When the next record arrives.
    #[inline]
    pub(super) fn next_arrival(&self) -> Option<Time> {
        self.next.map(|(_, at)| at)
    }

    /// Reads the next record if it arrived by `now`.
    #[inline]
    pub(super) fn read(&mut self, now: Time) -> Option<Written> {
        let (producer, arrival) = self.next.filter(|(_, at)| *at <= now)?;
        let writer = &mut self.producers[producer];
        let size = writer.size.draw(&mut writer.sizes);
        Some(Written {
            size: u32::try_from(size).unwrap_or(u32::MAX),
            ..self.pass(producer, arrival)
        })
    }

    /// Passes over the records that arrived by `now` and returns how many there were.
    ///
    /// Sizes are not drawn, so a feed is either read or counted.
    pub(super) fn count(&mut self, now: Time) -> u64 {
        let before = self.ordinal;
        while let Some((producer, arrival)) = self.next.filter(|(_, at)| *at <= now) {
            self.pass(producer, arrival);
        }
        self.ordinal - before
    }

    /// Records read or counted so far.
    pub(super) const fn passed(&self) -> u64 {
        self.ordinal
    }

    #[inline]
    fn pass(&mut self, producer: usize, arrival: Time) -> Written {
        let writer = &mut self.producers[producer];
        writer.upcoming = writer.arrivals.next();
        self.ordinal += 1;
        self.find_next();
        Written {
            ordinal: self.ordinal,
            arrival,
            size: 0,
            hash: mix(self.key ^ self.ordinal),
        }
    }

    #[inline]
    fn find_next(&mut self) {
        self.next = match self.producers.as_slice() {
            [only] => only.upcoming.map(|at| (0, at)),
            several => several
                .iter()
                .enumerate()
                .filter_map(|(index, writer)| writer.upcoming.map(|at| (index, at)))
                .min_by_key(|(_, at)| *at),
        };
    }
}
