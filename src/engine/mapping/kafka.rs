//! The Kafka family: consumers of one group, each with the partitions that the group gave it, and offsets behind them.

mod consumer;
mod deliver;
mod gather;
mod give_up;
mod group;
mod offsets;
mod partition;
mod scale;

use super::slab::Slab;
use super::{Core, Mode};
use crate::engine::scaling::KafkaScaling;
use crate::engine::{Action, Control, Event, Fact, FailureClass, ShardId, Time, Token};
use consumer::{Consumer, Timer};
use partition::Partition;

/// All consumers and partitions of one Kafka mapping.
///
/// ```text
///            page              batch                   success, given up
///   Receive ─────▶ partition ─────────▶ lane of its ─────────────────────▶ commit
///                  buffers              consumer    ◀─┐ failure: wait
///                     │                    └──────────┘
///                     └── revoked, lost, leaving: dropped, comes again from the committed offset
/// ```
/// A partition has records in at most one batch at a time (rule `kafka-one-batch-per-partition`).
#[derive(Debug)]
pub(super) struct Kafka<P> {
    consumers: Vec<Consumer>,
    partitions: Vec<Partition<P>>,
    pending: Slab<Pending>,
    /// Pending actions that a drain waits for: all but receives and measurements.
    working: usize,
    scaling: KafkaScaling,
    measuring: bool,
    /// Records per partition of what just ended; kept so that success allocates nothing.
    runs: Vec<(ShardId, u32)>,
    /// Consumers that can go on because a partition was released.
    woken: Vec<u32>,
}

/// What an unanswered token belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pending {
    Receive {
        consumer: u32,
        started: Time,
    },
    Invoke {
        consumer: u32,
        lane: u32,
    },
    Divert {
        consumer: u32,
        lane: u32,
    },
    /// Of the assignment with this number.
    Commit {
        shard: ShardId,
        assignment: u32,
    },
    Yield {
        consumer: u32,
    },
    Leave {
        consumer: u32,
    },
    Measure,
}

impl<P> Kafka<P> {
    pub(super) fn new(core: &mut Core<P>) -> Self {
        let mut kafka = Self {
            consumers: Vec::new(),
            partitions: Vec::new(),
            pending: Slab::default(),
            working: 0,
            scaling: KafkaScaling::new(&core.config, core.tuning.profile, core.now),
            measuring: false,
            runs: Vec::new(),
            woken: Vec::new(),
        };
        kafka.measure(core);
        kafka.recruit(core);
        kafka
    }

    /// Records that wait in partitions for a batch.
    pub(super) fn gathered(&self) -> u64 {
        self.partitions.iter().map(|it| it.waiting() as u64).sum()
    }

    pub(super) const fn is_drained(&self) -> bool {
        self.working == 0
    }

    pub(super) fn handle(&mut self, core: &mut Core<P>, event: Event<P>) {
        match event {
            Event::Fetched { token, page } => {
                let Pending::Receive { consumer, started } = self.take(token) else {
                    panic!("{token:?} was not given for a receive");
                };
                self.page(core, consumer, started, page);
                self.step(core, consumer);
            }
            Event::Invoked { token, outcome } => self.invoked(core, token, outcome),
            Event::InvokedPartly { token, failed } => self.invoked_partly(core, token, &failed),
            Event::Done { token } => match self.take(token) {
                Pending::Commit { shard, assignment } => self.committed(core, shard, assignment),
                Pending::Divert { consumer, lane } => self.diverted(core, consumer, lane),
                Pending::Yield { consumer } => self.yielded(core, consumer),
                Pending::Leave { consumer } => self.left(core, consumer),
                other => panic!("{token:?} was given for {other:?}"),
            },
            Event::Failed { token, class } => {
                core.fact(Fact::CallFailed { class });
                self.call_failed(core, token, class);
            }
            Event::Measured { token, ends } => {
                assert!(
                    self.take(token) == Pending::Measure,
                    "{token:?} was not given for a measurement"
                );
                self.measured(core, &ends);
            }
            Event::Control(control) => self.control(core, control),
        }
    }

    fn control(&mut self, core: &mut Core<P>, control: Control) {
        match control {
            Control::Assigned { poller, shards } => self.assigned(core, poller, &shards),
            Control::Revoked { poller, shards } => self.revoked(core, poller, shards),
            Control::Lost { poller, shards } => self.lost(core, poller, &shards),
            Control::Shards(_) => panic!("Kafka's partitions are assigned, not listed"),
            // Rule `kafka-pause-leaves-the-group`.
            Control::Drain => {
                core.switch(Mode::Draining);
                self.stop_scaling(core);
                self.dismiss(core);
            }
            Control::Disable => {
                if core.switch(Mode::Disabled) {
                    self.stop_scaling(core);
                    self.dismiss(core);
                }
            }
            Control::Enable => {
                if core.switch(Mode::Enabled) {
                    self.restart_scaling(core);
                }
            }
            Control::Update(config) => {
                core.update(*config);
                self.reconfigure(core);
            }
        }
    }

    pub(super) fn handle_timer(&mut self, core: &mut Core<P>, key: u32) {
        match Timer::of_key(key) {
            Timer::Tick => self.measure(core),
            Timer::Scale => self.scale(core),
            Timer::Commit(shard) => {
                self.partitions[shard.0 as usize].offsets.retry_due();
                self.commit(core, shard);
            }
            Timer::Receive(consumer) | Timer::Window(consumer) | Timer::Lane(consumer, _) => {
                self.step(core, consumer);
            }
        }
    }

    fn call_failed(&mut self, core: &mut Core<P>, token: Token, class: FailureClass) {
        match self.take(token) {
            Pending::Receive { consumer, .. } => {
                self.receive_failed(core, consumer, class);
                self.step(core, consumer);
            }
            Pending::Commit { shard, assignment } => self.commit_failed(core, shard, assignment),
            Pending::Divert { consumer, lane } => {
                self.divert_failed(core, consumer, lane, class);
            }
            Pending::Yield { consumer } => self.yielded(core, consumer),
            Pending::Leave { consumer } => self.left(core, consumer),
            Pending::Measure => self.measuring = false,
            Pending::Invoke { .. } => {
                panic!("an invocation is answered by Event::Invoked, not Event::Failed")
            }
        }
    }

    /// Lets a consumer do whatever it can do now.
    fn step(&mut self, core: &mut Core<P>, consumer: u32) {
        self.advance(core, consumer);
        // A partition that was lost and came back waits for a batch of another consumer.
        while let Some(other) = self.woken.pop() {
            if other != consumer {
                self.advance(core, other);
            }
        }
    }

    fn advance(&mut self, core: &mut Core<P>, consumer: u32) {
        self.advance_lanes(core, consumer);
        self.form_batches(core, consumer);
        self.part_from_group(core, consumer);
        self.receive(core, consumer);
    }

    fn step_all(&mut self, core: &mut Core<P>) {
        for consumer in 0..self.consumers.len() as u32 {
            self.step(core, consumer);
        }
    }

    /// Starts an action that a drain waits for.
    fn work_on(&mut self, core: &mut Core<P>, what: Pending, action: impl FnOnce(Token) -> Action) {
        self.working += 1;
        let token = self.pend(what);
        core.act(action(token));
    }

    fn pend(&mut self, what: Pending) -> Token {
        let index = self.pending.insert(what);
        self.pending.token(index)
    }

    fn take(&mut self, token: Token) -> Pending {
        let Some(pending) = self.pending.take(token) else {
            panic!("{token:?} is not pending: answered twice, or never given");
        };
        if !matches!(pending, Pending::Receive { .. } | Pending::Measure) {
            self.working -= 1;
        }
        pending
    }

    /// The partition with the index; indices come in the order of first sight.
    fn partition(&mut self, shard: ShardId) -> &mut Partition<P> {
        while self.partitions.len() <= shard.0 as usize {
            let id = ShardId(self.partitions.len() as u32);
            self.partitions.push(Partition::new(id));
        }
        &mut self.partitions[shard.0 as usize]
    }
}
