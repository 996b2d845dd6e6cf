//! Kafka: a topic, read by members of a consumer group through librdkafka.
//!
//! ```text
//!  mapping ──commands──▶ task of one consumer ──polls──▶ librdkafka ◀─▶ cluster
//!     ▲                        │   ▲  callbacks run inside of polls
//!     └────────events──────────┘   └── wake-ups from librdkafka's threads
//! ```
//! Each of the mapping's pollers has a consumer of its own, which is a real member of the group; what it says reaches
//! the mapping in the order in which it happened.

mod access;
mod commits;
mod consumer;
mod context;
mod membership;
mod offsets;
mod page;
mod session;
mod token;
mod trouble;

pub use access::KafkaError;
pub(crate) use access::{Access, reach};
pub(crate) use token::{Tokens, oauth_token};
pub use trouble::Reason;
pub(crate) use trouble::{Trouble, call_error};

use super::{CallError, Keep, Payload, Records};
use crate::engine::{Event, FailureClass, Position, ShardId, Span, Token};
use crate::poll::Counters;
use crate::poll::encode::KafkaShape;
use crate::scenario::{Aws, KafkaSource, SourceAccess};
use consumer::{Command, Consumer, Receive};
use offsets::Latest;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

/// What all consumers of a mapping share.
#[derive(Debug)]
struct Shared {
    mapping: Arc<str>,
    topic: Arc<str>,
    source: KafkaSource,
    start: Position,
    access: Vec<SourceAccess>,
    aws: Aws,
    shape: Arc<KafkaShape>,
    keep: Arc<Keep>,
    latest: Latest,
    /// Which poller has which partition.
    owners: Mutex<BTreeMap<u32, u32>>,
    events: mpsc::UnboundedSender<Event<Payload>>,
    counters: Arc<Counters>,
}

/// What a mapping reads: one topic of one cluster, as one group.
#[derive(Debug)]
pub struct Kafka {
    shared: Arc<Shared>,
    consumers: Mutex<BTreeMap<u32, Handle>>,
}

/// What the consumers tell their mapping.
pub type Events = mpsc::UnboundedReceiver<Event<Payload>>;

#[derive(Debug)]
struct Handle {
    commands: mpsc::UnboundedSender<Command>,
    task: JoinHandle<()>,
}

/// What a mapping says of its topic.
#[derive(Debug)]
pub struct Subscription<'a> {
    /// The mapping's name, for the log.
    pub mapping: &'a str,
    /// The topic and its cluster.
    pub source: &'a KafkaSource,
    /// StartingPosition.
    pub start: Position,
    /// SourceAccessConfigurations.
    pub access: &'a [SourceAccess],
    /// Where secrets are fetched.
    pub aws: &'a Aws,
    /// What the function is to see.
    pub keep: Arc<Keep>,
    /// Where it is told that the cluster cannot be read.
    pub counters: Arc<Counters>,
}

impl Kafka {
    /// Nothing is connected yet: every consumer joins the group with its first receive.
    ///
    /// # Errors
    /// When this build has no client for what the mapping asks for.
    pub fn open(subscription: Subscription<'_>) -> Result<(Self, Events), KafkaError> {
        let Subscription {
            mapping,
            source,
            start,
            access,
            aws,
            keep,
            counters,
        } = subscription;
        access::check(source, access)?;
        let (events, received) = mpsc::unbounded_channel();
        let arn = source.arn.as_ref().map(|arn| arn.text.as_str());
        let shape = KafkaShape::new(arn, &source.servers.join(","), &source.topic);
        let shared = Shared {
            mapping: Arc::from(mapping),
            topic: Arc::from(source.topic.as_str()),
            source: source.clone(),
            start,
            access: access.to_vec(),
            aws: aws.clone(),
            shape: Arc::new(shape),
            keep,
            latest: Mutex::default(),
            owners: Mutex::default(),
            events,
            counters,
        };
        let kafka = Self {
            shared: Arc::new(shared),
            consumers: Mutex::default(),
        };
        Ok((kafka, received))
    }

    /// How its events look.
    pub fn shape(&self) -> &Arc<KafkaShape> {
        &self.shared.shape
    }

    /// The topic.
    pub fn topic(&self) -> &str {
        &self.shared.topic
    }

    /// Answered with what the poller's consumer has of at most `records_max` records, as soon as there is one, or with
    /// nothing after `wait` or once the mapping drains. Partitions that are `held` are left alone.
    pub fn receive(
        &self,
        poller: u32,
        token: Token,
        (records_max, wait): (u32, Span),
        held: Vec<ShardId>,
        records: Records,
        draining: watch::Receiver<bool>,
    ) {
        let receive = Command::Receive(Receive {
            token,
            records_max,
            wait,
            held,
            records,
            draining,
        });
        self.hire(poller);
        self.tell(Some(poller), token, receive);
    }

    /// Sees to it that the poller has somebody to talk to.
    fn hire(&self, poller: u32) {
        self.consumers().entry(poller).or_insert_with(|| {
            let (commands, received) = mpsc::unbounded_channel();
            let consumer = Consumer::new(poller, self.shared.clone(), received);
            Handle {
                commands,
                task: tokio::spawn(consumer.run()),
            }
        });
    }

    /// Stores that everything before `offset` is done. Answered when the cluster has it.
    pub fn commit(&self, token: Token, partition: ShardId, offset: u64) {
        let owner = self.shared.owners().get(&partition.0).copied();
        let command = Command::Commit {
            token,
            partition: partition.0,
            offset,
        };
        self.tell(owner, token, command);
    }

    /// Gives up what the group has taken away from the poller.
    pub fn yield_partitions(&self, poller: u32, token: Token) {
        self.tell(Some(poller), token, Command::Yield { token });
    }

    /// The poller's consumer leaves the group.
    pub fn leave(&self, poller: u32, token: Token) {
        self.tell(Some(poller), token, Command::Leave { token });
    }

    /// Answered with the ends of all partitions, once there is a client to ask with.
    pub fn measure(&self, token: Token) {
        // The first one is in the group for as long as any of them is.
        self.hire(0);
        self.tell(Some(0), token, Command::Measure { token });
    }

    /// Lets every consumer leave the group and waits until they have.
    pub async fn close(&self) {
        let consumers = std::mem::take(&mut *self.consumers());
        let mut tasks = Vec::new();
        for (_, handle) in consumers {
            drop(handle.commands);
            tasks.push(handle.task);
        }
        for task in tasks {
            if let Err(error) = task.await {
                tracing::error!(mapping = %self.shared.mapping, %error, "a consumer ended badly");
            }
        }
    }

    fn tell(&self, poller: Option<u32>, token: Token, command: Command) {
        let consumers = self.consumers();
        let handle = poller.and_then(|poller| consumers.get(&poller));
        if handle.is_none_or(|handle| handle.commands.send(command).is_err()) {
            self.fail(token);
        }
    }

    fn fail(&self, token: Token) {
        let class = FailureClass::Transient;
        // A mapping that is gone needs no answer.
        let _ = self.shared.events.send(Event::Failed { token, class });
    }

    fn consumers(&self) -> MutexGuard<'_, BTreeMap<u32, Handle>> {
        self.consumers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    async fn settings(&self) -> Result<Access, CallError> {
        access::settings(&self.source, &self.access, &self.aws).await
    }

    fn owners(&self) -> MutexGuard<'_, BTreeMap<u32, u32>> {
        self.owners.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn own(&self, poller: u32, partitions: impl Iterator<Item = u32>) {
        self.owners()
            .extend(partitions.map(|partition| (partition, poller)));
    }

    fn disown(&self, poller: u32, partitions: &[u32]) {
        self.owners()
            .retain(|partition, owner| *owner != poller || !partitions.contains(partition));
    }

    fn disown_all(&self, poller: u32) {
        self.owners().retain(|_, owner| *owner != poller);
    }
}
