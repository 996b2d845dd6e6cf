//! Topics of a test's own, what is written to them and committed of them, and a broker of a test's own.

use super::poller::{Invocation, Poller, wait_until};
use super::{PATIENCE, server_url, unique};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::{Header, Message as _, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

pub(crate) const PLAIN: &str = "TIDEGATE_TEST_KAFKA";
pub(crate) const SASL: &str = "TIDEGATE_TEST_KAFKA_SASL";
pub(crate) const MTLS: &str = "TIDEGATE_TEST_KAFKA_MTLS";
pub(crate) const SASL_TLS: &str = "TIDEGATE_TEST_KAFKA_SASL_TLS";
const CERTIFICATES: &str = "TIDEGATE_TEST_KAFKA_CERTIFICATES";
const HOME: &str = "TIDEGATE_TEST_KAFKA_HOME";

/// A topic on the broker that all tests share, or on one of a test's own.
pub(crate) struct Topic {
    pub(crate) servers: String,
    pub(crate) name: String,
    partitions: i32,
    producer: FutureProducer,
}

impl Topic {
    pub(crate) async fn create(partitions: i32) -> Self {
        Self::create_on(&server_url(PLAIN), partitions, &[]).await
    }

    pub(crate) async fn create_on(
        servers: &str,
        partitions: i32,
        settings: &[(&str, &str)],
    ) -> Self {
        let topic = Self::named(servers, &unique("topic"), partitions);
        topic.make(settings).await;
        topic
    }

    /// A topic that need not exist yet.
    pub(crate) fn named(servers: &str, name: &str, partitions: i32) -> Self {
        let producer = client(servers)
            .set("linger.ms", "1")
            .create()
            .expect("a producer");
        Self {
            servers: servers.to_owned(),
            name: name.to_owned(),
            partitions,
            producer,
        }
    }

    pub(crate) async fn make(&self, settings: &[(&str, &str)]) {
        let admin: AdminClient<DefaultClientContext> =
            client(&self.servers).create().expect("an admin client");
        let mut topic = NewTopic::new(&self.name, self.partitions, TopicReplication::Fixed(1));
        for (name, value) in settings {
            topic = topic.set(name, value);
        }
        let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
        let made = admin.create_topics([&topic], &options).await;
        for result in made.expect("CreateTopics") {
            result.expect("the topic is made");
        }
    }

    /// Writes one record and returns its offset.
    pub(crate) async fn send(&self, partition: i32, key: Option<&str>, value: Option<&str>) -> i64 {
        self.send_with(partition, key, value, &[]).await
    }

    pub(crate) async fn send_with(
        &self,
        partition: i32,
        key: Option<&str>,
        value: Option<&str>,
        headers: &[(&str, Option<&[u8]>)],
    ) -> i64 {
        let mut owned = OwnedHeaders::new();
        for (key, value) in headers {
            owned = owned.insert(Header { key, value: *value });
        }
        let mut record: FutureRecord<'_, str, str> =
            FutureRecord::to(&self.name).partition(partition);
        record.key = key;
        record.payload = value;
        if !headers.is_empty() {
            record = record.headers(owned);
        }
        let sent = self.producer.send(record, PATIENCE).await;
        sent.expect("the record is written").offset
    }

    /// Writes `"<partition>:<number>"` for all numbers of the range to every partition.
    pub(crate) async fn fill(&self, numbers: std::ops::Range<usize>) {
        let mut sent = Vec::new();
        for number in numbers {
            for partition in 0..self.partitions {
                let value = format!("{partition}:{number}");
                sent.push(async move {
                    self.send(partition, Some("key"), Some(&value)).await;
                });
            }
        }
        futures_of(sent).await;
    }

    /// The committed offset of every partition; the group has the topic's name.
    pub(crate) fn committed(&self) -> BTreeMap<i32, i64> {
        let consumer: BaseConsumer = client(&self.servers)
            .set("group.id", &self.name)
            .create()
            .expect("a consumer");
        let mut asked = TopicPartitionList::new();
        for partition in 0..self.partitions {
            asked.add_partition(&self.name, partition);
        }
        // A group whose members were killed may be between two coordinators.
        let found = wait_until("OffsetFetch", || {
            consumer.committed_offsets(asked.clone(), PATIENCE).ok()
        });
        let each = found.elements().into_iter().filter_map(|element| {
            let Offset::Offset(offset) = element.offset() else {
                return None;
            };
            Some((element.partition(), offset))
        });
        each.collect()
    }

    /// Everything that is in a partition now: offset, key and value.
    pub(crate) fn read(&self, partition: i32) -> Vec<(i64, Option<String>, Option<String>)> {
        let consumer: BaseConsumer = client(&self.servers)
            .set("group.id", "reader")
            .set("enable.partition.eof", "true")
            .create()
            .expect("a consumer");
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&self.name, partition, Offset::Beginning)
            .expect("an offset");
        consumer.assign(&list).expect("assigned");
        let text = |bytes: Option<&[u8]>| {
            bytes.map(|bytes| String::from_utf8(bytes.to_vec()).expect("UTF-8"))
        };
        let mut found = Vec::new();
        loop {
            match consumer.poll(PATIENCE).expect("an end") {
                Ok(message) => found.push((
                    message.offset(),
                    text(message.key()),
                    text(message.payload()),
                )),
                Err(KafkaError::PartitionEOF(_)) => return found,
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Commits for the group, which must have no members.
    pub(crate) fn commit(&self, partition: i32, offset: i64) {
        let consumer: BaseConsumer = client(&self.servers)
            .set("group.id", &self.name)
            .create()
            .expect("a consumer");
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&self.name, partition, Offset::Offset(offset))
            .expect("an offset");
        consumer
            .commit(&list, rdkafka::consumer::CommitMode::Sync)
            .expect("OffsetCommit");
    }

    /// The lines that make a mapping read the topic from `servers`, with further lines.
    pub(crate) fn mapping_at(&self, servers: &str, access: &str, lines: &str) -> String {
        format!(
            "Topics = [\"{}\"]\nStartingPosition = \"TRIM_HORIZON\"\n\
             SelfManagedEventSource = {{ Endpoints = {{ KAFKA_BOOTSTRAP_SERVERS = [\"{servers}\"] }} }}\n\
             SelfManagedKafkaEventSourceConfig = {{ ConsumerGroupId = \"{}\" }}\n\
             SourceAccessConfigurations = [{access}]\n{lines}\n",
            self.name, self.name
        )
    }

    /// A poller of the topic, with further lines for its mapping.
    pub(crate) fn poller(&self, lines: &str) -> Poller {
        let subnet = "{ Type = \"VPC_SUBNET\", URI = \"subnet:subnet-0123456789\" }";
        let mapping = self.mapping_at(&self.servers, subnet, lines);
        let mapping = match lines.contains("StartingPosition") {
            true => mapping.replacen("StartingPosition = \"TRIM_HORIZON\"\n", "", 1),
            false => mapping,
        };
        Poller::of(&mapping)
    }
}

/// Waits for all of them; they are few enough to be at work at once.
async fn futures_of(list: Vec<impl Future<Output = ()>>) {
    let mut pinned: Vec<_> = list.into_iter().map(Box::pin).collect();
    std::future::poll_fn(|cx| {
        pinned.retain_mut(|it| it.as_mut().poll(cx).is_pending());
        match pinned.is_empty() {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        }
    })
    .await;
}

pub(crate) fn client(servers: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", servers);
    config.set_log_level(rdkafka::config::RDKafkaLogLevel::Emerg);
    config
}

/// A file of the broker's certificates.
pub(crate) fn certificate(name: &str) -> String {
    let path = PathBuf::from(server_url(CERTIFICATES)).join(name);
    std::fs::read_to_string(path).expect("a certificate")
}

/// The access by which the broker's own authority is believed.
pub(crate) fn authority() -> (&'static str, String) {
    let secret = serde_json::json!({"certificate": certificate("ca.pem")}).to_string();
    ("SERVER_ROOT_CA_CERTIFICATE", secret)
}

/// What the function saw of each partition, in the order in which it saw it: the numbers that [`Topic::fill`] wrote.
pub(crate) fn numbers(invocations: &[Invocation]) -> BTreeMap<u64, Vec<usize>> {
    let mut seen: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
    for record in invocations.iter().flat_map(|it| &it.records) {
        let partition = record["partition"].as_u64().expect("a partition");
        let value = value(record).expect("a value");
        let (of, number) = value.split_once(':').expect("partition:number");
        assert_eq!(of, partition.to_string());
        seen.entry(partition)
            .or_default()
            .push(number.parse().expect("a number"));
    }
    seen
}

pub(crate) fn value(record: &serde_json::Value) -> Option<String> {
    use base64::Engine as _;
    let text = record.get("value")?.as_str()?;
    let bytes = base64::engine::general_purpose::STANDARD.decode(text);
    Some(String::from_utf8(bytes.expect("base64")).expect("UTF-8"))
}

/// Every number came, and each for the first time after all before it: repetitions may follow a redelivery, but never
/// out of order within one pass.
pub(crate) fn assert_in_order(seen: &[usize], count: usize) {
    let mut next = 0;
    for (index, &number) in seen.iter().enumerate() {
        assert!(number <= next, "{number} came before {next}: {seen:?}");
        if number == next {
            next += 1;
        }
        if index > 0 && number != seen[index - 1] + 1 {
            assert!(number <= seen[index - 1], "a gap after {}", seen[index - 1]);
        }
    }
    assert_eq!(next, count, "the last ones are missing");
}

/// A broker of the test's own, to stop and start. It is killed when it is dropped.
pub(crate) struct Broker {
    folder: TempDir,
    ports: Vec<u16>,
    process: Option<Child>,
}

impl Broker {
    pub(crate) fn start() -> Self {
        // Held until all are found, so that they differ.
        let listeners: Vec<_> = (0..5)
            .map(|_| std::net::TcpListener::bind("127.0.0.1:0").expect("a port"))
            .collect();
        let port = |it: &std::net::TcpListener| it.local_addr().expect("an address").port();
        let mut broker = Self {
            folder: tempfile::tempdir().expect("a folder"),
            ports: listeners.iter().map(port).collect(),
            process: None,
        };
        drop(listeners);
        broker.resume();
        broker
    }

    pub(crate) fn servers(&self) -> String {
        format!("127.0.0.1:{}", self.ports[0])
    }

    /// Starts it again where it was.
    pub(crate) fn resume(&mut self) {
        let log = self.folder.path().join("broker.log");
        let output = std::fs::File::create(&log).expect("a log");
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/lib/kafka-broker");
        let process = Command::new(script)
            .arg(server_url(HOME))
            .arg(self.folder.path().join("state"))
            .args(self.ports.iter().map(u16::to_string))
            .stdin(Stdio::null())
            .stderr(output.try_clone().expect("the log"))
            .stdout(output)
            .spawn();
        self.process = Some(process.expect("the broker starts"));
        wait_until("the broker", || {
            let said = std::fs::read_to_string(&log).ok()?;
            said.contains("Kafka Server started").then_some(())
        });
    }

    /// Ends it without a chance to do anything.
    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().expect("it still ran");
            process.wait().expect("it ended");
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}
