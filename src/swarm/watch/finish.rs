//! Invocations that come to their end, and records that are given up.

use super::{Fate, Watch};
use crate::engine::{Condition, Delivery, Failure, Meta, Outcome, ShardId, WindowCall, limits};
use crate::swarm::log::{What, Why};
use crate::swarm::services::Tag;
use crate::swarm::services::function::Answer;
use crate::swarm::tally::Checker;

impl Watch<'_> {
    /// The mapping is told how an invocation ended.
    pub(in crate::swarm) fn answered(
        &mut self,
        tags: &[Tag],
        window: Option<WindowCall>,
        answer: &Answer,
    ) {
        self.land(tags, window.map(|window| window.shard.0 as usize));
        let kind = self.part.kind;
        let is_queue = kind.is_queue();
        let mut failed = false;
        let mut done: Vec<Tag> = Vec::new();
        match answer {
            Answer::All(Outcome::Success | Outcome::StateTooLarge) => done.extend(tags),
            Answer::All(Outcome::Throttled { .. } | Outcome::ServiceError) => {}
            Answer::All(Outcome::TooLarge) if kind.is_kafka() => self.halved(tags),
            Answer::All(_) => failed = true,
            Answer::Reports(places) if is_queue => {
                let is_done = |place: &u32| !places.contains(place);
                let places = (0..tags.len() as u32).filter(is_done);
                done.extend(places.map(|place| tags[place as usize]));
            }
            Answer::Reports(places) => {
                // Of every shard or partition, what comes before its first failed record.
                let mut failing = None;
                for (place, &tag) in (0..).zip(tags) {
                    let shard = self.part.records[tag.record as usize].shard;
                    if places.contains(&place) {
                        failing = Some(shard);
                    }
                    if failing != Some(shard) {
                        done.push(tag);
                    }
                }
                failed = done.is_empty();
            }
        }
        for &tag in &done {
            let told = &mut self.entries[tag.record as usize].told;
            *told = [Some(tag.era), told[0]];
            self.settle(tag);
        }
        if is_queue
            && !matches!(
                answer,
                Answer::All(Outcome::Throttled { .. } | Outcome::ServiceError)
            )
        {
            for &tag in tags.iter().filter(|tag| !done.contains(tag)) {
                self.let_go(tag);
            }
        }
        let counts = failed || (is_queue && done.len() < tags.len());
        if counts
            && !matches!(
                answer,
                Answer::All(Outcome::Throttled { .. } | Outcome::ServiceError)
            )
        {
            self.log.push(What::Failed, self.now, Self::records(tags));
        }
        if failed && !is_queue && !kind.is_broker() {
            self.failed(tags);
        } else if !done.is_empty() && done.len() < tags.len() {
            self.renew(tags);
        }
        if let Some(window) = window {
            self.carried(window, answer, done.len() as u32);
        }
    }

    /// An invocation is over.
    fn land(&mut self, tags: &[Tag], window_of: Option<usize>) {
        self.flying -= 1;
        // What ends after the shard was lost is nothing to its next tenure.
        let is_stale =
            self.part.kind.is_stream() && tags.first().is_some_and(|tag| !self.is_current(*tag));
        let shards = if is_stale {
            Vec::new()
        } else {
            self.shards_of(tags, window_of)
        };
        for shard in shards {
            let shard = &mut self.shards[shard];
            shard.flying = shard.flying.saturating_sub(1);
            shard.ended = self.now;
            shard.answered = self.now;
        }
        self.ended = self.now;
        for tag in tags {
            let key = self.part.records[tag.record as usize].key;
            if let Some(at) = self.groups.iter().position(|group| *group == key) {
                self.groups.swap_remove(at);
            }
            let entry = &mut self.entries[tag.record as usize];
            if entry.era == tag.era {
                entry.flying = false;
            }
        }
    }

    /// What is left of a batch after progress is a new one.
    fn renew(&mut self, tags: &[Tag]) {
        if let Some(first) = tags.first().filter(|tag| self.is_current(**tag)) {
            self.entries[first.record as usize].piece = None;
        }
    }

    fn halved(&mut self, tags: &[Tag]) {
        let Some(first) = tags.first().filter(|tag| self.is_current(**tag)) else {
            return;
        };
        let half = tags.len() / 2;
        if let Some(piece) = &mut self.entries[first.record as usize].piece {
            piece.fate = if half > 0 {
                Fate::Halved(half)
            } else {
                Fate::Spent
            };
        }
    }

    /// A call failed in a way that counts: halve, try again, or give up.
    fn failed(&mut self, tags: &[Tag]) {
        if self.config.bisect_batch_on_function_error && tags.len() > 1 {
            return self.halved(tags);
        }
        let config = &self.config;
        let caps = config.source.is_kafka() && config.on_failure.is_some();
        let cap = caps.then_some(limits::KAFKA_DESTINATION_RETRIES);
        let most = config.maximum_retry_attempts.or(cap);
        self.failing = tags.to_vec();
        // What an earlier tenure sent spends no try of this one.
        let Some(first) = tags.first().filter(|tag| self.is_current(**tag)) else {
            return;
        };
        if let Some(piece) = &mut self.entries[first.record as usize].piece {
            piece.tries += 1;
            if most.is_some_and(|most| piece.tries > most) {
                piece.fate = Fate::Spent;
            }
        }
    }

    fn carried(&mut self, window: WindowCall, answer: &Answer, done: u32) {
        let shard = &mut self.shards[window.shard.0 as usize];
        let goes_on = match answer {
            Answer::All(Outcome::Success | Outcome::StateTooLarge) | Answer::Reports(_) => true,
            Answer::All(_) => false,
        };
        if !goes_on {
            return;
        }
        if window.is_final {
            shard.state = None;
        } else {
            let known = shard.state.map_or(0, |(_, records)| records);
            shard.state = Some((window.start, known + done));
        }
    }

    /// The destination is told that records are given up.
    pub(in crate::swarm) fn diverting(&mut self, tags: &[Tag], failure: &Failure) {
        let starts = !(self.is_disabled && self.part.kind.is_stream());
        self.check(Checker::Disabled, starts, || {
            "a diversion while disabled".to_owned()
        });
        let wanted = self.configs.iter().any(|it| it.on_failure.is_some());
        self.check(Checker::GivingUp, wanted, || {
            "a diversion without a destination".to_owned()
        });
        self.is_due(tags, failure.condition, failure.invoke_count);
    }

    /// Whether records may be given up for this reason.
    fn is_due(&mut self, tags: &[Tag], condition: Condition, invoke_count: u32) {
        let Some(&first) = tags.first() else {
            return; // a final call of a window
        };
        match condition {
            Condition::RetryAttemptsExhausted => {
                let piece = self.entries[first.record as usize].piece.as_ref();
                let same = piece.is_some_and(|piece| {
                    piece.fate == Fate::Spent
                        && piece.records.iter().copied().eq(Self::records(tags))
                });
                let tries = piece.map_or(0, |piece| piece.tries);
                let holds = same || self.is_rebalanced;
                self.check(Checker::GivingUp, holds, || {
                    format!(
                        "{} records from {} on were given up after {tries} tries",
                        tags.len(),
                        first.record
                    )
                });
                let counted = invoke_count == tries || self.is_rebalanced;
                self.check(Checker::Attempts, counted, || {
                    format!("{tries} tries were counted as {invoke_count}")
                });
            }
            Condition::RecordAgeExceeded => {
                for record in Self::records(tags) {
                    let is_old = self.is_too_old(record);
                    self.check(Checker::Age, is_old, || {
                        format!("record {record} was given up before it was too old")
                    });
                }
            }
            Condition::MaximumPayloadSizeExceeded => {
                let bytes = u64::from(self.part.records[first.record as usize].bytes);
                let alone = tags.len() == 1 && bytes + 200 > limits::EVENT_BYTES_MAX;
                self.check(Checker::GivingUp, alone, || {
                    format!(
                        "record {} of {bytes} bytes was found too large",
                        first.record
                    )
                });
            }
        }
    }

    /// The mapping says that it gave records up.
    pub(in crate::swarm) fn discarded(
        &mut self,
        shard: ShardId,
        count: u32,
        condition: Condition,
        invoke_count: u32,
        first: &Meta,
        destination: Delivery,
    ) {
        self.something_ended(shard);
        if count == 0 {
            // A window's final call was given up, and its state with it.
            self.shards[shard.0 as usize].state = None;
            return;
        }
        let (told, taken) = match self.parting.take() {
            Some((tags, taken)) => (Some(tags), taken),
            None => (None, false),
        };
        let fits = told
            .as_ref()
            .is_none_or(|tags| tags.len() == count as usize);
        self.check(Checker::GivingUp, fits, || {
            format!("{count} records were given up, and the destination was told otherwise")
        });
        let wants = self.config.on_failure.is_some();
        let holds = match destination {
            Delivery::NoDestination => told.is_none() && (!wants || self.configs.len() > 1),
            Delivery::Delivered => told.is_some() && taken,
            Delivery::Refused => told.is_some() && !taken,
        };
        self.check(Checker::GivingUp, holds, || {
            format!(
                "{count} records were given up, and their destination is said to be {destination:?}"
            )
        });
        let tags = match told {
            Some(tags) => tags,
            None => match self.which(shard, count, condition, first) {
                Some(tags) => {
                    self.is_due(&tags, condition, invoke_count);
                    tags
                }
                None => {
                    self.aged += count;
                    return;
                }
            },
        };
        let why = Why::from(condition);
        for &tag in &tags {
            self.settle(tag);
        }
        if destination != Delivery::Delivered {
            self.log
                .push(What::Dropped(why), self.now, Self::records(&tags));
        }
    }

    fn something_ended(&mut self, shard: ShardId) {
        self.ended = self.now;
        if let Some(shard) = self.shards.get_mut(shard.0 as usize) {
            shard.ended = self.now;
        }
    }

    /// Which records were given up where no destination was told; `None` when that cannot be said yet.
    fn which(
        &self,
        shard: ShardId,
        count: u32,
        condition: Condition,
        first: &Meta,
    ) -> Option<Vec<Tag>> {
        let list = &self.lists.of[shard.0 as usize];
        let number = |record: &u32| crate::engine::Seq::from(self.lists.number[*record as usize]);
        let from = list.partition_point(|record| number(record) < first.seq);
        let is_open = |record: &&u32| {
            let entry = &self.entries[**record as usize];
            entry.held && !entry.settled && !entry.flying
        };
        let tag = |record: &u32| Tag {
            record: *record,
            era: self.entries[*record as usize].era,
        };
        match condition {
            Condition::RetryAttemptsExhausted => {
                // What departs leaves the batch before it is given up.
                let stays = |tag: &&Tag| {
                    let shard = self.part.records[tag.record as usize].shard;
                    let departs = self.shards[shard as usize].leaving;
                    // A shard of a stream that is to be handed over ends with its last call.
                    self.is_current(**tag) && (!departs || self.part.kind.is_stream())
                };
                Some(self.failing.iter().filter(stays).copied().collect())
            }
            Condition::MaximumPayloadSizeExceeded => {
                let open = list[from..].iter().filter(is_open);
                Some(open.take(1).map(tag).collect())
            }
            Condition::RecordAgeExceeded if self.part.kind.is_kafka() => None,
            Condition::RecordAgeExceeded => {
                let lanes = self.config.parallelization_factor;
                if self.configs.len() > 1 {
                    return None;
                }
                let lane = |key: u64| (u128::from(key) * u128::from(lanes)) >> 64;
                let mine = |record: &&u32| {
                    lane(self.part.records[**record as usize].key) == lane(first.group)
                };
                let open = list[from..].iter().filter(is_open).filter(mine);
                Some(open.take(count as usize).map(tag).collect())
            }
        }
    }
}
