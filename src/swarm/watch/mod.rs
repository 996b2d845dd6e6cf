//! The checkers that look at one part of a world while it runs: what its mapping has in hand, and what it does with it.

mod deliver;
mod finish;
mod progress;

use super::log::{Log, What, Why};
use super::services::{Lists, Tag};
use super::tally::{Checker, Failure};
use super::world::{Part, START};
use crate::engine::{Condition, MappingConfig, Position, Span, Time};

/// What is known of one part.
#[derive(Debug)]
pub(super) struct Watch<'w> {
    pub(super) number: usize,
    pub(super) part: &'w Part,
    pub(super) lists: Lists,
    /// The configuration in force, and all that were in force since this mapping began.
    pub(super) config: MappingConfig,
    pub(super) configs: Vec<MappingConfig>,
    pub(super) entries: Vec<Entry>,
    pub(super) shards: Vec<ShardWatch>,
    pub(super) log: Log,
    pub(super) failure: Option<Failure>,
    pub(super) checks: [u64; Checker::ALL.len()],
    pub(super) now: Time,
    /// The incarnation began.
    began: Time,
    era: u32,
    /// Invocations of this mapping that are not answered.
    flying: u32,
    /// FIFO groups in unanswered invocations.
    groups: Vec<u64>,
    /// When anything of this part last came to an end, or a batch was begun.
    ended: Time,
    pub(super) is_disabled: bool,
    /// Partitions were taken away from this mapping, so that batches may have shrunk.
    is_rebalanced: bool,
    /// Records that were given up for their age without saying which.
    aged: u32,
    /// The batch that failed last in a way that counts.
    failing: Vec<Tag>,
    /// What the destination answers for at this moment, and whether it has taken it.
    pub(super) parting: Option<(Vec<Tag>, bool)>,
    stamp: u32,
}

/// What is known of one record.
#[derive(Clone, Debug, Default)]
pub(super) struct Entry {
    /// Which time it was handed over last.
    era: u32,
    /// Handed over, and neither finished nor let go since.
    held: bool,
    /// Finished, one way or the other, since it was handed over.
    pub(super) settled: bool,
    /// In an unanswered invocation.
    flying: bool,
    /// Sent since it was handed over.
    sent: bool,
    handed: Time,
    /// The last two eras in which the mapping was told that it succeeded.
    told: [Option<u32>; 2],
    pub(super) calls: u32,
    /// The piece that it is the first record of.
    piece: Option<Piece>,
    stamp: u32,
}

/// Records that are tried together.
#[derive(Clone, Debug)]
struct Piece {
    records: Vec<u32>,
    tries: u32,
    fate: Fate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It may be sent again.
    Open,
    /// It is to be halved: this many records come first.
    Halved(usize),
    /// It had all its tries.
    Spent,
}

/// What is known of a shard or partition.
#[derive(Clone, Debug)]
pub(super) struct ShardWatch {
    /// Records before this place are not this mapping's.
    pub(super) start: usize,
    /// Everything before this place is finished or left out.
    lowest: usize,
    /// Everything before this place was read.
    pub(super) cursor: usize,
    flying: u32,
    /// When something of it last came to an end, and when an invocation did.
    ended: Time,
    answered: Time,
    /// The partition is on its way out.
    leaving: bool,
    /// What the mapping knows to be stored.
    stored: Option<Position>,
    /// The state that the driver keeps: the window's start, and how many records it knows of.
    pub(super) state: Option<(Time, u32)>,
    pub(super) is_closed: bool,
}

impl ShardWatch {
    const fn new(now: Time) -> Self {
        Self {
            start: 0,
            lowest: 0,
            cursor: 0,
            flying: 0,
            ended: now,
            answered: now,
            leaving: false,
            stored: None,
            state: None,
            is_closed: false,
        }
    }
}

impl<'w> Watch<'w> {
    pub(super) fn new(number: usize, part: &'w Part) -> Self {
        let config = part.config();
        Self {
            number,
            part,
            lists: Lists::new(part),
            configs: vec![config.clone()],
            config,
            entries: vec![Entry::default(); part.records.len()],
            shards: vec![ShardWatch::new(START); part.shards.len()],
            log: Log::default(),
            failure: None,
            checks: [0; Checker::ALL.len()],
            now: START,
            began: START,
            era: 0,
            flying: 0,
            groups: Vec::new(),
            ended: START,
            is_disabled: false,
            is_rebalanced: false,
            aged: 0,
            failing: Vec::new(),
            parting: None,
            stamp: 0,
        }
    }

    /// Counts that a checker looked, and keeps the first thing that any of them found.
    pub(super) fn check(&mut self, checker: Checker, holds: bool, what: impl FnOnce() -> String) {
        self.checks[checker as usize] += 1;
        if !holds && self.failure.is_none() {
            let at = self.now.since(START).as_millis();
            let kind = self.part.kind;
            self.failure = Some(Failure {
                checker,
                what: format!("part {} ({kind}), {at} ms: {}", self.number, what()),
            });
        }
    }

    /// A mapping begins from what is stored.
    pub(super) fn restart(&mut self) {
        self.configs = vec![self.config.clone()];
        self.began = self.now;
        self.flying = 0;
        self.groups.clear();
        self.ended = self.now;
        self.is_disabled = false;
        self.is_rebalanced = false;
        self.aged = 0;
        self.parting = None;
        self.shards.fill(ShardWatch::new(self.now));
        for index in 0..self.entries.len() {
            self.forget(index as u32);
        }
    }

    pub(super) fn updated(&mut self, config: MappingConfig) {
        self.config = config.clone();
        self.configs.push(config);
        self.something_changed();
    }

    /// A partition is taken away.
    pub(super) fn leaves(&mut self, shard: usize) {
        self.shards[shard].leaving = true;
    }

    pub(super) fn rebalanced(&mut self) {
        self.is_rebalanced = true;
        self.something_changed();
    }

    /// This worker has a shard from now on, and reads it from there.
    pub(super) fn gained(&mut self, shard: usize, from: Position) {
        self.lost(shard);
        self.shards[shard] = ShardWatch::new(self.now);
        self.listed(shard, from, None);
    }

    /// This worker has a shard no more: what it still does of it counts for nobody.
    pub(super) fn lost(&mut self, shard: usize) {
        for place in 0..self.lists.of[shard].len() {
            self.forget(self.lists.of[shard][place]);
        }
    }

    /// Another consumer got a message; returns the number of that.
    pub(super) fn elsewhere(&mut self, record: u32) -> u32 {
        self.forget(record);
        self.era
    }

    /// Records that the stream had no more when they were to be read.
    pub(super) fn expired(&mut self, shard: usize, places: std::ops::Range<usize>) {
        let records = self.lists.of[shard][places].to_vec();
        for &record in &records {
            self.entries[record as usize].settled = true;
        }
        self.log.push(What::Expired, self.now, records);
    }

    /// Waits are counted from here again.
    pub(super) fn something_changed(&mut self) {
        self.ended = self.now;
        for shard in &mut self.shards {
            shard.ended = self.now;
        }
    }

    /// The mapping has nothing of a record any more, and answers of earlier calls say nothing of it.
    fn forget(&mut self, record: u32) {
        self.era += 1;
        let entry = &mut self.entries[record as usize];
        *entry = Entry {
            era: self.era,
            told: entry.told,
            calls: entry.calls,
            ..Entry::default()
        };
    }

    /// A record is handed over; returns the number of that.
    pub(super) fn hand(&mut self, record: u32) -> u32 {
        self.era += 1;
        let (era, now) = (self.era, self.now);
        let entry = &mut self.entries[record as usize];
        let was_held = entry.held;
        *entry = Entry {
            era,
            held: true,
            handed: now,
            told: entry.told,
            calls: entry.calls,
            ..Entry::default()
        };
        // Queues and brokers give out again what was not deleted in time.
        let comes_again = self.part.kind.is_queue() || self.part.kind.is_broker();
        self.check(Checker::Reading, comes_again || !was_held, || {
            format!("record {record} was read twice")
        });
        era
    }

    /// Messages that the filters leave out may be deleted at once.
    pub(super) fn left_out(&mut self, tag: Tag) {
        self.entries[tag.record as usize].told[0] = Some(tag.era);
    }

    fn is_current(&self, tag: Tag) -> bool {
        self.entries[tag.record as usize].era == tag.era
    }

    /// A record is finished since it was handed over.
    fn settle(&mut self, tag: Tag) {
        if !self.is_current(tag) {
            return;
        }
        let entry = &mut self.entries[tag.record as usize];
        entry.settled = true;
        entry.held = false;
        entry.piece = None;
    }

    /// The mapping has let go of a record without finishing it.
    fn let_go(&mut self, tag: Tag) {
        if self.is_current(tag) {
            let entry = &mut self.entries[tag.record as usize];
            entry.held = false;
            entry.piece = None;
        }
    }

    /// Whether a record is finished, or was given up for its age as far as anybody can tell.
    fn is_over(&mut self, record: u32) -> bool {
        let script = &self.part.records[record as usize];
        let entry = &self.entries[record as usize];
        if script.filtered || entry.settled {
            return true;
        }
        let may_be_aged = self.aged > 0 && entry.held && !entry.flying;
        if may_be_aged && self.is_too_old(record) {
            let entry = &mut self.entries[record as usize];
            entry.settled = true;
            entry.held = false;
            self.log.push(What::Dropped(Why::Age), self.now, [record]);
            return true;
        }
        false
    }

    /// Whether some configuration of this mapping finds a record too old now.
    fn is_too_old(&self, record: u32) -> bool {
        let age = self.now.since(self.part.records[record as usize].at);
        let mut ages = self.configs.iter().filter_map(|it| it.maximum_record_age);
        ages.any(|most| age > most)
    }

    /// The first place of a shard that is not finished.
    pub(super) fn lowest(&mut self, shard: usize) -> usize {
        loop {
            let place = self.shards[shard].lowest.max(self.shards[shard].start);
            let Some(&record) = self.lists.of[shard].get(place) else {
                return place;
            };
            // Whether a record was given up for its age is left to those who need to know: a later limit may spare it.
            let is_over = self.part.records[record as usize].filtered
                || self.entries[record as usize].settled;
            if !is_over {
                return place;
            }
            self.shards[shard].lowest = place + 1;
        }
    }

    /// The records of some tags.
    fn records(tags: &[Tag]) -> impl Iterator<Item = u32> + Clone + '_ {
        tags.iter().map(|tag| tag.record)
    }
}

impl From<Condition> for Why {
    fn from(condition: Condition) -> Self {
        match condition {
            Condition::RetryAttemptsExhausted => Self::Retries,
            Condition::RecordAgeExceeded => Self::Age,
            Condition::MaximumPayloadSizeExceeded => Self::Size,
        }
    }
}

/// Where nothing but a window is waited for, a batch may leave this much later: calls take their time, and services count
/// whole seconds.
fn slack(part: &Part) -> Span {
    Span::from_millis(1_000) + part.service.latency.times(3)
}
