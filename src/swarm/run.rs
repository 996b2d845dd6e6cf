//! One world from its beginning to its end, in virtual time.

mod ends;
mod fleet;
mod hands;
mod happen;
mod incidents;
mod reads;

use super::log::What as Happened;
use super::services::function::{Answer, Course};
use super::services::leases::LeaseTable;
use super::services::{Source, Tag};
use super::tally::{Checker, Failure, Tally};
use super::watch::Watch;
use super::world::{Incident, Part, START, World};
use crate::engine::lambda::{AccountLimits, FunctionLimits, Lambda, Lease, Reuse};
use crate::engine::lease::LeaseAction;
use crate::engine::{
    Event, Failure as Parting, Mapping, Position, Profile, Rng, ShardId, Span, Time, Token,
    WindowCall, pump,
};
use fleet::{Frozen, LeaseAnswer, Progress, Stored, Tenant};
use hands::Hands;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// A fault planted in the engine; there is none without the feature `mutations`.
#[cfg(feature = "mutations")]
pub(super) type Mutant = crate::engine::mutation::Mutant;

/// How a world is run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Manner {
    /// Keep what happened as lines of text.
    pub trace: bool,
    /// A fault planted in the engine.
    #[cfg(feature = "mutations")]
    pub mutant: Option<Mutant>,
}

impl Manner {
    /// With a trace.
    pub const fn traced() -> Self {
        Self {
            trace: true,
            #[cfg(feature = "mutations")]
            mutant: None,
        }
    }
}

/// How a world ended.
#[derive(Debug, Default)]
pub struct Verdict {
    /// What was found, if anything.
    pub failure: Option<Failure>,
    /// Figures.
    pub tally: Tally,
    /// What happened, if that was asked for.
    pub trace: Vec<String>,
}

/// A world while it runs.
#[derive(Debug)]
struct Run<'w> {
    world: &'w World,
    #[cfg(feature = "mutations")]
    manner: Manner,
    events_max: u64,
    calendar: Calendar,
    parts: Vec<State<'w>>,
    shared: Shared<'w>,
}

/// What all parts have together.
#[derive(Debug)]
struct Shared<'w> {
    world: &'w World,
    now: Time,
    lambda: Lambda,
    /// What workers that share a stream have in common.
    table: Option<LeaseTable>,
    /// Invocations that run, by function.
    running: Vec<u32>,
    /// When the mappings were told to come to rest.
    drains: Option<Time>,
    tally: Tally,
    trace: Option<Vec<String>>,
    failure: Option<Failure>,
}

/// One part.
#[derive(Debug)]
struct State<'w> {
    part: &'w Part,
    machine: Option<Mapping<Tag>>,
    /// Counts mappings: what an earlier one waits for is nothing to the present one.
    life: u32,
    wake: Option<Time>,
    source: Source,
    watch: Watch<'w>,
    is_enabled: bool,
    is_down: bool,
    /// The group is about to decide.
    balancing: bool,
    /// Receives of a broker that wait.
    calls: u64,
    /// Its leases, if it shares its stream.
    tenant: Option<Tenant>,
    frozen: Option<Frozen>,
    /// It has left, or does, and does not come back.
    is_leaving: bool,
}

/// Something in the calendar.
#[derive(Debug)]
enum Due {
    Incident(usize, usize),
    Begin(usize),
    Wake(usize),
    List(usize),
    Balance(usize),
    /// A deadline of a worker's leases.
    Lease(usize),
    /// A worker that leaves may be done.
    Leave(usize),
    Mine(usize, u32, Mine),
    Check,
}

/// Something that one life of a mapping waits for.
#[derive(Debug)]
enum Mine {
    Answer(Event<Tag>),
    Read {
        token: Token,
        shard: ShardId,
        from: Position,
        max: u32,
    },
    Receive(Receive),
    Stored {
        token: Token,
        shard: usize,
        to: Position,
        window: Option<(Time, u32)>,
        assignment: u32,
        fate: Fate,
    },
    Deleted {
        token: Token,
        tags: Vec<Tag>,
        fate: Fate,
    },
    Released {
        token: Token,
        tags: Vec<Tag>,
    },
    Diverted {
        token: Token,
        tags: Vec<Tag>,
        failure: Parting,
        fate: Fate,
    },
    Yielded {
        token: Token,
        poller: u32,
        shards: Vec<ShardId>,
    },
    Left {
        token: Token,
        poller: u32,
    },
    Ends {
        token: Token,
        tags: Vec<Tag>,
        window: Option<WindowCall>,
        course: Course,
        lease: Lease,
    },
    Refused {
        token: Token,
        tags: Vec<Tag>,
        window: Option<WindowCall>,
        answer: Answer,
    },
    /// A worker's call to the lease table, with his name, and its answer.
    LeaseCall(String, LeaseAction, Position, Fate),
    LeaseAnswer(LeaseAnswer),
    Progress(String, Progress),
    Progressed(Progress, Stored),
}

/// A receive that waits for something to come.
#[derive(Debug)]
struct Receive {
    token: Token,
    poller: u32,
    max: u32,
    deadline: Time,
    held: Vec<ShardId>,
    answer_is_lost: bool,
    /// Brokers: the connection that it waits on.
    connection: u32,
}

/// What becomes of a call: whether it has its effect, and what the caller hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Fate {
    works: bool,
    fails: Option<crate::engine::FailureClass>,
}

/// What is to happen, by time; what is due at one instant happens in the order in which it was planned.
#[derive(Debug, Default)]
struct Calendar {
    heap: BinaryHeap<Reverse<(Time, u64, u32)>>,
    slots: Vec<Option<Due>>,
    free: Vec<u32>,
    order: u64,
}

impl Calendar {
    fn plan(&mut self, at: Time, due: Due) {
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slots[slot as usize] = Some(due);
                slot
            }
            None => {
                self.slots.push(Some(due));
                self.slots.len() as u32 - 1
            }
        };
        self.order += 1;
        self.heap.push(Reverse((at, self.order, slot)));
    }

    fn next(&mut self) -> Option<(Time, Due)> {
        let Reverse((at, _, slot)) = self.heap.pop()?;
        self.free.push(slot);
        let due = self.slots[slot as usize].take()?;
        Some((at, due))
    }
}

/// An empty lease table.
fn table(world: &World, manner: Manner) -> LeaseTable {
    let shards = world.parts.first().map_or(0, |part| part.shards.len());
    #[cfg_attr(
        not(feature = "mutations"),
        expect(unused_mut, reason = "one field more")
    )]
    let mut table = LeaseTable::new(shards);
    #[cfg(feature = "mutations")]
    {
        table.mutant = manner.mutant;
    }
    #[cfg(not(feature = "mutations"))]
    let _ = manner;
    table
}

/// Runs a world to its end. A broken assertion of the engine is a panic here; see [`super::examine`].
pub(super) fn run(world: &World, manner: Manner) -> Verdict {
    let mut run = Run::new(world, manner);
    run.begin();
    run.go_on();
    let mut verdict = run.finish();
    if let (Some(annex), None) = (&world.annex, &verdict.failure) {
        let other = self::run(annex, manner);
        verdict.tally.add(&other.tally);
        verdict.tally.worlds = 1;
        verdict.trace.extend(other.trace);
        verdict.failure = other.failure;
    }
    verdict
}

impl<'w> Run<'w> {
    fn new(world: &'w World, manner: Manner) -> Self {
        let account = AccountLimits {
            concurrency: world.account,
            caller_requests_per_sec: None,
        };
        let functions = world.functions.iter().map(|script| FunctionLimits {
            reserved_concurrency: script.reserved,
            keep_alive: Span::from_secs(600),
            reuse: Reuse::MostRecent,
        });
        let growth = Profile::Current.growth(0);
        let lambda = match Lambda::new(account, functions.collect(), growth, world.seed) {
            Ok(lambda) => lambda,
            Err(error) => panic!("the swarm drew limits that are refused: {error}"),
        };
        let records: usize = world.parts.iter().map(|part| part.records.len()).sum();
        let events_max = 200_000 * (1 + world.parts.len() as u64) + 1_000 * records as u64;
        let parts = world.parts.iter().enumerate().map(|(number, part)| State {
            part,
            machine: None,
            life: 0,
            wake: None,
            source: Source::new(part),
            watch: Watch::new(number, part),
            is_enabled: true,
            is_down: true,
            balancing: false,
            calls: 0,
            tenant: None,
            frozen: None,
            is_leaving: false,
        });
        Self {
            world,
            #[cfg(feature = "mutations")]
            manner,
            events_max,
            calendar: Calendar::default(),
            parts: parts.collect(),
            shared: Shared {
                world,
                now: START,
                lambda,
                table: world.fleet.map(|_| table(world, manner)),
                running: vec![0; world.functions.len()],
                drains: None,
                tally: Tally {
                    worlds: 1,
                    mappings: world.parts.len() as u64,
                    ..Tally::default()
                },
                trace: manner.trace.then(Vec::new),
                failure: None,
            },
        }
    }

    fn begin(&mut self) {
        for index in 0..self.parts.len() {
            let part = self.parts[index].part;
            self.calendar.plan(part.begins, Due::Begin(index));
            for (number, event) in part.events.iter().enumerate() {
                self.calendar.plan(event.at, Due::Incident(index, number));
            }
            for shard in part.shards.iter().filter(|shard| shard.opens > START) {
                self.calendar.plan(shard.opens, Due::List(index));
            }
            let tally = &mut self.shared.tally;
            tally.records += part.records.len() as u64;
            tally.reshardings += part.shards.iter().filter(|it| it.closes.is_some()).count() as u64;
        }
        self.calendar.plan(self.world.calm, Due::Check);
    }

    fn go_on(&mut self) {
        while let Some((at, due)) = self.calendar.next() {
            self.shared.now = at;
            self.shared.tally.events += 1;
            let rests = self.shared.tally.events < self.events_max;
            self.shared.check(Checker::Liveness, rests, || {
                "so much happens that it cannot come to an end".to_owned()
            });
            let is_over = self.happen(due);
            if is_over || self.has_failed() {
                return;
            }
        }
    }

    fn has_failed(&mut self) -> bool {
        for state in &mut self.parts {
            if self.shared.failure.is_none() {
                self.shared.failure = state.watch.failure.take();
            }
        }
        self.shared.failure.is_some()
    }

    /// Gives a mapping one input and carries out what it wants.
    fn feed(&mut self, index: usize, event: Event<Tag>) {
        let now = self.shared.now;
        let state = &mut self.parts[index];
        let Some(machine) = &mut state.machine else {
            return;
        };
        machine.handle(now, event);
        self.pump(index);
        self.follow(index);
    }

    fn pump(&mut self, index: usize) {
        let now = self.shared.now;
        let state = &mut self.parts[index];
        state.watch.now = now;
        let Some(mut machine) = state.machine.take() else {
            return;
        };
        let mut hands = Hands {
            index,
            state,
            shared: &mut self.shared,
            calendar: &mut self.calendar,
        };
        let wake = pump(&mut machine, now, &mut hands);
        state.machine = Some(machine);
        if let Some((at, _)) = wake
            && state.wake.is_none_or(|planned| at < planned)
        {
            state.wake = Some(at);
            self.calendar.plan(at, Due::Wake(index));
        }
    }

    fn build(&mut self, index: usize) {
        let now = self.shared.now;
        let state = &mut self.parts[index];
        #[cfg_attr(
            not(feature = "mutations"),
            expect(unused_mut, reason = "one field more")
        )]
        let mut tuning = state.part.tuning();
        #[cfg(feature = "mutations")]
        {
            tuning.mutant = self.manner.mutant;
        }
        let rng = Rng::from_key(super::dice::hashed(
            self.world.seed,
            index as u64,
            u64::from(state.life),
            7,
        ));
        state.watch.now = now;
        state.watch.restart();
        let config = state.watch.config.clone();
        match Mapping::new(config, tuning, rng, now) {
            Ok(machine) => state.machine = Some(machine),
            Err(unsupported) => panic!("the swarm drew a mapping that is refused: {unsupported}"),
        }
        state.wake = None;
        if self.world.fleet.is_some() {
            self.begin_tenancy(index);
            self.pump(index);
            self.follow(index);
        } else if state.part.kind.is_stream() {
            self.list(index);
        } else {
            self.pump(index);
        }
    }

    /// Collects what all watches counted.
    fn finish(mut self) -> Verdict {
        self.has_failed();
        let mut tally = self.shared.tally;
        tally.virtual_secs = self.shared.now.since(START).as_millis() / 1_000;
        for state in &self.parts {
            for (sum, count) in tally.checks.iter_mut().zip(state.watch.checks) {
                *sum += count;
            }
        }
        Verdict {
            failure: self.shared.failure,
            tally,
            trace: self.shared.trace.unwrap_or_default(),
        }
    }
}

impl Shared<'_> {
    fn say(&mut self, what: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            let at = self.now.since(START).as_millis();
            trace.push(format!("{at:>9} ms  {}", what()));
        }
    }

    fn check(&mut self, checker: Checker, holds: bool, what: impl FnOnce() -> String) {
        self.tally.checks[checker as usize] += 1;
        if !holds && self.failure.is_none() {
            let at = self.now.since(START).as_millis();
            self.failure = Some(Failure {
                checker,
                what: format!("{at} ms: {}", what()),
            });
        }
    }
}
