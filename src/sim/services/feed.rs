//! The records that a source's producers write, one after the other.

use super::keys::{KeyDraw, KeySpace};
use super::limiter::WriteLimits;
use crate::engine::{Rng, Time, limits, mix, stream_key};
use crate::scenario::{Lifetime, OnThrottle, Producer};
use crate::sim::arrivals::ArrivalProcess;
use crate::sim::dist::Sampler;
use std::collections::VecDeque;
use std::sync::Arc;

/// A reader of what producers write to one shard or queue. A clone reads the same records again.
#[derive(Clone, Debug)]
pub(super) struct Feed {
    producers: Vec<Writer>,
    /// The next record's producer and when it is offered.
    next: Option<(usize, Time)>,
    /// Nothing is offered from this instant on.
    closes: Time,
    ordinal: u64,
    key: u64,
    /// Where writes may be refused.
    gate: Option<Box<Gate>>,
}

#[derive(Clone, Debug)]
struct Writer {
    arrivals: ArrivalProcess,
    upcoming: Option<Time>,
    size: Sampler,
    sizes: Rng,
    keys: KeyDraw,
    on_throttle: OnThrottle,
}

/// The write limits of a shard, and what waits for them.
#[derive(Clone, Debug)]
struct Gate {
    limits: WriteLimits,
    /// The record that is written next, with its producer and without its key; nothing before it is undecided.
    accepted: Option<(usize, Written)>,
    /// Records that waited in vain at shards that were closed, first come first. Clones share the list.
    inherited: Arc<[Waiting]>,
    /// How many of them have been offered.
    offered: usize,
    refusals: Refusals,
    /// Records that still waited when the shard was closed.
    left: VecDeque<Waiting>,
}

/// A record that a producer could not write yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Waiting {
    pub(super) producer: u32,
    pub(super) since: Time,
    pub(super) size: u32,
}

/// Records that producers could not write at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refusals {
    /// Refused at least once (WriteProvisionedThroughputExceeded), counted when they were written or given up.
    pub throttled: u64,
    /// Of these, given up.
    pub lost: u64,
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
    /// The hash of its key; its own hash if the key is its own.
    pub(super) group: u64,
}

impl Feed {
    /// The records of the queue called `label`.
    pub(super) fn of_queue(producers: &[Producer], seed: u64, label: &str) -> Self {
        let parts = producers.iter().map(|_| (1.0, KeyDraw::Unique)).collect();
        Self::new(producers, parts, (Time::ZERO, Time::MAX), seed, label)
    }

    /// The messages of the FIFO queue called `label`; `keys` draws the groups of each producer.
    pub(super) fn of_fifo(
        producers: &[Producer],
        keys: Vec<KeyDraw>,
        seed: u64,
        label: &str,
    ) -> Self {
        let parts = keys.into_iter().map(|keys| (1.0, keys)).collect();
        Self::new(producers, parts, (Time::ZERO, Time::MAX), seed, label)
    }

    /// The records of the shard called `label` with the life `life`; `spaces` has the keys of each producer.
    pub(super) fn of_shard(
        producers: &[Producer],
        spaces: &[KeySpace],
        life: &Lifetime,
        seed: u64,
        label: &str,
    ) -> Self {
        let parts = spaces.iter().map(|space| space.part(life)).collect();
        let closes = life.closes.map_or(Time::MAX, |at| Time::ZERO + at);
        Self::new(
            producers,
            parts,
            (Time::ZERO + life.opens, closes),
            seed,
            label,
        )
    }

    /// The records of the partition called `label`, which takes the keys of `part`. Which of them a record has is not
    /// drawn.
    pub(super) fn of_partition(
        producers: &[Producer],
        spaces: &[KeySpace],
        part: &Lifetime,
        seed: u64,
        label: &str,
    ) -> Self {
        let shares = spaces.iter().map(|space| space.part(part).0);
        let parts = shares.map(|share| (share, KeyDraw::Unique)).collect();
        Self::new(producers, parts, (Time::ZERO, Time::MAX), seed, label)
    }

    fn new(
        producers: &[Producer],
        parts: Vec<(f64, KeyDraw)>,
        (opens, closes): (Time, Time),
        seed: u64,
        label: &str,
    ) -> Self {
        let writers = producers
            .iter()
            .zip(parts)
            .enumerate()
            .map(|(index, (producer, (share, keys)))| {
                let rng = |what| Rng::stream(seed, &format!("{label}/producer/{index}/{what}"));
                let mut arrivals =
                    ArrivalProcess::starting(&producer.arrivals, share, opens, rng("arrivals"));
                Writer {
                    upcoming: arrivals.next(),
                    arrivals,
                    size: Sampler::new(&producer.size),
                    sizes: rng("sizes"),
                    keys,
                    on_throttle: producer.on_throttle,
                }
            })
            .collect();
        let mut feed = Self {
            producers: writers,
            next: None,
            closes,
            ordinal: 0,
            key: stream_key(seed, label),
            gate: None,
        };
        feed.find_next();
        feed
    }

    /// Lets the shard refuse what is above `limits`. `inherited` waited for shards that are closed now.
    pub(super) fn limited(mut self, limits: WriteLimits, inherited: Vec<Waiting>) -> Self {
        self.gate = Some(Box::new(Gate {
            limits,
            accepted: None,
            inherited: inherited.into(),
            offered: 0,
            refusals: Refusals::default(),
            left: VecDeque::new(),
        }));
        self
    }

    /// Names the shard or queue in the numbers of its records.
    pub(super) const fn key(&self) -> u64 {
        self.key
    }

    /// When the next record arrives.
    #[inline]
    pub(super) fn next_arrival(&mut self) -> Option<Time> {
        match &self.gate {
            None => self.next.map(|(_, at)| at),
            Some(_) => self.accept(Time::MAX).map(|(_, written)| written.arrival),
        }
    }

    /// Reads the next record if it arrived by `now`.
    #[inline]
    pub(super) fn read(&mut self, now: Time) -> Option<Written> {
        if self.gate.is_some() {
            let (producer, written) = self.take_accepted(now)?;
            let group = self.producers[producer].keys.group(written.hash);
            return Some(Written { group, ..written });
        }
        let (producer, arrival) = self.next.filter(|(_, at)| *at <= now)?;
        let writer = &mut self.producers[producer];
        let size = writer.size.draw(&mut writer.sizes);
        self.ordinal += 1;
        let hash = mix(self.key ^ self.ordinal);
        let group = writer.keys.group(hash);
        self.pass(producer);
        Some(Written {
            ordinal: self.ordinal,
            arrival,
            size: u32::try_from(size).unwrap_or(u32::MAX),
            hash,
            group,
        })
    }

    /// Passes over the records that arrived by `now` and returns how many there were.
    ///
    /// Sizes are only drawn where limits ask for them, so a feed is either read or counted.
    pub(super) fn count(&mut self, now: Time) -> u64 {
        let before = self.ordinal;
        if self.gate.is_some() {
            while self.take_accepted(now).is_some() {}
        } else {
            while let Some((producer, _)) = self.next.filter(|(_, at)| *at <= now) {
                self.ordinal += 1;
                self.pass(producer);
            }
        }
        self.ordinal - before
    }

    /// Passes over the records that arrived before `at`, and returns how many there were. Their sizes are drawn, so
    /// that every reader sees the same ones.
    pub(super) fn skip_to(&mut self, at: Time) -> u64 {
        let before = self.ordinal;
        while self.next_arrival().is_some_and(|arrival| arrival < at) {
            self.read(at);
        }
        self.ordinal - before
    }

    /// Reads on until `count` records are passed.
    pub(super) fn pass_to(&mut self, count: u64) {
        while self.ordinal < count && self.read(Time::MAX).is_some() {}
    }

    /// Records that producers could not write at once, as far as the feed was read or counted.
    pub(super) fn refusals(&self) -> Refusals {
        self.gate
            .as_ref()
            .map_or_else(Refusals::default, |gate| gate.refusals)
    }

    /// Records read or counted so far.
    pub(super) const fn passed(&self) -> u64 {
        self.ordinal
    }

    /// Reads to the end of a shard that closes, and returns what still waits then.
    pub(super) fn left_at_end(mut self) -> Vec<Waiting> {
        while self.take_accepted(Time::MAX).is_some() {}
        self.gate
            .map_or_else(Vec::new, |gate| gate.left.into_iter().collect())
    }

    /// Whether nothing will ever come.
    pub(super) fn is_over(&self) -> bool {
        let gate_is_empty = self
            .gate
            .as_ref()
            .is_none_or(|gate| gate.accepted.is_none() && gate.offered == gate.inherited.len());
        self.next.is_none() && gate_is_empty
    }

    fn take_accepted(&mut self, now: Time) -> Option<(usize, Written)> {
        let accepted = self.accept(now)?;
        if accepted.1.arrival > now {
            return None;
        }
        self.ordinal = accepted.1.ordinal;
        if let Some(gate) = &mut self.gate {
            gate.accepted = None;
        }
        Some(accepted)
    }

    /// Decides on offered records until one is accepted, but on none that is offered after `by`.
    fn accept(&mut self, by: Time) -> Option<(usize, Written)> {
        loop {
            let gate = self.gate.as_mut()?;
            if gate.accepted.is_some() {
                return gate.accepted;
            }
            let inherited = gate.inherited.get(gate.offered).copied();
            let waiting = match inherited {
                Some(waiting) => {
                    gate.offered += 1;
                    waiting
                }
                None => {
                    let (producer, since) = self.next.filter(|(_, at)| *at <= by)?;
                    let writer = &mut self.producers[producer];
                    let size = writer.size.draw(&mut writer.sizes);
                    self.pass(producer);
                    Waiting {
                        producer: producer as u32,
                        since,
                        size: u32::try_from(size).unwrap_or(u32::MAX),
                    }
                }
            };
            self.offer(waiting, inherited.is_some());
        }
    }

    /// Rule `kinesis-write-limits`: a record above the limits is refused. It is written later, in its turn, or given up.
    fn offer(&mut self, waiting: Waiting, was_refused: bool) {
        let ordinal = self.ordinal + 1;
        let producer = waiting.producer as usize;
        let on_throttle = self.producers[producer].on_throttle;
        let closes = self.closes;
        let Some(gate) = &mut self.gate else {
            return;
        };
        let bytes = u64::from(waiting.size);
        let at = if gate.left.is_empty() {
            gate.limits.accepts_from(waiting.since, bytes)
        } else {
            // Nobody overtakes those that wait until the end.
            closes
        };
        if at > waiting.since || was_refused {
            let gives_up = match on_throttle {
                OnThrottle::Retry => waiting.since + limits::KINESIS_PRODUCER_TTL,
                OnThrottle::Drop => waiting.since,
            };
            if at >= closes && closes <= gives_up {
                gate.left.push_back(waiting);
                return;
            }
            gate.refusals.throttled += 1;
            if at > gives_up {
                gate.refusals.lost += 1;
                return;
            }
        }
        gate.limits.write(at, bytes);
        let written = Written {
            ordinal,
            arrival: at,
            size: waiting.size,
            hash: mix(self.key ^ ordinal),
            group: 0,
        };
        gate.accepted = Some((producer, written));
    }

    #[inline]
    fn pass(&mut self, producer: usize) {
        let writer = &mut self.producers[producer];
        writer.upcoming = writer.arrivals.next();
        self.find_next();
    }

    #[inline]
    fn find_next(&mut self) {
        let next = match self.producers.as_slice() {
            [only] => only.upcoming.map(|at| (0, at)),
            several => several
                .iter()
                .enumerate()
                .filter_map(|(index, writer)| writer.upcoming.map(|at| (index, at)))
                .min_by_key(|(_, at)| *at),
        };
        self.next = next.filter(|(_, at)| *at < self.closes);
    }
}
