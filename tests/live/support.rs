//! Clients for the servers, queues and streams of a test's own, and waiting for things with a
//! deadline.

#![allow(
    dead_code,
    reason = "tests are added one by one; a helper may be waiting for the test that uses it"
)]

pub(crate) mod activemq;
pub(crate) mod dynamodb;
pub(crate) mod kafka;
pub(crate) mod poller;
pub(crate) mod proxy;
pub(crate) mod rabbitmq;

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::{
    PutRecordsRequestEntry, Record, Shard, ShardIteratorType, StreamStatus,
};
use aws_sdk_sqs::types::{QueueAttributeName, SendMessageBatchRequestEntry};
use aws_smithy_http_client::{Builder as HttpClientBuilder, tls};
use aws_smithy_runtime_api::client::http::SharedHttpClient;

pub(crate) const REGION: &str = "us-east-1";
pub(crate) const ACCESS_KEY_ID: &str = "test";
pub(crate) const SECRET_ACCESS_KEY: &str = "test";

/// Long enough for a loaded machine; nothing waits this long unless it is broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) const SQS_URL: &str = "TIDEGATE_TEST_SQS_URL";
pub(crate) const KINESIS_URL: &str = "TIDEGATE_TEST_KINESIS_URL";
pub(crate) const MINISTACK_URL: &str = "TIDEGATE_TEST_MINISTACK_URL";

/// The address of a server, from one of the variables above.
pub(crate) fn server_url(variable: &str) -> String {
    match std::env::var(variable) {
        Ok(url) if !url.is_empty() => url,
        _ => panic!(
            "{variable} is not set: live tests need running servers. Run scripts/test, or \
             `scripts/servers run -- cargo test --features live --test live`"
        ),
    }
}

/// The same client as the product uses: it speaks TLS with ring, and plain HTTP to an `http://`
/// address.
pub(crate) fn http_client() -> SharedHttpClient {
    HttpClientBuilder::new()
        .tls_provider(tls::Provider::Rustls(
            tls::rustls_provider::CryptoMode::Ring,
        ))
        .build_https()
}

pub(crate) fn sqs() -> aws_sdk_sqs::Client {
    use aws_sdk_sqs::config::{BehaviorVersion, Builder, Credentials, Region};
    let config = Builder::new()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .credentials_provider(Credentials::new(
            ACCESS_KEY_ID,
            SECRET_ACCESS_KEY,
            None,
            None,
            "test",
        ))
        .endpoint_url(server_url(SQS_URL))
        .http_client(http_client())
        .build();
    aws_sdk_sqs::Client::from_conf(config)
}

pub(crate) fn kinesis() -> aws_sdk_kinesis::Client {
    kinesis_at(&server_url(KINESIS_URL))
}

pub(crate) fn kinesis_at(url: &str) -> aws_sdk_kinesis::Client {
    use aws_sdk_kinesis::config::{BehaviorVersion, Builder, Credentials, Region};
    let config = Builder::new()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .credentials_provider(Credentials::new(
            ACCESS_KEY_ID,
            SECRET_ACCESS_KEY,
            None,
            None,
            "test",
        ))
        .endpoint_url(url)
        .http_client(http_client())
        .build();
    aws_sdk_kinesis::Client::from_conf(config)
}

/// A name that no other test, and no earlier run against the same server, has used.
pub(crate) fn unique(prefix: &str) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    format!(
        "{prefix}-{:x}-{:x}-{}",
        std::process::id(),
        now.as_micros(),
        NEXT.fetch_add(1, Ordering::Relaxed)
    )
}

/// Asks again and again until there is an answer; panics, naming what was waited for, when the time
/// is up. The short pause only keeps the asking from being a busy loop.
pub(crate) async fn eventually_within<T>(
    patience: Duration,
    what: &str,
    mut ask: impl AsyncFnMut() -> Option<T>,
) -> T {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(
            Instant::now() < deadline,
            "waited {patience:?} in vain for: {what}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub(crate) async fn eventually<T>(what: &str, ask: impl AsyncFnMut() -> Option<T>) -> T {
    eventually_within(PATIENCE, what, ask).await
}

/// A queue of the test's own.
pub(crate) struct Queue {
    pub(crate) client: aws_sdk_sqs::Client,
    pub(crate) name: String,
    pub(crate) url: String,
    pub(crate) arn: String,
}

/// The approximate numbers that a queue gives of its messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct QueueCounts {
    pub(crate) visible: u64,
    pub(crate) in_flight: u64,
    pub(crate) delayed: u64,
}

impl QueueCounts {
    pub(crate) const EMPTY: Self = Self {
        visible: 0,
        in_flight: 0,
        delayed: 0,
    };
}

impl Queue {
    /// Creates a queue; it is a FIFO queue, and named as such, if `FifoQueue` is among the
    /// attributes.
    pub(crate) async fn create(attributes: &[(QueueAttributeName, &str)]) -> Self {
        let client = sqs();
        let fifo = attributes
            .iter()
            .any(|(name, _)| *name == QueueAttributeName::FifoQueue);
        let name = unique("queue") + if fifo { ".fifo" } else { "" };
        let mut create = client.create_queue().queue_name(&name);
        for (attribute, value) in attributes {
            create = create.attributes(attribute.clone(), *value);
        }
        let url = create
            .send()
            .await
            .expect("CreateQueue")
            .queue_url
            .expect("an address for the queue");
        let answer = client
            .get_queue_attributes()
            .queue_url(&url)
            .attribute_names(QueueAttributeName::QueueArn)
            .send()
            .await
            .expect("GetQueueAttributes");
        let arn = answer.attributes.expect("attributes")[&QueueAttributeName::QueueArn].clone();
        Self {
            client,
            name,
            url,
            arn,
        }
    }

    /// Sends standard-queue messages, ten to a request.
    pub(crate) async fn send(&self, bodies: &[String]) {
        for chunk in bodies.chunks(10) {
            let mut request = self.client.send_message_batch().queue_url(&self.url);
            for (index, body) in chunk.iter().enumerate() {
                let entry = SendMessageBatchRequestEntry::builder()
                    .id(index.to_string())
                    .message_body(body)
                    .build()
                    .expect("a complete entry");
                request = request.entries(entry);
            }
            let answer = request.send().await.expect("SendMessageBatch");
            assert!(answer.failed.is_empty(), "not sent: {:?}", answer.failed);
        }
    }

    /// Sends one message to a FIFO queue.
    pub(crate) async fn send_fifo(&self, group: &str, body: &str) {
        self.client
            .send_message()
            .queue_url(&self.url)
            .message_group_id(group)
            .message_deduplication_id(unique("message"))
            .message_body(body)
            .send()
            .await
            .expect("SendMessage");
    }

    pub(crate) async fn counts(&self) -> QueueCounts {
        use QueueAttributeName::{
            ApproximateNumberOfMessages as Visible, ApproximateNumberOfMessagesDelayed as Delayed,
            ApproximateNumberOfMessagesNotVisible as InFlight,
        };
        let answer = self
            .client
            .get_queue_attributes()
            .queue_url(&self.url)
            .set_attribute_names(Some(vec![Visible, InFlight, Delayed]))
            .send()
            .await
            .expect("GetQueueAttributes");
        let attributes = answer.attributes.expect("attributes");
        let number = |name| attributes[&name].parse().expect("a number");
        QueueCounts {
            visible: number(Visible),
            in_flight: number(InFlight),
            delayed: number(Delayed),
        }
    }

    pub(crate) async fn delete(self) {
        self.client
            .delete_queue()
            .queue_url(&self.url)
            .send()
            .await
            .expect("DeleteQueue");
    }
}

/// A stream of the test's own.
pub(crate) struct Stream {
    pub(crate) client: aws_sdk_kinesis::Client,
    pub(crate) name: String,
    pub(crate) arn: String,
}

impl Stream {
    pub(crate) async fn create(shards: i32) -> Self {
        Self::create_with(kinesis(), shards).await
    }

    /// On another server than the usual one.
    pub(crate) async fn create_with(client: aws_sdk_kinesis::Client, shards: i32) -> Self {
        let name = unique("stream");
        client
            .create_stream()
            .stream_name(&name)
            .shard_count(shards)
            .send()
            .await
            .expect("CreateStream");
        let mut stream = Self {
            client,
            name,
            arn: String::new(),
        };
        stream.arn = stream.active().await;
        stream
    }

    /// Waits until the stream is ACTIVE and answers with its ARN.
    pub(crate) async fn active(&self) -> String {
        eventually("an ACTIVE stream", async || {
            let answer = self
                .client
                .describe_stream_summary()
                .stream_name(&self.name)
                .send()
                .await
                .expect("DescribeStreamSummary");
            let summary = answer.stream_description_summary.expect("a summary");
            (summary.stream_status == StreamStatus::Active).then_some(summary.stream_arn)
        })
        .await
    }

    /// All shards, closed ones included, in the order in which the server lists them.
    pub(crate) async fn shards(&self) -> Vec<Shard> {
        let mut shards = Vec::new();
        let mut next = None;
        loop {
            let request = self.client.list_shards();
            let request = match next {
                Some(token) => request.next_token(token),
                None => request.stream_name(&self.name),
            };
            let answer = request.send().await.expect("ListShards");
            shards.extend(answer.shards.unwrap_or_default());
            next = answer.next_token;
            if next.is_none() {
                return shards;
            }
        }
    }

    /// Puts records (partition key and data) in the order given, and returns each one's shard and
    /// sequence number.
    pub(crate) async fn put(&self, records: &[(String, Vec<u8>)]) -> Vec<(String, String)> {
        let mut places = Vec::with_capacity(records.len());
        for chunk in records.chunks(500) {
            let mut request = self.client.put_records().stream_name(&self.name);
            for (key, data) in chunk {
                let entry = PutRecordsRequestEntry::builder()
                    .partition_key(key)
                    .data(Blob::new(data.clone()))
                    .build()
                    .expect("a complete entry");
                request = request.records(entry);
            }
            let answer = request.send().await.expect("PutRecords");
            for result in answer.records {
                assert!(result.error_code.is_none(), "not put: {result:?}");
                places.push((
                    result.shard_id.expect("a shard"),
                    result.sequence_number.expect("a sequence number"),
                ));
            }
        }
        places
    }

    /// An iterator; `sequence_number` is for the kinds that need one.
    pub(crate) async fn iterator(
        &self,
        shard: &str,
        kind: ShardIteratorType,
        sequence_number: Option<&str>,
    ) -> String {
        self.client
            .get_shard_iterator()
            .stream_name(&self.name)
            .shard_id(shard)
            .shard_iterator_type(kind)
            .set_starting_sequence_number(sequence_number.map(str::to_owned))
            .send()
            .await
            .expect("GetShardIterator")
            .shard_iterator
            .expect("an iterator")
    }

    /// Everything in a shard up to its end, or to its tip if it is open.
    pub(crate) async fn read(&self, shard: &str) -> Vec<Record> {
        let mut records = Vec::new();
        let mut iterator = Some(
            self.iterator(shard, ShardIteratorType::TrimHorizon, None)
                .await,
        );
        while let Some(current) = iterator {
            let answer = self
                .client
                .get_records()
                .shard_iterator(current)
                .send()
                .await
                .expect("GetRecords");
            let at_tip = answer.records.is_empty() && answer.millis_behind_latest == Some(0);
            records.extend(answer.records);
            iterator = answer.next_shard_iterator.filter(|_| !at_tip);
        }
        records
    }

    pub(crate) async fn delete(self) {
        self.client
            .delete_stream()
            .stream_name(&self.name)
            .enforce_consumer_deletion(true)
            .send()
            .await
            .expect("DeleteStream");
    }
}

/// The program of `tests/function`, built if need be: cargo builds it along with all tests, but not
/// when it is asked for one test binary alone.
pub(crate) fn test_function() -> PathBuf {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(build_test_function).clone()
}

fn build_test_function() -> PathBuf {
    // This program is TARGET/PROFILE/deps/live-HASH.
    let this = std::env::current_exe().expect("the path of this program");
    let profile_dir = this
        .ancestors()
        .nth(2)
        .expect("a profile's folder")
        .to_owned();
    let program = profile_dir
        .join("examples")
        .join(format!("test-function{}", std::env::consts::EXE_SUFFIX));
    if let Some(cargo) = std::env::var_os("CARGO") {
        let mut build = Command::new(cargo);
        build
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .args([
                "build",
                "--quiet",
                "--offline",
                "--features",
                "live",
                "--example",
                "test-function",
            ])
            .arg("--target-dir")
            .arg(profile_dir.parent().expect("the target folder"));
        // Cargo tells a test about its package. Handed on, that would look like a changed
        // environment to the build scripts of dependencies, which would then run again, and again
        // at the next ordinary build.
        for (name, _) in std::env::vars_os() {
            let own = name.to_str().is_some_and(|name| {
                name.starts_with("CARGO_MANIFEST_") || name.starts_with("CARGO_PKG_")
            });
            if own {
                build.env_remove(name);
            }
        }
        if profile_dir
            .file_name()
            .is_some_and(|name| name == "release")
        {
            build.arg("--release");
        }
        let status = build.status().expect("cargo");
        assert!(status.success(), "building the test function failed");
    }
    assert!(program.exists(), "{} is missing", program.display());
    program
}

/// A row of a table in the report on reliability, whose scripts look for what it begins with.
#[expect(
    clippy::print_stdout,
    reason = "the report is made of what tests print"
)]
pub(crate) fn row(text: &str) {
    println!("{text}");
}
