//! Every source that the poller reads, behind one interface: make it, write numbers to it, poll it, see where it stands.

use crate::support::activemq::Broker;
use crate::support::dynamodb::{DYNAMODB_URL, Table};
use crate::support::kafka::{PLAIN, Topic};
use crate::support::poller::Poller;
use crate::support::rabbitmq::{self, Rabbit};
use crate::support::{KINESIS_URL, Queue, QueueCounts, SQS_URL, Stream, server_url, unique};
use aws_sdk_sqs::types::QueueAttributeName;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use std::collections::BTreeMap;
use std::ops::Range;
use tidegate::engine::Position;
use tidegate::poll::Store;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Kinesis,
    DynamoDb,
    Sqs,
    Fifo,
    Kafka,
    RabbitMq,
    ActiveMq,
}

/// What a source promises of the order within a shard, a partition or a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Each process goes on at the checkpoint and leaves nothing out.
    Positions,
    /// Nothing is seen for the first time before what was sent earlier.
    Groups,
    None,
}

impl Kind {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Kinesis => "Kinesis",
            Self::DynamoDb => "DynamoDB Streams",
            Self::Sqs => "SQS standard",
            Self::Fifo => "SQS FIFO",
            Self::Kafka => "Kafka",
            Self::RabbitMq => "RabbitMQ",
            Self::ActiveMq => "ActiveMQ",
        }
    }

    pub(super) const fn order(self) -> Order {
        match self {
            Self::Kinesis | Self::DynamoDb | Self::Kafka => Order::Positions,
            Self::Fifo => Order::Groups,
            Self::Sqs | Self::RabbitMq | Self::ActiveMq => Order::None,
        }
    }

    /// Records that one kill may bring again, where that does not follow from the checkpoint: what all invocations
    /// have in hand, and as much again that is done and not yet acknowledged.
    pub(super) const fn again_max(self) -> Option<usize> {
        match self {
            Self::Kinesis | Self::DynamoDb | Self::Kafka => None,
            Self::Sqs | Self::Fifo => Some(2 * CONCURRENCY * BATCH_SIZE),
            Self::RabbitMq => Some(2 * BATCH_SIZE),
            Self::ActiveMq => Some(2 * 5 * BATCH_SIZE),
        }
    }
}

const BATCH_SIZE: usize = 10;
/// Of a queue's batches.
const CONCURRENCY: usize = 4;
const PARTITIONS: usize = 3;
const GROUPS: usize = 8;

/// A record as the function saw it.
#[derive(Clone, Debug)]
pub(super) struct Delivery {
    /// Shard, partition or group; empty where there is none.
    pub(super) key: String,
    pub(super) number: usize,
    /// Sequence number, offset, or the message and how often it was received.
    pub(super) place: String,
}

/// Where the next process begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Begin {
    At(String),
    After(String),
}

pub(super) enum Source {
    Kinesis(Stream),
    DynamoDb(Table),
    Queue(Queue, bool),
    Kafka(Topic),
    RabbitMq(Box<Rabbit>),
    ActiveMq(Broker, String),
}

impl Source {
    pub(super) async fn create(kind: Kind) -> Self {
        use QueueAttributeName::{FifoQueue, VisibilityTimeout};
        match kind {
            Kind::Kinesis => Self::Kinesis(Stream::create(2).await),
            Kind::DynamoDb => Self::DynamoDb(Table::create().await),
            Kind::Sqs => Self::Queue(Queue::create(&[(VisibilityTimeout, "3")]).await, false),
            Kind::Fifo => {
                let attributes = [(FifoQueue, "true"), (VisibilityTimeout, "3")];
                Self::Queue(Queue::create(&attributes).await, true)
            }
            Kind::Kafka => Self::Kafka(Topic::create(3).await),
            Kind::RabbitMq => Self::RabbitMq(Box::new(Rabbit::create().await)),
            Kind::ActiveMq => Self::ActiveMq(Broker::shared(), unique("ordeal")),
        }
    }

    /// Host and port of the server.
    pub(super) fn address(&self) -> String {
        let url = match self {
            Self::Kinesis(_) => server_url(KINESIS_URL),
            Self::DynamoDb(_) => server_url(DYNAMODB_URL),
            Self::Queue(..) => server_url(SQS_URL),
            Self::Kafka(_) => server_url(PLAIN),
            Self::RabbitMq(_) => rabbitmq::url(),
            Self::ActiveMq(broker, _) => broker.url.clone(),
        };
        let address = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
        address.trim_end_matches('/').to_owned()
    }

    /// A poller that finds the server at `address`, whose function takes 30 ms and is given so much time that a busy machine
    /// changes nothing.
    pub(super) fn poller(&self, address: &str) -> Poller {
        self.poller_with(address, "20s", 30)
    }

    /// The same with a function that takes so long, and another timeout of it, unless the source is a queue: those give it 2 s.
    pub(super) fn poller_with(&self, address: &str, timeout: &str, delay_ms: u32) -> Poller {
        let streams = format!(
            "StartingPosition = \"TRIM_HORIZON\"\nshard_reads_per_second = 1000\npoll_interval = \"50ms\"\nBatchSize = {BATCH_SIZE}\n"
        );
        let brokers = format!(
            "BatchSize = {BATCH_SIZE}\nMaximumBatchingWindowInSeconds = 0\nbackoff_first = \"50ms\"\nbackoff_max = \"500ms\"\n"
        );
        let http = format!("http://{address}");
        let poller = match self {
            Self::Kinesis(stream) => Poller::new(&stream.arn, http, &streams),
            Self::DynamoDb(table) => Poller::new(&table.stream_arn, http, &streams),
            Self::Queue(queue, _) => {
                let lines = format!(
                    "BatchSize = {BATCH_SIZE}\nScalingConfig = {{ MaximumConcurrency = {CONCURRENCY} }}\n"
                );
                Poller::new(&queue.arn, http, &lines)
            }
            Self::Kafka(topic) => {
                let subnet = "{ Type = \"VPC_SUBNET\", URI = \"subnet:subnet-0123456789\" }";
                Poller::of(&topic.mapping_at(address, subnet, &brokers))
            }
            Self::RabbitMq(rabbit) => rabbit.poller_at(&format!("amqp://{address}"), "", &brokers),
            Self::ActiveMq(broker, queue) => {
                let lines =
                    format!("BatchSize = {BATCH_SIZE}\nMaximumBatchingWindowInSeconds = 0\n");
                let url = format!("amqp://{address}");
                let broker = Broker {
                    url,
                    ..broker.clone()
                };
                broker.poller(queue, &lines)
            }
        };
        let timeout = match self {
            Self::Queue(..) => "2s",
            _ => timeout,
        };
        let timeout = &format!("timeout = \"{timeout}\"\n");
        let poller = poller.function(timeout);
        poller.env("TEST_FUNCTION_DELAY_MS", &delay_ms.to_string())
    }

    /// Writes these numbers, in their order.
    pub(super) async fn write(&self, numbers: Range<usize>) {
        match self {
            Self::Kinesis(stream) => {
                let records: Vec<(String, Vec<u8>)> = numbers
                    .map(|number| (format!("key-{number}"), number.to_string().into_bytes()))
                    .collect();
                stream.put(&records).await;
            }
            Self::DynamoDb(table) => {
                for number in numbers {
                    table.put(&number.to_string(), "text").await;
                }
            }
            Self::Queue(queue, false) => {
                let bodies: Vec<String> = numbers.map(|number| number.to_string()).collect();
                queue.send(&bodies).await;
            }
            Self::Queue(queue, true) => {
                for number in numbers {
                    let group = format!("g{}", number % GROUPS);
                    queue.send_fifo(&group, &number.to_string()).await;
                }
            }
            Self::Kafka(topic) => {
                for number in numbers {
                    let partition = i32::try_from(number % PARTITIONS).expect("a partition");
                    topic.send(partition, None, Some(&number.to_string())).await;
                }
            }
            Self::RabbitMq(rabbit) => {
                let bodies: Vec<String> = numbers.map(|number| number.to_string()).collect();
                rabbit.publish(&bodies).await;
            }
            Self::ActiveMq(broker, queue) => broker.client().await.send(queue, numbers).await,
        }
    }

    /// Writes as many records of this length, as fast as it can; they have no numbers.
    pub(super) async fn flood(&self, count: usize, bytes: usize) {
        let text = "x".repeat(bytes);
        match self {
            Self::Kinesis(_) | Self::DynamoDb(_) => unreachable!("streams are not flooded"),
            Self::Queue(queue, false) => queue.send(&vec![text; count]).await,
            Self::Queue(queue, true) => {
                for number in 0..count {
                    let group = format!("g{number}");
                    queue.send_fifo(&group, &format!("{number}{text}")).await;
                }
            }
            Self::Kafka(topic) => {
                let fill = async |partition| {
                    for _ in 0..count.div_ceil(PARTITIONS) {
                        topic.send(partition, None, Some(&text)).await;
                    }
                };
                tokio::join!(fill(0), fill(1), fill(2));
            }
            Self::RabbitMq(rabbit) => rabbit.publish(&vec![text; count]).await,
            Self::ActiveMq(broker, queue) => {
                let mut client = broker.client().await;
                client.send_texts(queue, &vec![text; count]).await;
            }
        }
    }

    /// Where the next process will begin, by key, as far as anything is stored. The poller is not running.
    pub(super) fn begins(&self, poller: &Poller) -> BTreeMap<String, Begin> {
        if let Self::Kafka(topic) = self {
            let committed = topic.committed().into_iter();
            return committed
                .map(|(partition, offset)| (partition.to_string(), Begin::At(offset.to_string())))
                .collect();
        }
        if !matches!(self, Self::Kinesis(_) | Self::DynamoDb(_)) {
            return BTreeMap::new();
        }
        // Of a copy: the next process has to find the file as the kill left it.
        let image = poller.path("image.redb");
        if std::fs::copy(poller.path("checkpoints.redb"), &image).is_err() {
            return BTreeMap::new();
        }
        let stored = Store::open(&image).expect("a store is readable after a kill");
        let stored = stored.load("tested").expect("checkpoints");
        let begins = stored.into_iter().filter_map(|(shard, stored)| {
            let Position::After(seq) = stored.position else {
                return None;
            };
            // Of this table's stream there is one shard, which its records do not name.
            let shard = match self {
                Self::Kinesis(_) => shard.to_string(),
                _ => String::new(),
            };
            Some((shard, Begin::After(seq.to_string())))
        });
        begins.collect()
    }

    /// Whether everything that was delivered is acknowledged, as far as that can be asked while it is polled.
    pub(super) async fn is_settled(&self) -> bool {
        matches!(self, Self::ActiveMq(..)) || self.is_empty().await
    }

    /// Whether nothing is left to deliver, or in the hands of somebody. What it finds may be gone afterwards.
    pub(super) async fn is_empty(&self) -> bool {
        match self {
            Self::Queue(queue, _) => queue.counts().await == QueueCounts::EMPTY,
            Self::RabbitMq(rabbit) => rabbit.counts().await == (0, 0),
            Self::ActiveMq(broker, queue) => broker.client().await.drain(queue).await.is_empty(),
            Self::Kinesis(_) | Self::DynamoDb(_) | Self::Kafka(_) => true,
        }
    }
}

/// What a record of an event says of itself.
pub(super) fn read(kind: Kind, record: &Value) -> Delivery {
    let text = |place: &str| {
        let found = record.pointer(place).and_then(Value::as_str);
        found
            .unwrap_or_else(|| panic!("no {place} in {record}"))
            .to_owned()
    };
    let decoded = |place: &str| {
        let bytes = STANDARD.decode(text(place)).expect("base64");
        String::from_utf8(bytes).expect("text")
    };
    let received = || {
        format!(
            "{} {}",
            text("/messageId"),
            text("/attributes/ApproximateReceiveCount")
        )
    };
    let (key, number, place) = match kind {
        Kind::Kinesis => {
            let id = text("/eventID");
            let (shard, sequence) = id.split_once(':').expect("shard:sequence");
            (
                shard.to_owned(),
                decoded("/kinesis/data"),
                sequence.to_owned(),
            )
        }
        Kind::DynamoDb => {
            let sequence = text("/dynamodb/SequenceNumber");
            let sequence = sequence.trim_start_matches('0').to_owned();
            (String::new(), text("/dynamodb/Keys/id/S"), sequence)
        }
        Kind::Sqs => (String::new(), text("/body"), received()),
        Kind::Fifo => (
            text("/attributes/MessageGroupId"),
            text("/body"),
            received(),
        ),
        Kind::Kafka => {
            let partition = record["partition"].to_string();
            (partition, decoded("/value"), record["offset"].to_string())
        }
        Kind::RabbitMq => (String::new(), decoded("/data"), String::new()),
        Kind::ActiveMq => (String::new(), text("/properties/number"), String::new()),
    };
    Delivery {
        key,
        number: number.parse().expect("a number"),
        place,
    }
}
