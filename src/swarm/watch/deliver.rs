//! Batches on their way to the function.

use super::{Fate, Piece, Watch, slack};
use crate::engine::{Position, SourceKind, Span, Time, WindowCall, limits};
use crate::swarm::log::What;
use crate::swarm::services::Tag;
use crate::swarm::tally::Checker;

impl Watch<'_> {
    /// A batch is sent.
    pub(in crate::swarm) fn sent(
        &mut self,
        tags: &[Tag],
        attempt: u32,
        window: Option<WindowCall>,
    ) {
        let kind = self.part.kind;
        let is_final = window.is_some_and(|window| window.is_final);
        self.check(Checker::BatchSize, is_final == tags.is_empty(), || {
            format!("a batch of {} records, final: {is_final}", tags.len())
        });
        let is_kept = kind.is_stream() || kind.is_kafka() || kind.is_broker();
        let starts = !(is_kept && self.is_disabled);
        self.check(Checker::Disabled, starts, || {
            "an invocation while disabled".to_owned()
        });
        self.sizes(tags, window.is_some());
        self.in_hands(tags);
        self.ages(tags);
        self.attempt(tags, attempt);
        if kind.is_queue() || kind.is_broker() {
            self.received_order(tags);
        } else {
            self.shard_order(tags, window.map(|window| window.shard.0));
        }
        if let Some(window) = window {
            self.tumbling(tags, window);
        }
        self.waits(tags, window.is_some());
        self.take_off(tags, window.map(|window| window.shard.0 as usize));
    }

    fn sizes(&mut self, tags: &[Tag], in_window: bool) {
        let most = self.configs.iter().map(|it| it.batch_size).max();
        let most = most.unwrap_or(0) as usize;
        self.check(Checker::BatchSize, tags.len() <= most, || {
            format!("{} records where BatchSize is {most}", tags.len())
        });
        let scripts = &self.part.records;
        let bytes: u64 = Self::records(tags)
            .map(|it| u64::from(scripts[it as usize].bytes) + 1)
            .sum();
        let state = if in_window {
            limits::WINDOW_STATE_BYTES_MAX
        } else {
            0
        };
        let fits = tags.len() < 2 || bytes + state <= limits::EVENT_BYTES_MAX;
        self.check(Checker::BatchBytes, fits, || {
            format!("{} records of {bytes} bytes in one event", tags.len())
        });
    }

    fn in_hands(&mut self, tags: &[Tag]) {
        for &tag in tags {
            let script = &self.part.records[tag.record as usize];
            self.check(Checker::Filtered, !script.filtered, || {
                format!(
                    "record {}, which the filters leave out, was sent",
                    tag.record
                )
            });
            let entry = &self.entries[tag.record as usize];
            // What a queue gave to somebody else meanwhile may be sent twice.
            let is_stale =
                entry.era != tag.era && (self.part.kind.is_queue() || self.part.kind.is_broker());
            let holds = is_stale || (entry.era == tag.era && entry.held && !entry.flying);
            let (settled, flying, held) = (entry.settled, entry.flying, entry.held);
            self.check(Checker::Hands, holds, || {
                format!(
                    "record {} was sent, though it is not in hand (held {held}, finished {settled}, in flight {flying})",
                    tag.record
                )
            });
        }
    }

    fn ages(&mut self, tags: &[Tag]) {
        let Some(most) = self.config.maximum_record_age else {
            return;
        };
        for record in Self::records(tags) {
            let age = self.now.since(self.part.records[record as usize].at);
            self.check(Checker::Age, age <= most, || {
                format!("record {record} was sent at the age of {age:?}, above {most:?}")
            });
        }
    }

    /// Rules of retries: the same piece again is the next attempt, anything else is the first.
    fn attempt(&mut self, tags: &[Tag], attempt: u32) {
        let Some(first) = tags.first() else {
            return;
        };
        let kind = self.part.kind;
        if kind.is_queue() || kind.is_broker() {
            self.check(Checker::Attempts, attempt == 1, || {
                format!("attempt {attempt} of a message's batch")
            });
            return;
        }
        if !self.is_current(*first) {
            return;
        }
        let known = self.entries[first.record as usize].piece.take();
        let same = known.as_ref().is_some_and(|piece| {
            piece.records.len() == tags.len()
                && piece.records.iter().copied().eq(Self::records(tags))
        });
        let (tries, fate) = known
            .as_ref()
            .map_or((0, Fate::Open), |piece| (piece.tries, piece.fate));
        if !self.is_rebalanced {
            let expected = if same { tries + 1 } else { 1 };
            self.check(Checker::Attempts, attempt == expected, || {
                format!(
                    "attempt {attempt} of {} records from {} on is number {expected}",
                    tags.len(),
                    first.record
                )
            });
            let halves = match (fate, &known) {
                // Some of the half may have grown too old since.
                (Fate::Halved(half), Some(piece)) => {
                    let is_sent = |record: u32| tags.iter().any(|tag| tag.record == record);
                    let half = piece.records[..half].iter();
                    let left = half.filter(|record| is_sent(**record) || !self.is_over(**record));
                    left.count() == tags.len()
                }
                _ => true,
            };
            self.check(Checker::Bisect, halves, || {
                format!(
                    "{} records from {} on, where a half was due: {fate:?}",
                    tags.len(),
                    first.record
                )
            });
        }
        let goes_on = !(same && fate == Fate::Spent);
        self.check(Checker::Attempts, goes_on, || {
            format!("record {} was sent after its last try", first.record)
        });
        let tries = if same { tries } else { 0 };
        self.entries[first.record as usize].piece = Some(Piece {
            records: Self::records(tags).collect(),
            tries: if self.is_rebalanced {
                attempt - 1
            } else {
                tries
            },
            fate: Fate::Open,
        });
    }

    /// Queues: as they were received; FIFO queues: in the order of their groups, one batch of a group at a time.
    fn received_order(&mut self, tags: &[Tag]) {
        let ascends = tags.windows(2).all(|pair| pair[0].era < pair[1].era);
        self.check(Checker::Order, ascends, || {
            "a batch is not in the order of its receives".to_owned()
        });
        if self.part.kind != SourceKind::SqsFifo {
            return;
        }
        self.stamp += 1;
        for &Tag { record, .. } in tags {
            let key = self.part.records[record as usize].key;
            let is_free = !self.groups.contains(&key);
            self.check(Checker::OneInFlight, is_free, || {
                format!("record {record} was sent while its group is at work")
            });
            let lowest = self.lowest(0);
            for place in lowest..record as usize {
                let before = self.lists.of[0][place];
                if self.part.records[before as usize].key != key
                    || self.entries[before as usize].stamp == self.stamp
                {
                    continue;
                }
                let is_over = self.is_over(before) || self.is_gone(before);
                self.check(Checker::Order, is_over, || {
                    format!("record {record} was sent before {before} of its group")
                });
            }
            self.entries[record as usize].stamp = self.stamp;
        }
    }

    /// A message that was deleted, or moved to the dead-letter queue.
    fn is_gone(&self, record: u32) -> bool {
        self.entries[record as usize].told.contains(&Some(u32::MAX))
    }

    /// The service has a message no more.
    pub(in crate::swarm) fn gone(&mut self, record: u32, what: What) {
        self.entries[record as usize].told = [Some(u32::MAX); 2];
        self.log.push(what, self.now, [record]);
    }

    /// Streams and partitions: nothing overtakes an earlier record that is not finished.
    fn shard_order(&mut self, tags: &[Tag], window_of: Option<u32>) {
        let is_kafka = self.part.kind.is_kafka();
        let lanes = self.configs.iter().map(|it| it.parallelization_factor);
        let lanes = lanes.max().unwrap_or(1);
        self.stamp += 1;
        for &Tag { record, .. } in tags {
            self.entries[record as usize].stamp = self.stamp;
        }
        let mut before: Option<(u32, usize)> = None;
        for (index, &Tag { record, .. }) in tags.iter().enumerate() {
            let shard = self.part.records[record as usize].shard;
            let place = self.lists.place[record as usize];
            let ascends = before.is_none_or(|(other, last)| other != shard || last < place);
            let same = is_kafka || before.is_none_or(|(other, _)| other == shard);
            self.check(Checker::Order, ascends && same, || {
                format!("record {record} is out of its place in a batch")
            });
            let begins = before.is_none_or(|(other, _)| other != shard);
            before = Some((shard, place));
            if begins {
                let most = if is_kafka { 1 } else { lanes };
                let flying = self.shards[shard as usize].flying;
                self.check(Checker::OneInFlight, flying < most, || {
                    format!("shard {shard} has {flying} batches in flight, and one more is sent")
                });
            }
            let ends = tags
                .get(index + 1)
                .is_none_or(|next| self.part.records[next.record as usize].shard != shard);
            if ends || lanes > 1 {
                self.nothing_before(shard as usize, place, record, lanes);
            }
        }
        if let (None, Some(shard)) = (tags.first(), window_of) {
            let flying = self.shards[shard as usize].flying;
            self.check(Checker::OneInFlight, flying < lanes, || {
                format!("a final call of shard {shard} beside another one")
            });
        }
    }

    fn nothing_before(&mut self, shard: usize, place: usize, record: u32, lanes: u32) {
        let key = self.part.records[record as usize].key;
        for earlier in self.lowest(shard)..place {
            let other = self.lists.of[shard][earlier];
            let concerns = lanes == 1 || self.part.records[other as usize].key == key;
            if !concerns || self.entries[other as usize].stamp == self.stamp {
                continue;
            }
            let is_over = self.is_over(other);
            self.check(Checker::Order, is_over, || {
                format!("record {record} was sent before {other}, which is not finished")
            });
        }
    }

    fn tumbling(&mut self, tags: &[Tag], window: WindowCall) {
        // A DynamoDB stream that was begun at LATEST goes back a minute after a restart, and may come to before its window.
        let goes_back = self.part.kind == SourceKind::DynamoDb
            && self.configs[0].starting_position == Position::Latest;
        let may_be_late = goes_back || self.configs.len() > 1;
        for record in Self::records(tags) {
            let at = self.part.records[record as usize].at;
            let inside = (window.start <= at || may_be_late) && at < window.end;
            self.check(Checker::Tumbling, inside, || {
                format!("record {record} of another window was sent")
            });
        }
        let state = self.shards[window.shard.0 as usize].state;
        let is_kept = match state {
            Some((start, _)) => start == window.start && !window.is_fresh,
            None => window.is_fresh,
        };
        self.check(Checker::Tumbling, is_kept, || {
            format!(
                "a call of the window from {:?} (fresh: {}), where the state is {state:?}",
                window.start, window.is_fresh
            )
        });
    }

    /// A first delivery waits for its window, and for nothing else.
    fn waits(&mut self, tags: &[Tag], in_window: bool) {
        let Some(&first) = tags.first() else {
            return;
        };
        let is_fresh = |tag: &Tag| {
            let entry = &self.entries[tag.record as usize];
            entry.era == tag.era && !entry.sent
        };
        if !tags.iter().all(is_fresh) || self.configs.len() > 1 {
            return;
        }
        let config = &self.config;
        let (kind, window) = (self.part.kind, config.window);
        let handed = self.entries[first.record as usize].handed;
        let shard = self.shards[self.part.records[first.record as usize].shard as usize].clone();
        let has_trouble = self.part.faults.iter().any(|fault| {
            fault.what as usize <= crate::swarm::world::Trouble::ReadAnswerLost as usize
        });
        let mut from = None;
        let mut most = Span::ZERO;
        if kind.is_stream() && config.parallelization_factor == 1 {
            from = Some(handed.max(shard.ended));
        } else if kind.is_kafka() {
            from = Some(handed.max(self.ended));
        } else if kind == SourceKind::Sqs && config.provisioned_pollers.is_none()
            || kind.is_broker()
        {
            from = (!has_trouble).then_some(handed);
            most = slack(self.part);
        }
        // Messages that were received together wait for each other where they fit no single event.
        let has_large = self.part.records.iter().any(|it| it.bytes >= 1_000_000);
        let queues_behind = (kind.is_queue() || kind.is_broker()) && has_large;
        if let Some(from) = from.filter(|_| !queues_behind) {
            let (now, until) = (self.now, from + window + most);
            self.check(Checker::Window, now <= until, || {
                format!(
                    "a batch of {} records left {:?} late",
                    tags.len(),
                    now.since(until)
                )
            });
        }
        let is_partial = tags.len() < self.config.batch_size as usize;
        // A full batch may have lost the records at its head to their age.
        let may_be_cut = self.config.maximum_record_age.is_some();
        if !is_partial || has_large || in_window || self.is_disabled || may_be_cut {
            return;
        }
        let from: Option<Time> = if kind.is_stream() {
            let one = self.config.parallelization_factor == 1;
            (one && !shard.is_closed).then_some(shard.answered)
        } else if kind.is_queue() || kind.is_broker() {
            Some(handed)
        } else {
            None
        };
        if let Some(from) = from {
            let (now, due) = (self.now, from + window);
            self.check(Checker::Window, now >= due, || {
                format!(
                    "a batch of {} records left {:?} before its window was over",
                    tags.len(),
                    due.since(now)
                )
            });
        }
    }

    fn take_off(&mut self, tags: &[Tag], window_of: Option<usize>) {
        let now = self.now;
        let is_fresh = tags
            .iter()
            .all(|tag| !self.entries[tag.record as usize].sent);
        for &tag in tags {
            let entry = &mut self.entries[tag.record as usize];
            entry.calls += 1;
            if entry.era == tag.era {
                entry.flying = true;
                entry.sent = true;
            }
        }
        self.flying += 1;
        if is_fresh && self.part.kind.is_kafka() {
            self.ended = self.ended.max(now);
        }
        for shard in self.shards_of(tags, window_of) {
            self.shards[shard].flying += 1;
        }
        if self.part.kind == SourceKind::SqsFifo {
            let records = &self.part.records;
            self.groups
                .extend(Self::records(tags).map(|it| records[it as usize].key));
        }
        let most = self.concurrency_max();
        let flying = self.flying;
        // Calls of a shard that was lost go on beside those of its next tenure.
        let fits = flying <= most || (self.is_rebalanced && self.part.kind.is_stream());
        self.check(Checker::Concurrency, fits, || {
            format!("{flying} invocations at once, of {most}")
        });
    }

    /// Shards of a batch, each once.
    pub(super) fn shards_of(&self, tags: &[Tag], window_of: Option<usize>) -> Vec<usize> {
        if self.part.kind.is_queue() || self.part.kind.is_broker() {
            return Vec::new();
        }
        let mut shards: Vec<usize> = Self::records(tags)
            .map(|it| self.part.records[it as usize].shard as usize)
            .chain(window_of)
            .collect();
        shards.dedup();
        shards
    }

    /// How many invocations the mapping may have at once.
    fn concurrency_max(&self) -> u32 {
        let kind = self.part.kind;
        let shards = self.part.shards.len() as u32;
        let minutes = self.now.since(self.began).as_millis() / 60_000;
        let of = |config: &crate::engine::MappingConfig| match config.provisioned_pollers {
            Some((_, most)) if kind.is_queue() => most * limits::SQS_POLLER_CONCURRENCY,
            Some((_, most)) => most.min(shards) * limits::KAFKA_POLLER_CONCURRENCY,
            None if kind.is_queue() => {
                let ramp = limits::SQS_CONCURRENCY_START + 300 * minutes as u32;
                config.maximum_concurrency.unwrap_or(ramp)
            }
            None if kind.is_kafka() => shards,
            None if kind.is_broker() => self.part.service.consumers,
            None => shards * config.parallelization_factor,
        };
        self.configs.iter().map(of).max().unwrap_or(0)
    }
}
