//! The stream family: shards read in order, one batch per lane in flight, checkpoints behind them.

mod lane;
mod progress;
mod shard;
mod tenure;
mod window;

use super::batch::Batches;
use super::slab::Slab;
use super::work::Todo;
use super::{Core, Mode};
use crate::engine::{Action, Control, Event, Fact, FailureClass, ShardId, Token};
use lane::Orphan;
use shard::{Shard, Timer};

/// All shards of one stream mapping.
#[derive(Debug)]
pub(super) struct Stream<P> {
    shards: Vec<Shard<P>>,
    pending: Slab<Pending>,
    /// Pending actions that a drain waits for; reads are not among them.
    working: usize,
}

/// What an unanswered token belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pending {
    Read(ShardId),
    Invoke(ShardId, u32),
    Divert(ShardId, u32),
    Checkpoint(ShardId),
    /// A shard that leaves.
    Yield(ShardId),
    /// Whatever it was for, the shard is somebody else's; a call has its records.
    Orphan(Option<Orphan>),
}

/// Which lanes of a shard may have something to do.
#[derive(Clone, Copy, Debug)]
enum Lanes {
    All,
    One(u32),
    None,
}

impl<P> Stream<P> {
    pub(super) fn new() -> Self {
        Self {
            shards: Vec::new(),
            pending: Slab::default(),
            working: 0,
        }
    }

    pub(super) fn in_hand(&self, batches: &Batches<P>) -> u64 {
        let shards = self.shards.iter();
        shards.map(|shard| shard.in_hand(batches)).sum()
    }

    pub(super) const fn is_drained(&self) -> bool {
        self.working == 0
    }

    pub(super) fn handle(&mut self, core: &mut Core<P>, event: Event<P>) {
        match event {
            Event::Fetched { token, page } => {
                let id = match self.take(token) {
                    Pending::Read(id) => id,
                    Pending::Orphan(None) => return core.batches.recycle(page.records),
                    other => panic!("{token:?} was given for {other:?}"),
                };
                self.shard(id).page(core, page);
                self.step(core, id, Lanes::All);
            }
            Event::Invoked { token, outcome } => {
                let (id, lane) = match self.take(token) {
                    Pending::Invoke(id, lane) => (id, lane),
                    other @ Pending::Orphan(_) => {
                        return self.orphan_ended(core, token, other, Some(outcome));
                    }
                    other => panic!("{token:?} was given for {other:?}"),
                };
                self.working -= 1;
                let records = self.shard(id).invoked(core, lane, outcome);
                core.fact(Fact::InvokeEnded {
                    token,
                    records,
                    succeeded: outcome.succeeded(records),
                    outcome,
                });
                self.step(core, id, Lanes::One(lane));
            }
            Event::InvokedPartly { .. } => {
                panic!("a stream's partial result is Outcome::Partial")
            }
            Event::Done { token } => self.done(core, token),
            Event::Failed { token, class } => {
                core.fact(Fact::CallFailed { class });
                self.call_failed(core, token, class);
            }
            Event::Measured { .. } => panic!("a stream has no partitions to measure"),
            Event::Control(Control::Assigned { shards, .. }) => self.assigned(core, &shards),
            Event::Control(Control::Revoked { shards, .. }) => self.revoked(core, &shards),
            Event::Control(Control::Lost { shards, .. }) => self.lost(core, &shards),
            Event::Control(Control::Shards(listed)) => self.discovered(core, &listed),
            Event::Control(Control::Drain) => {
                core.switch(Mode::Draining);
            }
            // Rule `disable-keeps-position`: places and batches stay as they are.
            Event::Control(Control::Disable) => {
                core.switch(Mode::Disabled);
            }
            Event::Control(Control::Enable) => {
                if core.switch(Mode::Enabled) {
                    self.step_all(core);
                }
            }
            Event::Control(Control::Update(config)) => {
                core.update(*config);
                self.step_all(core);
            }
        }
    }

    pub(super) fn handle_timer(&mut self, core: &mut Core<P>, key: u32) {
        let (id, timer) = Timer::of_key(key);
        let lanes = match timer {
            Timer::Lane(lane) => Lanes::One(lane),
            Timer::Read => Lanes::None,
            Timer::Store => {
                self.shard(id).store_retry_due();
                Lanes::None
            }
        };
        self.step(core, id, lanes);
    }

    fn done(&mut self, core: &mut Core<P>, token: Token) {
        let pending = self.take(token);
        if let Pending::Orphan(_) = pending {
            return self.orphan_ended(core, token, pending, None);
        }
        self.working -= 1;
        match pending {
            Pending::Yield(id) => self.left(core, id),
            Pending::Checkpoint(id) => {
                let ended = self.shard(id).stored(core);
                self.step(core, id, Lanes::None);
                if ended {
                    self.ended(core, id);
                }
            }
            Pending::Divert(id, lane) => {
                self.shard(id).diverted(core, lane);
                self.step(core, id, Lanes::One(lane));
            }
            other => panic!("{token:?} was given for {other:?}"),
        }
    }

    fn call_failed(&mut self, core: &mut Core<P>, token: Token, class: FailureClass) {
        match self.take(token) {
            Pending::Read(id) => {
                self.shard(id).read_failed(core, class);
                self.step(core, id, Lanes::None);
            }
            Pending::Checkpoint(id) => {
                self.working -= 1;
                self.shard(id).store_failed(core);
                self.step(core, id, Lanes::None);
            }
            Pending::Divert(id, lane) => {
                self.working -= 1;
                self.shard(id).divert_failed(core, lane, class);
                self.step(core, id, Lanes::One(lane));
            }
            Pending::Yield(id) => {
                self.working -= 1;
                self.left(core, id);
            }
            other @ Pending::Orphan(_) => self.orphan_ended(core, token, other, None),
            Pending::Invoke(..) => {
                panic!("an invocation is answered by Event::Invoked, not Event::Failed")
            }
        }
    }

    fn discovered(&mut self, core: &mut Core<P>, listed: &[crate::engine::Shard]) {
        for shard in listed {
            let known = self.shards.len() as u32;
            if shard.id.0 < known {
                continue;
            }
            assert!(
                shard.id.0 == known,
                "shard indices have a gap: {known} is missing before {}",
                shard.id.0
            );
            self.shards.push(Shard::new(shard, core));
        }
        self.step_all(core);
    }

    fn step_all(&mut self, core: &mut Core<P>) {
        for index in 0..self.shards.len() {
            self.step(core, ShardId(index as u32), Lanes::All);
        }
    }

    /// Lets a shard do whatever it can do now; one that waits for its parents starts when the last has ended.
    fn step(&mut self, core: &mut Core<P>, id: ShardId, lanes: Lanes) {
        let shard = &mut self.shards[id.0 as usize];
        if shard.is_absent() {
            return;
        }
        if shard.is_leaving() {
            shard.shed(core);
        }
        if !self.shards[id.0 as usize].is_started() {
            let ready = self.shards[id.0 as usize].parents().iter().all(|parent| {
                self.shards
                    .get(parent.0 as usize)
                    .is_none_or(Shard::is_finished)
            });
            if !ready && !mutant!(core, ChildBeforeParent) {
                return;
            }
            self.shard(id).start(core);
        }
        self.advance(core, id, lanes);
    }

    /// Starts the children of a shard whose end is stored (rule `stream-children-after-parents`).
    fn ended(&mut self, core: &mut Core<P>, id: ShardId) {
        core.fact(Fact::ShardEnded { shard: id });
        for index in 0..self.shards.len() {
            if self.shards[index].parents().contains(&id) {
                self.step(core, ShardId(index as u32), Lanes::All);
            }
        }
    }

    fn advance(&mut self, core: &mut Core<P>, id: ShardId, lanes: Lanes) {
        let shard = &mut self.shards[id.0 as usize];
        let lanes = match lanes {
            Lanes::All => 0..shard.lane_count(),
            Lanes::One(lane) => lane..lane + 1,
            Lanes::None => 0..0,
        };
        for lane in lanes {
            match shard.next_todo(core, lane) {
                None => {}
                Some(Todo::Invoke {
                    batch,
                    attempt,
                    window,
                }) => {
                    let token = Self::pend(&mut self.pending, Pending::Invoke(id, lane));
                    self.working += 1;
                    shard.report_invoke(core, lane, token, attempt);
                    core.act(Action::Invoke {
                        token,
                        batch,
                        attempt,
                        window,
                    });
                }
                Some(Todo::Divert { batch, failure }) => {
                    let token = Self::pend(&mut self.pending, Pending::Divert(id, lane));
                    self.working += 1;
                    core.act(Action::Divert {
                        token,
                        batch,
                        failure,
                    });
                }
            }
        }
        if let Some((from, records_max)) = shard.next_read(core) {
            let token = Self::pend(&mut self.pending, Pending::Read(id));
            core.act(Action::Read {
                token,
                shard: id,
                from,
                records_max,
            });
        }
        if let Some((delta, window)) = shard.next_checkpoint(core) {
            let token = Self::pend(&mut self.pending, Pending::Checkpoint(id));
            self.working += 1;
            core.act(Action::Checkpoint {
                token,
                shard: id,
                delta,
                window,
            });
        }
        self.leave_if_done(core, id);
    }

    fn pend(pending: &mut Slab<Pending>, what: Pending) -> Token {
        let index = pending.insert(what);
        pending.token(index)
    }

    fn take(&mut self, token: Token) -> Pending {
        match self.pending.take(token) {
            Some(pending) => pending,
            None => panic!("{token:?} is not pending: answered twice, or never given"),
        }
    }

    fn shard(&mut self, id: ShardId) -> &mut Shard<P> {
        &mut self.shards[id.0 as usize]
    }
}

#[cfg(test)]
mod tests {
    use crate::engine::{
        Action, Control, Event, Fact, Mapping, MappingConfig, Page, Position, Profile, Rng, Shard,
        ShardId, SourceKind, Time, Tuning,
    };

    /// The child is listed while the end of its parent is still being stored.
    #[test]
    fn a_child_starts_when_the_end_of_its_parent_is_stored() {
        let now = Time::from_secs(1);
        let config = MappingConfig::new("clicks", SourceKind::Kinesis);
        let rng = Rng::stream(1, "mapping/clicks");
        let tuning = Tuning::new(Profile::Current);
        let mut mapping: Mapping<()> = Mapping::new(config, tuning, rng, now).expect("a mapping");
        let shard = |id, parents: &[u32]| Shard {
            id: ShardId(id),
            from: Position::Horizon,
            parents: parents.iter().copied().map(ShardId).collect(),
            window: None,
        };
        let drained = |mapping: &mut Mapping<()>| {
            let facts: Vec<Fact> = std::iter::from_fn(|| mapping.poll_fact()).collect();
            let actions: Vec<Action> = std::iter::from_fn(|| mapping.poll_action(now)).collect();
            (actions, facts)
        };
        let list = vec![shard(0, &[])];
        mapping.handle(now, Event::Control(Control::Shards(list)));
        let (actions, _) = drained(&mut mapping);
        let [Action::Read { token, .. }] = actions[..] else {
            panic!("{actions:?}")
        };
        let page = Page {
            shard_end: true,
            ..Page::default()
        };
        mapping.handle(now, Event::Fetched { token, page });
        let (actions, _) = drained(&mut mapping);
        let [Action::Checkpoint { token, .. }] = actions[..] else {
            panic!("{actions:?}")
        };
        let list = vec![shard(1, &[0])];
        mapping.handle(now, Event::Control(Control::Shards(list)));
        assert_eq!(drained(&mut mapping).0, []);
        mapping.handle(now, Event::Done { token });
        let (actions, facts) = drained(&mut mapping);
        assert!(
            matches!(actions[..], [Action::Read { shard, .. }] if shard == ShardId(1)),
            "{actions:?}"
        );
        assert!(facts.contains(&Fact::ShardEnded { shard: ShardId(0) }));
    }
}
