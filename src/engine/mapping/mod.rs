//! The mapping state machine: one event source mapping, whatever its source.

mod queue;
mod slab;
mod stream;

use crate::engine::{
    Action, BatchId, Event, Fact, MappingConfig, Record, Rng, SourceKind, Time, Tuning, WakeReason,
};
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
/// Never feed two inputs without draining between them; [`pump`](crate::engine::pump) does it right.
///
/// ```
/// use tidegate::engine::{
///     Action, Control, Event, Mapping, MappingConfig, Meta, Outcome, Page, Position, Record, Rng,
///     Seq, Shard, ShardId, SourceKind, Span, Time, Tuning, Profile,
/// };
///
/// let config = MappingConfig { maximum_retry_attempts: Some(1), ..MappingConfig::new("clicks", SourceKind::Kinesis) };
/// let now = Time::from_secs(1);
/// let mut mapping = Mapping::new(config, Tuning::new(Profile::Current), Rng::stream(1, "doc"), now)?;
/// let shard = Shard { id: ShardId(0), from: Position::Horizon, parents: vec![] };
/// mapping.handle(now, Event::Control(Control::Shards(vec![shard])));
///
/// let Some(Action::Read { token, .. }) = mapping.poll_action(now) else { panic!("it reads first") };
/// let meta = Meta { seq: Seq::from(7), group: 0, arrival: now, wire_len: 300 };
/// let page = Page { records: vec![Record { meta, payload: "hello" }], end: Some(meta.seq), behind: Span::ZERO, shard_end: false };
/// while mapping.poll_fact().is_some() {}
/// mapping.handle(now, Event::Fetched { token, page });
///
/// let Some(Action::Invoke { token, batch, attempt: 1 }) = mapping.poll_action(now) else { panic!("then it invokes") };
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
    Queue(Queue<P>),
}
