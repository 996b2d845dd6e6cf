//! A consumer group: its members, what each of them has, and how partitions move between them.
//!
//! ```text
//!         decided, and the pause is over          decided otherwise          yielded
//!   Free ────────────────────────────────▶ Held ───────────────────▶ Leaving ───────▶ Free
//!    ▲                                       │                          │
//!    └────────────── the member leaves, or its session ends ────────────┘
//! ```
//! Rule `kafka-rebalance-moves-only`: rebalancing is cooperative, whoever keeps a partition reads on.

use super::Topic;
use super::balance::share_out;
use super::place::{Cut, Place};
use crate::engine::{
    BatchId, Control, Event, FailureClass, Meta, Page, Position, Record, Rng, Shard, ShardId, Span,
    Time, Token,
};
use crate::scenario::Dist;
use crate::sim::dist::Sampler;

/// How long a group waits for members that it does not hear of: `session.timeout.ms` as the poller asks for it.
const SESSION: Span = Span::from_secs(10);

/// The group of one mapping.
#[derive(Debug)]
pub struct Group {
    from: Position,
    places: Vec<Place>,
    tenures: Vec<Tenure>,
    /// Who is to have each partition.
    shares: Vec<Option<u32>>,
    members: Vec<Option<Member>>,
    /// Somebody came or went since the shares were decided.
    is_stale: bool,
    /// Partitions that are taken away, and whose members are not told yet.
    revocations: Vec<(u32, Vec<ShardId>)>,
    pause: Sampler,
    pauses: Rng,
    /// How long what moves now is read by nobody.
    paused: Span,
    counts: GroupCounts,
    /// When the calendar has it looked at.
    pub planned: Option<Time>,
}

/// What happened since the last time that somebody asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GroupCounts {
    /// Times that partitions were shared out.
    pub rebalances: u64,
    /// Partitions that went to another member than before.
    pub moved: u64,
    /// Records that were older than the topic's retention when their turn came.
    pub trimmed: u64,
    /// Receives that were refused.
    pub refused: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tenure {
    /// Nobody has it before this instant.
    Free(Time),
    Held(u32),
    Leaving(u32),
}

#[derive(Debug, Default)]
struct Member {
    shards: Vec<u32>,
    /// Index of the partition that the next page begins with.
    turn: usize,
    wait: Option<Wait>,
}

/// A receive that is not answered yet.
#[derive(Clone, Debug)]
pub struct Wait {
    /// Answer with this.
    pub token: Token,
    /// At most this many records.
    pub records_max: u32,
    /// Partitions that nothing is wanted of.
    pub held: Vec<ShardId>,
    /// When it ends without a record.
    pub until: Time,
    /// When it is looked at again.
    pub due: Time,
    /// When there was something to answer it with; the answer takes its time.
    pub found: Option<Time>,
}

impl Wait {
    /// A receive of `now` that may wait for `wait`.
    pub fn new(
        token: Token,
        (records_max, held): (u32, Vec<ShardId>),
        now: Time,
        wait: Span,
    ) -> Self {
        Self {
            token,
            records_max,
            held,
            until: now + wait,
            due: now,
            found: None,
        }
    }
}

/// What is to be told to the mapping next.
#[derive(Debug)]
pub enum Step {
    /// Something that it did not ask for, or a receive that fails.
    Tell(Event<()>),
    /// Partitions for this member.
    Assigned(u32, Vec<Shard>),
}

impl Group {
    /// A group without members. `pause` is drawn from `pauses` whenever partitions are shared out.
    pub fn new(topic: &Topic, from: Position, pause: &Dist, pauses: Rng) -> Self {
        let partitions = topic.partitions.len();
        let mut places = Vec::new();
        places.resize_with(partitions, Place::default);
        Self {
            from,
            places,
            tenures: vec![Tenure::Free(Time::ZERO); partitions],
            shares: vec![None; partitions],
            members: Vec::new(),
            is_stale: false,
            revocations: Vec::new(),
            pause: Sampler::new(pause),
            pauses,
            paused: Span::ZERO,
            counts: GroupCounts::default(),
            planned: None,
        }
    }

    // ---- coming and going ----

    /// Lets a consumer in; `false` if it is a member already.
    #[inline]
    pub fn join(&mut self, poller: u32) -> bool {
        let index = poller as usize;
        if self.members.len() <= index {
            self.members.resize_with(index + 1, || None);
        }
        let is_new = self.members[index].is_none();
        if is_new {
            self.members[index] = Some(Member::default());
            self.is_stale = true;
        }
        is_new
    }

    /// A member leaves; what it had is free. Returns the receive that it leaves behind.
    pub fn leave(&mut self, poller: u32, now: Time) -> Option<Wait> {
        let member = self.members.get_mut(poller as usize)?.take()?;
        self.is_stale = true;
        for index in 0..self.tenures.len() {
            if self.holder(index) == Some(poller) {
                self.free(index, now);
            }
        }
        self.revocations.retain(|(of, _)| *of != poller);
        member.wait
    }

    /// A member gives partitions up.
    pub fn yielded(&mut self, shards: &[ShardId], now: Time) {
        for shard in shards {
            if let Tenure::Leaving(_) = self.tenures[shard.0 as usize] {
                self.free(shard.0 as usize, now);
            }
        }
    }

    fn free(&mut self, index: usize, now: Time) {
        self.tenures[index] = Tenure::Free(now + self.paused);
        self.places[index].end();
    }

    fn holder(&self, index: usize) -> Option<u32> {
        match self.tenures[index] {
            Tenure::Held(poller) | Tenure::Leaving(poller) => Some(poller),
            Tenure::Free(_) => None,
        }
    }

    /// Shares the partitions out among the members.
    fn rebalance(&mut self, now: Time) {
        self.is_stale = false;
        let members = (0..).zip(&self.members);
        let members: Vec<u32> = members
            .filter(|(_, member)| member.is_some())
            .map(|(poller, _)| poller)
            .collect();
        let before = std::mem::take(&mut self.shares);
        self.shares = share_out(&before, &members);
        let moves = before.iter().zip(&self.shares);
        let moves = moves.filter(|(before, after)| before.is_some() && before != after);
        if members.is_empty() {
            return;
        }
        self.counts.moved += moves.count() as u64;
        self.counts.rebalances += 1;
        self.paused = Span::from_nanos(self.pause.draw(&mut self.pauses));
        for index in 0..self.tenures.len() {
            let share = self.shares[index];
            match self.tenures[index] {
                Tenure::Free(_) => self.tenures[index] = Tenure::Free(now + self.paused),
                Tenure::Held(poller) if share != Some(poller) => {
                    self.tenures[index] = Tenure::Leaving(poller);
                    let shard = ShardId(index as u32);
                    match self.revocations.iter_mut().find(|(of, _)| *of == poller) {
                        Some((_, shards)) => shards.push(shard),
                        None => self.revocations.push((poller, vec![shard])),
                    }
                    if let Some(Some(member)) = self.members.get_mut(poller as usize) {
                        member.shards.retain(|it| *it != shard.0);
                    }
                }
                Tenure::Held(_) | Tenure::Leaving(_) => {}
            }
        }
    }

    /// What the mapping is to be told at `now`, one thing after the other.
    pub fn step(&mut self, topic: &Topic, now: Time) -> Option<Step> {
        if let Some(since) = topic.lost_since {
            return self.cut(now, since + SESSION);
        }
        if self.is_stale {
            self.rebalance(now);
        }
        if let Some((poller, shards)) = self.revocations.pop() {
            let control = Control::Revoked { poller, shards };
            return Some(Step::Tell(Event::Control(control)));
        }
        let is_due = |index: &usize| matches!(self.tenures[*index], Tenure::Free(at) if at <= now);
        let first = (0..self.tenures.len()).find(|it| self.shares[*it].is_some() && is_due(it))?;
        let poller = self.shares[first]?;
        let mut shards = Vec::new();
        for index in first..self.tenures.len() {
            if self.shares[index] != Some(poller)
                || !matches!(self.tenures[index], Tenure::Free(at) if at <= now)
            {
                continue;
            }
            self.tenures[index] = Tenure::Held(poller);
            let feed = &topic.partitions[index].feed;
            let offset = self.places[index].begin(feed, self.from, now);
            shards.push(Shard {
                id: ShardId(index as u32),
                from: Position::at_offset(offset),
                parents: Vec::new(),
                window: None,
            });
        }
        if let Some(Some(member)) = self.members.get_mut(poller as usize) {
            member.shards.extend(shards.iter().map(|shard| shard.id.0));
            member.shards.sort_unstable();
        }
        Some(Step::Assigned(poller, shards))
    }

    /// Nobody reaches the cluster: receives fail, and members are thrown out once their sessions end.
    ///
    /// Rule `kafka-session-ends`.
    fn cut(&mut self, now: Time, session_ends: Time) -> Option<Step> {
        let mut waits = self.members.iter_mut().flatten();
        if let Some(wait) = waits.find_map(|member| member.wait.take()) {
            let class = FailureClass::Transient;
            let token = wait.token;
            return Some(Step::Tell(Event::Failed { token, class }));
        }
        if now < session_ends {
            return None;
        }
        let poller = self.members.iter().position(Option::is_some)? as u32;
        let had = (0..self.tenures.len()).filter(|index| self.holder(*index) == Some(poller));
        let shards = had.map(|index| ShardId(index as u32)).collect();
        self.leave(poller, now);
        let control = Control::Lost { poller, shards };
        Some(Step::Tell(Event::Control(control)))
    }

    /// When there is something to tell.
    pub fn next_step(&self, topic: &Topic, now: Time) -> Option<Time> {
        if let Some(since) = topic.lost_since {
            let has_members = self.members.iter().any(Option::is_some);
            return has_members.then(|| (since + SESSION).max(now));
        }
        if self.is_stale {
            return Some(now);
        }
        let free = self.tenures.iter().zip(&self.shares);
        free.filter_map(|(tenure, share)| match (tenure, share) {
            (Tenure::Free(at), Some(_)) => Some((*at).max(now)),
            _ => None,
        })
        .min()
    }

    // ---- receiving ----

    /// Counts a receive that failed; one that nobody heard was not refused.
    pub fn was_refused(&mut self, class: FailureClass) {
        self.counts.refused += u64::from(class == FailureClass::Throttled);
    }

    /// When the first record arrives that a member may have.
    #[inline]
    pub fn next_arrival(&mut self, poller: u32, held: &[ShardId]) -> Option<Time> {
        let Some(Some(member)) = self.members.get(poller as usize) else {
            return None;
        };
        let places = &mut self.places;
        let wanted = member.shards.iter();
        wanted
            .filter(|shard| held.is_empty() || !held.contains(&ShardId(**shard)))
            .filter_map(|shard| places[*shard as usize].next_arrival())
            .min()
    }

    /// The receive of a member that waits.
    pub fn wait(&mut self, poller: u32) -> Option<&mut Option<Wait>> {
        let member = self.members.get_mut(poller as usize)?.as_mut()?;
        Some(&mut member.wait)
    }

    /// What a member gets at `now` of what arrived by `sent`: partition by partition, another one first each time.
    pub fn page(
        &mut self,
        topic: &Topic,
        poller: u32,
        (records_max, held): (u32, &[ShardId]),
        (sent, now): (Time, Time),
        records: Vec<Record<()>>,
    ) -> Page<()> {
        let mut page = Page {
            records,
            ..Page::default()
        };
        let Some(Some(member)) = self.members.get_mut(poller as usize) else {
            return page;
        };
        let count = member.shards.len();
        let first = member.turn;
        for offset in 0..count {
            let index = (first + offset) % count;
            let shard = member.shards[index];
            if !held.is_empty() && held.contains(&ShardId(shard)) {
                continue;
            }
            let cut = Cut {
                shard,
                records_max: records_max as usize,
                sent,
                now,
                retention: topic.retention,
            };
            self.counts.trimmed += self.places[shard as usize].read(cut, &mut page);
            if page.records.len() >= records_max as usize {
                member.turn = (index + 1) % count;
                break;
            }
        }
        page
    }

    // ---- what becomes of records ----

    /// A batch is sent.
    pub fn sent(&mut self, batch: BatchId, records: &[Record<()>]) {
        for run in runs(records) {
            self.place(&run[0].meta).sent(batch, run);
        }
    }

    /// These records, which are whole beginnings of their partitions' parts of a batch, are done.
    pub fn done(&mut self, records: &[Record<()>]) {
        for last in runs(records).filter_map(<[_]>::last) {
            self.place(&last.meta).settled(last.meta.seq.low_u64());
        }
    }

    /// Records from the first to the last one were given up. Of those of several partitions it is not said how many belong
    /// to each: what is left of their batch is sent again before anything of it is committed.
    pub fn given_up(&mut self, first: &Meta, last: &Meta) {
        if first.group == last.group {
            return self.place(last).settled(last.seq.low_u64());
        }
        if let Some(batch) = self.place(first).owing() {
            self.places.iter_mut().for_each(|it| it.forgive(batch));
        }
    }

    /// Stores an offset; `false` when the partition is no member's any more.
    pub fn commit(&mut self, shard: ShardId, to: u64) -> bool {
        let is_held = self.holder(shard.0 as usize).is_some();
        if is_held {
            self.places[shard.0 as usize].commit(to);
        }
        is_held
    }

    fn place(&mut self, meta: &Meta) -> &mut Place {
        &mut self.places[meta.group as usize]
    }

    // ---- figures ----

    /// Members at this moment.
    pub fn members(&self) -> u32 {
        self.members.iter().flatten().count() as u32
    }

    /// Records that the group has not read yet, of `arrived` in all.
    pub fn backlog(&self, arrived: u64) -> u64 {
        let read: u64 = self.places.iter().map(Place::position).sum();
        arrived.saturating_sub(read)
    }

    /// Shows how many offsets each partition's end is ahead of the committed one, and how many records arrived since the
    /// last time; nothing where the group has not begun.
    pub fn lags(&mut self, topic: &mut Topic, now: Time, mut show: impl FnMut(ShardId, u64, u64)) {
        let partitions = topic.partitions.iter_mut().zip(&mut self.places);
        for (index, (partition, place)) in (0..).zip(partitions) {
            let end = partition.end(now);
            let arrived = place.seen(end);
            if let Some(committed) = place.committed() {
                show(ShardId(index), end.saturating_sub(committed), arrived);
            }
        }
    }

    /// What happened since the last call.
    pub fn take_counts(&mut self) -> GroupCounts {
        std::mem::take(&mut self.counts)
    }
}

/// The parts of a batch by partition. Records of one partition stand together.
fn runs(records: &[Record<()>]) -> impl Iterator<Item = &[Record<()>]> {
    let mut rest = records;
    std::iter::from_fn(move || {
        let group = rest.first()?.meta.group;
        let end = rest.partition_point(|record| record.meta.group == group);
        let (run, after) = rest.split_at(end);
        rest = after;
        Some(run)
    })
}
