//! The mapping state machine: one event source mapping, whatever its source.

mod batch;
mod broker;
mod kafka;
mod queue;
mod slab;
mod stream;
mod work;

use crate::engine::timers::Timers;
use crate::engine::{
    Action, BatchId, Event, Fact, MappingConfig, Record, Rng, Time, Tuning, WakeReason,
};
use broker::Broker;
use kafka::Kafka;
use queue::Queue;
use std::collections::VecDeque;
use stream::Stream;

/// One event source mapping: decides what to read, when to invoke with what, and what is done.
///
/// There are four kinds of method, called in this order:
///
/// 1. inputs — [`handle`](Self::handle) and [`handle_timeout`](Self::handle_timeout): one mutation each;
/// 2. outputs — [`poll_fact`](Self::poll_fact) and [`poll_action`](Self::poll_action), until both are empty;
/// 3. the next deadline — [`poll_wake`](Self::poll_wake), strictly in the future once drained;
/// 4. getters — [`batch`](Self::batch), valid for actions that are not answered yet.
///
/// Never feed two inputs without draining between them; [`pump`](crate::engine::pump()) does it right.
///
/// ```
/// use tidegate::engine::{
///     Action, Control, Event, Mapping, MappingConfig, Meta, Outcome, Page, Position, Record, Rng,
///     Seq, Shard, ShardId, SourceKind, Time, Tuning, Profile,
/// };
///
/// let config = MappingConfig { maximum_retry_attempts: Some(1), ..MappingConfig::new("clicks", SourceKind::Kinesis) };
/// let now = Time::from_secs(1);
/// let mut mapping = Mapping::new(config, Tuning::new(Profile::Current), Rng::stream(1, "doc"), now)?;
/// let shard = Shard { id: ShardId(0), from: Position::Horizon, parents: vec![], window: None };
/// mapping.handle(now, Event::Control(Control::Shards(vec![shard])));
///
/// let Some(Action::Read { token, .. }) = mapping.poll_action(now) else { panic!("it reads first") };
/// let meta = Meta { seq: Seq::from(7), group: 0, arrival: now, wire_len: 300 };
/// let page = Page { records: vec![Record { meta, payload: "hello" }], end: Some(meta.seq), ..Page::default() };
/// while mapping.poll_fact().is_some() {}
/// mapping.handle(now, Event::Fetched { token, page });
///
/// let Some(Action::Invoke { token, batch, attempt: 1, .. }) = mapping.poll_action(now) else { panic!("then it invokes") };
/// assert_eq!(mapping.batch(batch)[0].payload, "hello");
/// while mapping.poll_fact().is_some() {}
/// // The function fails: the mapping backs off instead of moving its checkpoint.
/// mapping.handle(now, Event::Invoked { token, outcome: Outcome::FunctionError });
/// assert_eq!(mapping.poll_action(now), None);
/// # Ok::<(), tidegate::engine::Unsupported>(())
/// ```
#[derive(Debug)]
pub struct Mapping<P> {
    core: Core<P>,
    family: Family<P>,
}

/// A parameter that is valid for AWS but that this version cannot carry out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{parameter}: {reason}")]
pub struct Unsupported {
    /// AWS's name of the parameter.
    pub parameter: &'static str,
    /// What is missing.
    pub reason: &'static str,
}

#[derive(Debug)]
enum Family<P> {
    Stream(Stream<P>),
    Queue(Box<Queue<P>>),
    Broker(Broker<P>),
    Kafka(Kafka<P>),
}

/// What all families need: the outbox, the records of batches, deadlines.
#[derive(Debug)]
struct Core<P> {
    config: MappingConfig,
    tuning: Tuning,
    /// For waits that must not be alike in different mappings.
    rng: Rng,
    now: Time,
    mode: Mode,
    actions: VecDeque<Action>,
    facts: VecDeque<Fact>,
    batches: batch::Batches<P>,
    /// Answers that drivers had at once; kept here so that pumping allocates nothing.
    answers: VecDeque<Event<P>>,
    timers: Timers,
}

/// Whether new records are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Enabled,
    /// Rule `disable-keeps-position`.
    Disabled,
    /// For good: the process is about to end.
    Draining,
}

impl<P> Mapping<P> {
    /// A mapping that has not read anything yet. Stream mappings wait for [`Control::Shards`](crate::engine::Control).
    ///
    /// # Errors
    /// A parameter that AWS accepts but that this version cannot carry out.
    pub fn new(
        config: MappingConfig,
        tuning: Tuning,
        rng: Rng,
        now: Time,
    ) -> Result<Self, Unsupported> {
        refuse_unsupported(&config)?;
        let source = config.source;
        let mut core = Core {
            config,
            tuning,
            rng,
            now,
            mode: Mode::Enabled,
            actions: VecDeque::new(),
            facts: VecDeque::new(),
            batches: batch::Batches::default(),
            answers: VecDeque::new(),
            timers: Timers::default(),
        };
        let family = if source.is_stream() {
            Family::Stream(Stream::new())
        } else if source.is_broker() {
            Family::Broker(Broker::new(&mut core))
        } else if core.config.source.is_kafka() {
            Family::Kafka(Kafka::new(&mut core))
        } else {
            Family::Queue(Box::new(Queue::new(&mut core)))
        };
        Ok(Self { core, family })
    }

    /// Takes one input. Drain the outputs before the next one.
    ///
    /// # Panics
    /// When `now` goes back, when the outputs were not drained, or when `event` answers a token that is not
    /// pending: all three are errors in the driver.
    pub fn handle(&mut self, now: Time, event: Event<P>) {
        self.core.advance(now);
        match &mut self.family {
            Family::Stream(stream) => stream.handle(&mut self.core, event),
            Family::Queue(queue) => queue.handle(&mut self.core, event),
            Family::Broker(broker) => broker.handle(&mut self.core, event),
            Family::Kafka(kafka) => kafka.handle(&mut self.core, event),
        }
    }

    /// Acts on the deadlines that are not after `now`; call it when [`poll_wake`](Self::poll_wake) says so.
    pub fn handle_timeout(&mut self, now: Time) {
        self.core.advance(now);
        while let Some(key) = self.core.timers.pop_due(now) {
            match &mut self.family {
                Family::Stream(stream) => stream.handle_timer(&mut self.core, key),
                Family::Queue(queue) => queue.handle_timer(&mut self.core, key),
                Family::Broker(broker) => broker.handle_timer(&mut self.core, key),
                Family::Kafka(kafka) => kafka.handle_timer(&mut self.core, key),
            }
        }
    }

    /// The next action to start, if any.
    pub fn poll_action(&mut self, now: Time) -> Option<Action> {
        assert!(now >= self.core.now, "time went back while draining");
        self.core.actions.pop_front()
    }

    /// The next fact to show, if any.
    pub fn poll_fact(&mut self) -> Option<Fact> {
        self.core.facts.pop_front()
    }

    /// When and why [`handle_timeout`](Self::handle_timeout) is wanted.
    pub fn poll_wake(&self) -> Option<(Time, WakeReason)> {
        self.core.timers.next()
    }

    /// The records that an unanswered action means: a batch, or the part of one that is sent or given up.
    ///
    /// # Panics
    /// When no unanswered action mentions `id`.
    pub fn batch(&self, id: BatchId) -> &[Record<P>] {
        let records = self.core.batches.view(id);
        assert!(records.is_some(), "batch {id:?} is not in flight");
        records.unwrap_or(&[])
    }

    /// An empty list for the next page, with the capacity of an earlier one.
    pub fn spare_list(&mut self) -> Vec<Record<P>> {
        self.core.batches.spare()
    }

    /// The mapping's parameters.
    pub fn config(&self) -> &MappingConfig {
        &self.core.config
    }

    /// The mapping's name.
    pub fn name(&self) -> &str {
        &self.core.config.name
    }

    pub(super) fn keep_answer(&mut self, answer: Event<P>) {
        self.core.answers.push_back(answer);
    }

    pub(super) fn take_answer(&mut self) -> Option<Event<P>> {
        self.core.answers.pop_front()
    }

    /// Records that were read and are not finished: neither done nor given up, and for queues and brokers neither
    /// deleted nor left to come again.
    pub fn in_hand(&self) -> u64 {
        match &self.family {
            Family::Stream(stream) => stream.in_hand(&self.core.batches),
            Family::Queue(queue) => queue.gathered() + self.core.batches.records(),
            Family::Broker(broker) => broker.gathered() + self.core.batches.records(),
            Family::Kafka(kafka) => kafka.gathered() + self.core.batches.records(),
        }
    }

    /// Whether nothing is left that should be waited for after [`Control::Drain`](crate::engine::Control):
    /// no invocation, acknowledgement or checkpoint is under way, and no receive whose messages would be
    /// lost to their visibility timeout. A checkpoint that failed and waits for its next try is not waited for: what it
    /// covers comes again.
    pub fn is_drained(&self) -> bool {
        match &self.family {
            Family::Stream(stream) => stream.is_drained(),
            Family::Queue(queue) => queue.is_drained(),
            Family::Broker(broker) => broker.is_drained(),
            Family::Kafka(kafka) => kafka.is_drained(),
        }
    }
}

impl<P> Core<P> {
    fn advance(&mut self, now: Time) {
        assert!(
            now >= self.now,
            "time went back from {:?} to {now:?}",
            self.now
        );
        assert!(self.actions.is_empty(), "the outputs were not drained");
        self.now = now;
    }

    /// Whether records are read and batches formed.
    fn is_taking(&self) -> bool {
        self.mode == Mode::Enabled
    }

    /// Whether it drains, which is for good.
    fn is_ending(&self) -> bool {
        self.mode == Mode::Draining
    }

    /// Switches between enabled and disabled; a drain is for good. Returns whether anything changed.
    fn switch(&mut self, mode: Mode) -> bool {
        let changes = !self.is_ending() && self.mode != mode;
        if changes {
            self.mode = mode;
        }
        changes
    }

    fn act(&mut self, action: Action) {
        self.actions.push_back(action);
    }

    fn fact(&mut self, fact: Fact) {
        self.facts.push_back(fact);
    }

    /// Rule `update-keeps-position`: the parameters change, places and what is in hand do not.
    fn update(&mut self, config: MappingConfig) {
        assert!(
            config.source == self.config.source && config.name == self.config.name,
            "an update makes another mapping of `{}`",
            self.config.name
        );
        self.config = config;
    }
}

/// Kinds of source that have no family yet; files that name one are refused before they run.
fn refuse_unsupported(config: &MappingConfig) -> Result<(), Unsupported> {
    let refuse = |parameter, reason| Err(Unsupported { parameter, reason });
    let source = config.source;
    if !(source.is_stream() || source.is_queue() || source.is_broker() || source.is_kafka()) {
        return refuse(
            "EventSourceArn",
            "only Kinesis, DynamoDB streams, SQS queues, Amazon MQ and Kafka can be polled",
        );
    }
    Ok(())
}
