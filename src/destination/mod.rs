//! On-failure destinations of stream mappings: who is told of records that are given up.
//!
//! | destination | call | what it gets |
//! |---|---|---|
//! | SQS queue | SendMessage | the invocation record |
//! | SNS topic | Publish | the invocation record |
//! | S3 bucket | PutObject | the invocation record with the event as a text in it |
//! | `file://` | a line appended and on the disk | as S3 |
//! | `kafka://` | a message for each record, with its key | the record with the head of the invocation record |

mod asynchronous;
mod bucket;
mod kafka;
mod kafka_record;
mod lines;
mod queue;
mod record;
mod topic;
mod uuid;

pub use asynchronous::{AsyncRecord, AsyncResponse, BusEntry, DeadLetterAttributes, qualified_arn};
pub use kafka::Cluster;
pub use kafka_record::{GivenUp, KafkaBatch};
pub use record::{BatchInfo, InvocationRecord, RecordRange, ResponseContext};

use crate::scenario::{Aws, DestinationName, DestinationNameError};
use crate::source::{AwsError, CallError, Connection};
use std::sync::Arc;

/// A destination that cannot be used. One that is out of reach is no error until there is something to tell it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DestinationError {
    /// Its name.
    #[error("on-failure destination `{text}`: {cause}")]
    Name {
        /// As written.
        text: String,
        /// What is wrong with it.
        cause: DestinationNameError,
    },
    /// A topic of no cluster.
    #[error("on-failure destination `{0}`: only mappings of Kafka have topics beside their own")]
    NoCluster(String),
    /// Region or credentials.
    #[error(transparent)]
    Aws(#[from] AwsError),
}

/// What of a mapping destinations need to know.
#[derive(Clone, Debug)]
pub struct MappingFacts {
    /// Its name.
    pub name: Arc<str>,
    /// ARN of its stream, or of the consumer.
    pub source_arn: Arc<str>,
    /// Its function, from [`function_arn`].
    pub function_arn: Arc<str>,
    /// Its cluster, if it reads Kafka.
    pub cluster: Option<Arc<Cluster>>,
}

/// Where the invocation records of one mapping go.
#[derive(Debug)]
pub struct Destination {
    kind: Kind,
    mapping_uuid: String,
}

#[derive(Debug)]
enum Kind {
    Queue(queue::Queue),
    Topic(topic::Topic),
    Bucket(bucket::Bucket),
    File(lines::Lines),
    KafkaTopic(kafka::Topic),
}

impl Destination {
    /// Makes the destination `text` ready, behind the endpoint of `aws` if it names one; no call is made.
    ///
    /// Queues and topics are called in the region of their ARN, buckets in that of `aws` or else of the source.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new().expect("a runtime").block_on(async {
    /// use tidegate::destination::{Destination, DestinationError, MappingFacts, function_arn};
    /// use tidegate::scenario::Aws;
    ///
    /// let source_arn = "arn:aws:kinesis:eu-west-1:123456789012:stream/clicks";
    /// let mapping = MappingFacts {
    ///     name: "clicks".into(),
    ///     source_arn: source_arn.into(),
    ///     function_arn: function_arn("count", source_arn).into(),
    ///     cluster: None,
    /// };
    /// let bucket = Destination::open("arn:aws:s3:::failed-clicks", &mapping, &Aws::default()).await?;
    /// assert!(bucket.wants_payload());
    /// assert!(Destination::open("failed-clicks", &mapping, &Aws::default()).await.is_err());
    /// # Ok::<(), DestinationError>(())
    /// # }).expect("a destination");
    /// ```
    ///
    /// # Errors
    /// A name that is malformed, or no region.
    pub async fn open(
        text: &str,
        mapping: &MappingFacts,
        aws: &Aws,
    ) -> Result<Self, DestinationError> {
        let name = DestinationName::parse(text).map_err(|cause| DestinationError::Name {
            text: text.to_owned(),
            cause,
        })?;
        let endpoint = aws.endpoint_url.as_deref();
        let of_region = |region: String| Aws {
            region: Some(region),
            ..aws.clone()
        };
        let kind = match name {
            DestinationName::File(path) => Kind::File(lines::Lines::new(path)),
            DestinationName::KafkaTopic(topic) => {
                let cluster = mapping.cluster.clone();
                let cluster =
                    cluster.ok_or_else(|| DestinationError::NoCluster(text.to_owned()))?;
                Kind::KafkaTopic(kafka::Topic::new(topic, cluster, aws))
            }
            DestinationName::Queue {
                region,
                account,
                name,
            } => {
                let connection = Connection::open(&of_region(region), endpoint, None).await?;
                Kind::Queue(queue::Queue::new(&connection, account, name))
            }
            DestinationName::Topic {
                partition,
                region,
                arn,
            } => {
                let connection = Connection::open(&of_region(region), endpoint, None).await?;
                Kind::Topic(topic::Topic::new(connection, endpoint, &partition, arn))
            }
            DestinationName::Bucket { partition, bucket } => {
                let region = part(&mapping.source_arn, REGION);
                let connection = Connection::open(aws, endpoint, region).await?;
                Kind::Bucket(bucket::Bucket::new(
                    connection, endpoint, &partition, &bucket,
                ))
            }
        };
        let mapping_uuid =
            uuid::of_mapping(&mapping.name, &mapping.source_arn, &mapping.function_arn);
        Ok(Self { kind, mapping_uuid })
    }

    /// Whether records carry the event that was sent.
    pub const fn wants_payload(&self) -> bool {
        matches!(self.kind, Kind::Bucket(_) | Kind::File(_))
    }

    /// Hands over one record. Nothing is tried twice: that is the caller's decision.
    ///
    /// # Errors
    /// When the destination did not take it, as far as is known.
    pub async fn deliver(&self, record: &InvocationRecord) -> Result<(), CallError> {
        if let Kind::KafkaTopic(topic) = &self.kind {
            return topic.send(record).await;
        }
        let json = record.json(self.wants_payload());
        match &self.kind {
            Kind::KafkaTopic(_) => Ok(()),
            Kind::Queue(queue) => {
                queue
                    .send(String::from_utf8_lossy(&json).into_owned())
                    .await
            }
            Kind::Topic(topic) => topic.publish(&json).await,
            Kind::Bucket(bucket) => {
                bucket
                    .put(&record.object_key(&self.mapping_uuid), json)
                    .await
            }
            Kind::File(lines) => lines.append(json).await,
        }
    }
}

/// Places in an ARN, counted in colons.
const PARTITION: usize = 1;
const REGION: usize = 3;
const ACCOUNT: usize = 4;

fn part(arn: &str, place: usize) -> Option<&str> {
    arn.split(':').nth(place).filter(|part| !part.is_empty())
}

/// Rule `destination-function-arn-as-configured`: the ARN of the function that a mapping names as `name`, with the version
/// or alias if it names one. What the name leaves out is taken from the ARN of the mapping's source.
///
/// ```
/// use tidegate::destination::function_arn;
///
/// let stream = "arn:aws:kinesis:eu-west-1:123456789012:stream/clicks";
/// assert_eq!(function_arn("count:live", stream), "arn:aws:lambda:eu-west-1:123456789012:function:count:live");
/// ```
pub fn function_arn(name: &str, source_arn: &str) -> String {
    if name.starts_with("arn:") {
        return name.to_owned();
    }
    let of_source = |place, otherwise| part(source_arn, place).unwrap_or(otherwise);
    let head = format!(
        "arn:{}:lambda:{}",
        of_source(PARTITION, "aws"),
        of_source(REGION, "us-east-1")
    );
    match name.split_once(":function:") {
        Some((account, function)) => format!("{head}:{account}:function:{function}"),
        None => format!(
            "{head}:{}:function:{name}",
            of_source(ACCOUNT, "000000000000")
        ),
    }
}

#[cfg(test)]
#[path = "destination_tests.rs"]
mod tests;
