//! What the engine may know of a record, and how positions in a shard are named.

use crate::engine::{Time, mix};
use std::fmt;
use std::str::FromStr;

/// A sequence number: a decimal integer below 2¹⁹².
///
/// Kinesis numbers have 56 digits (186 bits), DynamoDB's up to 40; Kafka offsets and the ordinals given to
/// SQS messages fit easily. Leading zeros are not kept: a source that pads its numbers pads them again.
///
/// ```
/// use tidegate::engine::Seq;
///
/// let seq: Seq = "49590338271490256608559692538361571095921575989136588898".parse()?;
/// assert_eq!(seq.to_string(), "49590338271490256608559692538361571095921575989136588898");
/// assert!(Seq::from(9) < Seq::from(10));
/// assert!("4959x".parse::<Seq>().is_err());
/// # Ok::<(), tidegate::engine::SeqError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Seq([u64; 3]); // most significant limb first, so that the derived order is the numeric one

/// Why a text is not a sequence number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SeqError {
    /// The text is empty or holds something that is not a decimal digit.
    #[error("a sequence number consists of decimal digits only")]
    NotDecimal,
    /// The number does not fit.
    #[error("a sequence number must be below 2^192 (at most 57 digits)")]
    TooLarge,
}

impl From<u64> for Seq {
    fn from(value: u64) -> Self {
        Self([0, 0, value])
    }
}

impl Seq {
    /// A hash of the whole number, for naming things after it. The lowest bits of neighbouring Kinesis numbers are alike.
    pub const fn mixed(self) -> u64 {
        mix(self.0[0] ^ mix(self.0[1] ^ mix(self.0[2])))
    }

    /// A number whose upper part names a shard, so that two shards never give the same one; within a shard it is
    /// ordered by `ordinal`.
    pub const fn within(shard: u64, ordinal: u64) -> Self {
        Self([0, shard, ordinal])
    }

    /// What [`within`](Self::within) was given to name the shard; 0 for a plain ordinal.
    pub const fn shard_part(self) -> u64 {
        self.0[1]
    }

    /// The number of a receipt that names its message as well; `message` is not 0.
    pub const fn received(message: u64, receipt: u64) -> Self {
        Self([message, 0, receipt])
    }

    /// What [`received`](Self::received) was given to name the message; 0 for most other numbers.
    pub const fn message_part(self) -> u64 {
        self.0[0]
    }

    /// The lowest 64 bits: the whole number where sequence numbers are small ordinals or offsets.
    pub const fn low_u64(self) -> u64 {
        self.0[2]
    }
}

impl FromStr for Seq {
    type Err = SeqError;

    fn from_str(text: &str) -> Result<Self, SeqError> {
        if text.is_empty() {
            return Err(SeqError::NotDecimal);
        }
        let mut limbs = [0u64; 3];
        for byte in text.bytes() {
            if !byte.is_ascii_digit() {
                return Err(SeqError::NotDecimal);
            }
            let mut carry = u128::from(byte - b'0');
            for limb in limbs.iter_mut().rev() {
                let wide = u128::from(*limb) * 10 + carry;
                *limb = wide as u64;
                carry = wide >> 64;
            }
            if carry != 0 {
                return Err(SeqError::TooLarge);
            }
        }
        Ok(Self(limbs))
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const CHUNK: u128 = 10_000_000_000_000_000_000; // 10^19, the largest power of ten in a limb
        let mut limbs = self.0;
        let mut chunks = [0u64; 4];
        let mut used = 0;
        while limbs != [0; 3] {
            let mut rest = 0u128;
            for limb in &mut limbs {
                let wide = (rest << 64) | u128::from(*limb);
                *limb = (wide / CHUNK) as u64;
                rest = wide % CHUNK;
            }
            chunks[used] = rest as u64;
            used += 1;
        }
        if used == 0 {
            return f.write_str("0");
        }
        write!(f, "{}", chunks[used - 1])?;
        for chunk in chunks[..used - 1].iter().rev() {
            write!(f, "{chunk:019}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// All that the engine ever reads of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meta {
    /// Its place in its shard or partition; for queues, an ordinal given when it was received.
    pub seq: Seq,
    /// Hash of what order is kept by: partition key, item key or message group. Spread evenly over all 64 bits.
    pub group: u64,
    /// When the service accepted it (ApproximateArrivalTimestamp, SentTimestamp).
    pub arrival: Time,
    /// Bytes that it takes in the encoded event, without the comma between records.
    pub wire_len: u32,
}

/// A record: what the engine reads, and a payload that it only carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record<P> {
    /// What the engine reads.
    pub meta: Meta,
    /// What only the driver reads. The simulator carries nothing (`()`), the poller the message itself.
    pub payload: P,
}

/// A position in a shard: where reading goes on from.
///
/// Ordered by progress only where both sides are [`Position::After`] or [`Position::End`]; see
/// [`Position::is_behind`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    /// The oldest record that the service still has (TRIM_HORIZON).
    Horizon,
    /// After the newest record at the moment of the first read (LATEST).
    Latest,
    /// The first record that arrived at or after this instant (AT_TIMESTAMP).
    At(Time),
    /// After the record with this number.
    After(Seq),
    /// The shard is closed and was read to its end.
    End,
}

impl Position {
    /// The position from which the record with offset `next` is the first one: what Kafka calls a committed offset.
    ///
    /// ```
    /// use tidegate::engine::{Position, Seq};
    ///
    /// assert_eq!(Position::at_offset(7), Position::After(Seq::from(6)));
    /// assert_eq!(Position::at_offset(7).offset(), Some(7));
    /// assert_eq!(Position::at_offset(0).offset(), Some(0));
    /// assert_eq!(Position::Latest.offset(), None);
    /// ```
    pub fn at_offset(next: u64) -> Self {
        match next.checked_sub(1) {
            Some(last) => Self::After(Seq::from(last)),
            None => Self::Horizon,
        }
    }

    /// The offset of the next record, for positions that [`at_offset`](Self::at_offset) made.
    pub const fn offset(self) -> Option<u64> {
        match self {
            Self::Horizon => Some(0),
            Self::After(seq) => seq.low_u64().checked_add(1),
            Self::Latest | Self::At(_) | Self::End => None,
        }
    }

    /// Whether `self` has less behind it than `other`, as far as that can be told.
    ///
    /// Starting positions count as behind every sequence number, and everything is behind the end.
    pub fn is_behind(self, other: Self) -> bool {
        match (self, other) {
            (Self::End, _) => false,
            (_, Self::End) => true,
            (Self::After(mine), Self::After(theirs)) => mine < theirs,
            (Self::Horizon | Self::Latest | Self::At(_), Self::After(_)) => true,
            (_, Self::Horizon | Self::Latest | Self::At(_)) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequence_numbers_survive_text() {
        let largest = "6277101735386680763835789423207666416102355444464034512895";
        for text in [
            "0",
            "7",
            "18446744073709551616",
            "10000000000000000000",
            "49590338271490256608559692538361571095921575989136588898",
            largest,
        ] {
            assert_eq!(text.parse::<Seq>().expect(text).to_string(), text);
        }
        let above = "6277101735386680763835789423207666416102355444464034512896";
        assert_eq!(above.parse::<Seq>(), Err(SeqError::TooLarge));
        assert_eq!("".parse::<Seq>(), Err(SeqError::NotDecimal));
        assert_eq!("-1".parse::<Seq>(), Err(SeqError::NotDecimal));
    }

    #[test]
    fn numbers_that_differ_high_up_are_mixed_differently() {
        let number = |text: &str| text.parse::<Seq>().expect("digits").mixed();
        // Neighbours in a shard: 2^80 apart, with the same low 64 bits.
        assert_ne!(
            number("49590338271490256608559692538361571095921575989136588898"),
            number("49590338271490256608559692538362779921741190618311294974"),
        );
    }

    #[test]
    fn order_is_numeric_not_textual() {
        let nine: Seq = "99999999999999999999".parse().expect("digits");
        let ten: Seq = "100000000000000000000".parse().expect("digits");
        assert!(nine < ten);
        assert!(Position::Horizon.is_behind(Position::After(nine)));
        assert!(Position::After(nine).is_behind(Position::After(ten)));
        assert!(Position::After(ten).is_behind(Position::End));
        assert!(!Position::End.is_behind(Position::End));
    }
}
