//! A topic of Kafka: poll, invoke, commit.

use super::{Loops, told};
use crate::bench::load::{Item, number_of};
use crate::engine::Time;
use crate::scenario::{BenchPoint, KafkaSource};
use crate::source::kafka::reach;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{CommitMode, Consumer as _, StreamConsumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message as _};
use rdkafka::producer::{FutureProducer, FutureRecord, Producer as _};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// How long the cluster may take to make or delete a topic, or to describe itself.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Topic {
    /// Holds secrets, so it is not shown.
    config: ClientConfig,
    producer: FutureProducer,
    is_ours: bool,
    pub(super) source: KafkaSource,
}

impl std::fmt::Debug for Topic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Topic")
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

impl Topic {
    /// Groups are always made for the purpose: nobody else's offsets move.
    pub(super) async fn open(
        point: &BenchPoint,
        source: &KafkaSource,
        name: &str,
    ) -> Result<Self, String> {
        let is_ours = !point.bench.existing;
        let source = KafkaSource {
            topic: if is_ours {
                name.to_owned()
            } else {
                source.topic.clone()
            },
            group: name.to_owned(),
            ..source.clone()
        };
        let access = reach(&source, &point.mapping().access, &point.file.aws).await;
        let access = access.map_err(|error| told(&error))?;
        if access.tokens.is_some() {
            return Err("a bench cannot write to a cluster that wants tokens".to_owned());
        }
        let config = access.config;
        if is_ours {
            let admin: AdminClient<DefaultClientContext> = config.create().map_err(shown)?;
            let partitions = point.bench.shards as i32;
            let new = NewTopic::new(&source.topic, partitions, TopicReplication::Fixed(1));
            let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
            let made = admin.create_topics([&new], &options).await.map_err(shown)?;
            for result in made {
                result.map_err(|(topic, code)| format!("CreateTopics of {topic}: {code}"))?;
            }
        }
        let producer: FutureProducer = config
            .clone()
            .set("partitioner", "murmur2_random")
            .set("linger.ms", "0")
            .set("allow.auto.create.topics", "false")
            .set("message.timeout.ms", "30000")
            .create()
            .map_err(shown)?;
        // Its connections and threads are there before anything is measured.
        let (client, topic) = (producer.clone(), source.topic.clone());
        let asked = tokio::task::spawn_blocking(move || {
            client
                .client()
                .fetch_metadata(Some(&topic), PATIENCE)
                .map(drop)
        });
        asked
            .await
            .map_err(|error| error.to_string())?
            .map_err(shown)?;
        Ok(Self {
            config,
            producer,
            is_ours,
            source,
        })
    }

    pub(super) async fn remove(&self) -> Result<(), String> {
        let admin: AdminClient<DefaultClientContext> = self.config.create().map_err(shown)?;
        let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
        // A group whose last member has only just left is deleted by the cluster in its own time.
        let _ = admin.delete_groups(&[&self.source.group], &options).await;
        if self.is_ours {
            let deleted = admin.delete_topics(&[&self.source.topic], &options).await;
            for result in deleted.map_err(shown)? {
                result.map_err(|(topic, code)| format!("DeleteTopics of {topic}: {code}"))?;
            }
        }
        Ok(())
    }

    pub(super) async fn write(&self, items: Vec<Item>) -> Result<Vec<Item>, String> {
        let mut later = Vec::new();
        let mut queued = Vec::new();
        for item in items {
            let record = FutureRecord::to(&self.source.topic)
                .key(&item.key)
                .payload(&item.body);
            match self.producer.send_result(record) {
                Ok(delivery) => queued.push(delivery),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                    later.push(item);
                }
                Err((error, _)) => return Err(shown(error)),
            }
        }
        for delivery in queued {
            let written = delivery
                .await
                .map_err(|_| "the producer is gone".to_owned())?;
            written.map_err(|(error, _)| shown(error))?;
        }
        Ok(later)
    }

    /// Takes what is there, up to a batch, sends it, stores how far it has come.
    pub(super) async fn bare(&self, loops: &Loops) -> Result<(), String> {
        let consumer: StreamConsumer = self
            .config
            .clone()
            .set("group.id", &self.source.group)
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "earliest")
            .set("partition.assignment.strategy", "cooperative-sticky")
            // As the poller's consumers fetch.
            .set("isolation.level", "read_committed")
            .set("queued.max.messages.kbytes", "4096")
            .set("fetch.queue.backoff.ms", "5")
            .set("fetch.wait.max.ms", "100")
            .create()
            .map_err(shown)?;
        consumer.subscribe(&[&self.source.topic]).map_err(shown)?;
        loop {
            let begun = loops.clock.now();
            loops.calls.request();
            let mut batch = Gathered::default();
            batch.add(&consumer.recv().await.map_err(shown)?);
            let ended = loops.clock.now();
            while batch.count < loops.batch_size {
                // Only what is there already.
                match tokio::time::timeout(Duration::ZERO, consumer.recv()).await {
                    Ok(message) => batch.add(&message.map_err(shown)?),
                    Err(_) => break,
                }
            }
            self.finish(&consumer, batch, loops, (begun, ended)).await?;
        }
    }

    async fn finish(
        &self,
        consumer: &StreamConsumer,
        batch: Gathered,
        loops: &Loops,
        (begun, ended): (Time, Time),
    ) -> Result<(), String> {
        // What came first is what the receive waited for.
        if batch.first.is_some() {
            loops.calls.returned(begun, ended, batch.first);
        }
        let topic = &self.source.topic;
        let lists = batch.lists.into_iter();
        let lists: Map<String, Value> = lists
            .map(|(partition, list)| (format!("{topic}-{partition}"), Value::Array(list)))
            .collect();
        let event = json!({
            "eventSource": "SelfManagedKafka",
            "bootstrapServers": self.source.servers.join(","),
            "records": lists,
        });
        while !loops.caller.send(&event).await {}
        let mut offsets = TopicPartitionList::new();
        for (partition, offset) in batch.next {
            let added = offsets.add_partition_offset(topic, partition, Offset::Offset(offset));
            added.map_err(shown)?;
        }
        loops.calls.request();
        consumer.commit(&offsets, CommitMode::Async).map_err(shown)
    }
}

/// A batch of a bare loop.
#[derive(Default)]
struct Gathered {
    lists: BTreeMap<i32, Vec<Value>>,
    next: BTreeMap<i32, i64>,
    first: Option<u64>,
    count: usize,
}

impl Gathered {
    fn add(&mut self, message: &BorrowedMessage<'_>) {
        let (partition, offset) = (message.partition(), message.offset());
        if self.count == 0 {
            self.first = message.payload().and_then(number_of);
        }
        self.lists.entry(partition).or_default().push(json!({
            "topic": message.topic(),
            "partition": partition,
            "offset": offset,
            "timestamp": message.timestamp().to_millis(),
            "timestampType": "CREATE_TIME",
            "key": message.key().map(|it| STANDARD.encode(it)),
            "value": message.payload().map(|it| STANDARD.encode(it)),
            "headers": [],
        }));
        self.next.insert(partition, offset + 1);
        self.count += 1;
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is handed to map_err")]
fn shown(error: KafkaError) -> String {
    error.to_string()
}
