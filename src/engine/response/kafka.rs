//! Reports of a Kafka mapping's function: identifiers are a partition and an offset.

use super::{Expected, QueueAnswer, Scalar, Scan, read_by, resolved};
use crate::engine::Outcome;
use crate::engine::filter::scan::Malformed;

/// Reads the body of an answer of a Kafka mapping's function that is no error.
///
/// `index_of` gives the index in the batch of the record with a partition (`topic-0`) and an offset. The shapes are those of
/// streams, with `{"partition": "topic-0", "offset": 100}` for the identifier; whatever names no record of the batch fails
/// all of it (rule `kafka-partial-invalid-fails-batch`). Of a partition that is named several times, all indices are told.
///
/// ```
/// use tidegate::engine::response::{QueueAnswer, read_kafka};
///
/// let body = br#"{"batchItemFailures": [{"itemIdentifier": {"partition": "orders-3", "offset": 100}}]}"#;
/// let answer = read_kafka(body, true, |partition, offset| {
///     (partition == "orders-3" && offset == 100).then_some(7)
/// });
/// assert_eq!(answer, QueueAnswer::Failed(vec![7]));
/// ```
pub fn read_kafka(
    body: &[u8],
    reports_failures: bool,
    mut index_of: impl FnMut(&str, u64) -> Option<u32>,
) -> QueueAnswer {
    let expected = Expected {
        reports_failures,
        ..Expected::default()
    };
    let mut failed = Vec::new();
    let named = |scan: &mut Scan<'_>| identifier(scan, &mut index_of);
    let answer = read_by(body, expected, named, &mut failed);
    match answer.outcome {
        Outcome::Partial { .. } => {
            failed.sort_unstable();
            failed.dedup();
            QueueAnswer::Failed(failed)
        }
        outcome => QueueAnswer::All(outcome),
    }
}

/// Steps over an identifier. Of a key that is given twice, the last one counts.
fn identifier(
    scan: &mut Scan<'_>,
    index_of: &mut impl FnMut(&str, u64) -> Option<u32>,
) -> Result<Option<u32>, Malformed> {
    if scan.peek() != Some(b'{') {
        scan.skip()?;
        return Ok(None);
    }
    let (mut partition, mut offset) = (None, None);
    let mut more = scan.open(b'}')?;
    while more {
        let key = scan.key()?;
        let is_container = matches!(scan.peek(), Some(b'{' | b'['));
        if is_container || !(key.is("partition") || key.is("offset")) {
            scan.skip()?;
        } else {
            let scalar = scan.scalar()?;
            if key.is("partition") {
                partition = match scalar {
                    Scalar::Text(text) => resolved(&text),
                    _ => None,
                };
            } else {
                offset = match scalar {
                    Scalar::Number(number) => number.parse().ok(),
                    _ => None,
                };
            }
        }
        more = scan.more(b'}')?;
    }
    Ok(partition
        .zip(offset)
        .and_then(|(partition, offset)| index_of(&partition, offset)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Offsets 5 and 6 of partition 0, and 5 of partition 1.
    fn read(body: &str) -> QueueAnswer {
        read_kafka(body.as_bytes(), true, |partition, offset| {
            match (partition, offset) {
                ("t-0", 5) => Some(0),
                ("t-0", 6) => Some(1),
                ("t-1", 5) => Some(2),
                _ => None,
            }
        })
    }

    #[test]
    fn kafka_partial_identifiers() {
        let entry = |partition: &str, offset: u64| {
            format!(r#"{{"itemIdentifier":{{"partition":"{partition}","offset":{offset}}}}}"#)
        };
        let report = |entries: &[String]| {
            let entries = entries.join(",");
            read(&format!(r#"{{"batchItemFailures":[{entries}]}}"#))
        };
        assert_eq!(report(&[entry("t-1", 5)]), QueueAnswer::Failed(vec![2]));
        let both = [entry("t-1", 5), entry("t-0", 6), entry("t-1", 5)];
        assert_eq!(report(&both), QueueAnswer::Failed(vec![1, 2]));
        let reordered = r#"{"batchItemFailures":[{"itemIdentifier":{"x":[1],"offset":6,"partition":"t\u002d0"}}]}"#;
        assert_eq!(read(reordered), QueueAnswer::Failed(vec![1]));
        for body in [
            "",
            "null",
            "{}",
            r#"{"batchItemFailures":null}"#,
            r#"{"batchItemFailures":[]}"#,
        ] {
            assert_eq!(read(body), QueueAnswer::All(Outcome::Success), "{body}");
        }
    }

    #[test]
    fn kafka_partial_invalid_fails_batch() {
        for identifier in [
            r#"{"partition":"t-2","offset":5}"#,
            r#"{"partition":"t-0","offset":7}"#,
            r#"{"partition":"t-0","offset":"5"}"#,
            r#"{"partition":"t-0","offset":5.5}"#,
            r#"{"partition":"t-0","offset":-5}"#,
            r#"{"partition":0,"offset":5}"#,
            r#"{"partition":{},"offset":5}"#,
            r#"{"partition":"t-0"}"#,
            "{}",
            "null",
            "\"t-0-5\"",
            "5",
        ] {
            let good = r#"{"itemIdentifier":{"partition":"t-0","offset":6}}"#;
            let body =
                format!(r#"{{"batchItemFailures":[{good},{{"itemIdentifier":{identifier}}}]}}"#);
            assert_eq!(read(&body), QueueAnswer::All(Outcome::Rejected), "{body}");
        }
        for body in [
            r#"{"batchItemFailures":[{}]}"#,
            r#"{"batchItemFailures":[{"id":1}]}"#,
            "{",
            "oops",
        ] {
            assert_eq!(read(body), QueueAnswer::All(Outcome::Rejected), "{body}");
        }
        let off = read_kafka(b"oops", false, |_, _| None);
        assert_eq!(off, QueueAnswer::All(Outcome::Success));
    }
}
