//! Names of on-failure destinations.

use std::path::PathBuf;

/// Where the invocation records of given-up batches go: `DestinationConfig.OnFailure.Destination`, taken apart.
///
/// ```
/// use tidegate::scenario::DestinationName;
///
/// let name = DestinationName::parse("arn:aws:s3:::failed-batches")?;
/// assert!(matches!(name, DestinationName::Bucket { bucket, .. } if bucket == "failed-batches"));
/// assert!(DestinationName::parse("arn:aws:sqs:us-east-1:12345:failed").is_err());
/// # Ok::<(), tidegate::scenario::DestinationNameError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DestinationName {
    /// `arn:aws:sqs:REGION:ACCOUNT:QUEUE`, a standard queue.
    Queue {
        /// Region of the queue.
        region: String,
        /// Twelve digits.
        account: String,
        /// The queue's name.
        name: String,
    },
    /// `arn:aws:sns:REGION:ACCOUNT:TOPIC`, a standard topic.
    Topic {
        /// `aws`, `aws-cn`, `aws-us-gov`, …
        partition: String,
        /// Region of the topic.
        region: String,
        /// The whole ARN.
        arn: String,
    },
    /// `arn:aws:s3:::BUCKET`.
    Bucket {
        /// `aws`, `aws-cn`, `aws-us-gov`, …
        partition: String,
        /// The bucket's name.
        bucket: String,
    },
    /// `file://PATH`: a file of lines. Not known to AWS.
    File(PathBuf),
    /// `kafka://TOPIC`: a topic of the cluster that the mapping reads.
    KafkaTopic(String),
}

/// Why a text does not name a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DestinationNameError {
    /// Neither an ARN nor `file://`.
    #[error(
        "a destination is the ARN of a queue, topic or bucket, file://PATH, or on Kafka kafka://TOPIC"
    )]
    Shape,
    /// `file://` and nothing.
    #[error("file:// needs a path behind it")]
    Path,
    /// `kafka://` and no name that Kafka allows.
    #[error(
        "kafka:// needs a topic behind it: 1 to 249 letters, digits, dots, hyphens and underscores"
    )]
    KafkaTopic,
    /// An empty or malformed region.
    #[error("the ARN has no valid region, such as us-east-1")]
    Region,
    /// Not twelve digits.
    #[error("the account in an ARN has 12 digits")]
    Account,
    /// A queue or topic that keeps order.
    #[error("FIFO queues and topics cannot be destinations")]
    Fifo,
    /// A name that the service does not allow.
    #[error("the ARN ends in no name that the service allows")]
    Resource,
}

const FILE: &str = "file://";
const KAFKA: &str = "kafka://";

impl DestinationName {
    /// Takes `text` apart.
    ///
    /// # Errors
    /// When it is none of the forms above.
    pub fn parse(text: &str) -> Result<Self, DestinationNameError> {
        if let Some(path) = text.strip_prefix(FILE) {
            return match path {
                "" => Err(DestinationNameError::Path),
                path => Ok(Self::File(PathBuf::from(path))),
            };
        }
        if let Some(topic) = text.strip_prefix(KAFKA) {
            let byte = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
            let fits = (1..=249).contains(&topic.len())
                && topic.bytes().all(byte)
                && !matches!(topic, "." | "..");
            return match fits {
                true => Ok(Self::KafkaTopic(topic.to_owned())),
                false => Err(DestinationNameError::KafkaTopic),
            };
        }
        let parts: Vec<&str> = text.split(':').collect();
        let ["arn", partition, service, region, account, name] = parts[..] else {
            return Err(DestinationNameError::Shape);
        };
        if !partition.starts_with("aws") {
            return Err(DestinationNameError::Shape);
        }
        if service == "s3" {
            return bucket(partition, region, account, name);
        }
        let region_byte = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if region.is_empty() || !region.bytes().all(region_byte) {
            return Err(DestinationNameError::Region);
        }
        if account.len() != 12 || !account.bytes().all(|b| b.is_ascii_digit()) {
            return Err(DestinationNameError::Account);
        }
        let chars_max = match service {
            "sqs" => 80,
            "sns" => 256,
            _ => return Err(DestinationNameError::Shape),
        };
        if name.ends_with(".fifo") {
            return Err(DestinationNameError::Fifo);
        }
        let name_byte = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if !(1..=chars_max).contains(&name.len()) || !name.bytes().all(name_byte) {
            return Err(DestinationNameError::Resource);
        }
        Ok(if service == "sqs" {
            Self::Queue {
                region: region.to_owned(),
                account: account.to_owned(),
                name: name.to_owned(),
            }
        } else {
            Self::Topic {
                partition: partition.to_owned(),
                region: region.to_owned(),
                arn: text.to_owned(),
            }
        })
    }
}

/// 3 to 63 lower-case letters, digits, dots and hyphens, with a letter or digit at both ends.
fn bucket(
    partition: &str,
    region: &str,
    account: &str,
    name: &str,
) -> Result<DestinationName, DestinationNameError> {
    let outer = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = name.as_bytes();
    let ends = [bytes.first(), bytes.last()];
    let inner = bytes.iter().all(|b| outer(b) || b"-.".contains(b));
    let is_name = (3..=63).contains(&bytes.len())
        && inner
        && ends.iter().all(|end| end.is_some_and(outer))
        && !name.contains("..");
    if !(region.is_empty() && account.is_empty() && is_name) {
        return Err(DestinationNameError::Resource);
    }
    Ok(DestinationName::Bucket {
        partition: partition.to_owned(),
        bucket: name.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_taken_apart() {
        let queue = DestinationName::parse("arn:aws:sqs:eu-west-1:123456789012:failed");
        let expected = DestinationName::Queue {
            region: "eu-west-1".to_owned(),
            account: "123456789012".to_owned(),
            name: "failed".to_owned(),
        };
        assert_eq!(queue, Ok(expected));
        let topic = "arn:aws-cn:sns:cn-north-1:123456789012:failed";
        let expected = DestinationName::Topic {
            partition: "aws-cn".to_owned(),
            region: "cn-north-1".to_owned(),
            arn: topic.to_owned(),
        };
        assert_eq!(DestinationName::parse(topic), Ok(expected));
        let file = DestinationName::File(PathBuf::from("out/failed.jsonl"));
        assert_eq!(DestinationName::parse("file://out/failed.jsonl"), Ok(file));
        let topic = DestinationName::KafkaTopic("failed.orders-1".to_owned());
        assert_eq!(DestinationName::parse("kafka://failed.orders-1"), Ok(topic));
    }

    #[test]
    fn each_part_is_checked() {
        use DestinationNameError::{Account, Fifo, KafkaTopic, Path, Region, Resource, Shape};
        for (text, error) in [
            ("failed", Shape),
            ("http://failed", Shape),
            ("file://", Path),
            ("kafka://", KafkaTopic),
            ("kafka://b1:9092/t", KafkaTopic),
            ("kafka://..", KafkaTopic),
            ("arn:aws:sqs:us-east-1:123456789012", Shape),
            ("arn:aws:lambda:us-east-1:123456789012:f", Shape),
            (
                "arn:aws:sns:us-east-1:123456789012:topic:subscription",
                Shape,
            ),
            ("arn:aws:sqs::123456789012:q", Region),
            ("arn:aws:sns:us-east-1:12:t", Account),
            ("arn:aws:sqs:us-east-1:123456789012:q.fifo", Fifo),
            ("arn:aws:sqs:us-east-1:123456789012:", Resource),
            ("arn:aws:sns:us-east-1:123456789012:a/b", Resource),
            ("arn:aws:s3:us-east-1::bucket", Resource),
            ("arn:aws:s3:::Bucket", Resource),
            ("arn:aws:s3:::b", Resource),
            ("arn:aws:s3:::a..b", Resource),
            ("arn:aws:s3:::bucket/prefix", Resource),
        ] {
            assert_eq!(DestinationName::parse(text), Err(error), "{text}");
        }
    }
}
