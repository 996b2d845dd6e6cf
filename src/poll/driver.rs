//! The loop of one mapping: wait, feed one input, drain, again.

use crate::engine::lease::LeaseEvent;
use crate::engine::{
    Control, Event, Mapping, MappingConfig, Page, Shard, Span, Time, WakeReason, pump,
};
use crate::poll::Clock;
use crate::poll::board::State;
use crate::poll::counters::get;
use crate::poll::divert::Outlet;
use crate::poll::effects::{Input, Io};
use crate::poll::kafka;
use crate::poll::leases::Keeper;
use crate::source::Payload;
use crate::target::Target;
use std::sync::Arc;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinError;

/// Inputs that are taken in one wake, so that one busy mapping cannot keep a thread for itself.
const INPUTS_PER_WAKE_MAX: u32 = 256;
/// How often the shards of a stream are listed when none of them ended.
pub(crate) const LIST_INTERVAL: Span = Span::from_secs(60);
/// When they are listed again after a failure, or after an ended shard whose children are not shown yet.
pub(crate) const LIST_AGAIN: Span = Span::from_secs(5);
/// How often an ended shard lets the list be made so soon: some shards have no children.
const LISTS_FOR_CHILDREN: u32 = 12;

/// Clocks of one service's machines and of this one differ by less than this.
const CLOCKS_DIFFER: Span = Span::from_secs(1);

/// What the run asks of its mappings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Go on.
    Run,
    /// Take no new records, finish what is in hand.
    Drain,
}

/// When a mapping ends by itself.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ends {
    /// After this long without records, or as soon as a local source has no more.
    pub(crate) idle: Option<Span>,
    /// After this many finished records over all mappings.
    pub(crate) records_max: Option<u64>,
}

/// Why a mapping stopped before its time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("mapping `{mapping}`: {text}")]
pub struct MappingFailed {
    mapping: String,
    text: String,
}

/// What a run asks of one mapping.
#[derive(Debug)]
pub(crate) enum Order {
    Change(Box<Change>),
    Disable,
    Enable,
    /// Finish what is in hand and end; what it is called meanwhile.
    Drain(State),
}

/// New settings of a mapping that runs.
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) config: MappingConfig,
    pub(crate) target: Arc<Target>,
    pub(crate) outlet: Option<Arc<Outlet>>,
}

/// One mapping with its outside world.
pub(crate) struct Driver {
    pub(crate) mapping: Mapping<Payload>,
    pub(crate) io: Io,
    pub(crate) ends: Ends,
    /// Tells the other mappings when the run is to end.
    pub(crate) run: Arc<watch::Sender<Phase>>,
    pub(crate) phase: watch::Receiver<Phase>,
    pub(crate) clock: Clock,
    /// When the mapping was made.
    pub(crate) opened: Time,
    pub(crate) wake: Option<(Time, WakeReason)>,
    pub(crate) next_list: Option<Time>,
    pub(crate) is_draining: bool,
    /// Lists that are still made soon because a shard ended and no child of it was shown.
    pub(crate) lists_for_children: u32,
    /// What the stream listed when it was opened.
    pub(crate) first_shards: Vec<Shard>,
    /// Shards are shared with other processes.
    pub(crate) keeper: Option<Keeper>,
    /// What the run asks for; nothing comes any more once it is `None`.
    pub(crate) orders: Option<mpsc::UnboundedReceiver<Order>>,
}

enum Woken {
    Phase(Phase),
    Order(Order),
    Input(Result<Input, JoinError>),
    Deadline,
}

impl Driver {
    /// Runs until the mapping is drained.
    pub(crate) async fn run(mut self) -> Result<(), MappingFailed> {
        // The first outputs belong to the moment at which the mapping was made, as in a replay.
        self.drain_outputs(self.opened);
        let now = self.clock.now();
        if self.keeper.is_some() {
            self.follow_leases(now);
        } else if self.io.feed.has_shards() {
            let shards = std::mem::take(&mut self.first_shards);
            self.handle(now, Event::Control(Control::Shards(shards)));
        }
        loop {
            let now = self.clock.now();
            if !self.is_draining && self.is_at_its_end(now) {
                self.begin_drain(now);
            }
            if self.is_draining && self.mapping.is_drained() && self.leases_are_back(now) {
                if let Some(log) = &mut self.io.log {
                    log.flush();
                }
                self.io.feed.close().await;
                return Ok(());
            }
            let woken = self.wait().await;
            // One reading of the clock per wake: everything that is taken now happens at this instant.
            let now = self.clock.now();
            // Leases first: after a long pause they are lost, and nothing of them may be gone on with.
            self.lease_deadline(now);
            self.io.panel.works(now);
            match woken {
                Woken::Phase(Phase::Drain) if !self.is_draining => self.begin_drain(now),
                Woken::Phase(_) => {}
                Woken::Order(order) => self.obey(now, order),
                Woken::Deadline => self.deadline(now),
                Woken::Input(input) => {
                    self.take(now, input)?;
                    for _ in 1..INPUTS_PER_WAKE_MAX {
                        let Some(input) = self.io.next_input() else {
                            break;
                        };
                        self.take(now, input)?;
                    }
                }
            }
            if let Some(log) = &mut self.io.log {
                log.flush();
            }
        }
    }

    async fn wait(&mut self) -> Woken {
        let deadline = self.next_deadline();
        self.io.panel.waits(deadline);
        let wake = deadline.map(|at| self.clock.instant(at));
        let timer = async {
            match wake {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            changed = self.phase.changed(), if !self.is_draining => Woken::Phase(match changed {
                Ok(()) => *self.phase.borrow_and_update(),
                // Whoever started the run is gone: come to an end in good order.
                Err(_) => Phase::Drain,
            }),
            Some(order) = next_order(&mut self.orders) => Woken::Order(order),
            Some(input) = self.io.tasks.join_next() => Woken::Input(input),
            event = kafka::next(&mut self.io.events) => Woken::Input(Ok(Input::Event(event))),
            () = timer => Woken::Deadline,
        }
    }

    fn next_deadline(&self) -> Option<Time> {
        let idle = self.ends.idle.filter(|_| !self.is_draining);
        let idle = idle.filter(|_| self.io.tally.outstanding == 0);
        let idle = idle.map(|span| self.io.tally.last_records + span);
        let list = self.next_list.filter(|_| !self.is_draining);
        let wake = self.wake.map(|(at, _)| at);
        let lease = self.keeper.as_ref().and_then(Keeper::wake);
        [wake, list, idle, lease].into_iter().flatten().min()
    }

    fn deadline(&mut self, now: Time) {
        if self.next_list.is_some_and(|at| at <= now) {
            self.next_list = None;
            self.io.list_shards();
        }
        if self.wake.is_some_and(|(at, _)| at <= now) {
            if let Some(log) = &mut self.io.log {
                log.timeout(now);
            }
            self.mapping.handle_timeout(now);
            self.drain_outputs(now);
        }
    }

    fn take(&mut self, now: Time, input: Result<Input, JoinError>) -> Result<(), MappingFailed> {
        match input {
            Ok(Input::Event(mut event)) => {
                if let Event::Fetched { page, .. } = &mut event {
                    self.io.shard_ended |= page.shard_end;
                    self.date(page);
                }
                self.io.hear_of_partitions(now, &event);
                self.handle(now, event);
            }
            Ok(Input::Answered {
                token,
                batch,
                window,
                reply,
            }) => {
                let event = self
                    .io
                    .answered(&self.mapping, token, batch, window, &reply);
                self.handle(now, event);
            }
            Ok(Input::Shards(result)) => self.listed(now, result),
            Ok(Input::Lease(answer)) => self.lease_answered(now, answer),
            Ok(Input::Disowned { token, shard }) => self.disowned(now, token, &shard),
            Err(error) => {
                return Err(MappingFailed {
                    mapping: self.mapping.name().to_owned(),
                    text: format!("a call ended without an answer: {error}"),
                });
            }
        }
        self.follow_leases(now);
        if self.io.shard_ended && !self.is_draining {
            self.io.shard_ended = false;
            self.lists_for_children = LISTS_FOR_CHILDREN;
            self.next_list = None;
            self.io.list_shards();
        }
        Ok(())
    }

    /// Moves arrivals to where they are on the run's own axis, so that nothing is thrown away for its age because the
    /// machine's clock was ahead when the run began. Windows are made of the arrivals themselves, and are left alone.
    fn date(&self, page: &mut Page<Payload>) {
        let config = self.mapping.config();
        if config.maximum_record_age.is_none() || config.tumbling_window.is_some() {
            return;
        }
        let ahead = self.io.clock.ahead();
        if ahead > CLOCKS_DIFFER {
            for record in &mut page.records {
                record.meta.arrival += ahead;
            }
        }
    }

    fn listed(
        &mut self,
        now: Time,
        result: Result<Vec<crate::source::ListedShard>, crate::source::CallError>,
    ) {
        self.io.tally.listings = 0;
        match result {
            Ok(listed) if self.keeper.is_some() => self.lease_listed(now, listed),
            Ok(listed) => {
                let new = self.io.admit(&listed);
                let is_soon = new.is_empty() && self.lists_for_children > 0;
                self.lists_for_children = match is_soon {
                    true => self.lists_for_children - 1,
                    false => 0,
                };
                let pause = if is_soon { LIST_AGAIN } else { LIST_INTERVAL };
                self.next_list = Some(now + pause);
                if !new.is_empty() {
                    tracing::info!(mapping = %self.io.name, shards = new.len(), "new shards");
                    self.handle(now, Event::Control(Control::Shards(new)));
                }
            }
            Err(error) => {
                tracing::warn!(mapping = %self.io.name, %error, "the shards could not be listed");
                self.next_list = Some(now + LIST_AGAIN);
            }
        }
    }

    /// One mutation, then everything that follows from it.
    pub(crate) fn handle(&mut self, now: Time, event: Event<Payload>) {
        if let Some(log) = &mut self.io.log {
            log.event(now, &event);
        }
        self.mapping.handle(now, event);
        self.drain_outputs(now);
    }

    fn drain_outputs(&mut self, now: Time) {
        self.wake = pump(&mut self.mapping, now, &mut self.io);
    }

    fn begin_drain(&mut self, now: Time) {
        self.is_draining = true;
        self.next_list = None;
        self.io.draining.send_replace(true);
        self.handle(now, Event::Control(Control::Drain));
        if let Some(keeper) = &mut self.keeper {
            keeper.tell(now, LeaseEvent::Drain);
        }
        self.follow_leases(now);
    }

    /// Carries out what the run asks for while the mapping runs.
    fn obey(&mut self, now: Time, order: Order) {
        if self.is_draining {
            return;
        }
        let panel = &self.io.panel;
        match order {
            Order::Drain(state) => {
                panel.set(state);
                self.begin_drain(now);
            }
            Order::Disable => {
                panel.change(|face| {
                    face.state = match face.in_flight.is_empty() {
                        true => State::Disabled,
                        false => State::Disabling,
                    };
                });
                self.handle(now, Event::Control(Control::Disable));
            }
            Order::Enable => {
                panel.set(State::Enabling);
                self.handle(now, Event::Control(Control::Enable));
            }
            Order::Change(change) => {
                let Change {
                    config,
                    target,
                    outlet,
                } = *change;
                panel.change(|face| config.function_name.clone_into(&mut face.function_name));
                if let Err(error) = self.io.keep.replace(config.source, &config.filters) {
                    unreachable!("a checked file has patterns that are none: {error}");
                }
                self.io.function_name = Arc::from(config.function_name.as_str());
                self.io.target = target;
                // A destination that is given up still hears of what it is being told.
                if outlet.is_some() {
                    self.io.outlet = outlet;
                }
                self.handle(now, Event::Control(Control::Update(Box::new(config))));
            }
        }
    }

    fn is_at_its_end(&self, now: Time) -> bool {
        let finished = get(&self.io.counters.finished);
        if self.ends.records_max.is_some_and(|max| finished >= max) {
            self.run.send_replace(Phase::Drain);
            return true;
        }
        let tally = &self.io.tally;
        self.ends.idle.is_some_and(|span| {
            tally.outstanding == 0
                && (tally.last_records + span <= now || self.io.feed.is_exhausted(&self.io.readers))
        })
    }
}

/// What the run asks for next; never comes where nobody asks.
async fn next_order(orders: &mut Option<mpsc::UnboundedReceiver<Order>>) -> Option<Order> {
    match orders {
        Some(arrivals) => {
            let order = arrivals.recv().await;
            if order.is_none() {
                *orders = None;
            }
            order
        }
        None => std::future::pending().await,
    }
}
