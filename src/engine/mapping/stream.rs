//! The stream family: shards read in order, one batch of a shard in flight, checkpoints behind it.

mod shard;

use super::slab::Slab;
use super::{Core, Mode};
use crate::engine::{Action, Control, Event, Fact, Outcome, ShardId, Token};
use shard::{Shard, TIMERS_PER_SHARD, Timer};

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
pub(super) enum Pending {
    Read(ShardId),
    Invoke(ShardId),
    Checkpoint(ShardId),
}

impl<P> Stream<P> {
    pub(super) fn new() -> Self {
        Self {
            shards: Vec::new(),
            pending: Slab::default(),
            working: 0,
        }
    }

    pub(super) fn buffered(&self) -> u64 {
        self.shards.iter().map(Shard::buffered).sum()
    }

    pub(super) const fn is_drained(&self) -> bool {
        self.working == 0
    }

    pub(super) fn handle(&mut self, core: &mut Core<P>, event: Event<P>) {
        match event {
            Event::Fetched { token, page } => {
                let id = self.shard_of(token, Pending::Read);
                self.shard(id).page(core, page);
                self.step(core, id);
            }
            Event::Invoked { token, outcome } => {
                let id = self.shard_of(token, Pending::Invoke);
                self.working -= 1;
                let records = self.shard(id).invoked(core, outcome);
                core.fact(Fact::InvokeEnded {
                    token,
                    records,
                    outcome,
                });
                self.step(core, id);
            }
            Event::Done { token } => {
                let id = self.shard_of(token, Pending::Checkpoint);
                self.working -= 1;
                let ended = self.shard(id).stored(core);
                self.step(core, id);
                if ended {
                    self.ended(core, id);
                }
            }
            Event::Failed { token, class } => {
                core.fact(Fact::CallFailed { class });
                let pending = self.take(token);
                let id = match pending {
                    Pending::Read(id) => {
                        self.shard(id).read_failed(core, class);
                        id
                    }
                    Pending::Checkpoint(id) => {
                        self.working -= 1;
                        self.shard(id).store_failed(core);
                        id
                    }
                    Pending::Invoke(_) => {
                        panic!("an invocation is answered by Event::Invoked, not Event::Failed")
                    }
                };
                self.step(core, id);
            }
            Event::Control(Control::Shards(listed)) => self.discovered(core, &listed),
            Event::Control(Control::Drain) => {
                core.switch(Mode::Draining);
            }
            Event::Control(Control::Disable | Control::Enable | Control::Update(_)) => {}
        }
    }

    pub(super) fn handle_timer(&mut self, core: &mut Core<P>, key: u32) {
        let id = ShardId(key / TIMERS_PER_SHARD);
        if key % TIMERS_PER_SHARD == Timer::Store as u32 {
            self.shard(id).store_retry_due();
        }
        self.step(core, id);
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
            self.shards.push(Shard::new(shard, core.now));
        }
        for index in 0..self.shards.len() {
            self.step(core, ShardId(index as u32));
        }
    }

    /// Lets a shard do whatever it can do now; one that waits for its parents starts when the last has ended.
    fn step(&mut self, core: &mut Core<P>, id: ShardId) {
        if !self.shards[id.0 as usize].is_started() {
            let ready = self.shards[id.0 as usize].parents().iter().all(|parent| {
                self.shards
                    .get(parent.0 as usize)
                    .is_none_or(Shard::is_finished)
            });
            if !ready {
                return;
            }
            self.shard(id).start(core);
        }
        self.advance(core, id);
    }

    /// Starts the children of a shard whose end is stored (rule `stream-children-after-parents`).
    fn ended(&mut self, core: &mut Core<P>, id: ShardId) {
        core.fact(Fact::ShardEnded { shard: id });
        for index in 0..self.shards.len() {
            if self.shards[index].parents().contains(&id) {
                self.step(core, ShardId(index as u32));
            }
        }
    }

    fn advance(&mut self, core: &mut Core<P>, id: ShardId) {
        let shard = &mut self.shards[id.0 as usize];
        if let Some((batch, attempt)) = shard.next_invoke(core) {
            let token = Self::pend(&mut self.pending, Pending::Invoke(id));
            self.working += 1;
            shard.report_invoke(core, token);
            core.act(Action::Invoke {
                token,
                batch,
                attempt,
                window: None,
            });
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
        if let Some(delta) = shard.next_checkpoint() {
            let token = Self::pend(&mut self.pending, Pending::Checkpoint(id));
            self.working += 1;
            core.act(Action::Checkpoint {
                token,
                shard: id,
                delta,
                window: None,
            });
        }
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

    fn shard_of(&mut self, token: Token, kind: fn(ShardId) -> Pending) -> ShardId {
        let pending = self.take(token);
        let (Pending::Read(id) | Pending::Invoke(id) | Pending::Checkpoint(id)) = pending;
        assert!(pending == kind(id), "{token:?} was given for {pending:?}");
        id
    }

    fn shard(&mut self, id: ShardId) -> &mut Shard<P> {
        &mut self.shards[id.0 as usize]
    }
}

/// The part of an outcome that decides what a stream does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Succeeded,
    /// Counts against MaximumRetryAttempts.
    Failed,
    /// Never counts.
    Refused,
}

impl From<Outcome> for Verdict {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Success | Outcome::StateTooLarge => Self::Succeeded,
            // Rule `stream-oversize-spends-tries`: recorded, although the handler never runs.
            Outcome::FunctionError
            | Outcome::TooLarge
            | Outcome::Rejected
            | Outcome::Partial { .. } => Self::Failed,
            Outcome::Throttled { .. } | Outcome::ServiceError => Self::Refused,
        }
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
