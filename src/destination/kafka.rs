//! Topics of the mapping's own cluster as destinations: one message for each record, with the record's key.

use super::record::InvocationRecord;
use crate::engine::FailureClass;
use crate::scenario::{Aws, KafkaSource, SourceAccess};
use crate::source::CallError;
use crate::source::kafka::{Access, Tokens, Trouble, call_error, oauth_token, reach};
use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{FutureProducer, FutureRecord};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Mutex as AsyncMutex;

/// What every producer is told.
///
/// Keys lead to partitions as the Java client would have it, and records without one are spread. A topic that is missing
/// is said to be so after a second. Whoever waits longer than a message's time tries again.
const SETTINGS: [(&str, &str); 6] = [
    ("enable.idempotence", "true"),
    ("partitioner", "murmur2_random"),
    ("sticky.partitioning.linger.ms", "0"),
    ("topic.metadata.propagation.max.ms", "1000"),
    ("message.timeout.ms", "10000"),
    ("allow.auto.create.topics", "false"),
];

/// A mapping's cluster, as its source reaches it.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// Servers and protocol.
    pub source: KafkaSource,
    /// SourceAccessConfigurations.
    pub access: Vec<SourceAccess>,
}

#[derive(Debug)]
pub(super) struct Topic {
    name: String,
    cluster: Arc<Cluster>,
    aws: Aws,
    /// Made with the first record, and again after it was refused: secrets may be mended.
    producer: AsyncMutex<Option<Producer>>,
}

#[derive(Clone)]
struct Producer {
    client: FutureProducer<Context>,
    last: Arc<Mutex<Option<Trouble>>>,
}

impl std::fmt::Debug for Producer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Producer")
    }
}

/// What librdkafka calls back, from a thread of the producer's own.
struct Context {
    tokens: Option<Tokens>,
    last: Arc<Mutex<Option<Trouble>>>,
}

impl ClientContext for Context {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, level: RDKafkaLogLevel, fac: &str, log_message: &str) {
        tracing::debug!(?level, fac, log_message, "librdkafka of a destination");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let trouble = Trouble {
            code: error
                .rdkafka_error_code()
                .unwrap_or(RDKafkaErrorCode::Unknown),
            text: reason.to_owned(),
            is_fatal: false,
        };
        if trouble.reason().is_some() {
            *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(trouble);
        }
    }

    fn generate_oauth_token(
        &self,
        _config: Option<&str>,
    ) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        oauth_token(self.tokens.as_ref())
    }
}

impl Topic {
    pub(super) fn new(name: String, cluster: Arc<Cluster>, aws: &Aws) -> Self {
        Self {
            name,
            cluster,
            aws: aws.clone(),
            producer: AsyncMutex::default(),
        }
    }

    /// Writes a message for every record, and waits until the cluster has all of them. Some may be written when one is
    /// not.
    pub(super) async fn send(&self, record: &InvocationRecord) -> Result<(), CallError> {
        let producer = self.producer().await?;
        let mut written = Vec::new();
        for one in record.batch.kafka.iter().flat_map(|it| &it.records) {
            let (key, value) = (one.key(), record.topic_message(one));
            let mut message: FutureRecord<'_, [u8], [u8]> =
                FutureRecord::to(&self.name).payload(&value);
            message.key = key.as_deref();
            let queued = producer.client.send_result(message);
            written.push(queued.map_err(|(error, _)| error));
        }
        for queued in written {
            let result = match queued {
                Ok(delivery) => match delivery.await {
                    Ok(result) => result.map(drop).map_err(|(error, _)| error),
                    Err(_) => Err(KafkaError::Canceled),
                },
                Err(error) => Err(error),
            };
            if let Err(error) = result {
                return Err(self.refused(&producer, &error).await);
            }
        }
        Ok(())
    }

    async fn producer(&self) -> Result<Producer, CallError> {
        let mut kept = self.producer.lock().await;
        if let Some(producer) = &*kept {
            return Ok(producer.clone());
        }
        // Fetching secrets is work for one thread: its future cannot move between them.
        let runtime = tokio::runtime::Handle::current();
        let (cluster, aws) = (self.cluster.clone(), self.aws.clone());
        let asked = tokio::task::spawn_blocking(move || {
            runtime.block_on(reach(&cluster.source, &cluster.access, &aws))
        });
        let access = match asked.await {
            Ok(access) => access?,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        };
        let producer = Producer::open(access)?;
        *kept = Some(producer.clone());
        Ok(producer)
    }

    /// What an error means: a message that waited in vain says nothing of why, the client's other complaints do.
    async fn refused(&self, producer: &Producer, error: &KafkaError) -> CallError {
        let last = producer
            .last
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let error = match last {
            Some(trouble) => CallError {
                call: "Produce",
                ..trouble.error()
            },
            None => call_error("Produce", error),
        };
        if error.class == FailureClass::Denied {
            *self.producer.lock().await = None;
        }
        error
    }
}

impl Producer {
    fn open(access: Access) -> Result<Self, CallError> {
        let Access { mut config, tokens } = access;
        for (name, value) in SETTINGS {
            config.set(name, value);
        }
        let last: Arc<Mutex<Option<Trouble>>> = Arc::default();
        let context = Context {
            tokens,
            last: last.clone(),
        };
        let client = config
            .create_with_context(context)
            .map_err(|error| call_error("Produce", &error))?;
        Ok(Self { client, last })
    }
}
