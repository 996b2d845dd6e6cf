//! Kafka in virtual time: receives that wait, groups that share partitions out, offsets that are committed.

use super::esm::SimEffects;
use super::services::kafka::{Group, Step, Topic, Wait};
use super::world::{Inner, Pending, World};
use crate::engine::{
    BatchId, Control, Delta, Event, FailureClass, Mapping, Outcome, Page, Record, ShardId, Time,
    Token,
};
use crate::metrics::{BinEnd, GroupEnd};

impl World<'_> {
    /// The group has something to tell its mapping.
    pub(super) fn group_due(&mut self, mapping: u32) {
        let now = self.inner.now;
        if let Some((_, group)) = self.inner.group(mapping) {
            group.planned.take_if(|at| *at == now);
        }
        while let Some((topic, group)) = self.inner.group(mapping)
            && let Some(step) = group.step(topic, now)
        {
            match step {
                Step::Tell(event) => self.feed(mapping, event),
                Step::Assigned(poller, shards) => {
                    let control = Control::Assigned { poller, shards };
                    self.feed(mapping, Event::Control(control));
                    // A receive that waits may have something to wait for now.
                    self.inner.look_again(mapping, poller);
                }
            }
        }
        self.inner.schedule_group(mapping);
    }

    /// A receive is looked at: it has waited long enough, something arrived, or its answer is there.
    pub(super) fn receive_due(&mut self, mapping: u32, poller: u32) {
        let now = self.inner.now;
        let list = self.mappings[mapping as usize].spare_list();
        if let Some((token, page)) = self.inner.answer_wait(mapping, poller, now, list) {
            self.feed(mapping, Event::Fetched { token, page });
        }
    }

    /// An invocation of a Kafka mapping came to its end.
    pub(super) fn kafka_batch_ended(
        &mut self,
        mapping: u32,
        token: Token,
        batch: BatchId,
        outcome: Outcome,
    ) {
        let now = self.inner.now;
        let records = self.mappings[mapping as usize].batch(batch);
        let called = &self.inner.scenario.mappings[mapping as usize];
        let recorder = &mut self.inner.mapping_recorders[mapping as usize];
        let mut succeed = |records: &[Record<()>]| {
            for record in records {
                recorder.succeeded(now.since(record.meta.arrival).as_nanos());
            }
        };
        let source = &mut self.inner.sources[called.source];
        let Some((_, group)) = source.kafka(mapping as usize) else {
            unreachable!("a mapping of Kafka reads Kafka");
        };
        let Outcome::Partial { .. } = outcome else {
            let done = &records[..outcome.succeeded(records.len() as u32) as usize];
            succeed(done);
            group.done(done);
            return self.feed(mapping, Event::Invoked { token, outcome });
        };
        // The function worked on all of its batch, and reports every record that it could not do.
        let function = &self.inner.functions[called.function];
        let failed: Vec<u32> = (0..)
            .zip(records)
            .filter(|(_, record)| function.is_poison(record))
            .map(|(index, _)| index)
            .collect();
        // Rule `kafka-partial-lowest-per-partition`: what comes before the lowest one of its partition is done.
        let mut from = 0;
        let mut at = 0;
        while from < records.len() {
            let of = records[from].meta.group;
            let end = from + records[from..].partition_point(|it| it.meta.group == of);
            at += failed[at..].partition_point(|it| (*it as usize) < from);
            let lowest = failed.get(at).map_or(end, |it| (*it as usize).min(end));
            succeed(&records[from..lowest]);
            group.done(&records[from..lowest]);
            from = end;
        }
        self.feed(mapping, Event::InvokedPartly { token, failed });
    }
}

impl Inner<'_> {
    /// The topic of a mapping and its group; `None` for other sources.
    #[inline]
    pub(super) fn group(&mut self, mapping: u32) -> Option<(&mut Topic, &mut Group)> {
        let index = self.scenario.mappings[mapping as usize].source;
        self.sources[index].kafka(mapping as usize)
    }

    pub(super) fn schedule_group(&mut self, mapping: u32) {
        let now = self.now;
        let Some((topic, group)) = self.group(mapping) else {
            return;
        };
        if let Some(at) = group.next_step(topic, now)
            && group.planned.is_none_or(|planned| at < planned)
        {
            group.planned = Some(at);
            self.schedule(at, Pending::GroupDue(mapping));
        }
    }

    fn look_again(&mut self, mapping: u32, poller: u32) {
        let now = self.now;
        if let Some((_, group)) = self.group(mapping)
            && let Some(Some(wait)) = group.wait(poller)
            && wait.found.is_none()
        {
            wait.due = now;
            self.schedule(now, Pending::ReceiveDue { mapping, poller });
        }
    }

    /// Answers a receive that waits, if it is its time; plans the next look at it otherwise.
    fn answer_wait(
        &mut self,
        mapping: u32,
        poller: u32,
        now: Time,
        list: Vec<Record<()>>,
    ) -> Option<(Token, Page<()>)> {
        let (topic, group) = self.group(mapping)?;
        let mut wait = group.wait(poller)?.take_if(|wait| wait.due == now)?;
        if let Some(sent) = wait.found.take() {
            let what = (wait.records_max, wait.held.as_slice());
            let page = group.page(topic, poller, what, (sent, now), list);
            if !page.ends.is_empty() {
                return Some((wait.token, self.kafka_page(mapping, page)));
            }
        }
        let next = group.next_arrival(poller, &wait.held);
        if next.is_none_or(|at| at > now) && now >= wait.until {
            return Some((wait.token, Page::default()));
        }
        self.keep_waiting(mapping, poller, wait, next);
        None
    }

    /// Plans the next look at a receive; `next` is when the first record arrives for it.
    fn keep_waiting(&mut self, mapping: u32, poller: u32, mut wait: Wait, next: Option<Time>) {
        let now = self.now;
        match next {
            Some(at) if at <= now => {
                let index = self.scenario.mappings[mapping as usize].source;
                let (sent, due) = self.sources[index].fetch_times(at, now);
                wait.found = Some(sent);
                wait.due = due;
            }
            _ => wait.due = next.map_or(wait.until, |at| at.min(wait.until)),
        }
        let due = wait.due;
        if let Some((_, group)) = self.group(mapping)
            && let Some(place) = group.wait(poller)
        {
            *place = Some(wait);
        }
        self.schedule(due, Pending::ReceiveDue { mapping, poller });
    }

    /// What a mapping sees of a page.
    fn kafka_page(&mut self, mapping: u32, page: Page<()>) -> Page<()> {
        self.records += page.records.len() as u64;
        match &self.matching[mapping as usize] {
            Some(matching) => matching.of_kafka(page),
            None => page,
        }
    }

    /// Takes the connections of clusters away, and gives them back.
    pub(super) fn connect_clusters(&mut self, lost: &[usize]) {
        let now = self.now;
        for index in 0..self.sources.len() {
            let is_connected = !lost.contains(&index);
            if !self.sources[index].connect_cluster(is_connected, now) {
                continue;
            }
            for mapping in 0..self.scenario.mappings.len() {
                if self.scenario.mappings[mapping].source == index {
                    self.schedule(now, Pending::GroupDue(mapping as u32));
                }
            }
        }
    }
}

impl SimEffects<'_, '_> {
    fn group(&mut self) -> (&mut Topic, &mut Group) {
        match self.inner.group(self.mapping) {
            Some(found) => found,
            None => unreachable!("a source without consumer groups was asked for one"),
        }
    }

    /// Stores an offset, unless that fails by a fault, or somebody else has the partition by now.
    pub(super) fn commit(&mut self, token: Token, shard: ShardId, delta: Delta) -> Event<()> {
        let source = self.source();
        let fails = source.deletions.chance(source.fault_deletion_rate);
        let Some(to) = delta.to.offset() else {
            unreachable!("{delta:?} names no offset");
        };
        let (topic, group) = self.group();
        if topic.is_connected() && !fails && group.commit(shard, to) {
            return Event::Done { token };
        }
        let class = FailureClass::Transient;
        Event::Failed { token, class }
    }

    /// Partitions that were taken away are given up.
    pub(super) fn give_up(&mut self, token: Token, shards: &[ShardId]) -> Event<()> {
        let now = self.inner.now;
        self.group().1.yielded(shards, now);
        self.inner.schedule_group(self.mapping);
        Event::Done { token }
    }

    /// A consumer leaves its group; the receive that it leaves behind brings nothing.
    pub(super) fn leave(&mut self, token: Token, poller: u32) -> Event<()> {
        let (now, mapping) = (self.inner.now, self.mapping);
        if let Some(wait) = self.group().1.leave(poller, now) {
            let pending = Pending::Fetched {
                mapping,
                token: wait.token,
                page: Box::default(),
            };
            self.inner.schedule(now, pending);
        }
        self.inner.schedule_group(mapping);
        Event::Done { token }
    }

    pub(super) fn measure(&mut self, token: Token) -> Event<()> {
        let now = self.inner.now;
        let (topic, _) = self.group();
        if topic.is_connected() {
            let ends = topic.ends(now);
            return Event::Measured { token, ends };
        }
        let class = FailureClass::Transient;
        Event::Failed { token, class }
    }

    pub(super) fn receive_kafka(
        &mut self,
        machine: &mut Mapping<()>,
        poller: u32,
        mut wait: Wait,
    ) -> Option<Event<()>> {
        let (inner, mapping) = (&mut *self.inner, self.mapping);
        let now = inner.now;
        let index = inner.scenario.mappings[mapping as usize].source;
        let source = &mut inner.sources[index];
        let is_refused = source.throttles.chance(source.fault_throttle_rate);
        let (topic, group) = source.kafka(mapping as usize)?;
        if is_refused || !topic.is_connected() {
            let class = match topic.is_connected() {
                true => FailureClass::Throttled,
                false => FailureClass::Transient,
            };
            group.was_refused(class);
            let token = wait.token;
            return Some(Event::Failed { token, class });
        }
        if group.join(poller) {
            inner.schedule_group(mapping);
        }
        let (_, group) = inner.group(mapping)?;
        let next = group.next_arrival(poller, &wait.held);
        let Some(first) = next.filter(|at| *at <= now) else {
            inner.keep_waiting(mapping, poller, wait, next);
            return None;
        };
        let (sent, due) = inner.sources[index].fetch_times(first, now);
        if due > now {
            wait.found = Some(sent);
            wait.due = due;
            if let Some((_, group)) = inner.group(mapping)
                && let Some(place) = group.wait(poller)
            {
                *place = Some(wait);
            }
            inner.schedule(due, Pending::ReceiveDue { mapping, poller });
            return None;
        }
        let (topic, group) = inner.group(mapping)?;
        let what = (wait.records_max, wait.held.as_slice());
        let page = group.page(topic, poller, what, (sent, now), machine.spare_list());
        let (token, page) = (wait.token, inner.kafka_page(mapping, page));
        Some(Event::Fetched { token, page })
    }
}

impl BinEnd {
    /// Takes in what a group tells of itself; so many records arrived at its topic in all.
    pub(super) fn of_group(&mut self, group: &mut Group, arrived: u64) {
        let counts = group.take_counts();
        self.backlog = group.backlog(arrived);
        self.trimmed = counts.trimmed;
        self.reads_throttled = counts.refused;
        self.group = GroupEnd {
            members: group.members(),
            rebalances: counts.rebalances,
            moved: counts.moved,
        };
    }
}
