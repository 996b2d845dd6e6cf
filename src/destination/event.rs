//! Who is told of asynchronous events that are over.
//!
//! | destination | call | what it gets |
//! |---|---|---|
//! | SQS queue | SendMessage | the invocation record |
//! | SNS topic | Publish | the invocation record |
//! | S3 bucket, on failure | PutObject | the invocation record |
//! | Lambda function | Invoke, `Event` | the invocation record |
//! | EventBridge bus | PutEvents | the invocation record as `detail` |
//! | dead-letter queue or topic | SendMessage, Publish | the event, with attributes |

use super::{
    AsyncRecord, DeadLetterAttributes, DestinationError, PARTITION, REGION, bucket, bus, function,
    part, queue, topic,
};
use crate::engine::FunctionName;
use crate::scenario::{Aws, DestinationName};
use crate::source::{CallError, Connection};
use bytes::Bytes;

/// A destination of `DestinationConfig`.
#[derive(Debug)]
pub struct EventDestination(Kind);

#[derive(Debug)]
enum Kind {
    Queue(queue::Queue),
    Topic(topic::Topic),
    Bucket(bucket::Bucket),
    Function(function::Function),
    Bus(bus::Bus),
}

impl EventDestination {
    /// Makes the destination `arn` ready, behind the endpoint of `aws` if it names one; no call is made. It is called in the
    /// region of its ARN, a bucket in that of `aws`.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new().expect("a runtime").block_on(async {
    /// use tidegate::destination::{DestinationError, EventDestination};
    /// use tidegate::scenario::Aws;
    ///
    /// let aws = Aws::default();
    /// EventDestination::open("arn:aws:events:eu-west-1:123456789012:event-bus/mail", &aws).await?;
    /// assert!(EventDestination::open("file://failed.jsonl", &aws).await.is_err());
    /// # Ok::<(), DestinationError>(())
    /// # }).expect("a destination");
    /// ```
    ///
    /// # Errors
    /// No ARN of such a destination, or no region.
    pub async fn open(arn: &str, aws: &Aws) -> Result<Self, DestinationError> {
        let endpoint = aws.endpoint_url.as_deref();
        let region = part(arn, REGION);
        let aws = Aws {
            region: region.map(str::to_owned).or_else(|| aws.region.clone()),
            ..aws.clone()
        };
        let connection = Connection::open(&aws, endpoint, None).await?;
        let owned = arn.to_owned();
        let is_function = arn.starts_with("arn:") && FunctionName::parse(arn).is_ok();
        if is_function && region.is_some() {
            return Ok(Self(Kind::Function(function::Function::new(
                &connection,
                owned,
            ))));
        }
        if let Some(partition) = bus_of(arn) {
            let bus = bus::Bus::new(connection, endpoint, partition, owned);
            return Ok(Self(Kind::Bus(bus)));
        }
        let wrong = |cause| DestinationError::Event {
            arn: arn.to_owned(),
            cause,
        };
        let name = DestinationName::parse(arn).map_err(wrong)?;
        Ok(Self(match name {
            DestinationName::Queue { account, name, .. } => {
                Kind::Queue(queue::Queue::new(&connection, account, name))
            }
            DestinationName::Topic { partition, arn, .. } => {
                Kind::Topic(topic::Topic::new(connection, endpoint, &partition, arn))
            }
            DestinationName::Bucket { partition, bucket } => Kind::Bucket(bucket::Bucket::new(
                connection, endpoint, &partition, &bucket,
            )),
            DestinationName::File(_) | DestinationName::KafkaTopic(_) => {
                return Err(wrong(crate::scenario::DestinationNameError::Shape));
            }
        }))
    }

    /// Hands over the record of an event of the function named `function`. Nothing is tried twice: that is the caller's
    /// decision.
    ///
    /// # Errors
    /// When the destination did not take it, as far as is known.
    pub async fn deliver(&self, function: &str, record: &AsyncRecord) -> Result<(), CallError> {
        match &self.0 {
            Kind::Queue(queue) => queue.send(text(&record.json())).await,
            Kind::Topic(topic) => topic.publish(&record.json()).await,
            Kind::Bucket(bucket) => {
                bucket
                    .put(&record.object_key(function), record.json())
                    .await
            }
            Kind::Function(function) => function.invoke(record.json()).await,
            Kind::Bus(bus) => bus.put(&record.bus_entry(bus.arn())).await,
        }
    }
}

/// The target of `DeadLetterConfig`.
#[derive(Debug)]
pub struct DeadLetterQueue(Grave);

#[derive(Debug)]
enum Grave {
    Queue(queue::Queue),
    Topic(Box<topic::Topic>),
}

impl DeadLetterQueue {
    /// As [`EventDestination::open`], for a queue or topic.
    ///
    /// # Errors
    /// No ARN of a queue or topic, or no region.
    pub async fn open(arn: &str, aws: &Aws) -> Result<Self, DestinationError> {
        match EventDestination::open(arn, aws).await?.0 {
            Kind::Queue(queue) => Ok(Self(Grave::Queue(queue))),
            Kind::Topic(topic) => Ok(Self(Grave::Topic(Box::new(topic)))),
            Kind::Bucket(_) | Kind::Function(_) | Kind::Bus(_) => Err(DestinationError::Event {
                arn: arn.to_owned(),
                cause: crate::scenario::DestinationNameError::Shape,
            }),
        }
    }

    /// Hands over an event that failed.
    ///
    /// # Errors
    /// When it was not taken, as far as is known.
    pub async fn bury(
        &self,
        event: &Bytes,
        attributes: &DeadLetterAttributes,
    ) -> Result<(), CallError> {
        match &self.0 {
            Grave::Queue(queue) => queue.send_with(text(event), Some(attributes)).await,
            Grave::Topic(topic) => topic.publish_with(event, Some(attributes)).await,
        }
    }
}

/// The partition of the ARN of an event bus.
fn bus_of(arn: &str) -> Option<&str> {
    let parts: Vec<&str> = arn.split(':').collect();
    let ["arn", _, "events", region, _, resource] = parts[..] else {
        return None;
    };
    let named = resource.strip_prefix("event-bus/")?;
    (!region.is_empty() && !named.is_empty()).then_some(parts[PARTITION])
}

/// JSON is UTF-8.
fn text(json: &[u8]) -> String {
    String::from_utf8_lossy(json).into_owned()
}

#[cfg(test)]
#[path = "event_tests.rs"]
mod tests;
