//! The event loop and everything that it moves.

use super::aliases::{self, AliasModel};
use super::asynchronous::Asynchronous;
use super::calendar::{Calendar, EventSet};
use super::clients::Caller;
use super::destination::Destination;
use super::direct::{Call, Route};
use super::esm::SourceState;
use super::filtering::Matching;
use super::function::FunctionModel;
use super::tenants::TenantDraw;
use super::tournament::Tournament;
use super::versions;
use crate::engine::lambda::{
    AccountLimits, Attempt, Fate, FunctionId, FunctionLimits, Lambda, Lease, LimitError,
};
use crate::engine::{self, BatchId, Outcome, Page, Position, Ratio, ShardId, Span, Time, Token};
use crate::metrics::{AccountRecorder, BinEnd, FunctionRecorder, MappingRecorder, VersionRecorder};
use crate::scenario::{FaultKind, Scenario};
use crate::sim::arrivals::ArrivalProcess;

/// A running simulation.
pub(super) struct World<'s> {
    pub(super) inner: Inner<'s>,
    pub(super) mappings: Vec<engine::Mapping<()>>,
    /// Whether a mapping has begun to read: not while it is disabled from the beginning.
    pub(super) started: Vec<bool>,
}

/// Everything but the mappings, so that a mapping can be driven while the rest is at hand.
pub(super) struct Inner<'s> {
    pub(super) scenario: &'s Scenario,
    pub(super) seed: u64,
    pub(super) now: Time,
    pub(super) end: Time,
    pub(super) calendar: Calendar,
    pending: Vec<Pending>,
    free: Vec<u32>,
    pub(super) lambda: Lambda,
    pub(super) functions: Vec<FunctionModel>,
    /// Of all functions, in file order.
    pub(super) aliases: Vec<AliasModel>,
    /// The number of each function's first alias.
    pub(super) first_alias: Vec<u32>,
    pub(super) recorders: Vec<FunctionRecorder>,
    /// Of each function's versions.
    pub(super) version_recorders: Vec<Vec<VersionRecorder>>,
    pub(super) account: AccountRecorder,
    pub(super) traffic: Vec<ArrivalProcess>,
    pub(super) routes: Vec<Route>,
    pub(super) next_traffic: Tournament,
    pub(super) callers: Vec<Caller>,
    /// Whose calls each caller makes.
    pub(super) tenants: Vec<Option<TenantDraw>>,
    pub(super) retries: engine::Rng,
    pub(super) asynchronous: Asynchronous,
    pub(super) sources: Vec<SourceState>,
    pub(super) destinations: Vec<Destination>,
    /// The filters of each mapping, if it has any.
    pub(super) matching: Vec<Option<Matching>>,
    pub(super) mapping_recorders: Vec<MappingRecorder>,
    /// The wake-up of each mapping that is in the calendar.
    pub(super) mapping_wakes: Vec<Option<Time>>,
    /// The listing of each mapping that is in the calendar.
    pub(super) listings: Vec<Option<Time>>,
    /// The mapping that is at work was just given the end of a shard.
    pub(super) shard_ended: bool,
    /// Everything that mappings reported, if somebody wants to read it.
    pub(super) trace: Option<Vec<Traced>>,
    pub(super) arrivals_used: u64,
    pub(super) invocations: u64,
    pub(super) records: u64,
}

/// A fact with when and in which mapping it happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traced {
    /// Index of the mapping in the scenario.
    pub mapping: u32,
    /// When.
    pub at: Time,
    /// What.
    pub fact: engine::Fact,
}

/// A pending event. Nothing here is larger than it must be: one of these is moved for every invocation.
#[derive(Debug)]
#[repr(align(64))]
pub(super) enum Pending {
    /// The slot is free.
    Free,
    /// A direct call ends, and its caller is content.
    CallEnds { lease: Lease, fate: Fate },
    /// A call of a closed loop ends, and its client is content.
    CallAnswered {
        lease: Lease,
        fate: Fate,
        call: Call,
    },
    /// A caller stops waiting; its invocation goes on.
    CallGivenUp(Call),
    /// A direct call ends in an error, and its caller may try again.
    CallFails {
        lease: Lease,
        fate: Fate,
        call: Call,
    },
    /// A direct call has its answer, and its environment goes on without it.
    CallServed(Call),
    /// A caller tries again, or a client makes its next call.
    Retry(Call),
    /// The invocation of an asynchronous event ends.
    EventEnds {
        lease: Lease,
        fate: Fate,
        queue: u32,
        attempt: Attempt<()>,
        failed: bool,
    },
    /// The invocation of an event has come to its end, and its environment goes on without it.
    EventAnswered {
        queue: u32,
        attempt: Attempt<()>,
        failed: bool,
    },
    /// The reader of a queue of asynchronous events wakes up.
    ReaderDue(u32),
    /// A mapping's invocation ends.
    BatchEnds {
        lease: Lease,
        fate: Fate,
        mapping: u32,
        token: Token,
        batch: BatchId,
        outcome: Outcome,
    },
    /// A mapping's invocation has its answer, and its environment goes on without it.
    BatchAnswered {
        mapping: u32,
        token: Token,
        batch: BatchId,
        outcome: Outcome,
    },
    /// A read or receive returns.
    Fetched {
        mapping: u32,
        token: Token,
        page: Box<Page<()>>,
    },
    /// A push to a reader with enhanced fan-out arrives.
    Pushed {
        mapping: u32,
        token: Token,
        shard: ShardId,
        from: Position,
    },
    /// A mapping lists the shards of its stream.
    Listing(u32),
    /// A destination answers.
    Diverted {
        mapping: u32,
        token: Token,
        refused: bool,
    },
    /// Somebody disables, enables or changes a mapping: an index into the scenario's events.
    Control(u32),
    /// A mapping's deadline.
    MappingWake(u32),
    /// A queue has something for its waiting receivers.
    QueueWake(u32),
    /// A consumer group has something to tell its mapping.
    GroupDue(u32),
    /// A receive from Kafka is looked at.
    ReceiveDue { mapping: u32, poller: u32 },
    /// Provisioned concurrency of an alias is ready.
    Provisioned(u32),
    /// A minute of an alias with autoscaling is over.
    AliasMinute(u32),
    /// A scheduled action of an alias.
    ScheduledAction(u32),
    /// A deployment takes a step: indices of the deployment and of the step.
    Deploy(u32, u32),
    /// A fault begins or ends.
    FaultEdge,
}

/// One line of the processor's cache: with many running, taking one is what an invocation waits for.
const _: () = assert!(size_of::<Pending>() == 64);

impl<'s> World<'s> {
    /// The world of `scenario` under `seed`, at time zero.
    pub(super) fn new(
        scenario: &'s Scenario,
        seed: u64,
        trace: Option<Vec<Traced>>,
    ) -> Result<Self, LimitError> {
        let account = AccountLimits {
            concurrency: scenario.region.account_concurrency,
            caller_requests_per_sec: scenario.region.caller_requests_per_sec,
        };
        let limits = scenario
            .functions
            .iter()
            .map(|function| FunctionLimits {
                reserved_concurrency: function.reserved_concurrency,
                keep_alive: function.keep_alive,
                reuse: function.reuse,
            })
            .collect();
        let growth = engine::Growth {
            shape: scenario.region.growth_refill,
            ..scenario.profile.growth(scenario.region.burst_concurrency)
        };
        let allocation = scenario
            .profile
            .allocation(scenario.region.burst_concurrency);
        let lambda = Lambda::new(account, limits, growth, seed)?;
        let lambda = versions::published(lambda, scenario, seed)
            .with_aliases(&aliases::limits(scenario, seed), allocation)?;
        let lambda = versions::with_lives(lambda, scenario, seed);
        let mut traffic: Vec<ArrivalProcess> = scenario
            .traffic
            .iter()
            .enumerate()
            .map(|(index, traffic)| {
                let label = format!("traffic/{index}/arrivals");
                ArrivalProcess::new(&traffic.arrivals, 1.0, engine::Rng::stream(seed, &label))
            })
            .collect();
        let next_traffic = Tournament::new(traffic.iter_mut().map(Iterator::next));
        let functions = scenario.functions.iter();
        let mut inner = Inner {
            scenario,
            seed,
            now: Time::ZERO,
            end: Time::ZERO + scenario.duration,
            calendar: Calendar::default(),
            pending: Vec::new(),
            free: Vec::new(),
            lambda,
            account: AccountRecorder::default(),
            recorders: functions
                .clone()
                .map(|function| FunctionRecorder::new(function.managed.is_some()))
                .collect(),
            version_recorders: versions::recorders(scenario),
            functions: functions
                .map(|function| FunctionModel::new(function, seed))
                .collect(),
            aliases: AliasModel::all(scenario),
            first_alias: aliases::firsts(scenario),
            traffic,
            routes: Route::all(scenario),
            next_traffic,
            callers: Caller::all(scenario, seed),
            tenants: TenantDraw::all(scenario, seed),
            retries: engine::Rng::stream(seed, "traffic/retries"),
            asynchronous: Asynchronous::new(scenario, &aliases::firsts(scenario), seed),
            sources: SourceState::all(scenario, seed),
            destinations: Destination::all(scenario, seed),
            matching: scenario
                .mappings
                .iter()
                .map(|mapping| Matching::new(mapping, seed))
                .collect(),
            mapping_recorders: scenario
                .mappings
                .iter()
                .map(|_| MappingRecorder::default())
                .collect(),
            mapping_wakes: vec![None; scenario.mappings.len()],
            listings: vec![None; scenario.mappings.len()],
            shard_ended: false,
            trace,
            arrivals_used: 0,
            invocations: 0,
            records: 0,
        };
        for fault in &scenario.faults {
            inner.schedule(Time::ZERO + fault.at, Pending::FaultEdge);
            inner.schedule(Time::ZERO + fault.at + fault.lasts, Pending::FaultEdge);
        }
        inner.schedule_events();
        inner.start_aliases();
        inner.schedule_deployments();
        let mut world = Self {
            inner,
            mappings: Vec::new(),
            started: Vec::new(),
        };
        world.start_mappings();
        Ok(world)
    }

    /// Runs everything that happens before `until` (and before the end of the scenario).
    pub(super) fn run_until(&mut self, until: Time) {
        let until = until.min(self.inner.end);
        loop {
            let due = self.inner.calendar.peek();
            self.inner.foresee_events();
            let (source, arrival) = self.inner.next_traffic.first();
            if self.inner.asynchronous.is_due() {
                let next = due.map_or(arrival, |entry| entry.time().min(arrival));
                if next > self.inner.now {
                    self.inner.read_queues();
                    continue;
                }
            }
            match due {
                // At one instant what ends comes before what begins: a freed environment can serve.
                Some(entry) if entry.time() <= arrival => {
                    if entry.time() >= until {
                        break;
                    }
                    self.inner.calendar.pop();
                    self.inner.now = entry.time();
                    self.happen(entry.slot());
                }
                _ => {
                    if arrival >= until {
                        break;
                    }
                    self.inner.now = arrival;
                    self.inner.arrive(source);
                }
            }
        }
        self.inner.now = until;
    }

    /// Closes the bin of length `bin` that ends now.
    pub(super) fn roll(&mut self, bin: Span) {
        let in_hand: Vec<u64> = self.mappings.iter().map(engine::Mapping::in_hand).collect();
        self.inner.roll(bin, &in_hand);
    }

    #[inline]
    fn happen(&mut self, slot: u32) {
        let inner = &mut self.inner;
        match inner.take(slot) {
            Pending::CallEnds { lease, fate } => inner.release(lease, fate),
            Pending::CallFails { lease, fate, call } => {
                inner.release(lease, fate);
                inner.unanswered(call);
            }
            Pending::CallAnswered { lease, fate, call } => {
                inner.release(lease, fate);
                inner.client_free(call);
            }
            Pending::CallGivenUp(call) => inner.unanswered(call),
            Pending::CallServed(call) => inner.client_free(call),
            Pending::Retry(call) => inner.call(call),
            Pending::EventEnds {
                lease,
                fate,
                queue,
                attempt,
                failed,
            } => {
                inner.release(lease, fate);
                inner.event_ended(queue, attempt, failed);
            }
            Pending::EventAnswered {
                queue,
                attempt,
                failed,
            } => inner.event_ended(queue, attempt, failed),
            Pending::ReaderDue(queue) => inner.reader_due(queue),
            Pending::BatchEnds {
                lease,
                fate,
                mapping,
                token,
                batch,
                outcome,
            } => {
                inner.release(lease, fate);
                self.batch_ended(mapping, token, batch, outcome);
            }
            Pending::BatchAnswered {
                mapping,
                token,
                batch,
                outcome,
            } => self.batch_ended(mapping, token, batch, outcome),
            Pending::Fetched {
                mapping,
                token,
                page,
            } => {
                inner.shard_ended = page.shard_end;
                self.feed(mapping, engine::Event::Fetched { token, page: *page });
            }
            Pending::Pushed {
                mapping,
                token,
                shard,
                from,
            } => self.pushed(mapping, token, shard, from),
            Pending::Listing(mapping) => self.listing_due(mapping),
            Pending::Diverted {
                mapping,
                token,
                refused,
            } => self.diverted(mapping, token, refused),
            Pending::Control(index) => self.control(index),
            Pending::MappingWake(mapping) => self.mapping_due(mapping),
            Pending::QueueWake(source) => self.queue_due(source),
            Pending::GroupDue(mapping) => self.group_due(mapping),
            Pending::ReceiveDue { mapping, poller } => self.receive_due(mapping, poller),
            Pending::Provisioned(alias) => inner.allocation_due(alias),
            Pending::AliasMinute(alias) => inner.alias_minute(alias),
            Pending::ScheduledAction(alias) => inner.scheduled_action(alias),
            Pending::Deploy(deployment, step) => inner.deploy(deployment, step),
            Pending::FaultEdge => inner.apply_faults(),
            Pending::Free => unreachable!("a free slot was scheduled"),
        }
    }
}

impl Inner<'_> {
    /// Puts `pending` into the calendar.
    #[inline]
    pub(super) fn schedule(&mut self, at: Time, pending: Pending) {
        let slot = match self.free.pop() {
            Some(slot) => {
                self.pending[slot as usize] = pending;
                slot
            }
            None => {
                self.pending.push(pending);
                (self.pending.len() - 1) as u32
            }
        };
        self.calendar.schedule(at, slot);
    }

    /// An event that is in the calendar.
    #[inline]
    pub(super) fn pending(&self, slot: u32) -> &Pending {
        &self.pending[slot as usize]
    }

    #[inline]
    fn take(&mut self, slot: u32) -> Pending {
        self.free.push(slot);
        std::mem::replace(&mut self.pending[slot as usize], Pending::Free)
    }

    #[inline(always)]
    fn release(&mut self, lease: Lease, fate: Fate) {
        self.lambda.finish(self.now, lease, fate);
        let running = self.lambda.running(lease.function);
        self.recorders[lease.function.0 as usize].freed(self.now, running);
        self.provisioned_changed(&lease);
        self.freed(lease.function);
    }

    /// Recomputes what the faults in force do; called when one begins or ends.
    fn apply_faults(&mut self) {
        self.functions.iter_mut().for_each(FunctionModel::no_fault);
        for source in &mut self.sources {
            source.fault_throttle_rate = Ratio::ZERO;
            source.fault_deletion_rate = Ratio::ZERO;
        }
        for destination in &mut self.destinations {
            destination.fault_refuse_rate = Ratio::ZERO;
        }
        self.asynchronous.forget_faults();
        let mut lost = Vec::new();
        for fault in &self.scenario.faults {
            let begins = Time::ZERO + fault.at;
            if self.now < begins || self.now >= begins + fault.lasts {
                continue;
            }
            match fault.what {
                FaultKind::FunctionErrors { function, rate } => {
                    self.functions[function].fault(Some(rate), 1.0);
                }
                FaultKind::FunctionSlow { function, factor } => {
                    self.functions[function].fault(None, factor);
                }
                FaultKind::SourceThrottled { source, rate } => {
                    self.sources[source].fault_throttle_rate = rate;
                }
                FaultKind::DeletionsFail { source, rate }
                | FaultKind::CommitsFail { source, rate } => {
                    self.sources[source].fault_deletion_rate = rate;
                }
                FaultKind::ConnectionsLost { source } => lost.push(source),
                FaultKind::DestinationRefuses { mapping, rate } => {
                    self.destinations[mapping].fault_refuse_rate = rate;
                }
                FaultKind::EventDestinationRefuses { function, rate } => {
                    self.asynchronous.set_refusals(function, rate);
                }
            }
        }
        self.apply_connections(&lost);
    }

    /// Closes the bin of length `bin` that ends now, at which the mappings hold so many records.
    fn roll(&mut self, bin: Span, in_hand: &[u64]) {
        let now = self.now;
        for (index, recorder) in self.recorders.iter_mut().enumerate() {
            let environments = self.lambda.environments(now, FunctionId(index as u32));
            let id = FunctionId(index as u32);
            recorder.recycled(self.lambda.recycled(id));
            recorder.managed_throttles(self.lambda.managed_throttles(id));
            recorder.roll(now, bin, environments);
        }
        let versions = self.version_recorders.iter_mut().flatten();
        versions.for_each(VersionRecorder::roll);
        self.account.roll(self.lambda.account());
        self.asynchronous.roll();
        for (index, mapping) in self.scenario.mappings.iter().enumerate() {
            let recorder = &mut self.mapping_recorders[index];
            if let Some((topic, group)) = self.sources[mapping.source].kafka(index) {
                group.lags(topic, now, |shard, lag, records| {
                    recorder.lag(shard, lag, records);
                });
            }
            let source = self.sources[mapping.source].roll(index, now);
            recorder.roll(BinEnd {
                in_hand: in_hand[index],
                ..source
            });
        }
        for source in &mut self.sources {
            source.bin_over(now);
        }
    }
}
