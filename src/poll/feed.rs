//! What a mapping reads from.

use crate::engine::{Page, Position, Span, Time};
use crate::poll::Clock;
use crate::poll::encode::{Envelope, SqsShape};
use crate::source::broker::Broker;
use crate::source::dynamodb::{self, DynamoDb};
use crate::source::kafka::Kafka;
use crate::source::kinesis::{self, Kinesis};
use crate::source::local::{self, Queue, Stream};
use crate::source::sqs::Sqs;
use crate::source::{CallError, Keep, ListedShard, Payload, Records};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Once a mapping drains, a long poll that found nothing for this long is given up. A message that arrives in the
/// very moment is not lost: it becomes visible again.
const DRAIN_RECEIVE_GRACE: Duration = Duration::from_secs(2);

/// The source of one mapping.
#[derive(Clone, Debug)]
pub(crate) enum Feed {
    Broker {
        broker: Arc<Broker>,
        envelope: Arc<Envelope>,
    },
    DynamoDb(Arc<DynamoDb>),
    Kafka(Arc<Kafka>),
    Kinesis(Arc<Kinesis>),
    Sqs(Arc<Sqs>),
    Stream {
        stream: Arc<Stream>,
        role: Arc<str>,
    },
    Queue {
        queue: Arc<Queue>,
        shape: Arc<SqsShape>,
    },
}

/// The reader of one shard.
#[derive(Debug)]
pub(crate) enum Reader {
    DynamoDb(Arc<dynamodb::Reader>),
    Kinesis(Arc<kinesis::Reader>),
    Local(local::Reader),
}

impl Feed {
    /// Whether the source has shards, which may change while it is read.
    pub(crate) const fn has_shards(&self) -> bool {
        matches!(
            self,
            Self::DynamoDb(_) | Self::Kinesis(_) | Self::Stream { .. }
        )
    }

    /// Whether new shards may appear.
    pub(crate) const fn reshards(&self) -> bool {
        matches!(self, Self::DynamoDb(_) | Self::Kinesis(_))
    }

    pub(crate) async fn shards(&self) -> Result<Vec<ListedShard>, CallError> {
        match self {
            Self::DynamoDb(dynamodb) => dynamodb.shards().await,
            Self::Kinesis(kinesis) => kinesis.shards().await,
            Self::Stream { stream, .. } => Ok(stream.shards()),
            // Kafka's partitions are assigned, not listed.
            Self::Broker { .. } | Self::Kafka(_) | Self::Sqs(_) | Self::Queue { .. } => {
                Ok(Vec::new())
            }
        }
    }

    /// The reader of the shard with this index.
    pub(crate) fn reader(&self, index: u32, name: &Arc<str>, keep: &Arc<Keep>) -> Option<Reader> {
        match self {
            Self::DynamoDb(dynamodb) => {
                Some(Reader::DynamoDb(Arc::new(dynamodb.reader(name, keep))))
            }
            Self::Kinesis(kinesis) => Some(Reader::Kinesis(Arc::new(kinesis.reader(name, keep)))),
            Self::Stream { stream, role } => Some(Reader::Local(stream.reader(index, name, role))),
            Self::Broker { .. } | Self::Kafka(_) | Self::Sqs(_) | Self::Queue { .. } => None,
        }
    }

    /// Takes leave of the source once the mapping is drained.
    pub(crate) async fn close(&self) {
        match self {
            Self::Broker { broker, .. } => broker.close().await,
            Self::Kafka(kafka) => kafka.close().await,
            Self::DynamoDb(_)
            | Self::Kinesis(_)
            | Self::Sqs(_)
            | Self::Stream { .. }
            | Self::Queue { .. } => {}
        }
    }

    /// Whether nothing will ever come any more; only local sources can tell.
    pub(crate) fn is_exhausted(&self, readers: &[Reader]) -> bool {
        match self {
            Self::Broker { .. }
            | Self::DynamoDb(_)
            | Self::Kafka(_)
            | Self::Kinesis(_)
            | Self::Sqs(_) => false,
            Self::Stream { stream, .. } => readers.iter().all(|reader| match reader {
                Reader::Local(reader) => stream.is_exhausted(reader),
                Reader::DynamoDb(_) | Reader::Kinesis(_) => false,
            }),
            Self::Queue { queue, .. } => queue.is_exhausted(),
        }
    }
}

/// A receive from the service.
pub(crate) async fn receive(
    sqs: &Sqs,
    records_max: u32,
    wait: Span,
    records: Records,
    keep: &Keep,
    draining: watch::Receiver<bool>,
) -> Result<Page<Payload>, CallError> {
    tokio::select! {
        result = sqs.receive(records_max, wait, records, keep) => result,
        () = abandoned(draining) => Ok(Page::default()),
    }
}

async fn abandoned(draining: watch::Receiver<bool>) {
    drained(draining).await;
    tokio::time::sleep(DRAIN_RECEIVE_GRACE).await;
}

pub(crate) async fn drained(mut draining: watch::Receiver<bool>) {
    // A mapping that is gone needs no answer either.
    let _ = draining.wait_for(|draining| *draining).await;
}

/// A receive from a local queue that is empty now: waits for an arrival or a return, at most `wait`.
pub(crate) async fn await_messages(
    queue: Arc<Queue>,
    shape: Arc<SqsShape>,
    clock: Clock,
    records_max: u32,
    wait: Span,
    keep: Arc<Keep>,
    draining: watch::Receiver<bool>,
) -> Page<Payload> {
    let deadline = clock.now() + wait;
    loop {
        let next = queue.next_visible().unwrap_or(Time::MAX).min(deadline);
        tokio::select! {
            () = tokio::time::sleep_until(clock.instant(next)) => {}
            () = queue.freed() => {}
            () = drained(draining.clone()) => return Page::default(),
        }
        let now = clock.now();
        let page = queue.receive(&shape, now, records_max, Records::new(), &keep);
        if has_messages(&page) || now >= deadline {
            return page;
        }
    }
}

/// Whether a receive found anything, be it only for its deletion.
pub(crate) fn has_messages(page: &Page<Payload>) -> bool {
    !(page.records.is_empty() && page.rejected.is_empty())
}

/// Where a shard starts that the mapping did not know.
///
/// | checkpoint of the shard | starting position | other shards have checkpoints, or it appeared later | start |
/// |---|---|---|---|
/// | yes | any | – | the checkpoint |
/// | no | AT_TIMESTAMP | – | the timestamp |
/// | no | TRIM_HORIZON, LATEST | no | the starting position |
/// | no | TRIM_HORIZON, LATEST | yes | its beginning: it came from a split or merge |
pub(crate) const fn start_of(
    stored: Option<Position>,
    starting_position: Position,
    is_later: bool,
) -> Position {
    match (stored, starting_position) {
        (Some(stored), _) => stored,
        (None, Position::At(_)) => starting_position,
        (None, _) if is_later => Position::Horizon,
        (None, _) => starting_position,
    }
}
