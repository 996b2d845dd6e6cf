//! Amazon resource names of event sources.

use crate::engine::SourceKind;
use std::fmt;

/// The name of a stream or queue, taken apart and checked.
///
/// ```
/// use tidegate::engine::SourceKind;
/// use tidegate::scenario::Arn;
///
/// let arn = Arn::parse("arn:aws:sqs:eu-west-1:123456789012:orders.fifo")?;
/// assert_eq!((arn.kind, arn.name.as_str()), (SourceKind::SqsFifo, "orders.fifo"));
/// assert!(Arn::parse("arn:aws:s3:::bucket").is_err());
/// # Ok::<(), tidegate::scenario::ArnError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arn {
    /// The whole name, as written.
    pub text: String,
    /// What kind of source it names.
    pub kind: SourceKind,
    /// `aws`, `aws-cn`, `aws-us-gov`, …
    pub partition: String,
    /// Region, such as `eu-west-1`.
    pub region: String,
    /// Twelve digits.
    pub account: String,
    /// Name of the queue, stream, table or cluster.
    pub name: String,
    /// Kinesis: the enhanced fan-out consumer, as `NAME:TIMESTAMP`.
    pub consumer: Option<String>,
}

/// Why a text does not name an event source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArnError {
    /// Fewer than six parts, or no `arn:` in front.
    #[error("an ARN has the form arn:partition:service:region:account:resource")]
    Shape,
    /// An empty or malformed region.
    #[error("the ARN has no valid region, such as us-east-1")]
    Region,
    /// Not twelve digits.
    #[error("the account in an ARN has 12 digits")]
    Account,
    /// A service that mappings cannot read.
    #[error(
        "the ARN does not name a kinesis stream, a queue, or another source that mappings read"
    )]
    Service,
    /// A consumer of a stream without name or without the time of its registration.
    #[error("a consumer's ARN ends in stream/STREAM/consumer/NAME:TIMESTAMP")]
    Consumer,
    /// The resource does not fit the service.
    #[error("the resource of the ARN does not fit its service")]
    Resource,
}

impl Arn {
    /// Takes `text` apart.
    ///
    /// # Errors
    /// When it is not the ARN of something that an event source mapping can read.
    pub fn parse(text: &str) -> Result<Self, ArnError> {
        let mut parts = text.splitn(6, ':');
        let mut next = || parts.next().ok_or(ArnError::Shape);
        let (head, partition, service) = (next()?, next()?, next()?);
        let (region, account, resource) = (next()?, next()?, next()?);
        if head != "arn" || !partition.starts_with("aws") {
            return Err(ArnError::Shape);
        }
        let region_byte = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if region.is_empty() || !region.bytes().all(region_byte) {
            return Err(ArnError::Region);
        }
        if account.len() != 12 || !account.bytes().all(|b| b.is_ascii_digit()) {
            return Err(ArnError::Account);
        }
        let (kind, name, consumer) = resource_of(service, resource)?;
        let name_byte = |b: u8| b.is_ascii_alphanumeric() || b"_.-".contains(&b);
        if name.is_empty() || name.len() > 255 || !name.bytes().all(name_byte) {
            return Err(ArnError::Resource);
        }
        if !consumer.is_none_or(is_consumer) {
            return Err(ArnError::Consumer);
        }
        Ok(Self {
            text: text.to_owned(),
            kind,
            partition: partition.to_owned(),
            region: region.to_owned(),
            account: account.to_owned(),
            name: name.to_owned(),
            consumer: consumer.map(str::to_owned),
        })
    }

    /// The ARN of the stream, where this one names a consumer of it; else this one.
    pub fn of_stream(&self) -> &str {
        match &self.consumer {
            None => &self.text,
            Some(consumer) => {
                let tail = consumer.len() + CONSUMER.len();
                &self.text[..self.text.len() - tail]
            }
        }
    }
}

const CONSUMER: &str = "/consumer/";

/// A name of at most 128 characters and the second of its registration.
fn is_consumer(text: &str) -> bool {
    let Some((name, created)) = text.split_once(':') else {
        return false;
    };
    let name_byte = |b: u8| b.is_ascii_alphanumeric() || b"_.-".contains(&b);
    let is_name = (1..=128).contains(&name.len()) && name.bytes().all(name_byte);
    is_name && !created.is_empty() && created.bytes().all(|b| b.is_ascii_digit())
}

fn resource_of<'a>(
    service: &str,
    resource: &'a str,
) -> Result<(SourceKind, &'a str, Option<&'a str>), ArnError> {
    let after = |prefix: &str| resource.strip_prefix(prefix).ok_or(ArnError::Resource);
    let first = |text: &'a str, separator| text.split(separator).next().unwrap_or(text);
    match service {
        "sqs" if resource.ends_with(".fifo") => Ok((SourceKind::SqsFifo, resource, None)),
        "sqs" => Ok((SourceKind::Sqs, resource, None)),
        "kinesis" => match after("stream/")?.split_once(CONSUMER) {
            None => Ok((SourceKind::Kinesis, after("stream/")?, None)),
            Some((stream, consumer)) => Ok((SourceKind::Kinesis, stream, Some(consumer))),
        },
        // A table has no records to read, only its streams do.
        "dynamodb" => match after("table/")?.split_once("/stream/") {
            Some((table, label)) if !label.is_empty() => Ok((SourceKind::DynamoDb, table, None)),
            _ => Err(ArnError::Resource),
        },
        "kafka" => Ok((SourceKind::Msk, first(after("cluster/")?, '/'), None)),
        "rds" => Ok((SourceKind::DocumentDb, after("cluster:")?, None)),
        // The ARN of a broker does not tell which engine it runs; mappings tell by their parameters.
        "mq" => Ok((SourceKind::ActiveMq, first(after("broker:")?, ':'), None)),
        _ => Err(ArnError::Service),
    }
}

impl fmt::Display for Arn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_is_checked() {
        let stream = Arn::parse("arn:aws:kinesis:us-east-1:123456789012:stream/clicks");
        assert_eq!(stream.expect("a stream").name, "clicks");
        let consumer =
            "arn:aws:kinesis:us-east-1:123456789012:stream/clicks/consumer/fast:1700000000";
        let consumer = Arn::parse(consumer).expect("a consumer");
        assert_eq!(
            (consumer.name.as_str(), consumer.consumer.as_deref()),
            ("clicks", Some("fast:1700000000"))
        );
        let stream = "arn:aws:kinesis:us-east-1:123456789012:stream/clicks";
        assert_eq!(consumer.of_stream(), stream);
        for tail in ["", "fast", "fast:", ":17", "fast:x", "f/t:17", "fast:1:7"] {
            let text = format!("{stream}/consumer/{tail}");
            assert_eq!(Arn::parse(&text), Err(ArnError::Consumer), "{text}");
        }
        // DynamoDB Local names a Region and an account of its own.
        let local =
            "arn:aws:dynamodb:ddblocal:000000000000:table/orders/stream/2026-11-21T09:36:01.253";
        let local = Arn::parse(local).expect("a stream of DynamoDB Local");
        assert_eq!(
            (local.kind, local.name.as_str(), local.region.as_str()),
            (SourceKind::DynamoDb, "orders", "ddblocal")
        );
        for (text, error) in [
            ("clicks", ArnError::Shape),
            ("arn:aws:sqs:us-east-1:12345:q", ArnError::Account),
            ("arn:aws:sqs::123456789012:q", ArnError::Region),
            ("arn:aws:s3:us-east-1:123456789012:b", ArnError::Service),
            (
                "arn:aws:kinesis:us-east-1:123456789012:clicks",
                ArnError::Resource,
            ),
            ("arn:aws:sqs:us-east-1:123456789012:a/b", ArnError::Resource),
            (
                "arn:aws:dynamodb:us-east-1:123456789012:table/orders",
                ArnError::Resource,
            ),
            (
                "arn:aws:dynamodb:us-east-1:123456789012:table/orders/stream/",
                ArnError::Resource,
            ),
        ] {
            assert_eq!(Arn::parse(text), Err(error), "{text}");
        }
    }
}
