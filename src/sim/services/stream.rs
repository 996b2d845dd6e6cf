//! A Kinesis or DynamoDB stream: shards, each a feed of its own, and cursors per reader.
//!
//! Splitting a Poisson process by partition key gives independent Poisson processes, so each shard draws its own
//! arrivals at its share of the rate instead of filtering the whole stream. All shards that there will ever be are known
//! from the beginning; a reader holds a cursor only for those that it is reading.

use super::feed::{Feed, Refusals};
use super::keys::KeySpace;
use super::legacy::Legacies;
use super::limiter::{ReadQuota, WriteLimits};
use super::reader::StreamReader;
use crate::engine::{Meta, Page, Position, Record, Seq, Span, Time, limits, wire};
use crate::scenario::{Lifetime, Producer, Stream, StreamService};

/// The modelled stream.
#[derive(Debug)]
pub struct StreamModel {
    shards: Vec<Shard>,
    /// Shards that may still get records, with what counts them ahead of every reader.
    tails: Vec<Feed>,
    /// Index of the first shard that has not opened yet.
    unopened: usize,
    /// What tails that are gone counted.
    counted: Counted,
    retention: Span,
    read_limits: bool,
    service: Service,
}

#[derive(Debug)]
struct Shard {
    life: Lifetime,
    /// Stands before the first record.
    feed: Feed,
    quota: ReadQuota,
}

/// What arrived at a stream, since its beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Records written.
    pub records: u64,
    /// Records that producers could not write at once.
    pub refusals: Refusals,
}

/// How the two services differ.
#[derive(Clone, Copy, Debug)]
struct Service {
    page_bytes_max: u64,
    /// Bytes of a record's event around its data, and whether the data is in base64.
    around_len: u64,
    is_base64: bool,
    /// Rule `dynamodb-whole-seconds`.
    whole_seconds: bool,
}

const KINESIS: Service = Service {
    page_bytes_max: limits::KINESIS_PAGE_BYTES_MAX,
    around_len: wire::KINESIS_RECORD_AROUND_LEN,
    is_base64: true,
    whole_seconds: false,
};

const DYNAMODB: Service = Service {
    page_bytes_max: limits::DYNAMODB_PAGE_BYTES_MAX,
    around_len: wire::DYNAMODB_RECORD_AROUND_LEN,
    is_base64: false,
    whole_seconds: true,
};

/// The most that one push brings: a second's worth (rule `fan-out-own-throughput`).
const PUSH_BYTES_MAX: u64 = limits::KINESIS_FAN_OUT_BYTES_PER_SEC_MAX;

impl Service {
    fn wire_len(self, size: u32) -> u32 {
        let size = u64::from(size);
        let data = if self.is_base64 {
            wire::base64_len(size)
        } else {
            size
        };
        (self.around_len + data) as u32
    }

    fn creation(self, arrival: Time) -> Time {
        if self.whole_seconds {
            Time::from_secs(arrival.as_millis() / 1_000)
        } else {
            arrival
        }
    }
}

impl StreamModel {
    /// The stream `name`, filled by `producers`.
    pub fn new(name: &str, stream: &Stream, producers: &[Producer], seed: u64) -> Self {
        let spaces: Vec<KeySpace> = producers
            .iter()
            .map(|producer| KeySpace::new(producer.keys))
            .collect();
        let mut shards: Vec<Shard> = Vec::with_capacity(stream.shards.len());
        let mut legacies = Legacies::new(stream);
        for (index, life) in stream.shards.iter().enumerate() {
            let label = format!("source/{name}/shard/{index}");
            let mut feed = Feed::of_shard(producers, &spaces, life, seed, &label);
            if stream.write_limits {
                let limits = WriteLimits::new(
                    limits::KINESIS_WRITE_RECORDS_PER_SEC_MAX,
                    limits::KINESIS_WRITE_BYTES_PER_SEC_MAX,
                    Time::ZERO + life.opens,
                );
                feed = feed.limited(limits, legacies.take(index));
                legacies.leave(index, &feed, &spaces);
            }
            shards.push(Shard {
                life: life.clone(),
                feed,
                quota: ReadQuota::new(
                    limits::KINESIS_READS_PER_SEC_MAX,
                    limits::KINESIS_READ_BYTES_PER_SEC_MAX,
                ),
            });
        }
        let service = match stream.service {
            StreamService::Kinesis => KINESIS,
            StreamService::DynamoDb => DYNAMODB,
        };
        Self {
            shards,
            tails: Vec::new(),
            unopened: 0,
            counted: Counted::default(),
            retention: stream.retention,
            read_limits: stream.read_limits && stream.service == StreamService::Kinesis,
            service,
        }
    }

    /// The shards that there will ever be, in the order in which they open, from the one with the index `first` on.
    pub(super) fn lives_from(&self, first: u32) -> impl Iterator<Item = &Lifetime> {
        self.shards[first as usize..]
            .iter()
            .map(|shard| &shard.life)
    }

    pub(super) const fn retention(&self) -> Span {
        self.retention
    }

    pub(super) fn feed(&self, shard: u32) -> Feed {
        self.shards[shard as usize].feed.clone()
    }

    /// GetRecords at `now` by a reader that polls: up to `records_max` of the records that arrived by `sent` into `records`.
    /// Later ones are not there for it yet. `Err` gives the list back of a read that the shard refuses.
    ///
    /// # Errors
    /// Rule `kinesis-read-limits-shared`: all readers that poll a shard together make 5 calls and get 2 MiB a second.
    pub fn poll(
        &mut self,
        reader: &mut StreamReader,
        shard: u32,
        from: Position,
        (sent, now): (Time, Time),
        records_max: u32,
        records: Vec<Record<()>>,
    ) -> Result<Page<()>, Vec<Record<()>>> {
        let index = reader.index(shard);
        if self.read_limits && !self.shards[index as usize].quota.admits(now) {
            return Err(records);
        }
        let bytes_max = self.service.page_bytes_max;
        let page = self.page(
            reader,
            shard,
            from,
            (sent, sent, now),
            (records_max, bytes_max),
            records,
        );
        self.shards[index as usize].quota.returned(now, page.bytes);
        Ok(page)
    }

    /// When the next push to a reader with enhanced fan-out arrives at its other end, if one is asked for at `now`;
    /// `None` when nothing will ever come.
    ///
    /// Rule `fan-out-own-throughput`.
    pub fn next_push(
        &self,
        reader: &mut StreamReader,
        shard: u32,
        from: Position,
        now: Time,
    ) -> Option<Time> {
        let index = reader.index(shard);
        let free = reader.push_limit(shard).paid_from(now);
        let closes = self.shards[index as usize].life.closes;
        let cursor = reader.cursor(self, shard, from, now);
        let due = match (cursor.next_arrival(), closes) {
            (Some(arrival), _) => arrival,
            (None, Some(closes)) => Time::ZERO + closes,
            (None, None) => return None,
        };
        Some(free.max(due + limits::KINESIS_FAN_OUT_PROPAGATION))
    }

    /// The push that arrives at `now`.
    pub fn push(
        &self,
        reader: &mut StreamReader,
        shard: u32,
        from: Position,
        now: Time,
        records_max: u32,
        records: Vec<Record<()>>,
    ) -> Page<()> {
        let sent = now.since(Time::ZERO + limits::KINESIS_FAN_OUT_PROPAGATION);
        let until = (Time::ZERO + sent, now, now);
        let page = self.page(
            reader,
            shard,
            from,
            until,
            (records_max, PUSH_BYTES_MAX),
            records,
        );
        reader.push_limit(shard).take(now, page.bytes);
        page
    }

    /// The next records that arrived by `sent`, as they are seen at `now`. What arrived by `known` and is not among them is what
    /// the reader is behind by.
    fn page(
        &self,
        reader: &mut StreamReader,
        shard: u32,
        from: Position,
        (sent, known, now): (Time, Time, Time),
        (records_max, bytes_max): (u32, u64),
        mut records: Vec<Record<()>>,
    ) -> Page<()> {
        let closes = self.shards[reader.index(shard) as usize].life.closes;
        let cursor = reader.cursor(self, shard, from, now);
        let key = cursor.key();
        let (mut read, mut trimmed, mut bytes) = (0, 0, 0u64);
        let mut last = None;
        while records.len() < records_max as usize && bytes < bytes_max {
            let Some(written) = cursor.read(sent) else {
                break;
            };
            read += 1;
            let seq = Seq::within(key, written.ordinal);
            last = Some(seq);
            // Rule `stream-retention-trims`.
            if now.since(written.arrival) > self.retention {
                trimmed += 1;
                continue;
            }
            bytes += u64::from(written.size);
            records.push(Record {
                meta: Meta {
                    seq,
                    group: written.group,
                    arrival: self.service.creation(written.arrival),
                    wire_len: self.service.wire_len(written.size),
                },
                payload: (),
            });
        }
        let next = cursor.next_arrival();
        let behind = next
            .filter(|arrival| *arrival <= known)
            .map_or(Span::ZERO, |arrival| {
                now.since(arrival).max(Span::from_millis(1))
            });
        let shard_end = next.is_none() && closes.is_some_and(|at| Time::ZERO + at <= sent);
        reader.has_read(shard, read, trimmed, shard_end);
        Page {
            records,
            bytes,
            end: last,
            behind,
            shard_end,
            ..Page::default()
        }
    }

    /// Counts everything that arrived by `now`, since the beginning.
    pub fn arrived(&mut self, now: Time) -> Counted {
        while let Some(shard) = self.shards.get(self.unopened)
            && Time::ZERO + shard.life.opens <= now
        {
            self.tails.push(shard.feed.clone());
            self.unopened += 1;
        }
        let gone = &mut self.counted;
        let mut counted = *gone;
        self.tails.retain_mut(|tail| {
            gone.records += tail.count(now);
            let refusals = tail.refusals();
            counted.refusals.add(refusals);
            let is_over = tail.is_over();
            if is_over {
                gone.refusals.add(refusals);
            }
            !is_over
        });
        counted.records = gone.records;
        counted
    }
}

impl Refusals {
    fn add(&mut self, other: Self) {
        self.throttled += other.throttled;
        self.lost += other.lost;
    }

    /// What came since `before`.
    pub const fn since(self, before: Self) -> Self {
        Self {
            throttled: self.throttled - before.throttled,
            lost: self.lost - before.lost,
        }
    }
}

#[cfg(test)]
#[path = "stream_tests.rs"]
mod tests;
