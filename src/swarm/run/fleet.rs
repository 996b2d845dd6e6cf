//! Workers that share the shards of one stream by leases: what the poller's driver does with them, in virtual time.

mod tenant;

use super::{Due, Fate, Hands, Mine, Run, Source, State};
use crate::engine::lease::{LeaseAction, LeaseChange, LeaseConfig, LeaseEvent, Leases};
use crate::engine::{
    Control, Delta, Event, FailureClass, Mapping, Position, Rng, Shard, Span, Time, Token,
};
use crate::swarm::dice::hashed;
use crate::swarm::services::leases::{key, number};
use crate::swarm::tally::Checker;
use crate::swarm::world::{Incident, Trouble};
use tenant::Stage;
pub(super) use tenant::Tenant;

/// How often a worker that leaves is asked whether it is done.
const LEAVING: Span = Span::from_millis(200);

/// A worker stands still until then; its calls may be stuck with it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frozen {
    until: Time,
    holds_calls: bool,
}

/// An answer of the lease table on its way, with the places that it tells.
#[derive(Debug)]
pub(super) struct LeaseAnswer {
    event: LeaseEvent,
    positions: Vec<(usize, Position)>,
}

/// Progress on its way to the table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Progress {
    token: Token,
    shard: usize,
    delta: Delta,
    tenure: u32,
    fate: Fate,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stored {
    Done,
    Failed(FailureClass),
    Refused,
}

impl Due {
    /// The worker that has to be awake for this, and whether it is on its way through the network.
    fn worker(&self) -> Option<(usize, bool)> {
        match self {
            Self::Wake(index)
            | Self::List(index)
            | Self::Lease(index)
            | Self::Leave(index)
            | Self::Incident(index, _) => Some((*index, false)),
            Self::Mine(index, _, mine) => {
                let is_under_way = matches!(mine, Mine::LeaseCall(..) | Mine::Progress(..));
                Some((*index, is_under_way))
            }
            Self::Begin(_) | Self::Balance(_) | Self::Check => None,
        }
    }
}

impl Run<'_> {
    /// What a worker that stands still has to wait for comes later. One that does not first sees to its leases: after a
    /// long pause they are lost, and nothing of them may be gone on with.
    pub(super) fn put_off(&mut self, due: Due) -> Option<Due> {
        let Some((index, is_under_way)) = due.worker() else {
            return Some(due);
        };
        let state = &mut self.parts[index];
        if let Some(frozen) = state.frozen {
            if self.shared.now < frozen.until {
                let is_killed = matches!(due, Due::Incident(_, number)
                    if matches!(state.part.events[number].what, Incident::Crash { .. }));
                if is_killed || (is_under_way && !frozen.holds_calls) {
                    return Some(due);
                }
                match due {
                    Due::Wake(_) => state.wake = Some(frozen.until),
                    Due::Lease(_) => {
                        if let Some(tenant) = &mut state.tenant {
                            tenant.wake = Some(frozen.until);
                        }
                    }
                    _ => {}
                }
                self.calendar.plan(frozen.until, due);
                return None;
            }
            state.frozen = None;
            state.watch.now = self.shared.now;
            state.watch.something_changed();
            self.shared
                .say(|| format!("part {index} goes on where it stood still"));
        }
        self.lease_deadline(index);
        Some(due)
    }

    pub(super) fn freeze(&mut self, index: usize, length: Span, holds_calls: bool) {
        let until = self.shared.now + length;
        self.shared.tally.freezes += 1;
        self.parts[index].frozen = Some(Frozen { until, holds_calls });
    }

    /// A worker begins, with a name of its own or that of its earlier life.
    pub(super) fn begin_tenancy(&mut self, index: usize) {
        let Some(fleet) = self.world.fleet else {
            return;
        };
        let state = &mut self.parts[index];
        let life = if index.is_multiple_of(2) {
            0
        } else {
            state.life
        };
        let mut config = LeaseConfig::new(format!("worker-{index}-{life}"));
        config.failover = fleet.failover;
        config.steal_max = fleet.steal_max;
        #[cfg(feature = "mutations")]
        {
            config.mutant = self.manner.mutant;
        }
        let rng = Rng::from_key(hashed(
            self.world.seed,
            index as u64,
            u64::from(state.life),
            8,
        ));
        let leases = Leases::new(config, rng, self.shared.now);
        state.tenant = Some(Tenant::new(leases, state.part.shards.len()));
        state.frozen = None;
    }

    fn lease_deadline(&mut self, index: usize) {
        let now = self.shared.now;
        let Some(tenant) = &mut self.parts[index].tenant else {
            return;
        };
        if tenant.leases.poll_wake().is_some_and(|at| at <= now) {
            tenant.leases.handle_timeout(now);
            self.follow(index);
        }
    }

    pub(super) fn lease_wake(&mut self, index: usize) {
        // What was due has been done before anything else.
        if let Some(tenant) = &mut self.parts[index].tenant
            && tenant.wake.is_some_and(|at| at <= self.shared.now)
        {
            tenant.wake = None;
            self.follow(index);
        }
    }

    fn tell(&mut self, index: usize, event: LeaseEvent) {
        let now = self.shared.now;
        if let Some(tenant) = &mut self.parts[index].tenant {
            tenant.leases.handle(now, event);
            self.follow(index);
        }
    }

    /// A worker looks at the shards that are there.
    pub(super) fn lease_list(&mut self, index: usize) {
        let now = self.shared.now;
        let state = &self.parts[index];
        if !state.tenant.as_ref().is_some_and(|it| it.has_scanned) {
            return;
        }
        let there = state.part.shards.iter().enumerate();
        let there = there.filter(|(_, shard)| shard.opens <= now);
        let names = |parents: &[u32]| parents.iter().map(|it| key(*it as usize)).collect();
        let shards = there.map(|(shard, script)| (key(shard), names(&script.parents)));
        self.tell(index, LeaseEvent::Listed(shards.collect()));
    }

    /// Carries out what a worker's leases want, which may change more.
    pub(super) fn follow(&mut self, index: usize) {
        let now = self.shared.now;
        while let Some(tenant) = &mut self.parts[index].tenant {
            if let Some(shard) = tenant.left.pop() {
                tenant.enters(shard, Stage::Absent);
                self.parts[index].watch.lost(shard);
                self.tell(index, LeaseEvent::Released { key: key(shard) });
            } else if let Some(action) = tenant.leases.poll_action() {
                let mut hands = Hands {
                    index,
                    state: &mut self.parts[index],
                    shared: &mut self.shared,
                    calendar: &mut self.calendar,
                };
                hands.lease_call(action);
            } else if let Some(change) = tenant.leases.poll_change() {
                self.lease_changed(index, change);
            } else {
                let wake = tenant.leases.poll_wake();
                if let Some(at) = wake
                    && tenant.wake.is_none_or(|planned| at < planned)
                {
                    tenant.wake = Some(at.max(now));
                    self.calendar.plan(at.max(now), Due::Lease(index));
                }
                return;
            }
        }
    }

    fn lease_changed(&mut self, index: usize, change: LeaseChange) {
        self.shared.say(|| format!("part {index}: {change:?}"));
        let start = self.parts[index].watch.config.starting_position;
        let now = self.shared.now;
        let state = &mut self.parts[index];
        state.watch.now = now;
        let Some(tenant) = &mut state.tenant else {
            return;
        };
        match change {
            LeaseChange::Gained(name) => {
                let shard = number(&name);
                let from = tenant.positions[shard].unwrap_or(start);
                if from == Position::End {
                    return self.tell(index, LeaseEvent::Finished { key: name });
                }
                tenant.enters(shard, Stage::Working);
                let id = tenant.local(shard);
                if let Source::Stream(stream) = &mut state.source {
                    stream.forget(shard);
                }
                state.watch.gained(shard, from);
                self.shared.tally.leases += 1;
                self.one_holder(index, shard);
                let shard = Shard {
                    id,
                    from,
                    parents: Vec::new(),
                    window: None,
                };
                let shards = vec![shard];
                self.feed(
                    index,
                    Event::Control(Control::Assigned { poller: 0, shards }),
                );
            }
            LeaseChange::Revoked(name) => {
                let shard = number(&name);
                tenant.enters(shard, Stage::Leaving);
                let shards = vec![tenant.local(shard)];
                state.watch.leaves(shard);
                state.watch.rebalanced();
                self.feed(
                    index,
                    Event::Control(Control::Revoked { poller: 0, shards }),
                );
            }
            LeaseChange::Lost(names) => {
                let mut shards = Vec::new();
                for name in names {
                    let shard = number(&name);
                    tenant.enters(shard, Stage::Absent);
                    shards.push(tenant.local(shard));
                    state.watch.lost(shard);
                }
                state.watch.rebalanced();
                self.feed(index, Event::Control(Control::Lost { poller: 0, shards }));
            }
        }
    }

    /// No two workers that are awake have one shard.
    fn one_holder(&mut self, index: usize, shard: usize) {
        let now = self.shared.now;
        let has = |state: &State<'_>| {
            let is_awake = state.frozen.is_none_or(|frozen| frozen.until <= now);
            let tenant = state.tenant.as_ref();
            is_awake && tenant.is_some_and(|it| it.stage(shard) != Stage::Absent)
        };
        // One that wakes up just now has not seen to its leases yet.
        let has_slept = |state: &State<'_>| state.frozen.is_some();
        let other = (0..self.parts.len()).find(|&other| {
            let state = &self.parts[other];
            other != index && has(state) && !has_slept(state)
        });
        self.shared.check(Checker::Leases, other.is_none(), || {
            format!("worker {index} has shard {shard}, and worker {other:?} has it too")
        });
    }

    /// A call reaches the table, whoever made it and whether he still lives.
    pub(super) fn lease_call(
        &mut self,
        index: usize,
        worker: &str,
        action: &LeaseAction,
        from: Position,
        fate: Fate,
    ) -> LeaseAnswer {
        let Some(table) = &mut self.shared.table else {
            unreachable!("workers have a table")
        };
        let token = action.token();
        let mut event = LeaseEvent::Failed { token };
        let mut finding = None;
        if fate.works {
            (event, finding) = table.carry_out(worker, action, from);
        }
        let shards = self.world.parts[index].shards.len();
        let positions = (0..shards).filter_map(|it| Some((it, table.position(it)?)));
        let positions = positions.collect();
        if fate.fails.is_some() {
            event = LeaseEvent::Failed { token };
        }
        self.found(finding);
        LeaseAnswer { event, positions }
    }

    fn found(&mut self, finding: Option<(Checker, String)>) {
        self.shared
            .check(Checker::Leases, finding.is_none(), || match &finding {
                Some((_, what)) => what.clone(),
                None => String::new(),
            });
    }

    pub(super) fn lease_answered(&mut self, index: usize, answer: LeaseAnswer) {
        let LeaseAnswer { event, positions } = answer;
        self.shared.say(|| format!("part {index}: {event:?}"));
        let Some(tenant) = &mut self.parts[index].tenant else {
            return;
        };
        if !matches!(event, LeaseEvent::Failed { .. }) {
            for (shard, position) in positions {
                tenant.positions[shard] = Some(position);
            }
        }
        let is_first = matches!(event, LeaseEvent::Scanned { .. })
            && !std::mem::replace(&mut tenant.has_scanned, true);
        self.tell(index, event);
        if is_first {
            self.lease_list(index);
        }
    }

    /// Progress reaches the table.
    pub(super) fn progress(&mut self, worker: &str, progress: Progress) -> Stored {
        let Some(table) = &mut self.shared.table else {
            unreachable!("workers have a table")
        };
        let mut stored = false;
        let mut finding = None;
        if progress.fate.works {
            (stored, finding) = table.checkpoint(worker, progress.shard, progress.delta);
        }
        self.found(finding);
        match progress.fate.fails {
            Some(class) => Stored::Failed(class),
            None if stored => Stored::Done,
            None => Stored::Refused,
        }
    }

    /// A worker hears what became of its progress.
    pub(super) fn progressed(&mut self, index: usize, progress: Progress, stored: Stored) {
        let Progress {
            token,
            shard,
            delta,
            tenure,
            ..
        } = progress;
        self.shared
            .say(|| format!("part {index}: progress of shard {shard}: {stored:?}"));
        let state = &mut self.parts[index];
        let Some(tenant) = &state.tenant else {
            return;
        };
        let is_same = tenant.tenures[shard].number == tenure;
        match stored {
            Stored::Done => {
                if is_same {
                    state.watch.stored(shard, delta.to);
                }
                self.feed(index, Event::Done { token });
                if delta.to == Position::End {
                    if let Some(tenant) = &mut self.parts[index].tenant {
                        tenant.positions[shard] = Some(Position::End);
                        tenant.enters(shard, Stage::Absent);
                    }
                    self.tell(index, LeaseEvent::Finished { key: key(shard) });
                    self.lease_list(index);
                }
            }
            Stored::Failed(class) => self.feed(index, Event::Failed { token, class }),
            Stored::Refused => {
                if is_same {
                    self.tell(index, LeaseEvent::Disowned { key: key(shard) });
                }
                let class = FailureClass::Denied;
                self.feed(index, Event::Failed { token, class });
            }
        }
    }

    /// A worker begins to leave: nothing new, and every lease goes back once its work is stored.
    pub(super) fn drain(&mut self, index: usize) {
        self.feed(index, Event::Control(Control::Drain));
        self.tell(index, LeaseEvent::Drain);
    }

    /// A worker that leaves; whether it has gone.
    pub(super) fn leave(&mut self, index: usize) -> bool {
        let state = &mut self.parts[index];
        if !state.machine.as_ref().is_some_and(Mapping::is_drained) {
            return state.machine.is_none();
        }
        let Some(tenant) = &state.tenant else {
            return true;
        };
        let held: Vec<String> = tenant.leases.held().cloned().collect();
        for key in held {
            if let Some(tenant) = &mut self.parts[index].tenant {
                tenant.enters(number(&key), Stage::Absent);
            }
            self.tell(index, LeaseEvent::Released { key });
        }
        let state = &mut self.parts[index];
        let has_gone = state
            .tenant
            .as_ref()
            .is_none_or(|it| it.leases.is_drained());
        if has_gone {
            self.shared.say(|| format!("part {index} has left"));
            state.machine = None;
            state.tenant = None;
            state.life += 1;
            state.is_down = true;
        }
        has_gone
    }

    pub(super) fn go_on_leaving(&mut self, index: usize) {
        if !self.leave(index) {
            let at = self.shared.now + LEAVING;
            self.calendar.plan(at, Due::Leave(index));
        }
    }
}

impl Hands<'_, '_> {
    fn lease_call(&mut self, action: LeaseAction) {
        let index = self.index;
        self.shared.say(|| format!("part {index} {action:?}"));
        let fate = self.fate(&[
            (Trouble::LeaseFails, false),
            (Trouble::LeaseAnswerLost, true),
        ]);
        let Some(tenant) = &self.state.tenant else {
            return;
        };
        // A shard with an ancestor that somebody works on, or did, is read from its beginning.
        let start = self.state.watch.config.starting_position;
        let from = match &action {
            LeaseAction::Create { key, .. } if descends(self.state, number(key)) => {
                Position::Horizon
            }
            _ => start,
        };
        let worker = tenant.leases.worker().to_owned();
        self.after_latency(Mine::LeaseCall(worker, action, from, fate));
    }

    /// Progress of a shard is on its way: it is told only while the shard is this worker's.
    pub(super) fn lease_progress(&mut self, token: Token, shard: usize, delta: Delta) {
        let fate = self.fate(&[
            (Trouble::StoreFails, false),
            (Trouble::StoreAnswerLost, true),
        ]);
        let Some(tenant) = &self.state.tenant else {
            return;
        };
        // A mapping is drained while a store that failed waits for its next try: the leases go back all the same, and the table
        // refuses what comes after that.
        let is_leaving = self.state.is_leaving || self.shared.drains.is_some();
        let has = is_leaving || tenant.stage(shard) != Stage::Absent;
        let tenure = tenant.tenures[shard].number;
        let worker = tenant.leases.worker().to_owned();
        self.state.watch.check(Checker::Leases, has, || {
            format!("progress of shard {shard}, which is not this worker's")
        });
        let progress = Progress {
            token,
            shard,
            delta,
            tenure,
            fate,
        };
        self.after_latency(Mine::Progress(worker, progress));
    }
}

/// Whether an ancestor of a shard has a row, as far as a worker knows.
fn descends(state: &State<'_>, shard: usize) -> bool {
    let Some(tenant) = &state.tenant else {
        return false;
    };
    let parents = &state.part.shards[shard].parents;
    parents.iter().any(|&parent| {
        let parent = parent as usize;
        tenant.positions[parent].is_some() || descends(state, parent)
    })
}
