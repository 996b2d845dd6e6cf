//! Sources that a bench writes to and reads from: made for the purpose, or there already.

mod kafka;
mod kinesis;
mod sqs;

pub(crate) use sqs::visibility;

use super::load::{Item, Sink};
use crate::engine::{SourceKind, Span, Time};
use crate::poll::{Clock, Tap};
use crate::scenario::{BenchPoint, MappingSource, PollerFile};
use crate::source::CallError;
use crate::target::{Region, RequestId, Surroundings, Target};
use bytes::Bytes;
use serde_json::Value;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// A source.
#[derive(Debug)]
pub(crate) enum Place {
    Sqs(sqs::Queue),
    Kinesis(kinesis::Stream),
    Kafka(Box<kafka::Topic>),
}

impl Place {
    /// Makes the source that a point needs, under `name`; or finds the one that the mapping names.
    pub(crate) async fn open(point: &BenchPoint, name: &str) -> Result<Self, String> {
        let aws = &point.file.aws;
        match &point.mapping().source {
            MappingSource::Service { arn, endpoint_url } => {
                let endpoint = endpoint_url.as_deref();
                if arn.kind == SourceKind::Kinesis {
                    let stream = kinesis::Stream::open(point, arn, endpoint, aws, name).await?;
                    return Ok(Self::Kinesis(stream));
                }
                let queue = sqs::Queue::open(point, arn, endpoint, aws, name).await?;
                Ok(Self::Sqs(queue))
            }
            MappingSource::Kafka(source) => {
                let topic = kafka::Topic::open(point, source, name).await?;
                Ok(Self::Kafka(Box::new(topic)))
            }
            MappingSource::Broker { .. } | MappingSource::Local(_) => {
                Err("no load can be made for this source".to_owned())
            }
        }
    }

    /// What a mapping says in order to read it.
    pub(crate) fn source(&self) -> MappingSource {
        match self {
            Self::Sqs(queue) => queue.source.clone(),
            Self::Kinesis(stream) => stream.source.clone(),
            Self::Kafka(topic) => MappingSource::Kafka(Box::new(topic.source.clone())),
        }
    }

    /// Deletes what was made for the purpose.
    pub(crate) async fn remove(&self) -> Result<(), String> {
        match self {
            Self::Sqs(queue) => queue.remove().await,
            Self::Kinesis(stream) => stream.remove().await,
            Self::Kafka(topic) => topic.remove().await,
        }
    }

    /// The loop that one writes in an afternoon, until it is dropped or a call fails.
    pub(crate) async fn bare(&self, loops: &Loops) -> Result<(), String> {
        match self {
            Self::Sqs(queue) => queue.bare(loops).await,
            Self::Kinesis(stream) => stream.bare(loops).await,
            Self::Kafka(topic) => topic.bare(loops).await,
        }
    }
}

impl Sink for Place {
    fn records_max(&self) -> usize {
        match self {
            Self::Sqs(_) => 10,
            Self::Kinesis(_) => 500,
            Self::Kafka(_) => 1_000,
        }
    }

    async fn write(&self, items: Vec<Item>) -> Result<Vec<Item>, String> {
        match self {
            Self::Sqs(queue) => queue.write(items).await,
            Self::Kinesis(stream) => stream.write(items).await,
            Self::Kafka(topic) => topic.write(items).await,
        }
    }
}

/// Takes off the end what does not fit into a call of so many bytes; one record always fits.
fn beyond(items: &mut Vec<Item>, bytes_max: usize) -> Vec<Item> {
    let mut bytes = 0;
    let fits = items.iter().take_while(|item| {
        bytes += item.body.len() + item.key.len();
        bytes <= bytes_max
    });
    let count = fits.count().max(1);
    items.split_off(count.min(items.len()))
}

/// What a bare loop works with.
#[derive(Clone, Debug)]
pub(crate) struct Loops {
    pub(crate) clock: Clock,
    /// Records of a batch.
    pub(crate) batch_size: usize,
    /// How long a receive of a queue waits.
    pub(crate) long_poll: Span,
    /// Shortest time from read to read of a shard.
    pub(crate) read_interval: Span,
    /// Loops at once, of a queue.
    pub(crate) workers: u32,
    pub(crate) caller: Arc<Caller>,
    pub(crate) calls: Arc<Calls>,
}

/// The mapping's function, called without a mapping.
#[derive(Debug)]
pub(crate) struct Caller {
    target: Target,
    name: String,
    tap: Tap,
    next: AtomicU64,
}

impl Caller {
    pub(crate) async fn open(file: &PollerFile, clock: Clock, tap: Tap) -> Result<Self, String> {
        let region = Region::open(file, clock).map_err(|error| error.to_string())?;
        let surroundings = Surroundings {
            aws: file.aws.clone(),
            clock,
            seed: file.poller.seed,
            region: Arc::new(region),
        };
        let target = Target::open(&file.targets[0], &surroundings).await;
        Ok(Self {
            target: target.map_err(|error| error.to_string())?,
            name: file.mappings[0].config.function_name.clone(),
            tap,
            next: AtomicU64::new(1),
        })
    }

    /// Whether the function succeeded.
    async fn send(&self, event: &Value) -> bool {
        let event = Bytes::from(event.to_string());
        let request = RequestId(u128::from(self.next.fetch_add(1, Ordering::Relaxed)));
        let call = self.target.invoke(&self.name, request, event.clone());
        let reply = self.tap.around(event, call).await;
        reply.outcome == crate::engine::Outcome::Success
    }

    pub(crate) async fn close(&self) {
        self.target.close().await;
    }
}

/// A read or receive that returned records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) begun: Time,
    pub(crate) ended: Time,
    /// The smallest number in its records; of Kafka that of the first.
    pub(crate) oldest: Option<u64>,
}

/// The calls of a bare loop.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    kept: Mutex<Vec<Call>>,
    /// Reads, receives and deletions.
    requests: AtomicU64,
}

impl Calls {
    fn request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    fn returned(&self, begun: Time, ended: Time, oldest: Option<u64>) {
        let call = Call {
            begun,
            ended,
            oldest,
        };
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push(call);
    }

    pub(crate) fn taken(&self) -> (Vec<Call>, u64) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        (
            std::mem::take(&mut kept),
            self.requests.load(Ordering::Relaxed),
        )
    }
}

fn told(error: &CallError) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_take_what_fits_and_at_least_one_record() {
        let item = |bytes: usize| Item {
            number: 0,
            key: String::new(),
            body: "x".repeat(bytes),
        };
        let mut items = vec![item(40), item(40), item(40)];
        assert_eq!(beyond(&mut items, 100).len(), 1);
        assert_eq!(items.len(), 2);
        let mut large = vec![item(400), item(1)];
        assert_eq!(beyond(&mut large, 100).len(), 1);
        assert_eq!(large[0].body.len(), 400);
        assert!(beyond(&mut vec![item(1)], 100).is_empty());
    }
}
