//! Aggregated records of the Kinesis Producer Library (KPL): several user records in one record of the stream.
//!
//! ```text
//! F3 89 9A C2 | AggregatedRecord (protobuf) | MD5 of the protobuf
//!
//! AggregatedRecord  1 partition_key_table      repeated string
//!                   2 explicit_hash_key_table  repeated string
//!                   3 records                  repeated Record
//! Record            1 partition_key_index      required uint64
//!                   2 explicit_hash_key_index  optional uint64
//!                   3 data                     required bytes
//!                   4 tags                     repeated Tag, which functions do not see
//! ```

use super::md5;

/// What every aggregate begins with.
pub(crate) const MAGIC: [u8; 4] = [0xf3, 0x89, 0x9a, 0xc2];
/// Characters of a partition key (PutRecord, Kinesis API reference).
pub(crate) const KEY_CHARS_MAX: usize = 256;
const DIGEST_LEN: usize = 16;

/// A record as its producer wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UserRecord<'a> {
    pub(crate) partition_key: &'a str,
    pub(crate) data: &'a [u8],
}

/// The user records in an aggregate, in the order in which they were put.
///
/// `None` if `data` is no aggregate. Rule `kpl-malformed-is-plain`: neither is one whose digest is wrong, that is
/// no valid message, whose indices lead nowhere, that has a key longer than 256 characters, or that holds no record: whoever reads the stream gets it as it is,
/// so that nothing disappears.
pub(crate) fn deaggregate(data: &[u8]) -> Option<Vec<UserRecord<'_>>> {
    let rest = data.strip_prefix(&MAGIC)?;
    let (message, digest) = rest.split_at_checked(rest.len().checked_sub(DIGEST_LEN)?)?;
    if md5::digest(message) != digest {
        return None;
    }
    let mut keys = Vec::new();
    let mut hash_keys = 0;
    let mut entries = Vec::new();
    let mut message = Message(message);
    while let Some(field) = message.next()? {
        match field {
            (1, Value::Bytes(key)) => keys.push(partition_key(key)?),
            (2, Value::Bytes(_)) => hash_keys += 1,
            (3, Value::Bytes(entry)) => entries.push(Entry::parse(entry)?),
            (1..=3, _) => return None,
            _ => {}
        }
    }
    // The tables may come after the records that point into them.
    let resolved = entries.into_iter().map(|entry| {
        let index = usize::try_from(entry.key).ok()?;
        if entry.hash_key.is_some_and(|index| index >= hash_keys) {
            return None;
        }
        Some(UserRecord {
            partition_key: keys.get(index)?,
            data: entry.data,
        })
    });
    let records: Vec<_> = resolved.collect::<Option<_>>()?;
    (!records.is_empty()).then_some(records)
}

/// A key that the service would have taken. Many records may have the same one, so that a long one would grow with each.
fn partition_key(key: &[u8]) -> Option<&str> {
    let key = std::str::from_utf8(key).ok()?;
    (key.chars().nth(KEY_CHARS_MAX).is_none()).then_some(key)
}

struct Entry<'a> {
    key: u64,
    hash_key: Option<u64>,
    data: &'a [u8],
}

impl<'a> Entry<'a> {
    fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (mut key, mut hash_key, mut data) = (None, None, None);
        let mut message = Message(bytes);
        while let Some(field) = message.next()? {
            // A field that is there twice counts as it is last.
            match field {
                (1, Value::Number(index)) => key = Some(index),
                (2, Value::Number(index)) => hash_key = Some(index),
                (3, Value::Bytes(bytes)) => data = Some(bytes),
                (1..=3, _) => return None,
                _ => {}
            }
        }
        Some(Self {
            key: key?,
            hash_key,
            data: data?,
        })
    }
}

/// A value of one of the four wire types; groups are not known.
#[derive(Clone, Copy, Debug)]
enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    Fixed,
}

/// What is left of a protobuf message. Every answer of `None` on the outside means that it is not one.
struct Message<'a>(&'a [u8]);

impl<'a> Message<'a> {
    #[expect(
        clippy::option_option,
        reason = "the outer one is a failure, which `?` hands on; the inner one is the end"
    )]
    fn next(&mut self) -> Option<Option<(u64, Value<'a>)>> {
        if self.0.is_empty() {
            return Some(None);
        }
        let tag = self.varint()?;
        let value = match tag & 7 {
            0 => Value::Number(self.varint()?),
            1 => self.take(8).map(|_| Value::Fixed)?,
            2 => {
                let len = usize::try_from(self.varint()?).ok()?;
                Value::Bytes(self.take(len)?)
            }
            5 => self.take(4).map(|_| Value::Fixed)?,
            _ => return None,
        };
        Some(Some((tag >> 3, value)))
    }

    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    /// At most ten bytes of seven bits, lowest first.
    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) = self.0.split_first()?;
            self.0 = rest;
            let bits = u64::from(byte & 0x7f);
            if bits << shift >> shift != bits {
                return None;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }
}

#[cfg(test)]
#[path = "kpl_tests.rs"]
pub(super) mod tests;
