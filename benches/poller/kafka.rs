//! Kafka: the poller against a bare consumer that writes the same events and calls the same function.

use crate::ROUNDS;
use crate::bare::{http, send};
use crate::measure::{Measured, Rounds};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{CommitMode, Consumer as _, StreamConsumer};
use rdkafka::message::Message as _;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tidegate::engine::{Fact, MappingConfig, Outcome, Position, Profile, SourceKind, Span, Tuning};
use tidegate::poll::{self, Observer, RunOptions};
use tidegate::scenario::{
    Aws, ErrorSign, KafkaSource, MappingSource, PollerFile, PollerMapping, PollerSettings,
    SourceAccess, Target, TargetKind,
};

/// Records of a round, and their size.
const SIZES: [(usize, usize); 3] = [(60_000, 100), (40_000, 1_024), (8_000, 10_240)];
const PARTITIONS: [i32; 3] = [1, 12, 100];
/// Records of a batch; AWS's default.
const BATCH: usize = 100;
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) async fn run(function: &str) {
    let Ok(servers) = std::env::var("TIDEGATE_TEST_KAFKA") else {
        println!("| Kafka: skipped, no broker | | | | | |");
        return;
    };
    for partitions in PARTITIONS {
        for (records, bytes) in SIZES {
            let topic = format!("bench-{}-{partitions}-{bytes}", std::process::id());
            fill(&servers, &topic, partitions, records, bytes).await;
            let mut rounds = Rounds::default();
            for round in 0..ROUNDS {
                let group = format!("{topic}-bare-{round}");
                let bare = bare(&servers, &topic, &group, function, records);
                rounds.bare.push(Measured::of(records, bare).await);
                let group = format!("{topic}-poller-{round}");
                let poller = poller(&servers, &topic, &group, function, records);
                rounds.poller.push(Measured::of(records, poller).await);
            }
            let [poller, bare] = rounds.medians().map(|speed| speed * bytes as f64 / 1e6);
            rounds.print(&format!(
                "Kafka, batches of {BATCH}, {bytes} B, {partitions} partitions, {poller:.1} MB/s (bare {bare:.1})"
            ));
        }
    }
}

fn client(servers: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", servers);
    config
}

async fn fill(servers: &str, topic: &str, partitions: i32, records: usize, bytes: usize) {
    let admin: AdminClient<DefaultClientContext> = client(servers).create().expect("a client");
    let new = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
    let made = admin.create_topics([&new], &AdminOptions::new()).await;
    for result in made.expect("CreateTopics") {
        result.expect("the topic is made");
    }
    let producer: BaseProducer = client(servers).create().expect("a producer");
    let value = vec![b'k'; bytes];
    for number in 0..records {
        let key = format!("key-{number}");
        let partition = (number % partitions as usize) as i32;
        let record = BaseRecord::to(topic).key(&key).payload(&value);
        let mut record = Some(record.partition(partition));
        while let Some(next) = record.take() {
            if let Err((_, refused)) = producer.send(next) {
                // Its queue is full.
                producer.poll(Duration::from_millis(10));
                record = Some(refused);
            }
        }
    }
    producer.flush(PATIENCE).expect("written");
}

/// Takes what comes until a batch is full or nothing more is there, sends it, stores how far it has come.
async fn bare(servers: &str, topic: &str, group: &str, function: &str, records: usize) -> Instant {
    let consumer: StreamConsumer = client(servers)
        .set("group.id", group)
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", "earliest")
        .set("partition.assignment.strategy", "cooperative-sticky")
        // As the poller's consumers fetch.
        .set("isolation.level", "read_committed")
        .set("queued.max.messages.kbytes", "4096")
        .set("fetch.queue.backoff.ms", "5")
        .set("fetch.wait.max.ms", "100")
        .create()
        .expect("a consumer");
    consumer.subscribe(&[topic]).expect("subscribed");
    let http = http();
    let mut done = 0;
    while done < records {
        let mut lists: BTreeMap<i32, Vec<Value>> = BTreeMap::new();
        let mut next: BTreeMap<i32, i64> = BTreeMap::new();
        let mut count = 0;
        while count < BATCH && done + count < records {
            let message = consumer.recv().await.expect("a message");
            let (partition, offset) = (message.partition(), message.offset());
            lists.entry(partition).or_default().push(json!({
                "topic": topic,
                "partition": partition,
                "offset": offset,
                "timestamp": message.timestamp().to_millis(),
                "timestampType": "CREATE_TIME",
                "key": message.key().map(|it| STANDARD.encode(it)),
                "value": message.payload().map(|it| STANDARD.encode(it)),
                "headers": [],
            }));
            next.insert(partition, offset + 1);
            count += 1;
        }
        let lists: Map<String, Value> = lists
            .into_iter()
            .map(|(partition, list)| (format!("{topic}-{partition}"), Value::Array(list)))
            .collect();
        let event = json!({
            "eventSource": "SelfManagedKafka", "bootstrapServers": servers, "records": lists,
        });
        send(&http, function, &event).await;
        let mut offsets = TopicPartitionList::new();
        for (partition, offset) in next {
            let added = offsets.add_partition_offset(topic, partition, Offset::Offset(offset));
            added.expect("an offset");
        }
        let sent = consumer.commit(&offsets, CommitMode::Async);
        sent.expect("the commit is on its way");
        done += count;
    }
    let end = Instant::now();
    tokio::task::spawn_blocking(move || drop(consumer))
        .await
        .expect("it has left");
    end
}

async fn poller(
    servers: &str,
    topic: &str,
    group: &str,
    function: &str,
    records: usize,
) -> Instant {
    let config = MappingConfig {
        starting_position: Position::Horizon,
        batch_size: BATCH as u32,
        ..MappingConfig::new("bench", SourceKind::SelfManagedKafka)
    };
    let source = KafkaSource {
        arn: None,
        servers: vec![servers.to_owned()],
        topic: topic.to_owned(),
        group: group.to_owned(),
        protocol: None,
    };
    let file = PollerFile {
        hash: String::new(),
        profile: Profile::Current,
        aws: Aws::default(),
        region: None,
        invoke_api: None,
        poller: PollerSettings {
            store: None,
            drain_timeout: Span::from_secs(30),
            seed: 1,
            listen: None,
            leases: None,
        },
        sources: Vec::new(),
        targets: vec![Target {
            function: "function".to_owned(),
            kind: TargetKind::Http {
                url: function.to_owned(),
                errors: ErrorSign::Status,
            },
            concurrency: None,
            timeout: Span::from_secs(30),
            memory_mb: 128,
            limits: tidegate::scenario::TargetLimits::default(),
        }],
        mappings: vec![PollerMapping {
            config,
            tuning: Tuning::new(Profile::Current),
            source: MappingSource::Kafka(Box::new(source)),
            access: Vec::<SourceAccess>::new(),
            target: 0,
            enabled: true,
        }],
    };
    let (observer, mut facts) = Observer::new();
    let options = RunOptions {
        records_max: Some(records as u64),
        observer: Some(observer),
        signals: false,
        status_interval: Span::ZERO,
        ..RunOptions::default()
    };
    let watch = async {
        let mut done = 0;
        while let Some(observed) = facts.recv().await {
            if let Fact::InvokeEnded {
                records,
                outcome: Outcome::Success,
                ..
            } = observed.fact
            {
                done += records as usize;
            }
            if done >= records {
                break;
            }
        }
        Instant::now()
    };
    let (summary, done) = tokio::join!(poll::run(file, options), watch);
    let summary = summary.expect("a run");
    assert_eq!((summary.errors, summary.throttles), (0, 0));
    done
}
