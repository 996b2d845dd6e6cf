//! One mapping's view of a stream: the shards that it knows, and its places in those that it is reading.

use super::feed::Feed;
use super::limiter::Limiter;
use super::stream::StreamModel;
use crate::engine::{Position, Shard, ShardId, Span, Time, limits};

/// How often a mapping lists the shards of its stream when none of them ended, as the poller does.
const LIST_INTERVAL: Span = Span::from_secs(60);

/// A mapping's places in a stream.
#[derive(Debug)]
pub struct StreamReader {
    starting_position: Position,
    /// By the mapping's own numbers of shards; in the order in which they opened.
    shards: Vec<Known>,
    /// The first shard of the stream that was never listed.
    unlisted: u32,
    /// When the mapping first listed the shards.
    began: Time,
    passed: u64,
    trimmed: u64,
    throttled: u64,
}

#[derive(Debug)]
struct Known {
    index: u32,
    cursor: Option<Box<Feed>>,
    /// What was pushed, against the limit of this reader alone.
    pushed: Limiter,
}

impl StreamReader {
    /// A reader that knows no shard yet.
    pub const fn new(starting_position: Position) -> Self {
        Self {
            starting_position,
            shards: Vec::new(),
            unlisted: 0,
            began: Time::ZERO,
            passed: 0,
            trimmed: 0,
            throttled: 0,
        }
    }

    /// Lists the shards of the stream at `now`, and returns those that are new to the mapping, parents first.
    ///
    /// Rule `kinesis-reshard-lineage`: a shard that appears later starts at its beginning, except after AT_TIMESTAMP.
    pub fn list(&mut self, stream: &StreamModel, now: Time) -> Vec<Shard> {
        let is_later = !self.shards.is_empty();
        if !is_later {
            self.began = now;
        }
        let from = match self.starting_position {
            Position::At(at) => Position::At(at),
            _ if is_later => Position::Horizon,
            other => other,
        };
        let mut new = Vec::new();
        for life in stream.lives_from(self.unlisted) {
            if Time::ZERO + life.opens > now {
                break;
            }
            let index = self.unlisted;
            self.unlisted += 1;
            let closed = life.closes.map(|at| Time::ZERO + at);
            let is_gone = closed.is_some_and(|at| at + stream.retention() < now);
            let is_old = !is_later
                && self.starting_position == Position::Latest
                && closed.is_some_and(|at| at <= now);
            if is_gone || is_old {
                continue;
            }
            let known = |parent: &u32| {
                let place = self
                    .shards
                    .binary_search_by_key(parent, |known| known.index);
                place.ok().map(|place| ShardId(place as u32))
            };
            new.push(Shard {
                id: ShardId(self.shards.len() as u32),
                from,
                parents: life.parents.iter().filter_map(known).collect(),
                window: None,
            });
            self.shards.push(Known {
                index,
                cursor: None,
                pushed: Limiter::new(limits::KINESIS_FAN_OUT_BYTES_PER_SEC_MAX),
            });
        }
        new
    }

    /// When the mapping finds the next shard by itself, if no end of a shard makes it look before.
    pub fn next_listing(&self, stream: &StreamModel, now: Time) -> Option<Time> {
        let life = stream.lives_from(self.unlisted).next()?;
        let wanted = (Time::ZERO + life.opens).max(now + Span::from_nanos(1));
        let interval = LIST_INTERVAL.as_nanos();
        let rounds = wanted.since(self.began).as_nanos().div_ceil(interval);
        Some(self.began + LIST_INTERVAL.times(rounds))
    }

    /// Records that the mapping has behind it, those that it skipped included.
    pub const fn passed(&self) -> u64 {
        self.passed
    }

    /// Records that were older than the stream's retention when they were reached, since the last call.
    pub fn take_trimmed(&mut self) -> u64 {
        std::mem::take(&mut self.trimmed)
    }

    /// Counts a read that was refused.
    pub const fn was_refused(&mut self) {
        self.throttled += 1;
    }

    /// Reads that were refused since the last call.
    pub fn take_throttled(&mut self) -> u64 {
        std::mem::take(&mut self.throttled)
    }

    pub(super) fn index(&self, shard: u32) -> u32 {
        self.shards[shard as usize].index
    }

    pub(super) fn push_limit(&mut self, shard: u32) -> &mut Limiter {
        &mut self.shards[shard as usize].pushed
    }

    /// The cursor in a shard; the first read of a shard puts it where the mapping wants to begin.
    pub(super) fn cursor(
        &mut self,
        stream: &StreamModel,
        shard: u32,
        from: Position,
        now: Time,
    ) -> &mut Feed {
        let known = &mut self.shards[shard as usize];
        let index = known.index;
        let passed = &mut self.passed;
        known.cursor.get_or_insert_with(|| {
            let mut feed = stream.feed(index);
            match from {
                Position::Horizon => {}
                Position::Latest => *passed += feed.skip_to(now),
                Position::At(at) => *passed += feed.skip_to(at),
                Position::After(_) | Position::End => {
                    unreachable!("shard {shard} is read again after its end, from {from:?}")
                }
            }
            Box::new(feed)
        })
    }

    pub(super) fn has_read(&mut self, shard: u32, read: u64, trimmed: u64, ended: bool) {
        self.passed += read;
        self.trimmed += trimmed;
        if ended {
            self.shards[shard as usize].cursor = None;
        }
    }
}
