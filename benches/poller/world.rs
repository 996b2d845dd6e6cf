//! Queues, streams and the poller's configuration for the benchmark.

use crate::function::HOP;
use crate::hop::READ_EVERY;
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::PutRecordsRequestEntry;
use aws_sdk_sqs::types::{QueueAttributeName, SendMessageBatchRequestEntry};
use aws_smithy_http_client::{Builder as HttpClientBuilder, tls};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;
use tidegate::engine::{Fact, MappingConfig, Outcome, Position, Profile, SourceKind, Span, Tuning};
use tidegate::poll::{self, Observer, RunOptions};
use tidegate::scenario::{
    Arn, Aws, ErrorSign, MappingSource, PollerFile, PollerMapping, PollerSettings, SourceAccess,
    Target, TargetKind,
};

const PAYLOAD_BYTES: usize = 200;
const PARTITION_KEYS: usize = 10_000;

/// The server and the function.
pub(crate) struct World {
    pub(crate) sqs: aws_sdk_sqs::Client,
    pub(crate) kinesis: aws_sdk_kinesis::Client,
    pub(crate) function: String,
    server: String,
}

pub(crate) struct Queue {
    pub(crate) url: String,
    pub(crate) arn: String,
}

pub(crate) struct Stream {
    pub(crate) name: String,
    pub(crate) arn: String,
    pub(crate) shards: Vec<String>,
}

impl World {
    pub(crate) fn new(server: String, function: String) -> Self {
        let http = HttpClientBuilder::new()
            .tls_provider(tls::Provider::Rustls(
                tls::rustls_provider::CryptoMode::Ring,
            ))
            .build_https();
        let sqs = {
            use aws_sdk_sqs::config::{BehaviorVersion, Builder, Credentials, Region};
            Builder::new()
                .behavior_version(BehaviorVersion::latest())
                .region(Region::new("us-east-1"))
                .credentials_provider(Credentials::new("test", "test", None, None, "bench"))
                .endpoint_url(&server)
                .http_client(http.clone())
                .build()
        };
        let kinesis = {
            use aws_sdk_kinesis::config::{BehaviorVersion, Builder, Credentials, Region};
            Builder::new()
                .behavior_version(BehaviorVersion::latest())
                .region(Region::new("us-east-1"))
                .credentials_provider(Credentials::new("test", "test", None, None, "bench"))
                .endpoint_url(&server)
                .http_client(http)
                .build()
        };
        Self {
            sqs: aws_sdk_sqs::Client::from_conf(sqs),
            kinesis: aws_sdk_kinesis::Client::from_conf(kinesis),
            function,
            server,
        }
    }

    /// A FIFO queue has messages of 200 groups in turn.
    pub(crate) async fn filled_queue(&self, messages: usize, is_fifo: bool) -> Queue {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let ending = if is_fifo { ".fifo" } else { "" };
        let name = format!("bench-{}-{number}{ending}", std::process::id());
        let mut create = self.sqs.create_queue().queue_name(name);
        if is_fifo {
            create = create.attributes(QueueAttributeName::FifoQueue, "true");
        }
        let created = create.send().await;
        let url = created.expect("CreateQueue").queue_url.expect("an address");
        let attributes = self
            .sqs
            .get_queue_attributes()
            .queue_url(&url)
            .attribute_names(QueueAttributeName::QueueArn)
            .send()
            .await
            .expect("GetQueueAttributes");
        let arn = attributes.attributes.expect("attributes")[&QueueAttributeName::QueueArn].clone();
        let queue = Queue { url, arn };
        self.fill(&queue, messages, is_fifo).await;
        queue
    }

    async fn fill(&self, queue: &Queue, messages: usize, is_fifo: bool) {
        let body = "m".repeat(PAYLOAD_BYTES);
        for call in 0..messages / 10 {
            let mut send = self.sqs.send_message_batch().queue_url(&queue.url);
            for id in 0..10 {
                let mut entry = SendMessageBatchRequestEntry::builder()
                    .id(id.to_string())
                    .message_body(&body);
                if is_fifo {
                    let number = call * 10 + id;
                    entry = entry
                        .message_group_id(format!("group-{}", number % 200))
                        .message_deduplication_id(number.to_string());
                }
                send = send.entries(entry.build().expect("a complete entry"));
            }
            send.send().await.expect("SendMessageBatch");
        }
    }

    pub(crate) async fn stream(&self, shards: usize, records: usize) -> Stream {
        let stream = self.open_stream(&shards.to_string(), shards).await;
        self.fill_stream(&stream, records).await;
        stream
    }

    /// A stream of one shard without records.
    pub(crate) async fn empty_stream(&self, name: &str) -> Stream {
        self.open_stream(name, 1).await
    }

    async fn open_stream(&self, name: &str, shards: usize) -> Stream {
        let name = format!("bench-{}-{name}", std::process::id());
        self.kinesis
            .create_stream()
            .stream_name(&name)
            .shard_count(shards as i32)
            .send()
            .await
            .expect("CreateStream");
        let listed = self.kinesis.list_shards().stream_name(&name).send().await;
        let listed = listed.expect("ListShards").shards.unwrap_or_default();
        let description = self
            .kinesis
            .describe_stream_summary()
            .stream_name(&name)
            .send()
            .await;
        let description = description.expect("DescribeStreamSummary");
        let arn = description
            .stream_description_summary
            .expect("a description")
            .stream_arn;
        Stream {
            name,
            arn,
            shards: listed.into_iter().map(|shard| shard.shard_id).collect(),
        }
    }

    async fn fill_stream(&self, stream: &Stream, records: usize) {
        for chunk in (0..records).collect::<Vec<_>>().chunks(500) {
            let mut put = self.kinesis.put_records().stream_name(&stream.name);
            for number in chunk {
                let entry = PutRecordsRequestEntry::builder()
                    .data(Blob::new(vec![b'k'; PAYLOAD_BYTES]))
                    .partition_key(format!("key-{}", number % PARTITION_KEYS))
                    .build()
                    .expect("a complete entry");
                put = put.records(entry);
            }
            put.send().await.expect("PutRecords");
        }
    }

    pub(crate) async fn poll_queue(&self, queue: &Queue, messages: usize) -> Instant {
        let is_fifo = queue.arn.ends_with(".fifo");
        let kind = if is_fifo {
            SourceKind::SqsFifo
        } else {
            SourceKind::Sqs
        };
        let config = MappingConfig::new("bench", kind);
        let function = self.function.clone();
        self.poll(
            config,
            Tuning::new(Profile::Current),
            self.service(&queue.arn),
            messages,
            function,
        )
        .await
    }

    pub(crate) async fn poll_stream(&self, stream: &Stream, records: usize) -> Instant {
        let config = MappingConfig {
            starting_position: Position::Horizon,
            ..MappingConfig::new("bench", SourceKind::Kinesis)
        };
        // The bare loop knows no read limits, and the server has none.
        let tuning = Tuning {
            reads_per_sec_max: 1_000_000,
            read_bytes_per_sec_max: u64::MAX / 2,
            ..Tuning::new(Profile::Current)
        };
        let function = self.function.clone();
        self.poll(config, tuning, self.service(&stream.arn), records, function)
            .await
    }

    /// Sends every record on as soon as it can be read.
    pub(crate) async fn poll_hop(&self, stream: &Stream, records: usize) {
        let config = MappingConfig::new("hop", SourceKind::Kinesis);
        let tuning = Tuning {
            poll_interval: Span::from_nanos(READ_EVERY.as_nanos() as u64),
            reads_per_sec_max: 1_000_000,
            read_bytes_per_sec_max: u64::MAX / 2,
            ..Tuning::new(Profile::Current)
        };
        let function = format!("{}{HOP}", self.function);
        self.poll(config, tuning, self.service(&stream.arn), records, function)
            .await;
    }

    fn service(&self, arn: &str) -> (MappingSource, Vec<SourceAccess>) {
        let source = MappingSource::Service {
            arn: Arn::parse(arn).expect("an ARN"),
            endpoint_url: Some(self.server.clone()),
        };
        (source, Vec::new())
    }

    /// Polls until `records` records are done, and says when that was.
    pub(crate) async fn poll(
        &self,
        config: MappingConfig,
        tuning: Tuning,
        (source, access): (MappingSource, Vec<SourceAccess>),
        records: usize,
        function: String,
    ) -> Instant {
        let is_stream = config.source == SourceKind::Kinesis;
        let file = PollerFile {
            hash: String::new(),
            profile: Profile::Current,
            aws: Aws {
                region: Some("us-east-1".to_owned()),
                ..Aws::default()
            },
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
                    url: function,
                    errors: ErrorSign::Status,
                },
                concurrency: None,
                timeout: Span::from_secs(30),
                memory_mb: 128,
                limits: tidegate::scenario::TargetLimits::default(),
            }],
            mappings: vec![PollerMapping {
                config,
                tuning,
                source,
                access,
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
                done += match observed.fact {
                    Fact::Deleted { records } => records,
                    Fact::InvokeEnded {
                        records,
                        outcome: Outcome::Success,
                        ..
                    } if is_stream => records,
                    _ => 0,
                };
                if done as usize >= records {
                    break;
                }
            }
            Instant::now()
        };
        let (summary, done) = tokio::join!(poll::run(file, options), watch);
        let summary = summary.expect("a run");
        assert_eq!((summary.errors, summary.throttles), (0, 0));
        assert!(summary.records >= records as u64, "{summary:?}");
        done
    }
}
